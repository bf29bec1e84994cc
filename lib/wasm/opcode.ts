/**
 * The table of accepted Wasm operators: code, text name, immediate, operand and result types.
 * Operators with the prefix 0xFC are numbered 0x100 + their sub-opcode. What is not in the table is
 * not accepted; `proposal.ts` knows which proposal it would belong to.
 *
 * @module
 */

import { F32, F64, I32, I64 } from "./module.ts";

/** What follows the operator in the binary. */
export type OperatorImmediate =
  | "none"
  | "block" // block type: 0x40, a value type, or a type index as s33
  | "label" // depth
  | "labels" // count, that many depths, the default depth
  | "function" // function index
  | "type table" // type index, table index
  | "types" // count, that many value types
  | "local" // local index
  | "global" // global index
  | "table" // table index
  | "access" // alignment (a power of two), offset
  | "memory" // one zero byte
  | "i32" // s32
  | "i64" // s64
  | "f32" // 4 bytes
  | "f64" // 8 bytes
  | "reference" // reference type
  | "data memory" // data segment, memory 0
  | "data" // data segment
  | "memory memory" // memory 0, memory 0
  | "memory index" // memory 0
  | "element table" // element segment, table
  | "element" // element segment
  | "table table"; // destination table, source table

/**
 * A row: operand and result types, top of the stack on the right, as letters: i = i32, I = i64,
 * f = f32, F = f64. "*" marks types that depend on the immediate or on what is on the stack.
 * `size` is the power of two of a memory access's bytes, which bounds its alignment.
 */
type Row = readonly [
  code: number,
  name: string,
  immediate: OperatorImmediate,
  operands: string,
  results: string,
  size?: number,
];

