/**
 * Whether a machine could be in the state a snapshot says. A file can be made by anybody, with the
 * right checksum, so nothing in it is believed: every return address must follow a call, and where
 * the module is verified, every frame must have the height it has there. A machine and what is known
 * of its module go in, the reason why not comes out. What the values are is not judged.
 *
 * @module
 */

import { INITIAL_STACK_CAPACITY } from "../limits.ts";
import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import { mostCells } from "../isa/structure.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import type { Machine } from "../vm/machine.ts";

/**
 * Why no run leads to where a machine stands; undefined when one can.
 *
 * @param awaited slots that the host still owes; undefined when the code paused by itself, and nobody knows
 */
export function impossibility(
  machine: Machine,
  verified: VerifiedModule | undefined,
  awaited: number | undefined,
): string | undefined {
  const { opcodes, length } = machine.module, { pc, sp, depth, calls, capacity } = machine;
  if (capacity < INITIAL_STACK_CAPACITY || capacity > mostCells(machine.limits)) {
    return `${capacity} cells cannot be addressed`;
  }
  if (sp > capacity) return `the stack is ${sp} cells high, ${capacity} can be addressed`;
  for (let level = 0; level < depth; level++) {
    const back = calls[level]!;
    const follows = back > 0 && back <= length &&
      (opcodes[back - 1] === Op.CallInternal || opcodes[back - 2] === Op.CallIndirect);
    if (!follows) return `return address ${level} is ${back}, where no call returns to`;
  }
  if (verified === undefined) return undefined;
  if (awaited === undefined) {
    // Such code stands there forever: whatever it is given, the next thing it does is to pause again.
    return opcodes[pc] === Op.Trap ? undefined : `no code pauses by itself at ${pc}`;
  }
  if (pc >>> 0 >= length) return `it stands at ${pc}, outside of the code`;
  if (machine.signaturePending) {
    if (opcodes[pc] !== Op.SignatureCheck) return `a signature waits to be checked at ${pc}, where none is`;
    // A call of a function of another type, whose frame need not fit: the check is the end of it.
    if (machine.signature !== machine.module.immediates[pc]) return undefined;
  }
  return frameProblem(machine, verified, awaited);
}

function frameProblem(machine: Machine, verified: VerifiedModule, awaited: number): string | undefined {
  const { heights, paramSlots, resultSlots, module } = verified;
  let { pc, depth } = machine, sp = machine.sp + awaited;
  for (;;) {
    if (pc >= module.length || heights[pc] === UNREACHED) return `no run gets to ${pc}, where a frame stands`;
    const number = verified.functionAt(pc), below = sp - heights[pc]! - paramSlots[number]!;
    if (below < 0) return `the frame at ${pc} reaches below the stack`;
    // What never returns has nothing to return to that would matter.
    if (depth === 0 || resultSlots[number]! < 0) return undefined;
    sp = below + resultSlots[number]!;
    pc = machine.calls[--depth]!;
  }
}
