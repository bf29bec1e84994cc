/**
 * How an executor says no: the errors of calls that make no sense now or name what is not there.
 * Makes errors, throws none.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { foundText } from "../vm/values.ts";

/** A call by one of the store's host functions, or by a predicate or getter that runs within a call. */
export function reentrant(what: string): UsageError {
  return new UsageError(
    "Reentrant",
    `Cannot ${what}: the store is running, and this is one of its host functions`,
    {
      hint: "pause the run with caller.pause() and go on outside, or use another store",
    },
  );
}

/** A run that cannot start because another one is paused. */
export function paused(what: string): UsageError {
  return new UsageError("Paused", `Cannot ${what}: a run of this store is paused`, {
    hint: "resume() it, or give it up with store.reset()",
  });
}

/** A call while `callAsync` or one like it has not ended. */
export function underWay(what: string): UsageError {
  return new UsageError("Running", `Cannot ${what}: an asynchronous run of this store is under way`, {
    hint: "await it, abort it with its signal, or give it up with store.reset()",
  });
}

/** A call that goes on with a run, and there is none. */
export function notPaused(what: string, hint: string | undefined): UsageError {
  return new UsageError("NotPaused", `Cannot ${what}: no run of this executor is paused`, { hint });
}

/** A step of a run that waits for the results of a host function. */
export function awaitsResults(what: string): UsageError {
  return new UsageError(
    "AwaitsResults",
    `Cannot ${what}: the run waits for the results of a host function`,
    { hint: "resume(results, { step: true }) gives them and stops before the next instruction" },
  );
}

/** A use of something that has been disposed of. */
export function disposed(what: string, which: "store" | "executor"): UsageError {
  return new UsageError("Disposed", `Cannot ${what}: the ${which} has been disposed of`, {
    hint: "it lives until the end of the block that has it in `using`",
  });
}

/** An asynchronous run whose paused machine was taken away between two of its slices. */
export function givenUp(what: string): UsageError {
  return new UsageError("RunGivenUp", `Cannot ${what} to its end: the run was given up`, {
    hint: "store.reset() or a disposal did that",
  });
}

/** A use of an instance that is no longer the active one of its store. */
export function stale(what: string): UsageError {
  return new UsageError("StaleInstance", `Cannot ${what}: another instance has taken the place of this one`, {
    hint: "a store has one active instance; use one store per instance",
  });
}

/** A name that the module does not export. */
export function unknownExport(
  what: string,
  kind: string,
  name: unknown,
  names: readonly string[],
): UsageError {
  const near = typeof name === "string" ? nearest(name, names) : undefined;
  const listed = names.slice(0, 20).map(quoteName).join(", ") + (names.length > 20 ? ", …" : "");
  return new UsageError(
    "UnknownExport",
    `Cannot ${what}: the module exports no such ${kind}${
      near === undefined ? "" : `; did you mean ${quoteName(near)}?`
    }`,
    { hint: names.length === 0 ? `the module exports no ${kind}` : `exported ${kind}s: ${listed}` },
  );
}

/** The name of an export in a message, whatever was given for it. */
export function exportText(name: unknown): string {
  return typeof name === "string" ? quoteName(name) : foundText(name);
}
