/**
 * What compiled functions, their host side and the emitted modules agree on: how a frame says where it
 * is, why a site stops, and the numbers of everything imported. Only numbers.
 *
 * Every compiled function takes, behind its own parameters, an i64 "place" and an i32 of fuel. The high
 * word of the place counts return addresses, the low one slots at the entry of the frame; each is
 * biased so that bit 31 is set when its limit is passed: one test serves both.
 *
 * @module
 */

/** Slots a function that calls nothing may need without looking at the limit: its callers do. */
export const LEAF_SLOTS = 256;

/** Return addresses that a function keeps free: two for hidden functions, one for a function that calls nothing. */
export const DEPTH_MARGIN = 3;

/** What a site means, in the low bits of its code; the rest is a pc. */
export const Reason = {
  /** A call: the pc is its return address. */
  Call: 0,
  /** The interpreter goes on at the pc. */
  Leave: 1,
  /** The charge at the pc does not fit. */
  Fuel: 2,
  /** Enough jumps without fuel. */
  Tick: 3,
} as const;

/** Bits of a site's code that hold its reason. */
export const REASON_BITS = 2;

/** Memories. */
export const GUEST = 0, STATE = 1;

/** Tables that compiled code finds; the state memory begins with two words for each: address and length. */
export const TABLES = 32;

/** Byte address in the state memory of the words that say, by pc, what an indirect call goes to. */
export const TARGETS: number = 8 * TABLES;

/** Imported functions. */
export const Import = { unwind: 0, step: 1, link: 2 } as const;

/** How many functions are imported. */
export const IMPORTS = 3;

/** Imported globals. */
export const Global = {
  /** Fuel at the last instruction that may trap. */
  fuel: 0,
  /** Bytes of the host's stack that large frames take. */
  host: 1,
  /** Address of the value stack's first cell, less the bias of the height. */
  base: 2,
} as const;

/** Bytes of the host's stack for compiled frames, of about a megabyte in all. */
export const HOST_BYTES = 400_000;

/** Estimated bytes of a frame above which it is counted one by one. */
export const SMALL_FRAME = 256;

/** Frames that may be on the host's stack, when none is large. */
export const MOST_FRAMES: number = HOST_BYTES / SMALL_FRAME | 0;
