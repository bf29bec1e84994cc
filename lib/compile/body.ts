/**
 * Translates the body of one function: operator by operator, in one pass over its bytes, into the
 * emitter. The module is valid, so nothing is checked here but what the target cannot hold. Fuel
 * regions, reachability and stack heights follow the reference to the unit (compiler specification
 * of rwasm 0.7.2); a region that costs nothing emits no charge.
 *
 * @module
 */

import { CompileError, TrapCode } from "../error.ts";
import { Op, POPS, PUSHES } from "../isa/opcode.ts";
import { BULK_CONST_MAX } from "../limits.ts";
import { F64, I64, slotsOfByte } from "../wasm/module.ts";
import { access, bulkOperator } from "./access.ts";
import { BLOCK, EMPTY_TYPE, IF, LOOP } from "./control.ts";
import {
  branchIf,
  branchTable,
  call,
  callIndirect,
  elseArm,
  endFrame,
  enterFrame,
  returnCall,
  returnCallIndirect,
} from "./flow.ts";
import { BASE_COST, COST } from "./fuel.ts";
import { emitConst64, emitInline64, emitSelect64, SNIPPET_OF } from "./i64.ts";
import { Locals } from "./locals.ts";
import { DIRECT, FLOAT_OPERATOR, INLINE_PEAK } from "./operators.ts";
import { type ModuleContext, slotsOfTypes, Translation } from "./translation.ts";

/** Translates bodies; one object serves all functions of a module, so its arrays are made once. */
export class BodyCompiler {
  readonly #t: Translation;
  readonly #locals = new Locals();

  /** Prepares for the bodies of one module. */
  constructor(context: ModuleContext) {
    this.#t = new Translation(context);
  }

  /**
   * Translates the body in a range of the module's bytes.
   *
   * @throws {CompileError} `StackHeightExceeded`, `BlockFuelOutOfBounds`, `CodeSizeExceeded`
   */
  compile(functionIndex: number, start: number, end: number): void {
    const t = this.#t, locals = this.#locals;
    const { module, code, config, stack, control } = t;
    const typeIndex = module.functions[functionIndex], type = module.types[typeIndex];
    t.functionIndex = functionIndex;
    t.reader.moveTo(start, end);
    code.wasmOffset = start;
    locals.read(t, type);
    const localSlots = locals.slots - t.paramSlots;

    code.emit(Op.SignatureCheck, t.context.signatures[typeIndex]);
    t.reachable = true;
    t.newRegion();
    // Parameters count by slots, locals by number: an i64 parameter costs 2, an i64 local 1.
    t.charge(BASE_COST + (config.localsFuel ? t.paramSlots + locals.declared : 0));
    const stackCheck = code.emit(Op.StackCheck);
    for (let left = localSlots; left > 0; left -= BULK_CONST_MAX) {
      code.emit(Op.BulkConst, Math.min(left, BULK_CONST_MAX));
    }
    stack.reset(localSlots);
    control.depth = 0;
    control.push(BLOCK, true, EMPTY_TYPE, 0, localSlots, slotsOfTypes(type.results));
    this.#operators();

    const height = t.paramSlots + stack.peak, limit = config.limits.stackSlots;
    if (height > limit) {
      throw new CompileError(
        "StackHeightExceeded",
        `Cannot compile function ${functionIndex}: it needs ${height} stack slots, the limit is ${limit}`,
        { offset: start, hint: "raise limits.stackSlots, for the compiler and the store" },
      );
    }
    code.immediates[stackCheck] = stack.peak;
  }

