/**
 * What the body of a handler is written with: operands of the current instruction, slots of the
 * current frame, and the ways out of a handler. It emits WebAssembly and knows no rWasm.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import type { CodeWriter } from "../wasm/encode.ts";
import { CHARGE_BYTES, Header, Stop } from "./layout.ts";

/** Locals of the loop function: its parameters first. */
export const Local = {
  ip: 0,
  fp: 1,
  fuel: 2,
  cp: 3,
  /** Bytes of the guest memory, as i64. */
  limit: 4,
  /** Address of an access, as i64. */
  address: 5,
  x: 6,
  y: 7,
  /** Result of the instruction before, when that was an integer; one of 32 bits is zero-extended. */
  accumulator: 8,
  a: 9,
  b: 10,
  c: 11,
  /** Result of the instruction before, when that was an f32; also the place to look at one. */
  single: 12,
  /** The same for f64. */
  double: 13,
  /** Two neighboring words of the instruction, read at once: each load tests that its address is inside. */
  pair: 14,
  /** Two others. */
  other: 15,
  /** The first two words: number and operand 1. */
  head: 16,
} as const;

/** Locals behind the parameters: their types and how many of each, in order. */
export const LOCAL_TYPES = [
  ["i64", 5],
  ["i32", 3],
  ["f32", 1],
  ["f64", 1],
  ["i64", 3],
] as const;

/** Memory of the guest; the state is memory 0. */
export const GUEST = 1;

/** Value types of slots. */
export type Kind = "i32" | "i64" | "f32" | "f64";

const LOADS = { i32: 0x28, i64: 0x29, f32: 0x2a, f64: 0x2b } as const;
const STORES = { i32: 0x36, i64: 0x37, f32: 0x38, f64: 0x39 } as const;

/** Emits handlers. */
export class HandlerEmitter {
  /** Where the code goes. */
  readonly code: CodeWriter;
  /** Labels between here and the head of the dispatch loop. */
  #depth: number;

  /** Kind of the result that is in the accumulator behind the instruction; undefined for none. */
  leaves: Kind | undefined;
  /** Kind of the operand that is taken from the accumulator. */
  takes: Kind | undefined;
  /** Operands that are read as slots, by bit. */
  reads = 0;
  /** Those of them that are of more than one slot. */
  wide = 0;

  /** Words of the operands, by the number the body knows; undefined when they are the same. */
  #places: readonly number[] | undefined;
  /** Words of the whole instruction; 0 in a part that is not the last one. */
  #words = -1;

  /** Starts a handler `depth` labels below the head of the dispatch loop. */
  constructor(code: CodeWriter, depth: number) {
    this.code = code;
    this.#depth = depth;
  }

  /** What follows is the body of a part: where its operands are, words of the whole or 0 when more parts follow. */
  part(places: readonly number[], words: number): void {
    this.#places = places;
    this.#words = words;
  }

