/**
 * The stack that validation runs on: types of operands, and the open blocks above which operands
 * may be taken. Both are typed arrays that are reused for every function. Code that cannot be
 * reached may take any operand from a block that has none. It reads nothing and knows no operators.
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";
import { MAX_OPERANDS } from "./bounds.ts";
import { EXTERNREF, I32, typeName, type WasmFunctionType } from "./module.ts";

/** An operand of any type, which only code that cannot be reached has. */
export const ANY = 0;

/** Kinds of blocks. */
export const FUNCTION = 0, BLOCK = 1, LOOP = 2, IF = 3, ELSE = 4;

const NO_TYPES = new Uint8Array(0);

/** How to refuse the operator being checked. */
export interface OperatorSite {
  /** Throws an error about the operator. */
  refuse(code: string, reason: string): never;
  /** Throws `TypeMismatch`: the operator expects one thing and finds another. */
  mismatch(expected: string, found: string): never;
}

/**
 * Operands and blocks of one function at a time. A block type is a number: an index into the type
 * section, or, counted from the end of it, 0 for no types at all and 1 + (type − EXTERNREF) for one
 * result of a value type.
 */
export class OperandStack {
  readonly #reader: Reader;
  readonly #site: OperatorSite;
  /** Parameters and results by block type. */
  readonly #params: Uint8Array[] = [];
  readonly #results: Uint8Array[] = [];

  /**
   * Operand types. The capacity is always above height + bytes left in the body: an operator has at
   * least one byte, so pushing one value for it needs no check.
   */
  #types: Uint8Array = new Uint8Array(1024);
  #height = 0;

  // Open blocks, innermost last, and copies of what the innermost one is asked for most.
  #kinds: Uint8Array = new Uint8Array(64);
  #blockTypes: Uint32Array = new Uint32Array(64);
  /** Height at which the operands of the block begin. */
  #bases: Uint32Array = new Uint32Array(64);
  /** 1 when the rest of the block cannot be reached. */
  #deads: Uint8Array = new Uint8Array(64);
  #depth = 0;
  #base = 0;
  #dead = false;

  /** `reader` is asked how many bytes are left. */
  constructor(types: readonly WasmFunctionType[], reader: Reader, site: OperatorSite) {
    this.#reader = reader;
    this.#site = site;
    for (const { params, results } of types) {
      this.#params.push(params);
      this.#results.push(results);
    }
    for (let type = EXTERNREF - 1; type <= I32; type++) {
      this.#params.push(NO_TYPES);
      this.#results.push(type < EXTERNREF ? NO_TYPES : Uint8Array.of(type));
    }
  }

  /** How many blocks are open, the function included. */
  get depth(): number {
    return this.#depth;
  }

  /** Empties the stack and opens the block of a function; the reader stands at its first operator. */
  start(type: number): void {
    this.#height = 0;
    this.#depth = 0;
    this.#reserve(0);
    this.#enter(FUNCTION, type);
  }

  // ── operands ──────────────────────────────────────────────────────────────────────────────────

