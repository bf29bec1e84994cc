/**
 * The state of the function under translation: operand stack, control frames, reachability and the
 * open fuel region, with the moves that several operators share (charges, shuffles, branches).
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";
import { CompileError } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import { slotsOfByte, type ValidWasm } from "../wasm/module.ts";
import type { SegmentPlace } from "./bulk.ts";
import type { ResolvedConfig } from "./config.ts";
import { ControlStack, LOOP } from "./control.ts";
import type { Emitter } from "./emitter.ts";
import type { CompiledIntrinsic } from "./imports.ts";
import { OperandStack } from "./stack.ts";

/** What all bodies of a module share. */
export interface ModuleContext {
  /** The module. */
  readonly module: ValidWasm;
  /** Cursor over its bytes. */
  readonly reader: Reader;
  /** Every option decided. */
  readonly config: ResolvedConfig;
  /** Where instructions go. */
  readonly code: Emitter;
  /** Canonical signature of each type index. */
  readonly signatures: Uint32Array;
  /** Intrinsic of each imported function, or undefined. */
  readonly intrinsics: readonly (CompiledIntrinsic | undefined)[];
  /** Places of the data segments. */
  readonly dataPlaces: readonly SegmentPlace[];
  /** Places of the element segments. */
  readonly elementPlaces: readonly SegmentPlace[];
  /** Function number of a snippet, which this puts on the list of snippets to emit. */
  snippet(id: number): number;
}

/** No region is open for charges: the next charge opens one where it stands. */
const NO_REGION = -1;

/** Slots that values of the given type bytes take. */
export function slotsOfTypes(types: Uint8Array): number {
  let slots = 0;
  for (let k = 0; k < types.length; k++) slots += slotsOfByte(types[k]);
  return slots;
}

/** One function under translation; one object serves all functions of a module. */
export class Translation {
  /** What all functions share. */
  readonly context: ModuleContext;
  /** The module. */
  readonly module: ValidWasm;
  /** Cursor, behind what has been translated. */
  readonly reader: Reader;
  /** Every option decided. */
  readonly config: ResolvedConfig;
  /** Where instructions go. */
  readonly code: Emitter;
  /** Operands, with the slots of the locals below them. */
  readonly stack = new OperandStack();
  /** Open frames. */
  readonly control = new ControlStack();
  /** Slots of the parameters. */
  paramSlots = 0;
  /** Whether control can get here; what cannot be reached is neither emitted nor charged. */
  reachable = true;
  /** Wasm index of the function. */
  functionIndex = 0;
  /** ConsumeFuel instruction of the current region. */
  #region = NO_REGION;

  /** Prepares for the functions of one module. */
  constructor(context: ModuleContext) {
    this.context = context;
    this.module = context.module;
    this.reader = context.reader;
    this.config = context.config;
    this.code = context.code;
  }

  /** Adds to the current region, whose charge is emitted at the first operator that costs anything. */
  charge(amount: number): void {
    if (amount === 0 || !this.config.fuel) return;
    const code = this.code;
    if (this.#region === NO_REGION) {
      this.#region = code.emit(Op.ConsumeFuel, amount);
      return;
    }
    const sum = (code.immediates[this.#region] >>> 0) + amount;
    if (sum > 0xffff_ffff) {
      throw new CompileError(
        "BlockFuelOutOfBounds",
        `Cannot compile function ${this.functionIndex}: a region costs more than 2^32 - 1 fuel`,
        { offset: code.wasmOffset },
      );
    }
    code.immediates[this.#region] = sum | 0;
  }

  /** Ends the current region; what follows is charged where it stands. */
  newRegion(): void {
    this.#region = NO_REGION;
  }

  /** Emits a trap that the operator always ends in. */
  trap(trap: number): void {
    this.code.emit(Op.Trap, trap);
    this.reachable = false;
  }

  /** Pops operands of the model; no code. */
  drop(operands: number): void {
    for (let n = 0; n < operands; n++) this.stack.pop();
  }

  /** Pushes operands of the given type bytes; no code. */
  pushTypes(types: Uint8Array): void {
    for (let k = 0; k < types.length; k++) this.stack.push(slotsOfByte(types[k]));
  }

  /** Slots a branch to the frame has to remove below the ones it keeps. */
  dropOf(frame: number): number {
    const drop = this.stack.height - this.control.baseHeight(frame) - this.control.keep(frame);
    // A branch to the body is a return: parameters and locals go as well.
    return frame === 0 ? this.stack.height - this.control.keep(0) + this.paramSlots : drop;
  }

  /** Moves the top `keep` slots down over the `drop` slots below them. */
  dropKeep(drop: number, keep: number): void {
    const code = this.code;
    if (drop === 0) return;
    if (drop >= keep) {
      for (let n = 0; n < keep; n++) code.emit(Op.LocalSet, drop);
      if (drop - keep === 1) code.emit(Op.Drop);
      else if (drop > keep) code.emit(Op.BulkDrop, drop - keep);
    } else {
      this.stack.reserve(1);
      for (let n = 0; n < keep; n++) {
        code.emit(Op.LocalGet, keep - n);
        code.emit(Op.LocalSet, keep + drop - n);
      }
      if (drop === 1) code.emit(Op.Drop);
      else code.emit(Op.BulkDrop, drop);
    }
  }

  /** An unconditional branch: the shuffle, then `Br` or `Return`. */
  branch(frame: number): void {
    const control = this.control, code = this.code;
    control.markBranched(frame);
    this.dropKeep(this.dropOf(frame), control.keep(frame));
    if (frame === 0) code.emit(Op.Return);
    else this.branchTo(Op.Br, frame);
  }

  /** Emits a branch to a frame that needs no shuffle. */
  branchTo(op: number, frame: number): void {
    const control = this.control, code = this.code;
    if (control.kind(frame) === LOOP) code.emitBranchTo(op, control.label(frame));
    else control.setLabel(frame, code.emitChained(op, control.label(frame)));
  }

  /** Leaves the function with the results on top of the stack. */
  returnFromFunction(): void {
    this.branch(0);
    this.reachable = false;
  }
}
