/**
 * The table of rWasm opcodes: name, immediate, stack effect, traps, and the semantics in words.
 * Row k is the dense number k that the code arrays hold; on the wire the 94 integer opcodes are
 * 0 … 93 and the 70 float opcodes 1000 … 1069 (rwasm 0.7.2). Everything that must know an opcode
 * reads it here; `vm/step.ts` repeats the names, in this order, because V8 needs them in its file.
 *
 * @module
 */

import { TRAP_NAMES, type TrapName } from "../error.ts";

/** What follows the opcode on the wire. In the code arrays every immediate is one 32-bit cell. */
export type Immediate =
  | "None" // nothing
  | "U32" // 4 bytes, unsigned
  | "I32" // 4 bytes, two's complement
  | "U16" // 2 bytes
  | "U16x2" // destination u16, source u16; cell = destination << 16 | source
  | "Trap"; // 4 bytes, position in TRAP_NAMES

/**
 * A row: immediate, slots popped, slots pushed, traps of its own, semantics. "a b → r" has the top
 * of the stack on the right; "(2)" marks values of several slots, low word first. The machine tests
 * pops and pushes before it executes; where they depend on the immediate or on a table
 * (`BulkDrop`, syscalls, payload slots) they are 0 here and the case tests for itself. Every opcode
 * that touches the stack can end in StackOverflow, so that trap is not listed.
 */
type Row = readonly [
  immediate: Immediate,
  pops: number,
  pushes: number,
  traps: readonly TrapName[],
  text: string,
];

