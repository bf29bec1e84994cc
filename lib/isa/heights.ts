/**
 * The second half of verification: abstract interpretation of the stack. The only thing it knows
 * about a point of a function is the height of the stack above that of its entry, which must be the
 * same on every way there. What a call does to the height comes from the function it calls, so a
 * way that meets a call of a function not known to return waits, and goes on when the first return
 * of that function is found; one that waits to the end is never taken. Each instruction is walked
 * once. It does not look at values, and so not at what tables hold.
 *
 * @module
 */

import { INITIAL_STACK_CAPACITY, type Limits, STACK_HEADROOM } from "../limits.ts";
import { CallGraph } from "./call_graph.ts";
import { type FunctionType, type RwasmModule, slotsOfAll } from "./module.ts";
import { Op, OP_COUNT, type OpName, POPS, PUSHES } from "./opcode.ts";
import { refuseAt, slots } from "./refusal.ts";
import { blameStrayEntry, functionAt, mostCells, type Structure, TARGET } from "./structure.ts";

/** Height of an instruction that no run can reach. */
export const UNREACHED = -0x8000_0000;

/** Height change of a function, or of the functions of a signature, that is not known to return. */
export const NEVER_RETURNS = -0x8000_0000;

/** Looks up the types of a host function by syscall index (u32). */
export type Syscalls = (index: number) => FunctionType | undefined;

/** What a host function does to the stack. */
interface SyscallSlots {
  readonly params: number;
  readonly results: number;
}

/** How the walk treats an instruction. */
const enum Step {
  /** Pops and pushes what the table says and goes on. */
  Plain,
  LocalGet,
  LocalSet,
  LocalTee,
  BulkConst,
  BulkDrop,
  TableInit,
  Syscall,
  StackCheck,
  // From here on control may go elsewhere.
  Br,
  BrIf,
  BrTable,
  Return,
  Trap,
  Call,
  TailCall,
  CallIndirect,
  TailCallIndirect,
}

const STEPS: Uint8Array = stepTable();

function stepTable(): Uint8Array {
  const table = new Uint8Array(OP_COUNT);
  const set = (step: Step, ...names: OpName[]) => names.forEach((name) => table[Op[name]] = step);
  set(Step.LocalGet, "LocalGet");
  set(Step.LocalSet, "LocalSet");
  set(Step.LocalTee, "LocalTee");
  set(Step.BulkConst, "BulkConst");
  set(Step.BulkDrop, "BulkDrop");
  set(Step.TableInit, "TableInit");
  set(Step.Syscall, "Call", "ReturnCall");
  set(Step.StackCheck, "StackCheck");
  set(Step.Br, "Br");
  set(Step.BrIf, "BrIfEqz", "BrIfNez");
  set(Step.BrTable, "BrTable");
  set(Step.Return, "Return");
  set(Step.Trap, "Unreachable", "Trap");
  set(Step.Call, "CallInternal");
  set(Step.TailCall, "ReturnCallInternal");
  set(Step.CallIndirect, "CallIndirect");
  set(Step.TailCallIndirect, "ReturnCallIndirect");
  return table;
}

/** Slots each opcode makes the stack higher. */
const GROWTH = Int8Array.from(POPS, (pops, op) => PUSHES[op]! - pops);

/** The heights of a module. Functions are numbered as in `Structure.starts`, nodes as in `CallGraph`. */
export class Heights {
  /** Height before each instruction above that of its function's entry, `UNREACHED` where none gets. */
  readonly heights: Int32Array;
  /** By node: height at the return above that at the entry, or `NEVER_RETURNS`. */
  readonly deltas: Int32Array;
  /** By node: slots that are read, written or popped below the entry, by the function or what it calls. */
  readonly reach: Int32Array;
  /** By function: the instruction that reaches the lowest. */
  readonly reachPcs: Int32Array;
  /** By function: highest that the stack gets above the entry, callees left out. */
  readonly peaks: Int32Array;
  /** By function: slots above the entry that its `StackCheck` reserves on every way through it. */
  readonly reserved: Int32Array;
  /** By function: most slots that it pushes beyond what is reserved there. */
  readonly excess: Int32Array;
  /** By function: its first return found, -1 when there is none. */
  readonly returnPcs: Int32Array;
  /** Who calls whom, as far as a run can get there. */
  readonly graph: CallGraph;

