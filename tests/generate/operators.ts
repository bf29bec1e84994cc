/**
 * The operators of Wasm that compute or touch memory, as rows: opcode, operand types, result type,
 * and how they can trap. The generator picks from them; control and variables are not here. Written
 * from the WebAssembly specification, apart from the tables of the library, which it tests.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";

/** A numeric type. */
export type NumericType = "i32" | "i64" | "f32" | "f64";

/** How an operator can trap. */
export type Danger = "none" | "division" | "truncation";

/** An operator that only computes. */
export interface NumericOperator {
  readonly bytes: readonly number[];
  readonly operands: readonly NumericType[];
  readonly result: NumericType;
  readonly danger: Danger;
  /** Float in, float out by moving bits: a NaN operand keeps its payload on every engine. */
  readonly movesBits: boolean;
  /** Bits of a NaN operand show in the result. */
  readonly showsBits: boolean;
}

/** A load or a store. */
export interface MemoryOperator {
  readonly byte: number;
  readonly type: NumericType;
  /** Bytes accessed; the alignment may be up to this. */
  readonly size: number;
}

const rows: NumericOperator[] = [];

function row(bytes: readonly number[], operands: readonly NumericType[], result: NumericType): void {
  const [code, sub] = bytes;
  const danger = (code >= 0x6d && code <= 0x70) || (code >= 0x7f && code <= 0x82)
    ? "division"
    : sub === undefined && ((code >= 0xa8 && code <= 0xab) || (code >= 0xae && code <= 0xb1))
    ? "truncation"
    : "none";
  const signs = [0x8b, 0x8c, 0x98, 0x99, 0x9a, 0xa6]; // abs, neg, copysign
  const reinterprets = [0xbc, 0xbd];
  rows.push({
    bytes,
    operands,
    result,
    danger,
    movesBits: signs.includes(code),
    showsBits: reinterprets.includes(code) || code === 0x98 || code === 0xa6,
  });
}

/** Rows for the opcodes from `first` to `last`. */
function range(first: number, last: number, operands: readonly NumericType[], result: NumericType): void {
  for (let code = first; code <= last; code++) row([code], operands, result);
}

range(0x45, 0x45, ["i32"], "i32"); // i32.eqz
range(0x46, 0x4f, ["i32", "i32"], "i32"); // i32 comparisons
range(0x50, 0x50, ["i64"], "i32"); // i64.eqz
range(0x51, 0x5a, ["i64", "i64"], "i32"); // i64 comparisons
range(0x5b, 0x60, ["f32", "f32"], "i32"); // f32 comparisons
range(0x61, 0x66, ["f64", "f64"], "i32"); // f64 comparisons
range(0x67, 0x69, ["i32"], "i32"); // clz, ctz, popcnt
range(0x6a, 0x78, ["i32", "i32"], "i32"); // i32 arithmetic, logic, shifts
range(0x79, 0x7b, ["i64"], "i64");
range(0x7c, 0x8a, ["i64", "i64"], "i64");
range(0x8b, 0x91, ["f32"], "f32"); // abs, neg, ceil, floor, trunc, nearest, sqrt
range(0x92, 0x98, ["f32", "f32"], "f32"); // add, sub, mul, div, min, max, copysign
range(0x99, 0x9f, ["f64"], "f64");
range(0xa0, 0xa6, ["f64", "f64"], "f64");
range(0xa7, 0xa7, ["i64"], "i32"); // i32.wrap_i64
range(0xa8, 0xa9, ["f32"], "i32"); // i32.trunc_f32_s, _u
range(0xaa, 0xab, ["f64"], "i32");
range(0xac, 0xad, ["i32"], "i64"); // i64.extend_i32_s, _u
range(0xae, 0xaf, ["f32"], "i64");
range(0xb0, 0xb1, ["f64"], "i64");
range(0xb2, 0xb3, ["i32"], "f32"); // conversions
range(0xb4, 0xb5, ["i64"], "f32");
range(0xb6, 0xb6, ["f64"], "f32"); // demote
range(0xb7, 0xb8, ["i32"], "f64");
range(0xb9, 0xba, ["i64"], "f64");
range(0xbb, 0xbb, ["f32"], "f64"); // promote
range(0xbc, 0xbc, ["f32"], "i32"); // reinterpretations
range(0xbd, 0xbd, ["f64"], "i64");
range(0xbe, 0xbe, ["i32"], "f32");
range(0xbf, 0xbf, ["i64"], "f64");
range(0xc0, 0xc1, ["i32"], "i32"); // sign extensions
range(0xc2, 0xc4, ["i64"], "i64");
(["f32", "f32", "f64", "f64"] as const).forEach((operand, sub) => row([0xfc, sub], [operand], "i32"));
(["f32", "f32", "f64", "f64"] as const).forEach((operand, sub) => row([0xfc, 4 + sub], [operand], "i64"));

/** Numeric operators by result type. */
export const NUMERIC: Readonly<Record<NumericType, readonly NumericOperator[]>> = {
  i32: rows.filter(({ result }) => result === "i32"),
  i64: rows.filter(({ result }) => result === "i64"),
  f32: rows.filter(({ result }) => result === "f32"),
  f64: rows.filter(({ result }) => result === "f64"),
};

/** Those of them that give a whole number of bits, not just one: comparisons lose what went in. */
export const ARITHMETIC: typeof NUMERIC = {
  ...NUMERIC,
  i32: NUMERIC.i32.filter(({ bytes: [code] }) => code > 0x66),
};

/** All numeric operators. */
export const NUMERIC_OPERATORS: readonly NumericOperator[] = rows;

const memory = (first: number, type: NumericType, sizes: readonly number[]): MemoryOperator[] =>
  sizes.map((size, i) => ({ byte: first + i, type, size }));

/** Loads. */
export const LOADS: readonly MemoryOperator[] = [
  ...memory(0x28, "i32", [4]),
  ...memory(0x29, "i64", [8]),
  ...memory(0x2a, "f32", [4]),
  ...memory(0x2b, "f64", [8]),
  ...memory(0x2c, "i32", [1, 1, 2, 2]),
  ...memory(0x30, "i64", [1, 1, 2, 2, 4, 4]),
];

/** Stores. */
export const STORES: readonly MemoryOperator[] = [
  ...memory(0x36, "i32", [4]),
  ...memory(0x37, "i64", [8]),
  ...memory(0x38, "f32", [4]),
  ...memory(0x39, "f64", [8]),
  ...memory(0x3a, "i32", [1, 2]),
  ...memory(0x3c, "i64", [1, 2, 4]),
];

/** Whether a type is one of the four numeric ones. */
export function isNumeric(type: ValueType): type is NumericType {
  return type !== "funcref" && type !== "externref";
}
