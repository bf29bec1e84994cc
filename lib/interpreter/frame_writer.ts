/**
 * The lower half of lowering: what each slot of the frame holds, and the instructions that go into the
 * Program. Constants and copies wait on an abstract stack until something needs them in their slot;
 * results are written where they are wanted. It knows slots and handlers and no rWasm; `lower.ts`
 * says what to push, pop and define.
 *
 * Slots are heights above the function's entry, so parameters are negative. A waiting copy always
 * names a slot that holds its own value, and only slots below its own.
 *
 * @module
 */

import { HANDLER, WORDS } from "./handlers.ts";
import { CALLABLE } from "./layout.ts";
import type { Program } from "./program.ts";

/** What a slot of the abstract stack holds: its own value, a constant, or what another slot holds. */
const OWN = 0, CONST = 1, COPY = 2;

/** Room that an instruction may rely on once it is begun, with the words behind it that it writes in vain. */
const ROOM = 16;

/** Words of one way of a jump: an address and the charge there. */
const WAY_WORDS = 2;

const MOVE = HANDLER.Move, MOVE64 = HANDLER.Move64, CONSTANT = HANDLER.Const, CONSTANT64 = HANDLER.Const64;
const EXTEND_U = HANDLER.ExtendU, CHARGE = HANDLER.Charge, LOAD32 = HANDLER.Load32, LOAD64 = HANDLER.Load64;

const CHARGE_WORDS = WORDS[CHARGE];

/** The frame of the function that is being lowered. */
export class FrameWriter {
  /** Where the instructions go. */
  readonly program: Program;
  /** rWasm pc of the instruction that is being lowered. */
  pc = 0;
  /** Height above the entry. */
  sp = 0;
  /** Word of the last instruction; -1 when nothing before may be changed. */
  last = -1;
  /** Slots that the last instruction defines on top of the stack, 0 when it does not. */
  defined = 0;

  /** Word of the instruction before the last one; -1 when nothing before it may be changed. */
  #previous = -1;
  /** By slot, from the lowest parameter on. */
  #kinds = new Uint8Array(256);
  /** The constant, or the slot that is copied. */
  #values = new Int32Array(256);
  /** How many copies of a slot wait. */
  #copies = new Int32Array(256);
  /** Slots of parameters: what is added to a slot to get its index. */
  #below = 0;
  /** Nothing waits below this slot. */
  #waiting = 0;
  /** Ways whose target is not known yet: word and rWasm pc. */
  #ways = new Int32Array(256);
  #wayCount = 0;

  /** Writes into a Program. */
  constructor(program: Program) {
    this.program = program;
  }

  /** Starts a function with `params` slots below its entry and at most `height` above. */
  begin(params: number, height: number): void {
    const slots = params + height + 16; // an operation that pushes may be looked at before it pops
    if (slots > this.#kinds.length) {
      this.#kinds = new Uint8Array(2 * slots);
      this.#values = new Int32Array(2 * slots);
      this.#copies = new Int32Array(2 * slots);
    } else {
      this.#kinds.fill(OWN, 0, slots);
      this.#copies.fill(0, 0, slots);
    }
    this.#below = params;
    this.#wayCount = 0;
    this.settleAt(0);
  }

  /** Nothing waits, and the stack has a height. */
  settleAt(height: number): void {
    this.sp = this.#waiting = height;
    this.last = this.#previous = -1;
    this.defined = 0;
  }

  // ── what slots hold ─────────────────────────────────────────────────────────────────────────

