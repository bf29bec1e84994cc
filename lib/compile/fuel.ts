/**
 * What operators cost: the static schedule of `rwasm-fuel-policy` 0.0.2 by Wasm opcode, and the code
 * that charges by an operand at run time, for bulk operations and for host functions.
 *
 * @module
 */

import { CompileError, TrapCode } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import { slotsOf } from "../isa/module.ts";
import type { Syscall } from "../plugin/linker.ts";
import type { Emitter } from "./emitter.ts";

/** Most operators. */
export const BASE_COST = 1;
/** Globals, tables, memory size, growth, bulk operations, segment drops. */
export const ENTITY_COST = 3;
/** Loads and stores of every width. */
export const MEMORY_COST = 2;
/** All calls. */
export const CALL_COST = 10;

/** Static cost by Wasm opcode; prefix 0xFC operators at 0x100 + sub-opcode. */
export const COST: Uint8Array = costTable();

function costTable(): Uint8Array {
  const cost = new Uint8Array(0x200).fill(BASE_COST);
  const set = (value: number, first: number, last = first) => cost.fill(value, first, last + 1);
  set(0, 0x00, 0x03); // unreachable, nop, block, loop
  set(0, 0x05); // else
  set(0, 0x0b); // end
  set(0, 0x0f); // return
  set(CALL_COST, 0x10, 0x13); // call, call_indirect, return_call, return_call_indirect
  set(0, 0x1a); // drop
  set(ENTITY_COST, 0x23, 0x26); // global.get, global.set, table.get, table.set
  set(MEMORY_COST, 0x28, 0x3e); // loads and stores
  set(ENTITY_COST, 0x3f, 0x40); // memory.size, memory.grow
  set(ENTITY_COST, 0x108, 0x111); // memory.init … table.fill
  return cost;
}

/** Bytes a unit of fuel copies or fills: 64. */
const BYTES_SHIFT = 6;
/** Table elements a unit of fuel copies or fills: 16. */
const ELEMENTS_SHIFT = 4;
/** Fuel of a memory page: 65,536 / 64. */
const PAGE_FUEL_SHIFT = 10;

/** Charges ⌈n / 64⌉ for the byte count n on top of the stack; wraps near 2^32 as the reference does. Needs 2 slots. */
export function emitByteCharge(code: Emitter): void {
  emitRoundedCharge(code, BYTES_SHIFT);
}

/** Charges ⌈n / 16⌉ for the element count n on top of the stack. Needs 2 slots. */
export function emitElementCharge(code: Emitter): void {
  emitRoundedCharge(code, ELEMENTS_SHIFT);
}

function emitRoundedCharge(code: Emitter, shift: number): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.I32Const, (1 << shift) - 1);
  code.emit(Op.I32Add);
  code.emit(Op.I32Const, shift);
  code.emit(Op.I32ShrU);
  code.emit(Op.ConsumeFuelStack);
}

/** Charges 1024 per page for the page count on top of the stack, modulo 2^16 pages as the reference does. Needs 2 slots. */
export function emitPageCharge(code: Emitter): void {
  code.emit(Op.LocalGet, 1);
  code.emit(Op.I32Const, 0xffff);
  code.emit(Op.I32And);
  code.emit(Op.I32Const, PAGE_FUEL_SHIFT);
  code.emit(Op.I32Shl);
  code.emit(Op.ConsumeFuelStack);
}

/** Fuel of an initial memory: 1024 per page; 65,536 pages wrap to 0, as in the reference. */
export function initialMemoryFuel(pages: number): number {
  return (pages & 0xffff) << PAGE_FUEL_SHIFT >>> 0;
}

/** Largest metered value of a linear policy; more traps (rwasm-fuel-policy: FUEL_MAX_LINEAR_X). */
const LINEAR_MAX = 134_217_728;
/** Largest metered value of a quadratic policy (rwasm-fuel-policy: FUEL_MAX_QUADRATIC_X). */
const QUADRATIC_MAX = 1_310_720;

