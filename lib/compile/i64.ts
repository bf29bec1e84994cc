/**
 * 64-bit integers on a 32-bit machine: the 22 operators that run as calls of shared functions
 * ("snippets", so that call depth counts as in the reference), and the inline sequences of the rest.
 * An i64 is two slots, low word first. Heights are the reference's, so that StackOverflow strikes at
 * the same place; the instruction sequences are our own.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { Op, type OpName } from "../isa/opcode.ts";
import type { Emitter } from "./emitter.ts";
import { type Expression, type Piece, PieceBuilder } from "./snippet.ts";

/** A shared function. */
export interface Snippet {
  /** Text name of the operator, or of the shared part. */
  readonly name: string;
  /** Its `StackCheck`: slots above its arguments. */
  readonly height: number;
  /** Body after the `StackCheck`. */
  readonly body: Piece;
  /** Snippet it calls, or -1. */
  readonly needs: number;
}

const ARGS = ["alo", "ahi", "blo", "bhi"];
const MIN_HIGH = -0x8000_0000;

function snippet(
  name: string,
  height: number,
  write: (code: PieceBuilder) => PieceBuilder,
  needs = -1,
): Snippet {
  return { name, height, body: write(new PieceBuilder(ARGS, height)).finish(), needs };
}

/** Number of the division core in {@link SNIPPETS}. */
const CORE = 22;

/** The low half of a 128-bit sum or difference: operand b is copied on top with garbage above it. */
const viaWide = (name: string, wide: OpName) =>
  snippet(name, 4, (code) => code.push("blo").push("bhi").op("I64Const32U").op(wide).drop(2).op("Return"));

const equality = (name: string, ...last: OpName[]) =>
  snippet(name, 1, (code) => {
    code.op("I32Xor64").op("I32Or");
    for (const op of last) code.op(op);
    return code.op("Return");
  });

/** Compares the high words when they differ, else the low words unsigned. Drops by overwriting. */
const comparison = (name: string, high: OpName, low: OpName) =>
  snippet(name, 2, (code) =>
    code
      .brIfNez("high", ["I32Ne", "ahi", "bhi"])
      .drop().store("ahi").op(low).op("Return")
      .label("high", ARGS)
      .store("blo").op(high).store("alo").op("Return"));

/** Replaces the shift count (blo, bhi) by 2^(count mod 64) and multiplies: 128 bits of a << count. */
function shiftedWide(code: PieceBuilder): PieceBuilder {
  return code
    .push(["I32Shl", 1, "blo"]).store("bhi") // the machine takes the count mod 32
    .brIfNez("upper", ["I32And", "blo", 32])
    .store("blo").push(0).br("multiply")
    .label("upper", ARGS)
    .set("blo", 0)
    .label("multiply", ARGS)
    .op("I64MulWideU");
}

/** Shifts right: below 32 both words mix, from 32 on the high word moves down. */
const shiftRight = (name: string, shift: "I32ShrS" | "I32ShrU") =>
  snippet(name, 3, (code) => {
    code.brIfNez("upper", ["I32And", "blo", 32])
      // (ahi << 1) << (31 - n) instead of ahi << (32 - n), which would do nothing for n = 0
      .set("alo", ["I32Or", ["I32Shl", ["I32Shl", "ahi", 1], ["I32Xor", "blo", -1]], [
        "I32ShrU",
        "alo",
        "blo",
      ]])
      .drop().op(shift).op("Return")
      .label("upper", ARGS)
      .drop();
    return shift === "I32ShrU"
      ? code.op(shift).store("alo").push(0).op("Return")
      : code.set("alo", [shift, "ahi", "blo"]).drop().push(31).op(shift).op("Return");
  });

/** Pushes |x| of the i64 in two named slots. */
function pushAbsolute(code: PieceBuilder, lo: string, hi: string): PieceBuilder {
  const positive = `${hi} is positive`, done = `${hi} done`;
  code.brIfEqz(positive, ["I32ShrU", hi, 31]);
  const before = code.slots();
  return pushNegated(code, lo, hi).br(done).label(positive, before).push(lo).push(hi).label(done);
}

/** Pushes -x of the i64 in two named slots. */
function pushNegated(code: PieceBuilder, lo: string, hi: string): PieceBuilder {
  return code.push(0).push(lo).op("I32Sub64").push(hi).op("I32Sub");
}

