/**
 * Two machines with the same module, one in the plain loop, one in compiled code, driven in step: both
 * must stop at the same places, in the same state, until the run ends. What is compared is everything
 * a program or its host can see, and the stacks at each stop but a trap. `capacity` is not compared,
 * nor what is left on the stack by a trap, nor at which of its returns a run ends.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { trapName } from "../../lib/error.ts";
import { slotsOfAll, type ValueType } from "../../lib/isa/module.ts";
import { Op } from "../../lib/isa/opcode.ts";
import type { VerifiedModule } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { NativeMachine } from "../../lib/native/machine.ts";
import type { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Value } from "../../lib/plugin/plugin.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import type { Loop } from "../../lib/vm/loop.ts";
import type { Ending } from "../../lib/vm/host_call.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { ensureCells, performSyscall } from "../../lib/vm/syscall.ts";
import { writeValues } from "../../lib/vm/values.ts";

/** How two machines are made and driven. */
export interface TwinOptions<T> {
  /** Host functions. */
  readonly linker?: ImportLinker<T> | undefined;
  /** Host context of one side; called once for each. */
  readonly data?: () => T;
  /** Fuel of each side. "step" stops at every charge and then allows just that. */
  readonly fuel?: bigint | "step" | undefined;
  /** Most fuel that is handed out at once: both stop when it is used up. */
  readonly slice?: number | undefined;
  /** What the host's pause is answered with. */
  readonly resume?: (data: T) => { readonly types: readonly ValueType[]; readonly values: readonly Value[] };
  /** Most stops of one run; what is left then is not compared. */
  readonly mostStops?: number;
  /** Lowered code to share with other twins of the same module. */
  readonly program?: Program;
  /** Whether compiled code calls host functions without leaving. */
  readonly callsHost?: boolean;
}

/** How a run of both ended: "done", "halted", a trap, "cut" after the most stops. */
export type TwinEnding = string;

/** One side. */
interface Side<T> {
  readonly machine: Machine;
  readonly fuel: FuelMeter;
  readonly store: RwasmStore<T>;
  readonly loop: Loop;
  /** How a host function that compiled code has called wants the run to end. */
  ending?: Ending | undefined;
}

/** The two machines. */
export class Twins<T = undefined> {
  /** The plain one, then the one in compiled code. */
  readonly sides: readonly [Side<T>, Side<T>];
  /** Lowered code that the compiled one belongs to. */
  readonly program: Program;
  /** Stops so far. */
  stops = 0;
  /** Host functions that compiled code has called without leaving. */
  syscalls = 0;
  readonly #options: TwinOptions<T>;
  readonly #stepping: boolean;

  /** Makes two fresh instances; nothing runs. */
  constructor(verified: VerifiedModule, options: TwinOptions<T> = {}) {
    this.#options = options;
    this.#stepping = options.fuel === "step";
    this.program = options.program ?? new Program(verified);
    const side = (native: boolean): Side<T> => {
      const fuel = new FuelMeter(options.fuel === "step" ? 0n : options.fuel);
      if (options.slice !== undefined) fuel.sliceBy(options.slice);
      const store = new RwasmStore<T>({
        linker: options.linker,
        data: options.data?.() as T,
        limits: verified.limits,
        fuel,
      });
      const machine = new Machine(verified.module, verified.limits, fuel);
      store.machine = machine;
      if (!native) return { machine, fuel, store, loop: { run: () => run(machine) } };
      const side: Side<T> = { machine, fuel, store, loop: undefined! };
      const loop = NativeMachine.attach(machine, this.program, {
        onSyscall: options.callsHost
          ? () => {
            side.ending = performSyscall(machine, store);
            this.syscalls++;
            return side.ending === undefined;
          }
          : undefined,
      });
      if (loop === undefined) throw new NotCompiled();
      return Object.assign(side, { loop });
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
      const [plain, native] = this.sides;
      const exit = this.#next(plain), other = this.#next(native);
      if (exit !== other) this.#fail(`plain stops with ${Exit[exit]}, native with ${Exit[other]}`);
      this.#compare(exit, stops % 64 === 0 || exit === Exit.Done || exit === Exit.Trap);
      if (exit === Exit.Done) return "done";
      if (exit === Exit.Uncharged) return "uncharged";
      if (exit === Exit.Trap) {
        for (const { machine } of this.sides) machine.signaturePending = false;
        return trapName(plain.machine.trap);
      }
      const endings = this.sides.map((side) => exit === Exit.Fuel ? this.#charge(side) : this.#syscall(side));
      if (endings[0] !== endings[1]) this.#fail(`plain ends as ${endings[0]}, native as ${endings[1]}`);
      if (endings[0] !== undefined) return endings[0];
    }
  }

  /** Runs one side until it stops for a reason that both must share. */
  #next({ fuel, loop, machine, store }: Side<T>): Exit {
    for (;;) {
      const exit = loop.run();
      if (exit === Exit.Uncharged && !(fuel.bounded && this.#mustCharge)) fuel.uncharged = 0;
      else if (exit === Exit.Syscall && this.#options.callsHost && store === this.sides[0].store) {
        // What the other side does by itself is no stop.
        const ending = performSyscall(machine, store);
        if (ending !== undefined) {
          this.sides[0].ending = ending;
          return exit;
        }
      } else return exit;
    }
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

  #syscall(side: Side<T>): TwinEnding | undefined {
    const { machine, store, fuel } = side;
    const ending = this.#options.callsHost ? side.ending : performSyscall(machine, store);
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
        `native at pc ${b.pc}, sp ${b.sp}, depth ${b.depth}, trap ${trapName(b.trap)})`,
    );
  }

  #compare(exit: Exit, all: boolean): void {
    const [one, two] = this.sides, a = one.machine, b = two.machine;
    if (a.sp !== b.sp || a.depth !== b.depth) this.#fail("they stand elsewhere");
    if (a.pc !== b.pc && exit !== Exit.Done) this.#fail("they stand elsewhere");
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
    if (Buffer.compare(x, y) !== 0) {
      const at = x.findIndex((byte, k) => byte !== y[k]);
      this.#fail(`memory at ${at} is ${x[at]} and ${y[at]}`);
    }
  }
}

/** A module that compiled code does not suit. */
export class NotCompiled extends Error {}

function push(machine: Machine, types: readonly ValueType[], values: readonly Value[]): boolean {
  const slots = slotsOfAll(types);
  if (!machine.reserve(slots) || !ensureCells(machine, machine.sp + slots)) return false;
  machine.sp += writeValues(machine.stack, machine.sp, types, values);
  return true;
}
