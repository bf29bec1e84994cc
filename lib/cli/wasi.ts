/**
 * WASI for programs of the command line: its flags, which programs get it, and what they see of the
 * world: nothing of the host unless a flag gives it.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { WasmModule } from "../wasm/module.ts";
import type { Wasi, WasiOptions } from "../../plugins/wasi_snapshot_preview1.ts";
import { type Arguments, choice, count } from "./arguments.ts";
import type { Flag } from "./command.ts";
import { type GuestSink, guestSink } from "./guest_output.ts";
import type { Access, Host } from "./host.ts";
import type { Plugged } from "./plugins.ts";

/** Flag that gives WASI to a module that does not say that it needs it. */
export const WASI_FLAG: Flag = {
  name: "wasi",
  text: "Offer WASI also when the file does not tell that it imports it, as a .rwasm file never does",
};

const CLOCKS = ["virtual", "real"] as const, RANDOMS = ["seeded", "real"] as const;

/** Flags that tell what a program of WASI sees. */
export const WORLD_FLAGS: readonly Flag[] = [
  {
    name: "dir",
    value: "host[::guest[::ro]]",
    many: true,
    text: "WASI: a directory of the host, under a name for the guest, read-only with ::ro",
  },
  {
    name: "memory-dir",
    value: "guest",
    many: true,
    text: "WASI: an empty directory in memory, gone after the run",
  },
  {
    name: "env",
    value: "name[=value]",
    many: true,
    text: "WASI: an environment variable; without a value, the one it has here",
  },
  { name: "arg", value: "text", many: true, text: "WASI: an argument before those that follow the file" },
  {
    name: "stdin",
    value: "file",
    text: "WASI: standard input, - for the one of this program; empty by default",
  },
  { name: "seed", value: "n", text: "Seed of the guest's random bytes, 0 by default" },
  {
    name: "clock",
    value: "kind",
    choices: CLOCKS,
    text: "WASI: virtual (default), the same in every run, or real",
  },
  {
    name: "random",
    value: "kind",
    choices: RANDOMS,
    text: "WASI: random bytes, seeded (default) or real",
  },
];

/** Import modules of WASI, by release. */
const RELEASES = ["wasi_snapshot_preview1", "wasi_unstable"] as const;

/** The same, for those who only look. */
export const WASI_MODULES: readonly string[] = RELEASES;

/** Releases of WASI that a module imports functions of which no plugin offers. */
function releasesOf(wasm: WasmModule, { linker }: Plugged): (typeof RELEASES[number])[] {
  return RELEASES.filter((release) =>
    wasm.imports.some(({ module, name, kind }) =>
      kind === "function" && module === release && linker.resolve(module, name) === undefined
    )
  );
}

/** What WASI does for a run. */
export interface WasiRun {
  /** The plugin, which tells the exit code. */
  readonly program: Wasi;
  /** Whether the output is kept in the plugin, for a JSON document. */
  readonly kept: boolean;
  /** Gives back files, and ends lines on a terminal. */
  end(): void;
}

/** A directory flag: `host::guest::ro`. */
interface Directory {
  readonly host: string;
  readonly guest: string;
  readonly readOnly: boolean;
}

function directories(args: Arguments): Directory[] {
  return args.values("dir").map((text) => {
    const [host, guest = host, mode, ...more] = text.split("::");
    if (host === "" || guest === "" || more.length > 0 || (mode !== undefined && mode !== "ro")) {
      throw new UsageError("InvalidDirectory", `Cannot use --dir ${text}: it is not host[::guest[::ro]]`, {
        hint: "such as --dir data, --dir data::/data or --dir data::/data::ro",
      });
    }
    return { host, guest, readOnly: mode === "ro" };
  });
}

/** What the flags of WASI need. */
export function wasiAccess(args: Arguments): Access {
  const dirs = directories(args), stdin = args.value("stdin");
  return {
    read: [...dirs.map(({ host }) => host), ...stdin === undefined ? [] : [stdin]],
    write: dirs.filter(({ readOnly }) => !readOnly).map(({ host }) => host),
    env: args.values("env").filter((text) => !text.includes("=")),
  };
}

function environment(args: Arguments, host: Host): Record<string, string> {
  // Any name is possible, also those that objects have by themselves.
  const variables: Record<string, string> = Object.create(null);
  for (const text of args.values("env")) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? host.variable(name) : text.slice(equals + 1);
    if (name === "" || value === undefined) {
      const why = name === "" ? "it has no name" : "there is no such variable here";
      throw new UsageError("InvalidVariable", `Cannot use --env ${text}: ${why}`, {
        hint: "variables look like NAME=value",
      });
    }
    variables[name] = value;
  }
  return variables;
}

