/**
 * What the plain opcodes of rWasm are in WebAssembly: the types of their operands and of their result,
 * and the operators. What needs more than that, control, memory, calls, is in `function.ts`.
 *
 * @module
 */

import { Op, type OpName } from "../isa/opcode.ts";
import { HANDLER } from "../interpreter/instructions.ts";
import { CANONICAL, EXACT, F32, F64, I32, I64, RAW } from "./locals.ts";

/** An operation: operands from the stack, one result. */
export interface Operator {
  /** Types of the operands, the deepest first. */
  readonly operands: readonly number[];
  /** Type of the result. */
  readonly result: number;
  /** Operators behind the operands. */
  readonly bytes: readonly number[];
  /** Whether the bits of a NaN among the operands matter. */
  readonly exact: boolean;
  /** What a NaN as a result is. */
  readonly nan: number;
  /** Whether the last operator may trap. */
  readonly traps: boolean;
}

/** By opcode: the operation, where there is one. */
export const OPERATORS: (Operator | undefined)[] = new Array(256).fill(undefined);

function set(
  name: string,
  operands: readonly number[],
  result: number,
  bytes: readonly number[],
  { exact = true, nan = EXACT, traps = false }: { exact?: boolean; nan?: number; traps?: boolean } = {},
): void {
  OPERATORS[Op[name as OpName]] = { operands, result, bytes, exact, nan, traps };
}

const COMPARISONS = ["Eq", "Ne", "LtS", "LtU", "GtS", "GtU", "LeS", "LeU", "GeS", "GeU"];
COMPARISONS.forEach((name, k) => set(`I32${name}`, [I32, I32], I32, [0x46 + k]));
["Add", "Sub", "Mul"].forEach((name, k) => set(`I32${name}`, [I32, I32], I32, [0x6a + k]));
["DivS", "DivU", "RemS", "RemU"].forEach((name, k) => {
  set(`I32${name}`, [I32, I32], I32, [0x6d + k], { traps: true });
});
["And", "Or", "Xor", "Shl", "ShrS", "ShrU", "Rotl", "Rotr"].forEach((name, k) => {
  set(`I32${name}`, [I32, I32], I32, [0x71 + k]);
});
set("I32Eqz", [I32], I32, [0x45]);
["Clz", "Ctz", "Popcnt"].forEach((name, k) => set(`I32${name}`, [I32], I32, [0x67 + k]));
set("I32Extend8S", [I32], I32, [0xc0]);
set("I32Extend16S", [I32], I32, [0xc1]);
set("I32And64", [I64, I64], I64, [0x83]);
set("I32Or64", [I64, I64], I64, [0x84]);
set("I32Xor64", [I64, I64], I64, [0x85]);

[[F32, "F32", 0x8b, 0x5b], [F64, "F64", 0x99, 0x61]].forEach(([type, prefix, first, compare]) => {
  const kind = type as number, base = first as number;
  ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"].forEach((name, k) => {
    set(`${prefix}${name}`, [kind, kind], I32, [compare as number + k], { exact: false });
  });
  // These two move a bit and leave a NaN what it is.
  ["Abs", "Neg"].forEach((name, k) => set(`${prefix}${name}`, [kind], kind, [base + k]));
  ["Ceil", "Floor", "Trunc", "Nearest", "Sqrt"].forEach((name, k) => {
    set(`${prefix}${name}`, [kind], kind, [base + 2 + k], { exact: false, nan: RAW });
  });
  ["Add", "Sub", "Mul", "Div", "Min", "Max"].forEach((name, k) => {
    set(`${prefix}${name}`, [kind, kind], kind, [base + 7 + k], { exact: false, nan: RAW });
  });
  set(`${prefix}Copysign`, [kind, kind], kind, [base + 13]);
});
[[I32, "I32", 0], [I64, "I64", 4]].forEach(([to, name, saturating]) => {
  [[F32, "F32", 0], [F64, "F64", 2]].forEach(([from, float, order]) => {
    ["S", "U"].forEach((sign, unsigned) => {
      const nth = (order as number) + unsigned, wide = to === I64;
      set(`${name}TruncSat${float}${sign}`, [from as number], to as number, [
        0xfc,
        saturating as number + nth,
      ], {
        exact: false,
      });
      set(`${float}Convert${name}${sign}`, [to as number], from as number, [
        (from === F64 ? 0xb7 : 0xb2) + (wide ? 2 : 0) + unsigned,
      ], { nan: CANONICAL });
    });
  });
});
set("F32DemoteF64", [F64], F32, [0xb6], { exact: false, nan: RAW });
set("F64PromoteF32", [F32], F64, [0xbb], { exact: false, nan: RAW });

