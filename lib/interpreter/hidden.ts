/**
 * Recognizes the hidden i64 functions of a module by what they are: the exact code that a compiler writes
 * for them, ours or the reference's. A recognized function does what its operator does, so a call of it can
 * become that operator. Any other code, however alike, is called like any other function.
 *
 * @module
 */

import { SNIPPETS } from "../compile/i64.ts";
import type { RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { REFERENCE_HIDDEN } from "./reference_hidden.ts";

/** Numbers of the hidden functions are those of `SNIPPETS`: the comparisons come first. */
export const LAST_COMPARISON = 9;

/** The first of those that can trap. */
export const FIRST_DIVISION = 13;

/** The last of those that can trap. */
export const LAST_DIVISION = 16;

/** What the divisions share. It stands for no operator. */
export const DIVISION_CORE = 22;

/** Most instructions of a hidden function: no longer one is looked at. */
const MOST_INSTRUCTIONS = 256;

/** The code of a hidden function: with its `StackCheck`, without the targets of calls. */
interface Body {
  readonly number: number;
  readonly reference: boolean;
  readonly opcodes: Uint8Array;
  readonly immediates: Int32Array;
}

/** By length. */
let bodies: Map<number, Body[]> | undefined;

/** Bytes of an instruction in the text of a body: opcode, immediate. */
const INSTRUCTION_BYTES = 5;

/** Code as text, without the targets of calls. */
export function encodeBody(opcodes: Uint8Array, immediates: Int32Array): string {
  const view = new DataView(new ArrayBuffer(INSTRUCTION_BYTES * opcodes.length));
  opcodes.forEach((op, k) => {
    view.setUint8(INSTRUCTION_BYTES * k, op);
    view.setInt32(INSTRUCTION_BYTES * k + 1, op === Op.CallInternal ? 0 : immediates[k], true);
  });
  return new Uint8Array(view.buffer).toBase64();
}

function decodeBody(number: number, code: string): Body {
  const { buffer } = Uint8Array.fromBase64(code), view = new DataView(buffer);
  const length = buffer.byteLength / INSTRUCTION_BYTES;
  const opcodes = new Uint8Array(length), immediates = new Int32Array(length);
  for (let k = 0; k < length; k++) {
    opcodes[k] = view.getUint8(INSTRUCTION_BYTES * k);
    immediates[k] = view.getInt32(INSTRUCTION_BYTES * k + 1, true);
  }
  return { number, reference: true, opcodes, immediates };
}

/** All bodies there are, made when first asked for. */
function bodiesOf(length: number): readonly Body[] {
  if (bodies === undefined) {
    bodies = new Map();
    const all = REFERENCE_HIDDEN.map(([number, code]) => decodeBody(number, code));
    SNIPPETS.forEach(({ height, body }, number) => {
      const opcodes = Uint8Array.of(Op.StackCheck, ...body.opcodes);
      all.push({ number, reference: false, opcodes, immediates: Int32Array.of(height, ...body.immediates) });
    });
    for (const body of all) {
      const others = bodies.get(body.opcodes.length);
      if (others === undefined) bodies.set(body.opcodes.length, [body]);
      else others.push(body);
    }
  }
  return bodies.get(length) ?? [];
}

/** Whether the code from a pc on is a body; targets of calls are not looked at. */
function isBody(body: Body, { opcodes, immediates }: RwasmModule, start: number): boolean {
  for (let k = 0; k < body.opcodes.length; k++) {
    const op = opcodes[start + k];
    if (op !== body.opcodes[k]) return false;
    if (op !== Op.CallInternal && immediates[start + k] !== body.immediates[k]) return false;
  }
  return true;
}

/** By function: the hidden function it is, or -1. */
export function findHidden({ module, starts, functionCount }: VerifiedModule): Int8Array {
  const hidden = new Int8Array(functionCount).fill(-1);
  const { opcodes, immediates } = module;
  /** Where the division cores begin, and whose they are. */
  const cores = new Map<number, boolean>();
  const found: [number: number, body: Body][] = [];
  for (let number = 0; number < functionCount; number++) {
    const start = starts[number], length = starts[number + 1] - start;
    if (opcodes[start] !== Op.StackCheck || length > MOST_INSTRUCTIONS) continue;
    for (const body of bodiesOf(length)) {
      if (!isBody(body, module, start)) continue;
      found.push([number, body]);
      if (body.number === DIVISION_CORE) cores.set(start, body.reference);
    }
  }
  // A function that calls another one is what it seems only if that one is the division core it belongs to.
  for (const [number, { number: meaning, reference }] of found) {
    let whole = true;
    for (let pc = starts[number]; pc < starts[number + 1]; pc++) {
      if (opcodes[pc] === Op.CallInternal && cores.get(immediates[pc]) !== reference) whole = false;
    }
    if (whole) hidden[number] = meaning;
  }
  return hidden;
}
