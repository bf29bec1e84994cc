/**
 * The locals of a Wasm function under translation, and what is known of the slots they are homes of:
 * words, halves of 64 bits, floats. Kinds belong to the function; what one translation of it learns the
 * next one uses. Locals that are no homes are used again when nothing refers to them.
 *
 * @module
 */

import { CodeWriter } from "../wasm/encode.ts";

/** Types of locals, by their position in {@link TYPE_BYTES}. */
export const I32 = 0, I64 = 1, F32 = 2, F64 = 3;

/** Type bytes of the binary format. */
export const TYPE_BYTES: readonly number[] = [0x7f, 0x7e, 0x7d, 0x7c];

/** Kinds of slots: a word, the low half of a pair, an f32, the low half of an f64, and the high halves. */
export const WORD = 0, LOW = 1, SINGLE = 2, DOUBLE = 3, HIGH = 5, DOUBLE_HIGH = 7;

/** What a NaN among the values is: its bits matter, or it may have any and counts as the canonical one, or it is that. */
export const EXACT = 0, RAW = 1, CANONICAL = 2;

/** Canonical NaN bits: quiet, positive, no payload. */
const NAN32 = 0x7fc0_0000, NAN64_HIGH = 0x7ff8_0000;

/** The locals of one function at a time, and the kinds of its slots. */
export class Locals {
  /** Where the code goes. */
  readonly code: CodeWriter = new CodeWriter();
  /** Type of each local, the parameters first. */
  readonly localTypes: number[] = [];
  /** By slot: its kind. */
  kinds: Uint8Array = new Uint8Array(64);
  /** Whether this translation has learned something that it has not used. */
  learned = false;

  /** By slot: the kind the next translation uses. */
  protected learnedKinds: Uint8Array = new Uint8Array(64);
  /**
   * By slot: 1 when the float there may be a NaN that is not a result, as loads give them. In the home of
   * any other float slot a NaN may have any bits, and counts as the canonical one.
   */
  protected exact: Uint8Array = new Uint8Array(64);
  /** By type and slot: the home, or -1. */
  protected homes: Int32Array[] = [0, 1, 2, 3].map(() => new Int32Array(64).fill(-1));
  /** By local: how many slots read it. */
  protected readonly references: number[] = [];
  /** By local: whether it is no home and may be used again when nothing refers to it. */
  protected readonly temporary: boolean[] = [];
  /** By local: whether it was ever written to. */
  protected readonly touched: boolean[] = [];
  /** By local: the slot whose home it is, -1 for none. */
  protected readonly homeSlots: number[] = [];
  /** By local: how often it was written to. */
  protected readonly versions: number[] = [];
  /** By local: whether a NaN in it counts as the canonical one. */
  protected readonly loose: boolean[] = [];
  /** By type: locals that nothing refers to. */
  protected readonly free: number[][] = [[], [], [], []];

  /** Begins a translation of a function with up to `most` slots, as `Slots.begin`. */
  protected beginLocals(most: number, fresh: boolean, last: boolean): void {
    this.code.length = 0;
    this.learned = false;
    for (const list of [this.localTypes, this.references, this.homeSlots, this.versions]) list.length = 0;
    for (const list of [this.temporary, this.touched, this.loose]) list.length = 0;
    for (const list of this.free) list.length = 0;
    let forget = fresh;
    if (this.kinds.length < most + 2) {
      const size = 2 * most + 2;
      this.kinds = new Uint8Array(size);
      this.learnedKinds = new Uint8Array(size);
      this.exact = new Uint8Array(size);
      this.homes = this.homes.map(() => new Int32Array(size));
      forget = true;
    }
    for (const homes of this.homes) homes.fill(-1, 0, most + 2);
    if (forget) {
      this.learnedKinds.fill(0, 0, most + 2);
      this.exact.fill(0, 0, most + 2);
    }
    if (last) this.exact.fill(1, 0, most + 2);
    this.kinds.set(this.learnedKinds.subarray(0, most + 2));
  }

  /** A new local. */
  newLocal(type: number): number {
    this.localTypes.push(type);
    this.references.push(0);
    this.temporary.push(false);
    this.touched.push(false);
    this.homeSlots.push(-1);
    this.versions.push(0);
    this.loose.push(false);
    return this.localTypes.length - 1;
  }

