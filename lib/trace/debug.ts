/**
 * Looks at a run while it goes on: instruction by instruction, until something touches watched bytes,
 * over and out of calls, and back again. It drives an executor by its steps, and keeps copies of it to
 * go back to.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import { OP_NAMES, type OpName, POPS } from "../isa/opcode.ts";
import type { Outcome } from "../vm/outcome.ts";
import type { Machine } from "../vm/machine.ts";
import { ACCESS_BYTES } from "./binary_writer.ts";
import { codeOf, functionLabel, type TraceCode } from "./code.ts";

/** What a debugger needs of an executor. */
export interface Debuggable {
  /** The module it runs. */
  readonly module: RwasmModule;
  /** @internal The store it runs on. */
  readonly store: { readonly machine: Machine | undefined; consumedFuel(): bigint };
  /** Makes one instruction of a paused run. */
  step(): Outcome;
  /** A copy of the instance and its paused run. */
  fork(options: { readonly tracer: undefined }): Debuggable;
}

/** Bytes that an instruction is about to read or write. */
export interface Access {
  /** What it does with them. */
  readonly kind: "read" | "write";
  /** The first one. */
  readonly address: number;
  /** How many. */
  readonly size: number;
}

/** An instruction that comes next, and the state before it. */
export interface StepEvent {
  /** Instructions before it since the run was started. */
  readonly index: number;
  /** Where it is. */
  readonly pc: number;
  /** Name of its opcode; undefined where there is no code. */
  readonly opcode: string | undefined;
  /** Its immediate, as int32. */
  readonly value: number;
  /** Return addresses on the call stack. */
  readonly callDepth: number;
  /** Height of the value stack. */
  readonly stackHeight: number;
  /** Top cell, as int32; undefined on an empty stack. */
  readonly stackTop: number | undefined;
  /** Fuel consumed. */
  readonly fuel: bigint;
  /** The function it belongs to. */
  readonly function: string;
  /** What it reads or writes in the memory, when it is a load, a store or a bulk instruction. */
  readonly accesses: readonly Access[];
}

const OPS = Object.fromEntries(OP_NAMES.map((name, op) => [name, op])) as Record<OpName, number>;

/** What the instruction at `machine.pc` will read and write. */
function accessesOf({ module, pc, sp, stack }: Machine): Access[] {
  const op = module.opcodes[pc], immediate = module.immediates[pc]!;
  if (op === undefined || sp < POPS[op]!) return [];
  const size = ACCESS_BYTES[op]!;
  if (size > 0) {
    const address = (stack[sp - POPS[op]!]! >>> 0) + (immediate >>> 0);
    return [{ kind: /Load/.test(OP_NAMES[op]!) ? "read" : "write", address, size }];
  }
  if (op !== OPS.MemoryFill && op !== OPS.MemoryCopy && op !== OPS.MemoryInit) return [];
  const count = stack[sp - 1]! >>> 0,
    written: Access = { kind: "write", address: stack[sp - 3]! >>> 0, size: count };
  if (op !== OPS.MemoryCopy) return [written];
  return [{ kind: "read", address: stack[sp - 2]! >>> 0, size: count }, written];
}

function eventOf({ store }: Debuggable, code: TraceCode, index: number): StepEvent {
  const machine = store.machine!, { pc, sp, depth, module, stack } = machine;
  return {
    index,
    pc: pc >>> 0,
    opcode: OP_NAMES[module.opcodes[pc]!],
    value: module.immediates[pc] ?? 0,
    callDepth: depth,
    stackHeight: sp,
    stackTop: sp > 0 ? stack[sp - 1] : undefined,
    fuel: store.consumedFuel(),
    function: functionLabel(code, pc >>> 0),
    accesses: accessesOf(machine),
  };
}

function isStep(outcome: Outcome): boolean {
  return outcome.status === "paused" && outcome.reason === "step";
}

