/**
 * The long campaign of compiled code against the plain loop: 20,000 generated modules from fixed
 * seeds, or `--from N --count N` of them. Prints what fails and ends with 1 if anything did.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { MANNERS, runSeed } from "./campaign.ts";

/** Failures after which it is enough. */
const MOST_FAILURES = 20;

if (import.meta.main) {
  const { values } = parseArgs({
    options: { from: { type: "string", default: "100000" }, count: { type: "string", default: "20000" } },
  });
  const from = Number(values.from), count = Number(values.count);
  const endings = new Map<string, number>();
  let failed = 0;
  for (let seed = from; seed < from + count && failed < MOST_FAILURES; seed++) {
    // Each module in a third of the manners; all of them over three seeds.
    const manners = MANNERS.filter((_, k) => k % 3 === seed % 3);
    for (const [manner, failure] of runSeed(seed, manners, endings)) {
      failed++;
      console.log(`seed ${seed}, manner ${JSON.stringify(manners[manner])}: ${failure}`);
    }
    if ((seed - from + 1) % 500 === 0) console.log(`${seed - from + 1} modules`);
  }
  console.log(Object.fromEntries(endings));
  if (failed > 0) Deno.exitCode = 1;
}
