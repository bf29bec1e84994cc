/**
 * The state memory of one machine in compiled code: a `WebAssembly.Memory` at whose fixed places
 * compiled code finds globals, tables, the value stack, and which function an indirect call goes to.
 * The machine's arrays become views of it, so the other loops see the same. It notices when something
 * outside has put other arrays in their place. It runs nothing.
 *
 * @module
 */

import { mostCells } from "../isa/structure.ts";
import { PAGE_BYTES } from "../limits.ts";
import type { Program } from "../interpreter/program.ts";
import type { Machine, StackHome } from "../vm/machine.ts";
import type { Table } from "../vm/table.ts";
import { GLOBALS, TABLES } from "./layout.ts";

/** Taken now: a program may put something else into the place of the global later. */
const HostMemory = WebAssembly.Memory;

/** Most words for table elements; tables that do not fit stay with the plain loop. */
const TABLE_WORDS = 2 ** 21;

/** Most bytes; machines that need more stay with the other loops. */
const MAX_BYTES = 2 ** 31 - PAGE_BYTES;

/** Byte address of the words that say, by pc, what an indirect call goes to: position in the table, signature. */
export function targetsAt({ globalWords }: Program): number {
  return GLOBALS + 8 * ((globalWords + 1) >> 1);
}

/** Stacks of a run that waits for another one of the same machine. */
interface Waiting {
  readonly cells: Int32Array;
  readonly calls: Int32Array;
}

/** A state memory with a machine in it. */
export class NativeState implements StackHome {
  /** The memory. */
  readonly memory: WebAssembly.Memory;
  /** All of it as words. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Byte address of the first cell of the value stack. */
  readonly stackAt: number;
  readonly #machine: Machine;
  readonly #globals: Int32Array<ArrayBuffer>;
  readonly #stack: Int32Array<ArrayBuffer>;
  readonly #floats: Float32Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #waiting: Waiting[] = [];
  /** Next free byte for tables; the room for them ends at the stack. */
  #tableNext: number;
  /** Room that tables have here, by the table: a table that was moved out comes back to it. */
  readonly #rooms = new Map<Table, Int32Array<ArrayBuffer>>();
  /** Table indices by position in the machine's list. */
  #tableIndices: number[] = [];

  private constructor(machine: Machine, program: Program, tables: number, cells: number) {
    this.#machine = machine;
    this.#tableNext = tables;
    this.stackAt = tables + 4 * TABLE_WORDS;
    this.memory = new HostMemory({ initial: Math.ceil((this.stackAt + 4 * cells) / PAGE_BYTES) });
    const buffer = this.memory.buffer as ArrayBuffer;
    this.words = new Int32Array(buffer);
    this.#globals = new Int32Array(buffer, GLOBALS, program.globalWords);
    this.#stack = new Int32Array(buffer, this.stackAt, cells);
    this.#floats = new Float32Array(buffer, this.stackAt, cells);
    this.#view = new DataView(buffer, this.stackAt, 4 * cells);
  }

  /** Makes a state memory for a machine; undefined when it does not fit or the host has no room. */
  static make(machine: Machine, program: Program): NativeState | undefined {
    const tables = targetsAt(program) + 8 * program.verified.module.length;
    const cells = mostCells(machine.limits);
    if (tables + 4 * TABLE_WORDS + 4 * cells > MAX_BYTES) return undefined;
    try {
      return new NativeState(machine, program, tables, cells);
    } catch (error) {
      if (error instanceof RangeError) return undefined; // the host has no memory left
      throw error;
    }
  }

  /** Brings stack, globals and tables here that are elsewhere, and notes how long the tables are. */
  refresh(): void {
    const machine = this.#machine, { list } = machine.tables;
    if (machine.stack !== this.#stack) {
      this.#stack.set(machine.stack.subarray(0, machine.sp));
      this.#showStack();
    }
    machine.home = this;
    if (machine.globals !== this.#globals) this.#takeGlobals();
    if (list.length === 0) return;
    if (list.length !== this.#tableIndices.length) this.#tableIndices = machine.tables.indices();
    for (let k = 0; k < list.length; k++) {
      const index = this.#tableIndices[k];
      if (index >= TABLES) continue;
      const table = list[k];
      const room = this.#rooms.get(table);
      const here = room !== undefined && room === table.elements || this.#takeTable(table, room);
      this.words[2 * index] = table.elements.byteOffset;
      // Nothing is within the range of a table that is elsewhere.
      this.words[2 * index + 1] = here ? table.length : 0;
    }
  }

  /** Keeps the stacks of the run that waits now, and gives the machine empty ones. */
  suspend(): boolean {
    const machine = this.#machine;
    if (machine.stack !== this.#stack) return false;
    this.#waiting.push({ cells: machine.stack.slice(0, machine.sp), calls: machine.calls });
    machine.calls = new Int32Array(0);
    return true;
  }

  /** Gives the machine the stacks back that it had before the last `suspend`. */
  resume(): void {
    const { cells, calls } = this.#waiting.pop()!;
    this.#stack.set(cells);
    this.#machine.calls = calls;
    this.#machine.home = this;
    this.#showStack();
  }

  #showStack(): void {
    const machine = this.#machine;
    machine.stack = this.#stack;
    machine.floats = this.#floats;
    machine.view = this.#view;
  }

  #takeGlobals(): void {
    const machine = this.#machine, globals = this.#globals, words = globals.length;
    for (let word = 0; word < words; word++) globals[word] = machine.globalWord(word);
    const { sparseGlobals } = machine, old = machine.globals;
    for (let word = words; word < old.length; word++) {
      if (old[word] !== 0) sparseGlobals.set(word, old[word]);
    }
    for (const word of sparseGlobals.keys()) if (word < words) sparseGlobals.delete(word);
    machine.globals = globals;
  }

  /** Moves a table here; false when there is no room. */
  #takeTable(table: Table, known: Int32Array<ArrayBuffer> | undefined): boolean {
    let room = known;
    if (room === undefined || room.length < table.length) {
      const words = Math.min(table.limit, Math.max(64, 2 * table.length));
      if (this.#tableNext + 4 * words > this.stackAt) return false;
      room = new Int32Array(this.words.buffer, this.#tableNext, words);
      this.#tableNext += 4 * words;
      this.#rooms.set(table, room);
    }
    room.set(table.elements.subarray(0, table.length));
    table.elements = room;
    return true;
  }
}
