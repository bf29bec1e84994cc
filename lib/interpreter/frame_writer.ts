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

import {
  BEGINS,
  EXCHANGED,
  fusedOf,
  HANDLER,
  LEAVES,
  MOST_TAKERS,
  nameOf,
  ONLY,
  READS,
  READS_WIDE,
  STORED,
  TAKEN,
  TAKERS,
  TAKES,
  Value,
  WORDS,
} from "./instructions.ts";
import { CALLABLE } from "./layout.ts";
import type { Program } from "./program.ts";
import { NEGATED } from "./selection.ts";

/** What a slot of the abstract stack holds: its own value, a constant, or what another slot holds. */
const OWN = 0, CONST = 1, COPY = 2;

/** Room that an instruction may rely on once it is begun, with the words behind it that it writes in vain. */
const ROOM = 16;

/** Words of one way of a jump: an address and the charge there. */
const WAY_WORDS = 2;

const MOVE = HANDLER.Move, MOVE64 = HANDLER.Move64, CONSTANT = HANDLER.Const, CONSTANT64 = HANDLER.Const64;
const EXTEND_U = HANDLER.ExtendU, CHARGE = HANDLER.Charge;
const LOAD32 = HANDLER.Load32R, LOAD32_TAKING = HANDLER.Load32A, LOAD32_FIXED = HANDLER.Load32C;
const LOAD64 = HANDLER.Load64R, LOAD64_FIXED = HANDLER.Load64C;

const STORE64 = HANDLER.Store64RR, STORE64_CONSTANT = HANDLER.Store64RI;
const STORE64_FIXED = HANDLER.Store64CR, STORE64_FIXED_CONSTANT = HANDLER.Store64CI;

/** By handler of a store of 32 bits: the store of 64 bits that two of them are, or -1. */
const STORE_HALVES = new Int16Array(WORDS.length).fill(-1);
for (
  const [wide, forms] of [
    [STORE64, ["RR", "AR", "RA"]],
    [STORE64_CONSTANT, ["RI", "AI"]],
    [STORE64_FIXED, ["CR", "CA"]],
    [STORE64_FIXED_CONSTANT, ["CI"]],
  ] as const
) {
  for (const form of forms) STORE_HALVES[HANDLER[`Store32${form}`]] = wide;
}

