/**
 * Modules: bytes in, compiled rWasm and the tables of imports and exports out. The linker of a module
 * offers each imported function under its ordinal and hands a call to the instance that made it.
 *
 * @module
 */

import type { HostImports, ResolvedConfig } from "../compile/config.ts";
import { translate } from "../compile/compile.ts";
import { CompileError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { ImportLinker } from "../plugin/linker.ts";
import {
  type CustomSection,
  namedFunctionType,
  type SizeBounds,
  type ValidWasm,
  type WasmExport,
  type WasmFunctionType,
  type WasmGlobal,
  type WasmImport,
  type WasmTable,
} from "../wasm/module.ts";
import { typeText } from "../vm/values.ts";
import { parse } from "../wasm/parse.ts";
import { validate } from "../wasm/validate.ts";
import { refusedModule } from "./errors.ts";
import { callHost } from "./function.ts";
import { copyBytes, defineInterface } from "./idl.ts";
import type { InstanceState } from "./instance.ts";
import { type Realm, stateOf } from "./realm.ts";

/** What instantiation needs of the declarations of a module; it keeps neither bodies nor segments. */
export interface Declarations {
  /** Import section. */
  readonly imports: readonly WasmImport[];
  /** Export section. */
  readonly exports: readonly WasmExport[];
  /** Type section. */
  readonly types: readonly WasmFunctionType[];
  /** Type index of every function. */
  readonly functions: Uint32Array;
  /** Tables, imports first. */
  readonly tables: readonly WasmTable[];
  /** Memories, imports first. */
  readonly memories: readonly SizeBounds[];
  /** How many memories are imported. */
  readonly importedMemories: number;
  /** Globals, imports first. */
  readonly globals: readonly WasmGlobal[];
  /** Custom sections, in order. */
  readonly customs: readonly CustomSection[];
}

/** What is behind a module. */
export class ModuleState {
  /** What it declares. */
  readonly declared: Declarations;
  /** Offers its imported functions. */
  readonly linker: ImportLinker<InstanceState>;
  readonly #config: ResolvedConfig;
  #compiled: RwasmModule;
  /** Values of the imported globals it was compiled with. */
  #globals: readonly bigint[];

  /**
   * Compiles a module.
   *
   * @param bytes kept
   * @throws {ValidationError} when the bytes are not a valid module.
   * @throws {CompileError} when it exceeds the limits.
   */
  constructor(realm: Realm, bytes: Uint8Array) {
    const valid = validate(parse(bytes));
    const { imports, exports, types, functions, tables, memories, importedMemories, globals, customs } =
      valid;
    this.declared = {
      imports,
      exports,
      types,
      functions,
      tables,
      memories,
      importedMemories,
      globals,
      customs,
    };
    this.linker = linkerOf(valid);
    this.#config = { ...realm.config, linker: this.linker };
    this.#globals = new Array(valid.importedGlobals).fill(0n);
    this.#compiled = this.#translate(valid, { globals: this.#globals });
  }

  /**
   * The compiled module. Constant expressions may use the imported globals, so other values of them
   * need another compilation; equal ones do not.
   */
  compiled(globals: readonly bigint[]): RwasmModule {
    if (globals.some((value, index) => value !== this.#globals[index])) {
      this.#compiled = this.#translate(validate(parse(this.#compiled.hint)), { globals });
      this.#globals = globals;
    }
    return this.#compiled;
  }

  /** Copies of the payloads of the custom sections with a name. */
  customSections(name: string): ArrayBuffer[] {
    return this.declared.customs.filter((section) => section.name === name)
      .map(({ bytes }) => this.#compiled.hint.slice(bytes.start, bytes.end).buffer as ArrayBuffer);
  }

  #translate(module: ValidWasm, hostImports: HostImports): RwasmModule {
    return translate(module, { ...this.#config, hostImports });
  }
}

/**
 * An import name may occur more than once, but to a linker it is one function.
 *
 * @throws {CompileError} `DuplicateImport` when it occurs with two types.
 */
function linkerOf({ imports, types, functions }: ValidWasm): ImportLinker<InstanceState> {
  const linker = new ImportLinker<InstanceState>();
  for (const { module, name, kind, index, offset } of imports) {
    if (kind !== "function") continue;
    const type = namedFunctionType(types[functions[index]!]!), known = linker.resolve(module, name);
    if (known !== undefined) {
      if (typeText(known) === typeText(type)) continue;
      const text = `import ${quoteName(module)}.${quoteName(name)}`;
      throw new CompileError(
        "DuplicateImport",
        `Cannot compile ${text}: it occurs as ${typeText(known)} and as ${typeText(type)}`,
        { offset },
      );
    }
    linker.define(
      module,
      name,
      { index, ...type },
      ({ data }, ...args) => callHost(data, index, type, args) as never,
    );
  }
  return linker;
}

/** Whether bytes are a valid module of the accepted language. */
export function isValid(source: unknown): boolean {
  const bytes = copyBytes(source, "validate a module");
  try {
    validate(parse(bytes));
    return true;
  } catch {
    return false;
  }
}

/** The `Module` class of a facade. */
export function createModuleClass(realm: Realm): typeof WebAssembly.Module {
  const declared = (module: unknown, doing: string) =>
    stateOf(realm.modules, module, doing, "Module").declared;

  class Module {
    constructor(source: unknown) {
      const bytes = copyBytes(source, "compile a module");
      try {
        realm.modules.set(this, new ModuleState(realm, bytes));
      } catch (error) {
        throw refusedModule(realm.errors, error);
      }
    }

    static imports(module: unknown): WebAssembly.ModuleImportDescriptor[] {
      return declared(module, "list imports").imports.map(({ module, name, kind }) => ({
        module,
        name,
        kind,
      }));
    }

    static exports(module: unknown): WebAssembly.ModuleExportDescriptor[] {
      return declared(module, "list exports").exports.map(({ name, kind }) => ({ name, kind }));
    }

    static customSections(module: unknown, name: unknown): ArrayBuffer[] {
      const state = stateOf(realm.modules, module, "read custom sections", "Module");
      if (name === undefined) throw new TypeError("Cannot read custom sections: the name is missing");
      return state.customSections(`${name}`);
    }
  }

  defineInterface(Module, "Module");
  return Module as unknown as typeof WebAssembly.Module;
}
