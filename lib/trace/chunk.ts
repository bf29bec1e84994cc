/**
 * A piece of a trace: columns of typed arrays, one row per instruction and one per event. Recording
 * fills it, formats and views read it. It decides nothing about what is recorded.
 *
 * @module
 */

import type { EventKind } from "./event.ts";

/** Most instructions of a piece. Part of the hash of a run: never to be changed. */
export const CHUNK_ROWS = 65_536;

/** Most events of a piece. Part of the hash of a run: never to be changed. */
export const CHUNK_EVENTS = 65_536;

/** Most words of all events of a piece. Part of the hash of a run: never to be changed. */
export const CHUNK_WORDS = 262_144;

/** Most words of one event. */
export const EVENT_WORDS = 65_536;

/** Rows and words that are allocated first; a tuning number without effect on what is recorded. */
const FIRST_ROWS = 1024;

/** A column of 32-bit numbers. */
export type Column = Int32Array<ArrayBuffer>;

const grown = (column: Column, length: number): Column => {
  const longer = new Int32Array(length);
  longer.set(column);
  return longer;
};

/**
 * Columns of consecutive instructions and the events among them. Only the first `rows`, `events` and
 * `used` entries mean anything; the arrays may be longer.
 */
export class TraceChunk {
  /** Recorded instructions before this piece. */
  first = 0;
  /** Instructions in it. */
  rows = 0;
  /** pc of each instruction. */
  pc: Column = new Int32Array(FIRST_ROWS);
  /** Top cell of the stack before it; 0 when the stack is empty. */
  top: Column = new Int32Array(FIRST_ROWS);
  /** Cell below the top before it; 0 when there is none. */
  below: Column = new Int32Array(FIRST_ROWS);
  /** Height of the stack before it. */
  height: Column = new Int32Array(FIRST_ROWS);
  /** Return addresses on the call stack before it. */
  depth: Column = new Int32Array(FIRST_ROWS);
  /** Low 32 bits of the fuel consumed before it. */
  fuel: Column = new Int32Array(FIRST_ROWS);

  /** Recorded events before this piece. */
  firstEvent = 0;
  /** Events in it. */
  events = 0;
  /** Kind of each event, an {@link EventKind}. */
  kind: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_ROWS);
  /** How many instructions of this piece were recorded before the event. */
  at: Column = new Int32Array(FIRST_ROWS);
  /** Its address (u32). */
  address: Column = new Int32Array(FIRST_ROWS);
  /** Its size (u32). */
  size: Column = new Int32Array(FIRST_ROWS);
  /** Where its words begin. */
  start: Column = new Int32Array(FIRST_ROWS);
  /** Words of all events. */
  words: Column = new Int32Array(FIRST_ROWS);
  /** Words in use. */
  used = 0;

  /** Number of the run's instruction each row is, in traces that leave some out. */
  step: Float64Array<ArrayBuffer> | undefined;
  /** Instructions of the run before each event, in traces that leave some out. */
  clock: Float64Array<ArrayBuffer> | undefined;

  /** An empty piece; `partial` for a trace that leaves instructions out. */
  constructor(partial = false) {
    if (!partial) return;
    this.step = new Float64Array(CHUNK_ROWS);
    this.clock = new Float64Array(CHUNK_EVENTS);
  }

  /** Makes room for one more row; false when the piece is full. */
  growRows(): boolean {
    const length = Math.min(CHUNK_ROWS, 2 * this.pc.length);
    if (length === this.pc.length) return false;
    this.pc = grown(this.pc, length);
    this.top = grown(this.top, length);
    this.below = grown(this.below, length);
    this.height = grown(this.height, length);
    this.depth = grown(this.depth, length);
    this.fuel = grown(this.fuel, length);
    return true;
  }

  /** Makes room for one more event of so many words; false when the piece is full. */
  #growEvents(words: number): boolean {
    if (this.events === CHUNK_EVENTS || this.used + words > CHUNK_WORDS) return false;
    if (this.events === this.kind.length) {
      const length = 2 * this.kind.length, kinds = new Uint8Array(length);
      kinds.set(this.kind);
      this.kind = kinds;
      this.at = grown(this.at, length);
      this.address = grown(this.address, length);
      this.size = grown(this.size, length);
      this.start = grown(this.start, length);
    }
    if (this.used + words > this.words.length) {
      this.words = grown(
        this.words,
        Math.min(CHUNK_WORDS, Math.max(this.used + words, 2 * this.words.length)),
      );
    }
    return true;
  }

  /** Appends an event and leaves room for its words; where they begin, or -1 when the piece is full. */
  add(kind: EventKind, address: number, size: number, words: number): number {
    const { events, used } = this;
    if (
      (events === this.kind.length || used + words > this.words.length || events === CHUNK_EVENTS) &&
      !this.#growEvents(words)
    ) return -1;
    this.kind[events] = kind;
    this.at[events] = this.rows;
    this.address[events] = address;
    this.size[events] = size;
    this.start[events] = used;
    this.events = events + 1;
    this.used = used + words;
    return used;
  }

  /** Where the words of an event end. */
  end(event: number): number {
    return event + 1 < this.events ? this.start[event + 1]! : this.used;
  }

  /** Words of an event, live. */
  wordsOf(event: number): Int32Array {
    return this.words.subarray(this.start[event]!, this.end(event));
  }

  /** Forgets what was recorded, to be filled again from a later position on. */
  restart(first: number, firstEvent: number): void {
    this.first = first;
    this.firstEvent = firstEvent;
    this.rows = this.events = this.used = 0;
  }

  /** A copy without the first rows, and without the events before the rows that remain. */
  from(row: number): TraceChunk {
    const copy = this.compact(),
      at = copy.at.findIndex((rows) => rows > row),
      skipped = at < 0 ? this.events : at;
    copy.first += row;
    copy.rows -= row;
    for (const name of ["pc", "top", "below", "height", "depth", "fuel"] as const) {
      copy[name] = copy[name].slice(row);
    }
    copy.step = copy.step?.slice(row);
    copy.firstEvent += skipped;
    copy.events -= skipped;
    copy.kind = copy.kind.slice(skipped);
    copy.at = copy.at.slice(skipped).map((rows) => rows - row);
    const words = skipped < this.events ? copy.start[skipped]! : copy.used;
    for (const name of ["address", "size", "start"] as const) copy[name] = copy[name].slice(skipped);
    copy.start = copy.start.map((start) => start - words);
    copy.words = copy.words.slice(words);
    copy.used -= words;
    copy.clock = copy.clock?.slice(skipped);
    return copy;
  }

  /** A copy that takes no more room than it needs. */
  compact(): TraceChunk {
    const { rows, events } = this, copy = new TraceChunk();
    copy.first = this.first;
    copy.firstEvent = this.firstEvent;
    copy.rows = rows;
    copy.events = events;
    copy.used = this.used;
    copy.pc = this.pc.slice(0, rows);
    copy.top = this.top.slice(0, rows);
    copy.below = this.below.slice(0, rows);
    copy.height = this.height.slice(0, rows);
    copy.depth = this.depth.slice(0, rows);
    copy.fuel = this.fuel.slice(0, rows);
    copy.kind = this.kind.slice(0, events);
    copy.at = this.at.slice(0, events);
    copy.address = this.address.slice(0, events);
    copy.size = this.size.slice(0, events);
    copy.start = this.start.slice(0, events);
    copy.words = this.words.slice(0, this.used);
    copy.step = this.step?.slice(0, rows);
    copy.clock = this.clock?.slice(0, events);
    return copy;
  }
}
