/**
 * A module's exports and imports as a TypeScript declaration: the types that the JavaScript interface
 * of WebAssembly gives them, for glue code on the facade or anywhere else. Text out of data; every
 * name a module chose is quoted.
 *
 * @module
 */

import type { FunctionType, ValueType } from "../isa/module.ts";
import { namedFunctionType, type WasmModule } from "../wasm/module.ts";
import { formatType } from "./values.ts";

/** TypeScript types by value type: what goes in, and what comes out. */
const TYPES: Readonly<Record<ValueType, string>> = {
  i32: "number",
  i64: "bigint",
  f32: "number",
  f64: "number",
  funcref: "CallableFunction | null",
  externref: "unknown",
};

/** A name as a string of TypeScript that shows no character that could be something else. */
function literal(name: string): string {
  return JSON.stringify(name).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return Array.from({ length: character.length }, (_, unit) => {
      return `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}

function functionText({ params, results }: FunctionType): string {
  const parameters = params.map((type, position) => `p${position}: ${TYPES[type]}`).join(", ");
  const types = results.map((type) => TYPES[type]);
  const result = types.length === 0 ? "void" : types.length === 1 ? types[0] : `[${types.join(", ")}]`;
  return `(${parameters}) => ${result}`;
}

/** Type of something that is imported or exported, and what to say about it. */
function external(wasm: WasmModule, kind: string, index: number): { type: string; about: string } {
  switch (kind) {
    case "function": {
      const type = namedFunctionType(wasm.types[wasm.functions[index]]);
      return { type: functionText(type), about: formatType(type) };
    }
    case "memory":
    case "table": {
      const { min, max } = kind === "memory" ? wasm.memories[index] : wasm.tables[index];
      const unit = kind === "memory" ? "pages" : "elements";
      const bounds = max === undefined ? `${min} ${unit} or more` : `${min} to ${max} ${unit}`;
      return { type: kind === "memory" ? "WebAssembly.Memory" : "WebAssembly.Table", about: bounds };
    }
    default:
      return { type: "WebAssembly.Global", about: globalText(wasm, index) };
  }
}

function globalText(wasm: WasmModule, index: number): string {
  const { type, mutable } = wasm.globals[index];
  const [name] = namedFunctionType({ params: Uint8Array.of(type), results: new Uint8Array() }).params;
  return `${mutable ? "mutable " : ""}${name}`;
}

function member(indent: string, name: string, { type, about }: { type: string; about: string }): string {
  return `${indent}/** ${about} */\n${indent}readonly ${literal(name)}: ${type};\n`;
}

/** The declaration of a module: an interface `Exports` and an interface `Imports`. */
export function declarationOf(file: string, wasm: WasmModule): string {
  // A comment ends where it says so, and a path may say so.
  const label = literal(file).replaceAll("*/", "*\\/");
  const exports = wasm.exports.map(({ name, kind, index }) =>
    member("  ", name, external(wasm, kind, index))
  );
  const modules = new Map<string, Map<string, string>>();
  for (const { module, name, kind, index } of wasm.imports) {
    let names = modules.get(module);
    if (names === undefined) modules.set(module, names = new Map());
    // A module may import a name twice; the host can give it one thing only.
    if (!names.has(name)) names.set(name, member("    ", name, external(wasm, kind, index)));
  }
  const imports = [...modules].map(([module, names]) =>
    `  readonly ${literal(module)}: {\n${[...names.values()].join("")}  };\n`
  );
  return [
    `/** What ${label} exports: the \`exports\` of an instance. */\n`,
    `export interface Exports {\n${exports.join("")}}\n\n`,
    `/** What ${label} imports: the import object of an instance. */\n`,
    `export interface Imports {\n${imports.join("")}}\n`,
  ].join("");
}