// deno-fmt-ignore
const rows: readonly Row[] = [
  [0x00, "unreachable", "none", "*", "*"],
  [0x01, "nop", "none", "", ""],
  [0x02, "block", "block", "*", "*"],
  [0x03, "loop", "block", "*", "*"],
  [0x04, "if", "block", "*", "*"],
  [0x05, "else", "none", "*", "*"],
  [0x0b, "end", "none", "*", "*"],
  [0x0c, "br", "label", "*", "*"],
  [0x0d, "br_if", "label", "*", "*"],
  [0x0e, "br_table", "labels", "*", "*"],
  [0x0f, "return", "none", "*", "*"],
  [0x10, "call", "function", "*", "*"],
  [0x11, "call_indirect", "type table", "*", "*"],
  [0x12, "return_call", "function", "*", "*"],
  [0x13, "return_call_indirect", "type table", "*", "*"],
  [0x1a, "drop", "none", "*", "*"],
  [0x1b, "select", "none", "*", "*"],
  [0x1c, "select", "types", "*", "*"],
  [0x20, "local.get", "local", "", "*"],
  [0x21, "local.set", "local", "*", ""],
  [0x22, "local.tee", "local", "*", "*"],
  [0x23, "global.get", "global", "", "*"],
  [0x24, "global.set", "global", "*", ""],
  [0x25, "table.get", "table", "i", "*"],
  [0x26, "table.set", "table", "*", ""],
  [0x28, "i32.load", "access", "i", "i", 2],
  [0x29, "i64.load", "access", "i", "I", 3],
  [0x2a, "f32.load", "access", "i", "f", 2],
  [0x2b, "f64.load", "access", "i", "F", 3],
  [0x2c, "i32.load8_s", "access", "i", "i", 0],
  [0x2d, "i32.load8_u", "access", "i", "i", 0],
  [0x2e, "i32.load16_s", "access", "i", "i", 1],
  [0x2f, "i32.load16_u", "access", "i", "i", 1],
  [0x30, "i64.load8_s", "access", "i", "I", 0],
  [0x31, "i64.load8_u", "access", "i", "I", 0],
  [0x32, "i64.load16_s", "access", "i", "I", 1],
  [0x33, "i64.load16_u", "access", "i", "I", 1],
  [0x34, "i64.load32_s", "access", "i", "I", 2],
  [0x35, "i64.load32_u", "access", "i", "I", 2],
  [0x36, "i32.store", "access", "ii", "", 2],
  [0x37, "i64.store", "access", "iI", "", 3],
  [0x38, "f32.store", "access", "if", "", 2],
  [0x39, "f64.store", "access", "iF", "", 3],
  [0x3a, "i32.store8", "access", "ii", "", 0],
  [0x3b, "i32.store16", "access", "ii", "", 1],
  [0x3c, "i64.store8", "access", "iI", "", 0],
  [0x3d, "i64.store16", "access", "iI", "", 1],
  [0x3e, "i64.store32", "access", "iI", "", 2],
  [0x3f, "memory.size", "memory", "", "i"],
  [0x40, "memory.grow", "memory", "i", "i"],
  [0x41, "i32.const", "i32", "", "i"],
  [0x42, "i64.const", "i64", "", "I"],
  [0x43, "f32.const", "f32", "", "f"],
  [0x44, "f64.const", "f64", "", "F"],
  [0x45, "i32.eqz", "none", "i", "i"],
  [0x46, "i32.eq", "none", "ii", "i"],
  [0x47, "i32.ne", "none", "ii", "i"],
  [0x48, "i32.lt_s", "none", "ii", "i"],
  [0x49, "i32.lt_u", "none", "ii", "i"],
  [0x4a, "i32.gt_s", "none", "ii", "i"],
  [0x4b, "i32.gt_u", "none", "ii", "i"],
  [0x4c, "i32.le_s", "none", "ii", "i"],
  [0x4d, "i32.le_u", "none", "ii", "i"],
  [0x4e, "i32.ge_s", "none", "ii", "i"],
  [0x4f, "i32.ge_u", "none", "ii", "i"],
  [0x50, "i64.eqz", "none", "I", "i"],
  [0x51, "i64.eq", "none", "II", "i"],
  [0x52, "i64.ne", "none", "II", "i"],
  [0x53, "i64.lt_s", "none", "II", "i"],
  [0x54, "i64.lt_u", "none", "II", "i"],
  [0x55, "i64.gt_s", "none", "II", "i"],
  [0x56, "i64.gt_u", "none", "II", "i"],
  [0x57, "i64.le_s", "none", "II", "i"],
  [0x58, "i64.le_u", "none", "II", "i"],
  [0x59, "i64.ge_s", "none", "II", "i"],
  [0x5a, "i64.ge_u", "none", "II", "i"],
  [0x5b, "f32.eq", "none", "ff", "i"],
  [0x5c, "f32.ne", "none", "ff", "i"],
  [0x5d, "f32.lt", "none", "ff", "i"],
  [0x5e, "f32.gt", "none", "ff", "i"],
  [0x5f, "f32.le", "none", "ff", "i"],
  [0x60, "f32.ge", "none", "ff", "i"],
  [0x61, "f64.eq", "none", "FF", "i"],
  [0x62, "f64.ne", "none", "FF", "i"],
  [0x63, "f64.lt", "none", "FF", "i"],
  [0x64, "f64.gt", "none", "FF", "i"],
  [0x65, "f64.le", "none", "FF", "i"],
  [0x66, "f64.ge", "none", "FF", "i"],
  [0x67, "i32.clz", "none", "i", "i"],
  [0x68, "i32.ctz", "none", "i", "i"],
  [0x69, "i32.popcnt", "none", "i", "i"],
  [0x6a, "i32.add", "none", "ii", "i"],
  [0x6b, "i32.sub", "none", "ii", "i"],
  [0x6c, "i32.mul", "none", "ii", "i"],
  [0x6d, "i32.div_s", "none", "ii", "i"],
  [0x6e, "i32.div_u", "none", "ii", "i"],
  [0x6f, "i32.rem_s", "none", "ii", "i"],
  [0x70, "i32.rem_u", "none", "ii", "i"],
  [0x71, "i32.and", "none", "ii", "i"],
  [0x72, "i32.or", "none", "ii", "i"],
  [0x73, "i32.xor", "none", "ii", "i"],
  [0x74, "i32.shl", "none", "ii", "i"],
  [0x75, "i32.shr_s", "none", "ii", "i"],
  [0x76, "i32.shr_u", "none", "ii", "i"],
  [0x77, "i32.rotl", "none", "ii", "i"],
  [0x78, "i32.rotr", "none", "ii", "i"],
  [0x79, "i64.clz", "none", "I", "I"],
  [0x7a, "i64.ctz", "none", "I", "I"],
  [0x7b, "i64.popcnt", "none", "I", "I"],
  [0x7c, "i64.add", "none", "II", "I"],
  [0x7d, "i64.sub", "none", "II", "I"],
  [0x7e, "i64.mul", "none", "II", "I"],
  [0x7f, "i64.div_s", "none", "II", "I"],
  [0x80, "i64.div_u", "none", "II", "I"],
  [0x81, "i64.rem_s", "none", "II", "I"],
  [0x82, "i64.rem_u", "none", "II", "I"],
  [0x83, "i64.and", "none", "II", "I"],
  [0x84, "i64.or", "none", "II", "I"],
  [0x85, "i64.xor", "none", "II", "I"],
  [0x86, "i64.shl", "none", "II", "I"],
  [0x87, "i64.shr_s", "none", "II", "I"],
  [0x88, "i64.shr_u", "none", "II", "I"],
  [0x89, "i64.rotl", "none", "II", "I"],
  [0x8a, "i64.rotr", "none", "II", "I"],
  [0x8b, "f32.abs", "none", "f", "f"],
  [0x8c, "f32.neg", "none", "f", "f"],
  [0x8d, "f32.ceil", "none", "f", "f"],
  [0x8e, "f32.floor", "none", "f", "f"],
  [0x8f, "f32.trunc", "none", "f", "f"],
  [0x90, "f32.nearest", "none", "f", "f"],
  [0x91, "f32.sqrt", "none", "f", "f"],
  [0x92, "f32.add", "none", "ff", "f"],
  [0x93, "f32.sub", "none", "ff", "f"],
  [0x94, "f32.mul", "none", "ff", "f"],
  [0x95, "f32.div", "none", "ff", "f"],
  [0x96, "f32.min", "none", "ff", "f"],
  [0x97, "f32.max", "none", "ff", "f"],
  [0x98, "f32.copysign", "none", "ff", "f"],
  [0x99, "f64.abs", "none", "F", "F"],
  [0x9a, "f64.neg", "none", "F", "F"],
  [0x9b, "f64.ceil", "none", "F", "F"],
  [0x9c, "f64.floor", "none", "F", "F"],
  [0x9d, "f64.trunc", "none", "F", "F"],
  [0x9e, "f64.nearest", "none", "F", "F"],
  [0x9f, "f64.sqrt", "none", "F", "F"],
  [0xa0, "f64.add", "none", "FF", "F"],
  [0xa1, "f64.sub", "none", "FF", "F"],
  [0xa2, "f64.mul", "none", "FF", "F"],
  [0xa3, "f64.div", "none", "FF", "F"],
  [0xa4, "f64.min", "none", "FF", "F"],
  [0xa5, "f64.max", "none", "FF", "F"],
  [0xa6, "f64.copysign", "none", "FF", "F"],
  [0xa7, "i32.wrap_i64", "none", "I", "i"],
  [0xa8, "i32.trunc_f32_s", "none", "f", "i"],
  [0xa9, "i32.trunc_f32_u", "none", "f", "i"],
  [0xaa, "i32.trunc_f64_s", "none", "F", "i"],
  [0xab, "i32.trunc_f64_u", "none", "F", "i"],
  [0xac, "i64.extend_i32_s", "none", "i", "I"],
  [0xad, "i64.extend_i32_u", "none", "i", "I"],
  [0xae, "i64.trunc_f32_s", "none", "f", "I"],
  [0xaf, "i64.trunc_f32_u", "none", "f", "I"],
  [0xb0, "i64.trunc_f64_s", "none", "F", "I"],
  [0xb1, "i64.trunc_f64_u", "none", "F", "I"],
  [0xb2, "f32.convert_i32_s", "none", "i", "f"],
  [0xb3, "f32.convert_i32_u", "none", "i", "f"],
  [0xb4, "f32.convert_i64_s", "none", "I", "f"],
  [0xb5, "f32.convert_i64_u", "none", "I", "f"],
  [0xb6, "f32.demote_f64", "none", "F", "f"],
  [0xb7, "f64.convert_i32_s", "none", "i", "F"],
  [0xb8, "f64.convert_i32_u", "none", "i", "F"],
  [0xb9, "f64.convert_i64_s", "none", "I", "F"],
  [0xba, "f64.convert_i64_u", "none", "I", "F"],
  [0xbb, "f64.promote_f32", "none", "f", "F"],
  [0xbc, "i32.reinterpret_f32", "none", "f", "i"],
  [0xbd, "i64.reinterpret_f64", "none", "F", "I"],
  [0xbe, "f32.reinterpret_i32", "none", "i", "f"],
  [0xbf, "f64.reinterpret_i64", "none", "I", "F"],
  [0xc0, "i32.extend8_s", "none", "i", "i"],
  [0xc1, "i32.extend16_s", "none", "i", "i"],
  [0xc2, "i64.extend8_s", "none", "I", "I"],
  [0xc3, "i64.extend16_s", "none", "I", "I"],
  [0xc4, "i64.extend32_s", "none", "I", "I"],
  [0xd0, "ref.null", "reference", "", "*"],
  [0xd1, "ref.is_null", "none", "*", "i"],
  [0xd2, "ref.func", "function", "", "*"],
  [0x100, "i32.trunc_sat_f32_s", "none", "f", "i"],
  [0x101, "i32.trunc_sat_f32_u", "none", "f", "i"],
  [0x102, "i32.trunc_sat_f64_s", "none", "F", "i"],
  [0x103, "i32.trunc_sat_f64_u", "none", "F", "i"],
  [0x104, "i64.trunc_sat_f32_s", "none", "f", "I"],
  [0x105, "i64.trunc_sat_f32_u", "none", "f", "I"],
  [0x106, "i64.trunc_sat_f64_s", "none", "F", "I"],
  [0x107, "i64.trunc_sat_f64_u", "none", "F", "I"],
  [0x108, "memory.init", "data memory", "iii", ""],
  [0x109, "data.drop", "data", "", ""],
  [0x10a, "memory.copy", "memory memory", "iii", ""],
  [0x10b, "memory.fill", "memory index", "iii", ""],
  [0x10c, "table.init", "element table", "iii", ""],
  [0x10d, "elem.drop", "element", "", ""],
  [0x10e, "table.copy", "table table", "iii", ""],
  [0x10f, "table.grow", "table", "*", "i"],
  [0x110, "table.size", "table", "", "i"],
  [0x111, "table.fill", "table", "*", ""],
  [0x113, "i64.add128", "none", "IIII", "II"],
  [0x114, "i64.sub128", "none", "IIII", "II"],
  [0x115, "i64.mul_wide_s", "none", "II", "II"],
  [0x116, "i64.mul_wide_u", "none", "II", "II"],
];

