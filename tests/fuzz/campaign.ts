/**
 * Feeds mutated Wasm and `.rwasm` bytes to the public API. Whatever the bytes, there is either a
 * typed error or a module; whatever the module, every run ends, within its fuel and in time, in an
 * outcome. More is checked where an oracle is at hand: V8 must accept every Wasm that is accepted
 * here, run it to the same end, and refuse what is invalid here but for proposals; encode and decode
 * must be inverse; the counting copy of a module must end like it, and both loops be in step.
 *
 * @module
 */

import {
  compile,
  CompileError,
  DecodeError,
  ImportLinker,
  LinkError,
  RwasmError,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  Trap,
  ValidationError,
  VerifyError,
} from "../../mod.ts";
import type { FunctionType, Outcome, Value, ValueType } from "../../mod.ts";
import { Lowering } from "../../lib/interpreter/lower.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { type Syscalls, type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { runUnverified } from "../../lib/run/prepared.ts";
import { countingCopy, WITH_PAYLOAD } from "../counting_copy.ts";
import { Random } from "../harness.ts";
import { Twins } from "../interpreter/twins.ts";
import { mutate } from "./mutate.ts";
import { Twin } from "./twin.ts";

/** Longest time, in milliseconds, that one input may take. */
const MOST_MILLISECONDS = 250;

/** Small bounds keep unmetered bulk operations, which `.rwasm` may hold, within that time. */
const LIMITS = { memoryPages: 2, tableElements: 1024, stackSlots: 8192, callDepth: 1024 };
const FUEL = 20_000;
const STEPS = 5_000;
const MOST_STOPS = 200;

/** What a campaign saw. */
export interface Report {
  /** Inputs refused with a typed error. */
  refused: number;
  /** Inputs that became modules. */
  accepted: number;
  /** Runs, by how they ended. */
  readonly endings: Record<string, number>;
  /** Modules that the oracle, V8 or the counting copy, ran with the same results, traps and memory to the end. */
  compared: number;
  /** Milliseconds of the slowest input. */
  slowest: number;
  /** Broken promises; empty when all is well. */
  readonly failures: string[];
}

/** A kind of input: its name, and what one input made from corpus item `base` goes through; it throws what escapes. */
export interface Target {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  /** Longest time that one input may take. */
  readonly mostMilliseconds: number;
  readonly feed: (bytes: Uint8Array, base: number, random: Random, report: Report) => void;
  /** What else is promised of an input; it may take its time. */
  readonly check?: (bytes: Uint8Array, base: number, random: Random, report: Report) => void;
}

/** A `.rwasm` module and the types of its entry point, which the format does not hold. */
export interface RwasmInput {
  readonly bytes: Uint8Array;
  readonly types: FunctionType;
}

/** Runs `count` mutations; number i depends on the seed and i only, so `only` repeats one of them. */
export function campaign(target: Target, count: number, seed: number, only?: number): Report {
  const report: Report = { refused: 0, accepted: 0, endings: {}, compared: 0, slowest: 0, failures: [] };
  for (let i = only ?? 0; i < (only === undefined ? count : only + 1); i++) {
    const attempt = (part: Target["feed"]): number => {
      const random = new Random(Math.imul(seed, 0x9e3779b1) + i);
      const { bytes, base } = mutate(target.corpus, random);
      const start = performance.now();
      try {
        part(bytes, base, random, report);
      } catch (error) {
        const text = error instanceof Error ? error.stack ?? error.message : String(error);
        report.failures.push(`${target.name} ${i} of seed ${seed}: ${text}`);
      }
      return performance.now() - start;
    };
    let time = attempt(target.feed);
    // A slow one runs again: time that the machine took for something else does not count.
    for (let again = 0; again < 2 && time > target.mostMilliseconds; again++) {
      time = Math.min(time, attempt(target.feed));
    }
    if (target.check !== undefined) attempt(target.check);
    if (time > target.mostMilliseconds) {
      report.failures.push(`${target.name} ${i} of seed ${seed}: took ${Math.round(time)} ms`);
    }
    report.slowest = Math.max(report.slowest, time);
  }
  return report;
}

/** A report in words. */
export function describe(name: string, { refused, accepted, endings, compared, slowest }: Report): string {
  const ended = Object.entries(endings).sort().map(([ending, count]) => `${ending} ${count}`).join(", ");
  return `${name}: ${refused} refused, ${accepted} accepted, ${compared} equal to their oracle, slowest ${
    slowest.toFixed(1)
  } ms; runs: ${ended}`;
}

/** Refuses an error that is not one of the given classes or has no proper code. */
function expectTyped(error: unknown, classes: readonly (typeof RwasmError)[]): void {
  const typed = error instanceof RwasmError && classes.some((type) => error instanceof type);
  if (!typed || !/^[A-Z][A-Za-z0-9]+$/.test(error.code) || /internal/i.test(error.code)) throw error;
}

