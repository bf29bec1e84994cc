/**
 * Which handler each opcode becomes, by the form of its operands: tables from opcode numbers to
 * handler numbers. `RR` takes two slots, `RI` a slot and a constant. The order in which they are
 * tried is in `lower.ts`.
 *
 * @module
 */

import { Op, OP_NAMES, type OpName } from "../isa/opcode.ts";
import {
  COMMUTATIVE,
  COMPARISONS,
  DIVISIONS,
  FLOAT_ARITHMETIC,
  LOADS,
  NOT_COMMUTATIVE,
  OPPOSITE,
  SHIFTS,
  STORES,
} from "./families.ts";
import { HANDLER, WORDS } from "./instructions.ts";

/** Number of a handler that must be there. */
export function handler(name: string): number {
  const number = HANDLER[name];
  if (number === undefined) throw new Error(`no handler ${name}`);
  return number;
}

/** By opcode: the handler that takes slots, or -1. */
export const BY_SLOTS: Int16Array = new Int16Array(256).fill(-1);

/** By opcode: the handler whose last operand is a constant, or -1. */
export const BY_CONSTANT: Int16Array = new Int16Array(256).fill(-1);

function select(op: string, slots: string, constant = ""): void {
  BY_SLOTS[Op[op as OpName]] = handler(slots);
  if (constant !== "") BY_CONSTANT[Op[op as OpName]] = handler(constant);
}

const PLAIN = [...COMMUTATIVE, ...NOT_COMMUTATIVE, ...SHIFTS];
for (const name of ["Eqz", "Clz", "Ctz", "Popcnt", "Extend8S", "Extend16S"]) select(`I32${name}`, name);
for (const name of [...COMPARISONS, ...PLAIN, ...DIVISIONS]) {
  select(`I32${name}`, `${name}RR`, name === "Sub" ? "" : `${name}RI`);
}
for (const name of ["8S", "8U", "16S", "16U"]) select(`I32Load${name}`, `Load${name}R`);
select("I32Load", "Load32R");
select("F32Load", "Load32R");
select("F64Load", "Load64R");
for (const [op, name] of [["I32Store", "32"], ["I32Store8", "8"], ["I32Store16", "16"], ["F32Store", "32"]]) {
  select(op, `Store${name}RR`, `Store${name}RI`);
}
select("F64Store", "Store64RR", "Store64RI");
for (const name of ["Mul64", "Add64", "Sub64"]) select(`I32${name}`, `Wide${name}`);
for (const name of ["And64", "Or64", "Xor64"]) select(`I32${name}`, `${name}RR`, `${name}RI`);
select("I64Add128", "Add128");
select("I64Sub128", "Sub128");
select("I64MulWideS", "MulWideS");
select("I64MulWideU", "MulWideU");
for (let op = Op.F32Eq; op <= Op.F64Copysign; op++) {
  // F32Add is AddF32: the kind is the suffix, as 64 is for integers.
  const name = OP_NAMES[op].slice(3);
  select(OP_NAMES[op], name + OP_NAMES[op].slice(0, 3) + (FLOAT_ARITHMETIC.includes(name) ? "RR" : ""));
}
// Conversions have the names of their opcodes.
for (let op = Op.I32TruncF32S; op <= Op.I64TruncSatF64U; op++) select(OP_NAMES[op], OP_NAMES[op]);

/** By handler of a comparison: the jump taken when it holds, or -1. */
export const JUMP_IF: Int16Array = new Int16Array(WORDS.length).fill(-1);

/** By handler of a comparison: the jump taken when it does not hold, or -1. */
export const JUMP_UNLESS: Int16Array = new Int16Array(WORDS.length).fill(-1);

for (const form of ["RR", "RI", "64RR", "64RI"]) {
  for (const name of COMPARISONS) {
    JUMP_IF[handler(name + form)] = handler(`Jump${name}${form}`);
    JUMP_UNLESS[handler(name + form)] = handler(`Jump${OPPOSITE[name]}${form}`);
  }
}
JUMP_IF[handler("Eqz")] = handler("JumpEqzR");
JUMP_UNLESS[handler("Eqz")] = handler("JumpNezR");
JUMP_IF[handler("Eqz64")] = handler("JumpEqz64R");
JUMP_UNLESS[handler("Eqz64")] = handler("JumpNez64R");

