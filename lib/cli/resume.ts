/**
 * `resume`: goes on with a run that `run --snapshot` saved, in another process, on another day or
 * machine, and ends as the guest ends, or saves it again.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { MAX_FUEL } from "../vm/fuel.ts";
import type { Outcome } from "../vm/outcome.ts";
import type { ValueType } from "../isa/module.ts";
import type { Limits } from "../limits.ts";
import { RwasmExecutor } from "../run/executor.ts";
import { inspectSnapshot, type SnapshotInfo } from "../run/snapshot.ts";
import { type Arguments, choice, count, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { targetOf } from "./entry.ts";
import type { Host } from "./host.ts";
import { configOf, limitsOf, moduleOf, PLUGIN_FLAGS, sourceOf } from "./input.ts";
import { type Context, isBuiltIn, loadPlugins, pluginFiles, standIn } from "./plugins.ts";
import { RunLine } from "./progress.ts";
import { tellEnding } from "./run.ts";
import { ACCESS, keepRun, type Kept, readRun, resumedArguments, type RunFile } from "./saved_run.ts";
import { parseValues } from "./values.ts";
import { offerWasi, wasiAccess, WORLD_FLAGS } from "./wasi.ts";
import { timeoutOf, watch, WATCH_FLAGS } from "./watch.ts";

const ENGINES = ["auto", "interpreter", "native"] as const;

/** Refuses to go on without a plugin that the run had: what it does cannot be known without it. */
function checkPlugins({ access }: RunFile, given: Arguments): void {
  const wanted = (access.plugin ?? []).filter((plugin) => !isBuiltIn(plugin));
  if (pluginFiles(given).length >= wanted.length) return;
  throw new UsageError("MissingPlugin", `Cannot resume: the run used ${wanted.join(", ")}`, {
    hint: "a snapshot runs no code of the host: name the same plugins with --plugin",
  });
}

/** How far the fuel of a run goes in all. */
interface Fuel {
  /** Where it ends; undefined when it does not. */
  readonly limit: bigint | undefined;
  /** What the store gets: the limit, or where the run pauses before. */
  readonly options: { readonly fuelLimit: bigint | undefined; readonly onOutOfFuel: "pause" | "trap" };
}

/** Reads the flags about fuel, which count from here on. */
function fuelOf(args: Arguments, { consumedFuel }: SnapshotInfo, run: RunFile): Fuel {
  const total = (flag: string): bigint | undefined => {
    const more = count(args, flag);
    return more === undefined ? undefined : consumedFuel + more < MAX_FUEL ? consumedFuel + more : MAX_FUEL;
  };
  const kept = run.fuelLimit !== undefined && run.fuelLimit < consumedFuel ? consumedFuel : run.fuelLimit;
  const limit = total("fuel") ?? kept, pause = total("pause-at-fuel");
  return pause !== undefined && (limit === undefined || pause <= limit)
    ? { limit, options: { fuelLimit: pause, onOutOfFuel: "pause" } }
    : { limit, options: { fuelLimit: limit, onOutOfFuel: "trap" } };
}

/** What a paused host function is answered with: the arguments behind the file. */
function answerOf(args: Arguments, { paused }: SnapshotInfo): ReturnType<typeof parseValues> {
  const types: readonly ValueType[] = paused?.results ?? [], texts = args.positional.slice(1);
  if (texts.length !== types.length) {
    const wanted = `${types.length} result${types.length === 1 ? "" : "s"} of a host function`;
    throw new UsageError(
      "WrongResultCount",
      `Cannot resume: the run waits for ${types.length === 0 ? "no results" : wanted}, not ${texts.length}`,
      {
        hint: types.length === 0
          ? "the file is the only argument"
          : `their types are ${types.join(", ")}; they follow the file or --`,
      },
    );
  }
  return parseValues(texts, { params: types, results: [] });
}

