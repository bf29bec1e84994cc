/**
 * Finds where two traces part: two traces go in, the first difference comes out, in words. It replays
 * nothing and needs no machine.
 *
 * @module
 */

import { OP_NAMES } from "../isa/opcode.ts";
import type { TraceChunk } from "./chunk.ts";
import { functionLabel, syscallLabel, type TraceCode } from "./code.ts";
import { EventKind, FIRST_OUTSIDE_KIND } from "./event.ts";
import type { Trace } from "./rebuild.ts";
import { bytesOf } from "./state.ts";
import { trapNameOf, valueOf } from "./views.ts";

/** An instruction of a run, as a difference shows it. */
export interface InstructionPlace {
  /** Its number in the run, from 0. */
  readonly index: number;
  /** Where it is in the code. */
  readonly pc: number;
  /** Opcode, and immediate when it has one. */
  readonly text: string;
  /** The function it belongs to. */
  readonly function: string;
  /** The two topmost cells before it, top first. */
  readonly operands: readonly number[];
}

/** Where two runs part. */
export interface Divergence {
  /** The last instruction both have in common: what it did differs, or what comes after it. */
  readonly instruction: InstructionPlace | undefined;
  /** What differs, one line each. */
  readonly what: readonly string[];
  /** What the first run has there. */
  readonly a: string;
  /** What the second run has there. */
  readonly b: string;
  /** The last call of a host function both have in common. */
  readonly lastSyscall: { readonly name: string; readonly index: number } | undefined;
}

/** Goes through a trace one record at a time. */
class Cursor {
  readonly code: TraceCode;
  chunk: TraceChunk | undefined;
  /** Row of the current record; the last one when it is an event. */
  row = -1;
  /** Event of the current record; -1 when it is an instruction. */
  event = -1;
  readonly #chunks: Iterator<TraceChunk>;
  #nextRow = 0;
  #nextEvent = 0;

  constructor(trace: Trace) {
    this.code = trace.code;
    this.#chunks = trace.chunks()[Symbol.iterator]();
  }

  /** Goes to the next record; false when there is none. */
  next(): boolean {
    for (;;) {
      const { chunk } = this;
      if (chunk !== undefined) {
        if (this.#nextEvent < chunk.events && chunk.at[this.#nextEvent]! <= this.#nextRow) {
          this.event = this.#nextEvent++;
          return true;
        }
        if (this.#nextRow < chunk.rows) {
          this.row = this.#nextRow++;
          this.event = -1;
          return true;
        }
      }
      const next = this.#chunks.next();
      this.row = -1;
      this.chunk = next.done ? undefined : next.value;
      this.#nextRow = this.#nextEvent = 0;
      if (next.done) return false;
    }
  }
}

/** Columns of an instruction that differ, with what they are called. */
const COLUMNS = [
  ["pc", "the next pc"],
  ["height", "height of the stack"],
  ["top", "top of the stack"],
  ["below", "cell below the top"],
  ["depth", "depth of the call stack"],
  ["fuel", "fuel consumed (low 32 bits)"],
] as const;

/**
 * Finds the first difference of two traces; undefined when they are equal to the end.
 *
 * @example
 * ```ts
 * import { assemble, diffTraces, RwasmExecutor, RwasmStore, Tracer } from "./mod.ts";
 * const module = assemble("I32Const 3\nI32Add\nReturn"), type = { params: ["i32"], results: ["i32"] } as const;
 * const run = (value: number) => {
 *   const tracer = new Tracer();
 *   new RwasmExecutor(new RwasmStore(), module, { tracer }).execute([value], type);
 *   return tracer;
 * };
 * console.log(diffTraces(run(1), run(2))?.what);
 * ```
 */
