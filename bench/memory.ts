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
const COPIES = 4;

function resident(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
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
    const before = resident();
    const kept = Array.from({ length: COPIES }, () => RwasmModule.decode(bytes));
    const grown = (resident() - before) / kept.length;
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
