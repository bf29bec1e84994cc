/**
 * The `WebAssembly` facade: an object with the standard JavaScript interface, backed by this machine,
 * so that existing glue code runs its guest metered and within limits.
 *
 * @module
 */

import { fuelAmount } from "../vm/fuel.ts";
import { createGlobalClass } from "./global.ts";
import { isObject } from "./idl.ts";
import { createInstanceClass } from "./instance.ts";
import { HostMemory } from "./memory.ts";
import { createModuleClass, isValid } from "./module.ts";
import { Realm, type WebAssemblyOptions } from "./realm.ts";
import { createTableClass } from "./table.ts";

/** Fuel controls of a facade. One counter serves all its instances. */
export interface FuelControls {
  /** Fuel consumed since the facade was made or last reset. */
  consumedFuel(): bigint;
  /** Fuel that may still be consumed; undefined when unbounded. */
  remainingFuel(): bigint | undefined;
  /**
   * Consumed becomes 0, the limit becomes `limit`; undefined for unbounded.
   *
   * @throws {UsageError} `InvalidFuel`.
   */
  resetFuel(limit?: bigint | number): void;
  /**
   * Raises the limit, keeping what was consumed; does nothing when unbounded.
   *
   * @throws {UsageError} `InvalidFuel`.
   */
  addFuel(amount: bigint | number): void;
  /**
   * Charges fuel, as a host function may do for its own work; false, and nothing charged, when that
   * would pass the limit.
   *
   * @throws {UsageError} `InvalidFuel`.
   */
  tryConsumeFuel(amount: bigint | number): boolean;
}

/** The members of the standard `WebAssembly` object that a facade has, and fuel controls. */
export interface WebAssemblyFacade extends
  FuelControls,
  Pick<
    typeof WebAssembly,
    | "compile"
    | "compileStreaming"
    | "instantiate"
    | "instantiateStreaming"
    | "validate"
    | "Module"
    | "Instance"
    | "Memory"
    | "Table"
    | "Global"
    | "CompileError"
    | "LinkError"
    | "RuntimeError"
  > {}

/**
 * Makes an object to use in place of `WebAssembly`: the standard JavaScript interface, with all
 * guests on this machine, under one fuel counter.
 *
 * A trap is a `RuntimeError` whose `cause` is the `Trap`; so is running out of fuel, after which every
 * call fails until `addFuel` or `resetFuel`. An exhausted stack is a `RangeError`, as the interface
 * wants it. What a host function throws reaches the caller of the export unchanged. Host functions may
 * call exports, up to 500 calls deep.
 *
 * It differs from the host's `WebAssembly` in what it accepts (WebAssembly 2.0 without SIMD, tail
 * calls, extended constants, wide arithmetic; no tags, exceptions and promise integration), in its
 * limits, and in this: a machine refers to its own functions only. So a table belongs to one instance
 * and holds only functions which that instance exports or imports; anything else is a `LinkError` or
 * `TypeError` that says so. NaNs are canonical. `memory.grow` by 0 pages, when the guest does it, keeps
 * the buffer. JavaScript values that were given to the guest as externrefs are kept alive as long as
 * the facade.
 *
 * `Memory` is the host's own class: memories can be shared with it.
 *
 * @throws {UsageError} `InvalidLimit`, `InvalidFuel`, `InvalidConfig` or `UnknownEngine`.
 *
 * @example
 * ```ts
 * import { createWebAssembly } from "./mod.ts";
 * // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
 * const wasm = Uint8Array.fromBase64("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=");
 * const metered = createWebAssembly({ fuelLimit: 1000n });
 * const { instance } = await metered.instantiate(wasm);
 * const add = instance.exports.add as (a: number, b: number) => number;
 * console.log(add(2, 40), metered.consumedFuel());
 * ```
 */
export function createWebAssembly(options: WebAssemblyOptions = {}): WebAssemblyFacade {
  const realm = new Realm(options);
  const Module = createModuleClass(realm), Instance = createInstanceClass(realm);
  const Table = createTableClass(realm), Global = createGlobalClass(realm);
  realm.tablePrototype = Table.prototype;
  realm.globalPrototype = Global.prototype;
  const { fuel } = realm;

  const classes = { Module, Instance, Table, Global, Memory: HostMemory, ...realm.errors };
  // deno-lint-ignore require-await -- what is thrown must become a rejection
  const compile = async (bytes: BufferSource) => new Module(bytes);
  const instantiateBytes = (bytes: BufferSource, imports?: WebAssembly.Imports) => {
    const module = new Module(bytes);
    return { module, instance: new Instance(module, imports) };
  };
  const functions = {
    compile: (bytes: BufferSource) => compile(bytes),
    // deno-lint-ignore require-await -- see above
    instantiate: async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
      if (imports !== undefined && !isObject(imports)) {
        throw new TypeError("Cannot instantiate: the import object must be an object");
      }
      return realm.modules.has(source)
        ? new Instance(source as WebAssembly.Module, imports)
        : instantiateBytes(source as BufferSource, imports);
    },
    validate: (bytes: BufferSource) => isValid(bytes),
    compileStreaming: async (source: Response | PromiseLike<Response>) => compile(await bytesOf(source)),
    instantiateStreaming: async (
      source: Response | PromiseLike<Response>,
      imports?: WebAssembly.Imports,
    ) => instantiateBytes(await bytesOf(source), imports),
  };
  Object.defineProperty(functions.instantiate, "length", { value: 1 });
  Object.defineProperty(functions.instantiateStreaming, "length", { value: 1 });
  const controls: FuelControls = {
    consumedFuel: () => fuel.consumed(),
    remainingFuel: () => fuel.remaining(),
    resetFuel: (limit) => fuel.reset(limit === undefined ? undefined : fuelAmount(limit, "reset the fuel")),
    addFuel: (amount) => fuel.raise(fuelAmount(amount, "add fuel")),
    tryConsumeFuel: (amount) => fuel.tryCharge(fuelAmount(amount, "consume fuel")),
  };

  const facade = {};
  for (const [members, enumerable] of [[functions, true], [classes, false], [controls, false]] as const) {
    for (const [name, value] of Object.entries(members)) {
      Object.defineProperty(facade, name, { value, enumerable, writable: true, configurable: true });
    }
  }
  Object.defineProperty(facade, Symbol.toStringTag, { value: "WebAssembly", configurable: true });
  return facade as WebAssemblyFacade;
}

/** The bytes of a response that says it is a module. */
async function bytesOf(source: Response | PromiseLike<Response>): Promise<ArrayBuffer> {
  const response = await source;
  if (!(response instanceof Response)) {
    throw new TypeError("Cannot compile a stream: the source must be a Response, or a promise of one");
  }
  const type = response.headers.get("content-type");
  if (type?.toLowerCase() !== "application/wasm") {
    throw new TypeError(`Cannot compile a stream: its type must be application/wasm, not ${type}`);
  }
  if (!response.ok) throw new TypeError(`Cannot compile a stream: its status is ${response.status}`);
  return await response.arrayBuffer();
}
