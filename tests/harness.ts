/**
 * What the verification campaigns share: the facts in `../shared`, values as the facts write them
 * (decimal strings of the bits) against API values, trap texts of the official suite, memory hashes,
 * and lists of what is left out. It runs nothing by itself.
 *
 * @module
 */

import { fail } from "@std/assert";
import type { TrapName, Value, ValueType } from "../mod.ts";

const SHARED = new URL("../../shared/", import.meta.url);

/** Whether `../shared`, the folder of facts beside the project, is there. */
export const hasShared: boolean = (() => {
  try {
    return Deno.statSync(new URL("golden/spec/", SHARED)).isDirectory;
  } catch {
    return false;
  }
})();

/** A test that needs `../shared`; reported as ignored, with the reason in its name, where that is missing. */
export function sharedTest(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  if (hasShared) Deno.test(name, fn);
  else Deno.test({ name: `${name} (left out: ../shared is not there)`, ignore: true, fn: () => {} });
}

/** Reads a JSON file of `../shared`. */
export function readShared<T>(path: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(path, SHARED))) as T;
}

/** Names, without ".json", of the JSON files in a folder of `../shared`, sorted; none where it is missing. */
export function listShared(folder: string): string[] {
  if (!hasShared) return [];
  return Array.from(Deno.readDirSync(new URL(folder, SHARED)), (entry) => entry.name)
    .filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5)).sort();
}

/** Bytes of a base64 text. */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────

/** A value in a facts file: the bits as a decimal string, "null", or a class of NaNs. */
export interface JsonValue {
  readonly type: ValueType;
  readonly value: string;
}

const view = new DataView(new ArrayBuffer(8));