/** @internal The instructions of a run that `start` pauses before its first one; returns how it ended. */
export function* stepEvents(
  target: Debuggable,
  start: () => Outcome,
): Generator<StepEvent, Outcome, undefined> {
  const code = codeOf(target.module);
  let outcome = start();
  for (let index = 0; isStep(outcome); index++) {
    yield eventOf(target, code, index);
    outcome = target.step();
  }
  return outcome;
}

function checkedCount(count: number): number {
  if (count === Infinity || Number.isSafeInteger(count) && count >= 0) return count;
  throw new UsageError(
    "InvalidStepCount",
    "Cannot step: the number of instructions must be an integer of 0 or more",
  );
}

/** Bytes to watch. */
export interface Watchpoint {
  /** The first one. */
  readonly address: number;
  /** How many; default 1. */
  readonly size?: number | undefined;
  /** What stops the run: a "write", the default, a "read", or any "access". A write by the host counts too. */
  readonly kind?: "read" | "write" | "access" | undefined;
}

/** Where a debugger stopped. */
export interface DebugStop {
  /** Why: after as many instructions as were wanted, behind a touch of watched bytes, or at the end. */
  readonly reason: "step" | "watchpoint" | "end";
  /** The instruction that comes next; undefined at the end. */
  readonly event: StepEvent | undefined;
  /** How the run ended. */
  readonly outcome: Outcome | undefined;
  /** The watchpoint that stopped it. */
  readonly watchpoint: Watchpoint | undefined;
  /** What touched its bytes. */
  readonly by: StepEvent | undefined;
}

/** A copy of the run to go back to. */
interface Mark {
  readonly index: number;
  readonly copy: Debuggable;
}

/** Instructions between two copies at first; it doubles when there are {@link MOST_MARKS}. */
const FIRST_INTERVAL = 4096;

/** Most copies that are kept. */
const MOST_MARKS = 16;

/**
 * Drives a run that is paused before an instruction. Going back runs again from a copy made before:
 * host functions that are called on the way are called again.
 *
 * @example
 * ```ts
 * import { assemble, Debugger, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const executor = new RwasmExecutor(new RwasmStore(), assemble("I32Const 1\nI32Const 2\nI32Add\nDrop\nReturn"));
 * executor.execute([], undefined, { step: true });
 * const debug = new Debugger(executor);
 * debug.step(3);
 * console.log(debug.stepBack().event?.opcode); // I32Add
 * ```
 */
export class Debugger<Target extends Debuggable> {
  readonly #code: TraceCode;
  #target: Target;
  #index = 0;
  #outcome: Outcome | undefined = undefined;
  #marks: Mark[] = [];
  #interval = FIRST_INTERVAL;
  readonly #watchpoints = new Set<Watchpoint>();

  /**
   * Takes over a run that is paused before an instruction, such as by `call(name, params, { step: true })`.
   *
   * @throws {UsageError} `NotPaused`
   */
  constructor(target: Target) {
    if (target?.store?.machine === undefined) {
      throw new UsageError("NotPaused", "Cannot debug: the executor has no run", {
        hint: "start one with call(name, params, { step: true })",
      });
    }
    this.#target = target;
    this.#code = codeOf(target.module);
    this.#mark();
  }

  /** The executor that stands where the debugger does; another one after going back. */
  get executor(): Target {
    return this.#target;
  }

  /** Instructions made since the debugger was made. */
  get index(): number {
    return this.#index;
  }

  /** Stops the run behind what touches bytes; gives a function that ends that. */
  watch(watchpoint: Watchpoint): () => void {
    const { address, size = 1, kind = "write" } = watchpoint ?? {};
    const valid = Number.isSafeInteger(address) && address >= 0 && Number.isSafeInteger(size) && size > 0;
    if (!valid || !["read", "write", "access"].includes(kind)) {
      throw new UsageError(
        "InvalidWatchpoint",
        "Cannot watch: address and size must be integers, and a size positive",
        {
          hint: 'such as { address: 1024, size: 4, kind: "write" }',
        },
      );
    }
    this.#watchpoints.add(watchpoint);
    return () => void this.#watchpoints.delete(watchpoint);
  }

