/**
 * Instances: a module and its imports in, an executor on a store of its own and the exports object
 * out. The fuel counter is that of the facade. Whenever control passes between host and guest, what
 * the host may have changed behind the machine's back is brought up to date.
 *
 * @module
 */

import type { ModuleInfo } from "../isa/module.ts";
import { RwasmExecutor } from "../run/executor.ts";
import type { Machine } from "../vm/machine.ts";
import { RwasmStore } from "../vm/store.ts";
import { type ExternalKind, typeName } from "../wasm/module.ts";
import { failure, functionObject } from "./function.ts";
import { GlobalState, readWords, writeWords } from "./global.ts";
import { defineInterface, isObject } from "./idl.ts";
import { type Imports, readImports } from "./imports.ts";
import { emptyMemory } from "./memory.ts";
import type { ModuleState } from "./module.ts";
import { type Realm, stateOf } from "./realm.ts";
import { TableState } from "./table.ts";

/** What is behind an instance. */
export class InstanceState {
  /** What the facade shares. */
  readonly realm: Realm;
  /** Its module. */
  readonly module: ModuleState;
  /** What it imports. */
  readonly imports: Imports;
  /** Where its functions start, and their types. */
  readonly info: ModuleInfo;
  /** Runs its functions. */
  readonly executor: RwasmExecutor<InstanceState>;
  /** Its state. */
  machine!: Machine;
  /** The function objects made so far, by Wasm index. */
  readonly functionObjects: object[] = [];
  /** What a host function threw, while it passes through the guest. */
  thrown: { readonly value: unknown } | undefined = undefined;
  /** Imported mutable globals that belong to other instances, and their Wasm index here. */
  readonly #mirrors: { readonly state: GlobalState; readonly index: number }[] = [];
  readonly #tables: object[];
  readonly #globals: (object | undefined)[];

  /**
   * Instantiates a module and runs its start function.
   *
   * @throws what a host function threw, or RuntimeError, RangeError or LinkError of the facade.
   */
  constructor(realm: Realm, module: ModuleState, imports: Imports) {
    this.realm = realm;
    this.module = module;
    this.imports = imports;
    this.#tables = imports.tables.map(({ object }) => object);
    this.#globals = imports.globals.map(({ object }) => object);
    // The values of mutable globals are not for constant expressions.
    const compiled = module.compiled(imports.globals.map(({ state }) => state.mutable ? 0n : state.bits));
    this.info = compiled.info!;
    const { limits, fuel, engine } = realm;
    const store = new RwasmStore<InstanceState>({ linker: module.linker, data: this, limits, fuel });
    const prepare = (machine: Machine) => this.#prepare(machine);
    this.executor = new RwasmExecutor(store, compiled, { engine, prepare });
    const outcome = this.executor.instantiate();
    // Functions of an instance that failed may have got into a table before; they can still be called.
    store.machine = this.machine;
    this.leave();
    if (outcome.status !== "done") throw failure(this, outcome);
  }

  /** Puts what is imported into the machine, and a memory that the module can only grow as it declares. */
  #prepare(machine: Machine): void {
    this.machine = machine;
    const { tables, memories, globals } = this.imports, { declared } = this.module;
    const memory = memories[0] ??
      (declared.memories.length > 0 && emptyMemory(declared.memories[0]!, machine.memory.pageLimit));
    if (memory) machine.memory.adopt(memory);
    tables.forEach(({ state }, index) => {
      if (state.giveTo(this, index)) return;
      throw new this.realm.errors.LinkError(
        `Cannot instantiate: imported table ${index} with its ${state.length} elements exceeds the limits`,
      );
    });
    globals.forEach(({ state }, index) => {
      writeWords(this, index, state.type, state.cells);
      if (!state.mutable) return;
      if (state.owner === undefined) state.giveTo(this, index);
      else this.#mirrors.push({ state, index });
    });
  }

  /** Before the guest runs, or goes on: takes over what the host and other instances changed. */
  enter(): void {
    this.machine.memory.refresh();
    for (const { state, index } of this.#mirrors) writeWords(this, index, state.type, state.cells);
  }

  /** The object of an export, always the same for one thing. */
  exported(kind: ExternalKind, index: number): object {
    switch (kind) {
      case "function":
        return functionObject(this, index);
      case "memory":
        return this.machine.memory.host!;
      case "table":
        return this.#tables[index] ??= this.#newTable(index);
      case "global":
        return this.#globals[index] ??= this.#newGlobal(index);
    }
  }

  #newTable(index: number): object {
    const { type, max } = this.module.declared.tables[index]!;
    const state = new TableState(typeName(type) as "funcref" | "externref", max);
    state.owner = this;
    state.index = index;
    return this.realm.newTable(state);
  }

  #newGlobal(index: number): object {
    const { type, mutable } = this.module.declared.globals[index]!;
    const state = new GlobalState(typeName(type), mutable);
    state.owner = this;
    state.index = index;
    return this.realm.newGlobal(state);
  }

  /** After the guest stopped, or before it waits for a host function: hands over what it changed. */
  leave(): void {
    for (const { state, index } of this.#mirrors) state.cells = readWords(this, index, state.type);
  }
}

/** The `Instance` class of a facade. */
export function createInstanceClass(realm: Realm): typeof WebAssembly.Instance {
  const known = new WeakMap<object, object>();

  class Instance {
    constructor(module: unknown, importObject: unknown) {
      const state = stateOf(realm.modules, module, "instantiate", "Module");
      if (importObject !== undefined && !isObject(importObject)) {
        throw new TypeError("Cannot instantiate: the import object must be an object");
      }
      known.set(this, instantiate(realm, state, importObject));
    }

    get exports(): object {
      return stateOf(known, this, "read exports", "Instance");
    }
  }

  Object.defineProperty(Instance, "length", { value: 1 });
  defineInterface(Instance, "Instance");
  return Instance as unknown as typeof WebAssembly.Instance;
}

/** Instantiates a module; its exports. */
function instantiate(realm: Realm, module: ModuleState, importObject: unknown): object {
  const imports = readImports(realm, module, importObject);
  const instance = new InstanceState(realm, module, imports);
  const exports: Record<string, object> = Object.create(null);
  for (const { name, kind, index } of module.declared.exports) {
    // Defined, not assigned: "__proto__" is a name like any other.
    Object.defineProperty(exports, name, { value: instance.exported(kind, index), enumerable: true });
  }
  return Object.freeze(exports);
}
