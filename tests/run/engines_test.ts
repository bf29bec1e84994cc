/**
 * The engines give the same: results, traps, fuel, memory and host calls, whichever runs, and when a
 * run goes from one to another at its pauses, through the bytes of a snapshot.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile, type Outcome, RwasmExecutor, type RwasmModule, RwasmStore } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";
import { answer, type Guest, hostOf, moduleOf, MORE, PLACES, prepare, type Seen, seen } from "./guests.ts";

const ENGINES = ["native", "interpreter"] as const;

/** What is seen of a run; of a trap without its words, which tell operands only where an engine has them. */
function ending(store: Parameters<typeof seen>[0], outcome: Outcome): Seen {
  const all = seen(store, outcome);
  if (outcome.status !== "trap") return all;
  const { code, pc, backtrace } = outcome.trap;
  return { ...all, ending: `${code} at ${pc}: ${backtrace.map((frame) => frame.pc)}` };
}

function whole(module: RwasmModule, { call, params = [] }: Guest, engine: typeof ENGINES[number]): Seen {
  const { store, executor } = prepare(module, undefined, { engine });
  let outcome = executor.call(call, params);
  while (outcome.status === "paused") outcome = executor.resume(answer(outcome.payload));
  return ending(store, outcome);
}

for (const guest of [...PLACES, ...MORE]) {
  for (const metered of [true, false]) {
    Deno.test(`engines agree on ${guest.name}${metered ? "" : ", unmetered"}`, () => {
      const module = moduleOf(guest, { consumeFuel: metered });
      assertEquals(whole(module, guest, "native"), whole(module, guest, "interpreter"));
    });
  }

  Deno.test(`a run changes engines through snapshots at the charges of ${guest.name}`, () => {
    const module = moduleOf(guest), { call, params = [] } = guest;
    const expected = whole(module, guest, "interpreter");
    const first = prepare(module, 0n, { onOutOfFuel: "pause", engine: "native" });
    let { executor } = first, outcome = executor.call(call, params), changes = 0;
    while (outcome.status === "paused") {
      if (outcome.reason === "syscall") {
        outcome = executor.resume(answer(outcome.payload));
        continue;
      }
      assert(outcome.reason === "fuel");
      const missing = outcome.required - outcome.remaining;
      executor = RwasmExecutor.restore(executor.snapshot(), {
        module,
        linker: hostOf(),
        data: first.notes,
        engine: ENGINES[++changes % 2],
        onOutOfFuel: "pause",
      });
      // At first each charge, then about each hundredth.
      executor.store.addFuel(changes < 100 ? missing : missing + 150n);
      outcome = executor.resume();
    }
    assertEquals(ending(executor.store, outcome), expected);
    assert(changes >= 2, `${changes} changes`);
  });
}

const LONG = compile(assembleWat(`(module (memory (export "memory") 1)
  (func $mix (param i64 i32) (result i64)
    (i64.xor (i64.mul (local.get 0) (i64.const 0x9e3779b97f4a7c15)) (i64.extend_i32_u (local.get 1))))
  (func (export "main") (param $n i32) (result i64) (local $s i64) (local $i i32)
    (loop $l
      (local.set $s (call $mix (local.get $s) (local.get $i)))
      (i64.store (i32.and (local.get $i) (i32.const 0xfff8)) (local.get $s))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $s)))`));

Deno.test("a run that goes through all engines ends as in one, in one piece and in slices", async () => {
  const results: unknown[] = [];
  for (const engine of ["auto", "native", "interpreter"] as const) {
    const { store, executor } = prepare(LONG, undefined, { engine });
    results.push(ending(store, executor.call("main", [1_000_000])));
  }
  const { store, executor } = prepare(LONG);
  results.push(ending(store, await executor.callAsync("main", [1_000_000], { sliceFuel: 3_000_000 })));
  for (const result of results) assertEquals(result, results[0]);
});

for (const engine of ENGINES) {
  for (const consumeFuel of [true, false]) {
    const how = `${engine}, ${consumeFuel ? "metered" : "unmetered"}`;
    Deno.test(`an endless loop ends at its deadline and goes on: ${how}`, () => {
      const wasm = assembleWat(`(module (func (export "main") (local i32)
        (loop $l (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br $l))))`);
      const executor = new RwasmExecutor(new RwasmStore(), compile(wasm, { consumeFuel }), { engine });
      for (let round = 0; round < 3; round++) {
        const outcome = round === 0
          ? executor.call("main", [], { timeoutMs: 20 })
          : executor.resume([], { timeoutMs: 20 });
        assert(outcome.status === "paused" && outcome.reason === "deadline");
      }
    });
  }

  Deno.test(`recursion of 16,000 frames returns, and the first frame too many traps: ${engine}`, () => {
    const module = compile(assembleWat(`(module (func $f (export "main") (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 0)))))`));
    const run = (depth: number) => {
      const executor = new RwasmExecutor(new RwasmStore({ limits: { callDepth: 16_000 } }), module, {
        engine,
      });
      const outcome = executor.call("main", [depth]);
      return outcome.status === "trap" ? [outcome.trap.code, outcome.trap.pc] : outcome;
    };
    assertEquals(run(16_000), { status: "done", results: [16_000] });
    assertEquals((run(16_001) as unknown[])[0], "StackOverflow");
  });
}
