/**
 * Grades programs that nobody trusts, and prints a verdict for each: right, wrong, endless, greedy,
 * crashing, or asking for what it must not have.
 *
 * Run it:  deno run --allow-read=examples/grader examples/grader/main.ts
 *
 * Or with submissions of your own, which export `solve` and import from "task" (see `task.ts`):
 *   deno run --allow-read examples/grader/main.ts mine.wasm
 *
 * @module
 */

import { grade, verdictText } from "./grade.ts";
import { TESTS } from "./task.ts";

const SHOWN = ["right", "slow", "wrong", "silent", "forever", "greedy", "crash", "deep", "spy"]
  .map((name) => new URL(`./submissions/${name}.wasm`, import.meta.url));

for (const file of Deno.args.length > 0 ? Deno.args : SHOWN) {
  const name = String(file).split("/").at(-1)!;
  console.log(`${name.padEnd(13)} ${verdictText(grade(Deno.readFileSync(file), TESTS))}`);
}
