/**
 * Checked access to the guest's memory: what does not lie inside fails with FAULT before anything
 * happens. Addresses and lengths are unsigned numbers. It does not survive growth of the memory: the
 * environment makes a new one when the bytes changed. Until a call writes or asks for live bytes it can
 * have only copied from the memory, and may be made again from its beginning.
 *
 * @module
 */

import type { GuestMemory } from "../../mod.ts";
import { Errno, fail } from "./errno.ts";
import { IOV_MAX, PATH_MAX } from "./preview1.ts";

/** Reads names that must be UTF-8; a byte order mark is part of the name. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Most bytes one read or write may move, as in POSIX, where the count is a signed word. */
const TRANSFER_MAX = 2 ** 31 - 1;

/** The buffers of a read or write: where they are, and how many bytes in all. */
export interface Buffers {
  /** Address and length of each that is not empty. */
  readonly ranges: readonly (readonly [at: number, length: number])[];
  /** The sum of their lengths. */
  readonly total: number;
}

/** The guest's memory during a call. */
export class Guest {
  readonly #memory: GuestMemory | undefined;
  readonly #size: number;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;

  /** Looks at live bytes, or at a memory whose live bytes are taken when they are needed. */
  constructor(memory: Uint8Array | GuestMemory) {
    this.#size = memory.byteLength;
    if (memory instanceof Uint8Array) {
      this.#bytes = memory;
      this.#memory = undefined;
    } else this.#memory = memory;
  }

  /** All bytes, live. */
  get bytes(): Uint8Array {
    return this.#bytes ??= this.#memory!.view();
  }

  get #words(): DataView {
    if (this.#view !== undefined) return this.#view;
    const { buffer, byteOffset, byteLength } = this.bytes;
    return this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /** Fails with FAULT when a range is not inside; an empty range may be anywhere. */
  check(at: number, length: number): void {
    if (length > 0 && at + length > this.#size) fail(Errno.FAULT);
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
    return this.#words.getUint16(at, true);
  }

  /** Reads four bytes. */
  u32(at: number): number {
    this.check(at, 4);
    return this.#words.getUint32(at, true);
  }

  /** Reads eight bytes. */
  u64(at: number): bigint {
    this.check(at, 8);
    return this.#words.getBigUint64(at, true);
  }

  /** Writes a byte. */
  setU8(at: number, value: number): void {
    this.check(at, 1);
    this.bytes[at] = value;
  }

  /** Writes two bytes. */
  setU16(at: number, value: number): void {
    this.check(at, 2);
    this.#words.setUint16(at, value, true);
  }

  /** Writes four bytes. */
  setU32(at: number, value: number): void {
    this.check(at, 4);
    this.#words.setUint32(at, value, true);
  }

  /** Writes the low eight bytes of a value. */
  setU64(at: number, value: bigint | number): void {
    this.check(at, 8);
    this.#words.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
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
   * Where the buffers of a read or write are. Fails with INVAL when there are more than 1,024 or they
   * hold 2 GiB or more together, with FAULT when the list or a buffer is not inside.
   */
  buffers(at: number, count: number): Buffers {
    if (count > IOV_MAX) fail(Errno.INVAL);
    this.check(at, count * 8);
    const ranges: [number, number][] = [];
    let total = 0;
    if (count === 0) return { ranges, total };
    const list = this.#bytes === undefined ? this.#memory!.read(at, count * 8) : this.range(at, count * 8);
    const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
    for (let entry = 0; entry < count * 8; entry += 8) {
      const start = view.getUint32(entry, true), length = view.getUint32(entry + 4, true);
      total += length;
      if (total > TRANSFER_MAX) fail(Errno.INVAL);
      if (length === 0) continue;
      this.check(start, length);
      ranges.push([start, length]);
    }
    return { ranges, total };
  }

  /** The live bytes of buffers. */
  live({ ranges }: Buffers): Uint8Array[] {
    return ranges.map(([at, length]) => this.bytes.subarray(at, at + length));
  }
}
