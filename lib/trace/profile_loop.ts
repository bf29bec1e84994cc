/**
 * The loop of a profiler: the plain loop, run in stretches that charge at most once and change the
 * call stack at most once, so that every unit of fuel belongs to one instruction of one calling
 * context. Results, fuel and traps are those of the plain loop.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import type { FuelMeter } from "../vm/fuel.ts";
import type { Loop } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import { isCall, isTailCall, type ProfiledCode } from "./profile_code.ts";
import { type CallTree, ROOT } from "./profile_tree.ts";

/** What has been attributed of one fuel counter, and to what the next charge from outside belongs. */
export class Account {
  /** The counter. */
  readonly fuel: FuelMeter;
  /** Everything it had consumed when something was last attributed. */
  settled: bigint;
  /** Node that is charged for what is consumed while no guest code runs. */
  node: number;
  /** The code that called the host, and where; undefined between runs. */
  code: ProfiledCode | undefined = undefined;
  /** The instruction that called the host. */
  pc = 0;
  /** The same three of runs that wait for the current one. */
  readonly #waiting: Pick<Account, "node" | "code" | "pc">[] = [];
  readonly #tree: CallTree;
  readonly #host: number;

  /** An account that begins with what the counter has consumed by now. */
  constructor(fuel: FuelMeter, tree: CallTree, host: number) {
    this.fuel = fuel;
    this.settled = fuel.everConsumed();
    this.#tree = tree;
    this.#host = host;
    this.node = host;
  }

  /** Attributes what was consumed outside of guest code. */
  settle(): void {
    const total = this.fuel.everConsumed(), amount = total - this.settled;
    this.settled = total;
    // A host function that did not get what it needed gets back what it charged, to be called again.
    // Otherwise a counter that was set back takes nothing away from anybody.
    if (amount > 0n || amount < 0n && this.code !== undefined) this.#charge(amount);
  }

  #charge(amount: bigint): void {
    this.#tree.fuel.addLarge(this.node, amount);
    const { code, pc } = this;
    if (code !== undefined) code.byHost.set(pc, (code.byHost.get(pc) ?? 0n) + amount);
  }

  /** A run begins, within the one that called the host or on its own. */
  begin(nested: boolean): void {
    this.settle();
    const { node, code, pc } = this;
    if (nested) this.#waiting.push({ node, code, pc });
    else this.#waiting.length = 0;
  }

  /** The current run is over. */
  end(): void {
    this.settle();
    const { node, code, pc } = this.#waiting.pop() ?? { node: this.#host, code: undefined, pc: 0 };
    this.node = node;
    this.code = code;
    this.pc = pc;
  }
}

/** Runs one machine and attributes its fuel. */
export class ProfileLoop implements Loop {
  readonly #machine: Machine;
  readonly #code: ProfiledCode;
  readonly #tree: CallTree;
  readonly #account: Account;
  /** Number of the first function of the code in the profile. */
  readonly #first: number;
  /** Node of every level of the call stack. */
  #nodes = new Int32Array(64);
  /** How the loop was last left, and where. */
  #exit = Exit.Done;
  #begins = false;
  #pc = 0;
  #depth = 0;
  #calls: Int32Array | undefined = undefined;

  /** A loop for a machine whose functions begin at number `first`. */
  constructor(machine: Machine, code: ProfiledCode, tree: CallTree, account: Account, first: number) {
    this.#machine = machine;
    this.#code = code;
    this.#tree = tree;
    this.#account = account;
    this.#first = first;
  }

  /** A run of the machine is about to start. */
  begin(): void {
    this.#begins = true;
  }

  /** Runs until something outside must decide. */
  run(): Exit {
    this.#enter();
    const exit = this.#run(0, this.#machine.module.length, false);
    this.#leave(exit);
    return exit;
  }

  /** Runs while pc is in a range, as the plain loop does. */
  runRange(from: number, count: number): Exit {
    this.#enter();
    const exit = this.#run(from, from + count, count === 1 && from === this.#machine.pc);
    this.#leave(exit);
    return exit;
  }

