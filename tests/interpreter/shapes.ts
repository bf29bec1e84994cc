/**
 * Small functions in which every operator meets every kind of operand that lowering tells apart:
 * locals, constants, loads, results of other operators; and every use of a result: a local, a store, a
 * branch, a select, an address, another operator. They are made from tables of operators, so a new form of an
 * instruction is met without being named here.
 *
 * @module
 */

import {
  type Bits,
  carrier,
  type NumericType,
  SHARED_OPERATIONS,
  type SharedOperation,
} from "../isa/wasm_operation.ts";
import { constant, type FunctionSource, get, I32, I64, set, tee } from "../wasm_encoder.ts";

/** A function, and the types of its parameters. */
export interface Shape extends FunctionSource {
  readonly name: string;
  /** Types of what the parameters, integers, stand for. */
  readonly types: readonly NumericType[];
}

const L: NumericType[] = ["i64"], LL: NumericType[] = ["i64", "i64"];

function wide(
  names: string,
  first: number,
  params: readonly NumericType[],
  result: NumericType,
): SharedOperation[] {
  return names.split(" ").map((name, k) => [name, [first + k], params, result]);
}

/** Operators on i64, which rWasm has no instructions for. */
const WIDE: readonly SharedOperation[] = [
  ...wide("I64Eqz", 0x50, L, "i32"),
  ...wide("I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU", 0x51, LL, "i32"),
  ...wide("I64Clz I64Ctz I64Popcnt", 0x79, L, "i64"),
  ...wide("I64Add I64Sub I64Mul I64DivS I64DivU I64RemS I64RemU I64And I64Or I64Xor", 0x7c, LL, "i64"),
  ...wide("I64Shl I64ShrS I64ShrU I64Rotl I64Rotr", 0x86, LL, "i64"),
  ...wide("I32WrapI64", 0xa7, L, "i32"),
  ...wide("I64ExtendI32S I64ExtendI32U", 0xac, ["i32"], "i64"),
  ...wide("I64Extend8S I64Extend16S I64Extend32S", 0xc2, L, "i64"),
];

/** All numeric operators: name, bytes, operands, result. */
export const OPERATORS: readonly SharedOperation[] = [...SHARED_OPERATIONS, ...WIDE];

const BYTE = { i32: I32, i64: I64, f32: I32, f64: I64 } as const;
/** From the integer that carries a float to the float, and back: nothing in rWasm. */
const TO = { i32: [], i64: [], f32: [0xbe], f64: [0xbf] } as const;
const FROM = { i32: [], i64: [], f32: [0xbc], f64: [0xbd] } as const;
const LOAD = { i32: [0x28, 2], i64: [0x29, 3], f32: [0x2a, 2], f64: [0x2b, 3] } as const;
const STORE = { i32: [0x36, 2], i64: [0x37, 3], f32: [0x38, 2], f64: [0x39, 3] } as const;

/** Constants of a type, as operands; not the ones a division cannot take. */
const CONSTANTS: Record<NumericType, readonly Bits[]> = {
  i32: [0, 1, -1, 7, 31, 0x80, 0xffff, -0x8000_0000],
  i64: [0n, 1n, -1n, 7n, 63n, 0xffff_ffffn, 1n << 32n, -(1n << 63n)],
  f32: [0, 0x3f80_0000, -0x8000_0000, 0x7f80_0000, 0x7fc0_0000],
  f64: [0n, 0x3ff0_0000_0000_0000n, -(1n << 63n), 0x7ff8_0000_0000_0000n],
};

const constantOf = (type: NumericType, bits: Bits) => [...constant(bits), ...TO[type]];
/** Parameter `k`, which stands for a value of a type. */
const param = (k: number, type: NumericType) => [...get(k), ...TO[type]];

/** An operator of two operands, by type. */
const SUM: Record<NumericType, readonly number[]> = { i32: [0x6a], i64: [0x7c], f32: [0x92], f64: [0xa0] };

/** An operator with sums of parameters for operands. */
function chains(params: readonly NumericType[], bytes: readonly number[]): [string, number[]][] {
  const [first, last] = params;
  const sum = (k: number) => [...param(k, params[k]), ...param(k, params[k]), ...SUM[params[k]]];
  if (last === undefined) return [["of a sum", [...sum(0), ...bytes]]];
  return [
    ["of a sum first", [...sum(0), ...param(1, last), ...bytes]],
    ["of a sum last", [...param(0, first), ...sum(1), ...bytes]],
    ["of two sums", [...sum(0), ...sum(1), ...bytes]],
    ["of a sum and a constant", [...sum(0), ...constantOf(last, CONSTANTS[last][3]), ...bytes]],
    ["with a constant", [...param(0, first), ...constantOf(last, CONSTANTS[last][3]), ...bytes]],
    ["of a constant and a sum", [...constantOf(first, CONSTANTS[first][3]), ...sum(1), ...bytes]],
  ];
}

