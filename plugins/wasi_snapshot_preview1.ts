/**
 * WASI preview 1 as a plugin: what programs of ordinary toolchains import. Every run is the same
 * unless it is told otherwise: the clock is virtual, random bytes come from a seed, there are no
 * files, and output is kept in memory. See `plugins/README.md` for the choices behind the calls.
 *
 * @example Run a program with arguments and a directory in memory
 * ```ts
 * import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "./mod.ts";
 * import { MemoryDirectory, wasi } from "./plugins/wasi_snapshot_preview1.ts";
 *
 * function run(wasm: Uint8Array): number {
 *   const files = new MemoryDirectory({ "in.txt": "hello" });
 *   const program = wasi({ args: ["app", "in.txt"], dirs: { "/": files }, stdin: "some input" });
 *   const linker = new ImportLinker().use(program);
 *   const store = new RwasmStore({ linker, fuelLimit: 1_000_000_000n });
 *   const outcome = new RwasmExecutor(store, compile(wasm, { linker })).call("_start");
 *   if (outcome.status !== "done") throw new Error("the program did not end by itself");
 *   console.log(program.stdout.text());
 *   return program.exitCode ?? 0;
 * }
 * ```
 *
 * @module
 */

import { wasi } from "./wasi/wasi.ts";

export { Errno, errnoName } from "./wasi/errno.ts";
export { type FileTree, MemoryDirectory } from "./wasi/memory_directory.ts";
export type { MemoryLimits } from "./wasi/memory_file_system.ts";
export type { GuestDirectory, WasiOptions } from "./wasi/options.ts";
export type { InputSource, Output, OutputSink } from "./wasi/stream.ts";
export { type Wasi, wasi, type WasiFactory, type WasiResult } from "./wasi/wasi.ts";

export default wasi;
