/**
 * The lowered code of one module, shared by all stores: instructions of the fast loop as words, the
 * rWasm pc of each, and where in it each rWasm instruction that can be entered begins. It grows
 * function by function, as they are called; addresses never change.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { findHidden } from "./hidden.ts";
import { HEADER_BYTES } from "./layout.ts";
import { isMetered } from "./metering.ts";

/** Most words one rWasm instruction is lowered to, with the moves it may cause later. */
const WORDS_PER_INSTRUCTION = 10;

/** Most bytes of Program and ips together; larger modules stay with the plain loop. */
const MAX_BYTES = 2 ** 30;

/** Lowered code. */
export class Program {
  /** The module. */
  readonly verified: VerifiedModule;
  /** Byte address of the ips. */
  readonly ipsBase: number;
  /** Byte address of the first instruction. */
  readonly codeBase: number;
  /** Byte address behind the room for instructions. */
  readonly end: number;
  /** Words, from `codeBase` on. */
  words = new Int32Array(1024);
  /** rWasm pc by word, meaningful where an instruction begins. */
  pcs = new Int32Array(1024);
  /** Words so far. */
  length = 0;
  /** By rWasm pc: byte address of its instruction, with CALLABLE where a function with a signature begins; 0 = none. */
  readonly ips: Int32Array;
  /** By function: 0 = not lowered, 1 = lowered, 2 = stays with the plain loop. */
  readonly lowered: Uint8Array;
  /** Functions in the order they were lowered, for stores that lack some. */
  readonly order: number[] = [];
  /** Words by the time each function of `order` was lowered. */
  readonly ends: number[] = [];
  /** By function: the hidden i64 function it is (`hidden.ts`), or -1. */
  readonly hidden: Int8Array;
  /** Words of globals that have a place in the state memory: those the code and the exports name. */
  readonly globalWords: number;
  /** Whether the code has no charges: then the loop counts what is no fuel, to come out now and then. */
  readonly ticks: boolean;
  /**
   * Whether backward jumps and calls since the last charge are counted, exactly as the plain loop does.
   * It costs time: hidden functions are called like any other.
   */
  readonly counts: boolean;
  /** Highest frame of all functions, with what they take from below their entry. */
  readonly mostSlots: number;

  #metered: boolean | undefined;

  #counting: Program | undefined;

  /** An empty Program. */
  constructor(verified: VerifiedModule, counts = false) {
    const { module, functionCount } = verified;
    this.verified = verified;
    this.ipsBase = HEADER_BYTES;
    this.codeBase = this.ipsBase + 4 * (module.length + 1);
    this.end = this.codeBase + 4 * (WORDS_PER_INSTRUCTION * module.length + 8 * functionCount + 1024);
    this.ips = new Int32Array(module.length + 1);
    this.lowered = new Uint8Array(functionCount);
    this.counts = counts;
    this.hidden = counts ? new Int8Array(functionCount).fill(-1) : findHidden(verified);
    const { words, charges } = readCode(verified);
    this.globalWords = words;
    this.ticks = !charges && !counts;
    let most = 0;
    for (let number = 0; number < functionCount; number++) {
      most = Math.max(most, verified.maxHeights[number] + verified.paramSlots[number]);
    }
    this.mostSlots = most;
  }

  /** Whether charges end every run under a fuel limit; where not, jumps must be counted (`counting`). */
  get metered(): boolean {
    const { info } = this.verified.module;
    return this.#metered ??= info !== undefined ? info.metered : isMetered(this.verified, this.hidden);
  }

  /** The Program of the same module that counts. */
  get counting(): Program {
    return this.counts ? this : this.#counting ??= new Program(this.verified, true);
  }

  /** Whether the module is small enough for the fast loop. */
  get fits(): boolean {
    return this.end <= MAX_BYTES;
  }

  /** Byte address of a word. */
  addressOf(word: number): number {
    return this.codeBase + 4 * word;
  }

  /** rWasm pc of the instruction at a byte address. */
  pcAt(address: number): number {
    return this.pcs[(address - this.codeBase) >> 2];
  }

  /** A function is lowered: its instructions are the last ones. */
  finish(number: number): void {
    this.lowered[number] = 1;
    this.order.push(number);
    this.ends.push(this.length);
  }

  /** A function stays with the plain loop. */
  refuse(number: number): void {
    this.lowered[number] = 2;
  }

  /** Makes room for `more` words. */
  reserve(more: number): void {
    if (this.length + more <= this.words.length) return;
    const size = Math.max(2 * this.words.length, this.length + more);
    const words = new Int32Array(size), pcs = new Int32Array(size);
    words.set(this.words);
    pcs.set(this.pcs);
    this.words = words;
    this.pcs = pcs;
  }
}

/** What the code as a whole says: words of globals, at most in proportion to its length, and whether it charges. */
function readCode({ module }: VerifiedModule): { words: number; charges: boolean } {
  const { opcodes, immediates, info } = module;
  const most = 4 * module.length + 1024;
  let words = 0, charges = false;
  for (let pc = 0; pc < opcodes.length; pc++) {
    const op = opcodes[pc];
    if (op === Op.GlobalGet || op === Op.GlobalSet) {
      const word = immediates[pc] >>> 0;
      if (word >= words && word < most) words = word + 1;
    } else if (op === Op.ConsumeFuel || op === Op.ConsumeFuelStack) charges = true;
  }
  for (const { index } of info?.globalExports ?? []) {
    if (2 * index + 2 <= most) words = Math.max(words, 2 * index + 2);
  }
  return { words, charges };
}
