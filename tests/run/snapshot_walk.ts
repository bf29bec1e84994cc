/**
 * Runs programs with interruptions: at each of them the run is saved, its executor forgotten, and the
 * bytes restored into a new store; the end must be that of a run without interruptions, down to the
 * bytes of a last snapshot. Used by the tests and by the campaign.
 *
 * @module
 */

import { inspectSnapshot, type Outcome, RwasmExecutor } from "../../mod.ts";
import { type Random, show } from "../harness.ts";
import { executorOf, type Program, type World } from "./snapshot_programs.ts";

/** How a run ended, and what is left of it. */
export interface Ending {
  /** Outcome, fuel, and what can be seen of the world. */
  readonly text: string;
  /** A snapshot in the end: memory, globals, tables, dropped segments, state of plugins. */
  readonly bytes: Uint8Array;
}

/** A run under way. */
interface Run {
  executor: RwasmExecutor<never>;
  world: World;
  outcome: Outcome;
}

function endingOf({ executor, world, outcome }: Run): Ending {
  const how = outcome.status === "done"
    ? `done ${outcome.results.map(show)}`
    : outcome.status === "trap"
    ? `${outcome.trap.message}`
    : `paused ${outcome.reason}`;
  const text = `${how}\nfuel ${executor.store.consumedFuel()}\n${world.seen()}`;
  executor.store.resetFuel();
  return { text, bytes: executor.snapshot() };
}

/** A run without interruptions, but for the questions of the host. */
export function plainly(program: Program): Ending {
  const world = program.world(), executor = executorOf(program, world);
  let outcome = program.start(executor);
  while (outcome.status === "paused") outcome = executor.resume(world.answer(outcome));
  return endingOf({ executor, world, outcome });
}

/** Saves a run and restores it. */
function move(program: Program, run: Run): void {
  const bytes = run.executor.snapshot(), { module, limits } = program;
  const world = run.world.next();
  run.executor = RwasmExecutor.restore<never>(bytes, {
    module,
    limits,
    linker: world.linker,
    data: world.data as never,
    onOutOfFuel: "pause",
  });
  run.world = world;
}

/** How far apart interruptions are. */
export type Pace =
  /** At every charge, or at every n-th. */
  | { readonly charges: number }
  /** At every instruction, or at every n-th. */
  | { readonly steps: number }
  /** Anywhere: after as much fuel as chance says, up to a bound. */
  | { readonly fuel: bigint; readonly random: Random };

/** What an interrupted run was. */
export interface Walk extends Ending {
  /** How often it was interrupted. */
  readonly pauses: number;
  /** How many charges or instructions it passed; 0 when nobody counted. */
  readonly passed: number;
}

/** A run that is interrupted again and again, at most so many times; then it is left to itself. */
export function interrupted(program: Program, pace: Pace, most = Infinity): Walk {
  const world = program.world(), steps = "steps" in pace;
  const executor = executorOf(program, world, steps ? undefined : 0n, { onOutOfFuel: "pause" });
  const run: Run = { executor, world, outcome: program.start(executor, steps ? { step: true } : undefined) };
  let pauses = 0, passed = 0;
  const every = "steps" in pace ? pace.steps : "charges" in pace ? pace.charges : 1;
  while (run.outcome.status === "paused") {
    const { outcome } = run;
    const due = outcome.reason === "syscall" || passed++ % every === 0;
    if (due && pauses < most) {
      move(program, run);
      pauses++;
    }
    const { executor, world } = run, { store } = executor;
    if (outcome.reason === "syscall") {
      run.outcome = executor.resume(world.answer(outcome), steps ? { step: true } : undefined);
    } else if (outcome.reason === "fuel") {
      const more = pauses >= most
        ? 2n ** 60n
        : "fuel" in pace
        ? BigInt(pace.random.below(Number(pace.fuel)))
        : 0n;
      store.addFuel(outcome.required - outcome.remaining + more);
      run.outcome = executor.resume();
    } else run.outcome = pauses < most ? executor.step() : executor.resume();
  }
  return { ...endingOf(run), pauses, passed };
}

/** What is wrong with an interrupted run; undefined when nothing is. */
export function difference(expected: Ending, found: Ending): string | undefined {
  if (expected.text !== found.text) return `ends as\n${found.text}\ninstead of\n${expected.text}`;
  if (
    expected.bytes.length === found.bytes.length && expected.bytes.every((byte, k) => byte === found.bytes[k])
  ) {
    return undefined;
  }
  const [a, b] = [expected, found].map(({ bytes }) => JSON.stringify(inspectSnapshot(bytes), text));
  return `leaves another state behind: ${b} instead of ${a}`;
}

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
