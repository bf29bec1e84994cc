/**
 * Every i64 operator of compiled modules against a BigInt oracle. One module exports, per operator,
 * a function that applies it to whole arrays in guest memory, so that a million operand pairs are
 * one call; pairs that trap go through a scalar function one by one.
 *
 * @module
 */

import { assertEquals, fail } from "@std/assert";
import { compile, RwasmExecutor, RwasmStore } from "../../mod.ts";
import type { TrapName } from "../../mod.ts";
import type { Random } from "../harness.ts";
import {
  constant,
  encodeWasm,
  type FunctionSource,
  get,
  I32,
  I64,
  loop,
  set,
  unsigned,
} from "../wasm_encoder.ts";

const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const MIN = -(2n ** 63n);

/** A trap instead of a value. */
type Answer = bigint | TrapName;

/** An operator of two i64 operands: its bytes and what it must give, on signed operands. */
interface Binary {
  readonly name: string;
  readonly code: readonly number[];
  /** The result is an i32. */
  readonly narrow?: boolean;
  readonly oracle: (a: bigint, b: bigint) => Answer;
}

const rotate = (a: bigint, count: bigint): bigint => {
  const by = u64(count) & 63n;
  return s64((u64(a) << by) | (u64(a) >> (64n - by)));
};
const flag = (condition: boolean): bigint => condition ? 1n : 0n;

/** Operators of two operands, in opcode order. */
export const BINARY: readonly Binary[] = [
  { name: "eq", code: [0x51], narrow: true, oracle: (a, b) => flag(a === b) },
  { name: "ne", code: [0x52], narrow: true, oracle: (a, b) => flag(a !== b) },
  { name: "lt_s", code: [0x53], narrow: true, oracle: (a, b) => flag(a < b) },
  { name: "lt_u", code: [0x54], narrow: true, oracle: (a, b) => flag(u64(a) < u64(b)) },
  { name: "gt_s", code: [0x55], narrow: true, oracle: (a, b) => flag(a > b) },
  { name: "gt_u", code: [0x56], narrow: true, oracle: (a, b) => flag(u64(a) > u64(b)) },
  { name: "le_s", code: [0x57], narrow: true, oracle: (a, b) => flag(a <= b) },
  { name: "le_u", code: [0x58], narrow: true, oracle: (a, b) => flag(u64(a) <= u64(b)) },
  { name: "ge_s", code: [0x59], narrow: true, oracle: (a, b) => flag(a >= b) },
  { name: "ge_u", code: [0x5a], narrow: true, oracle: (a, b) => flag(u64(a) >= u64(b)) },
  { name: "add", code: [0x7c], oracle: (a, b) => s64(a + b) },
  { name: "sub", code: [0x7d], oracle: (a, b) => s64(a - b) },
  { name: "mul", code: [0x7e], oracle: (a, b) => s64(a * b) },
  {
    name: "div_s",
    code: [0x7f],
    oracle: (a, b) => b === 0n ? "IntegerDivisionByZero" : a === MIN && b === -1n ? "IntegerOverflow" : a / b,
  },
  {
    name: "div_u",
    code: [0x80],
    oracle: (a, b) => b === 0n ? "IntegerDivisionByZero" : s64(u64(a) / u64(b)),
  },
  { name: "rem_s", code: [0x81], oracle: (a, b) => b === 0n ? "IntegerDivisionByZero" : a % b },
  {
    name: "rem_u",
    code: [0x82],
    oracle: (a, b) => b === 0n ? "IntegerDivisionByZero" : s64(u64(a) % u64(b)),
  },
  { name: "and", code: [0x83], oracle: (a, b) => a & b },
  { name: "or", code: [0x84], oracle: (a, b) => a | b },
  { name: "xor", code: [0x85], oracle: (a, b) => a ^ b },
  { name: "shl", code: [0x86], oracle: (a, b) => s64(a << (b & 63n)) },
  { name: "shr_s", code: [0x87], oracle: (a, b) => a >> (b & 63n) },
  { name: "shr_u", code: [0x88], oracle: (a, b) => s64(u64(a) >> (b & 63n)) },
  { name: "rotl", code: [0x89], oracle: rotate },
  { name: "rotr", code: [0x8a], oracle: (a, b) => rotate(a, -b) },
  // Each half of the 128-bit operators is an operator of its own here; a second pair is the first, swapped.
  {
    name: "add128, low",
    code: [...get(1), ...get(0), 0xfc, 0x13, 0x1a],
    oracle: (a, b) => s64(wide(a, b) + wide(b, a)),
  },
  {
    name: "add128, high",
    code: [...get(1), ...get(0), 0xfc, 0x13, ...set(4), 0x1a, ...get(4)],
    oracle: (a, b) => s64((wide(a, b) + wide(b, a)) >> 64n),
  },
  {
    name: "sub128, low",
    code: [...get(1), ...get(0), 0xfc, 0x14, 0x1a],
    oracle: (a, b) => s64(wide(a, b) - wide(b, a)),
  },
  {
    name: "sub128, high",
    code: [...get(1), ...get(0), 0xfc, 0x14, ...set(4), 0x1a, ...get(4)],
    oracle: (a, b) => s64((wide(a, b) - wide(b, a)) >> 64n),
  },
  { name: "mul_wide_s, low", code: [0xfc, 0x15, 0x1a], oracle: (a, b) => s64(a * b) },
  {
    name: "mul_wide_s, high",
    code: [0xfc, 0x15, ...set(4), 0x1a, ...get(4)],
    oracle: (a, b) => s64((a * b) >> 64n),
  },
  { name: "mul_wide_u, low", code: [0xfc, 0x16, 0x1a], oracle: (a, b) => s64(u64(a) * u64(b)) },
  {
    name: "mul_wide_u, high",
    code: [0xfc, 0x16, ...set(4), 0x1a, ...get(4)],
    oracle: (a, b) => s64((u64(a) * u64(b)) >> 64n),
  },
  { name: "select", code: [...get(1), 0xa7, 0x1b], oracle: (a, b) => (b & 0xffffffffn) !== 0n ? a : b },
];

