/**
 * Globals: a value of its own until an instance has it; from then on the words of that instance's
 * machine are the value, so both sides always see the same. An instance that imports a mutable
 * global of another one gets a copy that is brought up to date whenever it starts and stops running.
 *
 * @module
 */

import type { ValueType } from "../isa/module.ts";
import { readValue, writeValue } from "../vm/values.ts";
import { toJs, toPlainValue, toValue } from "./convert.ts";
import { defineInterface, isObject } from "./idl.ts";
import type { InstanceState } from "./instance.ts";
import { type Realm, stateOf } from "./realm.ts";

/** Types by their name in a descriptor. */
const TYPES: { readonly [name: string]: ValueType } = {
  i32: "i32",
  i64: "i64",
  f32: "f32",
  f64: "f64",
  externref: "externref",
  anyfunc: "funcref",
};

/** What is behind a global. */
export class GlobalState {
  /** Type of the value. */
  readonly type: ValueType;
  /** Whether it may be set. */
  readonly mutable: boolean;
  /** The instance whose words are the value. */
  owner: InstanceState | undefined = undefined;
  /** Its Wasm index there. */
  index = 0;
  /** The value while there is no owner: the cells of a number or externref. */
  readonly #cells = new Int32Array(2);
  /** The value while there is no owner: a function object. */
  #function: object | null = null;

  /** A global without an owner, of value 0 or null. */
  constructor(type: ValueType, mutable: boolean) {
    this.type = type;
    this.mutable = mutable;
  }

  /** The value as cells, low word first; a funcref only when it has an owner. */
  get cells(): Int32Array {
    const { owner, index } = this;
    return owner === undefined ? this.#cells : readWords(owner, index, this.type);
  }

  /** Sets the value from cells. */
  set cells(cells: Int32Array) {
    const { owner, index } = this;
    if (owner === undefined) this.#cells.set(cells);
    else writeWords(owner, index, this.type, cells);
  }

  /** The cells as 64 bits. */
  get bits(): bigint {
    const [low, high] = this.cells;
    return BigInt(high!) << 32n | BigInt(low! >>> 0);
  }

  /** Makes an instance the owner; its words must have the value already. */
  giveTo(owner: InstanceState, index: number): void {
    this.owner = owner;
    this.index = index;
  }

  /** Whether it refers to a function although no instance has it. */
  get holdsForeignFunction(): boolean {
    return this.type === "funcref" && (this.owner === undefined ? this.#function !== null : this.bits !== 0n);
  }

  /** The value in JavaScript. */
  get(realm: Realm): unknown {
    if (this.owner !== undefined) return toJs(this.owner, this.type, readValue(this.cells, 0, this.type));
    if (this.type === "funcref") return this.#function;
    const value = readValue(this.#cells, 0, this.type);
    return this.type === "externref" ? realm.references.valueOf(value as number | null) : value;
  }

  /**
   * Sets the value from JavaScript.
   *
   * @throws {TypeError} when it does not convert.
   */
  set(realm: Realm, value: unknown): void {
    const { owner, type } = this;
    const cells = new Int32Array(2);
    if (owner !== undefined) writeValue(cells, 0, type, toValue(owner, type, value));
    else if (type !== "funcref") writeValue(cells, 0, type, toPlainValue(realm, type, value));
    else if (value === null || realm.functions.has(value as object)) this.#function = value as object | null;
    else throw new TypeError("Cannot set a global: the value must be null or an exported function");
    this.cells = cells;
  }
}

/** Reads the cells of a global of an instance: a wide one has its high half in the even word. */
export function readWords({ machine }: InstanceState, index: number, type: ValueType): Int32Array {
  const even = machine.globalWord(2 * index);
  return isWide(type) ? Int32Array.of(machine.globalWord(2 * index + 1), even) : Int32Array.of(even, 0);
}

/** Writes the cells of a global of an instance. */
export function writeWords(
  { machine }: InstanceState,
  index: number,
  type: ValueType,
  cells: Int32Array,
): void {
  machine.setGlobalWord(2 * index, cells[isWide(type) ? 1 : 0]!);
  if (isWide(type)) machine.setGlobalWord(2 * index + 1, cells[0]!);
}

function isWide(type: ValueType): boolean {
  return type === "i64" || type === "f64";
}

/** The `Global` class of a facade. */
export function createGlobalClass(realm: Realm): typeof WebAssembly.Global {
  const state = (object: unknown, doing: string) => stateOf(realm.globals, object, doing, "Global");

  class Global {
    constructor(...args: unknown[]) {
      const [descriptor, value] = args;
      if (!isObject(descriptor)) {
        throw new TypeError("Cannot make a global: the descriptor must be an object");
      }
      const { mutable, value: name } = descriptor;
      const text = `${name}`;
      if (!Object.hasOwn(TYPES, text)) {
        throw new TypeError(`Cannot make a global: its type must be one of ${Object.keys(TYPES).join(", ")}`);
      }
      const type = TYPES[text]!, made = new GlobalState(type, Boolean(mutable));
      // Numbers that are undefined are 0; of references, a missing function is null, an externref undefined.
      const given = type === "funcref" ? args.length > 1 : type === "externref" || value !== undefined;
      if (given) made.set(realm, value);
      realm.globals.set(this, made);
    }

    get value(): unknown {
      return state(this, "read a global").get(realm);
    }

    set value(value: unknown) {
      const global = state(this, "set a global");
      if (!global.mutable) throw new TypeError("Cannot set a global: it is not mutable");
      global.set(realm, value);
    }

    valueOf(): unknown {
      return state(this, "read a global").get(realm);
    }
  }

  Object.defineProperty(Global, "length", { value: 1 });
  defineInterface(Global, "Global");
  return Global as unknown as typeof WebAssembly.Global;
}
