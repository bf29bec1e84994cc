/**
 * Drives a machine: runs the loop, and decides what the loop leaves to its outside: charges that do
 * not fit the fuel slice, and host functions. No host function runs on top of the loop, so a run can
 * stop at one and go on later, in the loop or in another engine.
 *
 * @module
 */

import { TrapCode, trapName } from "../error.ts";
import { Op } from "../isa/opcode.ts";
import type { Ending } from "./host_call.ts";
import type { Machine } from "./machine.ts";
import { Exit, run } from "./step.ts";
import type { RwasmStore } from "./store.ts";
import { performSyscall } from "./syscall.ts";

const DONE: Ending = { kind: "done" };
const HALT: Ending = { kind: "halt" };
const OUT_OF_FUEL: Ending = { kind: "trap", cause: { code: "OutOfFuel" } };
/** The code paused itself: nothing says what a resume must bring. */
const INTERRUPTED: Ending = { kind: "pause", payload: undefined, results: undefined };

/** Runs a machine from `machine.pc` until the run ends or pauses. */
export function drive<T>(machine: Machine, store: RwasmStore<T>): Ending {
  for (;;) {
    switch (run(machine)) {
      case Exit.Done:
        return DONE;
      case Exit.Trap:
        return trapEnding(machine.trap);
      case Exit.Fuel:
        if (!chargeHere(machine)) return OUT_OF_FUEL;
        break;
      case Exit.Uncharged:
        if (mustCharge(machine)) return uncharged(machine);
        machine.fuel.uncharged = 0;
        break;
      case Exit.Syscall: {
        const ending = performSyscall(machine, store);
        if (ending !== undefined) return ending;
        break;
      }
    }
  }
}

function trapEnding(code: number): Ending {
  if (code === TrapCode.ExecutionHalted) return HALT;
  if (code === TrapCode.InterruptionCalled) return INTERRUPTED;
  return { kind: "trap", cause: { code: trapName(code) } };
}

/** Whether fuel bounds the run, unless the code does without charges on purpose. */
function mustCharge({ fuel, module }: Machine): boolean {
  return fuel.bounded && (module.info === undefined || module.info.metered);
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
  const amount = fromStack ? machine.stack[machine.sp - 1]! : machine.module.immediates[machine.pc]!;
  if (!machine.fuel.tryCharge(BigInt(amount >>> 0))) return false;
  if (fromStack) machine.sp--;
  machine.pc++;
  return true;
}
