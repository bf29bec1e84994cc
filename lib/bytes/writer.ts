/**
 * The counterpart of the reader: appends fixed-width little-endian integers and blocks of bytes to a
 * buffer that grows. Whoever knows the size in advance gives it as capacity and nothing is copied.
 *
 * @module
 */

/** Appends to a growing buffer. Values must be in the range of their width; the caller checks. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** Makes an empty writer with room for `capacity` bytes. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#length;
  }

  /** One byte. */
  u8(value: number): void {
    const at = this.skip(1);
    this.#bytes[at] = value;
  }

  /** Two bytes, little endian. */
  u16(value: number): void {
    const at = this.skip(2);
    this.#view.setUint16(at, value, true);
  }

  /** Four bytes, little endian; signed values are written as their bits. */
  u32(value: number): void {
    const at = this.skip(4);
    this.#view.setUint32(at, value, true);
  }

  /** Eight bytes, little endian: a length, 0 … 2^53 − 1. */
  u64Length(value: number): void {
    const at = this.skip(8);
    this.#view.setUint32(at, value % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  /** A block of bytes, without its length. */
  block(bytes: Uint8Array): void {
    const at = this.skip(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Leaves room for `size` zero bytes and returns where they start; see {@link Writer.view}. */
  skip(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length = needed;
    return at;
  }

  /** The buffer being written; stale after the next write that grows it. */
  get view(): DataView {
    return this.#view;
  }

  /** What was written. A view of the buffer when it is exactly full, else a copy; ends the writer. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
