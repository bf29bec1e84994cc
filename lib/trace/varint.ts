/**
 * Numbers as few bytes: 32-bit integers of varying length, appended to a buffer that grows and read back
 * with every bound checked.
 *
 * @module
 */

import { DecodeError } from "../error.ts";

/** Appends numbers. */
export class VarintWriter {
  #bytes = new Uint8Array(1 << 12);
  #length = 0;

  /** A 32-bit number, taken as unsigned: 7 bits per byte, lowest first. */
  put(value: number): void {
    if (this.#length + 5 > this.#bytes.length) this.#grow(5);
    const bytes = this.#bytes;
    let at = this.#length, rest = value >>> 0;
    while (rest > 127) {
      bytes[at++] = rest & 127 | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** A 32-bit number near 0 of either sign. */
  putSigned(value: number): void {
    this.put((value << 1) ^ (value >> 31));
  }

  /** An integer from 0 to 2^53 − 1. */
  putLarge(value: number): void {
    this.put(value % 2 ** 32);
    this.put(Math.floor(value / 2 ** 32));
  }

  /** Bytes as they are. */
  putBytes(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #grow(count: number): void {
    const bytes = new Uint8Array(Math.max(this.#length + count, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }

  /** Everything appended so far; valid until more is. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Bytes appended so far. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was appended. */
  clear(): void {
    this.#length = 0;
  }
}

/** Reads numbers back. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  /** Next byte. */
  at: number;
  readonly #end: number;

  /** Reads bytes from `at` to before `end`. */
  constructor(bytes: Uint8Array, at: number = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  /** Whether everything was read. */
  get done(): boolean {
    return this.at >= this.#end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.at;
  }

  /** An unsigned 32-bit number. */
  get(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.#end) throw badTrace("it ends early", this.at);
      const byte = this.#bytes[this.at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw badTrace("a number is too long", this.at);
  }

  /** A 32-bit number of either sign. */
  getSigned(): number {
    const value = this.get();
    return (value >>> 1) ^ -(value & 1);
  }

  /** An integer from 0 to 2^53 − 1. */
  getLarge(): number {
    const low = this.get(), high = this.get();
    if (high >= 2 ** 21) throw badTrace("a number is too large", this.at);
    return high * 2 ** 32 + low;
  }

  /** An unsigned number of at most `most`. */
  getAtMost(most: number, what: string): number {
    const at = this.at, value = this.get();
    if (value > most) throw badTrace(`${what} is ${value}, more than ${most}`, at);
    return value;
  }

  /** So many bytes, a view. */
  getBytes(count: number): Uint8Array {
    if (count > this.left) throw badTrace("it ends early", this.at);
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  /** A reader of the next so many bytes, which this one skips. */
  part(count: number): VarintReader {
    if (count > this.left) throw badTrace("it ends early", this.at);
    this.at += count;
    return new VarintReader(this.#bytes, this.at - count, this.at);
  }
}

/** The error for bytes or text that are no trace, or no other file of this room. */
export function badTrace(why: string, offset?: number, cause?: unknown, what = "trace"): DecodeError {
  return new DecodeError("BadTrace", `Cannot read the ${what}: ${why}`, { offset, cause });
}
