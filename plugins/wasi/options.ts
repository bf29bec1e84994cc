/**
 * Options of the WASI plugin: checks them and makes the environment of a guest from them. Whatever
 * is wrong with an option is a `UsageError` before anything runs.
 *
 * @module
 */

import { UsageError } from "../../mod.ts";
import { type Clock, DEFAULT_EPOCH, RealClock, VirtualClock } from "./clock.ts";
import { DescriptorTable, streamDescriptor } from "./descriptor.ts";
import { Environment, type Preopen } from "./environment.ts";
import type { FileSystem } from "./file_system.ts";
import { HostFileSystem } from "./host_file_system.ts";
import { MemoryDirectory } from "./memory_directory.ts";
import { ALL_RIGHTS, DIRECTORY_RIGHTS, Filetype, PATH_MAX } from "./preview1.ts";
import { ReadOnlyFileSystem } from "./read_only_file_system.ts";
import { RealRandom, SeededRandom } from "./random.ts";
import { Input, type InputSource, Output, type OutputSink } from "./stream.ts";

/** A directory for the guest: a path of the host, a directory in memory, or one of them read-only. */
export type GuestDirectory =
  | string
  | MemoryDirectory
  | { readonly from: string | MemoryDirectory; readonly readOnly?: boolean };

/** What a guest sees of the world; with none of it set, the same in every run and on every machine. */
export interface WasiOptions {
  /** Arguments, the name of the program first; default `["app"]`. */
  readonly args?: readonly string[];
  /** Environment variables; none by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; empty by default. */
  readonly stdin?: InputSource;
  /** Gets standard output; without it the output is kept in {@link Wasi.stdout}. */
  readonly stdout?: OutputSink;
  /** Gets standard error; without it the output is kept in {@link Wasi.stderr}. */
  readonly stderr?: OutputSink;
  /** Most bytes kept of each output; what comes after is dropped. Default 16 MiB. */
  readonly keep?: number;
  /** Whether programs shall take the standard streams for a terminal; default false. */
  readonly terminal?: boolean;
  /** Directories by the name the guest knows them by; none by default. */
  readonly dirs?: Readonly<Record<string, GuestDirectory>>;
  /** "virtual", the default, moves a microsecond per question and over sleeps in no time; "real" is the host's. */
  readonly clock?: "virtual" | "real";
  /** Where the virtual clock starts, in nanoseconds since 1970; default 2025-01-01T00:00:00Z. */
  readonly epoch?: bigint;
  /** Most milliseconds that one sleep on the real clock may block the thread; then it fails with INTR. Default 60,000. */
  readonly maxSleep?: number;
  /** "seeded", the default, or "real", which takes random bytes from the host. */
  readonly random?: "seeded" | "real";
  /** Seed of the random bytes; default 0. */
  readonly seed?: bigint | number;
  /**
   * Whether calls cost fuel: a fixed amount each, and one per 32 bytes read or written. Default false:
   * a run costs what the module's own code costs, but for the compiler's charge for parameters. Where
   * runs pause for fuel, they pause before either charge, with nothing read or written.
   */
  readonly fuel?: boolean;
  /** Syscall index of the first function, the others follow; default 0x57415349 ("WASI"). */
  readonly index?: number;
}

const OPTIONS: readonly string[] = [
  "args",
  "env",
  "stdin",
  "stdout",
  "stderr",
  "keep",
  "terminal",
  "dirs",
  "clock",
  "epoch",
  "maxSleep",
  "random",
  "seed",
  "fuel",
  "index",
];

const encoder = new TextEncoder();

function refuse(why: string, hint?: string): never {
  throw new UsageError("InvalidWasiOption", `Cannot make a WASI environment: ${why}`, { hint });
}

/** Refuses options that are unknown or not of the right kind. */
export function checkOptions(options: WasiOptions): void {
  if (typeof options !== "object" || options === null) refuse("the options must be an object");
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      refuse(`"${name}" is not an option`, `the options are ${OPTIONS.join(", ")}`);
    }
  }
  const { stdin, stdout, stderr, keep, terminal, clock, epoch, maxSleep, random, seed, fuel, index } =
    options;
  const expect = (name: string, right: boolean, what: string): void => {
    if (!right) refuse(`"${name}" must be ${what}`);
  };
  const isBytes = stdin instanceof Uint8Array;
  expect(
    "stdin",
    ["undefined", "string", "function"].includes(typeof stdin) || isBytes,
    "text, bytes or a function",
  );
  expect("stdout", stdout === undefined || typeof stdout === "function", "a function");
  expect("stderr", stderr === undefined || typeof stderr === "function", "a function");
  expect("keep", keep === undefined || isWhole(keep, 2 ** 31 - 1), "a whole number below 2^31");
  expect("terminal", terminal === undefined || typeof terminal === "boolean", "true or false");
  expect("clock", [undefined, "virtual", "real"].includes(clock), '"virtual" or "real"');
  expect("epoch", epoch === undefined || isU64(epoch), "a bigint of nanoseconds, 0 to 2^64 - 1");
  expect(
    "maxSleep",
    maxSleep === undefined || isWhole(maxSleep, 2 ** 31 - 1),
    "a whole number of milliseconds",
  );
  expect("random", [undefined, "seeded", "real"].includes(random), '"seeded" or "real"');
  expect("seed", seed === undefined || Number.isSafeInteger(seed) || typeof seed === "bigint", "an integer");
  expect("fuel", fuel === undefined || typeof fuel === "boolean", "true or false");
  expect("index", index === undefined || isWhole(index, 2 ** 32 - 64), "a whole number up to 2^32 - 64");
  if (clock === "real" && epoch !== undefined) refuse(`"epoch" is for the virtual clock`);
  if (random === "real" && seed !== undefined) refuse(`"seed" is for seeded random bytes`);
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isU64(value: unknown): boolean {
  return typeof value === "bigint" && value >= 0n && value < 2n ** 64n;
}

