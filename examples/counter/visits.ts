/**
 * A plugin: a key-value store of counts for guests. Each function declares its types, its fuel and
 * what it does; the types of the arguments follow from the declaration.
 *
 * @module
 */

import { type Caller, defineSyscalls } from "../../mod.ts";

/** The host context of a run with this plugin: what the store's `data` holds. */
export interface Visits {
  /** Counts by name; made when the first one is asked for. */
  counts?: Map<string, bigint>;
}

function counts({ data }: Caller<Visits>): Map<string, bigint> {
  return data.counts ??= new Map();
}

/** The text the guest points at; out of range ends the run with MemoryOutOfBounds. */
function text({ memory }: Caller<Visits>, pointer: number, length: number): string {
  return new TextDecoder().decode(memory.read(pointer >>> 0, length >>> 0));
}

export default defineSyscalls({
  module: "visits",
  functions: {
    get: {
      index: 0x10,
      params: ["i32", "i32"],
      results: ["i64"],
      fuel: { linear: { base: 20, param: 1, wordCost: 3 } },
      call: (caller: Caller<Visits>, name, length) => counts(caller).get(text(caller, name, length)) ?? 0n,
    },
    set: {
      index: 0x11,
      params: ["i32", "i32", "i64"],
      results: [],
      fuel: { const: 100 },
      call(caller: Caller<Visits>, name, length, count) {
        counts(caller).set(text(caller, name, length), count);
      },
    },
  },
});
