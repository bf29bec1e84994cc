/**
 * A cursor over bytes: fixed-width little-endian integers, LEB128 integers, names and blocks. It is
 * the only place that checks for the end of input; what is read past it, and every malformed
 * integer or name, goes to the `fail` function of its owner, who turns it into a typed error.
 * It knows no format: what the bytes mean is the business of `isa/decode.ts` and `wasm/parse.ts`.
 *
 * @module
 */

/**
 * Throws the owner's error. `reason` is the "why" of a message ("unexpected end of input: …"), to
 * which the owner adds what it was doing; `offset` is the byte the reason is about.
 */
export type Fail = (code: string, reason: string, offset: number, hint?: string) => never;

/** Longest name accepted, in bytes; longer ones are no names but an attempt to exhaust memory. */
export const MAX_NAME_BYTES = 100_000;

/** Below this length a byte loop makes an ASCII string faster than a call of `TextDecoder`. */
const SHORT_NAME = 48;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A cursor over a range of bytes. Failed reads leave {@link Reader.position} unspecified. */
export class Reader {
  /** The bytes read from; offsets in errors are indices into them. */
  readonly bytes: Uint8Array;
  /** Index of the next byte to read. */
  position: number;
  /** One past the last byte that may be read. */
  end: number;
  /** High 32 bits, signed, of the last value read by {@link Reader.varS64}. */
  high = 0;
  readonly #fail: Fail;
  readonly #view: DataView;

