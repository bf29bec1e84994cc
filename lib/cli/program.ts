/**
 * A program that a command runs to look at it: its file, its host functions and its arguments from
 * the command line, up to the moment before it starts. `run` has more to say about how it ends.
 *
 * @module
 */

import { basename } from "node:path";
import { UsageError } from "../error.ts";
import type { FunctionType, RwasmModule } from "../isa/module.ts";
import type { ImportLinker } from "../plugin/linker.ts";
import type { Value } from "../plugin/plugin.ts";
import { RwasmExecutor } from "../run/executor.ts";
import type { ExecutorOptions } from "../run/executor.ts";
import type { AsyncRunOptions } from "../run/run_options.ts";
import type { Outcome } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { type Arguments, choice, count } from "./arguments.ts";
import type { Flag } from "./command.ts";
import { needsInitialize, type Target, targetOf } from "./entry.ts";
import { Exit, exitCodeOfGuest, exitCodeOfPause, exitCodeOfTrap } from "./exit.ts";
import type { Access, Host } from "./host.ts";
import { configOf, INPUT_FLAGS, moduleOf, readSource } from "./input.ts";
import { type Context, loadPlugins, pluginFiles, standIn } from "./plugins.ts";
import { RunLine } from "./progress.ts";
import { parseValues } from "./values.ts";
import { timeoutOf, watch } from "./watch.ts";
import { offerWasi, WASI_MODULES, wasiAccess, type WasiRun, WORLD_FLAGS } from "./wasi.ts";

const UNKNOWN = ["error", "trap", "zero"] as const;

/** The type of what has no parameters and no results. */
const NO_VALUES: FunctionType = { params: [], results: [] };

/** Flags of commands that run a program. */
export const PROGRAM_FLAGS: readonly Flag[] = [
  { name: "invoke", short: "i", value: "name", text: "Exported function to call" },
  {
    name: "fuel",
    short: "f",
    value: "n",
    text: "Most fuel the run may consume, such as 250000 or 10M; unbounded by default",
  },
  { name: "type", value: "type", text: 'Type of the entry point of a .rwasm file: "(i32) -> (i64)"' },
  { name: "quiet", short: "q", text: "Print no progress and no summary" },
  {
    name: "unknown-imports",
    value: "what",
    choices: UNKNOWN,
    text: "Functions that no plugin offers: error (default), trap when called, or zero: return zeros",
  },
  ...INPUT_FLAGS,
  ...WORLD_FLAGS,
];

/** What a program needs from outside, beside its file. */
export function programAccess(args: Arguments, file: string): Access {
  const world = wasiAccess(args);
  return { ...world, read: [file, ...world.read ?? []], plugins: pluginFiles(args) };
}

/** What a program is run with: an executor. */
export type Runner = Pick<RwasmExecutor<Context>, "instantiate" | "execute" | "call">;

/** A program that is ready to run. */
export interface Program {
  /** How the user calls it. */
  readonly file: string;
  /** Its code. */
  readonly module: RwasmModule;
  /** The store it runs on. */
  readonly store: RwasmStore<Context>;
  /** Type of what is called. */
  readonly type: FunctionType;
  /** WASI, when it has it. */
  readonly wasi: WasiRun | undefined;
  /** Runs it once, watched: Ctrl-C and `--timeout` pause it, and a line on the terminal shows how far it is. */
  runWatched(options: ExecutorOptions): Promise<Outcome>;
  /** The exit code of an outcome of it. */
  exitCode(outcome: Outcome): number;
  /** Runs it once at a stretch, when it is wanted through something that stands before the executor. */
  run(options: ExecutorOptions, through?: (executor: RwasmExecutor<Context>) => Runner): Outcome;
}

/**
 * Reads and compiles a program and prepares its run.
 *
 * @param guestArguments the arguments behind the file
 * @param around puts a linker around the one of the program
 * @throws {RwasmError} for everything that can be wrong with a file, a plugin or an argument.
 */
export async function prepareProgram(
  host: Host,
  args: Arguments,
  file: string,
  guestArguments: readonly string[],
  around: (linker: ImportLinker<Context>) => ImportLinker<Context> = (linker) => linker,
): Promise<Program> {
  const fuelLimit = count(args, "fuel"), unknown = choice(args, "unknown-imports", UNKNOWN) ?? "error";
  if (file === "-" && args.value("stdin") === "-") {
    throw new UsageError("InputTaken", "Cannot use --stdin - with file -: both are standard input");
  }
  const plugged = await loadPlugins(args, host), config = configOf(args, plugged);
  const source = await readSource(host, file), { wasm } = source;
  const usesWasi = args.has("wasi") ||
    (wasm?.imports.some(({ module }) => WASI_MODULES.includes(module)) ?? false);
  const target = targetOf(wasm, args, usesWasi), type = target?.type ?? NO_VALUES;
  // A function without parameters cannot take arguments, its program can.
  const forProgram = usesWasi && type.params.length === 0;
  const params = parseValues(forProgram ? [] : guestArguments, type);
  const argv = [basename(file), ...args.values("arg"), ...forProgram ? guestArguments : []];
  const line: RunLine = new RunLine(host, file, args.has("quiet"), () => store);
  const wasi = await offerWasi(args, line.host, plugged, wasm, argv);
  if (unknown !== "error" && wasm !== undefined) standIn(wasm, plugged.linker, unknown);
  const zeros = unknown === "zero" ? { defaultImportedGlobalValue: 0n } : {};
  const linker = around(plugged.linker);
  const module = await moduleOf(source, { ...config, ...zeros, linker }, host, args);
  const store: RwasmStore<Context> = new RwasmStore<Context>({
    ...plugged,
    linker,
    limits: config.limits,
    fuelLimit,
  });
  const initialize = wasi !== undefined && needsInitialize(wasm, target);
  return {
    file,
    module,
    store,
    type,
    wasi,
    async runWatched(options) {
      const executor = new RwasmExecutor(store, module, options);
      try {
        return await watch(host, line, timeoutOf(args), (options) => {
          return call(executor, target, params, initialize, () => {}, options);
        });
      } finally {
        wasi?.end();
      }
    },
    exitCode(outcome) {
      if (outcome.status === "trap") return exitCodeOfTrap(outcome.trap);
      if (outcome.status === "paused") return exitCodeOfPause(outcome);
      return exitCodeOfGuest(wasi?.program.exitCode ?? Exit.Ok);
    },
    run(options, through = (executor) => executor) {
      try {
        return start(through(new RwasmExecutor(store, module, options)), target, params, initialize);
      } finally {
        wasi?.end();
      }
    },
  };
}

/** Runs a program; a library of WASI is initialized first. */
function start(
  executor: Runner,
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

/** Runs a program; a library of WASI is initialized first, which `initialized` is told of. */
export async function call(
  executor: RwasmExecutor<Context>,
  target: Target | undefined,
  params: readonly Value[],
  initialize: boolean,
  initialized: () => void,
  options: () => AsyncRunOptions,
): Promise<Outcome> {
  if (target === undefined) return await executor.instantiateAsync(options());
  if (target.name === undefined) return await executor.executeAsync(params, target.type, options());
  if (initialize) {
    const outcome = await executor.callAsync("_initialize", [], options());
    if (outcome.status !== "done") return outcome;
  }
  initialized();
  return await executor.callAsync(target.name, params, options());
}
