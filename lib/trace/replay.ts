/**
 * Runs a recorded program again with the recording in the place of the host: no plugin is needed, and
 * the run reaches the same end. Where the program asks for something else than it did when it was
 * recorded, the replay stops and says so.
 *
 * @module
 */

import { LinkError, type TrapName, UsageError } from "../error.ts";
import type { FunctionType, RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { ImportLinker } from "../plugin/linker.ts";
import type { Caller, SyscallSignature, Value } from "../plugin/plugin.ts";
import type { Outcome } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { readValues } from "../vm/values.ts";
import { type Output, writtenBytes } from "./output.ts";
import { moduleHash, type Recordable } from "./record.ts";
import {
  cellsOf,
  type RecordedBytes,
  type RecordedCall,
  type RecordedEnd,
  type RecordedFunction,
  type RecordedOutcome,
  type Recording,
  recordOutcome,
  valuesOf,
} from "./recording.ts";

/** Where a program did something else than when it was recorded. */
export interface ReplayDifference {
  /** Calls of host functions that were answered before. */
  readonly calls: number;
  /** What was recorded. */
  readonly expected: string;
  /** What happened. */
  readonly found: string;
  /** Index of the instruction that asked, when one did. */
  readonly pc: number | undefined;
}

/** How a replay ended. */
export interface Replayed {
  /** Calls of host functions that were answered. */
  readonly calls: number;
  /** How the last run ended. */
  readonly outcome: Outcome | undefined;
  /** Fuel consumed at the end. */
  readonly fuel: bigint;
  /** The first difference; undefined when the program did what it had done. */
  readonly difference: ReplayDifference | undefined;
}

/** How a replay goes. */
export interface ReplayOptions {
  /** Gets what the program writes to standard streams through WASI. */
  readonly output?: ((output: Output) => void) | undefined;
  /** Makes the executor that runs the program: `(store, module) => new RwasmExecutor(store, module)`. */
  readonly executor: (store: RwasmStore<undefined>, module: RwasmModule) => Recordable;
}

/**
 * The functions of a recording, for a compiler: they have the types and the fuel of the recorded ones,
 * and cannot be called.
 *
 * @throws {PluginError} when the recording declares what no linker can offer.
 */
export function recordedLinker({ head }: Recording): ImportLinker<undefined> {
  return linkerOf(head.functions, (entry) => () => {
    throw new UsageError("NotReplayed", `Cannot call ${label(entry)}: this linker is for compiling only`);
  });
}

function linkerOf(
  functions: readonly RecordedFunction[],
  callOf: (entry: RecordedFunction) => (caller: Caller<undefined>, ...args: Value[]) => unknown,
): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  for (const entry of functions) {
    const { module, name, index, params, results, fuel } = entry;
    const signature: SyscallSignature = { index, params, results, ...fuel === undefined ? {} : { fuel } };
    linker.define(module, name, signature, callOf(entry));
  }
  return linker;
}

const label = ({ module, name }: Pick<RecordedFunction, "module" | "name">): string =>
  `${quoteName(module)}.${quoteName(name)}`;

/**
 * Replays a recording on the module it is of.
 *
 * @throws {LinkError} `OtherModule` when the module is another one.
 *
 * @example
 * ```ts
 * import { compile, parseRecording, recordedLinker, replayRecording, RwasmExecutor } from "./mod.ts";
 * async function repeat(recordingFile: string, wasmFile: string) {
 *   const recording = parseRecording(await Deno.readTextFile(recordingFile));
 *   const module = compile(await Deno.readFile(wasmFile), { linker: recordedLinker(recording) });
 *   const executor = (store: ConstructorParameters<typeof RwasmExecutor<undefined>>[0]) =>
 *     new RwasmExecutor(store, module);
 *   return replayRecording(recording, module, { executor }).difference; // undefined: it did the same
 * }
 * ```
 */
export function replayRecording(recording: Recording, module: RwasmModule, options: ReplayOptions): Replayed {
  const found = moduleHash(module);
  if (found !== recording.head.module) {
    throw new LinkError("OtherModule", "Cannot replay: the recording is of another module", {
      hint: `its .rwasm bytes have the hash ${recording.head.module}, those of this one ${found}; ` +
        "compile it with the options it was recorded with",
    });
  }
  return new Replay(recording, module, options).run();
}

/** A replay under way. */
class Replay {
  readonly #recording: Recording;
  readonly #store: RwasmStore<undefined>;
  readonly #executor: Recordable;
  readonly #output: ((output: Output) => void) | undefined;
  #at = 0;
  #calls = 0;
  #difference: ReplayDifference | undefined;