/** Temporary slots the charge of a host function needs in its trampoline. */
export function syscallFuelSlots(syscall: Syscall<never>): number {
  const { fuel } = syscall;
  if (fuel === undefined || "const" in fuel) return 0;
  return "linear" in fuel ? 2 : 4;
}

/**
 * Charges a host function as it declares, before it runs; its arguments are on the stack.
 *
 * @throws {CompileError} `SyscallFuelOutOfBounds`, `InvalidSyscallFuelParam`
 */
export function emitSyscallFuel(code: Emitter, syscall: Syscall<never>): void {
  const { fuel } = syscall;
  if (fuel === undefined) return;
  if ("const" in fuel) {
    const amount = BigInt(fuel.const);
    if (amount > 0xffff_ffffn) {
      throw new CompileError(
        "SyscallFuelOutOfBounds",
        `Cannot compile import ${nameOf(syscall)}: its constant fuel ${amount} is above 2^32 - 1`,
      );
    }
    if (amount > 0n) code.emit(Op.ConsumeFuel, Number(amount) | 0);
    return;
  }
  const param = "linear" in fuel ? fuel.linear.param : fuel.quadratic.param;
  const depth = depthOfParam(syscall, param);
  emitGuard(code, depth, "linear" in fuel ? LINEAR_MAX : QUADRATIC_MAX);
  if ("linear" in fuel) {
    emitWords(code, depth);
    code.emit(Op.I32Const, fuel.linear.wordCost | 0);
    code.emit(Op.I32Mul);
    if (fuel.linear.base !== 0) {
      code.emit(Op.I32Const, fuel.linear.base | 0);
      code.emit(Op.I32Add);
    }
  } else {
    const { wordCost, divisor, rate } = fuel.quadratic;
    emitWords(code, depth);
    code.emit(Op.I32Const, wordCost | 0);
    code.emit(Op.I32Mul);
    emitWords(code, depth + 1);
    code.emit(Op.LocalGet, 1);
    code.emit(Op.I32Mul);
    code.emit(Op.I32Const, divisor | 0);
    code.emit(Op.I32DivU); // a divisor of 0 traps at each call, as in the reference
    code.emit(Op.I32Add);
    code.emit(Op.I32Const, rate | 0);
    code.emit(Op.I32Mul);
  }
  code.emit(Op.ConsumeFuelStack);
}

/** Pushes (x + 31) / 32 for the metered value x at `depth`. */
function emitWords(code: Emitter, depth: number): void {
  code.emit(Op.LocalGet, depth);
  code.emit(Op.I32Const, 31);
  code.emit(Op.I32Add);
  code.emit(Op.I32Const, 5);
  code.emit(Op.I32ShrU);
}

function emitGuard(code: Emitter, depth: number, max: number): void {
  code.emit(Op.LocalGet, depth);
  code.emit(Op.I32Const, max);
  code.emit(Op.I32GtU);
  code.emit(Op.BrIfEqz, 2);
  code.emit(Op.Trap, TrapCode.IntegerOverflow);
}

/** Stack depth of the metered parameter, which counts from the last one, starting at 1. */
function depthOfParam(syscall: Syscall<never>, param: number): number {
  const { params } = syscall;
  const index = params.length - param;
  if (!Number.isInteger(param) || param < 1 || index < 0 || params[index] !== "i32") {
    throw new CompileError(
      "InvalidSyscallFuelParam",
      `Cannot compile import ${nameOf(syscall)}: its fuel is metered by parameter ${param} from the end of ` +
        `(${params.join(", ")}), which must exist and be an i32`,
    );
  }
  let depth = 1;
  for (let later = index + 1; later < params.length; later++) depth += slotsOf(params[later]);
  return depth;
}

function nameOf(syscall: Syscall<never>): string {
  return `${syscall.module}.${syscall.name}`;
}
