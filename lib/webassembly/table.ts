/**
 * Tables: a list of their own until an instance has them; from then on the table of that instance's
 * machine. A machine refers to functions by places in its own code, so a table belongs to one
 * instance and holds only functions which that instance exports or imports.
 *
 * @module
 */

import { toJs, toValue } from "./convert.ts";
import { type Bounds, defineInterface, isObject, toBounds, toIndex } from "./idl.ts";
import type { InstanceState } from "./instance.ts";
import { type Realm, stateOf } from "./realm.ts";
import { readValue, writeValue } from "../vm/values.ts";

/** What is behind a table. */
export class TableState {
  /** Type of the elements. */
  readonly type: "funcref" | "externref";
  /** Most elements it may have. */
  readonly maximum: number | undefined;
  /** The instance whose table it is. */
  owner: InstanceState | undefined = undefined;
  /** Its Wasm index there. */
  index = 0;
  /** The elements while there is no owner. */
  values: unknown[] = [];

  /** A table without an owner and elements. */
  constructor(type: "funcref" | "externref", maximum: number | undefined) {
    this.type = type;
    this.maximum = maximum;
  }

  /** How many elements there are. */
  get length(): number {
    return this.owner?.machine.tables.at(this.index).length ?? this.values.length;
  }

  /** An element, which must be there. */
  get(at: number): unknown {
    const { owner, type } = this;
    if (owner === undefined) return this.values[at];
    return toJs(owner, type, readValue(owner.machine.tables.at(this.index).elements, at, type));
  }

  /**
   * Sets an element, which must be there.
   *
   * @throws {TypeError} when the value cannot be one.
   */
  set(realm: Realm, at: number, value: unknown): void {
    const { owner } = this;
    if (owner === undefined) this.values[at] = this.#checked(realm, value);
    else owner.machine.tables.at(this.index).elements[at] = this.#cell(owner, value);
  }

  /**
   * Adds elements.
   *
   * @returns whether there was room for them.
   * @throws {TypeError} when the value cannot be one.
   */
  grow(realm: Realm, delta: number, value: unknown): boolean {
    const { owner, length } = this;
    const limit = Math.min(this.maximum ?? Infinity, realm.limits.tableElements);
    if (owner === undefined) {
      const element = this.#checked(realm, value);
      if (length + delta > limit) return false;
      for (let k = 0; k < delta; k++) this.values.push(element);
      return true;
    }
    const cell = this.#cell(owner, value);
    return length + delta <= limit && owner.machine.tables.grow(this.index, cell, delta) >= 0;
  }

  /**
   * Gives the table with its elements to an instance, whose machine has none at the index yet.
   *
   * @returns whether the machine had room for it.
   */
  giveTo(owner: InstanceState, index: number): boolean {
    const { tables } = owner.machine, { values } = this;
    if (!tables.adopt(index, this.maximum ?? Infinity)) return false;
    if (tables.grow(index, 0, values.length) < 0) return false;
    const elements = tables.at(index).elements;
    values.forEach((value, at) => elements[at] = this.#cell(owner, value));
    this.owner = owner;
    this.index = index;
    this.values = [];
    return true;
  }

  #checked(realm: Realm, value: unknown): unknown {
    const possible = this.type === "externref" || value === null || realm.functions.has(value as object);
    if (possible) return value;
    throw new TypeError("Cannot set a table element: it must be null or an exported function");
  }

  #cell(owner: InstanceState, value: unknown): number {
    const cells = new Int32Array(1);
    writeValue(cells, 0, this.type, toValue(owner, this.type, value));
    return cells[0]!;
  }
}

/** The `Table` class of a facade. */
export function createTableClass(realm: Realm): typeof WebAssembly.Table {
  const state = (object: unknown, doing: string) => stateOf(realm.tables, object, doing, "Table");
  const element = ({ type }: TableState, args: unknown[], at: number) =>
    // A missing function is null, but a missing externref is undefined.
    args.length > at || type === "externref" ? args[at] : null;
  const inside = (table: TableState, at: unknown, doing: string): number => {
    const index = toIndex(at, doing, "the index");
    if (index < table.length) return index;
    throw new RangeError(`Cannot ${doing}: index ${index} is not below the length ${table.length}`);
  };

  class Table {
    constructor(...args: unknown[]) {
      const doing = "make a table", [descriptor, value] = args;
      if (!isObject(descriptor)) throw new TypeError(`Cannot ${doing}: the descriptor must be an object`);
      const name = `${descriptor["element"]}`;
      if (name !== "anyfunc" && name !== "externref") {
        throw new TypeError(`Cannot ${doing}: "element" must be "anyfunc" or "externref"`);
      }
      const bounds: Bounds = toBounds(descriptor, doing);
      const made = new TableState(name === "anyfunc" ? "funcref" : name, bounds.maximum);
      if (!made.grow(realm, bounds.initial, made.type === "funcref" ? value ?? null : value)) {
        throw new RangeError(
          `Cannot ${doing}: ${bounds.initial} elements exceed limits.tableElements, ${realm.limits.tableElements}`,
        );
      }
      realm.tables.set(this, made);
    }

    get length(): number {
      return state(this, "read a table's length").length;
    }

    get(...[index]: unknown[]): unknown {
      const doing = "get a table element", table = state(this, doing);
      return table.get(inside(table, index, doing));
    }

    set(...args: unknown[]): void {
      const doing = "set a table element", table = state(this, doing);
      table.set(realm, inside(table, args[0], doing), element(table, args, 1));
    }

    grow(...args: unknown[]): number {
      const doing = "grow a table", table = state(this, doing), old = table.length;
      const delta = toIndex(args[0], doing, "the number of elements");
      if (!table.grow(realm, delta, element(table, args, 1))) {
        throw new RangeError(
          `Cannot ${doing}: ${old} and ${delta} elements exceed its maximum or the limits`,
        );
      }
      return old;
    }
  }

  for (const name of ["get", "set", "grow"] as const) {
    Object.defineProperty(Table.prototype[name], "length", { value: 1 });
  }
  Object.defineProperty(Table, "length", { value: 1 });
  defineInterface(Table, "Table");
  return Table as unknown as typeof WebAssembly.Table;
}
