/**
 * Web IDL as far as the JavaScript interface of WebAssembly needs it: integer and dictionary
 * conversions, byte sources, and the property attributes of interface members.
 *
 * @module
 */

/** An object or function. */
export function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * `[EnforceRange] unsigned long`: a number from 0 to 2^32 − 1.
 *
 * @throws {TypeError} when it is none; also what the value itself throws when it is converted.
 */
export function toIndex(value: unknown, doing: string, what: string): number {
  const number = +(value as number);
  const integer = Math.trunc(number) + 0; // the sum makes -0 of, say, -0.5 a 0
  if (integer >= 0 && integer <= 0xffff_ffff) return integer;
  throw new TypeError(`Cannot ${doing}: ${what} must be an integer from 0 to 2^32 - 1, not ${number}`);
}

/** Sizes of a table. */
export interface Bounds {
  /** First size. */
  readonly initial: number;
  /** Largest size. */
  readonly maximum: number | undefined;
}

/**
 * Reads the sizes of a descriptor.
 *
 * @throws {TypeError} for a size that is missing or no index.
 * @throws {RangeError} when the maximum is below the initial size.
 */
export function toBounds(descriptor: Record<PropertyKey, unknown>, doing: string): Bounds {
  const { initial: first, maximum: last } = descriptor;
  if (first === undefined) throw new TypeError(`Cannot ${doing}: the descriptor has no "initial"`);
  const initial = toIndex(first, doing, '"initial"');
  const maximum = last === undefined ? undefined : toIndex(last, doing, '"maximum"');
  if (maximum !== undefined && maximum < initial) {
    throw new RangeError(`Cannot ${doing}: "maximum" ${maximum} is below "initial" ${initial}`);
  }
  return { initial, maximum };
}

/**
 * A copy of the bytes of a buffer or a view on one; empty when it is detached.
 *
 * @throws {TypeError} when it is neither.
 */
export function copyBytes(source: unknown, doing: string): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source;
    return byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer, byteOffset, byteLength).slice();
  }
  const length = bufferLength(source);
  if (length !== undefined) {
    return length === 0 ? new Uint8Array(0) : new Uint8Array(source as ArrayBuffer).slice();
  }
  throw new TypeError(`Cannot ${doing}: the bytes must be an ArrayBuffer or a view on one`);
}

/** Bytes of a buffer, shared or not; undefined when the value is none, whatever it pretends to be. */
function bufferLength(value: unknown): number | undefined {
  for (const { prototype } of [ArrayBuffer, SharedArrayBuffer]) {
    try {
      return Reflect.get(prototype, "byteLength", value) as number;
    } catch {
      // The getter refuses what is no such buffer.
    }
  }
  return undefined;
}

/** Gives a class the attributes of an interface: enumerable members and a tag. */
export function defineInterface(constructor: { readonly prototype: object }, tag: string): void {
  for (const owner of [constructor, constructor.prototype]) {
    for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      const isMember = name !== "constructor" && (member.get ?? member.value) instanceof Function;
      if (isMember) Object.defineProperty(owner, name, { enumerable: true });
    }
  }
  Object.defineProperty(constructor.prototype, Symbol.toStringTag, {
    value: `WebAssembly.${tag}`,
    configurable: true,
  });
}
