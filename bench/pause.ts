/**
 * How soon an endless run stops: milliseconds from a deadline, or from an abort, until the caller has
 * its outcome; of metered and unmetered code, in synchronous and asynchronous runs. And what asking
 * for a deadline costs a run that ends.
 *
 * @module
 */

import { compile, PausedError, RwasmExecutor, type RwasmModule, RwasmStore } from "../mod.ts";
import { assembleWat } from "../tests/compile/wat.ts";
import { interleaved, median, type Row, type Table } from "./measure.ts";

/** The 99th percentile may be this many milliseconds. */
const MOST_MS = 50;

/** Stops of each kind; the 99th percentile of so few is the largest but one. */
const TRIALS = 100;

/** Milliseconds a run goes on before it shall stop. */
const RUNS_MS = 15;

const GUESTS: Readonly<Record<string, string>> = {
  "idle loop": `(loop $l (br $l))`,
  "stores": `(loop $l (i32.store (i32.and (local.get $i) (i32.const 0xfffc))
    (local.tee $i (i32.add (local.get $i) (i32.const 1)))) (br $l))`,
  "i64 divisions": `(loop $l (local.set $x (i64.add (local.get $x)
    (i64.div_s (i64.const -987654321987654321) (i64.const 12345)))) (br $l))`,
  "long body": `(loop $l ${"(local.set $i (i32.add (local.get $i) (i32.const 3)))".repeat(2000)} (br $l))`,
  "fills of 1 MiB": `(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)) (br $l))`,
};

function executorOf(module: RwasmModule): RwasmExecutor {
  return new RwasmExecutor(new RwasmStore(), module);
}

/** Milliseconds that a synchronous run goes on after its deadline. */
function afterTimeout(module: RwasmModule): number {
  const executor = executorOf(module), began = performance.now();
  const outcome = executor.call("main", [], { timeoutMs: RUNS_MS });
  if (outcome.status !== "paused") throw new Error(outcome.status);
  return performance.now() - began - RUNS_MS;
}

/** Milliseconds from an abort until `callAsync` rejects. */
async function afterAbort(module: RwasmModule): Promise<number> {
  const stop = new AbortController();
  let aborted = 0;
  setTimeout(() => {
    aborted = performance.now();
    stop.abort();
  }, RUNS_MS);
  const began = performance.now();
  try {
    await executorOf(module).callAsync("main", [], { signal: stop.signal });
  } catch (error) {
    if (!(error instanceof PausedError)) throw error;
  }
  // An abort comes from the event loop; what the run kept that from counts as well.
  return Math.max(performance.now() - aborted, performance.now() - began - RUNS_MS);
}

/** The 99th percentile. */
function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(0.99 * values.length) - 1];
}

/** How soon runs stop. */
export async function benchPause(): Promise<Table> {
  const rows: Row[] = [], missed: string[] = [];
  for (const [guest, body] of Object.entries(GUESTS)) {
    for (const consumeFuel of [true, false]) {
      const text = `(module (memory 16) (func (export "main") (local $i i32) (local $x i64) ${body}))`;
      const module = compile(assembleWat(text), { consumeFuel });
      const timeouts: number[] = [], aborts: number[] = [];
      for (let i = 0; i < TRIALS; i++) {
        timeouts.push(afterTimeout(module));
        aborts.push(await afterAbort(module));
      }
      const name = `${guest}, ${consumeFuel ? "metered" : "unmetered"}`;
      const figures = {
        "timeout median": median(timeouts),
        "timeout p99": p99(timeouts),
        "abort median": median(aborts),
        "abort p99": p99(aborts),
      };
      rows.push({ name, figures });
      for (const kind of ["timeout p99", "abort p99"] as const) {
        if (figures[kind] > MOST_MS) {
          missed.push(`${name}: ${kind} ${figures[kind].toFixed(1)} ms > ${MOST_MS} ms`);
        }
      }
    }
  }
  return {
    title: "Pausing: ms until an endless run has stopped",
    note:
      `after its timeoutMs in a synchronous call, and after an abort in callAsync; ${TRIALS} stops each. ` +
      overhead(),
    rows,
    missed,
  };
}

/** What a deadline costs a run that ends. */
function overhead(): string {
  const text = `(module (func (export "main") (param i32) (loop $l
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`;
  const module = compile(assembleWat(text)), [plain, bounded] = [executorOf(module), executorOf(module)];
  const times = interleaved({
    plain: () => () => void plain.call("main", [20_000_000]),
    bounded: () => () => void bounded.call("main", [20_000_000], { timeoutMs: 60_000 }),
  }, 12);
  const more = 100 * (times.bounded / times.plain - 1);
  return `A deadline makes a run of ${times.plain.toFixed(0)} ms ${more.toFixed(1)} % longer.`;
}

if (import.meta.main) {
  const { format } = await import("./measure.ts");
  console.log(format(await benchPause()));
}