  /** Makes room for `extra` values now and one for every byte left. */
  #reserve(extra: number): void {
    if (this.#height + extra > MAX_OPERANDS) {
      this.#site.refuse("TooManyOperands", `more than ${MAX_OPERANDS} values on the operand stack`);
    }
    const needed = this.#height + extra + this.#reader.remaining + 1;
    if (needed > this.#types.length) {
      this.#types = grow8(this.#types, Math.max(needed, 2 * this.#types.length));
    }
  }

  /** Pushes one value, at most one for every byte of an operator. */
  push(type: number): void {
    this.#types[this.#height++] = type;
  }

  /** Pushes any number of values. */
  pushAll(types: Uint8Array): void {
    const count = types.length;
    if (count > 1) this.#reserve(count);
    for (let index = 0; index < count; index++) this.#types[this.#height++] = types[index];
  }

  /** Takes a value of any type and gives its type; ANY when it cannot be known. */
  popAny(): number {
    if (this.#height > this.#base) return this.#types[--this.#height];
    if (!this.#dead) this.#site.mismatch("a value", "nothing");
    return ANY;
  }

  /** Takes a value of a type. */
  pop(expected: number): void {
    const top = this.#height - 1;
    if (top >= this.#base) {
      const actual = this.#types[top];
      if (actual !== expected && actual !== ANY) this.#site.mismatch(typeName(expected), typeName(actual));
      this.#height = top;
    } else if (!this.#dead) this.#site.mismatch(typeName(expected), "nothing");
  }

  /** Takes values of these types, the last one from the top. */
  popAll(types: Uint8Array): void {
    for (let index = types.length - 1; index >= 0; index--) this.pop(types[index]);
  }

  /** Checks that values of these types are on top, and leaves them. */
  peekAll(types: Uint8Array): void {
    const height = this.#height;
    this.popAll(types);
    this.#height = height;
  }

  // ── blocks ────────────────────────────────────────────────────────────────────────────────────

  /** Opens a block, or loop or if: its parameters become its first operands. */
  open(kind: number, blockType: number): void {
    const params = this.#params[blockType];
    this.popAll(params);
    this.#enter(kind, blockType);
    this.pushAll(params);
  }

  #enter(kind: number, blockType: number): void {
    const depth = this.#depth;
    if (depth === this.#kinds.length) {
      this.#kinds = grow8(this.#kinds, 2 * depth);
      this.#deads = grow8(this.#deads, 2 * depth);
      this.#blockTypes = grow32(this.#blockTypes, 2 * depth);
      this.#bases = grow32(this.#bases, 2 * depth);
    }
    this.#kinds[depth] = kind;
    this.#blockTypes[depth] = blockType;
    this.#bases[depth] = this.#height;
    this.#deads[depth] = 0;
    this.#depth = depth + 1;
    this.#base = this.#height;
    this.#dead = false;
  }

  /** Takes the results of the innermost block, which must leave nothing else. */
  #leave(): void {
    const results = this.#results[this.#blockTypes[this.#depth - 1]];
    this.popAll(results);
    const more = this.#height - this.#base;
    if (more === 0) return;
    this.#site.refuse(
      "TypeMismatch",
      `type mismatch: a block leaves ${results.length + more} values, its type has ${results.length}`,
    );
  }

  /** Ends the innermost block; its results become operands of the one around it. */
  end(): void {
    this.#leave();
    const block = --this.#depth;
    const blockType = this.#blockTypes[block];
    if (this.#kinds[block] === IF && !sameTypes(this.#params[blockType], this.#results[blockType])) {
      this.#site.refuse("TypeMismatch", "type mismatch: an if without else must leave what it takes");
    }
    if (block === 0) return;
    this.#base = this.#bases[block - 1];
    this.#dead = this.#deads[block - 1] === 1;
    this.pushAll(this.#results[blockType]);
  }

  /** Ends the first arm of an if and starts the second. */
  else(): void {
    const block = this.#depth - 1;
    if (this.#kinds[block] !== IF) this.#site.refuse("UnexpectedElse", "an else belongs to no if");
    this.#leave();
    this.#kinds[block] = ELSE;
    this.#deads[block] = 0;
    this.#dead = false;
    this.pushAll(this.#params[this.#blockTypes[block]]);
  }

  /** The rest of the innermost block cannot be reached. */
  unreachable(): void {
    this.#height = this.#base;
    this.#dead = true;
    this.#deads[this.#depth - 1] = 1;
  }

  /** What a branch carries to a block, which is numbered from the outermost, 0. */
  labelTypes(block: number): Uint8Array {
    const types = this.#kinds[block] === LOOP ? this.#params : this.#results;
    return types[this.#blockTypes[block]];
  }

  /** Results of the function. */
  functionResults(): Uint8Array {
    return this.#results[this.#blockTypes[0]];
  }
}

/** Whether two lists of types are equal. */
export function sameTypes(one: Uint8Array, other: Uint8Array): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) {
    if (one[index] !== other[index]) return false;
  }
  return true;
}

function grow8(array: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(array);
  return larger;
}

function grow32(array: Uint32Array, length: number): Uint32Array {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}