  constructor(recording: Recording, module: RwasmModule, { output, executor }: ReplayOptions) {
    this.#recording = recording;
    this.#output = output;
    const { fuelLimit, limits, functions } = recording.head;
    const linker = linkerOf(functions, (entry) => (caller, ...args) => this.#answer(entry, caller, args));
    this.#store = new RwasmStore<undefined>({
      linker,
      limits,
      ...fuelLimit === null ? {} : { fuelLimit: BigInt(fuelLimit) },
    });
    this.#executor = executor(this.#store, module);
  }

  run(): Replayed {
    const { lines } = this.#recording, store = this.#store;
    let outcome: Outcome | undefined;
    while (this.#at < lines.length && this.#difference === undefined) {
      const line = lines[this.#at++]!;
      if (!("run" in line)) {
        this.#differs("another run", "the program ended before");
        break;
      }
      this.#change(line.memory, line.pages);
      outcome = this.#start(line.run);
      if (this.#difference !== undefined) break;
      const end = lines[this.#at++];
      if (end === undefined) break; // the recording was cut off
      if (!("ended" in end)) {
        this.#differs(this.#text(end), `the program ended: ${outcomeText(outcome)}`);
        break;
      }
      this.#compareEnds(end, outcome);
    }
    return { calls: this.#calls, outcome, fuel: store.consumedFuel(), difference: this.#difference };
  }

  #start(run: Extract<Recording["lines"][number], { run: unknown }>["run"]): Outcome {
    const executor = this.#executor;
    if ("instantiate" in run) return executor.instantiate();
    if ("resume" in run) return executor.resume(valuesOf(run.resume));
    if ("call" in run) return executor.call(run.call, valuesOf(run.params));
    const types: FunctionType | undefined = run.results === null
      ? undefined
      : { params: run.execute.types, results: run.results };
    return executor.execute(valuesOf(run.execute), types);
  }

  #compareEnds({ ended, fuel }: RecordedOutcome, outcome: Outcome): void {
    const found = recordOutcome(outcome, ended.results?.types ?? []),
      consumed = String(this.#store.consumedFuel());
    if (JSON.stringify(found) !== JSON.stringify(ended)) {
      this.#differs(`the end ${JSON.stringify(ended)}`, `the end ${JSON.stringify(found)}`);
    } else if (consumed !== fuel) {
      this.#differs(`${fuel} fuel consumed at the end`, `${consumed}`);
    }
  }

  #differs(expected: string, found: string, pc?: number): void {
    this.#difference ??= { calls: this.#calls, expected, found, pc };
  }

  #text(line: Recording["lines"][number]): string {
    if ("run" in line) return "another run";
    if ("ended" in line) return `the end ${JSON.stringify(line.ended)}`;
    const entry = this.#recording.head.functions.find(({ index }) => index === line.call);
    return callText(entry ?? { module: "", name: String(line.call) }, line.args);
  }

  /** Answers a call with what was recorded. */
  #answer(entry: RecordedFunction, caller: Caller<undefined>, args: Value[]): unknown {
    const line = this.#recording.lines[this.#at], cells = cellsOf(entry.params, args);
    const pc = this.#store.machine?.pc;
    if (line === undefined || !("call" in line)) {
      const expected = line === undefined ? "the end of the recording" : this.#text(line);
      this.#differs(expected, callText(entry, cells), pc);
      caller.trap("HostError");
    }
    const expected = this.#text(line), found = callText(entry, cells);
    if (line.call !== entry.index || line.args.join() !== cells.join()) {
      this.#differs(expected, found, pc);
      caller.trap("HostError");
    }
    const output = writtenBytes(entry, args, this.#store.memory.view());
    if (line.output !== undefined && output?.bytes.toBase64() !== line.output[1]) {
      this.#differs(
        `${expected}, which writes ${textOf(Uint8Array.fromBase64(line.output[1]))}`,
        `${found}, which writes ${textOf(output?.bytes ?? new Uint8Array(0))}`,
        pc,
      );
      caller.trap("HostError");
    }
    this.#at++;
    this.#calls++;
    // A call that failed, with an error number for its result, wrote nothing.
    if (output !== undefined && line.results?.[0] === 0) this.#output?.(output);
    return this.#act(entry, caller, line);
  }

  #act({ results }: RecordedFunction, caller: Caller<undefined>, line: RecordedCall): unknown {
    if (line.reset !== undefined) {
      const [limit, consumed] = line.reset;
      caller.resetFuel(limit === null ? undefined : BigInt(limit));
      caller.consumeFuel(BigInt(consumed));
    }
    if (line.fuel !== undefined) caller.consumeFuel(BigInt(line.fuel));
    this.#change(line.memory, line.pages);
    if (line.end !== undefined) return end(caller, line.end);
    const values = readValues(Int32Array.from(line.results!), 0, results);
    return results.length > 1 ? values : values[0];
  }

  /** Does to the memory what the host had done. */
  #change(memory: RecordedBytes = [], pages?: number): void {
    const machine = this.#store.machine;
    if (machine === undefined) return;
    if (pages !== undefined && pages > machine.memory.pages) {
      machine.memory.grow(pages - machine.memory.pages);
    }
    for (const [at, base64] of memory) {
      const bytes = Uint8Array.fromBase64(base64);
      if (at + bytes.length > machine.memory.byteLength) {
        this.#differs(
          `a memory of ${at + bytes.length} bytes or more`,
          `one of ${machine.memory.byteLength}`,
        );
        return;
      }
      machine.memory.bytes.set(bytes, at);
    }
  }
}

function end(caller: Caller<undefined>, how: RecordedEnd): never {
  if (how === "halt") return caller.halt();
  if (how === "pause") return caller.pause();
  if ("trap" in how) return caller.trap(how.trap as TrapName);
  caller.consumeFuel(BigInt(how.fuel));
  return caller.trap("OutOfFuel");
}

function callText(entry: Pick<RecordedFunction, "module" | "name">, cells: readonly number[]): string {
  return `a call of ${label(entry)} with cells ${cells.join(", ") || "(none)"}`;
}

function outcomeText(outcome: Outcome): string {
  return outcome.status === "trap" ? `trap ${outcome.trap.code} at pc ${outcome.trap.pc}` : outcome.status;
}

/** Bytes in a message: as text, shortened. */
function textOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 60));
  return `${quoteName(text)}${bytes.length > 60 ? `… (${bytes.length} bytes)` : ""}`;
}