/** The shapes of one operator. */
export function shapesOf([name, bytes, params, result]: SharedOperation): Shape[] {
  const shapes: Shape[] = [];
  const out = [...FROM[result]], type = BYTE[result], n = params.length;
  const add = (
    what: string,
    body: readonly number[],
    results: readonly number[] = [type],
    locals: readonly number[] = [],
  ) => {
    const list = params.map((entry) => BYTE[entry]);
    shapes.push({ name: `${name} ${what}`, types: params, params: list, results, locals, body });
  };
  const operands = params.flatMap((entry, k) => param(k, entry)), plain = [...operands, ...bytes];
  // Where operands come from.
  add("of parameters", [...plain, ...out]);
  const moved = params.flatMap((_, k) => [...get(k), ...set(n + k)]);
  const locals = params.map((entry) => BYTE[entry]);
  const ofLocals = [...moved, ...params.flatMap((entry, k) => [...get(n + k), ...TO[entry]]), ...bytes];
  add("of locals", [...ofLocals, ...out], [type], locals);
  const last = params[n - 1];
  for (const bits of CONSTANTS[last]) {
    add(`with ${bits} last`, [
      ...operands.slice(0, n === 2 ? param(0, params[0]).length : 0),
      ...constantOf(last, bits),
      ...bytes,
      ...out,
    ]);
  }
  if (n === 2) {
    for (const bits of CONSTANTS[params[0]].slice(0, 4)) {
      add(`with ${bits} first`, [...constantOf(params[0], bits), ...param(1, params[1]), ...bytes, ...out]);
    }
    // The last operand is a load from an address, the first one both.
    const put = [...constant(64), ...param(1, params[1]), ...STORE[params[1]], 4];
    add("with a load last", [
      ...put,
      ...param(0, params[0]),
      ...constant(60),
      ...LOAD[params[1]],
      8,
      ...bytes,
      ...out,
    ]);
    if (params[0] === params[1]) {
      add("of two loads", [
        ...put,
        ...constant(68),
        ...LOAD[params[0]],
        0,
        ...constant(60),
        ...LOAD[params[1]],
        8,
        ...bytes,
        ...out,
      ]);
      add("of one local twice", [...param(0, params[0]), ...param(0, params[0]), ...bytes, ...out]);
    }
  }
  // Where the result goes.
  add("into a local", [...plain, ...out, ...set(n), ...get(n)], [type], [type]);
  if (BYTE[params[0]] === type) add("into a parameter", [...plain, ...out, ...set(0), ...get(0)]);
  add(
    "into two locals",
    [...plain, ...out, ...tee(n), ...set(n + 1), ...get(n), ...get(n + 1)],
    [type, type],
    [type, type],
  );
  add("into memory", [
    ...constant(16),
    ...plain,
    ...STORE[result],
    8,
    ...constant(24),
    ...LOAD[result],
    0,
    ...out,
  ]);
  add("dropped", [...plain, 0x1a], []);
  add("into a global", [...plain, ...out, 0x24, type === I32 ? 0 : 1, 0x23, type === I32 ? 0 : 1]);
  if (result === "i32") {
    const way = (
      branch: readonly number[],
    ) => [0x02, 0x40, ...branch, ...constant(11), 0x0f, 0x0b, ...constant(22)];
    const alone = [
      ...param(0, params[0]),
      ...(n === 2 ? constantOf(params[1], CONSTANTS[params[1]][3]) : []),
      ...bytes,
    ];
    for (
      const [what, code] of [["", plain], [" with a constant", alone], [" of locals", ofLocals]] as const
    ) {
      const more = what === " of locals" ? locals : [];
      add(`into br_if${what}`, way([...code, 0x0d, 0]), [I32], more);
      add(`into br_if of its opposite${what}`, way([...code, 0x45, 0x0d, 0]), [I32], more);
      add(`into br_if of the same${what}`, way([...code, 0x45, 0x45, 0x0d, 0]), [I32], more);
      add(`into if${what}`, [...code, 0x04, I32, ...constant(1), 0x05, ...constant(2), 0x0b], [I32], more);
    }
    add("into select", [...constant(5), ...constant(6), ...plain, 0x1b]);
    add("into select of i64", [...constant(5n), ...constant(6n << 32n), ...plain, 0x1b], [I64]);
    add(
      "into a loop's end",
      [
        ...[
          ...constant(3),
          ...set(n),
          0x03,
          0x40,
          ...get(n),
          ...constant(-1),
          0x6a,
          ...tee(n),
          ...constant(0),
          0x47,
        ],
        ...[...plain, ...constant(1), 0x71, 0x71, 0x0d, 0, 0x0b, ...get(n)],
      ],
      [I32],
      [I32],
    );
    add("into br_table", [
      0x02,
      0x40,
      0x02,
      0x40,
      0x02,
      0x40,
      ...plain,
      0x0e,
      2,
      0,
      1,
      2,
      0x0b,
      ...constant(1),
      0x0f,
      0x0b,
      ...constant(2),
      0x0f,
      0x0b,
      ...constant(3),
    ], [I32]);
    add("as an address", [...plain, ...constant(0xfff), 0x71, 0x2d, 0, 0]);
    add("as a stored byte", [...constant(9), ...plain, 0x3a, 0, 0, ...constant(9), 0x2c, 0, 0]);
  }
  // Between two others: what it takes has just been computed, what it leaves is taken at once.
  for (const [what, code] of chains(params, bytes)) {
    add(what, [...code, ...out]);
    add(`${what}, then used`, [...code, ...constantOf(result, CONSTANTS[result][3]), ...SUM[result], ...out]);
    add(`${what}, then used last`, [
      ...constantOf(result, CONSTANTS[result][3]),
      ...code,
      ...SUM[result],
      ...out,
    ]);
    add(
      `${what}, then used with a local`,
      [...code, ...out, ...tee(n), ...TO[result], ...code, ...SUM[result], ...out],
      [type],
      [type],
    );
    if (result !== "i32") continue;
    const branch = (
      more: readonly number[],
    ) => [0x02, 0x40, ...code, ...more, 0x0d, 0, ...constant(11), 0x0f, 0x0b, ...constant(22)];
    add(`${what}, then br_if`, branch([]), [I32]);
    add(`${what}, then br_if of its opposite`, branch([0x45]), [I32]);
  }
  // One operator after another: the second takes the result as its first or last operand, or both.
  for (const [second, code, types] of NEXT) {
    if (types[0] !== result) continue;
    const other = types[1] === undefined ? [] : param(params.indexOf(types[1]), types[1]);
    if (types[1] !== undefined && params.indexOf(types[1]) < 0) continue;
    const results = second.includes("?") ? [I32] : [type];
    add(`then ${second}`, [
      ...plain,
      ...other,
      code,
      ...(results[0] === I32 && second.includes("?") ? [] : out),
    ], results);
    if (types[1] !== result) continue;
    add(`then ${second} last`, [...other, ...plain, code, ...(second.includes("?") ? [] : out)], results);
    add(`then ${second} of a constant`, [
      ...plain,
      ...constantOf(result, CONSTANTS[result][3]),
      code,
      ...(second.includes("?") ? [] : out),
    ], results);
    add(
      `then ${second} of itself`,
      [...plain, ...plain, code, ...(second.includes("?") ? [] : out)],
      results,
    );
  }
  return shapes;
}