function f32OfBits(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

function f64OfBits(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** The API value of a fact's value. */
export function toValue({ type, value }: JsonValue): Value {
  if (value === "null") return null;
  if (type === "i32") return Number(value) | 0;
  if (type === "i64") return BigInt.asIntN(64, BigInt(value));
  if (type === "f32") return f32OfBits(Number(value));
  if (type === "f64") return f64OfBits(BigInt(value));
  return Number(value);
}

/** The same bits as an integer value, for modules without types, where a slot is only bits. */
export function toRawValue(json: JsonValue): Value {
  return toValue({ type: rawType(json.type), value: json.value });
}

/** The integer type of the same width. */
export function rawType(type: ValueType): ValueType {
  return type === "f32" ? "i32" : type === "f64" ? "i64" : type;
}

/** Type of each letter of a signature in `golden/programs`. */
export function lettersToTypes(letters: string): ValueType[] {
  return Array.from(letters, (letter) => {
    const type = ({ i: "i32", I: "i64", f: "f32", F: "f64" } as Record<string, ValueType>)[letter];
    return type ?? fail(`unknown type letter "${letter}"`);
  });
}

/** Whether the bits of a float are a NaN that a JavaScript number would not carry unchanged. */
export function isFragileNan({ type, value }: JsonValue): boolean {
  if (!/^-?\d+$/.test(value)) return false;
  if (type === "f32") return Number.isNaN(f32OfBits(Number(value))) && Number(value) !== 0x7fc00000;
  if (type === "f64") {
    return Number.isNaN(f64OfBits(BigInt(value))) && BigInt(value) !== 0x7ff8000000000000n;
  }
  return false;
}

/** Unsigned bits of a float or integer API value; floats by their canonical bits when NaN. */
function bitsOf(type: ValueType, value: Value): bigint | undefined {
  if (type === "i32") return typeof value === "number" ? BigInt.asUintN(32, BigInt(value)) : undefined;
  if (type === "i64") return typeof value === "bigint" ? BigInt.asUintN(64, value) : undefined;
  if (typeof value !== "number") return undefined;
  if (type === "f32") {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

const NAN = {
  f32: { exponent: 0x7f800000n, payload: 0x7fffffn, quiet: 0x400000n },
  f64: { exponent: 0x7ff0000000000000n, payload: 0xfffffffffffffn, quiet: 0x8000000000000n },
} as const;

const isNanBits = (type: "f32" | "f64", bits: bigint): boolean =>
  (bits & NAN[type].exponent) === NAN[type].exponent && (bits & NAN[type].payload) !== 0n;

/**
 * Whether a result is what a fact says. Classes of NaN compare by class. A NaN given by its bits is
 * met by those bits, and with `anyNan` also by a canonical one: rWasm floats here are canonical, and
 * the reference's are not. `raw` says that `actual` came from integer slots, so that NaN bits are seen.
 */
export function matches(
  expected: JsonValue,
  actual: Value,
  { raw = false, anyNan = false }: { raw?: boolean; anyNan?: boolean } = {},
): boolean {
  const { type, value } = expected;
  if (type === "funcref" || type === "externref") {
    return Object.is(actual, value === "null" ? null : Number(value));
  }
  const bits = bitsOf(raw ? rawType(type) : type, actual);
  if (bits === undefined) return false;
  if (type === "f32" || type === "f64") {
    const { exponent, payload, quiet } = NAN[type];
    const canonical = (bits & (exponent | payload)) === (exponent | quiet);
    if (value === "nan:canonical") return canonical;
    if (value === "nan:arithmetic") return (bits & (exponent | quiet)) === (exponent | quiet);
    if (isNanBits(type, BigInt(value))) {
      if (!raw) return Number.isNaN(actual);
      return bits === BigInt(value) || (anyNan && canonical);
    }
  }
  return bits === BigInt.asUintN(type === "i32" || type === "f32" ? 32 : 64, BigInt(value));
}

/** A value for messages. */
export function show(value: Value | undefined): string {
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : String(value);
}

// ── traps ───────────────────────────────────────────────────────────────────────────────────────

const TRAPS: readonly (readonly [text: string, trap: TrapName])[] = [
  ["out of bounds memory access", "MemoryOutOfBounds"],
  ["out of bounds table access", "TableOutOfBounds"],
  ["undefined element", "TableOutOfBounds"],
  ["uninitialized element", "IndirectCallToNull"],
  ["indirect call type mismatch", "BadSignature"],
  ["integer divide by zero", "IntegerDivisionByZero"],
  ["integer overflow", "IntegerOverflow"],
  ["invalid conversion to integer", "BadConversionToInteger"],
  ["call stack exhausted", "StackOverflow"],
  ["unreachable", "UnreachableCodeReached"],
];

/** Trap that a text of the official suite stands for. */
export function trapOfText(text: string): TrapName {
  for (const [prefix, trap] of TRAPS) if (text.startsWith(prefix)) return trap;
  return fail(`no trap is known for the text "${text}"`);
}

// ── memory hash ─────────────────────────────────────────────────────────────────────────────────

const FNV_PRIME = 0x100000001b3n;
const MASK64 = 0xffffffffffffffffn;

/** `FNV_PRIME ** count mod 2^64`: what `count` zero bytes multiply the hash by. */
function primePower(count: number): bigint {
  let result = 1n;
  for (let base = FNV_PRIME, rest = count; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result * base & MASK64;
    base = base * base & MASK64;
  }
  return result;
}

/** FNV-1a-64 of bytes as 16 hex digits; long runs of zero bytes cost almost nothing. */
export function fnv1a64(bytes: Uint8Array): string {
  // The prime is 2^40 + 0x1b3, so 32-bit halves are enough: h · prime = (lo << 40) + h · 0x1b3.
  let low = 0x84222325, high = 0xcbf29ce4;
  const words = bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    : undefined;
  let i = 0;
  while (i < bytes.length) {
    if (words !== undefined && i % 4 === 0 && words[i >> 2] === 0) {
      let word = i >> 2;
      while (word < words.length && words[word] === 0) word++;
      if (word > (i >> 2) + 16) {
        const hash = ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) * primePower(word * 4 - i) & MASK64;
        low = Number(hash & 0xffffffffn) | 0;
        high = Number(hash >> 32n) | 0;
        i = word * 4;
        continue;
      }
    }
    low ^= bytes[i++];
    const product = (low >>> 0) * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) | 0;
    low = product | 0;
  }
  return (((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) & MASK64).toString(16).padStart(16, "0");
}

// ── bookkeeping ─────────────────────────────────────────────────────────────────────────────────

/** Collects what went wrong, so that one run shows all of it. */
export class Failures {
  #messages: string[] = [];
  #count = 0;

  /** Notes one failure; only the first ones are kept in words. */
  add(message: string): void {
    if (this.#count++ < 12) this.#messages.push(message);
  }

  /** Fails the test when there was a failure. */
  report(): void {
    if (this.#count > 0) fail(`${this.#count} failed:\n${this.#messages.join("\n")}`);
  }
}

/** What a campaign leaves out, by reason. */
export class LeftOut {
  readonly #names = new Map<string, string[]>();

  /** Notes one item under a reason. */
  add(reason: string, name: string): void {
    const names = this.#names.get(reason);
    if (names === undefined) this.#names.set(reason, [name]);
    else names.push(name);
  }

  /** How many items each reason has. */
  counts(): Record<string, number> {
    return Object.fromEntries(Array.from(this.#names, ([reason, names]) => [reason, names.length]));
  }

  /** The items of each reason; long runs of the same file are counted, not repeated. */
  toString(): string {
    return Array.from(this.#names, ([reason, names]) => {
      const files = new Map<string, number>();
      for (const name of names) files.set(name, (files.get(name) ?? 0) + 1);
      const list = Array.from(files, ([name, count]) => count === 1 ? name : `${name} (${count})`);
      return `  ${names.length} × ${reason}: ${list.join(", ")}`;
    }).join("\n");
  }
}

/** A seeded generator of 32-bit numbers (mulberry32): the same seed gives the same campaign. */
export class Random {
  #state: number;

  /** Starts from a 32-bit seed. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A number from 0 to 2^32 − 1. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer from 0 to `bound` − 1. */
  below(bound: number): number {
    return this.u32() % bound;
  }

  /** One of the given items. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)];
  }
}
