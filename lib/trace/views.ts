/**
 * A trace as records, one per instruction, under the names the reference gives them: views over the
 * columns, made while somebody looks at them.
 *
 * @module
 */

import { TRAP_NAMES } from "../error.ts";
import { OP_NAMES } from "../isa/opcode.ts";
import type { TraceChunk } from "./chunk.ts";
import { functionLabel, type TraceCode } from "./code.ts";
import { EventKind, FIRST_OUTSIDE_KIND } from "./event.ts";
import type { Trace } from "./rebuild.ts";
import { bytesOf } from "./state.ts";

/** Bytes of the memory after a change. */
export interface TracerMemoryState {
  /** First byte. */
  readonly offset: number;
  /** How many. */
  readonly len: number;
  /** What they became. */
  readonly data: Uint8Array;
  /** What they were. */
  readonly previous: Uint8Array;
}

/** An element of a table after a change. */
export interface TraceTableState {
  /** Index of the table. */
  readonly tableIdx: number;
  /** Index of the element. */
  readonly elemIdx: number;
  /** What it became: a code index, 0 for null. */
  readonly funcRef: number;
  /** What it was. */
  readonly previous: number;
}

/** A table that grew. */
export interface TraceTableSizeState {
  /** Index of the table. */
  readonly tableIdx: number;
  /** Value of the new elements. */
  readonly init: number;
  /** How many. */
  readonly delta: number;
}

/** A global word after a change. */
export interface TracerGlobalVariable {
  /** Index of the word. */
  readonly index: number;
  /** What it became, as int32. */
  readonly value: number;
  /** What it was. */
  readonly previous: number;
}

/** A value that was read from the memory. */
export interface MemoryReadRecord {
  /** Tells loads from stores. */
  readonly kind: "read";
  /** First byte. */
  readonly address: number;
  /** Bytes. */
  readonly width: number;
  /** Their value, unsigned. */
  readonly value: bigint;
  /** Number of the instruction. */
  readonly timestamp: number;
}

/** A value that was written to the memory. */
export interface MemoryWriteRecord {
  /** Tells loads from stores. */
  readonly kind: "write";
  /** First byte. */
  readonly address: number;
  /** Bytes. */
  readonly width: number;
  /** Their value, unsigned. */
  readonly value: bigint;
  /** Their value before. */
  readonly prevValue: bigint;
  /** Number of the instruction. */
  readonly timestamp: number;
}

/** A load or store. */
export type MemoryRecordEnum = MemoryReadRecord | MemoryWriteRecord;

/** What the host did, or what happened to the run, before an instruction. */
export interface TracerEvent {
  /** Name of its kind. */
  readonly kind: keyof typeof EventKind;
  /** Its address, u32; the meaning depends on the kind. */
  readonly address: number;
  /** Its size, u32. */
  readonly size: number;
  /** Its words. */
  readonly words: readonly number[];
}

/** One recorded instruction. */
export interface TracerInstrState {
  /** Number of the instruction in the run, from 0. */
  readonly index: number;
  /** Where it is. */
  readonly programCounter: number;
  /** Name of its opcode. */
  readonly opcode: string;
  /** Its immediate, as int32; 0 when it has none. */
  readonly value: number;
  /** Return addresses on the call stack before it. */
  readonly callDepth: number;
  /** Height of the stack before it. */
  readonly stackHeight: number;
  /** Top cell before it, as int32; undefined on an empty stack. */
  readonly stackTop: number | undefined;
  /** Fuel consumed before it. */
  readonly fuel: bigint;
  /** The function it belongs to. */
  readonly function: string;
  /** The load or store it did. */
  readonly memoryAccess: MemoryRecordEnum | undefined;
  /** What it changed in the memory. */
  readonly memoryChanges: readonly TracerMemoryState[];
  /** What it changed in tables. */
  readonly tableChanges: readonly TraceTableState[];
  /** Tables it grew. */
  readonly tableSizeChanges: readonly TraceTableSizeState[];
  /** Globals it set. */
  readonly globalChanges: readonly TracerGlobalVariable[];
  /** What happened outside of the guest after it and before the next one. */
  readonly events: readonly TracerEvent[];
}

/** Tells the whole fuel counter from its low halves. */
export class FuelCounter {
  #low = 0;
  #high = 0;

  /** An event that sets the counter. */
  event(low: number, high: number): void {
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }

