/**
 * The harness itself: what it takes for equal, and its hash, so that the campaigns can be believed.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { Value } from "../mod.ts";
import {
  fnv1a64,
  isFragileNan,
  type JsonValue,
  matches,
  Random,
  toRawValue,
  toValue,
  trapOfText,
} from "./harness.ts";

Deno.test("fnv1a64() is FNV-1a of 64 bits, also over long runs of zeros", () => {
  const bytes = new Uint8Array(70_000);
  for (let i = 0; i < bytes.length; i += 1 + (i % 5000)) bytes[i] = i * 7;
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  assertEquals(fnv1a64(bytes), hash.toString(16).padStart(16, "0"));
  assertEquals(fnv1a64(new Uint8Array()), "cbf29ce484222325");
  assertEquals(fnv1a64(new TextEncoder().encode("a")), "af63dc4c8601ec8c");
});

const QUIET = 0x7fc00000, NEGATIVE = 0xffc00000, PAYLOAD = 0x7fe00000, SIGNALING = 0x7fa00000;
const f32 = (value: string | number): JsonValue => ({ type: "f32", value: String(value) });

/** Expected, actual, whether it came as bits, whether any canonical NaN will do, and the answer. */
const MATCHES: readonly [JsonValue, Value, raw: boolean, anyNan: boolean, boolean][] = [
  [{ type: "i32", value: "4294967295" }, -1, false, false, true],
  [{ type: "i32", value: "4294967295" }, 1, false, false, false],
  [{ type: "i32", value: "1" }, 1n, false, false, false],
  [{ type: "i64", value: "18446744073709551615" }, -1n, false, false, true],
  [f32(0x80000000), -0, false, false, true],
  [f32(0x80000000), 0, false, false, false],
  [f32(0x3f800000), 1, false, false, true],
  [f32("nan:canonical"), NaN, false, false, true],
  [f32("nan:canonical"), 1, false, false, false],
  [f32("nan:canonical"), NEGATIVE | 0, true, false, true],
  [f32("nan:canonical"), PAYLOAD, true, false, false],
  [f32("nan:arithmetic"), PAYLOAD, true, false, true],
  [f32("nan:arithmetic"), SIGNALING, true, false, false],
  [f32(PAYLOAD), PAYLOAD, true, false, true],
  [f32(PAYLOAD), QUIET, true, false, false],
  [f32(PAYLOAD), QUIET, true, true, true],
  [f32(PAYLOAD), SIGNALING, true, true, false],
  [{ type: "externref", value: "null" }, null, false, false, true],
  [{ type: "externref", value: "0" }, null, false, false, false],
];

Deno.test("matches() tells values apart by their bits and NaNs by their class", () => {
  for (const [expected, actual, raw, anyNan, answer] of MATCHES) {
    assertEquals(
      matches(expected, actual, { raw, anyNan }),
      answer,
      `${JSON.stringify(expected)} and ${actual}`,
    );
  }
});

Deno.test("values become API values, or their bits as integers", () => {
  assertEquals(toValue({ type: "i32", value: "4294967295" }), -1);
  assertEquals(toValue({ type: "i64", value: "9223372036854775808" }), -(2n ** 63n));
  assertEquals(toValue(f32(0x3fc00000)), 1.5);
  assertEquals(toRawValue({ type: "f64", value: "4609434218613702656" }), 4609434218613702656n);
  assertEquals([QUIET, NEGATIVE, PAYLOAD, 0x7f800000].map((bits) => isFragileNan(f32(bits))), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("trapOfText() knows every text of the suite and refuses others", () => {
  assertEquals(trapOfText("uninitialized element 2"), "IndirectCallToNull");
  assertThrows(() => trapOfText("gremlins"));
});

Deno.test("Random gives the same numbers for the same seed", () => {
  const [a, b] = [new Random(7), new Random(7)];
  const numbers = Array.from({ length: 100 }, () => a.u32());
  assertEquals(numbers, Array.from({ length: 100 }, () => b.u32()));
  assertEquals(new Set(numbers).size, 100);
});
