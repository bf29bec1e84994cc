/**
 * The plain loop: runs a machine one rWasm instruction at a time until something outside of it must
 * decide. It is the definition of the machine, safe for any code that decodes: a wild pc, a stack
 * that is too short and an unknown opcode are traps. It allocates nothing per instruction, throws
 * nothing, calls no host function, and knows neither the store nor outcomes.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import * as numeric from "../isa/numeric.ts";
import { POPS, PUSHES } from "../isa/opcode.ts";
import { BULK_CONST_MAX, MAX_SEGMENT_INDEX } from "../limits.ts";
import type { Machine } from "./machine.ts";

/** Why the loop stopped. */
export enum Exit {
  /** Return with an empty call stack. */
  Done,
  /** A trap; `machine.trap` says which, `machine.pc` where; the instruction had no effect. */
  Trap,
  /** The charge at `machine.pc` does not fit the fuel slice; nothing is charged or popped yet. */
  Fuel,
  /** A syscall at `machine.pc`; its arguments are on the stack. */
  Syscall,
  /** `machine.pc` is outside of the range to run, and inside of the code. */
  Left,
  /** A jump or call at `machine.pc` that would be one more than `machine.mostUncharged` since the last charge. */
  Uncharged,
}

/**
 * The opcodes, in the order of the table in `isa/opcode.ts` (a test compares them). They are here a
 * second time because V8 makes a jump table of the switch below only from constants of this file.
 */
// deno-fmt-ignore
export const enum Op {
  Unreachable, Trap, LocalGet, LocalSet, LocalTee, Br, BrIfEqz, BrIfNez, BrTable, ConsumeFuel,
  ConsumeFuelStack, Return, ReturnCallInternal, ReturnCall, ReturnCallIndirect, CallInternal, Call,
  CallIndirect, SignatureCheck, StackCheck, RefFunc, I32Const, Drop, Select, GlobalGet, GlobalSet,
  I32Load, I32Load8S, I32Load8U, I32Load16S, I32Load16U, I32Store, I32Store8, I32Store16, MemorySize,
  MemoryGrow, MemoryFill, MemoryCopy, MemoryInit, DataDrop, TableSize, TableGrow, TableFill,
  TableGet, TableSet, TableCopy, TableInit, ElemDrop, I32Eqz, I32Eq, I32Ne, I32LtS, I32LtU, I32GtS,
  I32GtU, I32LeS, I32LeU, I32GeS, I32GeU, I32Clz, I32Ctz, I32Popcnt, I32Add, I32Sub, I32Mul, I32DivS,
  I32DivU, I32RemS, I32RemU, I32And, I32Or, I32Xor, I32Shl, I32ShrS, I32ShrU, I32Rotl, I32Rotr,
  I32WrapI64, I32Extend8S, I32Extend16S, I32Mul64, I32Add64, BulkConst, BulkDrop, I32And64, I32Or64,
  I32Xor64, I32Sub64, I64Const32S, I64Const32U, I64Add128, I64Sub128, I64MulWideS, I64MulWideU,
  F32Load, F64Load, F32Store, F64Store, F32Eq, F32Ne, F32Lt, F32Gt, F32Le, F32Ge, F64Eq, F64Ne,
  F64Lt, F64Gt, F64Le, F64Ge, F32Abs, F32Neg, F32Ceil, F32Floor, F32Trunc, F32Nearest, F32Sqrt,
  F32Add, F32Sub, F32Mul, F32Div, F32Min, F32Max, F32Copysign, F64Abs, F64Neg, F64Ceil, F64Floor,
  F64Trunc, F64Nearest, F64Sqrt, F64Add, F64Sub, F64Mul, F64Div, F64Min, F64Max, F64Copysign,
  I32TruncF32S, I32TruncF32U, I32TruncF64S, I32TruncF64U, I64TruncF32S, I64TruncF32U, I64TruncF64S,
  I64TruncF64U, F32ConvertI32S, F32ConvertI32U, F32ConvertI64S, F32ConvertI64U, F32DemoteF64,
  F64ConvertI32S, F64ConvertI32U, F64ConvertI64S, F64ConvertI64U, F64PromoteF32, I32TruncSatF32S,
  I32TruncSatF32U, I32TruncSatF64S, I32TruncSatF64U, I64TruncSatF32S, I64TruncSatF32U,
  I64TruncSatF64S, I64TruncSatF64U,
}

