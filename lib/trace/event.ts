/**
 * What a trace records beside instructions: the kinds of events and what their fields mean. An event
 * has an address, a size and some words; it belongs after the instruction that was recorded before it.
 *
 * @module
 */

/**
 * Kinds of events. The numbers are part of the formats and never change. Up to `Bulk` they are
 * effects of the instruction recorded before; from `Instance` on they happened outside of the guest.
 * Values of more than one word have the low word first; bytes are packed into words, lowest first.
 */
export enum EventKind {
  /** A load of `size` bytes at `address`; words: the value. */
  Read = 1,
  /** A store of `size` bytes at `address`; words: old value, new value. */
  Write,
  /** Memory changed by a bulk instruction, `size` bytes from `address`; words: old bytes, new bytes. */
  Bytes,
  /** Global word `address` was set; words: old, new. */
  Global,
  /** `size` table elements from `address` were set; words: table, old elements, new elements. */
  Table,
  /** Table `address` grew by `size` elements; words: their value. */
  TableGrow,
  /** Memory grew from `address` pages by `size` pages. */
  MemoryGrow,
  /** Data segment `address` was dropped. */
  DropData,
  /** Element segment `address` was dropped. */
  DropElements,
  /** An instruction pushed `size` cells below the two on top that the next instruction shows; words: them. */
  Cells,
  /** A bulk instruction worked on `size` bytes or elements from `address`; words: its second operand. */
  Bulk,

  /** A new instance: no memory, no tables, globals 0, nothing dropped. */
  Instance = 16,
  /** A run starts at pc `address` on empty stacks; `size` runs wait for it. */
  Start,
  /** A run ended; `size` cells are on the stack. */
  Done,
  /** A run was halted. */
  Halt,
  /** A run trapped at pc `address`; `size` is the trap's number (`TrapCode`). */
  Trap,
  /** A run paused; it will go on at pc `address` with `size` cells on the stack; words: the two on top, the top last. */
  Pause,
  /** A paused run goes on at pc `address`. */
  Resume,
  /** Host function `address` is called with `size` cells of arguments; words: them. */
  Syscall,
  /** Host function `address` gave `size` cells of results; words: them. */
  Result,
  /** Cells `address` … `address + size` − 1 of the stack were set, and the stack ends there; words: them. */
  Stack,
  /** Fuel consumed was changed by the host; words: it, low and high. */
  Fuel,
  /** As `Bytes`, by the host. */
  HostBytes,
  /** As `Global`, by the host. */
  HostGlobal,
  /** As `Table`, by the host. */
  HostTable,
  /** As `TableGrow`, by the host. */
  HostTableGrow,
  /** As `MemoryGrow`, by the host. */
  HostMemoryGrow,
  /** All dropped segments are there again. */
  HostSegments,
  /** A run that goes on from a snapshot has `size` return addresses; words: those from number `address` on. */
  Calls,
}

/** First kind that is no effect of an instruction. */
export const FIRST_OUTSIDE_KIND = EventKind.Instance;

const KINDS: ReadonlySet<number> = new Set(
  Object.values(EventKind).filter((kind): kind is EventKind => typeof kind === "number"),
);

/** Whether a number is that of a kind. */
export function isEventKind(kind: number): kind is EventKind {
  return KINDS.has(kind);
}
