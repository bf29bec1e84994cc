/**
 * The lowered code of one module, shared by all stores: instructions of the fast loop as words, the
 * rWasm pc of each, and where in it each rWasm instruction that can be entered begins. It grows
 * function by function, as they are called; addresses never change.
 *
 * @module
 */

import { SNIPPETS } from "../compile/i64.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { HEADER_BYTES } from "./layout.ts";

/** Most words one rWasm instruction is lowered to, with the moves it may cause later. */
const WORDS_PER_INSTRUCTION = 9;

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
  /** By function: 0 = not lowered, 1 = lowered. */
  readonly lowered: Uint8Array;
  /** Functions in the order they were lowered, for stores that lack some. */
  readonly order: number[] = [];
  /** Words by the time each function of `order` was lowered. */
  readonly ends: number[] = [];
  /** By function: the hidden i64 function it is, as its number in SNIPPETS, or -1. */
  readonly hidden: Int8Array;

  /** An empty Program. */
  constructor(verified: VerifiedModule) {
    const { module, functionCount } = verified;
    this.verified = verified;
    this.ipsBase = HEADER_BYTES;
    this.codeBase = this.ipsBase + 4 * (module.length + 1);
    this.end = this.codeBase + 4 * WORDS_PER_INSTRUCTION * module.length + 4096;
    this.ips = new Int32Array(module.length + 1);
    this.lowered = new Uint8Array(functionCount);
    this.hidden = findHidden(verified);
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

/** Recognizes the hidden i64 functions by their exact code. */
function findHidden({ module, starts, functionCount }: VerifiedModule): Int8Array {
  const hidden = new Int8Array(functionCount).fill(-1);
  const { opcodes, immediates } = module;
  for (let number = 0; number < functionCount; number++) {
    const start = starts[number], length = starts[number + 1] - start;
    if (opcodes[start] !== Op.StackCheck) continue;
    hidden[number] = SNIPPETS.findIndex(({ height, body }) => {
      if (immediates[start] !== height || body.opcodes.length !== length - 1) return false;
      return body.opcodes.every((op, k) =>
        opcodes[start + 1 + k] === op &&
        (op === Op.CallInternal || immediates[start + 1 + k] === body.immediates[k])
      );
    });
  }
  // A function that calls another one is what it seems only if that one is the division core.
  const core = SNIPPETS.length - 1;
  for (let number = 0; number < functionCount; number++) {
    if (hidden[number] < 0 || SNIPPETS[hidden[number]].needs < 0) continue;
    for (let pc = starts[number]; pc < starts[number + 1]; pc++) {
      if (opcodes[pc] !== Op.CallInternal) continue;
      const callee = starts.indexOf(immediates[pc]);
      if (callee < 0 || hidden[callee] !== core) hidden[number] = -1;
    }
  }
  return hidden;
}
