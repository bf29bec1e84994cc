/**
 * Changes bytes at random, from a seeded generator: bits, bytes, numbers of 4 and 8 bytes, LEB128
 * numbers, pieces moved within or between inputs, ends cut off. It knows no format.
 *
 * @module
 */

import type { Random } from "../harness.ts";

/** Numbers that lengths, indices and limits break at. */
const EDGES = [
  0,
  1,
  2,
  7,
  64,
  100,
  127,
  128,
  255,
  1024,
  65535,
  65536,
  2 ** 20,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];

type Change = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** A short piece of the input. */
function piece(bytes: Uint8Array, random: Random): readonly [start: number, end: number] {
  const start = random.below(bytes.length + 1);
  return [start, Math.min(bytes.length, start + 1 + random.below(random.below(4) === 0 ? 256 : 12))];
}

const changes: readonly Change[] = [
  function flipBit(bytes, random) {
    bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.below(3) === 0 ? random.pick(EDGES) : random.u32();
    return bytes;
  },
  function setNumber(bytes, random) {
    const at = random.below(bytes.length);
    const value = BigInt(random.pick(EDGES)) << BigInt(random.below(8) === 0 ? 32 : 0);
    const width = random.below(3) === 0 ? 8 : 4;
    for (let i = 0; i < width && at + i < bytes.length; i++) {
      bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
    }
    return bytes;
  },
  function swapWords(bytes, random) {
    // Opcodes and immediates of .rwasm are often 4-byte aligned relative to each other.
    const from = random.below(bytes.length), to = (from % 4) + 4 * random.below((bytes.length >> 2) + 1);
    bytes.copyWithin(to, from, from + 4);
    return bytes;
  },
  function setLeb(bytes, random) {
    const leb: number[] = [];
    for (let rest = random.pick(EDGES);; rest = Math.floor(rest / 128)) {
      leb.push(rest % 128 + (rest >= 128 ? 128 : 0));
      if (rest < 128) break;
    }
    const at = random.below(bytes.length);
    return joined(bytes.subarray(0, at), Uint8Array.from(leb), bytes.subarray(at + 1));
  },
  function insertPiece(bytes, random) {
    const [start, end] = piece(bytes, random), at = random.below(bytes.length + 1);
    return joined(bytes.subarray(0, at), bytes.slice(start, end), bytes.subarray(at));
  },
  function removePiece(bytes, random) {
    const [start, end] = piece(bytes, random);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  function takePiece(bytes, random, other) {
    const [start, end] = piece(other, random);
    const at = random.below(bytes.length);
    bytes.set(other.subarray(start, Math.min(end, start + bytes.length - at)), at);
    return bytes;
  },
  function splice(bytes, random, other) {
    return joined(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length)));
  },
  function cut(bytes, random) {
    return bytes.slice(0, random.below(bytes.length));
  },
];

/** How often each change is drawn, in the order above: those that wreck the frame are rare. */
const WEIGHTS = [16, 12, 8, 8, 6, 2, 2, 4, 1, 1];
const DRAW = changes.flatMap((change, i) => Array<Change>(WEIGHTS[i]).fill(change));

/** A changed copy of one input of the corpus, and which one it was. */
export function mutate(corpus: readonly Uint8Array[], random: Random): { bytes: Uint8Array; base: number } {
  const base = random.below(corpus.length);
  let bytes: Uint8Array = corpus[base].slice();
  const other = random.pick(corpus);
  // One change mostly: what several leave is rarely accepted.
  for (let left = random.below(3) > 0 ? 1 : 2 + random.below(3); left > 0 && bytes.length > 0; left--) {
    bytes = random.pick(DRAW)(bytes, random, other);
  }
  return { bytes, base };
}
