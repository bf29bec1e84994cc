/**
 * Chooses the loop that runs a machine. What ends soon never leaves the plain loop; what goes on is
 * moved to the fast one, where it stays. Nothing a program or its host can see depends on it.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { FastMachine } from "../interpreter/run.ts";
import type { Loop } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import type { Prepared } from "./prepared.ts";

/**
 * Fuel, or jumps and calls without any, that a machine uses in the plain loop before it is moved;
 * about what verifying, lowering and moving cost (`bench/startup.ts`).
 */
const TRIAL = 20_000;

/** The same for a module that another store has moved before. */
const SHORT_TRIAL = 2_000;

/** The loops of one machine. */
export class Engine implements Loop {
  readonly #machine: Machine;
  readonly #prepared: Prepared;
  /** What is left of the trial. */
  #trial: number;
  #fast: FastMachine | undefined;
  /** What runs the machine in the place of both loops. */
  readonly #other: Loop | undefined;

  /** A machine that starts in the plain loop, or always runs in another loop. */
  constructor(machine: Machine, prepared: Prepared, other?: Loop) {
    this.#machine = machine;
    this.#other = other;
    this.#prepared = prepared;
    this.#trial = prepared.hasProgram ? SHORT_TRIAL : TRIAL;
  }

  /** Runs the machine in the loop that suits it. */
  run(): Exit {
    if (this.#other !== undefined) return this.#other.run();
    if (this.#fast !== undefined) return this.#fast.run();
    if (this.#trial === Infinity) return run(this.#machine);
    const exit = this.#try();
    if (exit !== undefined) return exit;
    this.#move();
    return this.run();
  }

  /**
   * Runs the machine in the plain loop while pc is in `from` … `from + count` − 1; as `Exit.Left` tells,
   * that is over. With the instruction at pc alone it is a single step.
   */
  runRange(from: number, count: number): Exit {
    if (this.#other?.runRange !== undefined) return this.#other.runRange(from, count);
    const fast: Loop | undefined = this.#fast;
    if (fast?.forget !== undefined) fast.forget();
    else this.#fast = undefined;
    return run(this.#machine, from, count);
  }

  /** The plain loop for what is left of the trial; undefined when that is over and the run is not. */
  #try(): Exit | undefined {
    const machine = this.#machine, { fuel, mostUncharged } = machine;
    const kept = Math.max(0, fuel.slice - Math.max(0, this.#trial));
    const slice = fuel.slice -= kept, jumps = fuel.uncharged;
    machine.mostUncharged = Math.min(mostUncharged, jumps + Math.max(1, this.#trial));
    const exit = run(machine);
    machine.mostUncharged = mostUncharged;
    this.#trial -= slice - fuel.slice + Math.max(0, fuel.uncharged - jumps);
    fuel.slice += kept;
    const over = exit === Exit.Fuel && chargeAt(machine) <= fuel.slice ||
      exit === Exit.Uncharged && fuel.uncharged < mostUncharged;
    return over ? undefined : exit;
  }

  #move(): void {
    const { program } = this.#prepared;
    this.#fast = program && FastMachine.attach(this.#machine, program);
    if (this.#fast === undefined) this.#trial = Infinity;
  }
}

/** Amount of the charge at `machine.pc`. */
export function chargeAt({ module, pc, stack, sp }: Machine): number {
  return (module.opcodes[pc] === Op.ConsumeFuelStack ? stack[sp - 1]! : module.immediates[pc]!) >>> 0;
}

/** Whether fuel bounds the runs of a machine, unless its code does without charges on purpose. */
export function mustCharge({ fuel, module }: Machine): boolean {
  return fuel.bounded && (module.info === undefined || module.info.metered);
}
