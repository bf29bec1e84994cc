/**
 * The table of lowered operations: name, operands, and what each does, as WebAssembly. The position
 * of a row is the number in Program. A slot operand is a byte offset from fp, negative for
 * parameters; `d` is where the result goes; "64" marks values of two slots, low word first.
 *
 * Letters at the end of a name say where the operands are: `R` in a slot, `I` a constant in the
 * instruction, `A` in the accumulator, where the instruction before has left its result; `C` is a
 * constant address. A name with `.A` behind it leaves its result only there. Operands that are in the
 * accumulator or not wanted keep their word and have a `*` behind their name.
 *
 * This file and those it takes its rows from only serve to emit the loop: running needs `loop_bytes.ts`,
 * which `tools/generate_loop.ts` makes of them.
 *
 * @module
 */

import { controlRows } from "./control_handlers.ts";
import type { HandlerEmitter } from "./emit.ts";
import { floatRows } from "./float_handlers.ts";
import { fusedRows } from "./fused_handlers.ts";
import { integerRows } from "./integer_handlers.ts";
import { memoryRows } from "./memory_handlers.ts";

/** A row of the table. */
export interface Handler {
  /** Name, unique. */
  readonly name: string;
  /** Names of the operand words. */
  readonly operands: readonly string[];
  /** What it is with the operand from the accumulator in a slot, or "". */
  readonly of: string;
  /** What it is with its operands the other way around, that from the accumulator in a slot, or "". */
  readonly exchanged: string;
  /** Emits the body, which must end by going somewhere. */
  emit(h: HandlerEmitter, words: number): void;
}

/**
 * Adds a row: name, operands separated by blanks, body, and for one that takes an operand from the
 * accumulator what it stands for.
 */
export type AddRow = (
  name: string,
  operands: string,
  emit: (h: HandlerEmitter, words: number) => void,
  of?: string,
  exchanged?: string,
) => void;

const rows: Handler[] = [];

for (const add of [integerRows, memoryRows, floatRows, controlRows]) {
  add((name, operands, emit, of = "", exchanged = "") => {
    rows.push({ name, operands: operands.split(" ").filter((text) => text !== ""), of, exchanged, emit });
  });
}

fusedRows((name, operands, emit) => {
  rows.push({
    name,
    operands: operands.split(" ").filter((text) => text !== ""),
    of: "",
    exchanged: "",
    emit,
  });
}, rows);

/** The handlers, by number. */
export const HANDLERS: readonly Handler[] = rows;

/** Numbers by name; where nothing is emitted, those of `instructions.ts` are at hand. */
export const HANDLER: { readonly [name: string]: number } = Object.freeze(
  Object.fromEntries(rows.map(({ name }, number) => [name, number])),
);
