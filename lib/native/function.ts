/**
 * Translates one rWasm function to a WebAssembly function: structured control flow over the dominator
 * tree (Ramsey: Beyond Relooper, 2022), slots as locals (`slots.ts`), and sites, the places at which
 * the frame can be written to the value stack so that the interpreter can go on. It decides nothing
 * about modules; calls go to the function indices it is told.
 *
 * @module
 */

import { UNREACHED } from "../isa/heights.ts";
import { Op, POPS, PUSHES } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { FIRST_DIVISION, LAST_COMPARISON, LAST_DIVISION } from "../interpreter/hidden.ts";
import { Form, type Idiom } from "../interpreter/idioms.ts";
import { STACK_MARGIN } from "../interpreter/layout.ts";
import { TrapCode } from "../error.ts";
import { FlowGraph, lengthOf } from "./flow.ts";
import {
  DEPTH_MARGIN,
  Global,
  HOST_BYTES,
  Import,
  LEAF_SLOTS,
  Reason,
  REASON_BITS,
  SMALL_FRAME,
  STATE,
  TABLES,
  TARGETS,
} from "./layout.ts";
import { HIDDEN_OPERATORS, IDIOM_OPERATORS, LOADS, OPERATORS, STORES, TRUNCATIONS } from "./operators.ts";
import type { Shape, Signatures } from "./signatures.ts";
import { F32, F64, I32, I64, MOST_OPERANDS, type SavedSlots, Slots, TYPE_BYTES } from "./slots.ts";

/** Most instructions of a function that is compiled. */
const MOST_INSTRUCTIONS = 400_000;

/** Most translations of one function: what is learned in the last is not used. */
const MOST_ROUNDS = 4;

/** A translated function. */
export interface Translated {
  /** Its number. */
  readonly number: number;
  /** Type bytes of the locals behind the parameters. */
  readonly locals: readonly number[];
  /** Operators with the last `end`. */
  readonly body: Uint8Array;
  /** By site: its code (`Reason` and pc), and the position of its height among those a frame is written at. */
  readonly sites: Int32Array;
  /** Positions in the body of instructions that may be in a stack trace, and the pc of each; of calls that behind. */
  readonly marks: Int32Array;
}

/** What the functions of a module are translated for. */
export interface Surroundings {
  /** Function index of a callee. */
  indexOf(number: number): number;
  /** Type index of a shape. */
  typeOf(shape: Shape): number;
}

/** How a function is translated. */
export const Mode = {
  /** To be called. */
  Call: 0,
  /** To be entered where ways join, with the slots from the value stack. */
  Resume: 1,
  /** To leave for the interpreter at its entry. */
  Leave: 2,
} as const;

// Labels that are no blocks of the graph.
const NO_BLOCK = -1;

// What is left to do, as pairs of numbers.
const TREE = 0, END = 1, RESTORE = 2;

/** Translates the functions of one module, one at a time. */
export class Translator {
  /** The graph of the last function. */
  readonly flow: FlowGraph;
  readonly #verified: VerifiedModule;
  readonly #signatures: Signatures;
  readonly #hidden: Int8Array;
  readonly #globals: number;
  readonly #globalWords: number;
  readonly #metered: boolean;
  readonly #ticks: boolean;
  readonly #slots = new Slots();

  #surroundings!: Surroundings;
  #mode = 0;
  #number = 0;
  #shape!: Shape;
  #params = 0;
  #placeLocal = 0;
  #fuelLocal = 0;
  #siteLocal = -1;
  #targetLocal = -1;
  #word = -1;
  #wide = [-1, -1, -1, -1];
  #floatLocals = [-1, -1];
  #published = false;
  #frameBytes = 0;
  readonly #sites: number[] = [];
  readonly #marks: number[] = [];
  readonly #labels: number[] = [];
  #labelOf = new Int32Array(0);
  readonly #tasks: number[] = [];
  readonly #states: (SavedSlots & { published: boolean } | undefined)[] = [];
  /** By block: the state it begins with, -1 for that where ways join. */
  #stateOf = new Int32Array(0);
  /** By block, when resuming: its target number, and the greatest in its subtree; 0 for none. */
  #targets = new Int32Array(0);
  #lastTargets = new Int32Array(0);

  /**
   * @param hidden by function: the hidden i64 function it is, or -1
   * @param globals byte address of the globals in the state memory, and how many words of them there are
   * @param charges whether the code charges fuel; what does not counts its loops instead
   */
  constructor(
    verified: VerifiedModule,
    signatures: Signatures,
    hidden: Int8Array,
    globals: { readonly address: number; readonly words: number },
    charges: boolean,
  ) {
    this.#verified = verified;
    this.#signatures = signatures;
    this.#hidden = hidden;
    this.#globals = globals.address;
    this.#globalWords = globals.words;
    this.#metered = charges;
    this.#ticks = !charges;
    this.flow = new FlowGraph(verified, hidden);
  }

