/**
 * The store: host context, fuel, limits and the state of one active instance. It outlives instances
 * and runs; executors act on it. It runs nothing by itself.
 *
 * @module
 */

import { Trap, UsageError } from "../error.ts";
import { type Limits, resolveLimits } from "../limits.ts";
import { ImportLinker } from "../plugin/linker.ts";
import type { GuestMemory } from "../plugin/plugin.ts";
import { fuelAmount, FuelMeter } from "./fuel.ts";
import type { Machine } from "./machine.ts";
import { HostCall, HostFunction, type PendingCall } from "./host_call.ts";
import { foundText } from "./values.ts";

/** What a store is made with; everything is optional. */
export interface StoreOptions<T> {
  /** Host functions the guest may call; without one every syscall traps. */
  readonly linker?: ImportLinker<T> | undefined;
  /** Host context: what host functions find in `caller.data`. */
  readonly data?: T;
  /** Fuel that may be consumed, 0 … 2^64 − 1; undefined for no bound. */
  readonly fuelLimit?: bigint | number | undefined;
  /** Bounds of the machine; what is absent is as in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits> | undefined;
  /** @internal A fuel counter to share with other stores; `fuelLimit` is then not looked at. */
  readonly fuel?: FuelMeter | undefined;
}

/** What a store must know of a run that is paused; the executor that parked it knows more. */
export interface Parked {
  /** The executor that may resume it. */
  readonly owner: object;
  /** Whether the run makes the instance: then giving it up undoes that. */
  readonly initializing: boolean;
  /** The machine the store then returns to. */
  readonly previous: Machine | undefined;
  /** The call of an asynchronous host function it waits for: giving the run up ends that. */
  readonly pending: PendingCall | undefined;
  /** Tells whoever waits for that call that the run was given up; undefined when nobody does. */
  wake: (() => void) | undefined;
}

/**
 * State of one active instance, with the host's context and the fuel counter.
 *
 * @typeParam T host context.
 *
 * @example
 * ```ts
 * import { RwasmStore } from "./mod.ts";
 * const store = new RwasmStore({ fuelLimit: 1000 });
 * store.tryConsumeFuel(10);
 * console.log(store.consumedFuel(), store.remainingFuel()); // 10n 990n
 * ```
 */
export class RwasmStore<T = undefined> {
  /** Host context. */
  data: T;
  /** The memory of the active instance; empty when there is none. */
  readonly memory: GuestMemory;
  /** Bounds of the machine. */
  readonly limits: Limits;
  /** Host functions the guest may call. */
  readonly linker: ImportLinker<T> | undefined;

  /** @internal Fuel counter, shared with the machine. */
  readonly fuel: FuelMeter;
  /** @internal State of the active instance, or of the one that is being instantiated. */
  machine: Machine | undefined = undefined;
  /** @internal The paused run. */
  parked: Parked | undefined = undefined;
  /** @internal The host function that is running. */
  hostCall: HostCall<T> | undefined = undefined;
  /** @internal Whether a run is on the host's stack. */
  running = false;
  /** @internal Whether `Symbol.dispose` has been called. */
  disposed = false;
  /** @internal Runs that wait for a run that one of their host functions started. */
  nesting = 0;
  /** Host functions that have been called, by index. A linker never changes what an index means. */
  readonly #hostFunctions = new Map<number, HostFunction<T>>();

  /**
   * An empty store.
   *
   * @throws {UsageError} `InvalidOptions`, `InvalidLimit`, `InvalidFuel` or `InvalidLinker`.
   */
  constructor(options: StoreOptions<T> = {}) {
    if (typeof options !== "object" || options === null) {
      throw new UsageError(
        "InvalidOptions",
        `Cannot make a store: options are ${foundText(options)}, not an object`,
      );
    }
    const { linker, data, fuelLimit, limits } = options;
    if (linker !== undefined && !(linker instanceof ImportLinker)) {
      throw new UsageError(
        "InvalidLinker",
        `Cannot make a store: linker is ${foundText(linker)}, not an ImportLinker`,
      );
    }
    this.data = data as T;
    this.linker = linker;
    this.limits = resolveLimits(limits);
    this.fuel = options.fuel ??
      new FuelMeter(fuelLimit === undefined ? undefined : fuelAmount(fuelLimit, "make a store"));
    this.memory = new StoreMemory(this);
  }

