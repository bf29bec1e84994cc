/**
 * The asynchronous side of a run: giving the event loop its turn, waiting for host functions, and
 * the error that tells of an abort or a deadline. It knows promises and timers, not the machine.
 *
 * @module
 */

import { RwasmError } from "../error.ts";
import type { PausedByAbort, PausedByDeadline } from "../vm/outcome.ts";
import type { Settled } from "../vm/syscall.ts";
import type { Control } from "./control.ts";

/**
 * What `callAsync` and its like reject with when their signal was aborted (`code` "Aborted") or their
 * time is over ("DeadlineExceeded"). The machine is paused, nothing is lost: `resumeAsync()` or
 * `resume()` goes on, `store.reset()` gives the run up.
 *
 * @example
 * ```ts
 * import { assemble, PausedError, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const endless = assemble("GlobalGet 0\nI32Const 1\nI32Add\nGlobalSet 0\nBr -4");
 * const executor = new RwasmExecutor(new RwasmStore(), endless);
 * try {
 *   await executor.executeAsync([], undefined, { timeoutMs: 20 });
 * } catch (error) {
 *   if (error instanceof PausedError) console.log(error.code, error.outcome.reason);
 * }
 * ```
 */
export class PausedError extends RwasmError {
  /** Class name. */
  override readonly name = "PausedError";
  /** Which of the two. */
  declare readonly code: "Aborted" | "DeadlineExceeded";
  /** How a synchronous run would have ended. */
  readonly outcome: PausedByAbort | PausedByDeadline;

  /** The error of such a pause. */
  constructor(what: string, outcome: PausedByAbort | PausedByDeadline) {
    const [code, why] = outcome.reason === "abort"
      ? ["Aborted", "its signal was aborted"]
      : ["DeadlineExceeded", "its time is over"];
    super(code, `Cannot ${what} to its end: ${why}`, {
      pc: outcome.pc,
      hint: "the run is paused: resumeAsync() goes on, store.reset() gives it up",
      cause: outcome.reason === "abort" ? outcome.cause : undefined,
    });
    this.outcome = outcome;
  }
}

/** Longest time a timer can be set to; a deadline beyond it comes after weeks. */
const LONGEST_TIMER = 2 ** 31 - 1;

// Taken now: a program may put something else into the place of the globals later.
const timeout = setTimeout, clear = clearTimeout, then = Promise.prototype.then;
/** Timers have their turn at least after a millisecond; this comes right after them. */
const soon: (task: () => void) => void =
  (globalThis as { setImmediate?: (task: () => void) => void }).setImmediate ??
    ((task) => void timeout(task, 0));

/** Lets timers, events and other runs have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => soon(resolve));
}

/** How waiting for a host function ended when it did not settle. */
export type Unsettled = "abort" | "deadline" | "givenUp";

/**
 * Waits until a promise settles, the run is aborted, its time is over, or it is given up: then the
 * function that `onWait` got is called.
 */
export function settle(
  promise: Promise<unknown>,
  control: Control,
  onWait: (wake: () => void) => void,
): Promise<Settled | Unsettled> {
  const { signal, left } = control;
  if (signal?.aborted) return Promise.resolve("abort");
  if (left <= 0) return Promise.resolve("deadline");
  return new Promise((resolve) => {
    const end = (how: Settled | Unsettled): void => {
      clear(timer);
      signal?.removeEventListener("abort", aborted);
      resolve(how);
    };
    const aborted = (): void => end("abort");
    const timer = left === Infinity
      ? undefined
      : timeout(() => end("deadline"), Math.min(LONGEST_TIMER, Math.ceil(left)));
    signal?.addEventListener("abort", aborted, { once: true });
    onWait(() => end("givenUp"));
    then.call(promise, (value) => end({ value }), (error) => end({ error }));
  });
}
