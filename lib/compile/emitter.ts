/**
 * The code buffer of one compilation: opcode, immediate and Wasm offset per instruction, in typed
 * arrays that grow, and the branch chains that stand in for labels. It knows no Wasm and no fuel.
 *
 * @module
 */

import { CompileError } from "../error.ts";
import { Op } from "../isa/opcode.ts";

/** A chain without branches. */
export const NO_CHAIN = -1;

/** Instructions of a module under construction. */
export class Emitter {
  /** Dense opcode numbers; the first `length` are meaningful. */
  opcodes: Uint8Array;
  /** Immediates. */
  immediates: Int32Array;
  /** Byte offset in the Wasm module of the operator an instruction belongs to. */
  offsets: Uint32Array;
  /** Instructions so far. */
  length = 0;
  /** Offset given to the instructions that follow. */
  wasmOffset = 0;
  readonly #limit: number;

  /**
   * Reserves room for about `expected` instructions.
   *
   * @param limit most instructions of a module (`Limits.codeLength`)
   */
  constructor(expected: number, limit: number) {
    const capacity = Math.min(Math.max(256, expected), limit);
    this.opcodes = new Uint8Array(capacity);
    this.immediates = new Int32Array(capacity);
    this.offsets = new Uint32Array(capacity);
    this.#limit = limit;
  }

  /**
   * Appends an instruction and says where it is.
   *
   * @throws {CompileError} `CodeSizeExceeded` at the limit.
   */
  emit(op: number, immediate = 0): number {
    const at = this.length;
    if (at === this.opcodes.length) this.#grow();
    this.opcodes[at] = op;
    this.immediates[at] = immediate;
    this.offsets[at] = this.wasmOffset;
    this.length = at + 1;
    return at;
  }

  /**
   * Appends a branch whose target is not known yet. The immediates of a chain's branches hold the
   * position of the branch before, so a label costs one integer and no list.
   *
   * @returns the new head of the chain
   */
  emitChained(op: number, chain: number): number {
    return this.emit(op, chain);
  }

  /** Makes every branch of a chain go to the next instruction. */
  bindChain(chain: number): void {
    let at = chain;
    while (at !== NO_CHAIN) {
      const next = this.immediates[at];
      this.immediates[at] = this.length - at;
      at = next;
    }
  }

  /** Appends a branch to a known instruction. */
  emitBranchTo(op: number, target: number): void {
    this.emit(op, target - this.length);
  }

  /** Makes the branch at `at` go to the next instruction. */
  bind(at: number): void {
    this.immediates[at] = this.length - at;
  }

  /**
   * Replaces function numbers by code indices in every call and reference: a call holds a number k,
   * a `RefFunc` k + 1, because its 0 is the null reference.
   */
  resolveFunctions(starts: Uint32Array): void {
    const { opcodes, immediates, length } = this;
    const call = Op.CallInternal, tailCall = Op.ReturnCallInternal, reference = Op.RefFunc;
    for (let at = 0; at < length; at++) {
      const op = opcodes[at];
      if (op === call || op === tailCall) immediates[at] = starts[immediates[at]];
      else if (op === reference && immediates[at] !== 0) immediates[at] = starts[immediates[at] - 1];
    }
  }

  #grow(): void {
    const capacity = this.opcodes.length;
    if (capacity >= this.#limit) {
      throw new CompileError(
        "CodeSizeExceeded",
        `Cannot compile module: it needs more than ${this.#limit} rWasm instructions`,
        { offset: this.wasmOffset, hint: "raise limits.codeLength" },
      );
    }
    // Half more at a time keeps the peak (old and new array) within the documented memory bound.
    const larger = Math.min(this.#limit, capacity + (capacity >> 1) + 256);
    const opcodes = new Uint8Array(larger),
      immediates = new Int32Array(larger),
      offsets = new Uint32Array(larger);
    opcodes.set(this.opcodes);
    this.opcodes = opcodes;
    immediates.set(this.immediates);
    this.immediates = immediates;
    offsets.set(this.offsets);
    this.offsets = offsets;
  }
}
