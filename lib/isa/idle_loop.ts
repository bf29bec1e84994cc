/**
 * The search for loops that nothing can end: part of verification.
 *
 * @module
 */

import type { RwasmModule } from "./module.ts";
import { Op } from "./opcode.ts";
import { refuseAt } from "./refusal.ts";

/** Marks of an instruction of the chain that is being followed, and of one that was. */
const ON_CHAIN = 1, FOLLOWED = 2;

/**
 * Refuses loops of jumps alone: closed chains of `Br`, `ReturnCallInternal`, `SignatureCheck`,
 * `StackCheck` and `ConsumeFuel(0)`, the instructions that neither test nor change nor charge
 * anything. Such a loop, of which `Br(0)` is the smallest, can never be left and never be stopped
 * by fuel. Any other loop without charges is allowed: code compiled with `consumeFuel: false` has
 * them. Every loop has a jump that does not lead forward, and that is where to search from.
 */
export class IdleLoops {
  readonly #module: RwasmModule;
  /** One byte per instruction, made when there is something to search. */
  #marks: Uint8Array | undefined = undefined;

  /** A search that has not begun. */
  constructor(module: RwasmModule) {
    this.#module = module;
  }

  /**
   * Follows the chain from an instruction as far as it was not followed before.
   *
   * @throws {VerifyError} `EndlessLoop`
   */
  search(start: number): void {
    if (this.#next(start) < 0) return;
    const marks = this.#marks ??= new Uint8Array(this.#module.length);
    let pc = start;
    for (; pc >= 0 && marks[pc] === 0; pc = this.#next(pc)) marks[pc] = ON_CHAIN;
    if (pc >= 0 && marks[pc] === ON_CHAIN) this.#refuse(pc);
    for (pc = start; pc >= 0 && marks[pc] === ON_CHAIN; pc = this.#next(pc)) marks[pc] = FOLLOWED;
  }

  /** Refuses the loop through an instruction at its last one, which jumps back. */
  #refuse(on: number): never {
    let last = on;
    for (let pc = this.#next(on); pc !== on; pc = this.#next(pc)) last = Math.max(last, pc);
    refuseAt(this.#module, last, "EndlessLoop", "closes a loop that does nothing and is never left", {
      hint: "fuel cannot stop it: it charges nothing",
    });
  }

  /** Where an instruction that does nothing leads, or -1 when it does something or leads out of the code. */
  #next(pc: number): number {
    const { opcodes, immediates } = this.#module, op = opcodes[pc];
    let next = -1;
    if (op === Op.Br) next = pc + immediates[pc]!;
    else if (op === Op.ReturnCallInternal) next = immediates[pc]! >>> 0;
    else if (op === Op.SignatureCheck || op === Op.StackCheck) next = pc + 1;
    else if (op === Op.ConsumeFuel && immediates[pc] === 0) next = pc + 1;
    return next < opcodes.length ? next : -1;
  }
}