  /** Says what a slot holds, with the one above it when that takes two. */
  protected setKind(slot: number, type: number): void {
    // The first kinds have the numbers of the types.
    this.kinds[slot] = this.learnedKinds[slot] = type;
    if (type === I64 || type === F64) this.kinds[slot + 1] = this.learnedKinds[slot + 1] = type + 4;
  }

  /** Whether the slot below a height is the low half of a pair, whose other half is not below it. */
  splits(height: number): boolean {
    const kind = height > 0 ? this.kinds[height - 1] : WORD;
    return kind === LOW || kind === DOUBLE;
  }

  /** The home of a slot as a type. */
  home(slot: number, type: number): number {
    const homes = this.homes[type];
    if (homes[slot] < 0) {
      homes[slot] = this.newLocal(type);
      this.homeSlots[homes[slot]] = slot;
      this.loose[homes[slot]] = (type === F32 || type === F64) && this.exact[slot] === 0;
    }
    return homes[slot];
  }

  /** Type of the home of a slot when there are `count` slots; -1 for a high half, which is in that of the low one. */
  homeType(slot: number, count: number): number {
    const kind = this.kinds[slot];
    if (kind === WORD) return I32;
    if (kind === SINGLE) return F32;
    if (kind >= HIGH) return -1;
    return slot + 1 < count ? kind : I32;
  }

  /** `local.get` */
  get(local: number): void {
    this.code.u8(0x20).u32(local);
  }

  /** `local.set` */
  set(local: number): void {
    this.touched[local] = true;
    this.versions[local]++;
    this.code.u8(0x21).u32(local);
  }

  /** `local.tee` */
  tee(local: number): void {
    this.touched[local] = true;
    this.versions[local]++;
    this.code.u8(0x22).u32(local);
  }

  /** A local for a value that has no home. */
  protected temporaryLocal(type: number): number {
    const free = this.free[type].pop();
    if (free !== undefined) return free;
    const local = this.newLocal(type);
    this.temporary[local] = true;
    return local;
  }

  /** Notes that one more slot reads a local. */
  protected refer(local: number): void {
    this.references[local]++;
  }

  /** Notes that one slot less reads a local. */
  protected unrefer(local: number): void {
    if (--this.references[local] === 0 && this.temporary[local]) {
      this.free[this.localTypes[local]].push(local);
    }
  }

  /** Makes the NaN on top of the operand stack the canonical one; other values stay. */
  protected canonicalize(type: number): void {
    const local = this.temporaryLocal(type);
    this.versions[local]++;
    emitCanonical(this.code, type, local);
    this.free[type].push(local);
  }

  /** The word that comes from a local is used as a float: if that is a home, it should hold one. */
  protected learnWord(local: number, kind: number): void {
    const slot = this.homeOf(local);
    if (slot >= 0 && this.learnedKinds[slot] === WORD) {
      this.learnedKinds[slot] = kind;
      this.learned = true;
    }
  }

  /** Slot whose word home a local is, -1 when it is none. */
  protected homeOf(local: number): number {
    const slot = this.homeSlots[local];
    return slot >= 0 && this.homes[I32][slot] === local ? slot : -1;
  }

  /** Two words that should be one value of 64 bits. */
  protected learn(slot: number, kind: number): void {
    if (this.learnedKinds[slot] !== WORD || this.learnedKinds[slot + 1] !== WORD) return;
    this.learnedKinds[slot] = kind;
    this.learnedKinds[slot + 1] = kind + 4;
    this.learned = true;
  }

  /** The NaNs of a float slot have bits that matter. */
  protected learnExact(slot: number): void {
    if (this.exact[slot] !== 0) return;
    this.exact[slot] = 1;
    this.learned = true;
  }

  /** Whether a NaN in a home counts as the canonical one. */
  isLooseHome(slot: number, type: number): boolean {
    return this.loose[this.home(slot, type)];
  }
}

/** Makes the NaN on top the canonical one, by way of a local. */
export function emitCanonical(code: CodeWriter, type: number, local: number): void {
  code.u8(0x22).u32(local);
  if (type === F32) code.u8(0x43).f32Bits(NAN32);
  else code.u8(0x44).f64Bits(0, NAN64_HIGH);
  code.u8(0x20).u32(local).u8(0x20).u32(local).op(type === F32 ? 0x5b : 0x61, 0x1b);
}
