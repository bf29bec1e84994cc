/**
 * The official WebAssembly suite (`../shared/spec`), entirely through the public API and under the
 * default limits. What is left out is counted exactly, so that it cannot grow unseen.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Failures, LeftOut, listShared, readShared, sharedTest } from "../harness.ts";
import { runScript, type Script } from "./script.ts";

/** Everything that is left out, by reason. */
const LEFT_OUT: Record<string, number> = {
  "module: imported memory or table": 96,
  "module: imported global that is not 666, the one default value given": 9,
  "register: its module is left out": 2,
  "assert_uninstantiable: imported memory or table": 21,
  "assert_return: its module is left out": 51,
  "assert_trap: its module is left out": 10,
  "assert_return: its module shares state with one that is left out": 46,
  "assert_trap: its module shares state with one that is left out": 5,
};

/** Commands checked, and assertions checked once more on decoded modules. */
const TOTAL = { checked: 24_669, decoded: 14_594 };

const names = listShared("spec");
const leftOut = new LeftOut();
const total = { checked: 0, decoded: 0 };
let scripts = 0;

for (const name of names) {
  sharedTest(`official suite: ${name}`, () => {
    const failures = new Failures();
    const tally = runScript(name, readShared<Script>(`spec/${name}.json`), failures, leftOut);
    scripts++;
    total.checked += tally.checked;
    total.decoded += tally.decoded;
    failures.report();
  });
}

sharedTest("official suite: nothing is left out but what is listed", () => {
  if (scripts < names.length) return; // a filter chose some of the scripts
  console.log(`left out of the official suite:\n${leftOut}`);
  assertEquals(leftOut.counts(), LEFT_OUT);
  assertEquals(total, TOTAL);
});
