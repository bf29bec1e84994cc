/**
 * Runs a generated module in this library: compiled here with all its exports, and once more through
 * its `.rwasm` bytes.
 *
 * @module
 */

import {
  type CompilationConfig,
  compile,
  type ExecutorOptions,
  ImportLinker,
  type Outcome,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  type TrapName,
  type Value,
  type ValueType,
} from "../../mod.ts";
import { IMPORTED_GLOBAL } from "../generate/generate.ts";
import type { ModuleSource, Signature } from "../generate/module.ts";
import { Host, HostEnd } from "./host.ts";
import {
  type CallObservation,
  type Ending,
  type Observation,
  type TrapClass,
  valueText,
} from "./observation.ts";
import { callText, type Plan, type PlannedCall, type PlannedValue, typeOfFunction } from "./plan.ts";

const TRAPS: Partial<Record<TrapName, TrapClass>> = {
  UnreachableCodeReached: "unreachable",
  MemoryOutOfBounds: "memory",
  TableOutOfBounds: "table",
  IndirectCallToNull: "signature",
  BadSignature: "signature",
  IntegerDivisionByZero: "division by zero",
  IntegerOverflow: "unrepresentable",
  BadConversionToInteger: "unrepresentable",
  IllegalOpcode: "host",
  ExecutionHalted: "halt",
  OutOfFuel: "fuel",
};

/** A linker that offers what the module imports. */
function linkerFor({ imports, types }: ModuleSource, host: Host): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  imports.forEach(({ module, name, type }, index) => {
    const { params, results } = types[type];
    const call = host.function(name, types[type]);
    linker.define(module, name, { index, params, results }, (caller, ...args) => {
      try {
        const values = call(args);
        return results.length === 0 ? undefined : results.length === 1 ? values[0] : values;
      } catch (error) {
        if (!(error instanceof HostEnd)) throw error;
        return error.how === "halt" ? caller.halt() : caller.trap("IllegalOpcode");
      }
    });
  });
  return linker;
}

/** A compiled module, with the host it was compiled for. */
interface Compiled {
  readonly module: RwasmModule;
  readonly host: Host;
  readonly linker: ImportLinker<undefined>;
  /** Function index by first pc. */
  readonly functionAt: ReadonlyMap<number, number>;
}

function compileFor(source: ModuleSource, wasm: Uint8Array, more: CompilationConfig = {}): Compiled {
  const host = new Host();
  const linker = linkerFor(source, host);
  const imported = source.globals.some((global) => global.imported !== undefined);
  const config: CompilationConfig = {
    linker,
    ...more,
    ...(imported ? { defaultImportedGlobalValue: IMPORTED_GLOBAL } : {}),
  };
  const module = compile(wasm, config);
  const { functionStarts, functionTypes } = module.info!;
  const functionAt = new Map(Array.from(functionTypes, (_, index) => [functionStarts[index], index]));
  return { module, host, linker, functionAt };
}

/** A value as text; a function reference, a pc, becomes a function index. */
function text(type: ValueType, value: Value, functionAt: ReadonlyMap<number, number>): string {
  if (type !== "funcref" || value === null) return valueText(type, value);
  const index = functionAt.get(value as number);
  if (index === undefined) throw new Error(`funcref ${value} is not the start of a function`);
  return valueText(type, index);
}

function endingOf(
  outcome: Outcome,
  results: readonly ValueType[],
  functionAt: ReadonlyMap<number, number>,
): Ending {
  if (outcome.status === "done") {
    return {
      kind: "done",
      results: outcome.results.map((value, i) => text(results[i], value, functionAt)),
    };
  }
  if (outcome.status !== "trap") throw new Error(`the run ended as ${outcome.status}`);
  const { code } = outcome.trap;
  if (code === "StackOverflow") return { kind: "exhausted" };
  const trap = TRAPS[code];
  if (trap === undefined) throw outcome.trap;
  return { kind: "trap", trap };
}

