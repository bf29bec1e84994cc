/**
 * What a function body may refer to while it is generated: the module around it, and the dice. The
 * type section grows on demand, because blocks need types too. It holds facts and writes no code.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import type { Random } from "../harness.ts";
import type { Signature } from "./module.ts";

/** What the modules of a campaign may use, and how large they are. */
export interface GenerateOptions {
  /** Most functions with a body. */
  readonly functions: number;
  /** Instructions a function aims at. */
  readonly size: number;
  /** Calls and back-branches a call from outside may make in total. */
  readonly budget: number;
  /** Chance, in percent, that a module holds operations that may trap. */
  readonly wild: number;
  /** Chance, in percent, that a module may recurse until the stack is exhausted. */
  readonly deep: number;
  /** Whether there are floats. */
  readonly floats: boolean;
  /** Whether there are tables, references and indirect calls. */
  readonly tables: boolean;
  /** Whether there are memories. */
  readonly memory: boolean;
  /** Whether there are imports. */
  readonly imports: boolean;
}

/** The mix of the campaigns. */
export const DEFAULT_OPTIONS: GenerateOptions = {
  functions: 7,
  size: 90,
  budget: 60,
  wild: 22,
  deep: 1,
  floats: true,
  tables: true,
  memory: true,
  imports: true,
};

/** Entries of the table that never changes which have the same type: a range of indices. */
export interface CallGroup {
  readonly type: number;
  readonly start: number;
  readonly count: number;
}

/** A segment; a stable one is passive and never dropped, so that it can be read without a trap. */
export interface SegmentFacts {
  readonly length: number;
  readonly stable: boolean;
  /** Type of the items of an element segment. */
  readonly type: "funcref" | "externref";
}

/** A table; a stable one is table 0 of a tame module, which nothing writes to. */
export interface TableFacts {
  readonly type: "funcref" | "externref";
  readonly min: number;
  readonly stable: boolean;
}

/** The module around a body. */
export interface ModuleContext {
  readonly random: Random;
  readonly options: GenerateOptions;
  /** Types so far; `typeIndex` adds to them. */
  readonly types: Signature[];
  /** Type index of every function, imports first. */
  readonly functions: readonly number[];
  /** Number of imported functions. */
  readonly importCount: number;
  readonly globals: readonly { readonly type: ValueType; readonly mutable: boolean }[];
  /** Mutable i32 global that calls and back-branches count down. */
  readonly budgetGlobal: number;
  /** Mutable i64 global that values are mixed into, so that nothing goes unseen. */
  readonly digestGlobal: number;
  /** Functions `ref.func` may name. */
  readonly declared: readonly number[];
  readonly tables: readonly TableFacts[];
  readonly groups: readonly CallGroup[];
  /** Initial pages; undefined without a memory. */
  readonly pages: number | undefined;
  /** Whether `memory.grow` can grow little: a maximum is declared. */
  readonly growable: boolean;
  readonly data: readonly SegmentFacts[];
  readonly elements: readonly SegmentFacts[];
  /** Types a value may have. */
  readonly valueTypes: readonly ValueType[];
  /** Whether the module may trap. */
  readonly wild: boolean;
}

const sameTypes = (a: readonly ValueType[], b: readonly ValueType[]): boolean =>
  a.length === b.length && a.every((type, i) => type === b[i]);

/** Whether two lists of types are equal. */
export { sameTypes };

/** Index of a type, which is added when it is missing. */
export function typeIndex(
  { types }: { readonly types: Signature[] },
  params: readonly ValueType[],
  results: readonly ValueType[],
): number {
  const found = types.findIndex((type) => sameTypes(type.params, params) && sameTypes(type.results, results));
  if (found >= 0) return found;
  types.push({ params, results });
  return types.length - 1;
}

/** Up to `most` types a value may have; few more often than many. */
export function someTypes(
  random: Random,
  valueTypes: readonly ValueType[],
  most: number,
): ValueType[] {
  const count = Math.min(random.below(most + 1), random.below(most + 1));
  return Array.from({ length: count }, () => random.pick(valueTypes));
}
