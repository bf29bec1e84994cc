/**
 * Translates one rWasm function to a WebAssembly function: structured control flow over the dominator
 * tree (Ramsey: Beyond Relooper, 2022), block by block, with the slots of the frame as locals. A
 * function is translated again while that teaches what its slots hold. It decides nothing about
 * modules; calls go to the function indices it is told.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { Calls, type Surroundings } from "./calls.ts";
import { Inlining, MOST_INLINED } from "./inlining.ts";
import { FlowGraph } from "./flow.ts";
import { Frame, LOAD_OPCODES, NO_BLOCK, type Saver, width } from "./frame.ts";
import { Instructions } from "./instructions.ts";
import {
  DEPTH_BITS,
  Global,
  HOST_BYTES,
  MARGIN_DEPTH,
  MARGIN_SLOTS,
  PASSED,
  Reason,
  SMALL_FRAME,
  STATE,
} from "./layout.ts";
import { frameBytes, type Needs } from "./limits.ts";
import { HIDDEN_OPERATORS, OPERATORS } from "./operators.ts";
import type { Shape, Signatures } from "./signatures.ts";
import { F64, I32, I64, TYPE_BYTES } from "./locals.ts";
import type { SavedSlots } from "./slots.ts";

/** Most instructions of a function that is compiled. */
const MOST_INSTRUCTIONS = 400_000;

/** Most slots of a frame that is compiled: its saver takes them as parameters. */
const MOST_FRAME_SLOTS = 900;

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
  /** What saves its frame; undefined when nothing ever has to. */
  readonly saver: Saver | undefined;
  /**
   * By site three words: its code (`Reason` and pc), the position of its height among those a frame is
   * written at, and where the function whose instruction that is would have returned to, when it stands
   * in the place of its call; else 0.
   */
  readonly sites: Int32Array;
  /**
   * By instruction that may be in a stack trace three words: its position in the body, its pc, of calls
   * that behind, and where its function would have returned to, as for sites.
   */
  readonly marks: Int32Array;
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

// What is left to do, as pairs of numbers.
const TREE = 0, END = 1, RESTORE = 2;

/** What the functions of a module have in common. */
export interface Common {
  /** The module. */
  readonly verified: VerifiedModule;
  /** Types of its functions. */
  readonly signatures: Signatures;
  /** By function: the hidden i64 function it is, or -1. */
  readonly hidden: Int8Array;
  /** What its functions need. */
  readonly needs: Needs;
  /** Words of globals that are in the state memory. */
  readonly globalWords: number;
  /** Address in the state memory of what indirect calls go to. */
  readonly targets: number;
  /** Whether the code charges fuel; what does not counts its loops instead. */
  readonly metered: boolean;
}

/** Translates the functions of one module, one at a time. */
export class Translator {
  readonly #verified: VerifiedModule;
  readonly #common: Common;
  readonly #flow: FlowGraph;
  readonly #frame: Frame;
  readonly #instructions: Instructions;
  readonly #calls: Calls;
  readonly #inlining: Inlining;

  #mode = 0;
  #targetLocal = -1;
  /** By block: the position of its open label. */
  #labelOf = new Int32Array(0);
  readonly #tasks: number[] = [];
  readonly #states: (SavedSlots & { published: boolean })[] = [];
  /** By block: the state it begins with, -1 for that where ways join or the one before. */
  #stateOf = new Int32Array(0);
  /** By block, when resuming: its target number, the least and the greatest in its subtree; 0 for none. */
  #targets = new Int32Array(0);
  #firstTargets = new Int32Array(0);
  #lastTargets = new Int32Array(0);

  /** Prepares for the functions of a module. */
  constructor(common: Common) {
    const { verified, signatures, hidden, globalWords, targets, metered } = common;
    this.#common = common;
    this.#verified = verified;
    this.#flow = new FlowGraph(verified, hidden);
    this.#inlining = new Inlining(verified, hidden, globalWords);
    this.#frame = new Frame(metered);
    this.#instructions = new Instructions(verified, this.#frame, this.#flow, globalWords);
    this.#calls = new Calls(verified, signatures, this.#frame, this.#instructions, targets);
  }

