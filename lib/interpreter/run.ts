/**
 * Runs a machine in the fast loop, with the contract of the plain one: from `machine.pc` until
 * something outside must decide, the state exact when it returns. Stacks, globals and tables move
 * into the state memory once, where both loops find them, so changing between the two costs nothing.
 *
 * @module
 */

import { PAGE_BYTES } from "../limits.ts";
import { mostCells } from "../isa/structure.ts";
import { Op } from "../isa/opcode.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import { CALL_MARGIN, CALLABLE, Header, STACK_MARGIN, Stop, TABLES } from "./layout.ts";
import { emitLoop } from "./loop.ts";
import { Lowering } from "./lower.ts";
import type { Program } from "./program.ts";

/** Words for table elements in the state memory; tables that do not fit stay with the plain loop. */
const TABLE_WORDS = 2 ** 21;

/** Most bytes of state memory; machines that need more stay with the plain loop. */
const MAX_STATE_BYTES = 2 ** 31 - PAGE_BYTES;

/**
 * Most fuel the loop gets at once. V8 replaces the code of a function by better code only when it is
 * entered anew, so the loop must not stay inside for long; entering costs less than 0.1 µs.
 */
const SLICE = 2_000_000;

type Run = (ip: number, fp: number, fuel: number, cp: number) => number;

let compiledLoop: WebAssembly.Module | undefined;

/** The loop module, compiled once for all machines. */
function loopModule(): WebAssembly.Module {
  return compiledLoop ??= new WebAssembly.Module(emitLoop());
}

/** What stands for the guest memory while there is none. */
let noMemory: WebAssembly.Memory | undefined;

/** A machine in the state memory. */
export class FastMachine {
  readonly #machine: Machine;
  readonly #program: Program;
  readonly #lowering: Lowering;
  readonly #state: WebAssembly.Memory;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #globals: Int32Array<ArrayBuffer>;
  readonly #callBase: number;
  readonly #stackBase: number;
  /** Next free byte for tables, and the end of the room for them. */
  #tableNext: number;
  readonly #tableEnd: number;
  /** Functions of the Program that are in the state memory. */
  #copied = 0;
  #guest: WebAssembly.Memory | undefined;
  #run: Run | undefined;

  private constructor(machine: Machine, program: Program, globals: number, bytes: number, places: number[]) {
    this.#machine = machine;
    this.#program = program;
    this.#lowering = new Lowering(program, globals);
    this.#state = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
    const buffer = this.#state.buffer as ArrayBuffer;
    const [globalsBase, tablesBase, callBase, stackBase] = places;
    this.#words = new Int32Array(buffer);
    this.#callBase = callBase;
    this.#stackBase = stackBase;
    this.#tableNext = tablesBase;
    this.#tableEnd = callBase;

    const { limits } = machine;
    this.#globals = new Int32Array(buffer, globalsBase, globals);
    for (let word = 0; word < globals; word++) this.#globals[word] = machine.globalWord(word);
    machine.globals = this.#globals;
    const calls = new Int32Array(buffer, callBase, limits.callDepth);
    calls.set(machine.calls.subarray(0, machine.depth));
    machine.calls = calls;
    const cells = mostCells(limits);
    const stack = new Int32Array(buffer, stackBase, cells);
    stack.set(machine.stack.subarray(0, machine.sp));
    machine.stack = stack;
    machine.floats = new Float32Array(buffer, stackBase, cells);
    machine.view = new DataView(buffer, stackBase, 4 * cells);

    const header = this.#words;
    header[Header.ips >> 2] = program.ipsBase;
    header[Header.globals >> 2] = globalsBase;
    header[Header.callBase >> 2] = callBase;
    header[Header.codeLength >> 2] = machine.module.length;
    header[Header.callLimit >> 2] = callBase + 4 * Math.max(0, limits.callDepth - CALL_MARGIN);
  }

  /** Moves a machine into a state memory; undefined when it does not fit or the host has no room. */
  static attach(machine: Machine, program: Program): FastMachine | undefined {
    if (!program.fits) return undefined;
    const globals = globalWords(machine);
    if (globals < 0) return undefined;
    const globalsBase = program.end;
    const tablesBase = globalsBase + 4 * globals;
    const callBase = tablesBase + 4 * TABLE_WORDS;
    const stackBase = callBase + 4 * machine.limits.callDepth;
    const bytes = stackBase + 4 * mostCells(machine.limits);
    if (bytes > MAX_STATE_BYTES) return undefined;
    try {
      return new FastMachine(machine, program, globals, bytes, [
        globalsBase,
        tablesBase,
        callBase,
        stackBase,
      ]);
    } catch (error) {
      if (error instanceof RangeError) return undefined; // the host has no memory left
      throw error;
    }
  }

