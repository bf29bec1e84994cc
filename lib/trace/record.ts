/**
 * Records what a host answers to a guest: arguments and results of every call of a host function, the
 * fuel it charged and the bytes it changed. It works at the calls alone, so the guest runs in any
 * engine at its speed. What is recorded is a `recording.ts`; `replay.ts` runs it without the host.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { UsageError } from "../error.ts";
import type { FunctionType, RwasmModule, ValueType } from "../isa/module.ts";
import { ImportLinker, type Syscall } from "../plugin/linker.ts";
import type { Caller, Value } from "../plugin/plugin.ts";
import { exportsOf } from "../vm/exports.ts";
import { HostCall } from "../vm/host_call.ts";
import type { Outcome } from "../vm/outcome.ts";
import type { RwasmStore } from "../vm/store.ts";
import { elementsOf, isValueOf } from "../vm/values.ts";
import { writtenBytes } from "./output.ts";
import {
  cellsOf,
  type RecordedBytes,
  type RecordedCall,
  type RecordedEnd,
  type RecordedFunction,
  type RecordedLine,
  type RecordedStart,
  type RecordingHead,
  recordOutcome,
  recordValues,
} from "./recording.ts";
import { differences } from "./state.ts";

/** What can be recorded: an executor. */
export interface Recordable {
  /** The module it runs. */
  readonly module: RwasmModule;
  /** Makes the instance. */
  instantiate(): Outcome;
  /** Runs the entry point. */
  execute(params?: readonly Value[], types?: FunctionType): Outcome;
  /** Runs an export. */
  call(name: string, params?: readonly Value[]): Outcome;
  /** Goes on with a paused run. */
  resume(results?: readonly Value[]): Outcome;
}

/**
 * Records the calls of host functions. Give its `linker` to compiler and store in the place of the one
 * it was made with, attach the store, and start runs through it.
 *
 * @typeParam T host context of the store.
 *
 * @example
 * ```ts
 * import { assemble, HostRecorder, ImportLinker, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const linker = new ImportLinker<undefined>();
 * linker.define("env", "now", { index: 1, params: [], results: ["i32"] }, () => 42);
 * const lines: string[] = [];
 * const recorder = new HostRecorder(linker, (line) => lines.push(line));
 * const store = new RwasmStore({ linker: recorder.linker });
 * const executor = new RwasmExecutor(store, assemble("Call 1\nReturn"));
 * recorder.attach(store, executor.module);
 * recorder.execute(executor, [], { params: [], results: ["i32"] });
 * console.log(lines.length); // 4: head, start, call, end
 * ```
 */
export class HostRecorder<T = unknown> {
  /** Offers the same functions, and records their calls. */
  readonly linker: ImportLinker<T> = new ImportLinker<T>();
  readonly #write: (line: string) => void;
  #store: RwasmStore<T> | undefined;
  /** The memory as it was before a call, or when the last run ended. */
  #before = new Uint8Array(0);
  /** Result types of the function that paused the run. */
  #owed: readonly ValueType[] = [];
  /** Result types of the run that is paused. */
  #results: readonly ValueType[] = [];

  /** Wraps the functions of a linker; `write` gets each line of the recording, without its end. */
  constructor(linker: ImportLinker<T>, write: (line: string) => void) {
    this.#write = write;
    for (const syscall of linker.entries()) this.#wrap(syscall);
  }

