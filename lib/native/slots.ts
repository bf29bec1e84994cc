/**
 * What each slot of an rWasm frame holds while its function is translated: a constant, a local, half of
 * a 64-bit local, or a value that is still on the operand stack of the Wasm function. Every slot has a
 * home, a local of its own, where its value is wherever ways join and wherever a frame may have to be
 * written to the value stack; what kind of local that is belongs to the function and is found by
 * translating it until nothing new is learned. It writes Wasm and knows no rWasm.
 *
 * @module
 */

import { CANONICAL, DOUBLE, EXACT, F32, F64, I32, I64, Locals, LOW, RAW, SINGLE, WORD } from "./locals.ts";

// Forms of values. Those of a value on the operand stack have PENDING set.
const CONST = 0, WHOLE = 1, LO = 2, HI = 3, FLOAT = 4, DLO = 5, DHI = 6, PENDING = 8;

/** Most slots that refer to one value on the operand stack. */
const MOST_REFERENCES = 4;

/** Most operands that are named at once. */
export const MOST_OPERANDS = 64;

/** The state of the slots at one point, to go back to. */
export interface SavedSlots {
  readonly count: number;
  readonly forms: Uint8Array;
  readonly args: Int32Array;
  readonly synced: Uint8Array;
  /** Whether a NaN in the local that a slot reads counts as the canonical one. */
  readonly loose: Uint8Array;
}

/** The slots of the function under translation. Slots are counted from the lowest parameter. */
export class Slots extends Locals {
  /** Slots in use. */
  count = 0;
  /** Whether locals that were not written to are known to be zero. */
  zeroed = false;
  /** Operands to push: slots and types. */
  readonly operandSlots = new Int32Array(MOST_OPERANDS);
  /** Types of the operands. */
  readonly operandTypes = new Uint8Array(MOST_OPERANDS);

  #forms = new Uint8Array(64);
  #args = new Int32Array(64);
  /** By slot: 1 when its home holds its value, 2 when the word home of half a pair does. */
  #synced = new Uint8Array(64);

  /** Values on the operand stack: types, slots that refer to them, and whether a NaN may have any bits. */
  #pending = 0;
  #pendingTypes = new Uint8Array(256);
  #pendingSlots = new Int32Array(256 * MOST_REFERENCES);
  #pendingReferences = new Uint8Array(256);
  #pendingNaN = new Uint8Array(256);
  /** Of those that are copies of a local: the local, its version then, and where the copy is in the code. */
  #pendingOrigins = new Int32Array(256);
  #pendingVersions = new Int32Array(256);
  #pendingStarts = new Int32Array(256);

  readonly #moves: number[] = [];

  /**
   * Begins a translation of a function with up to `most` slots; `fresh` forgets what is known of their
   * kinds, and the last one takes no chances with what it has not been told.
   */
  begin(most: number, fresh: boolean, last: boolean): void {
    this.beginLocals(most, fresh, last);
    this.count = 0;
    this.zeroed = false;
    this.#pending = 0;
    if (this.#forms.length < this.kinds.length) {
      this.#forms = new Uint8Array(this.kinds.length);
      this.#args = new Int32Array(this.kinds.length);
      this.#synced = new Uint8Array(this.kinds.length);
    }
  }

  /**
   * Pushes a parameter of the function, in a local of its own. The local is the home of its slots, too,
   * unless they are known to hold something else.
   */
  pushParameter(type: number, fresh: boolean): void {
    const local = this.newLocal(type), slot = this.count, wide = type === I64 || type === F64;
    if (fresh) this.setKind(slot, type);
    this.touched[local] = true;
    this.exact[slot] = 1;
    const fits = this.kinds[slot] === type;
    if (fits) {
      this.homes[type][slot] = local;
      this.homeSlots[local] = slot;
    }
    const form = type === I32 ? WHOLE : type === I64 ? LO : type === F32 ? FLOAT : DLO;
    this.#bind(slot, form, local, fits ? 1 : 0);
    if (wide) this.#bind(slot + 1, form + 1, local, fits ? 1 : 0);
    this.count += wide ? 2 : 1;
  }

  /** Makes a slot hold, with the one above it when it takes two, a parameter that is not in a local. */
  expectParameter(slot: number, type: number, fresh: boolean): void {
    if (fresh) this.setKind(slot, type);
    // Who called it is not known.
    for (let k = slot; k <= slot + 1; k++) this.exact[k] = 1;
  }

