/**
 * Which handler each opcode becomes, by the form of its operands: tables from opcode numbers to
 * handler numbers. `RR` takes two slots, `RI` a slot and a constant. The order in which they are
 * tried is in `lower.ts`.
 *
 * @module
 */

import { Op, OP_NAMES, type OpName } from "../isa/opcode.ts";
import { HANDLER, WORDS } from "./handlers.ts";

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

/** Comparisons of integers, in the order of their opcodes. */
const COMPARISONS = ["Eq", "Ne", "LtS", "LtU", "GtS", "GtU", "LeS", "LeU", "GeS", "GeU"];

function select(op: string, slots: string, constant = ""): void {
  BY_SLOTS[Op[op as OpName]] = handler(slots);
  if (constant !== "") BY_CONSTANT[Op[op as OpName]] = handler(constant);
}

const PLAIN = ["Add", "Sub", "Mul", "And", "Or", "Xor", "Shl", "ShrS", "ShrU", "Rotl", "Rotr"];
const DIVISIONS = ["DivS", "DivU", "RemS", "RemU"];
for (const name of ["Eqz", "Clz", "Ctz", "Popcnt", "Extend8S", "Extend16S"]) select(`I32${name}`, name);
for (const name of [...COMPARISONS, ...PLAIN, ...DIVISIONS]) {
  select(`I32${name}`, `${name}RR`, `${name}RI`);
}
for (const name of ["8S", "8U", "16S", "16U"]) select(`I32Load${name}`, `Load${name}`);
select("I32Load", "Load32");
select("F32Load", "Load32");
select("F64Load", "Load64");
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
  select(OP_NAMES[op], OP_NAMES[op].slice(3) + OP_NAMES[op].slice(0, 3));
}
// Conversions have the names of their opcodes.
for (let op = Op.I32TruncF32S; op <= Op.I64TruncSatF64U; op++) select(OP_NAMES[op], OP_NAMES[op]);

/** By handler of a comparison: the jump taken when it holds, or -1. */
export const JUMP_IF: Int16Array = new Int16Array(WORDS.length).fill(-1);

/** By handler of a comparison: the jump taken when it does not hold, or -1. */
export const JUMP_UNLESS: Int16Array = new Int16Array(WORDS.length).fill(-1);

const OPPOSITE: { readonly [name: string]: string } = {
  Eq: "Ne",
  Ne: "Eq",
  LtS: "GeS",
  LtU: "GeU",
  GtS: "LeS",
  GtU: "LeU",
  LeS: "GtS",
  LeU: "GtU",
  GeS: "LtS",
  GeU: "LtU",
};
for (const form of ["RR", "RI", "64RR", "64RI"]) {
  for (const name of COMPARISONS) {
    JUMP_IF[handler(name + form)] = handler(`Jump${name}${form}`);
    JUMP_UNLESS[handler(name + form)] = handler(`Jump${OPPOSITE[name]}${form}`);
  }
}
JUMP_IF[handler("Eqz")] = handler("JumpEqz");
JUMP_UNLESS[handler("Eqz")] = handler("JumpNez");
JUMP_IF[handler("Eqz64")] = handler("JumpEqz64");
JUMP_UNLESS[handler("Eqz64")] = handler("JumpNez64");

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
  Zero: handler("Zero"),
  Select: handler("Select"),
  GlobalGet: handler("GlobalGet"),
  GlobalGet64: handler("GlobalGet64"),
  GlobalSet: handler("GlobalSet"),
  GlobalSet64: handler("GlobalSet64"),
  Store32: handler("Store32RR"),
  Store32Const: handler("Store32RI"),
  Store64: handler("Store64RR"),
  Store64Const: handler("Store64RI"),
  Jump: handler("Jump"),
  JumpNez: handler("JumpNez"),
  JumpEqz: handler("JumpEqz"),
  JumpTable: handler("JumpTable"),
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
