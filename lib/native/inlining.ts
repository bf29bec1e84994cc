/**
 * Which functions are translated in the place of their calls: short ones without jumps, that call
 * nothing and need no help of the host. A frame of such a function stands on top of that of its caller
 * as on the value stack, and sites and traps know both.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { isEnd, STEPPED } from "./flow.ts";
import { HIDDEN_OPERATORS } from "./operators.ts";

/** Most slots above its entry that such a function uses. */
export const MOST_INLINED = 48;

/** Most instructions of such a function. */
const MOST_INSTRUCTIONS = 48;

// What is known about a function.
const UNKNOWN = 0, SUITS = 1, DOES_NOT = 2;

/** Decides about the functions of a module. */
export class Inlining {
  readonly #verified: VerifiedModule;
  readonly #hidden: Int8Array;
  readonly #globalWords: number;
  readonly #known: Uint8Array;

  /** Nothing is decided yet. */
  constructor(verified: VerifiedModule, hidden: Int8Array, globalWords: number) {
    this.#verified = verified;
    this.#hidden = hidden;
    this.#globalWords = globalWords;
    this.#known = new Uint8Array(verified.functionCount);
  }

  /** Whether calls of a function become its instructions. */
  suits(number: number): boolean {
    if (this.#known[number] === UNKNOWN) this.#known[number] = this.#decide(number) ? SUITS : DOES_NOT;
    return this.#known[number] === SUITS;
  }

  #decide(number: number): boolean {
    const { starts, maxHeights, module: { opcodes, immediates } } = this.#verified;
    const start = starts[number], end = starts[number + 1] - 1;
    if (end - start > MOST_INSTRUCTIONS || opcodes[end] !== Op.Return) return false;
    if (maxHeights[number] > MOST_INLINED) return false;
    for (let pc = start; pc < end; pc++) {
      const op = opcodes[pc];
      if (isEnd(op) || op === Op.CallIndirect) return false;
      if (op === Op.CallInternal) {
        const hidden = this.#hidden[this.#verified.functionAt(immediates[pc])];
        if (hidden < 0 || hidden >= HIDDEN_OPERATORS.length) return false;
      } else if (op === Op.GlobalGet || op === Op.GlobalSet) {
        if (immediates[pc] >>> 0 >= this.#globalWords) return false;
      } else if (op === Op.StackCheck) {
        if (immediates[pc] < 0 || immediates[pc] > MOST_INLINED) return false;
      } else if (STEPPED[op] !== 0) return false;
    }
    return true;
  }
}
