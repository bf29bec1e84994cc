/**
 * Calls of host functions: takes the arguments off the stack of a machine that stopped at a syscall,
 * runs the host function, and checks and pushes what it returns. A plugin is trusted with the host,
 * but not to be free of mistakes: whatever it throws or returns becomes an ending of the run.
 *
 * @module
 */

import { RwasmError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import type { Value } from "../plugin/plugin.ts";
import type { TrapCause } from "./explain.ts";
import { type Ending, HostCall, type HostFunction, type PendingCall } from "./host_call.ts";
import type { Machine } from "./machine.ts";
import type { RwasmStore } from "./store.ts";
import {
  elementsOf,
  expectedText,
  foundText,
  isValueOf,
  readValues,
  writeValue,
  writeValues,
} from "./values.ts";

/** Taken now: plugins may put something else into the place of the globals later. */
const HostPromise = Promise, thenOf = Promise.prototype.then;

/**
 * Performs the syscall at `machine.pc`: undefined when the machine can go on behind it, else how the
 * run ended. When it did not go on, the machine still stands at the call, except after a pause.
 */
export function performSyscall<T>(machine: Machine, store: RwasmStore<T>): Ending | undefined {
  const callee = store.hostFunction(machine.module.immediates[machine.pc]! >>> 0);
  if (callee === undefined) return { kind: "trap", cause: { code: "UnknownExternalFunction" } };
  const { syscall, paramSlots, resultSlots } = callee;
  const height = machine.sp, base = height - paramSlots;
  if (base < 0) {
    const detail = `${callee.label} takes ${paramSlots} slots, there are ${height}`;
    return trap(callee, { code: "StackOverflow", detail });
  }
  machine.sp = base;
  const reserved = machine.reserve(resultSlots);
  machine.sp = height;
  if (!reserved || !ensureCells(machine, base + resultSlots)) {
    const detail = `no room for ${resultSlots} result slots of ${callee.label}`;
    return trap(callee, { code: "StackOverflow", detail });
  }

  const args = readValues(machine.stack, base, syscall.params);
  const call = new HostCall(store, callee);
  let value: unknown, error: unknown, threw = false;
  store.hostCall = call;
  try {
    value = syscall.call(call, ...args);
  } catch (thrown) {
    error = thrown;
    threw = true;
  } finally {
    store.hostCall = undefined;
  }
  if (syscall.async && !threw && HostCall.ending(call) === undefined) {
    const promise = promiseOf(value);
    if (promise !== undefined) {
      HostCall.touch(call);
      machine.pc++;
      machine.sp = base;
      const pending = { call, callee, promise } as PendingCall;
      return { kind: "pause", payload: promise, results: syscall.results, syscall: syscall.index, pending };
    }
  }
  const ending = HostCall.close(call);
  if (ending !== undefined) {
    abandon(value);
    switch (ending.kind) {
      case "trap":
        return trap(callee, ending.cause);
      case "fuel":
        return { ...ending, cause: { ...ending.cause, syscall: callee.origin } };
      case "halt":
        return ending;
      case "pause":
        machine.pc++;
        machine.sp = base;
        return pause(callee, ending.payload);
    }
  }
  if (threw) return hostError(callee, error);

  const refused = pushResults(machine, base, callee, value);
  if (refused !== undefined) return refused;
  machine.pc++;
  return undefined;
}

/** How an asynchronous function settled. */
export type Settled = { readonly value: unknown } | { readonly error: unknown };

/**
 * Ends a call whose function has settled, of a machine that stands behind the call: undefined when
 * it can go on there, its results pushed, else how the run ended, back at the call unless it pauses.
 */
export function finishCall(
  machine: Machine,
  { call, callee }: PendingCall,
  settled: Settled,
): Ending | undefined {
  const wanted = HostCall.close(call);
  if (wanted?.kind === "pause") return pause(callee, wanted.payload);
  if (wanted?.kind === "halt") return wanted;
  const base = machine.sp;
  const ending = wanted !== undefined
    ? trap(callee, wanted.cause)
    : "error" in settled
    ? hostError(callee, settled.error)
    : pushResults(machine, base, callee, settled.value);
  if (ending !== undefined) machine.pc--;
  return ending;
}

/** A native promise of what a function returned, whose rejection needs no handler; undefined when it returned none. */
function promiseOf(value: unknown): Promise<unknown> | undefined {
  try {
    if (!isThenable(value)) return undefined;
  } catch {
    return undefined; // whoever looks at the value as a result fails the same way, and says so
  }
  const promise = new HostPromise<unknown>((resolve) => resolve(value));
  thenOf.call(promise, undefined, () => {});
  return promise;
}

function pause<T>(callee: HostFunction<T>, payload: unknown): Ending {
  const { results, index } = callee.syscall;
  return { kind: "pause", payload, results, syscall: index, pending: undefined };
}

/** Makes sure that cells up to a height are allocated; they must be within the capacity. */
export function ensureCells(machine: Machine, height: number): boolean {
  return height <= machine.stack.length || machine.growStack(height);
}

/** Checks what a host function returned and puts it on the stack; an ending when it is refused. */
function pushResults<T>(
  machine: Machine,
  base: number,
  callee: HostFunction<T>,
  value: unknown,
): Ending | undefined {
  const { results } = callee.syscall;
  // Most functions have one result or none, and give what they should.
  if (results.length === 1 && isValueOf(results[0]!, value)) {
    writeValue(machine.stack, base, results[0]!, value);
  } else if (results.length > 0 || value !== undefined) {
    let values: unknown[];
    try {
      if (isThenable(value)) return refuseThenable(callee, value);
      const list = results.length > 1 ? elementsOf(value, results.length + 1) : undefined;
      values = list === undefined ? [value] : list.values;
    } catch (error) {
      return hostError(callee, error); // a proxy or getter of the plugin threw
    }
    const refusal = refusalOf(callee, value, values);
    if (refusal !== undefined) {
      return trap(callee, { code: "BadSignature", detail: `${callee.label} must return ${refusal}` });
    }
    writeValues(machine.stack, base, results, values as Value[]);
  }
  machine.sp = base + callee.resultSlots;
  return undefined;
}

/** What a host function must return, and what it did instead; undefined when the values fit. */
function refusalOf<T>(
  { syscall: { results } }: HostFunction<T>,
  value: unknown,
  values: readonly unknown[],
): string | undefined {
  if (results.length === 0) return `nothing (undefined), not ${foundText(value)}`;
  const found = foundText(value), count = results.length;
  if (count > 1 && (found !== "an array" || values.length !== count)) {
    const length = values.length > count ? `more than ${count}` : `${values.length}`;
    const list = found === "an array" ? `an array of ${length} value${length === "1" ? "" : "s"}` : found;
    return `an array of ${count} values, not ${list}`;
  }
  for (let i = 0; i < count; i++) {
    if (isValueOf(results[i]!, values[i])) continue;
    const which = count === 1 ? "" : ` as result ${i}`;
    return `${expectedText(results[i]!)}${which}, not ${foundText(values[i])}`;
  }
  return undefined;
}

function isThenable(value: unknown): boolean {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

function refuseThenable<T>(callee: HostFunction<T>, value: unknown): Ending {
  abandon(value);
  return trap(callee, {
    code: "BadSignature",
    detail: `${callee.label} returned a promise`,
    hint: "declare it with async: true, or call caller.pause() and resume() with the results",
  });
}

/** Nobody will look at a promise any more; if it rejects, that must not end the process. */
function abandon(value: unknown): void {
  try {
    if (value instanceof HostPromise) thenOf.call(value, undefined, () => {});
  } catch {
    // A proxy of a promise, or one whose constructor throws: there is nothing to wait for.
  }
}

function hostError<T>(callee: HostFunction<T>, error: unknown): Ending {
  const cause = {
    code: "HostError",
    detail: `${callee.label} threw ${errorText(error)}`,
    cause: error,
  } as const;
  const hint = permissionHint(error);
  return trap(callee, hint === undefined ? cause : { ...cause, hint });
}

/** What was thrown, in one line; anything can be thrown, also what throws when it is looked at. */
function errorText(error: unknown): string {
  try {
    if (error instanceof RwasmError) return quoteName(error.shortMessage.split("\n", 1)[0]!);
    return error instanceof Error ? quoteName(`${error.name}: ${error.message}`) : foundText(error);
  } catch {
    return "something that cannot be described";
  }
}

/** What Deno says of a missing permission; names in angle brackets stand for what it does not tell. */
const PERMISSION = /^Requires \w+ access(?: to "([^"<>]*)")?.* run again with the (--allow-\w+) flag/s;

/** The flag that a host function was missing, when that is why it failed. */
function permissionHint(error: unknown): string | undefined {
  try {
    if (!(error instanceof Error) || error.name !== "NotCapable") return undefined;
    const [, target, flag] = PERMISSION.exec(error.message) ?? [];
    if (flag === undefined) return undefined;
    return `run deno with ${flag}${target === undefined ? "" : `=${target}`}`;
  } catch {
    return undefined;
  }
}

/** A trap in a host function. */
function trap<T>(callee: HostFunction<T>, cause: TrapCause): Ending {
  return { kind: "trap", cause: { ...cause, syscall: callee.origin } };
}