  // ── states ──────────────────────────────────────────────────────────────────────────────────

  /** The state, without values on the operand stack. */
  save(): SavedSlots {
    const count = this.count, loose = new Uint8Array(count);
    for (let slot = 0; slot < count; slot++) {
      if (this.#forms[slot] !== CONST && this.loose[this.#args[slot]]) loose[slot] = 1;
    }
    return {
      count,
      loose,
      forms: this.#forms.slice(0, count),
      args: this.#args.slice(0, count),
      synced: this.#synced.slice(0, count),
    };
  }

  /** Goes back to a state. */
  restore(saved: SavedSlots): void {
    this.#forget();
    this.count = saved.count;
    this.#forms.set(saved.forms);
    this.#args.set(saved.args);
    this.#synced.set(saved.synced);
    for (let slot = 0; slot < saved.count; slot++) {
      if (this.#forms[slot] === CONST) continue;
      const local = this.#args[slot];
      this.refer(local);
      // The other branch may have used it for something else.
      if (this.temporary[local]) this.loose[local] = saved.loose[slot] !== 0;
    }
    // What the other branch had freed may be in use here.
    for (let type = 0; type < 4; type++) {
      this.free[type] = this.free[type].filter((local) => this.references[local] === 0);
    }
  }

  /** All slots have their values at home, as where ways join. */
  settle(count: number): void {
    this.#forget();
    this.count = count;
    for (let slot = 0; slot < count; slot++) {
      const type = this.homeType(slot, count);
      if (type === I32) this.#bind(slot, WHOLE, this.home(slot, I32), this.kinds[slot] === WORD ? 1 : 2);
      else if (type === F32) this.#bind(slot, FLOAT, this.home(slot, F32), 1);
      else {
        const home = this.home(slot, type), low = type === I64 ? LO : DLO;
        this.#bind(slot, low, home, 1);
        this.#bind(++slot, low + 1, home, 1);
      }
    }
  }

  #forget(): void {
    for (let slot = 0; slot < this.count; slot++) {
      if (this.#forms[slot] !== CONST && this.#forms[slot] < PENDING) this.unrefer(this.#args[slot]);
    }
    this.#pending = 0;
    this.count = 0;
  }

  #bind(slot: number, form: number, local: number, synced: number): void {
    this.#forms[slot] = form;
    this.#args[slot] = local;
    this.#synced[slot] = synced;
    this.refer(local);
  }

  #release(slot: number): void {
    const form = this.#forms[slot];
    if (form === CONST) return;
    if (form >= PENDING) this.#removePendingSlot(this.#args[slot], slot);
    else this.unrefer(this.#args[slot]);
  }

  // ── what instructions do to slots ───────────────────────────────────────────────────────────

  /** Pushes a constant. */
  pushConst(value: number): void {
    const slot = this.count++;
    this.#forms[slot] = CONST;
    this.#args[slot] = value | 0;
    this.#synced[slot] = 0;
  }

  /** Whether a slot holds a constant. */
  isConst(slot: number): boolean {
    return this.#forms[slot] === CONST;
  }

  /** The constant in a slot. */
  constOf(slot: number): number {
    return this.#args[slot];
  }

  /** Whether two slots are the halves of one 64-bit value, or constants. */
  isPair(slot: number): boolean {
    const form = this.#forms[slot] & ~PENDING;
    if (form === CONST) return this.#forms[slot + 1] === CONST;
    return (form === LO || form === DLO) && this.#forms[slot + 1] === this.#forms[slot] + 1 &&
      this.#args[slot + 1] === this.#args[slot];
  }

  /** Pushes a copy of a slot. */
  pushCopy(from: number): void {
    const form = this.#forms[from];
    if (form === WHOLE || form === FLOAT) this.#pushLocal(this.#args[from]);
    else this.#copy(from, this.count++);
  }

  /** Pushes a copy of two slots that hold one value of 64 bits; false when they do not. */
  pushPair(from: number): boolean {
    const form = this.#forms[from];
    if (form !== LO && form !== DLO || !this.isPair(from)) return false;
    this.#pushLocal(this.#args[from]);
    return true;
  }

  #pushLocal(local: number): void {
    const p = this.#pending, start = this.code.length;
    this.get(local);
    this.pushResult(this.localTypes[local], this.loose[local] ? RAW : EXACT);
    this.#pendingOrigins[p] = local;
    this.#pendingVersions[p] = this.versions[local];
    this.#pendingStarts[p] = start;
  }

