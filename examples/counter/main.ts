/**
 * Runs a guest with a plugin: counts visits, then meets a guest that never ends and a guest that
 * reads what is not its own.
 *
 * @module
 */

import { compile, ImportLinker, type Outcome, RwasmExecutor, RwasmStore } from "../../mod.ts";
import visits, { type Visits } from "./visits.ts";

const linker = new ImportLinker<Visits>().use(visits);
const module = compile(Deno.readFileSync(new URL("./guest.wasm", import.meta.url)), { linker });
const store = new RwasmStore({
  linker,
  data: {},
  fuelLimit: 10_000n,
  limits: { memoryPages: 1 },
});
const executor = new RwasmExecutor(store, module);
executor.instantiate(); // the memory exists from here on

/** Calls the guest with a name it finds at the start of its memory. */
function visit(name: string): Outcome {
  const bytes = new TextEncoder().encode(name);
  store.memory.write(0, bytes);
  return executor.call("visit", [0, bytes.length]);
}

/** An outcome in words. */
function words(outcome: Outcome): string {
  if (outcome.status === "done") return `visit ${outcome.results[0]}`;
  return outcome.status === "trap" ? `trap ${outcome.trap.code}` : "paused";
}

for (const name of ["Ada", "Grace", "Ada"]) {
  console.log(`${name}: ${words(visit(name))}, ${store.consumedFuel()} fuel so far`);
}
console.log(`beyond the memory: ${words(executor.call("visit", [65_536, 10]))}`);
console.log(`nobody: ${words(visit(""))}`);
store.resetFuel(10_000n);
console.log(`Ada, with new fuel: ${words(visit("Ada"))}`);
