/**
 * A `WasmModule` in, the same module as `ValidWasm` out: every rule of WebAssembly 2.0 with tail
 * calls, extended constant expressions and wide arithmetic. This file has the rules between
 * sections and of constant expressions; `validate_body.ts` has those of function bodies. Time and
 * memory are linear in the input. Nothing is changed or computed: there is no evaluation here.
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { ValidationError } from "../error.ts";
import {
  type ByteRange,
  type ElementSegment,
  type ExternalKind,
  FUNCREF,
  GLOBAL_ITEM,
  I32,
  I64,
  NULL_ITEM,
  typeName,
  type ValidWasm,
  type WasmModule,
} from "./module.ts";
import { readNames } from "./names.ts";
import { operatorName } from "./opcode.ts";
import { BodyValidator } from "./validate_body.ts";

const fail: Fail = (code, reason, offset, hint) => {
  throw new ValidationError(code, `Cannot validate Wasm: ${reason}`, { offset, hint });
};

/** Names a function as well as the module can, for the place line of an error. */
function describeFunction(module: WasmModule, index: number): string {
  const name = readNames(module).functions.get(index) ??
    module.exports.find((entry) => entry.kind === "function" && entry.index === index)?.name;
  return name === undefined ? `function ${index}` : `function ${index} ${JSON.stringify(name)}`;
}

/** How many of each kind a module has. */
function sizeOf(module: WasmModule, kind: ExternalKind): number {
  switch (kind) {
    case "function":
      return module.functions.length;
    case "table":
      return module.tables.length;
    case "memory":
      return module.memories.length;
    case "global":
      return module.globals.length;
  }
}

const UNKNOWN_CODES: { readonly [kind in ExternalKind]: string } = {
  function: "UnknownFunction",
  table: "UnknownTable",
  memory: "UnknownMemory",
  global: "UnknownGlobal",
};

function checkIndex(module: WasmModule, kind: ExternalKind, index: number, offset: number): void {
  const size = sizeOf(module, kind);
  if (index < size) return;
  fail(UNKNOWN_CODES[kind], `unknown ${kind} ${index}: there are ${size}`, offset);
}

/** Checks constant expressions; one for a module, so that its stack is reused. */
class ConstantValidator {
  readonly #module: WasmModule;
  readonly #declared: Uint8Array;
  readonly #reader: Reader;
  #stack: Uint8Array = new Uint8Array(64);

  constructor(module: WasmModule, declared: Uint8Array) {
    this.#module = module;
    this.#declared = declared;
    this.#reader = new Reader(module.bytes, fail);
  }

