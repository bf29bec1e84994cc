/**
 * What a program writes through WASI, read from the arguments of its calls: so a replay can tell output
 * without a plugin. Other host functions have no output that could be known here.
 *
 * @module
 */

import type { Syscall } from "../plugin/plugin.ts";
import type { Value } from "../plugin/plugin.ts";

/** Import modules whose `fd_write` is known. */
const MODULES: readonly string[] = ["wasi_snapshot_preview1", "wasi_unstable"];

/** Most buffers one call may name, as in WASI. */
const MOST_BUFFERS = 1024;

/** What a call writes. */
export interface Output {
  /** Where to: 1 is standard output, 2 standard error. */
  readonly descriptor: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
}

/** The bytes that a call hands over to be written; undefined when it is no such call. */
export function writtenBytes(
  { module, name }: Pick<Syscall<never>, "module" | "name">,
  args: readonly Value[],
  memory: Uint8Array,
): Output | undefined {
  if (name !== "fd_write" || !MODULES.includes(module)) return undefined;
  const [descriptor, at, count] = args;
  if (typeof descriptor !== "number" || typeof at !== "number" || typeof count !== "number") return undefined;
  const list = at >>> 0, buffers = count >>> 0;
  if (buffers > MOST_BUFFERS || list + 8 * buffers > memory.length) return undefined;
  const view = new DataView(memory.buffer, memory.byteOffset, memory.length), parts: Uint8Array[] = [];
  let total = 0;
  for (let i = 0; i < buffers; i++) {
    const from = view.getUint32(list + 8 * i, true), length = view.getUint32(list + 8 * i + 4, true);
    if (from + length > memory.length || total + length > memory.length) return undefined;
    parts.push(memory.subarray(from, from + length));
    total += length;
  }
  const bytes = new Uint8Array(total);
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return { descriptor, bytes };
}
