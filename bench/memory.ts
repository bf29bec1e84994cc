/**
 * Memory of a decoded module, against the size of its `.rwasm` bytes: what its arrays hold, and what
 * the process grows by when it keeps many of them.
 *
 * @module
 */

import { RwasmModule } from "../mod.ts";
import { encodedModules } from "./encoded.ts";
import type { Row, Table } from "./measure.ts";

/** A decoded module may take this many times its bytes. */
const MOST_FACTOR = 3;
/** Enough copies to weigh this much, so that garbage of other origin does not matter. */
const LEAST_BYTES = 100e6;

/** Bytes in use, after garbage is collected and array buffers, which V8 frees beside, are gone. */
async function inUse(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Bytes the process grows by per decoded copy; a function of its own, so that no copy outlives it. */
async function grownPerCopy(bytes: Uint8Array): Promise<number> {
  const length = Math.ceil(LEAST_BYTES / bytes.length);
  const before = await inUse();
  const kept = Array.from({ length }, () => RwasmModule.decode(bytes));
  return (await inUse() - before) / kept.length;
}

/** One row per module. */
export async function benchMemory(): Promise<Table> {
  const rows: Row[] = [];
  const missed: string[] = [];
  for (const { name, bytes } of await encodedModules()) {
    const { opcodes, immediates, data, elements, hint } = RwasmModule.decode(bytes);
    const arrays = [opcodes, immediates, data, elements, hint].reduce(
      (sum, array) => sum + array.byteLength,
      0,
    );
    const grown = await grownPerCopy(bytes);
    rows.push({
      name,
      figures: {
        "bytes MB": bytes.length / 1e6,
        "arrays MB": arrays / 1e6,
        "arrays ×": arrays / bytes.length,
        "grown MB": grown / 1e6,
        "grown ×": grown / bytes.length,
      },
    });
    const factor = Math.max(arrays, grown) / bytes.length;
    if (factor > MOST_FACTOR) {
      missed.push(`${name}: ${factor.toFixed(2)} × its bytes, at most ${MOST_FACTOR}`);
    }
  }
  return { title: "memory", note: "A decoded module against its .rwasm bytes.", rows, missed };
}
