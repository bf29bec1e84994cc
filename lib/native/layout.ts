/**
 * What compiled functions, their host side and the emitted modules agree on: how a frame says where it
 * is, why a site stops, and the numbers of everything imported. Only numbers.
 *
 * Every compiled function takes, behind its own parameters, its place and the fuel, both i32. The low
 * bits of the place count return addresses, the others slots at the entry of the frame, both from where
 * compiled code was entered; each is biased so that its highest bit is set when its limit is passed: one
 * test serves both.
 *
 * @module
 */

/** Bits of a place that count return addresses. */
export const DEPTH_BITS = 10;

/** The bits of a place that are set when a limit is passed. */
export const PASSED: number = 1 << 31 | 1 << (DEPTH_BITS - 1);

/** Most slots above where it was entered that compiled code reaches. */
export const MOST_SLOTS: number = 2 ** 20;

/** Least height that cannot be counted, with what is needed above it. */
export const HEIGHT_END: number = 2 ** (31 - DEPTH_BITS);

/** Slots that functions need together which do not look at the limit because their callers have. */
export const MARGIN_SLOTS = 512;

/** Return addresses of the same functions, with the two of a hidden function. */
export const MARGIN_DEPTH = 10;

/** What a site means, in the low bits of its code; the rest is a pc. */
export const Reason = {
  /** A call: the pc is its return address. */
  Call: 0,
  /** The interpreter goes on at the pc. */
  Leave: 1,
  /** The charge of the code at the pc has made the fuel negative. */
  Fuel: 2,
  /** Enough jumps without fuel; the last one has made the count negative. */
  Tick: 3,
  /** The charge at the pc does not fit, and nothing has been charged. */
  Huge: 4,
} as const;

/** Bits of a site's code that hold its reason. */
export const REASON_BITS = 3;

/** Memories. */
export const GUEST = 0, STATE = 1;

/** Tables that compiled code finds; the state memory begins with two words for each: address and length. */
export const TABLES = 32;

/** Byte address of the globals in the state memory. */
export const GLOBALS: number = 8 * TABLES;

/** Imported functions. */
export const Import = { unwind: 0, step: 1, link: 2, find: 3 } as const;

/** How many functions are imported. */
export const IMPORTS = 4;

/** Globals: imported ones, and one that every module has for itself, which V8 writes to faster. */
export const Global = {
  /** Bytes of the host's stack that large frames take. */
  host: 0,
  /** Address of the value stack's first cell, less the bias of heights. */
  base: 1,
  /** The module's own: fuel at its last instruction that may trap. */
  fuel: 2,
} as const;

/** Bytes of the host's stack for compiled frames, of about a megabyte in all. */
export const HOST_BYTES = 480_000;

/** Estimated bytes of a frame above which it is counted one by one. */
export const SMALL_FRAME = 1024;

/** Frames that may be on the host's stack, when none is large. */
export const MOST_FRAMES: number = HOST_BYTES / SMALL_FRAME | 0;
