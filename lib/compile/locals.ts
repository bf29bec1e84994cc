/**
 * The locals of the function under translation: the slot and width of each, read from the local
 * declarations, and the operators on them.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { slotsOfByte, type WasmFunctionType } from "../wasm/module.ts";
import type { Translation } from "./translation.ts";

/** Parameters and locals, in order; parameters come first. */
export class Locals {
  /** First slot of each local above the frame's start. */
  #slots = new Uint32Array(256);
  /** Slots of each local. */
  #widths = new Uint8Array(256);
  /** Locals declared beside the parameters. */
  declared = 0;
  /** Slots of parameters and locals. */
  slots = 0;

  /** Reads the local declarations at the cursor and sets `paramSlots` of the translation. */
  read(t: Translation, { params }: WasmFunctionType): void {
    const { reader } = t;
    this.declared = this.slots = 0;
    for (let k = 0; k < params.length; k++) this.#add(k, 1, params[k]);
    t.paramSlots = this.slots;
    for (let groups = reader.varU32(); groups > 0; groups--) {
      const size = reader.varU32();
      this.#add(params.length + this.declared, size, reader.u8());
      this.declared += size;
    }
  }

  /** `local.get` */
  get(t: Translation, local: number): void {
    const depth = this.#depthOf(t, local), width = this.#widths[local];
    for (let n = 0; n < width; n++) t.code.emit(Op.LocalGet, depth); // each push moves the next slot there
    t.stack.push(width);
  }

  /** `local.set` */
  set(t: Translation, local: number): void {
    const width = t.stack.pop(), depth = this.#depthOf(t, local);
    for (let n = 0; n < width; n++) t.code.emit(Op.LocalSet, depth);
  }

  /** `local.tee` */
  tee(t: Translation, local: number): void {
    const { code } = t, depth = this.#depthOf(t, local);
    if (this.#widths[local] === 1) {
      code.emit(Op.LocalTee, depth);
      return;
    }
    t.stack.reserve(1);
    code.emit(Op.LocalTee, depth - 1);
    code.emit(Op.LocalGet, 2);
    code.emit(Op.LocalSet, depth);
  }

  /** Depth of the first slot of a local, from the top of the stack as it is now. */
  #depthOf(t: Translation, local: number): number {
    return t.paramSlots + t.stack.height - this.#slots[local];
  }

  #add(first: number, size: number, type: number): void {
    const end = first + size, width = slotsOfByte(type);
    if (end > this.#slots.length) {
      const slots = new Uint32Array(end * 2), widths = new Uint8Array(end * 2);
      slots.set(this.#slots);
      widths.set(this.#widths);
      this.#slots = slots;
      this.#widths = widths;
    }
    this.#widths.fill(width, first, end);
    for (let local = first, slot = this.slots; local < end; local++, slot += width) this.#slots[local] = slot;
    this.slots += size * width;
  }
}
