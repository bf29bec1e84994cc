/**
 * Imported functions: looked up in the linker, and given a trampoline each, so that every route to
 * the host (direct, indirect, tail, exported, start) passes the same charge.
 *
 * @module
 */

import { CompileError } from "../error.ts";
import { type FunctionImport, slotsOf, slotsOfAll } from "../isa/module.ts";
import { Op, type OpName, POPS, PUSHES } from "../isa/opcode.ts";
import { importLabel } from "../plugin/declaration.ts";
import { checkImports, type Syscall } from "../plugin/linker.ts";
import type { Intrinsic, IntrinsicInstruction } from "../plugin/plugin.ts";
import { namedFunctionType, type ValidWasm, type WasmImport } from "../wasm/module.ts";
import type { ResolvedConfig } from "./config.ts";
import type { Emitter } from "./emitter.ts";
import { emitSyscallFuel, syscallFuelSlots } from "./fuel.ts";

/** An intrinsic ready to be inserted. */
export interface CompiledIntrinsic {
  /** Temporary slots it needs above its arguments. */
  readonly peak: number;
  /** Appends its instructions. */
  emit(code: Emitter): void;
}

/** An imported function and what the linker has for it. */
export interface ResolvedImport {
  /** What the compiled module will ask for. */
  readonly wanted: FunctionImport;
  /** What the linker offers. */
  readonly syscall: Syscall<never>;
  /** Set when calls are replaced by instructions. */
  readonly intrinsic: CompiledIntrinsic | undefined;
}

/**
 * Looks up every import.
 *
 * @throws {LinkError} with all functions that are unknown or declared with another type, and whatever
 * else is wrong with the imports.
 * @throws {CompileError} `NotSupportedImportType` with all memories, tables, and globals without a
 * default value, when the functions are all right.
 */
export function resolveImports(module: ValidWasm, config: ResolvedConfig): ResolvedImport[] {
  const wanted: Omit<FunctionImport, "syscall">[] = [];
  const unsupported: WasmImport[] = [];
  for (const entry of module.imports) {
    if (entry.kind === "function") {
      const type = namedFunctionType(module.types[module.functions[entry.index]]);
      wanted.push({ module: entry.module, name: entry.name, ...type });
    } else if (
      config.hostImports === undefined && !(entry.kind === "global" && config.importedGlobal !== undefined)
    ) {
      unsupported.push(entry);
    }
  }
  checkImports(wanted, config.linker, "module", unsupported.slice(0, LISTED_IMPORTS).map(unsupportedText));
  refuseUnsupported(unsupported);
  return wanted.map((entry) => {
    const syscall = config.linker!.resolve(entry.module, entry.name)! as Syscall<never>;
    const reference = [...entry.params, ...entry.results].find((type) =>
      type === "funcref" || type === "externref"
    );
    if (reference !== undefined && !config.allowReferences) {
      throw new CompileError(
        "MalformedImportFunctionType",
        `Cannot compile import ${importLabel(entry.module, entry.name)}: its type has a ${reference}`,
        { hint: "set allowFuncRefFunctionTypes" },
      );
    }
    const intrinsic = syscall.intrinsic === undefined ? undefined : prepare(syscall.intrinsic, syscall);
    return {
      wanted: { ...entry, syscall: intrinsic === undefined ? syscall.index : -1 },
      syscall,
      intrinsic,
    };
  });
}

/** Imports without a place in rWasm that one message lists; only a hostile module has more. */
const LISTED_IMPORTS = 100;

function unsupportedText({ module, name, kind }: WasmImport): string {
  return `${importLabel(module, name)}: an imported ${kind} has no place in rWasm`;
}

function refuseUnsupported(imports: readonly WasmImport[]): void {
  const [first] = imports;
  if (first === undefined) return;
  const kinds = new Set(imports.map(({ kind }) => kind));
  const hint = Array.from(
    kinds,
    (kind) =>
      kind === "global"
        ? "give every imported global one value with the option defaultImportedGlobalValue"
        : `define the ${kind} in the module, or export it`,
  ).join("; ");
  let text = `Cannot compile import ${unsupportedText(first)}`;
  if (imports.length > 1) {
    text = `Cannot compile imports: ${imports.length} have no place in rWasm`;
    for (const entry of imports.slice(0, LISTED_IMPORTS)) {
      text += `\n  ${importLabel(entry.module, entry.name)}: an imported ${entry.kind}`;
    }
    if (imports.length > LISTED_IMPORTS) text += `\n  … and ${imports.length - LISTED_IMPORTS} more`;
  }
  throw new CompileError("NotSupportedImportType", text, { offset: first.offset, hint });
}

/** Emits the function that stands for an import: charges, then the call of the host or the intrinsic. */
export function emitTrampoline(
  code: Emitter,
  { syscall, intrinsic }: ResolvedImport,
  signature: number,
  config: ResolvedConfig,
): void {
  code.emit(Op.SignatureCheck, signature);
  const params = slotsOfAll(syscall.params);
  if (config.localsFuel && params > 0) code.emit(Op.ConsumeFuel, params);
  if (intrinsic !== undefined) {
    code.emit(Op.StackCheck, intrinsic.peak);
    intrinsic.emit(code);
  } else {
    code.emit(Op.StackCheck, config.syscallFuel ? syscallFuelSlots(syscall) : 0);
    if (config.syscallFuel) emitSyscallFuel(code, syscall);
    code.emit(Op.Call, syscall.index | 0);
  }
  code.emit(Op.Return);
}

function prepare(intrinsic: Intrinsic, { params }: Syscall<never>): CompiledIntrinsic {
  if (intrinsic === "remove") {
    const slots = params.reduce((sum, type) => sum + slotsOf(type), 0);
    return { peak: 0, emit: (code) => void (slots > 0 && code.emit(Op.BulkDrop, slots)) };
  }
  return {
    peak: peakOf(intrinsic.replace),
    emit: (code) => intrinsic.replace.forEach((instruction) => emitInstruction(code, instruction)),
  };
}

/** Appends an instruction given by name. */
export function emitInstruction(code: Emitter, [name, immediate = 0]: IntrinsicInstruction): void {
  code.emit(Op[name as OpName], immediate | 0);
}

/** Highest the stack gets above where an intrinsic starts, read in the order of its instructions. */
function peakOf(instructions: readonly IntrinsicInstruction[]): number {
  let height = 0, peak = 0;
  for (const [name, immediate = 0] of instructions) {
    const op = Op[name as OpName];
    height += op === Op.BulkConst ? immediate : op === Op.BulkDrop ? -immediate : PUSHES[op] - POPS[op];
    peak = Math.max(peak, height);
  }
  return peak;
}
