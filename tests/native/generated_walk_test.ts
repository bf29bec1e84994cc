/**
 * Compiled code and the plain loop over generated modules: the plan of each, compared at every charge,
 * in slices of fuel, and with nothing that stops it. The long campaign is `main.ts`.
 *
 * @module
 */

import { assert } from "@std/assert";
import { Failures } from "../harness.ts";
import { MANNERS, runSeed } from "./campaign.ts";

const MODULES = 24;

Deno.test(`compiled code and the plain loop walk in step: ${MODULES} generated modules`, () => {
  const failures = new Failures(), endings = new Map<string, number>();
  for (let seed = 0; seed < MODULES; seed++) {
    for (const [manner, failure] of runSeed(seed, MANNERS, endings)) {
      failures.add(`seed ${seed}, manner ${manner}: ${failure}`);
    }
  }
  failures.report();
  for (const ending of ["done", "MemoryOutOfBounds", "OutOfFuel"]) {
    assert(endings.has(ending), `a run ends as ${ending}: ${JSON.stringify(Object.fromEntries(endings))}`);
  }
  assert(endings.get("done")! > 10 * MODULES, "most runs end well");
});
