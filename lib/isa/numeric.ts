/**
 * The arithmetic of the instruction set: every operation that is not one JavaScript operator, on
 * 32-bit cells (signed int32 numbers) and on floats as numbers. No state, no allocation, no BigInt.
 * The plain loop, constant folding and the tests of faster engines share these definitions; traps
 * are asked for beforehand (`…Trap`), so that the operations themselves are total.
 *
 * @module
 */

import { TrapCode } from "../error.ts";

/** What the `…Trap` functions answer when the operation does not trap. */
export const NO_TRAP = -1;

const TWO_32 = 4294967296;

// ── integers of 32 bits ──────────────────────────────────────────────────────────────────────────

/** Trailing zero bits; 32 for 0. */
export function ctz(a: number): number {
  return a === 0 ? 32 : 31 - Math.clz32(a & -a);
}

/** How many bits are one. */
export function popcnt(a: number): number {
  a = (a - ((a >>> 1) & 0x55555555)) | 0;
  a = ((a & 0x33333333) + ((a >>> 2) & 0x33333333)) | 0;
  a = ((a + (a >>> 4)) | 0) & 0x0f0f0f0f;
  return Math.imul(a, 0x01010101) >>> 24;
}

/** a rotated left by b mod 32. */
export function rotl(a: number, b: number): number {
  return (a << b) | (a >>> -b);
}

/** a rotated right by b mod 32. */
export function rotr(a: number, b: number): number {
  return (a >>> b) | (a << -b);
}

/** The trap of a signed division, or NO_TRAP. */
export function divTrapS(a: number, b: number): number {
  if (b === 0) return TrapCode.IntegerDivisionByZero;
  return a === -2147483648 && b === -1 ? TrapCode.IntegerOverflow : NO_TRAP;
}

/** The trap of an unsigned division or of a remainder, or NO_TRAP. */
export function divTrapU(b: number): number {
  return b === 0 ? TrapCode.IntegerDivisionByZero : NO_TRAP;
}

/** Signed quotient, toward zero; wraps at −2^31 / −1 and is 0 for b = 0, where the machine traps. */
export function divS(a: number, b: number): number {
  return (a / b) | 0;
}

/** Unsigned quotient; 0 for b = 0, where the machine traps. */
export function divU(a: number, b: number): number {
  return ((a >>> 0) / (b >>> 0)) | 0;
}

/** Signed remainder with the sign of a; 0 for −2^31 mod −1, and for b = 0, where the machine traps. */
export function remS(a: number, b: number): number {
  return (a % b) | 0;
}

/** Unsigned remainder; 0 for b = 0, where the machine traps. */
export function remU(a: number, b: number): number {
  return ((a >>> 0) % (b >>> 0)) | 0;
}

// ── the high words of 64-bit results ─────────────────────────────────────────────────────────────

/** High word of the unsigned 64-bit product; the low word is `Math.imul(a, b)`. */
export function mulHighU(a: number, b: number): number {
  // Schoolbook on 16-bit halves: every intermediate sum stays below 2^32.
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const t = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) | 0;
  const u = (Math.imul(al, bh) + (t & 0xffff)) | 0;
  return (Math.imul(ah, bh) + (t >>> 16) + (u >>> 16)) | 0;
}

/** Carry of the unsigned sum, 0 or 1. */
export function addCarry(a: number, b: number): number {
  return ((a + b) >>> 0) < (a >>> 0) ? 1 : 0;
}

/** High word of a − b as 64 bits: −1 on borrow, else 0. */
export function subBorrow(a: number, b: number): number {
  return (a >>> 0) < (b >>> 0) ? -1 : 0;
}

// ── 128 bits, on cells: words of the operands in place, lowest first ─────────────────────────────

/** cells[at … at+3] += cells[at+4 … at+7], wrapping; the last four keep their content. */
export function add128(cells: Int32Array, at: number): void {
  let carry = 0;
  for (let i = at; i < at + 4; i++) {
    const sum = (cells[i]! >>> 0) + (cells[i + 4]! >>> 0) + carry;
    cells[i] = sum;
    carry = sum >= TWO_32 ? 1 : 0;
  }
}

/** cells[at … at+3] −= cells[at+4 … at+7], wrapping; the last four keep their content. */
export function sub128(cells: Int32Array, at: number): void {
  let borrow = 0;
  for (let i = at; i < at + 4; i++) {
    const difference = (cells[i]! >>> 0) - (cells[i + 4]! >>> 0) - borrow;
    cells[i] = difference;
    borrow = difference < 0 ? 1 : 0;
  }
}

