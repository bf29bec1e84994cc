/**
 * The instance of one executor and the runs on it: starts them, drives them, turns endings into
 * outcomes, parks what is paused and goes on with it. What callers hand over has been checked; what
 * they may do now is decided here. What happens while the machine runs is `drive.ts`.
 *
 * @module
 */

import { Trap } from "../error.ts";
import { type RwasmModule, slotsOfAll, type ValueType } from "../isa/module.ts";
import { type Limits, MAX_NESTED_RUNS, STACK_HEADROOM } from "../limits.ts";
import type { Value } from "../plugin/plugin.ts";
import { checkValues, guessTypes } from "../vm/arguments.ts";
import { type TrapCause, trapOf } from "../vm/explain.ts";
import { type Ending, HostCall } from "../vm/host_call.ts";
import type { LoopMaker } from "../vm/loop.ts";
import { Machine } from "../vm/machine.ts";
import type { Outcome, Paused } from "../vm/outcome.ts";
import type { RwasmStore } from "../vm/store.ts";
import { ensureCells, finishCall, performSyscall } from "../vm/syscall.ts";
import { readValues, writeValues, zeroValues } from "../vm/values.ts";
import { Breakpoints } from "./breakpoints.ts";
import type { Control, Why } from "./control.ts";
import { drive, driveWatched } from "./drive.ts";
import { Engine, type EngineName } from "./engine.ts";
import type { Entry, ParkedRun, Run, Turn } from "./paused_run.ts";
import type { Prepared } from "./prepared.ts";
import {
  awaitsResults,
  disposed,
  givenUp,
  notPaused,
  paused,
  reentrant,
  stale,
  underWay,
} from "./refusal.ts";
import { PausedError, settle, turn } from "./turns.ts";

/** What an executor decides about its runs. */
export interface SessionOptions {
  /** Whether a charge that does not fit pauses the run. */
  readonly pausesForFuel: boolean;
  /** Called with the state of a new instance before its code runs. */
  readonly prepare: ((machine: Machine) => void) | undefined;
  /** Which loops may run the machines. */
  readonly engine: EngineName;
  /** What runs the machines in the place of the engine. */
  readonly tracer: LoopMaker | undefined;
}

/** The instance of an executor, and the run on it. */
export class Session<T> {
  /** The module. */
  readonly module: RwasmModule;
  /** The store it runs on. */
  readonly store: RwasmStore<T>;
  /** Where runs pause. */
  readonly breakpoints: Breakpoints;
  /** State of the instance; undefined before it exists. */
  machine: Machine | undefined = undefined;
  /** Whether it has been disposed of. */
  disposed = false;
  /** The executor, which owns what is parked. */
  readonly #owner: object;
  /** What all stores share of the module. */
  readonly #prepared: Prepared;
  readonly #options: SessionOptions;
  /** The loops of machines that have run: the instance, and one that is made. */
  readonly #engines = new WeakMap<Machine, Engine>();
  /** The control of the run that is on the host's stack. */
  #control: Control | undefined = undefined;

  /** A session without an instance. */
  constructor(
    owner: object,
    store: RwasmStore<T>,
    module: RwasmModule,
    prepared: Prepared,
    options: SessionOptions,
  ) {
    this.#owner = owner;
    this.store = store;
    this.module = module;
    this.#prepared = prepared;
    this.#options = options;
    this.breakpoints = new Breakpoints(module);
  }

  // ── what a caller may do now ────────────────────────────────────────────────────────────────

  /** Refuses the use of what has been disposed of; `doing` names the use. */
  refuseDisposed(doing: () => string): void {
    if (this.disposed) throw disposed(doing(), "executor");
    if (this.store.disposed) throw disposed(doing(), "store");
  }

  /** Refuses a run that cannot start now. */
  ready(doing: () => string): void {
    const { store } = this;
    if (store.running) throw reentrant(doing());
    if (store.parked !== undefined) {
      throw (store.parked as ParkedRun).busy ? underWay(doing()) : paused(doing());
    }
    this.refuseDisposed(doing);
    if (this.machine !== undefined && this.machine !== store.machine) throw stale(doing());
  }

  /** The paused run of this session, if there is one. */
  ownParked(): ParkedRun | undefined {
    const { parked } = this.store;
    // Only this executor parks what has itself for the owner.
    return parked?.owner === this.#owner ? parked as ParkedRun : undefined;
  }