function note(outcome: Outcome, report?: Report): string {
  if (outcome.status === "trap" && !(outcome.trap instanceof Trap)) {
    throw new Error("a trap that is not a Trap");
  }
  const ending = outcome.status === "trap" ? outcome.trap.code : outcome.status;
  if (report !== undefined) report.endings[ending] = (report.endings[ending] ?? 0) + 1;
  return ending;
}

function argument(type: ValueType, random: Random): Value {
  switch (type) {
    case "i32":
      return random.pick([0, 1, 2, 7, -1, 65535, 65536, 0x7fffffff, random.u32() | 0]);
    case "i64":
      return random.pick([0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), BigInt(random.u32())]);
    case "f32":
    case "f64":
      return random.pick([0, -0, 1.5, -1, NaN, Infinity, 1e30]);
    default:
      return null;
  }
}

/** Host functions of the corpora's modules. */
function hostFunctions(): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  const define = (module: string, name: string, index: number, params: ValueType[], results: ValueType[]) =>
    linker.define(module, name, { index, params, results }, (caller, ...args) => {
      if (name === "pause") caller.pause(args);
      if (results.length === 0) return undefined;
      return results[0] === "i64" ? 5n : 5;
    });
  define("host", "add", 1, ["i32", "i32"], ["i32"]);
  define("host", "mix", 2, ["i64", "i32", "i64"], ["i64"]);
  define("host", "read", 3, ["i32", "i32"], []);
  define("host", "pause", 61440, ["i32"], ["i32"]);
  define("host", "pause64", 61441, [], ["i64"]);
  define("spectest", "print_i32", 10, ["i32"], []);
  define("spectest", "print_i64", 11, ["i64"], []);
  define("spectest", "print_f32", 12, ["f32"], []);
  define("spectest", "print_f64", 13, ["f64"], []);
  define("spectest", "print", 14, [], []);
  return linker;
}

/** Mutated Wasm: compile, encode, decode, run exports. */
export function wasmTarget(corpus: readonly Uint8Array[]): Target {
  const linker = hostFunctions();
  return {
    name: "wasm",
    corpus,
    mostMilliseconds: MOST_MILLISECONDS,
    feed(bytes, _base, random, report) {
      let module: RwasmModule;
      try {
        module = compile(bytes, { linker });
      } catch (error) {
        expectTyped(error, [ValidationError, CompileError, LinkError]);
        const proposal = error instanceof ValidationError &&
          /^(UnsupportedProposal|MalformedType)$/.test(error.code);
        if (error instanceof ValidationError && !proposal && WebAssembly.validate(bytes.slice())) throw error;
        report.refused++;
        return;
      }
      report.accepted++;
      if (!WebAssembly.validate(bytes.slice()) && !hasWideArithmetic(bytes)) {
        throw new Error("accepted; V8 refuses it");
      }
      const encoded = module.encode();
      expectEqual(RwasmModule.decode(encoded).encode(), encoded, "encode after decode");
      const store = new RwasmStore({ linker, fuelLimit: FUEL });
      const executor = new RwasmExecutor(store, module);
      const instantiated = executor.instantiate();
      const twin = hasWideArithmetic(bytes) ? undefined : Twin.instantiate(bytes, instantiated);
      if (note(instantiated, report) !== "done") return;
      for (const { name, params } of module.exports.slice(0, 6)) {
        store.resetFuel(FUEL);
        const args = params.map((type) => argument(type, random));
        let outcome = executor.call(name, args);
        // Of the host functions here, those that pause are told apart by their result type.
        for (let left = 3; left > 0 && outcome.status === "paused"; left--) {
          outcome = executor.resume([(outcome.payload as Value[]).length === 0 ? 5n : 5]);
        }
        if (note(outcome, report) === "paused") return;
        if (store.consumedFuel() > BigInt(FUEL)) {
          throw new Error(`consumed ${store.consumedFuel()} of ${FUEL} fuel`);
        }
        twin?.call(module, name, args, outcome);
      }
      twin?.compareMemory(store);
      if (twin?.inStep) report.compared++;
    },
  };
}

/** Whether the bytes may hold the 128-bit operators, which V8 does not know. */
function hasWideArithmetic(bytes: Uint8Array): boolean {
  return bytes.some((byte, i) => byte === 0xfc && bytes[i + 1] >= 0x13 && bytes[i + 1] <= 0x16);
}

