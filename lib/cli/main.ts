/**
 * The command line: chooses the command, gives help and version, and turns what a command throws
 * into text and an exit code. `mod.ts` imports this only when it is run as a program.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { type Arguments, choice, parseArguments } from "./arguments.ts";
import { COLORS, type Command, commandHelp, overview } from "./command.ts";
import { compileCommand } from "./compile.ts";
import { completionsCommand } from "./completions.ts";
import { diffCommand } from "./diff.ts";
import { Exit, exitCodeOfError } from "./exit.ts";
import { denoHost, type Host } from "./host.ts";
import { inspectCommand } from "./inspect.ts";
import { linkCommand } from "./link.ts";
import { newPluginCommand } from "./new_plugin.ts";
import { profileCommand } from "./profile.ts";
import { failureData, failureText, printJson } from "./report.ts";
import { replayCommand } from "./replay.ts";
import { resumeCommand } from "./resume.ts";
import { runCommand } from "./run.ts";
import { hintFor } from "./suggest.ts";
import { traceCommand } from "./trace.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  runCommand,
  resumeCommand,
  compileCommand,
  inspectCommand,
  profileCommand,
  traceCommand,
  diffCommand,
  replayCommand,
  linkCommand,
  newPluginCommand,
  completionsCommand(() => COMMANDS),
];

function commandNamed(name: string): Command {
  const command = COMMANDS.find((command) => command.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map(({ name }) => name);
  throw new UsageError("UnknownCommand", `Cannot run: there is no command ${quoteName(name)}`, {
    hint: hintFor(name, "commands", [...names, "help"]),
  });
}

function parsed(command: Command, args: readonly string[]): Arguments | undefined {
  // `run --help` must work whatever else is wrong; after `--` it belongs to the guest.
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  return own.includes("--help") || own.includes("-h") ? undefined : parseArguments(command, args);
}

async function dispatch(args: readonly string[], host: Host): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    const { deno, v8 } = Deno.version;
    if (rest.includes("--json")) printJson(host, { status: "done", rwasm: manifest.version, deno, v8 });
    else host.print(`rwasm ${manifest.version} (deno ${deno}, v8 ${v8})`);
    return Exit.Ok;
  }
  if (name === undefined) {
    host.note(overview(manifest.version, COMMANDS));
    return Exit.Usage;
  }
  const helps = name === "help" || name === "--help" || name === "-h";
  if (helps && (rest[0] === undefined || rest[0].startsWith("-"))) {
    host.print(overview(manifest.version, COMMANDS));
    return Exit.Ok;
  }
  if (!helps && name.startsWith("-")) {
    throw new UsageError(
      "UnknownFlag",
      `Cannot run: there is no flag ${quoteName(name)} before the command`,
      {
        hint: "the command comes first, such as run or inspect, then its flags; or --help, --version",
      },
    );
  }
  const command = commandNamed(helps ? rest[0] : name);
  const commandArgs = helps ? undefined : parsed(command, rest);
  if (commandArgs === undefined) {
    host.print(commandHelp(command));
    return Exit.Ok;
  }
  choice(commandArgs, "color", COLORS);
  return await command.run(commandArgs, host);
}

/** Whether messages have colors: also those about arguments that cannot be parsed. */
function colorOf(args: readonly string[], host: Host): boolean {
  const at = args.findIndex((arg) => arg === "--color" || arg.startsWith("--color="));
  const when = at < 0 ? "auto" : args[at] === "--color" ? args[at + 1] : args[at].slice("--color=".length);
  return when === "always" || (when !== "never" && host.color);
}

/** Runs a command line; gives the exit code. Results go to `host.print`, everything else to `host.note`. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  const end = args.indexOf("--"), own = end < 0 ? args : args.slice(0, end);
  const color = colorOf(own, host), colored = { ...host, color };
  try {
    return await dispatch(args, colored);
  } catch (error) {
    if (own.includes("--json")) printJson(host, { status: "error", error: failureData(error) });
    else host.note(failureText(error, color));
    return exitCodeOfError(error);
  }
}

/** Runs the command line of this process and ends it; `program` is the module Deno was told to run. */
export async function runProgram(program: URL): Promise<never> {
  Deno.exit(await main(Deno.args, denoHost(Deno.args, program)));
}
