/**
 * Steps, predicates and breakpoints: where a run stops, what can be seen there, and that stopping
 * anywhere changes nothing.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  assemble,
  type Breakpoint,
  type BreakpointPlace,
  ImportLinker,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  UsageError,
} from "../../mod.ts";
import { answer, type Guest, moduleOf, MORE, PLACES, prepare, seen, uninterrupted } from "./guests.ts";

const LOOP = PLACES[1], NESTED = PLACES[2];

/** Instructions of the longest guest here. */
const MOST_STEPS = 200_000;

for (const guest of [...PLACES, ...MORE]) {
  Deno.test(`step by step ${guest.name} ends as without a stop`, () => {
    const module = moduleOf(guest), { store, executor } = prepare(module);
    let outcome = executor.call(guest.call, guest.params, { step: true }), steps = 0;
    assert(outcome.status === "paused" && outcome.reason === "step");
    assertEquals([outcome.pc, store.consumedFuel(), store.memory.byteLength], [0, 0n, 0]);
    while (outcome.status === "paused" && steps++ < MOST_STEPS) {
      if (outcome.reason === "syscall") {
        outcome = executor.resume(answer(outcome.payload), { step: true });
        assert(outcome.status === "paused" && outcome.reason === "step");
      } else outcome = executor.step();
    }
    assertEquals(seen(store, outcome), uninterrupted(module, guest));
    assert(steps >= 10);
  });
}

Deno.test("a step makes one instruction: each pc follows from the one before it", () => {
  const module = assemble(
    "I32Const 2\nI32Const -1\nI32Add\nLocalGet 1\nBrIfNez -3\nCallInternal 8\nDrop\nReturn\nReturn",
  );
  const executor = new RwasmExecutor(new RwasmStore(), module), pcs: number[] = [];
  let outcome = executor.execute([], undefined, { step: true });
  while (outcome.status === "paused" && outcome.reason === "step" && pcs.length < 50) {
    pcs.push(outcome.pc);
    outcome = executor.step();
  }
  assertEquals(pcs, [0, 1, 2, 3, 4, 1, 2, 3, 4, 5, 8, 6, 7]);
  assertEquals(outcome.status, "done");
});

Deno.test("a step at a jump to itself makes it once and stands there again", () => {
  const module = assemble("I32Const 1\nDrop\nI32Const 1\nBrIfNez -3\nReturn");
  const executor = new RwasmExecutor(new RwasmStore(), module);
  executor.execute([], undefined, { step: true });
  for (const pc of [1, 2, 3, 0, 1]) {
    const outcome = executor.step();
    assert(outcome.status === "paused" && outcome.reason === "step");
    assertEquals(outcome.pc, pc);
  }
});

Deno.test("a step that is out of fuel traps or pauses for it, and nothing is charged", () => {
  const module = assemble("ConsumeFuel 5\nReturn");
  for (const onOutOfFuel of ["trap", "pause"] as const) {
    const store = new RwasmStore({ fuelLimit: 4 }),
      executor = new RwasmExecutor(store, module, { onOutOfFuel });
    executor.execute([], undefined, { step: true });
    const outcome = executor.step();
    assertEquals(outcome.status, onOutOfFuel === "trap" ? "trap" : "paused");
    assertEquals(store.consumedFuel(), 0n);
    if (outcome.status !== "paused") continue;
    assertEquals(outcome, { status: "paused", reason: "fuel", required: 5n, remaining: 4n, pc: 0 });
    store.addFuel(1);
    assertEquals(executor.step(), { status: "paused", reason: "step", pc: 1 });
    assertEquals(executor.step(), { status: "done", results: [] });
  }
});

Deno.test("steps, predicates and whole runs can be mixed", () => {
  const module = moduleOf(NESTED), { store, executor } = prepare(module);
  executor.call("main", [9], { step: true });
  for (let i = 0; i < 100; i++) executor.step();
  executor.runUntil(({ depth }) => depth >= 6);
  const id = executor.addBreakpoint({ function: "main" });
  const at = executor.resume();
  assert(at.status === "paused" && at.reason === "breakpoint");
  executor.step();
  assert(executor.removeBreakpoint(id));
  assertEquals(seen(store, executor.resume()), uninterrupted(module, NESTED));
});

Deno.test("a run that has moved to the fast loop can be stepped, and goes on there", () => {
  const guest: Guest = { ...LOOP, params: [300_000] };
  const module = moduleOf(guest), { store, executor } = prepare(module, 100_000n, { onOutOfFuel: "pause" });
  let outcome = executor.call("main", guest.params), pauses = 0;
  while (outcome.status === "paused") {
    for (let i = 0; i < 57; i++) {
      if (outcome.status === "paused" && outcome.reason === "fuel") store.addFuel(400_001);
      outcome = executor.step();
    }
    pauses++;
    outcome = executor.resume();
  }
  assertEquals(seen(store, outcome), uninterrupted(module, guest));
  assert(pauses > 4);
});

