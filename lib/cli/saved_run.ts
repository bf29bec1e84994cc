/**
 * A paused run as a file: a snapshot that also holds what its command was told and the module itself,
 * so that `resume` needs no other file of the guest. What gives access to the host (plugins,
 * directories, input) is only named in it: whoever resumes a run must give that again.
 *
 * @module
 */

import { SnapshotError } from "../error.ts";
import type { ValueType } from "../isa/module.ts";
import { DEFAULT_LIMITS, type Limits } from "../limits.ts";
import { inspectSnapshot } from "../run/snapshot.ts";
import type { RwasmExecutor } from "../run/executor.ts";
import { isValueType } from "../vm/values.ts";
import type { Arguments } from "./arguments.ts";
import { type Access, commandLine, type Host, printable } from "./host.ts";
import { type Context, isBuiltIn } from "./plugins.ts";

/** Flags of `run` that decide what module is made and what world the guest sees; they stay the same. */
const SWITCHES = ["unmetered", "wasi"] as const;
const VALUES = ["limits", "floats", "unknown-imports", "clock", "random", "memory-dir"] as const;

/** Flags that give access to the host; whoever resumes gives them. */
export const ACCESS = ["plugin", "dir", "stdin"] as const;

/** What a command was told. */
export interface RunFile {
  /** How the user called the file of the module. */
  readonly file: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Values of the flags that stay; a switch that was given has one. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  /** Values of the flags to give again. */
  readonly access: Readonly<Record<string, readonly string[]>>;
  /** Most fuel of the whole run; undefined for no bound. */
  readonly fuelLimit: bigint | undefined;
  /** Types of the results of the function that is called. */
  readonly results: readonly ValueType[];
  /** What is called after what is paused: a library of WASI is initialized first. */
  readonly next: { readonly name: string; readonly args: readonly string[] } | undefined;
}

/** The part of a run's command line that is kept. */
export function flagsToKeep(args: Arguments): Pick<RunFile, "flags" | "access"> {
  const flags: Record<string, readonly string[]> = {}, access: Record<string, readonly string[]> = {};
  for (const name of SWITCHES) if (args.has(name)) flags[name] = ["true"];
  for (const name of VALUES) if (args.values(name).length > 0) flags[name] = args.values(name);
  for (const name of ACCESS) if (args.values(name).length > 0) access[name] = args.values(name);
  return { flags, access };
}

/** The arguments of a run that goes on: what stays the same, and of the rest what is given now. */
export function resumedArguments(run: RunFile, given: Arguments): Arguments {
  const keptPlugins = (run.access.plugin ?? []).filter(isBuiltIn);
  const values = (name: string): readonly string[] => {
    if ((VALUES as readonly string[]).includes(name)) return run.flags[name] ?? [];
    return name === "plugin" ? [...new Set([...keptPlugins, ...given.values(name)])] : given.values(name);
  };
  return {
    positional: given.positional,
    has: (name) => (SWITCHES as readonly string[]).includes(name) ? name in run.flags : given.has(name),
    value: (name) => values(name)[0],
    values,
  };
}

const VERSION = 1;

/** The attachment of a snapshot: a document, its length before it, and the module behind it. */
function encodeRun({ bytes, fuelLimit, next, ...rest }: RunFile): Uint8Array {
  const document = {
    rwasmRun: VERSION,
    ...rest,
    fuelLimit: fuelLimit?.toString() ?? null,
    next: next ?? null,
  };
  const text = new TextEncoder().encode(JSON.stringify(document));
  const all = new Uint8Array(4 + text.length + bytes.length);
  new DataView(all.buffer).setUint32(0, text.length, true);
  all.set(text, 4);
  all.set(bytes, 4 + text.length);
  return all;
}

/**
 * Reads what a snapshot says of the run it is of.
 *
 * @throws {SnapshotError} `NotARun` when `run` did not write it, or as `inspectSnapshot` does.
 */
export function readRun(file: string, snapshot: Uint8Array): RunFile {
  const { attachment } = inspectSnapshot(snapshot);
  const refuse = (): never => {
    throw new SnapshotError("NotARun", `Cannot resume ${file}: it is a snapshot, but not one of a run`, {
      hint: "run --snapshot writes those; others are for RwasmExecutor.restore()",
    });
  };
  const length = attachment.length < 4
    ? Infinity
    : new DataView(attachment.buffer, attachment.byteOffset).getUint32(0, true);
  if (4 + length > attachment.length) return refuse();
  let document: Record<string, unknown>;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(attachment.subarray(4, 4 + length));
    document = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return refuse();
  }
  if (typeof document !== "object" || document === null || document.rwasmRun !== VERSION) return refuse();
  const { file: name, flags, access, fuelLimit, results, next } = document;
  const isFuel = fuelLimit === null || (typeof fuelLimit === "string" && /^\d{1,20}$/.test(fuelLimit));
  const isRight = typeof name === "string" && isLists(flags) && isLists(access) && isFuel &&
    Array.isArray(results) && results.every(isValueType) && (next === null || isCall(next));
  if (!isRight) return refuse();
  return {
    file: name,
    bytes: attachment.subarray(4 + length),
    flags,
    access,
    fuelLimit: fuelLimit === null ? undefined : BigInt(fuelLimit as string),
    results,
    next: next ?? undefined,
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isLists(value: unknown): value is Record<string, string[]> {
  return typeof value === "object" && value !== null && Object.values(value).every(isTexts);
}

function isCall(value: unknown): value is { name: string; args: string[] } {
  if (typeof value !== "object" || value === null) return false;
  const { name, args } = value as Record<string, unknown>;
  return typeof name === "string" && isTexts(args);
}

/** How to go on with a run that was written to a file. */
export interface Kept {
  /** The command line. */
  readonly line: string;
  /** Types of the results that must follow it: those that a host function owes. */
  readonly awaits: readonly ValueType[];
}

/** Writes the file of a paused run; the command line that goes on with it. */
export async function keepRun(
  host: Host,
  path: string,
  executor: RwasmExecutor<Context>,
  run: RunFile,
): Promise<Kept> {
  const bytes = executor.snapshot({ attachment: encodeRun(run) });
  await host.write(path, bytes);
  const awaits = inspectSnapshot(bytes).paused?.results ?? [];
  return { line: resumeLine(host, path, executor.store.limits, run), awaits };
}

/** Directories that a `--dir` flag names, as access to the host. */
function directoryAccess(dirs: readonly string[]): Access {
  const parts = dirs.map((text) => text.split("::"));
  return {
    read: parts.map(([path]) => path),
    write: parts.filter(([, , mode]) => mode !== "ro").map(([path]) => path),
  };
}

function resumeLine(host: Host, path: string, limits: Limits, { flags, access }: RunFile): string {
  const plugins = (access.plugin ?? []).filter((plugin) => !isBuiltIn(plugin)), dirs = access.dir ?? [];
  // A text or a file was read when the run began; only a stream goes on.
  const streams = (access.stdin ?? []).filter((name) => name === "-");
  const wide = (Object.keys(limits) as (keyof Limits)[]).some((name) => limits[name] > DEFAULT_LIMITS[name]);
  const args = [
    "resume",
    path,
    ...plugins.flatMap((plugin) => ["--plugin", plugin]),
    ...dirs.flatMap((dir) => ["--dir", dir]),
    ...streams.flatMap((stream) => ["--stdin", stream]),
    ...wide ? (flags.limits ?? []).flatMap((list) => ["--limits", list]) : [],
  ];
  const { read = [], write } = directoryAccess(dirs);
  return printable(commandLine(host.program, { read: [path, ...read], write: write ?? [], plugins }, args));
}
