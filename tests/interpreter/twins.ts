/**
 * Two machines with the same module, one in the plain loop, one in the fast loop, driven in step: both
 * must stop at the same places, in the same state, until the run ends. What is compared is everything
 * a program or its host can see, and the stacks at each stop but a trap. `capacity` is not: a hidden
 * function that the fast loop skips reserves nothing, which nothing but the next reservation sees.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { TrapCode, trapName } from "../../lib/error.ts";
import { slotsOfAll, type ValueType } from "../../lib/isa/module.ts";
import { Op, POPS } from "../../lib/isa/opcode.ts";
import type { VerifiedModule } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { FastMachine } from "../../lib/interpreter/run.ts";
import type { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Value } from "../../lib/plugin/plugin.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { ensureCells, performSyscall } from "../../lib/vm/syscall.ts";
import { writeValues } from "../../lib/vm/values.ts";

/** How two machines are made. */
export interface TwinOptions<T> {
  /** Host functions. */
  readonly linker?: ImportLinker<T> | undefined;
  /** Host context of one side; called once for each. */
  readonly data?: () => T;
  /** Fuel of each side. "step" stops at every charge and then allows just that. */
  readonly fuel?: bigint | "step" | undefined;
  /** What the host's pause is answered with. */
  readonly resume?: (data: T) => { readonly types: readonly ValueType[]; readonly values: readonly Value[] };
  /** Most stops of one run; what is left then is not compared. */
  readonly mostStops?: number;
  /** Lowered code to share with other twins of the same module. */
  readonly program?: Program;
  /** What makes the loop function of the fast one, instead of the ordinary loop. */
  readonly instantiate?: Parameters<typeof FastMachine.attach>[2];
}

/** How a run of both ended: "done", "halted", a trap, "cut" after the most stops. */
export type TwinEnding = string;

/** One side. */
interface Side<T> {
  readonly machine: Machine;
  readonly fuel: FuelMeter;
  readonly store: RwasmStore<T>;
  readonly next: () => Exit;
}

/** The two machines. */
export class Twins<T = undefined> {
  /** The plain one, then the fast one. */
  readonly sides: readonly [Side<T>, Side<T>];
  /** Lowered code of the fast one. */
  readonly program: Program;
  /** Stops so far. */
  stops = 0;
  readonly #options: TwinOptions<T>;
  readonly #stepping: boolean;

  /** Makes two fresh instances; nothing runs. */
  constructor(verified: VerifiedModule, options: TwinOptions<T> = {}) {
    this.#options = options;
    this.#stepping = options.fuel === "step";
    this.program = options.program ?? new Program(verified);
    const side = (fast: boolean): Side<T> => {
      const fuel = new FuelMeter(options.fuel === "step" ? 0n : options.fuel);
      const store = new RwasmStore<T>({
        linker: options.linker,
        data: options.data?.() as T,
        limits: verified.limits,
        fuel,
      });
      const machine = new Machine(verified.module, verified.limits, fuel);
      store.machine = machine;
      if (!fast) return { machine, fuel, store, next: () => run(machine) };
      const loop = FastMachine.attach(machine, this.program, options.instantiate);
      if (loop === undefined) throw new Error("the module does not fit the fast loop");
      return { machine, fuel, store, next: () => loop.run() };
    };
    this.sides = [side(false), side(true)];
  }