  /** The local that a value on the operand stack is a copy of and that still has it, or -1. */
  #originOf(p: number): number {
    const local = this.#pendingOrigins[p];
    if (local < 0 || this.versions[local] !== this.#pendingVersions[p]) return -1;
    // One that nothing refers to may be given away.
    return this.temporary[local] && this.references[local] === 0 ? -1 : local;
  }

  /** Moves the top into a slot below. */
  moveTop(to: number): void {
    const from = this.count - 1;
    this.#release(to);
    const form = this.#forms[from], arg = this.#args[from];
    this.#forms[to] = form;
    this.#args[to] = arg;
    this.#synced[to] = this.#isHome(to) ? 1 : 0;
    if (form >= PENDING) {
      const first = arg * MOST_REFERENCES, references = this.#pendingReferences[arg];
      for (let k = first; k < first + references; k++) {
        if (this.#pendingSlots[k] === from) this.#pendingSlots[k] = to;
      }
    }
    this.count--;
  }

  /** Copies the top into a slot below. */
  copyTop(to: number): void {
    const from = this.count - 1;
    if (from === to) return;
    const form = this.#forms[from];
    if (form !== CONST && form < PENDING && this.#forms[to] === form && this.#args[to] === this.#args[from]) {
      return;
    }
    this.#release(to);
    this.#forms[to] = CONST;
    this.#copy(from, to);
  }

  #copy(from: number, to: number): void {
    if (this.#forms[from] >= PENDING) {
      const p = this.#args[from];
      if (p !== this.#pending - 1 || this.#pendingReferences[p] === MOST_REFERENCES) this.#spillDownTo(p);
    }
    const form = this.#forms[from], arg = this.#args[from];
    this.#forms[to] = form;
    this.#args[to] = arg;
    this.#synced[to] = 0;
    if (form >= PENDING) this.#pendingSlots[arg * MOST_REFERENCES + this.#pendingReferences[arg]++] = to;
    else if (form !== CONST) {
      this.refer(arg);
      this.#synced[to] = this.#isHome(to) ? 1 : 0;
    }
  }

  /** Whether a slot reads its own home, as a word or a single float. */
  #isHome(slot: number): boolean {
    const form = this.#forms[slot], kind = this.kinds[slot];
    return form === WHOLE && kind === WORD && this.homes[I32][slot] === this.#args[slot] ||
      form === FLOAT && kind === SINGLE && this.homes[F32][slot] === this.#args[slot];
  }

  /** Drops slots. */
  drop(count: number): void {
    for (let k = 0; k < count; k++) this.#release(--this.count);
  }

  /** Pushes the value on top of the operand stack, of one slot or two; `nan` is what a NaN in it is. */
  pushResult(type: number, nan: number = EXACT): void {
    const p = this.#pending++, wide = type === I64 || type === F64, slot = this.count;
    if (p + 1 === this.#pendingTypes.length) this.#growPending();
    this.#pendingTypes[p] = type;
    this.#pendingOrigins[p] = -1;
    this.#pendingNaN[p] = nan;
    this.#pendingReferences[p] = wide ? 2 : 1;
    const form = PENDING | (type === I32 ? WHOLE : type === I64 ? LO : type === F32 ? FLOAT : DLO);
    this.#forms[slot] = form;
    this.#args[slot] = p;
    this.#synced[slot] = 0;
    this.#pendingSlots[p * MOST_REFERENCES] = slot;
    this.count++;
    if (!wide) return;
    this.#forms[slot + 1] = form + 1;
    this.#args[slot + 1] = p;
    this.#synced[slot + 1] = 0;
    this.#pendingSlots[p * MOST_REFERENCES + 1] = slot + 1;
    this.count++;
  }

  #growPending(): void {
    const grow = (old: Uint8Array<ArrayBuffer>) => {
      const larger = new Uint8Array(2 * old.length);
      larger.set(old);
      return larger;
    };
    this.#pendingTypes = grow(this.#pendingTypes);
    this.#pendingReferences = grow(this.#pendingReferences);
    this.#pendingNaN = grow(this.#pendingNaN);
    const growWords = (old: Int32Array<ArrayBuffer>) => {
      const larger = new Int32Array(2 * old.length);
      larger.set(old);
      return larger;
    };
    this.#pendingSlots = growWords(this.#pendingSlots);
    this.#pendingOrigins = growWords(this.#pendingOrigins);
    this.#pendingVersions = growWords(this.#pendingVersions);
    this.#pendingStarts = growWords(this.#pendingStarts);
  }

