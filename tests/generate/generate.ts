/**
 * Makes valid Wasm modules from a seed: the same seed and options give the same bytes. Every run of
 * an export ends soon, however it is called; most modules never trap. Bodies come from `body.ts`.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import { Random } from "../harness.ts";
import { unsigned } from "../wasm_encoder.ts";
import { generateFunction } from "./body.ts";
import { constantOf, i32Constant, interestingBits, zeroOf } from "./constants.ts";
import {
  type CallGroup,
  DEFAULT_OPTIONS,
  type GenerateOptions,
  type ModuleContext,
  sameTypes,
  type SegmentFacts,
  someTypes,
  type TableFacts,
  typeIndex,
} from "./context.ts";
import {
  type BoundsSource,
  type DataSource,
  type ElementSource,
  encodeModule,
  type ExportSource,
  type FunctionSource,
  type GlobalSource,
  HOST,
  type ImportSource,
  type Instruction,
  type ModuleSource,
  type Signature,
} from "./module.ts";
import { isNumeric } from "./operators.ts";

/** A generated module and what to know about it. */
export interface GeneratedModule {
  readonly seed: number;
  readonly source: ModuleSource;
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Whether it holds operations that may trap. */
  readonly wild: boolean;
  /** Whether it may recurse until the stack is exhausted. */
  readonly deep: boolean;
  /** Value of the exported global "budget" at the start, and before each call from outside. */
  readonly budget: number;
}

/** Value that imported globals have; 32-bit ones take the low half. */
export const IMPORTED_GLOBAL = 0x400921fb40490fdbn;

/** Deepest recursion of a deep module: more than either engine allows. */
const DEEP_BUDGET = 60_000;

/** Host functions with fixed types; `mix` functions have any. See `tests/differential/host.ts`. */
const SPECIAL: readonly (readonly [name: string, type: Signature, wild: boolean])[] = [
  ["peek", { params: ["i32"], results: ["i32"] }, false],
  ["poke", { params: ["i32", "i32"], results: [] }, false],
  ["fail", { params: ["i32"], results: [] }, true],
  ["halt", { params: ["i32"], results: [] }, true],
];

/** Decides what a module has, part by part; later parts refer to earlier ones. */
class Generator {
  readonly #random: Random;
  readonly #options: GenerateOptions;
  readonly #wild: boolean;
  readonly #deep: boolean;
  readonly #valueTypes: readonly ValueType[];

  readonly #types: Signature[] = [];
  readonly #imports: ImportSource[] = [];
  /** Type of every function that bodies may call, imports first. */
  readonly #functions: number[] = [];
  readonly #globals: GlobalSource[] = [];
  readonly #tables: (BoundsSource & TableFacts)[] = [];
  readonly #groups: CallGroup[] = [];
  readonly #elements: (ElementSource & SegmentFacts)[] = [];
  readonly #data: (DataSource & SegmentFacts)[] = [];
  #memory: BoundsSource | undefined;