/** Number of operator codes, accepted or not: codes are 0 … this − 1. */
export const OPERATOR_CODES = 0x117;

/** An accepted operator. */
export interface Operator {
  /** Its code; 0x100 + sub-opcode for the prefix 0xFC. */
  readonly code: number;
  /** Its name in the text format. */
  readonly name: string;
  /** What follows it. */
  readonly immediate: OperatorImmediate;
  /** Operand type bytes, top of the stack last; undefined when they depend on the context. */
  readonly operands: Uint8Array | undefined;
  /** Result type bytes; undefined when they depend on the context. */
  readonly results: Uint8Array | undefined;
  /** Power of two of the bytes a memory access touches; −1 for all others. */
  readonly size: number;
}

const LETTERS: { readonly [letter: string]: number } = { i: I32, I: I64, f: F32, F: F64 };

function typeBytes(letters: string): Uint8Array | undefined {
  return letters === "*" ? undefined : Uint8Array.from(letters, (letter) => LETTERS[letter]);
}

/** Accepted operators by code; undefined at the codes that are not accepted. */
export const OPERATORS: readonly (Operator | undefined)[] = (() => {
  const operators: (Operator | undefined)[] = new Array(OPERATOR_CODES).fill(undefined);
  for (const [code, name, immediate, operands, results, size = -1] of rows) {
    const types = { operands: typeBytes(operands), results: typeBytes(results) };
    operators[code] = { code, name, immediate, ...types, size };
  }
  return operators;
})();

