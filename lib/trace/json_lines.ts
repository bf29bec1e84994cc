/**
 * A trace as JSON lines, for other tools: one object per line, written piece by piece and read back.
 *
 * ```
 * {"type":"trace","version":1,"complete":true,"length":n,"functions":[[pc,name],…],"syscalls":{"1":"env.log"}}
 *     the first line; length is that of the code
 * {"i":0,"pc":9,"op":"I32Const","imm":5,"top":0,"below":0,"height":0,"depth":0,"fuel":0}
 *     an instruction: its number in the run, where it is, opcode, immediate (int32), the two topmost cells
 *     (int32), height of the stack, return addresses, and low 32 bits of the fuel consumed, all before it
 * {"e":"Write","i":1,"address":16,"size":4,"words":[0,5]}
 *     an event (`event.ts` tells the kinds and their fields), after i instructions of the run
 * {"type":"end","instructions":n,"hash":"…"}
 *     the last line; the hash is empty when there is none
 * ```
 *
 * @module
 */

import { Op, OP_NAMES } from "../isa/opcode.ts";
import type { ByteSink } from "./binary_writer.ts";
import { CHUNK_WORDS, TraceChunk } from "./chunk.ts";
import type { TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";
import { type Trace, type TraceVisitor, walk } from "./rebuild.ts";
import { badTrace } from "./varint.ts";

const encoder = new TextEncoder();

/** Characters that are collected before they are written. */
const PIECE = 1 << 16;

/** Writes a trace as JSON lines. */
export class JsonLinesTraceWriter implements TraceVisitor {
  readonly #write: ByteSink;
  readonly #code: TraceCode;
  #text = "";
  #instructions = 0;

  /** Writes the first line. */
  constructor(code: TraceCode, complete: boolean, write: ByteSink) {
    this.#write = write;
    this.#code = code;
    this.#line(JSON.stringify({
      type: "trace",
      version: 1,
      complete,
      length: code.opcodes.length,
      functions: Array.from(code.starts, (start, i) => [start, code.names[i]]),
      syscalls: Object.fromEntries(code.syscalls),
    }));
  }

  /** Writes a piece. */
  chunk(chunk: TraceChunk): void {
    walk(chunk, this);
    this.#instructions += chunk.rows;
    this.#flush();
  }

  /** Writes the last line, with the hash of the run when it is known. */
  end(hash = ""): void {
    this.#line(JSON.stringify({ type: "end", instructions: this.#instructions, hash }));
    this.#flush();
  }

  /** Writes an instruction. */
  instruction(chunk: TraceChunk, row: number): void {
    const pc = chunk.pc[row]!, { opcodes, immediates } = this.#code;
    const i = chunk.step?.[row] ?? chunk.first + row;
    this.#line(
      `{"i":${i},"pc":${pc},"op":"${OP_NAMES[opcodes[pc]!]}","imm":${immediates[pc]}` +
        `,"top":${chunk.top[row]},"below":${chunk.below[row]},"height":${chunk.height[row]}` +
        `,"depth":${chunk.depth[row]},"fuel":${chunk.fuel[row]! >>> 0}}`,
    );
  }

  /** Writes an event. */
  event(chunk: TraceChunk, event: number): void {
    const i = chunk.clock?.[event] ?? chunk.first + chunk.at[event]!;
    this.#line(
      `{"e":"${EventKind[chunk.kind[event]!]}","i":${i},"address":${chunk.address[event]! >>> 0}` +
        `,"size":${chunk.size[event]! >>> 0},"words":[${chunk.wordsOf(event).join()}]}`,
    );
  }

  #line(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length >= PIECE) this.#flush();
  }

  #flush(): void {
    if (this.#text === "") return;
    this.#write(encoder.encode(this.#text));
    this.#text = "";
  }
}

/** A line, as far as anything is known about it. */
type Line = Readonly<Record<string, unknown>>;

const OPS: ReadonlyMap<unknown, number> = new Map(OP_NAMES.map((name, op) => [name, op]));

/** Instructions for which there is room at first. */
const FIRST_CODE = 1024;

/** Most bytes of a line: fewer than a string can hold. */
const MOST_LINE = 2 ** 28;

/** Most instructions that the first line may announce. */
const MOST_CODE = 2 ** 26;

/**
 * Reads a trace from JSON lines, as text or as its bytes, which may be more than a string can hold. Its code is known only where instructions were recorded; the others
 * read as Unreachable.
 *
 * @throws {DecodeError} `BadTrace`
 */
