/**
 * Plugin "env" for AssemblyScript programs: `abort`, `trace`, `seed` and the `console` functions that
 * the compiler's standard library imports. Reads AssemblyScript strings out of guest memory. `abort`
 * ends the run with its decoded message; `seed` answers the same number every time unless told otherwise.
 * Functions of the DOM and of time are not here: they would be no promise a deterministic host can keep.
 *
 * @module
 */

import { type Caller, defineSyscalls, type GuestMemory, type SyscallPlugin, UsageError } from "../mod.ts";
import { type Level, linePrinter, numberText, type PrintOptions, readLimit } from "./console.ts";

/** How the plugin behaves. */
export interface AssemblyScriptOptions extends PrintOptions {
  /** What `seed()` answers, which `Math.random()` starts from; default 1. Not 0, and not NaN. */
  readonly seed?: number;
}

/**
 * What a guest gave to `abort`: an assertion or an error that nothing caught. It is the `cause` of the
 * trap (of code HostError) that ends the run.
 */
export class AssemblyScriptAbort extends Error {
  /** Class name. */
  override readonly name = "AssemblyScriptAbort";
  /** Text of the error; undefined when the guest gave none. */
  readonly reason: string | undefined;
  /** Source file; undefined when the guest gave none. */
  readonly file: string | undefined;
  /** Line in the source file, from 1 on. */
  readonly line: number;
  /** Column in the line, from 1 on. */
  readonly column: number;

  /** Describes an abort. */
  constructor(reason: string | undefined, file: string | undefined, line: number, column: number) {
    super(`${reason ?? "abort"} at ${file ?? "?"}:${line}:${column}`);
    this.reason = reason;
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

/**
 * Reads an AssemblyScript string: UTF-16 code units at the pointer, their size in bytes in the u32 four
 * bytes before it. Pointer 0 is `null`, here undefined. At most `limit` bytes are read, and the text then
 * says how many are missing. Out of range ends the run with MemoryOutOfBounds.
 */
export function readString(memory: GuestMemory, pointer: number, limit: number): string | undefined {
  const from = pointer >>> 0;
  if (from === 0) return undefined;
  const header = memory.read(from - 4, 4);
  const size = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
  const length = size - size % 2, shown = Math.min(length, limit - limit % 2);
  memory.read(from + length, 0); // traps when the end is out of range, also of a text that is cut
  const text = utf16.decode(memory.read(from, shown));
  return shown === length ? text : `${text}… ${(length - shown) / 2} more characters`;
}

const utf16 = new TextDecoder("utf-16le", { ignoreBOM: true });

/** First index: "asc" in ASCII, then the number of the function. */
const INDEX = 0x6173_6300;

/** What each of the functions costs; guests call them seldom. */
const FUEL = { const: 64 };

/**
 * Makes the plugin: import module "env" with `abort`, `trace`, `seed`, `console.assert`, `console.log`,
 * `console.debug`, `console.info`, `console.warn` and `console.error`. Each costs 64 fuel. A failed
 * `console.assert` prints a line of level error and goes on, as everywhere.
 *
 * @throws {UsageError} `InvalidPluginOption` when `seed` is 0 or NaN, or `maxBytes` is no size.
 *
 * @example
 * ```ts
 * import { ImportLinker } from "./mod.ts";
 * import { createAssemblyScript } from "./plugins/assemblyscript.ts";
 *
 * const linker = new ImportLinker().use(createAssemblyScript({ seed: 42, raw: true }));
 * console.log(linker.resolve("env", "seed")?.results); // [ "f64" ]
 * ```
 */
export function createAssemblyScript(options: AssemblyScriptOptions = {}): SyscallPlugin {
  const print = linePrinter(options), limit = readLimit(options), seed = options.seed ?? 1;
  // The guest's generator would take 0 for "not seeded" and ask nobody again.
  if (typeof seed !== "number" || Number.isNaN(seed) || seed === 0) {
    throw new UsageError(
      "InvalidPluginOption",
      `Cannot make the plugin: "seed" must be a number other than 0, not ${seed}`,
    );
  }
  const line = (level: Level) => ({ memory }: Caller, text: number): void =>
    print(readString(memory, text, limit) ?? "null", level);

  const printing = { params: ["i32"], results: [], fuel: FUEL } as const;
  return defineSyscalls({
    module: "env",
    name: "assemblyscript",
    functions: {
      abort: {
        index: INDEX,
        params: ["i32", "i32", "i32", "i32"],
        results: [],
        fuel: FUEL,
        call({ memory }, message, file, line, column) {
          const reason = readString(memory, message, limit), source = readString(memory, file, limit);
          throw new AssemblyScriptAbort(reason, source, line >>> 0, column >>> 0);
        },
      },
      trace: {
        index: INDEX + 1,
        params: ["i32", "i32", "f64", "f64", "f64", "f64", "f64"],
        results: [],
        fuel: FUEL,
        call({ memory }, message, count, ...values) {
          const numbers = values.slice(0, Math.max(0, count)).map(numberText);
          print([readString(memory, message, limit) ?? "null", ...numbers].join(" "), "log");
        },
      },
      seed: { index: INDEX + 2, params: [], results: ["f64"], fuel: FUEL, call: () => seed },
      "console.assert": {
        index: INDEX + 3,
        params: ["i32", "i32"],
        results: [],
        fuel: FUEL,
        call({ memory }, condition, message) {
          if (condition !== 0) return;
          print(`Assertion failed: ${readString(memory, message, limit) ?? "null"}`, "error");
        },
      },
      "console.log": { index: INDEX + 4, ...printing, call: line("log") },
      "console.debug": { index: INDEX + 5, ...printing, call: line("debug") },
      "console.info": { index: INDEX + 6, ...printing, call: line("info") },
      "console.warn": { index: INDEX + 7, ...printing, call: line("warn") },
      "console.error": { index: INDEX + 8, ...printing, call: line("error") },
    },
  });
}

/** The plugin with the default options: lines on the console of the host, seed 1. */
const plugin: SyscallPlugin = createAssemblyScript();
export default plugin;
