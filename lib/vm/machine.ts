/**
 * The whole mutable state of one instance in one record of typed arrays and integers, and the slow
 * parts of changing it: growing the stacks, rare globals, drop bits. Between two steps of the loop
 * the record is exact, so it can be paused, saved and handed to another engine at any instruction.
 *
 * @module
 */

import type { RwasmModule } from "../isa/module.ts";
import {
  INITIAL_STACK_CAPACITY,
  type Limits,
  MOST_UNCHARGED_JUMPS,
  STACK_HEADROOM,
  UNCHARGED_JUMPS_PER_INSTRUCTION,
} from "../limits.ts";
import type { FuelMeter } from "./fuel.ts";
import { LinearMemory } from "./memory.ts";
import { Tables } from "./table.ts";

/** Cells the value stack is first allocated with; a tuning number without effect on behavior. */
const FIRST_STACK_CELLS = 1024;

/** Cells the call stack is first allocated with; a tuning number without effect on behavior. */
const FIRST_CALL_CELLS = 64;

/** Stacks of nested runs that are kept for the next one; a tuning number without effect on behavior. */
const KEPT_STACKS = 4;

const NO_DATA = new Uint8Array(0);
const NO_ELEMENTS = new Uint32Array(0);

/** Where the stacks of a machine are, when they are not in arrays of their own. */
export interface StackHome {
  /** Gives the machine empty stacks and keeps those it has; false, and nothing done, when it has others. */
  suspend(): boolean;
  /** Gives the machine the stacks back that it had before the last `suspend`. */
  resume(): void;
}

/** What a run needs to go on after another one has used its machine. */
export type OuterRun =
  & Pick<
    Machine,
    | "pc"
    | "sp"
    | "depth"
    | "capacity"
    | "stack"
    | "floats"
    | "view"
    | "calls"
    | "signature"
    | "signaturePending"
  >
  & {
    /** What keeps the stacks; undefined when they are the arrays that are noted here. */
    readonly keeper: StackHome | undefined;
  };

/** The state of one instance. */
export class Machine {
  /** The module it runs. */
  readonly module: RwasmModule;
  /** The bounds it runs under. */
  readonly limits: Limits;
  /** The fuel counter of the store. */
  readonly fuel: FuelMeter;
  /**
   * Backward branches and calls after which the loop stops when nothing was charged meanwhile, 1 … 2^30.
   * Whoever drives the loop may lower it for a while to get a turn sooner.
   */
  mostUncharged: number;

  /** Next instruction; any int32, an index outside of the code traps. */
  pc = 0;
  /** Height of the value stack. */
  sp = 0;
  /** Cells that may be addressed; grows by reservations (`reserve`), not by allocation. */
  capacity = INITIAL_STACK_CAPACITY;
  /** Most cells a reservation may reach. */
  readonly window: number;
  /** The value stack; at most `capacity` cells, allocated on demand. */
  stack: Int32Array<ArrayBuffer> = new Int32Array(0);
  /** The same cells as f32. */
  floats: Float32Array<ArrayBuffer> = new Float32Array(0);
  /** The same cells as bytes, for f64 at any cell. */
  view: DataView<ArrayBuffer> = new DataView(this.stack.buffer);
  /** Return addresses stored. */
  depth = 0;
  /** The return addresses; at most `limits.callDepth`, allocated on demand. */
  calls: Int32Array = new Int32Array(0);
  /** Where the stacks are, when an engine has put them somewhere. */
  home: StackHome | undefined = undefined;
  /** Whether an indirect call waits for the signature check of its target. */
  signaturePending = false;
  /** The signature it expects, as int32. */
  signature = 0;

  /** Globals by word; words from its length on are in `sparseGlobals`. */
  globals: Int32Array = new Int32Array(0);
  /** Words that the module's size does not justify an array for. */
  readonly sparseGlobals: Map<number, number> = new Map();
  /** The tables. */
  readonly tables: Tables;
  /** The linear memory. */
  readonly memory: LinearMemory;
  /** Drop bits of data segments. */
  readonly droppedData: DropBits = new DropBits();
  /** Drop bits of element segments. */
  readonly droppedElements: DropBits = new DropBits();

  /** Number of the trap (`TrapCode`) the loop last stopped with. */
  trap = 0;

  /** Whether the operands of the instruction that trapped are on the stack: compiled code leaves them in registers. */
  operandsKnown = true;

  /** Stacks of nested runs that ended, for the next one. */
  readonly #spare: Pick<Machine, "stack" | "floats" | "view" | "calls">[] = [];

  /** A machine that has run nothing: no memory, no tables, every global 0. */
  constructor(module: RwasmModule, limits: Limits, fuel: FuelMeter) {
    this.module = module;
    this.limits = limits;
    this.fuel = fuel;
    this.mostUncharged = Math.min(
      2 ** 30,
      Math.max(MOST_UNCHARGED_JUMPS, UNCHARGED_JUMPS_PER_INSTRUCTION * module.length),
    );
    this.window = limits.stackSlots + STACK_HEADROOM;
    this.tables = new Tables(limits.tables, limits.tableElements);
    this.memory = new LinearMemory(limits.memoryPages);
  }

  /** Empties both stacks and starts at an instruction: what every run begins with. */
  start(pc: number): void {
    this.pc = pc;
    this.sp = 0;
    this.depth = 0;
    this.capacity = INITIAL_STACK_CAPACITY;
    this.operandsKnown = true;
  }