  /** Walks the operators up to the `end` of the body. Case labels are literals so that V8 makes a jump table. */
  #operators(): void {
    const t = this.#t, locals = this.#locals;
    const { reader, code, control, stack } = t;
    while (control.depth > 0) {
      code.wasmOffset = reader.position;
      let opcode = reader.u8();
      if (opcode === 0xfc) opcode = 0x100 + reader.varU32();
      if (!t.reachable) {
        skip(t, opcode);
        continue;
      }
      t.charge(COST[opcode]);
      const op = DIRECT[opcode];
      if (op >= 0) {
        direct(t, opcode, op);
        continue;
      }
      switch (opcode) {
        case 0x00: // unreachable
          code.emit(Op.Unreachable);
          t.reachable = false;
          break;
        case 0x01: // nop
          break;
        case 0x02: // block
          enterFrame(t, BLOCK);
          break;
        case 0x03: // loop
          enterFrame(t, LOOP);
          break;
        case 0x04: // if
          stack.pop();
          enterFrame(t, IF);
          break;
        case 0x05: // else
          elseArm(t);
          break;
        case 0x0b: // end
          endFrame(t);
          break;
        case 0x0c: // br
          t.branch(control.frameOf(reader.varU32()));
          t.reachable = false;
          break;
        case 0x0d: // br_if
          branchIf(t, control.frameOf(reader.varU32()));
          break;
        case 0x0e: // br_table
          branchTable(t);
          break;
        case 0x0f: // return
          t.returnFromFunction();
          break;
        case 0x10: // call
          call(t, reader.varU32());
          break;
        case 0x11: // call_indirect
          callIndirect(t);
          break;
        case 0x12: // return_call
          returnCall(t, reader.varU32());
          break;
        case 0x13: // return_call_indirect
          returnCallIndirect(t);
          break;
        case 0x1a: { // drop
          const width = stack.pop();
          if (width === 1) code.emit(Op.Drop);
          else code.emit(Op.BulkDrop, 2);
          break;
        }
        case 0x1c: // select with a type, which the operands repeat
          reader.varU32();
          reader.u8();
          select(t);
          break;
        case 0x1b: // select
          select(t);
          break;
        case 0x20: // local.get
          locals.get(t, reader.varU32());
          break;
        case 0x21: // local.set
          locals.set(t, reader.varU32());
          break;
        case 0x22: // local.tee
          locals.tee(t, reader.varU32());
          break;
        case 0x23: // global.get
          globalGet(t, reader.varU32());
          break;
        case 0x24: // global.set
          globalSet(t, reader.varU32());
          break;
        case 0x25: // table.get
          code.emit(Op.TableGet, reader.varU32());
          break;
        case 0x26: // table.set
          code.emit(Op.TableSet, reader.varU32());
          t.drop(2);
          break;
        case 0x3f: // memory.size
          reader.u8();
          code.emit(Op.MemorySize);
          stack.push(1);
          break;
        case 0x41: // i32.const
          code.emit(Op.I32Const, reader.varS32());
          stack.push(1);
          break;
        case 0x42: { // i64.const
          const low = reader.varS64();
          emitConst64(code, low, reader.high);
          stack.push(2);
          break;
        }
        case 0x43: // f32.const
          code.emit(Op.I32Const, reader.u32() | 0);
          stack.push(1);
          break;
        case 0x44: { // f64.const
          const low = reader.u32() | 0;
          emitConst64(code, low, reader.u32() | 0);
          stack.push(2);
          break;
        }
        case 0xbc: // i32.reinterpret_f32
        case 0xbd: // i64.reinterpret_f64
        case 0xbe: // f32.reinterpret_i32
        case 0xbf: // f64.reinterpret_i64
          break; // the same slots
        case 0xd0: // ref.null
          reader.u8();
          code.emit(Op.RefFunc, 0);
          stack.push(1);
          break;
        case 0xd1: // ref.is_null
          code.emit(Op.I32Eqz);
          break;
        case 0xd2: // ref.func
          code.emit(Op.RefFunc, reader.varU32() + 1);
          stack.push(1);
          break;
        default:
          if (opcode >= 0x28 && opcode <= 0x3e) access(t, opcode);
          else if (SNIPPET_OF[opcode] >= 0) snippet(t, opcode);
          else if (INLINE_PEAK[opcode] > 0) inline64(t, opcode);
          else bulkOperator(t, opcode);
      }
    }
  }
}

