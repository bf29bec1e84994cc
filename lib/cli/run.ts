/**
 * `run`: compiles or decodes a module, calls one function, prints its results, and ends as the guest
 * ended.
 *
 * @module
 */

import { basename } from "node:path";
import { UsageError } from "../error.ts";
import type { FunctionType, RwasmModule, ValueType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { RwasmExecutor } from "../run/executor.ts";
import type { Outcome } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { type Arguments, choice, count, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { needsInitialize, type Target, targetOf } from "./entry.ts";
import { Exit, exitCodeOfGuest, exitCodeOfPause, exitCodeOfTrap } from "./exit.ts";
import type { Host } from "./host.ts";
import { configOf, INPUT_FLAGS, moduleOf, readSource } from "./input.ts";
import { outcomeData, printOutcome } from "./outcome.ts";
import { type Context, loadPlugins, pluginFiles, standIn } from "./plugins.ts";
import { RunLine } from "./progress.ts";
import { call } from "./program.ts";
import { recordRun } from "./replay.ts";
import { printJson } from "./report.ts";
import { flagsToKeep, keepRun, type Kept, type RunFile } from "./saved_run.ts";
import { parseValues } from "./values.ts";
import { timeoutOf, watch, WATCH_FLAGS } from "./watch.ts";
import { offerWasi, outputData, WASI_MODULES, wasiAccess, type WasiRun, WORLD_FLAGS } from "./wasi.ts";

const ENGINES = ["auto", "interpreter", "native"] as const;
const UNKNOWN = ["error", "trap", "zero"] as const;
const NO_VALUES: FunctionType = { params: [], results: [] };

/** Milliseconds that the stages of a run took, in their order. */
export class Timings {
  readonly #host: Host;
  readonly #stages: Record<string, number> = {};
  #began: number;

  constructor(host: Host) {
    this.#host = host;
    this.#began = host.now();
  }

  /** The stage that began with the end of the last one is over. */
  ends(stage: string): void {
    const now = this.#host.now();
    this.#stages[stage] = Math.round(1000 * (now - this.#began)) / 1000;
    this.#began = now;
  }

  /** What was measured. */
  data(): Readonly<Record<string, number>> {
    return this.#stages;
  }

  /** The same in one line. */
  text(): string {
    return Object.entries(this.#stages).map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`).join(", ");
  }
}

/** What is told of a run when it is over. */
export interface Ending {
  /** How it ended. */
  readonly outcome: Outcome;
  /** Types of its results. */
  readonly results: readonly ValueType[];
  /** The store it ran on. */
  readonly store: RwasmStore<Context>;
  /** Its WASI. */
  readonly wasi: WasiRun | undefined;
  /** How to go on with it, when it was written to a file. */
  readonly resume: Kept | undefined;
  /** How long it took. */
  readonly timings: Timings | undefined;
}

function awaitsText({ awaits }: Kept): string {
  if (awaits.length === 0) return "";
  return `, with the result${awaits.length > 1 ? "s" : ""} of the host function (${
    awaits.join(", ")
  }) behind it`;
}

/** Tells how a run ended; gives the exit code. */
export function tellEnding(host: Host, args: Arguments, ending: Ending): number {
  const { outcome, results, store, wasi, resume, timings } = ending, type = { params: [], results };
  const fuel = { consumed: store.consumedFuel(), remaining: store.remainingFuel() ?? null };
  if (args.has("json")) {
    printJson(host, {
      ...outcomeData(outcome, type),
      ...wasi === undefined ? {} : outputData(wasi),
      fuel,
      memoryBytes: store.memory.byteLength,
      ...resume === undefined
        ? {}
        : { resume: resume.line, ...resume.awaits.length === 0 ? {} : { awaits: resume.awaits } },
      ...args.has("timings") && timings !== undefined ? { milliseconds: timings.data() } : {},
    });
  } else {
    printOutcome(host, outcome, type);
    if (!args.has("quiet")) {
      host.note(`fuel used: ${fuel.consumed}${fuel.remaining === null ? "" : `, left: ${fuel.remaining}`}`);
    }
    if (args.has("timings") && timings !== undefined) host.note(`time: ${timings.text()}`);
    if (resume !== undefined) host.note(`to go on${awaitsText(resume)}:\n  ${resume.line}`);
  }
  if (outcome.status === "trap") return exitCodeOfTrap(outcome.trap);
  if (outcome.status === "paused") return exitCodeOfPause(outcome, resume !== undefined);
  return exitCodeOfGuest(wasi?.program.exitCode ?? Exit.Ok);
}

/** What a run needs beside its module. */
interface Job {
  readonly store: RwasmStore<Context>;
  readonly target: Target | undefined;
  readonly wasi: WasiRun | undefined;
  readonly params: readonly Value[];
  readonly initialize: boolean;
  readonly timings: Timings;
  readonly line: RunLine;
  /** What a file of the run says of it, but for what is paused. */
  readonly kept: Omit<RunFile, "next">;
  /** What follows the initialization of a library. */
  readonly next: RunFile["next"];
}

/** Runs a module on a store of its own and tells how it ended; gives the exit code. */
async function runModule(host: Host, args: Arguments, module: RwasmModule, job: Job): Promise<number> {
  const { store, target, wasi, params, timings, line, kept } = job, path = args.value("snapshot");
  const engine = choice(args, "engine", ENGINES) ?? "auto";
  const onOutOfFuel = pausesAtFuel(args) ? "pause" : "trap";
  let outcome: Outcome, resume: Kept | undefined, next = job.initialize ? job.next : undefined;
  try {
    const executor = new RwasmExecutor(store, module, { engine, onOutOfFuel });
    outcome = await watch(host, line, timeoutOf(args), (options) => {
      return call(executor, target, params, job.initialize, () => next = undefined, options);
    }, path !== undefined);
    if (outcome.status === "paused" && path !== undefined) {
      resume = await keepRun(host, path, executor, { ...kept, next });
    }
  } finally {
    wasi?.end();
  }
  timings.ends("run");
  return tellEnding(host, args, { outcome, results: kept.results, store, wasi, resume, timings });
}

/** Whether the run pauses at the fuel it is given: not when the limit comes first. */
function pausesAtFuel(args: Arguments): boolean {
  const pause = count(args, "pause-at-fuel"), limit = count(args, "fuel");
  return pause !== undefined && (limit === undefined || pause <= limit);
}

/** The `run` command. */
export const runCommand: Command = {
  name: "run",
  summary: "Compile and run a .wasm file, or run a .rwasm file",
  usage: "<file> [flags] [--] [guest arguments]",
  notes: [
    "Calls the function --invoke names; without it main, _start, or the only exported function; a",
    ".rwasm file runs its entry point. Guest arguments are read by the types of the parameters:",
    "integers as 42, -1 or 0xff, floats as 1.5, nan or -inf. Those that start with a dash follow --.",
    "Results go to standard output, one per line; messages to standard error.",
    "",
    "A program that imports WASI gets it: its arguments are the guest arguments, what it writes goes",
    "to the same streams here (escaped on a terminal), its exit code becomes this one. It sees no",
    "files, no variables, no input, a clock and random bytes that are the same in every run, unless",
    "flags say otherwise.",
  ],
  flags: [
    { name: "invoke", short: "i", value: "name", text: "Exported function to call" },
    {
      name: "fuel",
      short: "f",
      value: "n",
      text: "Most fuel the run may consume, such as 250000 or 10M; unbounded by default",
    },
    { name: "pause-at-fuel", value: "n", text: "Pause the run before it consumes more fuel; exit code 12" },
    ...WATCH_FLAGS,
    {
      name: "snapshot",
      value: "file",
      text:
        "Where to save the run when it pauses, by Ctrl-C too (while it waits for input, at the end of that); the command resume goes on with it",
    },
    { name: "type", value: "type", text: 'Type of the entry point of a .rwasm file: "(i32) -> (i64)"' },
    {
      name: "engine",
      value: "name",
      choices: ENGINES,
      text: "Engine: auto (default), interpreter or native",
    },
    { name: "quiet", short: "q", text: "Print neither the fuel used nor progress" },
    { name: "timings", text: "Print how long each stage took" },
    {
      name: "record",
      value: "file",
      text: "Write what the host answers to a file; the command replay runs it again without plugins",
    },
    {
      name: "unknown-imports",
      value: "what",
      choices: UNKNOWN,
      text: "Functions that no plugin offers: error (default), trap when called, or zero: return zeros",
    },
    ...INPUT_FLAGS,
    ...WORLD_FLAGS,
  ],
  examples: [
    [
      "deno run --allow-read mod.ts run examples/fib/fib.wasm --invoke fib --fuel 100000 20",
      "call fib(20) with at most 100,000 fuel",
    ],
    [
      "deno run --allow-read mod.ts run app.wasm --plugin ./env.ts --json -- -1 2.5",
      "host functions from a plugin, JSON output, a negative argument",
    ],
    [
      "deno run --allow-read=tool.wasm,data mod.ts run tool.wasm --dir data::/data::ro --fuel 5G -- -v /data/in.txt",
      "a program of WASI with a directory, read-only, and arguments",
    ],
    [
      "deno run --allow-read --allow-write=out.snap mod.ts run app.wasm --snapshot out.snap",
      "a program that can be stopped with Ctrl-C and go on later",
    ],
    [
      "deno run --allow-read mod.ts run app.wasm --timeout 5s",
      "a program that may never end; exit code 124 when its time is over",
    ],
    [
      "deno run --allow-read --allow-write=run.jsonl mod.ts run app.wasm --record run.jsonl",
      "a run that replay repeats without plugins",
    ],
    ['deno run --allow-read mod.ts run app.rwasm --type "(i32) -> (i32)" 7', "run a compiled module"],
  ],

  async run(args, host) {
    const file = fileArgument("run", args), guestArguments = args.positional.slice(1);
    const record = args.value("record");
    if (record !== undefined) return await recordRun(host, args, file, record);
    const pausesAt = count(args, "pause-at-fuel"), limit = count(args, "fuel");
    const fuelLimit = pausesAtFuel(args) ? pausesAt : limit;
    timeoutOf(args);
    const unknown = choice(args, "unknown-imports", UNKNOWN) ?? "error";
    choice(args, "engine", ENGINES);
    if (args.has("unmetered") && fuelLimit !== undefined) {
      throw new UsageError(
        "NothingToLimit",
        `Cannot use --${
          limit === undefined ? "pause-at-fuel" : "fuel"
        } with --unmetered: unmetered code charges nothing`,
      );
    }
    const world = wasiAccess(args);
    if (file === "-" && args.value("stdin") === "-") {
      throw new UsageError("InputTaken", "Cannot use --stdin - with file -: both are standard input");
    }
    const snapshot = args.value("snapshot");
    if (snapshot === "-") {
      throw new UsageError("OutputTaken", "Cannot use --snapshot -: standard output is the guest's");
    }
    await host.permit({
      ...world,
      read: [file, ...world.read ?? []],
      write: [...world.write ?? [], ...snapshot === undefined ? [] : [snapshot]],
      plugins: pluginFiles(args),
    });
    // The run may be long, and all of it would be lost.
    if (snapshot !== undefined) host.checkWritable?.(snapshot);

    const timings = new Timings(host);
    const plugged = await loadPlugins(args, host);
    const config = configOf(args, plugged);
    timings.ends("plugins");
    const source = await readSource(host, file), { wasm } = source;
    timings.ends("load");

    const usesWasi = args.has("wasi") ||
      (wasm?.imports.some(({ module }) => WASI_MODULES.includes(module)) ?? false);
    const target = targetOf(wasm, args, usesWasi), type = target?.type ?? NO_VALUES;
    // A function without parameters cannot take arguments, its program can.
    const forProgram = usesWasi && type.params.length === 0;
    const params = parseValues(forProgram ? [] : guestArguments, type);
    const argv = [basename(file), ...args.values("arg"), ...forProgram ? guestArguments : []];
    const store = new RwasmStore<Context>({ ...plugged, limits: config.limits, fuelLimit });
    const line = new RunLine(host, file, args.has("quiet"), () => store);
    const wasi = await offerWasi(args, line.host, plugged, wasm, argv);
    if (unknown !== "error" && wasm !== undefined) standIn(wasm, plugged.linker, unknown);
    const zeros = unknown === "zero" ? { defaultImportedGlobalValue: 0n } : {};
    const module = await moduleOf(source, { ...config, ...zeros }, host, args);
    timings.ends("compile");

    const initialize = wasi !== undefined && needsInitialize(wasm, target);
    const kept = { file, bytes: source.bytes, ...flagsToKeep(args), fuelLimit: limit, results: type.results };
    const next = target?.name === undefined
      ? undefined
      : { name: target.name, args: forProgram ? [] : guestArguments };
    const job = { store, target, wasi, params, initialize, timings, line, kept, next };
    return await runModule(host, args, module, job);
  },
};
