/**
 * Single WebAssembly instructions as functions on bits, run by the engine underneath: the oracle for
 * our arithmetic. Floats go in and come out as integers of the same width, because a JavaScript
 * number does not carry the payload of a NaN. Also the operands worth trying. It runs nothing.
 *
 * @module
 */

/** Numeric types. */
export type NumericType = "i32" | "i64" | "f32" | "f64";

/** Bits: a signed number for 32-bit types, a signed bigint for 64-bit types. */
export type Bits = number | bigint;

const TYPE_BYTES: Record<NumericType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
/** Type that carries the bits. */
const CARRIER: Record<NumericType, NumericType> = { i32: "i32", i64: "i64", f32: "i32", f64: "i64" };
/** Instruction that turns a carrier into the type, and the type into a carrier. */
const FROM_CARRIER: Record<NumericType, number[]> = { i32: [], i64: [], f32: [0xbe], f64: [0xbf] };
const TO_CARRIER: Record<NumericType, number[]> = { i32: [], i64: [], f32: [0xbc], f64: [0xbd] };

/** Bits of the type that carries a value. */
export function carrier(type: NumericType): "i32" | "i64" {
  return CARRIER[type] as "i32" | "i64";
}

const section = (id: number, bytes: number[]) => [id, bytes.length, ...bytes];

/** The instruction with the given bytes as a function on bits; it throws where WebAssembly traps. */
export function wasmOperation(
  instruction: readonly number[],
  params: readonly NumericType[],
  result: NumericType,
): (...bits: Bits[]) => Bits {
  const body = [
    0, // no locals
    ...params.flatMap((type, index) => [0x20, index, ...FROM_CARRIER[type]]),
    ...instruction,
    ...TO_CARRIER[result],
    0x0b,
  ];
  const type = [
    0x60,
    params.length,
    ...params.map((param) => TYPE_BYTES[CARRIER[param]]),
    1,
    TYPE_BYTES[CARRIER[result]],
  ];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, ...type]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, body.length, ...body]),
  ];
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  return instance.exports.f as (...bits: Bits[]) => Bits;
}

/** A numeric instruction that WebAssembly and rWasm share: rWasm name, Wasm bytes, types. */
export type SharedOperation = readonly [
  name: string,
  instruction: readonly number[],
  params: readonly NumericType[],
  result: NumericType,
];

function row(
  names: string,
  first: number,
  params: readonly NumericType[],
  result: NumericType,
  prefix: readonly number[] = [],
): SharedOperation[] {
  return names.split(" ").map((name, index) => [name, [...prefix, first + index], params, result]);
}

const I: NumericType[] = ["i32"],
  L: NumericType[] = ["i64"],
  F: NumericType[] = ["f32"],
  D: NumericType[] = ["f64"];
const II = [...I, ...I], FF = [...F, ...F], DD = [...D, ...D];

/** Every shared numeric instruction, in the order of the WebAssembly specification. */
export const SHARED_OPERATIONS: readonly SharedOperation[] = [
  ...row("I32Eqz", 0x45, I, "i32"),
  ...row("I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU", 0x46, II, "i32"),
  ...row("F32Eq F32Ne F32Lt F32Gt F32Le F32Ge", 0x5b, FF, "i32"),
  ...row("F64Eq F64Ne F64Lt F64Gt F64Le F64Ge", 0x61, DD, "i32"),
  ...row("I32Clz I32Ctz I32Popcnt", 0x67, I, "i32"),
  ...row("I32Add I32Sub I32Mul I32DivS I32DivU I32RemS I32RemU I32And I32Or I32Xor", 0x6a, II, "i32"),
  ...row("I32Shl I32ShrS I32ShrU I32Rotl I32Rotr", 0x74, II, "i32"),
  ...row("F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt", 0x8b, F, "f32"),
  ...row("F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign", 0x92, FF, "f32"),
  ...row("F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt", 0x99, D, "f64"),
  ...row("F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign", 0xa0, DD, "f64"),
  ...row("I32TruncF32S I32TruncF32U", 0xa8, F, "i32"),
  ...row("I32TruncF64S I32TruncF64U", 0xaa, D, "i32"),
  ...row("I64TruncF32S I64TruncF32U", 0xae, F, "i64"),
  ...row("I64TruncF64S I64TruncF64U", 0xb0, D, "i64"),
  ...row("F32ConvertI32S F32ConvertI32U", 0xb2, I, "f32"),
  ...row("F32ConvertI64S F32ConvertI64U", 0xb4, L, "f32"),
  ...row("F32DemoteF64", 0xb6, D, "f32"),
  ...row("F64ConvertI32S F64ConvertI32U", 0xb7, I, "f64"),
  ...row("F64ConvertI64S F64ConvertI64U", 0xb9, L, "f64"),
  ...row("F64PromoteF32", 0xbb, F, "f64"),
  ...row("I32Extend8S I32Extend16S", 0xc0, I, "i32"),
  ...row("I32TruncSatF32S I32TruncSatF32U", 0, F, "i32", [0xfc]),
  ...row("I32TruncSatF64S I32TruncSatF64U", 2, D, "i32", [0xfc]),
  ...row("I64TruncSatF32S I64TruncSatF32U", 4, F, "i64", [0xfc]),
  ...row("I64TruncSatF64S I64TruncSatF64U", 6, D, "i64", [0xfc]),
];

