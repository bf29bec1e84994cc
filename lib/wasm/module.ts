/**
 * A parsed WebAssembly module: every section as data, function bodies and constant expressions as
 * byte ranges of the input. What `parse.ts` makes, `validate.ts` checks and `compile/` reads.
 *
 * @module
 */

import type { FunctionType, ValueType } from "../isa/module.ts";

/** Value types by their byte in the binary format. */
export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c, FUNCREF = 0x70, EXTERNREF = 0x6f;

/** Names by type byte. */
const TYPE_NAMES: { readonly [byte: number]: ValueType } = {
  [I32]: "i32",
  [I64]: "i64",
  [F32]: "f32",
  [F64]: "f64",
  [FUNCREF]: "funcref",
  [EXTERNREF]: "externref",
};

/** Name of a value type byte. */
export function typeName(byte: number): ValueType {
  return TYPE_NAMES[byte]!;
}

/** Slots a value of a type byte takes: 2 for i64 and f64, else 1. */
export function slotsOfByte(byte: number): number {
  return byte === I64 || byte === F64 ? 2 : 1;
}

/** A function type as type bytes. */
export interface WasmFunctionType {
  /** Parameter type bytes. */
  readonly params: Uint8Array;
  /** Result type bytes. */
  readonly results: Uint8Array;
}

/** The same function type with names for types. */
export function namedFunctionType(type: WasmFunctionType): FunctionType {
  return { params: Array.from(type.params, typeName), results: Array.from(type.results, typeName) };
}

/** Size bounds of a memory (pages) or table (elements); `max` undefined when not declared. */
export interface SizeBounds {
  /** Initial size. */
  readonly min: number;
  /** Declared maximum. */
  readonly max: number | undefined;
}

/** A table, imported or defined. */
export interface WasmTable extends SizeBounds {
  /** FUNCREF or EXTERNREF. */
  readonly type: number;
}

/** A range of bytes of the input, end exclusive. */
export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** One past the last byte. */
  readonly end: number;
}

/** A global; imported ones have no initializer. */
export interface WasmGlobal {
  /** Type byte. */
  readonly type: number;
  /** Whether `global.set` is allowed. */
  readonly mutable: boolean;
  /** The constant expression with its `end`, or undefined when imported. */
  readonly init: ByteRange | undefined;
}

/** Kind of an import or export. */
export type ExternalKind = "function" | "table" | "memory" | "global";

/** An import, in the order of the section. */
export interface WasmImport {
  /** Module part of the name. */
  readonly module: string;
  /** Name part of the name. */
  readonly name: string;
  /** What is imported. */
  readonly kind: ExternalKind;
  /** Index in the index space of its kind. */
  readonly index: number;
  /** Where the entry starts. */
  readonly offset: number;
}

/** An export, in the order of the section. */
export interface WasmExport {
  /** Name, unique in a valid module. */
  readonly name: string;
  /** What is exported. */
  readonly kind: ExternalKind;
  /** Index in the index space of its kind. */
  readonly index: number;
  /** Where the entry starts. */
  readonly offset: number;
}

/** How a segment is used. */
export type SegmentMode = "active" | "passive" | "declarative";

/** An element item that is `ref.null`. */
export const NULL_ITEM = -1;

/** An element item that is `global.get g`, encoded as this minus g. */
export const GLOBAL_ITEM = -2;

/** An element segment. */
export interface ElementSegment {
  /** How it is used. */
  readonly mode: SegmentMode;
  /** Table it initializes; 0 unless active. */
  readonly table: number;
  /** Offset expression with its `end`; undefined unless active. */
  readonly at: ByteRange | undefined;
  /** FUNCREF or EXTERNREF. */
  readonly type: number;
  /** Items: a function index, NULL_ITEM, or GLOBAL_ITEM − g. */
  readonly items: Int32Array;
  /** Where the segment starts. */
  readonly offset: number;
}

/** A data segment. */
export interface DataSegment {
  /** How it is used; never declarative. */
  readonly mode: SegmentMode;
  /** Memory it initializes; 0 in a valid module. */
  readonly memory: number;
  /** Offset expression with its `end`; undefined unless active. */
  readonly at: ByteRange | undefined;
  /** The bytes, as a range of the input. */
  readonly bytes: ByteRange;
  /** Where the segment starts. */
  readonly offset: number;
}

/** A custom section. */
export interface CustomSection {
  /** Its name. */
  readonly name: string;
  /** Its payload after the name, as a range of the input. */
  readonly bytes: ByteRange;
}

/** A parsed module. */
export interface WasmModule {
  /** The whole input. */
  readonly bytes: Uint8Array;
  /** Type section. */
  readonly types: readonly WasmFunctionType[];
  /** Import section. */
  readonly imports: readonly WasmImport[];
  /** Type index of every function, imports first. */
  readonly functions: Uint32Array;
  /** How many functions are imported. */
  readonly importedFunctions: number;
  /** Tables, imports first. */
  readonly tables: readonly WasmTable[];
  /** How many tables are imported. */
  readonly importedTables: number;
  /** Memories, imports first; at most one in a valid module. */
  readonly memories: readonly SizeBounds[];
  /** How many memories are imported. */
  readonly importedMemories: number;
  /** Globals, imports first. */
  readonly globals: readonly WasmGlobal[];
  /** How many globals are imported. */
  readonly importedGlobals: number;
  /** Export section. */
  readonly exports: readonly WasmExport[];
  /** Start function, and where the section says so. */
  readonly start: { readonly function: number; readonly offset: number } | undefined;
  /** Element section. */
  readonly elements: readonly ElementSegment[];
  /** Data section. */
  readonly data: readonly DataSegment[];
  /** Value of the data count section. */
  readonly dataCount: number | undefined;
  /**
   * Bodies of the defined functions: pairs start, end; a body begins with its local declarations
   * and ends with its last `end` operator.
   */
  readonly bodies: Uint32Array;
  /** Payload of the code section; empty range when there is none. */
  readonly code: ByteRange;
  /** Custom sections, in order. */
  readonly customs: readonly CustomSection[];
}

declare const validated: unique symbol;

/** A module that `validate` has accepted; nothing else makes one. */
export type ValidWasm = WasmModule & { readonly [validated]: true };