  /** The paused run that can go on now. */
  parked(doing: () => string): ParkedRun {
    const { store } = this;
    if (store.running) throw reentrant(doing());
    this.refuseDisposed(doing);
    const parked = this.ownParked();
    if (parked === undefined) {
      const other = store.parked !== undefined;
      throw notPaused(
        doing(),
        other ? "the paused run belongs to another executor of this store" : undefined,
      );
    }
    if (parked.busy) throw underWay(doing());
    return parked;
  }

  /** The paused run, when it can go on without results. */
  steppable(doing: () => string): ParkedRun {
    const parked = this.parked(doing);
    if (parked.pending !== undefined || parked.results?.length !== 0) throw awaitsResults(doing());
    return parked;
  }

  // ── runs ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Runs a function of the instance while one of its host functions may be running: the run that this
   * one interrupts waits on stacks of its own.
   */
  callNested(machine: Machine, entry: Entry): Outcome {
    const { store } = this;
    if (!store.running) return this.#start(machine, entry, undefined) as Outcome;
    if (store.nesting >= MAX_NESTED_RUNS) {
      const detail = `${store.nesting} calls of host functions wait for calls of the guest`;
      return { status: "trap", trap: new Trap("StackOverflow", machine.pc >>> 0, { detail }) };
    }
    const outer = machine.suspendOuter(), hostCall = store.hostCall, control = this.#control;
    // What runs now has no bounds of its own, and must not use up those of the run that waits.
    const taken = control?.release(machine);
    store.nesting++;
    try {
      return this.#start(machine, entry, undefined) as Outcome;
    } finally {
      store.nesting--;
      store.running = true;
      store.hostCall = hostCall;
      machine.resumeOuter(outer);
      if (taken) control!.take(machine);
    }
  }

  /** Gives up the paused run and lets go of the instance. */
  dispose(): void {
    if (this.disposed) return;
    const { store } = this;
    if (store.running) throw reentrant("dispose of the executor");
    if (this.ownParked() !== undefined) store.giveUp();
    if (this.machine !== undefined && store.machine === this.machine) store.machine = undefined;
    this.machine = undefined;
    this.disposed = true;
  }