/**
 * Types of the operators that have one or two operands, at most one result, and no immediate but a
 * memory access, packed so that a validator handles all of them on one path; 0 for all others.
 *
 * ```
 *  30      26 25      24 23      16 15          8 7         0
 * ┌──────────┬──────────┬──────────┬─────────────┬───────────┐
 * │ size + 1 │ operands │ result   │ 2nd operand │ top       │   types as bytes, 0 = none
 * └──────────┴──────────┴──────────┴─────────────┴───────────┘
 * ```
 *
 * `size + 1` is 0 without a memory access.
 */
export const SHAPES: Int32Array = (() => {
  const shapes = new Int32Array(OPERATOR_CODES);
  for (const operator of OPERATORS) {
    if (operator?.operands === undefined || operator.results === undefined) continue;
    const { code, immediate, operands, results, size } = operator;
    if (immediate !== "none" && immediate !== "access") continue;
    if (operands.length < 1 || operands.length > 2 || results.length > 1) continue;
    const top = operands[operands.length - 1];
    const second = operands.length === 2 ? operands[0] : 0;
    shapes[code] = (size + 1) << 26 | operands.length << 24 | (results[0] ?? 0) << 16 | second << 8 | top;
  }
  return shapes;
})();

/** Name of an operator, accepted or not, for messages. */
export function operatorName(code: number): string {
  const name = OPERATORS[code]?.name;
  if (name !== undefined) return name;
  return code < 0x100
    ? `operator 0x${code.toString(16).padStart(2, "0")}`
    : `operator 0xfc 0x${(code - 0x100).toString(16).padStart(2, "0")}`;
}
