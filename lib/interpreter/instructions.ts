/**
 * The lowered instructions as lowering sees them: numbers, words, and what each leaves in or takes from
 * the accumulator, all from the generated file. What they do is in the files of handlers.
 *
 * @module
 */

import { NAMES, OPERANDS, TABLES_BASE64 } from "./loop_bytes.ts";

/** What an instruction leaves in the accumulator, or takes from it. */
export const Value = { None: 0, I32: 1, I64: 2, F32: 3, F64: 4 } as const;

/** Ways to take an operand from the accumulator: most instructions have fewer. */
export const MOST_TAKERS = 3;

const LIST: readonly string[] = NAMES.split(" ");

/** Numbers by name. */
export const HANDLER: { readonly [name: string]: number } = numbers();

function numbers(): { [name: string]: number } {
  const map: { [name: string]: number } = {};
  for (let n = 0; n < LIST.length; n++) map[LIST[n]] = n;
  return map;
}

/** The tables behind each other; those of two bytes an entry come first. */
const bytes = Uint8Array.fromBase64(TABLES_BASE64).buffer;

let at = 0;

function shorts(length: number): Int16Array {
  at += 2 * length;
  return new Int16Array(bytes, at - 2 * length, length);
}

function small(length: number): Uint8Array {
  at += length;
  return new Uint8Array(bytes, at - length, length);
}

/** Numbers of two instructions and of the one that does both, pair by pair. */
const fused = shorts(3 * shorts(1)[0]);

/** Whether an instruction is the first one of such a pair. */
export const BEGINS: Uint8Array = new Uint8Array(LIST.length);

const FUSED = new Map<number, number>();
for (let k = 0; k < fused.length; k += 3) {
  BEGINS[fused[k]] = 1;
  FUSED.set(fused[k] * LIST.length + fused[k + 1], fused[k + 2]);
}

/** The instruction that does what two do, or undefined. */
export function fusedOf(first: number, second: number): number | undefined {
  return FUSED.get(first * LIST.length + second);
}

/** The instruction that leaves its result only in the accumulator, or -1. */
export const ONLY: Int16Array = shorts(LIST.length);

/** The reverse. */
export const STORED: Int16Array = shorts(LIST.length);

/** `MOST_TAKERS` by instruction: the one that takes an operand from the accumulator, or -1. */
export const TAKERS: Int16Array = shorts(MOST_TAKERS * LIST.length);

/** By the same index: the word of that operand. */
export const TAKEN: Uint8Array = small(MOST_TAKERS * LIST.length);

/** By the same index: the word it changes places with, 0 for none. */
export const EXCHANGED: Uint8Array = small(MOST_TAKERS * LIST.length);

/** Words of each instruction; `JumpTable` is followed by its ways. */
export const WORDS: Uint8Array = small(LIST.length);

/** Operands that name slots to be read, by bit. */
export const READS: Uint8Array = small(LIST.length);

/** Those of them that name two slots, by bit. */
export const READS_WIDE: Uint8Array = small(LIST.length);

/** What each instruction leaves in the accumulator. */
export const LEAVES: Uint8Array = small(LIST.length);

/** What each instruction takes from the accumulator. */
export const TAKES: Uint8Array = small(LIST.length);

/** Names of the operand words of an instruction. */
export function operandsOf(number: number): readonly string[] {
  const line = OPERANDS.split("\n")[number];
  return line === "" ? [] : line.split(" ");
}

/** Name of an instruction. */
export function nameOf(number: number): string {
  return LIST[number];
}
