/**
 * The options of the compiler, and their one normal form: what depends on what is decided here and
 * nowhere else.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { type Limits, resolveLimits } from "../limits.ts";
import type { ImportLinker } from "../plugin/linker.ts";
import type { IntrinsicInstruction } from "../plugin/plugin.ts";

/** Chooses the function `execute` runs by a number: see `CompilationConfig.stateRouter`. */
export interface StateRouterConfig {
  /** Export names with their states, tried in order; names the module lacks are skipped. */
  readonly states: readonly (readonly [exportName: string, state: number])[];
  /**
   * Instruction that pushes the state, usually `["Call", index]` of a syscall. Without it the
   * caller passes the state as the last parameter.
   */
  readonly opcode?: IntrinsicInstruction;
}

/**
 * What the host knows about the imports of a module before it is compiled. With it, imported memories,
 * tables and globals are accepted: the host puts them into a new instance before its code runs.
 */
export interface HostImports {
  /**
   * The value of every imported global, in their order, as 64 bits; those of 32-bit types in the low
   * half. A funcref must be 0, null; an externref is a cell, its number + 1 or 0. Only those of
   * immutable globals are looked at, for constant expressions.
   */
  readonly globals: readonly bigint[];
}

/** Options of `compile`. */
export interface CompilationConfig {
  /** Offers the functions the module imports. */
  // deno-lint-ignore no-explicit-any -- the host context plays no part in compiling
  readonly linker?: ImportLinker<never> | ImportLinker<any>;
  /** Export that `execute()` runs; without it `call(name)` still reaches every export. */
  readonly entrypoint?: string;
  /** Dispatches `execute()` by a state number. */
  readonly stateRouter?: StateRouterConfig;
  /** Emit fuel charges. Default true; false turns off the three options below as well. */
  readonly consumeFuel?: boolean;
  /** Charge bulk memory and table operations by their length. Default true. */
  readonly consumeFuelForBulkOps?: boolean;
  /** Charge parameters and locals at function entry. Default true. */
  readonly consumeFuelForParamsAndLocals?: boolean;
  /** Charge host functions as they declare. Default: true when any function of the linker declares fuel (the reference's own default is false). */
  readonly builtinsConsumeFuel?: boolean;
  /** Accept a start section. Default true (the reference's own default is false). */
  readonly allowStartSection?: boolean;
  /** Let routed functions have parameters and results. Default true (the reference's own default is false). */
  readonly allowMalformedEntrypointFuncType?: boolean;
  /** Let imports and entry points have reference types. Default true (the reference's own default is false). */
  readonly allowFuncRefFunctionTypes?: boolean;
  /** Value of every imported numeric global; without it imported globals are refused. 32-bit globals take the low half. */
  readonly defaultImportedGlobalValue?: bigint;
  /** @internal For the `WebAssembly` facade, which puts host objects into instances. */
  readonly hostImports?: HostImports;
  /** Bounds on the module; what is absent comes from DEFAULT_LIMITS. */
  readonly limits?: Partial<Limits>;
  /** "deterministic" (default): float instructions with canonical NaNs. "trap": every float operation traps with IllegalOpcode, as the reference's production build does. */
  readonly floats?: "deterministic" | "trap";
}

/** A configuration with every option decided. */
export interface ResolvedConfig {
  /** Undefined when no functions are offered. */
  // deno-lint-ignore no-explicit-any -- see above
  readonly linker: ImportLinker<any> | undefined;
  /** Export that `execute()` runs. */
  readonly entrypoint: string | undefined;
  /** Dispatcher of `execute()`. */
  readonly stateRouter: StateRouterConfig | undefined;
  /** Emit fuel charges. */
  readonly fuel: boolean;
  /** Charge bulk operations by their length. */
  readonly bulkFuel: boolean;
  /** Charge parameters and locals. */
  readonly localsFuel: boolean;
  /** Charge host functions as they declare. */
  readonly syscallFuel: boolean;
  /** Accept a start section. */
  readonly allowStart: boolean;
  /** Let routed functions have parameters and results. */
  readonly allowMalformedEntrypoint: boolean;
  /** Let imports and entry points have reference types. */
  readonly allowReferences: boolean;
  /** Value of imported globals. */
  readonly importedGlobal: bigint | undefined;
  /** Set when the host puts imported memories, tables and globals into instances. */
  readonly hostImports: HostImports | undefined;
  /** Bounds on the module. */
  readonly limits: Limits;
  /** Compile float operations to traps. */
  readonly trapFloats: boolean;
}

