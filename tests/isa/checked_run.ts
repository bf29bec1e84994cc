/**
 * Runs a verified module on the machine of record, one instruction at a time, and compares the state
 * before each with what the verifier claims about it. The machine is not changed for that: it gets a
 * module in which every instruction but the next is a charge that no fuel can pay, so it stops there.
 *
 * @module
 */

import { TrapCode, trapName } from "../../lib/error.ts";
import { RwasmModule } from "../../lib/isa/module.ts";
import { Op, POPS, PUSHES } from "../../lib/isa/opcode.ts";
import { formatInstruction } from "../../lib/isa/text.ts";
import type { VerifiedModule } from "../../lib/isa/verify.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";

/** A frame as the verifier sees it. */
interface Frame {
  /** Number of the function. */
  readonly number: number;
  /** Height of the stack at its entry. */
  readonly base: number;
}

/** How a checked run ended: "done", a trap, "steps" when it was cut, "target" at an indirect call to no function. */
export type CheckedEnding = string;

/** Runs a module and throws at the first state that the verifier excluded. */
export class CheckedRun {
  readonly #verified: VerifiedModule;
  readonly #module: RwasmModule;
  readonly #stops: RwasmModule;
  readonly #machine: Machine;
  #frames: Frame[] = [];
  /** Instructions executed. */
  steps = 0;

