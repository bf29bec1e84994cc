/**
 * The light version of the fuzz campaigns, from a fixed seed; `deno task fuzz` is the long one.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { campaign, rwasmTarget, wasmTarget } from "./campaign.ts";
import { rwasmCorpus, wasmCorpus } from "./corpus.ts";

const COUNT = 1_500;
const SEED = 0x5eed;

Deno.test(`${COUNT} mutations of Wasm end in typed errors or outcomes`, () => {
  const report = campaign(wasmTarget(wasmCorpus()), COUNT, SEED);
  assertEquals(report.failures.slice(0, 5), []);
  assert(report.refused > COUNT / 10 && report.accepted > COUNT / 20, "the campaign reaches both sides");
});

Deno.test(`${COUNT} mutations of .rwasm end in typed errors or outcomes`, () => {
  const report = campaign(rwasmTarget(rwasmCorpus()), COUNT, SEED);
  assertEquals(report.failures.slice(0, 5), []);
  assert(report.refused > COUNT / 10 && report.accepted > COUNT / 20, "the campaign reaches both sides");
});
