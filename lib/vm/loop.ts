/**
 * What all engines have in common: something that runs one machine until its outside must decide.
 * The plain loop is one, and so is everything that is faster or tells more.
 *
 * @module
 */

import type { TrapName } from "../error.ts";
import type { FunctionType } from "../isa/module.ts";
import type { Machine } from "./machine.ts";
import type { Exit } from "./step.ts";

/** Runs one machine. */
export interface Loop {
  /**
   * Runs from `machine.pc` until something outside must decide; the state of the machine is exact
   * when it returns. Never `Exit.Left`.
   */
  run(): Exit;
  /**
   * The plain loop has run the machine meanwhile, by single steps or up to a breakpoint: what this loop
   * remembers about stacks and frames no longer holds.
   */
  forget?(): void;
  /**
   * As the plain loop with a range: runs while pc is in `from` … `from + count` − 1, then `Exit.Left`.
   * A loop without it lets the plain loop do this.
   */
  runRange?(from: number, count: number): Exit;
}

/** What is known of a host function: its type, and the name it is imported by. */
export interface SyscallType extends FunctionType {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
}

/** Makes the loops of machines: what a tracer or a profiler hands to an executor to run in the place of its engine. */
export interface LoopMaker {
  /** @internal The loop that runs a machine from now on; called once for each machine, before it runs. */
  loopFor(machine: Machine, syscall: (index: number) => SyscallType | undefined): Loop;
  /** @internal A run of the machine is about to start; nested when a host function starts it. */
  begin?(machine: Machine, nested: boolean): void;
  /** @internal The run paused; with `turn` only to let others have theirs. */
  paused?(machine: Machine, turn: boolean): void;
  /** @internal The run ended, and the machine still stands where it did. */
  ended?(machine: Machine, kind: "done" | "halt" | "trap", trap?: TrapName): void;
}
