/**
 * Wasm bytes in, a `WasmModule` out: one pass over the sections that reads every entry and leaves
 * function bodies and constant expressions as byte ranges. It refuses what is malformed, what is
 * outside the accepted language, and what is out of bounds; types and the indices that the data
 * model can hold are checked by `validate.ts`.
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { UsageError, ValidationError } from "../error.ts";
import {
  MAX_BODY_BYTES,
  MAX_CUSTOM_SECTIONS,
  MAX_ENTRIES,
  MAX_MODULE_BYTES,
  MAX_PAGES,
  MAX_SEGMENTS,
  MAX_SIGNATURE,
  MAX_TABLES,
} from "./bounds.ts";
import { readNullType, readReferenceType, readValueType, refuseProposal, skipConstant } from "./constant.ts";
import {
  type ByteRange,
  type CustomSection,
  type DataSegment,
  type ElementSegment,
  type ExternalKind,
  EXTERNREF,
  FUNCREF,
  GLOBAL_ITEM,
  NULL_ITEM,
  type SizeBounds,
  type WasmExport,
  type WasmFunctionType,
  type WasmGlobal,
  type WasmImport,
  type WasmModule,
  type WasmTable,
} from "./module.ts";
import { boundsProposal, typeFormProposal } from "./proposal.ts";

const fail: Fail = (code, reason, offset, hint) => {
  throw new ValidationError(code, `Cannot parse Wasm: ${reason}`, { offset, hint });
};

/** Sections by id, with their place in the order: data count (12) comes before code (10). */
const SECTIONS: readonly { readonly name: string; readonly rank: number }[] = [
  { name: "custom", rank: 0 },
  { name: "type", rank: 1 },
  { name: "import", rank: 2 },
  { name: "function", rank: 3 },
  { name: "table", rank: 4 },
  { name: "memory", rank: 5 },
  { name: "global", rank: 6 },
  { name: "export", rank: 7 },
  { name: "start", rank: 8 },
  { name: "element", rank: 9 },
  { name: "code", rank: 11 },
  { name: "data", rank: 12 },
  { name: "data count", rank: 10 },
];

const TAG_SECTION = 13;

const EXTERNAL_KINDS: readonly ExternalKind[] = ["function", "table", "memory", "global"];

const NO_BYTES = new Uint8Array(0);
const NO_ITEMS = new Int32Array(0);

