/**
 * Walks over the calling contexts of a profile: totals, order, names on the way. It only reads.
 *
 * @module
 */

import type { StackProfile } from "./folded.ts";
import type { ProfileStacks } from "./profile.ts";

/** Fuel of every node with all nodes under it. */
export function totalsOf({ parents, fuel }: Pick<ProfileStacks, "parents" | "fuel">): bigint[] {
  const totals = fuel.slice();
  // A node comes after the one above it.
  for (let node = totals.length - 1; node > 0; node--) totals[parents[node]!]! += totals[node]!;
  return totals;
}

/** Fuel by function: charged in it, and charged in it and in what it called. */
export function functionTotals({ functions, stacks }: StackProfile): { self: bigint[]; total: bigint[] } {
  const self: bigint[] = new Array(functions.length).fill(0n), total = self.slice();
  const inclusive = totalsOf(stacks), open = new Uint32Array(functions.length);
  walk(stacks, (node) => {
    const fn = stacks.functions[node]!;
    self[fn]! += stacks.fuel[node]!;
    // Of a function that is on the stack already, the outermost call counts.
    if (open[fn]++ === 0) total[fn]! += inclusive[node]!;
  }, (node) => void open[stacks.functions[node]!]--);
  return { self, total };
}

/**
 * Visits every node but the root, depth first, siblings in the order they were first entered.
 *
 * @param enter called before the nodes under a node
 * @param leave called after them
 */
export function walk(
  { parents }: Pick<ProfileStacks, "parents">,
  enter: (node: number, depth: number) => void,
  leave?: (node: number) => void,
): void {
  const first = new Int32Array(parents.length), next = new Int32Array(parents.length);
  for (let node = parents.length - 1; node > 0; node--) {
    next[node] = first[parents[node]!]!;
    first[parents[node]!] = node;
  }
  // Stacks may be deeper than the host's own, so there is no recursion.
  let node = first[0]!, depth = 0;
  while (node !== 0) {
    enter(node, depth);
    if (first[node] !== 0) {
      node = first[node]!;
      depth++;
      continue;
    }
    for (;;) {
      leave?.(node);
      if (next[node] !== 0) {
        node = next[node]!;
        break;
      }
      node = parents[node]!;
      if (node === 0) return;
      depth--;
    }
  }
}
