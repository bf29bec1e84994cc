/**
 * Two profiles compared: by function and by calling context. Functions are the same when their names
 * are, because a build moves everything else. It formats nothing.
 *
 * @module
 */

import type { StackProfile } from "./folded.ts";
import { functionTotals, walk } from "./profile_stacks.ts";
import { CallTree, ROOT } from "./profile_tree.ts";

/** Fuel of one function in two profiles. */
export interface FunctionChange {
  /** Its name. */
  readonly name: string;
  /** Fuel charged in it, before and after. */
  readonly self: readonly [before: bigint, after: bigint];
  /** Fuel charged in it and in what it called, before and after. */
  readonly total: readonly [before: bigint, after: bigint];
}

/** Two profiles in one. */
export interface ProfileDiff {
  /** Fuel of the first profile. */
  readonly before: bigint;
  /** Fuel of the second profile. */
  readonly after: bigint;
  /** All functions, those that changed most first. */
  readonly functions: readonly FunctionChange[];
  /** All calling contexts, with the fuel of the second profile. */
  readonly profile: StackProfile;
  /** Fuel of the same contexts in the first profile. */
  readonly fuelBefore: readonly bigint[];
}

/** Compares two profiles. */
export function diffProfiles(before: StackProfile, after: StackProfile): ProfileDiff {
  const names = new Map<string, number>(), tree = new CallTree(2 ** 24, -2);
  const sums: [Map<number, bigint>, Map<number, bigint>] = [new Map(), new Map()];
  for (const [side, profile] of [before, after].entries()) {
    const { functions, stacks } = profile, path: number[] = [];
    walk(stacks, (node, depth) => {
      const { name } = functions[stacks.functions[node]!]!;
      let fn = names.get(name);
      if (fn === undefined) names.set(name, fn = names.size);
      const at = path[depth] = tree.child(depth === 0 ? ROOT : path[depth - 1]!, fn);
      sums[side]!.set(at, (sums[side]!.get(at) ?? 0n) + stacks.fuel[node]!);
    });
  }
  const { length } = tree;
  const column = (side: 0 | 1) => Array.from({ length }, (_, node) => sums[side].get(node) ?? 0n);
  const profile: StackProfile = {
    fuel: after.fuel,
    functions: Array.from(names.keys(), (name) => ({ name })),
    stacks: {
      parents: tree.parents.slice(0, length),
      functions: tree.functions.slice(0, length),
      fuel: column(1),
    },
  };
  const fuelBefore = column(0);
  return {
    before: before.fuel,
    after: after.fuel,
    functions: changes(profile, fuelBefore),
    profile,
    fuelBefore,
  };
}

function changes(profile: StackProfile, fuelBefore: readonly bigint[]): FunctionChange[] {
  const after = functionTotals(profile);
  const before = functionTotals({ ...profile, stacks: { ...profile.stacks, fuel: fuelBefore } });
  const rows = profile.functions.map(({ name }, fn): FunctionChange => ({
    name,
    self: [before.self[fn]!, after.self[fn]!],
    total: [before.total[fn]!, after.total[fn]!],
  }));
  return rows.sort((a, b) =>
    order(change(b.self), change(a.self)) || order(change(b.total), change(a.total))
  );
}

function change([before, after]: readonly [bigint, bigint]): bigint {
  return after < before ? before - after : after - before;
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