export function diffTraces(a: Trace, b: Trace): Divergence | undefined {
  const left = new Cursor(a), right = new Cursor(b);
  let chunk: TraceChunk | undefined, row = -1, lastSyscall: Divergence["lastSyscall"];
  for (;;) {
    const more = left.next(), both = right.next() && more;
    let what: string[] = [];
    if (!both) {
      if (left.chunk === undefined && right.chunk === undefined) return undefined;
      what = ["one run goes on where the other ends"];
    } else {
      what = differences(left, right);
    }
    if (what.length > 0) {
      const instruction = chunk && placeOf(left.code, chunk, row);
      return { instruction, what, a: describe(left), b: describe(right), lastSyscall };
    }
    if (left.event < 0) {
      chunk = left.chunk!;
      row = left.row;
    } else if (left.chunk!.kind[left.event] === EventKind.Syscall) {
      const name = syscallLabel(left.code, left.chunk!.address[left.event]!);
      lastSyscall = { name, index: chunk === undefined ? 0 : indexOf(chunk, row) };
    }
  }
}

/** What differs between the current records of two traces; nothing when they are equal. */
function differences(left: Cursor, right: Cursor): string[] {
  const a = left.chunk!, b = right.chunk!;
  if (left.event < 0 !== right.event < 0) return ["what happens next"];
  if (left.event < 0) {
    const i = left.row, k = right.row;
    if (
      a.pc[i] === b.pc[k] && a.top[i] === b.top[k] && a.below[i] === b.below[k] &&
      a.height[i] === b.height[k] && a.depth[i] === b.depth[k] && a.fuel[i] === b.fuel[k]
    ) {
      const pc = a.pc[i]!;
      const same = left.code === right.code ||
        left.code.opcodes[pc] === right.code.opcodes[pc] &&
          left.code.immediates[pc] === right.code.immediates[pc];
      return same ? [] : ["the code"];
    }
    return COLUMNS.filter(([name]) => a[name][i] !== b[name][k]).map(([name, text]) => {
      return `${text}: ${a[name][i]} and ${b[name][k]}`;
    });
  }
  const i = left.event, k = right.event;
  if (a.kind[i] !== b.kind[k]) return ["what happens next"];
  if (a.address[i] !== b.address[k]) return ["where it happens"];
  if (a.size[i] !== b.size[k]) return ["how much it is"];
  const words = a.wordsOf(i), others = b.wordsOf(k);
  if (words.length === others.length && words.every((word, at) => word === others[at])) return [];
  const kind: EventKind = a.kind[i]!;
  if (kind === EventKind.Bytes || kind === EventKind.HostBytes) {
    return [byteDifference(words, others, a.address[i]! >>> 0, a.size[i]! >>> 0)];
  }
  return [kind === EventKind.Read ? "what is read" : "the values"];
}

/** Where the bytes of two changes first differ: the new ones, or else those that were there before. */
function byteDifference(words: Int32Array, others: Int32Array, address: number, size: number): string {
  const half = words.length >> 1;
  for (const [start, what] of [[half, "bytes"], [0, "bytes before"]] as const) {
    const a = bytesOf(words, start, size), b = bytesOf(others, start, size);
    const at = a.findIndex((byte, i) => byte !== b[i]);
    if (at < 0) continue;
    return `the ${what} from ${hex(address + at)} on: ${hexBytes(a.subarray(at))} and ${
      hexBytes(b.subarray(at))
    }`;
  }
  return "the values";
}

function indexOf(chunk: TraceChunk, row: number): number {
  return chunk.step?.[row] ?? chunk.first + row;
}

/** An instruction as a difference shows it. */
export function placeOf(code: TraceCode, chunk: TraceChunk, row: number): InstructionPlace {
  const pc = chunk.pc[row]!, height = chunk.height[row]!;
  return {
    index: indexOf(chunk, row),
    pc,
    text: instructionText(code, pc),
    function: functionLabel(code, pc),
    operands: [chunk.top[row]!, chunk.below[row]!].slice(0, height),
  };
}

/** Opcode at a pc, with its immediate when that is not 0. */
export function instructionText({ opcodes, immediates }: TraceCode, pc: number): string {
  const name = OP_NAMES[opcodes[pc]!] ?? "nothing", immediate = immediates[pc] ?? 0;
  return immediate === 0 ? name : `${name} ${immediate}`;
}

