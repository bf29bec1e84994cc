/**
 * `inspect`: what is in a module, without running it: imports, exports, sizes, static fuel per
 * function, disassembly. The facts are gathered as data, then printed as text or JSON.
 *
 * @module
 */

import { compile } from "../compile/compile.ts";
import { type FunctionType, RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { Op, OP_NAMES } from "../isa/opcode.ts";
import { disassemble } from "../isa/text.ts";
import type { ImportLinker } from "../plugin/linker.ts";
import { namedFunctionType, type SizeBounds, typeName, type WasmModule } from "../wasm/module.ts";
import { parse } from "../wasm/parse.ts";
import { validate } from "../wasm/validate.ts";
import { onlyFile } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit } from "./exit.ts";
import { configOf, INPUT_FLAGS, isRwasm, linkerOf } from "./input.ts";
import { printJson } from "./report.ts";
import { formatType } from "./values.ts";

/** An import or export. */
interface External {
  readonly module?: string;
  readonly name: string;
  readonly kind: string;
  /** Type as text. */
  readonly type: string;
  /** Of an imported function: who offers it, null when nobody does. */
  readonly from?: string | null;
}

/** Code of one function. */
interface FunctionFacts {
  readonly index: number;
  readonly name: string | null;
  readonly pc: number;
  readonly instructions: number;
  readonly charges: number;
  readonly fuel: number;
}

/** What `inspect` tells about a module. */
interface Facts {
  readonly format: "wasm" | "rwasm";
  readonly bytes: number;
  readonly imports: readonly External[];
  readonly exports: readonly External[];
  readonly instructions: number;
  readonly dataBytes: number;
  readonly elements: number;
  readonly hintBytes: number;
  readonly sourcePc: number;
  readonly encodedBytes: number;
  /** Static charges of the whole module. */
  readonly fuel: number;
  /** Syscall indices the code calls. */
  readonly syscalls: readonly number[];
  /** How often each opcode occurs, most frequent first. */
  readonly opcodes: readonly (readonly [name: string, count: number])[];
  /** Empty for a `.rwasm` file, which does not tell where functions begin. */
  readonly functions: readonly FunctionFacts[];
}

function boundsText({ min, max }: SizeBounds, unit: string): string {
  return max === undefined ? `from ${min} ${unit}` : `${min} … ${max} ${unit}`;
}

function typeText(wasm: WasmModule, kind: string, index: number): string {
  switch (kind) {
    case "function":
      return formatType(functionType(wasm, index));
    case "memory":
      return boundsText(wasm.memories[index], "pages");
    case "table":
      return `${boundsText(wasm.tables[index], "elements")} of ${typeName(wasm.tables[index].type)}`;
    default:
      return `${wasm.globals[index].mutable ? "mutable " : ""}${typeName(wasm.globals[index].type)}`;
  }
}

function functionType(wasm: WasmModule, index: number): FunctionType {
  return namedFunctionType(wasm.types[wasm.functions[index]]);
}

function externalsOf(wasm: WasmModule, linker: ImportLinker): Pick<Facts, "imports" | "exports"> {
  return {
    imports: wasm.imports.map(({ module, name, kind, index }) => ({
      module,
      name,
      kind,
      type: typeText(wasm, kind, index),
      ...kind === "function" ? { from: linker.resolve(module, name)?.plugin ?? null } : {},
    })),
    exports: wasm.exports.map(({ name, kind, index }) => ({ name, kind, type: typeText(wasm, kind, index) })),
  };
}

/** Declares what no plugin offers, so that a module can be looked at without its plugins. */
function standIn(wasm: WasmModule, linker: ImportLinker): void {
  let index = 0;
  for (const { module, name, kind, index: fn } of wasm.imports) {
    if (kind !== "function" || linker.resolve(module, name) !== undefined) continue;
    while (linker.bySyscall(index) !== undefined) index++;
    linker.define(module, name, { index, ...functionType(wasm, fn) }, () => {});
  }
}

function functionsOf({ info, opcodes, immediates }: RwasmModule): FunctionFacts[] {
  if (info === undefined) return [];
  const starts = info.functionStarts, wasmFunctions = info.functionTypes.length;
  const exported = new Map(info.functionExports.map(({ index, name }) => [index, name]));
  return Array.from(starts, (pc, index) => {
    const end = index + 1 < starts.length ? starts[index + 1] : opcodes.length;
    let charges = 0, fuel = 0;
    for (let at = pc; at < end; at++) {
      if (opcodes[at] !== Op.ConsumeFuel) continue;
      charges++;
      fuel += immediates[at] >>> 0;
    }
    const imported = info.functionImports[index];
    const name = index >= wasmFunctions
      ? info.snippetNames[index - wasmFunctions]
      : info.functionNames.get(index) ?? exported.get(index) ?? imported?.name;
    return { index, name: name ?? null, pc, instructions: end - pc, charges, fuel };
  });
}