/** Operators that come second: name, with "?" when the result is an i32 that it need not be; code; operands. */
const NEXT: readonly (readonly [string, number, readonly NumericType[]])[] = [
  ["add", 0x6a, ["i32", "i32"]],
  ["sub", 0x6b, ["i32", "i32"]],
  ["mul", 0x6c, ["i32", "i32"]],
  ["and", 0x71, ["i32", "i32"]],
  ["or", 0x72, ["i32", "i32"]],
  ["xor", 0x73, ["i32", "i32"]],
  ["shl", 0x74, ["i32", "i32"]],
  ["shr_s", 0x75, ["i32", "i32"]],
  ["shr_u", 0x76, ["i32", "i32"]],
  ["rotl", 0x77, ["i32", "i32"]],
  ["eq", 0x46, ["i32", "i32"]],
  ["lt_u", 0x49, ["i32", "i32"]],
  ["add", 0x7c, ["i64", "i64"]],
  ["sub", 0x7d, ["i64", "i64"]],
  ["mul", 0x7e, ["i64", "i64"]],
  ["and", 0x83, ["i64", "i64"]],
  ["or", 0x84, ["i64", "i64"]],
  ["xor", 0x85, ["i64", "i64"]],
  ["shl", 0x86, ["i64", "i64"]],
  ["shr_u", 0x88, ["i64", "i64"]],
  ["rotl", 0x89, ["i64", "i64"]],
  ["lt_u?", 0x54, ["i64", "i64"]],
  ["wrap?", 0xa7, ["i64"]],
  ["add", 0x92, ["f32", "f32"]],
  ["mul", 0x94, ["f32", "f32"]],
  ["lt?", 0x5d, ["f32", "f32"]],
  ["add", 0xa0, ["f64", "f64"]],
  ["sub", 0xa1, ["f64", "f64"]],
  ["mul", 0xa2, ["f64", "f64"]],
  ["lt?", 0x63, ["f64", "f64"]],
];