  /** Prepares a fresh instance. */
  constructor(verified: VerifiedModule) {
    this.#verified = verified;
    const module = this.#module = verified.module;
    this.#stops = new RwasmModule({
      opcodes: new Uint8Array(module.length).fill(Op.ConsumeFuel),
      immediates: new Int32Array(module.length).fill(-1),
      data: module.data,
      elements: module.elements,
      hint: module.hint,
      sourcePc: module.sourcePc,
    });
    this.#machine = new Machine(this.#stops, verified.limits, new FuelMeter(undefined));
  }

  /** Adds elements to a table, as a host could. */
  fillTable(table: number, elements: readonly number[]): void {
    for (const element of elements) this.#machine.tables.grow(table, element, 1);
  }

  /** Runs from a function's entry with the given parameter slots. */
  run(number: number, params: readonly number[], mostSteps: number): CheckedEnding {
    const machine = this.#machine, start = this.#verified.starts[number];
    machine.start(start);
    machine.signaturePending = false;
    if (!machine.reserve(params.length) || !machine.growStack(params.length)) return "no room";
    for (const value of params) machine.stack[machine.sp++] = value;
    this.#frames = [{ number, base: machine.sp }];
    for (let left = mostSteps; left > 0; left--) {
      const ending = this.#step();
      if (ending !== undefined) return ending;
    }
    return "steps";
  }

  #step(): CheckedEnding | undefined {
    const machine = this.#machine, verified = this.#verified, frames = this.#frames;
    const pc = machine.pc, frame = frames[frames.length - 1];
    this.#check(pc, frame);
    const op = this.#module.opcodes[pc], depth = machine.depth;
    if ((op === Op.CallIndirect || op === Op.ReturnCallIndirect) && !this.#targetIsCallable(pc)) {
      return "target";
    }
    this.steps++;
    const exit = this.#runOne(pc);
    switch (exit) {
      case Exit.Done:
        this.#leave(pc, 0);
        this.#checkReturn(pc, frames[0]);
        return "done";
      case Exit.Trap:
        this.#checkTrap(pc, frame, op);
        return trapName(machine.trap);
      case Exit.Syscall: {
        // The host function answers with zeros.
        const popped = verified.poppedBy(pc), pushed = verified.pushedBy(pc);
        if (pushed < 0) return "UnknownExternalFunction";
        machine.sp -= popped;
        if (machine.sp < 0) this.#fail(pc, "takes more than there is");
        if (!machine.reserve(pushed) || !machine.growStack(machine.sp + pushed)) return "StackOverflow";
        for (let n = 0; n < pushed; n++) machine.stack[machine.sp++] = 0;
        machine.pc++;
        return undefined;
      }
      case Exit.Fuel:
        if (machine.pc === pc && (op === Op.ConsumeFuel || op === Op.ConsumeFuelStack)) {
          // A charge that is too high for the slice: unbounded fuel pays it.
          if (op === Op.ConsumeFuelStack) machine.sp--;
          machine.pc++;
        }
    }
    if (machine.depth < depth) this.#leave(pc, machine.depth);
    else if (machine.depth > depth) this.#enter(pc);
    else if (op === Op.ReturnCallInternal || op === Op.ReturnCallIndirect) {
      frames.pop();
      this.#enter(pc);
    }
    return undefined;
  }

  /** Executes one instruction; its payload is there, too. */
  #runOne(pc: number): Exit {
    const { opcodes, immediates } = this.#stops, module = this.#module;
    const payload = pc + 1 < module.length && module.opcodes[pc + 1] === Op.TableGet;
    for (let at = pc; at <= (payload ? pc + 1 : pc); at++) {
      opcodes[at] = module.opcodes[at];
      immediates[at] = module.immediates[at];
    }
    // Only an instruction with a payload may see the next one: without, that must stop the machine.
    const needsPayload = module.opcodes[pc] === Op.CallIndirect || module.opcodes[pc] === Op.TableInit ||
      module.opcodes[pc] === Op.ReturnCallIndirect;
    if (payload && !needsPayload) this.#stop(pc + 1);
    const exit = run(this.#machine);
    this.#stop(pc);
    if (payload) this.#stop(pc + 1);
    return exit;
  }

  #stop(pc: number): void {
    this.#stops.opcodes[pc] = Op.ConsumeFuel;
    this.#stops.immediates[pc] = -1;
  }

  /** What every state must be like. */
  #check(pc: number, frame: Frame): void {
    const verified = this.#verified, machine = this.#machine;
    if (pc < 0 || pc >= this.#module.length) this.#fail(pc, "is outside of the code");
    if (verified.functionAt(pc) !== frame.number) this.#fail(pc, `is not in function ${frame.number}`);
    if (!verified.isReached(pc)) this.#fail(pc, "should never be reached");
    const height = machine.sp - frame.base;
    if (height !== verified.heights[pc]) this.#fail(pc, `has height ${height}, not ${verified.heights[pc]}`);
    if (height > verified.maxHeights[frame.number]) this.#fail(pc, "is higher than its function's frame");
    if (-height > verified.paramSlots[frame.number]) {
      this.#fail(pc, "is lower than its function's parameters");
    }
    if (machine.sp > machine.capacity) this.#fail(pc, "is above the capacity");
  }

  #checkReturn(pc: number, frame: Frame): void {
    const { paramSlots, resultSlots } = this.#verified;
    const left = this.#machine.sp - frame.base + paramSlots[frame.number];
    if (left !== resultSlots[frame.number]) {
      this.#fail(pc, `returns ${left} slots, not ${resultSlots[frame.number]}`);
    }
  }

  /** Takes frames away; a Return that leads to itself returns several times in a step. */
  #leave(pc: number, depth: number): void {
    while (this.#frames.length > depth + 1) this.#checkReturn(pc, this.#frames.pop()!);
  }

  #enter(from: number): void {
    const number = this.#verified.functionAt(this.#machine.pc);
    if (this.#verified.starts[number] !== this.#machine.pc) {
      this.#fail(from, "enters a function in the middle");
    }
    this.#frames.push({ number, base: this.#machine.sp });
  }

  /** Of the traps, two could mean that the verifier was wrong. */
  #checkTrap(pc: number, { number }: Frame, op: number): void {
    const { trap } = this.#machine;
    if (trap === TrapCode.UnreachableCodeReached && op !== Op.Unreachable && op !== Op.Trap) {
      this.#fail(pc, "traps as unreachable");
    }
    if (trap !== TrapCode.StackOverflow || op === Op.Trap) return;
    const limited = op === Op.StackCheck || op === Op.CallInternal || op === Op.CallIndirect;
    if (!limited && this.#verified.excessSlots[number] === 0) {
      this.#fail(pc, "overflows or underflows the stack");
    }
    // Where a push may fail, it is still a push that fails, not a pop.
    if (!limited && PUSHES[op] <= POPS[op] && op !== Op.BulkConst) this.#fail(pc, "underflows the stack");
  }

  /** What whoever runs a verified module must test at an indirect call. */
  #targetIsCallable(pc: number): boolean {
    const machine = this.#machine;
    const table = machine.tables.at(this.#module.immediates[pc + 1] & 0xffff);
    const index = machine.stack[machine.sp - 1] >>> 0;
    if (index >= table.length || table.elements[index] === 0) return true; // traps by itself
    return this.#verified.isCallable(table.elements[index]);
  }

  #fail(pc: number, what: string): never {
    const inside = pc >= 0 && pc < this.#module.length;
    throw new Error(`pc ${pc}${inside ? ` ${formatInstruction(this.#module, pc)}` : ""} ${what}`);
  }
}
