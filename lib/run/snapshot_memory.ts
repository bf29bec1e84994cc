/**
 * A linear memory in a snapshot: a map with two bits for each block of 4 KiB, which say whether it is
 * all zeros, here, or as in the snapshot this one is a change of; then the blocks that are here, in
 * their order, in compressed pieces of 1 MiB.
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";
import type { Writer } from "../bytes/writer.ts";
import { PAGE_BYTES } from "../limits.ts";
import { readPacked, readPiece, type Refuse, writePacked, writePiece } from "./snapshot_file.ts";

/** Bytes of a block: small enough that a few changes far from each other stay few bytes. */
const BLOCK = 4096;
const BLOCK_WORDS = BLOCK / 4;
const BLOCKS_PER_PAGE = PAGE_BYTES / BLOCK;

/** Blocks of a piece: compression gains nothing by more, and no reader needs more room than that. */
const PIECE_BLOCKS = 256;

/** What the map says of a block. */
const enum Block {
  Zero = 0,
  Here = 1,
  /** As in the base. */
  Same = 2,
}

/** Bytes of the map of a memory. */
function mapBytes(pages: number): number {
  return pages * BLOCKS_PER_PAGE / 4;
}

function stateOf(map: Uint8Array, block: number): number {
  return map[block >> 2]! >> 2 * (block & 3) & 3;
}

function isZero(words: Int32Array, from: number): boolean {
  for (let at = from; at < from + BLOCK_WORDS; at += 8) {
    const any = words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]! |
      words[at + 4]! | words[at + 5]! | words[at + 6]! | words[at + 7]!;
    if (any !== 0) return false;
  }
  return true;
}

function isSame(words: Int32Array, others: Int32Array, from: number, other: number): boolean {
  for (let k = 0; k < BLOCK_WORDS; k++) if (words[from + k] !== others[other + k]) return false;
  return true;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/**
 * Writes a memory of whole pages.
 *
 * @param base the memory as another snapshot has it; blocks that are the same there are left out
 */
export function writeMemory(writer: Writer, bytes: Uint8Array, base: MemoryReader | undefined): void {
  const pages = bytes.length / PAGE_BYTES, blocks = pages * BLOCKS_PER_PAGE;
  const map = new Uint8Array(mapBytes(pages)), words = wordsOf(bytes);
  const here = new Int32Array(blocks);
  let count = 0;
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK_WORDS;
    if (isZero(words, from)) continue;
    const other = base?.next(block);
    const same = other !== undefined && isSame(words, other, from, 0);
    if (!same) here[count++] = block;
    map[block >> 2]! |= (same ? Block.Same : Block.Here) << 2 * (block & 3);
  }
  writePiece(writer, map);
  const scratch = new Uint8Array(Math.min(count, PIECE_BLOCKS) * BLOCK);
  for (let first = 0; first < count; first += PIECE_BLOCKS) {
    const length = Math.min(count - first, PIECE_BLOCKS), start = here[first]!;
    if (here[first + length - 1] === start + length - 1) { // neighbors need not be copied
      writePacked(writer, bytes.subarray(start * BLOCK, (start + length) * BLOCK));
      continue;
    }
    for (let k = 0; k < length; k++) {
      const block = here[first + k]!;
      scratch.set(bytes.subarray(block * BLOCK, (block + 1) * BLOCK), k * BLOCK);
    }
    writePacked(writer, scratch.subarray(0, length * BLOCK));
  }
}

/** Copies a memory into one of the same size that is all zeros, leaving alone what stays zero. */
export function copyMemory(from: Uint8Array, to: Uint8Array): void {
  const words = wordsOf(from), blocks = from.length / BLOCK;
  for (let block = 0; block < blocks; block++) {
    if (isZero(words, block * BLOCK_WORDS)) continue;
    to.set(from.subarray(block * BLOCK, (block + 1) * BLOCK), block * BLOCK);
  }
}

/** The memory of a snapshot, read block after block; decompresses one piece at a time. */
export class MemoryReader {
  readonly #reader: Reader;
  readonly #refuse: Refuse;
  readonly #map: Uint8Array;
  readonly #blocks: number;
  /** Blocks that are here, and how many of them were read into pieces. */
  readonly #here: number;
  #unpacked = 0;
  #piece: Int32Array = new Int32Array(0);
  /** Blocks of the piece before the next one. */
  #used = 0;
  /** Next block that can be asked for. */
  #next = 0;

  /** Reads the map. */
  constructor(reader: Reader, pages: number, refuse: Refuse) {
    this.#reader = reader;
    this.#refuse = refuse;
    this.#blocks = pages * BLOCKS_PER_PAGE;
    const at = reader.position, map = readPiece(reader, mapBytes(pages), refuse);
    if (map.length !== mapBytes(pages)) {
      refuse("Corrupt", `the map of ${pages} pages is too short`, { offset: at });
    }
    this.#map = map;
    let here = 0;
    for (let block = 0; block < this.#blocks; block++) {
      const state = stateOf(map, block);
      if (state === Block.Here) here++;
      else if (state > Block.Same) {
        refuse("Corrupt", `block ${block} of the memory is of no kind`, { offset: at });
      }
    }
    this.#here = here;
  }

  /** Whether all blocks are zero or here. */
  get isWhole(): boolean {
    for (let block = 0; block < this.#blocks; block++) {
      if (stateOf(this.#map, block) === Block.Same) return false;
    }
    return true;
  }

  /**
   * Words of a block that is here; undefined for one that is not, or lies behind the end. Blocks must
   * be asked for in ascending order, but some may be left out. What it gives is good until the next call.
   */
  next(block: number): Int32Array | undefined {
    if (block >= this.#blocks) return undefined;
    for (; this.#next < block; this.#next++) if (stateOf(this.#map, this.#next) === Block.Here) this.#take();
    this.#next = block + 1;
    return stateOf(this.#map, block) === Block.Here ? this.#take() : undefined;
  }

  #take(): Int32Array {
    if (this.#used * BLOCK_WORDS === this.#piece.length) {
      const length = Math.min(PIECE_BLOCKS, this.#here - this.#unpacked);
      const bytes = readPacked(this.#reader, length * BLOCK, this.#refuse);
      // A piece that is not compressed lies anywhere in the file.
      this.#piece = wordsOf(bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());
      this.#unpacked += length;
      this.#used = 0;
    }
    const from = this.#used++ * BLOCK_WORDS;
    return this.#piece.subarray(from, from + BLOCK_WORDS);
  }

  /** Reads everything into a memory of the right size that is all zeros. */
  readInto(bytes: Uint8Array, base: MemoryReader | undefined): void {
    const words = wordsOf(bytes);
    for (let block = 0; block < this.#blocks; block++) {
      const state = stateOf(this.#map, block);
      if (state === Block.Zero) continue;
      const source = state === Block.Here ? this.next(block) : base?.next(block);
      if (source === undefined) this.#refuse("Corrupt", `block ${block} of the memory is nowhere`);
      words.set(source as Int32Array, block * BLOCK_WORDS);
    }
  }
}
