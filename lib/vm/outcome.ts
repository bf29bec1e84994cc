/**
 * How a run ends, as its caller sees it: done, trapped, or paused for one of six reasons. Expected
 * endings are values: an outcome is returned, never thrown.
 *
 * @module
 */

import type { Trap } from "../error.ts";
import type { Value } from "../plugin/plugin.ts";

/** The run returned, or a host function halted it; results in declared order and type. */
export interface Done {
  /** Tells the endings apart. */
  readonly status: "done";
  /** One value per declared result; zeros and nulls when the run was halted. */
  readonly results: Value[];
}

/** The guest ended badly. Memory, globals and tables keep what was done until then. */
export interface Trapped {
  /** Tells the endings apart. */
  readonly status: "trap";
  /** What happened and where. */
  readonly trap: Trap;
}

/**
 * A host function paused the run, or is asynchronous and has not settled yet;
 * `executor.resume(results)` goes on with its results.
 */
export interface PausedBySyscall {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "syscall";
  /** What the host function gave to `caller.pause`; the promise of an asynchronous one. */
  readonly payload: unknown;
}

/**
 * The next charge passes the fuel limit, and the executor was made with `onOutOfFuel: "pause"`.
 * Nothing is charged and nothing done: after `store.addFuel()` a `resume()` makes the charge again.
 */
export interface PausedForFuel {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "fuel";
  /** The charge that does not fit. */
  readonly required: bigint;
  /** What was left for it; `required - remaining` is the least that must be added. */
  readonly remaining: bigint;
  /** rWasm instruction index it stands at. */
  readonly pc: number;
  /** There is none. */
  readonly payload?: undefined;
}

/** The signal of the run's options was aborted. */
export interface PausedByAbort {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "abort";
  /** What the signal was aborted with. */
  readonly cause: unknown;
  /** rWasm instruction index it stands at. */
  readonly pc: number;
  /** There is none. */
  readonly payload?: undefined;
}

/** The time of the run's options is over. */
export interface PausedByDeadline {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "deadline";
  /** rWasm instruction index it stands at. */
  readonly pc: number;
  /** There is none. */
  readonly payload?: undefined;
}

/** The run came to a breakpoint; the instruction there has not run yet. */
export interface PausedAtBreakpoint {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "breakpoint";
  /** The breakpoint; the first of them when there are several at one instruction. */
  readonly breakpoint: Breakpoint;
  /** rWasm instruction index it stands at. */
  readonly pc: number;
  /** There is none. */
  readonly payload?: undefined;
}

/** The run made the step that was asked for, or `runUntil` found what it looked for. */
export interface PausedByStep {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "step";
  /** rWasm instruction index it stands at; the instruction there has not run yet. */
  readonly pc: number;
  /** There is none. */
  readonly payload?: undefined;
}

/**
 * The run stopped between two instructions, everything exact; `executor.resume()` goes on. The store
 * can be read, refuelled and written to meanwhile.
 *
 * @example
 * ```ts
 * import type { Paused } from "./mod.ts";
 * export function explain(outcome: Paused): string {
 *   switch (outcome.reason) {
 *     case "fuel":
 *       return `needs ${outcome.required - outcome.remaining} more fuel`;
 *     case "breakpoint":
 *       return `stands at ${outcome.breakpoint.pc}`;
 *     default:
 *       return outcome.reason;
 *   }
 * }
 * ```
 */
export type Paused =
  | PausedBySyscall
  | PausedForFuel
  | PausedByAbort
  | PausedByDeadline
  | PausedAtBreakpoint
  | PausedByStep;

/** Why a run is paused. */
export type PauseReason = Paused["reason"];

/** Ending of a run. */
export type Outcome = Done | Trapped | Paused;

/** Where a breakpoint is wanted. */
export type BreakpointPlace =
  | {
    /** rWasm instruction index. */
    readonly pc: number;
  }
  | {
    /** A function, at its first instruction: its Wasm index, or the name of an export or of the name section. */
    readonly function: number | string;
  }
  | {
    /** Byte offset in the Wasm module; the first instruction at or behind it in the same function. */
    readonly wasmOffset: number;
  };

/** An instruction at which runs of an executor pause. */
export interface Breakpoint {
  /** rWasm instruction index. */
  readonly pc: number;
  /** What was asked for. */
  readonly place: BreakpointPlace;
}
