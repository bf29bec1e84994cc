/**
 * Translates calls, tail calls and returns: arguments and results as single values, place and fuel
 * behind them, and for indirect calls the look at table, target and signature. A call that cannot be
 * made from compiled code leaves for the interpreter.
 *
 * @module
 */

import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { lengthOf } from "./flow.ts";
import { type Frame, width } from "./frame.ts";
import type { Instructions } from "./instructions.ts";
import { DEPTH_BITS, Import, Reason, STATE, TABLES } from "./layout.ts";
import type { Shape, Signatures } from "./signatures.ts";
import type { Slots } from "./slots.ts";

/** What the functions of a module are translated for. */
export interface Surroundings {
  /** Function index of a callee. */
  indexOf(number: number): number;
  /** Function index of what saves the frame of a function. */
  saverOf(number: number): number;
  /** Type index of a shape. */
  typeOf(shape: Shape): number;
}

/** Translates the calls of the functions of a module. */
export class Calls {
  /** Where the functions come to be. */
  surroundings!: Surroundings;
  readonly #verified: VerifiedModule;
  readonly #signatures: Signatures;
  readonly #frame: Frame;
  readonly #slots: Slots;
  readonly #instructions: Instructions;
  readonly #targets: number;

  /** Translates for a frame; `targets` is the address of what indirect calls go to. */
  constructor(
    verified: VerifiedModule,
    signatures: Signatures,
    frame: Frame,
    instructions: Instructions,
    targets: number,
  ) {
    this.#verified = verified;
    this.#signatures = signatures;
    this.#frame = frame;
    this.#slots = frame.slots;
    this.#instructions = instructions;
    this.#targets = targets;
  }

