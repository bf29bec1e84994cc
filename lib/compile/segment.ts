/**
 * The code a module starts with: imported globals, tables, memory, globals, element and data
 * segments, in this order, then the start function. Constant expressions are evaluated here, at
 * compile time.
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { CompileError, TrapCode } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import { PAGE_BYTES } from "../limits.ts";
import {
  type ByteRange,
  EXTERNREF,
  F64,
  FUNCREF,
  GLOBAL_ITEM,
  I64,
  NULL_ITEM,
  type ValidWasm,
} from "../wasm/module.ts";
import type { SegmentPlace } from "./bulk.ts";
import type { ResolvedConfig } from "./config.ts";
import type { Emitter } from "./emitter.ts";
import { initialMemoryFuel } from "./fuel.ts";

/** Slots the initialization code reserves (reference: 5). */
const PROLOGUE_SLOTS = 5;

/** All segments of a kind, concatenated, and where each is. */
export interface Section<Contents> {
  /** The concatenation. Elements hold a function number + 1, 0 for null. */
  readonly contents: Contents;
  /** By segment index. */
  readonly places: readonly SegmentPlace[];
}

/** Concatenates the data segments. */
export function layoutData(module: ValidWasm): Section<Uint8Array> {
  const places: SegmentPlace[] = [];
  let size = 0;
  for (const { bytes } of module.data) {
    places.push({ at: size, length: bytes.end - bytes.start });
    size += bytes.end - bytes.start;
  }
  const contents = new Uint8Array(size);
  module.data.forEach(({ bytes }, index) => {
    contents.set(module.bytes.subarray(bytes.start, bytes.end), places[index].at);
  });
  return { contents, places };
}

/**
 * Concatenates the element segments; declarative ones only make functions referable and have no
 * contents.
 *
 * @throws {CompileError} `ConstEvaluationFailed` for an item that is the value of a global.
 */
export function layoutElements(module: ValidWasm, { hostImports }: ResolvedConfig): Section<Uint32Array> {
  const places: SegmentPlace[] = [];
  let size = 0;
  for (const { mode, items } of module.elements) {
    const length = mode === "declarative" ? 0 : items.length;
    places.push({ at: size, length });
    size += length;
  }
  const contents = new Uint32Array(size);
  module.elements.forEach(({ items, offset }, index) => {
    const { at, length } = places[index];
    for (let k = 0; k < length; k++) {
      if (items[k] > GLOBAL_ITEM) {
        contents[at + k] = items[k] === NULL_ITEM ? 0 : items[k] + 1;
        continue;
      }
      const global = GLOBAL_ITEM - items[k], known = hostImports?.globals[global];
      if (known === undefined) {
        throw new CompileError(
          "ConstEvaluationFailed",
          `Cannot compile element segment ${index}: item ${k} is the value of global ${global}, ` +
            `which is not known at compile time`,
          { offset },
        );
      }
      contents[at + k] = Number(BigInt.asUintN(32, known));
    }
  });
  return { contents, places };
}

/** Replaces function numbers by code indices; the items of externref segments are what they are. */
export function placeFunctions(
  module: ValidWasm,
  { contents, places }: Section<Uint32Array>,
  functionStarts: Uint32Array,
): void {
  module.elements.forEach(({ type }, index) => {
    if (type !== FUNCREF) return;
    const { at, length } = places[index];
    for (let k = at; k < at + length; k++) {
      if (contents[k] !== 0) contents[k] = functionStarts[contents[k] - 1];
    }
  });
}

/**
 * Emits the initialization code up to and with its `Return`.
 *
 * @param start emits the call of the start function, when there is one
 * @throws {CompileError} `MaxReadonlyDataReached`, `TableSizeExceedsLimit`
 */
export function emitInitialization(
  code: Emitter,
  module: ValidWasm,
  config: ResolvedConfig,
  data: Section<Uint8Array>,
  elements: Section<Uint32Array>,
  start: () => void,
): void {
  const constants = new Constants(module, config);
  const hosted = config.hostImports !== undefined; // then what is imported is there already
  code.emit(Op.StackCheck, PROLOGUE_SLOTS);
  for (let g = 0; g < module.importedGlobals && !hosted; g++) emitGlobal(code, module, g, constants);
  module.tables.forEach((table, index) => {
    if (!hosted || index >= module.importedTables) emitTable(code, index, table.min, config);
  });
  const hostMemory = hosted && module.importedMemories > 0;
  if (module.memories.length > 0 && !hostMemory) emitMemory(code, module.memories[0].min, config);
  for (let g = module.importedGlobals; g < module.globals.length; g++) emitGlobal(code, module, g, constants);
  module.elements.forEach(({ mode, table, at }, index) => {
    if (mode !== "active") return;
    code.wasmOffset = at!.start;
    const place = elements.places[index];
    emitCopyOperands(code, constants.evaluate(at!).low, place.at, place.length);
    code.emit(Op.TableInit, index + 1);
    code.emit(Op.TableGet, table);
    code.emit(Op.ElemDrop, index + 1);
  });
  module.data.forEach(({ mode, at }, index) => {
    if (mode !== "active") return;
    code.wasmOffset = at!.start;
    const place = data.places[index], destination = constants.evaluate(at!).low;
    // What cannot fit the initial memory gets a length no section has, so that it traps as a whole.
    const end = (destination >>> 0) + place.length;
    const fits = hostMemory || end <= module.memories[0].min * PAGE_BYTES;
    emitCopyOperands(code, destination, place.at, fits ? place.length : -1);
    code.emit(Op.MemoryInit, 0);
    code.emit(Op.DataDrop, index + 1);
  });
  if (module.start !== undefined) {
    code.wasmOffset = module.start.offset;
    start();
  }
  code.emit(Op.Return);
}