  /**
   * Makes so many instructions.
   *
   * @throws {UsageError} `InvalidStepCount`
   */
  step(count: number = 1): DebugStop {
    let left = checkedCount(count);
    return this.#go(() => left-- <= 0);
  }

  /** Makes an instruction; a call as a whole. */
  stepOver(): DebugStop {
    const depth = this.#depth();
    let first = true;
    return this.#go(() => {
      if (first) return first = false;
      return this.#depth() <= depth;
    });
  }

  /** Runs until the current function has returned. */
  stepOut(): DebugStop {
    const depth = this.#depth();
    return this.#go(() => this.#depth() < depth);
  }

  /** Runs until something touches watched bytes, or to the end. */
  continue(): DebugStop {
    return this.#go(() => false);
  }

  /**
   * Goes back so many instructions, at most to where the debugger began.
   *
   * @throws {UsageError} `InvalidStepCount`
   */
  stepBack(count: number = 1): DebugStop {
    const wanted = Math.max(this.#marks[0]!.index, this.#index - checkedCount(count));
    const at = this.#marks.findLastIndex(({ index }) => index <= wanted), mark = this.#marks[at]!;
    this.#marks.length = at + 1;
    this.#target = mark.copy.fork({ tracer: undefined }) as Target;
    this.#index = mark.index;
    this.#outcome = undefined;
    while (this.#index < wanted) this.#make();
    return this.#stop("step");
  }

  #depth(): number {
    return this.#target.store.machine!.depth;
  }

  #event(): StepEvent {
    return eventOf(this.#target, this.#code, this.#index);
  }

  /** Makes instructions until `done` says so before one. */
  #go(done: () => boolean): DebugStop {
    while (this.#outcome === undefined) {
      if (done()) return this.#stop("step");
      const watched = this.#watchpoints.size > 0;
      const before = watched ? this.#watchedBytes() : [], by = watched ? this.#event() : undefined;
      this.#make();
      if (by === undefined) continue;
      const touched = this.#touched(by, before);
      if (touched !== undefined) return this.#stop("watchpoint", touched, by);
    }
    return this.#stop("end");
  }

  #make(): void {
    const outcome = this.#target.step();
    this.#index++;
    if (!isStep(outcome)) this.#outcome = outcome;
    else if (this.#index - this.#marks.at(-1)!.index >= this.#interval) this.#mark();
  }

  #stop(reason: DebugStop["reason"], watchpoint?: Watchpoint, by?: StepEvent): DebugStop {
    const outcome = this.#outcome;
    return { reason, event: outcome === undefined ? this.#event() : undefined, outcome, watchpoint, by };
  }

  /** Watched bytes as they are now. */
  #watchedBytes(): Uint8Array[] {
    const bytes = this.#target.store.machine!.memory.bytes;
    return Array.from(this.#watchpoints, ({ address, size = 1 }) => bytes.slice(address, address + size));
  }

  /** The first watchpoint that an instruction touched. */
  #touched({ accesses }: StepEvent, before: readonly Uint8Array[]): Watchpoint | undefined {
    const now = this.#watchedBytes();
    let at = 0;
    for (const watchpoint of this.#watchpoints) {
      const { address, size = 1, kind = "write" } = watchpoint, old = before[at]!, bytes = now[at++]!;
      const hit = accesses.some((access) =>
        (kind === "access" || kind === access.kind) && access.address < address + size &&
        access.address + access.size > address
      );
      // What a host function wrote shows only in the bytes.
      if (hit || kind !== "read" && old.some((byte, i) => byte !== bytes[i])) return watchpoint;
    }
    return undefined;
  }

  /** Keeps a copy to go back to. */
  #mark(): void {
    this.#marks.push({ index: this.#index, copy: this.#target.fork({ tracer: undefined }) });
    if (this.#marks.length <= MOST_MARKS) return;
    this.#marks = this.#marks.filter((_, i) => i % 2 === 0);
    this.#interval *= 2;
  }
}
