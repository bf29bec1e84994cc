/**
 * `run`: compiles or decodes a module, calls one function, prints its results, and ends as the guest
 * ended.
 *
 * @module
 */

import { basename } from "node:path";
import { UsageError } from "../error.ts";
import type { FunctionType, RwasmModule } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { RwasmExecutor } from "../run/executor.ts";
import type { Outcome } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { type Arguments, choice, count, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { needsInitialize, type Target, targetOf } from "./entry.ts";
import { Exit, exitCodeOfGuest, exitCodeOfTrap } from "./exit.ts";
import type { Host } from "./host.ts";
import { configOf, INPUT_FLAGS, moduleOf, readSource } from "./input.ts";
import { outcomeData, printOutcome } from "./outcome.ts";
import { type Context, loadPlugins, pluginFiles, standIn } from "./plugins.ts";
import { printJson } from "./report.ts";
import { parseValues } from "./values.ts";
import { offerWasi, outputData, WASI_MODULES, wasiAccess, type WasiRun, WORLD_FLAGS } from "./wasi.ts";

const ENGINES = ["auto", "interpreter", "native"] as const;
const UNKNOWN = ["error", "trap", "zero"] as const;
const NO_VALUES: FunctionType = { params: [], results: [] };

/** Milliseconds that the stages of a run took, in their order. */
class Timings {
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

/** Runs a program; a library of WASI is initialized first. */
function call(
  executor: RwasmExecutor<Context>,
  target: Target | undefined,
  params: readonly Value[],
  initialize: boolean,
): Outcome {
  if (target === undefined) return executor.instantiate();
  if (target.name === undefined) return executor.execute(params, target.type);
  if (initialize) {
    const outcome = executor.call("_initialize");
    if (outcome.status !== "done") return outcome;
  }
  return executor.call(target.name, params);
}

function exitCodeOf(outcome: Outcome, wasi: WasiRun | undefined): number {
  if (outcome.status === "trap") return exitCodeOfTrap(outcome.trap);
  return outcome.status === "paused" ? Exit.Paused : exitCodeOfGuest(wasi?.program.exitCode ?? Exit.Ok);
}

/** Runs a module on a store of its own and tells how it ended; gives the exit code. */
function runModule(
  host: Host,
  args: Arguments,
  module: RwasmModule,
  store: RwasmStore<Context>,
  target: Target | undefined,
  wasi: WasiRun | undefined,
  job: { readonly params: readonly Value[]; readonly initialize: boolean; readonly timings: Timings },
): number {
  const { params, initialize, timings } = job;
  const engine = choice(args, "engine", ENGINES) ?? "auto";
  let outcome: Outcome;
  try {
    outcome = call(new RwasmExecutor(store, module, { engine }), target, params, initialize);
  } finally {
    wasi?.end();
  }
  timings.ends("run");
  const type = target?.type ?? NO_VALUES;
  const fuel = { consumed: store.consumedFuel(), remaining: store.remainingFuel() ?? null };
  if (args.has("json")) {
    printJson(host, {
      ...outcomeData(outcome, type),
      ...wasi === undefined ? {} : outputData(wasi),
      fuel,
      memoryBytes: store.memory.byteLength,
      ...args.has("timings") ? { milliseconds: timings.data() } : {},
    });
  } else {
    printOutcome(host, outcome, type);
    if (!args.has("quiet")) {
      host.note(`fuel used: ${fuel.consumed}${fuel.remaining === null ? "" : `, left: ${fuel.remaining}`}`);
    }
    if (args.has("timings")) host.note(`time: ${timings.text()}`);
  }
  return exitCodeOf(outcome, wasi);
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
    ['deno run --allow-read mod.ts run app.rwasm --type "(i32) -> (i32)" 7', "run a compiled module"],
  ],

  async run(args, host) {
    const file = fileArgument("run", args), guestArguments = args.positional.slice(1);
    const fuelLimit = count(args, "fuel"), unknown = choice(args, "unknown-imports", UNKNOWN) ?? "error";
    choice(args, "engine", ENGINES);
    if (args.has("unmetered") && fuelLimit !== undefined) {
      throw new UsageError(
        "NothingToLimit",
        "Cannot use --fuel with --unmetered: unmetered code charges nothing",
      );
    }
    const world = wasiAccess(args);
    if (file === "-" && args.value("stdin") === "-") {
      throw new UsageError("InputTaken", "Cannot use --stdin - with file -: both are standard input");
    }
    await host.permit({ ...world, read: [file, ...world.read ?? []], plugins: pluginFiles(args) });

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
    const wasi = await offerWasi(args, host, plugged, wasm, argv);
    if (unknown !== "error" && wasm !== undefined) standIn(wasm, plugged.linker, unknown);
    const zeros = unknown === "zero" ? { defaultImportedGlobalValue: 0n } : {};
    const module = await moduleOf(source, { ...config, ...zeros }, host, args);
    timings.ends("compile");

    const store = new RwasmStore<Context>({
      ...plugged,
      limits: config.limits,
      fuelLimit,
    });
    const job = { params, initialize: wasi !== undefined && needsInitialize(wasm, target), timings };
    return runModule(host, args, module, store, target, wasi, job);
  },
};
