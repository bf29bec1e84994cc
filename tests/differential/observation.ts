/**
 * What can be seen of a module that runs, in a form that does not depend on the engine, and how two
 * sights of it are compared. Values are texts: exact bits, but any NaN is "NaN" and a function
 * reference is its index. It runs nothing.
 *
 * @module
 */

import type { Value, ValueType } from "../../mod.ts";

/** How a run ended. A stack that ran out is apart, because engines have stacks of different sizes. */
export type Ending =
  | { readonly kind: "done"; readonly results: readonly string[] }
  | { readonly kind: "trap"; readonly trap: TrapClass }
  | { readonly kind: "exhausted" };

/** Traps that every engine can tell apart. */
export type TrapClass =
  | "unreachable"
  | "memory"
  | "table"
  | "signature"
  | "division by zero"
  | "unrepresentable"
  | "host"
  | "halt"
  | "fuel";

/** One run of the start function or of an export. */
export interface CallObservation {
  /** "instantiate", or the export with its arguments. */
  readonly what: string;
  readonly ending: Ending;
  /** Host calls, in order, with arguments and what they saw. */
  readonly log: readonly string[];
  /** Fuel of this run; undefined where the engine has none. */
  readonly fuel?: bigint;
}

/** All that was seen of one instance. */
export interface Observation {
  readonly calls: readonly CallObservation[];
  /** Exported globals at the end, by name. */
  readonly globals: ReadonlyMap<string, string>;
  /** Final memory; empty without one. */
  readonly memory: Uint8Array;
}

/** A value as text. Function references must have been made function indices before. */
export function valueText(type: ValueType, value: Value): string {
  if (value === null) return `${type} null`;
  return `${type} ${Object.is(value, -0) ? "-0" : value}`;
}

/** The end of a run as text. */
export function endingText(ending: Ending): string {
  switch (ending.kind) {
    case "done":
      return `done (${ending.results.join(", ")})`;
    case "trap":
      return `trap: ${ending.trap}`;
    case "exhausted":
      return "stack exhausted";
  }
}

/** A way in which two observations differ. */
export interface Difference {
  /** The kind, stable while a module is made smaller. */
  readonly kind:
    | "ending"
    | "results"
    | "trap"
    | "host calls"
    | "globals"
    | "memory"
    | "fuel"
    | "loops"
    | "error";
  /** What happened, with both sides. */
  readonly text: string;
}

/** What {@link compare} found. */
export interface Comparison {
  readonly difference: Difference | undefined;
  /** Whether it stopped early because a stack ran out on one side. */
  readonly exhausted: boolean;
}

/**
 * Compares what two engines show. After a stack ran out on either side nothing later is compared:
 * how much was done until then depends on its size. Fuel is compared when both sides have it.
 */
export function compare(ours: Observation, theirs: Observation): Comparison {
  const differ = (kind: Difference["kind"], text: string): Comparison => ({
    difference: { kind, text },
    exhausted: false,
  });
  const count = Math.max(ours.calls.length, theirs.calls.length);
  for (let i = 0; i < count; i++) {
    const a = ours.calls[i], b = theirs.calls[i];
    if (a === undefined || b === undefined) {
      return differ("ending", `${(a ?? b).what}: only ${a === undefined ? "they" : "we"} got there`);
    }
    if (a.ending.kind === "exhausted" || b.ending.kind === "exhausted") {
      return { difference: undefined, exhausted: true };
    }
    const endings = `${a.what}: ours ${endingText(a.ending)}, theirs ${endingText(b.ending)}`;
    if (endingText(a.ending) !== endingText(b.ending)) {
      if (a.ending.kind !== b.ending.kind) return differ("ending", endings);
      return differ(a.ending.kind === "done" ? "results" : "trap", endings);
    }
    const at = a.log.findIndex((entry, k) => entry !== b.log[k]);
    if (at >= 0 || a.log.length !== b.log.length) {
      const k = at >= 0 ? at : Math.min(a.log.length, b.log.length);
      return differ("host calls", `${a.what}: host call ${k}: ours ${a.log[k]}, theirs ${b.log[k]}`);
    }
    if (a.fuel !== undefined && b.fuel !== undefined && a.fuel !== b.fuel) {
      return differ("fuel", `${a.what}: fuel ${a.fuel} and ${b.fuel}`);
    }
  }
  for (const name of new Set([...ours.globals.keys(), ...theirs.globals.keys()])) {
    const a = ours.globals.get(name), b = theirs.globals.get(name);
    if (a !== b) return differ("globals", `global "${name}": ours ${a}, theirs ${b}`);
  }
  if (ours.memory.length !== theirs.memory.length) {
    return differ("memory", `memory: ours ${ours.memory.length} bytes, theirs ${theirs.memory.length}`);
  }
  const at = firstDifference(ours.memory, theirs.memory);
  if (at >= 0) {
    return differ("memory", `memory at ${at}: ours ${ours.memory[at]}, theirs ${theirs.memory[at]}`);
  }
  return { difference: undefined, exhausted: false };
}

/** Index of the first byte that differs, or −1. Words first: memories are long and mostly equal. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const x = new Int32Array(a.buffer, a.byteOffset, a.length >> 2);
    const y = new Int32Array(b.buffer, b.byteOffset, b.length >> 2);
    let word = 0;
    while (word < x.length && x[word] === y[word]) word++;
    for (let i = word * 4; i < a.length; i++) if (a[i] !== b[i]) return i;
    return -1;
  }
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
