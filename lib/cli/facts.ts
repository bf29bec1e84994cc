/**
 * What `inspect` tells about a module, as data: sections, imports, exports, sizes, and what its code
 * costs. Runs nothing, and gathers what it can of a module that cannot be compiled.
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { type CompilationConfig, resolveConfig } from "../compile/config.ts";
import { translate } from "../compile/compile.ts";
import { type FunctionType, RwasmModule } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { Op, OP_NAMES } from "../isa/opcode.ts";
import type { Limits } from "../limits.ts";
import type { ImportLinker } from "../plugin/linker.ts";
import {
  namedFunctionType,
  type SizeBounds,
  typeName,
  type ValidWasm,
  type WasmModule,
} from "../wasm/module.ts";
import type { Source } from "./input.ts";
import { type Context, type Plugged, standIn } from "./plugins.ts";
import { formatType } from "./values.ts";

/** An import or export. */
export interface External {
  /** Module part of an import name. */
  readonly module?: string;
  /** Name, or name part of an import name. */
  readonly name: string;
  /** function, table, memory or global. */
  readonly kind: string;
  /** Type as text. */
  readonly type: string;
  /** Of an imported function: who offers it, null when nobody does. */
  readonly from?: string | null;
}

/** Code of one function. */
export interface FunctionFacts {
  /** Index in the Wasm module; those behind its functions are shared pieces of the compiler. */
  readonly index: number;
  /** Name, when there is one. */
  readonly name: string | null;
  /** First instruction. */
  readonly pc: number;
  /** How many there are. */
  readonly instructions: number;
  /** How many of them charge a fixed amount of fuel. */
  readonly charges: number;
  /** Sum of these amounts. */
  readonly fuel: number;
}

/** A section of a `.wasm` file. */
export interface SectionFacts {
  /** Its name, or that of a custom section in quotes. */
  readonly name: string;
  /** Where its payload begins. */
  readonly offset: number;
  /** Size of the payload. */
  readonly bytes: number;
}

/** The code of a module. */
export interface CodeFacts {
  /** Instructions. */
  readonly instructions: number;
  /** Bytes of the data section. */
  readonly dataBytes: number;
  /** Entries of the element section. */
  readonly elements: number;
  /** Bytes of the hint section. */
  readonly hintBytes: number;
  /** Where the entry point begins. */
  readonly sourcePc: number;
  /** Size as a `.rwasm` file. */
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

/** What a module needs of a limit before it runs. */
export interface LimitFacts {
  /** Name of the limit. */
  readonly name: keyof Limits;
  /** What the module declares or needs; for stack slots the most that a function needs. */
  readonly needed: number;
  /** The limit. */
  readonly limit: number;
}

/** What a module is. */
export interface Facts {
  /** What the file is. */
  readonly format: "wasm" | "rwasm";
  /** Size of the file. */
  readonly bytes: number;
  /** Sections of a `.wasm` file, in their order. */
  readonly sections: readonly SectionFacts[];
  /** Imports of a `.wasm` file. */
  readonly imports: readonly External[];
  /** Exports of a `.wasm` file. */
  readonly exports: readonly External[];
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

/** Imports and exports of a module; the linker tells who offers what. */
export function externalsOf(
  wasm: WasmModule,
  linker: ImportLinker<Context>,
): Pick<Facts, "imports" | "exports"> {
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

/** What the functions of a compiled module cost. */
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

/** What the code of a module is made of. */
export function instructionFacts(module: RwasmModule): Pick<CodeFacts, "fuel" | "syscalls" | "opcodes"> {
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

/** What a compiled module needs of the limits; growth at run time is not in it. */
export function limitFactsOf(
  module: RwasmModule,
  wasm: WasmModule | undefined,
  limits: Limits,
): LimitFacts[] {
  let slots = 0;
  for (let pc = 0; pc < module.length; pc++) {
    if (module.opcodes[pc] === Op.StackCheck) slots = Math.max(slots, module.immediates[pc]);
  }
  const fact = (name: keyof Limits, needed: number): LimitFacts => ({ name, needed, limit: limits[name] });
  const most = (sizes: readonly SizeBounds[]): number => Math.max(0, ...sizes.map(({ min }) => min));
  return [
    fact("codeLength", module.length),
    fact("stackSlots", slots),
    ...wasm === undefined ? [] : [
      fact("memoryPages", most(wasm.memories)),
      fact("tables", wasm.tables.length),
      fact("tableElements", most(wasm.tables)),
      fact("functionTypes", wasm.types.length),
      fact("segments", Math.max(wasm.data.length, wasm.elements.length)),
    ],
  ];
}

/** Names of sections by their number. */
const SECTION_NAMES = [
  "custom",
  "type",
  "import",
  "function",
  "table",
  "memory",
  "global",
  "export",
  "start",
  "element",
  "code",
  "data",
  "data count",
];

/** Sections of a module that was parsed, so that nothing in their headers can be wrong. */
function sectionsOf({ bytes, customs }: WasmModule): SectionFacts[] {
  const sections: SectionFacts[] = [];
  const reader = new Reader(bytes, (_code, reason) => {
    throw new Error(`a parsed section fails: ${reason}`); // a bug: the parser has read it
  }, 8);
  let custom = 0;
  while (!reader.atEnd) {
    const id = reader.u8(), size = reader.varU32(), offset = reader.skip(size);
    const name = id === 0 ? `custom ${quoteName(customs[custom++].name)}` : SECTION_NAMES[id];
    sections.push({ name, offset, bytes: size });
  }
  return sections;
}

/** What there is to tell without compiling. */
export function factsOf({ bytes, wasm }: Source, { linker }: Plugged): Facts {
  if (wasm === undefined) {
    return { format: "rwasm", bytes: bytes.length, sections: [], imports: [], exports: [] };
  }
  return { format: "wasm", bytes: bytes.length, sections: sectionsOf(wasm), ...externalsOf(wasm, linker) };
}

/**
 * The module of a source, compiled so that it can be looked at: stand-ins take the place of what no
 * plugin offers, imported globals are 0, imported memories and tables are left to a host.
 *
 * @throws {CompileError | DecodeError}
 */
export function moduleToShow(source: Source, plugged: Plugged, config: CompilationConfig): RwasmModule {
  const { wasm, bytes } = source;
  if (wasm === undefined) return RwasmModule.decode(bytes);
  standIn(wasm, plugged.linker, "trap");
  return translate(wasm, resolveConfig({ ...config, ...placeholders(wasm) }));
}

function placeholders(wasm: ValidWasm): Pick<CompilationConfig, "hostImports"> {
  if (wasm.imports.every(({ kind }) => kind === "function")) return {};
  return { hostImports: { globals: Array<bigint>(wasm.importedGlobals).fill(0n) } };
}

/** What there is to tell about code. */
export function codeFactsOf(module: RwasmModule): CodeFacts {
  return {
    instructions: module.length,
    dataBytes: module.data.length,
    elements: module.elements.length,
    hintBytes: module.hint.length,
    sourcePc: module.sourcePc,
    encodedBytes: module.encode().length,
    ...instructionFacts(module),
    functions: functionsOf(module),
  };
}