  /** Goes on with the paused run, with the results that a host function owes. */
  resume(
    doing: () => string,
    results: readonly Value[],
    control: Control | undefined,
  ): Outcome | Turn {
    const { store } = this, parked = this.parked(doing), { run, pending } = parked;
    if (pending !== undefined && HostCall.ending(pending.call) !== undefined) {
      // The function has decided how the run ends, whatever its results would be.
      store.parked = undefined;
      return this.#end(run, finishCall(run.machine, pending, { value: undefined })!, control);
    }
    const types = parked.results ?? guessTypes(results, mostValues(store.limits));
    const checked = checkValues(doing, "result", types, results);
    // Looking at the results may have run code of theirs.
    if (this.parked(doing) !== parked) throw notPaused(doing(), undefined);
    store.parked = undefined;
    if (pending !== undefined) HostCall.close(pending.call);
    if (!push(run.machine, types, checked)) {
      return this.#end(run, {
        kind: "trap",
        cause: { code: "StackOverflow", detail: `no room for ${slotsOfAll(types)} result slots` },
      }, control);
    }
    return this.#go(run, control, parked.outcome.reason !== "syscall");
  }

  /** Goes on with a run that needs no results. */
  goOn(parked: ParkedRun, control: Control): Outcome {
    this.store.parked = undefined;
    return this.#go(parked.run, control, true) as Outcome;
  }

  /** Brings a run to its end that has begun, letting others have their turn. */
  async inTurns(doing: () => string, first: Outcome | Turn, control: Control): Promise<Outcome> {
    const { store } = this;
    let outcome = first;
    while (outcome.status === "paused") {
      const parked = store.parked as ParkedRun, { run, pending } = parked;
      if (outcome.reason === "turn") {
        parked.busy = true;
        await turn();
        if (store.parked !== parked) throw givenUp(doing());
        control.beginTurn(store.fuel);
        store.parked = undefined;
        outcome = this.#go(run, control, true);
      } else if (pending !== undefined) {
        parked.busy = true;
        const how = await settle(pending.promise, control, (wake) => parked.wake = wake);
        parked.wake = undefined;
        if (how === "givenUp" || store.parked !== parked) throw givenUp(doing());
        parked.busy = false;
        if (how === "abort" || how === "deadline") {
          throw new PausedError(doing(), stopped(how, run.machine, control));
        }
        store.parked = undefined;
        const ending = finishCall(run.machine, pending, how);
        outcome = ending === undefined ? this.#go(run, control, false) : this.#end(run, ending, control);
      } else if (outcome.reason === "abort" || outcome.reason === "deadline") {
        throw new PausedError(doing(), outcome);
      } else return outcome;
    }
    return outcome;
  }

  /** Makes an instance, and runs what implied that. */
  instantiate(then: Entry | undefined, control: Control | undefined): Outcome | Turn {
    const { store, module } = this;
    const machine = new Machine(module, store.limits, store.fuel);
    this.#options.prepare?.(machine);
    const previous = store.machine;
    store.machine = machine;
    const run: Run = { machine, results: [], initializing: true, previous, then };
    // Modules of old releases have their initialization in the entry point.
    if (module.sourcePc === 0) return this.#end(run, { kind: "done" }, control);
    this.#begin(machine, 0);
    return this.#go(run, control, false);
  }

  /** Starts a run; makes the instance first when there is none. */
  enter(entry: Entry, control: Control | undefined): Outcome | Turn {
    return this.machine === undefined
      ? this.instantiate(entry, control)
      : this.#start(this.machine, entry, control);
  }

  #start(
    machine: Machine,
    { pc, params, type }: Entry,
    control: Control | undefined,
  ): Outcome | Turn {
    const run: Run = {
      machine,
      results: type.results,
      initializing: false,
      previous: undefined,
      then: undefined,
    };
    this.#begin(machine, pc);
    if (pc < this.module.length && !push(machine, type.params, params)) {
      const detail = `no room for ${slotsOfAll(type.params)} parameter slots`;
      const hint = `limits.stackSlots is ${this.store.limits.stackSlots}`;
      return this.#end(run, { kind: "trap", cause: { code: "StackOverflow", detail, hint } }, control);
    }
    return this.#go(run, control, false);
  }

  /** Sets a machine to the start of a run. */
  #begin(machine: Machine, pc: number): void {
    machine.start(pc);
    if (this.#options.tracer !== undefined) {
      this.#engine(machine);
      this.#options.tracer.begin?.(machine, this.store.nesting > 0);
    }
    // A run that a host function starts is part of the one that waits for it.
    if (this.store.nesting === 0) this.store.fuel.uncharged = 0;
  }

  #engine(machine: Machine): Engine {
    let engine = this.#engines.get(machine);
    if (engine === undefined) {
      const syscall = (index: number) => this.store.linker?.bySyscall(index);
      const { engine: name, prepare, tracer } = this.#options, { store } = this;
      const other = tracer?.loopFor(machine, syscall);
      // Who prepares the machine calls it from host functions, too.
      const perform = prepare === undefined ? () => performSyscall(machine, store) : undefined;
      this.#engines.set(machine, engine = new Engine(machine, this.#prepared, { name, other, perform }));
    }
    return engine;
  }

  /** Runs on; `passed` tells that a breakpoint at the first instruction has had its effect. */
  #go(run: Run, control: Control | undefined, passed: boolean): Outcome | Turn {
    const { store } = this, { machine } = run;
    const breakpoints = this.breakpoints.size > 0 && store.nesting === 0 ? this.breakpoints : undefined;
    const outer = this.#control;
    this.#control = control;
    store.running = true;
    let ending: Ending;
    try {
      const engine = this.#engine(machine);
      ending = control === undefined && breakpoints === undefined
        ? drive(engine, machine, store)
        : driveWatched(engine, machine, store, { control, breakpoints, passed });
    } finally {
      store.running = false;
      this.#control = outer;
    }
    return this.#end(run, ending, control);
  }

  #end(run: Run, ending: Ending, control: Control | undefined): Outcome | Turn {
    const { machine, results } = run;
    switch (ending.kind) {
      case "pause": {
        const { payload, results, syscall, pending } = ending;
        if (this.store.nesting > 0) {
          if (pending !== undefined) HostCall.close(pending.call);
          return this.#trapped(run, { code: "InterruptionCalled", detail: NESTED });
        }
        return this.#park(run, { status: "paused", reason: "syscall", payload }, results, syscall, pending);
      }
      case "fuel":
        return this.#outOfFuel(run, ending);
      case "stop": {
        if (ending.why === "turn") return this.#park(run, TURN);
        const { pc } = machine;
        if (ending.why === "step") return this.#park(run, { status: "paused", reason: "step", pc: pc >>> 0 });
        if (ending.why !== "breakpoint") return this.#park(run, stopped(ending.why, machine, control));
        const breakpoint = this.breakpoints.at(pc)!;
        return this.#park(run, { status: "paused", reason: "breakpoint", breakpoint, pc });
      }
      case "trap":
        return this.#trapped(run, this.#options.pausesForFuel ? withHint(ending.cause) : ending.cause);
      case "halt":
        if (run.initializing) return this.#trapped(run, { code: "ExecutionHalted" });
        this.#options.tracer?.ended?.(machine, "halt");
        machine.start(machine.pc);
        return { status: "done", results: zeroValues(results) };
      case "done": {
        const slots = slotsOfAll(results);
        if (machine.sp !== slots) {
          const detail = `the stack holds ${machine.sp} slots at the end, the results take ${slots}`;
          return this.#trapped(run, { code: "IllegalOpcode", detail });
        }
        this.#options.tracer?.ended?.(machine, "done");
        const values = readValues(machine.stack, 0, results);
        if (!run.initializing) return { status: "done", results: values };
        this.machine = machine;
        return run.then === undefined ? { status: "done", results: values } : this.enter(run.then, control);
      }
    }
  }

  #outOfFuel(run: Run, { required, charged, cause }: Ending & { readonly kind: "fuel" }): Outcome | Turn {
    const { store } = this;
    if (!this.#options.pausesForFuel || store.nesting > 0) return this.#trapped(run, cause);
    // The call of a host function is made again from its beginning, charges included.
    if (charged > 0n) store.fuel.refund(charged);
    const remaining = store.fuel.remaining()!;
    return this.#park(run, { status: "paused", reason: "fuel", required, remaining, pc: run.machine.pc });
  }

  #park<Told extends Paused | Turn>(
    run: Run,
    outcome: Told,
    results: ParkedRun["results"] = outcome.reason === "syscall" ? undefined : [],
    syscall?: number,
    pending?: ParkedRun["pending"],
  ): Told {
    const { initializing, previous } = run;
    const parked: ParkedRun = {
      owner: this.#owner,
      initializing,
      previous,
      run,
      outcome,
      results,
      syscall,
      pending,
      wake: undefined,
      busy: false,
    };
    this.store.parked = parked;
    this.#options.tracer?.paused?.(run.machine, outcome.reason === "turn");
    return outcome;
  }

  #trapped(run: Run, cause: TrapCause): Outcome {
    const { machine } = run;
    this.#options.tracer?.ended?.(machine, "trap", cause.code);
    const trap = trapOf(machine, cause, run.initializing);
    machine.signaturePending = false;
    machine.start(machine.pc);
    if (run.initializing) this.store.machine = run.previous;
    return { status: "trap", trap };
  }
}

