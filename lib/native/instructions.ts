/**
 * Translates the instructions of rWasm that are neither jumps nor calls: each method takes operands
 * from the slots of the frame and pushes results. What a sequence of instructions means as a whole is
 * recognized here, too: 64-bit loads and stores, globals of two words, idioms, hidden functions.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { Op, POPS, PUSHES } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { FIRST_DIVISION, LAST_COMPARISON, LAST_DIVISION } from "../interpreter/hidden.ts";
import { Form, type Idiom } from "../interpreter/idioms.ts";
import { type FlowGraph, lengthOf } from "./flow.ts";
import { type Frame, width } from "./frame.ts";
import { GLOBALS, Reason, STATE, TABLES } from "./layout.ts";
import { HIDDEN_OPERATORS, IDIOM_OPERATORS, LOADS, type Operator, STORES, TRUNCATIONS } from "./operators.ts";
import { F32, F64, I32, I64 } from "./locals.ts";
import type { Slots } from "./slots.ts";

/** Translates instructions of the functions of a module. */
export class Instructions {
  readonly #verified: VerifiedModule;
  readonly #frame: Frame;
  readonly #slots: Slots;
  readonly #flow: FlowGraph;
  readonly #globalWords: number;

  /** Translates for a frame. */
  constructor(verified: VerifiedModule, frame: Frame, flow: FlowGraph, globalWords: number) {
    this.#verified = verified;
    this.#frame = frame;
    this.#slots = frame.slots;
    this.#flow = flow;
    this.#globalWords = globalWords;
  }

  /** Translates an operation of the table. */
  operate(pc: number, { operands, bytes, exact, nan, traps, result }: Operator): void {
    const slots = this.#slots;
    if (traps) this.#frame.publish();
    if (operands.length === 1) slots.name1(slots.count - width(operands[0]), operands[0]);
    else {
      const last = slots.count - width(operands[1]);
      slots.name2(last - width(operands[0]), operands[0], last, operands[1]);
    }
    slots.pushOperands(operands.length, exact);
    if (traps) this.#frame.mark(pc);
    for (let k = 0; k < bytes.length; k++) slots.code.u8(bytes[k]);
    slots.pushResult(result, nan);
  }

  /** Translates an instruction that goes on behind itself; where that is. */
  translate(pc: number, end: number): number {
    const slots = this.#slots, frame = this.#frame;
    const op: number = this.#verified.module.opcodes[pc], immediate = this.#verified.module.immediates[pc];
    switch (op) {
      case Op.LocalGet:
        return this.#localGet(pc, end);
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
        slots.name3(slots.count - 3, I32, slots.count - 2, I32, slots.count - 1, I32);
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
        return this.#globalGet(pc, immediate);
      case Op.GlobalSet:
        return this.#globalSet(pc, immediate);
      case Op.I32Load:
      case Op.I32Load8S:
      case Op.I32Load8U:
      case Op.I32Load16S:
      case Op.I32Load16U:
      case Op.F32Load:
      case Op.F64Load: {
        const { type, opcode } = LOADS[op]!;
        frame.publish();
        slots.name1(slots.count - 1, I32);
        slots.pushOperands(1, true);
        frame.mark(pc);
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
        frame.publish();
        slots.name2(value - 1, I32, value, type);
        slots.pushOperands(2, true);
        frame.mark(pc);
        slots.code.u8(opcode).memory(immediate);
        break;
      }
      case Op.MemorySize:
        slots.code.op(0x3f, 0x00);
        slots.pushResult(I32);
        break;
      case Op.MemoryFill:
      case Op.MemoryCopy:
        frame.publish();
        slots.name3(slots.count - 3, I32, slots.count - 2, I32, slots.count - 1, I32);
        slots.pushOperands(3, true);
        frame.mark(pc);
        if (op === Op.MemoryFill) slots.code.op(0xfc, 0x0b, 0x00);
        else slots.code.op(0xfc, 0x0a, 0x00, 0x00);
        break;
      case Op.TableGet:
        if (immediate < TABLES) this.#tableGet(pc, immediate);
        else frame.step(pc, 1, 1);
        break;
      case Op.TableSet:
        if (immediate < TABLES) this.#tableSet(pc, immediate);
        else frame.step(pc, 2, 0);
        break;
      case Op.ConsumeFuel:
        if (immediate !== 0) frame.charge(pc, immediate);
        break;
      case Op.ConsumeFuelStack:
        frame.chargeTop(pc);
        break;
      case Op.Call:
      case Op.ReturnCall:
        frame.step(pc, this.#verified.poppedBy(pc), Math.max(0, this.#verified.pushedBy(pc)));
        break;
      case Op.TableInit:
        frame.step(pc, 3, 0);
        break;
      default:
        if (TRUNCATIONS[op] !== undefined) this.#truncate(pc, op);
        else frame.step(pc, POPS[op], PUSHES[op]);
    }
    return pc + lengthOf(op);
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
      this.#frame.publish();
      slots.name1(slots.count - 1, I32);
      slots.pushOperands(1, true);
      this.#frame.mark(pc + 1);
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
      this.#frame.publish();
      slots.name2(slots.count - 3, I32, slots.count - 2, I64);
      slots.pushOperands(2, true);
      this.#frame.mark(pc + 2);
      slots.code.u8(0x37).memory(immediates[pc + 4]);
      return pc + 5;
    }
    const from = slots.count - immediates[pc];
    // Both halves of one value: one copy of it.
    const both = pc + 1 < end && opcodes[pc + 1] === Op.LocalGet && immediates[pc + 1] === immediates[pc] &&
      immediates[pc] > 1 && slots.pushPair(from);
    if (both) return pc + 2;
    slots.pushCopy(from);
    return pc + 1;
  }