  /** Translates a function; one that cannot be leaves for the interpreter, unless it is to be resumed: undefined. */
  translate(number: number, mode: number, surroundings: Surroundings): Translated | undefined {
    const { starts, maxHeights } = this.#verified, { signatures, needs } = this.#common;
    const shape = signatures.of(number);
    if (!shape.compiled) throw new Error(`function ${number} is never compiled`);
    this.#calls.surroundings = surroundings;
    this.#mode = mode;
    const fits = starts[number + 1] - starts[number] <= MOST_INSTRUCTIONS &&
      shape.paramSlots + maxHeights[number] <= MOST_FRAME_SLOTS && needs.slots[number] < 2 ** 19;
    if (mode !== Mode.Leave && (!fits || !this.#flow.build(number))) {
      if (mode === Mode.Resume) return undefined;
      this.#mode = Mode.Leave;
    }
    let saver: Saver | undefined;
    for (let round = 0;; round++) {
      saver = this.#emit(number, shape, round === 0, round === MOST_ROUNDS);
      if (!this.#frame.slots.learned || round === MOST_ROUNDS) break;
    }
    const { slots, marks } = this.#frame;
    const behind = (this.#mode === Mode.Resume ? 1 : shape.params.length) + 2;
    return {
      number,
      locals: slots.localTypes.slice(behind).map((type) => TYPE_BYTES[type]),
      body: slots.code.finish(),
      saver,
      sites: this.#frame.siteTable(),
      marks: Int32Array.from(marks),
    };
  }

  /** By pc: the targets of the function that was translated last to be resumed. */
  targets(): Map<number, number> {
    const targets = new Map<number, number>();
    for (let block = 0; block < this.#flow.count; block++) {
      if (this.#targets[block] > 0) targets.set(this.#flow.starts[block], this.#targets[block]);
    }
    return targets;
  }

  // ── the function as a whole ─────────────────────────────────────────────────────────────────

  #emit(number: number, shape: Shape, fresh: boolean, last: boolean): Saver | undefined {
    const frame = this.#frame, { slots } = frame, resumed = this.#mode === Mode.Resume;
    // A function without parameters that are slots can still have a frame.
    const most = shape.paramSlots + this.#verified.maxHeights[number];
    slots.begin(most + MOST_INLINED, fresh, last);
    this.#tasks.length = this.#states.length = 0;
    if (resumed) {
      this.#targetLocal = slots.newLocal(I32);
      let slot = 0;
      for (const type of shape.params) {
        slots.expectParameter(slot, type, fresh);
        slot += width(type);
      }
    } else for (const type of shape.params) slots.pushParameter(type, fresh);
    frame.begin(number, shape, resumed);
    frame.open(0x02, NO_BLOCK);
    const catches = this.#mode !== Mode.Leave && (this.#flow.calls || this.#flow.steps);
    if (catches) {
      // try_table, which catches the tag into the block around it.
      slots.code.op(0x1f, 0x40, 1, 0, 0, 0);
      frame.labels.push(NO_BLOCK);
    }
    if (resumed) this.#loadFrame(most);
    else this.#enter();
    if (this.#mode !== Mode.Leave) {
      this.#prepareBlocks();
      this.#walk();
    }
    if (catches) slots.code.op(0x00, 0x0b); // unreachable, end
    slots.code.op(0x00, 0x0b);
    // What was learned changes the homes, and with them what there is to save.
    if (slots.learned && !last) return undefined;
    const saver = frame.finish(() => this.#calls.surroundings.saverOf(number));
    slots.code.u8(0x0b);
    return saver;
  }

  /** Looks at the limits; who cannot go on leaves before anything has happened. */
  #enter(): void {
    const frame = this.#frame, { slots, number } = frame, { code } = slots, { needs } = this.#common;
    const pc = this.#verified.starts[number];
    slots.flush(frame.params);
    if (this.#mode === Mode.Leave) {
      frame.site(pc, Reason.Leave, frame.params);
      frame.leave();
      return;
    }
    if (needs.checks[number] === 0) return;
    frame.site(pc, Reason.Leave, frame.params);
    slots.get(frame.place);
    code.u8(0x41).s32(((needs.slots[number] + MARGIN_SLOTS) << DEPTH_BITS) + MARGIN_DEPTH).u8(0x6a);
    code.u8(0x41).s32(PASSED).u8(0x71);
    frame.leaveIf();
    const bytes = frameBytes(frame.params + this.#verified.maxHeights[number]);
    if (bytes > SMALL_FRAME) {
      code.u8(0x23).u32(Global.host).u8(0x41).s32(HOST_BYTES - bytes).u8(0x4a); // gt_s
      frame.leaveIf();
      frame.counted = bytes;
      frame.countHost(bytes);
    }
  }

  /** When resuming: reads every slot of the frame from the value stack. */
  #loadFrame(most: number): void {
    const frame = this.#frame, { slots } = frame, { code } = slots;
    for (let slot = 0; slot < most; slot++) {
      const type = slots.homeType(slot, most), wide = type === I64 || type === F64;
      frame.address();
      code.u8(LOAD_OPCODES[type]).memory(4 * slot, STATE);
      slots.set(slots.home(slot, type));
      if (wide) {
        // At a height between the two its low half is a word.
        frame.address();
        code.u8(0x28).memory(4 * slot, STATE);
        slots.set(slots.home(slot++, I32));
      }
    }
    slots.settle(frame.params);
  }

  // ── structure ───────────────────────────────────────────────────────────────────────────────

  #prepareBlocks(): void {
    const { count } = this.#flow;
    if (this.#labelOf.length < count) {
      this.#labelOf = new Int32Array(2 * count);
      this.#stateOf = new Int32Array(2 * count);
      this.#targets = new Int32Array(2 * count);
      this.#firstTargets = new Int32Array(2 * count);
      this.#lastTargets = new Int32Array(2 * count);
    }
    this.#stateOf.fill(-1, 0, count);
    this.#firstTargets.fill(0, 0, count);
    if (this.#mode === Mode.Resume) this.#numberTargets();
  }

  /** Numbers the blocks that a resumed frame can begin at so that those of a subtree follow each other. */
  #numberTargets(): void {
    const { count, joins, children, siblings, dominators } = this.#flow;
    const targets = this.#targets.fill(0, 0, count), firsts = this.#firstTargets, lasts = this.#lastTargets;
    const path: number[] = [0];
    let next = 1;
    while (path.length > 0) {
      const block = path[path.length - 1];
      if (block >= 0) {
        path[path.length - 1] = ~block;
        if (joins[block] !== 0) targets[block] = next++;
        for (let child = children[block]; child !== 0; child = siblings[child]) path.push(child);
      } else {
        path.pop();
        lasts[~block] = next - 1;
      }
    }
    for (let block = 0; block < count; block++) firsts[block] = targets[block];
    // What a block dominates has greater numbers.
    for (let block = count - 1; block > 0; block--) {
      if (firsts[block] === 0) continue;
      const above = dominators[block];
      if (firsts[above] === 0 || firsts[block] < firsts[above]) firsts[above] = firsts[block];
    }
  }

  /** When resuming: whether the way to a target leads through a block. */
  #leads(block: number): boolean {
    return this.#firstTargets[block] !== 0;
  }

  /** Whether a block begins with all slots at home. */
  #joins(block: number): boolean {
    return this.#flow.joins[block] !== 0 || this.#leads(block);
  }

