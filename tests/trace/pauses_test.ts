/**
 * Traces of runs that pause: for fuel, at breakpoints, by steps, for others to have their turn, from a
 * snapshot; and of runs within runs. The trace stays whole, and only pauses that a caller sees are in it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ImportLinker, type Outcome, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { EventKind } from "../../lib/trace/event.ts";
import { rebuild } from "../../lib/trace/rebuild.ts";
import { Tracer } from "../../lib/trace/tracer.ts";
import { compileWat } from "../compile/wat.ts";
import { replayDiffers } from "./traced.ts";

const linker = new ImportLinker<undefined>();
linker.define("env", "note", { index: 1, params: ["i32"], results: ["i32"] }, (caller, value) => {
  caller.consumeFuel(3);
  return value + 1;
});

const module = compileWat(
  `(module
    (import "env" "note" (func $note (param i32) (result i32)))
    (memory 1)
    (global $sum (mut i32) (i32.const 0))
    (func $add (param i32)
      (global.set $sum (i32.add (global.get $sum) (call $note (local.get 0))))
      (i32.store (i32.const 16) (global.get $sum)))
    (func (export "main") (param i32) (result i32)
      (loop $again
        (call $add (local.get 0))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (global.get $sum)))`,
  { linker },
);

const RESULT: Outcome = { status: "done", results: [5150] };

/** Kinds of events in a trace. */
function kinds(tracer: Tracer): Set<number> {
  return new Set(tracer.chunks().flatMap((chunk) => [...chunk.kind.subarray(0, chunk.events)]));
}

/** A run from start to end. */
function plain(): Tracer {
  const tracer = new Tracer();
  assertEquals(new RwasmExecutor(new RwasmStore({ linker }), module, { tracer }).call("main", [100]), RESULT);
  return tracer;
}

Deno.test("a run that pauses for fuel again and again has a whole trace, each instruction once", () => {
  const tracer = new Tracer(), store = new RwasmStore({ linker, fuelLimit: 40 });
  const executor = new RwasmExecutor(store, module, { tracer, onOutOfFuel: "pause" });
  let outcome: Outcome = executor.call("main", [100]), pauses = 0;
  for (; outcome.status === "paused"; pauses++) {
    store.addFuel(7);
    outcome = executor.resume();
  }
  assertEquals(outcome, RESULT);
  assert(pauses > 100);
  assertEquals(replayDiffers(tracer, store.machine!, store), undefined);
  const whole = plain();
  assertEquals(tracer.instructions, whole.instructions);
  const pcs = (tracer: Tracer) => Array.from(tracer.logs(), ({ programCounter }) => programCounter);
  assertEquals(pcs(tracer), pcs(whole));
});

Deno.test("steps and breakpoints are pauses of a whole trace", () => {
  const tracer = new Tracer(), store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, module, { tracer });
  executor.instantiate();
  executor.addBreakpoint({ function: "add" });
  let outcome = executor.call("main", [100]), stops = 0;
  for (; outcome.status === "paused"; stops++) {
    outcome = outcome.reason === "breakpoint" && stops % 3 === 0 ? executor.step() : executor.resume();
  }
  assertEquals(outcome, RESULT);
  assert(stops >= 100);
  assertEquals(replayDiffers(tracer, store.machine!, store), undefined);
  assertEquals(tracer.instructions, plain().instructions);
});

Deno.test("a run in slices has the trace and the hash of one at once", async () => {
  const tracer = new Tracer(), store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, module, { tracer });
  assertEquals(await executor.callAsync("main", [100], { sliceFuel: 25 }), RESULT);
  assertEquals(replayDiffers(tracer, store.machine!, store), undefined);
  assert(!kinds(tracer).has(EventKind.Pause));
  assertEquals(tracer.hash(), plain().hash());
});

Deno.test("a run that goes on from a snapshot has a whole trace from there on", () => {
  const store = new RwasmStore({ linker, fuelLimit: 300 });
  const first = new RwasmExecutor(store, module, { onOutOfFuel: "pause" });
  assertEquals(first.call("main", [100]).status, "paused");
  while (store.machine!.depth === 0) {
    store.addFuel(5);
    assertEquals(first.resume().status, "paused");
  }
  const tracer = new Tracer();
  const copy = RwasmExecutor.restore(first.snapshot(), { module, linker, tracer });
  copy.store.addFuel(100_000);
  assertEquals(copy.resume(), RESULT);
  assert(kinds(tracer).has(EventKind.Calls));
  assertEquals(replayDiffers(tracer, copy.store.machine!, copy.store), undefined);
});

Deno.test("a trace without the return addresses of a snapshot does not rebuild the run", () => {
  const store = new RwasmStore({ linker, fuelLimit: 320 }),
    tracer = new Tracer({ omit: new Set([EventKind.Calls]) });
  const first = new RwasmExecutor(store, module, { onOutOfFuel: "pause" });
  first.call("main", [100]);
  for (; store.machine!.depth === 0; first.resume()) store.addFuel(5);
  const copy = RwasmExecutor.restore(first.snapshot(), { module, linker, tracer });
  copy.store.addFuel(100_000);
  copy.resume();
  assert(replayDiffers(tracer, copy.store.machine!, copy.store) !== undefined);
});

Deno.test("a run within a run is part of its trace", () => {
  const nesting = new ImportLinker<undefined>(), tracer = new Tracer();
  let depth = 0;
  nesting.define("env", "note", { index: 1, params: ["i32"], results: ["i32"] }, (_caller, value) => {
    if (depth > 0) return 0;
    depth++;
    const inner = executor.callFunction(module.exports[0].index, [3]);
    depth--;
    return inner.status === "done" ? value : -1;
  });
  const store = new RwasmStore({ linker: nesting });
  const executor = new RwasmExecutor(store, module, { tracer });
  executor.instantiate();
  assertEquals(executor.call("main", [5]).status, "done");
  assertEquals(replayDiffers(tracer, store.machine!, store), undefined);
  assertEquals(rebuild(tracer).instructions, tracer.instructions);
  const starts = tracer.chunks()[0];
  const nested = [...starts.kind.keys()].filter((event) => {
    return event < starts.events && starts.kind[event] === EventKind.Start && starts.size[event] === 1;
  });
  assertEquals(nested.length, 5);
});
