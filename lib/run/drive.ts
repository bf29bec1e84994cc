/**
 * Drives a machine: runs the loop, and decides what the loop leaves to its outside: charges that do
 * not fit the fuel slice, host functions, and whether the run may go on. No host function runs on top
 * of the loop, so a run can stop at one and go on later, in the loop or in another engine.
 *
 * @module
 */

import { TrapCode, trapName } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import type { Ending } from "../vm/host_call.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit } from "../vm/step.ts";
import type { RwasmStore } from "../vm/store.ts";
import { performSyscall } from "../vm/syscall.ts";
import type { Breakpoints } from "./breakpoints.ts";
import type { Control } from "./control.ts";
import { chargeAt, type Engine, mustCharge } from "./engine.ts";

const DONE: Ending = { kind: "done" };
const HALT: Ending = { kind: "halt" };
/** The code paused itself: nothing says what a resume must bring. */
const INTERRUPTED: Ending = {
  kind: "pause",
  payload: undefined,
  results: undefined,
  syscall: undefined,
  pending: undefined,
};
const ABORT: Ending = { kind: "stop", why: "abort" };
const DEADLINE: Ending = { kind: "stop", why: "deadline" };
const TURN: Ending = { kind: "stop", why: "turn" };
const BREAKPOINT: Ending = { kind: "stop", why: "breakpoint" };
const STEP: Ending = { kind: "stop", why: "step" };
const STOPS = { abort: ABORT, deadline: DEADLINE, turn: TURN };

/** Runs a machine from `machine.pc` until the run ends or pauses by itself. */
export function drive<T>(engine: Engine, machine: Machine, store: RwasmStore<T>): Ending {
  for (;;) {
    switch (engine.run()) {
      case Exit.Done:
        return DONE;
      case Exit.Trap:
        return trapEnding(machine.trap);
      case Exit.Fuel:
        if (!chargeHere(machine)) return outOfFuel(machine);
        break;
      case Exit.Uncharged:
        if (mustCharge(machine)) return uncharged(machine);
        machine.fuel.uncharged = 0;
        break;
      case Exit.Syscall: {
        const ending = engine.performed() ?? performSyscall(machine, store);
        if (ending !== undefined) return ending;
        break;
      }
    }
  }
}

/** What stops a run from outside, beside its fuel. */
export interface Watch {
  /** Clock, signal and slices. */
  readonly control: Control | undefined;
  /** Breakpoints, at least one; with them the run stays in the plain loop. */
  readonly breakpoints: Breakpoints | undefined;
  /** Whether the run has stopped where it is before: then a breakpoint there does not stop it again. */
  readonly passed: boolean;
}

/** Runs a machine as {@link drive} does, and stops it when something outside wants that. */
export function driveWatched<T>(
  engine: Engine,
  machine: Machine,
  store: RwasmStore<T>,
  watch: Watch,
): Ending {
  const { control } = watch;
  if (control === undefined) return run(engine, machine, store, watch);
  const why = control.look();
  if (why !== undefined) return STOPS[why];
  if (control.steps !== Infinity || control.until !== undefined) {
    return walk(engine, machine, store, control, watch.breakpoints);
  }
  control.take(machine);
  engine.mayGoOn = () => control.look() === undefined;
  try {
    return run(engine, machine, store, watch);
  } finally {
    engine.mayGoOn = undefined;
    control.release(machine);
  }
}

function run<T>(
  engine: Engine,
  machine: Machine,
  store: RwasmStore<T>,
  { control, breakpoints, passed }: Watch,
): Ending {
  for (;;) {
    let exit: Exit;
    if (breakpoints === undefined) exit = engine.run();
    else {
      const { pc } = machine;
      if (!passed && breakpoints.at(pc) !== undefined) return BREAKPOINT;
      const from = breakpoints.stretchFrom(pc);
      exit = engine.runRange(from, breakpoints.stretchTo(pc) - from);
      // Behind a stretch is a new instruction; where the loop stopped within one, no breakpoint is.
      passed = exit !== Exit.Left;
    }
    switch (exit) {
      case Exit.Done:
        return DONE;
      case Exit.Trap:
        return trapEnding(machine.trap);
      case Exit.Fuel: {
        const why = control?.endOfFuel(machine, chargeAt(machine));
        if (why !== undefined) return STOPS[why];
        if (!chargeHere(machine)) return outOfFuel(machine);
        passed = false;
        break;
      }
      case Exit.Uncharged: {
        const mustEnd = mustCharge(machine);
        const why = control === undefined
          ? mustEnd ? "uncharged" : undefined
          : control.endOfJumps(machine, mustEnd);
        if (why === "uncharged") {
          control?.release(machine);
          return uncharged(machine);
        }
        if (why !== undefined) return STOPS[why];
        if (control === undefined) machine.fuel.uncharged = 0;
        break;
      }
      case Exit.Syscall: {
        const done = engine.performed();
        if (done !== undefined) return done;
        // A host function may take long, and the fuel between two of them none.
        const why = control?.look();
        if (why !== undefined) return STOPS[why];
        const ending = performSyscall(machine, store);
        if (ending !== undefined) return ending;
        passed = false;
        break;
      }
    }
  }
}

/** Runs a machine one instruction at a time, as many as the control wants. */
function walk<T>(
  engine: Engine,
  machine: Machine,
  store: RwasmStore<T>,
  control: Control,
  breakpoints: Breakpoints | undefined,
): Ending {
  for (;;) {
    if (control.steps === 0) return STEP;
    switch (engine.runRange(machine.pc, 1)) {
      case Exit.Done:
        return DONE;
      case Exit.Trap:
        return trapEnding(machine.trap);
      case Exit.Fuel:
        if (!chargeHere(machine)) return outOfFuel(machine);
        break;
      case Exit.Uncharged:
        if (mustCharge(machine)) return uncharged(machine);
        machine.fuel.uncharged = 0;
        continue; // it was not made
      case Exit.Syscall: {
        const ending = performSyscall(machine, store);
        if (ending !== undefined) return ending;
        break;
      }
    }
    control.steps--;
    if (control.until?.()) return STEP;
    if (control.steps > 0) {
      if (breakpoints?.at(machine.pc) !== undefined) return BREAKPOINT;
      const why = control.lookAtSteps();
      if (why !== undefined) return STOPS[why];
    }
  }
}

function trapEnding(code: number): Ending {
  if (code === TrapCode.ExecutionHalted) return HALT;
  if (code === TrapCode.InterruptionCalled) return INTERRUPTED;
  return { kind: "trap", cause: { code: trapName(code) } };
}

function outOfFuel(machine: Machine): Ending {
  return { kind: "fuel", required: BigInt(chargeAt(machine)), charged: 0n, cause: { code: "OutOfFuel" } };
}

/** Ends a loop that no charge would ever end. */
function uncharged({ mostUncharged }: Machine): Ending {
  return {
    kind: "trap",
    cause: {
      code: "OutOfFuel",
      detail: `${mostUncharged} backward branches and calls without a charge`,
      hint: "the module is not metered: compile it with consumeFuel, or run it without a fuelLimit",
    },
  };
}

/** Performs the charge at `machine.pc` and steps behind it; false, and nothing done, when the limit forbids it. */
function chargeHere(machine: Machine): boolean {
  const fromStack = machine.module.opcodes[machine.pc] === Op.ConsumeFuelStack;
  if (!machine.fuel.tryCharge(BigInt(chargeAt(machine)))) return false;
  if (fromStack) machine.sp--;
  machine.pc++;
  return true;
}
