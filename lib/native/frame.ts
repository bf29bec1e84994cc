/**
 * What all parts of a translation write with: the slots of the frame, where it keeps place and fuel,
 * the open labels, and the sites at which it can be left. A site is noted in a local; when the frame is
 * left, from a stop of its own or because a callee was, a saver writes the slots to the value stack.
 *
 * @module
 */

import { CodeWriter } from "../wasm/encode.ts";
import { DEPTH_BITS, Global, Import, Reason, REASON_BITS, STATE } from "./layout.ts";
import type { Shape } from "./signatures.ts";
import { emitCanonical, F32, F64, I32, I64, TYPE_BYTES } from "./locals.ts";
import { Slots } from "./slots.ts";

/** Opcodes that load a value of each type. */
export const LOAD_OPCODES: readonly number[] = [0x28, 0x29, 0x2a, 0x2b];

/** Opcodes that store a value of each type. */
export const STORE_OPCODES: readonly number[] = [0x36, 0x37, 0x38, 0x39];

/** A label that is none of a block of the graph. */
export const NO_BLOCK = -1;

/** Slots of a value. */
export function width(type: number): number {
  return type === I64 || type === F64 ? 2 : 1;
}

/** A function that writes the slots of a frame. */
export interface Saver {
  /** Type bytes of its parameters: site, place, fuel, then the homes. */
  readonly params: readonly number[];
  /** Operators with the last `end`; one local, an i32, is behind the parameters. */
  readonly body: Uint8Array;
}

/** The frame of the function under translation. */
export class Frame {
  /** Its slots. */
  readonly slots: Slots = new Slots();
  /** Number of the function. */
  number = 0;
  /** What it takes and gives. */
  shape!: Shape;
  /** Whether it is resumed, and not called. */
  resumed = false;
  /** Local with the place. */
  place = 0;
  /** Local with the fuel. */
  fuel = 0;
  /** Whether the host knows the fuel. */
  published = false;
  /** Estimated bytes of the frame on the host's stack that are counted; 0 when they are not. */
  counted = 0;
  /** Blocks of the open labels, the outermost first. The first one is where the frame is left. */
  readonly labels: number[] = [];
  /** Code, height and outer return address of each site. */
  readonly sites: number[] = [];
  /** Positions in the code of what may be in a stack trace, pcs, and outer return addresses. */
  readonly marks: number[] = [];
  /** While a callee is translated in the place of its call: the return address; else 0. */
  outer = 0;

  readonly #metered: boolean;
  /** By height at which sites write the frame: its position among these. */
  #positions = new Int32Array(64);
  #site = -1;
  #word = -1;
  readonly #wide: number[] = [];
  readonly #floats: number[] = [];

  /** Prepares for functions; `metered` when the code charges fuel. */
  constructor(metered: boolean) {
    this.#metered = metered;
  }

  /** Begins a function whose parameters and slots are there. */
  begin(number: number, shape: Shape, resumed: boolean): void {
    const { slots } = this;
    this.number = number;
    this.shape = shape;
    this.resumed = resumed;
    this.published = false;
    this.counted = this.outer = 0;
    this.labels.length = this.sites.length = this.marks.length = 0;
    this.#site = this.#word = -1;
    this.#wide.length = this.#floats.length = 0;
    this.place = slots.newLocal(I32);
    this.fuel = slots.newLocal(I32);
  }

  /** The code. */
  get code(): CodeWriter {
    return this.slots.code;
  }

  /** Slots of the parameters: what is above has heights from 0. */
  get params(): number {
    return this.shape.paramSlots;
  }

  /** A local for a word that is used at once. */
  scratchWord(): number {
    return this.#word >= 0 ? this.#word : this.#word = this.slots.newLocal(I32);
  }

  /** One of several locals for 64 bits that are used at once. */
  scratchWide(k: number): number {
    return this.#wide[k] ??= this.slots.newLocal(I64);
  }

  /** A local for a float that is used at once. */
  scratchFloat(type: number): number {
    return this.#floats[type] ??= this.slots.newLocal(type);
  }

  /** Opens a label. */
  open(opcode: number, block: number): void {
    this.code.op(opcode, 0x40);
    this.labels.push(block);
  }

  /** Closes the innermost label. */
  close(): void {
    this.code.u8(0x0b);
    this.labels.pop();
  }

