/**
 * Runs a program on V8's WebAssembly with Node's WASI, as a process of its own: standard streams are
 * the program's. Arguments: release of WASI, Wasm file, directory given as /work (or ""), arguments.
 *
 * @module
 */

import { WASI } from "node:wasi";

const [release, file, directory, ...args] = Deno.args;
const module = await WebAssembly.compile(Deno.readFileSync(file!));
const host = new WASI({
  version: release as "preview1" | "unstable",
  args,
  env: { GREETING: "hello" },
  preopens: directory === "" ? {} : { "/work": directory! },
  returnOnExit: true,
});
const name = release === "unstable" ? "wasi_unstable" : "wasi_snapshot_preview1";
const instance = await WebAssembly.instantiate(module, {
  [name]: host.wasiImport as WebAssembly.ModuleImports,
});
Deno.exitCode = host.start(instance);