  readonly #module: RwasmModule;
  readonly #structure: Structure;
  readonly #limits: Limits;
  readonly #syscalls: Syscalls;
  readonly #unknownTraps: boolean;
  readonly #syscallSlots = new Map<number, SyscallSlots>();
  /** Signature nodes whose functions disagree. */
  readonly #disputed: Uint8Array;

  /** Instructions from which to walk; their heights are set. */
  #work = new Int32Array(256);
  #workCount = 0;
  /** Nodes just found to return; who calls them can go on. */
  readonly #returned: Int32Array;
  #returnedCount = 0;

  /**
   * Walks the whole module.
   *
   * @throws {VerifyError} with the instruction at which the heights do not work out.
   */
  constructor(
    module: RwasmModule,
    structure: Structure,
    limits: Limits,
    syscalls: Syscalls,
    unknownTraps: boolean,
  ) {
    this.#module = module;
    this.#structure = structure;
    this.#limits = limits;
    this.#syscalls = syscalls;
    this.#unknownTraps = unknownTraps;
    const functions = structure.starts.length - 1;
    this.heights = new Int32Array(module.length).fill(UNREACHED);
    this.graph = new CallGraph(module, structure);
    const nodes = this.graph.nodes;
    this.deltas = new Int32Array(nodes).fill(NEVER_RETURNS);
    this.reach = new Int32Array(nodes);
    this.reachPcs = new Int32Array(functions);
    this.peaks = new Int32Array(functions);
    this.reserved = new Int32Array(functions);
    this.excess = new Int32Array(functions);
    this.returnPcs = new Int32Array(functions).fill(-1);
    this.#disputed = new Uint8Array(nodes);
    this.#returned = new Int32Array(nodes);
    for (let number = 0; number < functions; number++) {
      this.heights[structure.starts[number]!] = 0;
      this.#walk(number, structure.starts[number]!);
      this.#drain();
    }
    this.graph.settleReach(this.heights, this.reach, this.reachPcs, mostCells(limits));
  }

  /** What a syscall instruction does to the stack; undefined for one that traps. */
  syscallSlots(pc: number): SyscallSlots | undefined {
    const index = this.#module.immediates[pc]! >>> 0;
    const known = this.#syscallSlots.get(index);
    if (known !== undefined) return known;
    const type = this.#syscalls(index);
    if (type === undefined) return undefined;
    const found = { params: slotsOfAll(type.params), results: slotsOfAll(type.results) };
    this.#syscallSlots.set(index, found);
    return found;
  }

  /** Walks until nothing is left to do. */
  #drain(): void {
    for (;;) {
      if (this.#workCount > 0) {
        const pc = this.#work[--this.#workCount]!;
        this.#walk(functionAt(this.#structure, pc), pc);
      } else if (this.#returnedCount > 0) this.#wake(this.#returned[--this.#returnedCount]!);
      else return;
    }
  }