/** By handler: whether it is a load, whose place a trap of it and of what follows it tells. */
const LOADS_FIRST: readonly boolean[] = Array.from(WORDS, (_, number) => nameOf(number).startsWith("Load"));

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
  /** Word of the one before that. */
  #third = -1;
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
    this.last = this.#previous = this.#third = -1;
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
    const { words } = this.program, last = this.last;
    words[last + 1] = 4 * slot;
    this.#own(slot);
    this.defined = 0;
    if (this.#previous < 0) return;
    if (words[last] === LOAD32 || words[last] === LOAD32_FIXED) this.#joinLoads(slot);
  }

  /**
   * Two halves of 64 bits, the high one first, are one load, which traps where the high half would.
   * The last instruction loads a word into a slot.
   */
  #joinLoads(slot: number): void {
    const { words, pcs } = this.program, low = this.last, high = this.#previous;
    const fixed = words[low] === LOAD32_FIXED, place = words[low + 2], offset = words[low + 3];
    if (words[high + 1] !== 4 * slot + 4) return;
    if (fixed) {
      if (words[high] !== LOAD32_FIXED || words[high + 2] !== place + 4 || words[high + 3] !== offset) return;
    } else {
      if (words[high] !== LOAD32 && words[high] !== LOAD32_TAKING) return;
      if (words[high + 2] !== place || place === 4 * slot + 4) return;
      if (words[high + 3] !== offset + 4 || offset < 0) return;
    }
    const pc = pcs[high], handler = fixed ? LOAD64_FIXED : LOAD64;
    this.unemit();
    this.unemit();
    if (slot + 2 === this.sp) {
      this.sp -= 2;
      this.define(handler, 2, place, offset);
    } else this.emit3(handler, 4 * slot, place, offset);
    pcs[this.last] = pc;
  }

  // ── instructions ────────────────────────────────────────────────────────────────────────────

  /** Nothing before here may be changed by what follows, and a run can enter at `pc`. */
  boundary(pc: number): void {
    this.last = this.#previous = this.#third = -1;
    this.defined = 0;
    const { ips } = this.program;
    // What stands at the same pc already, a charge or a check, must be met by whoever comes here.
    if (ips[pc] === 0) ips[pc] = this.program.addressOf(this.program.length);
  }

  /** Appends an instruction, whose operands follow; the word it is at. */
  emit(handler: number): number {
    const program = this.program, at = program.length;
    if (at + ROOM > program.words.length) program.reserve(ROOM);
    program.words[at] = handler;
    program.pcs[at] = this.pc;
    this.#third = this.#previous;
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
    this.#link(at);
  }

  /** Appends an instruction with two operands. */
  emit2(handler: number, a: number, b: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
    this.#link(at);
  }

  /** Appends an instruction with three operands. */
  emit3(handler: number, a: number, b: number, c: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    this.#link(at);
  }

  /** Appends an instruction with four operands. */
  emit4(handler: number, a: number, b: number, c: number, d: number): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    words[at + 4] = d;
    this.#link(at);
  }

  /** Appends an instruction and pushes its result of 1 or 2 slots; operands it does not have are ignored. */
  define(handler: number, slots: number, a: number, b = 0, c = 0): void {
    const at = this.emit(handler), { words } = this.program;
    words[at + 1] = 4 * this.sp;
    words[at + 2] = a;
    // Words behind the instruction are written again by the next one.
    words[at + 3] = b;
    words[at + 4] = c;
    this.#link(at);
    this.sp += slots;
    this.defined = slots;
  }

  /** Takes the last instruction back. */
  unemit(): void {
    const { words } = this.program, producer = this.#previous;
    if (producer >= 0 && TAKES[words[this.last]] !== Value.None && STORED[words[producer]] >= 0) {
      words[producer] = STORED[words[producer]];
    }
    this.program.length = this.last;
    this.last = producer;
    this.#previous = this.#third;
    this.#third = -1;
    this.defined = 0;
  }

  /**
   * When an instruction reads what the one before has just computed, it takes it from the accumulator;
   * and when nothing else will read that, it is left only there.
   */
  #link(at: number): void {
    const producer = this.#previous;
    if (producer < 0) return;
    const { words } = this.program, kind = LEAVES[words[producer]];
    const result = words[producer + 1], first = MOST_TAKERS * words[at];
    let star = 0;
    for (let k = first; kind !== Value.None && k < first + MOST_TAKERS && TAKERS[k] >= 0; k++) {
      const taker = TAKERS[k], word = at + TAKEN[k], takes = TAKES[taker];
      if (words[word] !== result) continue;
      if (takes !== kind && (takes !== Value.I32 || kind !== Value.I64)) continue;
      star = EXCHANGED[k] !== 0 ? EXCHANGED[k] : TAKEN[k];
      if (EXCHANGED[k] !== 0) {
        words[word] = words[at + EXCHANGED[k]];
        words[at + EXCHANGED[k]] = result;
      }
      words[at] = taker;
      const only = ONLY[words[producer]];
      if (only >= 0 && this.#isDead(result, kind, at)) words[producer] = only;
      break;
    }
    if (BEGINS[words[producer]] !== 0) this.#fuse(producer, at, star);
  }

  /**
   * Makes two neighbors one instruction where there is one for both; `star` is the word of the second one that
   * goes through the accumulator, 0 for none. Operands come as in `fused_handlers.ts`.
   */
  #fuse(producer: number, at: number, star: number): void {
    const { program } = this, { words, pcs } = program, first = words[producer], second = words[at];
    const fused = fusedOf(first, second);
    if (fused === undefined) return;
    let from = at + 1, to = at;
    if (STORED[first] >= 0) {
      // The place of the first result is free: for that of the second one, or for what follows.
      if (LEAVES[second] !== Value.None) words[producer + 1] = words[from++];
      else words.copyWithin(producer + 1, producer + 2, to--);
    }
    for (; from < at + WORDS[second]; from++) if (from !== at + star) words[to++] = words[from];
    words[producer] = fused;
    if (!LOADS_FIRST[first]) pcs[producer] = pcs[at];
    program.length = to;
    this.last = producer;
    this.#previous = this.#third;
    this.#third = -1;
  }

  /** Whether nobody reads a result of the instruction before from its slot: the one at `at` has been given it. */
  #isDead(result: number, kind: number, at: number): boolean {
    const { words } = this.program, handler = words[at], slot = result >> 2, below = this.#below;
    const wide = kind === Value.I64 || kind === Value.F64;
    if (slot < this.sp) {
      // It may still be overwritten by what takes it.
      const leaves = LEAVES[handler];
      if (leaves === Value.None || words[at + 1] !== result) return false;
      if (this.#copies[below + slot] !== 0) return false;
      if (wide && (this.#copies[below + slot + 1] !== 0 || (leaves !== Value.I64 && leaves !== Value.F64))) {
        return false;
      }
    }
    const bytes = wide ? 8 : 4;
    for (let reads = READS[handler] >> 1, k = 1; reads !== 0; reads >>= 1, k++) {
      if ((reads & 1) === 0) continue;
      const further = words[at + k] - result;
      if (further < bytes && further > ((READS_WIDE[handler] >> k & 1) !== 0 ? -8 : -4)) return false;
    }
    return true;
  }

  /** Makes the last instruction, when it compares two integers for the value on top, say the opposite. */
  negate(): boolean {
    const { words } = this.program;
    if (this.defined !== 1 || NEGATED[words[this.last]] < 0) return false;
    words[this.last] = NEGATED[words[this.last]];
    return true;
  }

  /**
   * Appends a store: base and value are slots or constants as the handler has them; `high` is for
   * constants of 64 bits, `last` the last operand. The low half of 64 bits behind the high half makes
   * both of them one store, which traps where the high half would.
   */
  store(handler: number, base: number, value: number, high: number, last: number): void {
    const { words, pcs } = this.program,
      before = this.last,
      wide = before < 0 ? -1 : STORE_HALVES[words[before]];
    if (wide >= 0 && wide === STORE_HALVES[handler]) {
      const fixed = wide === STORE64_FIXED || wide === STORE64_FIXED_CONSTANT;
      const constant = wide === STORE64_CONSTANT || wide === STORE64_FIXED_CONSTANT;
      const near = fixed
        ? words[before + 1] === base + 4 && words[before + 3] === last
        : words[before + 1] === base && words[before + 3] === last + 4 && last >= 0;
      if (near && (constant || words[before + 2] === value + 4)) {
        const pc = pcs[before], upper = words[before + 2];
        this.unemit();
        if (constant) this.emit4(wide, base, value, upper, last);
        else this.emit3(wide, base, value, last);
        pcs[this.last] = pc;
        return;
      }
    }
    if (WORDS[handler] === 5) this.emit4(handler, base, value, high, last);
    else this.emit3(handler, base, value, last);
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
