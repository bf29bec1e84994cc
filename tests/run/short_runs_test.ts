/**
 * Machines that were moved to a fast engine begin their runs in the plain loop: results, traps, fuel
 * and pauses of short and long runs in turn are those of an engine that does not.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Caller, compile, ImportLinker, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

const WASM = assembleWat(`(module
  (import "env" "twice" (func $twice (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "tiny") (param i32) (result i32)
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))
    (i32.load (i32.const 8)))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 1))
      (else (i32.add (i32.const 2) (call $down (i32.sub (local.get 0) (i32.const 1)))))))
  (func (export "loop") (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get 0)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $s))
  (func (export "host") (param i32) (result i32)
    (i32.add (call $twice (local.get 0)) (call $twice (i32.const 5))))
  (func (export "trap") (param i32) (result i32) (i32.load (i32.mul (local.get 0) (i32.const 9999)))))`);

const linker = new ImportLinker().define(
  "env",
  "twice",
  { index: 1, params: ["i32"], results: ["i32"], fuel: { const: 7 } },
  (_caller: Caller<unknown>, value: number) => 2 * value,
);

/** Short and long runs, in an order that is the same each time. */
const CALLS: [name: string, argument: number][] = Array.from({ length: 600 }, (_, n) => {
  const k = (n * n + 3 * n) % 41;
  if (n % 97 === 0) return ["loop", 4_000];
  return [
    ["tiny", "down", "loop", "host", "trap"][(n * 7 + (n >> 4)) % 5],
    n % 11 === 0 ? 40 * k + 1 : k % 9 + 1,
  ];
});

function outcomes(engine: "native" | "interpreter" | "auto", metered: boolean, pauses: boolean): unknown[] {
  const store = new RwasmStore({ linker });
  const module = compile(WASM, { linker, consumeFuel: metered });
  const executor = new RwasmExecutor(store, module, { engine, onOutOfFuel: pauses ? "pause" : "trap" });
  executor.call("loop", [3_000_000]);
  const seen: unknown[] = [];
  for (const [name, argument] of CALLS) {
    store.resetFuel(pauses ? 20n : 1_000_000n);
    let outcome = executor.call(name, [argument]);
    while (outcome.status === "paused") {
      assert(outcome.reason === "fuel");
      seen.push(outcome.pc, outcome.required);
      store.addFuel(outcome.required + 60n);
      outcome = executor.resume();
    }
    const ending = outcome.status === "trap" ? [outcome.trap.code, outcome.trap.pc] : outcome;
    seen.push([name, argument, ending, store.consumedFuel()]);
  }
  return seen;
}

for (const [metered, pauses] of [[true, false], [true, true], [false, false]]) {
  Deno.test(
    `short and long runs in turn end the same in all engines${
      pauses ? ", with pauses" : metered ? "" : ", unmetered"
    }`,
    () => {
      const expected = outcomes("native", metered, pauses);
      for (const engine of ["interpreter", "auto"] as const) {
        assertEquals(outcomes(engine, metered, pauses), expected);
      }
    },
  );
}