Deno.test("runUntil shows the state between two instructions", () => {
  const module = assemble("I32Const 7\nI32Const -2\nConsumeFuel 3\nI32Add\nCallInternal 6\nReturn\nReturn");
  const executor = new RwasmExecutor(new RwasmStore(), module);
  executor.execute([], { params: [], results: ["i32"] }, { step: true });
  const states: unknown[] = [];
  const outcome = executor.runUntil((view) => {
    const { pc, op, immediate, depth, height, top, fuel, pages } = view;
    states.push([pc, op, immediate, depth, height, top, view.cell(2), fuel, pages]);
    return false;
  });
  assertEquals(outcome, { status: "done", results: [5] });
  assertEquals(states, [
    [1, "I32Const", -2, 0, 1, 7, undefined, 0n, 0],
    [2, "ConsumeFuel", 3, 0, 2, -2, 7, 0n, 0],
    [3, "I32Add", 0, 0, 2, -2, 7, 3n, 0],
    [4, "CallInternal", 6, 0, 1, 5, undefined, 3n, 0],
    [6, "Return", 0, 1, 1, 5, undefined, 3n, 0],
    [5, "Return", 0, 0, 1, 5, undefined, 3n, 0],
  ]);
});

Deno.test("what a predicate throws comes out, and the run stands where it was asked", () => {
  const module = moduleOf(LOOP), { store, executor } = prepare(module);
  executor.call("main", [25], { step: true });
  const thrown = new RangeError("mine");
  let asked = 0;
  const error = assertThrows(() =>
    executor.runUntil(() => {
      if (++asked === 30) throw thrown;
      return false;
    })
  );
  assertStrictEquals(error, thrown);
  assertEquals([asked, executor.paused?.reason], [30, "step"]);
  assertEquals(seen(store, executor.resume()), uninterrupted(module, LOOP));
});

Deno.test("a predicate cannot run the store it looks at", () => {
  const { executor, store } = prepare(moduleOf(LOOP));
  executor.call("main", [3], { step: true });
  const codes: string[] = [];
  executor.runUntil(() => {
    for (const act of [() => executor.step(), () => executor.call("main", [1]), () => store.reset()]) {
      codes.push((assertThrows(act, UsageError) as UsageError).code);
    }
    return true;
  });
  assertEquals(codes, ["Reentrant", "Reentrant", "Reentrant"]);
  assertEquals(executor.resume().status, "done");
});

Deno.test("runUntil stops at its deadline and when it is aborted", () => {
  const { executor } = prepare(moduleOf({ body: `(func (export "main") (loop $l (br $l)))` }));
  executor.call("main", [], { step: true });
  const late = executor.runUntil(() => false, { timeoutMs: 20 });
  assertEquals(late.status === "paused" && late.reason, "deadline");
  const stop = new AbortController();
  let asked = 0;
  const aborted = executor.runUntil(() => {
    if (++asked === 10) stop.abort("enough");
    return false;
  }, { signal: stop.signal });
  assert(aborted.status === "paused" && aborted.reason === "abort");
  assertEquals([aborted.cause, asked < 5000], ["enough", true]);
});

Deno.test("a predicate that takes long does not put off the deadline", () => {
  const { executor } = prepare(moduleOf({ body: `(func (export "main") (loop $l (br $l)))` }));
  executor.call("main", [], { step: true });
  let asked = 0;
  executor.runUntil(() => {
    asked++;
    for (const began = performance.now(); performance.now() - began < 2;);
    return false;
  }, { timeoutMs: 20 });
  // At most as many as fit, and those of one piece.
  assert(asked < 30, `it was asked ${asked} times`);
});

Deno.test("a breakpoint stops before its instruction, every time control comes there", () => {
  const module = moduleOf(LOOP), { store, executor } = prepare(module);
  const pc = module.opcodes.lastIndexOf(module.opcodes[module.info!.functionStarts[5]!]!);
  assert(pc > 0);
  const calls = executor.addBreakpoint({ function: "main" });
  const first = executor.call("main", [4]);
  assertEquals(first, {
    status: "paused",
    reason: "breakpoint",
    breakpoint: calls,
    pc: module.info!.functionStarts[5],
  });
  executor.removeBreakpoint(calls);
  // The subtraction, once in every iteration.
  const inLoop = executor.addBreakpoint({ wasmOffset: offsetOf(module, "I32Sub") });
  let stops = 0, outcome = executor.resume();
  while (outcome.status === "paused" && outcome.reason === "breakpoint") {
    assertStrictEquals(outcome.breakpoint, inLoop);
    stops++;
    outcome = executor.resume();
  }
  assertEquals(stops, 4);
  assertEquals(outcome, { status: "done", results: [10] });
  assertEquals(store.consumedFuel(), uninterrupted(module, { ...LOOP, params: [4] }).fuel);
});

/** Wasm offset of the first instruction of a kind within the exported function. */
function offsetOf({ opcodes, info }: RwasmModule, op: string): number {
  const names = assemble(`${op}\nReturn`).opcodes;
  for (let pc = info!.functionStarts[5]!; pc < opcodes.length; pc++) {
    if (opcodes[pc] === names[0]) return info!.wasmOffsets[pc]!;
  }
  throw new Error(`no ${op}`);
}

