/**
 * The code of one module as a profiler sees it: where its functions begin and what they are called,
 * which stretches can run without stopping, and what was charged at each instruction. It runs
 * nothing.
 *
 * @module
 */

import type { RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import { functionName } from "../vm/backtrace.ts";

/** A function of a profile. */
export interface ProfiledFunction {
  /** What it is called: unique in the profile, and anything a module may name a function. */
  readonly name: string;
  /** Index in the Wasm function index space; undefined when it is none of them or nothing is known. */
  readonly index: number | undefined;
  /** First instruction; undefined when it is no code. */
  readonly pc: number | undefined;
  /** The module it belongs to, as a position in the modules of the profile; undefined when it is no code. */
  readonly module: number | undefined;
}

/** Names of code that belongs to no function: it runs at instantiation, or before the entry point. */
const INSTANTIATE = "(instantiate)", ENTRY = "(entry)";

/** The code of one module, and what was charged in it. */
export class ProfiledCode {
  /** The module. */
  readonly module: RwasmModule;
  /** First pc of every function, ascending. */
  readonly starts: Int32Array;
  /** Names of the functions, in the order of `starts`. */
  readonly names: readonly string[];
  /** Wasm indices of the functions, −1 for what is none. */
  readonly indices: Int32Array;
  /** Whether a function is part of its caller: a hidden function of the compiler, which charges nothing. */
  readonly hidden: Uint8Array;
  /** For every pc the end of the stretch that starts there; 0 where nobody asked yet. */
  readonly ends: Int32Array;
  /** How often each instruction charged. */
  readonly counts: Float64Array;
  /** What was charged at instructions whose charge is not their immediate. */
  readonly varying = new Map<number, bigint>();
  /** What host functions charged, by the instruction that called them. */
  readonly byHost = new Map<number, bigint>();
  /** One more than the position of the function that begins at a pc; 0 where none does. */
  readonly #positions: Int32Array;

  /** The code of a module of which nothing was charged. */
  constructor(module: RwasmModule) {
    this.module = module;
    const { length } = module;
    const found = module.info === undefined ? decodedFunctions(module) : compiledFunctions(module);
    const order = Array.from(found.keys()).sort((a, b) => a - b);
    this.starts = Int32Array.from(order);
    this.names = order.map((pc) => found.get(pc)!.name);
    this.indices = Int32Array.from(order, (pc) => found.get(pc)!.index);
    this.hidden = Uint8Array.from(order, (pc) => found.get(pc)!.hidden ? 1 : 0);
    this.#positions = new Int32Array(length);
    order.forEach((pc, position) => this.#positions[pc] = position + 1);
    this.ends = new Int32Array(length);
    this.counts = new Float64Array(length);
  }

  /** Position of the function that contains a pc. */
  functionAt(pc: number): number {
    const begins = this.#positions[pc];
    if (begins !== undefined && begins !== 0) return begins - 1;
    const { starts } = this;
    let low = 0, high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= pc) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** Whether a function begins at a pc. */
  startsAt(pc: number): boolean {
    return this.#positions[pc] !== 0;
  }

  /**
   * End, exclusive, of the stretch from `pc` that can run as one: nothing in it charges but its first
   * instruction, and it changes the call stack at most once, when it ends.
   */
  endOf(pc: number): number {
    const known = this.ends[pc]!;
    return known !== 0 ? known : this.ends[pc] = this.#findEnd(pc);
  }

  #findEnd(pc: number): number {
    const { opcodes, immediates, length } = this.module;
    // How often a charge by an operand happened cannot be told from its sum, so it runs alone.
    if (opcodes[pc] === Op.ConsumeFuelStack) return pc + 1;
    // A call that leads back to where the stretch begins, and a return to there, would be taken
    // twice without stopping; they can only be where functions begin and where calls return to.
    const begins = this.startsAt(pc);
    const returned = pc > 0 && isCall(opcodes[pc - 1]!) || pc > 1 && isCall(opcodes[pc - 2]!);
    for (let at = pc; at < length; at++) {
      const op = opcodes[at]!;
      if (at > pc) {
        const charges = op === Op.ConsumeFuelStack || op === Op.ConsumeFuel && immediates[at] !== 0;
        if (charges || this.startsAt(at)) return at;
      }
      const call = isCall(op) || isTailCall(op);
      if (call || op === Op.Return) return at > pc && (call ? begins : returned) ? at : at + 1;
    }
    return length;
  }
}

/** Whether an opcode stores a return address. */
export function isCall(op: number): boolean {
  return op === Op.CallInternal || op === Op.CallIndirect;
}

/** Whether an opcode goes to a function without storing a return address. */
export function isTailCall(op: number): boolean {
  return op === Op.ReturnCallInternal || op === Op.ReturnCallIndirect;
}

interface Found {
  readonly name: string;
  readonly index: number;
  readonly hidden: boolean;
}

const code = (name: string): Found => ({ name, index: -1, hidden: false });

/** The functions of a module that was compiled here, by first pc. */
function compiledFunctions({ info, sourcePc }: RwasmModule): Map<number, Found> {
  const { functionStarts, functionTypes } = info!;
  const found = new Map<number, Found>([[0, code(INSTANTIATE)], [sourcePc, code(ENTRY)]]);
  functionStarts.forEach((pc, position) => {
    const hidden = position >= functionTypes.length;
    const name = functionName(info!, position) ?? `function ${position}`;
    found.set(pc, { name, index: hidden ? -1 : position, hidden });
  });
  return found;
}

/** The functions of a module that was decoded: whatever is called or referred to. */
function decodedFunctions(
  { opcodes, immediates, elements, length, sourcePc }: RwasmModule,
): Map<number, Found> {
  const found = new Map<number, Found>();
  const note = (pc: number) => {
    if (pc >>> 0 < length && !found.has(pc)) found.set(pc, code(`function at ${pc}`));
  };
  for (let pc = 0; pc < length; pc++) {
    const op = opcodes[pc], target = immediates[pc]!;
    if (op === Op.CallInternal || op === Op.ReturnCallInternal) note(target);
    else if (op === Op.RefFunc && target !== 0) note(target);
  }
  for (const target of elements) if (target !== 0) note(target);
  if (sourcePc !== 0) found.set(0, code(INSTANTIATE));
  if (sourcePc < length) found.set(sourcePc, code(ENTRY));
  return found;
}
