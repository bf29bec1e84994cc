/**
 * How Wasm operators map to rWasm, as tables by Wasm opcode (prefix 0xFC at 0x100 + sub-opcode):
 * which are one instruction, which are float operators, what memory accesses do, and how many
 * temporary slots each needs. The heights are the reference's.
 *
 * @module
 */

import { Op, type OpName } from "../isa/opcode.ts";
import { F32, F64, I32, I64 } from "../wasm/module.ts";

/** Runs of Wasm opcodes that map to a run of rWasm opcodes in the same order. */
const RUNS: readonly (readonly [first: number, last: number, op: OpName])[] = [
  [0x45, 0x4f, "I32Eqz"], // … i32.ge_u
  [0x5b, 0x60, "F32Eq"], // … f32.ge
  [0x61, 0x66, "F64Eq"], // … f64.ge
  [0x67, 0x78, "I32Clz"], // … i32.rotr
  [0x83, 0x85, "I32And64"], // … i64.xor
  [0x8b, 0x98, "F32Abs"], // … f32.copysign
  [0x99, 0xa6, "F64Abs"], // … f64.copysign
  [0xa8, 0xab, "I32TruncF32S"], // … i32.trunc_f64_u
  [0xae, 0xb1, "I64TruncF32S"], // … i64.trunc_f64_u
  [0xb2, 0xb5, "F32ConvertI32S"], // … f32.convert_i64_u
  [0xb6, 0xb6, "F32DemoteF64"],
  [0xb7, 0xba, "F64ConvertI32S"], // … f64.convert_i64_u
  [0xbb, 0xbb, "F64PromoteF32"],
  [0xc0, 0xc1, "I32Extend8S"], // … i32.extend16_s
  [0x100, 0x107, "I32TruncSatF32S"], // … i64.trunc_sat_f64_u
  [0x113, 0x116, "I64Add128"], // … i64.mul_wide_u
];

/** rWasm opcode of each Wasm operator that is one instruction, or −1. */
export const DIRECT: Int16Array = directTable();

function directTable(): Int16Array {
  const table = new Int16Array(0x200).fill(-1);
  for (const [first, last, op] of RUNS) {
    for (let opcode = first; opcode <= last; opcode++) table[opcode] = Op[op] + opcode - first;
  }
  return table;
}

/** 1 for each Wasm operator that `floats: "trap"` compiles to a trap. */
export const FLOAT_OPERATOR: Uint8Array = floatTable();

function floatTable(): Uint8Array {
  const table = new Uint8Array(0x200);
  for (const [first, last] of [[0x5b, 0x66], [0x8b, 0xa6], [0xa8, 0xab], [0xae, 0xbb], [0x100, 0x107]]) {
    table.fill(1, first, last + 1);
  }
  for (const opcode of [0x2a, 0x2b, 0x38, 0x39]) table[opcode] = 1; // f32 and f64 load and store
  return table;
}

/** For i64 operators that are a sequence: 1 + temporary slots above the height with their operand; else 0. */
export const INLINE_PEAK: Uint8Array = inlineTable();

function inlineTable(): Uint8Array {
  const table = new Uint8Array(0x200);
  const rows = [
    [0x50, 0], // i64.eqz
    [0x79, 3], // i64.clz
    [0x7a, 3], // i64.ctz
    [0x7b, 1], // i64.popcnt
    [0xa7, 0], // i32.wrap_i64
    [0xac, 3], // i64.extend_i32_s
    [0xad, 2], // i64.extend_i32_u
    [0xc2, 2], // i64.extend8_s
    [0xc3, 2], // i64.extend16_s
    [0xc4, 2], // i64.extend32_s
  ];
  for (const [opcode, peak] of rows) table[opcode] = 1 + peak;
  return table;
}

/** A memory access. */
export interface MemoryAccess {
  /** Type byte of the value. */
  readonly type: number;
  /** Bytes touched. */
  readonly bytes: number;
  /** rWasm opcode; for narrow i64 accesses the one of the low word; unused for full i64 accesses. */
  readonly op: number;
  /** Whether a narrow i64 load extends the sign. */
  readonly signed: boolean;
  /** Whether it writes. */
  readonly store: boolean;
  /** Temporary slots above the height with its operands. */
  readonly peak: number;
}

/** The accesses by Wasm opcode − 0x28, `i32.load` … `i64.store32`. */
export const MEMORY_ACCESS: readonly MemoryAccess[] = [
  load(I32, 4, "I32Load"),
  load(I64, 8, "I32Load", false, 3),
  load(F32, 4, "F32Load"),
  load(F64, 8, "F64Load"),
  load(I32, 1, "I32Load8S"),
  load(I32, 1, "I32Load8U"),
  load(I32, 2, "I32Load16S"),
  load(I32, 2, "I32Load16U"),
  load(I64, 1, "I32Load8S", true, 2),
  load(I64, 1, "I32Load8U", false, 2),
  load(I64, 2, "I32Load16S", true, 2),
  load(I64, 2, "I32Load16U", false, 2),
  load(I64, 4, "I32Load", true, 2),
  load(I64, 4, "I32Load", false, 2),
  store(I32, 4, "I32Store"),
  store(I64, 8, "I32Store", 2),
  store(F32, 4, "F32Store"),
  store(F64, 8, "F64Store"),
  store(I32, 1, "I32Store8"),
  store(I32, 2, "I32Store16"),
  store(I64, 1, "I32Store8"),
  store(I64, 2, "I32Store16"),
  store(I64, 4, "I32Store"),
];

function load(type: number, bytes: number, op: OpName, signed = false, peak = 0): MemoryAccess {
  return { type, bytes, op: Op[op], signed, store: false, peak };
}

function store(type: number, bytes: number, op: OpName, peak = 0): MemoryAccess {
  return { type, bytes, op: Op[op], signed: false, store: true, peak };
}
