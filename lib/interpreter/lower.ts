/**
 * Lowers one function from rWasm to Program: stack shuffles become slot operands, pairs of slots
 * become 64-bit operands, calls of hidden i64 functions and sequences that stand for one 64-bit
 * operation become that operation, comparisons join the branch behind them, and charges the branch in
 * front. At each instruction that a run may enter, leave or stop at, nothing waits: the slots in
 * memory are those of the plain loop. What waits meanwhile is in `frame_writer.ts`.
 *
 * @module
 */

import { Op, type OpName, POPS, PUSHES } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { UNREACHED } from "../isa/heights.ts";
import { Arrivals } from "./arrivals.ts";
import { FrameWriter } from "./frame_writer.ts";
import { DIVISION_CORE, FIRST_DIVISION, LAST_COMPARISON, LAST_DIVISION } from "./hidden.ts";
import { Form, type Idiom, IDIOMS_BY_OPCODE, isIdiom } from "./idioms.ts";
import { WORDS } from "./instructions.ts";
import { CALLABLE, TABLES } from "./layout.ts";
import type { Program } from "./program.ts";
import {
  BY_CONSTANT,
  BY_SLOTS,
  FIXED,
  H,
  HIDDEN_BY_CONSTANT,
  HIDDEN_BY_SLOTS,
  JUMP_IF,
  JUMP_UNLESS,
  LOAD_SUM,
  LOAD_SUM_CONSTANT,
} from "./selection.ts";

/** How an opcode is lowered. */
// deno-fmt-ignore
const enum Action {
  /** One instruction that only the plain loop knows. */
  Slow,
  Trap, LocalGet, LocalSet, LocalTee, Br, BrIf, BrTable, ConsumeFuel, ConsumeFuelStack, Return,
  TailCall, TailCallIndirect, Call, CallIndirect, Syscall, Signature, StackCheck, Const, Drop, Select,
  GlobalGet, GlobalSet, Unary, Binary, Divide, Load, Store, MemorySize, MemoryBulk, TableGet, TableSet,
  WrapI64, Wide, BulkConst, BulkDrop, Logic64, Const64S, Const64U, Wide128,
  /** Float operations: operands and results of 1 or 2 slots, by the table of opcodes. */
  Float,
}

const ACTIONS: Uint8Array = actionTable();

function actionTable(): Uint8Array {
  const table = new Uint8Array(256);
  const set = (action: Action, ...names: OpName[]) => names.forEach((name) => table[Op[name]] = action);
  const range = (action: Action, first: OpName, last: OpName) => table.fill(action, Op[first], Op[last] + 1);
  set(Action.Trap, "Unreachable", "Trap");
  set(Action.LocalGet, "LocalGet");
  set(Action.LocalSet, "LocalSet");
  set(Action.LocalTee, "LocalTee");
  set(Action.Br, "Br");
  set(Action.BrIf, "BrIfEqz", "BrIfNez");
  set(Action.BrTable, "BrTable");
  set(Action.ConsumeFuel, "ConsumeFuel");
  set(Action.ConsumeFuelStack, "ConsumeFuelStack");
  set(Action.Return, "Return");
  set(Action.TailCall, "ReturnCallInternal");
  set(Action.TailCallIndirect, "ReturnCallIndirect");
  set(Action.Call, "CallInternal");
  set(Action.CallIndirect, "CallIndirect");
  set(Action.Syscall, "Call", "ReturnCall");
  set(Action.Signature, "SignatureCheck");
  set(Action.StackCheck, "StackCheck");
  set(Action.Const, "RefFunc", "I32Const");
  set(Action.Drop, "Drop");
  set(Action.Select, "Select");
  set(Action.GlobalGet, "GlobalGet");
  set(Action.GlobalSet, "GlobalSet");
  range(Action.Load, "I32Load", "I32Load16U");
  set(Action.Load, "F32Load", "F64Load");
  range(Action.Store, "I32Store", "I32Store16");
  set(Action.Store, "F32Store", "F64Store");
  set(Action.MemorySize, "MemorySize");
  set(Action.MemoryBulk, "MemoryFill", "MemoryCopy");
  set(Action.TableGet, "TableGet");
  set(Action.TableSet, "TableSet");
  range(Action.Binary, "I32Eq", "I32Rotr");
  range(Action.Unary, "I32Clz", "I32Popcnt");
  set(Action.Unary, "I32Eqz", "I32Extend8S", "I32Extend16S");
  range(Action.Divide, "I32DivS", "I32RemU");
  set(Action.WrapI64, "I32WrapI64");
  set(Action.Wide, "I32Mul64", "I32Add64", "I32Sub64");
  set(Action.BulkConst, "BulkConst");
  set(Action.BulkDrop, "BulkDrop");
  set(Action.Logic64, "I32And64", "I32Or64", "I32Xor64");
  set(Action.Const64S, "I64Const32S");
  set(Action.Const64U, "I64Const32U");
  set(Action.Wide128, "I64Add128", "I64Sub128", "I64MulWideS", "I64MulWideU");
  range(Action.Float, "F32Eq", "I64TruncSatF64U");
  return table;
}

