/**
 * What profiling by fuel costs: the same programs in the plain loop, under a profiler, and with the
 * ordinary engine, per instruction of the plain loop.
 *
 * @module
 */

import { compile, Profiler, RwasmExecutor, type RwasmModule, RwasmStore } from "../mod.ts";
import type { LoopMaker } from "../lib/vm/loop.ts";
import { Exit, run } from "../lib/vm/step.ts";
import { type Kernel, kernels } from "./kernels.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** A profile may make the plain loop this many times slower, on the whole. */
const MOST_FACTOR = 4;
const ROUNDS = 5;
/** Programs with more instructions than this take too long to count. */
const MOST_INSTRUCTIONS = 20e6;

const PLAIN: LoopMaker = { loopFor: (machine) => ({ run: () => run(machine) }) };

/** Instructions that a run executes; undefined when they are too many. */
function countOf(kernel: Kernel, module: RwasmModule): number | undefined {
  let count = 0;
  const counting: LoopMaker = {
    loopFor: (machine) => ({
      run: () => {
        for (;;) {
          if (++count > MOST_INSTRUCTIONS) return Exit.Done;
          const exit = run(machine, machine.pc, 1);
          if (exit !== Exit.Left) return exit;
        }
      },
    }),
  };
  new RwasmExecutor(new RwasmStore(), module, { tracer: counting }).call(kernel.entry, kernel.args);
  return count > MOST_INSTRUCTIONS ? undefined : count;
}

/** One row per program. */
export function benchProfile(): Table {
  const rows: Row[] = [];
  let plain = 0, profiled = 0;
  for (const kernel of kernels()) {
    const module = compile(kernel.wasm, { floats: kernel.floats });
    const instructions = countOf(kernel, module);
    if (instructions === undefined || instructions < 10_000) continue;
    const candidate = (tracer?: () => LoopMaker) => () => {
      const options = tracer === undefined ? {} : { tracer: tracer() };
      const executor = new RwasmExecutor(new RwasmStore(), module, options);
      executor.instantiate();
      return () => void executor.call(kernel.entry, kernel.args);
    };
    const times = interleaved({
      plain: candidate(() => PLAIN),
      profiled: candidate(() => new Profiler()),
      engine: candidate(),
    }, ROUNDS);
    plain += times.plain;
    profiled += times.profiled;
    rows.push({
      name: kernel.name,
      figures: {
        "M instructions": instructions / 1e6,
        "plain ns": times.plain * 1e6 / instructions,
        "profiled ns": times.profiled * 1e6 / instructions,
        "engine ns": times.engine * 1e6 / instructions,
        "profiled ×": times.profiled / times.plain,
      },
    });
  }
  const factor = profiled / plain;
  const missed = factor > MOST_FACTOR
    ? [`profiling makes the plain loop ${factor.toFixed(2)} × slower, at most ${MOST_FACTOR}`]
    : [];
  return {
    title: "profile",
    note: "nanoseconds per instruction: the plain loop, the same under a profiler, the ordinary engine",
    rows,
    missed,
  };
}