/** A 128-bit number from its low and high words. */
function wide(low: bigint, high: bigint): bigint {
  return u64(low) | (high << 64n);
}

const leading = (a: bigint): bigint => BigInt(64 - (u64(a) === 0n ? 0 : u64(a).toString(2).length));
const trailing = (a: bigint): bigint => a === 0n ? 64n : BigInt(a.toString(2).match(/0*$/)![0].length);
const ones = (a: bigint): bigint => BigInt(u64(a).toString(2).replaceAll("0", "").length);

/** Operators of one operand; memory operators work on scratch bytes at 0. */
export const UNARY: readonly {
  readonly name: string;
  readonly code: readonly number[];
  readonly oracle: (a: bigint) => bigint;
}[] = [
  { name: "eqz", code: [0x50, 0xad], oracle: (a) => flag(a === 0n) },
  { name: "clz", code: [0x79], oracle: leading },
  { name: "ctz", code: [0x7a], oracle: trailing },
  { name: "popcnt", code: [0x7b], oracle: ones },
  { name: "extend8_s", code: [0xc2], oracle: (a) => BigInt.asIntN(8, a) },
  { name: "extend16_s", code: [0xc3], oracle: (a) => BigInt.asIntN(16, a) },
  { name: "extend32_s", code: [0xc4], oracle: (a) => BigInt.asIntN(32, a) },
  { name: "wrap, extend_i32_s", code: [0xa7, 0xac], oracle: (a) => BigInt.asIntN(32, a) },
  { name: "wrap, extend_i32_u", code: [0xa7, 0xad], oracle: (a) => BigInt.asUintN(32, a) },
  { name: "reinterpret to f64 and back", code: [0xbf, 0xbd], oracle: (a) => a },
  ...([
    ["load8_s", 0x30, (a) => BigInt.asIntN(8, a)],
    ["load8_u", 0x31, (a) => BigInt.asUintN(8, a)],
    ["load16_s", 0x32, (a) => BigInt.asIntN(16, a)],
    ["load16_u", 0x33, (a) => BigInt.asUintN(16, a)],
    ["load32_s", 0x34, (a) => BigInt.asIntN(32, a)],
    ["load32_u", 0x35, (a) => BigInt.asUintN(32, a)],
    ["load", 0x29, (a) => a],
  ] as const satisfies [string, number, (a: bigint) => bigint][]).map(([name, code, oracle]) => ({
    name: `store, ${name}`,
    // The value is already on the stack: keep it in local 3, store it at 1 (not aligned), load it.
    code: [...set(3), ...constant(1), ...get(3), 0x37, 0, 0, ...constant(1), code, 0, 0],
    oracle,
  })),
  ...([
    ["store8", 0x3c, 8],
    ["store16", 0x3d, 16],
    ["store32", 0x3e, 32],
  ] as const).map(([name, code, bits]) => ({
    name: `${name} over ones, load`,
    code: [
      ...[...set(3), ...constant(1), ...constant(-1n), 0x37, 0, 0, ...constant(1), ...get(3), code, 0, 0],
      ...[...constant(1), 0x29, 0, 0],
    ],
    oracle: (a: bigint) => s64((-1n << BigInt(bits)) | BigInt.asUintN(bits, a)),
  })),
];

