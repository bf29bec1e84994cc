/**
 * Wasm bytes in, rWasm module out. This file is the order of the steps: parse, validate, look up
 * imports, initialization code, entry point, trampolines, bodies, snippets, and the names and
 * positions the module carries beside its code.
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { CompileError } from "../error.ts";
import { type FunctionExport, type FunctionType, type ModuleInfo, RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import { namedFunctionType, typeName, type ValidWasm, type WasmFunctionType } from "../wasm/module.ts";
import { readNames } from "../wasm/names.ts";
import { parse } from "../wasm/parse.ts";
import { validate } from "../wasm/validate.ts";
import { BodyCompiler } from "./body.ts";
import { type CompilationConfig, resolveConfig, type ResolvedConfig } from "./config.ts";
import { Emitter } from "./emitter.ts";
import { emitEntry } from "./entry.ts";
import { SNIPPETS } from "./i64.ts";
import { emitTrampoline, type ResolvedImport, resolveImports } from "./imports.ts";
import { emitInitialization, layoutData, layoutElements, placeFunctions } from "./segment.ts";
import type { ModuleContext } from "./translation.ts";

/**
 * Compiles a WebAssembly module to rWasm.
 *
 * Accepted are WebAssembly 2.0 without SIMD, tail calls, extended constant expressions and wide
 * arithmetic. The module keeps the Wasm bytes as its `hint`, and its exports, types, names and
 * source offsets as `info`.
 *
 * @param wasm the binary module; not kept, it may be reused
 * @throws {ValidationError} when the bytes are not a valid module of the accepted language.
 * @throws {LinkError} when imported functions are unknown to the linker or declared otherwise.
 * @throws {CompileError} when the module exceeds a limit or needs what the configuration refuses.
 * @throws {UsageError} when the configuration itself is wrong.
 *
 * @example
 * ```ts
 * import { compile, RwasmExecutor, RwasmStore } from "./mod.ts";
 * // (module (func (export "seven") (result i32) i32.const 7))
 * const wasm = Uint8Array.fromHex("0061736d010000000105016000017f0302010007090105736576656e00000a0601040041070b");
 * const outcome = new RwasmExecutor(new RwasmStore(), compile(wasm)).call("seven");
 * console.log(outcome); // { status: "done", results: [7] }
 * ```
 */
export function compile(wasm: Uint8Array, config: CompilationConfig = {}): RwasmModule {
  const resolved = resolveConfig(config);
  return translate(validate(parse(wasm)), resolved);
}

/** Compiles a validated module; see {@link compile}. `progress` is told how many bytes of code are done. */
export function translate(
  module: ValidWasm,
  config: ResolvedConfig,
  progress?: (done: number) => void,
): RwasmModule {
  checkCounts(module, config);
  const imports = resolveImports(module, config);
  const data = layoutData(module), elements = layoutElements(module, config);
  const types = module.types.map(namedFunctionType);
  const functionExports = listFunctionExports(module, types);

  const code = new Emitter(expectedLength(module), config.limits.codeLength);
  const starts = new FunctionStarts(module.functions.length);
  const context: ModuleContext = {
    module,
    reader: new Reader(module.bytes, (_code, reason) => {
      throw new Error(`validated body fails: ${reason}`); // a bug: validation has read it
    }),
    config,
    code,
    signatures: canonicalSignatures(module.types),
    intrinsics: imports.map((entry) => entry.intrinsic),
    dataPlaces: data.places,
    elementPlaces: elements.places,
    snippet: (id) => starts.ofSnippet(id),
  };

  emitInitialization(code, module, config, data, elements, () => emitStart(code, module, imports));
  const sourcePc = code.length;
  code.wasmOffset = 0;
  const entrypoint = emitEntry(code, functionExports, imports, config);
  imports.forEach((entry, index) => {
    starts.begin(index, code.length);
    emitTrampoline(code, entry, context.signatures[module.functions[index]], config);
  });
  const bodies = new BodyCompiler(context);
  for (let k = 0; 2 * k < module.bodies.length; k++) {
    starts.begin(imports.length + k, code.length);
    if (progress !== undefined && k % 64 === 0) progress(module.bodies[2 * k] - module.code.start);
    bodies.compile(imports.length + k, module.bodies[2 * k], module.bodies[2 * k + 1]);
  }
  const snippetNames = emitSnippets(code, starts);

  const functionStarts = starts.finish();
  code.resolveFunctions(functionStarts);
  placeFunctions(module, elements, functionStarts);
  const names = readNames(module);
  const info: ModuleInfo = {
    functionExports,
    ...listOtherExports(module),
    functionImports: imports.map((entry) => entry.wanted),
    functionTypes: module.functions.slice(),
    types,
    functionStarts,
    functionNames: names.functions,
    snippetNames,
    wasmOffsets: code.offsets.slice(0, code.length),
    entrypoint,
    metered: config.fuel,
    hasRouter: config.stateRouter !== undefined,
    moduleName: names.moduleName,
  };
  return new RwasmModule({
    opcodes: code.opcodes.slice(0, code.length),
    immediates: code.immediates.slice(0, code.length),
    data: data.contents,
    elements: elements.contents,
    hint: module.bytes.slice(),
    sourcePc,
    info,
  });
}