  /** Checks that an expression gives one value of a type. A `ref.func` in it declares its function. */
  check(range: ByteRange, expected: number): void {
    const reader = this.#reader;
    reader.moveTo(range.start, range.end);
    let height = 0;
    for (;;) {
      const offset = reader.position;
      const operator = reader.u8();
      let type: number;
      switch (operator) {
        case 0x0b: // end
          if (height === 1 && this.#stack[0] === expected && reader.atEnd) return;
          return this.#resultMismatch(height, expected, range.start);
        case 0x23: // global.get
          type = this.#global(reader.varU32(), offset);
          break;
        case 0x41: // i32.const
          reader.varS32();
          type = I32;
          break;
        case 0x42: // i64.const
          reader.varS64();
          type = I64;
          break;
        case 0x43: // f32.const
          reader.skip(4);
          type = 0x7d;
          break;
        case 0x44: // f64.const
          reader.skip(8);
          type = 0x7c;
          break;
        case 0xd0: // ref.null
          type = reader.u8();
          break;
        case 0xd2: // ref.func
          type = this.#function(reader.varU32(), offset);
          break;
        case 0x6a: // i32.add
        case 0x6b: // i32.sub
        case 0x6c: // i32.mul
        case 0x7c: // i64.add
        case 0x7d: // i64.sub
        case 0x7e: { // i64.mul
          type = operator < 0x70 ? I32 : I64;
          if (height < 2 || this.#stack[height - 1] !== type || this.#stack[height - 2] !== type) {
            this.#operandMismatch(operator, type, offset);
          }
          height -= 2;
          break;
        }
        default:
          return fail(
            "ConstantExpressionRequired",
            `${operatorName(operator)} is not allowed in a constant expression`,
            offset,
          );
      }
      if (height === this.#stack.length) {
        const larger = new Uint8Array(2 * height);
        larger.set(this.#stack);
        this.#stack = larger;
      }
      this.#stack[height++] = type;
    }
  }

  #global(index: number, offset: number): number {
    checkIndex(this.#module, "global", index, offset);
    const global = this.#module.globals[index];
    if (global.init !== undefined) {
      fail(
        "ConstantExpressionRequired",
        `unknown global ${index}: a constant expression can only read imported globals`,
        offset,
      );
    }
    if (global.mutable) {
      fail("ConstantExpressionRequired", `a constant expression cannot read mutable global ${index}`, offset);
    }
    return global.type;
  }

  #function(index: number, offset: number): number {
    checkIndex(this.#module, "function", index, offset);
    this.#declared[index] = 1;
    return FUNCREF;
  }

  #operandMismatch(operator: number, type: number, offset: number): never {
    return fail(
      "TypeMismatch",
      `type mismatch: ${operatorName(operator)} expects two operands of type ${typeName(type)}`,
      offset,
    );
  }

  #resultMismatch(height: number, expected: number, offset: number): never {
    const found = height === 0
      ? "nothing"
      : height === 1
      ? (typeName(this.#stack[0]) ?? "an unknown type")
      : `${height} values`;
    return fail(
      "TypeMismatch",
      `type mismatch: a constant expression must give ${typeName(expected)}, found ${found}`,
      offset,
    );
  }
}

function checkFunctionTypes(module: WasmModule): void {
  const { functions, importedFunctions, types } = module;
  for (let index = 0; index < functions.length; index++) {
    if (functions[index] < types.length) continue;
    const offset = index < importedFunctions
      ? module.imports.find((entry) => entry.kind === "function" && entry.index === index)!.offset
      : module.bodies[2 * (index - importedFunctions)];
    throw new ValidationError(
      "UnknownType",
      `Cannot validate Wasm: unknown type ${functions[index]}: there are ${types.length}`,
      { offset, where: `function ${index}` },
    );
  }
}

function checkExports(module: WasmModule, declared: Uint8Array): void {
  const names = new Set<string>();
  for (const { name, kind, index, offset } of module.exports) {
    checkIndex(module, kind, index, offset);
    if (names.has(name)) fail("DuplicateExport", `duplicate export name ${JSON.stringify(name)}`, offset);
    names.add(name);
    if (kind === "function") declared[index] = 1;
  }
}

function checkStart(module: WasmModule): void {
  if (module.start === undefined) return;
  const { function: index, offset } = module.start;
  checkIndex(module, "function", index, offset);
  const { params, results } = module.types[module.functions[index]];
  if (params.length + results.length > 0) {
    fail("StartFunction", `start function ${index} must have no parameters and no results`, offset);
  }
}

function checkElements(module: WasmModule, constants: ConstantValidator, declared: Uint8Array): void {
  for (const segment of module.elements) {
    const { mode, table, at, type, offset } = segment;
    if (mode === "active") {
      checkIndex(module, "table", table, offset);
      if (module.tables[table].type !== type) {
        fail(
          "TypeMismatch",
          `type mismatch: table ${table} has ${typeName(module.tables[table].type)}, the segment ${
            typeName(type)
          }`,
          offset,
        );
      }
      if (at !== undefined) constants.check(at, I32);
    }
    checkItems(module, segment, declared);
  }
}

function checkItems(module: WasmModule, { items, type, offset }: ElementSegment, declared: Uint8Array): void {
  for (let position = 0; position < items.length; position++) {
    const item = items[position];
    if (item >= 0) {
      checkIndex(module, "function", item, offset);
      declared[item] = 1;
    } else if (item !== NULL_ITEM) {
      const index = GLOBAL_ITEM - item;
      checkIndex(module, "global", index, offset);
      const global = module.globals[index];
      if (global.init !== undefined || global.mutable) {
        fail(
          "ConstantExpressionRequired",
          `an element can only read imported immutable globals, not global ${index}`,
          offset,
        );
      }
      if (global.type !== type) {
        fail(
          "TypeMismatch",
          `type mismatch: element ${position} is global ${index} of type ${typeName(global.type)}, not ${
            typeName(type)
          }`,
          offset,
        );
      }
    }
  }
}

function checkData(module: WasmModule, constants: ConstantValidator): void {
  for (const { mode, memory, at, offset } of module.data) {
    if (mode !== "active") continue;
    checkIndex(module, "memory", memory, offset);
    if (at !== undefined) constants.check(at, I32);
  }
}

/**
 * Checks a parsed module against all rules of the accepted language.
 *
 * @throws {ValidationError} at the first rule that is broken, with the byte offset, and the function
 * when it is in a body. Sections are checked before bodies.
 */
export function validate(module: WasmModule): ValidWasm {
  // Functions that `ref.func` in a body may name: those that occur outside of bodies.
  const declared = new Uint8Array(module.functions.length);
  const constants = new ConstantValidator(module, declared);
  checkFunctionTypes(module);
  for (const { type, init } of module.globals) {
    if (init !== undefined) constants.check(init, type);
  }
  checkExports(module, declared);
  checkStart(module);
  checkElements(module, constants, declared);
  checkData(module, constants);
  const bodies = new BodyValidator(module, declared, describeFunction);
  for (let index = module.importedFunctions; index < module.functions.length; index++) bodies.check(index);
  return module as ValidWasm;
}
