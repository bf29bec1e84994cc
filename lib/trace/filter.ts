/**
 * Which instructions a trace records: options go in, one bit per instruction of the module and a few
 * numbers come out. What the host does is always recorded.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { ModuleInfo, RwasmModule } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { Op } from "../isa/opcode.ts";
import { functionName } from "../vm/backtrace.ts";

/** From a first number to one behind the last. */
export type Interval = readonly [from: number, to: number];

/** Which instructions to record; all that is given must hold. */
export interface FilterOptions {
  /** Only instructions of these functions: names, or indices of Wasm functions. */
  readonly functions?: readonly (string | number)[] | undefined;
  /** Only instructions at these pcs; the end is not included. */
  readonly pcs?: readonly Interval[] | undefined;
  /** Only instructions that touch these bytes of the memory; the end is not included. */
  readonly memory?: readonly Interval[] | undefined;
  /** Only calls of host functions. */
  readonly syscallsOnly?: boolean | undefined;
  /** Only every n-th instruction of the run, beginning with the first. */
  readonly every?: number | undefined;
}

/** A filter for the instructions of one module. */
export class TraceFilter {
  /** Ranges of the memory that must be touched: pairs of first byte and one behind the last. */
  readonly ranges: Float64Array | undefined;
  readonly #keep: Uint8Array | undefined;
  readonly #every: number;

  /** Records what all three want. */
  constructor(keep: Uint8Array | undefined, ranges: Float64Array | undefined, every: number) {
    this.#keep = keep;
    this.ranges = ranges;
    this.#every = every;
  }

  /** Whether the instruction at `pc`, after `ran` others, is recorded as far as that decides it. */
  wants(pc: number, ran: number): boolean {
    return (this.#keep === undefined || this.#keep[pc] === 1) && ran % this.#every === 0;
  }

  /** Whether bytes from an address on are of interest. */
  touches(at: number, count: number): boolean {
    const ranges = this.ranges!;
    if (count === 0) return false;
    for (let i = 0; i < ranges.length; i += 2) {
      if (at < ranges[i + 1]! && at + count > ranges[i]!) return true;
    }
    return false;
  }
}

/** Whether options leave anything out. */
export function leavesOut({ functions, pcs, memory, syscallsOnly, every }: FilterOptions): boolean {
  return functions !== undefined || pcs !== undefined || memory !== undefined || syscallsOnly === true ||
    (every ?? 1) !== 1;
}

/**
 * Checks what does not depend on a module.
 *
 * @throws {UsageError} `InvalidTraceFilter`
 */
export function checkFilter({ functions, pcs, memory, every }: FilterOptions): void {
  if (functions !== undefined && !Array.isArray(functions)) refuse("functions must be an array");
  if (every !== undefined && !(Number.isSafeInteger(every) && every >= 1)) {
    refuse("every must be an integer of 1 or more");
  }
  for (const [name, intervals] of [["pcs", pcs], ["memory", memory]] as const) {
    if (intervals === undefined) continue;
    if (!Array.isArray(intervals)) refuse(`${name} must be an array of [from, to]`);
    for (const interval of intervals as readonly unknown[]) {
      if (!Array.isArray(interval) || interval.length !== 2 || !interval.every(Number.isSafeInteger)) {
        refuse(`${name} must be an array of [from, to], both integers`);
      }
      const [from, to] = interval as unknown as Interval;
      if (from < 0 || to <= from) refuse(`a range of ${name} is empty: from ${from} to ${to}`);
    }
  }
}

/**
 * The filter that options mean for a module; undefined when they leave nothing out.
 *
 * @throws {UsageError} `UnknownFunction`
 */
export function filterFor(module: RwasmModule, options: FilterOptions): TraceFilter | undefined {
  if (!leavesOut(options)) return undefined;
  const { functions, pcs, memory, syscallsOnly, every = 1 } = options;
  const ranges = memory && Float64Array.from(memory.flat());
  if (functions === undefined && pcs === undefined && !syscallsOnly) {
    return new TraceFilter(undefined, ranges, every);
  }
  const keep = new Uint8Array(module.length).fill(1);
  if (functions !== undefined) restrict(keep, functions.map((name) => intervalOf(module, name)));
  if (pcs !== undefined) restrict(keep, pcs);
  if (syscallsOnly) {
    const { opcodes } = module;
    for (let pc = 0; pc < keep.length; pc++) {
      if (opcodes[pc] !== Op.Call && opcodes[pc] !== Op.ReturnCall) keep[pc] = 0;
    }
  }
  return new TraceFilter(keep, ranges, every);
}

function restrict(keep: Uint8Array, intervals: readonly Interval[]): void {
  const inside = new Uint8Array(keep.length);
  for (const [from, to] of intervals) inside.fill(1, from, to);
  for (let pc = 0; pc < keep.length; pc++) keep[pc]! &= inside[pc]!;
}

/**
 * Where the code of a function is.
 *
 * @throws {UsageError} `UnknownFunction`
 */
export function intervalOf({ info, length }: RwasmModule, name: string | number): Interval {
  if (info === undefined) {
    throw new UsageError("UnknownFunction", "Cannot find functions: a decoded module does not tell them", {
      hint: "give pc ranges, or compile the module from Wasm",
    });
  }
  const index = typeof name === "number" ? name : indexOf(info, name);
  const starts = info.functionStarts;
  if (!Number.isInteger(index) || index < 0 || index >= starts.length) {
    const names = namesOf(info), near = typeof name === "string" ? nearest(name, names) : undefined;
    const what = typeof name === "string" ? quoteName(name) : String(name);
    throw new UsageError("UnknownFunction", `Cannot find function ${what}: the module has no such function`, {
      hint: near === undefined ? `it has ${starts.length} functions` : `did you mean ${quoteName(near)}?`,
    });
  }
  return [starts[index]!, starts[index + 1] ?? length];
}

function namesOf(info: ModuleInfo): string[] {
  return Array.from(info.functionStarts, (_, index) => functionName(info, index) ?? "");
}

function indexOf(info: ModuleInfo, name: string): number {
  const exported = info.functionExports.find((entry) => entry.name === name);
  return exported?.index ?? namesOf(info).indexOf(name);
}

function refuse(why: string): never {
  throw new UsageError("InvalidTraceFilter", `Cannot make a tracer: ${why}`);
}