  /** The counter when its low half is this: it only rises between events. */
  at(low: number): bigint {
    if (low >>> 0 < this.#low) this.#high++;
    this.#low = low >>> 0;
    return BigInt(this.#high) << 32n | BigInt(this.#low);
  }
}

/** A value of up to 8 bytes from words, low word first; unsigned. */
export function valueOf(words: Int32Array, start: number, count: number): bigint {
  const low = BigInt(words[start]! >>> 0);
  return count > 1 ? BigInt(words[start + 1]! >>> 0) << 32n | low : low;
}

/** An event as data. */
export function eventView(chunk: TraceChunk, event: number): TracerEvent {
  const kind = EventKind[chunk.kind[event]!] as keyof typeof EventKind;
  const address = chunk.address[event]! >>> 0, size = chunk.size[event]! >>> 0;
  return { kind, address, size, words: Array.from(chunk.wordsOf(event)) };
}

/** Name of a trap by its number in an event. */
export function trapNameOf(code: number): string {
  return TRAP_NAMES[code] ?? "HostError";
}

/** The instructions of a trace as records, in order; with `last` only so many from the end. */
export function* viewInstructions(trace: Trace, last?: number): Generator<TracerInstrState> {
  let skip = 0;
  if (last !== undefined) {
    let rows = 0;
    for (const chunk of trace.chunks()) rows += chunk.rows;
    skip = Math.max(0, rows - last);
  }
  const fuel = new FuelCounter();
  for (const chunk of trace.chunks()) {
    let event = 0;
    for (; event < chunk.events && chunk.at[event] === 0; event++) noteFuel(chunk, event, fuel);
    for (let row = 0; row < chunk.rows; row++) {
      const first = event;
      while (event < chunk.events && chunk.at[event]! <= row + 1) event++;
      if (skip-- > 0) fuel.at(chunk.fuel[row]!);
      else yield instructionView(trace.code, chunk, row, first, event, fuel);
      for (let at = first; at < event; at++) noteFuel(chunk, at, fuel);
    }
  }
}

function noteFuel(chunk: TraceChunk, event: number, fuel: FuelCounter): void {
  if (chunk.kind[event] !== EventKind.Fuel) return;
  const words = chunk.wordsOf(event);
  fuel.event(words[0]!, words[1]!);
}

function instructionView(
  code: TraceCode,
  chunk: TraceChunk,
  row: number,
  firstEvent: number,
  lastEvent: number,
  fuel: FuelCounter,
): TracerInstrState {
  const pc = chunk.pc[row]!, index = chunk.step?.[row] ?? chunk.first + row;
  const memoryChanges: TracerMemoryState[] = [], tableChanges: TraceTableState[] = [];
  const tableSizeChanges: TraceTableSizeState[] = [], globalChanges: TracerGlobalVariable[] = [];
  const events: TracerEvent[] = [];
  let memoryAccess: MemoryRecordEnum | undefined;
  for (let event = firstEvent; event < lastEvent; event++) {
    const kind: EventKind = chunk.kind[event]!, words = chunk.wordsOf(event), half = words.length >> 1;
    const address = chunk.address[event]! >>> 0, size = chunk.size[event]! >>> 0;
    if (kind >= FIRST_OUTSIDE_KIND) {
      events.push(eventView(chunk, event));
      continue;
    }
    switch (kind) {
      case EventKind.Read:
        memoryAccess = {
          kind: "read",
          address,
          width: size,
          value: valueOf(words, 0, words.length),
          timestamp: index,
        };
        break;
      case EventKind.Write:
      case EventKind.Bytes:
        memoryChanges.push({
          offset: address,
          len: size,
          data: bytesOf(words, half, size).slice(),
          previous: bytesOf(words, 0, size).slice(),
        });
        if (kind === EventKind.Bytes) break;
        memoryAccess = {
          kind: "write",
          address,
          width: size,
          value: valueOf(words, half, half),
          prevValue: valueOf(words, 0, half),
          timestamp: index,
        };
        break;
      case EventKind.Table:
        for (let i = 0; i < size; i++) {
          const funcRef = words[1 + size + i]! >>> 0, previous = words[1 + i]! >>> 0;
          tableChanges.push({ tableIdx: words[0]!, elemIdx: address + i, funcRef, previous });
        }
        break;
      case EventKind.TableGrow:
        tableSizeChanges.push({ tableIdx: address, init: words[0]! >>> 0, delta: size });
        break;
      case EventKind.Global:
        globalChanges.push({ index: address, previous: words[0]!, value: words[1]! });
        break;
    }
  }
  const stackHeight = chunk.height[row]!;
  return {
    index,
    programCounter: pc,
    opcode: OP_NAMES[code.opcodes[pc]!]!,
    value: code.immediates[pc]!,
    callDepth: chunk.depth[row]!,
    stackHeight,
    stackTop: stackHeight > 0 ? chunk.top[row]! : undefined,
    fuel: fuel.at(chunk.fuel[row]!),
    function: functionLabel(code, pc),
    memoryAccess,
    memoryChanges,
    tableChanges,
    tableSizeChanges,
    globalChanges,
    events,
  };
}