/** The options that the flags ask for. */
async function optionsOf(args: Arguments, argv: readonly string[], host: Host): Promise<WasiOptions> {
  const { MemoryDirectory } = await import("../../plugins/wasi_snapshot_preview1.ts");
  const dirs: Exclude<WasiOptions["dirs"], undefined> = Object.fromEntries([
    ...directories(args).map(({ host, guest, readOnly }) => [guest, { from: host, readOnly }]),
    ...args.values("memory-dir").map((guest) => [guest, new MemoryDirectory()]),
  ]);
  if (Object.keys(dirs).length < args.values("dir").length + args.values("memory-dir").length) {
    throw new UsageError(
      "RepeatedDirectory",
      "Cannot give directories: two have the same name for the guest",
    );
  }
  const random = choice(args, "random", RANDOMS) ?? "seeded", seed = count(args, "seed");
  if (random === "real" && seed !== undefined) {
    throw new UsageError("NothingToSeed", "Cannot use --seed with --random real: they come without a seed");
  }
  const stdin = args.value("stdin");
  return {
    args: argv,
    env: environment(args, host),
    dirs,
    clock: choice(args, "clock", CLOCKS) ?? "virtual",
    random,
    ...seed === undefined ? {} : { seed },
    ...stdin === undefined
      ? {}
      : { stdin: stdin === "-" ? (length: number) => host.input(length) : await host.read(stdin) },
  };
}

/**
 * Gives WASI to a module that imports it, or when `--wasi` is there; undefined when neither. Plugins
 * that offer it take precedence.
 *
 * @param wasm the module, undefined for a `.rwasm` file
 * @param argv arguments, the name of the program first
 * @throws {UsageError} when a flag is wrong, or is for programs of WASI and this is none.
 */
export async function offerWasi(
  args: Arguments,
  host: Host,
  plugged: Plugged,
  wasm: WasmModule | undefined,
  argv: readonly string[],
): Promise<WasiRun | undefined> {
  const asked = args.has("wasi"), releases = wasm === undefined ? [] : releasesOf(wasm, plugged);
  if (releases.length === 0 && !asked) {
    refuseWorld(args, wasm === undefined);
    return undefined;
  }
  const { wasi } = await import("../../plugins/wasi_snapshot_preview1.ts");
  const kept = args.has("json");
  const sinks: GuestSink[] = kept ? [] : [guestSink(host, "out"), guestSink(host, "err")];
  const program = wasi({
    ...await optionsOf(args, argv, host),
    ...kept ? {} : { stdout: sinks[0].write, stderr: sinks[1].write },
  });
  const { linker } = plugged;
  const offered = new Set(linker.entries().map(({ module }) => module));
  for (const release of RELEASES) {
    // A `.rwasm` file calls by index, and does not tell which.
    if (!releases.includes(release) && (!asked || offered.has(release))) continue;
    linker.use(release === "wasi_unstable" ? program.unstable : program);
  }
  return {
    program,
    kept,
    end() {
      program.close();
      for (const sink of sinks) sink.end();
    },
  };
}

/** Gives WASI with nothing in it, to compile and to look at modules that import it. */
export async function declareWasi(
  args: Arguments,
  plugged: Plugged,
  wasm: WasmModule | undefined,
): Promise<void> {
  const releases = wasm === undefined ? [] : releasesOf(wasm, plugged);
  if (releases.length === 0 && !args.has("wasi")) return;
  const { wasi } = await import("../../plugins/wasi_snapshot_preview1.ts");
  const program = wasi();
  for (const release of releases.length === 0 ? RELEASES : releases) {
    plugged.linker.use(release === "wasi_unstable" ? program.unstable : program);
  }
}

/** Refuses flags that would do nothing. */
function refuseWorld(args: Arguments, compiled: boolean): void {
  // A seed is also for plugins.
  const idle = WORLD_FLAGS.find(({ name }) => name !== "seed" && args.values(name).length > 0);
  if (idle === undefined) return;
  throw new UsageError("WasiNotUsed", `Cannot use --${idle.name}: the program does not import WASI`, {
    hint: compiled ? "a .rwasm file does not tell; if it does, add --wasi" : "see inspect --imports",
  });
}

/** What a program of WASI wrote, for a JSON document. */
export function outputData({ program }: WasiRun): Record<string, unknown> {
  const data = ({ bytes, total, truncated }: { bytes: Uint8Array; total: number; truncated: boolean }) => {
    let content: Record<string, string>;
    try {
      content = { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
    } catch {
      content = { base64: bytes.toBase64() };
    }
    return { bytes: total, truncated, ...content };
  };
  const { stdout, stderr } = program;
  return {
    exitCode: program.exitCode ?? null,
    stdout: data({ bytes: stdout.bytes(), total: stdout.total, truncated: stdout.truncated }),
    stderr: data({ bytes: stderr.bytes(), total: stderr.total, truncated: stderr.truncated }),
  };
}