function describe({ chunk, event, row, code }: Cursor): string {
  if (chunk === undefined) return "the end";
  if (event >= 0) return eventText(code, chunk, event);
  const pc = chunk.pc[row]!;
  return `instruction ${indexOf(chunk, row)}: ${instructionText(code, pc)} at pc ${pc} in ${
    functionLabel(code, pc)
  }`;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

function hexBytes(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0"));
  return shown.join(" ") + (bytes.length > 16 ? " …" : "");
}

function cellsText(words: Int32Array): string {
  return `${words.slice(0, 16).join(", ")}${words.length > 16 ? ", …" : ""}`;
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** An event in words. */
export function eventText(code: TraceCode, chunk: TraceChunk, event: number): string {
  const kind: EventKind = chunk.kind[event]!, words = chunk.wordsOf(event), half = words.length >> 1;
  const address = chunk.address[event]! >>> 0, size = chunk.size[event]! >>> 0;
  const by = kind >= FIRST_OUTSIDE_KIND ? " by the host" : "";
  switch (kind) {
    case EventKind.Read:
      return `reads ${size} bytes at ${hex(address)}: ${hex(valueOf(words, 0, words.length))}`;
    case EventKind.Write:
      return `writes ${size} bytes at ${hex(address)}: ${hex(valueOf(words, half, half))}, ` +
        `before ${hex(valueOf(words, 0, half))}`;
    case EventKind.Bytes:
    case EventKind.HostBytes:
      return `${size} bytes at ${hex(address)} are changed${by}: from ${
        hexBytes(bytesOf(words, 0, size))
      } to ` +
        hexBytes(bytesOf(words, half, size));
    case EventKind.Global:
    case EventKind.HostGlobal:
      return `global word ${address} is set${by}: from ${words[0]} to ${words[1]}`;
    case EventKind.Syscall:
      return `calls ${syscallLabel(code, address)} with ${[...words].join(", ") || "nothing"}`;
    case EventKind.Result:
      return `${syscallLabel(code, address)} returns ${[...words].join(", ") || "nothing"}`;
    case EventKind.Trap:
      return `trap ${trapNameOf(size)} at pc ${address}`;
    case EventKind.Table:
    case EventKind.HostTable:
      return `${many(size, "element")} of table ${words[0]} from ${address} on set${by}`;
    case EventKind.TableGrow:
    case EventKind.HostTableGrow:
      return `table ${address} grows by ${many(size, "element")}${by}`;
    case EventKind.MemoryGrow:
    case EventKind.HostMemoryGrow:
      return `the memory grows from ${address} to ${many(address + size, "page")}${by}`;
    case EventKind.DropData:
      return `data segment ${address} is dropped`;
    case EventKind.DropElements:
      return `element segment ${address} is dropped`;
    case EventKind.Cells:
      return `pushes below the top: ${cellsText(words)}`;
    case EventKind.Bulk:
      return `works on ${many(size, "byte or element")} from ${hex(address)}`;
    case EventKind.Instance:
      return "a new instance";
    case EventKind.Start:
      return `a run starts at pc ${address}${size > 0 ? ` within ${many(size, "other")}` : ""}`;
    case EventKind.Done:
      return `the run is done, with ${many(size, "cell")} on the stack`;
    case EventKind.Halt:
      return "the run is halted";
    case EventKind.Pause:
      return `the run pauses before pc ${address}`;
    case EventKind.Resume:
      return `the run goes on at pc ${address}`;
    case EventKind.Stack:
      return size > 0
        ? `cells of the stack from ${address} on become ${cellsText(words)}`
        : `the stack is cut to ${many(address, "cell")}`;
    case EventKind.Fuel:
      return `fuel consumed becomes ${valueOf(words, 0, 2)}${by}`;
    case EventKind.HostSegments:
      return "all dropped segments are there again";
    case EventKind.Calls:
      return `return addresses from ${address} on become ${cellsText(words)}`;
  }
}