  /** Leaves the frame, at the last site, when the i32 on top is not 0. */
  leaveIf(): void {
    this.code.u8(0x0d).u32(this.labels.length - 1);
  }

  /** Leaves the frame at the last site. */
  leave(): void {
    this.code.u8(0x0c).u32(this.labels.length - 1);
  }

  /** Notes that the next instruction may be in a stack trace. */
  mark(pc: number): void {
    this.marks.push(this.code.length, pc, this.outer);
  }

  /** Makes the fuel known to the host, which a trap of the engine asks for. */
  publish(): void {
    if (this.published || !this.#metered) return;
    this.published = true;
    this.slots.get(this.fuel);
    this.code.u8(0x24).u32(Global.fuel);
  }

  /** From here on the frame stands at a site: the slots below a height are written when it is left. */
  site(pc: number, reason: number, height: number): void {
    if (this.#site < 0) this.#site = this.slots.newLocal(I32);
    this.code.u8(0x41).s32(this.sites.length / 3);
    this.slots.set(this.#site);
    this.sites.push((pc << REASON_BITS) | reason, height, this.outer);
  }

  /** Brings everything home for a stop at an instruction that has done nothing yet. */
  stopSite(pc: number, reason: number): void {
    const { slots } = this;
    slots.spill();
    slots.flush(slots.count);
    this.site(pc, reason, slots.count);
  }

  /** Goes on in the interpreter. */
  leaveAt(pc: number): void {
    this.stopSite(pc, Reason.Leave);
    this.leave();
  }

  /** Charges an amount of the code. */
  charge(pc: number, amount: number): void {
    if (amount < 0) return this.#chargeTooMuch(pc);
    this.stopSite(pc, Reason.Fuel);
    this.#spend(amount);
  }

  /** Above 2^31: no slice holds it, so nothing comes behind it. */
  #chargeTooMuch(pc: number): void {
    this.stopSite(pc, Reason.Huge);
    this.code.op(0x41, 0x01);
    this.leaveIf();
    this.published = false;
  }

  /** Counts a jump where there are no charges. */
  tick(pc: number): void {
    this.stopSite(pc, Reason.Tick);
    this.#spend(1);
  }

  #spend(amount: number): void {
    const { slots, code } = this;
    slots.get(this.fuel);
    code.u8(0x41).s32(amount).u8(0x6b);
    slots.tee(this.fuel);
    code.op(0x41, 0x00, 0x48); // lt_s
    this.leaveIf();
    this.published = false;
  }

  /** Charges the amount on top of the slots. */
  chargeTop(pc: number): void {
    const { slots, code } = this;
    this.stopSite(pc, Reason.Huge);
    slots.get(this.fuel);
    slots.pushValue(slots.count - 1, I32);
    code.u8(0x49);
    this.leaveIf();
    slots.get(this.fuel);
    slots.pushValue(slots.count - 1, I32);
    code.u8(0x6b);
    slots.set(this.fuel);
    slots.drop(1);
    this.published = false;
  }

  /** Counts the bytes of a large frame on the host's stack. */
  countHost(bytes: number): void {
    if (this.counted === 0) return;
    this.code.u8(0x23).u32(Global.host).u8(0x41).s32(bytes).u8(0x6a).u8(0x24).u32(Global.host);
  }

  /** Pushes the address of the lowest slot of the frame. */
  address(): void {
    this.slots.get(this.place);
    pushAddress(this.code, this.params);
  }

  /** Lets the host perform one instruction: operands and results are in the cells of the value stack. */
  step(pc: number, pops: number, pushes: number): void {
    const { slots, code } = this;
    slots.spill();
    const below = slots.count - pops;
    slots.flush(below);
    for (let slot = below; slot < slots.count; slot++) {
      this.address();
      slots.pushValue(slot, I32);
      code.u8(0x36).memory(4 * slot, STATE);
    }
    this.site(pc, Reason.Leave, below);
    slots.drop(pops);
    code.u8(0x41).s32(pc);
    slots.get(this.place);
    slots.get(this.fuel);
    code.u8(0x10).u32(Import.step);
    slots.set(this.fuel);
    this.published = false;
    for (let k = 0; k < pushes; k++) {
      this.address();
      code.u8(0x28).memory(4 * slots.count, STATE);
      slots.pushResult(I32);
    }
  }

  // ── leaving ─────────────────────────────────────────────────────────────────────────────────

  /** Heights at which sites write the frame, ascending. */
  #heights(): number[] {
    const { sites } = this, heights: number[] = [];
    let end = 0;
    for (let k = 1; k < sites.length; k += 3) end = Math.max(end, sites[k] + 1);
    if (this.#positions.length < end) this.#positions = new Int32Array(2 * end);
    const positions = this.#positions.fill(-1, 0, end);
    for (let k = 1; k < sites.length; k += 3) positions[sites[k]] = 0;
    for (let height = 0; height < end; height++) {
      if (positions[height] === 0) positions[height] = heights.push(height) - 1;
    }
    return heights;
  }

  /** By site: its code, the position of its height among all, and the outer return address. */
  siteTable(): Int32Array {
    this.#heights();
    const table = new Int32Array(this.sites);
    for (let k = 1; k < table.length; k += 3) table[k] = this.#positions[table[k]];
    return table;
  }

  /** Ends the function where it is left: with a call of its saver, whose index is asked for. */
  finish(indexOfSaver: () => number): Saver | undefined {
    const { slots, code } = this;
    if (this.sites.length === 0) {
      code.u8(0x00);
      return undefined;
    }
    const params: number[] = [I32, I32, I32], body = new CodeWriter();
    slots.get(this.#site);
    slots.get(this.place);
    slots.get(this.fuel);
    const given = new Map<number, number>();
    const chain = this.#chain((slot, type) => {
      const home = slots.home(slot, type);
      let param = given.get(home);
      if (param === undefined) {
        param = params.push(type) - 1;
        given.set(home, param);
        slots.get(home);
      }
      return param;
    });
    code.u8(0x10).u32(indexOfSaver()).u8(0x00);
    const address = params.length;
    body.u8(0x41).s32(this.resumed ? -1 - this.number : this.number).op(0x20, 0, 0x20, 1, 0x20, 2);
    body.u8(0x10).u32(Import.unwind).op(0x21, 0, 0x20, 1);
    pushAddress(body, this.params);
    body.u8(0x21).u32(address);
    chain(body, address);
    body.op(0x08, 0x00, 0x0b); // throw
    return { params: params.map((type) => TYPE_BYTES[type]), body: body.finish() };
  }