const clz = (slot: string): Expression => ["I32Clz", slot];

/** Upper word of (hi, lo) << count; the count is below 32 and may be 0. */
const funnel = (hi: Expression, lo: string, count: Expression): Expression => [
  "I32Or",
  ["I32Shl", hi, count],
  ["I32ShrU", ["I32ShrU", lo, 1], ["I32Xor", count, -1]],
];

/**
 * The next 16-bit digit of (u1, u0) / v for v >= 2^31 and u1 < v: estimated from the upper half of
 * v, at most 2 too large, corrected while the remainder is negative. Leaves the remainder in u1 and
 * appends the digit to q.
 */
function divideDigit(code: PieceBuilder, next: Expression, name: string): PieceBuilder {
  return code
    .let("remainder", ["I32Or", ["I32Shl", "u1", 16], next])
    .let("digit", ["I32DivU", "u1", ["I32ShrU", "v", 16]])
    .set("q", ["I32Add", ["I32Shl", "q", 16], "digit"])
    .set("u1", ["I32ShrU", "u1", 16])
    .push("v").op("I32Mul64")
    .push("u1").op("I32Sub").store("u1")
    .op("I32Sub64").push("u1").op("I32Sub")
    .label(`${name} check`).store("u1")
    .brIfEqz(`${name} done`, "u1")
    .set("q", ["I32Sub", "q", 1])
    .push("v").op("I32Add64").push("u1").op("I32Add").br(`${name} check`)
    .label(`${name} done`, [...ARGS, "v", "u1", "u0", "q", "remainder"])
    .store("u1");
}

/**
 * Unsigned a / b and a mod b: (a, b) → (quotient, remainder). Both below 2^32: one division. Else
 * schoolbook division of a normalized 64-bit number by a 32-bit one, two digits of 16 bits; for
 * b >= 2^32 that estimates the quotient from the upper halves, at most 1 too small after the
 * decrement (Knuth, The Art of Computer Programming 2, 4.3.1).
 */
const core = snippet("i64.divide", 8, (code) => {
  code
    .brIfNez("divisible", ["I32Or", "blo", "bhi"])
    .op("Trap", TrapCode.IntegerDivisionByZero)
    .label("divisible", ARGS)
    .brIfNez("wide", ["I32Or", "ahi", "bhi"])
    .push(["I32DivU", "alo", "blo"]).push(["I32RemU", "alo", "blo"]).store("blo").store("alo").op("Return")
    .label("wide", ARGS)
    .brIfNez("large", "bhi")
    .let("v", ["I32Shl", "blo", clz("blo")])
    .let("u1", funnel(["I32RemU", "ahi", "blo"], "alo", clz("blo")))
    .let("u0", ["I32Shl", "alo", clz("blo")])
    .set("ahi", ["I32DivU", "ahi", "blo"])
    .br("divide")
    .label("large", ARGS)
    .let("v", funnel("bhi", "blo", clz("bhi")))
    .let("u1", ["I32ShrU", "ahi", 1])
    .let("u0", ["I32Or", ["I32Shl", "ahi", 31], ["I32ShrU", "alo", 1]])
    .label("divide", [...ARGS, "v", "u1", "u0"])
    .let("q", 0);
  divideDigit(code, ["I32ShrU", "u0", 16], "first");
  divideDigit(code, ["I32And", "u0", 0xffff], "second");
  return code
    .brIfNez("estimate", "bhi")
    .set("alo", "q").set("blo", ["I32ShrU", "u1", clz("blo")]).drop(4).op("Return")
    .label("estimate", [...ARGS, "v", "u1", "u0", "q"])
    .set("q", ["I32ShrU", "q", ["I32Xor", clz("bhi"), 31]])
    .set("q", ["I32Sub", "q", ["I32Ne", "q", 0]])
    // (u1, u0) = a - q * b
    .push("q").push("blo").op("I32Mul64").names("plo", "phi")
    .push(["I32Mul", "q", "bhi"]).op("I32Add").store("u1")
    .push("alo").push("plo").op("I32Sub64").push("ahi").op("I32Add").push("u1").op("I32Sub")
    .store("u1").store("u0").drop()
    .brIfNez("fits", ["I32LtU", "u1", "bhi"])
    .brIfNez("one more", ["I32Ne", "u1", "bhi"])
    .brIfNez("fits", ["I32LtU", "u0", "blo"])
    .label("one more")
    .set("q", ["I32Add", "q", 1])
    .push("u0").push("blo").op("I32Sub64").push("u1").op("I32Add").push("bhi").op("I32Sub")
    .store("u1").store("u0")
    .label("fits")
    .set("alo", "q").set("ahi", 0).set("blo", "u0").set("bhi", "u1").drop(4).op("Return");
});

