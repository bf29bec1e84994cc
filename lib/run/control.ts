/**
 * The clock, the signal and the slices of one run. The driver of a loop asks it at every stop whether
 * the run may go on; so that there are stops, it hands out fuel, and jumps without fuel, in small
 * pieces. How small is adapted to the speed of the code and has no effect on what the run does.
 *
 * @module
 */

import { type FuelMeter, MAX_SLICE } from "../vm/fuel.ts";
import type { Machine } from "../vm/machine.ts";
import type { CheckedOptions } from "./run_options.ts";

/** Why a run must stop. */
export type Why = "abort" | "deadline" | "turn";

/** Milliseconds an asynchronous run has the event loop to itself. */
const TURN_MS = 4;

/** First pieces, in fuel and in jumps: small, because nothing is known of the code yet. */
const FIRST_FUEL = 1024, FIRST_JUMPS = 4;

/** Largest piece of either; what the fastest code uses in about a millisecond. */
const LARGEST = 2 ** 20;

/** Most steps between two looks at the clock. */
const MOST_STEPS = 1024;

/** Milliseconds a piece should take: it is doubled below the first and halved above the second. */
const SHORT_MS = 0.25, LONG_MS = 1;

/** Taken now: a program may put something else into the place of the global later. */
const clock = performance.now.bind(performance);

/** What bounds one run from outside. */
export class Control {
  /** What aborts the run. */
  readonly signal: AbortSignal | undefined;
  /** When it must end, in milliseconds of `performance.now()`; Infinity for never. */
  readonly deadline: number;
  /** Instructions it may make before it pauses as a step; Infinity when it does not go by steps. */
  steps: number;
  /** Asked after every instruction whether to pause there. */
  until: (() => boolean) | undefined = undefined;

  readonly #turns: boolean;
  readonly #sliceFuel: number;
  #turnAt = Infinity;
  /** Consumption at the start of the turn, and jumps since then where there was none. */
  #turnFuel = 0n;
  #turnJumps = 0;

  /** Steps between two looks, and those until the next one: a predicate may take long. */
  #stepPiece = 1;
  #stepsLeft = 1;

  #fuelPiece = FIRST_FUEL;
  #jumpPiece = FIRST_JUMPS;
  /** When the last piece was handed out. */
  #handedOut = 0;

  // Jumps since the last charge: those of earlier pieces, and what had been consumed then.
  #jumps = 0;
  #consumed = 0n;
  /** The bound of the machine on jumps without a charge, which the pieces stand in for; 0 without a machine. */
  #mostUncharged = 0;

  /** The bounds of a run that begins now; with `turns` it is one that lets the event loop have its turn. */
  constructor(options: CheckedOptions, turns = false) {
    this.signal = options.signal;
    this.deadline = options.timeoutMs === Infinity ? Infinity : clock() + options.timeoutMs;
    this.steps = options.step ? 0 : Infinity;
    this.#turns = turns;
    this.#sliceFuel = options.sliceFuel;
  }

  /** Milliseconds until the deadline. */
  get left(): number {
    return this.deadline - clock();
  }

  /** A turn begins: the event loop had its own. */
  beginTurn(fuel: FuelMeter): void {
    if (!this.#turns) return;
    this.#turnAt = clock() + TURN_MS;
    this.#turnFuel = fuel.everConsumed();
    this.#turnJumps = 0;
  }

  /** Takes over the machine: from now on the loop stops after every piece. */
  take(machine: Machine): void {
    const { fuel } = machine;
    this.#mostUncharged = machine.mostUncharged;
    this.#jumps = fuel.uncharged;
    this.#consumed = fuel.consumed();
    this.#handedOut = clock();
    fuel.uncharged = 0;
    this.#hand(machine);
  }

  /** Gives the machine back as if there had been no pieces; false when it was not taken. */
  release(machine: Machine): boolean {
    if (this.#mostUncharged === 0) return false;
    const { fuel } = machine;
    fuel.uncharged = Math.min(this.#mostUncharged, this.#jumpsOf(machine));
    machine.mostUncharged = this.#mostUncharged;
    this.#mostUncharged = 0;
    fuel.sliceBy(MAX_SLICE);
    return true;
  }

  /** Whether the run must stop now. */
  look(): Why | undefined {
    if (this.signal?.aborted) return "abort";
    if (this.deadline === Infinity && this.#turnAt === Infinity) return undefined;
    const now = clock();
    return now >= this.deadline ? "deadline" : now >= this.#turnAt ? "turn" : undefined;
  }

  /** The same after a step; looks now and then. */
  lookAtSteps(): Why | undefined {
    if (--this.#stepsLeft > 0) return undefined;
    this.#stepPiece = Math.min(MOST_STEPS, this.#adapted(this.#stepPiece));
    this.#stepsLeft = this.#stepPiece;
    return this.look();
  }

  /** A charge does not fit the piece: why the run must stop before it, else the next piece is handed out. */
  endOfFuel(machine: Machine, charge: number): Why | undefined {
    const why = this.look();
    if (why !== undefined) return why;
    if (this.#sliceFuel < Infinity) {
      const used = this.#usedInTurn(machine);
      if (used > 0 && used + charge > this.#sliceFuel) return "turn";
    }
    this.#fuelPiece = this.#adapted(this.#fuelPiece);
    this.#hand(machine, charge);
    return undefined;
  }

  /**
   * The piece of jumps is used up: why the run must stop before the next one, "uncharged" when there
   * were as many without a charge as may be, else the next piece is handed out.
   */
  endOfJumps(machine: Machine, mustCharge: boolean): Why | "uncharged" | undefined {
    const jumps = this.#jumpsOf(machine);
    if (mustCharge && jumps >= this.#mostUncharged) return "uncharged";
    this.#turnJumps += machine.fuel.uncharged;
    this.#jumps = mustCharge ? jumps : 0;
    this.#consumed = machine.fuel.consumed();
    machine.fuel.uncharged = 0;
    const why = this.look();
    if (why !== undefined) return why;
    if (this.#sliceFuel < Infinity && this.#usedInTurn(machine) >= this.#sliceFuel) return "turn";
    this.#jumpPiece = this.#adapted(this.#jumpPiece);
    this.#hand(machine);
    return undefined;
  }

  /** Jumps since the last charge. */
  #jumpsOf({ fuel }: Machine): number {
    return (fuel.consumed() === this.#consumed ? this.#jumps : 0) + fuel.uncharged;
  }

  #usedInTurn({ fuel }: Machine): number {
    return Number(fuel.everConsumed() - this.#turnFuel) + this.#turnJumps;
  }

  /** The size of the next piece after one that took from the last look at the clock until now. */
  #adapted(piece: number): number {
    const now = clock(), took = now - this.#handedOut;
    this.#handedOut = now;
    if (took < SHORT_MS) return Math.min(LARGEST, 2 * piece);
    return took > LONG_MS ? Math.max(1, piece >>> 1) : piece;
  }

  #hand(machine: Machine, charge = 0): void {
    let fuel = this.#fuelPiece, jumps = Math.min(this.#jumpPiece, this.#mostUncharged - this.#jumps);
    // All jumps have been made: the next one must stop the loop, and 0 is no bound.
    if (jumps <= 0) jumps = machine.fuel.uncharged = 1;
    if (this.#sliceFuel < Infinity) {
      const left = Math.max(1, this.#sliceFuel - this.#usedInTurn(machine) - charge);
      fuel = Math.min(fuel, left);
      jumps = Math.min(jumps, left);
    }
    machine.fuel.sliceBy(fuel);
    machine.mostUncharged = jumps;
  }
}
