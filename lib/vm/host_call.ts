/**
 * One call of a host function as its code sees it: the `Caller`, which lives as long as the call and
 * notes how it wants the run to end. Also what calls of one function need each time. It moves no
 * values and runs nothing: see `syscall.ts`.
 *
 * @module
 */

import { PluginError, RwasmError, type SyscallOrigin, TRAP_NAMES, type TrapName } from "../error.ts";
import { slotsOfAll, type ValueType } from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import type { Caller, GuestMemory, Syscall } from "../plugin/plugin.ts";
import type { TrapCause } from "./explain.ts";
import { fuelAmount } from "./fuel.ts";
import type { RwasmStore } from "./store.ts";
import { foundText } from "./values.ts";

/** How driving a machine ended; the machine stands where it happened. */
export type Ending =
  | { readonly kind: "done" }
  | { readonly kind: "halt" }
  | { readonly kind: "trap"; readonly cause: TrapCause }
  | {
    readonly kind: "pause";
    /** What the host function gave to `caller.pause`, or its promise. */
    readonly payload: unknown;
    /** Types that `resume` must supply; undefined when the code itself paused and nothing is known. */
    readonly results: readonly ValueType[] | undefined;
    /** Index of the host function that owes them; undefined when the code itself paused. */
    readonly syscall: number | undefined;
    /** The call that goes on meanwhile, of an asynchronous function. */
    readonly pending: PendingCall | undefined;
  }
  | {
    /** A charge at `machine.pc`, or of the host function called there, passes the limit. */
    readonly kind: "fuel";
    /** The charge. */
    readonly required: bigint;
    /** What the host function called there has charged already, and charges again when it is called again. */
    readonly charged: bigint;
    /** The trap it is where runs do not pause. */
    readonly cause: TrapCause;
  }
  | {
    /** Whoever started the run wants it to stop at `machine.pc`. */
    readonly kind: "stop";
    readonly why: "abort" | "deadline" | "breakpoint" | "step" | "turn";
  };

/** A call of an asynchronous host function that has not settled; the machine waits behind the call. */
export interface PendingCall {
  /** The call; its function may still use it. */
  readonly call: HostCall<unknown>;
  /** The function. */
  readonly callee: HostFunction<unknown>;
  /** Settles as the function does; nobody needs to handle it. */
  readonly promise: Promise<unknown>;
}

/** What ends a run from within a host function. */
type HostEnding =
  | { readonly kind: "halt" }
  | { readonly kind: "trap"; readonly cause: TrapCause }
  | { readonly kind: "fuel"; readonly required: bigint; readonly charged: bigint; readonly cause: TrapCause }
  | { readonly kind: "pause"; readonly payload: unknown };

/** A host function as a store calls it: what follows from its declaration, worked out once. */
export class HostFunction<T> {
  /** The declaration. */
  readonly syscall: Syscall<T>;
  /** Slots of the arguments. */
  readonly paramSlots: number;
  /** Slots of the results. */
  readonly resultSlots: number;

  /** Works it out. */
  constructor(syscall: Syscall<T>) {
    this.syscall = syscall;
    this.paramSlots = slotsOfAll(syscall.params);
    this.resultSlots = slotsOfAll(syscall.results);
  }

  /** "host function "env"."log" of plugin "env"", for messages. */
  get label(): string {
    const { module, name, plugin } = this.syscall;
    return `host function ${quoteName(module)}.${quoteName(name)} of ${plugin}`;
  }

  /** The same as data. */
  get origin(): SyscallOrigin {
    const { module, name, plugin } = this.syscall;
    return { module, name, plugin };
  }
}

/** One call of a host function; what its code sees as `Caller`. */
export class HostCall<T> implements Caller<T> {
  readonly #store: RwasmStore<T>;
  readonly #callee: HostFunction<T>;
  #live = true;
  #ending: HostEnding | undefined;
  /** What it has charged, while calling the function again would do the same: it has only read and charged. */
  #charged: bigint | undefined = 0n;

