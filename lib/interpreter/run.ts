/**
 * Runs a machine in the fast loop, with the contract of the plain one: from `machine.pc` until
 * something outside must decide, the state exact when it returns. What the fast loop does not know,
 * and whatever happens near a limit, the plain loop does.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { UNREACHED } from "../isa/heights.ts";
import { Op, POPS } from "../isa/opcode.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import { operandsOf } from "./instructions.ts";
import { CALL_MARGIN, CALLABLE, Header, STACK_MARGIN, Stop } from "./layout.ts";
import { LOOP_BASE64 } from "./loop_bytes.ts";
import { Lowering } from "./lower.ts";
import type { Program } from "./program.ts";
import { State } from "./state.ts";

/** Taken now: a program may put something else into the place of the globals later. */
const { Module: HostModule, Instance: HostInstance, Memory: HostMemory } = WebAssembly;

/**
 * Most fuel the loop gets at once. V8 replaces the code of a function by better code only when it is
 * entered anew, so the loop must not stay inside for long; entering costs less than 0.1 µs.
 */
const SLICE = 2_000_000;

/** Fuel the plain loop gets where the fast one cannot go, before that is looked at again. */
const PLAIN_SLICE = 100_000;

/** The emitted function: from registers to the reason why it stopped. */
export type LoopFunction = (ip: number, fp: number, fuel: number, cp: number) => number;

let compiledLoop: WebAssembly.Module | undefined;

/** The loop module, compiled once for all machines. */
function loopModule(): WebAssembly.Module {
  return compiledLoop ??= new HostModule(Uint8Array.fromBase64(LOOP_BASE64));
}

function instantiateLoop(state: WebAssembly.Memory, guest: WebAssembly.Memory): LoopFunction {
  return new HostInstance(loopModule(), { m: { state, guest } }).exports.run as LoopFunction;
}

/** What stands for the guest memory while there is none. */
let noMemory: WebAssembly.Memory | undefined;

/** A machine with a fast loop. */
export class FastMachine {
  readonly #machine: Machine;
  readonly #program: Program;
  /** Made when there is something to lower. */
  #lowering: Lowering | undefined;
  readonly #state: State;
  readonly #instantiate: typeof instantiateLoop;
  #guest: WebAssembly.Memory | undefined;
  #run: LoopFunction | undefined;

  // The frame in which the fast loop last stopped. A run that goes on there needs no proof.
  #stack: Int32Array | undefined;
  #depth = 0;
  #entry = 0;
  #function = -1;

  /** The same for runs in which jumps without a charge are counted; null when there cannot be one. */
  #counter: FastMachine | null | undefined;

  /** Runs that begin with the plain loop without asking, after a proof that failed for many frames. */
  #patience = 0;

  private constructor(machine: Machine, program: Program, state: State, instantiate: typeof instantiateLoop) {
    this.#instantiate = instantiate;
    this.#machine = machine;
    this.#program = program;
    this.#state = state;
  }

  /**
   * Moves a machine into a state memory, from where both loops can run it; undefined when it does not
   * fit or the host has no room, and it stays as it is.
   */
  static attach(
    machine: Machine,
    program: Program,
    instantiate: (state: WebAssembly.Memory, guest: WebAssembly.Memory) => LoopFunction = instantiateLoop,
  ): FastMachine | undefined {
    const state = State.attach(machine, program);
    return state === undefined ? undefined : new FastMachine(machine, program, state, instantiate);
  }

