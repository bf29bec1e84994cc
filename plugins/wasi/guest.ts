/**
 * Checked access to the guest's memory: what does not lie inside fails with FAULT before anything
 * happens. Addresses and lengths are unsigned numbers. It does not survive growth of the memory: the
 * environment makes a new one when the bytes changed.
 *
 * @module
 */

import { Errno, fail } from "./errno.ts";
import { IOV_MAX, PATH_MAX } from "./preview1.ts";

/** Reads names that must be UTF-8; a byte order mark is part of the name. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Most bytes one read or write may move, as in POSIX, where the count is a signed word. */
const TRANSFER_MAX = 2 ** 31 - 1;

/** The guest's memory during a call. */
export class Guest {
  /** All bytes. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** Looks at the bytes of a memory. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Fails with FAULT when a range is not inside; an empty range may be anywhere. */
  check(at: number, length: number): void {
    if (length > 0 && at + length > this.bytes.length) fail(Errno.FAULT);
  }

  /** The live bytes of a range. */
  range(at: number, length: number): Uint8Array {
    this.check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Reads a byte. */
  u8(at: number): number {
    this.check(at, 1);
    return this.bytes[at]!;
  }

  /** Reads two bytes. */
  u16(at: number): number {
    this.check(at, 2);
    return this.#view.getUint16(at, true);
  }

  /** Reads four bytes. */
  u32(at: number): number {
    this.check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** Reads eight bytes. */
  u64(at: number): bigint {
    this.check(at, 8);
    return this.#view.getBigUint64(at, true);
  }

  /** Writes a byte. */
  setU8(at: number, value: number): void {
    this.check(at, 1);
    this.bytes[at] = value;
  }

  /** Writes two bytes. */
  setU16(at: number, value: number): void {
    this.check(at, 2);
    this.#view.setUint16(at, value, true);
  }

  /** Writes four bytes. */
  setU32(at: number, value: number): void {
    this.check(at, 4);
    this.#view.setUint32(at, value, true);
  }

  /** Writes the low eight bytes of a value. */
  setU64(at: number, value: bigint | number): void {
    this.check(at, 8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }

  /** Writes bytes. */
  set(at: number, bytes: Uint8Array): void {
    this.check(at, bytes.length);
    if (bytes.length > 0) this.bytes.set(bytes, at);
  }

  /**
   * A path. Fails with NAMETOOLONG, with NOENT when it is empty, with INVAL when it has a NUL, with
   * ILSEQ when it is not UTF-8.
   */
  path(at: number, length: number): string {
    this.check(at, length);
    if (length > PATH_MAX) fail(Errno.NAMETOOLONG);
    if (length === 0) fail(Errno.NOENT);
    const bytes = this.bytes.subarray(at, at + length);
    if (bytes.includes(0)) fail(Errno.INVAL);
    try {
      return decoder.decode(bytes);
    } catch {
      return fail(Errno.ILSEQ);
    }
  }

  /**
   * The buffers of a read or write. Fails with INVAL when there are more than 1,024 or they hold
   * 2 GiB or more together, with FAULT when the list or a buffer is not inside.
   */
  buffers(at: number, count: number): Uint8Array[] {
    if (count > IOV_MAX) fail(Errno.INVAL);
    this.check(at, count * 8);
    const buffers: Uint8Array[] = [];
    let total = 0;
    for (let entry = at; entry < at + count * 8; entry += 8) {
      const start = this.#view.getUint32(entry, true), length = this.#view.getUint32(entry + 4, true);
      total += length;
      if (total > TRANSFER_MAX) fail(Errno.INVAL);
      if (length > 0) buffers.push(this.range(start, length));
    }
    return buffers;
  }
}
