/**
 * Our arithmetic against the WebAssembly engine underneath and against BigInt, on edges and seeded
 * random operands.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { TrapCode } from "../../lib/error.ts";
import * as numeric from "../../lib/isa/numeric.ts";
import {
  type Bits,
  f32OfBits,
  f64OfBits,
  isNanBits,
  type NumericType,
  operands,
  seeded,
  SHARED_BY_NAME,
  wasmOperation,
} from "./wasm_operation.ts";

const RANDOM = 500;

/** What JavaScript arithmetic sees of bits: floats as numbers, the rest as it is. */
function operand(type: NumericType, bits: Bits): Bits {
  if (type === "f32") return f32OfBits(bits as number);
  return type === "f64" ? f64OfBits(bits as bigint) : bits;
}

const low = (value: Bits) => Number(BigInt.asIntN(32, BigInt(value)));
const high = (value: Bits) => Number(BigInt.asIntN(32, BigInt(value) >> 32n));
const joined = (lowWord: number, highWord: number) => (BigInt(highWord) << 32n) | BigInt(lowWord >>> 0);
const float64 = (x: number) => joined(numeric.f64Low(x), numeric.f64High(x));

/** A function of ours under the name of its instruction: operands in, bits out. */
// deno-lint-ignore no-explicit-any -- operands are numbers or bigints by the row's types
const OURS: Record<string, (...operands: any[]) => Bits> = {
  I32Ctz: numeric.ctz,
  I32Popcnt: numeric.popcnt,
  I32Rotl: numeric.rotl,
  I32Rotr: numeric.rotr,
  I32DivS: numeric.divS,
  I32DivU: numeric.divU,
  I32RemS: numeric.remS,
  I32RemU: numeric.remU,
  F32Nearest: (x) => numeric.f32Bits(numeric.nearest(x)),
  F64Nearest: (x) => float64(numeric.nearest(x)),
  F32Min: (a, b) => numeric.f32Bits(numeric.min(a, b)),
  F64Min: (a, b) => float64(numeric.min(a, b)),
  F32Max: (a, b) => numeric.f32Bits(numeric.max(a, b)),
  F64Max: (a, b) => float64(numeric.max(a, b)),
  F32DemoteF64: numeric.f32Bits,
  F64PromoteF32: float64,
  I32TruncF32S: (x) => x | 0,
  I32TruncF32U: (x) => x | 0,
  I32TruncF64S: (x) => x | 0,
  I32TruncF64U: (x) => x | 0,
  I64TruncF32S: (x) => joined(numeric.truncLow(x), numeric.truncHigh(x)),
  I64TruncF32U: (x) => joined(numeric.truncLow(x), numeric.truncHigh(x)),
  I64TruncF64S: (x) => joined(numeric.truncLow(x), numeric.truncHigh(x)),
  I64TruncF64U: (x) => joined(numeric.truncLow(x), numeric.truncHigh(x)),
  I32TruncSatF32S: numeric.truncSatI32S,
  I32TruncSatF32U: numeric.truncSatI32U,
  I32TruncSatF64S: numeric.truncSatI32S,
  I32TruncSatF64U: numeric.truncSatI32U,
  I64TruncSatF32S: (x) => joined(numeric.truncSatI64SLow(x), numeric.truncSatI64SHigh(x)),
  I64TruncSatF32U: (x) => joined(numeric.truncSatI64ULow(x), numeric.truncSatI64UHigh(x)),
  I64TruncSatF64S: (x) => joined(numeric.truncSatI64SLow(x), numeric.truncSatI64SHigh(x)),
  I64TruncSatF64U: (x) => joined(numeric.truncSatI64ULow(x), numeric.truncSatI64UHigh(x)),
  F32ConvertI64S: (v) => numeric.f32Bits(numeric.f32OfI64S(low(v), high(v))),
  F32ConvertI64U: (v) => numeric.f32Bits(numeric.f32OfI64U(low(v), high(v))),
  F64ConvertI64S: (v) => float64(numeric.f64OfI64S(low(v), high(v))),
  F64ConvertI64U: (v) => float64(numeric.f64OfI64U(low(v), high(v))),
};

/** What our functions say about traps, by instruction. */
// deno-lint-ignore no-explicit-any -- operands are numbers or bigints by the row's types
const TRAPS: Record<string, (...operands: any[]) => number> = {
  I32DivS: numeric.divTrapS,
  I32DivU: (_a, b) => numeric.divTrapU(b),
  I32RemS: (_a, b) => numeric.divTrapU(b),
  I32RemU: (_a, b) => numeric.divTrapU(b),
  I32TruncF32S: numeric.truncTrapI32S,
  I32TruncF32U: numeric.truncTrapI32U,
  I32TruncF64S: numeric.truncTrapI32S,
  I32TruncF64U: numeric.truncTrapI32U,
  I64TruncF32S: numeric.truncTrapI64S,
  I64TruncF32U: numeric.truncTrapI64U,
  I64TruncF64S: numeric.truncTrapI64S,
  I64TruncF64U: numeric.truncTrapI64U,
};

/** The trap WebAssembly must have meant, by instruction and operands: V8 has one text for NaN and range. */
function expectedTrap(name: string, params: readonly NumericType[], bits: readonly Bits[]): number {
  if (name.includes("Trunc")) {
    return isNanBits(params[0]!, bits[0]!) ? TrapCode.BadConversionToInteger : TrapCode.IntegerOverflow;
  }
  return bits[1] === 0 ? TrapCode.IntegerDivisionByZero : TrapCode.IntegerOverflow;
}

