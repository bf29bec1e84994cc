/**
 * A small assembler for straight pieces of rWasm with names for stack slots, so that the i64
 * functions can be written and read as arithmetic. It counts the stack and refuses a piece that
 * needs more slots than it declares.
 *
 * @module
 */

import { Op, type OpName, POPS, PUSHES } from "../isa/opcode.ts";

/** An expression: a slot by name, a constant, or an operation over expressions. */
export type Expression = string | number | readonly [OpName, ...Expression[]];

/** A finished piece: relative branches, and calls of other snippets by number. */
export interface Piece {
  /** Dense opcodes. */
  readonly opcodes: Uint8Array;
  /** Immediates; a `CallInternal` holds a snippet number. */
  readonly immediates: Int32Array;
}

/** Writes one piece. Slots are named from the bottom; the arguments come first. */
export class PieceBuilder {
  readonly #opcodes: number[] = [];
  readonly #immediates: number[] = [];
  readonly #slots: (string | undefined)[];
  readonly #maxHeight: number;
  readonly #labels = new Map<string, number>();
  readonly #branches: { at: number; label: string }[] = [];

  /**
   * Starts with the arguments on the stack.
   *
   * @param height slots the piece may use above its arguments
   */
  constructor(args: readonly string[], height: number) {
    this.#slots = [...args];
    this.#maxHeight = args.length + height;
  }

  /** Appends one instruction whose stack effect the opcode table tells. */
  op(name: OpName, immediate = 0): this {
    const op = Op[name];
    for (let n = POPS[op]; n > 0; n--) this.#pop();
    for (let n = PUSHES[op]; n > 0; n--) this.#push();
    return this.#emit(op, immediate);
  }

  /** Pushes the value of an expression. */
  push(expression: Expression): this {
    if (typeof expression === "number") return this.op("I32Const", expression | 0);
    if (typeof expression === "string") return this.op("LocalGet", this.#depth(expression));
    const [name, ...operands] = expression;
    for (const operand of operands) this.push(operand);
    return this.op(name);
  }

  /** Pushes a value and gives its slot a name. */
  let(name: string, expression: Expression): this {
    return this.push(expression).names(name);
  }

  /** Names the slots on top of the stack; the last name is the top. */
  names(...names: string[]): this {
    names.forEach((name, index) => this.#slots[this.#slots.length - names.length + index] = name);
    return this;
  }

  /** Assigns a value to a named slot. */
  set(name: string, expression: Expression): this {
    return this.push(expression).store(name);
  }

  /** Pops the top into a named slot. */
  store(name: string): this {
    this.#pop();
    return this.#emit(Op.LocalSet, this.#depth(name));
  }

  /** Drops `count` slots. */
  drop(count = 1): this {
    for (let n = 0; n < count; n++) this.#pop();
    return count === 1 ? this.#emit(Op.Drop, 0) : this.#emit(Op.BulkDrop, count);
  }

  /** Branches to a label, forward or backward. The stack must have the same height there. */
  br(label: string): this {
    this.#branches.push({ at: this.#opcodes.length, label });
    return this.#emit(Op.Br, 0);
  }

  /** Branches when the value is not 0. */
  brIfNez(label: string, condition: Expression): this {
    return this.#branch("BrIfNez", label, condition);
  }

  /** Branches when the value is 0. */
  brIfEqz(label: string, condition: Expression): this {
    return this.#branch("BrIfEqz", label, condition);
  }

  /** The stack as it is now, for a label that other code reaches with it. */
  slots(): (string | undefined)[] {
    return [...this.#slots];
  }

  /** Places a label here; `slots` names the stack when control only comes from elsewhere. */
  label(name: string, slots?: readonly (string | undefined)[]): this {
    if (slots !== undefined) this.#slots.splice(0, this.#slots.length, ...slots);
    this.#labels.set(name, this.#opcodes.length);
    return this;
  }

  /** Calls another snippet that pops `pops` slots and pushes the named ones. */
  call(snippet: number, pops: number, ...results: string[]): this {
    for (let n = 0; n < pops; n++) this.#pop();
    results.forEach((name) => {
      this.#push();
      this.names(name);
    });
    return this.#emit(Op.CallInternal, snippet);
  }

  /** Resolves the labels. */
  finish(): Piece {
    for (const { at, label } of this.#branches) this.#immediates[at] = this.#labels.get(label)! - at;
    return { opcodes: Uint8Array.from(this.#opcodes), immediates: Int32Array.from(this.#immediates) };
  }

  #branch(name: "BrIfNez" | "BrIfEqz", label: string, condition: Expression): this {
    this.push(condition);
    this.#branches.push({ at: this.#opcodes.length, label });
    return this.op(name);
  }

  #emit(op: number, immediate: number): this {
    this.#opcodes.push(op);
    this.#immediates.push(immediate);
    return this;
  }

  #push(): void {
    this.#slots.push(undefined);
    if (this.#slots.length > this.#maxHeight) {
      throw new Error(`snippet needs more than ${this.#maxHeight} slots`);
    }
  }

  #pop(): void {
    if (this.#slots.length === 0) throw new Error("snippet pops an empty stack");
    this.#slots.pop();
  }

  /** Depth of a slot, the top counting as 1. */
  #depth(name: string): number {
    const index = this.#slots.lastIndexOf(name);
    if (index < 0) throw new Error(`snippet has no slot ${name}`);
    return this.#slots.length - index;
  }
}
