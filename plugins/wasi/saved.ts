/**
 * The bytes a saved state of WASI is: a JSON document, and behind it the bytes it refers to. Both may
 * come from anybody, so everything that is read is checked: what is wrong is a `UsageError`. It knows
 * no part of WASI.
 *
 * ```text
 * 0 4  length of the document, little endian
 * 4    the document; bytes are in it as [start, length]
 *      the bytes
 * ```
 *
 * @module
 */

import { UsageError } from "../../mod.ts";

/** Bytes behind the document, as the document has them. */
export type Span = readonly [start: number, length: number];

/** Collects bytes for a document. */
export class Blob {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Takes bytes, which must stay as they are until `join`. */
  add(bytes: Uint8Array): Span {
    const start = this.#length;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return [start, bytes.length];
  }

  /** The document and the bytes. */
  join(document: unknown): Uint8Array {
    const text = new TextEncoder().encode(JSON.stringify(document));
    const all = new Uint8Array(4 + text.length + this.#length);
    new DataView(all.buffer).setUint32(0, text.length, true);
    all.set(text, 4);
    let at = 4 + text.length;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** Refuses a state. */
export function refuseState(why: string, hint?: string): never {
  throw new UsageError("WasiState", `Cannot go on with a saved WASI environment: ${why}`, { hint });
}

const U64 = 2n ** 64n;

/** A value of the document, which must be what it is asked for. */
export class Saved {
  readonly #value: unknown;
  readonly #bytes: Uint8Array;
  readonly #what: string;

  private constructor(value: unknown, bytes: Uint8Array, what: string) {
    this.#value = value;
    this.#bytes = bytes;
    this.#what = what;
  }

  /** The document of a saved state. */
  static open(bytes: Uint8Array): Saved {
    const length = bytes.length < 4
      ? Infinity
      : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (4 + length > bytes.length) refuseState("it is cut off");
    let document: unknown;
    try {
      document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(4, 4 + length)));
    } catch {
      refuseState("its document is no JSON");
    }
    return new Saved(document, bytes.subarray(4 + length), "the document");
  }

  #wrong(wanted: string): never {
    return refuseState(`${this.#what} is not ${wanted}`);
  }

  /** A part of an object. */
  at(name: string): Saved {
    const value = this.#value;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return this.#wrong(`an object with "${name}"`);
    }
    return new Saved((value as Record<string, unknown>)[name], this.#bytes, `"${name}"`);
  }

  /** Whether it is an object with a part. */
  has(name: string): boolean {
    const value = this.#value;
    return typeof value === "object" && value !== null && Object.hasOwn(value, name);
  }

  /** Elements of an array. */
  list(): Saved[] {
    const value = this.#value;
    if (!Array.isArray(value)) return this.#wrong("an array");
    return value.map((element) => new Saved(element, this.#bytes, `an element of ${this.#what}`));
  }

  /** Whether it is null. */
  get isNull(): boolean {
    return this.#value === null;
  }

  /** A whole number up to `most`. */
  number(most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most) {
      return this.#wrong(`a whole number up to ${most}`);
    }
    return value as number;
  }

  /** A u64, which the document has as text. */
  u64(): bigint {
    const value = this.#value;
    const number = typeof value === "string" && /^\d{1,20}$/.test(value) ? BigInt(value) : U64;
    return number < U64 ? number : this.#wrong("a u64");
  }

  /** Yes or no. */
  flag(): boolean {
    return typeof this.#value === "boolean" ? this.#value : this.#wrong("true or false");
  }

  /** A text. */
  text(): string {
    return typeof this.#value === "string" ? this.#value : this.#wrong("a text");
  }

  /** A copy of bytes. */
  bytes(): Uint8Array {
    const [start, length, ...more] = this.list().map((element) => element.number());
    if (
      start === undefined || length === undefined || more.length > 0 || start + length > this.#bytes.length
    ) {
      return this.#wrong("a range of the bytes");
    }
    return this.#bytes.slice(start, start + length);
  }
}
