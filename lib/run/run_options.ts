/**
 * What a caller may ask of one run: how long, until which signal, in what slices. Options of any
 * form go in; a checked copy comes out.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { foundText } from "../vm/values.ts";

/** Taken now: a program may put something else into the place of the global later. */
const HostSignal = AbortSignal;

/** What one run may do; everything is optional. */
export interface RunOptions {
  /**
   * Milliseconds after which the run pauses with the reason "deadline": a number from 0, fractions and
   * Infinity included; 0 pauses it before its first instruction. Default: no bound. A host function is not interrupted, nor is one bulk operation on memory.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Pauses the run with the reason "abort" when it is aborted. No timer fires and no event comes while
   * a synchronous run goes on: there only host functions can abort it. Default: none.
   */
  readonly signal?: AbortSignal | undefined;
  /** Pauses the run before its first instruction with the reason "step", to go on by `step()`. Default false. */
  readonly step?: boolean | undefined;
}

/** What one asynchronous run may do; everything is optional. */
export interface AsyncRunOptions extends RunOptions {
  /**
   * Most fuel until the event loop gets its turn; it gets it every few milliseconds anyway. Runs with
   * the same amount share the processor by fuel. An integer from 1, or a bigint; default: no such bound.
   * Jumps of code that charges nothing count as one each.
   */
  readonly sliceFuel?: number | bigint | undefined;
}

/** Options, checked; Infinity where there is no bound. */
export interface CheckedOptions {
  /** Milliseconds the run may take. */
  readonly timeoutMs: number;
  /** What aborts it. */
  readonly signal: AbortSignal | undefined;
  /** Whether it pauses before its first instruction. */
  readonly step: boolean;
  /** Most fuel between turns. */
  readonly sliceFuel: number;
}

const NAMES: readonly string[] = ["timeoutMs", "signal", "step"];

/**
 * Checks and copies the options of a run; each is read once.
 *
 * @param doing names the run in messages.
 * @param slices whether it is one that has slices.
 * @throws {UsageError} `InvalidOptions`.
 */
export function checkRunOptions(doing: () => string, options: unknown, slices: boolean): CheckedOptions {
  const refuse = (why: string): never => {
    throw new UsageError("InvalidOptions", `Cannot ${doing()}: ${why}`, {
      hint: `options are ${[...NAMES, ...slices ? ["sliceFuel"] : []].join(", ")}`,
    });
  };
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return refuse(`options are ${foundText(options)}, not an object`);
  }
  let timeoutMs: unknown, signal: unknown, step: unknown, sliceFuel: unknown, unknown: string | undefined;
  try {
    ({ timeoutMs, signal, step, sliceFuel } = options as Record<string, unknown>);
    // A bound that is misspelled would be none.
    unknown = Object.keys(options).find((name) => !NAMES.includes(name) && name !== "sliceFuel");
  } catch {
    return refuse("the options cannot be read");
  }
  if (unknown !== undefined) return refuse(`${quoteName(unknown)} is not an option`);
  if (isSignal(options)) return refuse("options are an AbortSignal, not an object with one as signal");
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0)) {
    return refuse(`timeoutMs is ${foundText(timeoutMs)}, not a number of milliseconds from 0`);
  }
  if (signal !== undefined && !isSignal(signal)) {
    return refuse(`signal is ${foundText(signal)}, not an AbortSignal`);
  }
  if (step !== undefined && typeof step !== "boolean") {
    return refuse(`step is ${foundText(step)}, neither true nor false`);
  }
  if (sliceFuel !== undefined && !slices) {
    return refuse("sliceFuel is for the asynchronous ways to run");
  }
  if (sliceFuel !== undefined && !isAmount(sliceFuel)) {
    return refuse(`sliceFuel is ${foundText(sliceFuel)}, not an amount of fuel from 1`);
  }
  return {
    timeoutMs: timeoutMs ?? Infinity,
    signal,
    step: step ?? false,
    sliceFuel: sliceFuel === undefined ? Infinity : Number(sliceFuel),
  };
}

function isSignal(value: unknown): value is AbortSignal {
  try {
    return value instanceof HostSignal && typeof value.aborted === "boolean";
  } catch {
    return false; // only looks like one
  }
}

function isAmount(value: unknown): value is number | bigint {
  return typeof value === "bigint" ? value >= 1n : Number.isSafeInteger(value) && (value as number) >= 1;
}
