/**
 * `link`: checks that plugins offer what a module imports, runs nothing, and tells all that does not
 * fit: plugins that cannot be used, functions that are unknown or of another type, other imports.
 *
 * @module
 */

import { LinkError, PluginError, type RwasmError } from "../error.ts";
import { RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { checkImports, ImportLinker } from "../plugin/linker.ts";
import { namedFunctionType, type ValidWasm } from "../wasm/module.ts";
import { type Arguments, onlyFile } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit, exitCodeOfError } from "./exit.ts";
import { externalsOf, instructionFacts } from "./facts.ts";
import type { Host } from "./host.ts";
import { PLUGIN_FLAGS, pluginHint, readSource } from "./input.ts";
import { loadPlugin, type Plugged, pluginFiles } from "./plugins.ts";
import { failureData, failureText, printJson } from "./report.ts";
import { declareWasi } from "./wasi.ts";

/** Imports of other kinds that one message lists. */
const LISTED = 100;

/** What was checked: lines for people, data for JSON, and what is wrong. */
interface Checked {
  readonly lines: readonly string[];
  readonly data: Record<string, unknown>;
  readonly problem: RwasmError | undefined;
}

/** Loads all plugins; gives what is wrong with those that cannot be used. */
async function loadAll(args: Arguments, host: Host, plugged: Plugged): Promise<PluginError[]> {
  const problems: PluginError[] = [];
  for (const plugin of args.values("plugin")) {
    try {
      await loadPlugin(plugin, plugged, args, host);
    } catch (error) {
      if (!(error instanceof PluginError)) throw error;
      problems.push(error);
    }
  }
  return problems;
}

/** Imports that are no functions, one line each. */
function unsupported(wasm: ValidWasm): string[] {
  const others = wasm.imports.filter(({ kind }) => kind !== "function");
  const lines = others.slice(0, LISTED).map(({ module, name, kind }) => {
    const way = kind === "global"
      ? "run takes it for 0 with --unknown-imports zero"
      : "define it in the module";
    return `  ${quoteName(module)}.${
      quoteName(name)
    }: an imported ${kind}, which no plugin can offer; ${way}`;
  });
  if (others.length > LISTED) lines.push(`  … and ${others.length - LISTED} more`);
  return lines;
}

async function checkWasm(
  file: string,
  wasm: ValidWasm,
  plugged: Plugged,
  args: Arguments,
  host: Host,
): Promise<Checked> {
  const wanted = wasm.imports.filter(({ kind }) => kind === "function").map(({ module, name, index }) => {
    return { module, name, ...namedFunctionType(wasm.types[wasm.functions[index]]) };
  });
  const others = unsupported(wasm);
  let problem: RwasmError | undefined;
  try {
    checkImports(wanted, plugged.linker, quoteName(file));
    if (others.length > 0) {
      problem = new LinkError(
        "NotSupportedImportType",
        `Cannot link ${quoteName(file)}: it imports more than functions\n${others.join("\n")}`,
      );
    }
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    const hint = await pluginHint(wasm, plugged.linker, args, host);
    problem = new LinkError(error.code, [error.shortMessage, ...others].join("\n"), { hint });
  }
  const { imports } = externalsOf(wasm, plugged.linker);
  const lines = imports.map(({ module, name, type, from }) =>
    `${quoteName(module ?? "")}.${quoteName(name)} ${type}: ${from ?? "nobody"}`
  );
  return { lines, data: { imports }, problem };
}

/** A `.rwasm` file calls by index: which of them nobody offers can be told, but no names and types. */
function checkCompiled(file: string, bytes: Uint8Array, { linker }: Plugged): Checked {
  const syscalls = instructionFacts(RwasmModule.decode(bytes)).syscalls.map((index) => {
    const syscall = linker.bySyscall(index);
    const name = syscall === undefined ? null : `${quoteName(syscall.module)}.${quoteName(syscall.name)}`;
    return { index, name, from: syscall?.plugin ?? null };
  });
  const missing = syscalls.filter(({ from }) => from === null).map(({ index }) => index);
  const problem = missing.length === 0 ? undefined : new LinkError(
    "UnknownSyscall",
    `Cannot link ${quoteName(file)}: no plugin declares the indices it calls: ${missing.join(", ")}`,
    { hint: "name the plugins it was compiled with, with --plugin; --wasi for a program of WASI" },
  );
  const lines = syscalls.map(({ index, name, from }) =>
    `${index}: ${name ?? "nobody"}${name ? ` of ${from}` : ""}`
  );
  return { lines, data: { syscalls }, problem };
}

/** The `link` command. */
export const linkCommand: Command = {
  name: "link",
  summary: "Check that plugins offer what a .wasm or .rwasm file imports, and tell all problems",
  usage: "<file> [flags]",
  notes: ["Runs nothing, but loads the plugins, which are code with the permissions of this program."],
  flags: PLUGIN_FLAGS,
  examples: [
    [
      "deno run --allow-read mod.ts link examples/counter/guest.wasm --plugin examples/counter/visits.ts",
      "who offers each import",
    ],
    ["deno run --allow-read mod.ts link app.wasm --plugin console --json", "the same as JSON, for scripts"],
  ],

  async run(args, host) {
    const file = onlyFile("link", args);
    await host.permit({ read: [file], plugins: pluginFiles(args) });
    const { bytes, wasm } = await readSource(host, file);
    const plugged: Plugged = { linker: new ImportLinker(), data: {} };
    const broken = await loadAll(args, host, plugged);
    await declareWasi(args, plugged, wasm);
    const { lines, data, problem } = wasm === undefined
      ? checkCompiled(file, bytes, plugged)
      : await checkWasm(file, wasm, plugged, args, host);

    const problems: RwasmError[] = [...broken, ...problem === undefined ? [] : [problem]];
    if (args.has("json")) {
      const status = problems.length === 0 ? "done" : "error";
      printJson(host, { status, ...data, problems: problems.map(failureData) });
    } else if (problems.length === 0) {
      for (const line of lines) host.print(line);
      host.note(`${file} links: ${lines.length === 1 ? "1 import" : `${lines.length} imports`}`);
    } else {
      for (const error of problems) host.note(failureText(error, host.color));
    }
    return problems.length === 0 ? Exit.Ok : exitCodeOfError(problems[0]);
  },
};
