/**
 * Where things are in the state memory that the plain loop and the fast loop share, and how the fast
 * loop says why it stopped. Only numbers; `state.ts` makes the memory, `loop.ts` compiles them in.
 *
 * ```
 * 0            HEADER            exit reason, registers, table descriptors
 * IPS          4 · (length + 1)  by rWasm pc: byte address of its Program instruction, 0 = none yet
 * Program      grows             lowered instructions, absolute addresses; what follows moves when it grows
 * globals      4 · words         the machine's globals
 * tables       grows             one range per table
 * calls        grows             return pcs, as the plain loop keeps them
 * stack        to the end        value stack; addressed from fp, the height at the function's entry
 * ```
 *
 * A nested run has its calls and stack behind the stack of the run that waits for it.
 *
 * @module
 */

/** Byte offsets in the header. */
export const Header = {
  /** Address of the instruction that stopped. */
  ip: 0,
  /** Address of the value-stack cell at the height of the function's entry. */
  fp: 4,
  /** Rest of the fuel slice. */
  fuel: 8,
  /** Address behind the last return pc. */
  cp: 12,
  /** Trap number, or the pc of a function that is not lowered. */
  detail: 16,
  /** 1 when an indirect call waits for the signature check of its target. */
  pending: 20,
  /** The signature it expects. */
  signature: 24,
  /** Address behind the last return pc that leaves the margin for hidden functions. */
  callLimit: 28,
  /** Address of the cell a function may reserve up to without the plain loop. */
  stackLimit: 32,
  /** First return pc. */
  callBase: 36,
  /** Address of the ips. */
  ips: 40,
  /** Address of the globals. */
  globals: 44,
  /** Instructions of the module: what a pc must be below. */
  codeLength: 48,
  /** Bytes of the guest memory. */
  guestBytes: 52,
  /** What the accumulator of integers holds, as 64 bits. */
  accumulator: 56,
  /** Backward jumps and calls since the last charge, where they are counted. */
  uncharged: 64,
  /** How many of them there may be. */
  mostUncharged: 68,
  /** Descriptors of the tables: address, length; `TABLES` of them. */
  tables: 72,
} as const;

/** Bytes of a `Charge` instruction, which jumps that charge by themselves skip. */
export const CHARGE_BYTES = 8;

/** Bit of an ip that says that indirect calls may go there. */
export const CALLABLE = 1;

/** Tables that indirect calls find without leaving the loop. */
export const TABLES = 32;

/** Bytes of the header. */
export const HEADER_BYTES: number = Header.tables + TABLES * 8;

/** Return addresses a hidden i64 function and what it calls would store. */
export const CALL_MARGIN = 2;

/** Slots a hidden i64 function would reserve (division: 13), above those of its caller. */
export const STACK_MARGIN = 13;

/** Why the fast loop stopped. */
export const Stop = {
  /** Return with an empty call stack. */
  Done: 0,
  /** A trap; its number is in the header. */
  Trap: 1,
  /** The charge does not fit the slice; nothing is charged. */
  Fuel: 2,
  /** A syscall; its arguments are on the stack. */
  Syscall: 3,
  /** One instruction that only the plain loop knows. */
  Slow: 4,
  /** A function that is not lowered; its pc is in the header, the call has not happened. */
  Lower: 5,
  /** Too near a limit to skip what hidden functions do; the plain loop must go on. */
  Limit: 6,
  /** As many jumps and calls without a charge as there may be; the pc to go on at is in the header. */
  Uncharged: 7,
} as const;