  /** @internal The host function of a syscall index (u32). */
  hostFunction(index: number): HostFunction<T> | undefined {
    const known = this.#hostFunctions.get(index);
    if (known !== undefined) return known;
    const syscall = this.linker?.bySyscall(index);
    if (syscall === undefined) return undefined;
    const found = new HostFunction(syscall);
    this.#hostFunctions.set(index, found);
    return found;
  }

  /** @internal The memory for a host function that goes on while the machine waits for it. */
  memoryOf(call: HostCall<T>): GuestMemory {
    return new StoreMemory(this, call);
  }

  /** Fuel consumed since the store was made or last reset. */
  consumedFuel(): bigint {
    return this.fuel.consumed();
  }

  /** Fuel that may still be consumed; undefined when unbounded. */
  remainingFuel(): bigint | undefined {
    return this.fuel.remaining();
  }

  /**
   * Consumed becomes 0, the limit becomes `limit`; undefined for unbounded. Allowed at any time,
   * also while a run is paused.
   *
   * @throws {UsageError} `InvalidFuel`.
   */
  resetFuel(limit?: bigint | number): void {
    this.fuel.reset(limit === undefined ? undefined : fuelAmount(limit, "reset the fuel"));
  }

  /**
   * Raises the limit and keeps what was consumed, so that a run that paused for fuel can go on.
   * Allowed at any time. A limit does not pass 2^64 − 1; without a limit nothing changes.
   *
   * @throws {UsageError} `InvalidFuel`.
   *
   * @example
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const store = new RwasmStore({ fuelLimit: 10 });
   * const module = assemble("ConsumeFuel 25\nReturn");
   * const executor = new RwasmExecutor(store, module, { onOutOfFuel: "pause" });
   * let outcome = executor.execute();
   * if (outcome.status === "paused" && outcome.reason === "fuel") {
   *   store.addFuel(outcome.required - outcome.remaining);
   *   outcome = executor.resume();
   * }
   * console.log(outcome.status, store.consumedFuel()); // done 25n
   * ```
   */
  addFuel(amount: bigint | number): void {
    this.fuel.raise(fuelAmount(amount, "add fuel"));
  }

  /**
   * Charges fuel; false, and nothing charged, when that would pass the limit.
   *
   * @throws {UsageError} `InvalidFuel`.
   */
  tryConsumeFuel(amount: bigint | number): boolean {
    return this.fuel.tryCharge(fuelAmount(amount, "consume fuel"));
  }

  /**
   * Gives up a paused run, sets consumed fuel to 0 under the same limit, and makes dropped segments
   * readable again unless `keepFlags`. An instantiation that was paused is undone. Memory, tables
   * and globals stay.
   *
   * @throws {UsageError} `Reentrant` when called by a host function.
   */
  reset(keepFlags = false): void {
    if (this.running) {
      throw new UsageError("Reentrant", "Cannot reset the store: one of its runs is calling a host function");
    }
    if (this.giveUp()) return void this.fuel.reset(this.fuel.limit);
    this.fuel.reset(this.fuel.limit);
    const machine = this.machine;
    if (machine === undefined) return;
    if (!keepFlags) {
      machine.droppedData.clear();
      machine.droppedElements.clear();
    }
    machine.signaturePending = false;
  }

  /** @internal Gives up a paused run; true when it was an instantiation, which is then undone. */
  giveUp(): boolean {
    const parked = this.parked;
    if (parked === undefined) return false;
    this.parked = undefined;
    if (parked.pending !== undefined) HostCall.close(parked.pending.call);
    if (parked.initializing) this.machine = parked.previous;
    parked.wake?.();
    return parked.initializing;
  }

