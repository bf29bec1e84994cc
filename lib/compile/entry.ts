/**
 * What `execute()` runs, at the module's `source_pc`: a tail call of the configured entry point, the
 * state router, or, with neither, a trap, because only `call(name)` makes sense then.
 *
 * @module
 */

import { CompileError } from "../error.ts";
import type { FunctionExport } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { Op } from "../isa/opcode.ts";
import type { ResolvedConfig } from "./config.ts";
import type { Emitter } from "./emitter.ts";
import { emitInstruction, type ResolvedImport } from "./imports.ts";

/** Slots the router needs above the state the caller passes. */
const ROUTER_SLOTS = 3;

/**
 * Emits the dispatch and says which export is the entry point.
 *
 * @throws {CompileError} `MissingEntrypoint`, `MalformedFuncType`
 */
export function emitEntry(
  code: Emitter,
  exports: readonly FunctionExport[],
  imports: readonly ResolvedImport[],
  config: ResolvedConfig,
): FunctionExport | undefined {
  const { entrypoint, stateRouter } = config;
  const entry = entrypoint === undefined ? undefined : namedEntry(exports, entrypoint);
  if (entry !== undefined) {
    checkReferences(entry, config);
    emitTailCall(code, entry, imports);
  }
  if (stateRouter !== undefined) emitRouter(code, exports, imports, config);
  if (entry === undefined && stateRouter === undefined) code.emit(Op.Unreachable);
  return entry;
}

function namedEntry(exports: readonly FunctionExport[], name: string): FunctionExport {
  const entry = exports.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const names = exports.map((candidate) => candidate.name);
  const meant = nearest(name, names);
  throw new CompileError(
    "MissingEntrypoint",
    `Cannot compile module: it exports no function ${quoteName(name)} to be the entry point`,
    {
      hint: meant !== undefined
        ? `did you mean ${quoteName(meant)}?`
        : names.length === 0
        ? "the module exports no function at all"
        : `it exports ${names.slice(0, 10).map(quoteName).join(", ")}${names.length > 10 ? ", …" : ""}`,
    },
  );
}

function emitRouter(
  code: Emitter,
  exports: readonly FunctionExport[],
  imports: readonly ResolvedImport[],
  config: ResolvedConfig,
): void {
  const { states, opcode } = config.stateRouter!;
  code.emit(Op.StackCheck, ROUTER_SLOTS);
  if (opcode !== undefined) emitInstruction(code, opcode);
  for (const [name, state] of states) {
    const target = exports.find((candidate) => candidate.name === name);
    if (target === undefined) continue;
    if (!config.allowMalformedEntrypoint && target.params.length + target.results.length > 0) {
      throw new CompileError(
        "MalformedFuncType",
        `Cannot compile the state router: export ${quoteName(name)} has parameters or results`,
        { hint: "set allowMalformedEntrypointFuncType" },
      );
    }
    checkReferences(target, config);
    code.emit(Op.LocalGet, 1);
    code.emit(Op.I32Const, state | 0);
    code.emit(Op.I32Eq);
    const over = code.emit(Op.BrIfEqz);
    code.emit(Op.Drop);
    emitTailCall(code, target, imports);
    code.bind(over);
  }
  code.emit(Op.Drop);
  code.emit(Op.Return);
}

function emitTailCall(code: Emitter, target: FunctionExport, imports: readonly ResolvedImport[]): void {
  const intrinsic = imports[target.index]?.intrinsic;
  if (intrinsic === undefined) code.emit(Op.ReturnCallInternal, target.index);
  else {
    intrinsic.emit(code);
    code.emit(Op.Return);
  }
}

function checkReferences({ name, params, results }: FunctionExport, config: ResolvedConfig): void {
  if (config.allowReferences) return;
  const reference = [...params, ...results].find((type) => type === "funcref" || type === "externref");
  if (reference === undefined) return;
  throw new CompileError(
    "MalformedFuncType",
    `Cannot compile entry point ${quoteName(name)}: its type has a ${reference}`,
    { hint: "set allowFuncRefFunctionTypes" },
  );
}
