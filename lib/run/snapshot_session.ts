/**
 * Between the session of an executor and its snapshots: what a session holds is handed over as it
 * is, and what was restored or copied is put into a session that has run nothing.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { Machine } from "../vm/machine.ts";
import type { Paused } from "../vm/outcome.ts";
import type { RwasmStore } from "../vm/store.ts";
import type { ParkedRun, Run } from "./paused_run.ts";
import { reentrant, stale } from "./refusal.ts";
import type { Session } from "./session.ts";
import type { Captured, Restored, SavedRun } from "./snapshot.ts";

/**
 * What the session of an executor holds now.
 *
 * @throws {UsageError} `Reentrant`, `Disposed`, `StaleInstance`, or `Paused` when a run of another
 * executor of the store is.
 */
export function capture<T>(session: Session<T>, what: string): Captured {
  const { store } = session;
  if (store.running) throw reentrant(what);
  session.refuseDisposed(() => what);
  const parked = session.ownParked();
  if (parked !== undefined) return { machine: parked.run.machine, run: savedOf(parked) };
  if (store.parked !== undefined) {
    throw new UsageError("Paused", `Cannot ${what}: a run of another executor of this store is paused`);
  }
  if (session.machine !== undefined && session.machine !== store.machine) throw stale(what);
  return { machine: session.machine, run: undefined };
}

function savedOf({ run, outcome, results, syscall }: ParkedRun): SavedRun {
  return {
    initializing: run.initializing,
    // Between two turns of an asynchronous run it stands as if it had been stopped there.
    reason: outcome.reason === "turn" ? "step" : outcome.reason,
    required: outcome.reason === "fuel" ? outcome.required : 0n,
    syscall,
    awaited: results,
    results: run.results,
    then: run.then,
  };
}

/** Puts what a snapshot held into a session that has run nothing, and its state into the plugins. */
export function adopt<T>(
  session: Session<T>,
  owner: object,
  { machine, run, restoreStates }: Restored<T>,
): void {
  const { store } = session;
  if (machine !== undefined) {
    store.machine = machine;
    if (!run?.initializing) session.machine = machine;
  }
  restoreStates(store);
  if (machine === undefined || run === undefined) return;
  const { initializing, results, then, awaited, syscall } = run;
  const restored: Run = { machine, results, initializing, previous: undefined, then };
  const parked: ParkedRun = {
    owner,
    initializing,
    previous: undefined,
    run: restored,
    outcome: outcomeOf(machine, store, run),
    results: awaited,
    syscall,
    pending: undefined,
    wake: undefined,
    busy: false,
  };
  store.parked = parked;
}

/** What the caller would have been told. */
function outcomeOf<T>(machine: Machine, { fuel }: RwasmStore<T>, { reason, required }: SavedRun): Paused {
  const pc = machine.pc >>> 0;
  switch (reason) {
    case "syscall":
      return { status: "paused", reason, payload: undefined };
    case "fuel":
      return { status: "paused", reason, required, remaining: fuel.remaining() ?? 0n, pc };
    case "abort":
      return { status: "paused", reason, cause: undefined, pc };
    case "breakpoint":
      return { status: "paused", reason, breakpoint: { pc, place: { pc } }, pc };
    default:
      return { status: "paused", reason, pc };
  }
}
