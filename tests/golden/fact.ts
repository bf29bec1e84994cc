/**
 * One fact of the reference run four ways and compared: a module compiled here, through `execute`
 * and, in compiled code, through `call`; the same module after encode and decode; and, where there is
 * one, the module the reference compiled. Every run has a fresh store. A fact is met when results, trap, consumed
 * fuel, memory, host calls and resumes all are equal.
 *
 * @module
 */

import { ImportLinker, REFERENCE_LIMITS, RwasmExecutor, RwasmStore, TrapCode } from "../../mod.ts";
import type {
  Caller,
  CompilationConfig,
  Outcome,
  RwasmModule,
  SyscallFuel,
  TrapName,
  Value,
  ValueType,
} from "../../mod.ts";
import {
  fnv1a64,
  type JsonValue,
  lettersToTypes,
  matches,
  rawType,
  show,
  toRawValue,
  toValue,
} from "../harness.ts";

/** One host call of a scripted host: what the function does. */
export interface ScriptStep {
  readonly results?: readonly JsonValue[];
  readonly trap?: number;
  readonly fuel?: number;
  readonly write?: readonly [offset: number, bytes: readonly number[]];
  readonly interrupt?: readonly JsonValue[];
}

/** What a run starts from. */
export interface Input {
  readonly args: readonly JsonValue[];
  /** Letters of the result types. */
  readonly results: string;
  readonly fuelLimit?: string | null;
  readonly maxPages?: number;
  readonly script?: readonly ScriptStep[];
}

/** What the reference did. */
export interface Expected {
  readonly fuel: string;
  readonly instantiateTrap?: TrapName;
  readonly calls?: readonly { readonly index: number; readonly params: readonly JsonValue[] }[];
  readonly memoryBytes?: number;
  readonly memoryFnv1a64?: string;
  readonly results?: readonly JsonValue[];
  readonly resumes?: number;
  readonly trap?: TrapName | null;
}

/** A host function of a program. */
export interface Import {
  readonly module: string;
  readonly name: string;
  readonly index: number;
  readonly fuel: {
    readonly const?: number;
    readonly linear?: readonly [base: number, param: number, wordCost: number];
    readonly quadratic?: readonly [param: number, wordCost: number, divisor: number, rate: number];
  };
  readonly params: string;
  readonly results: string;
}

/** Configuration as the facts write it. */
export interface JsonConfig {
  readonly consumeFuel?: boolean;
  readonly bulkFuel?: boolean;
  readonly localsFuel?: boolean;
  readonly builtinsFuel?: boolean;
}

/** The configuration under which a fact was made, in our words. */
export function toConfig(
  config: JsonConfig,
  entrypoint: string,
  floats: "deterministic" | "trap",
): CompilationConfig {
  return {
    entrypoint,
    floats,
    limits: REFERENCE_LIMITS,
    consumeFuel: config.consumeFuel ?? true,
    consumeFuelForBulkOps: config.bulkFuel ?? true,
    consumeFuelForParamsAndLocals: config.localsFuel ?? true,
    builtinsConsumeFuel: config.builtinsFuel ?? false,
    allowFuncRefFunctionTypes: false,
  };
}

function toSyscallFuel({ const: amount, linear, quadratic }: Import["fuel"]): SyscallFuel | undefined {
  if (amount !== undefined) return { const: amount };
  if (linear) return { linear: { base: linear[0], param: linear[1], wordCost: linear[2] } };
  if (quadratic) {
    const [param, wordCost, divisor, rate] = quadratic;
    return { quadratic: { param, wordCost, divisor, rate } };
  }
  return undefined;
}

/** The host's side of one run. */
interface Host {
  readonly script: readonly ScriptStep[];
  readonly calls: { index: number; params: Value[] }[];
}

const TRAP_NAMES = Object.keys(TrapCode) as TrapName[];
const EXECUTION_HALTED = 255; // the one trap whose API number is not its place in the list

/** A linker whose functions do what the script of the run's store says. */
export function scriptedLinker(imports: readonly Import[]): ImportLinker<Host> {
  const linker = new ImportLinker<Host>();
  for (const { module, name, index, params, results, fuel } of imports) {
    const policy = toSyscallFuel(fuel);
    const signature = { index, params: lettersToTypes(params), results: lettersToTypes(results) };
    linker.define(
      module,
      name,
      policy === undefined ? signature : { ...signature, fuel: policy },
      (caller: Caller<Host>, ...args: Value[]) => {
        const { script, calls } = caller.data;
        const step = script[calls.length] ?? {};
        calls.push({ index, params: args });
        if (step.fuel !== undefined) caller.consumeFuel(step.fuel);
        if (step.write !== undefined) caller.memory.write(step.write[0], Uint8Array.from(step.write[1]));
        if (step.interrupt !== undefined) caller.pause(index);
        if (step.trap === EXECUTION_HALTED) caller.halt();
        if (step.trap !== undefined) caller.trap(TRAP_NAMES[step.trap]);
        // A script without results means zeros of the declared types, as in the reference.
        const values = step.results?.map(toValue) ??
          signature.results.map((type) => type === "i64" ? 0n : 0);
        return values.length === 0 ? undefined : values.length === 1 ? values[0] : values;
      },
    );
  }
  return linker;
}

