/**
 * How many branches lead to each instruction of the function that is being lowered, counted when first
 * asked for: most functions never ask.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { isBranch } from "./idioms.ts";

/** Mark of an instruction that a branch leads back to. */
const BACKWARD = 0x80;

/** Most branches that are counted. */
const MANY = 127;

/** Branches by target; one object serves all functions of a module. */
export class Arrivals {
  readonly #verified: VerifiedModule;
  /** By instruction: how many branches lead there, `MANY` for more, and `BACKWARD` when one comes from behind. */
  #arrivals = new Uint8Array(256);
  #counted = false;
  #start = 0;
  #end = 0;

  /** Prepares for the functions of a module. */
  constructor(verified: VerifiedModule) {
    this.#verified = verified;
  }

  /** Goes on to the function from one pc to another. */
  begin(start: number, end: number): void {
    this.#start = start;
    this.#end = end;
    this.#counted = false;
  }

  /** Whether a number of branches, and no call, lead to an instruction of the function or behind it. */
  only(pc: number, branches: number): boolean {
    if (pc >= this.#end) return false;
    if (!this.#verified.isTarget(pc)) return branches === 0;
    this.#count();
    return this.#arrivals[pc - this.#start] === branches;
  }

  /** Whether a branch leads back to an instruction. */
  isLoop(pc: number): boolean {
    this.#count();
    return (this.#arrivals[pc - this.#start] & BACKWARD) !== 0;
  }

  /** Counts the branches of the function by target; entries of branch tables count as well. */
  #count(): void {
    if (this.#counted) return;
    this.#counted = true;
    const { opcodes, immediates } = this.#verified.module, start = this.#start, end = this.#end;
    if (end - start + 1 > this.#arrivals.length) this.#arrivals = new Uint8Array(2 * (end - start + 1));
    const arrivals = this.#arrivals.fill(0, 0, end - start + 1);
    const arrive = (at: number) => {
      if ((arrivals[at] & ~BACKWARD) < MANY) arrivals[at]++;
    };
    for (let pc = start; pc < end; pc++) {
      const op = opcodes[pc];
      if (isBranch(op)) {
        arrive(pc + immediates[pc] - start);
        if (immediates[pc] <= 0) arrivals[pc + immediates[pc] - start] |= BACKWARD;
      } else if (op === Op.BrTable) {
        for (let n = 0; n < immediates[pc]; n++) arrive(pc + 1 + 2 * n - start);
      }
    }
  }
}
