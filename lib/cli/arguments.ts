/**
 * Command-line arguments against a command's table of flags: texts in, checked values out. What is
 * unknown, missing or given twice is a usage error with the nearest flag.
 *
 * @module
 */

// deno-lint-ignore no-import-prefix -- a library imported by URL does not bring its import map
import { parseArgs } from "jsr:@std/cli@^1/parse-args";
import { UsageError } from "../error.ts";
import { type Command, flagsOf } from "./command.ts";
import { hintFor } from "./suggest.ts";

/** The arguments of a command, checked against its flags. */
export interface Arguments {
  /** Arguments that are not flags, in order; those after `--` come last. */
  readonly positional: readonly string[];
  /** Whether a flag without value was given. */
  has(flag: string): boolean;
  /** Value of a flag, undefined when absent. */
  value(flag: string): string | undefined;
  /** Values of a flag that may be repeated. */
  values(flag: string): readonly string[];
}

/**
 * Parses the arguments of a command.
 *
 * @throws {UsageError} `UnknownFlag`, `MissingValue` or `RepeatedFlag`.
 */
export function parseArguments(command: Command, args: readonly string[]): Arguments {
  const flags = flagsOf(command);
  const withValue = flags.filter(({ value }) => value !== undefined).map(({ name }) => name);
  const alias: Record<string, string> = {};
  for (const { name, short } of flags) if (short !== undefined) alias[name] = short;

  const parsed: Record<string, unknown> = parseArgs([...args], {
    "--": true,
    // Every value is collected, so that a flag given twice can be refused; "_" keeps "7" a text.
    string: [...withValue, "_"],
    collect: withValue,
    boolean: flags.filter(({ value }) => value === undefined).map(({ name }) => name),
    alias,
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true;
      throw new UsageError("UnknownFlag", `Cannot ${command.name}: there is no flag ${arg.split("=")[0]}`, {
        hint: `${
          hintFor(`--${key}`, "flags", flags.map(({ name }) => `--${name}`))
        }\n        guest arguments that start with - follow --`,
      });
    },
  });

  // A command may be asked for flags that only others have.
  const valuesOf = (flag: string): readonly string[] => (parsed[flag] ?? []) as readonly string[];
  for (const { name, value, many } of flags) {
    if (value === undefined) continue;
    if (valuesOf(name).includes("")) {
      throw new UsageError("MissingValue", `Cannot ${command.name}: --${name} needs a value, <${value}>`, {
        hint: `a value that starts with - is written --${name}=<${value}>`,
      });
    }
    if (!many && valuesOf(name).length > 1) {
      throw new UsageError("RepeatedFlag", `Cannot ${command.name}: --${name} is given more than once`);
    }
  }
  return {
    positional: [...parsed._ as string[], ...parsed["--"] as string[]],
    has: (flag) => parsed[flag] === true,
    value: (flag) => valuesOf(flag)[0],
    values: valuesOf,
  };
}

/**
 * The one file a command reads.
 *
 * @throws {UsageError} `MissingFile` when there is none.
 */
export function fileArgument(command: string, args: Arguments): string {
  const file = args.positional[0];
  if (file === undefined) {
    throw new UsageError("MissingFile", `Cannot ${command}: no file is given`, {
      hint: `name a .wasm or .rwasm file, or - for standard input; see help ${command}`,
    });
  }
  return file;
}

/**
 * Refuses positional arguments after the file.
 *
 * @throws {UsageError} `TooManyArguments`
 */
export function onlyFile(command: string, args: Arguments): string {
  const file = fileArgument(command, args);
  if (args.positional.length > 1) {
    throw new UsageError(
      "TooManyArguments",
      `Cannot ${command}: one file at a time, not ${args.positional.join(" ")}`,
    );
  }
  return file;
}

/**
 * Value of a flag that takes one of a few words.
 *
 * @throws {UsageError} `InvalidChoice`
 */
export function choice<Word extends string>(
  args: Arguments,
  flag: string,
  words: readonly Word[],
): Word | undefined {
  const given = args.value(flag);
  if (given === undefined) return undefined;
  const word = words.find((word) => word === given);
  if (word === undefined) {
    throw new UsageError("InvalidChoice", `Cannot use --${flag} ${given}: it must be ${words.join(" or ")}`, {
      hint: hintFor(given, "choices", words),
    });
  }
  return word;
}

/** What the letter after a count multiplies it by. */
const SUFFIXES: Readonly<Record<string, bigint>> = { "": 1n, k: 10n ** 3n, m: 10n ** 6n, g: 10n ** 9n };

/**
 * Value of a flag that takes a count up to 2^64 − 1: decimal, with k, M or G for thousands, millions
 * or thousand millions, or 0x hexadecimal; `_` may separate digits.
 *
 * @throws {UsageError} `InvalidNumber`
 */
export function count(args: Arguments, flag: string): bigint | undefined {
  const given = args.value(flag);
  if (given === undefined) return undefined;
  const match = /^(?:(0x[0-9a-f]+)|(\d+)([kmg]?))$/i.exec(given.replaceAll("_", ""));
  const value = match === null
    ? -1n
    : BigInt(match[1] ?? match[2]) * SUFFIXES[(match[3] ?? "").toLowerCase()];
  if (value < 0n || value >= 2n ** 64n) {
    throw new UsageError(
      "InvalidNumber",
      `Cannot use --${flag} ${given}: it must be an integer from 0 to 2^64 - 1`,
      { hint: "counts look like 250000, 1_000_000, 10M or 0xff" },
    );
  }
  return value;
}