/** By handler of a comparison of integers: the one that says the opposite, or -1. */
export const NEGATED: Int16Array = new Int16Array(WORDS.length).fill(-1);
for (const form of ["RR", "RI", "64RR", "64RI"]) {
  for (const name of COMPARISONS) NEGATED[handler(name + form)] = handler(OPPOSITE[name] + form);
}

/** By handler of a load from a slot: the one from a sum with a constant, or -1. */
export const LOAD_SUM_CONSTANT: Int16Array = new Int16Array(WORDS.length).fill(-1);

/** By handler of a load from a slot: the one from a sum of two slots, or -1. */
export const LOAD_SUM: Int16Array = new Int16Array(WORDS.length).fill(-1);

/** By handler of a load or store: the one with a constant address, or -1. */
export const FIXED: Int16Array = new Int16Array(WORDS.length).fill(-1);
for (const name of LOADS) {
  LOAD_SUM_CONSTANT[handler(`${name}R`)] = handler(`${name}RAddI`);
  LOAD_SUM[handler(`${name}R`)] = handler(`${name}RAddR`);
  FIXED[handler(`${name}R`)] = handler(`${name}C`);
}
for (const name of STORES) {
  FIXED[handler(`${name}RR`)] = handler(`${name}CR`);
  FIXED[handler(`${name}RI`)] = handler(`${name}CI`);
}

/** By number of a hidden function (`hidden.ts`): the handler that takes slots. The core has none. */
export const HIDDEN_BY_SLOTS: readonly number[] = [
  ...COMPARISONS.map((name) => handler(`${name}64RR`)),
  ...["Add64RR", "Sub64RR", "Mul64RR", "DivS64RR", "DivU64RR", "RemS64RR", "RemU64RR"].map(handler),
  ...["Shl64RR", "ShrS64RR", "ShrU64RR", "Rotl64RR", "Rotr64RR"].map(handler),
];

/** By number of a hidden function: the handler whose second operand is a constant. */
export const HIDDEN_BY_CONSTANT: readonly number[] = [
  ...COMPARISONS.map((name) => handler(`${name}64RI`)),
  ...["Add64RI", "Sub64RI", "Mul64RI", "DivS64RI", "DivU64RI", "RemS64RI", "RemU64RI"].map(handler),
  ...["Shl64RI", "ShrS64RI", "ShrU64RI", "Rotl64RI", "Rotr64RI"].map(handler),
];

/** Handlers that lowering names by itself. */
export const H = {
  AddRI: handler("AddRI"),
  AddRR: handler("AddRR"),
  AddAI: handler("AddAI"),
  AddAR: handler("AddAR"),
  Zero: handler("Zero"),
  Select: handler("Select"),
  GlobalGet: handler("GlobalGet"),
  GlobalGet64: handler("GlobalGet64"),
  GlobalSet: handler("GlobalSetR"),
  GlobalSet64: handler("GlobalSet64R"),
  Jump: handler("Jump"),
  JumpNez: handler("JumpNezR"),
  JumpEqz: handler("JumpEqzR"),
  JumpTable: handler("JumpTableR"),
  Charge: handler("Charge"),
  ChargeStack: handler("ChargeStack"),
  Enter: handler("Enter"),
  Frame: handler("Frame"),
  Reserve: handler("Reserve"),
  Signature: handler("Signature"),
  CountJump: handler("CountJump"),
  CountCall: handler("CountCall"),
  CountAnew: handler("CountAnew"),
  Call: handler("Call"),
  CallIndirect: handler("CallIndirect"),
  TailCall: handler("TailCall"),
  TailCallIndirect: handler("TailCallIndirect"),
  Return: handler("Return"),
  Syscall: handler("Syscall"),
  Slow: handler("Slow"),
  MemorySize: handler("MemorySize"),
  MemoryFill: handler("MemoryFill"),
  MemoryCopy: handler("MemoryCopy"),
  TableGet: handler("TableGet"),
  TableSet: handler("TableSet"),
} as const;
