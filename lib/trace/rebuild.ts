/**
 * Replays a trace without the machine: from what was recorded alone it rebuilds memory, globals, tables,
 * stacks and fuel, and checks on the way that each record follows from those before it.
 *
 * @module
 */

import { DecodeError } from "../error.ts";
import { OP_NAMES, PUSHES } from "../isa/opcode.ts";
import type { TraceChunk } from "./chunk.ts";
import type { TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";
import { StackModel } from "./model.ts";
import { TraceState } from "./state.ts";

/** A recorded run. */
export interface Trace {
  /** The code that ran. */
  readonly code: TraceCode;
  /** Whether every instruction is in it. */
  readonly complete: boolean;
  /** What was recorded, in order. A piece is valid until the next one is asked for. */
  chunks(): Iterable<TraceChunk>;
}

/** Gets what a trace tells, in the order in which it happened. */
export interface TraceVisitor {
  /** An instruction: a row of a piece. */
  instruction(chunk: TraceChunk, row: number): void;
  /** An event. */
  event(chunk: TraceChunk, event: number): void;
}

/** Goes through the instructions and events of a piece in the order in which they happened. */
export function walk(chunk: TraceChunk, visitor: TraceVisitor): void {
  const { rows, events, at } = chunk;
  let event = 0;
  for (let row = 0; row < rows; row++) {
    while (event < events && at[event]! <= row) visitor.event(chunk, event++);
    visitor.instruction(chunk, row);
  }
  while (event < events) visitor.event(chunk, event++);
}

/** What a trace leads to. */
export interface Rebuilt {
  /** Memory, globals, tables and drop bits. */
  readonly state: TraceState;
  /** The value stack. */
  readonly stack: Int32Array;
  /** The return addresses. */
  readonly calls: Int32Array;
  /** Where the machine stands. */
  readonly pc: number;
  /** Fuel consumed. */
  readonly fuel: bigint;
  /** Instructions that were replayed. */
  readonly instructions: number;
  /** The first record that does not follow from those before it; undefined when all do. */
  readonly inconsistency: string | undefined;
}

/** Where a run is. */
enum Phase {
  /** There is no instance. */
  Nowhere,
  /** There is none. */
  Idle,
  Running,
  /** It called a host function. */
  Called,
  Paused,
}

/** What an instruction must leave in the trace when it does not trap. */
const OWED: ReadonlyMap<number, EventKind> = new Map(OP_NAMES.flatMap((name, op): [number, EventKind][] => {
  if (/Load/.test(name)) return [[op, EventKind.Read]];
  if (/Store/.test(name)) return [[op, EventKind.Write]];
  if (/^GlobalSet$/.test(name)) return [[op, EventKind.Global]];
  if (/^(Memory|Table)(Fill|Copy|Init)$/.test(name)) return [[op, EventKind.Bulk]];
  if (/^DataDrop$/.test(name)) return [[op, EventKind.DropData]];
  if (/^ElemDrop$/.test(name)) return [[op, EventKind.DropElements]];
  return PUSHES[op] === 4 ? [[op, EventKind.Cells]] : [];
}));

/** Replays pieces of a trace one by one. */
export class Replayer implements TraceVisitor {
  /** Memory, globals, tables and drop bits so far. */
  readonly state: TraceState = new TraceState();
  /** The stacks so far. */
  readonly model: StackModel;
  /** The first record that did not follow. */
  inconsistency: string | undefined;
  /** Instructions so far. */
  instructions = 0;
  readonly #code: TraceCode;
  /** Where the current run is. */
  #phase: Phase = Phase.Nowhere;
  /** Where the runs that wait for it are. */
  readonly #waiting: Phase[] = [];
  /** Event that the last instruction must have, until it comes. */
  #owed: EventKind | undefined;

  /** Nothing is replayed yet. */
  constructor(code: TraceCode) {
    this.#code = code;
    this.model = new StackModel(code);
  }

  /** Replays an instruction. */
  instruction(chunk: TraceChunk, row: number): void {
    const { model } = this, pc = chunk.pc[row]!;
    const previous = model.pc, jumped = model.jumped;
    const follows = model.instruction(
      pc,
      chunk.top[row]!,
      chunk.below[row]!,
      chunk.height[row]!,
      chunk.depth[row]!,
      chunk.fuel[row]!,
    );
    if (!follows || jumped && pc >= this.#code.opcodes.length) {
      this.#inconsistent(`instruction ${this.instructions} at pc ${pc} does not follow from pc ${previous}`);
    }
    if (this.#phase !== Phase.Running || this.#owed !== undefined) {
      this.#inconsistent(`something is missing before instruction ${this.instructions}`);
    }
    this.#owed = OWED.get(this.#code.opcodes[pc]!);
    this.instructions++;
  }

  /** Replays an event. */
  event(chunk: TraceChunk, event: number): void {
    const kind: EventKind = chunk.kind[event]!, size = chunk.size[event]! >>> 0;
    const address = chunk.address[event]! >>> 0, words = chunk.wordsOf(event);
    if (!this.#order(kind, size)) {
      this.#inconsistent(`${EventKind[kind]} cannot come before instruction ${this.instructions}`);
    }
    this.model.event(kind, address, size, words);
    if (!this.state.apply(kind, address, size, words)) {
      const where = `before instruction ${this.instructions}`;
      this.#inconsistent(`${EventKind[kind]} at ${address} ${where} is not what was there`);
    }
  }

  /** Whether an event may come now; notes where it leaves the run. */
  #order(kind: EventKind, size: number): boolean {
    if (kind === this.#owed) this.#owed = undefined;
    const phase = this.#phase, waiting = this.#waiting;
    switch (kind) {
      case EventKind.Instance:
        this.#phase = Phase.Idle;
        waiting.length = 0;
        return phase !== Phase.Running && phase !== Phase.Called;
      case EventKind.Start: {
        // A paused run may be given up; one that called a host function waits.
        const nested = phase === Phase.Called;
        if (nested) waiting.push(phase);
        else if (phase !== Phase.Idle && phase !== Phase.Paused) return false;
        this.#phase = Phase.Running;
        return size === waiting.length;
      }
      case EventKind.Done:
      case EventKind.Halt:
      case EventKind.Trap:
        this.#owed = undefined;
        this.#phase = waiting.pop() ?? Phase.Idle;
        return phase === Phase.Running || phase === Phase.Called;
      case EventKind.Pause:
        this.#owed = undefined;
        this.#phase = Phase.Paused;
        return phase === Phase.Running || phase === Phase.Called;
      case EventKind.Resume:
        this.#phase = Phase.Running;
        return phase === Phase.Paused;
      case EventKind.Syscall:
        this.#phase = Phase.Called;
        return phase === Phase.Running;
      case EventKind.Result:
        this.#phase = Phase.Running;
        return phase === Phase.Called;
      default:
        return true;
    }
  }

  #inconsistent(what: string): void {
    this.inconsistency ??= what;
  }

  /** What came out. */
  result(): Rebuilt {
    const { model, state, instructions, inconsistency } = this, fuel = model.consumed();
    const stack = model.stack.slice(0, model.height), calls = model.calls.slice(0, model.depth);
    return { state, stack, calls, pc: model.pc, fuel, instructions, inconsistency };
  }
}

/**
 * Rebuilds from a trace alone what the run it is of left behind.
 *
 * @throws {DecodeError} `BadTrace` when the trace cannot have been recorded.
 */
export function rebuild(trace: Trace): Rebuilt {
  const replayer = new Replayer(trace.code);
  try {
    for (const chunk of trace.chunks()) walk(chunk, replayer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DecodeError("BadTrace", "Cannot replay the trace: it cannot have been recorded", {
      cause: error,
    });
  }
  return replayer.result();
}