/** One way to run a fact. */
export interface Way {
  /** Name for messages. */
  readonly name: string;
  readonly module: RwasmModule;
  /** Export to `call`, in the native engine; undefined runs the entry point with `execute`. */
  readonly call?: string;
  /** Types of the entry point of a module without types; floats go as bits. */
  readonly types?: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] };
}

/** Types for a module without types: floats as bits in integer slots. */
export function rawTypes(args: readonly JsonValue[], results: readonly ValueType[]): Way["types"] {
  return { params: args.map(({ type }) => rawType(type)), results: results.map(rawType) };
}

/** How a run differs from the fact, or undefined. */
export function differs(
  { module, call, types }: Way,
  linker: ImportLinker<Host>,
  input: Input,
  expected: Expected,
): string | undefined {
  const raw = types !== undefined;
  const host: Host = { script: input.script ?? [], calls: [] };
  const limits = input.maxPages === undefined
    ? REFERENCE_LIMITS
    : { ...REFERENCE_LIMITS, memoryPages: input.maxPages };
  const fuel = input.fuelLimit == null ? {} : { fuelLimit: BigInt(input.fuelLimit) };
  const store = new RwasmStore<Host>({ linker, data: host, limits, ...fuel });
  const executor = new RwasmExecutor(store, module, { engine: call === undefined ? "auto" : "native" });

  if (expected.instantiateTrap !== undefined) {
    const outcome = executor.instantiate();
    if (outcome.status !== "trap") return `instantiation ended as ${outcome.status}`;
    if (outcome.trap.code !== expected.instantiateTrap) {
      return `instantiation trapped with ${outcome.trap.code}`;
    }
    return fuelDiffers(store.consumedFuel(), expected.fuel);
  }
  const args = input.args.map(raw ? toRawValue : toValue);
  let outcome: Outcome = call === undefined ? executor.execute(args, types) : executor.call(call, args);
  let resumes = 0;
  while (outcome.status === "paused") {
    const step = host.script[host.calls.length - 1];
    if (step?.interrupt === undefined || resumes > 1000) return "paused where the script does not say so";
    resumes++;
    outcome = executor.resume(step.interrupt.map(toValue));
  }
  const trap = outcome.status === "trap" ? outcome.trap.code : null;
  if (trap !== expected.trap) return `ended with ${trap ?? "no trap"} instead of ${expected.trap ?? "none"}`;
  if (outcome.status === "done") {
    const { results } = outcome;
    const equal = results.length === expected.results!.length &&
      expected.results!.every((json, i) => matches(json, results[i], { raw, anyNan: true }));
    if (!equal) {
      return `results (${results.map(show)}) instead of (${expected.results!.map((json) => json.value)})`;
    }
  }
  if (expected.resumes !== undefined && resumes !== expected.resumes) {
    return `${resumes} resumes instead of ${expected.resumes}`;
  }
  return callsDiffer(host.calls, expected.calls ?? []) ?? fuelDiffers(store.consumedFuel(), expected.fuel) ??
    memoryDiffers(store.memory.view(), expected);
}

function fuelDiffers(consumed: bigint, expected: string): string | undefined {
  return consumed === BigInt(expected) ? undefined : `fuel ${consumed} instead of ${expected}`;
}

function callsDiffer(calls: Host["calls"], expected: NonNullable<Expected["calls"]>): string | undefined {
  if (calls.length !== expected.length) return `${calls.length} host calls instead of ${expected.length}`;
  for (let i = 0; i < calls.length; i++) {
    const equal = calls[i].index === expected[i].index &&
      calls[i].params.length === expected[i].params.length &&
      expected[i].params.every((json, k) => matches(json, calls[i].params[k]));
    if (!equal) return `host call ${i} is ${calls[i].index}(${calls[i].params.map(show)})`;
  }
  return undefined;
}

function memoryDiffers(bytes: Uint8Array, { memoryBytes, memoryFnv1a64 }: Expected): string | undefined {
  if (bytes.length !== memoryBytes) return `${bytes.length} bytes of memory instead of ${memoryBytes}`;
  const hash = fnv1a64(bytes);
  return hash === memoryFnv1a64 ? undefined : `memory hash ${hash} instead of ${memoryFnv1a64}`;
}