for (const [name, ours] of Object.entries(OURS)) {
  Deno.test(`arithmetic of ${name} equals that of WebAssembly`, () => {
    const [, instruction, params, result] = SHARED_BY_NAME.get(name)!;
    const oracle = wasmOperation(instruction, params, result);
    for (const bits of operands(params, RANDOM, 0x5eed)) {
      const values = bits.map((value, index) => operand(params[index]!, value));
      let expected: Bits;
      try {
        expected = oracle(...bits);
      } catch {
        assertEquals(TRAPS[name]!(...values), expectedTrap(name, params, bits), `${name}(${bits})`);
        continue;
      }
      if (TRAPS[name] !== undefined) {
        assertEquals(TRAPS[name]!(...values), numeric.NO_TRAP, `${name}(${bits})`);
      }
      // Between f32 and f64 V8 keeps payloads of NaNs; arithmetic here has one NaN.
      if (isNanBits(result, expected)) {
        assertEquals(isNanBits(result, ours(...values)), true, `${name}(${bits})`);
      } else assertEquals(ours(...values), expected, `${name}(${bits})`);
    }
  });
}

Deno.test("f32Bits() and f64Low(), f64High() have one NaN", () => {
  for (const nan of [NaN, f64OfBits(0x7ff0000000000001n), f64OfBits(-1n)]) {
    assertEquals(numeric.f32Bits(nan), 0x7fc00000);
    assertEquals([numeric.f64Low(nan), numeric.f64High(nan)], [0, 0x7ff80000]);
  }
});

Deno.test("f32OfBits() and f64OfBits() undo f32Bits() and f64Low(), f64High()", () => {
  const next = seeded(7);
  for (let i = 0; i < RANDOM; i++) {
    const a = next(), b = next();
    if (!isNanBits("f32", a)) assertEquals(numeric.f32Bits(numeric.f32OfBits(a)), a);
    const x = numeric.f64OfBits(a, b);
    if (!Number.isNaN(x)) assertEquals([numeric.f64Low(x), numeric.f64High(x)], [a, b]);
  }
});

Deno.test("absBits(), negBits() and copysignBits() touch the sign bit only, also of a signaling NaN", () => {
  assertEquals(numeric.absBits(0xff800001 | 0), 0x7f800001);
  assertEquals(numeric.negBits(0x7f800001), 0xff800001 | 0);
  assertEquals(numeric.copysignBits(0x7f800001, -1), 0xff800001 | 0);
  assertEquals(numeric.copysignBits(0xff800001 | 0, 1), 0x7f800001);
});

Deno.test("division by zero is total: the machine asks for the trap first", () => {
  assertEquals([numeric.divS(5, 0), numeric.divU(5, 0), numeric.remS(5, 0), numeric.remU(5, 0)], [
    0,
    0,
    0,
    0,
  ]);
  assertEquals(numeric.divS(-(2 ** 31), -1), -(2 ** 31));
});

/** Words of 128 bits, lowest first. */
const words = (value: bigint) =>
  [0n, 32n, 64n, 96n].map((shift) => Number(BigInt.asIntN(32, value >> shift)));
const signed64 = (cells: number[], at: number) => joined(cells[at]!, cells[at + 1]!);
const unsigned64 = (cells: number[], at: number) => BigInt.asUintN(64, signed64(cells, at));
const wide = (cells: number[], at: number) => unsigned64(cells, at) | (unsigned64(cells, at + 2) << 64n);

/** Cells of operands: all edges in both operands, then random ones. */
function* cellOperands(count: number): Generator<number[]> {
  const edges = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)], next = seeded(0xce11);
  for (let i = 0; i < 4000; i++) {
    yield Array.from({ length: count }, () => i % 3 === 0 ? next() : edges[(next() >>> 8) % edges.length]!);
  }
}

Deno.test("mulHighU(), addCarry() and subBorrow() are the high words of 64-bit results", () => {
  for (const [a, b] of cellOperands(2) as Generator<[number, number]>) {
    const x = BigInt(a >>> 0), y = BigInt(b >>> 0);
    assertEquals(numeric.mulHighU(a, b), high(x * y), `${a} * ${b}`);
    assertEquals(numeric.addCarry(a, b), high(x + y), `${a} + ${b}`);
    assertEquals(numeric.subBorrow(a, b), high(x - y), `${a} - ${b}`);
  }
});

Deno.test("add128(), sub128() wrap at 128 bits", () => {
  for (const cells of cellOperands(8)) {
    const sum = Int32Array.from(cells), difference = Int32Array.from(cells);
    numeric.add128(sum, 0);
    numeric.sub128(difference, 0);
    assertEquals([...sum.subarray(0, 4)], words(wide(cells, 0) + wide(cells, 4)), `${cells}`);
    assertEquals([...difference.subarray(0, 4)], words(wide(cells, 0) - wide(cells, 4)), `${cells}`);
  }
});

Deno.test("mulWideU(), mulWideS() are the whole product", () => {
  for (const cells of cellOperands(4)) {
    const product = Int32Array.from([9, ...cells]), signed = Int32Array.from(cells);
    numeric.mulWideU(product, 1);
    numeric.mulWideS(signed, 0);
    assertEquals([...product], [9, ...words(unsigned64(cells, 0) * unsigned64(cells, 2))], `${cells}`);
    assertEquals([...signed], words(signed64(cells, 0) * signed64(cells, 2)), `${cells}`);
  }
});
