/**
 * Both loops over generated modules: the plan of each, compared at every charge, and again with
 * nothing that stops it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { generateModule } from "../generate/generate.ts";
import { Failures } from "../harness.ts";
import { MANNERS, runGenerated } from "./generated.ts";

const MODULES = 60;

Deno.test(`both loops walk in step: ${MODULES} generated modules`, () => {
  const failures = new Failures(), endings = new Map<string, number>();
  for (let seed = 0; seed < MODULES; seed++) {
    const generated = generateModule(seed);
    for (const options of MANNERS) {
      try {
        for (const ending of runGenerated(generated, options).endings) {
          endings.set(ending, (endings.get(ending) ?? 0) + 1);
        }
      } catch (error) {
        failures.add(`seed ${seed}, manner ${MANNERS.indexOf(options)}: ${error}`);
      }
    }
  }
  failures.report();
  for (
    const ending of ["done", "MemoryOutOfBounds", "OutOfFuel", "StackOverflow", "uncharged"]
  ) {
    assert(endings.has(ending), `a run ends as ${ending}: ${JSON.stringify(Object.fromEntries(endings))}`);
  }
  assert(endings.get("done")! > 3 * MODULES, "most runs end well");
});
