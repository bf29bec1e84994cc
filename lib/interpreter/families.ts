/**
 * Names that the table of handlers and the choice among them have in common: families of operators
 * and the places operands can be in. Only names; what they do is in the files of rows.
 *
 * @module
 */

/** Operators of two integers whose operands can be exchanged. */
export const COMMUTATIVE: readonly string[] = ["Add", "Mul", "And", "Or", "Xor"];

/** Those whose operands cannot. */
export const NOT_COMMUTATIVE: readonly string[] = ["Sub"];

/** Those whose second operand is a count. */
export const SHIFTS: readonly string[] = ["Shl", "ShrS", "ShrU", "Rotl", "Rotr"];

/** Divisions, which may trap. */
export const DIVISIONS: readonly string[] = ["DivS", "DivU", "RemS", "RemU"];

/** Comparisons of integers, in the order of their opcodes. */
export const COMPARISONS: readonly string[] = [
  "Eq",
  "Ne",
  "LtS",
  "LtU",
  "GtS",
  "GtU",
  "LeS",
  "LeU",
  "GeS",
  "GeU",
];

/** What holds when a comparison does not. */
export const OPPOSITE: { readonly [name: string]: string } = {
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

/** What holds of the operands the other way around. */
export const MIRRORED: { readonly [name: string]: string } = {
  Eq: "Eq",
  Ne: "Ne",
  LtS: "GtS",
  LtU: "GtU",
  GtS: "LtS",
  GtU: "LtU",
  LeS: "GeS",
  LeU: "GeU",
  GeS: "LeS",
  GeU: "LeU",
};

/** Loads. */
export const LOADS: readonly string[] = ["Load32", "Load8S", "Load8U", "Load16S", "Load16U", "Load64"];

/** Stores. */
export const STORES: readonly string[] = ["Store32", "Store8", "Store16", "Store64"];

/** Operators of two floats that programs spend their time in. */
export const FLOAT_ARITHMETIC: readonly string[] = ["Add", "Sub", "Mul", "Div"];

/** The last operands of every conditional jump: where to, and what is charged there. */
export const WAYS = "taken fuel-taken other fuel-other";
