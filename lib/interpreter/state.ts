/**
 * The state memory of one machine: a `WebAssembly.Memory` with room for everything both loops work
 * on. Stacks, globals and tables of the machine become views of it, so that changing between the
 * loops costs nothing. It notices when something outside has put other arrays in their place.
 *
 * @module
 */

import { PAGE_BYTES } from "../limits.ts";
import { mostCells } from "../isa/structure.ts";
import type { Machine } from "../vm/machine.ts";
import type { Table } from "../vm/table.ts";
import { CALL_MARGIN, Header, TABLES } from "./layout.ts";
import type { Program } from "./program.ts";

/** Taken now: a program may put something else into the place of the global later. */
const HostMemory = WebAssembly.Memory;

/** Most words for table elements; tables that do not fit stay with the plain loop. */
const TABLE_WORDS = 2 ** 21;

/** Most bytes; machines that need more stay with the plain loop. */
const MAX_BYTES = 2 ** 31 - PAGE_BYTES;

/** A state memory with a machine in it. */
export class State {
  /** The memory. */
  readonly memory: WebAssembly.Memory;
  /** All of it as words; the header first. */
  readonly words: Int32Array<ArrayBuffer>;
  readonly #machine: Machine;
  readonly #program: Program;
  readonly #buffer: ArrayBuffer;
  readonly #globals: Int32Array<ArrayBuffer>;
  /** Next free byte for tables, and the end of the room for them. */
  #tableNext: number;
  readonly #tableEnd: number;
  /** Room that tables have here, by the table: a table that was moved out comes back to it. */
  readonly #rooms = new Map<Table, Int32Array<ArrayBuffer>>();
  /** Table indices by position in the machine's list. */
  #tableIndices: number[] = [];
  /** Functions of the Program that are here. */
  #copied = 0;

  private constructor(machine: Machine, program: Program, places: Places) {
    this.#machine = machine;
    this.#program = program;
    this.memory = new HostMemory({ initial: Math.ceil(places.end / PAGE_BYTES) });
    const buffer = this.#buffer = this.memory.buffer as ArrayBuffer;
    this.words = new Int32Array(buffer);
    this.#tableNext = places.tables;
    this.#tableEnd = places.calls;
    this.#globals = new Int32Array(buffer, places.globals, program.globalWords);

    const { limits } = machine;
    const calls = new Int32Array(buffer, places.calls, limits.callDepth);
    calls.set(machine.calls.subarray(0, machine.depth));
    machine.calls = calls;
    const cells = mostCells(limits);
    const stack = new Int32Array(buffer, places.stack, cells);
    stack.set(machine.stack.subarray(0, machine.sp));
    machine.stack = stack;
    machine.floats = new Float32Array(buffer, places.stack, cells);
    machine.view = new DataView(buffer, places.stack, 4 * cells);

    const header = this.words;
    header[Header.ips >> 2] = program.ipsBase;
    header[Header.globals >> 2] = places.globals;
    header[Header.codeLength >> 2] = machine.module.length;
  }

  /** Moves a machine into a state memory; undefined when it does not fit or the host has no room. */
  static attach(machine: Machine, program: Program): State | undefined {
    if (!program.fits) return undefined;
    const globals = program.end;
    const tables = globals + 4 * program.globalWords;
    const calls = tables + 4 * TABLE_WORDS;
    const stack = calls + 4 * machine.limits.callDepth;
    const end = stack + 4 * mostCells(machine.limits);
    if (end > MAX_BYTES) return undefined;
    try {
      return new State(machine, program, { globals, tables, calls, stack, end });
    } catch (error) {
      if (error instanceof RangeError) return undefined; // the host has no memory left
      throw error;
    }
  }

  /** Whether the stacks that the machine has now are here. */
  get holdsStacks(): boolean {
    const { stack, calls } = this.#machine;
    return stack.buffer === this.#buffer && calls.buffer === this.#buffer;
  }

  /** Brings globals and tables here that are elsewhere, and notes how long the tables are. */
  refresh(): void {
    const machine = this.#machine, { list } = machine.tables;
    if (machine.globals !== this.#globals) this.#takeGlobals();
    if (list.length === 0) return;
    if (list.length !== this.#tableIndices.length) this.#tableIndices = machine.tables.indices();
    for (let k = 0; k < list.length; k++) {
      const index = this.#tableIndices[k];
      if (index >= TABLES) continue;
      const table = list[k], at = (Header.tables >> 2) + 2 * index;
      const here = table.elements.buffer === this.#buffer || this.#takeTable(table);
      this.words[at] = table.elements.byteOffset;
      // Nothing is within the range of a table that is elsewhere.
      this.words[at + 1] = here ? table.length : 0;
    }
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
  #takeTable(table: Table): boolean {
    let room = this.#rooms.get(table);
    if (room === undefined || room.length < table.length) {
      const words = Math.min(table.limit, Math.max(64, 2 * table.length));
      if (this.#tableNext + 4 * words > this.#tableEnd) return false;
      room = new Int32Array(this.#buffer, this.#tableNext, words);
      this.#tableNext += 4 * words;
      this.#rooms.set(table, room);
    }
    room.set(table.elements.subarray(0, table.length));
    table.elements = room;
    return true;
  }

  /** Copies the functions of the Program that are not here yet. */
  update(): void {
    const { order, ends, words, ips, codeBase, ipsBase, verified: { starts } } = this.#program;
    for (; this.#copied < order.length; this.#copied++) {
      const from = this.#copied === 0 ? 0 : ends[this.#copied - 1], to = ends[this.#copied];
      this.words.set(words.subarray(from, to), (codeBase >> 2) + from);
      const first = starts[order[this.#copied]], last = starts[order[this.#copied] + 1];
      this.words.set(ips.subarray(first, last), (ipsBase >> 2) + first);
    }
  }

  /** Whether all functions of the Program are here. */
  get isComplete(): boolean {
    return this.#copied === this.#program.order.length;
  }

  /** Writes into the header where the stacks are and how far they go. */
  setLimits(stackSlots: number): void {
    const header = this.words, { stack, calls, limits } = this.#machine;
    header[Header.callBase >> 2] = calls.byteOffset;
    header[Header.callLimit >> 2] = calls.byteOffset + 4 * Math.max(0, limits.callDepth - CALL_MARGIN);
    header[Header.stackLimit >> 2] = stack.byteOffset + 4 * stackSlots;
  }
}

/** Byte addresses of the parts behind the Program. */
interface Places {
  readonly globals: number;
  readonly tables: number;
  readonly calls: number;
  readonly stack: number;
  readonly end: number;
}
