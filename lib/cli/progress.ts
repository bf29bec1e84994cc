/**
 * A line on the terminal that shows how far something is, for work that takes a while. It appears
 * after 300 ms, never off a terminal, and is gone when the work is done.
 *
 * @module
 */

import { type Host, printable } from "./host.ts";

/** Shows how far something is. */
export interface Progress {
  /** Work of a stage, of which `done` of `total` bytes are done. */
  (stage: string, done: number, total: number): void;
}

/** Milliseconds before the line appears, and between two of its pictures. */
const PATIENCE = 300, BETWEEN = 100;

/** Characters of the bar. */
const WIDTH = 20;

const CLEAR = "\r\x1b[K";

const encoder = new TextEncoder();

function picture(stage: string, label: string, done: number, total: number, elapsed: number): string {
  const part = total === 0 ? 1 : done / total;
  const full = Math.round(part * WIDTH);
  const rate = done / 1000 / Math.max(1, elapsed); // bytes per millisecond are kB/s
  const left = part === 0 ? "" : `  ${((elapsed / part - elapsed) / 1000).toFixed(1)} s left`;
  const size = (bytes: number): string => (bytes / 1e6).toFixed(1);
  return `${stage} ${label} ${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${Math.floor(100 * part)}%  ` +
    `${size(done)} of ${size(total)} MB  ${rate.toFixed(1)} MB/s${left}`;
}

/** Runs work that tells its progress, about a file. */
export function withProgress<Result>(
  host: Host,
  file: string,
  quiet: boolean,
  work: (progress: Progress) => Result,
): Result {
  if (quiet || !host.terminal.err) return work(() => {});
  const began = host.now(), label = printable(file.replaceAll("\n", " ")).slice(-32);
  let stage = "", stageBegan = began, drawn = began + PATIENCE - BETWEEN, shown = false;
  try {
    return work((now, done, total) => {
      const at = host.now();
      if (now !== stage) [stage, stageBegan] = [now, at];
      if (at - drawn < BETWEEN) return;
      drawn = at;
      shown = true;
      host.emit("err", encoder.encode(CLEAR + picture(stage, label, done, total, at - stageBegan)));
    });
  } finally {
    if (shown) host.emit("err", encoder.encode(CLEAR));
  }
}