Deno.test("with a breakpoint on every instruction a run ends as without any", () => {
  for (const guest of [LOOP, PLACES[5], PLACES[6], PLACES[9], MORE[1]]) {
    const module = moduleOf(guest), { store, executor } = prepare(module);
    for (let pc = 0; pc < module.length; pc++) executor.addBreakpoint({ pc });
    let outcome = executor.call(guest.call, guest.params), stops = 0;
    while (outcome.status === "paused") {
      stops++;
      outcome = executor.resume(outcome.reason === "syscall" ? answer(outcome.payload) : []);
    }
    assertEquals(seen(store, outcome), uninterrupted(module, guest), guest.name);
    assert(stops > 50);
  }
});

Deno.test("a breakpoint where a run waits for fuel or results does not stop it twice, nor is it missed", () => {
  const module = assemble("ConsumeFuel 5\nI32Const 1\nDrop\nReturn");
  const store = new RwasmStore({ fuelLimit: 1 });
  const executor = new RwasmExecutor(store, module, { onOutOfFuel: "pause" });
  const reasons: string[] = [];
  executor.addBreakpoint({ pc: 0 });
  executor.addBreakpoint({ pc: 1 });
  for (let outcome = executor.execute(); outcome.status === "paused"; outcome = executor.resume()) {
    reasons.push(outcome.reason);
    if (outcome.reason === "fuel") store.addFuel(4);
  }
  assertEquals(reasons, ["breakpoint", "fuel", "breakpoint"]);
});

Deno.test("a breakpoint right behind a host call, or a charge of any size, is met", () => {
  const linker = new ImportLinker().define("env", "f", { index: 1, params: [], results: [] }, () => {});
  const module = assemble("Call 1\nConsumeFuel 3000000000\nConsumeFuel 3\nCall 1\nReturn");
  const executor = new RwasmExecutor(new RwasmStore({ linker }), module), pcs: number[] = [];
  for (let pc = 0; pc < 5; pc++) executor.addBreakpoint({ pc });
  let outcome = executor.execute([], undefined, { timeoutMs: 60_000 });
  while (outcome.status === "paused" && outcome.reason === "breakpoint") {
    pcs.push(outcome.pc);
    outcome = executor.resume();
  }
  assertEquals([pcs, outcome.status], [[0, 1, 2, 3, 4], "done"]);
});

// deno-fmt-ignore
const BAD: readonly (readonly [place: unknown, message: string])[] = [
  [undefined, "the place is undefined"],
  [7, "the place is the number 7"],
  [{}, "has 0 of pc, function and wasmOffset"],
  [{ pc: 1, function: "main" }, "has 2 of pc, function and wasmOffset"],
  [{ pc: -1 }, "pc is the number -1, not an index"],
  [{ pc: 1.5 }, "not an index"],
  [{ pc: 1e9 }, "none at 1000000000"],
  [{ function: "mian" }, 'there is no function "mian"'],
  [{ function: 99 }, "none with index 99"],
  [{ function: null }, "neither a name nor an index"],
  [{ wasmOffset: 1e9 }, "is not in the code of a function"],
  [{ wasmOffset: 1 }, "is not in the code of a function"],
  [{ wasmOffset: "1" }, "not an index"],
  [new Proxy({}, { get() { throw new TypeError("x"); } }), "the place cannot be read"],
];

for (const [place, message] of BAD) {
  Deno.test(`a breakpoint is refused: ${message}`, () => {
    const { executor } = prepare(moduleOf(LOOP));
    const error = assertThrows(() => executor.addBreakpoint(place as BreakpointPlace), UsageError, message);
    assertEquals((error as UsageError).code, "InvalidBreakpoint");
    assertEquals(executor.breakpoints, []);
  });
}

Deno.test("a misspelled function is suggested, and a decoded module says what it knows", () => {
  const module = moduleOf(LOOP, { entrypoint: "main" });
  const { executor } = prepare(module);
  const error = assertThrows(() => executor.addBreakpoint({ function: "mian" }), UsageError);
  assertEquals((error as UsageError).hint, 'did you mean "main"?');
  const decoded = prepare(RwasmModule.decode(module.encode())).executor;
  assertThrows(() => decoded.addBreakpoint({ function: 5 }), UsageError, "a decoded module does not tell");
  assertEquals(decoded.addBreakpoint({ pc: 3 }).pc, 3);
});

Deno.test("breakpoints are listed in their order, and each is removed once", () => {
  const { executor } = prepare(moduleOf(LOOP));
  const two = [{ pc: 9 }, { pc: 3 }].map((place) => executor.addBreakpoint(place));
  assertEquals(executor.breakpoints, two);
  assert(executor.removeBreakpoint(two[0]));
  assertEquals(executor.removeBreakpoint(two[0]), false);
  assertEquals(executor.removeBreakpoint({ ...two[1] } as Breakpoint), false);
  assertEquals(executor.breakpoints, [two[1]]);
});
