/**
 * What all objects of one facade share: the bounds, the fuel counter, the error classes, and what is
 * behind each object. An object is known by its entry here and not by its prototype, so objects of
 * another facade, or of the host's own WebAssembly, are refused.
 *
 * @module
 */

import { resolveConfig, type ResolvedConfig } from "../compile/config.ts";
import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { type Limits, resolveLimits } from "../limits.ts";
import { checkEngine, type ExecutorOptions } from "../run/executor.ts";
import { fuelAmount, FuelMeter } from "../vm/fuel.ts";
import { createErrorClasses, type ErrorClasses } from "./errors.ts";
import type { ExportedFunction } from "./function.ts";
import type { GlobalState } from "./global.ts";
import type { ModuleState } from "./module.ts";
import { HostReferences } from "./references.ts";
import type { TableState } from "./table.ts";

/** What a facade is made with; everything is optional. */
export interface WebAssemblyOptions {
  /** Fuel that all instances together may consume, 0 … 2^64 − 1; undefined for no bound. */
  readonly fuelLimit?: bigint | number | undefined;
  /** Bounds on modules and instances; what is absent is as in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits> | undefined;
  /** "deterministic" (default): floats with canonical NaNs. "trap": every float operation traps. */
  readonly floats?: "deterministic" | "trap" | undefined;
  /** Which engine runs the code; see `ExecutorOptions`. */
  readonly engine?: ExecutorOptions["engine"];
}

const OPTIONS: readonly string[] = [
  "fuelLimit",
  "limits",
  "floats",
  "engine",
] satisfies readonly (keyof WebAssemblyOptions)[];

/** What all objects of one facade share. */
export class Realm {
  /** How modules are compiled. */
  readonly config: ResolvedConfig;
  /** Bounds on modules and instances. */
  readonly limits: Limits;
  /** Which engine runs the code. */
  readonly engine: ExecutorOptions["engine"];
  /** Fuel of all instances. */
  readonly fuel: FuelMeter;
  /** The error classes. */
  readonly errors: ErrorClasses = createErrorClasses();
  /** Values behind externrefs. */
  readonly references: HostReferences = new HostReferences();
  /** What is behind each module. */
  readonly modules: WeakMap<object, ModuleState> = new WeakMap();
  /** What is behind each table. */
  readonly tables: WeakMap<object, TableState> = new WeakMap();
  /** What is behind each global. */
  readonly globals: WeakMap<object, GlobalState> = new WeakMap();
  /** What is behind each exported function. */
  readonly functions: WeakMap<object, ExportedFunction> = new WeakMap();

  /** Prototype of tables. */
  tablePrototype: object | null = null;
  /** Prototype of globals. */
  globalPrototype: object | null = null;

  /**
   * Checks the options.
   *
   * @throws {UsageError} `InvalidLimit`, `InvalidFuel`, `InvalidConfig` or `UnknownEngine`.
   */
  constructor(options: WebAssemblyOptions) {
    for (const name of Object.keys(options)) {
      if (OPTIONS.includes(name)) continue;
      throw new UsageError(
        "InvalidConfig",
        `Cannot make a WebAssembly facade: ${quoteName(name)} is not an option`,
        { hint: `the options are ${OPTIONS.join(", ")}` },
      );
    }
    const { fuelLimit, limits, floats, engine } = options;
    this.limits = resolveLimits(limits);
    this.config = resolveConfig({ limits: this.limits, ...(floats === undefined ? {} : { floats }) });
    checkEngine(engine);
    this.engine = engine;
    this.fuel = new FuelMeter(
      fuelLimit === undefined ? undefined : fuelAmount(fuelLimit, "make a WebAssembly facade"),
    );
  }

  /** The object of a table that an instance made. */
  newTable(state: TableState): object {
    return register(this.tables, this.tablePrototype, state);
  }

  /** The object of a global that an instance made. */
  newGlobal(state: GlobalState): object {
    return register(this.globals, this.globalPrototype, state);
  }
}

/** A new object with something behind it. */
function register<State>(
  known: WeakMap<object, State>,
  prototype: object | null,
  state: State,
): object {
  const object = Object.create(prototype);
  known.set(object, state);
  return object;
}

/**
 * What is behind an object.
 *
 * @throws {TypeError} when nothing is: the object is not one of this facade.
 */
export function stateOf<State>(
  known: WeakMap<object, State>,
  object: unknown,
  doing: string,
  kind: string,
): State {
  const state = known.get(object as object); // a WeakMap has nothing for what is no object
  if (state === undefined) {
    throw new TypeError(`Cannot ${doing}: this is not a ${kind} of this WebAssembly facade`);
  }
  return state;
}
