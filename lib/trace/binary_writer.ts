/**
 * Writes a trace as bytes, piece by piece: only what does not follow from the code and from what was
 * written before. `binary_reader.ts` reads it back.
 *
 * ```
 * file   := "rwtr" version=1 code chunk* end
 * code   := flags count opcodes[count] immediates[count]:i32 starts names syscalls
 *           flags: 1 = every instruction is in the trace
 *           starts := count (delta)*          names := (length utf8)* one for each start
 *           syscalls := count (index length utf8)*
 * chunk  := 1 rows events words values exceptions records [steps clocks]
 *           each of values, exceptions, records, steps, clocks is a length in bytes and its content
 * end    := 0 instructions:large length hash[length]
 * ```
 *
 * All numbers are varints (`varint.ts`) where nothing else is said. `values` holds the cells that an
 * instruction pushed and that follow from nothing, each as the difference to what the cell held before.
 * `exceptions` are rows that are not as the model (`model.ts`) expects: distance to the last one, a mask
 * of the columns, the columns. `records` are the events: kind, instructions since the last event, and
 * what the instruction does not say already.
 *
 * @module
 */

import { OP_NAMES, POPS } from "../isa/opcode.ts";
import type { TraceChunk } from "./chunk.ts";
import type { TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";
import { StackModel } from "./model.ts";
import { type TraceVisitor, walk } from "./rebuild.ts";
import { VarintWriter } from "./varint.ts";

/** What a file begins with: "rwtr" and the version. */
export const TRACE_MAGIC: Uint8Array = Uint8Array.of(0x72, 0x77, 0x74, 0x72, 1);

/** Bit of a kind that says: address, size and new value are those of the instruction. */
export const IMPLIED = 0x40;

/** Bytes that each opcode loads or stores; 0 for others. */
export const ACCESS_BYTES: Uint8Array = Uint8Array.from(OP_NAMES, (name) => {
  if (!/Load|Store/.test(name)) return 0;
  if (/8[SU]?$/.test(name)) return 1;
  return /16[SU]?$/.test(name) ? 2 : /^F64/.test(name) ? 8 : 4;
});

const encoder = new TextEncoder();

/** Mask of the low bytes of a word. */
export function widthMask(bytes: number): number {
  return bytes >= 4 ? -1 : (1 << 8 * bytes) - 1;
}

/** Takes the bytes of a trace; they are valid until it returns. */
export type ByteSink = (bytes: Uint8Array) => void;

/** Writes a trace. */
export class BinaryTraceWriter implements TraceVisitor {
  readonly #write: ByteSink;
  readonly #code: TraceCode;
  readonly #model: StackModel;
  readonly #values = new VarintWriter();
  readonly #exceptions = new VarintWriter();
  readonly #records = new VarintWriter();
  #lastException = 0;
  #lastAt = 0;
  #lastAddress = 0;
  #instructions = 0;

  /** Writes the head of a file. */
  constructor(code: TraceCode, complete: boolean, write: ByteSink) {
    this.#write = write;
    this.#code = code;
    this.#model = new StackModel(code);
    const head = new VarintWriter(), { opcodes, immediates, starts, names, syscalls } = code;
    head.putBytes(TRACE_MAGIC);
    head.put(complete ? 1 : 0);
    head.put(opcodes.length);
    head.putBytes(opcodes);
    head.putBytes(new Uint8Array(immediates.buffer, immediates.byteOffset, immediates.byteLength));
    head.put(starts.length);
    starts.forEach((start, i) => head.put(start - (starts[i - 1] ?? 0)));
    names.forEach((name) => putText(head, name));
    head.put(syscalls.size);
    for (const [index, name] of syscalls) {
      head.put(index);
      putText(head, name);
    }
    write(head.bytes());
  }

  /** Writes a piece. */
  chunk(chunk: TraceChunk): void {
    const head = new VarintWriter();
    this.#lastException = this.#lastAt = this.#lastAddress = 0;
    walk(chunk, this);
    this.#instructions += chunk.rows;
    head.put(1);
    head.put(chunk.rows);
    head.put(chunk.events);
    head.put(chunk.used);
    for (const part of [this.#values, this.#exceptions, this.#records]) {
      head.put(part.length);
      head.putBytes(part.bytes());
      part.clear();
    }
    for (const [column, count] of [[chunk.step, chunk.rows], [chunk.clock, chunk.events]] as const) {
      const numbers = new VarintWriter();
      for (let i = 0, last = 0; column !== undefined && i < count; last = column[i++]!) {
        numbers.putLarge(column[i]! - last);
      }
      head.put(numbers.length);
      head.putBytes(numbers.bytes());
    }
    this.#write(head.bytes());
  }

  /** Writes the end of the file, with the hash of the run (hexadecimal) when it is known. */
  end(hash = ""): void {
    const tail = new VarintWriter();
    tail.put(0);
    tail.putLarge(this.#instructions);
    tail.put(hash.length);
    tail.putBytes(encoder.encode(hash));
    this.#write(tail.bytes());
  }

  /** Writes an instruction. */
  instruction(chunk: TraceChunk, row: number): void {
    const model = this.#model;
    model.advance();
    const pc = chunk.pc[row]!, top = chunk.top[row]!, below = chunk.below[row]!, fuel = chunk.fuel[row]!;
    const height = chunk.height[row]!, depth = chunk.depth[row]!, { unknown, stack } = model;
    let mask = 0;
    if (pc !== model.pc || model.jumped) mask |= 1;
    if (height !== model.height) mask |= 8;
    if (depth !== model.depth) mask |= 16;
    if (fuel !== model.fuel) mask |= 32;
    if (mask & 8) {
      mask |= 6;
    } else {
      // An empty stack shows zeros, whatever is in the cells.
      const oldTop = height > 0 ? stack[height - 1]! : 0, oldBelow = height > 1 ? stack[height - 2]! : 0;
      if (unknown > 0) this.#values.putSigned(top - oldTop | 0);
      else if (top !== oldTop) mask |= 2;
      if (unknown > 1) this.#values.putSigned(below - oldBelow | 0);
      else if (below !== oldBelow) mask |= 4;
    }
    if (mask !== 0) {
      const exceptions = this.#exceptions;
      exceptions.put(row - this.#lastException);
      exceptions.put(mask);
      if (mask & 1) exceptions.putSigned(pc - model.pc);
      if (mask & 2) exceptions.putSigned(top);
      if (mask & 4) exceptions.putSigned(below);
      if (mask & 8) exceptions.put(height);
      if (mask & 16) exceptions.put(depth);
      if (mask & 32) exceptions.put(fuel);
      this.#lastException = row;
    }
    model.instruction(pc, top, below, height, depth, fuel);
  }

  /** Writes an event. */
  event(chunk: TraceChunk, event: number): void {
    const records = this.#records, model = this.#model, kind: EventKind = chunk.kind[event]!;
    const address = chunk.address[event]!, size = chunk.size[event]!, at = chunk.at[event]!;
    const words = chunk.wordsOf(event), count = words.length;
    const access = kind === EventKind.Read || kind === EventKind.Write;
    const implied = access && isImplied(model, this.#code, kind, address, size, words);
    records.put(implied ? kind | IMPLIED : kind);
    records.put(at - this.#lastAt);
    this.#lastAt = at;
    if (implied) {
      const told = kind === EventKind.Read ? count : count >> 1;
      for (let i = 0; i < told; i++) records.putSigned(words[i]!);
    } else {
      records.putSigned(address - this.#lastAddress | 0);
      records.put(size);
      records.put(count);
      if (isBytes(kind)) records.putBytes(new Uint8Array(words.buffer, words.byteOffset, 4 * count));
      else for (let i = 0; i < count; i++) records.putSigned(words[i]!);
      this.#lastAddress = address;
    }
    if (!access) model.event(kind, address >>> 0, size >>> 0, words);
  }
}

/** Whether the words of an event are bytes. */
export function isBytes(kind: EventKind): boolean {
  return kind === EventKind.Bytes || kind === EventKind.HostBytes;
}

/** Address that the load or store at `model.pc` accesses. */
export function accessAddress(model: StackModel, { opcodes, immediates }: TraceCode): number {
  const { pc, height, stack } = model;
  return (stack[height - POPS[opcodes[pc]!]!]! + immediates[pc]!) | 0;
}

function isImplied(
  model: StackModel,
  code: TraceCode,
  kind: EventKind,
  address: number,
  size: number,
  words: Int32Array,
): boolean {
  const bytes = ACCESS_BYTES[code.opcodes[model.pc]!];
  if (bytes !== size || model.height < POPS[code.opcodes[model.pc]!]!) return false;
  if (address !== accessAddress(model, code)) return false;
  const { stack, height } = model, pairs = size === 8 ? 2 : 1;
  if (kind === EventKind.Read) return words.length === pairs;
  if (words.length !== 2 * pairs) return false;
  for (let i = 0; i < pairs; i++) {
    if (words[pairs + i] !== (stack[height - pairs + i]! & widthMask(size))) return false;
  }
  return true;
}

function putText(writer: VarintWriter, text: string): void {
  const bytes = encoder.encode(text);
  writer.put(bytes.length);
  writer.putBytes(bytes);
}
