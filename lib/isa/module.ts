/**
 * An rWasm module: the code as two parallel typed arrays, the three data sections, and, for modules
 * compiled here, what the wire format has no room for: exports, types, names and source offsets.
 * A module is immutable, holds no run state, and can be shared by any number of stores.
 *
 * @module
 */

import { decodeModule } from "./decode.ts";
import { encodeModule } from "./encode.ts";

/** A WebAssembly value type. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "funcref" | "externref";

/** Parameters and results of a function. */
export interface FunctionType {
  /** Types of the parameters, in order. */
  readonly params: readonly ValueType[];
  /** Types of the results, in order. */
  readonly results: readonly ValueType[];
}

/** 32-bit value-stack slots a value of a type takes: 2 for i64 and f64, else 1. */
export function slotsOf(type: ValueType): number {
  return type === "i64" || type === "f64" ? 2 : 1;
}

/** Slots a list of types takes. */
export function slotsOfAll(types: readonly ValueType[]): number {
  let slots = 0;
  for (const type of types) slots += slotsOf(type);
  return slots;
}

/** An exported function of a compiled module. */
export interface FunctionExport extends FunctionType {
  /** Export name. */
  readonly name: string;
  /** Index in the Wasm function index space, imports first. */
  readonly index: number;
}

/** An exported global of a compiled module. */
export interface GlobalExport {
  /** Export name. */
  readonly name: string;
  /** Wasm global index, imports first. Its value is in the machine's words 2k (32 bits, or the high half) and 2k + 1 (low half). */
  readonly index: number;
  /** Type of the value. */
  readonly type: ValueType;
  /** Whether `setGlobal` may change it. */
  readonly mutable: boolean;
}

/** An imported function of a compiled module: what the linker must offer when it runs. */
export interface FunctionImport extends FunctionType {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
  /** Syscall index the code calls it by; -1 when an intrinsic replaced every call. */
  readonly syscall: number;
}

/** A memory or table export of a compiled module. */
export interface OtherExport {
  /** Export name. */
  readonly name: string;
  /** Index in its index space. */
  readonly index: number;
}

/** What the compiler knows about a module beyond the wire format. A decoded module has none of it. */
export interface ModuleInfo {
  /** Exported functions, in the order of the export section. */
  readonly functionExports: readonly FunctionExport[];
  /** Exported globals. */
  readonly globalExports: readonly GlobalExport[];
  /** Exported memories (at most one memory exists, under any number of names). */
  readonly memoryExports: readonly OtherExport[];
  /** Exported tables. */
  readonly tableExports: readonly OtherExport[];
  /** Imported functions, in Wasm order. */
  readonly functionImports: readonly FunctionImport[];
  /** Type of every function of the Wasm index space: an index into `types`. */
  readonly functionTypes: Uint32Array;
  /** The type section. */
  readonly types: readonly FunctionType[];
  /** First pc of every function of the Wasm index space, ascending, then of every i64 snippet. */
  readonly functionStarts: Uint32Array;
  /** Names of functions from the `name` section, by Wasm function index. */
  readonly functionNames: ReadonlyMap<number, string>;
  /** Names of the i64 snippets, in order, after the last Wasm function. */
  readonly snippetNames: readonly string[];
  /** Byte offset in the Wasm module of the operator each instruction came from; 0 where none did. */
  readonly wasmOffsets: Uint32Array;
  /** Export that `execute` runs, when one was configured. */
  readonly entrypoint: FunctionExport | undefined;
  /** Whether the code charges fuel (`consumeFuel`). */
  readonly metered: boolean;
  /** Whether `sourcePc` holds a state router. */
  readonly hasRouter: boolean;
  /** Name of the module from the `name` section. */
  readonly moduleName: string | undefined;
}

/** The parts a module is made of; see the fields of {@link RwasmModule}. */
export interface ModuleParts {
  /** Dense opcode numbers (`isa/opcode.ts`), one per instruction. */
  readonly opcodes: Uint8Array;
  /** Immediates, one 32-bit cell per instruction; 0 where there is none. */
  readonly immediates: Int32Array;
  /** All data segments, concatenated. */
  readonly data: Uint8Array;
  /** All element segments, concatenated; absolute code indices, 0 = null. */
  readonly elements: Uint32Array;
  /** The original input: Wasm bytes for modules compiled from Wasm. */
  readonly hint: Uint8Array;
  /** Instruction index where `execute` starts; 0 means that nothing runs at instantiation. */
  readonly sourcePc: number;
  /** Set by the compiler only. */
  readonly info?: ModuleInfo | undefined;
}

/**
 * A decoded or compiled rWasm module.
 *
 * @example
 * ```ts
 * import { assemble, RwasmModule } from "./mod.ts";
 * const bytes = assemble("I32Const 7\nReturn").encode();
 * console.log(RwasmModule.decode(bytes).length); // 2
 * ```
 */
export class RwasmModule implements ModuleParts {
  /** Dense opcode numbers, one per instruction. Not to be written to. */
  readonly opcodes: Uint8Array;
  /** Immediates, one cell per instruction. Not to be written to. */
  readonly immediates: Int32Array;
  /** All data segments, concatenated. */
  readonly data: Uint8Array;
  /** All element segments, concatenated; absolute code indices, 0 = null. */
  readonly elements: Uint32Array;
  /** The original input: Wasm bytes for modules compiled from Wasm. */
  readonly hint: Uint8Array;
  /** Instruction index where `execute` starts. */
  readonly sourcePc: number;
  /** What the compiler knows beyond the wire format; undefined for a decoded module. */
  readonly info: ModuleInfo | undefined;

  /** Wraps parts made by the decoder, the assembler or the compiler. */
  constructor(parts: ModuleParts) {
    this.opcodes = parts.opcodes;
    this.immediates = parts.immediates;
    this.data = parts.data;
    this.elements = parts.elements;
    this.hint = parts.hint;
    this.sourcePc = parts.sourcePc;
    this.info = parts.info;
  }

  /**
   * Reads `.rwasm` bytes. Bytes after the module are refused; a file without `source_pc`, as old
   * releases wrote it, reads as `sourcePc` 0.
   *
   * @throws {DecodeError} when the bytes are not a module; it says what and at which offset.
   */
  static decode(bytes: Uint8Array): RwasmModule {
    return new RwasmModule(decodeModule(bytes));
  }

  /** Writes the canonical `.rwasm` bytes: `decode(encode())` is the same module. */
  encode(): Uint8Array {
    return encodeModule(this);
  }

  /** Number of instructions. */
  get length(): number {
    return this.opcodes.length;
  }

  /** Exported functions with their types; empty for a decoded module, whose format has no room for them. */
  get exports(): readonly FunctionExport[] {
    return this.info?.functionExports ?? [];
  }
}
