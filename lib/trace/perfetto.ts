/**
 * A trace for the viewers that read Chrome's trace event format, such as https://ui.perfetto.dev:
 * functions as slices, fuel and memory as counters, calls of host functions and endings as instants.
 * One instruction is one microsecond. It is written piece by piece and cannot be read back.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { PAGE_BYTES } from "../limits.ts";
import type { ByteSink } from "./binary_writer.ts";
import type { TraceChunk } from "./chunk.ts";
import { functionLabel, functionOf, syscallLabel, type TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";
import { type TraceVisitor, walk } from "./rebuild.ts";
import { FuelCounter, trapNameOf } from "./views.ts";

const encoder = new TextEncoder();

/** Instructions between two points of the fuel track. */
const FUEL_INTERVAL = 1024;

/** Characters that are collected before they are written. */
const PIECE = 1 << 16;

/** Writes a trace in Chrome's trace event format. */
export class PerfettoTraceWriter implements TraceVisitor {
  readonly #write: ByteSink;
  readonly #code: TraceCode;
  readonly #fuel = new FuelCounter();
  #text: string;
  /** Instructions so far: the time. */
  #now = 0;
  /** Depths of the slices that are open, outermost first. */
  readonly #slices: number[] = [];
  /** Their names. */
  readonly #names: string[] = [];
  /** How many of them belong to runs that wait for the current one. */
  #base = 0;
  /** What that was for each run that waits, when it began to wait. */
  readonly #waiting: number[] = [];
  /** Function of the last instruction, in a trace with gaps. */
  #function = -2;
  #previous = Op.Unreachable;
  #nextFuel = 0;
  #first = true;

  /** Writes the head. */
  constructor(code: TraceCode, write: ByteSink) {
    this.#write = write;
    this.#code = code;
    this.#text = `{"displayTimeUnit":"ms","otherData":{"unit":"1 us = 1 instruction"},"traceEvents":[`;
    this.#event({ ph: "M", name: "process_name", args: { name: "rwasm" } });
    this.#event({ ph: "M", name: "thread_name", args: { name: "guest" } });
  }

  /** Writes a piece. */
  chunk(chunk: TraceChunk): void {
    walk(chunk, this);
    this.#flush();
  }

  /** Writes the end; what is still open ends there. */
  end(): void {
    this.#closeTo(0);
    this.#text += "\n]}\n";
    this.#flush();
  }

  /** Writes what an instruction begins or ends. */
  instruction(chunk: TraceChunk, row: number): void {
    const pc = chunk.pc[row]!, depth = chunk.depth[row]!, fuel = this.#fuel.at(chunk.fuel[row]!);
    this.#now = chunk.step?.[row] ?? chunk.first + row;
    const slices = this.#slices, top = () => slices.length > this.#base ? slices.at(-1)! : -1;
    while (top() > depth) this.#close();
    // A trace that begins in the middle has not seen the calls that led there; one with gaps misses some.
    if (top() < depth) this.#begin(pc, depth);
    else if (chunk.step === undefined ? isTailCall(this.#previous) && this.#isStart(pc) : this.#enters(pc)) {
      this.#close();
      this.#begin(pc, depth);
    }
    this.#previous = this.#code.opcodes[pc]!;
    if (this.#now >= this.#nextFuel) {
      this.#nextFuel = this.#now + FUEL_INTERVAL;
      this.#counter("fuel", { consumed: Number(fuel) });
    }
    this.#now++;
  }

  /** Writes an event that has a place in the picture. */
  event(chunk: TraceChunk, event: number): void {
    const kind: EventKind = chunk.kind[event]!, words = chunk.wordsOf(event);
    const address = chunk.address[event]! >>> 0, size = chunk.size[event]! >>> 0;
    this.#now = chunk.clock?.[event] ?? chunk.first + chunk.at[event]!;
    switch (kind) {
      case EventKind.Start:
        if (size > this.#waiting.length) {
          this.#waiting.push(this.#base);
          this.#base = this.#slices.length;
        } else this.#closeTo(this.#base);
        break;
      case EventKind.Done:
      case EventKind.Halt:
        this.#leave();
        break;
      case EventKind.Trap:
        this.#instant(`trap ${trapNameOf(size)}`, { pc: address });
        this.#leave();
        break;
      case EventKind.Pause:
      case EventKind.Resume:
        this.#instant(EventKind[kind].toLowerCase(), { pc: address });
        break;
      case EventKind.Syscall:
        this.#instant(syscallLabel(this.#code, address), { arguments: [...words] });
        break;
      case EventKind.Fuel:
        this.#fuel.event(words[0]!, words[1]!);
        break;
      case EventKind.Instance:
        this.#memory(0);
        break;
      case EventKind.MemoryGrow:
      case EventKind.HostMemoryGrow:
        this.#memory(address + size);
    }
  }

  #isStart(pc: number): boolean {
    const index = functionOf(this.#code, pc);
    return index >= 0 && this.#code.starts[index] === pc;
  }

  /** Whether an instruction of a trace with gaps belongs to another call than the one before. */
  #enters(pc: number): boolean {
    const current = functionOf(this.#code, pc), entered = current !== this.#function;
    this.#function = current;
    return entered || this.#isStart(pc);
  }

  /** A run ended: its slices end, and the run that waits goes on. */
  #leave(): void {
    this.#closeTo(this.#base);
    this.#base = this.#waiting.pop() ?? 0;
  }

  #begin(pc: number, depth: number): void {
    this.#slices.push(depth);
    this.#function = functionOf(this.#code, pc);
    const name = functionLabel(this.#code, pc);
    this.#names.push(name);
    this.#event({ ph: "B", name, cat: "function" });
  }

  #close(): void {
    this.#slices.pop();
    // The format needs no name here; speedscope, which reads it too, finds the beginning by it.
    this.#event({ ph: "E", name: this.#names.pop()!, cat: "function" });
  }

  #closeTo(count: number): void {
    while (this.#slices.length > count) this.#close();
  }

  #memory(pages: number): void {
    this.#counter("memory", { bytes: pages * PAGE_BYTES });
  }

  #counter(name: string, args: Readonly<Record<string, number>>): void {
    this.#event({ ph: "C", name, args });
  }

  #instant(name: string, args: Readonly<Record<string, unknown>>): void {
    this.#event({ ph: "i", s: "t", name, cat: "host", args });
  }

  #event(fields: Readonly<Record<string, unknown>>): void {
    const line = JSON.stringify({ ...fields, ts: this.#now, pid: 1, tid: 1 });
    this.#text += this.#first ? `\n${line}` : `,\n${line}`;
    this.#first = false;
    if (this.#text.length >= PIECE) this.#flush();
  }

  #flush(): void {
    if (this.#text === "") return;
    this.#write(encoder.encode(this.#text));
    this.#text = "";
  }
}

function isTailCall(op: number): boolean {
  return op === Op.ReturnCallInternal || op === Op.ReturnCallIndirect;
}
