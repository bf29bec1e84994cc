/**
 * Records one machine: before each instruction where it is, and what the instruction touches beside the
 * stack, with old and new values. It runs the machine in the plain loop and changes nothing in it. What
 * the host does between instructions is `boundary.ts`.
 *
 * @module
 */

import { OP_NAMES, type OpName, POPS, PUSHES } from "../isa/opcode.ts";
import type { Machine } from "../vm/machine.ts";
import type { TraceChunk } from "./chunk.ts";
import { EventKind } from "./event.ts";
import type { TraceFilter } from "./filter.ts";
import type { TraceLog } from "./log.ts";
import type { Observer } from "./observe.ts";
import { differences, packBytes, TraceState } from "./state.ts";

/** What an instruction touches beside stack, pc and fuel. */
const enum Touch {
  Nothing,
  Load1,
  Load2,
  Load4,
  Load8,
  Store1,
  Store2,
  Store4,
  Store8,
  Global,
  /** It pushes four cells. */
  Wide,
  MemoryGrow,
  MemoryBulk,
  TableSet,
  TableGrow,
  TableBulk,
  DropData,
  DropElements,
}

const TOUCHES: Partial<Record<OpName, Touch>> = {
  I32Load: Touch.Load4,
  F32Load: Touch.Load4,
  I32Load8S: Touch.Load1,
  I32Load8U: Touch.Load1,
  I32Load16S: Touch.Load2,
  I32Load16U: Touch.Load2,
  F64Load: Touch.Load8,
  I32Store: Touch.Store4,
  F32Store: Touch.Store4,
  I32Store8: Touch.Store1,
  I32Store16: Touch.Store2,
  F64Store: Touch.Store8,
  GlobalSet: Touch.Global,
  MemoryGrow: Touch.MemoryGrow,
  MemoryFill: Touch.MemoryBulk,
  MemoryCopy: Touch.MemoryBulk,
  MemoryInit: Touch.MemoryBulk,
  TableSet: Touch.TableSet,
  TableGrow: Touch.TableGrow,
  TableFill: Touch.TableBulk,
  TableCopy: Touch.TableBulk,
  TableInit: Touch.TableBulk,
  DataDrop: Touch.DropData,
  ElemDrop: Touch.DropElements,
};

const TOUCH: Uint8Array = Uint8Array.from(
  OP_NAMES,
  (name, op) => TOUCHES[name] ?? (PUSHES[op]! > 2 ? Touch.Wide : Touch.Nothing),
);

/** Bytes each class reads or writes. */
const WIDTH: Uint8Array = Uint8Array.of(0, 1, 2, 4, 8, 1, 2, 4, 8);

/** Most elements of one table event. */
export const MOST_ELEMENTS = 1024;

const OPS = Object.fromEntries(OP_NAMES.map((name, op) => [name, op])) as Record<OpName, number>;

/** What an instruction touches in memory: bytes from an address. */
export interface Range {
  /** First byte. */
  at: number;
  /** How many; 0 when it touches none. */
  count: number;
}

/** Sees every instruction of one machine and writes it down. */
export class Recorder implements Observer {
  /** The machine. */
  readonly machine: Machine;
  /** What the trace says about it so far. */
  readonly state: TraceState = new TraceState();
  /** Low 32 bits of fuel consumed plus the slice: constant while the loop runs. */
  origin = 0;
  /** Instructions until {@link milestone} is asked. */
  countdown = 2 ** 30;
  /** Whether what happens now is recorded; the filter may still leave it out. */
  window = true;
  /** Asked when the countdown is over; false stops the loop. */
  milestone: () => boolean = () => true;

  readonly #log: TraceLog;
  readonly #filter: TraceFilter | undefined;
  readonly #selective: boolean;
  readonly #opcodes: Uint8Array;
  readonly #immediates: Int32Array;
  #bytes: Uint8Array;
  #view: DataView;
  /** Where the last instruction was recorded, or put because it is not. */
  #chunk: TraceChunk;
  /** Events recorded before those of the last instruction. */
  #mark = 0;
  /** What the last instruction touched and is not recorded completely yet. */
  #pending: Touch = Touch.Nothing;
  #at = 0;
  #count = 0;
  #index = 0;
  #words: Int32Array = new Int32Array(0);
  readonly #range: Range = { at: 0, count: 0 };