// deno-fmt-ignore
const rows = {
  Unreachable:        ["None",  0, 0, ["UnreachableCodeReached"], "trap UnreachableCodeReached"],
  Trap:               ["Trap",  0, 0, ["UnreachableCodeReached"], "trap t; ExecutionHalted ends the run as done, InterruptionCalled pauses it"],
  LocalGet:           ["U32",   0, 1, [], "… → … v; v = slot at depth d before the push, 1 = top"],
  LocalSet:           ["U32",   1, 0, [], "… v → …; pops v, then writes it at depth d of what remains"],
  LocalTee:           ["U32",   1, 1, [], "… v → … v; writes the top at depth d, the top counting as 1"],
  Br:                 ["I32",   0, 0, [], "pc := pc + o"],
  BrIfEqz:            ["I32",   1, 0, [], "c →; c = 0: pc := pc + o"],
  BrIfNez:            ["I32",   1, 0, [], "c →; c ≠ 0: pc := pc + o"],
  BrTable:            ["U32",   1, 0, ["UnreachableCodeReached"], "i →; pc := pc + 1 + 2·min(i unsigned, n − 1); n = 0 traps"],
  ConsumeFuel:        ["U32",   0, 0, ["OutOfFuel"], "charge f"],
  ConsumeFuelStack:   ["None",  1, 0, ["OutOfFuel"], "f →; charge f unsigned"],
  Return:             ["None",  0, 0, [], "pops a return address and jumps; ends the run when there is none"],
  ReturnCallInternal: ["U32",   0, 0, [], "pc := p; call stack untouched"],
  ReturnCall:         ["U32",   0, 0, ["UnknownExternalFunction", "BadSignature"], "args → results; the same as Call: it does not return"],
  ReturnCallIndirect: ["U32",   0, 0, ["TableOutOfBounds", "IndirectCallToNull", "UnreachableCodeReached"], "… i →; as CallIndirect without a return address; the next slot holds TableGet(t)"],
  CallInternal:       ["U32",   0, 0, [], "pushes pc + 1 on the call stack; pc := p"],
  Call:               ["U32",   0, 0, ["UnknownExternalFunction", "BadSignature"], "args → results; syscall s"],
  CallIndirect:       ["U32",   0, 0, ["TableOutOfBounds", "IndirectCallToNull", "UnreachableCodeReached"], "… i →; calls element i of the table of the next slot, TableGet(t)"],
  SignatureCheck:     ["U32",   0, 0, ["BadSignature"], "takes the pending signature; one that differs traps"],
  StackCheck:         ["U32",   0, 0, [], "reserves h slots"],
  RefFunc:            ["U32",   0, 1, [], "→ p; a code index, 0 = null reference"],
  I32Const:           ["I32",   0, 1, [], "→ v"],
  Drop:               ["None",  1, 0, [], "v →"],
  Select:             ["None",  3, 1, [], "a b c → c ≠ 0 ? a : b"],
  GlobalGet:          ["U32",   0, 1, [], "→ word w, 0 if never set"],
  GlobalSet:          ["U32",   1, 0, [], "v →; word w := v"],
  I32Load:            ["U32",   1, 1, ["MemoryOutOfBounds"], "a → 4 bytes at a + off"],
  I32Load8S:          ["U32",   1, 1, ["MemoryOutOfBounds"], "a → byte, sign extended"],
  I32Load8U:          ["U32",   1, 1, ["MemoryOutOfBounds"], "a → byte, zero extended"],
  I32Load16S:         ["U32",   1, 1, ["MemoryOutOfBounds"], "a → 2 bytes, sign extended"],
  I32Load16U:         ["U32",   1, 1, ["MemoryOutOfBounds"], "a → 2 bytes, zero extended"],
  I32Store:           ["U32",   2, 0, ["MemoryOutOfBounds"], "a v →; 4 bytes"],
  I32Store8:          ["U32",   2, 0, ["MemoryOutOfBounds"], "a v →; low byte"],
  I32Store16:         ["U32",   2, 0, ["MemoryOutOfBounds"], "a v →; low 2 bytes"],
  MemorySize:         ["None",  0, 1, [], "→ pages"],
  MemoryGrow:         ["None",  1, 1, [], "delta → old pages, or −1 when refused"],
  MemoryFill:         ["None",  3, 0, ["MemoryOutOfBounds"], "d v n →"],
  MemoryCopy:         ["None",  3, 0, ["MemoryOutOfBounds"], "d s n →; overlap-safe"],
  MemoryInit:         ["U32",   3, 0, ["MemoryOutOfBounds"], "d s n →; copies from the data section, empty when bit seg is dropped"],
  DataDrop:           ["U32",   0, 0, ["MemoryOutOfBounds"], "sets drop bit seg; seg > 100000 traps"],
  TableSize:          ["U16",   0, 1, [], "→ n"],
  TableGrow:          ["U16",   2, 1, [], "init delta → old size, or −1 when refused"],
  TableFill:          ["U16",   3, 0, ["TableOutOfBounds"], "i v n →"],
  TableGet:           ["U16",   1, 1, ["TableOutOfBounds"], "i → v"],
  TableSet:           ["U16",   2, 0, ["TableOutOfBounds"], "i v →"],
  TableCopy:          ["U16x2", 3, 0, ["TableOutOfBounds"], "d s n →; overlap-safe within one table"],
  TableInit:          ["U32",   0, 0, ["TableOutOfBounds", "UnreachableCodeReached"], "d s n →; copies from the element section into the table of the next slot, TableGet(t)"],
  ElemDrop:           ["U32",   0, 0, ["TableOutOfBounds"], "sets drop bit seg; seg > 100000 traps"],
  I32Eqz:             ["None",  1, 1, [], "a → a = 0"],
  I32Eq:              ["None",  2, 1, [], "a b → a = b"],
  I32Ne:              ["None",  2, 1, [], "a b → a ≠ b"],
  I32LtS:             ["None",  2, 1, [], "a b → a < b signed"],
  I32LtU:             ["None",  2, 1, [], "a b → a < b unsigned"],
  I32GtS:             ["None",  2, 1, [], "a b → a > b signed"],
  I32GtU:             ["None",  2, 1, [], "a b → a > b unsigned"],
  I32LeS:             ["None",  2, 1, [], "a b → a ≤ b signed"],
  I32LeU:             ["None",  2, 1, [], "a b → a ≤ b unsigned"],
  I32GeS:             ["None",  2, 1, [], "a b → a ≥ b signed"],
  I32GeU:             ["None",  2, 1, [], "a b → a ≥ b unsigned"],
  I32Clz:             ["None",  1, 1, [], "a → leading zeros, 32 for 0"],
  I32Ctz:             ["None",  1, 1, [], "a → trailing zeros, 32 for 0"],
  I32Popcnt:          ["None",  1, 1, [], "a → ones"],
  I32Add:             ["None",  2, 1, [], "a b → a + b wrapping"],
  I32Sub:             ["None",  2, 1, [], "a b → a − b wrapping"],
  I32Mul:             ["None",  2, 1, [], "a b → a · b wrapping"],
  I32DivS:            ["None",  2, 1, ["IntegerDivisionByZero", "IntegerOverflow"], "a b → a / b signed"],
  I32DivU:            ["None",  2, 1, ["IntegerDivisionByZero"], "a b → a / b unsigned"],
  I32RemS:            ["None",  2, 1, ["IntegerDivisionByZero"], "a b → a mod b signed; −2^31 mod −1 = 0"],
  I32RemU:            ["None",  2, 1, ["IntegerDivisionByZero"], "a b → a mod b unsigned"],
  I32And:             ["None",  2, 1, [], "a b → a & b"],
  I32Or:              ["None",  2, 1, [], "a b → a | b"],
  I32Xor:             ["None",  2, 1, [], "a b → a ^ b"],
  I32Shl:             ["None",  2, 1, [], "a b → a << b mod 32"],
  I32ShrS:            ["None",  2, 1, [], "a b → a >> b mod 32 signed"],
  I32ShrU:            ["None",  2, 1, [], "a b → a >> b mod 32 unsigned"],
  I32Rotl:            ["None",  2, 1, [], "a b → a rotated left by b mod 32"],
  I32Rotr:            ["None",  2, 1, [], "a b → a rotated right by b mod 32"],
  I32WrapI64:         ["None",  1, 1, [], "v → v; no effect"],
  I32Extend8S:        ["None",  1, 1, [], "a → low byte, sign extended"],
  I32Extend16S:       ["None",  1, 1, [], "a → low 2 bytes, sign extended"],
  I32Mul64:           ["None",  2, 2, [], "a b → lo hi of the unsigned product"],
  I32Add64:           ["None",  2, 2, [], "a b → lo hi of the unsigned sum, hi = carry"],
  BulkConst:          ["U32",   0, 0, [], "→ 0 × min(n, 8192)"],
  BulkDrop:           ["U32",   0, 0, [], "n slots →"],
  I32And64:           ["None",  4, 2, [], "alo ahi blo bhi → lo hi of a & b"],
  I32Or64:            ["None",  4, 2, [], "alo ahi blo bhi → lo hi of a | b"],
  I32Xor64:           ["None",  4, 2, [], "alo ahi blo bhi → lo hi of a ^ b"],
  I32Sub64:           ["None",  2, 2, [], "a b → lo hi; lo = a − b, hi = −1 on borrow, else 0"],
  I64Const32S:        ["I32",   0, 2, [], "→ v hi; hi = copies of bit 31 of v"],
  I64Const32U:        ["U32",   0, 2, [], "→ v 0"],
  I64Add128:          ["None",  8, 4, [], "a(4) b(4) → a + b wrapping"],
  I64Sub128:          ["None",  8, 4, [], "a(4) b(4) → a − b wrapping"],
  I64MulWideS:        ["None",  4, 4, [], "a(2) b(2) → signed 128-bit product"],
  I64MulWideU:        ["None",  4, 4, [], "a(2) b(2) → unsigned 128-bit product"],
  // ── wire codes 1000 … 1069 ──
  F32Load:            ["U32",   1, 1, ["MemoryOutOfBounds"], "a → f32"],
  F64Load:            ["U32",   1, 2, ["MemoryOutOfBounds"], "a → f64"],
  F32Store:           ["U32",   2, 0, ["MemoryOutOfBounds"], "a v →"],
  F64Store:           ["U32",   3, 0, ["MemoryOutOfBounds"], "a v(2) →"],
  F32Eq:              ["None",  2, 1, [], "a b → a = b"],
  F32Ne:              ["None",  2, 1, [], "a b → a ≠ b"],
  F32Lt:              ["None",  2, 1, [], "a b → a < b"],
  F32Gt:              ["None",  2, 1, [], "a b → a > b"],
  F32Le:              ["None",  2, 1, [], "a b → a ≤ b"],
  F32Ge:              ["None",  2, 1, [], "a b → a ≥ b"],
  F64Eq:              ["None",  4, 1, [], "a(2) b(2) → a = b"],
  F64Ne:              ["None",  4, 1, [], "a(2) b(2) → a ≠ b"],
  F64Lt:              ["None",  4, 1, [], "a(2) b(2) → a < b"],
  F64Gt:              ["None",  4, 1, [], "a(2) b(2) → a > b"],
  F64Le:              ["None",  4, 1, [], "a(2) b(2) → a ≤ b"],
  F64Ge:              ["None",  4, 1, [], "a(2) b(2) → a ≥ b"],
  F32Abs:             ["None",  1, 1, [], "a → |a|, a sign-bit operation"],
  F32Neg:             ["None",  1, 1, [], "a → −a, a sign-bit operation"],
  F32Ceil:            ["None",  1, 1, [], "a → a rounded up"],
  F32Floor:           ["None",  1, 1, [], "a → a rounded down"],
  F32Trunc:           ["None",  1, 1, [], "a → a rounded to zero"],
  F32Nearest:         ["None",  1, 1, [], "a → a rounded, ties to even"],
  F32Sqrt:            ["None",  1, 1, [], "a → √a"],
  F32Add:             ["None",  2, 1, [], "a b → a + b"],
  F32Sub:             ["None",  2, 1, [], "a b → a − b"],
  F32Mul:             ["None",  2, 1, [], "a b → a · b"],
  F32Div:             ["None",  2, 1, [], "a b → a / b"],
  F32Min:             ["None",  2, 1, [], "a b → the smaller, −0 < +0"],
  F32Max:             ["None",  2, 1, [], "a b → the greater, −0 < +0"],
  F32Copysign:        ["None",  2, 1, [], "a b → a with the sign bit of b"],
  F64Abs:             ["None",  2, 2, [], "a(2) → |a|, a sign-bit operation"],
  F64Neg:             ["None",  2, 2, [], "a(2) → −a, a sign-bit operation"],
  F64Ceil:            ["None",  2, 2, [], "a(2) → a rounded up"],
  F64Floor:           ["None",  2, 2, [], "a(2) → a rounded down"],
  F64Trunc:           ["None",  2, 2, [], "a(2) → a rounded to zero"],
  F64Nearest:         ["None",  2, 2, [], "a(2) → a rounded, ties to even"],
  F64Sqrt:            ["None",  2, 2, [], "a(2) → √a"],
  F64Add:             ["None",  4, 2, [], "a(2) b(2) → a + b"],
  F64Sub:             ["None",  4, 2, [], "a(2) b(2) → a − b"],
  F64Mul:             ["None",  4, 2, [], "a(2) b(2) → a · b"],
  F64Div:             ["None",  4, 2, [], "a(2) b(2) → a / b"],
  F64Min:             ["None",  4, 2, [], "a(2) b(2) → the smaller, −0 < +0"],
  F64Max:             ["None",  4, 2, [], "a(2) b(2) → the greater, −0 < +0"],
  F64Copysign:        ["None",  4, 2, [], "a(2) b(2) → a with the sign bit of b"],
  I32TruncF32S:       ["None",  1, 1, ["BadConversionToInteger", "IntegerOverflow"], "a → i32 signed, toward zero"],
  I32TruncF32U:       ["None",  1, 1, ["BadConversionToInteger", "IntegerOverflow"], "a → i32 unsigned, toward zero"],
  I32TruncF64S:       ["None",  2, 1, ["BadConversionToInteger", "IntegerOverflow"], "a(2) → i32 signed, toward zero"],
  I32TruncF64U:       ["None",  2, 1, ["BadConversionToInteger", "IntegerOverflow"], "a(2) → i32 unsigned, toward zero"],
  I64TruncF32S:       ["None",  1, 2, ["BadConversionToInteger", "IntegerOverflow"], "a → i64 signed, toward zero"],
  I64TruncF32U:       ["None",  1, 2, ["BadConversionToInteger", "IntegerOverflow"], "a → i64 unsigned, toward zero"],
  I64TruncF64S:       ["None",  2, 2, ["BadConversionToInteger", "IntegerOverflow"], "a(2) → i64 signed, toward zero"],
  I64TruncF64U:       ["None",  2, 2, ["BadConversionToInteger", "IntegerOverflow"], "a(2) → i64 unsigned, toward zero"],
  F32ConvertI32S:     ["None",  1, 1, [], "a → f32, rounded once"],
  F32ConvertI32U:     ["None",  1, 1, [], "a → f32, rounded once"],
  F32ConvertI64S:     ["None",  2, 1, [], "a(2) → f32, rounded once"],
  F32ConvertI64U:     ["None",  2, 1, [], "a(2) → f32, rounded once"],
  F32DemoteF64:       ["None",  2, 1, [], "a(2) → f32"],
  F64ConvertI32S:     ["None",  1, 2, [], "a → f64"],
  F64ConvertI32U:     ["None",  1, 2, [], "a → f64"],
  F64ConvertI64S:     ["None",  2, 2, [], "a(2) → f64"],
  F64ConvertI64U:     ["None",  2, 2, [], "a(2) → f64"],
  F64PromoteF32:      ["None",  1, 2, [], "a → f64"],
  I32TruncSatF32S:    ["None",  1, 1, [], "a → i32 signed, clamped, NaN = 0"],
  I32TruncSatF32U:    ["None",  1, 1, [], "a → i32 unsigned, clamped, NaN = 0"],
  I32TruncSatF64S:    ["None",  2, 1, [], "a(2) → i32 signed, clamped, NaN = 0"],
  I32TruncSatF64U:    ["None",  2, 1, [], "a(2) → i32 unsigned, clamped, NaN = 0"],
  I64TruncSatF32S:    ["None",  1, 2, [], "a → i64 signed, clamped, NaN = 0"],
  I64TruncSatF32U:    ["None",  1, 2, [], "a → i64 unsigned, clamped, NaN = 0"],
  I64TruncSatF64S:    ["None",  2, 2, [], "a(2) → i64 signed, clamped, NaN = 0"],
  I64TruncSatF64U:    ["None",  2, 2, [], "a(2) → i64 unsigned, clamped, NaN = 0"],
} as const satisfies Record<string, Row>;

