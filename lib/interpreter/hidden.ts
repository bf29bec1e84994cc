/**
 * Recognizes the hidden i64 functions of a module by what they are: the exact code that the compiler
 * writes for them. A recognized function does what its operator does, so a call of it can become that
 * operator. Those of the reference's compiler are not known here yet and are called like any other.
 *
 * @module
 */

import { SNIPPETS } from "../compile/i64.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";

/** Numbers of the hidden functions are those of `SNIPPETS`: the comparisons come first. */
export const LAST_COMPARISON = 9;

/** The first of those that can trap. */
export const FIRST_DIVISION = 13;

/** The last of those that can trap. */
export const LAST_DIVISION = 16;

/** What the divisions share. It stands for no operator. */
export const DIVISION_CORE = 22;

/** By function: the hidden function it is, or -1. */
export function findHidden({ module, starts, functionCount }: VerifiedModule): Int8Array {
  const hidden = new Int8Array(functionCount).fill(-1);
  const { opcodes, immediates } = module;
  for (let number = 0; number < functionCount; number++) {
    const start = starts[number], length = starts[number + 1] - start;
    if (opcodes[start] !== Op.StackCheck) continue;
    hidden[number] = SNIPPETS.findIndex(({ height, body }) => {
      if (immediates[start] !== height || body.opcodes.length !== length - 1) return false;
      return body.opcodes.every((op, k) =>
        opcodes[start + 1 + k] === op &&
        (op === Op.CallInternal || immediates[start + 1 + k] === body.immediates[k])
      );
    });
  }
  // A function that calls another one is what it seems only if that one is the division core.
  for (let number = 0; number < functionCount; number++) {
    if (hidden[number] < 0 || SNIPPETS[hidden[number]].needs < 0) continue;
    for (let pc = starts[number]; pc < starts[number + 1]; pc++) {
      if (opcodes[pc] !== Op.CallInternal) continue;
      const callee = starts.indexOf(immediates[pc]);
      if (callee < 0 || hidden[callee] !== DIVISION_CORE) hidden[number] = -1;
    }
  }
  return hidden;
}