  /** Word of an operand. */
  #word(k: number): number {
    return this.#places === undefined ? k : this.#places[k];
  }

  /** Appends operators as bytes. */
  op(...bytes: number[]): this {
    this.code.op(...bytes);
    return this;
  }

  /** `local.get` */
  get(local: number): this {
    this.code.u8(0x20).u32(local);
    return this;
  }

  /** `local.set` */
  set(local: number): this {
    this.code.u8(0x21).u32(local);
    return this;
  }

  /** `local.tee` */
  tee(local: number): this {
    this.code.u8(0x22).u32(local);
    return this;
  }

  /** `i32.const` */
  i32(value: number): this {
    this.code.u8(0x41).s32(value);
    return this;
  }

  /** `i64.const` of an int32. */
  i64(value: number): this {
    this.code.u8(0x42).s64(value, value >> 31);
    return this;
  }

  /** Words behind the head that were read outside of branches, in this order. */
  readonly words: number[] = [];
  /** By word: the local for it and the next one. */
  #pairs: ReadonlyMap<number, number> = new Map();
  /** Pairs that are in their local. */
  readonly #loaded = new Set<number>();
  /** Branches around what is being emitted: what is loaded there is not loaded behind them. */
  #branches = 0;

  /** Words that are to be read together with the next one, and the locals for both. */
  usePairs(pairs: ReadonlyMap<number, number>): void {
    this.#pairs = pairs;
  }

  /** Pushes operand `k` of the instruction; the handler number is word 0. */
  operand(k: number): this {
    const word = this.#word(k);
    if (word === 1) return this.get(Local.head).i64(32).op(0x88, 0xa7);
    if (this.#branches === 0) this.words.push(word);
    for (const low of [word, word - 1]) {
      const local = this.#pairs.get(low);
      if (local === undefined) continue;
      if (!this.#loaded.has(low)) {
        if (this.#branches > 0) continue;
        this.#loaded.add(low);
        this.get(Local.ip).op(0x29);
        this.code.memory(4 * low);
        this.tee(local);
      } else this.get(local);
      return low === word ? this.op(0xa7) : this.i64(32).op(0x88, 0xa7);
    }
    this.get(Local.ip).op(0x28);
    this.code.memory(4 * word);
    return this;
  }

  /** Pushes operands `k` and `k + 1` as one i64. */
  operand64(k: number): this {
    this.get(Local.ip).op(0x29);
    this.code.memory(4 * this.#word(k));
    return this;
  }

  /** Pushes the address of the slot that operand `k` names. */
  slot(k: number): this {
    return this.get(Local.fp).operand(k).op(0x6a);
  }

  /** Pushes the value of the slot that operand `k` names, `more` bytes further. */
  read(k: number, kind: Kind, more = 0): this {
    this.reads |= 1 << this.#word(k);
    if (kind === "i64" || kind === "f64" || more > 0) this.wide |= 1 << this.#word(k);
    this.slot(k).op(LOADS[kind]);
    this.code.memory(more);
    return this;
  }

  /** Stores the value on top into the slot whose address is below it. */
  store(kind: Kind, more = 0): this {
    this.op(STORES[kind]);
    this.code.memory(more);
    return this;
  }

  /** Writes a value into the slot that operand `k` names. */
  write(k: number, kind: Kind, value: () => void): this {
    this.slot(k);
    value();
    return this.store(kind);
  }

  /** Pushes an operand: from the accumulator, or from the slot that operand `k` names. */
  source(accumulated: boolean, k: number, kind: Kind): this {
    if (!accumulated) return this.read(k, kind);
    this.takes = kind;
    if (kind === "f32") return this.get(Local.single);
    if (kind === "f64") return this.get(Local.double);
    this.get(Local.accumulator);
    return kind === "i32" ? this.op(0xa7) : this; // i32.wrap_i64
  }

  /** Puts a value into the accumulator and, unless only that is wanted, into the slot of operand 1. */
  result(kind: Kind, only: boolean, value: () => void): this {
    this.leaves = kind;
    if (!only) this.slot(1);
    value();
    if (kind === "f32" || kind === "f64") {
      const local = kind === "f32" ? Local.single : Local.double;
      return only ? this.set(local) : this.tee(local).store(kind);
    }
    if (kind === "i32") this.op(0xad); // i64.extend_i32_u
    if (only) return this.set(Local.accumulator);
    this.tee(Local.accumulator);
    if (kind === "i64") return this.store(kind);
    this.op(0x3e); // i64.store32
    this.code.memory(0);
    return this;
  }

  /** Loads from a place of the header. */
  header(offset: number): this {
    this.i32(0).op(0x28);
    this.code.memory(offset);
    return this;
  }

  /** Stores into a place of the header. */
  setHeader(offset: number, value: () => void): this {
    this.i32(0);
    value();
    this.op(0x36);
    this.code.memory(offset);
    return this;
  }

  /** Loads from the guest memory; the address is on the stack. */
  guestLoad(opcode: number): this {
    this.op(opcode);
    this.code.memory(0, GUEST);
    return this;
  }

  /** Stores into the guest memory; address and value are on the stack. */
  guestStore(opcode: number): this {
    this.op(opcode);
    this.code.memory(0, GUEST);
    return this;
  }

  /**
   * Pushes the address of a guest access: the i32 that `base` pushes plus operand `offset`, 33 bits wide
   * so that it cannot wrap. Traps when `bytes` there are not all inside.
   */
  guestAddress(base: () => void, offset: number, bytes: number): this {
    base();
    this.op(0xad).operand(offset).op(0xad, 0x7c);
    return this.inside(bytes);
  }

  /** Pushes the i64 on top as an address; traps when `bytes` there are not all in the guest memory. */
  inside(bytes: number): this {
    this.tee(Local.address).i64(bytes).op(0x7c).get(Local.limit).op(0x56); // i64.add, i64.gt_u
    return this.trapIf(TrapCode.MemoryOutOfBounds).get(Local.address).op(0xa7); // i32.wrap_i64
  }

  /** Runs `then` when the i32 on top is not 0. */
  if(then: () => void): this {
    this.op(0x04, 0x40);
    this.#depth++;
    this.#branches++;
    then();
    this.#branches--;
    this.#depth--;
    return this.op(0x0b);
  }

  /** Traps when the i32 on top is not 0. */
  trapIf(trap: number): this {
    return this.if(() => this.trap(trap));
  }

  /** Traps. */
  trap(trap: number): this {
    return this.setHeader(Header.detail, () => this.i32(trap)).stop(Stop.Trap);
  }

  /** Leaves the loop with the instruction as it stands. */
  stop(reason: number): this {
    this.i32(reason).set(Local.c);
    return this.br(this.#depth + 1);
  }

  /** Leaves the loop when the i32 on top is not 0. */
  stopIf(reason: number): this {
    this.if(() => this.stop(reason));
    return this;
  }

  /** Goes on behind this instruction of `words` words. */
  next(words: number): this {
    if (this.#words === 0) return this;
    if (this.#words > 0) words = this.#words;
    this.get(Local.ip).i32(4 * words).op(0x6a).set(Local.ip);
    return this.br(this.#depth);
  }

  /** Goes on at the address on top. */
  jump(): this {
    this.set(Local.ip);
    return this.br(this.#depth);
  }

  /**
   * Goes on where the operands from `k` on say: address and charge of the way taken when the i32 on
   * top is not 0, then those of the other one. A charge belongs to the `Charge` in front of the
   * address; when it does not fit the slice, that is where the loop stops.
   */
  jumpIf(k: number): this {
    // A branch, which the processor predicts, goes on without waiting for the comparison; selecting would not.
    const way = (word: number) => {
      this.get(Local.ip).op(0x29);
      this.code.memory(4 * word);
      this.tee(Local.pair).op(0xa7).set(Local.ip).get(Local.pair).i64(32).op(0x88, 0xa7).set(Local.b);
    };
    this.op(0x04, 0x40);
    way(this.#word(k));
    this.op(0x05);
    way(this.#word(k) + 2);
    this.op(0x0b).get(Local.b);
    return this.chargeAndGo();
  }

  /** Goes on at `Local.ip`, charging the amount on top, which belongs to the `Charge` in front of it. */
  chargeAndGo(): this {
    this.tee(Local.b).get(Local.fuel).op(0x4b).if(() => {
      this.get(Local.ip).i32(CHARGE_BYTES).op(0x6b).set(Local.ip).stop(Stop.Fuel);
    });
    this.get(Local.fuel).get(Local.b).op(0x6b).set(Local.fuel);
    return this.br(this.#depth);
  }

  /** `br` */
  br(label: number): this {
    this.code.u8(0x0c).u32(label);
    return this;
  }
}
