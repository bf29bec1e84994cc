/**
 * Calls of host functions: takes the arguments off the stack of a machine that stopped at a syscall,
 * runs the host function with a `Caller` that lives as long as the call, and checks and pushes what
 * it returns. A plugin is trusted with the host, but not to be free of mistakes: whatever it throws
 * or returns becomes an ending of the run.
 *
 * @module
 */

import { PluginError, RwasmError, TRAP_NAMES, type TrapName } from "../error.ts";
import { slotsOfAll, type ValueType } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import type { Caller, GuestMemory, Syscall, Value } from "../plugin/plugin.ts";
import type { TrapCause } from "./explain.ts";
import { fuelAmount } from "./fuel.ts";
import type { Machine } from "./machine.ts";
import type { RwasmStore } from "./store.ts";
import { expectedText, foundText, isValueOf, readValues, writeValues } from "./values.ts";

/** How driving a machine ended; the machine stands where it happened. */
export type Ending =
  | { readonly kind: "done" }
  | { readonly kind: "halt" }
  | { readonly kind: "trap"; readonly cause: TrapCause }
  | {
    readonly kind: "pause";
    /** What the host function gave to `caller.pause`. */
    readonly payload: unknown;
    /** Types that `resume` must supply; undefined when the code itself paused and nothing is known. */
    readonly results: readonly ValueType[] | undefined;
  };

/** What ends a run from within a host function. */
type HostEnding =
  | { readonly kind: "halt" }
  | { readonly kind: "trap"; readonly cause: TrapCause }
  | { readonly kind: "pause"; readonly payload: unknown };

/** One call of a host function; what its code sees as `Caller`. */
export class HostCall<T> implements Caller<T> {
  readonly #store: RwasmStore<T>;
  readonly #label: string;
  #live = true;
  #ending: HostEnding | undefined;

  /** A call that has not ended; `label` names the function in messages. */
  constructor(store: RwasmStore<T>, label: string) {
    this.#store = store;
    this.#label = label;
  }

  /** Ends the life of a call; how the host function wanted the run to end, if it did. */
  static close<T>(call: HostCall<T>): HostEnding | undefined {
    call.#live = false;
    return call.#ending;
  }

  /**
   * Ends the run: what is noted first counts, even when the plugin swallows the error that this
   * throws to leave it.
   */
  static end<T>(call: HostCall<T>, ending: HostEnding): never {
    call.#ending ??= ending;
    const how = call.#ending.kind === "trap" ? `trap ${call.#ending.cause.code}` : call.#ending.kind;
    throw new RwasmError("CallEnded", `Cannot go on in ${call.#label}: the call has ended (${how})`, {
      hint: "let this error pass; the run ends the same way if it is caught",
    });
  }

  #open(what: string): RwasmStore<T> {
    if (!this.#live) {
      throw new PluginError("StaleCaller", `Cannot ${what}: the call of ${this.#label} has returned`, {
        hint: "use the caller only until the host function returns; between runs use the store",
      });
    }
    if (this.#ending !== undefined) HostCall.end(this, this.#ending);
    return this.#store;
  }

  /** Host context of the store. */
  get data(): T {
    return this.#open("use caller.data").data;
  }

  /** The guest's memory. */
  get memory(): GuestMemory {
    return this.#open("use caller.memory").memory;
  }

  /** Charges fuel; ends the run with OutOfFuel when the limit does not allow it. */
  consumeFuel(amount: bigint | number): void {
    const { fuel } = this.#open("consume fuel");
    const charge = fuelAmount(amount, "consume fuel");
    if (fuel.tryCharge(charge)) return;
    const detail = `${this.#label} needed ${charge}, ${fuel.remaining()} of ${fuel.limit} left`;
    HostCall.end(this, { kind: "trap", cause: { code: "OutOfFuel", detail } });
  }

  /** Charges fuel if the limit allows it, else charges nothing and says false. */
  tryConsumeFuel(amount: bigint | number): boolean {
    return this.#open("consume fuel").tryConsumeFuel(amount);
  }

  /** What may still be consumed; undefined when unbounded. */
  remainingFuel(): bigint | undefined {
    return this.#open("read the fuel").remainingFuel();
  }

  /** Consumed becomes 0, the limit becomes `limit`; undefined for unbounded. */
  resetFuel(limit?: bigint | number): void {
    this.#open("reset the fuel").resetFuel(limit);
  }

  /** Ends this call as "paused"; `resume(results)` supplies the results. */
  pause(payload?: unknown): never {
    this.#open("pause");
    HostCall.end(this, { kind: "pause", payload });
  }

  /** Ends the run as done, with zeros for results. */
  halt(): never {
    this.#open("halt");
    HostCall.end(this, { kind: "halt" });
  }

  /** Ends the run with a trap; ExecutionHalted and InterruptionCalled halt and pause. */
  trap(code: TrapName): never {
    this.#open("trap");
    if (code === "ExecutionHalted") this.halt();
    if (code === "InterruptionCalled") this.pause();
    if (code !== "HostError" && !(TRAP_NAMES as readonly string[]).includes(code)) {
      throw new PluginError("UnknownTrap", `Cannot trap: ${foundText(code)} is not the name of a trap`);
    }
    HostCall.end(this, { kind: "trap", cause: { code, detail: `raised by ${this.#label}` } });
  }
}

