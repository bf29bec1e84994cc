/**
 * A calculation in slices of fuel that saves itself in a file between two of them: whoever makes one
 * with the same file goes on where the last one was, also when its process died in the middle.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, type RwasmModule, RwasmStore } from "../../mod.ts";
import { Digits } from "./digits.ts";

/** A calculation of digits of pi. */
export class Survivor {
  readonly #file: string;
  readonly #linker: ImportLinker<undefined>;
  readonly #module: RwasmModule;
  readonly #digits = new Digits();
  #executor: RwasmExecutor;

  /**
   * Goes on from the file when there is one, and begins otherwise.
   *
   * @throws {SnapshotError} when the file is no snapshot of this calculation.
   */
  constructor(file: string, wasm: Uint8Array) {
    this.#file = file;
    this.#linker = new ImportLinker<undefined>().use(this.#digits.plugin);
    this.#module = compile(wasm, { linker: this.#linker });
    this.#executor = this.#open();
  }

  #open(): RwasmExecutor {
    const options = { onOutOfFuel: "pause" } as const;
    let bytes: Uint8Array;
    try {
      bytes = Deno.readFileSync(this.#file);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return new RwasmExecutor(new RwasmStore({ linker: this.#linker, fuelLimit: 0 }), this.#module, options);
    }
    return RwasmExecutor.restore<undefined>(bytes, {
      module: this.#module,
      linker: this.#linker,
      ...options,
    });
  }

  /** Fuel consumed since the very beginning. */
  get fuel(): bigint {
    return this.#executor.store.consumedFuel();
  }

  /** Digits so far, the 3 among them. */
  get digits(): string {
    return this.#digits.text.slice(1); // the first one is the 0 before the 3
  }

  /** Whether a run has begun, here or in an earlier process. */
  get isUnderWay(): boolean {
    return this.#executor.paused !== undefined;
  }

  /** Calculates with an amount of fuel; whether that was enough to end. */
  advance(digits: number, fuel: bigint): boolean {
    const executor = this.#executor;
    executor.store.addFuel(fuel);
    const outcome = executor.paused === undefined ? executor.call("pi", [digits]) : executor.resume();
    if (outcome.status === "trap") throw outcome.trap;
    return outcome.status === "done";
  }

  /** Saves. A rename replaces the file at once: who dies while writing leaves the old one. */
  save(): void {
    const draft = `${this.#file}.new`;
    Deno.writeFileSync(draft, this.#executor.snapshot());
    Deno.renameSync(draft, this.#file);
  }
}
