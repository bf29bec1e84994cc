/**
 * A Wasm module as data, instruction by instruction, and its binary form. Both the generator, which
 * makes modules, and the shrinker, which takes pieces out of them, work on this. It checks nothing:
 * whether the bytes are valid is WebAssembly's to say.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import { unsigned } from "../wasm_encoder.ts";

/** Type byte of each value type. */
export const TYPE_BYTE: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  funcref: 0x70,
  externref: 0x6f,
};

/** A function type. */
export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** The bytes of one instruction, immediates included. */
export type Instruction = readonly number[];

/** An imported function. */
export interface ImportSource {
  readonly module: string;
  readonly name: string;
  /** Index of its type. */
  readonly type: number;
}

/** A function with a body. */
export interface FunctionSource {
  /** Index of its type. */
  readonly type: number;
  /** Types of the locals after the parameters. */
  readonly locals: readonly ValueType[];
  /** Instructions without the last `end`. */
  readonly body: readonly Instruction[];
}

/** Bounds of a memory or table. */
export interface BoundsSource {
  readonly min: number;
  readonly max?: number | undefined;
}

/** A global with its initializer, without `end`. */
export interface GlobalSource {
  readonly type: ValueType;
  readonly mutable: boolean;
  /** For an imported global: its name; the initializer is then not written. */
  readonly imported?: string;
  readonly init: Instruction;
}

/** An element segment; an offset makes it active. */
export interface ElementSource {
  readonly mode: "active" | "passive" | "declarative";
  readonly table: number;
  readonly offset: Instruction;
  readonly type: "funcref" | "externref";
  /** Function indices; null for `ref.null`. */
  readonly items: readonly (number | null)[];
}

/** A data segment; an offset makes it active. */
export interface DataSource {
  readonly mode: "active" | "passive";
  readonly offset: Instruction;
  readonly bytes: readonly number[];
}

/** An export. */
export interface ExportSource {
  readonly name: string;
  readonly kind: "function" | "table" | "memory" | "global";
  readonly index: number;
}

/** A module. */
export interface ModuleSource {
  readonly types: readonly Signature[];
  readonly imports: readonly ImportSource[];
  readonly functions: readonly FunctionSource[];
  readonly tables: readonly (BoundsSource & { readonly type: "funcref" | "externref" })[];
  readonly memory?: BoundsSource | undefined;
  /** Imported globals first. */
  readonly globals: readonly GlobalSource[];
  readonly exports: readonly ExportSource[];
  readonly start?: number | undefined;
  readonly elements: readonly ElementSource[];
  readonly data: readonly DataSource[];
}

/** Import module of every import. */
export const HOST = "host";

const EXPORT_KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;

/** Bytes appended piece by piece; modules are small, but there are many of them. */
class Bytes {
  readonly #bytes: number[] = [];

  push(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  unsigned(value: number): this {
    return this.push(...unsigned(value));
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.unsigned(bytes.length).push(...bytes);
  }

  /** A count and that many items. */
  vector<T>(items: readonly T[], write: (item: T, index: number) => void): this {
    this.unsigned(items.length);
    items.forEach(write);
    return this;
  }

  /** A section, or a function body: its size, then what `write` writes. */
  sized(write: (inner: Bytes) => void): this {
    const inner = new Bytes();
    write(inner);
    this.unsigned(inner.#bytes.length);
    for (const byte of inner.#bytes) this.#bytes.push(byte);
    return this;
  }

  /** A section that is left out when it has no items. */
  section<T>(id: number, items: readonly T[], write: (inner: Bytes, item: T, index: number) => void): void {
    if (items.length === 0) return;
    this.push(id).sized((inner) => inner.vector(items, (item, index) => write(inner, item, index)));
  }

  finish(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }
}

function writeBounds(out: Bytes, { min, max }: BoundsSource): void {
  out.push(max === undefined ? 0 : 1).unsigned(min);
  if (max !== undefined) out.unsigned(max);
}

/** Runs of equal types are written once, as compilers do. */
function writeLocals(out: Bytes, locals: readonly ValueType[]): void {
  const groups: [count: number, type: ValueType][] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last !== undefined && last[1] === type) last[0]++;
    else groups.push([1, type]);
  }
  out.vector(groups, ([count, type]) => out.unsigned(count).push(TYPE_BYTE[type]));
}

/** The shortest of the eight forms that can say it. */
function writeElement(out: Bytes, { mode, table, offset, type, items }: ElementSource): void {
  const byIndex = type === "funcref" && items.every((item) => item !== null);
  const form = byIndex ? 0 : 4;
  if (mode !== "active") out.push(form + (mode === "passive" ? 1 : 3)).push(byIndex ? 0 : TYPE_BYTE[type]);
  else if (table === 0 && type === "funcref") out.push(form, ...offset, 0x0b);
  else {
    out.push(form + 2).unsigned(table).push(...offset, 0x0b).push(byIndex ? 0 : TYPE_BYTE[type]);
  }
  out.vector(items, (item) => {
    if (byIndex) out.unsigned(item!);
    else if (item === null) out.push(0xd0, TYPE_BYTE[type], 0x0b);
    else out.push(0xd2).unsigned(item).push(0x0b);
  });
}

/** The bytes of a module. */
export function encodeModule(source: ModuleSource): Uint8Array<ArrayBuffer> {
  const out = new Bytes().push(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const types = (inner: Bytes, list: readonly ValueType[]) =>
    inner.vector(list, (type) => inner.push(TYPE_BYTE[type]));

  out.section(1, source.types, (inner, { params, results }) => {
    inner.push(0x60);
    types(inner, params);
    types(inner, results);
  });
  const importedGlobals = source.globals.filter(({ imported }) => imported !== undefined);
  out.section(2, [...source.imports, ...importedGlobals], (inner, item) => {
    if ("imported" in item) {
      inner.text(HOST).text(item.imported!).push(3, TYPE_BYTE[item.type as ValueType], item.mutable ? 1 : 0);
    } else {
      const { module, name, type } = item as ImportSource;
      inner.text(module).text(name).push(0).unsigned(type);
    }
  });
  out.section(3, source.functions, (inner, { type }) => inner.unsigned(type));
  out.section(4, source.tables, (inner, table) => {
    inner.push(TYPE_BYTE[table.type]);
    writeBounds(inner, table);
  });
  out.section(5, source.memory === undefined ? [] : [source.memory], writeBounds);
  out.section(
    6,
    source.globals.filter(({ imported }) => imported === undefined),
    (inner, { type, mutable, init }) => inner.push(TYPE_BYTE[type], mutable ? 1 : 0, ...init, 0x0b),
  );
  out.section(7, source.exports, (inner, { name, kind, index }) => {
    inner.text(name).push(EXPORT_KIND[kind]).unsigned(index);
  });
  if (source.start !== undefined) out.push(8).sized((inner) => inner.unsigned(source.start!));
  out.section(9, source.elements, writeElement);
  // memory.init and data.drop need the count of segments before the code; it is allowed without them.
  if (source.data.length > 0) out.push(12).sized((inner) => inner.unsigned(source.data.length));
  out.section(10, source.functions, (inner, { locals, body }) => {
    inner.sized((code) => {
      writeLocals(code, locals);
      for (const instruction of body) code.push(...instruction);
      code.push(0x0b);
    });
  });
  out.section(11, source.data, (inner, { mode, offset, bytes }) => {
    if (mode === "passive") inner.push(1);
    else inner.push(0, ...offset, 0x0b);
    inner.unsigned(bytes.length).push(...bytes);
  });
  return out.finish();
}
