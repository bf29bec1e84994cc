/**
 * Clocks: a virtual one that says the same in every run, and the host's. All times are nanoseconds.
 *
 * @module
 */

/** Time as the guest sees it. */
export interface Clock {
  /** Since 1970. Asking takes time on the virtual clock. */
  realtime(): bigint;
  /** Since the clock was made; never 0. Asking takes time on the virtual clock. */
  monotonic(): bigint;
  /** Since 1970, for stamps on files: asking takes no time. */
  stamp(): bigint;
  /** Smallest step between two answers. */
  readonly resolution: bigint;
  /** Lets time pass; false when it was cut short. */
  sleep(duration: bigint): boolean;
  /** Which clock it is; a guest that goes on elsewhere goes on with the same. */
  readonly kind: "virtual" | "real";
  /** What it needs to go on elsewhere: time since 1970 where it began, and time that has passed since. */
  save(): readonly [epoch: bigint, elapsed: bigint];
  /** Goes on from there. */
  restore(epoch: bigint, elapsed: bigint): void;
}

/** 2025-01-01T00:00:00Z: where the virtual clock starts unless told otherwise. */
export const DEFAULT_EPOCH = 1_735_689_600_000_000_000n;

/** How far the virtual clock moves per question: a loop that waits for time to pass must end. */
const TICK = 1_000n;

/** A clock that moves by a microsecond per question, and over a sleep in no time. */
export class VirtualClock implements Clock {
  /** The microsecond that a question takes. */
  readonly resolution = TICK;
  /** Which clock it is. */
  readonly kind = "virtual";
  #epoch: bigint;
  /** How much time has passed. */
  elapsed = 0n;

  /** A clock that starts at `epoch`. */
  constructor(epoch: bigint) {
    this.#epoch = epoch;
  }

  /** Since 1970. */
  realtime(): bigint {
    return this.#epoch + this.monotonic();
  }

  /** Since the clock was made. */
  monotonic(): bigint {
    return this.elapsed += TICK;
  }

  /** Since 1970, without moving. */
  stamp(): bigint {
    return this.#epoch + this.elapsed;
  }

  /** Moves on. */
  sleep(duration: bigint): boolean {
    if (duration > 0n) this.elapsed += duration;
    return true;
  }

  /** Where it stands. */
  save(): readonly [bigint, bigint] {
    return [this.#epoch, this.elapsed];
  }

  /** Stands there. */
  restore(epoch: bigint, elapsed: bigint): void {
    this.#epoch = epoch;
    this.elapsed = elapsed;
  }
}

/** The clock of the host. */
export class RealClock implements Clock {
  /** What `performance.now` resolves at best. */
  readonly resolution = 1_000n;
  /** Which clock it is. */
  readonly kind = "real";
  #started = performance.now();
  /** What had passed when it began: time of a guest that goes on here never goes back. */
  #before = 0n;
  readonly #maxSleep: number;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));

  /** A clock whose sleeps last `maxSleep` milliseconds at most. */
  constructor(maxSleep: number) {
    this.#maxSleep = maxSleep;
  }

  /** Since 1970. */
  realtime(): bigint {
    return microseconds(performance.timeOrigin + performance.now());
  }

  /** Since the clock was made, in microseconds at best; starts at one. */
  monotonic(): bigint {
    return 1_000n + this.#before + microseconds(performance.now() - this.#started);
  }

  /** Since 1970. */
  stamp(): bigint {
    return this.realtime();
  }

  /** Blocks the thread. */
  sleep(duration: bigint): boolean {
    if (duration <= 0n) return true;
    // Rounded up: waking too early would make the guest sleep again, for no time.
    const wanted = Math.ceil(Number(duration) / 1e6), cut = wanted > this.#maxSleep;
    Atomics.wait(this.#bell, 0, 0, cut ? this.#maxSleep : wanted);
    return !cut;
  }

  /** What has passed; nothing else is of use elsewhere. */
  save(): readonly [bigint, bigint] {
    return [0n, this.#before + microseconds(performance.now() - this.#started)];
  }

  /** Goes on from what had passed. */
  restore(_epoch: bigint, elapsed: bigint): void {
    this.#started = performance.now();
    this.#before = elapsed;
  }
}

function microseconds(milliseconds: number): bigint {
  return BigInt(Math.floor(milliseconds * 1000)) * 1_000n;
}