  constructor(seed: number, options: GenerateOptions) {
    const random = this.#random = new Random(seed);
    this.#wild = random.below(100) < options.wild;
    this.#deep = random.below(100) < options.deep;
    const floats = options.floats && this.#chance(85), tables = options.tables && this.#chance(75);
    const memory = options.memory && this.#chance(85), imports = options.imports && this.#chance(60);
    this.#options = { ...options, floats, tables, memory, imports };
    this.#valueTypes = [
      ...["i32", "i32", "i32", "i64", "i64", "i64"] as const,
      ...(floats ? ["f32", "f64"] as const : []),
      ...(tables ? ["funcref", "externref"] as const : []),
    ];
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  /** Type of a new function: often one that is there, now and then a copy of one under a new index. */
  #newType(): number {
    const random = this.#random, types = this.#types;
    if (types.length > 0 && this.#chance(45)) {
      if (this.#chance(80)) return random.below(types.length);
      types.push(random.pick(types));
      return types.length - 1;
    }
    const params = someTypes(random, this.#valueTypes, 6), results = someTypes(random, this.#valueTypes, 4);
    return typeIndex({ types }, params, results);
  }

  #makeImports(): void {
    if (!this.#options.imports) return;
    const random = this.#random;
    const numeric = this.#valueTypes.filter((type) => type !== "funcref");
    const add = (name: string, type: number) => {
      this.#imports.push({ module: HOST, name, type });
      this.#functions.push(type);
    };
    for (let i = random.below(4); i > 0; i--) {
      const type = typeIndex(
        { types: this.#types },
        someTypes(random, numeric, 5),
        someTypes(random, numeric, 3),
      );
      add(`mix${this.#imports.length}`, type);
    }
    for (const [name, { params, results }, wild] of SPECIAL) {
      if ((wild && !this.#wild) || !this.#chance(40)) continue;
      add(name, typeIndex({ types: this.#types }, params, results));
    }
  }

  #makeGlobals(count: number): void {
    const random = this.#random;
    if (this.#chance(12)) {
      for (let i = random.below(3); i >= 0; i--) {
        const type = random.pick(this.#valueTypes.filter(isNumeric));
        const mutable = this.#chance(40);
        this.#globals.push({ type, mutable, imported: `global${this.#globals.length}`, init: [] });
      }
    }
    const imported = [...this.#globals];
    for (let i = random.below(7); i > 0; i--) {
      const type = random.pick(this.#valueTypes);
      this.#globals.push({ type, mutable: this.#chance(75), init: this.#initializer(type, imported, count) });
    }
  }

  #initializer(type: ValueType, imported: readonly GlobalSource[], functions: number): Instruction {
    const random = this.#random;
    if (!isNumeric(type)) {
      return type === "funcref" && this.#chance(60)
        ? [0xd2, ...unsigned(random.below(functions))]
        : zeroOf(type);
    }
    const operand = (): Instruction => {
      const fitting = imported.flatMap((global, i) => global.type === type && !global.mutable ? [i] : []);
      return fitting.length > 0 && this.#chance(50)
        ? [0x23, ...unsigned(random.pick(fitting))]
        : constantOf(type, interestingBits(random, type));
    };
    if ((type === "i32" || type === "i64") && this.#chance(20)) {
      const operator = (type === "i32" ? 0x6a : 0x7c) + random.below(3); // add, sub, mul
      return [...operand(), ...operand(), operator];
    }
    return operand();
  }

  /** Table 0 holds functions in groups of the same type; the others hold anything. */
  #makeTables(): void {
    if (!this.#options.tables) return;
    const random = this.#random, functions = this.#functions;
    const chosen = functions.map((type, index) => ({ type, index })).filter(() => this.#chance(70));
    const offset = random.below(4);
    const items: number[] = [];
    for (const { type } of chosen) {
      // Functions whose types are the same under different indices are one group.
      const same = chosen.filter((other) => this.#sameType(other.type, type));
      if (items.includes(same[0].index)) continue;
      this.#groups.push({ type, start: offset + items.length, count: same.length });
      items.push(...same.map(({ index }) => index));
    }
    const min = offset + items.length + random.below(4);
    this.#addTable("funcref", min, !this.#wild);
    this.#addElement("active", 0, "funcref", offset, items, false);
    for (let i = random.below(3); i > 0; i--) {
      this.#addTable(this.#chance(60) ? "funcref" : "externref", random.below(14), false);
    }
    for (let i = random.below(4); i > 0; i--) this.#addElements();
    this.#addElement("declarative", 0, "funcref", 0, functions.map((_, index) => index), false);
  }

  #sameType(a: number, b: number): boolean {
    const types = this.#types;
    return sameTypes(types[a].params, types[b].params) && sameTypes(types[a].results, types[b].results);
  }

  #addTable(type: "funcref" | "externref", min: number, stable: boolean): void {
    this.#tables.push({
      type,
      min,
      max: this.#chance(60) ? min + this.#random.below(20) : undefined,
      stable,
    });
  }

  #addElement(
    mode: ElementSource["mode"],
    table: number,
    type: "funcref" | "externref",
    offset: number,
    items: readonly (number | null)[],
    stable: boolean,
  ): void {
    const length = items.length;
    this.#elements.push({ mode, table, type, offset: i32Constant(offset), items, length, stable });
  }

  /** A passive segment, or an active one for a table that may change. */
  #addElements(): void {
    const random = this.#random;
    const count = random.below(6);
    const items = (type: "funcref" | "externref") =>
      Array.from(
        { length: count },
        () => type === "externref" || this.#chance(20) ? null : random.below(this.#functions.length),
      );
    const active = this.#tables.flatMap(({ min, stable }, i) =>
      !stable && (min >= count || this.#wild) ? [i] : []
    );
    if (active.length > 0 && this.#chance(50)) {
      const table = random.pick(active), { type, min } = this.#tables[table];
      const beyond = this.#wild && this.#chance(5) ? 1 : 0;
      const offset = Math.max(0, min - count) + beyond;
      this.#addElement("active", table, type, this.#chance(50) ? offset : 0, items(type), false);
    } else {
      const type = this.#chance(75) ? "funcref" : "externref";
      this.#addElement("passive", 0, type, 0, items(type), this.#chance(60));
    }
  }

  #makeMemory(): void {
    if (!this.#options.memory) return;
    const random = this.#random;
    const min = random.pick([1, 1, 1, 1, 2, 3, 0]);
    this.#memory = { min, max: this.#chance(75) ? min + random.below(4) : undefined };
    for (let i = random.below(5); i > 0; i--) {
      const bytes = Array.from({ length: random.below(48) }, () => random.below(256));
      const active = this.#chance(50);
      const room = min * 65536 - bytes.length;
      if (active && room < 0 && !this.#wild) continue;
      const beyond = this.#wild && this.#chance(5) ? 1 : 0;
      const offset = Math.max(0, random.pick([0, 8, 100, 0x1000, 0x7ff0, room]) + beyond);
      this.#data.push({
        mode: active ? "active" : "passive",
        offset: i32Constant(offset),
        bytes,
        length: bytes.length,
        stable: !active && this.#chance(60),
        type: "funcref",
      });
    }
  }

  /** A function that tells which elements of a table are null: bits, the first 64 elements. */
  #probe(table: number): FunctionSource {
    const type = typeIndex({ types: this.#types }, [], ["i64"]);
    const index = unsigned(table);
    const body: Instruction[] = [
      [0x02, 0x40],
      [0x03, 0x40],
      ...[[0x20, 0], [0xfc, 16, ...index], [0x4f], [0x0d, 1]], // leave at the end of the table
      ...[[0x20, 0], i32Constant(63), [0x4b], [0x0d, 1]],
      ...[[0x20, 1], [0x42, 1], [0x86], [0x20, 0], [0x25, ...index], [0xd1], [0xad], [0x84], [0x21, 1]],
      ...[[0x20, 0], i32Constant(1), [0x6a], [0x21, 0], [0x0c, 0]],
      [0x0b],
      [0x0b],
      ...[[0x20, 1], [0xfc, 16, ...index], [0xad], [0x42, 32], [0x86], [0x85]],
    ];
    return { type, locals: ["i32", "i64"], body };
  }

  generate(seed: number): GeneratedModule {
    const random = this.#random, options = this.#options;
    this.#makeImports();
    const importCount = this.#functions.length;
    for (let i = random.below(options.functions); i >= 0; i--) this.#functions.push(this.#newType());
    const declared = this.#functions.map((_, index) => index);
    this.#makeGlobals(declared.length);
    this.#makeTables();
    this.#makeMemory();

    const budget = this.#deep ? DEEP_BUDGET : 5 + random.below(2 * options.budget);
    const budgetGlobal = this.#globals.length;
    this.#globals.push({ type: "i32", mutable: true, init: i32Constant(budget) });
    const digestGlobal = this.#globals.length;
    this.#globals.push({ type: "i64", mutable: true, init: zeroOf("i64") });
    const context: ModuleContext = {
      random,
      options,
      types: this.#types,
      functions: this.#functions,
      importCount,
      globals: this.#globals,
      budgetGlobal,
      digestGlobal,
      declared: options.tables ? declared : [],
      tables: this.#tables,
      groups: this.#groups,
      pages: this.#memory?.min,
      growable: this.#memory?.max !== undefined,
      data: this.#data,
      elements: this.#elements,
      valueTypes: this.#valueTypes,
      wild: this.#wild,
    };
    const functions = this.#functions.slice(importCount).map((type) => {
      const size = 8 + random.below(random.below(2 * options.size) + 1);
      return generateFunction(context, type, { leaf: this.#chance(25), size });
    });

    const exports: ExportSource[] = [];
    const add = (name: string, kind: ExportSource["kind"], index: number) =>
      exports.push({ name, kind, index });
    functions.forEach((_, i) => add(`f${i}`, "function", importCount + i));
    if (importCount > 0 && this.#chance(30)) add("import", "function", random.below(importCount));
    this.#globals.forEach((_, i) => add(i === budgetGlobal ? "budget" : `g${i}`, "global", i));
    if (this.#memory !== undefined) add("memory", "memory", 0);
    this.#tables.forEach((_, i) => {
      functions.push(this.#probe(i));
      add(`table${i}`, "function", importCount + functions.length - 1);
    });

    const starts = declared.filter((index) => {
      const { params, results } = this.#types[this.#functions[index]];
      return params.length + results.length === 0;
    });
    const start = starts.length > 0 && this.#chance(50) ? random.pick(starts) : undefined;
    const source: ModuleSource = {
      types: this.#types,
      imports: this.#imports,
      functions,
      tables: this.#tables,
      memory: this.#memory,
      globals: this.#globals,
      exports,
      start,
      elements: this.#elements,
      data: this.#data,
    };
    return { seed, source, wasm: encodeModule(source), wild: this.#wild, deep: this.#deep, budget };
  }
}

/** The module of a seed. */
export function generateModule(seed: number, options: Partial<GenerateOptions> = {}): GeneratedModule {
  return new Generator(seed, { ...DEFAULT_OPTIONS, ...options }).generate(seed);
}