/** Bytes of the `Signature` instruction, which direct calls skip. */
const SIGNATURE_BYTES = 4 * WORDS[H.Signature];

/** Lowers functions into a Program; one object serves a module. */
export class Lowering {
  readonly #program: Program;
  readonly #verified: VerifiedModule;
  readonly #frame: FrameWriter;
  readonly #arrivals: Arrivals;
  #start = 0;
  #end = 0;

  /** Prepares for the functions of a Program. */
  constructor(program: Program) {
    this.#program = program;
    this.#verified = program.verified;
    this.#frame = new FrameWriter(program);
    this.#arrivals = new Arrivals(program.verified);
  }

  /** Lowers a function that has not been lowered. One that does not fit is marked as staying with the plain loop. */
  lower(number: number): void {
    const program = this.#program, { starts } = this.#verified, from = program.length;
    this.#start = starts[number];
    this.#end = starts[number + 1];
    this.#arrivals.begin(this.#start, this.#end);
    this.#walk(number);
    if (this.#frame.resolve() && program.addressOf(program.length) <= program.end) {
      program.finish(number);
      return;
    }
    program.ips.fill(0, this.#start, this.#end);
    program.length = from;
    program.refuse(number);
  }

  #walk(number: number): void {
    const program = this.#program, verified = this.#verified, frame = this.#frame;
    const { module, heights } = verified;
    const { opcodes, immediates } = module;
    const start = this.#start, end = this.#end;
    frame.begin(verified.paramSlots[number], verified.maxHeights[number]);
    const check = verified.excessSlots[number] > 0 ? behindOpening(opcodes, start) : -1;
    let falls = false;
    // Behind an idiom, where only its own branches lead.
    let seamless = -1;
    for (let pc = start; pc < end; pc++) {
      const height = heights[pc];
      if (height === UNREACHED) {
        falls = false;
        continue;
      }
      frame.pc = pc;
      if (!falls || (verified.isTarget(pc) && pc !== seamless)) {
        if (falls) frame.flush();
        frame.settleAt(height);
        frame.boundary(pc);
        if (program.ticks) this.#tick(pc);
      }
      if (pc === check) this.#check(number, pc);
      const op = opcodes[pc];
      if (IDIOMS_BY_OPCODE[op] !== undefined) {
        const idiom = this.#idiomAt(pc, IDIOMS_BY_OPCODE[op]);
        if (idiom !== undefined) {
          this.#perform(idiom);
          pc += idiom.opcodes.length - 1;
          falls = true;
          if (this.#arrivals.only(pc + 1, idiom.arrivals[idiom.opcodes.length])) seamless = pc + 1;
          continue;
        }
      }
      falls = true;
      switch (ACTIONS[op]) {
        case Action.LocalGet:
          frame.pushCopy(frame.sp - immediates[pc]);
          break;
        case Action.LocalSet:
          pc += this.#localSet(pc, immediates[pc]);
          break;
        case Action.LocalTee:
          pc += this.#localTee(pc, immediates[pc]);
          break;
        case Action.Const:
          frame.pushConst(immediates[pc]);
          break;
        case Action.Const64S:
          frame.pushConst(immediates[pc]);
          frame.pushConst(immediates[pc] >> 31);
          break;
        case Action.Const64U:
          frame.pushConst(immediates[pc]);
          frame.pushConst(0);
          break;
        case Action.Binary: {
          const top = frame.sp - 1, constant = frame.isConst(top);
          // There is no form of it for constants.
          if (constant && op === Op.I32Sub) {
            const difference = -frame.constOf(top);
            frame.pop(1);
            frame.pushConst(difference);
            this.#binary(Op.I32Add, true);
          } else this.#binary(op, constant);
          break;
        }
        case Action.Divide: {
          // No constant but these two makes a division trap.
          const top = frame.sp - 1, divisor = frame.isConst(top) ? frame.constOf(top) : 0;
          this.#binary(op, divisor !== 0 && divisor !== -1);
          break;
        }
        case Action.Unary: {
          if (op === Op.I32Eqz && frame.negate()) break;
          const a = frame.read(frame.sp - 1);
          frame.pop(1);
          frame.define(BY_SLOTS[op], 1, a);
          break;
        }
        case Action.Load:
          this.#load(BY_SLOTS[op], PUSHES[op], immediates[pc]);
          break;
        case Action.Store:
          this.#store(op, immediates[pc]);
          break;
        case Action.Drop:
          frame.drop(1);
          break;
        case Action.BulkDrop:
          frame.drop(immediates[pc]);
          break;
        case Action.BulkConst:
          this.#zero(immediates[pc]);
          break;
        case Action.Select: {
          const sp = frame.sp;
          const a = frame.read(sp - 3), b = frame.read(sp - 2), c = frame.read(sp - 1);
          frame.pop(3);
          frame.define(H.Select, 1, a, b, c);
          break;
        }
        case Action.GlobalGet:
          pc += this.#globalGet(pc, immediates[pc]);
          break;
        case Action.GlobalSet:
          pc += this.#globalSet(pc, immediates[pc]);
          break;
        case Action.WrapI64:
          break;
        case Action.Wide: {
          const a = frame.read(frame.sp - 2), b = frame.read(frame.sp - 1);
          frame.pop(2);
          frame.define(BY_SLOTS[op], 2, a, b);
          break;
        }
        case Action.Logic64:
          this.#binary64(BY_SLOTS[op], BY_CONSTANT[op], 2, true);
          break;
        case Action.Wide128: {
          const pops = POPS[op], at = 4 * (frame.sp - pops);
          frame.settleFrom(frame.sp - pops);
          frame.pop(pops);
          frame.emit3(BY_SLOTS[op], at, at, at + 2 * pops);
          frame.sp += 4;
          break;
        }
        case Action.Float:
          this.#float(op);
          break;
        case Action.MemorySize:
          frame.define(H.MemorySize, 1, 0);
          break;
        case Action.MemoryBulk:
          frame.flush();
          frame.boundary(pc);
          frame.emit1(op === Op.MemoryFill ? H.MemoryFill : H.MemoryCopy, 4 * (frame.sp - 3));
          frame.pop(3);
          break;
        case Action.TableGet: {
          if (immediates[pc] >= TABLES) {
            this.#slow(pc + 1);
            break;
          }
          frame.flush();
          frame.boundary(pc);
          const index = 4 * (frame.sp - 1);
          frame.pop(1);
          frame.define(H.TableGet, 1, index, immediates[pc]);
          break;
        }
        case Action.TableSet:
          if (immediates[pc] >= TABLES) {
            this.#slow(pc + 1);
            break;
          }
          frame.flush();
          frame.boundary(pc);
          frame.emit3(H.TableSet, 4 * (frame.sp - 2), 4 * (frame.sp - 1), immediates[pc]);
          frame.pop(2);
          break;
        case Action.ConsumeFuel:
          pc += this.#charge(pc);
          break;
        case Action.ConsumeFuelStack:
          if (program.counts) {
            this.#slow(pc + 1);
            break;
          }
          frame.flush();
          frame.boundary(pc);
          frame.emit1(H.ChargeStack, 4 * (frame.sp - 1));
          frame.pop(1);
          frame.boundary(pc + 1);
          break;
        case Action.StackCheck:
          frame.flush();
          frame.boundary(pc);
          frame.emit1(H.Reserve, this.#reach(immediates[pc]));
          frame.boundary(pc + 1);
          break;
        case Action.Signature:
          frame.emit1(H.Signature, immediates[pc]);
          program.ips[pc] |= CALLABLE;
          frame.boundary(pc + 1);
          // Direct calls begin here.
          if (program.ticks) frame.emit1(H.Charge, 1);
          break;
        case Action.Br:
          frame.flush();
          this.#jump(pc, immediates[pc]);
          falls = false;
          break;
        case Action.BrIf:
          this.#branchIf(op === Op.BrIfNez, pc + immediates[pc], pc + 1);
          break;
        case Action.BrTable:
          this.#branchTable(pc, immediates[pc]);
          falls = false;
          break;
        case Action.Return:
          frame.flush();
          frame.emit1(H.Return, 4 * frame.sp);
          falls = false;
          break;
        case Action.Call:
          this.#call(pc, immediates[pc]);
          break;
        case Action.TailCall: {
          frame.flush();
          frame.boundary(pc);
          if (program.counts) frame.emit1(H.CountCall, pc);
          const callee = immediates[pc];
          frame.emit3(H.TailCall, callee, this.#skip(callee), 4 * frame.sp);
          falls = false;
          break;
        }
        case Action.CallIndirect:
          this.#callIndirect(pc);
          pc++; // the payload
          break;
        case Action.TailCallIndirect:
          frame.flush();
          frame.boundary(pc);
          if (program.counts) frame.emit1(H.CountCall, pc);
          if (immediates[pc + 1] < TABLES) {
            const index = 4 * (frame.sp - 1);
            frame.emit4(H.TailCallIndirect, immediates[pc], immediates[pc + 1], index, index);
          } else frame.emit(H.Slow);
          pc++;
          falls = false;
          break;
        case Action.Syscall:
          frame.flush();
          frame.boundary(pc);
          frame.emit(H.Syscall);
          this.#enterNext(pc + 1);
          break;
        case Action.Trap:
          frame.flush();
          frame.boundary(pc);
          // Halts and interruptions are traps, too; the plain loop knows what they mean.
          frame.emit(H.Slow);
          falls = false;
          break;
        default:
          this.#slow(pc + (op === Op.TableInit ? 2 : 1));
          if (op === Op.TableInit) pc++;
      }
    }
  }

  // ── what leads where ────────────────────────────────────────────────────────────────────────

  /** The idiom at a pc that nothing else leads into. */
  #idiomAt(pc: number, idioms: readonly Idiom[]): Idiom | undefined {
    const { module } = this.#verified;
    search: for (let n = 0; n < idioms.length; n++) {
      const idiom = idioms[n], length = idiom.opcodes.length;
      if (!isIdiom(module, pc, idiom) || pc + length > this.#end) continue;
      for (let k = 1; k < length; k++) if (!this.#arrivals.only(pc + k, idiom.arrivals[k])) continue search;
      // Two words that are no pair yet are better off without.
      if (idiom.form === Form.Test && !this.#frame.isPair(this.#frame.sp - 2)) continue;
      return idiom;
    }
    return undefined;
  }

  #perform({ handler, form }: Idiom): void {
    const frame = this.#frame, sp = frame.sp;
    switch (form) {
      case Form.Pair:
      case Form.Test: {
        const a = frame.read64(sp - 2);
        frame.pop(2);
        frame.define(handler, form === Form.Pair ? 2 : 1, a);
        break;
      }
      case Form.Widen: {
        const a = frame.read(sp - 1);
        frame.pop(1);
        frame.define(handler, 2, a);
        break;
      }
      case Form.WidenLow: {
        const a = frame.read(sp - 2);
        frame.pop(2);
        frame.define(handler, 2, a);
        break;
      }
      case Form.Select: {
        const a = frame.read64(sp - 5), b = frame.read64(sp - 3), c = frame.read(sp - 1);
        frame.pop(5);
        frame.define(handler, 2, a, b, c);
        break;
      }
    }
  }

  /** A run comes back at `pc` after something outside of the loop has changed the stack. */
  #enterNext(pc: number): void {
    const height = this.#verified.heights[pc];
    if (pc >= this.#end || height === UNREACHED) return;
    this.#frame.settleAt(height);
    this.#frame.boundary(pc);
  }

  /** Leaves one instruction to the plain loop. */
  #slow(next: number): void {
    const frame = this.#frame;
    frame.flush();
    frame.boundary(frame.pc);
    frame.emit(H.Slow);
    this.#enterNext(next);
  }

  /**
   * Code without charges would keep the loop inside for long. A charge of one that is no fuel, at the
   * entry of functions and the target of backward branches, lets it come out.
   */
  #tick(pc: number): void {
    const entry = pc === this.#start && this.#verified.module.opcodes[pc] !== Op.SignatureCheck;
    if (entry || this.#arrivals.isLoop(pc)) this.#frame.emit1(H.Charge, 1);
  }

  /** Where pushes are not reserved: asks for the room of the whole frame. */
  #check(number: number, pc: number): void {
    const frame = this.#frame;
    frame.flush();
    frame.boundary(pc);
    frame.emit1(H.Frame, 4 * this.#verified.maxHeights[number]);
  }

  // ── opcodes ─────────────────────────────────────────────────────────────────────────────────

  /** Writes the top into a slot below; says how many more instructions that took. */
  #localSet(pc: number, depth: number): number {
    const { opcodes, immediates } = this.#verified.module, frame = this.#frame;
    const pair = depth >= 2 && opcodes[pc + 1] === Op.LocalSet && immediates[pc + 1] === depth &&
      !this.#verified.isTarget(pc + 1);
    if (pair) {
      frame.tee64(frame.sp - 2 - depth);
      frame.drop(2);
      return 1;
    }
    frame.set(frame.sp - 1 - depth);
    return 0;
  }

  /** Copies the top into a slot below; says how many more instructions that took. */
  #localTee(pc: number, depth: number): number {
    const { opcodes, immediates } = this.#verified.module, frame = this.#frame;
    if (depth === 1) return 0;
    const slot = frame.sp - depth;
    const pair = depth >= 4 && opcodes[pc + 1] === Op.LocalGet && immediates[pc + 1] === 2 &&
      opcodes[pc + 2] === Op.LocalSet && immediates[pc + 2] === depth + 1 &&
      !this.#verified.isTarget(pc + 1) && !this.#verified.isTarget(pc + 2);
    if (pair) {
      frame.tee64(slot - 1);
      return 2;
    }
    frame.tee(slot);
    return 0;
  }

  /** An operation of two slots; the second may be a constant in the instruction. */
  #binary(op: number, constant: boolean): void {
    const frame = this.#frame, sp = frame.sp;
    const a = frame.read(sp - 2);
    const b = constant ? frame.constOf(sp - 1) : frame.read(sp - 1);
    frame.pop(2);
    frame.define(constant ? BY_CONSTANT[op] : BY_SLOTS[op], 1, a, b);
  }

