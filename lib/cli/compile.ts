/**
 * `compile`: a `.wasm` file in, a `.rwasm` file out.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { onlyFile } from "./arguments.ts";
import type { Command } from "./command.ts";
import { checkExport, functionExports, usualExport } from "./entry.ts";
import { Exit } from "./exit.ts";
import { configOf, INPUT_FLAGS, moduleOf, readSource } from "./input.ts";
import { loadPlugins, pluginFiles } from "./plugins.ts";
import { printJson } from "./report.ts";
import { formatType } from "./values.ts";
import { declareWasi, WASI_MODULES } from "./wasi.ts";

/** The `compile` command. */
export const compileCommand: Command = {
  name: "compile",
  summary: "Compile a .wasm file to a .rwasm file",
  usage: "<file.wasm> -o <file.rwasm> [flags]",
  notes: [
    "A .rwasm file has no export names, only an entry point: the function --entry names; without it",
    "main, _start, or the only exported function. Imports are compiled to the indices the plugins",
    "declare, so a program that imports functions needs its plugins here, too; WASI is at hand. What",
    "imports WASI is run with --wasi then, since a .rwasm file does not tell.",
  ],
  flags: [
    { name: "output", short: "o", value: "file", text: "File to write; - is standard output" },
    { name: "entry", short: "e", value: "name", text: "Exported function that is the entry point" },
    ...INPUT_FLAGS,
  ],
  examples: [
    [
      "deno run --allow-read --allow-write mod.ts compile app.wasm -o app.rwasm --entry main",
      "compile with an entry point",
    ],
    [
      "deno run --allow-read mod.ts compile - -o - --limits reference < app.wasm > app.rwasm",
      "within the reference's limits, from standard input to standard output",
    ],
  ],

  async run(args, host) {
    const file = onlyFile("compile", args);
    const output = args.value("output");
    if (output === undefined) {
      throw new UsageError("MissingOutput", "Cannot compile: no output file is given", {
        hint: `add -o ${file === "-" ? "-" : file.replace(/(\.wasm)?$/, ".rwasm")}`,
      });
    }
    if (output === "-" && args.has("json")) {
      throw new UsageError("OutputTaken", "Cannot use --json with -o -: both go to standard output");
    }
    await host.permit({ read: [file], write: [output], plugins: pluginFiles(args) });
    const plugged = await loadPlugins(args, host);
    const config = configOf(args, plugged);
    const source = await readSource(host, file), { wasm } = source;
    if (wasm === undefined) {
      throw new UsageError("AlreadyCompiled", `Cannot compile ${file}: it is a .rwasm file`);
    }
    const exported = functionExports(wasm), wanted = args.value("entry");
    const usesWasi = wasm.imports.some(({ module }) => WASI_MODULES.includes(module));
    const entrypoint = wanted === undefined ? usualExport(exported, usesWasi) : checkExport(wanted, exported);
    await declareWasi(args, plugged, wasm);
    const options = entrypoint === undefined ? config : { ...config, entrypoint };
    const module = await moduleOf(source, options, host, args);
    const bytes = module.encode();
    await host.write(output, bytes);

    const entry = module.exports.find(({ name }) => name === entrypoint);
    const type = entry === undefined ? undefined : formatType(entry);
    if (args.has("json")) {
      printJson(host, {
        status: "done",
        file: output,
        bytes: bytes.length,
        instructions: module.length,
        entry: entry === undefined
          ? null
          : { name: entry.name, params: entry.params, results: entry.results },
      });
    } else {
      host.note(`${output}: ${bytes.length} bytes, ${module.length} instructions`);
      host.note(
        entry === undefined
          ? "no entry point: choose one with --entry to make the file runnable"
          : `entry point ${quoteName(entry.name)}; run it with ${usesWasi ? "--wasi " : ""}--type "${type}"`,
      );
    }
    return Exit.Ok;
  },
};
