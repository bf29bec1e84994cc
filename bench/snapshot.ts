/**
 * Snapshots of memories of 1, 16 and 64 MiB: their size, and the time to take and restore them, to
 * fork, and to take and restore the change since another snapshot. Memories are sparse (one block of
 * 4 KiB in twenty is in use), full of records as programs have them, or full of random bytes, which
 * cannot be compressed.
 *
 * @module
 */

import { compile, RwasmExecutor, type RwasmModule, RwasmStore } from "../mod.ts";
import { encodeWasm } from "../tests/wasm_encoder.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

const BLOCK = 4096;

const ROUNDS = 7;

/** Blocks in 100 that a change touches. */
const CHANGED = 1;

/** A change of 1 % of a memory must be at most this part of the full snapshot of one that has records. */
const MOST_PART = 0.05;

/** xorshift, so that every run measures the same memories. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

type Fill = (words: Int32Array, next: () => number) => void;

const KINDS: Readonly<Record<string, Fill>> = {
  sparse(words, next) {
    const perBlock = BLOCK / 4;
    for (let from = 0; from < words.length; from += 20 * perBlock) record(words, from, from + perBlock, next);
  },
  records: (words, next) => record(words, 0, words.length, next),
  random(words, next) {
    for (let k = 0; k < words.length; k++) words[k] = next();
  },
};

/** Records of 32 bytes: a number that counts, a pointer near by, small fields, a text, a random key. */
function record(words: Int32Array, from: number, to: number, next: () => number): void {
  for (let at = from; at + 8 <= to; at += 8) {
    words[at] = at;
    words[at + 1] = 4 * at + (next() & 0xff0);
    words[at + 2] = next() & 7;
    words[at + 3] = 0x6c6c6568; // "hell"
    words[at + 4] = 0x6f;
    words[at + 6] = next();
  }
}

function moduleOf(mebibytes: number): RwasmModule {
  return compile(encodeWasm({ functions: [], pages: 16 * mebibytes }));
}

/** One row per memory. */
export function benchSnapshot(): Table {
  const rows: Row[] = [], missed: string[] = [];
  for (const mebibytes of [1, 16, 64]) {
    const module = moduleOf(mebibytes);
    for (const [kind, fill] of Object.entries(KINDS)) {
      const store = new RwasmStore(), executor = new RwasmExecutor(store, module), next = random(mebibytes);
      executor.instantiate();
      const bytes = store.memory.view();
      fill(new Int32Array(bytes.buffer, 0, bytes.length / 4), next);
      const full = executor.snapshot();
      const blocks = bytes.length / BLOCK, touched = Math.max(1, Math.round(blocks * CHANGED / 100));
      for (let k = 0; k < touched; k++) {
        bytes[((next() >>> 0) % blocks) * BLOCK + ((next() >>> 0) % BLOCK)] ^= 1;
      }
      const change = executor.snapshot({ since: full });
      const times = interleaved({
        take: () => () => void executor.snapshot(),
        restore: () => () => void RwasmExecutor.restore(full, { module }),
        fork: () => () => void executor.fork(),
        change: () => () => void executor.snapshot({ since: full }),
        rejoin: () => () => void RwasmExecutor.restore(change, { module, base: full }),
      }, ROUNDS);
      rows.push({
        name: `${mebibytes} MiB, ${kind}`,
        figures: {
          "size KiB": full.length / 1024,
          "take ms": times.take,
          "restore ms": times.restore,
          "fork ms": times.fork,
          "change KiB": change.length / 1024,
          "take change ms": times.change,
          "restore change ms": times.rejoin,
        },
      });
      if (kind === "records" && change.length > MOST_PART * full.length + BLOCK) {
        missed.push(`${mebibytes} MiB, ${kind}: a change of ${CHANGED} % has ${change.length} bytes`);
      }
    }
  }
  const note =
    `Snapshots of an idle instance; a change touches a byte in ${CHANGED} % of the blocks of 4 KiB.`;
  return { title: "snapshot", note, rows, missed };
}