  /** Whether a block that comes later has a label of its own. */
  #labelled(block: number): boolean {
    return this.#flow.merges[block] !== 0 || this.#flow.entries[block] !== 0 || this.#leads(block);
  }

  #walk(): void {
    const tasks = this.#tasks, frame = this.#frame;
    tasks.push(0, TREE);
    while (tasks.length > 0) {
      const kind = tasks.pop()!, argument = tasks.pop()!;
      if (kind === TREE) this.#tree(argument);
      else if (kind === END) frame.close();
      else this.#restore(argument);
    }
  }

  #restore(state: number): void {
    const saved = this.#states[state];
    this.#frame.slots.restore(saved);
    this.#frame.published = saved.published;
  }

  #save(): number {
    return this.#states.push({ ...this.#frame.slots.save(), published: this.#frame.published }) - 1;
  }

  /** Emits a block and pushes the tasks for what it dominates. */
  #tree(block: number): void {
    const flow = this.#flow, frame = this.#frame, { slots } = frame, tasks = this.#tasks;
    if (this.#joins(block)) {
      slots.settle(this.#verified.heights[flow.starts[block]] + frame.params);
      frame.published = false;
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
    if (this.#leads(block)) this.#dispatch(block);
    this.#body(block);
  }

  #open(opcode: number, block: number): void {
    this.#labelOf[block] = this.#frame.labels.length;
    this.#frame.open(opcode, block);
  }

  /** When resuming: goes on towards the target, unless this is it. */
  #dispatch(block: number): void {
    const flow = this.#flow, frame = this.#frame, { slots } = frame, { code } = slots;
    slots.get(this.#targetLocal);
    frame.open(0x04, NO_BLOCK);
    const first = this.#firstTargets[block];
    const own = this.#targets[block];
    frame.open(0x02, NO_BLOCK);
    const last = this.#lastTargets[block];
    slots.get(this.#targetLocal);
    code.u8(0x41).s32(first).op(0x6b, 0x0e).u32(last - first + 1);
    const labels = new Int32Array(last - first + 2);
    for (let child = flow.children[block]; child !== 0; child = flow.siblings[child]) {
      if (!this.#leads(child)) continue;
      for (let target = this.#firstTargets[child]; target <= this.#lastTargets[child]; target++) {
        labels[target - first] = this.#depthOf(child);
      }
    }
    if (own !== 0) labels[own - first] = 0;
    for (const label of labels) code.u32(label);
    frame.close();
    code.op(0x41, 0x00);
    slots.set(this.#targetLocal);
    frame.close();
  }

  #depthOf(block: number): number {
    return this.#frame.labels.length - 1 - this.#labelOf[block];
  }

  /** Goes to a block, in place when nothing else does. The slots are at home where they must be. */
  #goTo(from: number, block: number): void {
    if (block <= from || this.#labelled(block)) {
      // Behind the innermost block is where the code goes on.
      if (block > from && this.#frame.labels.at(-1) === block) return;
      this.#frame.code.u8(0x0c).u32(this.#depthOf(block));
      return;
    }
    this.#tasks.push(block, TREE);
  }

  /** Ends a block that goes on in one way. */
  #goOn(from: number, block: number): void {
    const { slots } = this.#frame;
    slots.spill();
    if (block <= from || this.#joins(block)) slots.flush(slots.count);
    this.#goTo(from, block);
  }

  #branchIf(from: number, whenSet: boolean, taken: number, other: number): void {
    const frame = this.#frame, { slots } = frame, { code } = slots;
    const isLabelled = (block: number) => block <= from || this.#labelled(block);
    const home = taken <= from || other <= from || this.#joins(taken) || this.#joins(other);
    slots.name1(slots.count - 1, I32);
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
      frame.open(0x04, NO_BLOCK);
      const state = this.#save();
      this.#tasks.push(taken, TREE, state, RESTORE, 0, END, other, TREE);
    }
  }

  #branchTable(block: number): void {
    const { slots } = this.#frame, { code } = slots, flow = this.#flow;
    const first = flow.firsts[block], count = flow.firsts[block + 1] - first;
    let home = false;
    for (let k = 0; k < count; k++) {
      const to = flow.successors[first + k];
      home ||= to <= block || this.#joins(to);
    }
    slots.name1(slots.count - 1, I32);
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
    const flow = this.#flow, frame = this.#frame, instructions = this.#instructions, calls = this.#calls;
    const { opcodes, immediates } = this.#verified.module, { hidden, metered } = this.#common;
    const end = flow.ends[block], first = flow.firsts[block];
    let pc = flow.starts[block];
    if (!metered && (flow.loops[block] !== 0 || block === 0 && flow.calls)) frame.tick(pc);
    while (pc < end) {
      const idiom = flow.idiomAt(pc);
      if (idiom !== undefined && instructions.perform(idiom)) {
        pc += idiom.opcodes.length;
        continue;
      }
      const op = opcodes[pc], operator = OPERATORS[op];
      if (operator !== undefined) {
        instructions.operate(pc++, operator);
        continue;
      }
      switch (op) {
        case Op.Br:
          return this.#goOn(block, flow.successors[first]);
        case Op.BrIfEqz:
        case Op.BrIfNez:
          return this.#branchIf(block, op === Op.BrIfNez, flow.successors[first], flow.successors[first + 1]);
        case Op.BrTable:
          return this.#branchTable(block);
        case Op.Return:
          return calls.return();
        case Op.Unreachable:
        case Op.Trap:
          return instructions.trap(pc, op, immediates[pc]);
        case Op.ReturnCallInternal:
        case Op.ReturnCallIndirect:
          return calls.tailCall(pc, op);
        case Op.CallInternal: {
          const callee = this.#verified.functionAt(immediates[pc]), raised = hidden[callee];
          if (raised >= 0 && raised < HIDDEN_OPERATORS.length) instructions.raise(pc, raised);
          else if (this.#inlining.suits(callee)) this.#inline(pc, callee);
          else calls.call(pc, callee);
          pc++;
          break;
        }
        case Op.CallIndirect:
          calls.callIndirect(pc);
          pc += 2;
          break;
        default:
          pc = instructions.translate(pc, end);
      }
    }
    if (flow.firsts[block + 1] > first) this.#goOn(block, flow.successors[first]);
    else frame.code.u8(0x00);
  }

  /** Translates a callee in the place of its call: its frame is on top of this one. */
  #inline(pc: number, callee: number): void {
    const frame = this.#frame, instructions = this.#instructions, { starts, module } = this.#verified;
    const end = starts[callee + 1] - 1;
    frame.outer = pc + 1;
    for (let at = starts[callee]; at < end;) {
      const op = module.opcodes[at], operator = OPERATORS[op];
      if (operator !== undefined) instructions.operate(at++, operator);
      else if (op === Op.CallInternal) {
        instructions.raise(at, this.#common.hidden[this.#verified.functionAt(module.immediates[at])]);
        at++;
      } else at = instructions.translate(at, end);
    }
    frame.outer = 0;
  }
}
