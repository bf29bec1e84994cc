/**
 * The command line: chooses the command, gives help and version, and turns what a command throws
 * into text and an exit code. `mod.ts` imports this only when it is run as a program.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { type Command, commandHelp, overview } from "./command.ts";
import { compileCommand } from "./compile.ts";
import { Exit, exitCodeOfError } from "./exit.ts";
import { denoHost, type Host } from "./host.ts";
import { inspectCommand } from "./inspect.ts";
import { failureData, failureText, printJson } from "./report.ts";
import { runCommand } from "./run.ts";
import { hintFor } from "./suggest.ts";

const COMMANDS: readonly Command[] = [runCommand, compileCommand, inspectCommand];

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
    host.print(`rwasm ${manifest.version} (deno ${Deno.version.deno}, v8 ${Deno.version.v8})`);
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
        hint: "the command comes first: run, compile or inspect, then its flags; or --help, --version",
      },
    );
  }
  const command = commandNamed(helps ? rest[0] : name);
  const commandArgs = helps ? undefined : parsed(command, rest);
  if (commandArgs === undefined) {
    host.print(commandHelp(command));
    return Exit.Ok;
  }
  return await command.run(commandArgs, host);
}

/** Runs a command line; gives the exit code. Results go to `host.print`, everything else to `host.note`. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  try {
    return await dispatch(args, host);
  } catch (error) {
    const end = args.indexOf("--");
    const json = (end < 0 ? args : args.slice(0, end)).includes("--json");
    if (json) printJson(host, { status: "error", error: failureData(error) });
    else host.note(failureText(error, host.color));
    return exitCodeOfError(error);
  }
}

/** Runs the command line of this process and ends it; `program` is the module Deno was told to run. */
export async function runProgram(program: URL): Promise<never> {
  Deno.exit(await main(Deno.args, denoHost(Deno.args, program)));
}
