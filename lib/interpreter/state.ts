/**
 * The state memory of one machine: a `WebAssembly.Memory` with everything both loops work on. Stacks,
 * globals and tables of the machine become views of it, so that changing between the loops costs
 * nothing. It starts small and grows on demand, which moves what is behind and renews the views; it
 * notices when something outside has put other arrays in their place. It runs nothing.
 *
 * @module
 */

import { mostCells } from "../isa/structure.ts";
import { PAGE_BYTES } from "../limits.ts";
import type { Machine, StackHome } from "../vm/machine.ts";
import type { Table } from "../vm/table.ts";
import { CALL_MARGIN, Header, TABLES } from "./layout.ts";
import type { Program } from "./program.ts";

/** Taken now: a program may put something else into the place of the global later. */
const HostMemory = WebAssembly.Memory;

/** Most words for table elements; tables that do not fit stay with the plain loop. */
const TABLE_WORDS = 2 ** 21;

/** Most pages; machines that need more stay with the plain loop. */
const MAX_PAGES = 2 ** 31 / PAGE_BYTES - 1;

/** Words for lowered code at first; tuning numbers without effect on behavior, like those that follow. */
const FIRST_CODE_WORDS = 2048;

/** Return addresses that stacks have room for at first. */
const FIRST_CALLS = 64;

/** Cells that a value stack has room for at first. */
const FIRST_CELLS = 1024;

/** Stacks of one run: byte addresses, and the arrays that show them while these are up to date. */
interface Level {
  /** First return address; the room for them ends at `stack`. */
  calls: number;
  /** First cell. The innermost value stack goes on to the end of the memory. */
  stack: number;
  views: Pick<Machine, "stack" | "floats" | "view" | "calls"> | undefined;
}

/** Parts of the memory that get longer. */
const enum Part {
  Code,
  Tables,
  /** Return addresses of the run that runs. */
  Calls,
}

/** Room of a table. */
interface Room {
  at: number;
  readonly words: number;
  view: Int32Array<ArrayBuffer>;
}

/** A state memory with a machine in it. */
export class State implements StackHome {
  /** The memory. */
  readonly memory: WebAssembly.Memory;
  /** All of it as words, the header first; another array after each call of a method here. */
  words: Int32Array<ArrayBuffer>;
  readonly #machine: Machine;
  readonly #program: Program;
  #buffer: ArrayBuffer;

  // Byte addresses of what is behind the code: globals, tables and stacks, in this order.
  #globalsAt: number;
  #tablesAt: number;
  #tablesEnd: number;
  #globals: Int32Array<ArrayBuffer>;
  /** Room that tables have here, by the table: a table that was moved out comes back to it. */
  readonly #rooms = new Map<Table, Room>();
  /** Table indices by position in the machine's list. */
  #tableIndices: number[] = [];
  /** Stacks of the runs that wait, outermost first, then those of the one that runs, then unused ones. */
  readonly #levels: Level[];
  /** Which of them runs. */
  #level = 0;
  /** Functions of the Program that are here. */
  #copied = 0;

  private constructor(machine: Machine, program: Program) {
    const { codeBase, globalWords, length } = program;
    this.#machine = machine;
    this.#program = program;
    this.#globalsAt = codeBase + 4 * Math.max(FIRST_CODE_WORDS, length);
    this.#tablesAt = this.#tablesEnd = this.#globalsAt + 4 * globalWords;
    const calls = this.#tablesEnd, stack = calls + 4 * Math.min(FIRST_CALLS, machine.limits.callDepth);
    this.#levels = [{ calls, stack, views: undefined }];
    const pages = Math.ceil((stack + 4 * FIRST_CELLS) / PAGE_BYTES);
    this.memory = new HostMemory({ initial: pages, maximum: MAX_PAGES });
    this.#buffer = this.memory.buffer as ArrayBuffer;
    const header = this.words = new Int32Array(this.#buffer);
    this.#globals = new Int32Array(this.#buffer, this.#globalsAt, globalWords);
    header[Header.ips >> 2] = program.ipsBase;
    header[Header.globals >> 2] = this.#globalsAt;
    header[Header.codeLength >> 2] = machine.module.length;
  }

  /** Moves a machine into a state memory; undefined when it does not fit or the host has no room. */
  static attach(machine: Machine, program: Program): State | undefined {
    if (!program.fits) return undefined;
    let state: State;
    try {
      state = new State(machine, program);
    } catch (error) {
      if (error instanceof RangeError) return undefined; // the host has no memory left
      throw error;
    }
    return state.takeStacks() ? state : undefined;
  }

  // ── stacks ──────────────────────────────────────────────────────────────────────────────────

  get #hasStack(): boolean {
    return this.#machine.stack.buffer === this.#buffer;
  }