/** An operator that is one rWasm instruction. */
function direct(t: Translation, opcode: number, op: number): void {
  if (t.config.trapFloats && FLOAT_OPERATOR[opcode] !== 0) return t.trap(TrapCode.IllegalOpcode);
  const stack = t.stack;
  for (let slots = POPS[op]; slots > 0;) slots -= stack.pop();
  t.code.emit(op);
  const pushed = PUSHES[op];
  if (pushed === 1) stack.push(1);
  else for (let slots = pushed; slots > 0; slots -= 2) stack.push(2);
}

/** An i64 operator that is a call of a shared function. */
function snippet(t: Translation, opcode: number): void {
  t.code.emit(Op.CallInternal, t.context.snippet(SNIPPET_OF[opcode]));
  t.drop(2);
  t.stack.push(opcode <= 0x5a ? 1 : 2); // comparisons come first
}

/** An i64 operator on one operand that is a short sequence. */
function inline64(t: Translation, opcode: number): void {
  t.stack.reserve(INLINE_PEAK[opcode] - 1);
  emitInline64(t.code, opcode);
  t.stack.pop();
  t.stack.push(opcode === 0x50 || opcode === 0xa7 ? 1 : 2); // i64.eqz, i32.wrap_i64
}

function globalGet(t: Translation, global: number): void {
  const type = t.module.globals[global].type;
  if (type === I64 || type === F64) t.code.emit(Op.GlobalGet, 2 * global + 1);
  t.code.emit(Op.GlobalGet, 2 * global);
  t.stack.push(slotsOfByte(type));
}

function globalSet(t: Translation, global: number): void {
  t.code.emit(Op.GlobalSet, 2 * global);
  if (t.stack.pop() === 2) t.code.emit(Op.GlobalSet, 2 * global + 1);
}

function select(t: Translation): void {
  const stack = t.stack;
  stack.pop();
  if (stack.pop() === 1) t.code.emit(Op.Select);
  else emitSelect64(t.code);
}

/** Skips an operator that cannot be reached; only the nesting of frames matters. */
function skip(t: Translation, opcode: number): void {
  const reader = t.reader;
  switch (opcode) {
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
      reader.varS33();
      t.control.push(BLOCK, false, EMPTY_TYPE, 0, 0, 0);
      return;
    case 0x05: // else
      return elseArm(t);
    case 0x0b: // end
      return endFrame(t);
    case 0x0e: // br_table
      for (let n = reader.varU32(); n >= 0; n--) reader.varU32();
      return;
    case 0x1c: // select with types
      reader.skip(reader.varU32());
      return;
    case 0x42: // i64.const
      reader.varS64();
      return;
    case 0x41: // i32.const
      reader.varS32();
      return;
    case 0x43: // f32.const
      reader.skip(4);
      return;
    case 0x44: // f64.const
      reader.skip(8);
      return;
    default:
      for (let n = OPERANDS_U32[opcode]; n > 0; n--) reader.varU32();
  }
}

/** How many u32 or single-byte immediates follow an operator that is skipped. */
const OPERANDS_U32: Uint8Array = skipTable();

function skipTable(): Uint8Array {
  const table = new Uint8Array(0x200);
  for (const opcode of [0x0c, 0x0d, 0x10, 0x12, 0x3f, 0x40, 0xd0, 0xd2]) table[opcode] = 1;
  table.fill(1, 0x20, 0x27); // local, global, table
  table.fill(2, 0x28, 0x3f); // alignment and offset
  table[0x11] = table[0x13] = 2; // type and table
  for (const opcode of [0x109, 0x10b, 0x10d, 0x10f, 0x110, 0x111]) table[opcode] = 1;
  for (const opcode of [0x108, 0x10a, 0x10c, 0x10e]) table[opcode] = 2;
  return table;
}