  /** Names the topmost slots as arguments. */
  #arguments({ params }: Shape, top: number): number {
    const slots = this.#slots;
    let slot = top;
    for (let k = params.length - 1; k >= 0; k--) slot -= width(params[k]);
    const first = slot;
    params.forEach((type, k) => {
      slots.operandSlots[k] = slot;
      slots.operandTypes[k] = type;
      slot += width(type);
    });
    return first;
  }

  /** Whether a function of a shape can be called with its arguments on top. */
  #callable(shape: Shape | undefined, top: number): shape is Shape {
    return shape !== undefined && shape.compiled && shape.paramSlots <= top;
  }

  /** Pushes place and fuel for a callee whose entry is at a height above the one of this function. */
  #pushPlace(height: number, depth: number): void {
    const slots = this.#slots;
    slots.get(this.#frame.place);
    const more = (height << DEPTH_BITS) + depth;
    if (more !== 0) slots.code.u8(0x41).s32(more).u8(0x6a);
    slots.get(this.#frame.fuel);
  }

  /** A call of a function. */
  call(pc: number, callee: number): void {
    const slots = this.#slots, { code } = slots, shape = this.#signatures.of(callee);
    const height = slots.count - this.#frame.params;
    if (!this.#callable(shape, slots.count)) return this.#leaveAndGoOn(pc);
    const first = this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    slots.flush(first);
    this.#frame.site(pc + 1, Reason.Call, first);
    this.#pushPlace(height, 1);
    this.#frame.mark(pc + 1);
    code.u8(0x10).u32(this.surroundings.indexOf(callee));
    this.#takeResults(shape);
  }

  /** After a call that cannot be made from here: what follows is never reached, but must be well-formed. */
  #leaveAndGoOn(pc: number): void {
    const { heights } = this.#verified, slots = this.#slots;
    const next = pc + lengthOf(this.#verified.module.opcodes[pc]);
    this.#frame.leaveAt(pc);
    if (heights[next] === UNREACHED) return;
    const height = heights[next] + this.#frame.params;
    if (slots.count > height) slots.drop(slots.count - height);
    while (slots.count < height) slots.pushConst(0);
  }

  #takeResults({ results, resultSlots }: Shape): void {
    const slots = this.#slots;
    this.#frame.published = false;
    if (resultSlots < 0) {
      slots.code.u8(0x00);
      return;
    }
    slots.set(this.#frame.fuel);
    for (const type of results) slots.pushResult(type);
  }

  /** Leaves the target of an indirect call in a local, or the function for the interpreter. */
  #target(pc: number): number {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const table = immediates[pc + 1], signature = immediates[pc];
    this.#frame.stopSite(pc, Reason.Leave);
    const local = this.#frame.scratchWide(0), word = this.#frame.scratchWord();
    this.#instructions.element(slots.count - 1, table);
    code.u8(0x28).memory(0, STATE);
    slots.tee(word);
    code.u8(0x41).s32(this.#verified.module.length).u8(0x4f);
    this.#frame.leaveIf();
    const find = () => {
      slots.get(word);
      code.op(0x41, 0x03, 0x74, 0x29).memory(this.#targets, STATE);
    };
    find();
    slots.tee(local);
    code.op(0x50, 0x04, 0x40); // nothing is known of it yet: the host looks
    slots.get(word);
    code.u8(0x10).u32(Import.find);
    find();
    slots.set(local);
    code.u8(0x0b);
    slots.get(local);
    // Its signature is the high word. Where nothing callable is known the low one is 0, and no signature fits.
    code.op(0x42, 32, 0x88, 0xa7, 0x41).s32(~signature).u8(0x47);
    this.#frame.leaveIf();
    slots.drop(1);
    return local;
  }

  /** A call through a table. */
  callIndirect(pc: number): void {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const shape = this.#signatures.ofSignature(immediates[pc]);
    if (!this.#callable(shape, slots.count - 1) || immediates[pc + 1] >= TABLES) {
      return this.#leaveAndGoOn(pc);
    }
    const target = this.#target(pc);
    const height = slots.count - this.#frame.params;
    const first = this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    slots.flush(first);
    this.#frame.site(pc + 2, Reason.Call, first);
    this.#pushPlace(height, 1);
    slots.get(target);
    code.u8(0xa7);
    this.#frame.mark(pc + 2);
    code.u8(0x11).u32(this.surroundings.typeOf(shape)).u32(0);
    this.#takeResults(shape);
  }

  /** A tail call, which ends the function. */
  tailCall(pc: number, op: number): void {
    const slots = this.#slots, { code } = slots, { immediates } = this.#verified.module;
    const indirect = op === Op.ReturnCallIndirect;
    const callee = indirect ? -1 : this.#verified.functionAt(immediates[pc]);
    const shape = indirect ? this.#signatures.ofSignature(immediates[pc]) : this.#signatures.of(callee);
    const top = slots.count - (indirect ? 1 : 0), own = this.#frame.shape;
    // Results must be what this function gives, in the same place.
    const fits = this.#callable(shape, top) && shape.paramSlots === top &&
      shape.resultSlots === own.resultSlots && shape.results.join() === own.results.join() &&
      (!indirect || immediates[pc + 1] < TABLES);
    if (!fits) return this.#frame.leaveAt(pc);
    const target = indirect ? this.#target(pc) : -1;
    const height = slots.count - this.#frame.params;
    this.#arguments(shape, slots.count);
    slots.pushOperands(shape.params.length, true, true);
    this.#frame.countHost(-this.#frame.counted);
    this.#pushPlace(height, 0);
    if (indirect) {
      slots.get(target);
      code.u8(0xa7);
      code.u8(0x13).u32(this.surroundings.typeOf(shape)).u32(0);
    } else code.u8(0x12).u32(this.surroundings.indexOf(callee));
  }

  /** The end of the function. */
  return(): void {
    const slots = this.#slots, { results } = this.#frame.shape;
    let slot = 0;
    results.forEach((type, k) => {
      slots.operandSlots[k] = slot;
      slots.operandTypes[k] = type;
      slot += width(type);
    });
    slots.pushOperands(results.length, true);
    this.#frame.countHost(-this.#frame.counted);
    slots.get(this.#frame.fuel);
    slots.code.u8(0x0f);
  }
}
