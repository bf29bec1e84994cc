/**
 * Records what happens between the instructions of one machine: runs that start, pause and end, calls of
 * host functions, and everything the host changed meanwhile, found by comparing the machine with what
 * the trace says about it. It is the loop that the driver runs.
 *
 * @module
 */

import { TrapCode, type TrapName } from "../error.ts";
import { type FunctionType, slotsOfAll } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import type { Loop } from "../vm/loop.ts";
import type { DropBits, Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import { EVENT_WORDS } from "./chunk.ts";
import { EventKind } from "./event.ts";
import type { TraceFilter } from "./filter.ts";
import type { TraceLog } from "./log.ts";
import { runObserved } from "./observe.ts";
import { Recorder } from "./recorder.ts";

/** Type of the host function at a syscall index; undefined when there is none. */
type SyscallTypes = (index: number) => FunctionType | undefined;

/** How far a run is. */
const enum Status {
  /** It was announced and has not run. */
  Begun,
  /** It ran. */
  Running,
  Paused,
}

/** What is known of a run that has not ended. */
interface Frame {
  status: Status;
  /** Why the loop stopped last. */
  exit: Exit;
  /** Where it stopped. */
  pc: number;
  /** How high the stack was, without the arguments of a call. */
  height: number;
  /** Whether others had their turn since. */
  turned: boolean;
}

/** The loop that records a machine. */
export class RecordedLoop implements Loop {
  /** Records the instructions. */
  readonly recorder: Recorder;
  readonly #machine: Machine;
  readonly #log: TraceLog;
  readonly #types: SyscallTypes;
  /** Runs that wait for each other; the last one is current. */
  readonly #frames: Frame[] = [];
  /** Fuel consumed as the trace tells it. */
  #fuel = 0n;
  /** Whether nothing more is recorded. */
  #over = false;

  /** A machine of which nothing has run; `window` says whether recording begins now, when it may begin or end later. */
  constructor(
    machine: Machine,
    log: TraceLog,
    filter: TraceFilter | undefined,
    window: boolean | undefined,
    types: SyscallTypes,
  ) {
    this.#machine = machine;
    this.#log = log;
    this.#types = types;
    this.recorder = new Recorder(machine, log, filter, window !== undefined);
    this.recorder.window = window ?? true;
    this.recorder.outside();
    log.event(EventKind.Instance, 0, 0, 0);
  }

  /** Nothing more is recorded from now on. */
  stop(): void {
    this.#over = true;
  }

  /** A run is about to start; nested in the current one when a host function starts it. */
  begin(nested: boolean): void {
    if (!nested) this.#frames.length = 0;
    this.#frames.push(newFrame());
  }

  /** Runs the machine and records it. */
  run(): Exit {
    const machine = this.#machine;
    if (this.#over) return run(machine);
    this.#enter();
    const exit = runObserved(machine, this.recorder);
    this.#leave(exit);
    return exit === Exit.Left ? run(machine) : exit;
  }

  /** The same while pc is in a range, or for the instruction at pc alone. */
  runRange(from: number, count: number): Exit {
    const machine = this.#machine;
    if (this.#over) return run(machine, from, count);
    this.#enter();
    const exit = runObserved(machine, this.recorder, from, count);
    this.#leave(exit);
    return exit === Exit.Left && this.#over ? run(machine, from, count) : exit;
  }

  #enter(): void {
    const machine = this.#machine, log = this.#log, recorder = this.recorder, { fuel } = machine;
    const frame = this.#frames.at(-1) ?? this.#frames[this.#frames.push(newFrame()) - 1]!;
    this.recorder.outside();
    const { exit } = frame, running = frame.status === Status.Running, moved = machine.pc !== frame.pc;
    const { turned } = frame;
    frame.turned = false;
    if (running) {
      if (!moved) {
        if (isRepeated(exit)) recorder.undoInstruction();
      } else if (exit === Exit.Fuel) {
        this.#fuel += BigInt(charge(machine, frame.pc));
      }
    }
    // In the middle of a run only a host function can have changed anything, or others in their turn.
    if (!running || exit === Exit.Syscall || turned) this.compare();
    const consumed = fuel.consumed();
    this.#fuelIs(consumed);
    switch (frame.status) {
      case Status.Begun:
        log.event(EventKind.Start, machine.pc, this.#frames.length - 1, 0);
        this.#cells(EventKind.Stack, 0, 0, machine.sp);
        this.#calls();
        break;
      case Status.Paused:
        log.event(EventKind.Resume, machine.pc, 0, 0);
        this.#cells(EventKind.Stack, frame.height, frame.height, machine.sp);
        break;
      case Status.Running:
        if (exit === Exit.Syscall && moved) {
          const index = machine.module.immediates[frame.pc]!;
          this.#cells(EventKind.Result, index, frame.height, machine.sp);
        }
    }
    frame.status = Status.Running;
    recorder.refresh();
    recorder.origin = Number(BigInt.asIntN(32, consumed)) + fuel.slice;
  }

  #leave(exit: Exit): void {
    const machine = this.#machine, frame = this.#frames.at(-1)!;
    if (exit === Exit.Left) this.recorder.finish();
    this.recorder.outside();
    frame.exit = exit;
    frame.pc = machine.pc;
    frame.height = machine.sp;
    this.#fuel = machine.fuel.consumed();
    if (exit === Exit.Trap || exit === Exit.Uncharged || exit === Exit.Fuel) this.recorder.undoTouch();
    if (exit !== Exit.Syscall) return;
    const index = machine.module.immediates[machine.pc]! >>> 0, type = this.#types(index);
    const slots = type === undefined ? 0 : Math.min(slotsOfAll(type.params), machine.sp);
    frame.height -= slots;
    this.#cells(EventKind.Syscall, index, frame.height, machine.sp);
  }

  /**
   * The current run paused; it goes on from the state the machine has now. A pause that only lets others
   * have their turn is none: how often that happens depends on clocks.
   */
  paused(turn: boolean): void {
    const frame = this.#frames.at(-1), machine = this.#machine;
    if (frame === undefined || this.#over) return;
    if (turn) {
      frame.turned = true;
      return;
    }
    // What has not begun to run begins when it goes on.
    if (frame.status === Status.Begun) return;
    this.recorder.outside();
    if (frame.status === Status.Running) {
      const moved = machine.pc !== frame.pc;
      if (!moved && isRepeated(frame.exit)) this.recorder.undoInstruction();
      if (moved && frame.exit === Exit.Fuel) this.#fuel += BigInt(charge(machine, frame.pc));
    }
    this.compare();
    this.#fuelIs(machine.fuel.consumed());
    const { sp, stack } = machine, cells = Math.min(2, sp);
    const start = this.#log.event(EventKind.Pause, machine.pc, sp, cells);
    this.#log.words.set(stack.subarray(sp - cells, sp), start);
    frame.status = Status.Paused;
    frame.height = machine.sp;
  }

  /** The current run ended, with a trap when one is named. */
  ended(kind: EventKind.Done | EventKind.Halt | EventKind.Trap, trap?: TrapName): void {
    const machine = this.#machine, log = this.#log;
    const frame = this.#frames.at(-1);
    if (this.#over || frame === undefined) return;
    this.recorder.outside();
    this.compare();
    if (frame.status === Status.Begun) log.event(EventKind.Start, machine.pc, this.#frames.length - 1, 0);
    this.#frames.pop();
    this.#fuelIs(machine.fuel.consumed());
    if (trap !== undefined) log.event(EventKind.Trap, machine.pc, TrapCode[trap], 0);
    else log.event(kind, 0, machine.sp, 0);
  }

  #fuelIs(consumed: bigint): void {
    if (consumed === this.#fuel) return;
    const log = this.#log, index = log.event(EventKind.Fuel, 0, 0, 2);
    log.words[index] = Number(BigInt.asIntN(32, consumed));
    log.words[index + 1] = Number(BigInt.asIntN(32, consumed >> 32n));
    this.#fuel = consumed;
  }

  /** Records cells of the stack in an event of a kind, and in more events when they are many. */
  #cells(kind: EventKind, address: number, from: number, to: number): void {
    const log = this.#log, { stack } = this.#machine;
    let count = Math.min(to - from, EVENT_WORDS);
    if (kind === EventKind.Stack && count === 0) return;
    let start = log.event(kind, address, count, count);
    for (let at = from;;) {
      log.words.set(stack.subarray(at, at + count), start);
      at += count;
      if (at >= to) break;
      count = Math.min(to - at, EVENT_WORDS);
      start = log.event(EventKind.Stack, at, count, count);
    }
  }

  /** Records the return addresses of a run that was begun elsewhere. */
  #calls(): void {
    const log = this.#log, { calls, depth } = this.#machine;
    for (let at = 0; at < depth; at += EVENT_WORDS) {
      const part = calls.subarray(at, Math.min(depth, at + EVENT_WORDS));
      const start = log.event(EventKind.Calls, at, depth, part.length);
      log.words.set(part, start);
    }
  }

  /** Records everything that is not as the trace says. */
  compare(): void {
    const machine = this.#machine, recorder = this.recorder, { state } = recorder;
    if (machine.memory.bytes.length < state.bytes.length) {
      // Memories do not shrink: the machine was set to an earlier state.
      state.clear();
      this.#log.event(EventKind.Instance, 0, 0, 0);
    }
    recorder.growMemory(EventKind.HostMemoryGrow);
    recorder.bytesChanged(EventKind.HostBytes, 0, state.bytes.length);
    this.#compareGlobals();
    for (const index of machine.tables.indices()) {
      recorder.growTable(EventKind.HostTableGrow, index, 0);
      recorder.elementsChanged(EventKind.HostTable, index, 0, state.table(index).length);
    }
    this.#compareDropped();
  }

  #compareGlobals(): void {
    const machine = this.#machine, { globals } = this.recorder.state, dense = machine.globals;
    for (let word = 0; word < dense.length; word++) {
      if (dense[word] !== globals.get(word)) this.#globalIs(word, dense[word]!);
    }
    for (let word = dense.length; word < globals.dense.length; word++) {
      if (globals.dense[word] !== machine.globalWord(word)) this.#globalIs(word, machine.globalWord(word));
    }
    if (machine.sparseGlobals.size + globals.sparse.size === 0) return;
    for (const word of new Set([...machine.sparseGlobals.keys(), ...globals.sparse.keys()])) {
      const value = machine.globalWord(word);
      if (value !== globals.get(word)) this.#globalIs(word, value);
    }
  }

  #globalIs(word: number, value: number): void {
    const { globals } = this.recorder.state, log = this.#log;
    const index = log.event(EventKind.HostGlobal, word, 0, 2);
    log.words[index] = globals.get(word);
    log.words[index + 1] = value;
    globals.set(word, value);
  }

  #compareDropped(): void {
    const { droppedData, droppedElements } = this.#machine, { state } = this.recorder, log = this.#log;
    const isThere = (segment: number) => !droppedData.has(segment);
    const elementsAreThere = (segment: number) => !droppedElements.has(segment);
    if ([...state.droppedData].some(isThere) || [...state.droppedElements].some(elementsAreThere)) {
      log.event(EventKind.HostSegments, 0, 0, 0);
      state.restoreSegments();
    }
    for (
      const [kind, bits, known] of [
        [EventKind.DropData, droppedData, state.droppedData],
        [EventKind.DropElements, droppedElements, state.droppedElements],
      ] as const
    ) {
      for (const segment of members(bits)) {
        if (known.has(segment)) continue;
        log.event(kind, segment, 0, 0);
        known.add(segment);
      }
    }
  }
}

function newFrame(): Frame {
  return { status: Status.Begun, exit: Exit.Left, pc: 0, height: 0, turned: false };
}

/** Whether an instruction at which the loop stopped so is tried again when pc has not moved. */
function isRepeated(exit: Exit): boolean {
  return exit === Exit.Fuel || exit === Exit.Uncharged || exit === Exit.Syscall;
}

/** The charge of the instruction at `pc`, which has been made. */
function charge({ module, stack, sp }: Machine, pc: number): number {
  // The amount that was popped is still in its cell.
  return (module.opcodes[pc] === Op.ConsumeFuelStack ? stack[sp]! : module.immediates[pc]!) >>> 0;
}

function* members({ words }: DropBits): Generator<number> {
  for (let at = 0; at < words.length; at++) {
    for (let bits = words[at]!, bit = 0; bits !== 0; bits >>>= 1, bit++) {
      if ((bits & 1) === 1) yield 32 * at + bit;
    }
  }
}