  /** Runs from `machine.pc` until an Exit, which is never `Left`. */
  run(): Exit {
    const machine = this.#machine, program = this.#program, state = this.#state;
    if (this.#mustCount) return this.#count();
    if (this.#patience > 0) {
      this.#patience--;
      return run(machine);
    }
    if (!this.#isKnown()) {
      const exit = this.#leaveHidden();
      if (exit !== undefined) return exit;
      while (!this.#isProven()) {
        const exit = this.#runPlainly();
        if (exit !== undefined) return exit;
      }
    }
    this.#refresh();
    const { heights } = program.verified, { fuel } = machine;
    for (;;) {
      const ip = this.#ipAt(machine.pc);
      // The next jump without a charge may be one too many: only the plain loop stops in front of it.
      if (ip === 0 || (program.counts && fuel.uncharged >= machine.mostUncharged)) {
        const exit = this.#step();
        if (exit !== undefined) return exit;
        continue;
      }
      if (!state.takeStacks()) return run(machine);
      state.setLimits(Math.min(machine.capacity, machine.window - STACK_MARGIN));
      const header = state.words, stackBase = machine.stack.byteOffset, callBase = machine.calls.byteOffset;
      header[Header.pending >> 2] = machine.signaturePending ? 1 : 0;
      header[Header.signature >> 2] = machine.signature;
      header[Header.uncharged >> 2] = fuel.uncharged;
      header[Header.mostUncharged >> 2] = machine.mostUncharged;
      const fp = stackBase + 4 * (machine.sp - heights[machine.pc]);
      const { slice } = fuel, left = program.ticks ? machine.mostUncharged - fuel.uncharged : slice;
      const grant = Math.max(0, Math.min(left, SLICE));
      const reason = this.#run!(ip, fp, grant, callBase + 4 * machine.depth);
      const pc = machine.pc = reason === Stop.Uncharged
        ? header[Header.detail >> 2]
        : program.pcAt(header[Header.ip >> 2]);
      machine.sp = ((header[Header.fp >> 2] - stackBase) >> 2) + heights[pc];
      machine.depth = (header[Header.cp >> 2] - callBase) >> 2;
      machine.signaturePending = header[Header.pending >> 2] !== 0;
      machine.signature = header[Header.signature >> 2];
      const used = grant - header[Header.fuel >> 2];
      if (program.ticks) fuel.uncharged += used;
      else {
        fuel.slice = slice - used;
        // A call that was counted was not made.
        fuel.uncharged = !program.counts
          ? 0
          : header[Header.uncharged >> 2] - (reason !== Stop.Uncharged && isCounted(program, pc) ? 1 : 0);
      }
      switch (reason) {
        case Stop.Done:
          return Exit.Done;
        case Stop.Trap:
          machine.trap = header[Header.detail >> 2];
          if (machine.trap === TrapCode.MemoryOutOfBounds) this.#showAddress(header[Header.ip >> 2]);
          return Exit.Trap;
        case Stop.Fuel: {
          if (program.ticks) {
            if (fuel.uncharged < machine.mostUncharged) break; // the end of the grant
            fuel.uncharged = machine.mostUncharged;
            return this.#leave(Exit.Uncharged);
          }
          if (!chargeFits(machine)) return this.#leave(Exit.Fuel);
          // The end of the grant is not the end of the fuel, and the charge may be larger than any grant.
          const exit = this.#step();
          if (exit !== undefined) return exit;
          break;
        }
        case Stop.Syscall:
          return this.#leave(Exit.Syscall);
        case Stop.Limit:
        case Stop.Uncharged: {
          if (reason === Stop.Limit && state.growCallsFor(machine.depth)) break;
          const exit = this.#goPlainly();
          if (exit !== undefined) return exit;
          break;
        }
        case Stop.Lower: {
          const exit = this.#lowerCallee(pc, header[Header.detail >> 2]);
          if (exit !== undefined) return exit;
          break;
        }
        default: { // Slow
          const exit = this.#step();
          if (exit !== undefined) return exit;
        }
      }
    }
  }

  /**
   * Whether jumps and calls without a charge must be counted: they end a run under a fuel limit, and
   * where charges are missing in places only, nothing else brings the loop out.
   */
  get #mustCount(): boolean {
    const program = this.#program;
    if (program.counts) return false;
    if (!program.ticks) return !program.metered;
    const { fuel, module } = this.#machine;
    return fuel.bounded && module.info?.metered !== false;
  }