const signedDivision = snippet("i64.div_s", 13, (code) => {
  code
    .brIfNez("representable", [
      "I32Or",
      ["I32Or", ["I32Xor", "ahi", MIN_HIGH], "alo"],
      ["I32Xor", ["I32And", "blo", "bhi"], -1],
    ])
    .op("Trap", TrapCode.IntegerOverflow)
    .label("representable", ARGS)
    .let("sign", ["I32Xor", "ahi", "bhi"]);
  pushAbsolute(code, "alo", "ahi");
  pushAbsolute(code, "blo", "bhi")
    .call(CORE, 4, "qlo", "qhi", "rlo", "rhi").drop(2)
    .brIfEqz("positive", ["I32ShrU", "sign", 31]);
  return pushNegated(code, "qlo", "qhi").store("qhi").store("qlo")
    .label("positive").store("ahi").store("alo").drop(3).op("Return");
}, CORE);

const signedRemainder = snippet("i64.rem_s", 13, (code) => {
  pushAbsolute(code, "alo", "ahi");
  pushAbsolute(code, "blo", "bhi")
    .call(CORE, 4, "qlo", "qhi", "rlo", "rhi")
    .brIfEqz("positive", ["I32ShrU", "ahi", 31]);
  return pushNegated(code, "rlo", "rhi").store("rhi").store("rlo")
    .label("positive").store("ahi").store("alo").drop(4).op("Return");
}, CORE);

/** The shared functions; their order here is the number the compiler calls them by. */
export const SNIPPETS: readonly Snippet[] = [
  equality("i64.eq", "I32Eqz"),
  equality("i64.ne", "I32Eqz", "I32Eqz"),
  comparison("i64.lt_s", "I32LtS", "I32LtU"),
  comparison("i64.lt_u", "I32LtU", "I32LtU"),
  comparison("i64.gt_s", "I32GtS", "I32GtU"),
  comparison("i64.gt_u", "I32GtU", "I32GtU"),
  comparison("i64.le_s", "I32LtS", "I32LeU"),
  comparison("i64.le_u", "I32LtU", "I32LeU"),
  comparison("i64.ge_s", "I32GtS", "I32GeU"),
  comparison("i64.ge_u", "I32GtU", "I32GeU"),
  viaWide("i64.add", "I64Add128"),
  viaWide("i64.sub", "I64Sub128"),
  snippet("i64.mul", 5, (code) => code.op("I64MulWideU").drop(2).op("Return")),
  signedDivision,
  snippet(
    "i64.div_u",
    8,
    (code) => code.call(CORE, 4, "qlo", "qhi", "rlo", "rhi").drop(2).op("Return"),
    CORE,
  ),
  signedRemainder,
  snippet(
    "i64.rem_u",
    8,
    (code) => code.call(CORE, 4, "qlo", "qhi", "rlo", "rhi").store("qhi").store("qlo").op("Return"),
    CORE,
  ),
  snippet("i64.shl", 3, (code) => shiftedWide(code).drop(2).op("Return")),
  shiftRight("i64.shr_s", "I32ShrS"),
  shiftRight("i64.shr_u", "I32ShrU"),
  // The bits a multiplication pushes out of the low half are those a rotation brings back.
  snippet("i64.rotl", 4, (code) => shiftedWide(code).op("I32Or64").op("Return")),
  snippet(
    "i64.rotr",
    4,
    (code) => shiftedWide(code.set("blo", ["I32Sub", 0, "blo"])).op("I32Or64").op("Return"),
  ),
  core,
];

/** Snippet of each Wasm opcode, or -1. */
export const SNIPPET_OF: Int8Array = snippetTable();

function snippetTable(): Int8Array {
  const table = new Int8Array(0x200).fill(-1);
  for (let n = 0; n < 10; n++) table[0x51 + n] = n; // i64.eq … i64.ge_u
  for (let n = 0; n < 7; n++) table[0x7c + n] = 10 + n; // i64.add … i64.rem_u
  for (let n = 0; n < 5; n++) table[0x86 + n] = 17 + n; // i64.shl … i64.rotr
  return table;
}