  /** Records nothing yet. */
  constructor(machine: Machine, log: TraceLog, filter: TraceFilter | undefined, selective: boolean) {
    this.machine = machine;
    this.#log = log;
    this.#chunk = log.chunk;
    this.#filter = filter;
    this.#selective = selective || filter !== undefined;
    this.#opcodes = machine.module.opcodes;
    this.#immediates = machine.module.immediates;
    this.#bytes = machine.memory.bytes;
    this.#view = machine.memory.view;
  }

  /** Takes the memory as it is now; to be called whenever something else ran. */
  refresh(): void {
    this.#bytes = this.machine.memory.bytes;
    this.#view = this.machine.memory.view;
  }

  /** What comes next happened outside of the instructions: no filter leaves it out. */
  outside(): void {
    this.#log.record(this.window);
  }

  /** Records an instruction, and what the one before it did. */
  before(pc: number, sp: number, depth: number, slice: number, stack: Int32Array): boolean {
    if (this.#pending !== Touch.Nothing) this.#finish(sp, stack);
    if (--this.countdown < 0 && !this.milestone()) return false;
    const log = this.#log;
    if (this.#selective) this.#choose(pc, sp, stack);
    let chunk = log.chunk;
    if (chunk.rows === chunk.pc.length) chunk = log.room();
    const row = chunk.rows;
    chunk.pc[row] = pc;
    chunk.top[row] = sp > 0 ? stack[sp - 1]! : 0;
    chunk.below[row] = sp > 1 ? stack[sp - 2]! : 0;
    chunk.height[row] = sp;
    chunk.depth[row] = depth;
    chunk.fuel[row] = this.origin - slice;
    if (chunk.step !== undefined) chunk.step[row] = log.ran;
    chunk.rows = row + 1;
    log.ran++;
    this.#chunk = chunk;
    this.#mark = chunk.firstEvent + chunk.events;
    const touch: Touch = TOUCH[this.#opcodes[pc]!]!;
    if (touch !== Touch.Nothing) {
      if (touch <= Touch.Load8) this.#load(touch, pc, sp, stack);
      else if (touch <= Touch.Store8) this.#store(touch, pc, sp, stack);
      else this.#other(touch, pc, sp, stack);
    }
    return true;
  }

  #load(touch: Touch, pc: number, sp: number, stack: Int32Array): void {
    if (sp < 1) return;
    const address = stack[sp - 1]!, offset = this.#immediates[pc]!, at = (address + offset) | 0;
    const width = WIDTH[touch]!, log = this.#log, view = this.#view;
    if ((address | offset | at) < 0 || at > this.#bytes.length - width) return;
    const index = log.event(EventKind.Read, at, width, touch === Touch.Load8 ? 2 : 1), { words } = log;
    if (touch === Touch.Load4) {
      words[index] = view.getInt32(at, true);
    } else if (touch === Touch.Load8) {
      words[index] = view.getInt32(at, true);
      words[index + 1] = view.getInt32(at + 4, true);
    } else {
      words[index] = touch === Touch.Load1 ? this.#bytes[at]! : view.getUint16(at, true);
    }
  }

  #store(touch: Touch, pc: number, sp: number, stack: Int32Array): void {
    const slots = touch === Touch.Store8 ? 3 : 2;
    if (sp < slots) return;
    const address = stack[sp - slots]!, offset = this.#immediates[pc]!, at = (address + offset) | 0;
    const width = WIDTH[touch]!, log = this.#log, view = this.#view;
    if ((address | offset | at) < 0 || at > this.#bytes.length - width) return;
    const index = log.event(EventKind.Write, at, width, touch === Touch.Store8 ? 4 : 2), { words } = log;
    if (touch === Touch.Store4) {
      words[index] = view.getInt32(at, true);
    } else if (touch === Touch.Store8) {
      words[index] = view.getInt32(at, true);
      words[index + 1] = view.getInt32(at + 4, true);
    } else {
      words[index] = touch === Touch.Store1 ? this.#bytes[at]! : view.getUint16(at, true);
    }
    this.#pending = touch;
    this.#at = at;
    this.#index = index;
    this.#words = words;
  }

  /** Records what the last instruction left behind, when no other follows at once. */
  finish(): void {
    if (this.#pending !== Touch.Nothing) this.#finish(this.machine.sp, this.machine.stack);
  }

  /** Reads what the last instruction left behind. */
  #finish(sp: number, stack: Int32Array): void {
    const touch = this.#pending, at = this.#at, words = this.#words, index = this.#index;
    this.#pending = Touch.Nothing;
    switch (touch) {
      case Touch.Store4:
        this.state.view.setInt32(at, words[index + 1] = this.#view.getInt32(at, true), true);
        break;
      case Touch.Store1:
        this.state.bytes[at] = words[index + 1] = this.#bytes[at]!;
        break;
      case Touch.Store2:
        this.state.view.setUint16(at, words[index + 1] = this.#view.getUint16(at, true), true);
        break;
      case Touch.Store8:
        this.state.view.setInt32(at, words[index + 2] = this.#view.getInt32(at, true), true);
        this.state.view.setInt32(at + 4, words[index + 3] = this.#view.getInt32(at + 4, true), true);
        break;
      default:
        this.#finishOther(touch, sp, stack);
    }
  }

  #other(touch: Touch, pc: number, sp: number, stack: Int32Array): void {
    const op = this.#opcodes[pc]!, immediate = this.#immediates[pc]!, log = this.#log;
    this.#pending = touch;
    switch (touch) {
      case Touch.Global: {
        this.#at = immediate >>> 0;
        this.#index = log.event(EventKind.Global, immediate, 0, 2);
        this.#words = log.words;
        this.#words[this.#index] = this.machine.globalWord(this.#at);
        break;
      }
      case Touch.TableSet:
        this.#at = immediate & 0xffff;
        this.#index = sp < 2 ? 0 : stack[sp - 2]!;
        this.#count = 1;
        break;
      case Touch.TableGrow:
        this.#at = immediate & 0xffff;
        this.#index = sp < 2 ? 0 : stack[sp - 2]!;
        break;
      case Touch.DropData:
      case Touch.DropElements:
        this.#at = immediate >>> 0;
        break;
      case Touch.MemoryBulk:
      case Touch.TableBulk:
        if (sp < 3) {
          this.#pending = Touch.Nothing;
          break;
        }
        this.#at = stack[sp - 3]! >>> 0;
        this.#count = stack[sp - 1]! >>> 0;
        log.words[log.event(EventKind.Bulk, this.#at, this.#count, 1)] = stack[sp - 2]!;
        if (touch === Touch.MemoryBulk) break;
        // The table of TableInit is named by the instruction behind it.
        this.#index = op === OPS.TableInit
          ? (this.#immediates[pc + 1] ?? 0) & 0xffff
          : op === OPS.TableCopy
          ? immediate >>> 16
          : immediate & 0xffff;
        break;
    }
  }

  #finishOther(touch: Touch, sp: number, stack: Int32Array): void {
    const { machine, state } = this, log = this.#log, at = this.#at;
    switch (touch) {
      case Touch.Global: {
        const value = machine.globalWord(at);
        this.#words[this.#index + 1] = value;
        state.globals.set(at, value);
        break;
      }
      case Touch.Wide: {
        const index = log.event(EventKind.Cells, 0, 2, 2);
        log.words[index] = stack[sp - 4]!;
        log.words[index + 1] = stack[sp - 3]!;
        break;
      }
      case Touch.MemoryGrow:
        this.growMemory(EventKind.MemoryGrow);
        break;
      case Touch.MemoryBulk:
        this.bytesChanged(EventKind.Bytes, at, at + this.#count);
        break;
      case Touch.TableSet:
        this.elementsChanged(EventKind.Table, at, this.#index, this.#index + 1);
        break;
      case Touch.TableGrow:
        this.growTable(EventKind.TableGrow, at, this.#index);
        break;
      case Touch.TableBulk:
        this.elementsChanged(EventKind.Table, this.#index, at, at + this.#count);
        break;
      case Touch.DropData:
        log.event(EventKind.DropData, at, 0, 0);
        state.droppedData.add(at);
        break;
      case Touch.DropElements:
        log.event(EventKind.DropElements, at, 0, 0);
        state.droppedElements.add(at);
        break;
    }
  }

  /** Records that the memory is larger than the trace says. */
  growMemory(kind: EventKind): void {
    const { state, machine: { memory } } = this;
    const old = state.bytes.length >>> 16, pages = memory.bytes.length >>> 16;
    this.refresh();
    if (pages <= old) return;
    this.#log.event(kind, old, pages - old, 0);
    state.grow(pages - old);
  }

  /** Records where the memory differs from what the trace says, between two addresses. */
  bytesChanged(kind: EventKind, from: number, to: number): void {
    const { state } = this, log = this.#log, bytes = this.machine.memory.bytes;
    differences(state.bytes, bytes, from, Math.min(to, bytes.length), (from, to) => {
      const half = (to - from + 3) >> 2, index = log.event(kind, from, to - from, 2 * half), { words } = log;
      // The last word of each half may not be filled by the bytes.
      words.fill(0, index, index + 2 * half);
      packBytes(words, index, state.bytes.subarray(from, to));
      packBytes(words, index + half, bytes.subarray(from, to));
      state.bytes.set(bytes.subarray(from, to), from);
    });
  }

  /** Records that a table is longer than the trace says. */
  growTable(kind: EventKind, index: number, value: number): void {
    const table = this.machine.tables.at(index), old = this.state.table(index).length;
    if (table.length <= old) return;
    this.#log.words[this.#log.event(kind, index, table.length - old, 1)] = value;
    this.state.growTable(index, table.length - old, value);
  }

  /** Records where a table differs from what the trace says, between two elements. */
  elementsChanged(kind: EventKind, index: number, from: number, to: number): void {
    const { elements } = this.machine.tables.at(index), known = this.state.table(index), log = this.#log;
    for (let at = from; at < to; at++) {
      if (elements[at] === known[at]) continue;
      let end = at + 1;
      while (end < to && end - at < MOST_ELEMENTS && elements[end] !== known[end]) end++;
      const count = end - at, start = log.event(kind, at, count, 1 + 2 * count), { words } = log;
      words[start] = index;
      words.set(known.subarray(at, end), start + 1);
      words.set(elements.subarray(at, end), start + 1 + count);
      known.set(elements.subarray(at, end), at);
      at = end - 1;
    }
  }

  /** What the last instruction was said to touch did not happen: it trapped, or waits for something. */
  undoTouch(): void {
    this.#pending = Touch.Nothing;
    if (!this.#log.isOpen(this.#chunk)) return;
    const chunk = this.#chunk, events = Math.max(0, this.#mark - chunk.firstEvent);
    if (events >= chunk.events) return;
    chunk.used = chunk.start[events]!;
    chunk.events = events;
  }

  /** The last instruction did not run: it will be tried again, and recorded then. */
  undoInstruction(): void {
    const chunk = this.#chunk;
    this.undoTouch();
    if (chunk.rows === 0 || !this.#log.isOpen(chunk)) return;
    chunk.rows--;
    this.#log.ran--;
    this.countdown++;
  }

  /** Decides whether the instruction at `pc` is recorded. */
  #choose(pc: number, sp: number, stack: Int32Array): void {
    const filter = this.#filter, log = this.#log;
    let wanted = this.window;
    if (wanted && filter !== undefined) {
      wanted = filter.wants(pc, log.ran);
      if (wanted && filter.ranges !== undefined) {
        this.#touched(pc, sp, stack);
        wanted = filter.touches(this.#range.at, this.#range.count);
      }
    }
    log.record(wanted);
  }

  /** Finds the bytes that the instruction at `pc` will touch. */
  #touched(pc: number, sp: number, stack: Int32Array): void {
    const range = this.#range, op = this.#opcodes[pc]!, touch: Touch = TOUCH[op]!;
    range.count = 0;
    if (sp < POPS[op]! || touch === Touch.Nothing) return;
    if (touch <= Touch.Store8) {
      range.at = (stack[sp - POPS[op]!]! >>> 0) + (this.#immediates[pc]! >>> 0);
      range.count = WIDTH[touch]!;
    } else if (touch === Touch.MemoryBulk) {
      range.at = stack[sp - 3]! >>> 0;
      range.count = stack[sp - 1]! >>> 0;
    }
  }
}