  /**
   * What writes the slots below the height whose position is in local 0. Heights follow each other, the
   * greatest first; those that split a pair stand alone.
   */
  #chain(param: (slot: number, type: number) => number): (body: CodeWriter, address: number) => void {
    const { slots } = this, heights = this.#heights();
    const splits = (height: number) => slots.splits(height);
    const whole = heights.filter((height) => !splits(height)), odd = heights.filter(splits);
    const places = [...whole, ...odd];
    const stores = places.map((height, k) => {
      const below = splits(height) || k === 0 ? 0 : places[k - 1],
        list: [slot: number, type: number, from: number][] = [];
      for (let slot = below; slot < height; slot++) {
        const type = slots.homeType(slot, height);
        if (type >= 0) list.push([slot, type, param(slot, type)]);
      }
      return list;
    });
    return (body, address) => {
      for (let k = 0; k <= places.length; k++) body.op(0x02, 0x40);
      body.op(0x20, 0, 0x0e).u32(heights.length - 1);
      for (const height of heights) body.u32(places.length - 1 - places.indexOf(height));
      for (let k = places.length - 1; k >= 0; k--) {
        body.u8(0x0b);
        for (const [slot, type, from] of stores[k]) {
          body.u8(0x20).u32(address).u8(0x20).u32(from);
          // What comes in is not needed any more.
          if ((type === F32 || type === F64) && slots.isLooseHome(slot, type)) {
            emitCanonical(body, type, from);
          }
          body.u8(STORE_OPCODES[type]).memory(4 * slot, STATE);
        }
        if (splits(places[k])) body.u8(0x0c).u32(k);
      }
      body.u8(0x0b);
    };
  }
}

/** Turns the place on top into the address of the lowest slot of its frame. */
export function pushAddress(code: CodeWriter, params: number): void {
  code.op(0x41, DEPTH_BITS - 2, 0x76, 0x41).s32(-4).op(0x71, 0x23).u32(Global.base).u8(0x6a);
  if (params > 0) code.u8(0x41).s32(4 * params).u8(0x6b);
}