  #wrap(syscall: Syscall<T>): void {
    const { module, name, index, params, results, fuel, intrinsic } = syscall;
    const signature = { index, params, results, ...fuel === undefined ? {} : { fuel } };
    if (intrinsic !== undefined) {
      this.linker.intrinsic(module, name, signature, intrinsic);
    } else if (syscall.async) {
      this.linker.define(module, name, { ...signature, async: true }, () => {
        throw new UsageError("AsyncRecorded", `Cannot record ${module}.${name}: it is asynchronous`);
      });
    } else {
      this.linker.define(module, name, signature, (caller: Caller<T>, ...args: Value[]) => {
        return this.#call(syscall, caller, args);
      });
    }
  }

  /**
   * Names the store whose runs are recorded, and writes the first line. `notes` are kept in it.
   *
   * @throws {UsageError} `AlreadyAttached`
   */
  attach(store: RwasmStore<T>, module: RwasmModule, notes?: unknown): void {
    if (this.#store !== undefined) {
      throw new UsageError("AlreadyAttached", "Cannot attach the recorder: it records another store");
    }
    this.#store = store;
    const { limit } = store.fuel, { limits } = store;
    const functions = this.linker.entries().filter(({ intrinsic }) => intrinsic === undefined).map(
      ({ module, name, index, params, results, fuel }): RecordedFunction => ({
        module,
        name,
        index,
        params,
        results,
        fuel,
      }),
    );
    const head: RecordingHead = {
      type: "recording",
      version: 1,
      module: moduleHash(module),
      fuelLimit: limit === undefined ? null : String(limit),
      limits,
      functions,
      ...notes === undefined ? {} : { notes },
    };
    this.#write(JSON.stringify(head, (_, value) => typeof value === "bigint" ? String(value) : value));
  }

  /** An executor whose runs are recorded. */
  over(executor: Recordable): Recordable {
    return {
      module: executor.module,
      instantiate: () => this.instantiate(executor),
      execute: (params, types) => this.execute(executor, params, types),
      call: (name, params) => this.call(executor, name, params),
      resume: (results) => this.resume(executor, results),
    };
  }

  /** Instantiates, and records it. */
  instantiate(executor: Recordable): Outcome {
    return this.#run({ instantiate: true }, [], () => executor.instantiate());
  }

  /** Runs the entry point, and records it. */
  execute(executor: Recordable, params: readonly Value[] = [], types?: FunctionType): Outcome {
    const type = types ?? executor.module.info?.entrypoint ?? { params: [], results: [] };
    const start = {
      execute: recordValues(type.params, fitting(type.params, params)),
      results: types?.results ?? null,
    };
    return this.#run(start, type.results, () => executor.execute(params, types));
  }

  /** Calls an export, and records it. */
  call(executor: Recordable, name: string, params: readonly Value[] = []): Outcome {
    const { info } = executor.module, type = info && exportsOf(info).functions.get(name);
    const start = {
      call: name,
      params: recordValues(type?.params ?? [], fitting(type?.params ?? [], params)),
    };
    return this.#run(start, type?.results ?? [], () => executor.call(name, params));
  }

  /** Goes on with a paused run, and records it. */
  resume(executor: Recordable, results: readonly Value[] = []): Outcome {
    const start = { resume: recordValues(this.#owed, fitting(this.#owed, results)) };
    return this.#run(start, this.#results, () => executor.resume(results));
  }

  #run(run: RecordedStart, results: readonly ValueType[], go: () => Outcome): Outcome {
    const store = this.#attached();
    // What the host did to the memory since the last run ended.
    this.#line({ run, ...this.#changes(store) });
    this.#results = results;
    this.#owed = [];
    const outcome = go();
    this.#line({ ended: recordOutcome(outcome, results), fuel: String(store.consumedFuel()) });
    this.#keep(store);
    return outcome;
  }

  #attached(): RwasmStore<T> {
    if (this.#store !== undefined) return this.#store;
    throw new UsageError("NotAttached", "Cannot record: the recorder has no store", {
      hint: "call attach(store, module) first",
    });
  }

  #line(line: RecordedLine): void {
    this.#write(JSON.stringify(line));
  }

  /** Remembers the memory as it is. */
  #keep(store: RwasmStore<T>): void {
    const bytes = store.memory.view();
    if (this.#before.length === bytes.length) this.#before.set(bytes);
    else this.#before = bytes.slice();
  }

  /** Where the memory is not as remembered. */
  #changes(store: RwasmStore<T>): { memory?: RecordedBytes; pages?: number } {
    const bytes = store.memory.view(), grown = bytes.length !== this.#before.length;
    if (grown) {
      const longer = new Uint8Array(bytes.length);
      longer.set(this.#before.subarray(0, bytes.length));
      this.#before = longer;
    }
    const memory: [number, string][] = [];
    differences(this.#before, bytes, 0, bytes.length, (from, to) => {
      memory.push([from, bytes.slice(from, to).toBase64()]);
    });
    return {
      ...memory.length === 0 ? {} : { memory },
      ...grown ? { pages: bytes.length / 65_536 } : {},
    };
  }

  #call(syscall: Syscall<T>, caller: Caller<T>, args: Value[]): unknown {
    const store = this.#attached(), { fuel } = store;
    this.#keep(store);
    const limit = fuel.limit, consumed = fuel.consumed();
    const output = writtenBytes(syscall, args, store.memory.view());
    let value: unknown, threw = false;
    try {
      return value = syscall.call(caller, ...args);
    } catch (error) {
      threw = true;
      throw error;
    } finally {
      const ending = endOf(caller, threw),
        cells = ending === undefined ? resultCells(syscall, value) : undefined;
      const end = ending ?? (cells === undefined ? { trap: "BadSignature" } as const : undefined);
      if (end === "pause") this.#owed = syscall.results;
      const after = fuel.consumed(), wasReset = fuel.limit !== limit || after < consumed;
      const line: RecordedCall = {
        call: syscall.index,
        args: cellsOf(syscall.params, args),
        ...wasReset
          ? { reset: [fuel.limit === undefined ? null : String(fuel.limit), String(after)] as const }
          : after === consumed
          ? {}
          : { fuel: String(after - consumed) },
        ...this.#changes(store),
        ...output === undefined ? {} : { output: [output.descriptor, output.bytes.toBase64()] as const },
        ...end === undefined ? { results: cells! } : { end },
      };
      this.#line(line);
    }
  }
}

/** How a call wants the run to end, or failed; undefined when it returned. */
function endOf<T>(caller: Caller<T>, threw: boolean): RecordedEnd | undefined {
  const ending = caller instanceof HostCall ? HostCall.ending(caller) : undefined;
  if (ending === undefined) return threw ? { trap: "HostError" } : undefined;
  if (ending.kind === "trap") return { trap: ending.cause.code };
  return ending.kind === "fuel" ? { fuel: String(ending.required) } : ending.kind;
}

/** Cells of what a function returned; undefined when it is not what it must be. */
function resultCells<T>({ results }: Syscall<T>, value: unknown): number[] | undefined {
  if (results.length === 0) return value === undefined ? [] : undefined;
  let values: readonly unknown[] | undefined;
  try {
    values = results.length === 1 ? [value] : elementsOf(value, results.length + 1)?.values;
  } catch {
    return undefined;
  }
  if (values?.length !== results.length) return undefined;
  if (!results.every((type, i) => isValueOf(type, values[i]))) return undefined;
  return cellsOf(results, values as Value[]);
}

/** Values, when they fit their types; else none: the run refuses them. */
function fitting(types: readonly ValueType[], values: readonly Value[]): readonly Value[] {
  const fit = Array.isArray(values) && values.length === types.length &&
    types.every((type, i) => isValueOf(type, values[i]));
  return fit ? values : types.map((type) => type === "i64" ? 0n : 0);
}

/** SHA-256 of a module's `.rwasm` bytes, in hexadecimal. */
export function moduleHash(module: RwasmModule): string {
  return createHash("sha256").update(module.encode()).digest("hex");
}
