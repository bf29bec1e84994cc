/**
 * Runs a machine in the plain loop with somebody watching: before each instruction an observer sees
 * where the machine is. What the instructions do stays the business of the plain loop.
 *
 * @module
 */

import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";

/** Sees every instruction before it runs. */
export interface Observer {
  /**
   * The instruction at `pc`, inside of the code, is next; the arguments are the state before it, and
   * what the one before it did to memory, tables and globals is done. False stops the loop before it.
   */
  before(pc: number, sp: number, depth: number, slice: number, stack: Int32Array): boolean;
}

/**
 * Runs from `machine.pc` until an {@link Exit}, with the contract of the plain loop and its ranges;
 * also `Exit.Left` when the observer stopped it.
 */
export function runObserved(machine: Machine, observer: Observer, from = 0, count = 0x7fffffff): Exit {
  const { fuel } = machine, length = machine.module.length;
  let once = count === 1 && from === machine.pc;
  for (;;) {
    const { pc } = machine;
    if ((pc - from) >>> 0 >= count || count === 1) {
      if (pc >>> 0 < length && !once) return Exit.Left;
      once = false;
    }
    if (pc >>> 0 < length && !observer.before(pc, machine.sp, machine.depth, fuel.slice, machine.stack)) {
      return Exit.Left;
    }
    const exit = run(machine, pc, 1);
    if (exit !== Exit.Left) return exit;
  }
}