const TURN: Turn = { status: "paused", reason: "turn" };

const NESTED = "a run that a host function waits for cannot pause";

/** How a run is paused that was stopped from outside. */
function stopped(
  why: Exclude<Why, "turn">,
  { pc }: Machine,
  control: Control | undefined,
): Paused & { readonly reason: "abort" | "deadline" } {
  return why === "abort"
    ? { status: "paused", reason: why, cause: control?.signal?.reason, pc: pc >>> 0 }
    : { status: "paused", reason: why, pc: pc >>> 0 };
}

/** Tells why a run ended for fuel although it should pause. */
function withHint(cause: TrapCause): TrapCause {
  if (cause.code !== "OutOfFuel" || cause.syscall === undefined || cause.hint !== undefined) return cause;
  const hint = "the call had begun to act and cannot be made again: let the function charge first, " +
    "or declare what it costs";
  return { ...cause, hint };
}

/** One more than the stack can take, so that what is too much is a StackOverflow, but bounded. */
export function mostValues({ stackSlots }: Limits): number {
  return stackSlots + STACK_HEADROOM + 1;
}

/** Reserves room for values and pushes them; false when there is none. */
function push(machine: Machine, types: readonly ValueType[], values: readonly Value[]): boolean {
  const slots = slotsOfAll(types);
  if (!machine.reserve(slots) || !ensureCells(machine, machine.sp + slots)) return false;
  machine.sp += writeValues(machine.stack, machine.sp, types, values);
  return true;
}