/** Rows by rWasm name. */
export const SHARED_BY_NAME: ReadonlyMap<string, SharedOperation> = new Map(
  SHARED_OPERATIONS.map((operation) => [operation[0], operation]),
);

// ── operands ─────────────────────────────────────────────────────────────────────────────────────

/** A generator of 32-bit integers from a seed (xorshift). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state | 0;
  };
}

const cells = new DataView(new ArrayBuffer(8));

/** Bits of a number as f32. */
export function f32Bits(x: number): number {
  cells.setFloat32(0, x);
  return cells.getInt32(0);
}

/** Bits of a number as f64. */
export function f64Bits(x: number): bigint {
  cells.setFloat64(0, x);
  return cells.getBigInt64(0);
}

/** The f32 with these bits. */
export function f32OfBits(bits: number): number {
  cells.setInt32(0, bits);
  return cells.getFloat32(0);
}

/** The f64 with these bits. */
export function f64OfBits(bits: bigint): number {
  cells.setBigInt64(0, bits);
  return cells.getFloat64(0);
}

const I32_EDGES = [
  0,
  1,
  2,
  5,
  31,
  32,
  33,
  0x7f,
  0x80,
  0xffff,
  0x8000,
  0x55555555,
  2 ** 31 - 1,
  -(2 ** 31),
  -1,
  -2,
];

// deno-fmt-ignore
const I64_EDGES = [
  0n, 1n, -1n, 2n ** 24n + 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n),
  -(2n ** 63n) + 1n, 2n ** 63n - 2n ** 38n, 2n ** 63n - 2n ** 39n, -(2n ** 39n),
  // Halfway between two singles, and one unit to each side: where rounding twice goes wrong.
  0x7fffff4000000000n, 0x7fffff4000000001n, 0x7fffffbfffffffffn, 0x7fffffc000000000n, 0x8000004000000001n, 0x8000008000000000n,
  0x8000008000000001n, 0x8000008000000400n, 0x800000c000000000n, 0x800000bfffffffffn, 2n ** 60n + 2n ** 36n + 1n, -(2n ** 60n + 2n ** 36n + 1n),
].map((value) => BigInt.asIntN(64, value));

// deno-fmt-ignore
const FLOATS = [
  0, -0, 0.5, -0.5, 0.49999997, 1, -1, 1.5, -1.5, 2.5, -2.5, 3.7, -3.7, 1e-45, 5e-324, 1.1754943508222875e-38, 3.4028234663852886e38, 1e300,
  8388607.5, 8388608, 16777217, 4503599627370495.5, 4503599627370496.5, 4503599627370497.5, 9007199254740993, Infinity, -Infinity,
  -0.9999999, 2147483647, 2147483648, -2147483648, -2147483649, -2147483904, 4294967295, 4294967296, 4294967040,
  9223372036854775807, 9223371487098961920, -9223372036854775808, -9223372036854777856, -9223373136366403584, 18446744073709551615, 18446742974197923840,
];

/** NaNs: canonical, negative, signaling, with a payload. */
const F32_NANS = [0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fe00000].map((bits) => bits | 0);
const F64_NANS = [0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff0000000000001n, 0xfff7ffffffffffffn]
  .map((bits) => BigInt.asIntN(64, bits));

const EDGES: Record<NumericType, readonly Bits[]> = {
  i32: I32_EDGES,
  i64: I64_EDGES,
  f32: [...new Set([...FLOATS.map(f32Bits), ...F32_NANS])],
  f64: [...FLOATS.map(f64Bits), ...F64_NANS],
};

/** Operand lists for some parameter types: all combinations of edges, then random bits. */
export function* operands(params: readonly NumericType[], random: number, seed: number): Generator<Bits[]> {
  const [first, second] = params;
  for (const a of EDGES[first!]) {
    if (second === undefined) yield [a];
    else for (const b of EDGES[second]) yield [a, b];
  }
  const next = seeded(seed);
  for (let i = 0; i < random; i++) {
    yield params.map((type) =>
      carrier(type) === "i32" ? next() : BigInt.asIntN(64, (BigInt(next()) << 32n) | BigInt(next() >>> 0))
    );
  }
}

/** Whether bits are a NaN of a type. */
export function isNanBits(type: NumericType, bits: Bits): boolean {
  if (type === "f32") return Number.isNaN(f32OfBits(bits as number));
  return type === "f64" && Number.isNaN(f64OfBits(bits as bigint));
}

/** The bits arithmetic must have: any NaN replaced by the canonical one. */
export function canonical(type: NumericType, bits: Bits): Bits {
  if (!isNanBits(type, bits)) return bits;
  return type === "f32" ? 0x7fc00000 : 0x7ff8000000000000n;
}
