/**
 * Stand-in for `@std/cli/parse-args` where JSR cannot be reached: the part of `parseArgs` our
 * command line uses, with the option names and results of the real package. Dotted keys, negation
 * and numeric guessing are left out; a caller that declares every flag does not meet them.
 *
 * @module
 */

/** Which flags there are; see the real package for the rest. */
export interface ParseOptions {
  /** Put what follows `--` into the result's `"--"` instead of `_`. */
  "--"?: boolean;
  /** Other names of a flag, such as `{ output: "o" }`. */
  alias?: Record<string, string | string[]>;
  /** Flags without a value; false when absent. */
  boolean?: string | readonly string[];
  /** Flags with a value; "" when the value is missing. */
  string?: string | readonly string[];
  /** Flags whose values are collected in an array; empty when absent. */
  collect?: string | readonly string[];
  /** Value of absent flags. */
  default?: Record<string, unknown>;
  /** Everything after the first positional argument is positional. */
  stopEarly?: boolean;
  /** Called for undeclared flags (and for positional arguments, without key); false drops them. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The result: a property per flag, positional arguments in `_`. */
export interface Args {
  /** Positional arguments. */
  _: (string | number)[];
  // deno-lint-ignore no-explicit-any -- as in the real package: the flag decides the type
  [flag: string]: any;
}

function listOf(names: string | readonly string[] | undefined): readonly string[] {
  return names === undefined ? [] : typeof names === "string" ? [names] : names;
}

/** Parses command-line arguments; `--flag value`, `--flag=value`, `-f value`, `-f=value`, `-abc`. */
export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const booleans = new Set(listOf(options.boolean));
  const strings = new Set(listOf(options.string));
  const collected = new Set(listOf(options.collect));

  const canonical = new Map<string, string>();
  for (const [name, others] of Object.entries(options.alias ?? {})) {
    for (const other of listOf(others)) canonical.set(other, name);
  }
  const nameOf = (key: string): string => canonical.get(key) ?? key;
  const known = (name: string): boolean => booleans.has(name) || strings.has(name) || collected.has(name);

  const found = new Map<string, unknown>();
  for (const name of booleans) found.set(name, false);
  for (const name of collected) found.set(name, []);
  for (const [name, value] of Object.entries(options.default ?? {})) found.set(nameOf(name), value);

  const given = new Set<string>();
  const put = (arg: string, key: string, value: unknown): void => {
    const name = nameOf(key);
    if (!known(name) && options.unknown?.(arg, key, value) === false) return;
    const before = found.get(name);
    // The first value given replaces a default, the others join it.
    if (collected.has(name)) found.set(name, given.has(name) ? [...before as unknown[], value] : [value]);
    else found.set(name, value);
    given.add(name);
  };

  const positional: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      (options["--"] ? rest : positional).push(...args.slice(i + 1));
      break;
    }
    const long = arg.startsWith("--");
    if (!long && (arg === "-" || !arg.startsWith("-"))) {
      if (options.unknown?.(arg) !== false) positional.push(arg);
      if (options.stopEarly) {
        positional.push(...args.slice(i + 1));
        break;
      }
      continue;
    }
    const equals = arg.indexOf("=");
    let key = arg.slice(long ? 2 : 1, equals < 0 ? undefined : equals);
    if (!long) {
      // In a cluster only the last letter can have a value.
      for (const letter of key.slice(0, -1)) put(arg, letter, strings.has(nameOf(letter)) ? "" : true);
      key = key.slice(-1);
    }
    const name = nameOf(key);
    if (equals >= 0) {
      const value = arg.slice(equals + 1);
      put(arg, key, booleans.has(name) ? value !== "false" : value);
      continue;
    }
    const next = args[i + 1];
    const takesNext = !booleans.has(name) && next !== undefined && (next === "-" || !next.startsWith("-"));
    if (takesNext) i++;
    put(arg, key, takesNext ? next : strings.has(name) ? "" : true);
  }

  const result: Args = { _: positional };
  if (options["--"]) result["--"] = rest;
  for (const [name, value] of found) {
    for (const one of [name, ...listOf(options.alias?.[name])]) {
      Object.defineProperty(result, one, { value, enumerable: true, writable: true, configurable: true });
    }
  }
  return result;
}