  /**
   * Gives up a paused run and lets go of the instance with its memory. Fuel and context can still be
   * read; running anything is a `UsageError`. Done by `using`; the second time it does nothing.
   *
   * @throws {UsageError} `Reentrant` when called by a host function.
   *
   * @example
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * {
   *   using store = new RwasmStore();
   *   new RwasmExecutor(store, assemble("Return")).execute();
   * } // here its memory is free again
   * ```
   */
  [Symbol.dispose](): void {
    if (this.disposed) return;
    if (this.running) {
      throw new UsageError(
        "Reentrant",
        "Cannot dispose the store: one of its runs is calling a host function",
      );
    }
    this.giveUp();
    this.machine = undefined;
    this.disposed = true;
  }
}

/** The memory of whatever instance is active; an access out of range ends the run, or throws between runs. */
class StoreMemory<T> implements GuestMemory {
  readonly #store: RwasmStore<T>;
  /** The call it was made for; undefined for whichever is running. */
  readonly #call: HostCall<T> | undefined;

  constructor(store: RwasmStore<T>, call?: HostCall<T>) {
    this.#store = store;
    this.#call = call;
  }

  get byteLength(): number {
    return this.#store.machine?.memory.byteLength ?? 0;
  }

  read(offset: number, length: number): Uint8Array {
    this.#open("read");
    this.#check("read", offset, length);
    try {
      return this.#bytes.slice(offset, offset + length);
    } catch {
      throw new UsageError(
        "OutOfHostMemory",
        `Cannot read guest memory: the host cannot allocate ${length} bytes`,
      );
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#open("write");
    if (!(bytes instanceof Uint8Array)) {
      throw new UsageError(
        "InvalidBytes",
        `Cannot write guest memory: bytes must be a Uint8Array, not ${foundText(bytes)}`,
      );
    }
    this.#check("write", offset, bytes.length);
    this.#touch();
    this.#bytes.set(bytes, offset);
  }

  view(): Uint8Array {
    this.#open("read");
    this.#touch();
    return this.#bytes;
  }

  get #bytes(): Uint8Array {
    return this.#store.machine?.memory.bytes ?? new Uint8Array(0);
  }

  #open(verb: string): void {
    if (this.#call !== undefined) HostCall.check(this.#call, `${verb} guest memory`);
  }

  /** What can write makes the call one that cannot be made again. */
  #touch(): void {
    const call = this.#call ?? this.#store.hostCall;
    if (call !== undefined) HostCall.touch(call);
  }

  /** A guest pointer from 2^31 on arrives as a negative number: it is out of range, not a mistake of the host. */
  #check(verb: string, offset: unknown, length: unknown): void {
    if (!Number.isInteger(offset) || !Number.isInteger(length)) {
      const found = Number.isInteger(offset)
        ? `length is ${foundText(length)}`
        : `offset is ${foundText(offset)}`;
      throw new UsageError("InvalidRange", `Cannot ${verb} guest memory: ${found}, not an integer`);
    }
    const from = offset as number, count = length as number, size = this.byteLength;
    if (from >= 0 && count >= 0 && from + count <= size) return;
    const call = this.#call ?? this.#store.hostCall;
    const who = call === undefined ? "by the host" : `by ${HostCall.label(call)}`;
    const detail = `${verb} of ${count} bytes at ${pointerText(from)} ${who}; memory has ${size} bytes`;
    if (call !== undefined) {
      HostCall.end(call, { kind: "trap", cause: { code: "MemoryOutOfBounds", detail } });
    }
    throw new Trap("MemoryOutOfBounds", (this.#store.machine?.pc ?? 0) >>> 0, { detail });
  }
}

/** A pointer in a message: the guest's are unsigned, and those from 2^31 on arrive as negative numbers. */
function pointerText(pointer: number): string {
  return pointer < 0 && pointer >= -(2 ** 31) ? `0x${(pointer >>> 0).toString(16)}` : String(pointer);
}
