/**
 * Small functions in which two operators follow each other closely: every kind of producer in front of
 * every kind of consumer, with the result returned, used at once, or deciding a branch. They reach the
 * instructions of the fast loop that stand for two.
 *
 * @module
 */

import type { NumericType } from "../isa/wasm_operation.ts";
import { constant, get, I32, I64, set, tee } from "../wasm_encoder.ts";
import type { Shape } from "./shapes.ts";

type Code = readonly number[];

/** Parameters of all functions: two of the type that is worked on, and a local behind them. */
const P = get(0), Q = get(1);

/** Operators of i32 without traps: those of i64 are 18 further. */
const INTEGER = [0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78];

/** A load that stays inside of one page for most operands: the address is masked. */
const MASK = [...constant(0xfff), 0x71];

const LOAD32 = [0x28, 2, 0], LOAD8U = [0x2d, 0, 0], LOAD64 = [0x29, 3, 0];

/** Producers of an i32. */
function firsts32(): Code[] {
  const list: Code[] = INTEGER.flatMap((op) => [
    [...P, ...constant(5), op],
    [...P, ...Q, op],
    [...P, ...Q, 0x73, ...constant(3), op],
    [...P, ...Q, 0x6a, ...Q, op],
    [...P, ...Q, 0x6a, ...constant(2), op],
  ]);
  const loaded = [...P, ...MASK, ...set(2), ...get(2)];
  list.push([...loaded, ...LOAD32], [...loaded, ...LOAD8U], [0x23, 0]);
  list.push([...loaded, ...constant(8), 0x6a, ...LOAD32], [...loaded, ...get(2), 0x6a, ...LOAD8U]);
  list.push([...loaded, ...get(2), 0x6a, ...LOAD32]);
  // Addresses that were not just computed.
  const before = [...loaded.slice(0, -2), ...Q, ...constant(3), 0x73, 0x24, 0, ...get(2)];
  list.push([...before, ...LOAD32], [...before, ...LOAD8U], [...before, ...constant(8), 0x6a, ...LOAD32]);
  list.push([...before, ...get(2), 0x6a, ...LOAD8U]);
  return list;
}

/** What may follow an i32, leaving one. */
function seconds32(): Code[] {
  const list: Code[] = INTEGER.flatMap((op) => [[...Q, op], [...constant(7), op]]);
  list.push([...LOAD32], [...constant(100), 0x6a, ...LOAD32], [...Q, 0x6a, ...LOAD32]);
  list.push([0x24, 0, 0x23, 0], [...MASK, ...LOAD32]);
  // Of every load, from a sum of what was just computed and a slot.
  for (const load of [0x2c, 0x2d, 0x2e, 0x2f]) list.push([...Q, 0x6a, load, 0, 0]);
  list.push([...Q, 0x6a, 0x2b, 3, 0, 0xbd, 0xa7]);
  return list;
}

/** Ways to go on with an i32: returned, used at once, stored, compared for a branch. */
function tails32(code: Code): [results: number, body: Code][] {
  const branch = (
    test: Code,
  ): Code => [0x02, 0x40, ...code, ...test, 0x0d, 0, ...constant(1), 0x0f, 0x0b, ...constant(2)];
  return [
    [I32, code],
    [I32, [...code, ...constant(0x55), 0x73]],
    [I32, branch([])],
    [I32, branch([0x45])],
  ];
}

/** Comparisons of what a producer leaves, for a branch; `kept` is in a local as well. */
function compared(first: Code): Code[] {
  return Array.from({ length: 10 }, (_, k) => 0x46 + k).flatMap((op) =>
    [[...constant(9), op], [...Q, op], [0x45], []].flatMap((test) =>
      [[], tee(2)].map((kept) => [
        ...[0x02, 0x40, ...first, ...kept, ...test, 0x0d, 0, ...get(2), 0x0f, 0x0b],
        ...[...get(2), ...constant(1), 0x6a],
      ])
    )
  );
}

