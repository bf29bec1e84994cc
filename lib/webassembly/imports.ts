/**
 * Reads an import object against the imports of a module. It checks everything before it changes
 * anything, so a refused import object leaves tables and globals as they were.
 *
 * @module
 */

import { quoteName } from "../isa/nearest.ts";
import { namedFunctionType, typeName, type WasmImport } from "../wasm/module.ts";
import { typeText } from "../vm/values.ts";
import { GlobalState } from "./global.ts";
import { isObject } from "./idl.ts";
import { fitsDeclaration, isMemory, pagesOf } from "./memory.ts";
import type { ModuleState } from "./module.ts";
import type { Realm } from "./realm.ts";
import type { TableState } from "./table.ts";

/** What an import object holds for a module, by kind and in the order of the imports. */
export interface Imports {
  /** Host functions, among them functions of other instances. */
  readonly functions: object[];
  /** Tables. */
  readonly tables: { readonly object: object; readonly state: TableState }[];
  /** Memories, at most one. */
  readonly memories: WebAssembly.Memory[];
  /** Globals; one that was given as a plain value has no object yet. */
  readonly globals: { object: object | undefined; readonly state: GlobalState }[];
}

/**
 * Reads an import object.
 *
 * @throws {TypeError} when it, or the object of an import module, is not an object.
 * @throws LinkError of the facade when an import does not fit or cannot be supported.
 */
export function readImports(realm: Realm, module: ModuleState, importObject: unknown): Imports {
  const { declared } = module;
  const found: Imports = { functions: [], tables: [], memories: [], globals: [] };
  if (importObject === undefined && declared.imports.length === 0) return found;
  if (!isObject(importObject)) {
    throw new TypeError(
      `Cannot instantiate: the module has ${declared.imports.length} imports, but there is no import object`,
    );
  }
  const reading: Reading = { realm, module, found, taken: new Set() };
  declared.imports.forEach((entry, ordinal) => {
    const namespace = importObject[entry.module];
    if (!isObject(namespace)) {
      throw new TypeError(`Cannot instantiate: ${label(entry, ordinal)}: the module is not an object`);
    }
    const value = namespace[entry.name];
    const refuse = (why: string): never => {
      throw new realm.errors.LinkError(`Cannot instantiate: ${label(entry, ordinal)}: ${why}`);
    };
    READERS[entry.kind](reading, entry, value, refuse);
  });
  return found;
}

/** An import object being read. */
interface Reading {
  readonly realm: Realm;
  readonly module: ModuleState;
  /** What it had so far. */
  readonly found: Imports;
  /** Tables and mutable globals among that: a machine can have each in one place only. */
  readonly taken: Set<TableState | GlobalState>;
}

type Refuse = (why: string) => never;

type Reader = (reading: Reading, entry: WasmImport, value: unknown, refuse: Refuse) => void;

function label({ module, name, kind }: WasmImport, ordinal: number): string {
  return `import #${ordinal}, ${kind} ${quoteName(module)}.${quoteName(name)}`;
}

const readFunction: Reader = ({ realm, module, found: { functions } }, entry, value, refuse) => {
  const { declared, linker } = module;
  if (typeof value !== "function") return refuse("it must be a function");
  const wanted = namedFunctionType(declared.types[declared.functions[entry.index]!]!);
  const exported = realm.functions.get(value);
  if (exported !== undefined && typeText(exported.type) !== typeText(wanted)) {
    refuse(`the exported function is ${typeText(exported.type)}, the module wants ${typeText(wanted)}`);
  }
  // The linker of the module knows functions by import name, so one name cannot stand for two of them.
  const first = linker.resolve(entry.module, entry.name)!.index;
  if (first !== entry.index && functions[first] !== value) {
    refuse(`another import of the same name got another function, that of index ${first}`);
  }
  functions.push(value);
};

const readTable: Reader = ({ realm, module, found, taken }, entry, value, refuse) => {
  const state = realm.tables.get(value as object);
  if (state === undefined) return refuse("it must be a WebAssembly.Table of this facade");
  const { type, min, max } = module.declared.tables[entry.index]!;
  if (state.type !== typeName(type)) {
    refuse(`it has elements of type ${state.type}, the module wants ${typeName(type)}`);
  }
  if (state.length < min) refuse(`it has ${state.length} elements, the module wants ${min} at least`);
  if (max !== undefined && (state.maximum === undefined || state.maximum > max)) {
    refuse(`its maximum is ${state.maximum ?? "not set"}, the module wants ${max} at most`);
  }
  if (state.owner !== undefined || taken.has(state)) {
    refuse("it belongs to an instance already, and a machine cannot share its tables");
  }
  if (state.type === "funcref" && state.values.some((element) => element !== null)) {
    refuse("it holds functions of other instances, and a machine refers to its own functions only");
  }
  taken.add(state);
  found.tables.push({ object: value as object, state });
};

const readMemory: Reader = ({ realm, module, found }, entry, value, refuse) => {
  if (!isMemory(value)) return refuse("it must be a WebAssembly.Memory");
  const bounds = module.declared.memories[entry.index]!, pages = pagesOf(value)!;
  if (!fitsDeclaration(value, bounds)) {
    const most = bounds.max === undefined ? "" : ` and a maximum of at most ${bounds.max}`;
    refuse(`it has ${pages} pages, the module wants ${bounds.min} at least${most}, not shared`);
  }
  if (pages > realm.limits.memoryPages) {
    refuse(`it has ${pages} pages, more than limits.memoryPages, ${realm.limits.memoryPages}`);
  }
  found.memories.push(value);
};

const readGlobal: Reader = ({ realm, module, found, taken }, entry, value, refuse) => {
  const { type: byte, mutable } = module.declared.globals[entry.index]!;
  const type = typeName(byte);
  const given = realm.globals.get(value as object);
  if (given === undefined) {
    if (mutable) return refuse("it is mutable, so it must be a WebAssembly.Global of this facade");
    const fits = type === "externref" || typeof value === (type === "i64" ? "bigint" : "number");
    if (type !== "funcref" && !fits) {
      refuse(`it must be a ${type === "i64" ? "bigint" : "number"} or a WebAssembly.Global`);
    }
    if (type === "funcref" && value !== null && !realm.functions.has(value as object)) {
      refuse("it must be null, an exported function or a WebAssembly.Global");
    }
  } else if (given.type !== type || given.mutable !== mutable) {
    const text = (kind: string, changes: boolean) => `${changes ? "a mutable" : "an immutable"} ${kind}`;
    refuse(`it is ${text(given.type, given.mutable)}, the module wants ${text(type, mutable)}`);
  }
  const state = given ?? new GlobalState(type, false);
  if (given === undefined) state.set(realm, value);
  if (state.holdsForeignFunction) {
    refuse("it refers to a function of another instance, and a machine refers to its own functions only");
  }
  if (mutable && type === "funcref" && state.owner !== undefined) {
    refuse("it belongs to another instance, and a machine refers to its own functions only");
  }
  if (mutable && taken.has(state)) {
    refuse("it is imported twice, and a machine cannot have one mutable global in two places");
  }
  if (mutable) taken.add(state);
  found.globals.push({ object: given === undefined ? undefined : value as object, state });
};

const READERS: { readonly [Kind in WasmImport["kind"]]: Reader } = {
  function: readFunction,
  table: readTable,
  memory: readMemory,
  global: readGlobal,
};