function codeFacts(module: RwasmModule): Pick<Facts, "fuel" | "syscalls" | "opcodes"> {
  const counts = new Uint32Array(OP_NAMES.length);
  const syscalls = new Set<number>();
  let fuel = 0;
  for (let pc = 0; pc < module.length; pc++) {
    const op = module.opcodes[pc];
    counts[op]++;
    if (op === Op.ConsumeFuel) fuel += module.immediates[pc] >>> 0;
    if (op === Op.Call || op === Op.ReturnCall) syscalls.add(module.immediates[pc] >>> 0);
  }
  const opcodes = OP_NAMES.map((name, op): [string, number] => [name, counts[op]]);
  return {
    fuel,
    syscalls: [...syscalls].sort((a, b) => a - b),
    opcodes: opcodes.filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a),
  };
}

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

function text(file: string, facts: Facts): string {
  const name = ({ module, name }: External) =>
    (module === undefined ? "" : `${quoteName(module)}.`) + quoteName(name);
  const lines = [
    `${file}: ${facts.format}, ${facts.bytes} bytes`,
    ...section(
      "imports",
      facts.imports.map((entry) => [
        entry.kind,
        name(entry),
        entry.type,
        entry.from === undefined ? "" : entry.from ?? "(no plugin offers it)",
      ]),
    ),
    ...section("exports", facts.exports.map((entry) => [entry.kind, name(entry), entry.type])),
    ...section("rWasm", [
      ["instructions", facts.instructions],
      ["data bytes", facts.dataBytes],
      ["elements", facts.elements],
      ["hint bytes", facts.hintBytes],
      ["source pc", facts.sourcePc],
      ["bytes as .rwasm", facts.encodedBytes],
      ["static fuel", facts.fuel],
    ]),
    ...facts.syscalls.length === 0 ? [] : ["", `syscalls: ${facts.syscalls.join(", ")}`],
  ];
  if (facts.functions.length > 0) {
    lines.push(
      "",
      "functions (fuel: the sum of the static charges of all blocks, not of one run)",
      ...table([
        ["index", "pc", "instructions", "charges", "fuel", "name"],
        ...facts.functions.map((f) => [
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
  lines.push(...section("opcodes", facts.opcodes.slice(0, 12)));
  return lines.join("\n");
}

/** The `inspect` command. */
export const inspectCommand: Command = {
  name: "inspect",
  summary: "Show imports, exports, sizes, fuel per function and disassembly of a .wasm or .rwasm file",
  usage: "<file> [flags]",
  notes: [
    "Runs nothing. Imports that no --plugin offers are shown as such; for the code shown here, they",
    "get syscall indices of our choice.",
  ],
  flags: [
    { name: "disassemble", short: "d", text: "Print the rWasm instructions instead" },
    ...INPUT_FLAGS,
  ],
  examples: [
    ["deno run --allow-read mod.ts inspect app.wasm", "what the program imports, exports and costs"],
    [
      "deno run --allow-read mod.ts inspect app.rwasm --disassemble",
      "every instruction of a compiled module",
    ],
    ["deno run --allow-read mod.ts inspect app.wasm --json", "the same facts as JSON"],
  ],

  async run(args, host) {
    const file = onlyFile("inspect", args);
    await host.permit({ read: [file], plugins: args.values("plugin") });
    const linker = await linkerOf(args);
    const config = configOf(args, linker);
    const bytes = await host.read(file);

    let externals: Pick<Facts, "imports" | "exports"> = { imports: [], exports: [] };
    let module: RwasmModule;
    if (isRwasm(bytes)) module = RwasmModule.decode(bytes);
    else {
      const wasm = validate(parse(bytes));
      externals = externalsOf(wasm, linker);
      standIn(wasm, linker);
      module = compile(bytes, config);
    }
    if (args.has("disassemble")) {
      const listing = disassemble(module);
      if (args.has("json")) printJson(host, { status: "done", disassembly: listing });
      else host.print(listing.trimEnd());
      return Exit.Ok;
    }
    const facts: Facts = {
      format: isRwasm(bytes) ? "rwasm" : "wasm",
      bytes: bytes.length,
      ...externals,
      instructions: module.length,
      dataBytes: module.data.length,
      elements: module.elements.length,
      hintBytes: module.hint.length,
      sourcePc: module.sourcePc,
      encodedBytes: module.encode().length,
      ...codeFacts(module),
      functions: functionsOf(module),
    };
    if (args.has("json")) printJson(host, { status: "done", ...facts });
    else host.print(text(file, facts));
    return Exit.Ok;
  },
};
