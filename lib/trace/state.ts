/**
 * Memory, globals, tables and drop bits as a trace tells them: events go in, the state they lead to
 * comes out. The recorder keeps one beside the machine to notice what the host changed, and the replay
 * of a trace ends in one. It knows no instructions and no stack.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { UsageError } from "../error.ts";
import { MAX_MEMORY_PAGES, PAGE_BYTES } from "../limits.ts";
import { EventKind } from "./event.ts";

/** Global words that are kept in an array; those from here on are in a map. */
const DENSE_GLOBALS = 65_536;

/** Most bytes of one {@link EventKind.Bytes} event. */
export const MOST_BYTES = 4096;

/** Most elements of a table that a trace may tell of; what has more is no trace. */
const MOST_ELEMENTS = 2 ** 26;

/** Equal bytes between two differences that are not worth another event. */
const GAP = 16;

/** Bytes that are compared at once while a difference is searched. */
const BLOCK = 4096;

/** Words by number, 0 where none was set; small numbers are dense. */
export class Words {
  /** Words by number, as far as they were set. */
  dense: Int32Array = new Int32Array(16);
  /** The others. */
  readonly sparse: Map<number, number> = new Map();

  /** A word (u32). */
  get(word: number): number {
    return word < this.dense.length ? this.dense[word]! : this.sparse.get(word) ?? 0;
  }

  /** Sets a word (u32). */
  set(word: number, value: number): void {
    if (word >= this.dense.length && word < DENSE_GLOBALS) {
      const dense = new Int32Array(Math.min(DENSE_GLOBALS, Math.max(word + 1, 2 * this.dense.length)));
      dense.set(this.dense);
      this.dense = dense;
    }
    if (word < this.dense.length) this.dense[word] = value;
    else this.sparse.set(word, value);
  }
}

/** What a trace says about an instance. */
export class TraceState {
  /** The memory. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The same, for values of several bytes. */
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  /** Global words. */
  globals: Words = new Words();
  /** Elements of each table, by index. */
  readonly tables: Map<number, Int32Array> = new Map();
  /** Data segments that were dropped. */
  readonly droppedData: Set<number> = new Set();
  /** Element segments that were dropped. */
  readonly droppedElements: Set<number> = new Set();

  /** Starts again with nothing. */
  clear(): void {
    this.bytes = new Uint8Array(0);
    this.view = new DataView(this.bytes.buffer);
    this.globals = new Words();
    this.tables.clear();
    this.restoreSegments();
  }

  /** No segment is dropped any more. */
  restoreSegments(): void {
    this.droppedData.clear();
    this.droppedElements.clear();
  }

  /**
   * Makes the memory longer by so many pages.
   *
   * @throws {UsageError} `OutOfHostMemory`
   */
  grow(pages: number): void {
    const bytes = allocated(this.bytes.length + pages * PAGE_BYTES);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Makes a table longer. */
  growTable(table: number, count: number, value: number): void {
    const old = this.tables.get(table) ?? new Int32Array(0);
    const elements = new Int32Array(old.length + count);
    elements.set(old);
    elements.fill(value, old.length);
    this.tables.set(table, elements);
  }

  /** Elements of a table; none when it never grew. */
  table(index: number): Int32Array {
    return this.tables.get(index) ?? new Int32Array(0);
  }

  /**
   * Applies an event; false when it cannot be true of this state: what it says was there was not.
   * Kinds that change nothing here are true.
   */
  apply(kind: EventKind, address: number, size: number, words: Int32Array): boolean {
    switch (kind) {
      case EventKind.Instance:
        this.clear();
        return true;
      case EventKind.Read:
        return inside(this.bytes, address, size) && same(this.bytes, address, size, words, 0);
      case EventKind.Write:
      case EventKind.Bytes:
      case EventKind.HostBytes: {
        const half = words.length >> 1;
        if (!inside(this.bytes, address, size) || !same(this.bytes, address, size, words, 0)) return false;
        this.bytes.set(bytesOf(words, half, size), address);
        return true;
      }
      case EventKind.Global:
      case EventKind.HostGlobal: {
        const true_ = this.globals.get(address) === words[0];
        this.globals.set(address, words[1]!);
        return true_;
      }
      case EventKind.Table:
      case EventKind.HostTable: {
        const elements = this.table(words[0]!);
        if (address + size > elements.length || words.length !== 1 + 2 * size) return false;
        for (let i = 0; i < size; i++) {
          if (elements[address + i] !== words[1 + i]) return false;
          elements[address + i] = words[1 + size + i]!;
        }
        return true;
      }
      case EventKind.TableGrow:
      case EventKind.HostTableGrow:
        if (this.table(address).length + size > MOST_ELEMENTS) return false;
        this.growTable(address, size, words[0] ?? 0);
        return true;
      case EventKind.MemoryGrow:
      case EventKind.HostMemoryGrow:
        if (this.bytes.length !== address * PAGE_BYTES || address + size > MAX_MEMORY_PAGES) return false;
        this.grow(size);
        return true;
      case EventKind.DropData:
        this.droppedData.add(address);
        return true;
      case EventKind.DropElements:
        this.droppedElements.add(address);
        return true;
      case EventKind.HostSegments:
        this.restoreSegments();
        return true;
      default:
        return true;
    }
  }
}

function allocated(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new UsageError(
      "OutOfHostMemory",
      `Cannot trace: the host cannot allocate another ${length} bytes`,
      {
        cause,
        hint: "a trace keeps a copy of the guest's memory; give the run a smaller limits.memoryPages",
      },
    );
  }
}

function inside(bytes: Uint8Array, at: number, count: number): boolean {
  return at + count <= bytes.length;
}

/** Whether bytes are those packed into words from `start` on. */
function same(bytes: Uint8Array, at: number, count: number, words: Int32Array, start: number): boolean {
  for (let i = 0; i < count; i++) {
    if (bytes[at + i] !== (words[start + (i >> 2)]! >>> ((i & 3) << 3) & 0xff)) return false;
  }
  return true;
}

/** The first `count` bytes packed into words from `start` on; a view of them. */
export function bytesOf(words: Int32Array, start: number, count: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * start, count);
}

/** Packs bytes into words from `at` on. */
export function packBytes(words: Int32Array, at: number, bytes: Uint8Array): void {
  new Uint8Array(words.buffer, words.byteOffset + 4 * at, bytes.length).set(bytes);
}

/**
 * Finds where two memories of the same length differ between two addresses, and tells each range, at
 * most {@link MOST_BYTES} long. Differences close to each other are one range.
 */
export function differences(
  a: Uint8Array,
  b: Uint8Array,
  from: number,
  to: number,
  found: (from: number, to: number) => void,
): void {
  const left = Buffer.from(a.buffer, a.byteOffset, a.length);
  const right = Buffer.from(b.buffer, b.byteOffset, b.length);
  // One native comparison of everything is what most calls need.
  if (left.compare(right, from, to, from, to) === 0) return;
  let begin = -1, end = -1;
  for (let at = from; at < to;) {
    const stop = Math.min(to, (at - at % BLOCK) + BLOCK);
    if (left.compare(right, at, stop, at, stop) === 0) {
      at = stop;
      continue;
    }
    for (; at < stop; at++) {
      if (a[at] === b[at]) continue;
      if (begin < 0 || at - end > GAP || at - begin >= MOST_BYTES) {
        if (begin >= 0) found(begin, end);
        begin = at;
      }
      end = at + 1;
    }
  }
  if (begin >= 0) found(begin, end);
}