/** cells[at … at+3] := cells[at, at+1] · cells[at+2, at+3], unsigned 64 × 64 → 128. */
export function mulWideU(cells: Int32Array, at: number): void {
  const a0 = cells[at]!, a1 = cells[at + 1]!, b0 = cells[at + 2]!, b1 = cells[at + 3]!;
  // Column sums of at most four words and a carry: far below 2^53, so doubles are exact.
  const column1 = (mulHighU(a0, b0) >>> 0) + (Math.imul(a0, b1) >>> 0) + (Math.imul(a1, b0) >>> 0);
  const column2 = (mulHighU(a0, b1) >>> 0) + (mulHighU(a1, b0) >>> 0) + (Math.imul(a1, b1) >>> 0) +
    Math.floor(column1 / TWO_32);
  const column3 = (mulHighU(a1, b1) >>> 0) + Math.floor(column2 / TWO_32);
  cells[at] = Math.imul(a0, b0);
  cells[at + 1] = column1;
  cells[at + 2] = column2;
  cells[at + 3] = column3;
}

/** cells[at … at+3] := cells[at, at+1] · cells[at+2, at+3], signed 64 × 64 → 128. */
export function mulWideS(cells: Int32Array, at: number): void {
  const a0 = cells[at]!, a1 = cells[at + 1]!, b0 = cells[at + 2]!, b1 = cells[at + 3]!;
  mulWideU(cells, at);
  // A negative operand counts 2^64 too much as unsigned: take the other one off the high half.
  if (a1 < 0) subtractHigh(cells, at, b0, b1);
  if (b1 < 0) subtractHigh(cells, at, a0, a1);
}

function subtractHigh(cells: Int32Array, at: number, low: number, high: number): void {
  const borrow = (cells[at + 2]! >>> 0) < (low >>> 0) ? 1 : 0;
  cells[at + 2] = cells[at + 2]! - low;
  cells[at + 3] = cells[at + 3]! - high - borrow;
}

// ── floats ───────────────────────────────────────────────────────────────────────────────────────

/** Bits of the one NaN that arithmetic yields as f32. */
export const F32_NAN = 0x7fc00000;

/** High word of the one NaN that arithmetic yields as f64; its low word is 0. */
export const F64_NAN_HIGH = 0x7ff80000;

const floatCell = new Float64Array(1);
const f32Cell = new Float32Array(floatCell.buffer, 0, 1);
const intCells = new Int32Array(floatCell.buffer);

/** Bits of x rounded to f32; every NaN becomes the canonical one. */
export function f32Bits(x: number): number {
  if (x !== x) return F32_NAN;
  f32Cell[0] = x;
  return intCells[0]!;
}

/** The f32 with these bits. A NaN's payload does not survive in a JavaScript number. */
export function f32OfBits(bits: number): number {
  intCells[0] = bits;
  return f32Cell[0]!;
}

/** Low word of the bits of x as f64; every NaN becomes the canonical one. */
export function f64Low(x: number): number {
  if (x !== x) return 0;
  floatCell[0] = x;
  return intCells[0]!;
}

/** High word of the bits of x as f64; every NaN becomes the canonical one. */
export function f64High(x: number): number {
  if (x !== x) return F64_NAN_HIGH;
  floatCell[0] = x;
  return intCells[1]!;
}

/** The f64 with these bits. A NaN's payload does not survive in a JavaScript number. */
export function f64OfBits(low: number, high: number): number {
  intCells[0] = low;
  intCells[1] = high;
  return floatCell[0]!;
}

/** |a| on the bits of an f32, or on the high word of an f64. */
export function absBits(a: number): number {
  return a & 0x7fffffff;
}

/** −a on the bits of an f32, or on the high word of an f64. */
export function negBits(a: number): number {
  return a ^ 0x80000000;
}

/** a with the sign of b, on the bits of f32, or on the high words of f64. */
export function copysignBits(a: number, b: number): number {
  return (a & 0x7fffffff) | (b & 0x80000000);
}

/** The smaller; −0 < +0, and NaN if either is NaN. The same for f32 and f64. */
export function min(a: number, b: number): number {
  return Math.min(a, b);
}

/** The greater; −0 < +0, and NaN if either is NaN. The same for f32 and f64. */
export function max(a: number, b: number): number {
  return Math.max(a, b);
}

/** a rounded to an integer, ties to even; keeps the sign of zero. The same for f32 and f64. */
export function nearest(a: number): number {
  // From 2^52 on there is no fraction, and below it the sum a + 2^52 rounds exactly as asked for.
  // The comparison is also false for NaN, which comes back as it is.
  if (!(Math.abs(a) < 4503599627370496)) return a;
  const magnitude = (Math.abs(a) + 4503599627370496) - 4503599627370496;
  return a < 0 || Object.is(a, -0) ? -magnitude : magnitude;
}

