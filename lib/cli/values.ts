/**
 * WebAssembly values as texts: arguments of the command line in, results out, for people and as JSON.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { FunctionType, ValueType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";

const TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64", "funcref", "externref"];
const INTEGER = /^([-+]?)(\d+|0x[0-9a-f]+)$/i;
const DECIMAL = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const SPECIAL = /^([-+]?)(nan|inf|infinity)$/i;

function integer(text: string, bits: number): bigint | undefined {
  const match = INTEGER.exec(text.replaceAll("_", ""));
  if (match === null) return undefined;
  const value = match[1] === "-" ? -BigInt(match[2]) : BigInt(match[2]);
  // Signed and unsigned readings are both common: -1 and 0xffffffff are the same i32.
  const range = 1n << BigInt(bits);
  return value >= -(range >> 1n) && value < range ? BigInt.asIntN(bits, value) : undefined;
}

function float(text: string): number | undefined {
  const special = SPECIAL.exec(text);
  if (special !== null) {
    if (special[2].toLowerCase() === "nan") return NaN;
    return special[1] === "-" ? -Infinity : Infinity;
  }
  const digits = text.replaceAll("_", "");
  if (DECIMAL.test(digits)) return Number(digits);
  const match = INTEGER.exec(digits);
  return match === null ? undefined : (match[1] === "-" ? -1 : 1) * Number(match[2]);
}

function parse(text: string, type: ValueType): Value | undefined {
  if (type === "i64") return integer(text, 64);
  if (type === "f64") return float(text);
  if (type === "f32") {
    const value = float(text);
    return value === undefined ? undefined : Math.fround(value);
  }
  if (type !== "i32" && text === "null") return null;
  const value = integer(text, 32);
  if (value === undefined) return undefined;
  // References are plain numbers, never negative.
  return type === "i32" ? Number(value) : Number(BigInt.asUintN(32, value));
}

/**
 * Reads a value: integers decimal or 0x hexadecimal, signed or unsigned; floats also as nan, inf and
 * -inf; references as a number or null. `_` may separate digits.
 *
 * @throws {UsageError} `InvalidArgument` when the text is not a value of the type.
 */
export function parseValue(text: string, type: ValueType): Value {
  const value = parse(text, type);
  if (value === undefined) {
    throw new UsageError(
      "InvalidArgument",
      `Cannot read argument ${text}: it is not a value of type ${type}`,
      {
        hint: type === "f32" || type === "f64"
          ? "floats look like 1.5, -2e10, 0x10, nan or inf"
          : type === "i32" || type === "i64"
          ? "integers look like 42, -1 or 0xff and must fit the type"
          : "references are null or a number",
      },
    );
  }
  return value;
}

/**
 * Reads the arguments of a call.
 *
 * @throws {UsageError} `WrongArgumentCount` or `InvalidArgument`
 */
export function parseValues(texts: readonly string[], type: FunctionType): Value[] {
  if (texts.length !== type.params.length) {
    const wanted = type.params.length === 1 ? "1 argument" : `${type.params.length} arguments`;
    throw new UsageError(
      "WrongArgumentCount",
      `Cannot call the function: it takes ${wanted}, not ${texts.length}`,
      {
        hint: `its type is ${formatType(type)}; arguments follow the file or --`,
      },
    );
  }
  return texts.map((text, position) => parseValue(text, type.params[position]));
}

/**
 * Reads a function type, "(i32, i64) -> (f32)"; parentheses and spaces are optional.
 *
 * @throws {UsageError} `InvalidType`
 */
export function parseType(text: string): FunctionType {
  const sides = text.replaceAll(/[()\s]/g, "").split("->");
  const [params, results = []] = sides.map((side) => side === "" ? [] : side.split(","));
  const wrong = [...params, ...results].find((word) => !TYPES.includes(word as ValueType));
  if (sides.length > 2 || wrong !== undefined) {
    throw new UsageError("InvalidType", `Cannot use type ${text}: ${wrong ?? text} is not a value type`, {
      hint: `a type looks like "(i32, i64) -> (f64)", of ${TYPES.join(", ")}`,
    });
  }
  return { params: params as ValueType[], results: results as ValueType[] };
}

/** A function type for people: "(i32, i64) -> (f32)". */
export function formatType({ params, results }: FunctionType): string {
  return `(${params.join(", ")}) -> (${results.join(", ")})`;
}

/** Shortest decimal that rounds to the same f32; the f64 digits of a rounded number say nothing. */
function shortestF32(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

/** A value for people; `parseValue` reads it back. */
export function formatValue(value: Value, type: ValueType): string {
  if (type !== "f32" && type !== "f64" || typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0";
  return type === "f32" ? shortestF32(value) : String(value);
}

/** A value in JSON: a number where JSON can hold it, else the text of `formatValue`. */
export function jsonValue(value: Value, type: ValueType): number | string | null {
  if (value === null) return null;
  const exact = typeof value === "number" && Number.isFinite(value) && !Object.is(value, -0);
  return exact ? value : formatValue(value, type);
}
