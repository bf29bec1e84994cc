/**
 * The fuel counter of a store: exact u64 consumption against an optional limit. The loop spends it
 * in slices of small integers, so that a charge is one compare and one subtraction; whatever does
 * not fit the slice comes here. It decides about charges, not about what happens when one fails.
 *
 * @module
 */

import { UsageError } from "../error.ts";

/** Largest amount and largest limit: the counter is a u64. */
export const MAX_FUEL = 2n ** 64n - 1n;

/** Most fuel the loop gets at once; small enough that the slice stays an int32. */
export const MAX_SLICE = 2 ** 30;

/**
 * Fuel amount of an API call as bigint.
 *
 * @throws {UsageError} `InvalidFuel` when it is not an integer from 0 to 2^64 − 1.
 */
export function fuelAmount(value: unknown, what: string): bigint {
  if (typeof value === "bigint" && value >= 0n && value <= MAX_FUEL) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new UsageError(
    "InvalidFuel",
    `Cannot ${what}: fuel must be an integer from 0 to 2^64 - 1, not ${describeFuel(value)}`,
    typeof value === "number" ? { hint: "amounts above 2^53 - 1 must be bigints" } : {},
  );
}

function describeFuel(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number"
    ? String(value)
    : `a value of type ${value === null ? "null" : typeof value}`;
}

/** Consumption and limit. */
export class FuelMeter {
  /** What may be consumed in total; undefined when unbounded. Set it with `reset`. */
  limit: bigint | undefined;
  /** What the loop has left of its slice; the loop takes it and writes it back when it stops. */
  slice = 0;
  /** Backward branches and calls of the loop since the last charge that was not 0. */
  uncharged = 0;
  /** Consumption without that of the current slice. */
  #settled = 0n;
  /** Size of the slice when it was handed out. */
  #handedOut = 0;
  /** Most that is handed out at once. */
  #most = MAX_SLICE;
  /** Consumption that resets have forgotten. */
  #forgotten = 0n;

  /** An empty counter under a limit. */
  constructor(limit: bigint | undefined) {
    this.limit = limit;
    this.#refill();
  }

  /** What has been consumed since the last reset. */
  consumed(): bigint {
    return saturate(this.#settled + BigInt(this.#handedOut - this.slice));
  }

  /** What has been consumed since the counter was made, whatever was reset meanwhile. */
  everConsumed(): bigint {
    return this.#forgotten + this.consumed();
  }

  /** What may still be consumed; undefined when unbounded. */
  remaining(): bigint | undefined {
    if (this.limit === undefined) return undefined;
    const consumed = this.consumed();
    return consumed < this.limit ? this.limit - consumed : 0n;
  }

  /** Whether there is a limit that can be reached: a counter that saturates at its limit never passes it. */
  get bounded(): boolean {
    return this.limit !== undefined && this.limit !== MAX_FUEL;
  }

  /** Charges an amount if the limit allows it, else charges nothing and says false. */
  tryCharge(amount: bigint): boolean {
    const consumed = saturate(this.consumed() + amount);
    if (this.limit !== undefined && consumed > this.limit) return false;
    this.#settled = consumed;
    if (amount > 0n) this.uncharged = 0;
    this.#refill();
    return true;
  }

  /** Forgets what was consumed and sets the limit. */
  reset(limit: bigint | undefined): void {
    this.#forgotten += this.consumed();
    this.limit = limit;
    this.#settled = 0n;
    this.uncharged = 0;
    this.#refill();
  }

  /** Raises the limit by an amount, keeping what was consumed; nothing when unbounded. */
  raise(amount: bigint): void {
    if (this.limit === undefined) return;
    this.#settled = this.consumed();
    this.limit = saturate(this.limit + amount);
    this.#refill();
  }

  /**
   * Takes back a charge that the next charges repeat, because what it paid for was not done.
   *
   * @param amount at most what was charged since the last reset.
   */
  refund(amount: bigint): void {
    this.#settled = this.consumed() - amount;
    this.#refill();
  }

  /** Hands out at most `most` (1 … 2^30) at once from now on: whoever drives a loop gets its turn after that. */
  sliceBy(most: number): void {
    this.#settled = this.consumed();
    this.#most = most;
    this.#refill();
  }

  #refill(): void {
    const most = this.#most;
    if (this.bounded) {
      const left = this.limit! - this.#settled;
      this.slice = left < BigInt(most) ? Number(left) : most;
    } else {
      this.slice = most;
    }
    this.#handedOut = this.slice;
  }
}

function saturate(amount: bigint): bigint {
  return amount > MAX_FUEL ? MAX_FUEL : amount;
}