/** Name of an opcode, as in the reference. */
export type OpName = keyof typeof rows;

/** Names by dense number. */
export const OP_NAMES: readonly OpName[] = Object.freeze(Object.keys(rows) as OpName[]);

/** How many opcodes there are. */
export const OP_COUNT: number = OP_NAMES.length;

/** Dense number of each opcode. */
export const Op: { readonly [Name in OpName]: number } = Object.freeze(
  Object.fromEntries(OP_NAMES.map((name, op) => [name, op])),
) as { readonly [Name in OpName]: number };

const row = (op: number): Row => rows[OP_NAMES[op]!];
const column = (of: (op: number) => number): Uint8Array => Uint8Array.from(OP_NAMES, (_, op) => of(op));

/** Slots each opcode pops, as far as the opcode alone decides it. */
export const POPS: Uint8Array = column((op) => row(op)[1]);

/** Slots each opcode pushes, as far as the opcode alone decides it. */
export const PUSHES: Uint8Array = column((op) => row(op)[2]);

/** Immediate of an opcode. */
export function immediateOf(op: number): Immediate {
  return row(op)[0];
}

/**
 * Lowest and highest immediate of an opcode as people write it, before it becomes a 32-bit cell;
 * undefined when it has none. A constant may be written signed or as its bits.
 */
