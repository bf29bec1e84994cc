/**
 * Runs a machine in the plain loop with somebody watching: before each instruction an observer sees
 * where the machine is. What the instructions do stays the business of the plain loop.
 *
 * @module
 */

import type { Machine } from "../vm/machine.ts";
import { type Exit, type Observer, run } from "../vm/step.ts";

export type { Observer } from "../vm/step.ts";

/**
 * Runs from `machine.pc` until an {@link Exit}, with the contract of the plain loop and its ranges;
 * also `Exit.Left` when the observer stopped it.
 */
export function runObserved(machine: Machine, observer: Observer, from?: number, count?: number): Exit {
  return run(machine, from, count, observer);
}