/** Arguments as the API takes them. */
function argsOf(args: readonly PlannedValue[], { functionStarts }: { functionStarts: Uint32Array }): Value[] {
  return args.map(({ type, value }) =>
    type === "funcref" && value !== null ? functionStarts[value as number] : value
  );
}

/** How {@link observeOurs} runs a module. */
export interface Manner {
  readonly options?: ExecutorOptions | undefined;
  readonly config?: CompilationConfig;
  /** Fuel limit of a run, the instantiation being run 0; undefined for no bound. */
  readonly limit?: (run: number) => bigint | undefined;
}

/** What this library shows of a module under a plan; the fuel is that of each run alone. */
export function observeOurs(
  source: ModuleSource,
  wasm: Uint8Array,
  plan: Plan,
  { options, config, limit = () => undefined }: Manner = {},
): Observation {
  const { module, host, linker, functionAt } = compileFor(source, wasm, config);
  const store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, module, options);
  const calls: CallObservation[] = [];
  const run = (what: string, results: readonly ValueType[], start: () => Outcome): Ending => {
    store.resetFuel(limit(calls.length));
    const ending = endingOf(start(), results, functionAt);
    calls.push({ what, ending, log: host.take(), fuel: store.consumedFuel() });
    return ending;
  };

  const instantiated = run("instantiate", [], () => executor.instantiate());
  if (instantiated.kind !== "done") return { calls, globals: new Map(), memory: new Uint8Array(0) };
  host.memory = () => store.memory.view();
  const exported = new Set(source.exports.map(({ name }) => name));
  for (const call of plan.calls) {
    if (!exported.has(call.name)) continue;
    if (exported.has("budget")) executor.setGlobal("budget", plan.budget);
    const { results } = signatureOf(source, call);
    const args = argsOf(call.args, module.info!);
    const ending = run(callText(call), results, () => executor.call(call.name, args));
    if (ending.kind === "exhausted") break;
  }
  const globals = new Map<string, string>();
  for (const { name, kind, index } of source.exports) {
    if (kind !== "global") continue;
    globals.set(name, text(source.globals[index].type, executor.global(name), functionAt));
  }
  return { calls, globals, memory: store.memory.view().slice() };
}

function signatureOf(source: ModuleSource, { name }: PlannedCall): Signature {
  const { index } = source.exports.find((entry) => entry.kind === "function" && entry.name === name)!;
  return typeOfFunction(source, index);
}

/** The first call of a plan that an entry point can make: numbers only, or none. */
export function entryCall(source: ModuleSource, plan: Plan): PlannedCall | undefined {
  return plan.calls.find((call) => {
    if (!source.exports.some(({ name, kind }) => kind === "function" && name === call.name)) return false;
    const { params, results } = signatureOf(source, call);
    return [...params, ...results].every((type) => !type.endsWith("ref"));
  });
}

/**
 * What an entry point does on a fresh instance: compiled, and decoded from its own bytes. A decoded
 * module has no exports, so globals and budget cannot be set or seen there.
 */
export function observeEntry(
  source: ModuleSource,
  wasm: Uint8Array,
  call: PlannedCall,
  way: "compiled" | "decoded",
  options?: ExecutorOptions,
): Observation {
  const { module: compiled, host, linker, functionAt } = compileFor(source, wasm, { entrypoint: call.name });
  const module = way === "compiled" ? compiled : RwasmModule.decode(compiled.encode());
  const store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, module, options);
  const instantiated = endingOf(executor.instantiate(), [], functionAt);
  const calls: CallObservation[] = [
    { what: "instantiate", ending: instantiated, log: host.take(), fuel: store.consumedFuel() },
  ];
  if (instantiated.kind !== "done") return { calls, globals: new Map(), memory: new Uint8Array(0) };
  host.memory = () => store.memory.view();
  const { params, results } = signatureOf(source, call);
  const outcome = executor.execute(call.args.map(({ value }) => value), { params, results });
  const ending = endingOf(outcome, results, functionAt);
  calls.push({ what: callText(call), ending, log: host.take(), fuel: store.consumedFuel() });
  return { calls, globals: new Map(), memory: store.memory.view().slice() };
}
