/**
 * Plugin "spectest": the print functions of the host module that WebAssembly's official test suite and
 * many small examples import. Each prints its arguments, separated by spaces, as one line.
 *
 * The module has more, which rWasm has no place for, since programs import functions only: the globals
 * `global_i32`, `global_i64` (666), `global_f32` and `global_f64` (666.6), which work for the integers
 * with `defaultImportedGlobalValue: 666n`, the table `table` (10 to 20 elements of funcref) and the
 * memory `memory` (1 to 2 pages), which are refused when compiling with `NotSupportedImportType`.
 *
 * @module
 */

import { type Caller, defineSyscalls, type SyscallPlugin } from "../mod.ts";
import { linePrinter, numberText, type PrintOptions } from "./console.ts";

/** First index: "spe" in ASCII, then the number of the function. */
const INDEX = 0x7370_6500;

/**
 * Makes the plugin: `print`, `print_i32`, `print_i64`, `print_f32`, `print_f64`, `print_i32_f32` and
 * `print_f64_f64`. They cost no fuel, so that fuel of the test suite's programs is their own.
 *
 * @example
 * ```ts
 * import { ImportLinker } from "./mod.ts";
 * import spectest from "./plugins/spectest.ts";
 *
 * const linker = new ImportLinker().use(spectest);
 * console.log(linker.resolve("spectest", "print_i32_f32")?.params); // [ "i32", "f32" ]
 * ```
 */
export function createSpectest(options: Pick<PrintOptions, "write"> = {}): SyscallPlugin {
  const print = linePrinter(options);
  const call = (_caller: Caller, ...values: (number | bigint)[]): void =>
    print(values.map(numberText).join(" "), "log");
  return defineSyscalls({
    module: "spectest",
    functions: {
      print: { index: INDEX, params: [], results: [], call },
      print_i32: { index: INDEX + 1, params: ["i32"], results: [], call },
      print_i64: { index: INDEX + 2, params: ["i64"], results: [], call },
      print_f32: { index: INDEX + 3, params: ["f32"], results: [], call },
      print_f64: { index: INDEX + 4, params: ["f64"], results: [], call },
      print_i32_f32: { index: INDEX + 5, params: ["i32", "f32"], results: [], call },
      print_f64_f64: { index: INDEX + 6, params: ["f64", "f64"], results: [], call },
    },
  });
}

/** The plugin with the default options: lines on the console of the host. */
const plugin: SyscallPlugin = createSpectest();
export default plugin;
