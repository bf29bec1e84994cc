/**
 * Decides whether an rWasm module, from anyone, is safe to run: `RwasmModule` in, the same module as
 * `VerifiedModule` out, with what was found about its functions and the stack; or a `VerifyError`.
 * What cannot be proved is refused. Time and memory are linear in the code. This file is the order
 * of the steps and the result; `structure.ts`, `heights.ts` and `call_graph.ts` are the steps.
 *
 * What is left to whoever runs a verified module, because slots have no types: a number in a table
 * may be anything, so an indirect call must test `isCallable` of its target; and the host must bring
 * as many slots as `paramSlots` of the function it starts.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { type Limits, resolveLimits } from "../limits.ts";
import { Heights, NEVER_RETURNS, type Syscalls, UNREACHED } from "./heights.ts";
import { type FunctionType, RwasmModule, slotsOfAll } from "./module.ts";
import { quoteName } from "./nearest.ts";
import { Op } from "./opcode.ts";
import { refuseAt, refuseModule, slots } from "./refusal.ts";
import { AFTER, ENTRY, functionAt, readStructure, type Structure, TARGET } from "./structure.ts";

export type { Syscalls } from "./heights.ts";

/** How {@link verify} judges. */
export interface VerifyOptions {
  /** Bounds the module will run under; what is absent is as in `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * What a call of a host function that `syscalls` does not know means: "refuse", the default,
   * refuses the module; "trap" accepts it as an instruction that ends in UnknownExternalFunction,
   * as it does in the reference.
   */
  readonly unknownSyscalls?: "refuse" | "trap" | undefined;
}

/** Known to the functions of this file only: what makes a `VerifiedModule` impossible to forge. */
const KEY = Symbol("verified");

/**
 * A module that {@link verify} has accepted, and what is known about it. Functions are numbered by
 * their position in the code. "Above the entry" counts slots from the height of the stack at the
 * first instruction of a function; parameters are below that and count as negative.
 */
class Verified {
  /** The module. Not to be written to: what is known would no longer be true. */
  readonly module: RwasmModule;
  /** The limits it was verified under. It may run under others only if it is verified again. */
  readonly limits: Limits;
  /** How many functions there are: initialization, entry point, trampolines, bodies, i64 functions. */
  readonly functionCount: number;
  /** First instruction of every function, ascending, then the length of the code. */
  readonly starts: Uint32Array;
  /** By function: slots below its entry that it or what it calls uses. At most its parameters. */
  readonly paramSlots: Int32Array;
  /** By function: slots it leaves in place of `paramSlots`, -1 when it never returns. */
  readonly resultSlots: Int32Array;
  /** By function: highest that its own frame gets above the entry. */
  readonly maxHeights: Int32Array;
  /** By function: slots above the entry that its own `StackCheck` makes sure of on every way. */
  readonly reservedSlots: Int32Array;
  /**
   * By function: most slots that one of its pushes goes beyond what is reserved there. Where it is 0
   * no push can fail. Elsewhere a push may, when the capacity does not reach: nothing that is
   * compiled here needs it, tail calls of the reference's compiler may by one slot. An entry height
   * of `maxHeights` below the capacity proves the frame anyway.
   */
  readonly excessSlots: Int32Array;
  /** Height above its function's entry before each instruction; `UNREACHED` where no run can get. */
  readonly heights: Int32Array;
  /** The function at `source_pc`. */
  readonly entry: number;

  readonly #structure: Structure;
  readonly #heights: Heights;

  constructor(key: typeof KEY, module: RwasmModule, limits: Limits, structure: Structure, heights: Heights) {
    if (key !== KEY) {
      throw new UsageError("NotVerified", "Cannot make a VerifiedModule: only verify() makes one");
    }
    this.module = module;
    this.limits = limits;
    this.#structure = structure;
    this.#heights = heights;
    const count = this.functionCount = structure.starts.length - 1;
    this.starts = structure.starts;
    this.paramSlots = heights.reach.subarray(0, count);
    this.resultSlots = new Int32Array(count);
    for (let number = 0; number < count; number++) this.resultSlots[number] = resultsOf(heights, number);
    this.maxHeights = heights.peaks;
    this.reservedSlots = heights.reserved;
    this.excessSlots = heights.excess;
    this.heights = heights.heights;
    this.entry = functionAt(structure, module.sourcePc);
  }

  /** Whether a value is what {@link verify} made; for callers without type checks. */
  static is(value: unknown): value is VerifiedModule {
    return typeof value === "object" && value !== null && #structure in value;
  }