  /** Runs from a pc with parameters, compares at each stop, and says how it ended; throws at a difference. */
  run(pc: number, types: readonly ValueType[] = [], params: readonly Value[] = []): TwinEnding {
    for (const { machine } of this.sides) {
      machine.start(pc);
      machine.signaturePending = false;
      machine.fuel.uncharged = 0;
      push(machine, types, params);
    }
    for (let stops = 0;; stops++) {
      if (stops === (this.#options.mostStops ?? 1e6)) return "cut";
      this.stops++;
      const [plain, fast] = this.sides;
      const exit = this.#next(plain), other = this.#next(fast);
      if (exit !== other) this.#fail(`plain stops with ${Exit[exit]}, fast with ${Exit[other]}`);
      this.#compare(exit, stops % 64 === 0 || exit === Exit.Done || exit === Exit.Trap);
      if (exit === Exit.Done) return "done";
      if (exit === Exit.Uncharged) return "uncharged";
      if (exit === Exit.Trap) {
        for (const { machine } of this.sides) machine.signaturePending = false;
        return trapName(plain.machine.trap);
      }
      const endings = this.sides.map((side) => exit === Exit.Fuel ? this.#charge(side) : this.#syscall(side));
      if (endings[0] !== endings[1]) this.#fail(`plain ends as ${endings[0]}, fast as ${endings[1]}`);
      if (endings[0] !== undefined) return endings[0];
    }
  }

  /** Runs one side until it stops for a reason that both must share. */
  #next({ fuel, next }: Side<T>): Exit {
    let exit = next();
    while (exit === Exit.Uncharged && !(fuel.bounded && this.#mustCharge)) {
      fuel.uncharged = 0;
      exit = next();
    }
    return exit;
  }

  /** Whether a run under a fuel limit must charge now and then: only what was compiled not to need not. */
  get #mustCharge(): boolean {
    return this.program.verified.module.info?.metered !== false;
  }

  #charge({ machine, fuel }: Side<T>): TwinEnding | undefined {
    const fromStack = machine.module.opcodes[machine.pc] === Op.ConsumeFuelStack;
    const amount = BigInt(
      (fromStack ? machine.stack[machine.sp - 1] : machine.module.immediates[machine.pc]) >>> 0,
    );
    if (this.#stepping) fuel.raise(amount);
    if (!fuel.tryCharge(amount)) return "OutOfFuel";
    if (fromStack) machine.sp--;
    machine.pc++;
    return undefined;
  }

  #syscall({ machine, store, fuel }: Side<T>): TwinEnding | undefined {
    const ending = performSyscall(machine, store);
    // Host functions charge, too.
    if (this.#stepping && fuel.remaining()! > 0n) fuel.reset(0n);
    if (ending === undefined) return undefined;
    if (ending.kind === "trap") return ending.cause.code;
    if (ending.kind !== "pause" || this.#options.resume === undefined) return ending.kind;
    const { types, values } = this.#options.resume(store.data);
    return push(machine, types, values) ? undefined : "StackOverflow";
  }

  #fail(what: string): never {
    const [a, b] = this.sides.map(({ machine }) => machine);
    throw new Error(
      `${what} (plain at pc ${a.pc}, sp ${a.sp}, depth ${a.depth}, trap ${trapName(a.trap)}; ` +
        `fast at pc ${b.pc}, sp ${b.sp}, depth ${b.depth}, trap ${trapName(b.trap)})`,
    );
  }

  #compare(exit: Exit, all: boolean): void {
    const [one, two] = this.sides, a = one.machine, b = two.machine;
    if (a.pc !== b.pc || a.sp !== b.sp || a.depth !== b.depth) this.#fail("they stand elsewhere");
    if (exit === Exit.Trap && a.trap !== b.trap) this.#fail("they trap differently");
    if (one.fuel.consumed() !== two.fuel.consumed()) {
      this.#fail(`fuel ${one.fuel.consumed()} and ${two.fuel.consumed()}`);
    }
    if (a.signaturePending !== b.signaturePending) this.#fail("a signature is pending in one");
    if (a.signaturePending && a.signature !== b.signature) this.#fail("they expect other signatures");
    for (let k = 0; k < a.depth; k++) {
      if (a.calls[k] !== b.calls[k]) this.#fail(`return address ${k} is ${a.calls[k]} and ${b.calls[k]}`);
    }
    if (exit !== Exit.Trap) {
      for (let k = 0; k < a.sp; k++) {
        if (a.stack[k] !== b.stack[k]) this.#fail(`cell ${k} is ${a.stack[k]} and ${b.stack[k]}`);
      }
    } else if (a.trap === TrapCode.MemoryOutOfBounds && POPS[a.module.opcodes[a.pc]] > 0) {
      // What a message about the trap reads.
      const at = a.sp - POPS[a.module.opcodes[a.pc]];
      if (a.stack[at] !== b.stack[at]) this.#fail(`the address is ${a.stack[at]} and ${b.stack[at]}`);
    }
    if (!all) return;
    const words = Math.max(a.globals.length, b.globals.length);
    for (let word = 0; word < words; word++) {
      if (a.globalWord(word) !== b.globalWord(word)) {
        this.#fail(`global word ${word} is ${a.globalWord(word)} and ${b.globalWord(word)}`);
      }
    }
    for (const index of new Set([...a.tables.indices(), ...b.tables.indices()])) {
      const x = a.tables.at(index), y = b.tables.at(index);
      if (x.length !== y.length) this.#fail(`table ${index} has ${x.length} and ${y.length} elements`);
      for (let k = 0; k < x.length; k++) {
        if (x.elements[k] !== y.elements[k]) this.#fail(`element ${k} of table ${index} differs`);
      }
    }
    for (const bits of ["droppedData", "droppedElements"] as const) {
      const x = a[bits].words, y = b[bits].words;
      for (let k = 0; k < Math.max(x.length, y.length); k++) {
        if ((x[k] ?? 0) !== (y[k] ?? 0)) this.#fail(`${bits} differ`);
      }
    }
    const x = a.memory.bytes, y = b.memory.bytes;
    if (x.length !== y.length) this.#fail(`memories of ${x.length} and ${y.length} bytes`);
    const at = firstDifference(x, y);
    if (at >= 0) this.#fail(`memory at ${at} is ${x[at]} and ${y[at]}`);
  }
}

function push(machine: Machine, types: readonly ValueType[], values: readonly Value[]): boolean {
  const slots = slotsOfAll(types);
  if (!machine.reserve(slots) || !ensureCells(machine, machine.sp + slots)) return false;
  machine.sp += writeValues(machine.stack, machine.sp, types, values);
  return true;
}

/** Index of the first byte that differs, or −1. */
function firstDifference(x: Uint8Array, y: Uint8Array): number {
  // Natively: memories are compared often, and hardly ever differ.
  return Buffer.compare(x, y) === 0 ? -1 : x.findIndex((byte, at) => byte !== y[at]);
}
