/**
 * Shares the processor among guests by fuel: in each round every guest may use a quantum times its
 * share, and what it does not use it keeps. Nobody waits for a guest that spins, and who gets what
 * does not depend on the machine.
 *
 * @module
 */

import {
  type Outcome,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
  type StoreOptions,
  type Value,
} from "../../mod.ts";

/** A guest to schedule. */
export interface Task<T> {
  /** What it is called. */
  readonly name: string;
  /** How much it gets in comparison with the others; at least 1. */
  readonly share: number;
  /** Its code. */
  readonly module: RwasmModule;
  /** What its store is made with. */
  readonly store: StoreOptions<T>;
  /** Function to call, and its parameters. */
  readonly call: readonly [name: string, ...params: Value[]];
}

/** A guest that ended. */
export interface Finished {
  /** Its name. */
  readonly name: string;
  /** How it ended. */
  readonly outcome: Outcome;
  /** Fuel it has used. */
  readonly fuel: bigint;
  /** Round in which it ended, from 1 on. */
  readonly round: number;
}

/** A guest under way. */
interface Running<T> {
  readonly task: Task<T>;
  readonly executor: RwasmExecutor<T>;
}

/** Guests that share the processor. */
export class Scheduler<T = undefined> {
  readonly #quantum: bigint;
  #running: Running<T>[] = [];
  #round = 0;

  /** A scheduler without guests; `quantum` is the fuel of a round for a share of 1. */
  constructor(quantum: bigint) {
    this.#quantum = quantum;
  }

  /** Adds a guest; it runs from the next round on. */
  add(task: Task<T>): void {
    const store = new RwasmStore<T>({ ...task.store, fuelLimit: 0 });
    this.#running.push({ task, executor: new RwasmExecutor(store, task.module, { onOutOfFuel: "pause" }) });
  }

  /** Fuel that each guest under way has used. */
  usage(): Map<string, bigint> {
    return new Map(this.#running.map(({ task, executor }) => [task.name, executor.store.consumedFuel()]));
  }

  /** Gives every guest its part of one round; those that ended in it. */
  round(): Finished[] {
    this.#round++;
    const finished: Finished[] = [];
    this.#running = this.#running.filter(({ task, executor }) => {
      executor.store.addFuel(this.#quantum * BigInt(task.share));
      const [name, ...params] = task.call;
      const outcome = executor.paused === undefined ? executor.call(name, params) : executor.resume();
      // A guest that waits for more than fuel would be somebody else's to resume.
      if (outcome.status === "paused" && outcome.reason === "fuel") return true;
      finished.push({ name: task.name, outcome, fuel: executor.store.consumedFuel(), round: this.#round });
      return false;
    });
    return finished;
  }

  /** Rounds until all have ended, in the order in which they did. */
  *run(): Generator<Finished, void> {
    while (this.#running.length > 0) yield* this.round();
  }
}
