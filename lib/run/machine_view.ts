/**
 * A look at a machine between two instructions, for the predicate of `runUntil`: reads, never writes,
 * and makes nothing until it is asked.
 *
 * @module
 */

import { OP_NAMES } from "../isa/opcode.ts";
import type { Machine } from "../vm/machine.ts";

/** The state of a run between two instructions. It is always that of now: copy what shall last. */
export class MachineView {
  readonly #machine: Machine;

  /** @internal A view of a machine. */
  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Index of the instruction that comes next. */
  get pc(): number {
    return this.#machine.pc >>> 0;
  }

  /** Name of its opcode; undefined when pc is outside of the code. */
  get op(): string | undefined {
    const { module, pc } = this.#machine;
    return OP_NAMES[module.opcodes[pc]!];
  }

  /** Its immediate as int32; 0 when it has none. */
  get immediate(): number {
    return this.#machine.module.immediates[this.#machine.pc] ?? 0;
  }

  /** Return addresses on the call stack: how many calls deep the run is. */
  get depth(): number {
    return this.#machine.depth;
  }

  /** Slots on the value stack. */
  get height(): number {
    return this.#machine.sp;
  }

  /** The topmost slot as a signed number; undefined when the stack is empty. */
  get top(): number | undefined {
    return this.cell(1);
  }

  /** A slot as a signed number, 1 being the topmost; undefined when there is none. */
  cell(depth: number): number | undefined {
    const { sp, stack } = this.#machine;
    return depth >= 1 && depth <= sp ? stack[sp - depth] : undefined;
  }

  /** Fuel the store has consumed. */
  get fuel(): bigint {
    return this.#machine.fuel.consumed();
  }

  /** Pages of the memory. */
  get pages(): number {
    return this.#machine.memory.pages;
  }
}
