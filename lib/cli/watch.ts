/**
 * Watches a run from the command line: Ctrl-C pauses it, its time may be limited, and a line on the
 * terminal shows how far it is. It starts nothing by itself and prints nothing but that line.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { AsyncRunOptions } from "../run/run_options.ts";
import { PausedError } from "../run/turns.ts";
import type { Outcome } from "../vm/outcome.ts";
import type { Arguments } from "./arguments.ts";
import type { Flag } from "./command.ts";
import type { Host } from "./host.ts";
import type { RunLine } from "./progress.ts";

/** The flags of commands that run a guest. */
export const WATCH_FLAGS: readonly Flag[] = [
  {
    name: "timeout",
    value: "time",
    text: "Pause the run after a time, such as 500ms, 5s or 2m; exit code 124",
  },
];

/** What the letters after a time multiply it by, to milliseconds. */
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * Milliseconds of `--timeout`; undefined without it.
 *
 * @throws {UsageError} `InvalidTime`.
 */
export function timeoutOf(args: Arguments): number | undefined {
  const given = args.value("timeout");
  if (given === undefined) return undefined;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(given) ?? [];
  if (amount === undefined) {
    throw new UsageError("InvalidTime", `Cannot use --timeout ${given}: it must be a time with its unit`, {
      hint: "times look like 500ms, 5s, 1.5s or 2m",
    });
  }
  return Number(amount) * UNITS[unit];
}

/**
 * Runs something until it ends, its time is over, or the user wants it to stop; both are paused outcomes.
 * With `keeps` the pause is worth waiting for: Ctrl-C does not end the process while the guest waits for input.
 */
export async function watch(
  host: Host,
  line: RunLine,
  timeoutMs: number | undefined,
  run: (options: () => AsyncRunOptions) => Promise<Outcome>,
  keeps = false,
): Promise<Outcome> {
  const stop = new AbortController(), end = performance.now() + (timeoutMs ?? Infinity);
  const release = host.onInterrupt?.(() => stop.abort("interrupted by Ctrl-C"), keeps);
  line.start();
  try {
    // Several runs, one after the other, share the time.
    return await run(() => ({ signal: stop.signal, timeoutMs: Math.max(0, end - performance.now()) }));
  } catch (error) {
    if (error instanceof PausedError) return error.outcome;
    throw error;
  } finally {
    line.stop();
    release?.();
  }
}