function emitCopyOperands(code: Emitter, destination: number, source: number, length: number): void {
  code.emit(Op.I32Const, destination);
  code.emit(Op.I32Const, source);
  code.emit(Op.I32Const, length);
}

function emitTable(code: Emitter, table: number, size: number, { limits }: ResolvedConfig): void {
  if (size > limits.tableElements) {
    throw new CompileError(
      "TableSizeExceedsLimit",
      `Cannot compile table ${table}: its ${size} initial elements exceed the limit of ${limits.tableElements}`,
      { hint: "raise limits.tableElements, for the compiler and the store" },
    );
  }
  if (size === 0) return; // a table that never grew is empty
  code.emit(Op.RefFunc, 0);
  code.emit(Op.I32Const, size);
  code.emit(Op.TableGrow, table);
  emitTrapIfRefused(code, TrapCode.TableOutOfBounds);
}

function emitMemory(code: Emitter, pages: number, { limits, bulkFuel }: ResolvedConfig): void {
  if (pages > limits.memoryPages) {
    throw new CompileError(
      "MaxReadonlyDataReached",
      `Cannot compile memory: its ${pages} initial pages exceed the limit of ${limits.memoryPages}`,
      { hint: "raise limits.memoryPages, for the compiler and the store" },
    );
  }
  if (pages === 0) return;
  if (bulkFuel) code.emit(Op.ConsumeFuel, initialMemoryFuel(pages) | 0);
  code.emit(Op.I32Const, pages);
  code.emit(Op.MemoryGrow);
  emitTrapIfRefused(code, TrapCode.MemoryOutOfBounds);
}

/** The store's limits may be lower than the compiler's: −1 on top of the stack traps. */
function emitTrapIfRefused(code: Emitter, trap: number): void {
  code.emit(Op.I32Const, -1);
  code.emit(Op.I32Eq);
  code.emit(Op.BrIfEqz, 2);
  code.emit(Op.Trap, trap);
}

function emitGlobal(code: Emitter, module: ValidWasm, global: number, constants: Constants): void {
  const { type, init } = module.globals[global];
  if (init !== undefined) code.wasmOffset = init.start;
  const { low, high } = init === undefined ? constants.imported(global) : constants.evaluate(init);
  // A word that was never set reads as 0, so zeros need no code. References are function numbers + 1.
  const wide = type === I64 || type === F64;
  emitWord(code, type, 2 * global, wide ? high : low);
  if (wide) emitWord(code, type, 2 * global + 1, low);
}

function emitWord(code: Emitter, type: number, word: number, value: number): void {
  if (value === 0) return;
  code.emit(type === FUNCREF ? Op.RefFunc : Op.I32Const, value);
  code.emit(Op.GlobalSet, word);
}

/** The value of a constant expression as slots; a funcref is its function number + 1. */
interface Constant {
  readonly low: number;
  readonly high: number;
}

/** Evaluates constant expressions on a small stack of 64-bit values. */
class Constants {
  readonly #module: ValidWasm;
  readonly #importedGlobal: bigint;
  readonly #known: readonly bigint[] | undefined;
  readonly #reader: Reader;
  readonly #stack: bigint[] = [];

  constructor(module: ValidWasm, { importedGlobal, hostImports }: ResolvedConfig) {
    this.#module = module;
    this.#importedGlobal = importedGlobal ?? 0n;
    this.#known = hostImports?.globals;
    this.#reader = new Reader(module.bytes, (_code, reason) => {
      throw new Error(`validated constant expression fails: ${reason}`); // a bug: validation has read it
    });
  }

  /** Value of an imported global: what the host knows, else the default for numbers, null for references. */
  imported(global: number): Constant {
    if (this.#known !== undefined) return slots(this.#known[global]);
    const { type } = this.#module.globals[global];
    if (type === FUNCREF || type === EXTERNREF) return { low: 0, high: 0 };
    return slots(this.#importedGlobal);
  }

  /** Value of an expression. Wasm integers wrap, so 64-bit arithmetic serves both widths. */
  evaluate(range: ByteRange): Constant {
    const reader = this.#reader, stack = this.#stack;
    reader.moveTo(range.start, range.end);
    stack.length = 0;
    for (;;) {
      const opcode = reader.u8();
      switch (opcode) {
        case 0x0b: // end
          return slots(stack[0]);
        case 0x23: { // global.get
          const { low, high } = this.imported(reader.varU32());
          stack.push(BigInt(high) << 32n | BigInt(low >>> 0));
          break;
        }
        case 0x41: // i32.const
          stack.push(BigInt(reader.varS32()));
          break;
        case 0x42: { // i64.const
          const low = reader.varS64();
          stack.push(BigInt(reader.high) << 32n | BigInt(low >>> 0));
          break;
        }
        case 0x43: // f32.const
          stack.push(BigInt(reader.u32()));
          break;
        case 0x44: { // f64.const
          const low = reader.u32();
          stack.push(BigInt(reader.u32()) << 32n | BigInt(low));
          break;
        }
        case 0xd0: // ref.null
          reader.u8();
          stack.push(0n);
          break;
        case 0xd2: // ref.func
          stack.push(BigInt(reader.varU32() + 1));
          break;
        default: {
          const right = stack.pop()!, left = stack.pop()!;
          stack.push(BigInt.asIntN(64, arithmetic(opcode, left, right)));
        }
      }
    }
  }
}

function arithmetic(opcode: number, left: bigint, right: bigint): bigint {
  switch (opcode) {
    case 0x6a: // i32.add
    case 0x7c: // i64.add
      return left + right;
    case 0x6b: // i32.sub
    case 0x7d: // i64.sub
      return left - right;
    default: // i32.mul, i64.mul
      return left * right;
  }
}

function slots(value: bigint): Constant {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)) };
}