  /** Runs from `machine.pc` until an Exit. */
  run(): Exit {
    const machine = this.#machine, program = this.#program, header = this.#words;
    const { verified, ips } = program;
    const { heights } = verified;
    this.#enter();
    for (;;) {
      const ip = this.#ipAt(machine.pc);
      if (ip === 0) {
        const exit = run(machine, machine.pc, 1);
        if (exit !== Exit.Left) return exit;
        continue;
      }
      if (this.#nearLimit()) return run(machine);
      header[Header.stackLimit >> 2] = this.#stackBase +
        4 * Math.min(machine.capacity, machine.window - STACK_MARGIN);
      header[Header.pending >> 2] = machine.signaturePending ? 1 : 0;
      header[Header.signature >> 2] = machine.signature;
      const fp = this.#stackBase + 4 * (machine.sp - heights[machine.pc]);
      const grant = Math.min(machine.fuel.slice, SLICE), kept = machine.fuel.slice - grant;
      const reason = this.#run!(ip, fp, grant, this.#callBase + 4 * machine.depth);
      const pc = machine.pc = program.pcAt(header[Header.ip >> 2]);
      machine.sp = ((header[Header.fp >> 2] - this.#stackBase) >> 2) + heights[pc];
      machine.fuel.slice = header[Header.fuel >> 2] + kept;
      machine.depth = (header[Header.cp >> 2] - this.#callBase) >> 2;
      machine.signaturePending = header[Header.pending >> 2] !== 0;
      machine.signature = header[Header.signature >> 2];
      switch (reason) {
        case Stop.Done:
          return Exit.Done;
        case Stop.Trap:
          machine.trap = header[Header.detail >> 2];
          return Exit.Trap;
        case Stop.Fuel:
          // The end of the grant is not the end of the fuel: the same charge again, with another one.
          if (machine.module.immediates[pc] > machine.fuel.slice) return Exit.Fuel;
          break;
        case Stop.Syscall:
          return Exit.Syscall;
        case Stop.Limit:
          return run(machine);
        case Stop.Lower: {
          const callee = header[Header.detail >> 2];
          // Numbers that are no function can only be in a table; the plain loop knows what then.
          if (
            machine.module.opcodes[pc] !== Op.CallInternal &&
            machine.module.opcodes[pc] !== Op.ReturnCallInternal
          ) {
            if (!verified.isCallable(callee) || ips[callee] !== 0 && (ips[callee] & CALLABLE) === 0) {
              return run(machine);
            }
          }
          this.#lower(verified.functionAt(callee));
          break;
        }
        default: { // Slow
          const exit = run(machine, pc, 1);
          if (exit !== Exit.Left) return exit;
          this.#enter();
        }
      }
    }
  }

  /** Address of the instruction at a pc where the fast loop can go on, 0 when there is none. */
  #ipAt(pc: number): number {
    const { ips, verified, lowered } = this.#program;
    if (pc >>> 0 >= verified.module.length) return 0;
    if (ips[pc] === 0) {
      const number = verified.functionAt(pc);
      if (lowered[number] !== 0 || !verified.isReached(pc)) return 0;
    }
    if (this.#copied < this.#program.order.length || ips[pc] === 0) this.#lower(verified.functionAt(pc));
    return ips[pc] & ~CALLABLE;
  }

  #nearLimit(): boolean {
    const machine = this.#machine, { verified } = this.#program;
    const peak = verified.maxHeights[verified.functionAt(machine.pc)] - verified.heights[machine.pc];
    return machine.sp + peak + STACK_MARGIN > machine.window ||
      machine.depth + CALL_MARGIN > machine.limits.callDepth;
  }

  /** Lowers a function if need be, and brings the state memory up to date with the Program. */
  #lower(number: number): void {
    const program = this.#program, words = this.#words;
    if (program.lowered[number] === 0) this.#lowering.lower(number);
    const { order, ends, verified: { starts } } = program;
    for (; this.#copied < order.length; this.#copied++) {
      const from = this.#copied === 0 ? 0 : ends[this.#copied - 1], to = ends[this.#copied];
      words.set(program.words.subarray(from, to), (program.codeBase >> 2) + from);
      const first = starts[order[this.#copied]], last = starts[order[this.#copied] + 1];
      words.set(program.ips.subarray(first, last), (program.ipsBase >> 2) + first);
    }
  }

  /** Notices what changed outside of the fast loop: memory, tables, globals. */
  #enter(): void {
    const machine = this.#machine;
    const guest = machine.memory.host ?? (noMemory ??= new WebAssembly.Memory({ initial: 0 }));
    if (guest !== this.#guest || this.#run === undefined) {
      this.#guest = guest;
      const instance = new WebAssembly.Instance(loopModule(), { m: { state: this.#state, guest } });
      this.#run = instance.exports.run as Run;
    }
    const { list } = machine.tables, indices = machine.tables.indices();
    for (let k = 0; k < list.length; k++) {
      const table = list[k], at = (Header.tables >> 2) + 2 * indices[k];
      if (indices[k] >= TABLES) continue;
      if (table.elements.buffer !== this.#state.buffer) {
        const room = Math.min(table.limit, Math.max(64, 2 * table.length));
        if (this.#tableNext + 4 * room > this.#tableEnd) {
          this.#words[at + 1] = 0;
          continue;
        }
        const elements = new Int32Array(this.#state.buffer as ArrayBuffer, this.#tableNext, room);
        elements.set(table.elements.subarray(0, table.length));
        table.elements = elements;
        this.#words[at] = this.#tableNext;
        this.#tableNext += 4 * room;
      }
      this.#words[at + 1] = table.length;
    }
  }
}

/** Words of globals that the code and the exports use; -1 when they are too many for the code's size. */
function globalWords({ module, globals }: Machine): number {
  const { opcodes, immediates, info } = module;
  let words = globals.length;
  for (let pc = 0; pc < opcodes.length; pc++) {
    if (opcodes[pc] !== Op.GlobalGet && opcodes[pc] !== Op.GlobalSet) continue;
    words = Math.max(words, (immediates[pc] >>> 0) + 1);
  }
  for (const entry of info?.globalExports ?? []) words = Math.max(words, 2 * entry.index + 2);
  return words <= 4 * module.length + 1024 ? words : -1;
}