/** The `resume` command. */
export const resumeCommand: Command = {
  name: "resume",
  summary: "Go on with a run that run --snapshot saved",
  usage: "<file> [flags] [--] [results]",
  notes: [
    "The file holds the module and all that the guest is: memory, stacks, fuel, its clock, its random",
    "bytes, its files in memory. What gives access to the host is not in it and must be given again:",
    "plugins, directories, input. The command that run prints when it pauses has all of it.",
    "A run that a host function paused wants the results of that function behind the file.",
  ],
  flags: [
    {
      name: "fuel",
      short: "f",
      value: "n",
      text: "Most fuel to consume from here on; by default what is left of the --fuel of the run",
    },
    { name: "pause-at-fuel", value: "n", text: "Pause again before more fuel is consumed from here on" },
    ...WATCH_FLAGS,
    { name: "snapshot", value: "file", text: "Where to save the run when it pauses; may be the same file" },
    {
      name: "engine",
      value: "name",
      choices: ENGINES,
      text: "Engine: auto (default), interpreter or native",
    },
    { name: "quiet", short: "q", text: "Print neither the fuel used nor progress" },
    {
      name: "limits",
      short: "l",
      value: "list",
      many: true,
      text: "Limits for the rest of the run; needed where those of the run are above the default",
    },
    ...PLUGIN_FLAGS.filter(({ name }) => name === "plugin"),
    ...WORLD_FLAGS.filter(({ name }) => name === "dir" || name === "stdin"),
  ],
  examples: [
    ["deno run --allow-read mod.ts resume out.snap", "go on to the end"],
    [
      "deno run --allow-read=out.snap,data --allow-write=out.snap,data mod.ts resume out.snap --dir data::/data --snapshot out.snap",
      "a program with a directory; save it again when it is stopped",
    ],
    ["deno run --allow-read mod.ts resume out.snap --fuel 1M -- 42", "answer a paused host function with 42"],
  ],

  async run(given, host) {
    const file = fileArgument("resume", given), path = given.value("snapshot");
    timeoutOf(given);
    const engine = choice(given, "engine", ENGINES) ?? "auto";
    if (path === "-") {
      throw new UsageError("OutputTaken", "Cannot use --snapshot -: standard output is the guest's");
    }
    const access = wasiAccess(given);
    await host.permit({
      ...access,
      read: [file, ...access.read ?? []],
      write: [...access.write ?? [], ...path === undefined ? [] : [path]],
      plugins: pluginFiles(given),
    });
    if (path !== undefined) host.checkWritable?.(path);
    const snapshot = await host.read(file), info = inspectSnapshot(snapshot), run = readRun(file, snapshot);
    checkPlugins(run, given);
    return await resume(host, resumedArguments(run, given), given, { snapshot, info, run, path, engine });
  },
};

/** A file that was read, and how to go on with it. */
interface Job {
  readonly snapshot: Uint8Array;
  readonly info: SnapshotInfo;
  readonly run: RunFile;
  readonly path: string | undefined;
  readonly engine: "auto" | "interpreter" | "native";
}

async function resume(host: Host, args: Arguments, given: Arguments, job: Job): Promise<number> {
  const { snapshot, info, run, path, engine } = job;
  let executor: RwasmExecutor<Context> | undefined;
  const plugged = await loadPlugins(args, host), config = configOf(args, plugged);
  const source = sourceOf(run.file, run.bytes), { wasm } = source;
  const line = new RunLine(host, run.file, args.has("quiet"), () => executor?.store);
  const wasi = await offerWasi(args, line.host, plugged, wasm, []);
  const unknown = choice(args, "unknown-imports", ["error", "trap", "zero"] as const) ?? "error";
  if (unknown !== "error" && wasm !== undefined) standIn(wasm, plugged.linker, unknown);
  const zeros = unknown === "zero" ? { defaultImportedGlobalValue: 0n } : {};
  const module = await moduleOf(source, { ...config, ...zeros }, host, args);
  // Where nothing is given, a file may not ask for more than the default.
  const limits: { limits?: Limits } = given.values("limits").length > 0 ? { limits: limitsOf(given) } : {};
  const fuel = fuelOf(given, info, run);
  let outcome: Outcome, again: Kept | undefined;
  try {
    const restored = executor = RwasmExecutor.restore<Context>(snapshot, {
      module,
      ...plugged,
      ...limits,
      ...fuel.options,
      engine,
    });
    const results = answerOf(given, info);
    let next = run.next;
    outcome = await watch(host, line, timeoutOf(given), async (options) => {
      const outcome = await restored.resumeAsync(results, options());
      if (next === undefined || outcome.status !== "done") return outcome;
      const { name, args: texts } = next, chosen = chooser(args, name), target = targetOf(wasm, chosen, true);
      const params = parseValues(texts, target!.type);
      next = undefined;
      return await restored.callAsync(name, params, options());
    }, path !== undefined);
    if (outcome.status === "paused" && path !== undefined) {
      const access = Object.fromEntries(ACCESS.map((name) => [name, args.values(name)]));
      const kept = { ...run, access, fuelLimit: fuel.limit, next };
      again = await keepRun(host, path, restored, kept);
    }
  } finally {
    wasi?.end();
  }
  const { store } = executor;
  return tellEnding(host, given, {
    outcome,
    results: run.results,
    store,
    wasi,
    resume: again,
    timings: undefined,
  });
}

/** Arguments that choose a function. */
function chooser(args: Arguments, name: string): Arguments {
  const value = (flag: string) => flag === "invoke" ? name : flag === "type" ? undefined : args.value(flag);
  return { ...args, value };
}