  /** Runs in the loop that counts. */
  #count(): Exit {
    this.#stack = undefined;
    if (this.#counter === undefined) {
      this.#counter = FastMachine.attach(this.#machine, this.#program.counting, this.#instantiate) ?? null;
    }
    return this.#counter === null ? run(this.#machine) : this.#counter.run();
  }

  /**
   * Steps out of a hidden function that the plain loop has begun: no call leads there in lowered code,
   * so there is none to come back to.
   */
  #leaveHidden(): Exit | undefined {
    const machine = this.#machine, { hidden, verified } = this.#program;
    while (machine.pc >>> 0 < verified.module.length && hidden[verified.functionAt(machine.pc)] >= 0) {
      const exit = run(machine, machine.pc, 1);
      if (exit !== Exit.Left) return exit;
    }
    return undefined;
  }

  /** Forgets about the frames: another loop has run the machine meanwhile. */
  forget(): void {
    this.#stack = undefined;
    this.#patience = 0;
    this.#counter?.forget();
  }

  /** One instruction in the plain loop; undefined when the fast one can go on. */
  #step(): Exit | undefined {
    const machine = this.#machine, { pc, depth } = machine, op = machine.module.opcodes[pc];
    const exit = run(machine, pc, 1);
    if (exit !== Exit.Left) return exit === Exit.Done || exit === Exit.Trap ? exit : this.#leave(exit);
    if (op === Op.CallInternal) {
      const exit = this.#leaveHidden();
      if (exit !== undefined) return exit;
    }
    this.#refresh();
    // What it has entered or reserved may reach too far. Frames below are where they were.
    const wild = (op === Op.CallIndirect || op === Op.ReturnCallIndirect) &&
      !this.#program.verified.isCallable(machine.pc);
    const returned = machine.depth < depth;
    if (!wild && !returned && this.#fits(machine.pc, machine.sp)) return undefined;
    return returned && this.#isProven() ? undefined : this.#goPlainly();
  }

  /** The plain loop, until the fast one can go on (undefined) or something outside must decide. */
  #goPlainly(): Exit | undefined {
    do {
      const exit = this.#runPlainly();
      if (exit !== undefined) return exit;
    } while (!this.#isProven());
    this.#refresh();
    return undefined;
  }

  /** A while in the plain loop; undefined when it is over and nothing outside must decide. */
  #runPlainly(): Exit | undefined {
    const machine = this.#machine, { fuel } = machine;
    const kept = Math.max(0, fuel.slice - PLAIN_SLICE);
    fuel.slice -= kept;
    const exit = run(machine);
    fuel.slice += kept;
    if (exit === Exit.Fuel && chargeFits(machine)) return undefined;
    this.#stack = undefined;
    return exit;
  }

  /** Notes the frame the run stops in. */
  #leave(exit: Exit): Exit {
    const machine = this.#machine, { verified } = this.#program;
    this.#stack = machine.stack;
    this.#depth = machine.depth;
    this.#function = verified.functionAt(machine.pc);
    this.#entry = machine.sp - verified.heights[machine.pc];
    return exit;
  }

  /** Whether the machine is in the frame it was left in. */
  #isKnown(): boolean {
    const { stack, depth, pc, sp, signaturePending } = this.#machine, { verified } = this.#program;
    return stack === this.#stack && depth === this.#depth && !signaturePending &&
      pc >>> 0 < verified.module.length && verified.functionAt(pc) === this.#function &&
      sp - verified.heights[pc] === this.#entry;
  }

  /**
   * Whether every frame can go on in the fast loop: it stays above what the frames below it keep, and
   * what the fast loop does not test cannot fail in it. Calls of what is no function, through tables
   * that hold numbers, are the reason why not all frames do.
   */
  #isProven(): boolean {
    const machine = this.#machine, { verified } = this.#program;
    const { opcodes, length } = machine.module;
    let { pc, sp, depth } = machine;
    const deep = depth;
    // Only a signature check knows what to do with a pending signature.
    if (machine.signaturePending && opcodes[pc] !== Op.SignatureCheck) return false;
    if (depth + CALL_MARGIN > machine.limits.callDepth) return this.#refuse(0);
    while (pc >>> 0 < length && this.#fits(pc, sp)) {
      const number = verified.functionAt(pc), results = verified.resultSlots[number];
      if (depth === 0 || results < 0) return true;
      sp += results - verified.paramSlots[number] - verified.heights[pc];
      pc = machine.calls[--depth];
      if (pc < 1 || pc >= length || verified.heights[pc] === UNREACHED || !this.#isBehindCall(pc)) break;
    }
    return this.#refuse(deep - depth);
  }

  /** Whether an instruction stands behind a call that is one in lowered code, too. */
  #isBehindCall(pc: number): boolean {
    const { hidden, verified } = this.#program, { opcodes, immediates } = verified.module;
    if (opcodes[pc - 1] === Op.CallInternal) return hidden[verified.functionAt(immediates[pc - 1])] < 0;
    return pc > 1 && opcodes[pc - 2] === Op.CallIndirect;
  }

  #refuse(frames: number): false {
    this.#patience = frames >> 6;
    return false;
  }

  /** Whether the frame that stands at a pc with a height has room for what the fast loop does not test. */
  #fits(pc: number, sp: number): boolean {
    const machine = this.#machine, { verified } = this.#program;
    if (pc >>> 0 >= machine.module.length || verified.heights[pc] === UNREACHED) return false;
    const number = verified.functionAt(pc), entry = sp - verified.heights[pc];
    const most = entry + verified.maxHeights[number];
    if (entry < verified.paramSlots[number] || most + STACK_MARGIN > machine.window) return false;
    // A state that is read from a file may stand behind a reservation that its capacity does not show.
    const mayMiss = verified.excessSlots[number] === 0 && !this.#hasReserved(number, pc);
    return (most <= machine.capacity || mayMiss) && machine.depth + CALL_MARGIN <= machine.limits.callDepth;
  }

  /** Whether a run that stands at a pc of a function has been through its reservation. */
  #hasReserved(number: number, pc: number): boolean {
    const { starts, module: { opcodes } } = this.#program.verified, start = starts[number];
    // It is one of the first three instructions; elsewhere it is taken for done.
    for (let at = start; at < pc; at++) if (at === start + 3 || opcodes[at] === Op.StackCheck) return true;
    return false;
  }

  /** Address of the instruction at a pc where the fast loop can go on, 0 when there is none. */
  #ipAt(pc: number): number {
    const { ips, verified, lowered } = this.#program;
    if (ips[pc] === 0) {
      const number = verified.functionAt(pc);
      if (lowered[number] !== 0) return 0;
      this.#lower(number);
    }
    if (!this.#state.isComplete) this.#state.update();
    return ips[pc] & ~CALLABLE;
  }

  #lower(number: number): void {
    this.#lowering ??= new Lowering(this.#program);
    this.#lowering.lower(number);
  }

  /** A call at `pc` stopped before it went to a function that is not here; undefined when it can now. */
  #lowerCallee(pc: number, callee: number): Exit | undefined {
    const { verified, ips, lowered } = this.#program, op = verified.module.opcodes[pc];
    const direct = op === Op.CallInternal || op === Op.ReturnCallInternal;
    // A number that is no function can only be in a table; the plain loop knows what then.
    if (!direct && !verified.isCallable(callee)) return this.#goPlainly();
    const number = verified.functionAt(callee);
    if (lowered[number] === 0) this.#lower(number);
    if (ips[callee] === 0) return this.#goPlainly();
    this.#state.update();
    return undefined;
  }

  /** The address that a load or store could not use, where the plain loop has it: messages read it there. */
  #showAddress(ip: number): void {
    const machine = this.#machine, { words } = this.#state, { module, pc, sp } = machine;
    const at = ip >> 2, operands = operandsOf(words[at]);
    if (!operands.includes("offset") && !operands.includes("base=")) return;
    // What no operand names is in the accumulator.
    let address = operands.some((operand) => operand === "base" || operand === "base=")
      ? 0
      : words[Header.accumulator >> 2];
    operands.forEach((operand, k) => {
      const word = words[at + 1 + k];
      if (operand === "base=" || operand === "add") address += word;
      else if (operand === "base" || operand === "index") {
        address += words[(words[Header.fp >> 2] + word) >> 2];
      }
    });
    machine.stack[sp - POPS[module.opcodes[pc]]] = address;
  }

  /** Notices what changed outside of the fast loop: memory, tables, globals. */
  #refresh(): void {
    const { memory } = this.#machine;
    this.#state.words[Header.guestBytes >> 2] = memory.byteLength;
    // The loop asks for a page at least, of which it uses what the machine has.
    const guest = memory.pages > 0 ? memory.host! : (noMemory ??= new HostMemory({ initial: 1 }));
    if (guest !== this.#guest) {
      this.#guest = guest;
      this.#run = this.#instantiate(this.#state.memory, guest);
    }
    this.#state.refresh();
  }
}

/** Whether the instruction at a pc is a call that is counted before it is made. */
function isCounted({ verified: { module } }: Program, pc: number): boolean {
  const op = module.opcodes[pc];
  return op === Op.CallInternal || op === Op.ReturnCallInternal || op === Op.CallIndirect ||
    op === Op.ReturnCallIndirect;
}

/** Whether the slice holds the charge at `machine.pc`. */
function chargeFits({ module, pc, stack, sp, fuel }: Machine): boolean {
  const amount = module.opcodes[pc] === Op.ConsumeFuelStack ? stack[sp - 1] : module.immediates[pc];
  return amount >= 0 && amount <= fuel.slice;
}