/** Exclusive bounds of the values that a truncation to an integer takes; others trap. */
export interface Truncation {
  /** Type of the operand. */
  readonly from: number;
  /** Type of the result. */
  readonly to: number;
  /** The operator. */
  readonly opcode: number;
  /** Greatest value below all that are taken. */
  readonly low: number;
  /** Least value above all that are taken. */
  readonly high: number;
}

/** By opcode: the truncation, where there is one. */
export const TRUNCATIONS: (Truncation | undefined)[] = new Array(256).fill(undefined);

const BOUNDS: readonly (readonly [name: string, from: number, to: number, low: number, high: number])[] = [
  ["I32TruncF32S", F32, I32, -2147483904, 2 ** 31],
  ["I32TruncF32U", F32, I32, -1, 2 ** 32],
  ["I32TruncF64S", F64, I32, -2147483649, 2 ** 31],
  ["I32TruncF64U", F64, I32, -1, 2 ** 32],
  ["I64TruncF32S", F32, I64, -9223373136366403584, 2 ** 63],
  ["I64TruncF32U", F32, I64, -1, 2 ** 64],
  ["I64TruncF64S", F64, I64, -9223372036854777856, 2 ** 63],
  ["I64TruncF64U", F64, I64, -1, 2 ** 64],
];
BOUNDS.forEach(([name, from, to, low, high], k) => {
  const opcode = (to === I64 ? 0xae : 0xa8) + (k & 3);
  TRUNCATIONS[Op[name as OpName]] = { from, to, opcode, low, high };
});

/** A load or store. */
export interface Access {
  /** Type of the value. */
  readonly type: number;
  /** The operator. */
  readonly opcode: number;
}

/** By opcode: the load, where there is one. */
export const LOADS: (Access | undefined)[] = new Array(256).fill(undefined);

/** By opcode: the store, where there is one. */
export const STORES: (Access | undefined)[] = new Array(256).fill(undefined);

function access(list: (Access | undefined)[], name: OpName, type: number, opcode: number): void {
  list[Op[name]] = { type, opcode };
}
access(LOADS, "I32Load", I32, 0x28);
access(LOADS, "I32Load8S", I32, 0x2c);
access(LOADS, "I32Load8U", I32, 0x2d);
access(LOADS, "I32Load16S", I32, 0x2e);
access(LOADS, "I32Load16U", I32, 0x2f);
access(LOADS, "F32Load", F32, 0x2a);
access(LOADS, "F64Load", F64, 0x2b);
access(STORES, "I32Store", I32, 0x36);
access(STORES, "I32Store8", I32, 0x3a);
access(STORES, "I32Store16", I32, 0x3b);
access(STORES, "F32Store", F32, 0x38);
access(STORES, "F64Store", F64, 0x39);

/** By number of a hidden i64 function (`interpreter/hidden.ts`): the operator it stands for. */
export const HIDDEN_OPERATORS: readonly number[] = [
  0x51,
  0x52,
  0x53,
  0x54,
  0x55,
  0x56,
  0x57,
  0x58,
  0x59,
  0x5a, // comparisons
  0x7c,
  0x7d,
  0x7e,
  0x7f,
  0x80,
  0x81,
  0x82,
  0x86,
  0x87,
  0x88,
  0x89,
  0x8a,
];

/** By number of a handler of the fast loop that an idiom stands for: the operators behind its operands. */
export const IDIOM_OPERATORS: ReadonlyMap<number, readonly number[]> = new Map(
  ([
    ["Clz64", [0x79]],
    ["Ctz64", [0x7a]],
    ["Popcnt64", [0x7b]],
    ["Eqz64", [0x50]],
    ["Extend8S64", [0xc0, 0xac]],
    ["Extend16S64", [0xc1, 0xac]],
    ["ExtendS", [0xac]],
    ["Select64", [0x1b]],
  ] as const).map(([name, bytes]) => {
    if (HANDLER[name] === undefined) throw new Error(`no handler ${name}`);
    return [HANDLER[name], bytes];
  }),
);