/** A string with its closing NUL; `what` names it in messages. */
function cString(value: unknown, what: string): Uint8Array {
  if (typeof value !== "string") return refuse(`${what} must be a string`);
  if (value.includes("\0")) refuse(`${what} has a NUL in it`);
  return encoder.encode(`${value}\0`);
}

/** Makes what one guest sees; the options must be checked. */
export function environmentOf(options: WasiOptions): Environment {
  const { args = ["app"], env = {}, keep = 16 * 1024 * 1024, terminal = false } = options;
  if (!Array.isArray(args)) refuse(`"args" must be an array of strings`);
  if (typeof env !== "object" || env === null) refuse(`"env" must be an object`);
  const clock: Clock = options.clock === "real"
    ? new RealClock(options.maxSleep ?? 60_000)
    : new VirtualClock(options.epoch ?? DEFAULT_EPOCH);
  const descriptors = new DescriptorTable();
  for (const stream of [0, 1, 2] as const) descriptors.open(streamDescriptor(stream, terminal));
  const preopens = openDirectories(descriptors, options.dirs ?? {});
  return new Environment({
    args: args.map((arg, position) => cString(arg, `argument ${position}`)),
    variables: Object.entries(env).map(([name, value]) => {
      if (name === "" || name.includes("=")) refuse(`${JSON.stringify(name)} is not the name of a variable`);
      if (typeof value !== "string") refuse(`variable ${name} must be a string`);
      return cString(`${name}=${value}`, `variable ${name}`);
    }),
    input: new Input(options.stdin ?? ""),
    outputs: [new Output(options.stdout, keep), new Output(options.stderr, keep)],
    clock,
    random: options.random === "real" ? new RealRandom() : new SeededRandom(BigInt(options.seed ?? 0)),
    descriptors,
    preopens,
    metered: options.fuel ?? false,
  });
}

/** Opens the directories a guest is given; their descriptors are 3, 4, … in the order of the options. */
function openDirectories(
  table: DescriptorTable,
  dirs: Readonly<Record<string, GuestDirectory>>,
): Preopen[] {
  const preopens: Preopen[] = [];
  if (typeof dirs !== "object" || dirs === null) refuse(`"dirs" must be an object`);
  // Two names for one directory are one file system, so that files can be moved between them.
  const systems = new Map<unknown, FileSystem>();
  for (const [name, given] of Object.entries(dirs)) {
    const preopen = cString(name, `the name of directory ${JSON.stringify(name)}`).slice(0, -1);
    if (preopen.length === 0 || preopen.length > PATH_MAX) {
      refuse("the name of a directory is empty or too long");
    }
    const plain = typeof given === "string" || given instanceof MemoryDirectory;
    const { from, readOnly = false } = plain ? { from: given } : given ?? {};
    let fs = systems.get(from);
    if (fs === undefined) systems.set(from, fs = fileSystemOf(name, from));
    const shown = readOnly ? new ReadOnlyFileSystem(fs) : fs;
    preopens.push({ name, fs: shown });
    table.open({
      kind: "directory",
      type: Filetype.DIRECTORY,
      fs: shown,
      node: fs.root,
      rights: DIRECTORY_RIGHTS,
      inheriting: ALL_RIGHTS,
      flags: 0,
      preopen,
      entries: undefined,
    });
  }
  return preopens;
}

function fileSystemOf(name: string, from: unknown): FileSystem {
  const label = JSON.stringify(name);
  if (from instanceof MemoryDirectory) return from.fs as FileSystem;
  if (typeof from !== "string") {
    return refuse(`directory ${label} must be a path of the host or a MemoryDirectory`);
  }
  try {
    return new HostFileSystem(from) as FileSystem;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError("WasiDirectory", `Cannot give ${from} to a guest as ${label}: ${why}`, {
      cause: error,
      hint: error instanceof Deno.errors.NotCapable
        ? `run deno with --allow-read=${from} (and --allow-write=${from} unless it is read-only)`
        : undefined,
    });
  }
}
