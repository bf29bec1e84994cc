/**
 * Runs a module with a tracer, and compares what the trace alone leads to with the machine.
 *
 * @module
 */

import type { RwasmStore } from "../../mod.ts";
import type { Machine } from "../../lib/vm/machine.ts";
import { rebuild, type Rebuilt, type Trace } from "../../lib/trace/rebuild.ts";

/** First place at which arrays differ; -1 when they are equal, lengths included. */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

/** How what was rebuilt differs from a machine that just ran, and its fuel; undefined when all is equal. */
export function differsFromMachine(
  { state, stack, calls, fuel, inconsistency }: Rebuilt,
  machine: Machine,
  store: RwasmStore<never> | RwasmStore<undefined> | { consumedFuel(): bigint },
): string | undefined {
  if (inconsistency !== undefined) return `inconsistent: ${inconsistency}`;
  const memory = firstDifference(state.bytes, machine.memory.bytes);
  if (memory >= 0) {
    return `memory at ${memory}: ${state.bytes[memory]} instead of ${machine.memory.bytes[memory]}`;
  }
  const words = Math.max(machine.globals.length, state.globals.dense.length);
  for (
    const word of [...Array(words).keys(), ...machine.sparseGlobals.keys(), ...state.globals.sparse.keys()]
  ) {
    const found = state.globals.get(word), expected = machine.globalWord(word);
    if (found !== expected) return `global word ${word}: ${found} instead of ${expected}`;
  }
  for (const index of new Set([...machine.tables.indices(), ...state.tables.keys()])) {
    const { elements, length } = machine.tables.at(index);
    const at = firstDifference(state.table(index), elements.subarray(0, length));
    if (at >= 0) return `table ${index} at ${at}`;
  }
  for (let segment = 0; segment < 64; segment++) {
    if (state.droppedData.has(segment) !== machine.droppedData.has(segment)) return `data segment ${segment}`;
    if (state.droppedElements.has(segment) !== machine.droppedElements.has(segment)) {
      return `element segment ${segment}`;
    }
  }
  // After a trap the machine's stacks are empty, but their cells are as they were.
  const cell = firstDifference(stack, machine.stack.subarray(0, stack.length));
  if (cell >= 0) return `stack cell ${cell}: ${stack[cell]} instead of ${machine.stack[cell]}`;
  if (machine.sp > 0 && machine.sp !== stack.length) return `${stack.length} cells instead of ${machine.sp}`;
  const call = firstDifference(calls, machine.calls.subarray(0, calls.length));
  if (call >= 0) return `return address ${call}`;
  const consumed = store.consumedFuel();
  return fuel === consumed ? undefined : `fuel ${fuel} instead of ${consumed}`;
}

/** The same for a trace of everything the machine ran. */
export function replayDiffers(
  trace: Trace,
  machine: Machine,
  store: { consumedFuel(): bigint },
): string | undefined {
  return differsFromMachine(rebuild(trace), machine, store);
}