  /** Pushes a constant. */
  pushConst(value: number): void {
    const index = this.#below + this.sp;
    this.#kinds[index] = CONST;
    this.#values[index] = value;
    if (this.sp < this.#waiting) this.#waiting = this.sp;
    this.sp++;
    this.defined = 0;
  }

  /** Pushes what a slot holds, without a move. */
  pushCopy(slot: number): void {
    const from = this.#below + slot, to = this.#below + this.sp;
    if (this.#kinds[from] === CONST) return this.pushConst(this.#values[from]);
    const source = this.#kinds[from] === COPY ? this.#values[from] : slot;
    this.#kinds[to] = COPY;
    this.#values[to] = source;
    this.#copies[this.#below + source]++;
    if (this.sp < this.#waiting) this.#waiting = this.sp;
    this.sp++;
    this.defined = 0;
  }

  /** Pops slots; their values have been read, or are not wanted. */
  pop(slots: number): void {
    for (let n = 0; n < slots; n++) {
      const index = this.#below + --this.sp;
      if (this.#kinds[index] === COPY) this.#copies[this.#below + this.#values[index]]--;
      this.#kinds[index] = OWN;
    }
    if (this.#waiting > this.sp) this.#waiting = this.sp;
  }

  /** Pops slots whose values nobody wants. */
  drop(slots: number): void {
    this.pop(slots);
    this.defined = 0;
  }

  /** Whether a slot holds a constant. */
  isConst(slot: number): boolean {
    return this.#kinds[this.#below + slot] === CONST;
  }

  /** Whether a slot and the one above hold constants. */
  isConst64(slot: number): boolean {
    const index = this.#below + slot;
    return this.#kinds[index] === CONST && this.#kinds[index + 1] === CONST;
  }

  /** Whether the 64-bit value of a slot needs no move to be read. */
  isPair(slot: number): boolean {
    const index = this.#below + slot, kinds = this.#kinds, values = this.#values;
    if (kinds[index] === OWN) return kinds[index + 1] === OWN;
    return kinds[index] === COPY && kinds[index + 1] === COPY && values[index + 1] === values[index] + 1;
  }

  /** The constant in a slot that holds one. */
  constOf(slot: number): number {
    return this.#values[this.#below + slot];
  }

  /** Byte offset at which a slot's value is; a constant is put into the slot first. */
  read(slot: number): number {
    const index = this.#below + slot;
    if (this.#kinds[index] === COPY) return 4 * this.#values[index];
    if (this.#kinds[index] === CONST) this.#settle(slot);
    return 4 * slot;
  }

  /** Byte offset at which a slot's 64-bit value is; one that is not in two adjacent slots is put there. */
  read64(slot: number): number {
    const index = this.#below + slot, kinds = this.#kinds, values = this.#values;
    if (kinds[index] === COPY && kinds[index + 1] === COPY && values[index + 1] === values[index] + 1) {
      return 4 * values[index];
    }
    this.#settlePair(slot);
    return 4 * slot;
  }

  /** Puts the value of a slot into the slot. */
  #settle(slot: number): void {
    const index = this.#below + slot, kind = this.#kinds[index];
    if (kind === OWN) return;
    if (kind === CONST) this.emit2(CONSTANT, 4 * slot, this.#values[index]);
    else {
      this.emit2(MOVE, 4 * slot, 4 * this.#values[index]);
      this.#copies[this.#below + this.#values[index]]--;
    }
    this.#kinds[index] = OWN;
  }

  /** Puts the values of two adjacent slots into them, with one instruction where one does it. */
  #settlePair(slot: number): void {
    const index = this.#below + slot, kinds = this.#kinds, values = this.#values;
    const low = kinds[index], high = kinds[index + 1];
    if (low === CONST && high === CONST) {
      this.emit3(CONSTANT64, 4 * slot, values[index], values[index + 1]);
    } else if (low === COPY && high === COPY && values[index + 1] === values[index] + 1) {
      this.emit2(MOVE64, 4 * slot, 4 * values[index]);
      this.#copies[this.#below + values[index]]--;
      this.#copies[this.#below + values[index + 1]]--;
    } else if (high === CONST && values[index + 1] === 0 && low !== CONST) {
      this.emit2(EXTEND_U, 4 * slot, low === COPY ? 4 * values[index] : 4 * slot);
      if (low === COPY) this.#copies[this.#below + values[index]]--;
    } else {
      this.#settle(slot);
      this.#settle(slot + 1);
      return;
    }
    kinds[index] = kinds[index + 1] = OWN;
  }

  /** Puts everything from a slot on into its slot. */
  settleFrom(slot: number): void {
    const kinds = this.#kinds, below = this.#below;
    for (let at = slot < this.#waiting ? this.#waiting : slot; at < this.sp; at++) {
      if (kinds[below + at] === OWN) continue;
      if (at + 1 < this.sp && kinds[below + at + 1] === kinds[below + at]) this.#settlePair(at);
      else this.#settle(at);
    }
  }

  /** Puts everything into its slot: the frame is what the plain loop has. */
  flush(): void {
    this.settleFrom(this.#waiting);
    this.#waiting = this.sp;
  }

  /** Copies of a slot that is about to change get their value now. */
  #spill(slot: number): void {
    const below = this.#below;
    for (let at = this.sp - 1; this.#copies[below + slot] > 0; at--) {
      if (this.#kinds[below + at] === COPY && this.#values[below + at] === slot) this.#settle(at);
    }
  }

  /** A slot got a value of its own. */
  #own(slot: number): void {
    const index = this.#below + slot;
    if (this.#kinds[index] === COPY) this.#copies[this.#below + this.#values[index]]--;
    this.#kinds[index] = OWN;
  }

  /** Whether the last instruction can write to another slot than the one on top. */
  #canRetarget(slots: number, slot: number): boolean {
    if (this.defined !== slots || this.#copies[this.#below + slot] !== 0) return false;
    return slots === 1 || this.#copies[this.#below + slot + 1] === 0;
  }

  // ── writing slots below the top ─────────────────────────────────────────────────────────────

  /** slot := top, which is popped. */
  set(slot: number): void {
    if (this.#canRetarget(1, slot)) {
      this.pop(1);
      this.#retarget(slot);
    } else {
      this.#assign(slot, this.sp - 1);
      this.drop(1);
    }
  }

  /** slot := top, which stays. */
  tee(slot: number): void {
    if (this.#canRetarget(1, slot)) {
      this.pop(1);
      this.program.words[this.last + 1] = 4 * slot;
      this.#own(slot);
      this.pushCopy(slot);
    } else this.#assign(slot, this.sp - 1);
    this.defined = 0;
  }

  /** slot and the one above := the two on top, which stay. */
  tee64(slot: number): void {
    const below = this.#below, kinds = this.#kinds, values = this.#values, from = this.sp - 2;
    const index = below + from;
    if (this.#canRetarget(2, slot)) {
      this.program.words[this.last + 1] = 4 * slot;
      this.#own(slot);
      this.#own(slot + 1);
      this.pop(2);
      this.pushCopy(slot);
      this.pushCopy(slot + 1);
      return;
    }
    const same = kinds[index] === COPY && kinds[index + 1] === COPY && values[index] === slot &&
      values[index + 1] === slot + 1;
    if (!same) {
      // The value may be made of the slots it goes to: spilling them puts it into its own.
      this.#spill(slot);
      this.#spill(slot + 1);
      if (this.isConst64(from)) {
        this.emit3(CONSTANT64, 4 * slot, values[index], values[index + 1]);
      } else this.emit2(MOVE64, 4 * slot, this.read64(from));
      this.#own(slot);
      this.#own(slot + 1);
    }
    this.defined = 0;
  }

  /** slot := what the slot `from` holds. */
  #assign(slot: number, from: number): void {
    const index = this.#below + from;
    const kind = this.#kinds[index], value = this.#values[index];
    if (kind === COPY && value === slot) return;
    this.#spill(slot);
    if (this.#kinds[index] === CONST) this.emit2(CONSTANT, 4 * slot, value);
    else this.emit2(MOVE, 4 * slot, this.read(from));
    this.#own(slot);
  }

  /** Makes the last instruction, whose result was popped, write to another slot. */
  #retarget(slot: number): void {
    const { words } = this.program, last = this.last, previous = this.#previous;
    words[last + 1] = 4 * slot;
    this.#own(slot);
    this.defined = 0;
    if (words[last] !== LOAD32 || previous < 0 || words[previous] !== LOAD32) return;
    // Two halves of 64 bits, the high one first: one load, which traps where the high half would.
    const high = words[previous + 1], base = words[last + 2], offset = words[last + 3];
    if (high !== 4 * slot + 4 || words[previous + 2] !== base || base === high) return;
    if (words[previous + 3] !== offset + 4 || offset < 0) return;
    this.unemit();
    words[this.last] = LOAD64;
    words[this.last + 1] = 4 * slot;
    words[this.last + 3] = offset;
    // It defines the pair on top of the stack, when that is what the two were.
    this.defined = slot + 2 === this.sp ? 2 : 0;
  }

  // ── instructions ────────────────────────────────────────────────────────────────────────────

  /** Nothing before here may be changed by what follows, and a run can enter at `pc`. */
  boundary(pc: number): void {
    this.last = this.#previous = -1;
    this.defined = 0;
    this.program.ips[pc] = this.program.addressOf(this.program.length);
  }

  /** Appends an instruction, whose operands follow; the word it is at. */
  emit(handler: number): number {
    const program = this.program, at = program.length;
    if (at + ROOM > program.words.length) program.reserve(ROOM);
    program.words[at] = handler;
    program.pcs[at] = this.pc;
    this.#previous = this.last;
    this.last = at;
    this.defined = 0;
    program.length = at + WORDS[handler];
    return at;
  }

  /** Appends an instruction with one operand. */
  emit1(handler: number, a: number): void {
    const at = this.emit(handler);
    this.program.words[at + 1] = a;
  }

  /** Appends an instruction with two operands. */
  emit2(handler: number, a: number, b: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
  }

  /** Appends an instruction with three operands. */
  emit3(handler: number, a: number, b: number, c: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
  }

  /** Appends an instruction with four operands. */
  emit4(handler: number, a: number, b: number, c: number, d: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    words[at + 4] = d;
  }

  /** Appends an instruction and pushes its result of 1 or 2 slots; operands it does not have are ignored. */
  define(handler: number, slots: number, a: number, b = 0, c = 0): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = 4 * this.sp;
    words[at + 2] = a;
    // Words behind the instruction are written again by the next one.
    words[at + 3] = b;
    words[at + 4] = c;
    this.sp += slots;
    this.defined = slots;
  }

  /** Takes the last instruction back. */
  unemit(): void {
    this.program.length = this.last;
    this.last = this.#previous;
    this.#previous = -1;
    this.defined = 0;
  }

  /** Replaces the last instruction's handler and keeps its operands. */
  replace(handler: number): void {
    this.program.words[this.last] = handler;
    this.program.length = this.last + WORDS[handler];
  }

  // ── jumps ───────────────────────────────────────────────────────────────────────────────────

  /** Two words are a way of a jump, which leads to a pc of this function. */
  way(word: number, pc: number): void {
    if (this.#wayCount === this.#ways.length) {
      const ways = new Int32Array(2 * this.#ways.length);
      ways.set(this.#ways);
      this.#ways = ways;
    }
    this.#ways[this.#wayCount++] = word;
    this.#ways[this.#wayCount++] = pc;
  }

  /** The last words of the last instruction are its ways. */
  ways(first: number, second: number): void {
    const word = this.program.length - 2 * WAY_WORDS;
    this.way(word, first);
    this.way(word + WAY_WORDS, second);
  }

  /**
   * Gives all ways of the function their addresses. A charge at the target becomes part of the way.
   * False when there is no instruction at one of them.
   */
  resolve(): boolean {
    const { words, ips, codeBase } = this.program;
    for (let k = 0; k < this.#wayCount; k += 2) {
      const word = this.#ways[k], address = ips[this.#ways[k + 1]] & ~CALLABLE;
      if (address === 0) return false;
      const target = (address - codeBase) >> 2;
      const charged = words[target] === CHARGE;
      words[word] = charged ? address + 4 * CHARGE_WORDS : address;
      words[word + 1] = charged ? words[target + 1] : 0;
    }
    return true;
  }
}
