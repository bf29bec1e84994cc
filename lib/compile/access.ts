/**
 * Operators on memory and tables: loads and stores with their static bounds check, growth, bulk
 * operations and segment drops.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import { PAGE_BYTES } from "../limits.ts";
import { I64, slotsOfByte } from "../wasm/module.ts";
import {
  emitMemoryBulk,
  emitMemoryGrow,
  emitMemoryInit,
  emitTableBulk,
  emitTableGrow,
  emitTableInit,
} from "./bulk.ts";
import { emitLoad64, emitNarrowLoad64, emitStore64 } from "./i64.ts";
import { FLOAT_OPERATOR, MEMORY_ACCESS, type MemoryAccess } from "./operators.ts";
import type { Translation } from "./translation.ts";

/** Pages a 32-bit address reaches; the bound of a memory without a declared maximum. */
const ADDRESSABLE_PAGES = 65_536;

/** A load or store. One that no size of the memory can satisfy is a trap, charged like any other. */
export function access(t: Translation, opcode: number): void {
  const access = MEMORY_ACCESS[opcode - 0x28];
  t.reader.varU32(); // alignment is a hint
  const offset = t.reader.varU32();
  if (t.config.trapFloats && FLOAT_OPERATOR[opcode] !== 0) return t.trap(TrapCode.IllegalOpcode);
  if (offset + access.bytes > memoryBytes(t)) return t.trap(TrapCode.MemoryOutOfBounds);
  t.stack.reserve(access.peak);
  if (access.store) store(t, access, offset);
  else load(t, access, offset);
}

function load(t: Translation, access: MemoryAccess, offset: number): void {
  if (access.type !== I64) t.code.emit(access.op, offset | 0);
  else if (access.bytes === 8) emitLoad64(t.code, offset);
  else emitNarrowLoad64(t.code, access.op, access.signed, offset);
  t.stack.pop();
  t.stack.push(slotsOfByte(access.type));
}

function store(t: Translation, access: MemoryAccess, offset: number): void {
  if (access.type !== I64) t.code.emit(access.op, offset | 0);
  else if (access.bytes === 8) emitStore64(t.code, offset);
  else {
    t.code.emit(Op.Drop);
    t.code.emit(access.op, offset | 0);
  }
  t.drop(2);
}

/** Growth, bulk operations and segment drops. */
export function bulkOperator(t: Translation, opcode: number): void {
  const reader = t.reader, code = t.code, stack = t.stack, charged = t.config.bulkFuel;
  const { dataPlaces, elementPlaces } = t.context;
  if (opcode !== 0x109 && opcode !== 0x10d && opcode !== 0x110) stack.reserve(2);
  switch (opcode) {
    case 0x40: // memory.grow
      reader.u8();
      return emitMemoryGrow(code, memoryGrowMax(t), charged);
    case 0x108: { // memory.init
      const segment = reader.varU32();
      reader.u8();
      emitMemoryInit(code, segment, dataPlaces[segment], charged);
      return t.drop(3);
    }
    case 0x109: // data.drop
      code.emit(Op.DataDrop, reader.varU32() + 1);
      return;
    case 0x10a: // memory.copy
      reader.skip(2);
      emitMemoryBulk(code, Op.MemoryCopy, charged);
      return t.drop(3);
    case 0x10b: // memory.fill
      reader.skip(1);
      emitMemoryBulk(code, Op.MemoryFill, charged);
      return t.drop(3);
    case 0x10c: { // table.init
      const segment = reader.varU32();
      emitTableInit(code, segment, reader.varU32(), elementPlaces[segment], charged);
      return t.drop(3);
    }
    case 0x10d: // elem.drop
      code.emit(Op.ElemDrop, reader.varU32() + 1);
      return;
    case 0x10e: { // table.copy
      const destination = reader.varU32();
      emitTableBulk(code, Op.TableCopy, destination << 16 | reader.varU32(), charged);
      return t.drop(3);
    }
    case 0x10f: { // table.grow
      const table = reader.varU32();
      emitTableGrow(code, table, tableGrowMax(t, table), charged);
      stack.pop();
      return;
    }
    case 0x110: // table.size
      code.emit(Op.TableSize, reader.varU32());
      return stack.push(1);
    case 0x111: // table.fill
      emitTableBulk(code, Op.TableFill, reader.varU32(), charged);
      return t.drop(3);
    default:
      throw new Error(`operator 0x${opcode.toString(16)} has no translation`); // a bug: validation knows the set
  }
}

function memoryGrowMax(t: Translation): number {
  const cap = t.config.limits.memoryPages;
  return Math.min(t.module.memories[0].max ?? cap, cap);
}

function tableGrowMax(t: Translation, table: number): number {
  const cap = t.config.limits.tableElements;
  return Math.min(t.module.tables[table].max ?? cap, cap);
}

/** Bytes the memory may grow to as far as the module declares it; the limits play no part here. */
function memoryBytes(t: Translation): number {
  return (t.module.memories[0].max ?? ADDRESSABLE_PAGES) * PAGE_BYTES;
}
