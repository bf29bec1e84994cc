/**
 * The types of a function's locals, parameters first: kept as runs, because a few bytes can declare
 * 50,000 locals and a module many such functions, with a direct table for the ones in common use.
 *
 * @module
 */

import type { Fail, Reader } from "../bytes/reader.ts";
import { MAX_LOCALS } from "./bounds.ts";
import { readValueType } from "./constant.ts";

/** Locals with an index below this are looked up directly; the others by search in their runs. */
const DIRECT_LOCALS = 1024;

/** The locals of one function at a time; reused for every function. */
export class Locals {
  /** How many there are. */
  count = 0;
  readonly #reader: Reader;
  readonly #fail: Fail;
  readonly #direct = new Uint8Array(DIRECT_LOCALS);
  /** Ends (exclusive) and types of the runs. */
  #runEnds: Uint32Array = new Uint32Array(64);
  #runTypes: Uint8Array = new Uint8Array(64);
  #runs = 0;

  /** Reads declarations and indices from `reader`. */
  constructor(reader: Reader, fail: Fail) {
    this.#reader = reader;
    this.#fail = fail;
  }

  /** Starts a function: takes its parameters and reads its declarations. Fails with `TooManyLocals`. */
  declare(params: Uint8Array): void {
    const reader = this.#reader;
    this.count = 0;
    this.#runs = 0;
    for (let index = 0; index < params.length; index++) this.#declareRun(1, params[index], reader.position);
    for (let left = reader.varU32(); left > 0; left--) {
      const offset = reader.position;
      const count = reader.varU32();
      this.#declareRun(count, readValueType(reader, this.#fail), offset);
    }
  }

  /** Reads a local index and gives the type of the local. Fails with `UnknownLocal`. */
  read(): number {
    const offset = this.#reader.position;
    const index = this.#reader.varU32();
    if (index >= this.count) {
      this.#fail("UnknownLocal", `unknown local ${index}: there are ${this.count}`, offset);
    }
    return index < DIRECT_LOCALS ? this.#direct[index] : this.#search(index);
  }

  #declareRun(count: number, type: number, offset: number): void {
    const first = this.count;
    if (count > MAX_LOCALS - first) {
      this.#fail(
        "TooManyLocals",
        `too many locals: ${first + count} are more than the ${MAX_LOCALS} accepted`,
        offset,
      );
    }
    if (count === 0) return;
    this.count = first + count;
    if (first < DIRECT_LOCALS) this.#direct.fill(type, first, Math.min(first + count, DIRECT_LOCALS));
    const run = this.#runs++;
    if (run === this.#runEnds.length) {
      const ends = new Uint32Array(2 * run), types = new Uint8Array(2 * run);
      ends.set(this.#runEnds);
      types.set(this.#runTypes);
      this.#runEnds = ends;
      this.#runTypes = types;
    }
    this.#runEnds[run] = this.count;
    this.#runTypes[run] = type;
  }

  #search(index: number): number {
    let low = 0, high = this.#runs - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (index < this.#runEnds[middle]) high = middle;
      else low = middle + 1;
    }
    return this.#runTypes[low];
  }
}
