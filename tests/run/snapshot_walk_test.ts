/**
 * Runs that are interrupted, saved and restored end as if nothing had happened: a portion of the
 * campaign that `deno task campaign:snapshots` runs whole.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Failures, hasShared, Random } from "../harness.ts";
import { check, checkAtRandom, damage, noDamage, samplesOf } from "./snapshot_campaign.ts";
import { goldenLarge, shortPrograms, textPrograms, wasiPrograms } from "./snapshot_programs.ts";
import { plainly } from "./snapshot_walk.ts";

/** Interruptions of a run at charges, and at instructions. */
const MOST = 30;

/** Interruptions of a longer run at chance. */
const POINTS = 120;

/** Snapshots that are damaged in one way. */
const DAMAGED = 2500;

const programs = shortPrograms();

Deno.test("runs that are saved and restored at charges end as runs without interruptions", () => {
  const failures = new Failures();
  let pauses = 0;
  for (const program of programs) {
    pauses += check(program, plainly(program), { charges: 1 }, MOST, failures).pauses;
  }
  failures.report();
  if (hasShared) assert(programs.length >= 40, `only ${programs.length} programs`);
  assert(pauses > 3 * programs.length, `only ${pauses} interruptions`);
});

Deno.test("runs that are saved and restored between instructions end as runs without interruptions", () => {
  const failures = new Failures();
  let pauses = 0;
  for (const program of programs) {
    pauses += check(program, plainly(program), { steps: 5 }, MOST, failures).pauses;
  }
  failures.report();
  assert(pauses > 3 * programs.length, `only ${pauses} interruptions`);
});

Deno.test("short runs are saved and restored at every single instruction", () => {
  const failures = new Failures(),
    names = ["tail calls", "tables and indirect calls", "a start function that asks"];
  for (const program of textPrograms().filter(({ name }) => names.includes(name))) {
    const { pauses, passed } = check(program, plainly(program), { steps: 1 }, Infinity, failures);
    assert(pauses >= passed && pauses > 30, `${program.name} has ${pauses} interruptions`);
  }
  failures.report();
});

Deno.test("longer runs are saved in the fast loop and restored, at chance", () => {
  const failures = new Failures(), random = new Random(61);
  for (const program of goldenLarge()) {
    assertEquals(checkAtRandom(program, POINTS, random, failures), POINTS, program.name);
  }
  failures.report();
});

const victims = () => [
  ...textPrograms().filter((_, position) => position % 2 === 0),
  ...wasiPrograms().slice(2, 3),
];

Deno.test("damaged snapshots are refused", () => {
  const failures = new Failures(), random = new Random(62), result = noDamage();
  const samples = samplesOf(victims(), random);
  for (let left = DAMAGED; left > 0; left--) damage(samples, random, false, result, failures);
  failures.report();
  for (const code of ["NotASnapshot", "WrongVersion", "Truncated", "Corrupt"]) {
    assert(result.refused.has(code), `none is ${code}`);
  }
});

Deno.test("damaged snapshots with the right checksum are refused, or states that can be run", () => {
  const failures = new Failures(), random = new Random(63), result = noDamage();
  const samples = samplesOf(victims(), random);
  for (let left = DAMAGED; left > 0; left--) damage(samples, random, true, result, failures);
  failures.report();
  assert(result.taken > 100, `only ${result.taken} were taken`);
  for (const code of ["Corrupt", "WrongModule", "WrongLinker", "InvalidState", "LimitTooSmall"]) {
    assert(result.refused.has(code), `none is ${code}: ${[...result.refused.keys()]}`);
  }
});