/** Operands where carries, signs and halves change: at least 64 of them. */
export const EDGES: readonly bigint[] = (() => {
  const edges = new Set<bigint>();
  for (const bit of [0n, 1n, 2n, 7n, 8n, 15n, 16n, 31n, 32n, 33n, 47n, 48n, 62n, 63n]) {
    for (const delta of [-1n, 0n, 1n]) {
      edges.add(s64((1n << bit) + delta));
      edges.add(s64(-((1n << bit) + delta)));
    }
  }
  for (const value of [10n, 64n, 65n, 0x0123456789abcdefn, 0xaaaaaaaaaaaaaaaan, 0x5555555555555555n]) {
    edges.add(s64(value));
  }
  for (const value of [0xffffffff00000000n, 0xfffffffe00000001n, 0x80000000ffffffffn, 0x100000001n]) {
    edges.add(s64(value));
  }
  edges.add(3707827967n);
  return [...edges];
})();

/** Bytes before the arrays: scratch space of the memory operators. */
const BASE = 64;

/** Parameters of an array function: count, then local 1 … for the loop. */
function arrayFunction(
  name: string,
  count: number,
  code: readonly number[],
  narrow: boolean,
): FunctionSource {
  // Operands are locals 0 and 1 of the operator's bytes, so the scalar function can use the same.
  const bytes = count * 8;
  const load = (offset: number) => [...get(2), 0x29, 3, ...unsigned(BASE + offset)];
  return {
    name,
    params: [I64, I64],
    results: [],
    locals: [I32, I64, I64],
    body: [
      ...loop(
        load(0),
        set(0),
        load(bytes),
        set(1),
        get(2),
        get(0),
        get(1),
        [...code],
        narrow ? [0xad] : [],
        [0x37, 3, ...unsigned(BASE + 2 * bytes)],
        get(2),
        constant(8),
        [0x6a],
        [0x22, 2],
        constant(bytes),
        [0x49],
      ),
    ],
  };
}

/** Runs the operators over pairs of operands and compares with the oracle. */
export class I64Campaign {
  readonly #count: number;
  readonly #store = new RwasmStore({ limits: { memoryPages: 1024 } });
  readonly #executor: RwasmExecutor<undefined>;