// ── memory ──────────────────────────────────────────────────────────────────────────────────────

/** Loads and stores: name, opcode, type of the value. */
const LOADS: readonly (readonly [string, number, number])[] = [
  ...(["i32.load", "i64.load", "f32.load", "f64.load"].map((name, k) =>
    [name, 0x28 + k, [I32, I64, 0x7d, 0x7c][k]] as const
  )),
  ...["8_s", "8_u", "16_s", "16_u"].map((name, k) => [`i32.load${name}`, 0x2c + k, I32] as const),
  ...["8_s", "8_u", "16_s", "16_u", "32_s", "32_u"].map((name, k) =>
    [`i64.load${name}`, 0x30 + k, I64] as const
  ),
];
const STORES: readonly (readonly [string, number, number])[] = [
  ...(["i32.store", "i64.store", "f32.store", "f64.store"].map((name, k) =>
    [name, 0x36 + k, [I32, I64, 0x7d, 0x7c][k]] as const
  )),
  ...["8", "16"].map((name, k) => [`i32.store${name}`, 0x3a + k, I32] as const),
  ...["8", "16", "32"].map((name, k) => [`i64.store${name}`, 0x3c + k, I64] as const),
];

/** Ways to an address from the i32 parameters 0 and 1. */
const ADDRESSES: readonly (readonly [string, readonly number[]])[] = [
  ["a", get(0)],
  ["a + 12", [...get(0), ...constant(12), 0x6a]],
  ["a - 4", [...get(0), ...constant(-4), 0x6a]],
  ["a + b", [...get(0), ...get(1), 0x6a]],
  ["a + (b << 2)", [...get(0), ...get(1), ...constant(2), 0x74, 0x6a]],
  ["a + (b << 3)", [...get(0), ...get(1), ...constant(3), 0x74, 0x6a]],
  ["2a + 12", [...get(0), ...get(0), 0x6a, ...constant(12), 0x6a]],
  ["(a << 1) + 12", [...get(0), ...constant(1), 0x74, ...constant(12), 0x6a]],
  ["(a << 1) + b", [...get(0), ...constant(1), 0x74, ...get(1), 0x6a]],
  ["a & 0xffc", [...get(0), ...constant(0xffc), 0x71]],
  ["512", constant(512)],
];
const OFFSETS = [0, 4, 0x10000, 0x7fff_ffff, 0xffff_fffc];