  /** Walks a function from an instruction whose height is set, up to where the way ends or was walked before. */
  #walk(number: number, from: number): void {
    const { opcodes, immediates } = this.#module, { heights } = this;
    const { marks, starts } = this.#structure;
    const window = this.#limits.stackSlots + STACK_HEADROOM;
    const start = starts[number]!, end = starts[number + 1]!;
    const pops = POPS, growth = GROWTH, steps = STEPS;
    let pc = from, height = heights[from]!;
    const most = mostCells(this.#limits);
    let low = 0 - this.reach[number]!, high = this.peaks[number]!;
    // What is reserved on every way through the function, and beyond that on the way walked now.
    // All ways begin with the instructions from the entry to the first jump or target of one.
    let everywhere = this.reserved[number]!, here = everywhere;
    let opening = from === start;

    walk: for (;;) {
      const op = opcodes[pc]!, step = steps[op] as Step;
      let before = height;
      if (height - pops[op]! < low) this.#lower(number, pc, low = height - pops[op]!);
      height += growth[op]!;
      if ((marks[pc]! & TARGET) !== 0 && (pc !== start || !opening)) {
        if (opening) this.reserved[number] = everywhere = here;
        opening = false;
        here = everywhere;
      }
      if (step >= Step.Br && opening) {
        this.reserved[number] = everywhere = here;
        opening = false;
      }
      let next = pc + 1;
      switch (step) {
        case Step.Plain:
          break;
        case Step.LocalGet:
        case Step.LocalTee:
          if (before - immediates[pc]! < low) this.#lower(number, pc, low = before - immediates[pc]!);
          break;
        case Step.LocalSet:
          if (height - immediates[pc]! < low) this.#lower(number, pc, low = height - immediates[pc]!);
          break;
        case Step.BulkConst:
          height += immediates[pc]!;
          break;
        case Step.BulkDrop:
          height -= immediates[pc]!;
          break;
        case Step.TableInit:
          height -= 3;
          next = pc + 2; // over the payload
          break;
        case Step.Syscall: {
          const types = this.syscallSlots(pc);
          if (types === undefined) {
            if (this.#unknownTraps) break walk;
            this.#refuse(pc, "UnknownSyscall", "calls a host function that the linker does not have");
          }
          height -= types.params;
          if (height < low) this.#lower(number, pc, low = height);
          height += types.results;
          if (height > here) here = height; // the machine reserves the room of the results by itself
          break;
        }
        case Step.StackCheck: {
          const reservation = immediates[pc]! >>> 0;
          // It fails wherever the frame is: the frame begins at 0 or above.
          if (Math.max(height, 0) + reservation > window) break walk;
          if (height + reservation > here) here = height + reservation;
          break;
        }
        case Step.Br:
          this.#arrive(number, pc, pc + immediates[pc]!, height);
          break walk;
        case Step.BrIf:
          this.#arrive(number, pc, pc + immediates[pc]!, height);
          break;
        case Step.BrTable:
          for (let k = 0, entries = immediates[pc]! >>> 0; k < entries; k++) {
            this.#arrive(number, pc, pc + 2 * k + 1, height);
          }
          break walk;
        case Step.Return:
          this.#return(number, pc, height);
          break walk;
        case Step.Trap:
          break walk;
        case Step.Call:
        case Step.TailCall:
        case Step.CallIndirect:
        case Step.TailCallIndirect: {
          if (step >= Step.CallIndirect) {
            height--; // the index
            if (height < low) this.#lower(number, pc, low = height);
          }
          const node = this.graph.add(pc), delta = this.deltas[node]!;
          if (this.#disputed[node] !== 0) this.#refuseSignature(pc, node, undefined);
          if (delta === NEVER_RETURNS) break walk;
          height += delta;
          if (step === Step.TailCall || step === Step.TailCallIndirect) {
            this.#return(number, pc, height);
            break walk;
          }
          before = height; // the callee had room for what it left
          if (step === Step.CallIndirect) next = pc + 2; // over the payload
          break;
        }
      }
      if (height < low) this.#lower(number, pc, low = height);
      if (height > high && (high = height) > most) this.#exceed(number, pc, height, here);
      if (height > here && height > before) this.#exceed(number, pc, height, here);
      if (next >= end) this.#refuseEnd(number, pc, next);
      const there = heights[next]!;
      if (there !== UNREACHED) {
        if (there !== height) this.#refuseJoin(pc, next, height, there);
        break;
      }
      heights[next] = height;
      pc = next;
    }
    if (opening) this.reserved[number] = here;
    this.peaks[number] = high;
  }

  /** Notes that a function reaches down to `low`, which is below 0. */
  #lower(number: number, pc: number, low: number): void {
    if (-low > mostCells(this.#limits)) {
      this.#refuse(pc, "DepthOutOfReach", `reaches ${slots(-low)} below the frame, deeper than any stack`);
    }
    this.reach[number] = -low;
    this.reachPcs[number] = pc;
  }

  /** Notes a push beyond what is reserved. */
  #exceed(number: number, pc: number, height: number, reserved: number): void {
    if (height - reserved > INITIAL_STACK_CAPACITY) {
      this.#refuse(
        pc,
        "StackNotReserved",
        `makes the stack ${slots(height)} high above the function's entry, where ${reserved} are reserved`,
        { hint: `a function may use ${INITIAL_STACK_CAPACITY} slots more than its StackCheck reserves` },
      );
    }
    if (height - reserved > this.excess[number]!) this.excess[number] = height - reserved;
  }