/** The module while its sections are read. */
class Parser {
  readonly bytes: Uint8Array;
  readonly reader: Reader;
  readonly types: WasmFunctionType[] = [];
  readonly imports: WasmImport[] = [];
  readonly importedFunctionTypes: number[] = [];
  functionTypes = new Uint32Array(0);
  readonly tables: WasmTable[] = [];
  importedTables = 0;
  readonly memories: SizeBounds[] = [];
  importedMemories = 0;
  readonly globals: WasmGlobal[] = [];
  importedGlobals = 0;
  readonly exports: WasmExport[] = [];
  start: { readonly function: number; readonly offset: number } | undefined = undefined;
  readonly elements: ElementSegment[] = [];
  readonly data: DataSegment[] = [];
  dataCount: number | undefined = undefined;
  bodies = new Uint32Array(0);
  code: ByteRange = { start: 0, end: 0 };
  readonly customs: CustomSection[] = [];
  /** Short type lists by content: a million types would otherwise make two million views. */
  readonly #typeLists = new Map<number, Uint8Array>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.reader = new Reader(bytes, fail);
  }

  module(): WasmModule {
    const { reader } = this;
    this.#header();
    let rank = 0;
    while (!reader.atEnd) {
      const offset = reader.position;
      const id = reader.u8();
      const section = SECTIONS[id];
      if (section === undefined) {
        if (id === TAG_SECTION) refuseProposal(fail, "exception handling", "the tag section", offset);
        fail("MalformedSection", `section id ${id} does not exist`, offset);
      }
      const length = reader.varU32();
      if (length > reader.remaining) {
        fail(
          "UnexpectedEnd",
          `the ${section.name} section has ${length} bytes, but only ${reader.remaining} are left`,
          offset,
        );
      }
      if (id !== 0) {
        if (section.rank <= rank) {
          fail("SectionOrder", `the ${section.name} section is repeated or out of order`, offset);
        }
        rank = section.rank;
      }
      const start = reader.position, end = start + length;
      // The range of the section is the end of input for everything in it.
      reader.moveTo(start, end);
      this.#section(id);
      if (!reader.atEnd) {
        fail(
          "SectionSize",
          `the ${section.name} section has ${reader.remaining} bytes after its last entry`,
          reader.position,
        );
      }
      reader.moveTo(end, this.bytes.length);
    }
    return this.#finish();
  }

  #header(): void {
    const { reader } = this;
    if (reader.remaining < 8) {
      fail(
        "UnexpectedEnd",
        `unexpected end of input: ${reader.remaining} bytes are too few for a module`,
        0,
        "a Wasm binary starts with 00 61 73 6d 01 00 00 00",
      );
    }
    if (reader.u32() !== 0x6d736100) { // "\0asm"
      fail("MalformedHeader", "the bytes do not start with the magic number of Wasm", 0, this.#whatItIs());
    }
    const version = reader.u16(), layer = reader.u16();
    if (layer === 1) refuseProposal(fail, "component model", "a component binary", 4);
    if (version !== 1 || layer !== 0) {
      fail("MalformedHeader", `version ${version + layer * 65_536} of the binary format is not known`, 4);
    }
  }

  #whatItIs(): string {
    const first = this.bytes[0];
    if (first === 0xef && this.bytes[1] === 0x52) return "this is an rWasm module: decode it instead";
    if (first === 0x28 || first === 0x3b) return "this looks like the text format: assemble it with wat2wasm";
    return "a Wasm binary starts with 00 61 73 6d 01 00 00 00";
  }

  #section(id: number): void {
    switch (id) {
      case 0:
        return this.#custom();
      case 1:
        return this.#each("types", MAX_ENTRIES, () => this.#type());
      case 2:
        return this.#each("imports", MAX_ENTRIES, () => this.#import());
      case 3:
        return this.#functions();
      case 4:
        return this.#each("tables", MAX_TABLES, () => this.#table());
      case 5:
        return this.#each("memories", MAX_ENTRIES, () => this.#memory());
      case 6:
        return this.#each("globals", MAX_ENTRIES, () => this.#global());
      case 7:
        return this.#each("exports", MAX_ENTRIES, () => this.#export());
      case 8:
        this.start = { offset: this.reader.position, function: this.reader.varU32() };
        return;
      case 9:
        return this.#each("element segments", MAX_SEGMENTS, () => this.#element());
      case 10:
        return this.#code();
      case 11:
        return this.#each("data segments", MAX_SEGMENTS, () => this.#data());
      case 12:
        this.dataCount = this.reader.varU32();
        return;
    }
  }

  /** A count that is within `most` and that the bytes left can hold, each entry having at least one. */
  #count(what: string, most: number): number {
    const offset = this.reader.position;
    const count = this.reader.varU32();
    if (count > this.reader.remaining) {
      fail(
        "UnexpectedEnd",
        `unexpected end of input: ${count} ${what} do not fit in ${this.reader.remaining} bytes`,
        offset,
      );
    }
    if (count > most) {
      fail("TooMany", `there are ${count} ${what}, more than the ${most} accepted`, offset);
    }
    return count;
  }

  #each(what: string, most: number, read: () => void): void {
    for (let count = this.#count(what, most); count > 0; count--) read();
  }

  #custom(): void {
    const { reader } = this;
    if (this.customs.length >= MAX_CUSTOM_SECTIONS) {
      fail(
        "TooMany",
        `there are more than the ${MAX_CUSTOM_SECTIONS} custom sections accepted`,
        reader.position,
      );
    }
    const name = reader.name();
    const start = reader.skip(reader.remaining);
    this.customs.push({ name, bytes: { start, end: reader.position } });
  }

  #type(): void {
    const { reader } = this;
    const offset = reader.position;
    const form = reader.u8();
    if (form !== 0x60) { // func
      const text = `type form 0x${form.toString(16).padStart(2, "0")}`;
      const proposal = typeFormProposal(form);
      if (proposal !== undefined) refuseProposal(fail, proposal, text, offset);
      fail("MalformedType", `${text} does not exist`, offset);
    }
    const params = this.#typeList("parameters");
    const results = this.#typeList("results");
    this.types.push({ params, results });
  }

  #typeList(what: string): Uint8Array {
    const { reader } = this;
    const count = this.#count(what, MAX_SIGNATURE);
    if (count === 0) return NO_BYTES;
    const start = reader.position;
    let key = 1;
    for (let left = count; left > 0; left--) key = key << 7 | readValueType(reader, fail);
    if (count > 4) return this.bytes.subarray(start, start + count);
    // Up to four types of seven bits and a leading one fit in the key.
    let list = this.#typeLists.get(key);
    if (list === undefined) this.#typeLists.set(key, list = this.bytes.subarray(start, start + count));
    return list;
  }

  #import(): void {
    const { reader } = this;
    const offset = reader.position;
    const module = reader.name();
    const name = reader.name();
    const kind = this.#externalKind("an import");
    let index: number;
    switch (kind) {
      case "function":
        index = this.importedFunctionTypes.push(reader.varU32()) - 1;
        break;
      case "table":
        if (this.importedTables >= MAX_TABLES) {
          fail("TooMany", `there are more than the ${MAX_TABLES} tables accepted`, offset);
        }
        index = this.importedTables++;
        this.tables.push(this.#tableType());
        break;
      case "memory":
        index = this.importedMemories++;
        this.#memory();
        break;
      case "global":
        index = this.importedGlobals++;
        this.globals.push({ ...this.#globalType(), init: undefined });
        break;
    }
    this.imports.push({ module, name, kind, index, offset });
  }

  #externalKind(what: string): ExternalKind {
    const offset = this.reader.position;
    const byte = this.reader.u8();
    const kind = EXTERNAL_KINDS[byte];
    if (kind !== undefined) return kind;
    const text = `${what} of kind 0x${byte.toString(16).padStart(2, "0")}`;
    if (byte === 4) refuseProposal(fail, "exception handling", text, offset);
    if (byte === 0x20) refuseProposal(fail, "custom descriptors", text, offset);
    if (byte === 0x7e || byte === 0x7f) refuseProposal(fail, "compact import section", text, offset);
    return fail("MalformedExternalKind", `${text} does not exist`, offset);
  }

  #functions(): void {
    const { reader } = this;
    const count = this.#count("functions", MAX_ENTRIES);
    this.functionTypes = new Uint32Array(count);
    for (let index = 0; index < count; index++) this.functionTypes[index] = reader.varU32();
  }

  /** Size bounds: checked here because the data model keeps no offset for them. */
  #bounds(what: string, most: number): SizeBounds {
    const { reader } = this;
    const offset = reader.position;
    const flags = reader.u8();
    if (flags > 1) {
      const proposal = boundsProposal(flags);
      if (proposal !== undefined) {
        refuseProposal(fail, proposal, `a ${what} with flags 0x${flags.toString(16)}`, offset);
      }
      fail("MalformedBounds", `flags 0x${flags.toString(16)} of a ${what} do not exist`, offset);
    }
    const min = reader.varU32();
    const max = flags === 1 ? reader.varU32() : undefined;
    if (Math.max(min, max ?? 0) > most) {
      fail(
        "SizeOutOfBounds",
        `a ${what} of ${Math.max(min, max ?? 0)} pages: a memory has at most ${most} pages (4 GiB)`,
        offset,
      );
    }
    if (max !== undefined && min > max) {
      fail("SizeOutOfBounds", `the minimum ${min} of a ${what} is greater than its maximum ${max}`, offset);
    }
    return { min, max };
  }

  #tableType(): WasmTable {
    const offset = this.reader.position;
    if (this.reader.peek() === 0x40) {
      refuseProposal(fail, "typed function references", "a table with an initializer", offset);
    }
    const type = readReferenceType(this.reader, fail);
    return { type, ...this.#bounds("table", 0xffff_ffff) };
  }

  #table(): void {
    this.tables.push(this.#tableType());
  }

  #memory(): void {
    const offset = this.reader.position;
    if (this.memories.length > 0) refuseProposal(fail, "multi-memory", "a second memory", offset);
    this.memories.push(this.#bounds("memory", MAX_PAGES));
  }

  #globalType(): { readonly type: number; readonly mutable: boolean } {
    const { reader } = this;
    const type = readValueType(reader, fail);
    const offset = reader.position;
    const mutability = reader.u8();
    if (mutability > 1) {
      fail("MalformedMutability", `mutability ${mutability} of a global is not 0 or 1`, offset);
    }
    return { type, mutable: mutability === 1 };
  }

  #global(): void {
    const { type, mutable } = this.#globalType();
    this.globals.push({ type, mutable, init: this.#constant() });
  }

  #constant(): ByteRange {
    const start = this.reader.position;
    skipConstant(this.reader, fail);
    return { start, end: this.reader.position };
  }

  #export(): void {
    const { reader } = this;
    const offset = reader.position;
    const name = reader.name();
    const kind = this.#externalKind("an export");
    this.exports.push({ name, kind, index: reader.varU32(), offset });
  }

  /**
   * The flags of an element segment: bit 0 means not active; bit 1 means declarative, or, when
   * active, that the table is given; bit 2 means that the items are expressions.
   */
  #element(): void {
    const { reader } = this;
    const offset = reader.position;
    const flags = reader.varU32();
    if (flags > 7) fail("MalformedSegment", `flags ${flags} of an element segment do not exist`, offset);
    const active = (flags & 1) === 0, expressions = (flags & 4) !== 0;
    const mode = active ? "active" : flags & 2 ? "declarative" : "passive";
    const table = active && flags & 2 ? reader.varU32() : 0;
    const at = active ? this.#constant() : undefined;
    let type = FUNCREF;
    if (flags & 3) {
      if (expressions) type = readReferenceType(reader, fail);
      else this.#elementKind();
    }
    const items = expressions ? this.#itemExpressions(type) : this.#itemFunctions();
    this.elements.push({ mode, table, at, type, items, offset });
  }

  #elementKind(): void {
    const offset = this.reader.position;
    const kind = this.reader.u8();
    if (kind !== 0) fail("MalformedSegment", `element kind ${kind} does not exist`, offset);
  }

  #itemFunctions(): Int32Array {
    const count = this.#count("elements", Infinity);
    if (count === 0) return NO_ITEMS;
    const items = new Int32Array(count);
    for (let index = 0; index < count; index++) items[index] = this.#itemFunction();
    return items;
  }

  /** A function index; checked here because an item has no room for a larger one. */
  #itemFunction(): number {
    const offset = this.reader.position;
    const index = this.reader.varU32();
    const functions = this.importedFunctionTypes.length + this.functionTypes.length;
    if (index >= functions) {
      fail("UnknownFunction", `unknown function ${index}: there are ${functions}`, offset);
    }
    return index;
  }

  /** Items as constant expressions: of reference type, so each is one operator and `end`. */
  #itemExpressions(type: number): Int32Array {
    const { reader } = this;
    const count = this.#count("elements", Infinity);
    const items = new Int32Array(count);
    for (let index = 0; index < count; index++) {
      const offset = reader.position;
      switch (reader.peek()) {
        case 0xd0: // ref.null
          reader.skip(1);
          items[index] = NULL_ITEM;
          if (readNullType(reader, fail) !== type) this.#itemType(type, offset);
          break;
        case 0xd2: // ref.func
          reader.skip(1);
          items[index] = this.#itemFunction();
          if (type !== FUNCREF) this.#itemType(type, offset);
          break;
        case 0x23: // global.get
          reader.skip(1);
          items[index] = GLOBAL_ITEM - this.#itemGlobal();
          break;
        default:
          skipConstant(reader, fail);
          this.#itemType(type, offset);
      }
      if (reader.peek() === 0x0b) reader.skip(1); // end
      else {
        skipConstant(reader, fail);
        this.#itemType(type, offset);
      }
    }
    return items;
  }

  #itemGlobal(): number {
    const offset = this.reader.position;
    const index = this.reader.varU32();
    if (index >= this.globals.length) {
      fail("UnknownGlobal", `unknown global ${index}: there are ${this.globals.length}`, offset);
    }
    return index;
  }

  #itemType(type: number, offset: number): never {
    const name = type === EXTERNREF ? "externref" : "funcref";
    return fail("TypeMismatch", `type mismatch: an element must be one constant of type ${name}`, offset);
  }

  #code(): void {
    const { reader } = this;
    const codeStart = reader.position;
    const offset = reader.position;
    const count = reader.varU32();
    if (count !== this.functionTypes.length) this.#inconsistentFunctions(count, offset);
    const bodies = new Uint32Array(2 * count);
    for (let index = 0; index < count; index++) {
      const sizeOffset = reader.position;
      const size = reader.varU32();
      const start = reader.skip(size);
      if (size > MAX_BODY_BYTES) {
        fail(
          "TooMany",
          `a function body has ${size} bytes, more than the ${MAX_BODY_BYTES} accepted`,
          sizeOffset,
        );
      }
      bodies[2 * index] = start;
      bodies[2 * index + 1] = start + size;
    }
    this.bodies = bodies;
    this.code = { start: codeStart, end: reader.position };
  }

  #inconsistentFunctions(bodies: number, offset: number): never {
    return fail(
      "InconsistentLengths",
      `function and code section have inconsistent lengths: ${this.functionTypes.length} and ${bodies}`,
      offset,
    );
  }

  #data(): void {
    const { reader } = this;
    const offset = reader.position;
    const flags = reader.varU32();
    if (flags > 2) fail("MalformedSegment", `flags ${flags} of a data segment do not exist`, offset);
    const memory = flags === 2 ? reader.varU32() : 0;
    const at = flags === 1 ? undefined : this.#constant();
    const length = reader.varU32();
    const start = reader.skip(length);
    const mode = flags === 1 ? "passive" : "active";
    this.data.push({ mode, memory, at, bytes: { start, end: start + length }, offset });
  }

  #finish(): WasmModule {
    const end = this.bytes.length;
    if (this.bodies.length !== 2 * this.functionTypes.length) {
      this.#inconsistentFunctions(this.bodies.length / 2, end);
    }
    if (this.dataCount !== undefined && this.dataCount !== this.data.length) {
      fail(
        "InconsistentLengths",
        `data count and data section have inconsistent lengths: ${this.dataCount} and ${this.data.length}`,
        end,
      );
    }
    const importedFunctions = this.importedFunctionTypes.length;
    const functions = new Uint32Array(importedFunctions + this.functionTypes.length);
    functions.set(this.importedFunctionTypes);
    functions.set(this.functionTypes, importedFunctions);
    return {
      bytes: this.bytes,
      types: this.types,
      imports: this.imports,
      functions,
      importedFunctions,
      tables: this.tables,
      importedTables: this.importedTables,
      memories: this.memories,
      importedMemories: this.importedMemories,
      globals: this.globals,
      importedGlobals: this.importedGlobals,
      exports: this.exports,
      start: this.start,
      elements: this.elements,
      data: this.data,
      dataCount: this.dataCount,
      bodies: this.bodies,
      code: this.code,
      customs: this.customs,
    };
  }
}

/**
 * Reads a Wasm binary. The module refers to `bytes`, which must not change afterwards; bytes that
 * other threads can write to are copied first.
 *
 * @throws {ValidationError} when the bytes are malformed, out of bounds, or use a proposal that is
 * not accepted; it carries the byte offset.
 * @throws {UsageError} `InvalidArgument` when `bytes` is not a `Uint8Array`.
 */
export function parse(bytes: Uint8Array): WasmModule {
  if (!(bytes instanceof Uint8Array)) {
    throw new UsageError("InvalidArgument", "Cannot parse Wasm: the input is not a Uint8Array");
  }
  if (bytes.length > MAX_MODULE_BYTES) {
    fail("TooMany", `the module has ${bytes.length} bytes, more than the ${MAX_MODULE_BYTES} accepted`, 0);
  }
  // Shared bytes could change between validation and compilation.
  const shared = typeof SharedArrayBuffer !== "undefined" && bytes.buffer instanceof SharedArrayBuffer;
  return new Parser(shared ? new Uint8Array(bytes) : bytes).module();
}
