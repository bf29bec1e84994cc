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
import type { ParkedRun } from "./executor.ts";
import { HostCall, HostFunction } from "./host_call.ts";
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
  parked: ParkedRun | undefined = undefined;
  /** @internal The host function that is running. */
  hostCall: HostCall<T> | undefined = undefined;
  /** @internal Whether a run is on the host's stack. */
  running = false;
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
    const parked = this.parked;
    this.parked = undefined;
    this.fuel.reset(this.fuel.limit);
    if (parked?.run.initializing) {
      this.machine = parked.run.previous;
      return;
    }
    const machine = this.machine;
    if (machine === undefined) return;
    if (!keepFlags) {
      machine.droppedData.clear();
      machine.droppedElements.clear();
    }
    machine.signaturePending = false;
  }
}

/** The memory of whatever instance is active; an access out of range ends the run, or throws between runs. */
class StoreMemory<T> implements GuestMemory {
  readonly #store: RwasmStore<T>;

  constructor(store: RwasmStore<T>) {
    this.#store = store;
  }

  get byteLength(): number {
    return this.#store.machine?.memory.byteLength ?? 0;
  }

  read(offset: number, length: number): Uint8Array {
    this.#check("read", offset, length);
    try {
      return this.view().slice(offset, offset + length);
    } catch {
      throw new UsageError(
        "OutOfHostMemory",
        `Cannot read guest memory: the host cannot allocate ${length} bytes`,
      );
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) {
      throw new UsageError(
        "InvalidBytes",
        `Cannot write guest memory: bytes must be a Uint8Array, not ${foundText(bytes)}`,
      );
    }
    this.#check("write", offset, bytes.length);
    this.view().set(bytes, offset);
  }

  view(): Uint8Array {
    return this.#store.machine?.memory.bytes ?? new Uint8Array(0);
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
    const call = this.#store.hostCall;
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