/** Mutated `.rwasm`: decode, encode, run the entry point; then beside its counting copy, and in both loops. */
export function rwasmTarget(inputs: readonly RwasmInput[]): Target {
  const linker = hostFunctions();
  const run = (
    module: RwasmModule,
    { types }: RwasmInput,
    args: Value[],
    fuelLimit: number,
    report?: Report,
  ) => {
    const store = new RwasmStore({ linker, fuelLimit, limits: LIMITS });
    const executor = new RwasmExecutor(store, module);
    let outcome = executor.instantiate();
    if (outcome.status === "done") outcome = executor.execute(args, types);
    if (store.consumedFuel() > BigInt(fuelLimit)) throw new Error(`consumed ${store.consumedFuel()} fuel`);
    return { ending: note(outcome, report), memory: store.memory.view() };
  };
  return {
    name: "rwasm",
    corpus: inputs.map(({ bytes }) => bytes),
    mostMilliseconds: MOST_MILLISECONDS,
    feed(bytes, base, random, report) {
      let module: RwasmModule;
      try {
        module = RwasmModule.decode(bytes);
      } catch (error) {
        expectTyped(error, [DecodeError]);
        report.refused++;
        return;
      }
      const encoded = module.encode();
      // A file without its last field, source_pc, reads as one with 0.
      expectEqual(encoded.subarray(0, bytes.length), bytes, "encode after decode");
      const { types } = inputs[base], args = types.params.map((type) => argument(type, random));
      try {
        run(module, inputs[base], args, FUEL, report);
        report.accepted++;
      } catch (error) {
        expectTyped(error, [VerifyError, LinkError]);
        report.refused++;
      }
    },
    check(bytes, base, random, report) {
      const module = acceptedModule(bytes, (index) => linker.bySyscall(index));
      if (module === undefined) return;
      const input = inputs[base], args = input.types.params.map((type) => argument(type, random));
      walk(module, linker, input.types, args);
      const original = run(module, input, args, FUEL);
      const copy = run(runUnverified(countingCopy(module)), input, args, STEPS);
      if (copy.ending === "OutOfFuel" || showsFunctionNumbers(module)) return;
      if (original.ending === copy.ending) {
        expectEqual(original.memory, copy.memory, "memory of the counting copy");
        report.compared++;
      } else if (original.ending !== "OutOfFuel") {
        throw new Error(`ends with ${original.ending}, its counting copy with ${copy.ending}`);
      }
    },
  };
}

/** The module in some bytes; undefined when they are refused, which `feed` has looked at. */
function acceptedModule(bytes: Uint8Array, syscalls: Syscalls): RwasmModule | undefined {
  const before = usedBytes();
  let found: VerifiedModule;
  try {
    found = verify(RwasmModule.decode(bytes), syscalls, { limits: LIMITS });
  } catch {
    return undefined;
  }
  const program = new Program(found), lowering = new Lowering(program);
  for (let number = 0; number < found.functionCount; number++) lowering.lower(number);
  const most = 16 * bytes.length + 2 ** 20;
  // What is garbage by now does not count, but only then is it worth a collection.
  if (usedBytes() - before > most) {
    (globalThis as { gc?: () => void }).gc?.();
    const grown = usedBytes() - before;
    if (grown > most && program.length > 0) {
      throw new Error(`${bytes.length} bytes make the heap grow by ${grown}`);
    }
  }
  return found.module;
}

function usedBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Runs a module in both loops, in step: at every charge, and at each that a small amount of fuel does not cover. */
function walk(
  module: RwasmModule,
  linker: ImportLinker<undefined>,
  { params }: FunctionType,
  args: readonly Value[],
): void {
  const verified = verify(module, (index) => linker.bySyscall(index), { limits: LIMITS });
  const program = new Program(verified);
  for (const fuel of ["step", BigInt(FUEL)] as const) {
    const resume = () => ({ types: [], values: [] });
    const twins = new Twins<undefined>(verified, { linker, fuel, resume, mostStops: MOST_STOPS, program });
    for (const { machine } of twins.sides) machine.mostUncharged = STEPS;
    if (module.sourcePc > 0 && twins.run(0) !== "done") continue;
    // Once more: on the memory, globals and tables that the first run has left.
    for (let again = 0; again < 2; again++) {
      if (twins.run(module.sourcePc, params, args) === "cut") break;
    }
  }
}

/** Whether code can see the number of a function, the one thing that is different in a counting copy. */
function showsFunctionNumbers({ opcodes, immediates, elements }: RwasmModule): boolean {
  return opcodes.some((op, pc) =>
    (op === Op.RefFunc && immediates[pc] !== 0) ||
    (op === Op.TableGet && elements.length > 0 && !WITH_PAYLOAD.has(opcodes[pc - 1]))
  );
}

function expectEqual(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (actual.length !== expected.length || actual.some((byte, i) => byte !== expected[i])) {
    throw new Error(`${what} is not the same`);
  }
}