  #removePendingSlot(p: number, slot: number): void {
    const first = p * MOST_REFERENCES, last = first + --this.#pendingReferences[p];
    for (let k = first; k < last; k++) {
      if (this.#pendingSlots[k] === slot) {
        this.#pendingSlots[k] = this.#pendingSlots[last];
        return;
      }
    }
  }

  // ── the operand stack ───────────────────────────────────────────────────────────────────────

  /** Moves all values from the operand stack to locals. */
  spill(): void {
    this.#spillDownTo(0);
  }

  #spillDownTo(p: number): void {
    while (this.#pending > p) {
      const top = this.#pending - 1, origin = this.#originOf(top);
      if (origin >= 0) {
        // A copy that was made last was made too early; another one is not needed.
        const start = this.#pendingStarts[top];
        if (start + 1 + lengthOfIndex(origin) === this.code.length) this.code.length = start;
        else this.code.u8(0x1a);
        this.#bindPending(top, origin);
      } else if (this.#pendingReferences[top] === 0) this.code.u8(0x1a);
      else {
        const local = this.#settlePending(top);
        if (this.#pendingNaN[top] === RAW && !this.loose[local]) this.canonicalize(this.#pendingTypes[top]);
        this.set(local);
      }
      this.#pending--;
    }
  }

  /** Finds a local for a value on the operand stack, and binds the slots that refer to it. */
  #settlePending(p: number): number {
    const type = this.#pendingTypes[p], first = p * MOST_REFERENCES, references = this.#pendingReferences[p];
    let local = -1;
    for (let k = first; k < first + references && local < 0; k++) {
      const slot = this.#pendingSlots[k];
      if (this.#homeFor(slot, type) && (this.#forms[slot] & ~PENDING) !== HI) {
        const home = this.home(slot, type);
        if (this.references[home] === 0) local = home;
      }
    }
    const nan = this.#pendingNaN[p];
    if (local < 0) {
      local = this.temporaryLocal(type);
      this.loose[local] = nan === RAW;
    } else if (nan === EXACT && this.loose[local]) this.learnExact(this.homeSlots[local]);
    this.#bindPending(p, local);
    for (let k = first; k < first + references; k++) {
      const slot = this.#pendingSlots[k], form = this.#forms[slot];
      if (!this.#homeFor(slot, type) || this.homes[type][slot] !== local) continue;
      if (form === WHOLE || form === FLOAT) this.#synced[slot] = 1;
      else if (form === LO || form === DLO) this.#synced[slot] = this.#synced[slot + 1] = 1;
    }
    return local;
  }

  /** Lets the slots that refer to a value on the operand stack refer to a local. */
  #bindPending(p: number, local: number): void {
    const first = p * MOST_REFERENCES, references = this.#pendingReferences[p];
    for (let k = first; k < first + references; k++) {
      const slot = this.#pendingSlots[k];
      this.#bind(slot, this.#forms[slot] & ~PENDING, local, 0);
      this.#synced[slot] = this.#isHome(slot) ? 1 : 0;
    }
  }

  /** Whether the value of a slot of some type, with both halves where it has two, fits its home. */
  #homeFor(slot: number, type: number): boolean {
    const kind = this.kinds[slot];
    if (type === I32) return kind === WORD;
    if (type === F32) return kind === SINGLE;
    return kind === type && slot + 1 < this.count && this.#args[slot + 1] === this.#args[slot] &&
      (this.#forms[slot] & ~PENDING) === (type === I64 ? LO : DLO) &&
      (this.#forms[slot + 1] & ~PENDING) === (type === I64 ? HI : DHI);
  }

  /** Names an operand. */
  name1(slot: number, type: number): void {
    this.operandSlots[0] = slot;
    this.operandTypes[0] = type;
  }

  /** Names two operands. */
  name2(slot: number, type: number, slot2: number, type2: number): void {
    this.name1(slot, type);
    this.operandSlots[1] = slot2;
    this.operandTypes[1] = type2;
  }

  /** Names three operands. */
  name3(slot: number, type: number, slot2: number, type2: number, slot3: number, type3: number): void {
    this.name2(slot, type, slot2, type2);
    this.operandSlots[2] = slot3;
    this.operandTypes[2] = type3;
  }

  /**
   * Pushes `count` operands from `operandSlots` and `operandTypes`, which must be what is on top of the
   * slots, and drops their slots. Values that are on the operand stack in the right order stay there.
   *
   * @param exact whether the bits of NaNs matter
   * @param alone whether nothing else may be on the operand stack below them
   */
  pushOperands(count: number, exact: boolean, alone = false): void {
    const slots = this.operandSlots, types = this.operandTypes;
    let matched = 0;
    if (count === 0) {
      if (alone) this.spill();
      return;
    }
    again: for (;;) {
      matched = Math.min(this.#pending, count);
      for (; matched > 0; matched--) {
        const bottom = this.#pending - matched;
        let fits = true;
        for (let k = 0; k < matched && fits; k++) {
          fits = this.#fits(bottom + k, slots[k], types[k], k === matched - 1, exact);
        }
        if (fits) break;
      }
      if (alone && this.#pending > matched) {
        this.spill();
        continue;
      }
      let lowest = this.#pending;
      for (let k = matched; k < count; k++) {
        const slot = slots[k];
        if (this.#forms[slot] >= PENDING) lowest = Math.min(lowest, this.#args[slot]);
        const wide = types[k] === I64 || types[k] === F64;
        if (wide && this.#forms[slot + 1] >= PENDING) lowest = Math.min(lowest, this.#args[slot + 1]);
      }
      if (lowest < this.#pending) {
        this.#spillDownTo(lowest);
        continue again;
      }
      break;
    }
    if (matched > 0) this.#consume(matched, exact);
    for (let k = matched; k < count; k++) this.pushValue(slots[k], types[k], exact);
    this.drop(this.count - slots[0]);
  }

  /** Whether a value on the operand stack can be an operand where it is. */
  #fits(p: number, slot: number, type: number, last: boolean, exact: boolean): boolean {
    if (this.#args[slot] !== p) return false;
    const form = this.#forms[slot];
    if (form < PENDING) return false;
    const wide = type === I64 || type === F64;
    const has = this.#pendingTypes[p], references = this.#pendingReferences[p];
    if (this.#pendingNaN[p] === RAW && exact && !last) return false;
    if (has === type) {
      if (wide) {
        if (form !== (PENDING | (type === I64 ? LO : DLO)) || !this.isPair(slot)) return false;
      } else if (form !== (PENDING | (type === I32 ? WHOLE : FLOAT))) return false;
      return last || references === (wide ? 2 : 1);
    }
    if (!last) return false;
    if (type === I32) return references === 1;
    if (type === F32) return has === I32 && references === 1;
    if (has === I32) {
      return type === I64 && references === 1 && this.#forms[slot + 1] === CONST &&
        this.#args[slot + 1] === 0;
    }
    return (has === I64 || has === F64) && references === 2 && this.isPair(slot) &&
      (form & ~PENDING) !== HI && (form & ~PENDING) !== DHI;
  }

  /** Takes the topmost values of the operand stack, converting the last and keeping it for other slots. */
  #consume(matched: number, exact: boolean): void {
    const slots = this.operandSlots, types = this.operandTypes, code = this.code;
    const k = matched - 1,
      p = this.#pending - 1,
      slot = slots[k],
      type = types[k],
      has = this.#pendingTypes[p];
    const wide = type === I64 || type === F64;
    const form = this.#forms[slot] & ~PENDING;
    for (let n = 0; n < matched; n++) {
      const from = slots[n], both = types[n] === I64 || types[n] === F64;
      const q = this.#args[from];
      this.#removePendingSlot(q, from);
      this.#forms[from] = CONST;
      if (both && this.#forms[from + 1] >= PENDING) {
        this.#removePendingSlot(q, from + 1);
        this.#forms[from + 1] = CONST;
      }
    }
    const kept = this.#pendingReferences[p] > 0;
    const origin = kept ? this.#originOf(p) : -1;
    if (this.#pendingNaN[p] === RAW && (exact || kept && origin < 0 || has !== type)) {
      this.canonicalize(has);
      this.#pendingNaN[p] = CANONICAL;
    }
    if (has === type) {
      if (origin >= 0) this.#bindPending(p, origin);
      else if (kept) this.tee(this.#settlePending(p));
    } else if (has === I32) code.u8(wide ? 0xad : 0xbe); // i64.extend_i32_u, f32.reinterpret_i32
    else if (has === F32) code.u8(0xbc);
    else {
      if (has === F64 && type !== F64) code.u8(0xbd); // i64.reinterpret_f64
      else if (type === F64) code.u8(0xbf); // f64.reinterpret_i64
      if (type === I32) this.#half(form === HI || form === DHI);
    }
    this.#pending -= matched;
  }

  /** Turns the i64 on top into one of its halves. */
  #half(high: boolean): void {
    if (high) this.code.op(0x42, 32, 0x88);
    this.code.u8(0xa7);
  }

  /**
   * Pushes the value of a slot, or of two, as a type; it is not on the operand stack.
   *
   * @param exact whether the bits of a NaN matter
   */
  pushValue(slot: number, type: number, exact = true): void {
    const form = this.#forms[slot], arg = this.#args[slot], code = this.code;
    switch (type) {
      case I32:
        if (form === CONST) code.u8(0x41).s32(arg);
        else {
          this.get(arg);
          if (this.loose[arg]) this.canonicalize(this.localTypes[arg]);
          if (form === FLOAT) code.u8(0xbc);
          else if (form >= DLO) {
            code.u8(0xbd);
            this.#half(form === DHI);
          } else if (form !== WHOLE) this.#half(form === HI);
        }
        return;
      case F32:
        if (form === CONST) code.u8(0x43).f32Bits(arg);
        else if (form === FLOAT) {
          this.get(arg);
          if (exact && this.loose[arg]) this.canonicalize(F32);
        } else {
          if (form === WHOLE) this.learnWord(arg, SINGLE);
          this.pushValue(slot, I32);
          code.u8(0xbe);
        }
        return;
      case I64: {
        const above = this.#forms[slot + 1], high = this.#args[slot + 1];
        if (form === CONST && above === CONST) code.u8(0x42).s64(arg, high);
        else if (form === LO && above === HI && arg === high) this.get(arg);
        else if (form === DLO && above === DHI && arg === high) {
          this.get(arg);
          if (this.loose[arg]) this.canonicalize(F64);
          code.u8(0xbd);
        } else {
          this.#learnPair(slot, LOW);
          this.#pack(slot);
        }
        return;
      }
      default: {
        const above = this.#forms[slot + 1], high = this.#args[slot + 1];
        if (form === CONST && above === CONST) code.u8(0x44).f64Bits(arg, high);
        else if (form === DLO && above === DHI && arg === high) {
          this.get(arg);
          if (exact && this.loose[arg]) this.canonicalize(F64);
        } else {
          this.#learnPair(slot, DOUBLE);
          if (form === LO && above === HI && arg === high) this.get(arg);
          else this.#pack(slot);
          code.u8(0xbf);
        }
      }
    }
  }

  /** Pushes two words as an i64. */
  #pack(slot: number): void {
    const code = this.code;
    this.pushValue(slot, I32);
    code.u8(0xad);
    if (this.#forms[slot + 1] === CONST) {
      const high = this.#args[slot + 1];
      if (high !== 0) code.u8(0x42).s64(0, high).u8(0x84);
      return;
    }
    this.pushValue(slot + 1, I32);
    code.op(0xad, 0x42, 32, 0x86, 0x84);
  }

  // ── homes ───────────────────────────────────────────────────────────────────────────────────

  /** Two slots are used as one value: when both come from their homes, these should be one. */
  #learnPair(slot: number, kind: number): void {
    if (this.#forms[slot] !== WHOLE || this.#forms[slot + 1] !== WHOLE) return;
    const low = this.homeOf(this.#args[slot]), high = this.homeOf(this.#args[slot + 1]);
    if (low >= 0 && high === low + 1) this.learn(low, kind);
  }

  /** Brings the values of all slots below `count` home. Nothing that refers to them may be on the operand stack. */
  flush(count: number): void {
    const moves = this.#moves;
    moves.length = 0;
    for (let slot = 0; slot < count; slot++) {
      const type = this.homeType(slot, count);
      if (type === I64 || type === F64) {
        if (this.#synced[slot] !== 1 || this.#synced[slot + 1] !== 1) moves.push(slot);
        slot++;
      } else if (this.#synced[slot] !== (this.kinds[slot] === LOW || this.kinds[slot] === DOUBLE ? 2 : 1)) {
        moves.push(slot);
      }
    }
    if (moves.length === 0) return;
    let left = 0;
    for (let k = 0; k < moves.length; k++) {
      const slot = moves[k], type = this.homeType(slot, count), home = this.home(slot, type);
      this.#observe(slot, type, count);
      if (this.#reads(slot, type, home)) this.#arrive(slot, type, home); // it is there, only not noted
      else if (this.zeroed && !this.touched[home] && this.#isZero(slot, type)) {
        this.#arrive(slot, type, home);
      } else if (this.references[home] > 0) moves[left++] = slot;
      else {
        this.#pushHome(slot, type, home);
        this.set(home);
        this.#arrive(slot, type, home);
      }
    }
    // What others still read is written when all are read.
    for (let k = 0; k < left; k++) {
      const type = this.homeType(moves[k], count);
      this.#pushHome(moves[k], type, this.home(moves[k], type));
    }
    for (let k = left - 1; k >= 0; k--) {
      const type = this.homeType(moves[k], count), home = this.home(moves[k], type);
      this.set(home);
    }
    for (let k = 0; k < left; k++) {
      const type = this.homeType(moves[k], count);
      this.#arrive(moves[k], type, this.home(moves[k], type));
    }
  }

  /** Pushes the value of a slot for its home. */
  #pushHome(slot: number, type: number, home: number): void {
    const loose = this.loose[home];
    if (loose && !this.#isLoose(slot, type)) this.learnExact(slot);
    this.pushValue(slot, type, !loose);
  }

  /** Whether a NaN in a slot counts as the canonical one, or there is none. */
  #isLoose(slot: number, type: number): boolean {
    const form = this.#forms[slot], arg = this.#args[slot];
    if (form === FLOAT) return this.loose[arg];
    if (form === DLO) return this.loose[arg] && this.isPair(slot);
    if (form !== CONST) return false;
    if (type === F32) return (arg & 0x7fff_ffff) <= 0x7f80_0000;
    return this.#forms[slot + 1] === CONST && (this.#args[slot + 1] & 0x7fff_ffff) < 0x7ff0_0000;
  }

  #reads(slot: number, type: number, home: number): boolean {
    const form = this.#forms[slot];
    if (form === CONST || this.#args[slot] !== home) return false;
    if (type === I32) return form === WHOLE;
    if (type === F32) return form === FLOAT;
    const low = type === I64 ? LO : DLO;
    return form === low && this.#forms[slot + 1] === low + 1 && this.#args[slot + 1] === home;
  }

  #isZero(slot: number, type: number): boolean {
    if (this.#forms[slot] !== CONST || this.#args[slot] !== 0) return false;
    return type === I32 || type === F32 || (this.#forms[slot + 1] === CONST && this.#args[slot + 1] === 0);
  }

  /** A value is at home: slots that are no constants read it there from now on. */
  #arrive(slot: number, type: number, home: number): void {
    const wide = type === I64 || type === F64;
    const low = type === I32 ? WHOLE : type === F32 ? FLOAT : type === I64 ? LO : DLO;
    const synced = type === I32 && this.kinds[slot] !== WORD ? 2 : 1;
    for (let k = 0; k < (wide ? 2 : 1); k++) {
      if (this.#forms[slot + k] !== CONST) {
        this.unrefer(this.#args[slot + k]);
        this.#bind(slot + k, low + k, home, synced);
      } else this.#synced[slot + k] = synced;
    }
  }

  /** A value that goes to a home of words although it is something else says what the home should be. */
  #observe(slot: number, type: number, count: number): void {
    if (type !== I32 || this.kinds[slot] !== WORD) return;
    const form = this.#forms[slot];
    if (form === FLOAT && this.learnedKinds[slot] === WORD) {
      this.learnedKinds[slot] = SINGLE;
      this.learned = true;
    } else if ((form === LO || form === DLO) && slot + 1 < count && this.isPair(slot)) {
      this.learn(slot, form === LO ? LOW : DOUBLE);
    }
  }
}

/** Bytes of a local's index in the code. */
function lengthOfIndex(local: number): number {
  return local < 0x80 ? 1 : local < 0x4000 ? 2 : 3;
}