  /** An operation of two 64-bit values; the second may be a constant in the instruction. */
  #binary64(slots: number, constant: number, results: number, mayBeConstant: boolean): void {
    const frame = this.#frame, sp = frame.sp;
    if (mayBeConstant && frame.isConst64(sp - 2)) {
      const low = frame.constOf(sp - 2), high = frame.constOf(sp - 1), a = frame.read64(sp - 4);
      frame.pop(4);
      frame.define(constant, results, a, low, high);
    } else {
      const x = frame.read64(sp - 4), y = frame.read64(sp - 2);
      frame.pop(4);
      frame.define(slots, results, x, y);
    }
  }

  #float(op: number): void {
    const frame = this.#frame, pops = POPS[op], number = BY_SLOTS[op];
    // All operands of one operation have the same width: two of them, or one.
    const binary = WORDS[number] === 4, width = binary ? pops >> 1 : pops;
    const first = frame.sp - pops, second = frame.sp - width;
    const a = width === 2 ? frame.read64(first) : frame.read(first);
    const b = !binary ? 0 : width === 2 ? frame.read64(second) : frame.read(second);
    frame.pop(pops);
    frame.define(number, PUSHES[op], a, b);
  }

  /** A load; an addition that makes its address becomes part of it. */
  #load(number: number, results: number, offset: number): void {
    const frame = this.#frame, { words } = this.#program, last = frame.last, top = frame.sp - 1;
    if (frame.isConst(top) && isAddress(frame.constOf(top), offset)) {
      const base = frame.constOf(top);
      frame.pop(1);
      frame.define(FIXED[number], results, base + offset, base);
      return;
    }
    const sum = frame.defined === 1 ? words[last] : -1;
    if (sum === H.AddRI || sum === H.AddAI || sum === H.AddRR || sum === H.AddAR) {
      const a = words[last + 2], b = words[last + 3];
      frame.unemit();
      frame.pop(1);
      const constant = sum === H.AddRI || sum === H.AddAI;
      frame.define((constant ? LOAD_SUM_CONSTANT : LOAD_SUM)[number], results, a, b, offset);
      return;
    }
    const a = frame.read(top);
    frame.pop(1);
    frame.define(number, results, a, offset);
  }

  #store(op: number, offset: number): void {
    const frame = this.#frame, sp = frame.sp, pops = POPS[op], wide = pops === 3, at = sp - pops;
    const constant = wide ? frame.isConst64(sp - 2) : frame.isConst(sp - 1);
    const number = constant ? BY_CONSTANT[op] : BY_SLOTS[op];
    const low = sp - pops + 1;
    const value = constant ? frame.constOf(low) : wide ? frame.read64(low) : frame.read(low);
    const high = constant && wide ? frame.constOf(low + 1) : 0;
    const fixed = frame.isConst(at) && isAddress(frame.constOf(at), offset);
    const constantBase = fixed ? frame.constOf(at) : 0;
    const base = fixed ? constantBase + offset : frame.read(at);
    frame.pop(pops);
    frame.store(fixed ? FIXED[number] : number, base, value, high, fixed ? constantBase : offset);
  }

  #zero(slots: number): void {
    const frame = this.#frame;
    if (slots <= 2) {
      for (let n = 0; n < slots; n++) frame.pushConst(0);
      return;
    }
    frame.emit2(H.Zero, 4 * frame.sp, 4 * slots);
    frame.sp += slots;
  }

  /** Pushes a global; both halves of one of 64 bits, low word first, which is in the odd word. */
  #globalGet(pc: number, word: number): number {
    const { opcodes, immediates } = this.#verified.module, frame = this.#frame;
    if (word >>> 0 >= this.#program.globalWords) {
      this.#slow(pc + 1);
      return 0;
    }
    const pair = (word & 1) === 1 && opcodes[pc + 1] === Op.GlobalGet && immediates[pc + 1] === word - 1 &&
      !this.#verified.isTarget(pc + 1);
    if (pair) {
      frame.define(H.GlobalGet64, 2, 4 * (word - 1));
      return 1;
    }
    frame.define(H.GlobalGet, 1, 4 * word);
    return 0;
  }

  #globalSet(pc: number, word: number): number {
    const { opcodes, immediates } = this.#verified.module, frame = this.#frame;
    if (word >>> 0 >= this.#program.globalWords) {
      this.#slow(pc + 1);
      return 0;
    }
    const pair = (word & 1) === 0 && opcodes[pc + 1] === Op.GlobalSet && immediates[pc + 1] === word + 1 &&
      !this.#verified.isTarget(pc + 1) && word + 1 < this.#program.globalWords;
    if (pair) {
      const a = frame.read64(frame.sp - 2);
      frame.pop(2);
      frame.emit2(H.GlobalSet64, 4 * word, a);
      return 1;
    }
    const a = frame.read(frame.sp - 1);
    frame.pop(1);
    frame.emit2(H.GlobalSet, 4 * word, a);
    return 0;
  }

  /** Bytes above the entry that a `StackCheck` here makes sure of; what no window holds stays above every limit. */
  #reach(slots: number): number {
    const { stackSlots } = this.#verified.limits;
    return 4 * (this.#frame.sp + Math.min(slots >>> 0, 2 * stackSlots + 64));
  }

  /** A charge, with the reservation behind it; says how many more instructions that took. */
  #charge(pc: number): number {
    const { opcodes, immediates } = this.#verified.module, frame = this.#frame;
    const amount = immediates[pc];
    if (amount === 0) return 0;
    frame.flush();
    frame.boundary(pc);
    if (amount < 0) {
      // Above 2^31: no slice holds it.
      frame.emit(H.Slow);
      this.#enterNext(pc + 1);
      return 0;
    }
    if (opcodes[pc + 1] === Op.StackCheck && !this.#verified.isTarget(pc + 1)) {
      frame.emit2(H.Enter, amount, this.#reach(immediates[pc + 1]));
      if (this.#program.counts) frame.emit(H.CountAnew);
      frame.boundary(pc + 2);
      return 1;
    }
    frame.emit1(H.Charge, amount);
    if (this.#program.counts) frame.emit(H.CountAnew);
    frame.boundary(pc + 1);
    return 0;
  }

  #branchIf(whenSet: boolean, target: number, next: number): void {
    const frame = this.#frame, { words } = this.#program;
    const last = frame.defined === 1 ? frame.last : -1;
    const fused = last < 0 ? -1 : whenSet ? JUMP_IF[words[last]] : JUMP_UNLESS[words[last]];
    if (fused >= 0) {
      const a = words[last + 2], b = words[last + 3], c = words[last + 4];
      frame.unemit();
      frame.pop(1);
      // What is flushed now cannot be an operand: that is a slot with a value of its own.
      frame.flush();
      frame.emit3(fused, a, b, c); // what it has not is written over by the ways
    } else {
      const a = frame.read(frame.sp - 1);
      frame.pop(1);
      frame.flush();
      frame.emit1(whenSet ? H.JumpNez : H.JumpEqz, a);
    }
    if (this.#program.counts && target < next) {
      const program = this.#program, taken = program.length - 4;
      program.words[taken] = program.addressOf(program.length);
      program.words[taken + 1] = 0;
      frame.way(taken + 2, next);
      this.#jump(frame.pc, target - frame.pc);
    } else frame.ways(target, next);
    frame.boundary(next);
  }

  /** A jump; one that leads back is counted where that is done. */
  #jump(pc: number, distance: number): void {
    const frame = this.#frame, program = this.#program;
    if (program.counts && distance <= 0) frame.emit3(H.CountJump, pc + distance, 0, 0);
    else frame.emit2(H.Jump, 0, 0);
    frame.way(program.length - 2, pc + distance);
  }

  #branchTable(pc: number, count: number): void {
    const frame = this.#frame, program = this.#program;
    const a = frame.read(frame.sp - 1);
    frame.pop(1);
    frame.flush();
    frame.emit2(H.JumpTable, a, count);
    program.reserve(2 * count);
    const { opcodes, immediates } = this.#verified.module;
    for (let n = 0; n < count; n++) {
      // An entry that is a branch by itself is not worth a stop.
      const entry = pc + 1 + 2 * n;
      const direct = opcodes[entry] === Op.Br && !(program.counts && immediates[entry] <= 0);
      frame.way(program.length, direct ? entry + immediates[entry] : entry);
      program.length += 2;
    }
  }

  /** What is added to the ip of a callee: direct calls skip its signature check. */
  #skip(callee: number): number {
    const checked = this.#verified.module.opcodes[callee] === Op.SignatureCheck;
    return checked ? SIGNATURE_BYTES - CALLABLE : 0;
  }

  #call(pc: number, callee: number): void {
    const hidden = this.#program.hidden[this.#verified.functionAt(callee)];
    if (hidden >= 0 && hidden < DIVISION_CORE) return this.#raise(pc, hidden);
    const frame = this.#frame;
    frame.flush();
    frame.boundary(pc);
    if (this.#program.counts) frame.emit1(H.CountCall, pc);
    const at = frame.emit(H.Call), { words } = this.#program;
    words[at + 1] = callee;
    words[at + 2] = this.#skip(callee);
    words[at + 3] = pc + 1;
    words[at + 4] = 4 * frame.sp;
    words[at + 5] = 0;
    words[at + 6] = 4 * this.#verified.heights[pc + 1];
    this.#enterNext(pc + 1);
  }

  #callIndirect(pc: number): void {
    const { immediates } = this.#verified.module, frame = this.#frame;
    frame.flush();
    frame.boundary(pc);
    if (this.#program.counts) frame.emit1(H.CountCall, pc);
    const table = immediates[pc + 1];
    if (table < TABLES) {
      const at = frame.emit(H.CallIndirect), { words } = this.#program, index = 4 * (frame.sp - 1);
      words[at + 1] = immediates[pc];
      words[at + 2] = table;
      words[at + 3] = index;
      words[at + 4] = pc + 2;
      words[at + 5] = index;
      words[at + 6] = 4 * this.#verified.heights[pc + 2];
    } else {
      // What returns here looks for the height in front, as behind every call.
      frame.emit(H.Slow);
      const program = this.#program;
      program.words[program.length++] = 4 * this.#verified.heights[pc + 2];
    }
    this.#enterNext(pc + 2);
  }

  /** A call of a hidden i64 function as one instruction. */
  #raise(pc: number, hidden: number): void {
    const frame = this.#frame, slots = HIDDEN_BY_SLOTS[hidden], constant = HIDDEN_BY_CONSTANT[hidden];
    if (hidden < FIRST_DIVISION || hidden > LAST_DIVISION) {
      this.#binary64(slots, constant, hidden <= LAST_COMPARISON ? 1 : 2, true);
      return;
    }
    const top = frame.sp - 2;
    if (frame.isConst64(top)) {
      const low = frame.constOf(top), high = frame.constOf(top + 1);
      if ((low !== 0 || high !== 0) && (low !== -1 || high !== -1)) {
        this.#binary64(slots, constant, 2, true);
        return;
      }
    }
    // A division that traps does so inside of the hidden function: the plain loop goes there.
    frame.flush();
    frame.boundary(pc);
    this.#binary64(slots, constant, 2, false);
  }
}

/** Whether a constant base and an offset, both unsigned, are an address that an operand can hold. */
function isAddress(base: number, offset: number): boolean {
  return (base >>> 0) + (offset >>> 0) < 2 ** 32;
}

/** The first instruction behind what opens a function: signature, charge, reservation. */
function behindOpening(opcodes: Uint8Array, start: number): number {
  let pc = start;
  if (opcodes[pc] === Op.SignatureCheck) pc++;
  const checked = pc;
  if (opcodes[pc] === Op.ConsumeFuel) pc++;
  return opcodes[pc] === Op.StackCheck ? pc + 1 : checked;
}