const OPTIONS = [
  "linker",
  "entrypoint",
  "stateRouter",
  "consumeFuel",
  "consumeFuelForBulkOps",
  "consumeFuelForParamsAndLocals",
  "builtinsConsumeFuel",
  "allowStartSection",
  "allowMalformedEntrypointFuncType",
  "allowFuncRefFunctionTypes",
  "defaultImportedGlobalValue",
  "hostImports",
  "limits",
  "floats",
] as const satisfies readonly (keyof CompilationConfig)[];

/**
 * Decides every option. `consumeFuel: false` turns all charges off, whatever else is set.
 *
 * @throws {UsageError} `InvalidConfig` or `InvalidLimit` for an option that does not exist or has the wrong form.
 */
export function resolveConfig(config: CompilationConfig): ResolvedConfig {
  if (typeof config !== "object" || config === null) {
    throw refused(`the configuration is ${config === null ? "null" : `a ${typeof config}`}, not an object`);
  }
  for (const name of Object.keys(config)) {
    if (!(OPTIONS as readonly string[]).includes(name)) {
      throw refused(`"${name}" is not an option`, `the options are ${OPTIONS.join(", ")}`);
    }
  }
  const flag = (name: keyof CompilationConfig, fallback: boolean): boolean => {
    const value = config[name];
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") throw refused(`${name} must be a boolean, not ${typeof value}`);
    return value;
  };
  const floats = config.floats ?? "deterministic";
  if (floats !== "deterministic" && floats !== "trap") {
    throw refused(`floats must be "deterministic" or "trap", not ${JSON.stringify(floats)}`);
  }
  if (config.entrypoint !== undefined && typeof config.entrypoint !== "string") {
    throw refused(`entrypoint must be the name of an export, not ${typeof config.entrypoint}`);
  }
  const importedGlobal = config.defaultImportedGlobalValue;
  if (importedGlobal !== undefined && typeof importedGlobal !== "bigint") {
    throw refused(`defaultImportedGlobalValue must be a bigint, not ${typeof importedGlobal}`);
  }
  // deno-lint-ignore no-explicit-any -- see ResolvedConfig
  const linker = config.linker as ImportLinker<any> | undefined;
  const fuel = flag("consumeFuel", true);
  const declaresFuel = linker !== undefined && linker.entries().some((entry) => entry.fuel !== undefined);
  return {
    linker,
    entrypoint: config.entrypoint,
    stateRouter: checkedRouter(config.stateRouter),
    fuel,
    bulkFuel: flag("consumeFuelForBulkOps", true) && fuel,
    localsFuel: flag("consumeFuelForParamsAndLocals", true) && fuel,
    syscallFuel: flag("builtinsConsumeFuel", declaresFuel) && fuel,
    allowStart: flag("allowStartSection", true),
    allowMalformedEntrypoint: flag("allowMalformedEntrypointFuncType", true),
    allowReferences: flag("allowFuncRefFunctionTypes", true),
    importedGlobal,
    hostImports: config.hostImports,
    limits: resolveLimits(config.limits),
    trapFloats: floats === "trap",
  };
}

function checkedRouter(router: StateRouterConfig | undefined): StateRouterConfig | undefined {
  if (router === undefined) return undefined;
  if (!Array.isArray(router.states)) {
    throw refused("stateRouter.states must be an array of [exportName, state]");
  }
  for (const entry of router.states as readonly unknown[]) {
    const [name, state] = Array.isArray(entry) ? entry : [];
    if (typeof name !== "string" || !Number.isInteger(state) || state < 0 || state > 0xffff_ffff) {
      throw refused("stateRouter.states must hold [exportName, state] with a state from 0 to 2^32 - 1");
    }
  }
  return router;
}

function refused(why: string, hint?: string): UsageError {
  return new UsageError("InvalidConfig", `Cannot compile: ${why}`, { hint });
}