  /** Product, sum or difference of two words as 64 bits. */
  #wideOf(op: number): void {
    const slots = this.#slots, a = slots.count - 2, b = slots.count - 1;
    slots.name2(a, I32, b, I32);
    slots.pushOperands(2, true);
    const { code } = slots, local = this.#frame.scratchWord();
    slots.set(local);
    code.u8(0xad);
    slots.get(local);
    code.op(0xad, op === Op.I32Mul64 ? 0x7e : op === Op.I32Add64 ? 0x7c : 0x7d);
    slots.pushResult(I64);
  }

  #add128(minus: boolean): void {
    const slots = this.#slots, { code } = slots, at = slots.count - 8;
    slots.name3(at, I64, at + 2, I64, at + 4, I64);
    slots.operandSlots[3] = at + 6;
    slots.operandTypes[3] = I64;
    slots.pushOperands(4, true);
    const [alo, ahi, blo, bhi] = [0, 1, 2, 3].map((k) => this.#frame.scratchWide(k));
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
    slots.name2(at, I64, at + 2, I64);
    slots.pushOperands(2, true);
    const [a, b, x, y] = [0, 1, 2, 3].map((k) => this.#frame.scratchWide(k));
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

  /** Translates an idiom; false when it is better taken apart. */
  perform(idiom: Idiom): boolean {
    const slots = this.#slots, bytes = IDIOM_OPERATORS.get(idiom.handler), { form } = idiom;
    if (bytes === undefined) return false;
    let result: number = I64;
    switch (form) {
      case Form.Test:
        if (!slots.isPair(slots.count - 2)) return false;
        result = I32;
        slots.name1(slots.count - 2, I64);
        break;
      case Form.Pair:
        slots.name1(slots.count - 2, I64);
        break;
      case Form.WidenLow:
        slots.drop(1);
        slots.name1(slots.count - 1, I32);
        break;
      case Form.Widen:
        slots.name1(slots.count - 1, I32);
        break;
      case Form.Select:
        slots.name3(slots.count - 5, I64, slots.count - 3, I64, slots.count - 1, I32);
        break;
    }
    slots.pushOperands(form === Form.Select ? 3 : 1, true);
    for (const byte of bytes) slots.code.u8(byte);
    slots.pushResult(result);
    return true;
  }

  /** A call of a hidden i64 function as its operator. */
  raise(pc: number, hidden: number): void {
    const slots = this.#slots, { code } = slots, opcode = HIDDEN_OPERATORS[hidden];
    const a = slots.count - 4, b = slots.count - 2;
    if (hidden >= FIRST_DIVISION && hidden <= LAST_DIVISION && !this.#isSafeDivisor(b)) {
      // A division that traps does so inside of the hidden function: the interpreter goes there.
      this.#frame.stopSite(pc, Reason.Leave);
      slots.pushValue(b, I64);
      code.u8(0x50);
      this.#frame.leaveIf();
      if (opcode === 0x7f) {
        slots.pushValue(b, I64);
        code.u8(0x42).s64(-1, -1).u8(0x51);
        slots.pushValue(a, I64);
        code.u8(0x42).s64(0, -0x8000_0000).op(0x51, 0x71);
        this.#frame.leaveIf();
      }
    }
    slots.name2(a, I64, b, I64);
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
    this.#frame.stopSite(pc, Reason.Leave);
    const at = slots.count - width(from), compare = from === F64 ? 0x61 : 0x5b;
    const local = this.#frame.scratchFloat(from);
    slots.pushValue(at, from);
    slots.tee(local);
    pushFloat(slots, from, low);
    code.u8(compare + 3); // gt: false for NaN
    slots.get(local);
    pushFloat(slots, from, high);
    code.op(compare + 2, 0x71, 0x45); // lt, and, eqz
    this.#frame.leaveIf();
    slots.drop(width(from));
    slots.get(local);
    code.u8(opcode);
    slots.pushResult(to);
  }

  /** Ends the function with a trap. */
  trap(pc: number, op: number, trap: number): void {
    const frame = this.#frame;
    // A pause: the frame must be there.
    if (op === Op.Trap && trap === TrapCode.InterruptionCalled) return frame.leaveAt(pc);
    frame.publish();
    frame.mark(pc);
    this.#slots.code.u8(0x00);
  }

  // ── globals and tables ──────────────────────────────────────────────────────────────────────

  #globalGet(pc: number, word: number): number {
    const slots = this.#slots, { code } = slots, { opcodes, immediates } = this.#verified.module;
    if (word >>> 0 >= this.#globalWords) {
      this.#frame.step(pc, 0, 1);
      return pc + 1;
    }
    const next = pc + 1;
    if (
      (word & 1) === 1 && opcodes[next] === Op.GlobalGet && immediates[next] === word - 1 &&
      this.#flow.blockAt(next) < 0
    ) {
      // The high half of a global of 64 bits is in the word in front of the low one.
      code.op(0x41, 0x00, 0x29).memory(GLOBALS + 4 * (word - 1), STATE).op(0x42, 32, 0x89);
      slots.pushResult(I64);
      return pc + 2;
    }
    code.op(0x41, 0x00, 0x28).memory(GLOBALS + 4 * word, STATE);
    slots.pushResult(I32);
    return next;
  }

  #globalSet(pc: number, word: number): number {
    const slots = this.#slots, { code } = slots, { opcodes, immediates } = this.#verified.module;
    if (word >>> 0 >= this.#globalWords) {
      this.#frame.step(pc, 1, 0);
      return pc + 1;
    }
    const next = pc + 1;
    const pair = (word & 1) === 0 && opcodes[next] === Op.GlobalSet && immediates[next] === word + 1 &&
      word + 1 < this.#globalWords && this.#flow.blockAt(next) < 0;
    // The address goes below the value, which is why the value waits in a local.
    if (pair) {
      const local = this.#frame.scratchWide(0);
      slots.name1(slots.count - 2, I64);
      slots.pushOperands(1, true);
      slots.set(local);
      code.op(0x41, 0x00);
      slots.get(local);
      code.op(0x42, 32, 0x89, 0x37).memory(GLOBALS + 4 * word, STATE);
      return pc + 2;
    }
    const local = this.#frame.scratchWord();
    slots.name1(slots.count - 1, I32);
    slots.pushOperands(1, true);
    slots.set(local);
    code.op(0x41, 0x00);
    slots.get(local);
    code.u8(0x36).memory(GLOBALS + 4 * word, STATE);
    return next;
  }

  /** Pushes the address of the element whose index a slot holds; leaves when there is none here. */
  element(slot: number, table: number): void {
    const slots = this.#slots, { code } = slots, local = this.#frame.scratchWord();
    slots.pushValue(slot, I32);
    slots.tee(local);
    code.op(0x41, 0x00, 0x28).memory(8 * table + 4, STATE).u8(0x4f);
    this.#frame.leaveIf();
    slots.get(local);
    code.op(0x41, 0x02, 0x74, 0x41, 0x00, 0x28).memory(8 * table, STATE).u8(0x6a);
  }

  #tableGet(pc: number, table: number): void {
    const slots = this.#slots;
    this.#frame.stopSite(pc, Reason.Leave);
    this.element(slots.count - 1, table);
    slots.code.u8(0x28).memory(0, STATE);
    slots.drop(1);
    slots.pushResult(I32);
  }

  #tableSet(pc: number, table: number): void {
    const slots = this.#slots;
    this.#frame.stopSite(pc, Reason.Leave);
    this.element(slots.count - 2, table);
    slots.pushValue(slots.count - 1, I32);
    slots.code.u8(0x36).memory(0, STATE);
    slots.drop(2);
  }
}

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
