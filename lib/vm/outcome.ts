/**
 * How a run ends, as its caller sees it. Expected endings are values: an outcome is returned, never
 * thrown.
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

/** A host function paused the run; `executor.resume(results)` goes on with its results. */
export interface Paused {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** What paused it. */
  readonly reason: "syscall";
  /** What the host function gave to `caller.pause`. */
  readonly payload: unknown;
}

/** Ending of a run. */
export type Outcome = Done | Trapped | Paused;