/** Accesses of memory: parameters are two i32 that make the address, and one i64 to store. */
export function memoryShapes(): Shape[] {
  const shapes: Shape[] = [], types: NumericType[] = ["i32", "i32", "i64"];
  const add = (
    name: string,
    body: readonly number[],
    results: readonly number[],
    locals: readonly number[] = [],
  ) => shapes.push({ name, types, params: [I32, I32, I64], results, locals, body });
  const offset = (bytes: number) => {
    const leb: number[] = [];
    for (let rest = bytes;; rest = Math.floor(rest / 128)) {
      leb.push(rest % 128 + (rest >= 128 ? 128 : 0));
      if (rest < 128) return leb;
    }
  };
  const value: Record<number, number[]> = {
    [I32]: [...get(2), 0xa7],
    [I64]: get(2),
    [0x7d]: [...get(2), 0xa7, 0xbe],
    [0x7c]: [...get(2), 0xbf],
  };
  const bits: Record<number, [number[], number]> = {
    [I32]: [[], I32],
    [I64]: [[], I64],
    [0x7d]: [[0xbc], I32],
    [0x7c]: [[0xbd], I64],
  };
  for (const [where, address] of ADDRESSES) {
    for (const bytes of OFFSETS) {
      for (const [name, code, type] of LOADS) {
        const [to, result] = bits[type];
        const load = [...address, code, 0, ...offset(bytes)];
        add(`${name} ${where} ${bytes}`, [...load, ...to], [result]);
        const sum = { [I32]: 0x6a, [I64]: 0x7c, [0x7d]: 0x92, [0x7c]: 0xa0 }[type]!;
        if (bytes <= 4) {
          add(`${name} ${where} ${bytes}, used at once`, [...load, ...value[type], sum, ...to], [result]);
        }
      }
      for (const [name, code, type] of STORES) {
        add(`${name} ${where} ${bytes}`, [...address, ...value[type], code, 0, ...offset(bytes)], []);
        const zero = type === I32 ? constant(-2) : type === I64 ? constant(-3n << 33n) : undefined;
        if (zero !== undefined) {
          add(
            `${name} ${where} ${bytes} of a constant`,
            [...address, ...zero, code, 0, ...offset(bytes)],
            [],
          );
        }
      }
    }
    // A value that is changed where it is, and one that is copied.
    for (
      const [load, store, code] of [
        [0x28, 0x36, 0x6a],
        [0x28, 0x36, 0x73],
        [0x2d, 0x3a, 0x6a],
        [0x2f, 0x3b, 0x72],
        [0x29, 0x37, 0x7c],
        [0x29, 0x37, 0x85],
      ]
    ) {
      const long = load === 0x29, amount = long ? get(2) : [...get(2), 0xa7];
      add(`change ${where} ${load} ${code}`, [
        ...address,
        ...address,
        load,
        0,
        8,
        ...amount,
        code,
        store,
        0,
        8,
      ], []);
      add(`change ${where} ${load} ${code} by 1`, [
        ...address,
        ...address,
        load,
        0,
        8,
        ...constant(long ? 1n : 1),
        code,
        store,
        0,
        8,
      ], []);
      add(`copy ${where} ${load} ${code}`, [...get(1), ...address, load, 0, 8, store, 0, 16], []);
    }
    add(`f64 bits of ${where}`, [...address, 0x2b, 0, 0, 0xbd, ...get(2), 0x7c], [I64]);
    add(`f64 product of ${where}`, [...address, 0x2b, 0, 0, ...address, 0x2b, 0, 8, 0xa2, 0xbd], [I64]);
    add(`load and test ${where}`, [
      0x02,
      0x40,
      ...address,
      0x2d,
      0,
      0,
      0x0d,
      0,
      ...constant(1),
      0x0f,
      0x0b,
      ...constant(2),
    ], [I32]);
    add(`load and compare ${where}`, [
      0x02,
      0x40,
      ...address,
      0x28,
      0,
      0,
      ...get(1),
      0x48,
      0x0d,
      0,
      ...constant(1),
      0x0f,
      0x0b,
      ...constant(2),
    ], [I32]);
  }
  add("memory.fill", [...get(0), ...get(1), ...get(2), 0xa7, ...constant(0xffff), 0x71, 0xfc, 0x0b, 0], []);
  add(
    "memory.copy",
    [...get(0), ...get(1), ...get(2), 0xa7, ...constant(0xffff), 0x71, 0xfc, 0x0a, 0, 0],
    [],
  );
  add("memory.size", [0x3f, 0], [I32]);
  add("memory.grow", [...get(0), ...constant(1), 0x71, 0x40, 0, 0x3f, 0, 0x6a], [I32]);
  add("128-bit sum", [...get(2), ...get(2), ...get(2), ...get(2), 0xfc, 0x13], [I64, I64]);
  add("128-bit difference", [...get(2), ...constant(1n), ...constant(7n), ...get(2), 0xfc, 0x14], [I64, I64]);
  add("product of 128 bits, signed", [...get(2), ...get(2), 0xfc, 0x15], [I64, I64]);
  add("product of 128 bits, unsigned", [...get(2), ...get(2), 0xfc, 0x16], [I64, I64]);
  add("many locals", [...get(0), ...set(9), ...get(9), ...get(12), 0x6a], [I32], new Array(12).fill(I32));
  add("select of i64", [...get(2), ...constant(4n), ...get(0), 0x1b], [I64]);
  add("select of i32", [...get(0), ...get(1), ...get(1), 0x1b], [I32]);
  return shapes;
}

/** Types of parameters that carry values. */
export const carriers = (types: readonly NumericType[]): ("i32" | "i64")[] => types.map(carrier);