  /** A call that has not ended. */
  constructor(store: RwasmStore<T>, callee: HostFunction<T>) {
    this.#store = store;
    this.#callee = callee;
  }

  /** Ends the life of a call; how the host function wanted the run to end, if it did. */
  static close<T>(call: HostCall<T>): HostEnding | undefined {
    call.#live = false;
    return call.#ending;
  }

  /** How the host function wants the run to end, so far. */
  static ending<T>(call: HostCall<T>): HostEnding | undefined {
    return call.#ending;
  }

  /** Refuses what a function does after its call has ended. */
  static check<T>(call: HostCall<T>, what: string): void {
    call.#open(what);
  }

  /** Notes that the function did what cannot be done again. */
  static touch<T>(call: HostCall<T>): void {
    call.#charged = undefined;
  }

  /** Names the function in messages. */
  static label<T>(call: HostCall<T>): string {
    return call.#callee.label;
  }

  /**
   * Ends the run: what is noted first counts, even when the plugin swallows the error that this
   * throws to leave it.
   */
  static end<T>(call: HostCall<T>, ending: HostEnding): never {
    call.#ending ??= ending;
    const how = "cause" in call.#ending ? `trap ${call.#ending.cause.code}` : call.#ending.kind;
    throw new RwasmError("CallEnded", `Cannot go on in ${call.#callee.label}: the call has ended (${how})`, {
      hint: "let this error pass; the run ends the same way if it is caught",
    });
  }

  #open(what: string): RwasmStore<T> {
    if (!this.#live) {
      throw new PluginError(
        "StaleCaller",
        `Cannot ${what}: the call of ${this.#callee.label} has returned`,
        { hint: "use the caller only until the host function returns; between runs use the store" },
      );
    }
    if (this.#ending !== undefined) HostCall.end(this, this.#ending);
    return this.#store;
  }

  /** Host context of the store. */
  get data(): T {
    this.#charged = undefined;
    return this.#open("use caller.data").data;
  }

  /** The guest's memory. */
  get memory(): GuestMemory {
    const store = this.#open("use caller.memory");
    // An asynchronous function may still have it when another call is under way.
    return this.#callee.syscall.async ? store.memoryOf(this) : store.memory;
  }

  /**
   * Charges fuel; ends the run with OutOfFuel when the limit does not allow it, or pauses it before
   * the call when the executor pauses and the call can be made again.
   */
  consumeFuel(amount: bigint | number): void {
    const { fuel } = this.#open("consume fuel");
    const charge = fuelAmount(amount, "consume fuel");
    const charged = this.#charged;
    if (fuel.tryCharge(charge)) {
      if (charged !== undefined) this.#charged = charged + charge;
      return;
    }
    const detail = `${this.#callee.label} needed ${charge}, ${fuel.remaining()} of ${fuel.limit} left`;
    const cause = { code: "OutOfFuel", detail } as const;
    if (charged === undefined) HostCall.end(this, { kind: "trap", cause });
    HostCall.end(this, { kind: "fuel", required: charged + charge, charged, cause });
  }

  /** Charges fuel if the limit allows it, else charges nothing and says false. */
  tryConsumeFuel(amount: bigint | number): boolean {
    // What the function does next depends on the answer, which would be another one the next time.
    this.#charged = undefined;
    return this.#open("consume fuel").tryConsumeFuel(amount);
  }

  /** What may still be consumed; undefined when unbounded. */
  remainingFuel(): bigint | undefined {
    return this.#open("read the fuel").remainingFuel();
  }

  /** Consumed becomes 0, the limit becomes `limit`; undefined for unbounded. */
  resetFuel(limit?: bigint | number): void {
    this.#charged = undefined;
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
    HostCall.end(this, { kind: "trap", cause: { code, detail: `raised by ${this.#callee.label}` } });
  }
}