  /** `single` runs one instruction, also when it jumps to itself. */
  #run(from: number, to: number, single: boolean): Exit {
    const machine = this.#machine, { fuel, module } = machine, { opcodes, immediates, length } = module;
    const code = this.#code, { ends, counts } = code, sums = this.#tree.fuel;
    let depth = machine.depth, node = this.#nodes[depth]!;
    for (;;) {
      const pc = machine.pc;
      if (pc >>> 0 >= length) return run(machine);
      if (pc < from || pc >= to) return Exit.Left;
      const end = Math.min(to, ends[pc] || code.endOf(pc)), slice = fuel.slice;
      const exit = run(machine, pc, end - pc);
      const spent = slice - fuel.slice;
      if (spent !== 0) {
        sums.add(node, spent);
        if (opcodes[pc] === Op.ConsumeFuel) counts[pc]! += spent / immediates[pc]!;
        else this.#varies(pc, spent);
      }
      // A stretch that ends with the run may have called or returned as well.
      if (machine.depth !== depth) node = this.#moved(depth, machine.depth);
      else if (exit === Exit.Left && isTailCall(opcodes[end - 1]!) && code.startsAt(machine.pc)) {
        node = this.#replaced(depth);
      }
      depth = machine.depth;
      if (exit !== Exit.Left || single) return exit;
    }
  }

  #varies(pc: number, spent: number): void {
    const { varying, counts } = this.#code;
    varying.set(pc, (varying.get(pc) ?? 0n) + BigInt(spent));
    counts[pc]!++;
  }

  /** The call stack has one entry more or less. */
  #moved(from: number, to: number): number {
    if (to < from) return this.#nodes[to]!;
    if (to >= this.#nodes.length) this.#reserve(to);
    return this.#nodes[to] = this.#called(this.#nodes[from]!, this.#machine.pc);
  }

  /** A tail call: the function takes the place of its caller. */
  #replaced(depth: number): number {
    const above = depth === 0 ? ROOT : this.#nodes[depth - 1]!;
    return this.#nodes[depth] = this.#called(above, this.#machine.pc);
  }

  #called(caller: number, pc: number): number {
    const node = this.#nodeOf(caller, pc);
    if (node !== caller) this.#tree.calls[node]!++;
    return node;
  }

  /** Node of the function that contains a pc under a caller; hidden functions are part of theirs. */
  #nodeOf(caller: number, pc: number): number {
    const position = this.#code.functionAt(pc);
    return this.#code.hidden[position] === 1 ? caller : this.#tree.child(caller, this.#first + position);
  }

  #reserve(depth: number): void {
    const nodes = new Int32Array(Math.max(depth + 1, 2 * this.#nodes.length));
    nodes.set(this.#nodes);
    this.#nodes = nodes;
  }

  /** Attributes what was consumed meanwhile, and finds out where the machine stands. */
  #enter(): void {
    const { pc, depth, calls } = this.#machine, begins = this.#begins;
    const goesOn = !begins && this.#calls === calls && this.#depth === depth &&
      (pc === this.#pc || pc === this.#pc + 1);
    if (goesOn && this.#exit === Exit.Fuel && pc === this.#pc + 1) this.#chargedByDriver();
    this.#account.settle();
    if (goesOn) return;
    this.#begins = false;
    this.#locate(begins);
  }

  /** The driver performed the charge that did not fit the slice; more may have come from outside. */
  #chargedByDriver(): void {
    const { module, stack, sp } = this.#machine, pc = this.#pc, code = this.#code, account = this.#account;
    const fixed = module.opcodes[pc] === Op.ConsumeFuel;
    // The operand was popped and is still in its cell.
    const amount = BigInt((fixed ? module.immediates[pc]! : stack[sp]!) >>> 0);
    const node = this.#nodes[this.#depth]!;
    account.settled += amount;
    this.#tree.fuel.addLarge(node, amount);
    code.counts[pc]!++;
    if (!fixed) code.varying.set(pc, (code.varying.get(pc) ?? 0n) + amount);
  }

  /** Finds the nodes of all levels from the return addresses. */
  #locate(begins: boolean): void {
    const { depth, calls, pc, module } = this.#machine, nodes = this.#nodes;
    if (depth >= nodes.length) this.#reserve(depth);
    let node = ROOT;
    for (let level = 0; level < depth; level++) {
      const back = calls[level]! >>> 0;
      // The call stands before the address it returns to, an indirect one before its table.
      const call = isCall(module.opcodes[back - 1]!) ? back - 1 : Math.max(0, back - 2);
      node = this.#nodes[level] = this.#nodeOf(node, call);
    }
    node = this.#nodes[depth] = this.#nodeOf(node, pc >>> 0);
    if (begins) this.#tree.calls[node]!++;
  }

  #leave(exit: Exit): void {
    const { pc, depth, calls } = this.#machine, account = this.#account;
    this.#exit = exit;
    this.#pc = pc;
    this.#depth = depth;
    this.#calls = calls;
    account.settled = account.fuel.everConsumed();
    account.node = this.#nodes[depth]!;
    account.code = exit === Exit.Syscall ? this.#code : undefined;
    account.pc = pc;
  }
}
