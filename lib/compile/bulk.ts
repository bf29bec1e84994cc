/**
 * Operations whose cost depends on an operand: memory and table growth, copy, fill and init. Each
 * has its checks before the charge, the charge, then the operation, in the reference's order,
 * because fuel is visible on every path. All need 2 temporary slots at most.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import type { Emitter } from "./emitter.ts";
import { emitByteCharge, emitElementCharge, emitPageCharge } from "./fuel.ts";

/** Position and length of a segment in its section of the compiled module. */
export interface SegmentPlace {
  /** First byte or element. */
  readonly at: number;
  /** Bytes or elements; 0 for declarative element segments. */
  readonly length: number;
}

/**
 * delta → old pages or −1. A size + delta above `max` (signed, as in the reference: a huge delta
 * passes and is refused by the machine) is refused without charge.
 */
export function emitMemoryGrow(code: Emitter, max: number, charged: boolean): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.MemorySize);
  code.emit(Op.I32Add);
  code.emit(Op.I32Const, max);
  code.emit(Op.I32GtS);
  code.emit(Op.BrIfEqz, 4);
  code.emit(Op.Drop);
  code.emit(Op.I32Const, -1);
  const refused = code.emit(Op.Br);
  if (charged) emitPageCharge(code);
  code.emit(Op.MemoryGrow);
  code.bind(refused);
}

/** `memory.fill` and `memory.copy`: charged before their bounds are checked. */
export function emitMemoryBulk(code: Emitter, op: number, charged: boolean): void {
  if (charged) emitByteCharge(code);
  code.emit(op);
}

/** `table.fill` and `table.copy`: charged before their bounds are checked. */
export function emitTableBulk(code: Emitter, op: number, immediate: number, charged: boolean): void {
  if (charged) emitElementCharge(code);
  code.emit(op, immediate);
}

/** destination source length →; copies from data segment `segment`. */
export function emitMemoryInit(code: Emitter, segment: number, place: SegmentPlace, charged: boolean): void {
  emitSourceCheck(code, place.length, TrapCode.MemoryOutOfBounds);
  if (charged) emitByteCharge(code);
  emitRebase(code, place.at);
  code.emit(Op.MemoryInit, segment + 1);
}

/** destination source length →; copies from element segment `segment` to `table`. */
export function emitTableInit(
  code: Emitter,
  segment: number,
  table: number,
  place: SegmentPlace,
  charged: boolean,
): void {
  emitSourceCheck(code, place.length, TrapCode.TableOutOfBounds);
  if (charged) emitElementCharge(code);
  emitRebase(code, place.at);
  code.emit(Op.TableInit, segment + 1);
  code.emit(Op.TableGet, table);
}

/** init delta → old size or −1; a size above `max` is refused without charge. */
export function emitTableGrow(code: Emitter, table: number, max: number, charged: boolean): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.I32Const, max);
  code.emit(Op.I32GtU);
  const tooMany = code.emit(Op.BrIfNez);
  code.emit(Op.LocalGet, 1);
  code.emit(Op.TableSize, table);
  code.emit(Op.I32Add);
  code.emit(Op.I32Const, max);
  code.emit(Op.I32GtU);
  const fits = code.emit(Op.BrIfEqz);
  code.bind(tooMany);
  code.emit(Op.BulkDrop, 2);
  code.emit(Op.I32Const, -1);
  const refused = code.emit(Op.Br);
  code.bind(fits);
  if (charged) emitElementCharge(code);
  code.emit(Op.TableGrow, table);
  code.bind(refused);
}

/** Traps when source > size or length > size − source: the machine only knows the whole section. */
function emitSourceCheck(code: Emitter, size: number, trap: number): void {
  code.emit(Op.LocalGet, 2);
  code.emit(Op.I32Const, size);
  code.emit(Op.I32GtU);
  code.emit(Op.BrIfEqz, 2);
  code.emit(Op.Trap, trap);
  code.emit(Op.I32Const, size);
  code.emit(Op.LocalGet, 3);
  code.emit(Op.I32Sub);
  code.emit(Op.LocalGet, 2);
  code.emit(Op.I32LtU);
  code.emit(Op.BrIfEqz, 2);
  code.emit(Op.Trap, trap);
}

/**
 * Adds the segment's place to the source, except when source and length are 0: that is legal even
 * for a dropped segment, whose section counts as empty.
 */
function emitRebase(code: Emitter, at: number): void {
  if (at === 0) return;
  code.emit(Op.LocalGet, 1);
  code.emit(Op.LocalGet, 3);
  code.emit(Op.I32Or);
  code.emit(Op.BrIfEqz, 5);
  code.emit(Op.LocalGet, 2);
  code.emit(Op.I32Const, at | 0);
  code.emit(Op.I32Add);
  code.emit(Op.LocalSet, 2);
}