/** Producers and consumers of i64: parameters are i64. */
function pairs64(): Code[] {
  const list: Code[] = [];
  const firsts: Code[] = INTEGER.flatMap((op) => [
    [...P, ...constant(5n), op + 18],
    [...P, ...Q, op + 18],
    [...P, ...Q, 0x85, ...constant(3n), op + 18],
  ]);
  firsts.push([...P, 0xa7, 0xac], [...P, 0xa7, 0xad], [...P, 0xa7, ...Q, 0xa7, 0x6a, 0xad]);
  firsts.push([...P, 0xa7, ...Q, 0xa7, 0x6a, 0xac], [...P, 0xa7, ...MASK, ...LOAD64]);
  firsts.push([...P, 0xa7, ...MASK, ...Q, 0xa7, ...MASK, 0x6a, ...LOAD64]);
  const seconds: Code[] = INTEGER.flatMap((op) => [[...Q, op + 18], [...constant(7n), op + 18]]);
  for (const first of firsts) {
    for (const second of seconds) {
      list.push([...first, ...second], [...first, ...second, ...P, 0x85]);
    }
    list.push([...constant(16), ...first, 0x37, 3, 0, ...constant(16), ...LOAD64]);
  }
  return list;
}

/** Sums of products of floats; parameters are integers that carry them. */
function pairsOfFloats(single: boolean): Code[] {
  const to = single ? 0xbe : 0xbf, from = single ? 0xbc : 0xbd, first = single ? 0x92 : 0xa0;
  const a = [...P, to], b = [...Q, to], list: Code[] = [];
  const operators = [0, 1, 2, 3].map((k) => first + k);
  for (const inner of operators) {
    for (const outer of operators) {
      for (const pair of [[...a, ...b, inner, ...b, outer], [...b, ...a, ...b, inner, outer]]) {
        list.push([...pair, from], [...pair, ...a, first, from]);
      }
    }
  }
  return list;
}

/** All of them, by the type of their two parameters. */
export function pairShapes(): Shape[] {
  const shapes: Shape[] = [];
  const add = (type: NumericType, result: number, body: Code) => {
    const carrier = type === "i32" || type === "f32" ? I32 : I64;
    const name = `pair ${shapes.length}`, types: NumericType[] = [type, type];
    shapes.push({ name, types, params: [carrier, carrier], results: [result], locals: [carrier], body });
  };
  for (const first of firsts32()) {
    for (const second of seconds32()) {
      for (const [result, body] of tails32([...first, ...second])) add("i32", result, body);
    }
    for (const body of compared(first)) add("i32", I32, body);
    for (const [result, body] of tails32(first)) add("i32", result, body);
    add("i32", I64, [...first, 0xad, ...P, 0xad, 0x7c]);
    add("i32", I64, [...first, 0xac]);
    const address = [...first, ...MASK];
    add("i32", I32, [...constant(16), ...first, 0x36, 2, 0, ...constant(16), ...LOAD32]);
    for (const store of [[...Q, 0x36, 2, 0], [...constant(77), 0x36, 2, 0], [...Q, 0x3a, 0, 0]]) {
      add("i32", I32, [...address, ...store, ...address, ...LOAD32]);
      add("i32", I32, [...P, ...MASK, ...constant(24), 0x6a, ...store, ...P, ...MASK, ...LOAD32]);
    }
    add("i32", I32, [
      ...address,
      ...set(2),
      ...get(2),
      ...P,
      ...constant(3),
      0x6a,
      0x36,
      2,
      0,
      ...get(2),
      ...LOAD32,
    ]);
    for (const op of [[...constant(3), 0x6a], [...Q, 0x73, ...constant(3), 0x6a]]) {
      add("i32", I32, [
        ...P,
        ...MASK,
        ...set(2),
        ...get(2),
        ...first,
        ...op,
        0x36,
        2,
        0,
        ...get(2),
        ...LOAD32,
      ]);
    }
    add("i32", I32, [...first, ...constant(3), 0x6a, 0x24, 0, 0x23, 0, ...constant(4), 0x6a]);
  }
  for (const body of pairs64()) add("i64", I64, body);
  for (const [single, type, result] of [[true, "f32", I32], [false, "f64", I64]] as const) {
    for (const body of pairsOfFloats(single)) add(type, result, body);
  }
  return shapes;
}