export function readJsonLinesTrace(text: string | Uint8Array): Trace {
  const lines = linesOf(text), head = lines.next().value;
  if (head?.type !== "trace" || head.version !== 1) throw badTrace("its first line does not begin one");
  const complete = head.complete === true, length = count(head.length, MOST_CODE, "length", 1);
  const chunks: TraceChunk[] = [];
  let opcodes = new Uint8Array(FIRST_CODE).fill(Op.Unreachable), immediates = new Int32Array(FIRST_CODE);
  let chunk = new TraceChunk(!complete), ended = false;
  const next = () => {
    const full = chunk;
    chunk = new TraceChunk(!complete);
    chunk.restart(full.first + full.rows, full.firstEvent + full.events);
    chunks.push(full);
  };
  let number = 1;
  for (const line of lines) {
    number++;
    if (ended) throw badTrace(`line ${number} is behind the last one`);
    if (line.type === "end") ended = true;
    else if (typeof line.e === "string") readEvent(line, number);
    else readInstruction(line, number);
  }
  if (!ended) throw badTrace("it has no last line");
  chunks.push(chunk);
  if (chunks.every(isGapless)) {
    for (const piece of chunks) piece.step = piece.clock = undefined;
  }
  return { code: { ...headCode(head), opcodes, immediates }, complete, chunks: () => chunks };

  // What the first line announces need not be true: the arrays grow with what is there.
  function growCode(pc: number): void {
    const size = Math.min(length, Math.max(pc + 1, 2 * opcodes.length));
    const codes = new Uint8Array(size).fill(Op.Unreachable), cells = new Int32Array(size);
    codes.set(opcodes);
    cells.set(immediates);
    opcodes = codes;
    immediates = cells;
  }

  function readInstruction(line: Line, number: number): void {
    const pc = count(line.pc, length - 1, "pc", number), op = OPS.get(line.op);
    if (op === undefined) throw badTrace(`line ${number} has no known op`);
    if (pc >= opcodes.length) growCode(pc);
    opcodes[pc] = op;
    immediates[pc] = word(line.imm, "imm", number);
    if (chunk.rows === chunk.pc.length && !chunk.growRows()) next();
    const row = chunk.rows;
    chunk.pc[row] = pc;
    chunk.top[row] = word(line.top, "top", number);
    chunk.below[row] = word(line.below, "below", number);
    chunk.height[row] = count(line.height, 2 ** 31 - 1, "height", number);
    chunk.depth[row] = count(line.depth, 2 ** 31 - 1, "depth", number);
    chunk.fuel[row] = count(line.fuel, 2 ** 32 - 1, "fuel", number);
    if (chunk.step !== undefined) chunk.step[row] = count(line.i, Number.MAX_SAFE_INTEGER, "i", number);
    chunk.rows = row + 1;
  }

  function readEvent(line: Line, number: number): void {
    const kind = EventKind[line.e as keyof typeof EventKind] as EventKind | undefined, { words } = line;
    if (typeof kind !== "number") throw badTrace(`line ${number} has no known kind of event`);
    if (!Array.isArray(words) || words.length > CHUNK_WORDS) throw badTrace(`line ${number} has no words`);
    const address = count(line.address, 2 ** 32 - 1, "address", number);
    const size = count(line.size, 2 ** 32 - 1, "size", number);
    let start = chunk.add(kind, address, size, words.length);
    if (start < 0) {
      next();
      start = chunk.add(kind, address, size, words.length);
    }
    words.forEach((value, i) => chunk.words[start + i] = word(value, "words", number));
    const clock = count(line.i, Number.MAX_SAFE_INTEGER, "i", number);
    if (chunk.clock !== undefined) chunk.clock[chunk.events - 1] = clock;
  }
}

/** Whether nothing is left out before the end of a piece. */
function isGapless({ first, rows, events, at, step, clock }: TraceChunk): boolean {
  for (let row = 0; step !== undefined && row < rows; row++) if (step[row] !== first + row) return false;
  for (let event = 0; clock !== undefined && event < events; event++) {
    if (clock[event] !== first + at[event]!) return false;
  }
  return true;
}

/** Texts of the lines, one after the other. */
function* textsOf(text: string | Uint8Array): Generator<string, undefined> {
  if (typeof text === "string") {
    for (let at = 0; at < text.length;) {
      const end = text.indexOf("\n", at), stop = end < 0 ? text.length : end;
      yield text.slice(at, stop);
      at = stop + 1;
    }
    return;
  }
  const decoder = new TextDecoder();
  for (let at = 0; at < text.length;) {
    const end = text.indexOf(0x0a, at), stop = end < 0 ? text.length : end;
    if (stop - at > MOST_LINE) throw badTrace("a line is too long", at);
    yield decoder.decode(text.subarray(at, stop));
    at = stop + 1;
  }
}

function* linesOf(text: string | Uint8Array): Generator<Line, undefined> {
  let number = 0;
  for (const line of textsOf(text)) {
    number++;
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw badTrace(`line ${number} is no JSON`, undefined, error);
    }
    if (typeof value !== "object" || value === null) throw badTrace(`line ${number} is no object`);
    yield value as Line;
  }
}

function headCode(head: Line): Pick<TraceCode, "starts" | "names" | "syscalls"> {
  const functions = Array.isArray(head.functions) ? head.functions as unknown[] : [];
  const starts = new Uint32Array(functions.length), names: string[] = [];
  functions.forEach((entry, i) => {
    if (!Array.isArray(entry) || typeof entry[1] !== "string") {
      throw badTrace("a function of line 1 is no pair");
    }
    starts[i] = count(entry[0], 2 ** 32 - 1, "functions", 1);
    names.push(entry[1]);
  });
  const syscalls = new Map<number, string>();
  if (typeof head.syscalls === "object" && head.syscalls !== null) {
    for (const [index, name] of Object.entries(head.syscalls)) syscalls.set(Number(index), String(name));
  }
  return { starts, names, syscalls };
}

function count(value: unknown, most: number, name: string, line: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most) {
    return value as number;
  }
  throw badTrace(`${name} of line ${line} is not an integer from 0 to ${most}`);
}

function word(value: unknown, name: string, line: number): number {
  if (Number.isInteger(value) && (value as number) === ((value as number) | 0)) return value as number;
  throw badTrace(`${name} of line ${line} is not a 32-bit integer`);
}
