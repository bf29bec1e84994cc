/**
 * Contracts on a chain: compiles once, and makes each call on a fresh instance with a budget of fuel.
 * A call that ends well has its writes kept; any other leaves the chain as it was.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, type RwasmModule, RwasmStore, type Value } from "../../mod.ts";
import { type Chain, chain, kv } from "./kv.ts";

/** What came of a call. */
export interface Receipt {
  /** "ok", or why the call was reverted: the code of the trap. */
  readonly status: string;
  /** What the function returned; empty when reverted. */
  readonly results: readonly Value[];
  /** Fuel the call consumed, also when it was reverted. */
  readonly fuel: bigint;
  /** What the contract logged; empty when reverted. */
  readonly logs: readonly string[];
}

/** A contract that can be called. */
export class Contract {
  readonly #linker = new ImportLinker<Chain>().use(kv).use(chain);
  readonly #module: RwasmModule;
  readonly #data: Chain;

  /**
   * A contract on a chain.
   *
   * @throws {ValidationError} | {LinkError} when the bytes are no program, or want what the plugins do not offer.
   */
  constructor(wasm: Uint8Array, data: Chain) {
    this.#module = compile(wasm, { linker: this.#linker });
    this.#data = data;
  }

  /** Calls a function as an account, with a budget. */
  call(sender: bigint, fuelLimit: bigint, name: string, ...params: Value[]): Receipt {
    const data = this.#data;
    data.sender = sender;
    // A fresh instance: what a call leaves in memory or globals must not reach the next one.
    const store = new RwasmStore<Chain>({
      linker: this.#linker,
      data,
      fuelLimit,
      limits: { memoryPages: 16, callDepth: 256 },
    });
    const outcome = new RwasmExecutor(store, this.#module).call(name, params);
    const done = outcome.status === "done";
    if (done) { for (const [key, value] of data.writes) data.state.set(key, value); }
    data.writes.clear();
    const logs = data.logs.splice(0);
    return {
      status: done ? "ok" : outcome.status === "trap" ? outcome.trap.code : outcome.status,
      results: done ? outcome.results : [],
      fuel: store.consumedFuel(),
      logs: done ? logs : [],
    };
  }
}
