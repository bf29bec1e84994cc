/**
 * Sequences of rWasm that mean one 64-bit operation, found by their exact code. The sequences are not
 * written down here: they are what the compiler emits for the operators, recorded when this file is
 * loaded. What a sequence means does not depend on who wrote it.
 *
 * @module
 */

import { Emitter } from "../compile/emitter.ts";
import { emitInline64, emitSelect64 } from "../compile/i64.ts";
import { Op } from "../isa/opcode.ts";
import type { RwasmModule } from "../isa/module.ts";
import { handler } from "./selection.ts";

/** A sequence and what it means. */
export interface Idiom {
  /** Its code. */
  readonly opcodes: Uint8Array;
  /** Its immediates; branches are relative. */
  readonly immediates: Int32Array;
  /** By position, with the one behind the end: branches of the sequence that lead there. */
  readonly arrivals: Uint8Array;
  /** The one operation. */
  readonly handler: number;
  /** How operands are taken from the stack. */
  readonly form: Form;
}

/** Operands and results of an idiom, low word first. */
export enum Form {
  /** a(2) → r(2) */
  Pair,
  /** a(2) → r(1) */
  Test,
  /** a → r(2) */
  Widen,
  /** a _ → r(2): the high word does not matter */
  WidenLow,
  /** a(2) b(2) c → r(2) */
  Select,
}

function record(name: string, form: Form, emit: (code: Emitter) => void): Idiom {
  const code = new Emitter(32, 32);
  emit(code);
  const opcodes = code.opcodes.slice(0, code.length), immediates = code.immediates.slice(0, code.length);
  const arrivals = new Uint8Array(code.length + 1);
  opcodes.forEach((op, at) => {
    if (isBranch(op)) arrivals[at + immediates[at]]++;
  });
  return { opcodes, immediates, arrivals, handler: handler(name), form };
}

/** Whether an opcode jumps within its function, by its immediate. */
export function isBranch(op: number): boolean {
  return op === Op.Br || op === Op.BrIfEqz || op === Op.BrIfNez;
}

/** Longer ones first: one may be the beginning of another. */
const IDIOMS: readonly Idiom[] = [
  record("Clz64", Form.Pair, (code) => emitInline64(code, 0x79)),
  record("Ctz64", Form.Pair, (code) => emitInline64(code, 0x7a)),
  record("Popcnt64", Form.Pair, (code) => emitInline64(code, 0x7b)),
  record("Extend8S64", Form.WidenLow, (code) => emitInline64(code, 0xc2)),
  record("Extend16S64", Form.WidenLow, (code) => emitInline64(code, 0xc3)),
  record("Select64", Form.Select, emitSelect64),
  record("ExtendS", Form.WidenLow, (code) => emitInline64(code, 0xc4)),
  record("ExtendS", Form.Widen, (code) => emitInline64(code, 0xac)),
  record("Eqz64", Form.Test, (code) => emitInline64(code, 0x50)),
].sort((a, b) => b.opcodes.length - a.opcodes.length);

/** The idioms that begin with an opcode, or undefined. */
export const IDIOMS_BY_OPCODE: readonly (readonly Idiom[] | undefined)[] = Array.from(
  { length: 256 },
  (_, op) => {
    const idioms = IDIOMS.filter(({ opcodes }) => opcodes[0] === op);
    return idioms.length === 0 ? undefined : idioms;
  },
);

/** Whether the code at a pc is an idiom's; what else leads into it is not looked at. */
export function isIdiom({ opcodes, immediates }: RwasmModule, pc: number, idiom: Idiom): boolean {
  const length = idiom.opcodes.length;
  for (let k = 0; k < length; k++) {
    if (opcodes[pc + k] !== idiom.opcodes[k] || immediates[pc + k] !== idiom.immediates[k]) return false;
  }
  return true;
}
