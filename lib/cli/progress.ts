/**
 * Lines on the terminal that show how far something is, for work that takes a while: a compile, and
 * a run. They appear after 300 ms, never off a terminal, and are gone when the work is done.
 *
 * @module
 */

import { PAGE_BYTES } from "../limits.ts";
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
  const began = host.now(), label = labelOf(file);
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

/** The end of a file name, on one line. */
function labelOf(file: string): string {
  return printable(file.replaceAll("\n", " ")).slice(-32);
}

/** What a run has used so far. */
export interface Usage {
  /** Fuel consumed. */
  consumedFuel(): bigint;
  /** Its memory. */
  readonly memory: { readonly byteLength: number };
}

/** Shows what a run uses while it goes on: fuel, fuel per second, pages of memory, time. */
export class RunLine {
  /** The host with the line out of the way of whatever is written; give this one to what the guest writes through. */
  readonly host: Host;
  readonly #outer: Host;
  readonly #label: string;
  readonly #usage: () => Usage | undefined;
  readonly #wanted: boolean;
  #timer: ReturnType<typeof setInterval> | undefined;
  #began = 0;
  #fuel = 0n;
  #shown = false;
  /** Whether what is on the terminal ends with a line that is not finished, which the line would erase. */
  #unfinished = false;

  /** A line that is not shown yet; `usage` is asked when it is drawn. */
  constructor(host: Host, file: string, quiet: boolean, usage: () => Usage | undefined) {
    this.#outer = host;
    this.#label = labelOf(file);
    this.#usage = usage;
    this.#wanted = !quiet && host.terminal.err;
    this.host = {
      ...host,
      print: (text) => {
        this.#clear();
        host.print(text);
      },
      note: (text) => {
        this.#clear();
        host.note(text);
      },
      emit: (stream, bytes) => {
        this.#clear();
        if (host.terminal[stream] && bytes.length > 0) this.#unfinished = bytes.at(-1) !== 0x0a;
        host.emit(stream, bytes);
      },
    };
  }

  /** The run begins. */
  start(): void {
    this.#began = this.#outer.now();
    this.#fuel = this.#usage()?.consumedFuel() ?? 0n;
    if (this.#wanted) this.#timer = setInterval(() => this.draw(), BETWEEN);
  }

  /** The run is over: the line goes away. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
  }

  /** Draws the line as it is now, when it is time for it. */
  draw(): void {
    const usage = this.#usage(), elapsed = this.#outer.now() - this.#began;
    if (usage === undefined || !this.#wanted || this.#unfinished || elapsed < PATIENCE) return;
    const fuel = usage.consumedFuel(), rate = Number(fuel - this.#fuel) / elapsed * 1000;
    const pages = usage.memory.byteLength / PAGE_BYTES;
    this.#shown = true;
    this.#outer.emit(
      "err",
      encoder.encode(
        `${CLEAR}running ${this.#label}  ${short(Number(fuel))} fuel  ${short(rate)} fuel/s  ` +
          `${pages} ${pages === 1 ? "page" : "pages"}  ${(elapsed / 1000).toFixed(1)} s`,
      ),
    );
  }

  #clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#outer.emit("err", encoder.encode(CLEAR));
  }
}

/** A count in at most six characters: 950, 12.3 k, 4.5 M, 6.7 G. */
function short(amount: number): string {
  const units = ["", " k", " M", " G", " T", " P", " E"];
  let at = 0;
  for (; amount >= 999.95 && at < units.length - 1; at++) amount /= 1000;
  return at === 0 ? String(Math.round(amount)) : `${amount.toFixed(1)}${units[at]}`;
}