  /** Starts at `start` and never reads at or past `end`; both are indices into `bytes`. */
  constructor(bytes: Uint8Array, fail: Fail, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = Math.min(end, bytes.length);
    this.#fail = fail;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Continues with another range of the same bytes, which saves a reader per function body. */
  moveTo(start: number, end: number): void {
    this.position = start;
    this.end = Math.min(end, this.bytes.length);
  }

  /** Whether everything has been read. */
  get atEnd(): boolean {
    return this.position >= this.end;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves over `length` bytes and returns where they start. Fails with `UnexpectedEnd`. */
  skip(length: number): number {
    const start = this.position;
    // A negative or fractional length is a bug of the caller; it must not move the cursor backwards.
    if (!(length >= 0 && length <= this.end - start)) this.#unexpectedEnd(start, length);
    this.position = start + length;
    return start;
  }

  /** The next `length` bytes, as a view of the input. Fails with `UnexpectedEnd`. */
  take(length: number): Uint8Array {
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  /** One byte, 0 … 255. Fails with `UnexpectedEnd`. */
  u8(): number {
    const at = this.position;
    if (at >= this.end) this.#unexpectedEnd(at, 1);
    this.position = at + 1;
    return this.bytes[at];
  }

  /** The next byte without moving, or −1 at the end. */
  peek(): number {
    return this.position < this.end ? this.bytes[this.position] : -1;
  }

  /** Two bytes, little endian, unsigned. Fails with `UnexpectedEnd`. */
  u16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  /** Four bytes, little endian, unsigned. Fails with `UnexpectedEnd`. */
  u32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  /**
   * Eight bytes, little endian, unsigned, used as a length or count. Fails with `UnexpectedEnd`, and
   * with `LengthTooLarge` above 2^53 − 1, which no input can hold.
   */
  u64Length(): number {
    const at = this.skip(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (value > Number.MAX_SAFE_INTEGER) this.#fail("LengthTooLarge", "a length is above 2^53 − 1", at);
    return value;
  }

  /**
   * LEB128, unsigned, up to 32 bits. Fails with `UnexpectedEnd`, `IntegerTooLong` (more than 5 bytes)
   * and `IntegerTooLarge` (bits set above the 32nd).
   */
  varU32(): number {
    const at = this.position;
    if (at < this.end) {
      const byte = this.bytes[at];
      if (byte < 0x80) {
        this.position = at + 1;
        return byte;
      }
    }
    return this.#varU32Long();
  }

  /** LEB128, signed, up to 32 bits. Fails as {@link Reader.varU32} does. */
  varS32(): number {
    const at = this.position;
    if (at < this.end) {
      const byte = this.bytes[at];
      if (byte < 0x80) {
        this.position = at + 1;
        return byte << 25 >> 25;
      }
    }
    return this.#varS32Long();
  }

  /** LEB128, signed, up to 33 bits: −2^32 … 2^32 − 1. Fails as {@link Reader.varU32} does. */
  varS33(): number {
    let value = 0;
    for (let index = 0; index < 4; index++) {
      const byte = this.u8();
      // Doubles, not int32: the value has more bits than a bitwise operator keeps.
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return byte & 0x40 ? value - 2 ** (7 * index + 7) : value;
    }
    const last = this.#lastByte(33, 5, 0x1f, 0x10);
    return value + (last << 27 >> 27) * 2 ** 28;
  }

  /**
   * LEB128, signed, up to 64 bits: returns the low 32 bits, signed, and leaves the high 32 bits in
   * {@link Reader.high}, so that no bigint is made. Fails as {@link Reader.varU32} does.
   */
  varS64(): number {
    let low = 0, high = 0, byte = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      byte = this.u8();
      const part = byte & 0x7f;
      if (shift < 32) low |= part << shift;
      if (shift === 28) high = part >> 4;
      else if (shift > 28) high |= part << (shift - 32);
      if (byte < 0x80) {
        if (byte & 0x40) {
          if (shift < 25) {
            low |= -1 << (shift + 7);
            high = -1;
          } else if (shift < 57) {
            high |= -1 << (shift + 7 - 32);
          }
        }
        this.high = high;
        return low;
      }
    }
    this.high = high | this.#lastByte(64, 10, 0x01, 0x01) << 31;
    return low;
  }

  /**
   * A length (LEB128) and that many bytes of UTF-8. Fails with `UnexpectedEnd`, `NameTooLong` (see
   * {@link MAX_NAME_BYTES}) and `MalformedUtf8`.
   */
  name(): string {
    const at = this.position;
    const length = this.varU32();
    if (length > this.end - this.position) {
      this.#fail(
        "UnexpectedEnd",
        `unexpected end of input: a name of ${length} bytes is cut off after ${this.remaining}`,
        at,
      );
    }
    if (length > MAX_NAME_BYTES) {
      this.#fail("NameTooLong", `a name has ${length} bytes, more than the ${MAX_NAME_BYTES} accepted`, at);
    }
    const start = this.skip(length), end = start + length;
    if (length < SHORT_NAME) {
      let text = "", index = start;
      for (; index < end && this.bytes[index] < 0x80; index++) {
        text += String.fromCharCode(this.bytes[index]);
      }
      if (index === end) return text;
    }
    try {
      return utf8.decode(this.bytes.subarray(start, end));
    } catch {
      return this.#fail("MalformedUtf8", "a name is not valid UTF-8", start);
    }
  }

  #varU32Long(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const at = this.position;
    const byte = this.u8();
    if (byte > 0x7f) this.#fail("IntegerTooLong", "an integer of 32 bits has more than 5 bytes", at);
    if (byte > 0x0f) this.#fail("IntegerTooLarge", "an integer does not fit in 32 bits", at);
    return (value | byte << 28) >>> 0;
  }

  #varS32Long(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return byte & 0x40 ? value | -1 << (shift + 7) : value;
    }
    return value | this.#lastByte(32, 5, 0x0f, 0x08) << 28;
  }

  /** The last byte a signed integer may have: the bits outside of `mask` must repeat the sign bit. */
  #lastByte(width: number, most: number, mask: number, sign: number): number {
    const at = this.position;
    const byte = this.u8();
    if (byte > 0x7f) {
      this.#fail("IntegerTooLong", `an integer of ${width} bits has more than ${most} bytes`, at);
    }
    if ((byte & ~mask & 0x7f) !== (byte & sign ? ~mask & 0x7f : 0)) {
      this.#fail("IntegerTooLarge", `an integer does not fit in ${width} bits`, at);
    }
    return byte & mask;
  }

  #unexpectedEnd(at: number, wanted: number): never {
    return this.#fail(
      "UnexpectedEnd",
      `unexpected end of input: ${wanted} ${wanted === 1 ? "byte" : "bytes"} wanted, ${
        Math.max(0, this.end - at)
      } left`,
      at,
    );
  }
}
