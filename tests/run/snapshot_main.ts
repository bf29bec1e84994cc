/**
 * The whole campaign on snapshots, with fixed seeds: every program interrupted at every charge and,
 * where it is short, at every instruction; 20,000 interruptions at chance of longer runs; 20,000
 * damaged snapshots, and as many with their checksums put right.
 *
 * Run it:  deno task campaign:snapshots [part of a program's name]
 *
 * @module
 */

import { REAL_MODULES, realModule } from "../../bench/measure.ts";
import { Failures, Random } from "../harness.ts";
import { check, checkAtRandom, damage, noDamage, samplesOf } from "./snapshot_campaign.ts";
import {
  goldenLarge,
  type Program,
  shortPrograms,
  sqliteProgram,
  textPrograms,
  wasiPrograms,
} from "./snapshot_programs.ts";
import { plainly } from "./snapshot_walk.ts";

/** Most interruptions of one run; a program with more of them is in the second part. */
const MOST = 20_000;

/** Interruptions at chance, all together. */
const POINTS = 20_000;

const DAMAGED = 20_000;

const wanted = Deno.args[0] ?? "";
const chosen = (programs: readonly Program[]) => programs.filter(({ name }) => name.includes(wanted));
const failures = new Failures();
const began = performance.now();
const say = (text: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(0)} s: ${text}`);

const short = chosen(shortPrograms()), long: Program[] = [];
let whole = 0, stepped = 0, charges = 0, instructions = 0;
for (const program of short) {
  const expected = plainly(program);
  const byCharge = check(program, expected, { charges: 1 }, MOST, failures);
  charges += byCharge.pauses;
  if (byCharge.pauses < MOST) whole++;
  else long.push(program);
  const byStep = check(program, expected, { steps: 1 }, MOST, failures);
  instructions += byStep.pauses;
  if (byStep.pauses < MOST) stepped++;
}
say(`${short.length} programs, ${whole} interrupted at every charge (${charges} times in all)`);
say(`${stepped} of them interrupted at every instruction (${instructions} times in all)`);

const sqlite = await realModule(REAL_MODULES.find(({ name }) => name === "sqlite")!);
if (sqlite === undefined) say("SQLite is left out: its package cannot be had");
const rest = chosen([...long, ...goldenLarge(), ...sqlite === undefined ? [] : [sqliteProgram(sqlite)]]);
const random = new Random(71);
let points = 0;
for (const program of rest) {
  points += checkAtRandom(program, Math.ceil(POINTS / rest.length), random, failures);
  say(`${program.name}: ${points} interruptions at chance`);
}

const victims = [...textPrograms(), ...wasiPrograms()];
for (const repair of [false, true]) {
  const result = noDamage(), samples = samplesOf(victims, random);
  for (let left = DAMAGED; left > 0; left--) damage(samples, random, repair, result, failures);
  const codes = [...result.refused].map(([code, count]) => `${count} ${code}`).join(", ");
  say(
    `${result.tried} damaged snapshots${repair ? " with the right checksum" : ""}: ${codes}; ` +
      `${result.taken} restored; the slowest took ${result.slowest.toFixed(0)} ms`,
  );
}
failures.report();