/**
 * Performs the syscall at `machine.pc`: undefined when the machine can go on behind it, else how the
 * run ended. When it did not go on, the machine still stands at the call, except after a pause.
 */
export function performSyscall<T>(machine: Machine, store: RwasmStore<T>): Ending | undefined {
  const syscall = store.linker?.bySyscall(machine.module.immediates[machine.pc]! >>> 0);
  if (syscall === undefined) return trap("UnknownExternalFunction");
  const paramSlots = slotsOfAll(syscall.params), resultSlots = slotsOfAll(syscall.results);
  const height = machine.sp, base = height - paramSlots;
  if (base < 0) {
    return trap("StackOverflow", `${labelOf(syscall)} takes ${paramSlots} slots, there are ${height}`);
  }
  machine.sp = base;
  const reserved = machine.reserve(resultSlots);
  machine.sp = height;
  if (!reserved || !ensureCells(machine, base + resultSlots)) {
    return trap("StackOverflow", `no room for ${resultSlots} result slots of ${labelOf(syscall)}`);
  }

  const args = readValues(machine.stack, base, syscall.params);
  const call = new HostCall(store, labelOf(syscall));
  let value: unknown, error: unknown, threw = false;
  store.hostCall = call;
  try {
    value = syscall.call(call, ...args);
  } catch (thrown) {
    error = thrown;
    threw = true;
  } finally {
    store.hostCall = undefined;
  }
  const ending = HostCall.close(call);
  if (ending !== undefined) {
    if (ending.kind !== "pause") return ending;
    machine.pc++;
    machine.sp = base;
    return { kind: "pause", payload: ending.payload, results: syscall.results };
  }
  if (threw) return hostError(syscall, error);

  const refused = pushResults(machine, base, syscall, value);
  if (refused !== undefined) return refused;
  machine.pc++;
  return undefined;
}

/** Makes sure that cells up to a height are allocated; they must be within the capacity. */
export function ensureCells(machine: Machine, height: number): boolean {
  return height <= machine.stack.length || machine.growStack(height);
}

/** Checks what a host function returned and puts it on the stack; an ending when it is refused. */
function pushResults<T>(
  machine: Machine,
  base: number,
  syscall: Syscall<T>,
  value: unknown,
): Ending | undefined {
  const { results } = syscall;
  let values: unknown[];
  try {
    if (isThenable(value)) return refuseThenable(syscall, value);
    if (results.length === 1) values = [value];
    else if (results.length === 0) values = value === undefined ? [] : [value];
    else if (Array.isArray(value) && value.length === results.length) values = [...value];
    else values = Array.isArray(value) ? value.slice(0, results.length + 1) : [value];
  } catch (error) {
    return hostError(syscall, error); // a proxy or getter of the plugin threw
  }
  if (values.length !== results.length) {
    const found = values.length === 1
      ? foundText(values[0])
      : `${values.length > results.length ? "more than " : ""}${
        Math.min(values.length, results.length)
      } values`;
    const expected = results.length === 0 ? "nothing (undefined)" : `an array of ${results.length} values`;
    return trap("BadSignature", `${labelOf(syscall)} must return ${expected}, not ${found}`);
  }
  for (let i = 0; i < results.length; i++) {
    if (isValueOf(results[i]!, values[i])) continue;
    const which = results.length === 1 ? "" : ` as result ${i}`;
    return trap(
      "BadSignature",
      `${labelOf(syscall)} must return ${expectedText(results[i]!)}${which}, not ${foundText(values[i])}`,
    );
  }
  machine.sp = base + writeValues(machine.stack, base, results, values as Value[]);
  return undefined;
}

function isThenable(value: unknown): boolean {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

function refuseThenable<T>(syscall: Syscall<T>, value: unknown): Ending {
  // Nobody will look at the promise any more; if it rejects, that must not end the process.
  if (value instanceof Promise) value.catch(() => {});
  return {
    kind: "trap",
    cause: {
      code: "BadSignature",
      detail: `${labelOf(syscall)} returned a promise`,
      hint: "call caller.pause() and give the results to executor.resume() when they are there",
    },
  };
}

function hostError<T>(syscall: Syscall<T>, error: unknown): Ending {
  return {
    kind: "trap",
    cause: { code: "HostError", detail: `${labelOf(syscall)} threw ${errorText(error)}`, cause: error },
  };
}

/** What was thrown, in one line; anything can be thrown, also what throws when it is looked at. */
function errorText(error: unknown): string {
  try {
    if (error instanceof RwasmError) return quoteName(error.shortMessage.split("\n", 1)[0]!);
    return error instanceof Error ? quoteName(`${error.name}: ${error.message}`) : foundText(error);
  } catch {
    return "something that cannot be described";
  }
}

function trap(code: TrapName, detail?: string): Ending {
  return { kind: "trap", cause: detail === undefined ? { code } : { code, detail } };
}

/** "host function "env"."log" of plugin "env"". */
function labelOf<T>({ module, name, plugin }: Syscall<T>): string {
  return `host function ${quoteName(module)}.${quoteName(name)} of ${plugin}`;
}
