/**
 * A run and what is kept of it while it is paused: plain data beside the machine, which holds the
 * rest. What a snapshot must save of a run is here.
 *
 * @module
 */

import type { FunctionType, ValueType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import type { PendingCall } from "../vm/host_call.ts";
import type { Machine } from "../vm/machine.ts";
import type { Paused } from "../vm/outcome.ts";
import type { Parked } from "../vm/store.ts";

/** Where a run starts and with what. */
export interface Entry {
  /** First instruction. */
  readonly pc: number;
  /** Parameters, checked. */
  readonly params: readonly Value[];
  /** Types of parameters and results. */
  readonly type: FunctionType;
}

/** A run under way. */
export interface Run {
  /** What it runs on. */
  readonly machine: Machine;
  /** Types of what the stack must hold at the end. */
  readonly results: readonly ValueType[];
  /** Whether it makes the instance: then a trap undoes it. */
  readonly initializing: boolean;
  /** The machine the store returns to when an instantiation fails. */
  readonly previous: Machine | undefined;
  /** What runs after the instantiation that it implied. */
  readonly then: Entry | undefined;
}

/** Between two slices of an asynchronous run; callers never see it. */
export interface Turn {
  /** Tells the endings apart. */
  readonly status: "paused";
  /** Tells the pauses apart. */
  readonly reason: "turn";
}

/** A paused run, as the store keeps it. */
export interface ParkedRun extends Parked {
  /** The run. */
  readonly run: Run;
  /** What its caller was told. */
  readonly outcome: Paused | Turn;
  /**
   * Types that `resume` must supply: those that a host function owes, none for other reasons, and
   * undefined when the code paused itself and nothing is known.
   */
  readonly results: readonly ValueType[] | undefined;
  /** Index of the host function that owes them. */
  readonly syscall: number | undefined;
  /** Its call, when it is asynchronous and has not settled. No snapshot can hold it. */
  readonly pending: PendingCall | undefined;
  /** Whether an asynchronous run is under way, and will go on by itself. */
  busy: boolean;
}
