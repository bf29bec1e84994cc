/**
 * Plugins for contracts: "kv", a key-value store whose writes count only when the call ends well, and
 * "chain", who calls and what is logged. All state is in the store's `data`, so one process can have
 * as many chains as it wants.
 *
 * @module
 */

import { type Caller, defineSyscalls, type SyscallPlugin } from "../../mod.ts";

/** Most bytes of a key and of a value; a guest that wants more is trapped. */
const MAX_KEY = 64, MAX_VALUE = 4096;

/** Host context of a contract. */
export interface Chain {
  /** What calls that ended well have written; keys in hexadecimal. */
  readonly state: Map<string, Uint8Array>;
  /** What the present call has written. */
  readonly writes: Map<string, Uint8Array>;
  /** What the present call has logged. */
  readonly logs: string[];
  /** Account that makes the present call. */
  sender: bigint;
}

/** A chain on which nothing has happened. */
export function newChain(): Chain {
  return { state: new Map(), writes: new Map(), logs: [], sender: 0n };
}

/** The bytes at a pointer; too many of them, or out of range, end the run with a trap. */
function bytes(caller: Caller<Chain>, pointer: number, length: number, most: number): Uint8Array {
  if (length >>> 0 > most) caller.trap("MemoryOutOfBounds");
  return caller.memory.read(pointer >>> 0, length);
}

/** "kv": get and put. */
export const kv: SyscallPlugin<Chain> = defineSyscalls({
  module: "kv",
  functions: {
    /** get(key, length, value, capacity): size of the value, which is written when it fits, or -1. */
    get: {
      index: 0x6b76_0000,
      params: ["i32", "i32", "i32", "i32"],
      results: ["i32"],
      fuel: { const: 200 },
      call(caller: Caller<Chain>, key, length, value, capacity) {
        const { state, writes } = caller.data;
        const name = bytes(caller, key, length, MAX_KEY).toHex();
        const found = writes.get(name) ?? state.get(name);
        if (found === undefined) return -1;
        caller.consumeFuel(found.length >> 5); // how much is read is known only now
        if (found.length <= capacity >>> 0) caller.memory.write(value >>> 0, found);
        return found.length;
      },
    },
    /** put(key, length, value, size). */
    put: {
      index: 0x6b76_0001,
      params: ["i32", "i32", "i32", "i32"],
      results: [],
      fuel: { linear: { base: 2000, param: 1, wordCost: 100 } },
      call(caller: Caller<Chain>, key, length, value, size) {
        const name = bytes(caller, key, length, MAX_KEY).toHex();
        caller.data.writes.set(name, bytes(caller, value, size, MAX_VALUE));
      },
    },
  },
});

/** "chain": what a contract sees of its surroundings. */
export const chain: SyscallPlugin<Chain> = defineSyscalls({
  module: "chain",
  functions: {
    /** The account that makes the call. */
    sender: {
      index: 0x6b76_0100,
      params: [],
      results: ["i64"],
      fuel: { const: 2 },
      call: (caller: Caller<Chain>) => caller.data.sender,
    },
    /** log(text, length). */
    log: {
      index: 0x6b76_0101,
      params: ["i32", "i32"],
      results: [],
      fuel: { linear: { base: 300, param: 1, wordCost: 200 } },
      call(caller: Caller<Chain>, text, length) {
        caller.data.logs.push(new TextDecoder().decode(bytes(caller, text, length, MAX_VALUE)));
      },
    },
  },
});
