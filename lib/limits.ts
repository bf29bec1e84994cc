/**
 * Every policy number of the machine and the compiler, each with its source. Limits are data: the
 * behaviour at a limit is the same on every engine, and an error at a limit names it and its value.
 *
 * @module
 */

import { UsageError } from "./error.ts";

/** Bounds on what a module may declare and a run may use. */
export interface Limits {
  /** Most memory pages of 65,536 bytes a module may declare or grow to; at most 32,768 (2 GiB). */
  readonly memoryPages: number;
  /** Most tables of a module. */
  readonly tables: number;
  /** Most elements of one table. */
  readonly tableElements: number;
  /** Most value-stack slots of 32 bits a function may need; the machine's window is this + 13. */
  readonly stackSlots: number;
  /** Most return addresses on the call stack. */
  readonly callDepth: number;
  /** Most rWasm instructions of a module. */
  readonly codeLength: number;
  /** Most entries of a module's type section. */
  readonly functionTypes: number;
  /** Most data segments, and most element segments, of a module. */
  readonly segments: number;
}

/** Limits that let large real programs run: CPython has 5,406 table elements, a Go program 6,159. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  memoryPages: 16_384,
  tables: 100,
  tableElements: 1_048_576,
  stackSlots: 1_048_576,
  callDepth: 16_384,
  codeLength: 64 * 1024 * 1024,
  functionTypes: 65_536,
  segments: 100_000,
});

/** The bounds of rwasm 0.7.2, to the last slot. */
export const REFERENCE_LIMITS: Limits = Object.freeze({
  memoryPages: 1024,
  tables: 100,
  tableElements: 1024,
  stackSlots: 8192,
  callDepth: 1024,
  codeLength: 2 * 1024 * 1024,
  functionTypes: 4096,
  segments: 100_000,
});

/** Bytes of a memory page (WebAssembly specification). */
export const PAGE_BYTES = 65_536;

/** Most pages any store can hold: 2 GiB, the reference's hard bound. */
export const MAX_MEMORY_PAGES = 32_768;

/** Slots the machine's window exceeds `stackSlots` by, for import trampolines and i64 snippets (reference: 13). */
export const STACK_HEADROOM = 13;

/** Value-stack cells that can be addressed before the first reservation (reference: N_DEFAULT_STACK_SIZE). */
export const INITIAL_STACK_CAPACITY = 32;

/**
 * Most runs that may wait, each in a host function, for a run started by it. Every one takes a
 * little more than 1 KB of the host's stack, of which V8 has a little less than 1 MB.
 */
export const MAX_NESTED_RUNS = 500;

/**
 * Backward branches, calls and tail calls that a run under a fuel limit may make without a charge
 * between them. Metered code charges in every iteration and every function, so it never gets there;
 * a `.rwasm` whose charges were left out or taken out would otherwise run forever under any limit.
 */
export const MOST_UNCHARGED_JUMPS = 250_000;

/**
 * The same, by instruction of the code, where that is more: straight-line code is charged once, and
 * each of its 64-bit operators may call a function without charges. A division as the reference
 * compiles it makes 66 such jumps (measured), so metered code of any length stays below.
 */
export const UNCHARGED_JUMPS_PER_INSTRUCTION = 128;

/** Most slots one `BulkConst` pushes, whatever its immediate says (reference: 8192). */
export const BULK_CONST_MAX = 8192;

/** Highest segment number `DataDrop` and `ElemDrop` accept (reference: 100000). */
export const MAX_SEGMENT_INDEX = 100_000;

/** The hard bounds of each limit: what lies outside cannot be represented by the machine. */
const BOUNDS: { readonly [Name in keyof Limits]: readonly [low: number, high: number] } = {
  memoryPages: [0, MAX_MEMORY_PAGES],
  tables: [0, 65_535], // a table index is a u16 on the wire
  tableElements: [0, 2 ** 24],
  stackSlots: [0, 2 ** 26],
  callDepth: [0, 2 ** 26],
  codeLength: [0, 2 ** 28],
  functionTypes: [0, 2 ** 24],
  segments: [0, MAX_SEGMENT_INDEX],
};

/**
 * Completes partial limits with defaults and checks their ranges.
 *
 * @throws {UsageError} `InvalidLimit` when a limit is unknown, not an integer, or out of range.
 */
export function resolveLimits(limits: Partial<Limits> = {}): Limits {
  if (typeof limits !== "object" || limits === null) {
    throw new UsageError(
      "InvalidLimit",
      `Cannot use limits: they are ${limits === null ? "null" : `a ${typeof limits}`}, not an object`,
    );
  }
  const resolved: Record<string, number> = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(limits)) {
    const value: unknown = limits[name as keyof Limits];
    if (value === undefined) continue;
    if (!Object.hasOwn(BOUNDS, name)) {
      throw new UsageError("InvalidLimit", `Cannot use limits: "${name}" is not a limit`, {
        hint: `the limits are ${Object.keys(BOUNDS).join(", ")}`,
      });
    }
    const [low, high] = BOUNDS[name as keyof Limits];
    if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) {
      throw new UsageError(
        "InvalidLimit",
        `Cannot use limits: "${name}" must be an integer from ${low} to ${high}, not ${String(value)}`,
      );
    }
    resolved[name] = value;
  }
  return Object.freeze(resolved) as unknown as Limits;
}
