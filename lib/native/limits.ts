/**
 * Which functions must look at the limits of stack and call depth when they are entered. A function
 * outside of all recursion that needs little, with all it calls, need not: whoever calls it has left
 * room for it. Everything is worked out at once, in time linear in the code.
 *
 * @module
 */

import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { CALL_MARGIN, STACK_MARGIN } from "../interpreter/layout.ts";
import { MARGIN_DEPTH, MARGIN_SLOTS, SMALL_FRAME } from "./layout.ts";

/** What each function needs. */
export interface Needs {
  /** By function: slots above its entry that its own frame makes use of or reserves. */
  readonly slots: Int32Array;
  /** By function: 1 when it looks at the limits. */
  readonly checks: Uint8Array;
}

/** Estimated bytes of the host's stack for a frame of some slots. */
export function frameBytes(slots: number): number {
  return 12 * slots + 128;
}

/**
 * Works out what the functions of a module need.
 *
 * @param hidden by function: not negative when calls of it become operators
 */
export function findNeeds(verified: VerifiedModule, hidden: Int8Array): Needs {
  const { functionCount, starts, heights, maxHeights, paramSlots, module: { opcodes, immediates } } =
    verified;
  const slots = maxHeights.slice(), checks = new Uint8Array(functionCount);
  const firsts = new Int32Array(functionCount + 1);
  let callees = new Int32Array(1024), at = new Int32Array(1024), edges = 0;
  for (let number = 0; number < functionCount; number++) {
    for (let pc = starts[number]; pc < starts[number + 1]; pc++) {
      const op = opcodes[pc];
      switch (op) {
        case Op.CallInternal:
        case Op.ReturnCallInternal: {
          if (heights[pc] === UNREACHED) break;
          const callee = verified.functionAt(immediates[pc]);
          if (hidden[callee] >= 0) break;
          if (edges === callees.length) {
            callees = grow(callees);
            at = grow(at);
          }
          at[edges] = heights[pc];
          callees[edges++] = callee;
          break;
        }
        case Op.CallIndirect:
        case Op.ReturnCallIndirect:
          checks[number] = 1;
          break;
        case Op.StackCheck:
          if (heights[pc] !== UNREACHED) {
            slots[number] = Math.max(slots[number], Math.min(heights[pc] + (immediates[pc] >>> 0), 2 ** 28));
          }
          break;
      }
    }
    firsts[number + 1] = edges;
    if (frameBytes(paramSlots[number] + maxHeights[number]) > SMALL_FRAME) checks[number] = 1;
  }

  // Depth first: a function is done when all it calls is; one that is called while it is on the way recurs.
  const total = slots.slice(), depths = new Int32Array(functionCount);
  const states = new Uint8Array(functionCount), cursor = firsts.slice(0, functionCount);
  const way = new Int32Array(functionCount);
  const ON_WAY = 1, DONE = 2;
  for (let root = 0; root < functionCount; root++) {
    if (states[root] !== 0) continue;
    let length = 1;
    way[0] = root;
    states[root] = ON_WAY;
    while (length > 0) {
      const number = way[length - 1];
      if (cursor[number] < firsts[number + 1]) {
        const callee = callees[cursor[number]++];
        if (states[callee] === 0) {
          states[callee] = ON_WAY;
          way[length++] = callee;
        } else if (states[callee] === ON_WAY) checks[callee] = 1; // every circle has one that looks
        continue;
      }
      for (let edge = firsts[number]; edge < firsts[number + 1]; edge++) {
        const callee = callees[edge];
        if (checks[callee] !== 0) {
          depths[number] = Math.max(depths[number], 1);
          continue;
        }
        total[number] = Math.max(total[number], at[edge] + total[callee]);
        depths[number] = Math.max(depths[number], depths[callee] + 1);
      }
      if (total[number] > MARGIN_SLOTS - STACK_MARGIN || depths[number] > MARGIN_DEPTH - CALL_MARGIN - 1) {
        checks[number] = 1;
      }
      states[number] = DONE;
      length--;
    }
  }
  return { slots, checks };
}

function grow(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * words.length);
  larger.set(words);
  return larger;
}
