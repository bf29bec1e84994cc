/**
 * Where recorded instructions and events go: pieces are filled one after the other, hashed when they
 * are full, and kept, dropped again (a ring) or handed on (a sink). It does not know what machines do.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { UsageError } from "../error.ts";
import { TraceChunk } from "./chunk.ts";
import type { EventKind } from "./event.ts";

/** Gets each piece of a trace when it is full, and the last one; it is filled anew afterwards. */
export type TraceSink = (chunk: TraceChunk) => void;

/** The hash of a run up to an instruction. */
export interface Checkpoint {
  /** Instructions recorded up to here. */
  readonly instructions: number;
  /** SHA-256 of everything recorded up to here, in hexadecimal. */
  readonly hash: string;
}

/** How a log keeps what it gets. */
export interface LogOptions {
  /** Whether instructions are left out. */
  readonly partial: boolean;
  /** Most instructions to keep, from the end; undefined to keep all. */
  readonly last: number | undefined;
  /** Who gets the pieces; undefined to keep them. */
  readonly sink: TraceSink | undefined;
  /** Whether to hash. */
  readonly hash: boolean;
  /** Kinds of events that are not recorded. */
  readonly omit: ReadonlySet<EventKind>;
}

/** A trace while it is recorded. */
export class TraceLog {
  /** The piece that is filled. */
  chunk: TraceChunk;
  /** Pieces that are full and kept. */
  readonly kept: TraceChunk[] = [];
  /** The hash after each full piece. */
  readonly checkpoints: Checkpoint[] = [];
  /** Instructions that were run, recorded or not, since the start. */
  ran = 0;
  /** The words of the event that was appended last. */
  words: Int32Array;
  readonly #options: LogOptions;
  readonly #omits: boolean;
  readonly #hash: Hash | undefined;
  /** The piece that is not in use while nothing is recorded. */
  #recording: TraceChunk;
  /** Takes what is not recorded. */
  readonly #scratch: TraceChunk = new TraceChunk();
  #sealedRows = 0;

  /** An empty log. */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#omits = options.omit.size > 0;
    this.#hash = options.hash ? createHash("sha256") : undefined;
    this.chunk = this.#recording = new TraceChunk(options.partial);
    this.words = this.chunk.words;
  }

  /** Chooses whether what comes next is recorded. */
  record(wanted: boolean): void {
    const next = wanted ? this.#recording : this.#scratch;
    if (!wanted) next.restart(0, 0);
    this.chunk = next;
  }

  /** Whether a piece can still be changed. */
  isOpen(chunk: TraceChunk): boolean {
    return chunk === this.#recording || chunk === this.#scratch;
  }

  /** Instructions recorded. */
  get instructions(): number {
    return this.#recording.first + this.#recording.rows;
  }

  /** The piece with room for one more row. */
  room(): TraceChunk {
    if (this.chunk.growRows()) return this.chunk;
    this.#seal();
    return this.chunk;
  }

  /** Appends an event; where its words begin in `words`, which the caller fills before the next event. */
  event(kind: EventKind, address: number, size: number, words: number): number {
    let chunk = this.chunk;
    if (this.#omits && this.#options.omit.has(kind)) {
      chunk = this.#scratch;
      chunk.restart(0, 0);
    }
    let start = chunk.add(kind, address, size, words);
    if (start < 0) {
      this.#seal();
      chunk = this.chunk;
      start = chunk.add(kind, address, size, words);
    }
    this.words = chunk.words;
    if (chunk.clock !== undefined) chunk.clock[chunk.events - 1] = this.ran;
    return start;
  }

  #seal(): void {
    const chunk = this.chunk;
    if (chunk === this.#scratch) return chunk.restart(0, 0);
    const first = chunk.first + chunk.rows, firstEvent = chunk.firstEvent + chunk.events;
    if (this.#hash !== undefined) {
      feed(this.#hash, chunk);
      this.checkpoints.push({ instructions: first, hash: this.#hash.copy().digest("hex") });
    }
    const { sink, last, partial } = this.#options;
    if (sink !== undefined) {
      sink(chunk);
    } else {
      this.kept.push(chunk);
      this.#sealedRows += chunk.rows;
    }
    let next: TraceChunk | undefined = sink === undefined ? undefined : chunk;
    while (last !== undefined && this.kept.length > 0 && this.#sealedRows - this.kept[0]!.rows >= last) {
      next = this.kept.shift()!;
      this.#sealedRows -= next.rows;
    }
    next ??= new TraceChunk(partial);
    next.restart(first, firstEvent);
    this.chunk = this.#recording = next;
  }

  /** Pieces with everything recorded so far; the last one is live. */
  chunks(): TraceChunk[] {
    return [...this.kept, this.#recording];
  }

  /** Hands what is not full yet to the sink. */
  flush(): void {
    const { sink } = this.#options, chunk = this.#recording;
    if (sink !== undefined && chunk.rows + chunk.events > 0) sink(chunk);
  }

  /**
   * SHA-256 of everything recorded so far, in hexadecimal.
   *
   * @throws {UsageError} `NoHash` when the log was made without.
   */
  digest(): string {
    if (this.#hash === undefined) {
      throw new UsageError("NoHash", "Cannot tell the hash: the tracer was made without one");
    }
    const hash = this.#hash.copy();
    feed(hash, this.#recording);
    return hash.digest("hex");
  }
}

const bytes = (column: Int32Array, count: number): Uint8Array =>
  new Uint8Array(column.buffer, column.byteOffset, 4 * count);

/** Height, depth and fuel follow from these columns and the module. Typed arrays are little endian wherever V8 is. */
function feed(hash: Hash, chunk: TraceChunk): void {
  const { rows, events } = chunk;
  hash.update(bytes(Int32Array.of(rows, events, chunk.used), 3));
  hash.update(bytes(chunk.pc, rows));
  hash.update(bytes(chunk.top, rows));
  hash.update(bytes(chunk.below, rows));
  hash.update(chunk.kind.subarray(0, events));
  hash.update(bytes(chunk.at, events));
  hash.update(bytes(chunk.address, events));
  hash.update(bytes(chunk.size, events));
  hash.update(bytes(chunk.words, chunk.used));
}
