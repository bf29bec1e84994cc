/**
 * What a snapshot is bound to: the module, by a digest of all that decides how it runs, and the host
 * functions its code calls, by index, name and types. Compares them with what a restored run would
 * meet and says what differs.
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";
import { Writer } from "../bytes/writer.ts";
import type { RwasmModule, ValueType } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import type { ImportLinker } from "../plugin/linker.ts";
import { typeText } from "../vm/values.ts";
import { syscallsOf } from "./prepared.ts";
import { type Refuse, sha256 } from "./snapshot_file.ts";

const TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64", "funcref", "externref"];

const encoder = new TextEncoder();

/** Writes a list of types. */
export function writeTypes(writer: Writer, types: readonly ValueType[]): void {
  writer.u32(types.length);
  for (const type of types) writer.u8(TYPES.indexOf(type));
}

/** Reads a list of types. */
export function readTypes(reader: Reader, refuse: Refuse): ValueType[] {
  const at = reader.position, codes = reader.take(reader.u32());
  return Array.from(codes, (code) => {
    if (code >= TYPES.length) refuse("Corrupt", `${code} is no type`, { offset: at });
    return TYPES[code]!;
  });
}

/** Writes a text. */
export function writeText(writer: Writer, text: string): void {
  const bytes = encoder.encode(text);
  writer.u32(bytes.length);
  writer.block(bytes);
}

/** Reads a text. */
export function readText(reader: Reader, refuse: Refuse): string {
  const at = reader.position, bytes = reader.take(reader.u32());
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("Corrupt", "a text is not UTF-8", { offset: at });
  }
}

const digests = new WeakMap<RwasmModule, Uint8Array>();

/**
 * SHA-256 over the canonical bytes of a module and what the compiler knows of it beyond them that
 * changes how it runs: exports, imports, types, where functions begin. Names do not.
 */
export function moduleDigest(module: RwasmModule): Uint8Array {
  let digest = digests.get(module);
  if (digest === undefined) digests.set(module, digest = digestOf(module));
  return digest;
}

function digestOf(module: RwasmModule): Uint8Array {
  const code = module.encode(), { info } = module;
  if (info === undefined) return sha256(code, "decoded");
  const { functionExports, globalExports, memoryExports, tableExports, functionImports, types } = info;
  const { metered, hasRouter, entrypoint, functionTypes, functionStarts } = info;
  const known = JSON.stringify([
    functionExports.map(({ name, index, params, results }) => [name, index, params, results]),
    globalExports.map(({ name, index, type, mutable }) => [name, index, type, mutable]),
    memoryExports.map(({ name, index }) => [name, index]),
    tableExports.map(({ name, index }) => [name, index]),
    functionImports.map((
      { module, name, syscall, params, results },
    ) => [module, name, syscall, params, results]),
    types.map(({ params, results }) => [params, results]),
    entrypoint === undefined ? null : [entrypoint.name, entrypoint.index],
    [metered, hasRouter],
    Array.from(functionTypes),
    Array.from(functionStarts),
  ]);
  return sha256(code, "compiled", known);
}

/** A host function the code calls, as the linker has it. */
interface Called {
  readonly index: number;
  /** Import name and types as a text; undefined when no linker had it. */
  readonly text: string | undefined;
}

function calledBy<T>(module: RwasmModule, linker: ImportLinker<T> | undefined): Called[] {
  return syscallsOf(module).toSorted((a, b) => a - b).map((index) => {
    const syscall = linker?.bySyscall(index);
    if (syscall === undefined) return { index, text: undefined };
    return { index, text: `${quoteName(syscall.module)}.${quoteName(syscall.name)}${typeText(syscall)}` };
  });
}

/** The host functions that a module calls, as bytes. */
export function encodeCalled<T>(module: RwasmModule, linker: ImportLinker<T> | undefined): Uint8Array {
  const called = calledBy(module, linker), writer = new Writer();
  writer.u32(called.length);
  for (const { index, text } of called) {
    writer.u32(index);
    writeText(writer, text ?? "");
  }
  return writer.finish();
}

/** Most differences that one message lists. */
const LISTED = 10;

/**
 * Compares the host functions of a snapshot with those of a linker.
 *
 * @throws {SnapshotError} `WrongLinker`, with all that differ.
 */
export function checkCalled<T>(
  reader: Reader,
  module: RwasmModule,
  linker: ImportLinker<T> | undefined,
  refuse: Refuse,
): void {
  const called = calledBy(module, linker), at = reader.position, count = reader.u32();
  // The module is the right one, so it calls the same indices.
  if (count !== called.length) {
    refuse("Corrupt", "the host functions are not those of the module", { offset: at });
  }
  const problems: string[] = [];
  for (const { index, text } of called) {
    const saved = reader.u32(), wanted = readText(reader, refuse);
    if (saved !== index) refuse("Corrupt", "the host functions are not those of the module", { offset: at });
    if (wanted === (text ?? "")) continue;
    const found = text ?? "nothing", was = wanted === "" ? "nothing" : wanted;
    problems.push(`\n  host function ${index} was ${was}, the linker has ${found}`);
  }
  if (problems.length === 0) return;
  const more = problems.length > LISTED ? `\n  … and ${problems.length - LISTED} more` : "";
  refuse("WrongLinker", `the host functions are others${problems.slice(0, LISTED).join("")}${more}`, {
    hint: "use the plugins the run had when the snapshot was taken",
  });
}
