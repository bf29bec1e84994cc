/**
 * The long fuzz campaigns: `deno task fuzz [count] [seed] [only]`, `count` mutations of Wasm and five
 * times as many of `.rwasm`. With `only` it repeats that one mutation of both kinds. Exit code 1 when a promise was broken.
 *
 * @module
 */

import { campaign, describe, rwasmTarget, wasmTarget } from "./campaign.ts";
import { rwasmCorpus, wasmCorpus } from "./corpus.ts";

const count = Number(Deno.args[0] ?? 20_000);
const seed = Number(Deno.args[1] ?? 0x5eed);
const only = Deno.args[2] === undefined ? undefined : Number(Deno.args[2]);

const targets = [[wasmTarget(wasmCorpus()), count], [rwasmTarget(rwasmCorpus()), 5 * count]] as const;
for (const [target, mutations] of targets) {
  const start = performance.now();
  const report = campaign(target, mutations, seed, only);
  console.log(`${describe(target.name, report)}; ${((performance.now() - start) / 1000).toFixed(1)} s`);
  for (const failure of report.failures.slice(0, 20)) console.error(failure);
  if (report.failures.length > 0) Deno.exitCode = 1;
}