  /** A jump comes to an instruction of the same function. */
  #arrive(number: number, from: number, to: number, height: number): void {
    const there = this.heights[to]!;
    if (there === height) return;
    if (there !== UNREACHED) this.#refuseJoin(from, to, height, there);
    if (to >= this.#structure.starts[number + 1]!) this.#refuseEnd(number, from, to);
    this.heights[to] = height;
    if (this.#workCount === this.#work.length) {
      const work = new Int32Array(2 * this.#work.length);
      work.set(this.#work);
      this.#work = work;
    }
    this.#work[this.#workCount++] = to;
  }

  /** A function returns with a height. */
  #return(number: number, pc: number, height: number): void {
    const known = this.deltas[number]!;
    if (known === height) return;
    if (known !== NEVER_RETURNS) {
      this.#refuse(
        pc,
        "ReturnMismatch",
        `returns with the stack at ${height} above the function's entry; ` +
          `the return at pc ${this.returnPcs[number]} has it at ${known}`,
      );
    }
    this.deltas[number] = height;
    this.returnPcs[number] = pc;
    this.#returned[this.#returnedCount++] = number;
    const node = this.graph.signatureNodes[number]!;
    if (node < 0 || this.deltas[node] === height) return;
    if (this.deltas[node] === NEVER_RETURNS) {
      this.deltas[node] = height;
      this.#returned[this.#returnedCount++] = node;
      return;
    }
    // It only matters when there is an indirect call, which would not know what it does.
    this.#disputed[node] = 1;
    if (this.graph.heads[node]! >= 0) this.#refuseSignature(pc, node, height);
  }

  /** Lets the ways go on that waited for a node to return. */
  #wake(node: number): void {
    const { opcodes } = this.#module, { heights } = this, delta = this.deltas[node]!;
    const { heads, nexts, pcs } = this.graph;
    for (let site = heads[node]!; site >= 0; site = nexts[site]!) {
      const pc = pcs[site]!, number = functionAt(this.#structure, pc);
      const step = STEPS[opcodes[pc]!] as Step;
      const height = heights[pc]! - (step >= Step.CallIndirect ? 1 : 0) + delta;
      if (step === Step.TailCall || step === Step.TailCallIndirect) {
        this.#return(number, pc, height);
        continue;
      }
      const next = step === Step.Call ? pc + 1 : pc + 2;
      if (next >= this.#structure.starts[number + 1]!) this.#refuseEnd(number, pc, next);
      if (height < 0 - this.reach[number]!) this.#lower(number, pc, height);
      if (height > this.peaks[number]!) {
        this.peaks[number] = height;
        if (height > mostCells(this.#limits)) this.#exceed(number, pc, height, this.reserved[number]!);
      }
      this.#arrive(number, pc, next, height);
    }
  }

  #refuse(pc: number, code: string, why: string, details: { hint?: string } = {}): never {
    refuseAt(this.#module, pc, code, why, details);
  }

  #refuseJoin(from: number, to: number, height: number, there: number): never {
    this.#refuse(
      from,
      "HeightMismatch",
      `leads to ${to} with the stack at ${height} above the function's entry; another way there has it at ${there}`,
    );
  }

  #refuseEnd(number: number, pc: number, next: number): never {
    if (next >= this.#module.length) this.#refuse(pc, "RunsPastEnd", "goes on behind the last instruction");
    const { starts } = this.#structure;
    blameStrayEntry(this.#module, starts, starts[number]!, next);
    this.#refuse(pc, "RunsIntoFunction", `goes on into the function that begins at ${next}`);
  }

  #refuseSignature(pc: number, node: number, height: number | undefined): never {
    const signature = this.graph.signatureOf(node), known = this.deltas[node]!;
    const why = height === undefined
      ? `calls functions that change the height of the stack differently`
      : `returns with the stack at ${height} above the function's entry; ` +
        `another function with signature ${signature}, which is called indirectly, has it at ${known}`;
    this.#refuse(pc, "SignatureMismatch", why);
  }
}