  get #hasCalls(): boolean {
    return this.#machine.calls.buffer === this.#buffer;
  }

  /**
   * Makes sure that the stacks that the machine has now are here, with a cell for each that can be
   * addressed; false when there is no room.
   */
  takeStacks(): boolean {
    const machine = this.#machine, level = this.#levels[this.#level];
    const hasStack = this.#hasStack, hasCalls = this.#hasCalls;
    if (hasStack && hasCalls && machine.stack.length >= machine.capacity) return true;
    const { stack, calls, sp, depth } = machine;
    const missing = depth + CALL_MARGIN - ((level.stack - level.calls) >> 2);
    if (missing > 0 && !this.#insert(Part.Calls, 4 * Math.max(missing, depth))) return false;
    if (!this.#reach(level.stack + 4 * Math.max(machine.capacity, sp))) return false;
    if (!hasStack) this.words.set(stack.subarray(0, sp), level.stack >> 2);
    if (!hasCalls) this.words.set(calls.subarray(0, depth), level.calls >> 2);
    this.#showStacks();
    machine.home = this;
    return true;
  }

  /** Makes room for more return addresses where `depth` of them fill it; false where that is not so, or no more fit. */
  growCallsFor(depth: number): boolean {
    const level = this.#levels[this.#level], words = (level.stack - level.calls) >> 2;
    if (depth + CALL_MARGIN < words) return false;
    const more = Math.min(this.#machine.limits.callDepth - words, Math.max(FIRST_CALLS, words));
    return more > 0 && this.#insert(Part.Calls, 4 * more);
  }

  suspend(): boolean {
    const machine = this.#machine;
    if (!this.#hasStack && !this.#hasCalls) return false;
    const outer = this.#levels[this.#level];
    // What is above the stack is not in use until the run goes on.
    const room = 4 * Math.min(FIRST_CALLS, machine.limits.callDepth);
    if (!this.takeStacks() || !this.#reach(outer.stack + 4 * (machine.sp + FIRST_CELLS) + room)) {
      this.#release();
      return false;
    }
    const calls = outer.stack + 4 * machine.sp, next = ++this.#level;
    const known = this.#levels[next];
    if (known === undefined) this.#levels.push({ calls, stack: calls + room, views: undefined });
    else if (known.calls !== calls) {
      known.calls = calls;
      known.stack = calls + room;
      known.views = undefined;
    }
    this.#showStacks();
    return true;
  }

  resume(): void {
    this.#level--;
    this.#showStacks();
    this.#machine.home = this;
  }

  /** Gives the machine stacks of its own. */
  #release(): void {
    const machine = this.#machine;
    machine.stack = machine.stack.slice();
    machine.floats = new Float32Array(machine.stack.buffer);
    machine.view = new DataView(machine.stack.buffer);
    machine.calls = machine.calls.slice();
  }

  #showStacks(): void {
    const machine = this.#machine, level = this.#levels[this.#level], buffer = this.#buffer;
    let { views } = level;
    if (views === undefined) {
      const { calls, stack } = level;
      const cells = Math.min(mostCells(machine.limits), (buffer.byteLength - stack) >> 2);
      views = level.views = {
        stack: new Int32Array(buffer, stack, cells),
        floats: new Float32Array(buffer, stack, cells),
        view: new DataView(buffer, stack, 4 * cells),
        calls: new Int32Array(buffer, calls, Math.min(machine.limits.callDepth, (stack - calls) >> 2)),
      };
    }
    machine.stack = views.stack;
    machine.floats = views.floats;
    machine.view = views.view;
    machine.calls = views.calls;
  }

  // ── room ────────────────────────────────────────────────────────────────────────────────────

  /** Makes the memory at least `end` bytes long; false when the host has no room. */
  #reach(end: number): boolean {
    const missing = end - this.#buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch {
      return false;
    }
    this.#show(this.#hasStack, this.#hasCalls);
    return true;
  }

  /** Makes room behind the code, the tables or the return addresses; false when there is none. */
  #insert(behind: Part, bytes: number): boolean {
    const hasStack = this.#hasStack, level = this.#levels[this.#level];
    const end = hasStack ? level.stack + 4 * this.#machine.sp : level.stack;
    if (!this.#reach(end + bytes + 4 * FIRST_CELLS)) return false;
    const at = behind === Part.Code
      ? this.#globalsAt
      : behind === Part.Tables
      ? this.#tablesEnd
      : level.stack;
    new Uint8Array(this.#buffer).copyWithin(at + bytes, at, end);
    if (behind === Part.Code) {
      this.#globalsAt += bytes;
      this.#tablesAt += bytes;
      for (const room of this.#rooms.values()) room.at += bytes;
    }
    if (behind === Part.Calls) level.stack += bytes;
    else {
      this.#tablesEnd += bytes;
      for (let n = 0; n <= this.#level; n++) {
        this.#levels[n].calls += bytes;
        this.#levels[n].stack += bytes;
      }
    }
    this.#show(hasStack, this.#hasCalls);
    return true;
  }

  /** Renews all views after the memory has grown or something in it has moved; those of stacks if they are here. */
  #show(hasStack: boolean, hasCalls: boolean): void {
    const machine = this.#machine, { stack, floats, view, calls } = machine;
    const buffer = this.#buffer = this.memory.buffer as ArrayBuffer;
    this.words = new Int32Array(buffer);
    const globals = new Int32Array(buffer, this.#globalsAt, this.#program.globalWords);
    if (machine.globals === this.#globals) machine.globals = globals;
    this.#globals = globals;
    for (const [table, room] of this.#rooms) {
      const elements = new Int32Array(buffer, room.at, room.words);
      if (table.elements === room.view) table.elements = elements;
      room.view = elements;
    }
    for (const level of this.#levels) level.views = undefined;
    this.#showStacks();
    if (!hasStack) Object.assign(machine, { stack, floats, view });
    if (!hasCalls) machine.calls = calls;
    this.#describe();
  }

  // ── globals and tables ──────────────────────────────────────────────────────────────────────

  /** Brings globals and tables here that are elsewhere, and notes where they are and how long the tables are. */
  refresh(): void {
    const machine = this.#machine, { list } = machine.tables;
    if (machine.globals !== this.#globals) this.#takeGlobals();
    if (list.length === 0) return;
    if (list.length !== this.#tableIndices.length) this.#tableIndices = machine.tables.indices();
    for (let k = 0; k < list.length; k++) {
      if (this.#tableIndices[k] >= TABLES) continue;
      const table = list[k], room = this.#rooms.get(table);
      if (room === undefined || room.view !== table.elements) this.#takeTable(table, room);
    }
    this.#describe();
  }

  /** Writes addresses and lengths into the header. */
  #describe(): void {
    const header = this.words, { list } = this.#machine.tables, indices = this.#tableIndices;
    header[Header.globals >> 2] = this.#globalsAt;
    for (let k = 0; k < indices.length; k++) {
      if (indices[k] >= TABLES) continue;
      const table = list[k], room = this.#rooms.get(table), at = (Header.tables >> 2) + 2 * indices[k];
      header[at] = room?.at ?? 0;
      // Nothing is within the range of a table that is elsewhere.
      header[at + 1] = room?.view === table.elements ? table.length : 0;
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

  /** Moves a table here, if there is room for it. */
  #takeTable(table: Table, known: Room | undefined): void {
    let room = known;
    if (room === undefined || room.words < table.length) {
      const words = Math.min(table.limit, Math.max(16, 2 * table.length)), at = this.#tablesEnd;
      if (at + 4 * words > this.#tablesAt + 4 * TABLE_WORDS || !this.#insert(Part.Tables, 4 * words)) return;
      room = { at, words, view: new Int32Array(this.#buffer, at, words) };
      this.#rooms.set(table, room);
    }
    room.view.set(table.elements.subarray(0, table.length));
    table.elements = room.view;
  }

  // ── code ────────────────────────────────────────────────────────────────────────────────────

  /** Copies the functions of the Program that are not here yet; false when there is no room for them. */
  update(): boolean {
    const { order, ends, words, ips, codeBase, ipsBase, length, verified: { starts } } = this.#program;
    const room = this.#globalsAt - codeBase;
    if (4 * length > room && !this.#insert(Part.Code, Math.max(4 * length - room, room))) return false;
    for (; this.#copied < order.length; this.#copied++) {
      const from = this.#copied === 0 ? 0 : ends[this.#copied - 1], to = ends[this.#copied];
      this.words.set(words.subarray(from, to), (codeBase >> 2) + from);
      const first = starts[order[this.#copied]], last = starts[order[this.#copied] + 1];
      this.words.set(ips.subarray(first, last), (ipsBase >> 2) + first);
    }
    return true;
  }

  /** Whether all functions of the Program are here. */
  get isComplete(): boolean {
    return this.#copied === this.#program.order.length;
  }

  /** Writes into the header where the stacks are and how far they go. */
  setLimits(stackSlots: number): void {
    const header = this.words, level = this.#levels[this.#level];
    const calls = Math.min(this.#machine.limits.callDepth, (level.stack - level.calls) >> 2);
    header[Header.callBase >> 2] = level.calls;
    header[Header.callLimit >> 2] = level.calls + 4 * Math.max(0, calls - CALL_MARGIN);
    header[Header.stackLimit >> 2] = level.stack + 4 * stackSlots;
  }
}
