/**
 * Chooses the loop that runs a machine. What ends soon never leaves the plain loop; what goes on is
 * moved to the fast one, and what goes on for long to compiled code. Nothing a program or its host can
 * see depends on it.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { FastMachine } from "../interpreter/run.ts";
import { NativeMachine } from "../native/machine.ts";
import type { Ending } from "../vm/host_call.ts";
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

/** Fuel, or jumps and calls, of a run that is over before entering the fast loop would have paid. */
const SHORT_RUN = 40;

/** Most runs in a row that enter the fast loop at once because those before them were longer. */
const MOST_LONG_RUNS = 63;

/** Fuel, or jumps and calls, in the fast loop before a machine is moved to compiled code. */
const HEAT = 10_000_000;

/** The same for each instruction of the module, as large modules take long to compile. */
const HEAT_PER_INSTRUCTION = 200;

/** Which loops an engine may choose. */
export type EngineName = "interpreter" | "native" | "auto";

/** What an engine is given beside the machine. */
export interface EngineOptions {
  /** Which loops; "auto" chooses by how long a machine runs. */
  readonly name: EngineName;
  /** What runs the machine in the place of all of them. */
  readonly other?: Loop | undefined;
  /**
   * Performs the syscall that the machine stands at; the ending of the run, if that ends it. Absent where
   * host functions may run the machine again: then compiled code always comes out for them.
   */
  readonly perform?: (() => Ending | undefined) | undefined;
}

/** The loops of one machine. */
export class Engine implements Loop {
  readonly #machine: Machine;
  readonly #prepared: Prepared;
  /** What is left of the trial. */
  #trial: number;
  #fast: FastMachine | undefined;
  #native: NativeMachine | undefined;
  /** What is left to consume in the fast loop before the machine is moved on. */
  #heat: number;
  /** Whether a syscall was performed without leaving compiled code, which then came out for its ending. */
  #performed = false;
  #ending: Ending | undefined;
  /** Asked before such a syscall whether the run may go on; set by whoever drives. */
  mayGoOn: (() => boolean) | undefined = undefined;
  /** Once the machine is moved: what is left of the plain beginning of the run. */
  #short = 0;
  /** Runs that will not begin in the plain loop, and how many those are when the next one is long, too. */
  #long = 0;
  #longRuns = 0;
  readonly #options: EngineOptions;

  /** A machine that starts in the plain loop, or always runs in another loop. */
  constructor(machine: Machine, prepared: Prepared, options: EngineOptions) {
    this.#machine = machine;
    this.#options = options;
    this.#prepared = prepared;
    const native = options.name === "native";
    this.#trial = native ? 0 : prepared.hasProgram ? SHORT_TRIAL : TRIAL;
    this.#heat = options.name === "auto" ? HEAT + HEAT_PER_INSTRUCTION * machine.module.length : Infinity;
  }

  /** Runs the machine in the loop that suits it. */
  run(): Exit {
    const { other } = this.#options;
    if (other !== undefined) return other.run();
    const moved = this.#native ?? this.#fast;
    if (moved !== undefined) return this.#goOn(moved);
    if (this.#trial === Infinity) return run(this.#machine);
    if (this.#trial > 0) {
      const { fuel } = this.#machine, slice = fuel.slice, jumps = fuel.uncharged;
      const exit = this.#within(undefined, this.#trial);
      this.#trial -= slice - fuel.slice + Math.max(0, fuel.uncharged - jumps);
      if (exit !== undefined) return exit;
    }
    this.#move();
    return this.run();
  }

  /** What became of the syscall at an `Exit.Syscall` that compiled code has performed; undefined when it has not. */
  performed(): Ending | undefined {
    const ending = this.#performed ? this.#ending : undefined;
    this.#performed = false;
    this.#ending = undefined;
    return ending;
  }

  /** The fast loop, until the machine is hot. */
  #runFast(fast: FastMachine): Exit {
    if (this.#heat === Infinity) return fast.run();
    const { fuel } = this.#machine, slice = fuel.slice, jumps = fuel.uncharged;
    const exit = this.#within(fast, this.#heat);
    this.#heat -= slice - fuel.slice + Math.max(0, fuel.uncharged - jumps);
    if (exit !== undefined) return exit;
    this.#heat = Infinity;
    this.#native = this.#compile();
    return this.run();
  }

  #compile(): NativeMachine | undefined {
    const { program } = this.#prepared, { perform } = this.#options;
    const onSyscall = perform && (() => {
      if (this.mayGoOn?.() === false) return false;
      this.#ending = perform();
      this.#performed = this.#ending !== undefined;
      return !this.#performed;
    });
    return program && NativeMachine.attach(this.#machine, program, { onSyscall });
  }

  /** Runs a machine that was moved: entering another loop costs more than a short run in the plain one. */
  #goOn(moved: FastMachine | NativeMachine): Exit {
    const machine = this.#machine;
    if (machine.depth === 0 && this.#options.name !== "native" && this.#begins(machine)) {
      // The run before this one was short if its beginning never came to an end.
      if (this.#short > 0) this.#longRuns = 0;
      if (this.#long > 0) {
        this.#long--;
        this.#short = 0;
      } else this.#short = SHORT_RUN;
    }
    if (this.#short <= 0) return this.#runMoved();
    moved.forget();
    const { fuel } = machine, slice = fuel.slice, jumps = fuel.uncharged;
    const exit = this.#within(undefined, this.#short);
    if (exit !== undefined) {
      this.#short -= slice - fuel.slice + Math.max(0, fuel.uncharged - jumps);
      return exit;
    }
    this.#short = 0;
    this.#long = this.#longRuns = Math.min(MOST_LONG_RUNS, 2 * this.#longRuns + 1);
    return this.#runMoved();
  }

  /** The loop that the machine was moved to. */
  #runMoved(): Exit {
    return this.#native !== undefined ? this.#native.run() : this.#runFast(this.#fast!);
  }

  /** Whether a run may begin where the machine is. */
  #begins({ module, pc }: Machine): boolean {
    return module.opcodes[pc] === Op.SignatureCheck || pc === module.sourcePc;
  }

  /**
   * Runs the machine in the plain loop while pc is in `from` … `from + count` − 1; as `Exit.Left` tells,
   * that is over. With the instruction at pc alone it is a single step.
   */
  runRange(from: number, count: number): Exit {
    const { other } = this.#options;
    if (other?.runRange !== undefined) return other.runRange(from, count);
    this.#fast?.forget();
    this.#native?.forget();
    return run(this.#machine, from, count);
  }

  /** A loop, or the plain one, for so much fuel, or jumps and calls; undefined when that is over and the run is not. */
  #within(loop: Loop | undefined, most: number): Exit | undefined {
    const machine = this.#machine, { fuel, mostUncharged } = machine;
    const kept = Math.max(0, fuel.slice - Math.max(0, most));
    fuel.slice -= kept;
    machine.mostUncharged = Math.min(mostUncharged, fuel.uncharged + Math.max(1, most));
    const exit = loop === undefined ? run(machine) : loop.run();
    machine.mostUncharged = mostUncharged;
    fuel.slice += kept;
    const over = exit === Exit.Fuel && chargeAt(machine) <= fuel.slice ||
      exit === Exit.Uncharged && fuel.uncharged < mostUncharged;
    return over ? undefined : exit;
  }

  #move(): void {
    const { program } = this.#prepared;
    if (this.#options.name === "native") this.#native = this.#compile();
    if (this.#native !== undefined) return;
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
