/**
 * The same module in V8, called in step with ours: results, traps and the final memory must agree.
 * V8 has no fuel, so it is only asked for what ended here by itself.
 *
 * @module
 */

import { DEFAULT_LIMITS } from "../../mod.ts";
import type { Outcome, RwasmModule, RwasmStore, Value } from "../../mod.ts";

/** What host functions give back: the same as those of the campaign. */
const host = (result: number | bigint | undefined) => () => result;
const IMPORTS = {
  host: { add: host(5), mix: host(5n), read: host(undefined), pause: host(5), pause64: host(5n) },
  spectest: Object.fromEntries(
    ["print", "print_i32", "print_i64", "print_f32", "print_f64"].map((name) => [name, host(undefined)]),
  ),
};

/** Traps of ours that V8 has no counterpart for, or has at another depth. */
const INCOMPARABLE = new Set(["OutOfFuel", "StackOverflow"]);

/** A module instance in V8. */
export class Twin {
  readonly #exports: WebAssembly.Exports;
  /** False once something happened that V8 cannot be asked about. */
  inStep = true;

  private constructor(exports: WebAssembly.Exports) {
    this.#exports = exports;
  }

  /** Instantiates what ended as `outcome` here; undefined when there is nothing more to compare. */
  static instantiate(bytes: Uint8Array, outcome: Outcome): Twin | undefined {
    if (!isComparable(outcome)) return undefined;
    const module = new WebAssembly.Module(bytes.slice());
    const answer = attempt(() => new WebAssembly.Instance(module, IMPORTS));
    if (answer instanceof Error !== (outcome.status === "trap")) {
      throw new Error(`instantiation ends as ${ending(outcome)}; V8: ${answer}`);
    }
    return answer instanceof WebAssembly.Instance ? new Twin(answer.exports) : undefined;
  }

  /** Makes a call that ended as `outcome` here. */
  call(module: RwasmModule, name: string, args: readonly Value[], outcome: Outcome): void {
    this.inStep &&= isComparable(outcome);
    if (!this.inStep) return;
    const run = this.#exports[name] as (...args: readonly Value[]) => unknown;
    const answer = attempt(() => run(...args));
    // A size that only our limits refuse: from here on the two differ rightly.
    const refused = outcome.status === "done" && outcome.results[0] === -1 && answer !== -1;
    if (refused && args.some((arg) => typeof arg === "number" && arg >>> 0 >= DEFAULT_LIMITS.memoryPages)) {
      this.inStep = false;
      return;
    }
    const { results } = module.exports.find((item) => item.name === name)!;
    const same = outcome.status === "done"
      ? sameResults(
        outcome.results,
        results.length > 1 ? answer as unknown[] : [answer].slice(0, results.length),
      )
      : answer instanceof WebAssembly.RuntimeError;
    if (!same) throw new Error(`${name}(${args.map(String)}) ends as ${ending(outcome)}; V8: ${answer}`);
  }

  /** Compares memories, where V8's can be seen. */
  compareMemory(store: RwasmStore): void {
    const memory = Object.values(this.#exports).find((item) => item instanceof WebAssembly.Memory);
    if (!this.inStep || memory === undefined) return;
    const ours = store.memory.view(), theirs = new Uint8Array(memory.buffer);
    const at = ours.length === theirs.length
      ? ours.findIndex((byte, i) => byte !== theirs[i] && !isInNan(ours, theirs, i))
      : ours.length;
    if (at >= 0) throw new Error(`memory differs from V8's at ${at}: ${ours[at]} and ${theirs[at]}`);
  }
}

/** Whether a byte belongs to a float that is NaN in both memories: ours are canonical, V8's need not be. */
function isInNan(ours: Uint8Array, theirs: Uint8Array, at: number): boolean {
  return [4, 8].some((width) =>
    Array.from({ length: width }, (_, i) => at - i).some((start) => {
      if (start < 0 || start + width > ours.length) return false;
      return [ours, theirs].every((bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset + start);
        return Number.isNaN(width === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true));
      });
    })
  );
}

function isComparable(outcome: Outcome): boolean {
  return outcome.status === "done" || (outcome.status === "trap" && !INCOMPARABLE.has(outcome.trap.code));
}

/** What a step of V8 gives, or the trap it ends with. */
function attempt<T>(step: () => T): T | Error {
  try {
    return step();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return error;
    throw error;
  }
}

function sameResults(ours: readonly Value[], theirs: readonly unknown[]): boolean {
  return ours.every((value, i) =>
    // A function reference is a number here and a function there.
    Object.is(value, theirs[i]) || (typeof theirs[i] === "function" && typeof value === "number")
  );
}

function ending(outcome: Outcome): string {
  if (outcome.status === "done") return `(${outcome.results.map(String)})`;
  return outcome.status === "trap" ? outcome.trap.code : outcome.status;
}
