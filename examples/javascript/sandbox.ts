/**
 * JavaScript in a sandbox: scripts run by QuickJS, the unmodified npm package quickjs-wasi, whose program
 * runs on our `WebAssembly`, so that each script has a budget of fuel and a bound on memory. The clock
 * stands still and random numbers come from a seed: a script gives the same result and the same fuel in
 * every run and on every machine.
 *
 * @module
 */

import { QuickJS } from "quickjs-wasi";
import { createWebAssembly, RwasmError, type WebAssemblyFacade } from "../../mod.ts";

/** Where the package keeps the program. */
const QUICKJS = new URL("../quickjs.wasm", import.meta.resolve("quickjs-wasi"));

/** What a script may use. */
export interface Budget {
  /** Fuel, without what making the sandbox costs. */
  readonly fuel: bigint;
  /** Bytes that the script's values may take. */
  readonly memory: number;
}

/** What came of a script. */
export interface Result {
  /** "value"; "error" when it threw; else why it was stopped, such as "OutOfFuel". */
  readonly status: string;
  /** The value of its last expression. */
  readonly value: unknown;
  /** What it threw, or what stopped it. */
  readonly message: string;
  /** What it printed. */
  readonly lines: readonly string[];
  /** Fuel the script consumed. */
  readonly fuel: bigint;
}

/** Time that scripts see, in milliseconds since 1970. */
const NOW = Date.UTC(2025, 0, 1);

/** Bytes of stack; a script that recurses deeper gets a RangeError. QuickJS has half a MiB in all. */
const STACK = 256 * 1024;

/** Runs scripts, each in a new QuickJS. */
export class JavaScriptSandbox {
  readonly #wasm: WebAssemblyFacade;
  readonly #module: WebAssembly.Module;

  /** Compiles the program. */
  constructor() {
    this.#wasm = createWebAssembly({ limits: { memoryPages: 4096 } });
    this.#module = new this.#wasm.Module(Deno.readFileSync(QUICKJS));
  }

  /** Runs a script. One at a time: wait for its result before you run another. */
  async run(script: string, budget: Budget): Promise<Result> {
    const wasm = this.#wasm, lines: string[] = [];
    wasm.resetFuel();
    const vm = await this.#create(budget.memory);
    const print = vm.newFunction("print", (...values) => {
      lines.push(values.map((value) => value.toString()).join(" "));
      return vm.newNumber(lines.length);
    });
    vm.setProp(vm.global, "print", print);
    wasm.resetFuel(budget.fuel);
    const ending = (status: string, value: unknown, message: string): Result => ({
      status,
      value,
      message,
      lines,
      fuel: wasm.consumedFuel(),
    });
    try {
      const value = vm.dump(vm.evalCode(script));
      vm.executePendingJobs();
      return ending("value", value, "");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // A trap is the end of this QuickJS; an exception of the script is not, but it is not used again.
      const stopped = error.cause instanceof RwasmError ? error.cause.code : undefined;
      return ending(stopped ?? "error", undefined, stopped === undefined ? String(error) : error.message);
    }
  }

  /** A new QuickJS on our WebAssembly. */
  async #create(memoryLimit: number): Promise<QuickJS> {
    // The package takes `WebAssembly` from the global object, and only while it makes an instance.
    const host = globalThis.WebAssembly;
    globalThis.WebAssembly = this.#wasm as unknown as typeof WebAssembly;
    try {
      return await QuickJS.create({
        wasm: this.#module,
        memoryLimit,
        maxStackSize: STACK,
        wasi: (memory) => ({
          clock_time_get(_clock: number, _precision: bigint, result: number) {
            new DataView(memory.buffer).setBigUint64(result, BigInt(NOW) * 1_000_000n, true);
            return 0;
          },
          random_get(pointer: number, length: number) {
            new Uint8Array(memory.buffer, pointer >>> 0, length >>> 0).fill(0x5a);
            return 0;
          },
        }),
      });
    } finally {
      globalThis.WebAssembly = host;
    }
  }
}