export function immediateRange(op: number): readonly [low: number, high: number] | undefined {
  switch (immediateOf(op)) {
    case "None":
      return undefined;
    case "U32":
    case "U16x2":
      return [0, 0xffff_ffff];
    case "I32":
      return [-0x8000_0000, op === Op.I32Const || op === Op.I64Const32S ? 0xffff_ffff : 0x7fff_ffff];
    case "U16":
      return [0, 0xffff];
    case "Trap":
      return [0, TRAP_NAMES.length - 1];
  }
}

/** Traps of an opcode beside StackOverflow. */
export function trapsOf(op: number): readonly TrapName[] {
  return row(op)[3];
}

/** Semantics of an opcode in words. */
export function semanticsOf(op: number): string {
  return row(op)[4];
}

/** First dense number of a float opcode. */
export const FIRST_FLOAT_OP: number = Op.F32Load;

/** Wire code of the first float opcode. */
const FIRST_FLOAT_CODE = 1000;

/** Wire code of a dense number. */
export function wireCode(op: number): number {
  return op < FIRST_FLOAT_OP ? op : op - FIRST_FLOAT_OP + FIRST_FLOAT_CODE;
}

/** Dense number of a wire code (any u32), or -1 when there is no such opcode. */
export function opOfWireCode(code: number): number {
  if (code < FIRST_FLOAT_OP) return code;
  const op = code - FIRST_FLOAT_CODE + FIRST_FLOAT_OP;
  return op >= FIRST_FLOAT_OP && op < OP_COUNT ? op : -1;
}
