/**
 * The task: the greatest sum of numbers that stand next to each other (0 when all are negative). The
 * plugin "task" gives a submission the numbers and takes its answer.
 *
 * @module
 */

import { type Caller, defineSyscalls, type SyscallPlugin } from "../../mod.ts";

/** One test, and what a submission answers. */
export interface Sheet {
  /** The numbers. */
  readonly numbers: readonly number[];
  /** The answer; undefined as long as there is none. */
  answer: bigint | undefined;
}

/** The plugin. */
const task: SyscallPlugin<Sheet> = defineSyscalls({
  module: "task",
  functions: {
    count: {
      index: 0x7461_0000,
      params: [],
      results: ["i32"],
      fuel: { const: 2 },
      call: (caller: Caller<Sheet>) => caller.data.numbers.length,
    },
    number: {
      index: 0x7461_0001,
      params: ["i32"],
      results: ["i32"],
      fuel: { const: 2 },
      call({ data }: Caller<Sheet>, at) {
        const number = data.numbers[at];
        if (number === undefined) throw new RangeError(`there is no number ${at}`); // ends the run: a trap
        return number;
      },
    },
    answer: {
      index: 0x7461_0002,
      params: ["i64"],
      results: [],
      fuel: { const: 2 },
      call(caller: Caller<Sheet>, sum) {
        caller.data.answer = sum;
      },
    },
  },
});
export default task;

/** A test: the numbers and the right answer. */
export interface Test {
  /** What it tries. */
  readonly name: string;
  /** The numbers. */
  readonly numbers: readonly number[];
  /** The right answer. */
  readonly expected: bigint;
}

/** Numbers that look random and are always the same. */
function numbers(count: number): number[] {
  let x = 1;
  return Array.from({ length: count }, () => (x = Math.imul(x, 1664525) + 1013904223 | 0) >> 22);
}

/** The right answer, in TypeScript. */
function solve(list: readonly number[]): bigint {
  let best = 0, here = 0;
  for (const number of list) best = Math.max(best, here = Math.max(0, here + number));
  return BigInt(best);
}

/** What submissions must get right. */
export const TESTS: readonly Test[] = [
  { name: "nothing", numbers: [] },
  { name: "one", numbers: [7] },
  { name: "all positive", numbers: [1, 2, 3, 4] },
  { name: "all negative", numbers: [-3, -1, -2] },
  { name: "mixed", numbers: [-2, 1, -3, 4, -1, 2, 1, -5, 4] },
  { name: "large", numbers: numbers(1000) },
].map((test) => ({ ...test, expected: solve(test.numbers) }));