  /** Number of the function an instruction (0 … length − 1) belongs to. */
  functionAt(pc: number): number {
    return functionAt(this.#structure, pc);
  }

  /** Whether a run can get to an instruction. */
  isReached(pc: number): boolean {
    return this.heights[pc] !== UNREACHED;
  }

  /**
   * Whether an instruction begins a basic block: the entry of a function, the target of a branch, or
   * what stands behind a branch, call, return or trap.
   */
  isLeader(pc: number): boolean {
    return (this.#structure.marks[pc]! & (ENTRY | TARGET | AFTER)) !== 0;
  }

  /** Whether more than one way can lead to an instruction: a branch, or the entry of its function. */
  isTarget(pc: number): boolean {
    return (this.#structure.marks[pc]! & (ENTRY | TARGET)) !== 0;
  }

  /**
   * Whether an indirect call may go to a code index: it is the first instruction of a function, and
   * that is its `SignatureCheck`. Any other value, from a host or a program that stores numbers in
   * tables, must trap; every value is a possible argument.
   */
  isCallable(target: number): boolean {
    return this.module.opcodes[target] === Op.SignatureCheck;
  }

  /**
   * Slots that a call, tail call or syscall takes off the stack, without the index of an indirect
   * call: the most that any function it can go to uses. 0 for a syscall that traps.
   */
  poppedBy(pc: number): number {
    if (isSyscall(this.module, pc)) return this.#heights.syscallSlots(pc)?.params ?? 0;
    return this.#heights.reach[this.#heights.graph.calleeOf(pc)]!;
  }

  /** Slots that a call, tail call or syscall leaves in their place, -1 when it never comes back. */
  pushedBy(pc: number): number {
    if (isSyscall(this.module, pc)) return this.#heights.syscallSlots(pc)?.results ?? -1;
    return resultsOf(this.#heights, this.#heights.graph.calleeOf(pc));
  }
}

/** A module that {@link verify} has accepted; nothing else makes one. */
export type VerifiedModule = Verified;

/** Whether a value is a `VerifiedModule`; for callers without type checks. */
export function isVerified(value: unknown): value is VerifiedModule {
  return Verified.is(value);
}

function resultsOf(heights: Heights, node: number): number {
  const delta = heights.deltas[node]!;
  return delta === NEVER_RETURNS ? -1 : heights.reach[node]! + delta;
}

function isSyscall({ opcodes }: RwasmModule, pc: number): boolean {
  return opcodes[pc] === Op.Call || opcodes[pc] === Op.ReturnCall;
}

/**
 * Proves about a module, for every run from its initialization, its entry point or an export, with
 * the slots these need: no instruction outside of the code, no payload and no opcode without meaning
 * is executed; functions are entered at their first instruction only; the stack never ends below
 * what the host put there, and has one height at each instruction of a frame; initialization ends
 * with an empty stack; a push fails only in functions whose `excessSlots` are not 0. Loops without
 * charges are allowed, but for loops of jumps alone, which never end and do nothing.
 *
 * Of the traps that remain, StackOverflow means the limits: a reservation, or the depth of calls.
 *
 * @param syscalls types of the host functions by syscall index, as the linker has them: what a
 * syscall does to the stack depends on them. Calls of others are judged by `unknownSyscalls`.
 *
 * @throws {VerifyError} when something of it cannot be proved: with a code, the instruction (`pc`)
 * and the reason.
 * @throws {UsageError} `InvalidModule`, `InvalidLimit` or `InvalidOption` when the arguments are wrong.
 *
 * @example
 * ```ts
 * import { assemble } from "./text.ts";
 * import { verify } from "./verify.ts";
 * const verified = verify(assemble("LocalGet 1\nI32Add\nReturn"), () => undefined);
 * console.log(verified.paramSlots[0], verified.resultSlots[0]); // 1 1
 * ```
 */
export function verify(module: RwasmModule, syscalls: Syscalls, options: VerifyOptions = {}): VerifiedModule {
  if (!(module instanceof RwasmModule)) {
    throw new UsageError("InvalidModule", "Cannot verify: what was given is not an RwasmModule");
  }
  const { unknownSyscalls = "refuse" } = options;
  if (unknownSyscalls !== "refuse" && unknownSyscalls !== "trap") {
    throw new UsageError("InvalidOption", 'Cannot verify: unknownSyscalls must be "refuse" or "trap"');
  }
  const limits = resolveLimits(options.limits);
  const structure = readStructure(module, limits);
  const heights = new Heights(module, structure, limits, syscalls, unknownSyscalls === "trap");
  checkInitialization(module, heights);
  checkTypes(module, structure, heights);
  return new Verified(KEY, module, limits, structure, heights);
}

/** Initialization starts on an empty stack and must leave it so. With `source_pc` 0 there is none. */
function checkInitialization(module: RwasmModule, heights: Heights): void {
  if (module.sourcePc === 0) return;
  const reach = heights.reach[0]!, delta = heights.deltas[0]!;
  if (reach > 0) {
    const why = `uses ${slots(reach)} below the stack of the initialization, which starts empty`;
    refuseAt(module, heights.reachPcs[0]!, "StackUnderflow", why);
  }
  if (delta !== NEVER_RETURNS && delta !== 0) {
    const why = `ends the initialization with ${slots(delta)} on the stack`;
    refuseAt(module, heights.returnPcs[0]!, "InitializationLeavesValues", why);
  }
}

/** Of a compiled module the types of exports and entry point are known; the code must keep to them. */
function checkTypes({ info, sourcePc }: RwasmModule, structure: Structure, heights: Heights): void {
  if (info === undefined) return;
  const check = (what: string, { params, results }: FunctionType, start: number) => {
    const number = functionAt(structure, start);
    const given = slotsOfAll(params), left = slotsOfAll(results), delta = heights.deltas[number]!;
    if (heights.reach[number]! > given) {
      const why = `${what} has ${slots(given)} of parameters, its code uses ${heights.reach[number]}`;
      refuseModule("TypeMismatch", why);
    }
    if (delta !== NEVER_RETURNS && given + delta !== left) {
      refuseModule("TypeMismatch", `${what} has ${slots(left)} of results, its code leaves ${given + delta}`);
    }
  };
  for (const entry of info.functionExports) {
    check(`export ${quoteName(entry.name)}`, entry, info.functionStarts[entry.index]!);
  }
  if (info.entrypoint !== undefined && !info.hasRouter) check("the entry point", info.entrypoint, sourcePc);
}
