/**
 * Standard streams: where input comes from and where output goes. No stream touches the host by
 * itself; the host hands in bytes and functions.
 *
 * @module
 */

/** Where input comes from: all of it, or a function that gives at most `length` bytes; none means the end. */
export type InputSource = string | Uint8Array | ((length: number) => Uint8Array | null | undefined);

/** Where output goes: called with bytes that are the receiver's to keep, at most 1 MiB at a time. */
export type OutputSink = (bytes: Uint8Array) => void;

/** Most bytes asked from a source or given to a sink at once. */
const CHUNK = 1024 * 1024;

/** The input of a guest. */
export class Input {
  /** Bytes that have come and not been read. */
  #pending: Uint8Array;
  readonly #pull: ((length: number) => Uint8Array | null | undefined) | undefined;
  #ended: boolean;

  /** Reads from a source. */
  constructor(source: InputSource) {
    this.#pull = typeof source === "function" ? source : undefined;
    this.#ended = this.#pull === undefined;
    if (typeof source === "string") this.#pending = new TextEncoder().encode(source);
    else this.#pending = source instanceof Uint8Array ? source.slice() : new Uint8Array(0);
  }

  /** Bytes that can be read without asking the source. */
  get available(): number {
    return this.#pending.length;
  }

  /** Whether nothing will come any more; false as long as the source has not said so. */
  get ended(): boolean {
    return this.#ended && this.#pending.length === 0;
  }

  /** Fills buffers; stops at the end of what there is, and asks a source once at most. How many bytes. */
  read(buffers: readonly Uint8Array[]): number {
    let wanted = 0;
    for (const { length } of buffers) wanted += length;
    if (wanted === 0) return 0;
    if (this.#pending.length === 0 && !this.#ended) {
      const bytes = this.#pull!(Math.min(wanted, CHUNK));
      if (bytes === null || bytes === undefined || bytes.length === 0) this.#ended = true;
      else this.#pending = bytes;
    }
    let done = 0;
    for (const buffer of buffers) {
      const count = Math.min(buffer.length, this.#pending.length);
      if (count === 0) break;
      buffer.set(this.#pending.subarray(0, count));
      this.#pending = this.#pending.subarray(count);
      done += count;
    }
    return done;
  }

  /** Bytes that have come and not been read; what a source has not given yet stays with it. */
  save(): Uint8Array {
    return this.#pending;
  }

  /**
   * Goes on with bytes that had come.
   *
   * @param ended whether nothing comes behind them; otherwise the source is asked, or its text follows
   */
  restore(pending: Uint8Array, ended: boolean): void {
    if (ended) {
      this.#pending = pending;
      this.#ended = true;
    } else {
      const rest = this.#pending, joined = new Uint8Array(pending.length + rest.length);
      joined.set(pending);
      joined.set(rest, pending.length);
      this.#pending = joined;
    }
  }

  /** Whether the source has said that nothing more comes. */
  get drained(): boolean {
    return this.#ended;
  }
}

/** An output of a guest: given to a sink, or else kept up to a bound. */
export class Output {
  readonly #sink: OutputSink | undefined;
  readonly #limit: number;
  #kept = new Uint8Array(0);
  #length = 0;
  #total = 0;

  /** Gives what is written to a sink, or keeps the first `limit` bytes. */
  constructor(sink: OutputSink | undefined, limit: number) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** Takes bytes; they are copied. */
  write(bytes: Uint8Array): void {
    this.#total += bytes.length;
    if (this.#sink === undefined) return this.#keep(bytes);
    for (let at = 0; at < bytes.length; at += CHUNK) this.#sink(bytes.slice(at, at + CHUNK));
  }

  /** Goes on after `total` bytes, of which the first were kept; a sink is not given them again. */
  restore(total: number, kept: Uint8Array): void {
    this.#total = total;
    this.#length = 0;
    if (this.#sink === undefined) this.#keep(kept);
  }

  /** Bytes written so far, kept or not. */
  get total(): number {
    return this.#total;
  }

  /** Whether some of what was written is not in {@link Output.bytes}. */
  get truncated(): boolean {
    return this.#sink === undefined && this.#total > this.#length;
  }

  /** What was kept; nothing when there is a sink. */
  bytes(): Uint8Array {
    return this.#kept.slice(0, this.#length);
  }

  /** What was kept, as text; what is not UTF-8 is replaced. */
  text(): string {
    return new TextDecoder().decode(this.#kept.subarray(0, this.#length));
  }

  #keep(bytes: Uint8Array): void {
    const end = Math.min(this.#length + bytes.length, this.#limit);
    if (end > this.#kept.length) {
      const kept = new Uint8Array(Math.min(this.#limit, Math.max(end, 2 * this.#kept.length, 1024)));
      kept.set(this.#kept.subarray(0, this.#length));
      this.#kept = kept;
    }
    this.#kept.set(bytes.subarray(0, end - this.#length), this.#length);
    this.#length = end;
  }
}