/** Pushes an i64 constant. */
export function emitConst64(code: Emitter, lo: number, hi: number): void {
  if (hi === lo >> 31) code.emit(Op.I64Const32S, lo);
  else if (hi === 0) code.emit(Op.I64Const32U, lo);
  else {
    code.emit(Op.I32Const, lo);
    code.emit(Op.I32Const, hi);
  }
}

/** v → v, and its sign in every bit of the high word. */
function emitSignWord(code: Emitter): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.I32Const, 31);
  code.emit(Op.I32ShrS);
}

/** Emits an i64 operator without memory access that is neither a snippet nor one rWasm opcode. */
export function emitInline64(code: Emitter, opcode: number): void {
  switch (opcode) {
    case 0x50: // i64.eqz
      code.emit(Op.I32Or);
      code.emit(Op.I32Eqz);
      return;
    case 0x79: // i64.clz: of the high word, or 32 + of the low one
      code.emit(Op.LocalGet, 1);
      code.emit(Op.BrIfEqz, 4);
      code.emit(Op.I32Clz);
      code.emit(Op.LocalSet, 1);
      code.emit(Op.Br, 5);
      code.emit(Op.Drop);
      code.emit(Op.I32Clz);
      code.emit(Op.I32Const, 32);
      code.emit(Op.I32Add);
      code.emit(Op.I32Const, 0);
      return;
    case 0x7a: // i64.ctz: of the low word, or 32 + of the high one
      code.emit(Op.LocalGet, 2);
      code.emit(Op.BrIfEqz, 4);
      code.emit(Op.Drop);
      code.emit(Op.I32Ctz);
      code.emit(Op.Br, 5);
      code.emit(Op.I32Ctz);
      code.emit(Op.I32Const, 32);
      code.emit(Op.I32Add);
      code.emit(Op.LocalSet, 1);
      code.emit(Op.I32Const, 0);
      return;
    case 0x7b: // i64.popcnt
      code.emit(Op.I32Popcnt);
      code.emit(Op.LocalGet, 2);
      code.emit(Op.I32Popcnt);
      code.emit(Op.I32Add);
      code.emit(Op.LocalSet, 1);
      code.emit(Op.I32Const, 0);
      return;
    case 0xa7: // i32.wrap_i64
      code.emit(Op.Drop);
      return;
    case 0xac: // i64.extend_i32_s
      emitSignWord(code);
      return;
    case 0xad: // i64.extend_i32_u
      code.emit(Op.I32Const, 0);
      return;
    case 0xc2: // i64.extend8_s
      code.emit(Op.Drop);
      code.emit(Op.I32Extend8S);
      emitSignWord(code);
      return;
    case 0xc3: // i64.extend16_s
      code.emit(Op.Drop);
      code.emit(Op.I32Extend16S);
      emitSignWord(code);
      return;
    default: // 0xc4, i64.extend32_s
      code.emit(Op.Drop);
      emitSignWord(code);
  }
}

/** Loads an i64 from the address on top: the high word first, as the reference does. */
export function emitLoad64(code: Emitter, offset: number): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.I32Load, (offset + 4) | 0);
  code.emit(Op.LocalGet, 2);
  code.emit(Op.I32Load, offset | 0);
  code.emit(Op.LocalSet, 2);
}

/** Loads part of an i64: `load` reads the low word. */
export function emitNarrowLoad64(code: Emitter, load: number, signed: boolean, offset: number): void {
  code.emit(load, offset | 0);
  if (signed) emitSignWord(code);
  else code.emit(Op.I32Const, 0);
}

/** Stores an i64, the high word first: a store across the end of the memory traps before it writes. */
export function emitStore64(code: Emitter, offset: number): void {
  code.emit(Op.LocalGet, 3);
  code.emit(Op.LocalGet, 2);
  code.emit(Op.I32Store, (offset + 4) | 0);
  code.emit(Op.Drop);
  code.emit(Op.I32Store, offset | 0);
}

/** a b c → c ≠ 0 ? a : b for two-slot values; the machine's `Select` takes one slot each. */
export function emitSelect64(code: Emitter): void {
  code.emit(Op.BrIfNez, 4);
  code.emit(Op.LocalSet, 2);
  code.emit(Op.LocalSet, 2);
  code.emit(Op.Br, 2);
  code.emit(Op.BulkDrop, 2);
}
