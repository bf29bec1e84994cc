/**
 * Validates function bodies: one pass over the operators that reads their immediates and applies
 * their types to an `OperandStack`; nothing is allocated per operator. Operators whose types do not
 * depend on the context are one table lookup (`opcode.ts`, SHAPES); the rest are cases.
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { ValidationError } from "../error.ts";
import { readNullType, readValueType, refuseOperator, refuseProposal } from "./constant.ts";
import { Locals } from "./locals.ts";
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, typeName, type WasmModule } from "./module.ts";
import { operatorName, OPERATORS, SHAPES } from "./opcode.ts";
import { ANY, BLOCK, IF, LOOP, OperandStack, sameTypes } from "./operand_stack.ts";

/** Checks the bodies of one module. */
export class BodyValidator {
  readonly #module: WasmModule;
  /** 1 for every function that `ref.func` may name. */
  readonly #declared: Uint8Array;
  readonly #reader: Reader;
  readonly #fail: Fail;
  readonly #locals: Locals;
  readonly #stack: OperandStack;
  /** Function being checked. */
  #function = 0;
  /** Operator being checked, and where it starts. */
  #code = 0;
  #offset = 0;

  /**
   * @param declared 1 for every function that `ref.func` may name.
   * @param describe names a function for the place line of an error.
   */
  constructor(
    module: WasmModule,
    declared: Uint8Array,
    describe: (module: WasmModule, index: number) => string,
  ) {
    this.#module = module;
    this.#declared = declared;
    this.#fail = (code, reason, offset, hint) => {
      const where = describe(module, this.#function);
      throw new ValidationError(code, `Cannot validate Wasm: ${reason}`, { offset, where, hint });
    };
    this.#reader = new Reader(module.bytes, this.#fail);
    this.#locals = new Locals(this.#reader, this.#fail);
    this.#stack = new OperandStack(module.types, this.#reader, {
      refuse: (code, reason) => this.#fail(code, reason, this.#offset),
      mismatch: (expected, found) => this.#mismatch(expected, found),
    });
  }

  /**
   * Checks the body of a defined function.
   *
   * @throws {ValidationError} at the first broken rule, with byte offset and function.
   */
  check(index: number): void {
    const module = this.#module, reader = this.#reader;
    const body = 2 * (index - module.importedFunctions);
    this.#function = index;
    this.#offset = module.bodies[body];
    reader.moveTo(module.bodies[body], module.bodies[body + 1]);
    const type = module.functions[index];
    this.#locals.declare(module.types[type].params);
    this.#stack.start(type);
    this.#operators();
    if (!reader.atEnd) {
      this.#fail(
        "OperatorsAfterEnd",
        `${reader.remaining} bytes follow the end of the function`,
        reader.position,
      );
    }
  }

  #mismatch(expected: string, found: string): never {
    return this.#fail(
      "TypeMismatch",
      `type mismatch: ${operatorName(this.#code)} expects ${expected}, found ${found}`,
      this.#offset,
    );
  }

  // ── labels ────────────────────────────────────────────────────────────────────────────────────

  /** Reads a block type, numbered as {@link OperandStack} says. */
  #blockType(): number {
    const reader = this.#reader;
    const offset = reader.position;
    const byte = reader.peek();
    const types = this.#module.types.length;
    if (byte === 0x40) {
      reader.skip(1);
      return types;
    }
    // A single byte below zero as s33 is a value type.
    if (byte >= 0x40 && byte < 0x80) {
      return types + 1 + readValueType(reader, this.#fail) - EXTERNREF;
    }
    const index = reader.varS33();
    if (index < 0) this.#fail("MalformedType", "a block type is negative but no value type", offset);
    if (index >= types) this.#fail("UnknownType", `unknown type ${index}: there are ${types}`, offset);
    return index;
  }

  /** Reads a label and gives the place of its block. */
  #label(): number {
    const offset = this.#reader.position;
    const label = this.#reader.varU32();
    const { depth } = this.#stack;
    if (label >= depth) {
      this.#fail("UnknownLabel", `unknown label ${label}: ${depth} blocks are open`, offset);
    }
    return depth - 1 - label;
  }

  #branchTable(): void {
    const reader = this.#reader;
    const offset = reader.position;
    const count = reader.varU32();
    if (count >= reader.remaining) {
      this.#fail(
        "UnexpectedEnd",
        `unexpected end of input: ${count} labels do not fit in ${reader.remaining} bytes`,
        offset,
      );
    }
    this.#stack.pop(I32);
    let arity = -1, checked = -1;
    for (let left = count; left >= 0; left--) {
      const block = this.#label();
      if (block === checked) continue;
      checked = block;
      const types = this.#stack.labelTypes(block);
      if (arity >= 0 && types.length !== arity) {
        this.#fail(
          "TypeMismatch",
          `type mismatch: br_table has labels with ${arity} and with ${types.length} values`,
          this.#offset,
        );
      }
      arity = types.length;
      this.#stack.peekAll(types);
    }
    this.#stack.unreachable();
  }

  // ── indices ───────────────────────────────────────────────────────────────────────────────────

  #index(what: string, code: string, size: number): number {
    const offset = this.#reader.position;
    const index = this.#reader.varU32();
    if (index >= size) this.#fail(code, `unknown ${what} ${index}: there are ${size}`, offset);
    return index;
  }

  #table(): number {
    return this.#index("table", "UnknownTable", this.#module.tables.length);
  }

  #elementSegment(): number {
    return this.#index("element segment", "UnknownElementSegment", this.#module.elements.length);
  }

  #dataSegment(): void {
    const { dataCount } = this.#module;
    if (dataCount === undefined) {
      this.#fail(
        "DataCountRequired",
        `${operatorName(this.#code)} needs a data count section, which the module does not have`,
        this.#offset,
      );
    }
    this.#index("data segment", "UnknownDataSegment", dataCount);
  }

  #memory(): void {
    if (this.#module.memories.length === 0) {
      this.#fail("UnknownMemory", "unknown memory 0: there are 0", this.#offset);
    }
  }

  /** The memory of `memory.size` and `memory.grow`: one zero byte, not a LEB128 of zero. */
  #memoryByte(): void {
    const offset = this.#reader.position;
    const byte = this.#reader.u8();
    if (byte !== 0) {
      this.#fail("ZeroByteExpected", `a zero byte is expected, found 0x${byte.toString(16)}`, offset);
    }
    this.#memory();
  }

  #memoryIndex(): void {
    const offset = this.#reader.position;
    const index = this.#reader.varU32();
    this.#memory();
    if (index !== 0) {
      this.#fail("UnknownMemory", `unknown memory ${index}: there is only one`, offset);
    }
  }

  #access(size: number): void {
    const reader = this.#reader;
    const offset = reader.position;
    const align = reader.varU32();
    if (align > size) this.#refuseAlignment(align, size, offset);
    reader.varU32();
    this.#memory();
  }

  #refuseAlignment(align: number, size: number, offset: number): never {
    if (align >= 0x40 && align < 0x80) {
      refuseProposal(this.#fail, "multi-memory", "a memory access with a memory index", offset);
    }
    return this.#fail(
      "Alignment",
      `alignment must not be larger than natural: 2^${align} bytes for an access of ${2 ** size}`,
      offset,
    );
  }

  // ── calls ─────────────────────────────────────────────────────────────────────────────────────

  /** Function or, for an indirect call, its type and table with the index operand taken off. */
  #callee(indirect: boolean): number {
    const { functions, types, tables } = this.#module;
    if (!indirect) return functions[this.#index("function", "UnknownFunction", functions.length)];
    const type = this.#index("type", "UnknownType", types.length);
    const table = this.#table();
    if (tables[table].type !== FUNCREF) {
      this.#fail(
        "TypeMismatch",
        `type mismatch: ${operatorName(this.#code)} expects a table of funcref, table ${table} has externref`,
        this.#offset,
      );
    }
    this.#stack.pop(I32);
    return type;
  }

  #call(indirect: boolean): void {
    const type = this.#callee(indirect);
    this.#stack.popAll(this.#module.types[type].params);
    this.#stack.pushAll(this.#module.types[type].results);
  }

  #returnCall(indirect: boolean): void {
    const type = this.#callee(indirect);
    if (!sameTypes(this.#module.types[type].results, this.#stack.functionResults())) {
      this.#fail(
        "TypeMismatch",
        `type mismatch: ${operatorName(this.#code)} calls a function with other results than its own`,
        this.#offset,
      );
    }
    this.#stack.popAll(this.#module.types[type].params);
    this.#stack.unreachable();
  }

  // ── operators ─────────────────────────────────────────────────────────────────────────────────

  #operators(): void {
    const reader = this.#reader, stack = this.#stack;
    do {
      this.#offset = reader.position;
      let code = reader.u8();
      if (code >= 0xfb) code = this.#prefixed(code);
      this.#code = code;
      const shape = SHAPES[code];
      if (shape === 0) {
        this.#operator(code);
        continue;
      }
      if (shape >>> 26 !== 0) this.#access((shape >>> 26) - 1);
      stack.pop(shape & 0xff);
      if (shape & 0xff00) stack.pop(shape >> 8 & 0xff);
      const result = shape >> 16 & 0xff;
      if (result !== 0) stack.push(result);
    } while (stack.depth > 0);
  }

  #prefixed(byte: number): number {
    const reader = this.#reader;
    const start = reader.position;
    const sub = byte === 0xfc ? reader.varU32() : 0;
    if (byte !== 0xfc || OPERATORS[0x100 + sub] === undefined) {
      reader.position = start;
      refuseOperator(reader, this.#fail, byte, this.#offset);
    }
    return 0x100 + sub;
  }

  /**
   * An operator whose types depend on the context. The cases are literals and close together, so
   * that V8 makes a jump table; the rare ones above 0xd0 are apart because they would spoil it.
   */
  #operator(code: number): void {
    const reader = this.#reader, module = this.#module, stack = this.#stack;
    switch (code) {
      case 0x00: // unreachable
        return stack.unreachable();
      case 0x01: // nop
        return;
      case 0x02: // block
      case 0x03: // loop
      case 0x04: { // if
        const blockType = this.#blockType();
        if (code === 0x04) stack.pop(I32);
        return stack.open(code === 0x02 ? BLOCK : code === 0x03 ? LOOP : IF, blockType);
      }
      case 0x05: // else
        return stack.else();
      case 0x0b: // end
        return stack.end();
      case 0x0c: // br
        stack.popAll(stack.labelTypes(this.#label()));
        return stack.unreachable();
      case 0x0d: { // br_if
        const types = stack.labelTypes(this.#label());
        stack.pop(I32);
        stack.popAll(types);
        return stack.pushAll(types);
      }
      case 0x0e: // br_table
        return this.#branchTable();
      case 0x0f: // return
        stack.popAll(stack.functionResults());
        return stack.unreachable();
      case 0x10: // call
        return this.#call(false);
      case 0x11: // call_indirect
        return this.#call(true);
      case 0x12: // return_call
        return this.#returnCall(false);
      case 0x13: // return_call_indirect
        return this.#returnCall(true);
      case 0x1a: // drop
        stack.popAny();
        return;
      case 0x1b: // select
        return this.#select();
      case 0x1c: // select t
        return this.#typedSelect();
      case 0x20: // local.get
        return stack.push(this.#locals.read());
      case 0x21: // local.set
        return stack.pop(this.#locals.read());
      case 0x22: { // local.tee
        const type = this.#locals.read();
        stack.pop(type);
        return stack.push(type);
      }
      case 0x23: // global.get
        return stack.push(
          module.globals[this.#index("global", "UnknownGlobal", module.globals.length)].type,
        );
      case 0x24: // global.set
        return this.#globalSet();
      case 0x25: { // table.get
        const table = this.#table();
        stack.pop(I32);
        return stack.push(module.tables[table].type);
      }
      case 0x26: // table.set
        stack.pop(module.tables[this.#table()].type);
        return stack.pop(I32);
      case 0x3f: // memory.size
        this.#memoryByte();
        return stack.push(I32);
      case 0x40: // memory.grow
        this.#memoryByte();
        stack.pop(I32);
        return stack.push(I32);
      case 0x41: // i32.const
        reader.varS32();
        return stack.push(I32);
      case 0x42: // i64.const
        reader.varS64();
        return stack.push(I64);
      case 0x43: // f32.const
        reader.skip(4);
        return stack.push(F32);
      case 0x44: // f64.const
        reader.skip(8);
        return stack.push(F64);
      default:
        return this.#lateOperator(code);
    }
  }

  /** References and the operators with prefix 0xFC. */
  #lateOperator(code: number): void {
    const reader = this.#reader, module = this.#module, stack = this.#stack;
    switch (code) {
      case 0xd0: // ref.null
        return stack.push(readNullType(reader, this.#fail));
      case 0xd1: { // ref.is_null
        const type = stack.popAny();
        if (type !== ANY && type > FUNCREF) this.#mismatch("a reference", typeName(type));
        return stack.push(I32);
      }
      case 0xd2: // ref.func
        return this.#refFunc();
      case 0x108: // memory.init
        this.#dataSegment();
        this.#memoryIndex();
        return this.#popI32s(3);
      case 0x109: // data.drop
        return this.#dataSegment();
      case 0x10a: // memory.copy
        this.#memoryIndex();
        this.#memoryIndex();
        return this.#popI32s(3);
      case 0x10b: // memory.fill
        this.#memoryIndex();
        return this.#popI32s(3);
      case 0x10c: // table.init
        this.#sameReferences(module.elements[this.#elementSegment()].type, module.tables[this.#table()].type);
        return this.#popI32s(3);
      case 0x10d: // elem.drop
        this.#elementSegment();
        return;
      case 0x10e: // table.copy
        this.#sameReferences(module.tables[this.#table()].type, module.tables[this.#table()].type);
        return this.#popI32s(3);
      case 0x10f: { // table.grow
        const table = this.#table();
        stack.pop(I32);
        stack.pop(module.tables[table].type);
        return stack.push(I32);
      }
      case 0x110: // table.size
        this.#table();
        return stack.push(I32);
      case 0x111: { // table.fill
        const table = this.#table();
        stack.pop(I32);
        stack.pop(module.tables[table].type);
        return stack.pop(I32);
      }
      case 0x113: // i64.add128
      case 0x114: // i64.sub128
      case 0x115: // i64.mul_wide_s
      case 0x116: { // i64.mul_wide_u
        const { operands, results } = OPERATORS[code]!;
        stack.popAll(operands!);
        return stack.pushAll(results!);
      }
      default:
        refuseOperator(reader, this.#fail, code, this.#offset);
    }
  }

  #popI32s(count: number): void {
    for (; count > 0; count--) this.#stack.pop(I32);
  }

  #globalSet(): void {
    const { globals } = this.#module;
    const index = this.#index("global", "UnknownGlobal", globals.length);
    if (!globals[index].mutable) {
      this.#fail("ImmutableGlobal", `global ${index} is immutable`, this.#offset);
    }
    this.#stack.pop(globals[index].type);
  }

  #refFunc(): void {
    const index = this.#index("function", "UnknownFunction", this.#module.functions.length);
    if (this.#declared[index] === 0) {
      this.#fail(
        "UndeclaredFunctionReference",
        `undeclared function reference: function ${index} is in no element segment, global or export`,
        this.#offset,
      );
    }
    this.#stack.push(FUNCREF);
  }

  #sameReferences(one: number, other: number): void {
    if (one !== other) this.#mismatch("equal reference types", `${typeName(one)} and ${typeName(other)}`);
  }

  #select(): void {
    this.#stack.pop(I32);
    const second = this.#stack.popAny(), first = this.#stack.popAny();
    const type = first === ANY ? second : first;
    if (type !== ANY && type <= FUNCREF) this.#mismatch("a number", typeName(type));
    if (second !== ANY && second !== type) this.#mismatch(typeName(type), typeName(second));
    this.#stack.push(type);
  }

  #typedSelect(): void {
    const offset = this.#reader.position;
    const count = this.#reader.varU32();
    if (count !== 1) {
      this.#fail(
        "InvalidResultArity",
        `invalid result arity: select has ${count} types instead of 1`,
        offset,
      );
    }
    const type = readValueType(this.#reader, this.#fail);
    this.#stack.pop(I32);
    this.#stack.pop(type);
    this.#stack.pop(type);
    this.#stack.push(type);
  }
}
