/**
 * A plugin to start from: notes that a guest leaves with its host. Copy the file, rename the import
 * module, replace the functions; every part says what it is for. A plugin is your code with your
 * permissions: only the guest that calls it is sandboxed.
 *
 * @module
 */

import { type Caller, defineSyscalls, type SyscallPlugin } from "../mod.ts";

/**
 * The host context: what the store's `data` holds, and what your functions find in `caller.data`. State
 * of a run belongs here, not in variables of this file, which all stores of the process would share.
 */
export interface Notes {
  /** Notes by name. */
  readonly notes: Map<string, Uint8Array>;
}

/** The context that a run on the command line begins with; a program of yours makes its own. */
export function createData(): Notes {
  return { notes: new Map() };
}

/** What the functions answer when there is no such note. */
const MISSING = -1;

const decoder = new TextDecoder();

/**
 * Text that the guest points at. Pointers and lengths are i32, so they arrive signed: `>>> 0` makes them
 * unsigned. A range that is not inside of the memory ends the run with MemoryOutOfBounds; nothing needs
 * to be checked here.
 */
function text({ memory }: Caller<Notes>, pointer: number, length: number): string {
  return decoder.decode(memory.read(pointer >>> 0, length >>> 0));
}

/** The plugin; the default export of a plugin file. */
const plugin: SyscallPlugin<Notes> = defineSyscalls({
  // The first part of the import names: (import "notes" "put" …).
  module: "notes",
  // What errors call the plugin.
  name: "notes",
  functions: {
    // Leaves a note: put(name, name length, bytes, byte length).
    put: {
      // The code calls the function by this number; no two functions of a linker may have the same.
      // Four letters and the numbers after them are unlikely to meet those of other plugins.
      index: 0x6e6f_7400,
      // Types of the arguments, and of the results: what `call` gets and returns follows from them.
      params: ["i32", "i32", "i32", "i32"],
      results: [],
      // Charged before the function runs: 50, and 2 more for each 32 bytes of the last parameter.
      fuel: { linear: { base: 50, param: 1, wordCost: 2 } },
      call(caller: Caller<Notes>, name, nameLength, bytes, length) {
        // read() copies, so the guest cannot change the note later.
        const note = caller.memory.read(bytes >>> 0, length >>> 0);
        caller.data.notes.set(text(caller, name, nameLength), note);
      },
    },
    // Gets a note: get(name, name length, buffer, buffer length); its length, or -1 when there is none.
    // Nothing is written when the buffer is too short, so that a guest can ask for the length first.
    get: {
      index: 0x6e6f_7401,
      params: ["i32", "i32", "i32", "i32"],
      results: ["i32"],
      fuel: { linear: { base: 50, param: 1, wordCost: 2 } },
      call(caller: Caller<Notes>, name, nameLength, buffer, length) {
        const note = caller.data.notes.get(text(caller, name, nameLength));
        if (note === undefined) return MISSING;
        if (note.length <= length >>> 0) caller.memory.write(buffer >>> 0, note);
        return note.length;
      },
    },
    // Counts the notes whose name begins with a text; an i64 is a bigint.
    count: {
      index: 0x6e6f_7402,
      params: ["i32", "i32"],
      results: ["i64"],
      call(caller: Caller<Notes>, prefix, length) {
        const begin = text(caller, prefix, length);
        let count = 0n;
        for (const name of caller.data.notes.keys()) {
          // What a call costs is sometimes known only while it runs. Without fuel left the run ends here.
          caller.consumeFuel(5);
          if (name.startsWith(begin)) count++;
        }
        return count;
      },
    },
    // Asks the host for a note it does not have: the run pauses, `outcome.payload` is the name, and the
    // host goes on with `executor.resume([length])` whenever it has the answer.
    ask: {
      index: 0x6e6f_7403,
      params: ["i32", "i32"],
      results: ["i32"],
      fuel: { const: 500 },
      call: (caller: Caller<Notes>, name, length) => caller.pause(text(caller, name, length)),
    },
    // Removes a note. A guest that removes what is not there is broken: its run ends with a trap. So does
    // the run when a function throws; the trap is then HostError and has the error as its cause.
    remove: {
      index: 0x6e6f_7404,
      params: ["i32", "i32"],
      results: [],
      fuel: { const: 100 },
      call(caller: Caller<Notes>, name, length) {
        const found = caller.data.notes.delete(text(caller, name, length));
        if (!found) caller.trap("UnreachableCodeReached");
      },
    },
  },
});

export default plugin;
