/**
 * Plugin "console": log functions for guests, without clock and without formatting. A guest hands over
 * UTF-8 text in its memory, or a number; the host gets one line per call. Lines are escaped unless
 * `raw` is asked for, because what a guest logs may end on a terminal.
 *
 * @module
 */

import { type Caller, defineSyscalls, type SyscallPlugin, UsageError } from "../mod.ts";

/** What a guest says a line is. */
export type Level = "debug" | "info" | "log" | "warn" | "error";

/** Where the lines of a guest go; plugins that print take these options. */
export interface PrintOptions {
  /** Takes each line, without a line end. Default: the `console` function of the level. */
  readonly write?: (line: string, level: Level) => void;
  /** Whether lines are handed over as the guest wrote them; default false: see {@link escapeLine}. */
  readonly raw?: boolean;
  /** Bytes of one text that are read; what is longer is cut, and the line says so. Default 65,536. */
  readonly maxBytes?: number;
}

/**
 * A text as one line that cannot steer a terminal or look like two lines: control characters and those
 * that change the direction of text become `\n`, `\t`, `\r` or `\u{…}`.
 */
export function escapeLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    if (character === "\r") return "\\r";
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** Makes the function that prints what a guest says, as the options want it. */
export function linePrinter(options: PrintOptions): (text: string, level: Level) => void {
  // The console itself would take a "%" of the guest for a format.
  const write = options.write ?? ((line, level) => console[level]("%s", line));
  return options.raw ? write : (text, level) => write(escapeLine(text), level);
}

/**
 * Most bytes of a text that are read, as the options want it.
 *
 * @throws {UsageError} `InvalidPluginOption`.
 */
export function readLimit(options: PrintOptions): number {
  const limit = options.maxBytes ?? 65_536;
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw new UsageError(
    "InvalidPluginOption",
    `Cannot make the plugin: "maxBytes" must be an integer from 0 on, not ${limit}`,
  );
}

/**
 * Makes the plugin. All functions are in the import module "console": `debug`, `info`, `log`, `warn` and
 * `error` take the pointer and the length in bytes of UTF-8 text (a malformed sequence is shown as
 * U+FFFD; out of range traps with MemoryOutOfBounds); `log_i32`, `log_i64`, `log_f32` and `log_f64` take
 * a number, integers as signed. A text costs 16 fuel and 1 more per 32 bytes, a number 16.
 *
 * @example
 * ```ts
 * import { ImportLinker } from "./mod.ts";
 * import { createConsole } from "./plugins/console.ts";
 *
 * const lines: string[] = [];
 * const linker = new ImportLinker().use(createConsole({ write: (line) => lines.push(line) }));
 * console.log(linker.resolve("console", "log")?.params); // [ "i32", "i32" ]
 * ```
 */
export function createConsole(options: PrintOptions = {}): SyscallPlugin {
  const print = linePrinter(options), limit = readLimit(options);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  const text = (level: Level) => ({ memory }: Caller, pointer: number, length: number): void => {
    const from = pointer >>> 0, count = length >>> 0;
    if (count <= limit) return print(decoder.decode(memory.read(from, count)), level);
    memory.read(from + count, 0); // traps when the end is out of range
    print(`${decoder.decode(memory.read(from, limit))}… ${count - limit} more bytes`, level);
  };
  const number = (_caller: Caller, value: number | bigint) => print(numberText(value), "log");

  const textSignature = {
    params: ["i32", "i32"],
    results: [],
    fuel: { linear: { base: 16, param: 1, wordCost: 1 } },
  } as const;
  const numberFuel = { const: 16 };
  return defineSyscalls({
    module: "console",
    functions: {
      log: { index: INDEX, ...textSignature, call: text("log") },
      debug: { index: INDEX + 1, ...textSignature, call: text("debug") },
      info: { index: INDEX + 2, ...textSignature, call: text("info") },
      warn: { index: INDEX + 3, ...textSignature, call: text("warn") },
      error: { index: INDEX + 4, ...textSignature, call: text("error") },
      log_i32: { index: INDEX + 8, params: ["i32"], results: [], fuel: numberFuel, call: number },
      log_i64: { index: INDEX + 9, params: ["i64"], results: [], fuel: numberFuel, call: number },
      log_f32: { index: INDEX + 10, params: ["f32"], results: [], fuel: numberFuel, call: number },
      log_f64: { index: INDEX + 11, params: ["f64"], results: [], fuel: numberFuel, call: number },
    },
  });
}

/** First index: "con" in ASCII, then the number of the function. */
const INDEX = 0x636f_6e00;

/** A number as JavaScript writes it, but with the sign of -0. */
export function numberText(value: number | bigint): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The plugin with the default options: escaped lines on the console of the host. */
const plugin: SyscallPlugin = createConsole();
export default plugin;
