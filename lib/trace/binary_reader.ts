/**
 * Reads the bytes that `binary_writer.ts` writes, piece by piece. Whatever the bytes are, a trace or a
 * DecodeError comes out, and memory is used only as far as bytes are there to justify it.
 *
 * @module
 */

import { OP_COUNT } from "../isa/opcode.ts";
import { ACCESS_BYTES, accessAddress, IMPLIED, isBytes, TRACE_MAGIC, widthMask } from "./binary_writer.ts";
import { CHUNK_EVENTS, CHUNK_ROWS, CHUNK_WORDS, TraceChunk } from "./chunk.ts";
import type { TraceCode } from "./code.ts";
import { EventKind, isEventKind } from "./event.ts";
import { StackModel } from "./model.ts";
import type { Trace } from "./rebuild.ts";
import { badTrace, VarintReader } from "./varint.ts";

const decoder = new TextDecoder();

/** A trace from bytes. */
export interface TraceFile extends Trace {
  /** Instructions in it, and the hash of the run in hexadecimal when it was told; known at its end. */
  readonly end: { readonly instructions: number; readonly hash: string } | undefined;
}

/** Whether bytes begin as a trace does. */
export function isTraceFile(bytes: Uint8Array): boolean {
  return TRACE_MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads a trace. Its pieces are decoded while they are asked for, from the beginning each time.
 *
 * @throws {DecodeError} `BadTrace`, also while the pieces are read.
 */
export function readBinaryTrace(bytes: Uint8Array): TraceFile {
  if (!isTraceFile(bytes)) throw badTrace("it does not begin as a trace of version 1 does", 0);
  const reader = new VarintReader(bytes, TRACE_MAGIC.length);
  const complete = (reader.get() & 1) === 1, code = readCode(reader), body = reader.at;
  let end: TraceFile["end"];
  return {
    code,
    complete,
    get end() {
      return end;
    },
    *chunks() {
      const reader = new VarintReader(bytes, body), model = new StackModel(code);
      let first = 0, firstEvent = 0;
      for (;;) {
        const mark = reader.getAtMost(1, "the mark of a piece");
        if (mark === 0) break;
        const chunk = readChunk(reader, code, model, first, firstEvent);
        first += chunk.rows;
        firstEvent += chunk.events;
        yield chunk;
      }
      const instructions = reader.getLarge();
      const hash = decoder.decode(reader.getBytes(reader.getAtMost(64, "the length of the hash")));
      if (instructions !== first) {
        throw badTrace(`it has ${first} instructions, not ${instructions}`, reader.at);
      }
      if (!reader.done) throw badTrace("there is more behind its end", reader.at);
      end = { instructions, hash };
    },
  };
}

function readText(reader: VarintReader): string {
  return decoder.decode(reader.getBytes(reader.get()));
}

function readCode(reader: VarintReader): TraceCode {
  const count = reader.get(), opcodes = reader.getBytes(count).slice();
  for (const op of opcodes) if (op >= OP_COUNT) throw badTrace(`there is no opcode ${op}`, reader.at);
  const immediates = new Int32Array(reader.getBytes(4 * count).slice().buffer);
  const starts = new Uint32Array(reader.getAtMost(Math.min(count, reader.left), "the number of functions"));
  for (let i = 0, start = 0; i < starts.length; i++) starts[i] = start += reader.get();
  const names: string[] = [];
  while (names.length < starts.length) names.push(readText(reader));
  const syscalls = new Map<number, string>();
  for (let left = reader.getAtMost(reader.left, "the number of host functions"); left > 0; left--) {
    syscalls.set(reader.get(), readText(reader));
  }
  return { opcodes, immediates, starts, names, syscalls };
}

function readChunk(
  reader: VarintReader,
  code: TraceCode,
  model: StackModel,
  first: number,
  firstEvent: number,
): TraceChunk {
  const rows = reader.getAtMost(CHUNK_ROWS, "the instructions of a piece");
  const events = reader.getAtMost(CHUNK_EVENTS, "the events of a piece");
  const words = reader.getAtMost(CHUNK_WORDS, "the words of a piece");
  const parts = Array.from({ length: 5 }, () => reader.part(reader.get()));
  const [values, exceptions, records, steps, clocks] = parts as [
    VarintReader,
    VarintReader,
    VarintReader,
    VarintReader,
    VarintReader,
  ];
  const chunk = new TraceChunk(!steps.done || !clocks.done);
  chunk.restart(first, firstEvent);
  try {
    new ChunkDecoder(chunk, code, model, values, exceptions, records).decode(rows, events);
  } catch (error) {
    if (error instanceof RangeError) throw badTrace("it cannot have been recorded", reader.at, error);
    throw error;
  }
  if (chunk.used !== words) throw badTrace(`a piece has ${chunk.used} words, not ${words}`, reader.at);
  readNumbers(steps, chunk.step, rows);
  readNumbers(clocks, chunk.clock, events);
  for (const part of parts) if (!part.done) throw badTrace("a part of a piece is longer than it", part.at);
  return chunk;
}

function readNumbers(reader: VarintReader, column: Float64Array | undefined, count: number): void {
  for (let i = 0, value = 0; column !== undefined && i < count; i++) column[i] = value += reader.getLarge();
}

/** Decodes one piece. */
class ChunkDecoder {
  readonly #chunk: TraceChunk;
  readonly #code: TraceCode;
  readonly #model: StackModel;
  readonly #values: VarintReader;
  readonly #exceptions: VarintReader;
  readonly #records: VarintReader;
  #lastAt = 0;
  #lastAddress = 0;

  constructor(
    chunk: TraceChunk,
    code: TraceCode,
    model: StackModel,
    values: VarintReader,
    exceptions: VarintReader,
    records: VarintReader,
  ) {
    this.#chunk = chunk;
    this.#code = code;
    this.#model = model;
    this.#values = values;
    this.#exceptions = exceptions;
    this.#records = records;
  }

  decode(rows: number, events: number): void {
    const exceptions = this.#exceptions, records = this.#records;
    let exception = exceptions.done ? rows : exceptions.get();
    let kind = 0, at = rows + 1, left = events;
    const next = () => {
      if (left-- <= 0) {
        at = rows + 1;
        return;
      }
      kind = records.get();
      at = this.#lastAt += records.get();
      if (at > rows) throw badTrace("an event is behind the end of its piece", records.at);
    };
    next();
    for (let row = 0; row <= rows; row++) {
      for (; at <= row; next()) this.#event(kind);
      if (row === rows) break;
      const excepted = row === exception;
      this.#row(row, excepted ? exceptions.get() : 0);
      if (excepted) exception = exceptions.done ? rows : row + exceptions.get();
    }
  }

  #row(row: number, mask: number): void {
    const chunk = this.#chunk, model = this.#model, values = this.#values, exceptions = this.#exceptions;
    model.advance();
    let { pc, height, depth, fuel } = model;
    const { unknown, stack } = model;
    if (mask & 1) pc += exceptions.getSigned();
    let top = height > 0 ? stack[height - 1]! : 0, below = height > 1 ? stack[height - 2]! : 0;
    if (!(mask & 8)) {
      if (unknown > 0) top = (top + values.getSigned()) | 0;
      if (unknown > 1) below = (below + values.getSigned()) | 0;
    }
    if (mask & 2) top = exceptions.getSigned();
    if (mask & 4) below = exceptions.getSigned();
    if (mask & 8) height = exceptions.get();
    if (mask & 16) depth = exceptions.get();
    if (mask & 32) fuel = exceptions.get() | 0;
    if (pc < 0 || pc >= this.#code.opcodes.length) throw badTrace(`there is no instruction ${pc}`, values.at);
    if (chunk.rows === chunk.pc.length) chunk.growRows();
    chunk.pc[row] = pc;
    chunk.top[row] = top;
    chunk.below[row] = below;
    chunk.height[row] = height;
    chunk.depth[row] = depth;
    chunk.fuel[row] = fuel;
    chunk.rows = row + 1;
    model.instruction(pc, top, below, height, depth, fuel);
  }

  #event(code: number): void {
    const kind = code & ~IMPLIED, chunk = this.#chunk, model = this.#model, records = this.#records;
    if (!isEventKind(kind)) throw badTrace(`there is no kind of event ${kind}`, records.at);
    if (code & IMPLIED) return this.#implied(kind);
    const address = this.#lastAddress = (this.#lastAddress + records.getSigned()) | 0, size = records.get();
    const count = records.getAtMost(Math.min(CHUNK_WORDS, records.left), "the words of an event");
    const start = this.#add(kind, address, size, count), { words } = chunk;
    if (isBytes(kind)) {
      new Uint8Array(words.buffer).set(records.getBytes(4 * count), 4 * start);
    } else {
      for (let i = 0; i < count; i++) words[start + i] = records.getSigned();
    }
    if (kind !== EventKind.Read && kind !== EventKind.Write) {
      model.event(kind, address >>> 0, size, words.subarray(start, start + count));
    }
  }

  #implied(kind: EventKind): void {
    const chunk = this.#chunk, model = this.#model, code = this.#code, records = this.#records;
    const size = ACCESS_BYTES[code.opcodes[model.pc]!] ?? 0, pairs = size === 8 ? 2 : 1;
    if (size === 0 || kind !== EventKind.Read && kind !== EventKind.Write) {
      throw badTrace("an event leaves out what nothing implies", records.at);
    }
    const written = kind === EventKind.Write;
    const start = this.#add(kind, accessAddress(model, code), size, written ? 2 * pairs : pairs),
      { words } = chunk;
    for (let i = 0; i < pairs; i++) {
      words[start + i] = records.getSigned();
      if (written) words[start + pairs + i] = model.stack[model.height - pairs + i]! & widthMask(size);
    }
  }

  #add(kind: EventKind, address: number, size: number, words: number): number {
    const start = this.#chunk.add(kind, address, size, words);
    if (start < 0) throw badTrace("a piece is fuller than it can be", this.#records.at);
    return start;
  }
}
