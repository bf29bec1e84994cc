/**
 * Traces of the official suite (`../shared/spec`): runs with a tracer end as without it, and the trace
 * alone leads to the state of the machine.
 *
 * @module
 */

import { assert } from "@std/assert";
import { Failures, listShared, readShared, sharedTest } from "../harness.ts";
import type { Script } from "../spec/script.ts";
import { runSpecModules } from "./spec_runs.ts";
import { replayDiffers } from "./traced.ts";

/** Most instructions recorded of one module: some run for millions. */
const MOST = 200_000;

sharedTest("traced runs of the suite are the untraced ones, and their traces rebuild the machine", () => {
  const failures = new Failures();
  let modules = 0, calls = 0, long = 0;
  for (const name of listShared("spec")) {
    for (const run of runSpecModules(name, readShared<Script>(`spec/${name}.json`), () => ({ most: MOST }))) {
      modules++;
      calls += run.calls;
      if (run.difference !== undefined) failures.add(`${run.label} traced: ${run.difference}`);
      if (!run.tracer.complete) {
        long++;
        continue;
      }
      const difference = replayDiffers(run.tracer, run.machine, run.store);
      if (difference !== undefined) failures.add(`${run.label} replayed: ${difference}`);
    }
  }
  failures.report();
  console.log(`${calls} calls of ${modules} modules, ${modules - long} of them replayed`);
  assert(modules - long > 500 && calls > 15_000, `only ${modules} modules and ${calls} calls`);
});
