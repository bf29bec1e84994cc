/**
 * What a command is: its flags and examples as data, from which arguments are parsed and help is
 * written. Help and parser cannot disagree, because both read the same rows.
 *
 * @module
 */

import type { Arguments } from "./arguments.ts";
import { EXIT_CODES, GUEST_EXIT } from "./exit.ts";
import type { Host } from "./host.ts";

/** A flag of a command. */
export interface Flag {
  /** Long name, without dashes. */
  readonly name: string;
  /** One-letter name. */
  readonly short?: string;
  /** What its value is called in help; a flag without it takes no value. */
  readonly value?: string;
  /** The words its value must be one of. */
  readonly choices?: readonly string[];
  /** Whether it may be given many times. */
  readonly many?: boolean;
  /** One line of help. */
  readonly text: string;
}

/** A command. */
export interface Command {
  /** First argument that chooses it. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** More lines of help. */
  readonly notes: readonly string[];
  /** The words its argument must be one of, for completions; a file when absent. */
  readonly words?: readonly string[];
  /** Its flags; those of {@link COMMON_FLAGS} are added to every command. */
  readonly flags: readonly Flag[];
  /** Command lines that work, with what they show. */
  readonly examples: readonly (readonly [line: string, text: string])[];
  /** Does the work; gives the exit code. */
  run(args: Arguments, host: Host): Promise<number>;
}

/** When messages have colors. */
export const COLORS = ["auto", "always", "never"] as const;

/** Flags that every command has. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "json", text: "Print one JSON document instead of text" },
  {
    name: "color",
    value: "when",
    choices: COLORS,
    text: "Colors in messages: auto (default), always or never",
  },
  { name: "help", short: "h", text: "Print this help" },
];

/** All flags of a command. */
export function flagsOf(command: Command): readonly Flag[] {
  return [...command.flags, ...COMMON_FLAGS];
}

function table(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

function flagRow({ name, short, value, many, text }: Flag): [string, string] {
  const names = short === undefined ? `    --${name}` : `-${short}, --${name}`;
  return [names + (value === undefined ? "" : ` <${value}>`), many ? `${text}; may be repeated` : text];
}

/** Help of one command. */
export function commandHelp(command: Command): string {
  return [
    `${command.summary}\n`,
    `Usage: deno run [permissions] mod.ts ${command.name} ${command.usage}\n`,
    ...command.notes.length > 0 ? [`${command.notes.join("\n")}\n`] : [],
    `Flags:\n${table(flagsOf(command).map(flagRow))}\n`,
    `Examples:\n${command.examples.map(([line, text]) => `  # ${text}\n  ${line}`).join("\n\n")}`,
  ].join("\n");
}

/** Help of the whole command line. */
export function overview(version: string, commands: readonly Command[]): string {
  return [
    `rwasm ${version}: runs WebAssembly that you do not trust, metered and the same on every machine\n`,
    "Usage: deno run [permissions] mod.ts <command> [arguments]\n",
    `Commands:\n${table(commands.map(({ name, summary }) => [name, summary]))}\n`,
    `Flags:\n${
      table([
        ["-h, --help", "Print this help; after a command, the help of that command"],
        ["-V, --version", "Print the version; with --json as JSON"],
      ])
    }\n`,
    `Examples:\n${
      commands.map(({ examples }) => `  # ${examples[0][1]}\n  ${examples[0][0]}`).join("\n\n")
    }\n`,
    `Exit codes:\n${table(EXIT_CODES.map(([code, meaning]) => [String(code).padStart(3), meaning]))}`,
    `  ${GUEST_EXIT}`,
  ].join("\n");
}
