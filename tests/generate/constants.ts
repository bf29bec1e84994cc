/**
 * Values worth trying: the edges of every type, and now and then anything. It gives the bits and the
 * instruction that pushes them; a float constant can be a NaN with any payload.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import type { Random } from "../harness.ts";
import { signed } from "../wasm_encoder.ts";
import type { Instruction } from "./module.ts";
import type { NumericType } from "./operators.ts";

const I32_EDGES = [
  0,
  1,
  2,
  3,
  7,
  8,
  15,
  16,
  31,
  32,
  33,
  63,
  64,
  100,
  127,
  128,
  255,
  256,
  1000,
  0x7fff,
  0x8000,
  0xffff,
  0x10000,
  0x10001,
  0x7ffffffe,
  0x7fffffff,
  -0x80000000,
  -0x7fffffff,
  -1,
  -2,
  -3,
  -8,
  -31,
  -32,
  -128,
  -129,
  -0x8000,
  -0x8001,
  0x55555555,
  -0x55555556,
  0x12345678,
  0x00ff00ff,
  -0x01000000,
] as const;

const I64_EDGES = [
  0n,
  1n,
  2n,
  3n,
  7n,
  31n,
  32n,
  33n,
  63n,
  64n,
  65n,
  127n,
  128n,
  255n,
  256n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x100000001n,
  0x1ffffffffn,
  2n ** 52n,
  2n ** 53n + 1n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -(2n ** 63n) + 1n,
  -1n,
  -2n,
  -3n,
  -128n,
  -129n,
  -0x7fffffffn,
  -0x80000000n,
  -0x80000001n,
  -0xffffffffn,
  -0x100000000n,
  -0x100000001n,
  0x5555555555555555n,
  -0x5555555555555556n,
  0x123456789abcdefn,
  0xff00ff00ff00ffn,
] as const;

const F32_EDGES = [
  0x00000000,
  0x80000000,
  0x3f800000,
  0xbf800000,
  0x3f000000,
  0x3fc00000,
  0x40200000,
  0xc0200000,
  0x3effffff,
  0x00000001,
  0x80000001,
  0x007fffff,
  0x00800000,
  0x7f7fffff,
  0xff7fffff,
  0x7f800000,
  0xff800000,
  0x7fc00000,
  0x4f000000,
  0x4effffff,
  0xcf000000,
  0xcf000001,
  0x4f800000,
  0x4b000001,
  0x4b800000,
  0x5f000000,
  0x5effffff,
  0xdf000000,
  0x5f800000,
  0x5f7fffff,
  0x3dcccccd,
  0x42c80000,
  0x7fc00001,
  0x7fa00000,
  0xffc00000,
  0xff800001,
] as const;

const F64_EDGES = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3fe0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0xc004000000000000n,
  0x3fdfffffffffffffn,
  0x0000000000000001n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0x41e0000000000000n,
  0x41dfffffffc00000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x41f0000000000000n,
  0x41efffffffe00000n,
  0x43e0000000000000n,
  0x43dfffffffffffffn,
  0xc3e0000000000000n,
  0x43f0000000000000n,
  0x43efffffffffffffn,
  0x4340000000000001n,
  0x3fb999999999999an,
  0x4059000000000000n,
  0x47efffffe0000000n,
  0x36a0000000000000n,
  0x7ff8000000000001n,
  0x7ff4000000000000n,
  0xfff8000000000000n,
  0xfff0000000000001n,
] as const;

/** Bits of a number of a type: mostly an edge, sometimes small, sometimes anything. */
export function interestingBits(random: Random, type: NumericType): bigint {
  const way = random.below(10);
  if (way === 0) return BigInt(random.below(16));
  if (way === 1) {
    const bits = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
    return type === "i32" || type === "f32" ? bits & 0xffffffffn : bits;
  }
  switch (type) {
    case "i32":
      return BigInt.asUintN(32, BigInt(random.pick(I32_EDGES)));
    case "i64":
      return BigInt.asUintN(64, random.pick(I64_EDGES));
    case "f32":
      return BigInt(random.pick(F32_EDGES));
    case "f64":
      return random.pick(F64_EDGES);
  }
}

/** The instruction that pushes bits as a number of a type. */
export function constantOf(type: NumericType, bits: bigint): Instruction {
  const raw = (count: number) =>
    Array.from({ length: count }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
  switch (type) {
    case "i32":
      return [0x41, ...signed(BigInt.asIntN(32, bits))];
    case "i64":
      return [0x42, ...signed(BigInt.asIntN(64, bits))];
    case "f32":
      return [0x43, ...raw(4)];
    case "f64":
      return [0x44, ...raw(8)];
  }
}

/** `i32.const`. */
export function i32Constant(value: number): Instruction {
  return [0x41, ...signed(value | 0)];
}

/** The canonical NaN of a float type, as an instruction. */
export function canonicalNan(type: "f32" | "f64"): Instruction {
  return type === "f32" ? constantOf("f32", 0x7fc00000n) : constantOf("f64", 0x7ff8000000000000n);
}

/** The zero of a type, as an instruction. */
export function zeroOf(type: ValueType): Instruction {
  if (type === "funcref") return [0xd0, 0x70];
  if (type === "externref") return [0xd0, 0x6f];
  return constantOf(type, 0n);
}
