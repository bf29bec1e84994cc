/**
 * Which function a command means: the one it is told, the one that is usual, and what to say when a
 * name is wrong or nothing is clear.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { FunctionType } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { namedFunctionType, type WasmModule } from "../wasm/module.ts";
import type { Arguments } from "./arguments.ts";
import { hintFor } from "./suggest.ts";
import { parseType } from "./values.ts";

/** What is called: an export by name, or the entry point of a `.rwasm` file, which has no name. */
export interface Target {
  /** Name of the export. */
  readonly name: string | undefined;
  /** Its type. */
  readonly type: FunctionType;
}

/** Names tried in order when no function is chosen. */
const USUAL = ["main", "_start"], USUAL_WITH_WASI = ["_start", "main"];

/** What a library of WASI wants to run before anything else. */
const REACTOR = "_initialize";

/** The function that runs when none is chosen: `main`, `_start`, or the only one; undefined when that is not clear. */
export function usualExport(names: readonly string[], wasi: boolean): string | undefined {
  // With WASI, `main` of a program in C is what its `_start` calls.
  const usual = wasi ? USUAL_WITH_WASI : USUAL;
  return usual.find((name) => names.includes(name)) ?? (names.length === 1 ? names[0] : undefined);
}

/**
 * Checks that a chosen name is an exported function.
 *
 * @throws {UsageError} `UnknownExport`, with the nearest name and all of them.
 */
export function checkExport(name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  throw new UsageError(
    "UnknownExport",
    `Cannot call ${quoteName(name)}: no exported function has that name`,
    {
      hint: hintFor(name, "exported functions", names),
    },
  );
}

/** Names of exported functions, in their order. */
export function functionExports({ exports }: WasmModule): string[] {
  return exports.filter(({ kind }) => kind === "function").map(({ name }) => name);
}

function exportedType({ exports, types, functions }: WasmModule, wanted: string): FunctionType {
  const { index } = exports.find(({ name, kind }) => kind === "function" && name === wanted)!;
  return namedFunctionType(types[functions[index]]);
}

/**
 * The function that `run` calls; undefined when there is only a start function to run.
 *
 * @param wasm the module, undefined for a `.rwasm` file
 * @throws {UsageError} when it is not clear, or does not exist.
 */
export function targetOf(wasm: WasmModule | undefined, args: Arguments, wasi: boolean): Target | undefined {
  const invoke = args.value("invoke"), type = args.value("type");
  if (wasm === undefined) {
    if (invoke !== undefined) {
      throw new UsageError("NoExports", "Cannot use --invoke: a .rwasm file has no export names", {
        hint: "it runs its entry point; choose that one with compile --entry, or run the .wasm file",
      });
    }
    return { name: undefined, type: parseType(type ?? "()->()") };
  }
  if (type !== undefined) {
    throw new UsageError("TypeIsKnown", "Cannot use --type: the functions of a .wasm file have types", {
      hint: "--type is for .rwasm files",
    });
  }
  const names = functionExports(wasm);
  if (invoke === undefined && names.length === 0) return undefined;
  const name = invoke === undefined ? usualExport(names, wasi) : checkExport(invoke, names);
  if (name === undefined) {
    throw new UsageError("NoFunctionChosen", "Cannot run: it is not clear which function is meant", {
      hint: `choose one with --invoke: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`,
    });
  }
  return { name, type: exportedType(wasm, name) };
}

/** Whether a library of WASI must be initialized before the target is called. */
export function needsInitialize(wasm: WasmModule | undefined, target: Target | undefined): boolean {
  if (wasm === undefined || target === undefined) return false;
  if (target.name === REACTOR || target.name === "_start" || !functionExports(wasm).includes(REACTOR)) {
    return false;
  }
  const { params, results } = exportedType(wasm, REACTOR);
  return params.length === 0 && results.length === 0;
}