  /** Compiles a module for arrays of `count` pairs. */
  constructor(count: number) {
    this.#count = count;
    const functions: FunctionSource[] = [];
    for (const { name, code, narrow = false } of BINARY) {
      functions.push(arrayFunction(name, count, code, narrow));
      functions.push({
        name: `${name} once`,
        params: [I64, I64],
        results: [narrow ? I32 : I64],
        locals: [I32, I64, I64],
        body: [...get(0), ...get(1), ...code],
      });
    }
    for (const { name, code } of UNARY) functions.push(arrayFunction(name, count, [0x1a, ...code], false));
    const wasm = encodeWasm({ functions, pages: Math.ceil((BASE + count * 24) / 65536) });
    this.#executor = new RwasmExecutor(this.#store, compile(wasm));
    const instantiated = this.#executor.instantiate();
    if (instantiated.status !== "done") fail(`instantiation ended as ${instantiated.status}`);
  }

  /** One application through a call, with its trap. */
  once(name: string, a: bigint, b: bigint): Answer {
    const outcome = this.#executor.call(`${name} once`, [a, b]);
    if (outcome.status === "trap") return outcome.trap.code;
    if (outcome.status !== "done") return fail(`paused in ${name}`);
    return BigInt(outcome.results[0] as bigint);
  }

  /** Every operator over the pairs (a[i], b[i]); returns how many applications were compared. */
  compare(a: BigInt64Array, b: BigInt64Array): number {
    let compared = 0;
    for (const { name, oracle } of BINARY) {
      const expected = Array.from(a, (value, i) => oracle(value, b[i]));
      // A trap would end the whole array: such pairs run alone, and 1 / 1 takes their place here.
      const [left, right] = [a.slice(), b.slice()];
      expected.forEach((answer, i) => {
        if (typeof answer !== "string") return;
        assertEquals(this.once(name, a[i], b[i]), answer, `i64.${name} of ${a[i]} and ${b[i]}`);
        left[i] = right[i] = 1n;
        expected[i] = oracle(1n, 1n);
      });
      const actual = this.#run(name, left, right);
      for (let i = 0; i < actual.length; i++) {
        if (actual[i] !== expected[i]) {
          fail(`i64.${name} of ${left[i]} and ${right[i]} is ${actual[i]}, not ${expected[i]}`);
        }
      }
      compared += actual.length;
    }
    for (const { name, oracle } of UNARY) {
      const actual = this.#run(name, a, b);
      for (let i = 0; i < actual.length; i++) {
        // The array function pushes both operands and drops the second.
        if (actual[i] !== oracle(a[i])) fail(`i64.${name} of ${a[i]} is ${actual[i]}, not ${oracle(a[i])}`);
      }
      compared += actual.length;
    }
    return compared;
  }

  /** Pairs of random operands of every magnitude; `b` is often small, so that shifts and divisions vary. */
  random(random: Random): number {
    const a = new BigInt64Array(this.#count), b = new BigInt64Array(this.#count);
    const operand = () => {
      const value = BigInt(random.u32()) << 32n | BigInt(random.u32());
      const shift = BigInt(random.below(64));
      return random.below(2) === 0 ? s64(value) >> shift : s64(value >> shift);
    };
    for (let i = 0; i < a.length; i++) [a[i], b[i]] = [operand(), operand()];
    return this.compare(a, b);
  }

  #run(name: string, a: BigInt64Array, b: BigInt64Array): BigInt64Array {
    const bytes = this.#count * 8;
    const memory = this.#store.memory;
    memory.write(BASE, new Uint8Array(a.buffer));
    memory.write(BASE + bytes, new Uint8Array(b.buffer));
    const outcome = this.#executor.call(name, [0n, 0n]);
    if (outcome.status !== "done") {
      fail(`i64.${name}: ${outcome.status === "trap" ? outcome.trap.message : "paused"}`);
    }
    return new BigInt64Array(memory.read(BASE + 2 * bytes, bytes).buffer);
  }
}
