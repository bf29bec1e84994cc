/**
 * Three guests share the processor by fuel: one of them gets twice as much as the others. The order of
 * everything they say is the same on every machine.
 *
 * Run it:  deno run --allow-read=examples/scheduler examples/scheduler/main.ts
 *
 * Files: `guest.wat` the guests (`guest.wasm` in binary), `scheduler.ts` what to copy.
 *
 * @module
 */

import { compile, ImportLinker } from "../../mod.ts";
import { Scheduler } from "./scheduler.ts";

/** Host context of a guest: its name. */
interface Context {
  readonly name: string;
}

const linker = new ImportLinker<Context>().define(
  "task",
  "report",
  { index: 1, params: ["i32"], results: [], fuel: { const: 50 } },
  ({ data }, value: number) => console.log(`${data.name}: ${value}`),
);
const module = compile(Deno.readFileSync(new URL("./guest.wasm", import.meta.url)), { linker });

const scheduler = new Scheduler<Context>(100_000n);
const tasks = [["primes", 1, 4000], ["collatz", 2, 1200], ["fib", 1, 16]] as const;
for (const [name, share, param] of tasks) {
  scheduler.add({ name, share, module, store: { linker, data: { name } }, call: [name, param] });
}
for (const { name, outcome, fuel, round } of scheduler.run()) {
  const how = outcome.status === "done" ? `done, ${outcome.results[0]}` : outcome.status;
  console.log(`${name} is ${how}: ${fuel} fuel in ${round} rounds`);
}
