/**
 * `inspect`: what is in a module, without running it: sections, imports, exports, sizes, static fuel
 * per function, disassembly, a declaration in TypeScript. `facts.ts` gathers, this prints.
 *
 * @module
 */

import { basename } from "node:path";
import { CompileError, LinkError, UsageError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { disassemble } from "../isa/text.ts";
import { modulePage } from "../trace/page.ts";
import { type Arguments, onlyFile } from "./arguments.ts";
import type { Command } from "./command.ts";
import { declarationOf } from "./declaration.ts";
import { Exit } from "./exit.ts";
import {
  type CodeFacts,
  codeFactsOf,
  type External,
  type Facts,
  factsOf,
  limitFactsOf,
  moduleToShow,
} from "./facts.ts";
import type { Host } from "./host.ts";
import { configOf, INPUT_FLAGS, limitsOf, readSource, type Source } from "./input.ts";
import { loadPlugins, pluginFiles } from "./plugins.ts";
import { failureData, failureText, printJson } from "./report.ts";
import { declareWasi } from "./wasi.ts";

function table(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows.map((row) =>
    `  ${
      row.map((cell, column) =>
        typeof cell === "number" ? String(cell).padStart(widths[column]) : cell.padEnd(widths[column])
      ).join("  ").trimEnd()
    }`
  );
}

function section(title: string, rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length === 0 ? [] : ["", title, ...table(rows)];
}

const nameOf = ({ module, name }: External): string =>
  (module === undefined ? "" : `${quoteName(module)}.`) + quoteName(name);

const offeredBy = ({ from }: External): string =>
  from === undefined ? "(only for createWebAssembly)" : from ?? "(no plugin offers it)";

function importLines({ imports }: Facts): string[] {
  return section(
    "imports",
    imports.map((entry) => [
      entry.kind,
      nameOf(entry),
      entry.type,
      offeredBy(entry),
    ]),
  );
}

function exportLines({ exports }: Facts): string[] {
  return section("exports", exports.map((entry) => [entry.kind, nameOf(entry), entry.type]));
}

function codeLines(code: CodeFacts): string[] {
  const lines = [
    ...section("rWasm", [
      ["instructions", code.instructions],
      ["data bytes", code.dataBytes],
      ["elements", code.elements],
      ["hint bytes", code.hintBytes],
      ["source pc", code.sourcePc],
      ["bytes as .rwasm", code.encodedBytes],
      ["static fuel", code.fuel],
    ]),
    ...code.syscalls.length === 0 ? [] : ["", `syscalls: ${code.syscalls.join(", ")}`],
  ];
  if (code.functions.length > 0) {
    lines.push(
      "",
      "functions (fuel: the sum of the static charges of all blocks, not of one run)",
      ...table([
        ["index", "pc", "instructions", "charges", "fuel", "name"],
        ...code.functions.map((f) => [
          f.index,
          f.pc,
          f.instructions,
          f.charges,
          f.fuel,
          f.name === null ? "" : quoteName(f.name),
        ]),
      ]),
    );
  }
  lines.push(...section("opcodes", code.opcodes.slice(0, 12)));
  return lines;
}

function text(file: string, facts: Facts, code: CodeFacts | undefined): string {
  return [
    `${file}: ${facts.format}, ${facts.bytes} bytes`,
    ...section("sections", facts.sections.map(({ name, offset, bytes }) => [name, offset, bytes])),
    ...importLines(facts),
    ...exportLines(facts),
    ...code === undefined ? [] : codeLines(code),
  ].join("\n");
}

/** Prints only imports, or exports, or both. */
function printParts(host: Host, args: Arguments, facts: Facts): void {
  const imports = args.has("imports"), exports = args.has("exports");
  if (args.has("json")) {
    printJson(host, {
      status: "done",
      ...imports ? { imports: facts.imports } : {},
      ...exports ? { exports: facts.exports } : {},
    });
    return;
  }
  const lines = [...imports ? importLines(facts) : [], ...exports ? exportLines(facts) : []];
  if (lines.length > 0) host.print(lines.slice(1).join("\n"));
}

function printDeclaration(host: Host, args: Arguments, { file, wasm }: Source): void {
  if (wasm === undefined) {
    throw new UsageError("NoExports", "Cannot use --dts: a .rwasm file has no export names", {
      hint: "ask for the declaration of the .wasm file it was compiled from",
    });
  }
  const declaration = declarationOf(file, wasm);
  if (args.has("json")) printJson(host, { status: "done", declaration });
  else host.print(declaration.trimEnd());
}

function printListing(host: Host, args: Arguments, module: RwasmModule): void {
  const listing = disassemble(module);
  if (args.has("json")) printJson(host, { status: "done", disassembly: listing });
  else host.print(listing.trimEnd());
}

/** Writes the page of a module. */
async function writePage(
  host: Host,
  args: Arguments,
  { file, wasm }: Source,
  facts: Facts,
  module: RwasmModule,
): Promise<void> {
  const output = args.value("html")!;
  const code = codeFactsOf(module);
  const named = (entry: External) =>
    entry.module === undefined ? entry.name : `${entry.module}.${entry.name}`;
  const page = modulePage(module, {
    title: basename(file),
    tables: [
      {
        title: "Imports",
        columns: ["kind", "name", "type", "offered by"],
        rows: facts.imports.map((entry) => [entry.kind, named(entry), entry.type, offeredBy(entry)]),
      },
      {
        title: "Exports",
        columns: ["kind", "name", "type"],
        rows: facts.exports.map((entry) => [entry.kind, named(entry), entry.type]),
      },
      {
        title: "Limits",
        columns: ["limit", "needed to start", "limit"],
        rows: limitFactsOf(module, wasm, limitsOf(args)).map((
          { name, needed, limit },
        ) => [name, needed, limit]),
      },
      {
        title: "Sizes",
        columns: ["what", "number"],
        rows: [
          ["bytes of the file", facts.bytes],
          ["bytes as .rwasm", code.encodedBytes],
          ["instructions", code.instructions],
          ["data bytes", code.dataBytes],
          ["elements", code.elements],
          ["source pc", code.sourcePc],
        ],
      },
      {
        title: "Sections",
        columns: ["section", "offset", "bytes"],
        rows: facts.sections.map(({ name, offset, bytes }) => [name, offset, bytes]),
      },
      { title: "Opcodes", columns: ["opcode", "times"], rows: code.opcodes },
    ],
  });
  const bytes = new TextEncoder().encode(page);
  if (output === "-") return host.emit("out", bytes);
  await host.write(output, bytes);
  if (args.has("json")) printJson(host, { status: "done", file: output, bytes: bytes.length });
  else host.note(`${output}: ${bytes.length} bytes`);
}

/** The `inspect` command. */
export const inspectCommand: Command = {
  name: "inspect",
  summary: "Show imports, exports, sizes, fuel per function and disassembly of a .wasm or .rwasm file",
  usage: "<file> [flags]",
  notes: [
    "Runs nothing. Imports that no --plugin offers are shown as such; for the code shown here, they",
    "get syscall indices of our choice. Of a module that is valid but cannot be compiled, everything",
    "else is shown, and why.",
  ],
  flags: [
    { name: "imports", text: "Print only the imports" },
    { name: "exports", text: "Print only the exports" },
    { name: "dts", text: "Print a TypeScript declaration of exports and imports instead" },
    { name: "disassemble", short: "d", text: "Print the rWasm instructions instead" },
    {
      name: "html",
      value: "file",
      text: "Write one page with everything, and the code beside its Wasm, instead; - is standard output",
    },
    ...INPUT_FLAGS,
  ],
  examples: [
    ["deno run --allow-read mod.ts inspect app.wasm", "what the program imports, exports and costs"],
    ["deno run --allow-read mod.ts inspect app.wasm --imports --json", "its imports as JSON"],
    ["deno run --allow-read mod.ts inspect app.wasm --dts > app.d.ts", "its types for TypeScript"],
    [
      "deno run --allow-read mod.ts inspect app.rwasm --disassemble",
      "every instruction of a compiled module",
    ],
    [
      "deno run --allow-read --allow-write mod.ts inspect app.wasm --html app.html",
      "a page to search: code, fuel of every region, names, source lines where DWARF has them",
    ],
  ],

  async run(args, host) {
    const file = onlyFile("inspect", args);
    const html = args.value("html");
    if (html === "-" && args.has("json")) {
      throw new UsageError("OutputTaken", "Cannot use --json with --html -: both go to standard output");
    }
    await host.permit({ read: [file], write: html === undefined ? [] : [html], plugins: pluginFiles(args) });
    const plugged = await loadPlugins(args, host);
    const config = configOf(args, plugged);
    const source = await readSource(host, file);
    if (args.has("dts")) {
      printDeclaration(host, args, source);
      return Exit.Ok;
    }
    await declareWasi(args, plugged, source.wasm);
    const facts = factsOf(source, plugged);
    if (args.has("imports") || args.has("exports")) {
      printParts(host, args, facts);
      return Exit.Ok;
    }
    let module: RwasmModule | undefined, refusal: CompileError | LinkError | undefined;
    try {
      module = moduleToShow(source, plugged, config);
    } catch (error) {
      const shown = error instanceof CompileError || error instanceof LinkError;
      if (!shown || args.has("disassemble") || html !== undefined) throw error;
      refusal = error;
    }
    if (module !== undefined && args.has("disassemble")) {
      printListing(host, args, module);
      return Exit.Ok;
    }
    if (module !== undefined && html !== undefined) {
      await writePage(host, args, source, facts, module);
      return Exit.Ok;
    }
    const code = module === undefined ? undefined : codeFactsOf(module);
    if (args.has("json")) {
      const refused = refusal === undefined ? {} : { refused: failureData(refusal) };
      printJson(host, { status: "done", ...facts, ...code, ...refused });
    } else {
      host.print(text(file, facts, code));
      if (refusal !== undefined) host.note(failureText(refusal, host.color));
    }
    return Exit.Ok;
  },
};
