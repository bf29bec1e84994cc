/**
 * Values between TypeScript and the machine: checks what a caller or a host function hands over,
 * writes it to stack cells and reads it back. i32 is a signed number, i64 a signed bigint, f32 and
 * f64 are numbers, a funcref is a code index or null (cell 0), an externref any number n or null
 * (cells n + 1 and 0, so that externref 0 is not null).
 *
 * @module
 */

import { type FunctionType, slotsOf, type ValueType } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { f32Bits, f32OfBits, f64High, f64Low, f64OfBits } from "../isa/numeric.ts";
import type { Value } from "../plugin/plugin.ts";

/** Carries the bits of an i64 between a bigint and two cells; arithmetic on bigints would allocate. */
const scratch = new DataView(new ArrayBuffer(8));

/** What each type takes, for messages. */
const EXPECTED: { readonly [Type in ValueType]: string } = {
  i32: "an integer number from -2^31 to 2^32 - 1",
  i64: "a bigint from -2^63 to 2^64 - 1",
  f32: "a number",
  f64: "a number",
  funcref: "null or an integer number from 0 to 2^32 - 1",
  externref: "null or an integer number from 0 to 2^32 - 2",
};

/** The six types, for checks of what untyped callers hand over. */
export function isValueType(type: unknown): type is ValueType {
  return typeof type === "string" && Object.hasOwn(EXPECTED, type);
}

/** Whether a value is one of a type, with unsigned integers also allowed. */
export function isValueOf(type: ValueType, value: unknown): value is Value {
  switch (type) {
    case "i32":
      return isInteger(value, -2147483648, 4294967295);
    case "i64":
      return typeof value === "bigint" &&
        (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value);
    case "f32":
    case "f64":
      return typeof value === "number";
    case "funcref":
      return value === null || isInteger(value, 0, 4294967295);
    case "externref":
      return value === null || isInteger(value, 0, 4294967294);
  }
}

function isInteger(value: unknown, low: number, high: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;
}

/** "i32 (an integer …)": what a value of a type must be. */
export function expectedText(type: ValueType): string {
  return `${type} (${EXPECTED[type]})`;
}

/** "the string "7"": a value in a message, short and safe to print whatever it is. */
export function foundText(value: unknown): string {
  switch (typeof value) {
    case "number":
      return `the number ${value}`;
    case "bigint":
      return value >= -(2n ** 65n) && value <= 2n ** 65n
        ? `the bigint ${value}n`
        : "a bigint of more than 65 bits";
    case "string":
      return `the string ${quoteName(value)}`;
    case "boolean":
      return `the boolean ${value}`;
    case "undefined":
      return "undefined";
    case "object":
      return value === null ? "null" : isArray(value) ? "an array" : "an object";
    default:
      return `a ${typeof value}`;
  }
}

function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false; // a revoked proxy
  }
}

/**
 * Length and at most `most` first elements of an array, each read once; undefined when it is none.
 * It throws what a proxy or a getter throws.
 */
export function elementsOf(array: unknown, most: number): { length: number; values: unknown[] } | undefined {
  if (!Array.isArray(array)) return undefined;
  const length: unknown = array.length;
  if (typeof length !== "number") return undefined;
  const count = Math.min(length, most), values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(array[i]);
  return { length, values };
}

/** "(i32, i64) -> (f32)". */
export function typeText(type: FunctionType): string {
  return `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

/** Writes a value that {@link isValueOf} its type to the cells from `at` on. */
export function writeValue(cells: Int32Array, at: number, type: ValueType, value: Value): void {
  switch (type) {
    case "i32":
      cells[at] = value as number;
      break;
    case "i64":
      scratch.setBigInt64(0, value as bigint, true); // modulo 2^64
      cells[at] = scratch.getInt32(0, true);
      cells[at + 1] = scratch.getInt32(4, true);
      break;
    case "f32":
      cells[at] = f32Bits(value as number);
      break;
    case "f64":
      cells[at] = f64Low(value as number);
      cells[at + 1] = f64High(value as number);
      break;
    case "funcref":
      cells[at] = value === null ? 0 : value as number;
      break;
    case "externref":
      cells[at] = value === null ? 0 : (value as number) + 1;
      break;
  }
}

/** Writes values one after the other; the number of cells written. */
export function writeValues(
  cells: Int32Array,
  at: number,
  types: readonly ValueType[],
  values: readonly Value[],
): number {
  let cell = at;
  for (let i = 0; i < types.length; i++) {
    writeValue(cells, cell, types[i]!, values[i]!);
    cell += slotsOf(types[i]!);
  }
  return cell - at;
}

/** Reads the value of a type from the cells from `at` on. */
export function readValue(cells: Int32Array, at: number, type: ValueType): Value {
  switch (type) {
    case "i32":
      return cells[at]!;
    case "i64":
      scratch.setInt32(0, cells[at]!, true);
      scratch.setInt32(4, cells[at + 1]!, true);
      return scratch.getBigInt64(0, true);
    case "f32":
      return f32OfBits(cells[at]!);
    case "f64":
      return f64OfBits(cells[at]!, cells[at + 1]!);
    case "funcref":
      return cells[at] === 0 ? null : cells[at]! >>> 0;
    case "externref":
      return cells[at] === 0 ? null : (cells[at]! >>> 0) - 1;
  }
}

/** Reads values one after the other. */
export function readValues(cells: Int32Array, at: number, types: readonly ValueType[]): Value[] {
  const values: Value[] = [];
  for (const type of types) {
    values.push(readValue(cells, at, type));
    at += slotsOf(type);
  }
  return values;
}

/** The zero of each type: what a halted run yields. */
export function zeroValues(types: readonly ValueType[]): Value[] {
  return types.map((type) => type === "i64" ? 0n : type === "funcref" || type === "externref" ? null : 0);
}
