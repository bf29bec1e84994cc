/**
 * `run`: compiles or decodes a module, calls one function, prints its results.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { FunctionType, RwasmModule } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { RwasmExecutor } from "../vm/executor.ts";
import type { Outcome } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { type Arguments, choice, count, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { checkExport, usualExport } from "./entry.ts";
import { Exit, exitCodeOfTrap } from "./exit.ts";
import { type Host, printable } from "./host.ts";
import { configOf, INPUT_FLAGS, linkerOf, loadModule } from "./input.ts";
import { failureData, failureText, printJson } from "./report.ts";
import { formatValue, jsonValue, parseType, parseValues } from "./values.ts";

/** What is called: an export by name, the entry point of a `.rwasm` (no name), or only the start function (nothing). */
interface Target {
  readonly name: string | undefined;
  readonly type: FunctionType;
}

function targetOf(module: RwasmModule, args: Arguments): Target | undefined {
  const invoke = args.value("invoke"), type = args.value("type");
  if (module.info === undefined) {
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
  const exports = module.exports;
  const names = exports.map(({ name }) => name);
  if (invoke === undefined && names.length === 0) return undefined;
  const name = invoke === undefined ? usualExport(names) : checkExport(invoke, names);
  if (name === undefined) {
    throw new UsageError("NoFunctionChosen", "Cannot run: it is not clear which function is meant", {
      hint: `choose one with --invoke: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`,
    });
  }
  return { name, type: exports.find((entry) => entry.name === name)! };
}

function call<T>(executor: RwasmExecutor<T>, target: Target | undefined, params: readonly Value[]): Outcome {
  if (target === undefined) return executor.instantiate();
  return target.name === undefined
    ? executor.execute(params, target.type)
    : executor.call(target.name, params);
}

function reportText(host: Host, outcome: Outcome, type: FunctionType): void {
  switch (outcome.status) {
    case "done":
      outcome.results.forEach((value, position) => host.print(formatValue(value, type.results[position])));
      break;
    case "trap":
      host.note(failureText(outcome.trap, host.color));
      break;
    case "paused":
      host.note(`paused: ${pauseText(outcome)}`);
      break;
  }
}

function pauseText(outcome: Outcome & { status: "paused" }): string {
  if (outcome.reason !== "syscall" || outcome.payload === undefined) return outcome.reason;
  // A payload is any value of a plugin's choice, cycles included.
  return `${outcome.reason} ${printable(Deno.inspect(outcome.payload, { colors: false }))}`;
}

function outcomeData(outcome: Outcome, type: FunctionType): Record<string, unknown> {
  switch (outcome.status) {
    case "done": {
      const results = outcome.results.map((value, position) => {
        const resultType = type.results[position];
        return { type: resultType, value: jsonValue(value, resultType) };
      });
      return { status: "done", results };
    }
    case "trap":
      return { status: "trap", trap: failureData(outcome.trap) };
    case "paused":
      return { status: "paused", reason: pauseText(outcome) };
  }
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
    "Results go to standard output, one per line; everything else to standard error.",
  ],
  flags: [
    { name: "invoke", short: "i", value: "name", text: "Exported function to call" },
    { name: "fuel", short: "f", value: "n", text: "Most fuel the run may consume; unbounded by default" },
    { name: "type", value: "type", text: 'Type of the entry point of a .rwasm file: "(i32) -> (i64)"' },
    { name: "engine", value: "name", text: "Engine: auto (default), interpreter or native" },
    { name: "quiet", short: "q", text: "Do not print the fuel used" },
    ...INPUT_FLAGS,
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
    ['deno run --allow-read mod.ts run app.rwasm --type "(i32) -> (i32)" 7', "run a compiled module"],
  ],

  async run(args, host) {
    const file = fileArgument("run", args);
    const engine = choice(args, "engine", ["auto", "interpreter", "native"]) ?? "auto";
    const fuelLimit = count(args, "fuel");
    await host.permit({ read: [file], plugins: args.values("plugin") });
    const linker = await linkerOf(args);
    const config = configOf(args, linker);
    if (config.consumeFuel === false && fuelLimit !== undefined) {
      throw new UsageError(
        "NothingToLimit",
        "Cannot use --fuel with --unmetered: unmetered code charges nothing",
      );
    }
    const module = await loadModule(host, file, config);
    const target = targetOf(module, args);
    const type: FunctionType = target?.type ?? { params: [], results: [] };
    const params = parseValues(args.positional.slice(1), type);

    const store = new RwasmStore({
      linker,
      data: {},
      ...config.limits === undefined ? {} : { limits: config.limits },
      ...fuelLimit === undefined ? {} : { fuelLimit },
    });
    const outcome = call(new RwasmExecutor(store, module, { engine }), target, params);

    const fuel = { consumed: store.consumedFuel(), remaining: store.remainingFuel() ?? null };
    if (args.has("json")) {
      printJson(host, { ...outcomeData(outcome, type), fuel, memoryBytes: store.memory.byteLength });
    } else {
      reportText(host, outcome, type);
      if (!args.has("quiet")) {
        host.note(`fuel used: ${fuel.consumed}${fuel.remaining === null ? "" : `, left: ${fuel.remaining}`}`);
      }
    }
    if (outcome.status === "done") return Exit.Ok;
    return outcome.status === "trap" ? exitCodeOfTrap(outcome.trap) : Exit.Paused;
  },
};