  /** Translates a function; one that cannot be leaves for the interpreter, unless it is to be resumed: undefined. */
  translate(number: number, mode: number, surroundings: Surroundings): Translated | undefined {
    const { starts } = this.#verified;
    this.#surroundings = surroundings;
    this.#number = number;
    this.#mode = mode;
    this.#shape = this.#signatures.of(number);
    this.#params = this.#shape.paramSlots;
    const small = starts[number + 1] - starts[number] <= MOST_INSTRUCTIONS;
    if (mode !== Mode.Leave && (!small || !this.flow.build(number))) {
      if (mode === Mode.Resume) return undefined;
      this.#mode = Mode.Leave;
    }
    for (let round = 0;; round++) {
      this.#emit(round === 0);
      if (!this.#slots.learned || round === MOST_ROUNDS) break;
    }
    const { code, localTypes } = this.#slots, behind = this.#parameterCount();
    return {
      number,
      locals: localTypes.slice(behind).map((type) => TYPE_BYTES[type]),
      body: code.finish(),
      sites: this.#siteTable(),
      marks: Int32Array.from(this.#marks),
    };
  }

  /** By pc: the targets of the function that was translated last to be resumed. */
  targets(): Map<number, number> {
    const targets = new Map<number, number>();
    for (let block = 0; block < this.flow.count; block++) {
      if (this.#targets[block] > 0) targets.set(this.flow.starts[block], this.#targets[block]);
    }
    return targets;
  }

  #parameterCount(): number {
    return (this.#mode === Mode.Resume ? 1 : this.#shape.params.length) + 2;
  }

  // ── the function as a whole ─────────────────────────────────────────────────────────────────

  #emit(fresh: boolean): void {
    const slots = this.#slots, verified = this.#verified, number = this.#number;
    const most = this.#params + verified.maxHeights[number];
    slots.begin(most, fresh);
    this.#sites.length =
      this.#marks.length =
      this.#labels.length =
      this.#tasks.length =
        0;
    this.#states.length = 0;
    this.#siteLocal = this.#word = -1;
    this.#wide.fill(-1);
    this.#floatLocals.fill(-1);
    this.#targetLocal = -1;
    this.#published = false;
    this.#frameBytes = 12 * most + 128;

    if (this.#mode === Mode.Resume) {
      this.#targetLocal = slots.newLocal(I32);
      let slot = 0;
      // The kinds of parameters are those that others call it with.
      for (const type of this.#shape.params) {
        slots.setKind(slot, type);
        slot += type === I64 || type === F64 ? 2 : 1;
      }
    } else {
      let slot = 0;
      for (const type of this.#shape.params) {
        slots.addParameter(slot, type);
        slot += type === I64 || type === F64 ? 2 : 1;
      }
    }
    this.#placeLocal = slots.newLocal(I64);
    this.#fuelLocal = slots.newLocal(I32);
    this.#siteLocal = slots.newLocal(I32);

    const code = slots.code;
    code.op(0x02, 0x40);
    this.#labels.push(NO_BLOCK);
    const tries = this.#mode !== Mode.Leave;
    if (tries) {
      // try_table catching the tag into the block around it
      code.op(0x1f, 0x40, 1, 0, 0, 0);
      this.#labels.push(NO_BLOCK);
    }
    if (this.#mode === Mode.Resume) this.#loadFrame(most);
    else {
      slots.settle(this.#params);
      this.#enter();
    }
    if (this.#mode !== Mode.Leave) {
      this.#prepareBlocks();
      this.#walk();
    }
    if (tries) code.op(0x00, 0x0b); // unreachable, end
    code.op(0x00, 0x0b);
    this.#handler();
    code.op(0x0b);
  }

  /** Looks at the limits; who cannot go on leaves before anything has happened. */
  #enter(): void {
    const { code } = this.#slots, verified = this.#verified, number = this.#number;
    const pc = verified.starts[number];
    if (this.#mode === Mode.Leave) {
      this.#site(pc, Reason.Leave, this.#params);
      code.u8(0x0c).u32(0);
      return;
    }
    const needed = Math.max(verified.maxHeights[number], this.flow.reserved) + STACK_MARGIN;
    const large = this.#frameBytes > SMALL_FRAME;
    if (!this.flow.calls && needed <= LEAF_SLOTS && !large) return;
    this.#site(pc, Reason.Leave, this.#params);
    const slots = this.flow.calls ? needed + LEAF_SLOTS : needed;
    this.#slots.get(this.#placeLocal);
    code.u8(0x42).s64(slots, DEPTH_MARGIN).u8(0x7c);
    code.u8(0x42).s64(-0x8000_0000, -0x8000_0000).u8(0x83);
    code.op(0x42, 0x00, 0x52); // i64.ne
    this.#leaveIf();
    if (large) {
      code.u8(0x23).u32(Global.host).u8(0x41).s32(HOST_BYTES - this.#frameBytes).u8(0x4a); // i32.gt_s
      this.#leaveIf();
      this.#countHost(this.#frameBytes);
    }
  }

  #countHost(bytes: number): void {
    if (this.#frameBytes <= SMALL_FRAME || this.#mode === Mode.Resume) return;
    this.#slots.code.u8(0x23).u32(Global.host).u8(0x41).s32(bytes).u8(0x6a).u8(0x24).u32(Global.host);
  }

  /** When resuming: reads every slot of the frame from the value stack. */
  #loadFrame(most: number): void {
    const slots = this.#slots, { code } = slots;
    for (let slot = 0; slot < most; slot++) {
      const type = slots.homeType(slot, most), wide = type === I64 || type === F64;
      this.#frameAddress();
      code.u8(LOAD_OPCODES[type]).memory(4 * slot, STATE);
      slots.set(slots.home(slot, type));
      if (wide) {
        // At a height between the two its low half is a word.
        this.#frameAddress();
        code.u8(0x28).memory(4 * slot, STATE);
        slots.set(slots.home(slot++, I32));
      }
    }
    slots.settle(this.#params);
  }

  /** Pushes the address of the lowest slot of the frame. */
  #frameAddress(): void {
    const { code } = this.#slots;
    this.#slots.get(this.#placeLocal);
    code.op(0xa7, 0x41, 0x02, 0x74, 0x23).u32(Global.base).u8(0x6a);
    if (this.#params > 0) code.u8(0x41).s32(4 * this.#params).u8(0x6b);
  }

  /** Writes the frame to the value stack from a height that the host tells, and goes on unwinding. */
  #handler(): void {
    const slots = this.#slots, { code } = slots;
    const heights = this.#heights();
    code.u8(0x41).s32(this.#mode === Mode.Resume ? -1 - this.#number : this.#number);
    slots.get(this.#siteLocal);
    slots.get(this.#placeLocal);
    code.u8(0xa7);
    slots.get(this.#fuelLocal);
    code.u8(0x10).u32(Import.unwind);
    slots.set(this.#siteLocal);
    if (heights.length > 0) {
      const address = slots.newLocal(I32);
      const store = (slot: number, type: number) => {
        slots.get(address);
        slots.get(slots.home(slot, type));
        code.u8(STORE_OPCODES[type]).memory(4 * slot, STATE);
      };
      const split = (height: number) => slots.splits(height);
      const whole = heights.filter((height) => !split(height)), odd = heights.filter(split);
      // The last block is the innermost: heights that split a pair, then the others from the greatest on.
      const places = [...whole, ...odd.toReversed()];
      code.op(0x02, 0x40);
      for (let k = 0; k < places.length; k++) code.op(0x02, 0x40);
      this.#frameAddress();
      slots.set(address);
      slots.get(this.#siteLocal);
      code.u8(0x0e).u32(heights.length - 1);
      for (const height of heights) code.u32(places.length - 1 - places.indexOf(height));
      for (let k = places.length - 1; k >= 0; k--) {
        code.u8(0x0b);
        const height = places[k], single = split(height);
        const below = single || k === 0 ? 0 : places[k - 1];
        for (let slot = height - 1; slot >= below; slot--) {
          const type = slots.homeType(slot, height);
          if (type >= 0) store(slot, type);
        }
        if (single) code.u8(0x0c).u32(k);
      }
      code.u8(0x0b);
    }
    code.op(0x08, 0x00); // throw
  }

  /** Heights at which sites write the frame, ascending. */
  #heights(): number[] {
    const heights = new Set<number>();
    for (let k = 1; k < this.#sites.length; k += 2) heights.add(this.#sites[k]);
    return [...heights].sort((a, b) => a - b);
  }

  #siteTable(): Int32Array {
    const heights = this.#heights(), positions = new Map(heights.map((height, k) => [height, k]));
    return Int32Array.from(this.#sites, (value, k) => (k & 1) === 0 ? value : positions.get(value)!);
  }

  // ── structure ───────────────────────────────────────────────────────────────────────────────

  #prepareBlocks(): void {
    const { flow } = this;
    if (this.#labelOf.length < flow.count) {
      this.#labelOf = new Int32Array(2 * flow.count);
      this.#stateOf = new Int32Array(2 * flow.count);
      this.#targets = new Int32Array(2 * flow.count);
      this.#lastTargets = new Int32Array(2 * flow.count);
    }
    this.#labelOf.fill(-1, 0, flow.count);
    this.#stateOf.fill(-1, 0, flow.count);
    if (this.#mode === Mode.Resume) this.#numberTargets();
  }

  /** Numbers the blocks that a resumed frame can begin at so that those of a subtree follow each other. */
  #numberTargets(): void {
    const { count, joins, children, siblings } = this.flow;
    this.#targets.fill(0, 0, count);
    this.#lastTargets.fill(0, 0, count);
    const path: number[] = [0];
    let next = 1;
    while (path.length > 0) {
      const block = path[path.length - 1];
      if (block >= 0) {
        path[path.length - 1] = ~block;
        if (joins[block] !== 0) this.#targets[block] = next++;
        for (let child = children[block]; child !== 0; child = siblings[child]) path.push(child);
      } else {
        path.pop();
        this.#lastTargets[~block] = next - 1;
      }
    }
  }

  /** By block, when resuming: the least target in its subtree, 0 for none. */
  readonly #firstTargets: number[] = [];

  /** Whether a block begins with all slots at home. */
  #joins(block: number): boolean {
    return this.flow.joins[block] !== 0 || this.#reaching[block] === 1;
  }

  /** Whether a block has a label of its own. */
  #labelled(block: number): boolean {
    return this.flow.joins[block] !== 0 || this.flow.entries[block] !== 0 || this.#reaching[block] === 1;
  }

  /** By block, when resuming: 1 when a target is in its subtree. */
  #reaching: Uint8Array = new Uint8Array(0);

  #walk(): void {
    const tasks = this.#tasks, { code } = this.#slots;
    this.#computeReach();
    tasks.push(0, TREE);
    while (tasks.length > 0) {
      const kind = tasks.pop()!, argument = tasks.pop()!;
      if (kind === TREE) this.#tree(argument);
      else if (kind === END) {
        code.u8(0x0b);
        this.#labels.pop();
      } else this.#restore(argument);
    }
  }

  #computeReach(): void {
    const { flow } = this;
    if (this.#reaching.length < flow.count) this.#reaching = new Uint8Array(2 * flow.count);
    this.#reaching.fill(0, 0, flow.count);
    if (this.#mode !== Mode.Resume) return;
    this.#firstTargets.length = 0;
    for (let block = 0; block < flow.count; block++) this.#firstTargets.push(this.#targets[block]);
    // Children have greater numbers than what dominates them.
    for (let block = flow.count - 1; block > 0; block--) {
      if (this.#firstTargets[block] === 0) continue;
      this.#reaching[block] = 1;
      const above = flow.dominators[block], first = this.#firstTargets[above];
      if (first === 0 || this.#firstTargets[block] < first) {
        this.#firstTargets[above] = this.#firstTargets[block];
      }
    }
    if (this.#firstTargets[0] > 0) this.#reaching[0] = 1;
  }

  #restore(state: number): void {
    const saved = this.#states[state]!;
    this.#slots.restore(saved);
    this.#published = saved.published;
  }

  #save(): number {
    this.#states.push({ ...this.#slots.save(), published: this.#published });
    return this.#states.length - 1;
  }

  /** Emits a block and pushes the tasks for what it dominates. */
  #tree(block: number): void {
    const { flow } = this, slots = this.#slots, tasks = this.#tasks, { heights } = this.#verified;
    if (this.#joins(block)) {
      slots.settle(heights[flow.starts[block]] + this.#params);
      this.#published = false;
    } else if (this.#stateOf[block] >= 0) this.#restore(this.#stateOf[block]);
    slots.zeroed = block === 0 && flow.loops[0] === 0 && this.#mode === Mode.Call;
    if (flow.loops[block] !== 0) {
      this.#open(0x03, block);
      tasks.push(0, END);
    }
    // Where ways go, in the order in which the code stands: the last one in the outermost block.
    const labelled: number[] = [];
    for (let child = flow.children[block]; child !== 0; child = flow.siblings[child]) {
      if (this.#labelled(child)) labelled.push(child);
    }
    for (let k = labelled.length - 1; k >= 0; k--) {
      this.#open(0x02, labelled[k]);
      tasks.push(labelled[k], TREE, 0, END);
    }
    if (this.#mode === Mode.Resume && this.#reaching[block] === 1) this.#dispatch(block);
    this.#body(block);
  }

  #open(opcode: number, block: number): void {
    this.#slots.code.op(opcode, 0x40);
    if (block >= 0) this.#labelOf[block] = this.#labels.length;
    this.#labels.push(block);
  }

  /** When resuming: goes on towards the target, unless this is it. */
  #dispatch(block: number): void {
    const { flow } = this, slots = this.#slots, { code } = slots;
    slots.get(this.#targetLocal);
    this.#open(0x04, NO_BLOCK);
    const first = this.#firstTargets[block];
    const own = this.#targets[block];
    this.#open(0x02, NO_BLOCK);
    const last = this.#lastTargets[block];
    slots.get(this.#targetLocal);
    code.u8(0x41).s32(first).op(0x6b, 0x0e).u32(last - first + 1);
    const labels = new Int32Array(last - first + 2);
    for (let child = flow.children[block]; child !== 0; child = flow.siblings[child]) {
      if (this.#reaching[child] === 0) continue;
      for (let target = this.#firstTargets[child]; target <= this.#lastTargets[child]; target++) {
        labels[target - first] = this.#depthOf(child);
      }
    }
    if (own !== 0) labels[own - first] = 0;
    for (const label of labels) code.u32(label);
    code.u8(0x0b);
    this.#labels.pop();
    code.op(0x41, 0x00);
    slots.set(this.#targetLocal);
    code.u8(0x0b);
    this.#labels.pop();
  }

  #depthOf(block: number): number {
    return this.#labels.length - 1 - this.#labelOf[block];
  }

  /** Goes to a block, in place when nothing else does. The slots are at home where they must be. */
  #goTo(from: number, block: number): void {
    if (block <= from || this.#labelled(block)) {
      // Behind the innermost block is where the code goes on.
      if (block > from && this.#labels[this.#labels.length - 1] === block) return;
      this.#slots.code.u8(0x0c).u32(this.#depthOf(block));
      return;
    }
    this.#tasks.push(block, TREE);
  }

  /** Ends a block that goes on in one way. */
  #goOn(from: number, block: number): void {
    const slots = this.#slots;
    slots.spill();
    if (block <= from || this.#joins(block)) slots.flush(slots.count);
    this.#goTo(from, block);
  }

  #leaveIf(): void {
    this.#slots.code.u8(0x0d).u32(this.#labels.length - 1);
  }

  #branchIf(from: number, whenSet: boolean, taken: number, other: number): void {
    const slots = this.#slots, { code } = slots;
    const isLabelled = (block: number) => block <= from || this.#labelled(block);
    const home = taken <= from || other <= from || this.#joins(taken) || this.#joins(other);
    this.#operands1(slots.count - 1, I32);
    slots.pushOperands(1, true, true);
    if (home) slots.flush(slots.count);
    if (taken === other) {
      code.u8(0x1a);
      this.#goTo(from, taken);
      return;
    }
    if (isLabelled(taken)) {
      if (!whenSet) code.u8(0x45);
      code.u8(0x0d).u32(this.#depthOf(taken));
      this.#goTo(from, other);
    } else if (isLabelled(other)) {
      if (whenSet) code.u8(0x45);
      code.u8(0x0d).u32(this.#depthOf(other));
      this.#goTo(from, taken);
    } else {
      // Both in place: what is behind the branch in an if, which never falls out of it.
      if (whenSet) code.u8(0x45);
      this.#open(0x04, NO_BLOCK);
      const state = this.#save();
      this.#tasks.push(taken, TREE, state, RESTORE, 0, END, other, TREE);
    }
  }

  #branchTable(block: number): void {
    const slots = this.#slots, { code } = slots, { flow } = this;
    const first = flow.firsts[block], count = flow.firsts[block + 1] - first;
    let home = false;
    for (let k = 0; k < count; k++) {
      const to = flow.successors[first + k];
      home ||= to <= block || this.#joins(to);
    }
    this.#operands1(slots.count - 1, I32);
    slots.pushOperands(1, true, true);
    if (home) slots.flush(slots.count);
    let state = -1;
    code.u8(0x0e).u32(count - 1);
    for (let k = 0; k < count; k++) {
      const to = flow.successors[first + k];
      if (to > block && !this.#joins(to)) this.#stateOf[to] = state >= 0 ? state : state = this.#save();
      code.u32(this.#depthOf(to));
    }
  }

  // ── instructions ────────────────────────────────────────────────────────────────────────────

  #body(block: number): void {
    const { flow } = this, slots = this.#slots;
    const { opcodes, immediates } = this.#verified.module, end = flow.ends[block];
    if (this.#ticks && flow.loops[block] !== 0) this.#tick(flow.starts[block]);
    if (this.#ticks && block === 0 && flow.calls && flow.loops[0] === 0) this.#tick(flow.starts[0]);
    let pc = flow.starts[block];
    const first = flow.firsts[block];
    while (pc < end) {
      const idiom = flow.idiomAt(pc);
      if (idiom !== undefined && this.#perform(idiom)) {
        pc += idiom.opcodes.length;
        continue;
      }
      const op = opcodes[pc], immediate = immediates[pc];
      const operator = OPERATORS[op];
      if (operator !== undefined) {
        const { operands } = operator;
        if (operator.traps) this.#publish();
        if (operands.length === 1) this.#operands1(slots.count - width(operands[0]), operands[0]);
        else {
          const last = slots.count - width(operands[1]);
          this.#operands2(last - width(operands[0]), operands[0], last, operands[1]);
        }
        slots.pushOperands(operands.length, operator.exact);
        if (operator.traps) this.#mark(pc);
        for (const byte of operator.bytes) slots.code.u8(byte);
        slots.pushResult(operator.result, operator.nan);
        pc++;
        continue;
      }
      switch (op) {
        case Op.LocalGet:
          pc = this.#localGet(pc, end);
          continue;
        case Op.LocalSet:
          slots.moveTop(slots.count - 1 - immediate);
          break;
        case Op.LocalTee:
          slots.copyTop(slots.count - immediate);
          break;
        case Op.I32Const:
        case Op.RefFunc:
          slots.pushConst(immediate);
          break;
        case Op.I64Const32S:
          slots.pushConst(immediate);
          slots.pushConst(immediate >> 31);
          break;
        case Op.I64Const32U:
          slots.pushConst(immediate);
          slots.pushConst(0);
          break;
        case Op.BulkConst:
          for (let k = 0; k < immediate; k++) slots.pushConst(0);
          break;
        case Op.Drop:
          slots.drop(1);
          break;
        case Op.BulkDrop:
          slots.drop(immediate);
          break;
        case Op.I32WrapI64:
        case Op.SignatureCheck:
        case Op.StackCheck:
          break;
        case Op.Select:
          this.#operands3(slots.count - 3, I32, slots.count - 2, I32, slots.count - 1, I32);
          slots.pushOperands(3, true);
          slots.code.u8(0x1b);
          slots.pushResult(I32);
          break;
        case Op.I32Mul64:
        case Op.I32Add64:
        case Op.I32Sub64:
          this.#wideOf(op);
          break;
        case Op.I64Add128:
        case Op.I64Sub128:
          this.#add128(op === Op.I64Sub128);
          break;
        case Op.I64MulWideS:
        case Op.I64MulWideU:
          this.#mulWide(op === Op.I64MulWideS);
          break;
        case Op.GlobalGet:
          pc = this.#globalGet(pc, immediate);
          continue;
        case Op.GlobalSet:
          pc = this.#globalSet(pc, immediate);
          continue;
        case Op.I32Load:
        case Op.I32Load8S:
        case Op.I32Load8U:
        case Op.I32Load16S:
        case Op.I32Load16U:
        case Op.F32Load:
        case Op.F64Load: {
          const { type, opcode } = LOADS[op]!;
          this.#publish();
          this.#operands1(slots.count - 1, I32);
          slots.pushOperands(1, true);
          this.#mark(pc);
          slots.code.u8(opcode).memory(immediate);
          slots.pushResult(type);
          break;
        }
        case Op.I32Store:
        case Op.I32Store8:
        case Op.I32Store16:
        case Op.F32Store:
        case Op.F64Store: {
          const { type, opcode } = STORES[op]!, value = slots.count - width(type);
          this.#publish();
          this.#operands2(value - 1, I32, value, type);
          slots.pushOperands(2, true);
          this.#mark(pc);
          slots.code.u8(opcode).memory(immediate);
          break;
        }
        case Op.MemorySize:
          slots.code.op(0x3f, 0x00);
          slots.pushResult(I32);
          break;
        case Op.MemoryFill:
        case Op.MemoryCopy:
          this.#publish();
          this.#operands3(slots.count - 3, I32, slots.count - 2, I32, slots.count - 1, I32);
          slots.pushOperands(3, true);
          this.#mark(pc);
          if (op === Op.MemoryFill) slots.code.op(0xfc, 0x0b, 0x00);
          else slots.code.op(0xfc, 0x0a, 0x00, 0x00);
          break;
        case Op.TableGet:
          if (immediate < TABLES) this.#tableGet(pc, immediate);
          else this.#step(pc, 1, 1);
          break;
        case Op.TableSet:
          if (immediate < TABLES) this.#tableSet(pc, immediate);
          else this.#step(pc, 2, 0);
          break;
        case Op.ConsumeFuel:
          if (immediate !== 0) this.#charge(pc, immediate);
          break;
        case Op.ConsumeFuelStack:
          this.#chargeStack(pc);
          break;
        case Op.Br:
          this.#goOn(block, flow.successors[first]);
          return;
        case Op.BrIfEqz:
        case Op.BrIfNez:
          this.#branchIf(block, op === Op.BrIfNez, flow.successors[first], flow.successors[first + 1]);
          return;
        case Op.BrTable:
          this.#branchTable(block);
          return;
        case Op.Return:
          this.#return(pc);
          return;
        case Op.Unreachable:
        case Op.Trap:
          this.#trap(pc, op, immediate);
          return;
        case Op.ReturnCallInternal:
        case Op.ReturnCallIndirect:
          this.#tailCall(pc, op);
          return;
        case Op.CallInternal: {
          const callee = this.#verified.functionAt(immediate), hidden = this.#hidden[callee];
          if (hidden >= 0 && hidden < HIDDEN_OPERATORS.length) this.#raise(pc, hidden);
          else this.#call(pc, callee);
          break;
        }
        case Op.CallIndirect:
          this.#callIndirect(pc);
          break;
        case Op.Call:
        case Op.ReturnCall:
          this.#step(pc, this.#verified.poppedBy(pc), Math.max(0, this.#verified.pushedBy(pc)));
          break;
        case Op.TableInit:
          this.#step(pc, 3, 0);
          break;
        default:
          if (TRUNCATIONS[op] !== undefined) this.#truncate(pc, op);
          else this.#step(pc, POPS[op], PUSHES[op]);
      }
      pc += lengthOf(op);
    }
    if (flow.firsts[block + 1] > first) this.#goOn(block, flow.successors[first]);
    else slots.code.u8(0x00);
  }

  #operands1(slot: number, type: number): void {
    const slots = this.#slots;
    slots.operandSlots[0] = slot;
    slots.operandTypes[0] = type;
  }

  #operands2(slot: number, type: number, slot2: number, type2: number): void {
    const slots = this.#slots;
    this.#operands1(slot, type);
    slots.operandSlots[1] = slot2;
    slots.operandTypes[1] = type2;
  }

  #operands3(slot: number, type: number, slot2: number, type2: number, slot3: number, type3: number): void {
    const slots = this.#slots;
    this.#operands2(slot, type, slot2, type2);
    slots.operandSlots[2] = slot3;
    slots.operandTypes[2] = type3;
  }

  /** Notes that the next instruction may be in a stack trace. */
  #mark(pc: number): void {
    this.#marks.push(this.#slots.code.length, pc);
  }

  /** Makes the fuel known to the host, which a trap of the engine asks for. */
  #publish(): void {
    if (this.#published || !this.#metered) return;
    this.#published = true;
    this.#slots.get(this.#fuelLocal);
    this.#slots.code.u8(0x24).u32(Global.fuel);
  }

  /** From here on the frame has what a site needs. */
  #site(pc: number, reason: number, height: number): void {
    const slots = this.#slots;
    slots.code.u8(0x41).s32(this.#sites.length >> 1);
    slots.set(this.#siteLocal);
    this.#sites.push((pc << REASON_BITS) | reason, height);
  }

  /** Brings everything home for a stop at an instruction that has done nothing yet. */
  #stopSite(pc: number, reason: number): void {
    const slots = this.#slots;
    slots.spill();
    slots.flush(slots.count);
    this.#site(pc, reason, slots.count);
  }

  #tick(pc: number): void {
    const slots = this.#slots, { code } = slots;
    this.#stopSite(pc, Reason.Tick);
    slots.get(this.#fuelLocal);
    code.u8(0x45);
    this.#leaveIf();
    slots.get(this.#fuelLocal);
    code.op(0x41, 0x01, 0x6b);
    slots.set(this.#fuelLocal);
  }

  #charge(pc: number, amount: number): void {
    const slots = this.#slots, { code } = slots;
    this.#stopSite(pc, Reason.Fuel);
    if (amount < 0) code.op(0x41, 0x01); // above 2^31: no slice holds it
    else {
      slots.get(this.#fuelLocal);
      code.u8(0x41).s32(amount).u8(0x49);
    }
    this.#leaveIf();
    slots.get(this.#fuelLocal);
    code.u8(0x41).s32(amount).u8(0x6b);
    slots.set(this.#fuelLocal);
    this.#published = false;
  }

  #chargeStack(pc: number): void {
    const slots = this.#slots, { code } = slots;
    this.#stopSite(pc, Reason.Fuel);
    slots.get(this.#fuelLocal);
    slots.pushValue(slots.count - 1, I32);
    code.u8(0x49);
    this.#leaveIf();
    slots.get(this.#fuelLocal);
    slots.pushValue(slots.count - 1, I32);
    code.u8(0x6b);
    slots.set(this.#fuelLocal);
    slots.drop(1);
    this.#published = false;
  }

  #localGet(pc: number, end: number): number {
    const slots = this.#slots, { opcodes, immediates } = this.#verified.module;
    // Both halves of a 64-bit load from the address on top, the high one first.
    if (
      immediates[pc] === 1 && pc + 5 <= end && opcodes[pc + 1] === Op.I32Load &&
      opcodes[pc + 2] === Op.LocalGet &&
      immediates[pc + 2] === 2 && opcodes[pc + 3] === Op.I32Load && opcodes[pc + 4] === Op.LocalSet &&
      immediates[pc + 4] === 2 && immediates[pc + 3] + 4 === immediates[pc + 1] && immediates[pc + 3] >= 0
    ) {
      this.#publish();
      this.#operands1(slots.count - 1, I32);
      slots.pushOperands(1, true);
      this.#mark(pc + 1);
      slots.code.u8(0x29).memory(immediates[pc + 3]);
      slots.pushResult(I64);
      return pc + 5;
    }
    // Both halves of a 64-bit store: address, value.
    if (
      immediates[pc] === 3 && pc + 5 <= end && opcodes[pc + 1] === Op.LocalGet && immediates[pc + 1] === 2 &&
      opcodes[pc + 2] === Op.I32Store && opcodes[pc + 3] === Op.Drop && opcodes[pc + 4] === Op.I32Store &&
      immediates[pc + 4] + 4 === immediates[pc + 2] && immediates[pc + 4] >= 0
    ) {
      this.#publish();
      this.#operands2(slots.count - 3, I32, slots.count - 2, I64);
      slots.pushOperands(2, true);
      this.#mark(pc + 2);
      slots.code.u8(0x37).memory(immediates[pc + 4]);
      return pc + 5;
    }
    slots.pushCopy(slots.count - immediates[pc]);
    return pc + 1;
  }

  /** Product, sum or difference of two words as 64 bits. */
  #wideOf(op: number): void {
    const slots = this.#slots, a = slots.count - 2, b = slots.count - 1;
    this.#operands2(a, I32, b, I32);
    slots.pushOperands(2, true);
    const { code } = slots, local = this.#scratchWord();
    slots.set(local);
    code.u8(0xad);
    slots.get(local);
    code.op(0xad, op === Op.I32Mul64 ? 0x7e : op === Op.I32Add64 ? 0x7c : 0x7d);
    slots.pushResult(I64);
  }

  #scratchWord(): number {
    return this.#word >= 0 ? this.#word : this.#word = this.#slots.newLocal(I32);
  }

  #scratchWide(k: number): number {
    return this.#wide[k] >= 0 ? this.#wide[k] : this.#wide[k] = this.#slots.newLocal(I64);
  }

  #add128(minus: boolean): void {
    const slots = this.#slots, { code } = slots, at = slots.count - 8;
    this.#operands3(at, I64, at + 2, I64, at + 4, I64);
    slots.operandSlots[3] = at + 6;
    slots.operandTypes[3] = I64;
    slots.pushOperands(4, true);
    const [alo, ahi, blo, bhi] = [0, 1, 2, 3].map((k) => this.#scratchWide(k));
    for (const local of [bhi, blo, ahi, alo]) slots.set(local);
    const opcode = minus ? 0x7d : 0x7c;
    slots.get(alo), slots.get(blo), code.u8(opcode);
    // The high half: carry when the sum is below a summand, borrow when a is below b.
    slots.get(ahi), slots.get(bhi), code.u8(opcode);
    if (minus) slots.get(alo), slots.get(blo), code.op(0x54, 0xad, 0x7d);
    else slots.get(alo), slots.get(blo), code.u8(0x7c), slots.get(alo), code.op(0x54, 0xad, 0x7c);
    slots.pushResult(I64);
    slots.pushResult(I64);
  }

  #mulWide(signed: boolean): void {
    const slots = this.#slots, { code } = slots, at = slots.count - 4;
    this.#operands2(at, I64, at + 2, I64);
    slots.pushOperands(2, true);
    const [a, b, x, y] = [0, 1, 2, 3].map((k) => this.#scratchWide(k));
    slots.set(b), slots.set(a);
    const get = (local: number) => slots.get(local);
    const low = (local: number) => (get(local), code.op(0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83));
    const high = (local: number) => (get(local), code.op(0x42, 32, 0x88));
    get(a), get(b), code.u8(0x7e); // the low half
    low(a), low(b), code.op(0x7e, 0x42, 32, 0x88), high(a), low(b), code.op(0x7e, 0x7c), slots.set(x);
    low(x), low(a), high(b), code.op(0x7e, 0x7c), slots.set(y);
    high(a), high(b), code.u8(0x7e), high(x), code.u8(0x7c), high(y), code.u8(0x7c);
    if (signed) {
      // A negative factor counts as itself + 2^64: take the other one off the high half.
      get(a), code.op(0x42, 63, 0x87), get(b), code.op(0x83, 0x7d);
      get(b), code.op(0x42, 63, 0x87), get(a), code.op(0x83, 0x7d);
    }
    slots.pushResult(I64);
    slots.pushResult(I64);
  }

  #perform(idiom: Idiom): boolean {
    const slots = this.#slots, bytes = IDIOM_OPERATORS.get(idiom.handler), { form } = idiom;
    if (bytes === undefined) return false;
    let result: number = I64;
    switch (form) {
      case Form.Test:
        if (!slots.isPair(slots.count - 2)) return false;
        result = I32;
        this.#operands1(slots.count - 2, I64);
        break;
      case Form.Pair:
        this.#operands1(slots.count - 2, I64);
        break;
      case Form.WidenLow:
        slots.drop(1);
        this.#operands1(slots.count - 1, I32);
        break;
      case Form.Widen:
        this.#operands1(slots.count - 1, I32);
        break;
      case Form.Select:
        this.#operands3(slots.count - 5, I64, slots.count - 3, I64, slots.count - 1, I32);
        break;
    }
    slots.pushOperands(form === Form.Select ? 3 : 1, true);
    for (const byte of bytes) slots.code.u8(byte);
    slots.pushResult(result);
    return true;
  }

  /** A call of a hidden i64 function as its operator. */
  #raise(pc: number, hidden: number): void {
    const slots = this.#slots, { code } = slots, opcode = HIDDEN_OPERATORS[hidden];
    const a = slots.count - 4, b = slots.count - 2;
    if (hidden >= FIRST_DIVISION && hidden <= LAST_DIVISION && !this.#isSafeDivisor(b)) {
      // A division that traps does so inside of the hidden function: the interpreter goes there.
      this.#stopSite(pc, Reason.Leave);
      slots.pushValue(b, I64);
      code.u8(0x50);
      this.#leaveIf();
      if (opcode === 0x7f) {
        slots.pushValue(b, I64);
        code.u8(0x42).s64(-1, -1).u8(0x51);
        slots.pushValue(a, I64);
        code.u8(0x42).s64(0, -0x8000_0000).op(0x51, 0x71);
        this.#leaveIf();
      }
    }
    this.#operands2(a, I64, b, I64);
    slots.pushOperands(2, true);
    code.u8(opcode);
    slots.pushResult(hidden <= LAST_COMPARISON ? I32 : I64);
  }

  #isSafeDivisor(slot: number): boolean {
    const slots = this.#slots;
    if (!slots.isConst(slot) || !slots.isConst(slot + 1)) return false;
    const low = slots.constOf(slot), high = slots.constOf(slot + 1);
    return (low !== 0 || high !== 0) && (low !== -1 || high !== -1);
  }

  #truncate(pc: number, op: number): void {
    const slots = this.#slots, { code } = slots, { from, to, opcode, low, high } = TRUNCATIONS[op]!;
    this.#stopSite(pc, Reason.Leave);
    const at = slots.count - width(from), k = from === F32 ? 0 : 1, compare = from === F64 ? 0x61 : 0x5b;
    if (this.#floatLocals[k] < 0) this.#floatLocals[k] = slots.newLocal(from);
    const local = this.#floatLocals[k];
    slots.pushValue(at, from);
    slots.tee(local);
    pushFloat(slots, from, low);
    code.u8(compare + 3); // gt: false for NaN
    slots.get(local);
    pushFloat(slots, from, high);
    code.op(compare + 2, 0x71, 0x45); // lt, and, eqz
    this.#leaveIf();
    slots.drop(width(from));
    slots.get(local);
    code.u8(opcode);
    slots.pushResult(to);
  }

  #trap(pc: number, op: number, trap: number): void {
    if (op === Op.Trap && trap === TrapCode.InterruptionCalled) {
      // A pause: the frame must be there.
      this.#stopSite(pc, Reason.Leave);
      this.#slots.code.u8(0x0c).u32(this.#labels.length - 1);
      return;
    }
    this.#publish();
    this.#mark(pc);
    this.#slots.code.u8(0x00);
  }

  // ── globals and tables ──────────────────────────────────────────────────────────────────────

  #globalGet(pc: number, word: number): number {
    const slots = this.#slots, { code } = slots, { opcodes, immediates } = this.#verified.module;
    if (word >>> 0 >= this.#globalWords) {
      this.#step(pc, 0, 1);
      return pc + 1;
    }
    const next = pc + 1;
    if (
      (word & 1) === 1 && opcodes[next] === Op.GlobalGet && immediates[next] === word - 1 &&
      this.flow.blockAt(next) < 0
    ) {
      // The high half of a global of 64 bits is in the word in front of the low one.
      code.op(0x41, 0x00, 0x29).memory(this.#globals + 4 * (word - 1), STATE).op(0x42, 32, 0x89);
      slots.pushResult(I64);
      return pc + 2;
    }
    code.op(0x41, 0x00, 0x28).memory(this.#globals + 4 * word, STATE);
    slots.pushResult(I32);
    return next;
  }

  #globalSet(pc: number, word: number): number {
    const slots = this.#slots, { code } = slots, { opcodes, immediates } = this.#verified.module;
    if (word >>> 0 >= this.#globalWords) {
      this.#step(pc, 1, 0);
      return pc + 1;
    }
    const next = pc + 1;
    const pair = (word & 1) === 0 && opcodes[next] === Op.GlobalSet && immediates[next] === word + 1 &&
      word + 1 < this.#globalWords && this.flow.blockAt(next) < 0;
    // The address goes below the value, which is why the value waits in a local.
    if (pair) {
      const local = this.#scratchWide(0);
      this.#operands1(slots.count - 2, I64);
      slots.pushOperands(1, true);
      slots.set(local);
      code.op(0x41, 0x00);
      slots.get(local);
      code.op(0x42, 32, 0x89, 0x37).memory(this.#globals + 4 * word, STATE);
      return pc + 2;
    }
    const local = this.#scratchWord();
    this.#operands1(slots.count - 1, I32);
    slots.pushOperands(1, true);
    slots.set(local);
    code.op(0x41, 0x00);
    slots.get(local);
    code.u8(0x36).memory(this.#globals + 4 * word, STATE);
    return next;
  }

  /** Pushes the address of the element whose index a slot holds; leaves when there is none here. */
  #element(slot: number, table: number): void {
    const slots = this.#slots, { code } = slots, local = this.#scratchWord();
    slots.pushValue(slot, I32);
    slots.tee(local);
    code.op(0x41, 0x00, 0x28).memory(8 * table + 4, STATE).u8(0x4f);
    this.#leaveIf();
    slots.get(local);
    code.op(0x41, 0x02, 0x74, 0x41, 0x00, 0x28).memory(8 * table, STATE).u8(0x6a);
  }

  #tableGet(pc: number, table: number): void {
    const slots = this.#slots;
    this.#stopSite(pc, Reason.Leave);
    this.#element(slots.count - 1, table);
    slots.code.u8(0x28).memory(0, STATE);
    slots.drop(1);
    slots.pushResult(I32);
  }

  #tableSet(pc: number, table: number): void {
    const slots = this.#slots;
    this.#stopSite(pc, Reason.Leave);
    this.#element(slots.count - 2, table);
    slots.pushValue(slots.count - 1, I32);
    slots.code.u8(0x36).memory(0, STATE);
    slots.drop(2);
  }

  // ── calls ───────────────────────────────────────────────────────────────────────────────────

  /** Lets the host perform one instruction: operands and results are in the cells of the value stack. */
  #step(pc: number, pops: number, pushes: number): void {
    const slots = this.#slots, { code } = slots;
    slots.spill();
    const below = slots.count - pops;
    slots.flush(below);
    for (let slot = below; slot < slots.count; slot++) {
      this.#frameAddress();
      slots.pushValue(slot, I32);
      code.u8(0x36).memory(4 * slot, STATE);
    }
    this.#site(pc, Reason.Leave, below);
    slots.drop(pops);
    code.u8(0x41).s32(pc);
    slots.get(this.#placeLocal);
    code.u8(0xa7);
    slots.get(this.#fuelLocal);
    code.u8(0x10).u32(Import.step);
    slots.set(this.#fuelLocal);
    this.#published = false;
    for (let k = 0; k < pushes; k++) {
      this.#frameAddress();
      code.u8(0x28).memory(4 * slots.count, STATE);
      slots.pushResult(I32);
    }
  }

  /** Names the topmost slots as arguments. */
  #arguments({ params }: Shape, top: number): number {
    const slots = this.#slots;
    let slot = top;
    for (let k = params.length - 1; k >= 0; k--) slot -= width(params[k]);
    const first = slot;
    params.forEach((type, k) => {
      slots.operandSlots[k] = slot;
      slots.operandTypes[k] = type;
      slot += width(type);
    });
    return first;
  }

  /** Whether a function of a shape can be called with its arguments on top. */
  #callable(shape: Shape | undefined, top: number): shape is Shape {
    return shape !== undefined && shape.params.length <= MOST_OPERANDS && shape.paramSlots <= top;
  }

  /** The frame goes on in the interpreter. */
  #leave(pc: number): void {
    this.#stopSite(pc, Reason.Leave);
    this.#slots.code.u8(0x0c).u32(this.#labels.length - 1);
  }

  /** Pushes place and fuel for a callee whose entry is at a height above the one of this function. */
  #pushPlace(height: number, depth: number): void {
    const slots = this.#slots;
    slots.get(this.#placeLocal);
    if (height !== 0 || depth !== 0) slots.code.u8(0x42).s64(height, depth + (height < 0 ? -1 : 0)).u8(0x7c);
    slots.get(this.#fuelLocal);
  }

  #call(pc: number, callee: number): void {
    const slots = this.#slots, { code } = slots, shape = this.#signatures.of(callee);
    const height = slots.count - this.#params;
    if (!this.#callable(shape, slots.count)) return this.#leaveAndGoOn(pc);
    const first = this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    slots.flush(first);
    this.#site(pc + 1, Reason.Call, first);
    this.#pushPlace(height, 1);
    this.#mark(pc + 1);
    code.u8(0x10).u32(this.#surroundings.indexOf(callee));
    this.#takeResults(shape);
  }

  /** After a call that cannot be made from here: what follows is never reached, but must be well-formed. */
  #leaveAndGoOn(pc: number): void {
    const { heights } = this.#verified, slots = this.#slots;
    const next = pc + lengthOf(this.#verified.module.opcodes[pc]);
    this.#leave(pc);
    if (heights[next] === UNREACHED) return;
    const height = heights[next] + this.#params;
    if (slots.count > height) slots.drop(slots.count - height);
    while (slots.count < height) slots.pushConst(0);
  }

  #takeResults({ results, resultSlots }: Shape): void {
    const slots = this.#slots;
    this.#published = false;
    if (resultSlots < 0) {
      slots.code.u8(0x00);
      return;
    }
    slots.set(this.#fuelLocal);
    for (const type of results) slots.pushResult(type);
  }

  /** Leaves the target of an indirect call in a local, or the function for the interpreter. */
  #target(pc: number): number {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const table = immediates[pc + 1], signature = immediates[pc];
    this.#stopSite(pc, Reason.Leave);
    const local = this.#scratchWide(0), word = this.#scratchWord();
    this.#element(slots.count - 1, table);
    code.u8(0x28).memory(0, STATE);
    slots.tee(word);
    code.u8(0x41).s32(this.#verified.module.length).u8(0x4f);
    this.#leaveIf();
    slots.get(word);
    code.op(0x41, 0x03, 0x74, 0x29).memory(TARGETS, STATE);
    slots.tee(local);
    // Its signature is the high word. Where nothing callable is known the low one is 0, and no signature fits.
    code.op(0x42, 32, 0x88, 0xa7, 0x41).s32(~signature).u8(0x47);
    this.#leaveIf();
    slots.drop(1);
    return local;
  }

  #callIndirect(pc: number): void {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const shape = this.#signatures.ofSignature(immediates[pc]);
    if (!this.#callable(shape, slots.count - 1) || immediates[pc + 1] >= TABLES) {
      return this.#leaveAndGoOn(pc);
    }
    const target = this.#target(pc);
    const height = slots.count - this.#params;
    const first = this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    slots.flush(first);
    this.#site(pc + 2, Reason.Call, first);
    this.#pushPlace(height, 1);
    slots.get(target);
    code.u8(0xa7);
    this.#mark(pc + 2);
    code.u8(0x11).u32(this.#surroundings.typeOf(shape)).u32(0);
    this.#takeResults(shape);
  }

  #tailCall(pc: number, op: number): void {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const indirect = op === Op.ReturnCallIndirect;
    const callee = indirect ? -1 : this.#verified.functionAt(immediates[pc]);
    const shape = indirect ? this.#signatures.ofSignature(immediates[pc]) : this.#signatures.of(callee);
    const top = slots.count - (indirect ? 1 : 0), own = this.#shape;
    // Results must be what this function gives, in the same place.
    const fits = this.#callable(shape, top) && shape.paramSlots === top &&
      shape.resultSlots === own.resultSlots && shape.results.join() === own.results.join() &&
      (!indirect || immediates[pc + 1] < TABLES);
    if (!fits) return this.#leave(pc);
    const target = indirect ? this.#target(pc) : -1;
    const height = slots.count - this.#params;
    this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    this.#countHost(-this.#frameBytes);
    this.#pushPlace(height, 0);
    if (indirect) {
      slots.get(target);
      code.u8(0xa7);
      code.u8(0x13).u32(this.#surroundings.typeOf(shape)).u32(0);
    } else code.u8(0x12).u32(this.#surroundings.indexOf(callee));
  }

  #return(pc: number): void {
    const slots = this.#slots, { results } = this.#shape;
    let slot = 0;
    if (results.length > MOST_OPERANDS) return this.#leave(pc);
    results.forEach((type, k) => {
      slots.operandSlots[k] = slot;
      slots.operandTypes[k] = type;
      slot += width(type);
    });
    slots.pushOperands(results.length, true);
    this.#countHost(-this.#frameBytes);
    slots.get(this.#fuelLocal);
    slots.code.u8(0x0f);
  }
}

/** Slots of a value. */
function width(type: number): number {
  return type === I64 || type === F64 ? 2 : 1;
}

/** Opcodes that load and store a value of each type. */
export const LOAD_OPCODES: readonly number[] = [0x28, 0x29, 0x2a, 0x2b];
export const STORE_OPCODES: readonly number[] = [0x36, 0x37, 0x38, 0x39];

const scratch = new DataView(new ArrayBuffer(8));

function pushFloat({ code }: Slots, type: number, value: number): void {
  if (type === F32) {
    scratch.setFloat32(0, value);
    code.u8(0x43).f32Bits(scratch.getInt32(0));
  } else {
    scratch.setFloat64(0, value);
    code.u8(0x44).f64Bits(scratch.getInt32(4), scratch.getInt32(0));
  }
}