  /**
   * Sets both stacks aside and gives the machine empty ones, for a run that a host function starts
   * while this one waits for it. {@link resumeOuter} undoes it.
   */
  suspendOuter(): OuterRun {
    const { pc, sp, depth, capacity, stack, floats, view, calls, signature, signaturePending } = this;
    const keeper = this.home?.suspend() ? this.home : undefined;
    if (keeper === undefined) {
      const spare = this.#spare.pop();
      this.stack = spare?.stack ?? new Int32Array(0);
      this.floats = spare?.floats ?? new Float32Array(0);
      this.view = spare?.view ?? new DataView(this.stack.buffer);
      this.calls = spare?.calls ?? new Int32Array(0);
    }
    this.signaturePending = false;
    return { pc, sp, depth, capacity, stack, floats, view, calls, signature, signaturePending, keeper };
  }

  /** Goes back to the stacks of the outer run. */
  resumeOuter(outer: OuterRun): void {
    this.pc = outer.pc;
    this.sp = outer.sp;
    this.depth = outer.depth;
    this.capacity = outer.capacity;
    if (outer.keeper !== undefined) outer.keeper.resume();
    else {
      const { stack, floats, view, calls } = this;
      // Stacks that an engine has moved to itself are not this one's to keep.
      if (this.home === undefined && this.#spare.length < KEPT_STACKS) {
        this.#spare.push({ stack, floats, view, calls });
      }
      this.stack = outer.stack;
      this.floats = outer.floats;
      this.view = outer.view;
      this.calls = outer.calls;
    }
    this.signature = outer.signature;
    this.signaturePending = outer.signaturePending;
  }

  /** Makes `slots` more cells addressable; false when that would pass the window. */
  reserve(slots: number): boolean {
    const height = this.sp + slots;
    if (height > this.window) return false;
    // The sum, not the maximum: the reference grows this way, and at which push a function without
    // a correct reservation overflows depends on it.
    if (height > this.capacity) this.capacity += height;
    return true;
  }

  /** Allocates the value stack up to `height` cells at least; false when the host has no memory left. */
  growStack(height: number): boolean {
    const cells = Math.max(height, FIRST_STACK_CELLS, 2 * this.stack.length);
    try {
      const stack = new Int32Array(Math.min(cells, Math.max(this.capacity, FIRST_STACK_CELLS)));
      stack.set(this.stack);
      this.stack = stack;
    } catch {
      return false;
    }
    this.floats = new Float32Array(this.stack.buffer);
    this.view = new DataView(this.stack.buffer);
    return true;
  }

  /** Allocates more room for return addresses; false when the limit or the host refuses. */
  growCalls(): boolean {
    const limit = this.limits.callDepth, length = this.calls.length;
    if (length >= limit) return false;
    try {
      const calls = new Int32Array(Math.min(limit, Math.max(FIRST_CALL_CELLS, 2 * length)));
      calls.set(this.calls);
      this.calls = calls;
    } catch {
      return false;
    }
    return true;
  }

  /** The data section as `MemoryInit(segment)` sees it: empty once the segment is dropped. */
  dataSection(segment: number): Uint8Array {
    return this.droppedData.has(segment) ? NO_DATA : this.module.data;
  }

  /** The element section as `TableInit(segment)` sees it: empty once the segment is dropped. */
  elementSection(segment: number): Uint32Array {
    return this.droppedElements.has(segment) ? NO_ELEMENTS : this.module.elements;
  }

  /** Value of a global word (u32), wherever it is. */
  globalWord(word: number): number {
    if (word < this.globals.length) return this.globals[word]!;
    return this.sparseGlobals.get(word) ?? 0;
  }

  /** Sets a global word (u32), allocating at most in proportion to the module's code. */
  setGlobalWord(word: number, value: number): void {
    if (word >= this.globals.length && word < this.module.length) {
      const globals = new Int32Array(Math.min(this.module.length, Math.max(16, 2 * word)) + 1);
      globals.set(this.globals);
      // What moved from the sparse to the dense words must not be there twice.
      for (const [moved, old] of this.sparseGlobals) {
        if (moved >= globals.length) continue;
        globals[moved] = old;
        this.sparseGlobals.delete(moved);
      }
      this.globals = globals;
    }
    if (word < this.globals.length) this.globals[word] = value;
    else this.sparseGlobals.set(word, value);
  }
}

/** A set of segment numbers, as long as its highest member needs. */
export class DropBits {
  /** Bit n of the words, lowest first, is segment n. */
  words: Int32Array = new Int32Array(0);

  /** Whether a segment (u32) is in the set. */
  has(segment: number): boolean {
    const word = segment >>> 5;
    return word < this.words.length && (this.words[word]! >>> (segment & 31) & 1) === 1;
  }

  /** Puts a segment into the set; the caller bounds the number. */
  add(segment: number): void {
    const word = segment >>> 5;
    if (word >= this.words.length) {
      const words = new Int32Array(Math.max(word + 1, 2 * this.words.length));
      words.set(this.words);
      this.words = words;
    }
    this.words[word]! |= 1 << (segment & 31);
  }

  /** Empties the set. */
  clear(): void {
    this.words.fill(0);
  }
}