/** Sees every instruction before it runs. */
export interface Observer {
  /**
   * The instruction at `pc`, inside of the code, is next. The arguments are the state before it; what
   * the one before it did to memory, tables and globals is done. False stops the loop before it.
   */
  before(pc: number, sp: number, depth: number, slice: number, stack: Int32Array): boolean;
}

/** Slots each opcode makes the stack higher. */
const GROWTH = Int8Array.from(POPS, (pops, op) => PUSHES[op]! - pops);

/** A count that reaches the end of any code. */
const TO_THE_END = 0x7fffffff;

/** Highest trap number an instruction can name. */
const LAST_TRAP = TrapCode.ExecutionHalted;

/**
 * Runs from `machine.pc` until an {@link Exit}. The state is exact in the machine again when it
 * returns. The caller must have bounded `machine.sp` by `machine.capacity`.
 *
 * With a range it also stops as soon as pc is not in `from` … `from + count` − 1. A range of the
 * instruction at pc alone runs it once, also when it jumps to itself: `run(machine, machine.pc, 1)`
 * is a single step. With an observer it stops also when that wants it.
 */
// Every instruction: the range of pc, the height before and after, then its case. A case that ends
// in `break` goes on with the next instruction, `continue` has set pc itself, and `break loop` stops
// before the instruction had any effect, so that a trap can be described from the state.
// deno-fmt-ignore -- one instruction per line reads as the table it is
export function run(machine: Machine, from = 0, count: number = TO_THE_END, observer?: Observer): Exit {
  const { module, memory, tables, window, fuel } = machine;
  const { opcodes, immediates } = module;
  const length = opcodes.length, pops = POPS, growth = GROWTH;
  const NAN32 = numeric.F32_NAN, NAN64 = numeric.F64_NAN_HIGH;
  let { pc, sp, depth, capacity, stack, floats, view, calls, globals, signature, signaturePending } = machine;
  let { slice, uncharged } = fuel;
  const most = machine.mostUncharged;
  // Cells that are both addressable and allocated; beyond it the rare part decides which is missing.
  let room = Math.min(capacity, stack.length);
  let bytes = memory.bytes, words = memory.view, last = bytes.length - 1;
  let op = 0, imm = 0, a = 0, b = 0, x = 0;
  let exit = Exit.Trap, trap = numeric.NO_TRAP;
  // One instruction is an empty range that may be left once.
  let once = count === 1 && from === pc;
  const range = once || from >>> 0 >= length ? 0 : Math.min(count, length - from);
  // Whoever watches is asked where a run without a watcher looks whether it has left its range.
  count = observer === undefined ? range : 0;

  loop: for (;;) {
    if ((pc - from) >>> 0 >= count) {
      if (pc >>> 0 >= length) { trap = TrapCode.UnreachableCodeReached; break; }
      if (!once && (observer === undefined || (pc - from) >>> 0 >= range)) { exit = Exit.Left; break; }
      once = false;
      if (observer !== undefined && !observer.before(pc, sp, depth, slice, stack)) { exit = Exit.Left; break; }
    }
    op = opcodes[pc];
    if (sp < pops[op] || sp + growth[op] > room) {
      if (sp < pops[op] || sp + growth[op] > capacity || !machine.growStack(sp + growth[op])) { trap = TrapCode.StackOverflow; break; }
      stack = machine.stack; floats = machine.floats; view = machine.view; room = Math.min(capacity, stack.length);
    }
    switch (op) {
      // ── stack and control ──
      case Op.Unreachable: trap = TrapCode.UnreachableCodeReached; break loop;
      case Op.Trap: trap = immediates[pc]; if (trap >>> 0 > LAST_TRAP) trap = TrapCode.IllegalOpcode; break loop;
      case Op.LocalGet:
        imm = immediates[pc];
        if ((sp - imm) >>> 0 >= sp) { trap = TrapCode.StackOverflow; break loop; }
        stack[sp] = stack[sp - imm]; sp++; break;
      case Op.LocalSet:
        imm = immediates[pc];
        if ((sp - 1 - imm) >>> 0 >= sp - 1) { trap = TrapCode.StackOverflow; break loop; }
        sp--; stack[sp - imm] = stack[sp]; break;
      case Op.LocalTee:
        imm = immediates[pc];
        if ((sp - imm) >>> 0 >= sp) { trap = TrapCode.StackOverflow; break loop; }
        stack[sp - imm] = stack[sp - 1]; break;
      case Op.Br:
        imm = immediates[pc];
        if (imm <= 0 && ++uncharged > most) { exit = Exit.Uncharged; break loop; }
        pc = (pc + imm) | 0; continue;
      case Op.BrIfEqz:
        if (stack[sp - 1] !== 0) { sp--; break; }
        imm = immediates[pc];
        if (imm <= 0 && ++uncharged > most) { exit = Exit.Uncharged; break loop; }
        sp--; pc = (pc + imm) | 0; continue;
      case Op.BrIfNez:
        if (stack[sp - 1] === 0) { sp--; break; }
        imm = immediates[pc];
        if (imm <= 0 && ++uncharged > most) { exit = Exit.Uncharged; break loop; }
        sp--; pc = (pc + imm) | 0; continue;
      case Op.BrTable:
        imm = immediates[pc];
        if (imm === 0) { trap = TrapCode.UnreachableCodeReached; break loop; }
        a = stack[--sp];
        a = a >>> 0 < imm >>> 0 ? a : imm - 1;
        // More entries than code: out of range anyway, and 2a + 1 must not wrap back into it.
        pc = a >>> 0 < length ? (pc + 2 * a + 1) | 0 : -1; continue;
      case Op.ConsumeFuel:
        imm = immediates[pc];
        if (imm < 0 || imm > slice) { exit = Exit.Fuel; break loop; }
        slice -= imm;
        if (imm !== 0) uncharged = 0;
        break;
      case Op.ConsumeFuelStack:
        a = stack[sp - 1];
        if (a < 0 || a > slice) { exit = Exit.Fuel; break loop; }
        slice -= a; sp--;
        if (a !== 0) uncharged = 0;
        break;
      case Op.Return:
        if (depth === 0) { exit = Exit.Done; break loop; }
        pc = calls[--depth]; continue;
      case Op.ReturnCallInternal:
        if (++uncharged > most) { exit = Exit.Uncharged; break loop; }
        pc = immediates[pc]; continue;
      case Op.CallInternal:
        if (depth >= calls.length) {
          if (!machine.growCalls()) { trap = TrapCode.StackOverflow; break loop; }
          calls = machine.calls;
        }
        if (++uncharged > most) { exit = Exit.Uncharged; break loop; }
        calls[depth++] = pc + 1; pc = immediates[pc]; continue;
      case Op.Call:
      case Op.ReturnCall: exit = Exit.Syscall; break loop;
      case Op.CallIndirect:
      case Op.ReturnCallIndirect: {
        if (pc + 1 >= length || opcodes[pc + 1] !== Op.TableGet) { trap = TrapCode.UnreachableCodeReached; break loop; }
        if (sp === 0) { trap = TrapCode.StackOverflow; break loop; }
        const table = tables.at(immediates[pc + 1] & 0xffff);
        a = stack[sp - 1];
        if (a < 0 || a >= table.length) { trap = TrapCode.TableOutOfBounds; break loop; }
        b = table.elements[a];
        if (b === 0) { trap = TrapCode.IndirectCallToNull; break loop; }
        if (op === Op.CallIndirect) {
          if (depth >= calls.length) {
            if (!machine.growCalls()) { trap = TrapCode.StackOverflow; break loop; }
            calls = machine.calls;
          }
        }
        if (++uncharged > most) { exit = Exit.Uncharged; break loop; }
        if (op === Op.CallIndirect) calls[depth++] = pc + 2;
        signaturePending = true; signature = immediates[pc];
        sp--; pc = b; continue;
      }
      case Op.SignatureCheck:
        if (signaturePending) {
          if (signature !== immediates[pc]) { trap = TrapCode.BadSignature; break loop; }
          signaturePending = false;
        }
        break;
      case Op.StackCheck:
        imm = immediates[pc];
        if (imm < 0 || sp + imm > window) { trap = TrapCode.StackOverflow; break loop; }
        if (sp + imm > capacity) { machine.capacity = capacity += sp + imm; room = Math.min(capacity, stack.length); }
        break;
      case Op.RefFunc:
      case Op.I32Const: stack[sp++] = immediates[pc]; break;
      case Op.Drop: sp--; break;
      case Op.Select: sp -= 2; if (stack[sp + 1] === 0) stack[sp - 1] = stack[sp]; break;
      case Op.GlobalGet:
        imm = immediates[pc];
        stack[sp++] = imm >= 0 && imm < globals.length ? globals[imm] : machine.globalWord(imm >>> 0); break;
      case Op.GlobalSet:
        imm = immediates[pc]; a = stack[--sp];
        if (imm >= 0 && imm < globals.length) { globals[imm] = a; break; }
        machine.setGlobalWord(imm >>> 0, a); globals = machine.globals; break;

      // ── memory; sizes are at most 2^31, so an address that is negative as int32 is outside ──
      case Op.I32Load:
      case Op.F32Load:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 3) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        stack[sp - 1] = words.getInt32(b, true); break;
      case Op.I32Load8S:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        stack[sp - 1] = (bytes[b] << 24) >> 24; break;
      case Op.I32Load8U:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        stack[sp - 1] = bytes[b]; break;
      case Op.I32Load16S:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 1) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        stack[sp - 1] = words.getInt16(b, true); break;
      case Op.I32Load16U:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 1) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        stack[sp - 1] = words.getUint16(b, true); break;
      case Op.F64Load:
        a = stack[sp - 1]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 7) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        // Two words, not a double: the bits of a NaN must arrive unchanged.
        stack[sp - 1] = words.getInt32(b, true); stack[sp++] = words.getInt32(b + 4, true); break;
      case Op.I32Store:
      case Op.F32Store:
        a = stack[sp - 2]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 3) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        words.setInt32(b, stack[sp - 1], true); sp -= 2; break;
      case Op.I32Store8:
        a = stack[sp - 2]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        bytes[b] = stack[sp - 1]; sp -= 2; break;
      case Op.I32Store16:
        a = stack[sp - 2]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 1) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        words.setInt16(b, stack[sp - 1], true); sp -= 2; break;
      case Op.F64Store:
        a = stack[sp - 3]; imm = immediates[pc]; b = (a + imm) | 0;
        if ((a | imm | b) < 0 || b > last - 7) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        words.setInt32(b, stack[sp - 2], true); words.setInt32(b + 4, stack[sp - 1], true); sp -= 3; break;
      case Op.MemorySize: stack[sp++] = memory.pages; break;
      case Op.MemoryGrow:
        stack[sp - 1] = memory.grow(stack[sp - 1] >>> 0);
        bytes = memory.bytes; words = memory.view; last = bytes.length - 1; break;
      case Op.MemoryFill:
        if (!memory.fill(stack[sp - 3] >>> 0, stack[sp - 2], stack[sp - 1] >>> 0)) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        sp -= 3; break;
      case Op.MemoryCopy:
        if (!memory.copy(stack[sp - 3] >>> 0, stack[sp - 2] >>> 0, stack[sp - 1] >>> 0)) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        sp -= 3; break;
      case Op.MemoryInit:
        if (!memory.init(machine.dataSection(immediates[pc]), stack[sp - 3] >>> 0, stack[sp - 2] >>> 0, stack[sp - 1] >>> 0)) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        sp -= 3; break;
      case Op.DataDrop:
        imm = immediates[pc];
        if (imm >>> 0 > MAX_SEGMENT_INDEX) { trap = TrapCode.MemoryOutOfBounds; break loop; }
        machine.droppedData.add(imm); break;

      // ── tables ──
      case Op.TableSize: stack[sp++] = tables.at(immediates[pc] & 0xffff).length; break;
      case Op.TableGrow: sp--; stack[sp - 1] = tables.grow(immediates[pc] & 0xffff, stack[sp - 1], stack[sp] >>> 0); break;
      case Op.TableFill:
        if (!tables.fill(immediates[pc] & 0xffff, stack[sp - 3] >>> 0, stack[sp - 2], stack[sp - 1] >>> 0)) { trap = TrapCode.TableOutOfBounds; break loop; }
        sp -= 3; break;
      case Op.TableGet: {
        const table = tables.at(immediates[pc] & 0xffff);
        a = stack[sp - 1];
        if (a < 0 || a >= table.length) { trap = TrapCode.TableOutOfBounds; break loop; }
        stack[sp - 1] = table.elements[a]; break;
      }
      case Op.TableSet: {
        const table = tables.at(immediates[pc] & 0xffff);
        a = stack[sp - 2];
        if (a < 0 || a >= table.length) { trap = TrapCode.TableOutOfBounds; break loop; }
        table.elements[a] = stack[sp - 1]; sp -= 2; break;
      }
      case Op.TableCopy:
        imm = immediates[pc];
        if (!tables.copy(imm >>> 16, imm & 0xffff, stack[sp - 3] >>> 0, stack[sp - 2] >>> 0, stack[sp - 1] >>> 0)) { trap = TrapCode.TableOutOfBounds; break loop; }
        sp -= 3; break;
      case Op.TableInit:
        if (pc + 1 >= length || opcodes[pc + 1] !== Op.TableGet) { trap = TrapCode.UnreachableCodeReached; break loop; }
        if (sp < 3) { trap = TrapCode.StackOverflow; break loop; }
        if (!tables.init(immediates[pc + 1] & 0xffff, machine.elementSection(immediates[pc]), stack[sp - 3] >>> 0, stack[sp - 2] >>> 0, stack[sp - 1] >>> 0)) { trap = TrapCode.TableOutOfBounds; break loop; }
        sp -= 3; pc += 2; continue;
      case Op.ElemDrop:
        imm = immediates[pc];
        if (imm >>> 0 > MAX_SEGMENT_INDEX) { trap = TrapCode.TableOutOfBounds; break loop; }
        machine.droppedElements.add(imm); break;

      // ── integers ──
      case Op.I32Eqz: stack[sp - 1] = stack[sp - 1] === 0 ? 1 : 0; break;
      case Op.I32Eq: sp--; stack[sp - 1] = stack[sp - 1] === stack[sp] ? 1 : 0; break;
      case Op.I32Ne: sp--; stack[sp - 1] = stack[sp - 1] !== stack[sp] ? 1 : 0; break;
      case Op.I32LtS: sp--; stack[sp - 1] = stack[sp - 1] < stack[sp] ? 1 : 0; break;
      case Op.I32LtU: sp--; stack[sp - 1] = stack[sp - 1] >>> 0 < stack[sp] >>> 0 ? 1 : 0; break;
      case Op.I32GtS: sp--; stack[sp - 1] = stack[sp - 1] > stack[sp] ? 1 : 0; break;
      case Op.I32GtU: sp--; stack[sp - 1] = stack[sp - 1] >>> 0 > stack[sp] >>> 0 ? 1 : 0; break;
      case Op.I32LeS: sp--; stack[sp - 1] = stack[sp - 1] <= stack[sp] ? 1 : 0; break;
      case Op.I32LeU: sp--; stack[sp - 1] = stack[sp - 1] >>> 0 <= stack[sp] >>> 0 ? 1 : 0; break;
      case Op.I32GeS: sp--; stack[sp - 1] = stack[sp - 1] >= stack[sp] ? 1 : 0; break;
      case Op.I32GeU: sp--; stack[sp - 1] = stack[sp - 1] >>> 0 >= stack[sp] >>> 0 ? 1 : 0; break;
      case Op.I32Clz: stack[sp - 1] = Math.clz32(stack[sp - 1]); break;
      case Op.I32Ctz: stack[sp - 1] = numeric.ctz(stack[sp - 1]); break;
      case Op.I32Popcnt: stack[sp - 1] = numeric.popcnt(stack[sp - 1]); break;
      case Op.I32Add: sp--; stack[sp - 1] = (stack[sp - 1] + stack[sp]) | 0; break;
      case Op.I32Sub: sp--; stack[sp - 1] = (stack[sp - 1] - stack[sp]) | 0; break;
      case Op.I32Mul: sp--; stack[sp - 1] = Math.imul(stack[sp - 1], stack[sp]); break;
      case Op.I32DivS:
        a = stack[sp - 2]; b = stack[sp - 1];
        trap = numeric.divTrapS(a, b); if (trap !== numeric.NO_TRAP) break loop;
        sp--; stack[sp - 1] = (a / b) | 0; break;
      case Op.I32DivU:
        a = stack[sp - 2]; b = stack[sp - 1];
        if (b === 0) { trap = TrapCode.IntegerDivisionByZero; break loop; }
        sp--; stack[sp - 1] = ((a >>> 0) / (b >>> 0)) | 0; break;
      case Op.I32RemS:
        a = stack[sp - 2]; b = stack[sp - 1];
        if (b === 0) { trap = TrapCode.IntegerDivisionByZero; break loop; }
        sp--; stack[sp - 1] = (a % b) | 0; break;
      case Op.I32RemU:
        a = stack[sp - 2]; b = stack[sp - 1];
        if (b === 0) { trap = TrapCode.IntegerDivisionByZero; break loop; }
        sp--; stack[sp - 1] = ((a >>> 0) % (b >>> 0)) | 0; break;
      case Op.I32And: sp--; stack[sp - 1] &= stack[sp]; break;
      case Op.I32Or: sp--; stack[sp - 1] |= stack[sp]; break;
      case Op.I32Xor: sp--; stack[sp - 1] ^= stack[sp]; break;
      case Op.I32Shl: sp--; stack[sp - 1] <<= stack[sp]; break;
      case Op.I32ShrS: sp--; stack[sp - 1] >>= stack[sp]; break;
      case Op.I32ShrU: sp--; stack[sp - 1] >>>= stack[sp]; break;
      case Op.I32Rotl: sp--; a = stack[sp - 1]; b = stack[sp]; stack[sp - 1] = (a << b) | (a >>> -b); break;
      case Op.I32Rotr: sp--; a = stack[sp - 1]; b = stack[sp]; stack[sp - 1] = (a >>> b) | (a << -b); break;
      case Op.I32WrapI64: break;
      case Op.I32Extend8S: stack[sp - 1] = (stack[sp - 1] << 24) >> 24; break;
      case Op.I32Extend16S: stack[sp - 1] = (stack[sp - 1] << 16) >> 16; break;
      case Op.I32Mul64: a = stack[sp - 2]; b = stack[sp - 1]; stack[sp - 2] = Math.imul(a, b); stack[sp - 1] = numeric.mulHighU(a, b); break;
      case Op.I32Add64: a = stack[sp - 2]; b = (a + stack[sp - 1]) | 0; stack[sp - 2] = b; stack[sp - 1] = b >>> 0 < a >>> 0 ? 1 : 0; break;
      case Op.BulkConst:
        imm = immediates[pc];
        if (imm >>> 0 > BULK_CONST_MAX) imm = BULK_CONST_MAX;
        if (sp + imm > room) {
          if (sp + imm > capacity || !machine.growStack(sp + imm)) { trap = TrapCode.StackOverflow; break loop; }
          stack = machine.stack; floats = machine.floats; view = machine.view; room = Math.min(capacity, stack.length);
        }
        while (imm-- > 0) stack[sp++] = 0;
        break;
      case Op.BulkDrop:
        imm = immediates[pc];
        if (imm >>> 0 > sp) { trap = TrapCode.StackOverflow; break loop; }
        sp -= imm; break;
      case Op.I32And64: sp -= 2; stack[sp - 2] &= stack[sp]; stack[sp - 1] &= stack[sp + 1]; break;
      case Op.I32Or64: sp -= 2; stack[sp - 2] |= stack[sp]; stack[sp - 1] |= stack[sp + 1]; break;
      case Op.I32Xor64: sp -= 2; stack[sp - 2] ^= stack[sp]; stack[sp - 1] ^= stack[sp + 1]; break;
      case Op.I32Sub64: a = stack[sp - 2]; b = stack[sp - 1]; stack[sp - 2] = a - b; stack[sp - 1] = a >>> 0 < b >>> 0 ? -1 : 0; break;
      case Op.I64Const32S: imm = immediates[pc]; stack[sp] = imm; stack[sp + 1] = imm >> 31; sp += 2; break;
      case Op.I64Const32U: stack[sp] = immediates[pc]; stack[sp + 1] = 0; sp += 2; break;
      case Op.I64Add128: sp -= 4; numeric.add128(stack, sp - 4); break;
      case Op.I64Sub128: sp -= 4; numeric.sub128(stack, sp - 4); break;
      case Op.I64MulWideS: numeric.mulWideS(stack, sp - 4); break;
      case Op.I64MulWideU: numeric.mulWideU(stack, sp - 4); break;

      // ── floats; whatever arithmetic yields as NaN becomes the canonical one ──
      case Op.F32Eq: sp--; stack[sp - 1] = floats[sp - 1] === floats[sp] ? 1 : 0; break;
      case Op.F32Ne: sp--; stack[sp - 1] = floats[sp - 1] !== floats[sp] ? 1 : 0; break;
      case Op.F32Lt: sp--; stack[sp - 1] = floats[sp - 1] < floats[sp] ? 1 : 0; break;
      case Op.F32Gt: sp--; stack[sp - 1] = floats[sp - 1] > floats[sp] ? 1 : 0; break;
      case Op.F32Le: sp--; stack[sp - 1] = floats[sp - 1] <= floats[sp] ? 1 : 0; break;
      case Op.F32Ge: sp--; stack[sp - 1] = floats[sp - 1] >= floats[sp] ? 1 : 0; break;
      case Op.F64Eq: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) === view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F64Ne: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) !== view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F64Lt: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) < view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F64Gt: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) > view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F64Le: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) <= view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F64Ge: sp -= 3; stack[sp - 1] = view.getFloat64((sp - 1) << 2, true) >= view.getFloat64((sp + 1) << 2, true) ? 1 : 0; break;
      case Op.F32Abs: stack[sp - 1] &= 0x7fffffff; break;
      case Op.F32Neg: stack[sp - 1] ^= 0x80000000; break;
      case Op.F32Ceil: x = Math.ceil(floats[sp - 1]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Floor: x = Math.floor(floats[sp - 1]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Trunc: x = Math.trunc(floats[sp - 1]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Nearest: x = numeric.nearest(floats[sp - 1]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Sqrt: x = Math.sqrt(floats[sp - 1]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Add: sp--; x = floats[sp - 1] + floats[sp]; if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Sub: sp--; x = floats[sp - 1] - floats[sp]; if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Mul: sp--; x = floats[sp - 1] * floats[sp]; if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Div: sp--; x = floats[sp - 1] / floats[sp]; if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Min: sp--; x = Math.min(floats[sp - 1], floats[sp]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Max: sp--; x = Math.max(floats[sp - 1], floats[sp]); if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F32Copysign: sp--; stack[sp - 1] = (stack[sp - 1] & 0x7fffffff) | (stack[sp] & 0x80000000); break;
      case Op.F64Abs: stack[sp - 1] &= 0x7fffffff; break;
      case Op.F64Neg: stack[sp - 1] ^= 0x80000000; break;
      case Op.F64Ceil: x = Math.ceil(view.getFloat64((sp - 2) << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Floor: x = Math.floor(view.getFloat64((sp - 2) << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Trunc: x = Math.trunc(view.getFloat64((sp - 2) << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Nearest: x = numeric.nearest(view.getFloat64((sp - 2) << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Sqrt: x = Math.sqrt(view.getFloat64((sp - 2) << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Add: sp -= 2; x = view.getFloat64((sp - 2) << 2, true) + view.getFloat64(sp << 2, true); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Sub: sp -= 2; x = view.getFloat64((sp - 2) << 2, true) - view.getFloat64(sp << 2, true); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Mul: sp -= 2; x = view.getFloat64((sp - 2) << 2, true) * view.getFloat64(sp << 2, true); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Div: sp -= 2; x = view.getFloat64((sp - 2) << 2, true) / view.getFloat64(sp << 2, true); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Min: sp -= 2; x = Math.min(view.getFloat64((sp - 2) << 2, true), view.getFloat64(sp << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Max: sp -= 2; x = Math.max(view.getFloat64((sp - 2) << 2, true), view.getFloat64(sp << 2, true)); if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.F64Copysign: sp -= 2; stack[sp - 1] = (stack[sp - 1] & 0x7fffffff) | (stack[sp + 1] & 0x80000000); break;
      case Op.I32TruncF32S: x = floats[sp - 1]; trap = numeric.truncTrapI32S(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 1] = x; break;
      case Op.I32TruncF32U: x = floats[sp - 1]; trap = numeric.truncTrapI32U(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 1] = x; break;
      case Op.I32TruncF64S: x = view.getFloat64((sp - 2) << 2, true); trap = numeric.truncTrapI32S(x); if (trap !== numeric.NO_TRAP) break loop; sp--; stack[sp - 1] = x; break;
      case Op.I32TruncF64U: x = view.getFloat64((sp - 2) << 2, true); trap = numeric.truncTrapI32U(x); if (trap !== numeric.NO_TRAP) break loop; sp--; stack[sp - 1] = x; break;
      case Op.I64TruncF32S: x = floats[sp - 1]; trap = numeric.truncTrapI64S(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 1] = numeric.truncLow(x); stack[sp++] = numeric.truncHigh(x); break;
      case Op.I64TruncF32U: x = floats[sp - 1]; trap = numeric.truncTrapI64U(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 1] = numeric.truncLow(x); stack[sp++] = numeric.truncHigh(x); break;
      case Op.I64TruncF64S: x = view.getFloat64((sp - 2) << 2, true); trap = numeric.truncTrapI64S(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 2] = numeric.truncLow(x); stack[sp - 1] = numeric.truncHigh(x); break;
      case Op.I64TruncF64U: x = view.getFloat64((sp - 2) << 2, true); trap = numeric.truncTrapI64U(x); if (trap !== numeric.NO_TRAP) break loop; stack[sp - 2] = numeric.truncLow(x); stack[sp - 1] = numeric.truncHigh(x); break;
      case Op.F32ConvertI32S: floats[sp - 1] = stack[sp - 1]; break;
      case Op.F32ConvertI32U: floats[sp - 1] = stack[sp - 1] >>> 0; break;
      case Op.F32ConvertI64S: sp--; floats[sp - 1] = numeric.f32OfI64S(stack[sp - 1], stack[sp]); break;
      case Op.F32ConvertI64U: sp--; floats[sp - 1] = numeric.f32OfI64U(stack[sp - 1], stack[sp]); break;
      case Op.F32DemoteF64: x = view.getFloat64((sp - 2) << 2, true); sp--; if (x === x) floats[sp - 1] = x; else stack[sp - 1] = NAN32; break;
      case Op.F64ConvertI32S: view.setFloat64((sp - 1) << 2, stack[sp - 1], true); sp++; break;
      case Op.F64ConvertI32U: view.setFloat64((sp - 1) << 2, stack[sp - 1] >>> 0, true); sp++; break;
      case Op.F64ConvertI64S: view.setFloat64((sp - 2) << 2, numeric.f64OfI64S(stack[sp - 2], stack[sp - 1]), true); break;
      case Op.F64ConvertI64U: view.setFloat64((sp - 2) << 2, numeric.f64OfI64U(stack[sp - 2], stack[sp - 1]), true); break;
      case Op.F64PromoteF32: x = floats[sp - 1]; sp++; if (x === x) view.setFloat64((sp - 2) << 2, x, true); else { stack[sp - 2] = 0; stack[sp - 1] = NAN64; } break;
      case Op.I32TruncSatF32S: stack[sp - 1] = numeric.truncSatI32S(floats[sp - 1]); break;
      case Op.I32TruncSatF32U: stack[sp - 1] = numeric.truncSatI32U(floats[sp - 1]); break;
      case Op.I32TruncSatF64S: x = view.getFloat64((sp - 2) << 2, true); sp--; stack[sp - 1] = numeric.truncSatI32S(x); break;
      case Op.I32TruncSatF64U: x = view.getFloat64((sp - 2) << 2, true); sp--; stack[sp - 1] = numeric.truncSatI32U(x); break;
      case Op.I64TruncSatF32S: x = floats[sp - 1]; stack[sp - 1] = numeric.truncSatI64SLow(x); stack[sp++] = numeric.truncSatI64SHigh(x); break;
      case Op.I64TruncSatF32U: x = floats[sp - 1]; stack[sp - 1] = numeric.truncSatI64ULow(x); stack[sp++] = numeric.truncSatI64UHigh(x); break;
      case Op.I64TruncSatF64S: x = view.getFloat64((sp - 2) << 2, true); stack[sp - 2] = numeric.truncSatI64SLow(x); stack[sp - 1] = numeric.truncSatI64SHigh(x); break;
      case Op.I64TruncSatF64U: x = view.getFloat64((sp - 2) << 2, true); stack[sp - 2] = numeric.truncSatI64ULow(x); stack[sp - 1] = numeric.truncSatI64UHigh(x); break;
      default: trap = TrapCode.IllegalOpcode; break loop;
    }
    pc++;
  }

  machine.pc = pc;
  machine.sp = sp;
  machine.depth = depth;
  machine.capacity = capacity;
  machine.signature = signature;
  machine.signaturePending = signaturePending;
  machine.trap = trap;
  fuel.slice = slice;
  // What stopped at the bound was not done.
  fuel.uncharged = exit === Exit.Uncharged ? most : uncharged;
  return exit;
}