// ── float to integer ─────────────────────────────────────────────────────────────────────────────
// An f32 is exact as a number, and between the bound of an f64 and that of an f32 there is no f32:
// one bound serves both.

function truncTrap(x: number, belowLow: number, high: number): number {
  if (x > belowLow && x < high) return NO_TRAP;
  return x !== x ? TrapCode.BadConversionToInteger : TrapCode.IntegerOverflow;
}

/** The trap of a truncation to signed 32 bits, or NO_TRAP. */
export function truncTrapI32S(x: number): number {
  return truncTrap(x, -2147483649, 2147483648);
}

/** The trap of a truncation to unsigned 32 bits, or NO_TRAP. */
export function truncTrapI32U(x: number): number {
  return truncTrap(x, -1, TWO_32);
}

/** The trap of a truncation to signed 64 bits, or NO_TRAP. */
export function truncTrapI64S(x: number): number {
  // Written with the next f64 below −2^63, because −2^63 itself is a result.
  return truncTrap(x, -9223372036854777856, 9223372036854775808);
}

/** The trap of a truncation to unsigned 64 bits, or NO_TRAP. */
export function truncTrapI64U(x: number): number {
  return truncTrap(x, -1, 18446744073709551616);
}

/** Low word of x toward zero as 64 bits two's complement, for x within the signed or unsigned range. */
export function truncLow(x: number): number {
  return x | 0; // toward zero and modulo 2^32, whatever the size
}

/** High word of x toward zero as 64 bits two's complement, for x within the signed or unsigned range. */
export function truncHigh(x: number): number {
  return Math.floor(Math.trunc(x) / TWO_32) | 0;
}

/** x toward zero, clamped to signed 32 bits; NaN is 0. */
export function truncSatI32S(x: number): number {
  return x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0;
}

/** x toward zero, clamped to unsigned 32 bits, as int32; NaN is 0. */
export function truncSatI32U(x: number): number {
  return x >= 4294967295 ? -1 : x > 0 ? x | 0 : 0;
}

/** Low word of x toward zero, clamped to signed 64 bits; NaN is 0. */
export function truncSatI64SLow(x: number): number {
  return x >= 9223372036854775808 ? -1 : x > -9223372036854775808 ? truncLow(x) : 0;
}

/** High word of x toward zero, clamped to signed 64 bits; NaN is 0. */
export function truncSatI64SHigh(x: number): number {
  if (x >= 9223372036854775808) return 0x7fffffff;
  return x <= -9223372036854775808 ? -2147483648 : truncHigh(x);
}

/** Low word of x toward zero, clamped to unsigned 64 bits; NaN is 0. */
export function truncSatI64ULow(x: number): number {
  return x >= 18446744073709551616 ? -1 : x > 0 ? truncLow(x) : 0;
}

/** High word of x toward zero, clamped to unsigned 64 bits; NaN is 0. */
export function truncSatI64UHigh(x: number): number {
  return x >= 18446744073709551616 ? -1 : x > 0 ? truncHigh(x) : 0;
}

// ── integer to float ─────────────────────────────────────────────────────────────────────────────

/** The nearest f64 of a signed 64-bit integer. */
export function f64OfI64S(low: number, high: number): number {
  return high * TWO_32 + (low >>> 0); // the product is exact, the sum rounds once
}

/** The nearest f64 of an unsigned 64-bit integer. */
export function f64OfI64U(low: number, high: number): number {
  return (high >>> 0) * TWO_32 + (low >>> 0);
}

/** The nearest f32 of an unsigned 64-bit integer. */
export function f32OfI64U(low: number, high: number): number {
  const top = high >>> 0;
  // Above 2^53 the way over f64 would round twice. Rounding to odd first (what is cut off leaves a
  // one in the last kept bit) keeps every tie and every side of a tie for the second rounding.
  if (top >= 0x200000) low = (low & ~0x7ff) | ((low & 0x7ff) === 0 ? 0 : 0x800);
  return Math.fround(top * TWO_32 + (low >>> 0));
}

/** The nearest f32 of a signed 64-bit integer. */
export function f32OfI64S(low: number, high: number): number {
  if (high >= 0) return f32OfI64U(low, high);
  // The magnitude of −2^63 is 2^63, which fits as unsigned.
  return -f32OfI64U(-low | 0, (~high + (low === 0 ? 1 : 0)) | 0);
}