/** rWasm instructions per byte of Wasm code, measured on real programs; only a first guess of the size. */
const INSTRUCTIONS_PER_BYTE = 0.6;

function expectedLength(module: ValidWasm): number {
  return Math.ceil((module.code.end - module.code.start) * INSTRUCTIONS_PER_BYTE) + 1024;
}

/** First instruction of every function of the Wasm index space, then of every snippet in use. */
class FunctionStarts {
  readonly #starts: number[] = [];
  readonly #functions: number;
  /** Snippets in use, in the order of their first use. */
  readonly snippets: number[] = [];
  readonly #numbers = new Int32Array(SNIPPETS.length).fill(-1);

  constructor(functions: number) {
    this.#functions = functions;
  }

  /** Notes where a function begins. */
  begin(number: number, at: number): void {
    this.#starts[number] = at;
  }

  /** Function number of a snippet, which is in use from now on. */
  ofSnippet(id: number): number {
    if (this.#numbers[id] < 0) this.#numbers[id] = this.#functions + this.snippets.push(id) - 1;
    return this.#numbers[id];
  }

  finish(): Uint32Array {
    return Uint32Array.from(this.#starts);
  }
}

/** Emits the snippets in use, and those they use. */
function emitSnippets(code: Emitter, starts: FunctionStarts): string[] {
  code.wasmOffset = 0;
  const names: string[] = [];
  for (let k = 0; k < starts.snippets.length; k++) {
    const id = starts.snippets[k], { name, height, body, needs } = SNIPPETS[id];
    starts.begin(starts.ofSnippet(id), code.length);
    names.push(name);
    code.emit(Op.StackCheck, height);
    for (let n = 0; n < body.opcodes.length; n++) {
      const call = body.opcodes[n] === Op.CallInternal;
      code.emit(body.opcodes[n], call ? starts.ofSnippet(needs) : body.immediates[n]);
    }
  }
  return names;
}

function emitStart(code: Emitter, module: ValidWasm, imports: readonly ResolvedImport[]): void {
  const start = module.start!.function;
  const intrinsic = imports[start]?.intrinsic;
  if (intrinsic === undefined) code.emit(Op.CallInternal, start);
  else intrinsic.emit(code);
}

function checkCounts(module: ValidWasm, { limits, allowStart }: ResolvedConfig): void {
  const refuse = (code: string, why: string, hint: string): never => {
    throw new CompileError(code, `Cannot compile module: ${why}`, { hint });
  };
  if (module.types.length > limits.functionTypes) {
    refuse(
      "TooManyFunctionTypes",
      `its ${module.types.length} function types exceed the limit of ${limits.functionTypes}`,
      "raise limits.functionTypes",
    );
  }
  if (module.tables.length > limits.tables) {
    refuse(
      "TooManyTables",
      `its ${module.tables.length} tables exceed the limit of ${limits.tables}`,
      "raise limits.tables",
    );
  }
  for (const [kind, { length }] of [["data", module.data], ["element", module.elements]] as const) {
    if (length > limits.segments) {
      refuse(
        "TooManySegments",
        `its ${length} ${kind} segments exceed the limit of ${limits.segments}`,
        "raise limits.segments",
      );
    }
  }
  if (module.start !== undefined && !allowStart) {
    throw new CompileError("StartSectionsAreNotAllowed", "Cannot compile module: it has a start section", {
      offset: module.start.offset,
      hint: "set allowStartSection",
    });
  }
}

/** For each type the first one that is equal: (i64) and (i32, i32) differ, though both are two slots. */
function canonicalSignatures(types: readonly WasmFunctionType[]): Uint32Array {
  const first = new Map<string, number>();
  return Uint32Array.from(types, ({ params, results }, index) => {
    const key = `${String.fromCharCode(...params)}:${String.fromCharCode(...results)}`;
    const known = first.get(key);
    if (known !== undefined) return known;
    first.set(key, index);
    return index;
  });
}

function listFunctionExports(module: ValidWasm, types: readonly FunctionType[]): FunctionExport[] {
  return module.exports.filter(({ kind }) => kind === "function").map(({ name, index }) => {
    return { name, index, ...types[module.functions[index]] };
  });
}

function listOtherExports(
  module: ValidWasm,
): Pick<ModuleInfo, "globalExports" | "memoryExports" | "tableExports"> {
  const of = (wanted: string) =>
    module.exports.filter(({ kind }) => kind === wanted).map(({ name, index }) => ({ name, index }));
  return {
    memoryExports: of("memory"),
    tableExports: of("table"),
    globalExports: of("global").map((entry) => {
      const { type, mutable } = module.globals[entry.index];
      return { ...entry, type: typeName(type), mutable };
    }),
  };
}
