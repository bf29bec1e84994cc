/**
 * What may be done when: misuse of executors and stores is a typed error that changes nothing, and
 * `using` ends both.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { assemble, ImportLinker, type Outcome, RwasmExecutor, RwasmStore, UsageError } from "../../mod.ts";
import { moduleOf, PLACES, prepare, seen, uninterrupted } from "./guests.ts";

const LOOP = PLACES[1];

/** Code of the error of an act; "nothing" when there is none. */
function codeOf(act: () => unknown): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    assert(error instanceof UsageError, `not a UsageError: ${error}`);
    return error.code;
  }
}

/** Ways to pause a run of the loop: each gives an executor whose run is paused, and why. */
const PAUSES: readonly (readonly [reason: string, pause: () => ReturnType<typeof prepare>])[] = [
  ["fuel", () => {
    const made = prepare(moduleOf(LOOP), 1150n, { onOutOfFuel: "pause" });
    made.executor.call("main", [25]);
    return made;
  }],
  ["deadline", () => {
    const made = prepare(moduleOf(LOOP));
    made.executor.call("main", [25], { timeoutMs: 0 });
    return made;
  }],
  ["abort", () => {
    const made = prepare(moduleOf(LOOP));
    made.executor.call("main", [25], { signal: AbortSignal.abort() });
    return made;
  }],
  ["step", () => {
    const made = prepare(moduleOf(LOOP));
    made.executor.call("main", [25], { step: true });
    return made;
  }],
  ["breakpoint", () => {
    const made = prepare(moduleOf(LOOP));
    made.executor.addBreakpoint({ function: "main" });
    made.executor.call("main", [25]);
    return made;
  }],
];

for (const [reason, pause] of PAUSES) {
  Deno.test(`while a run is paused by ${reason}, misuse is refused and the run goes on to its end`, () => {
    const { executor, store } = pause();
    const told = executor.paused;
    assertEquals(told?.reason, reason);
    const other = new RwasmExecutor(store, moduleOf(PLACES[0]));
    // deno-fmt-ignore
    const acts: readonly (readonly [code: string, act: () => unknown])[] = [
      ["Paused", () => executor.call("main", [25])],
      ["Paused", () => executor.instantiate()],
      ["Paused", () => executor.execute()],
      ["Paused", () => other.call("main", [1])],
      ["NotPaused", () => other.resume()],
      ["NotPaused", () => other.step()],
      ["WrongValueCount", () => executor.resume([1])],
      ["InvalidValues", () => executor.resume("x" as never)],
      ["InvalidOptions", () => executor.resume([], 7 as never)],
      ["InvalidPredicate", () => executor.runUntil(7 as never)],
      ["InvalidFuel", () => store.addFuel(-1)],
      ["InvalidBreakpoint", () => executor.addBreakpoint({ pc: -1 })],
    ];
    for (const [code, act] of acts) assertEquals(codeOf(act), code);
    assertEquals(executor.paused, told);
    for (const breakpoint of executor.breakpoints) executor.removeBreakpoint(breakpoint);
    store.addFuel(1e6);
    const outcome = executor.resume();
    assertEquals(seen(store, outcome), uninterrupted(executor.module, LOOP));
    for (const act of [() => executor.resume(), () => executor.step(), () => executor.runUntil(() => true)]) {
      assertEquals(codeOf(act), "NotPaused");
    }
    assertEquals(executor.paused, undefined);
  });

  Deno.test(`a run that is paused by ${reason} can be given up with reset, and the next one starts anew`, () => {
    const { executor, store } = pause();
    store.reset();
    for (const breakpoint of executor.breakpoints) executor.removeBreakpoint(breakpoint);
    store.resetFuel();
    assertEquals(codeOf(() => executor.resume()), "NotPaused");
    assertEquals(executor.call("main", [25]), { status: "done", results: [325] });
  });

  Deno.test(`a run that is paused by ${reason} ends with its executor, and with its store`, () => {
    for (const which of ["executor", "store"] as const) {
      const { executor, store } = pause();
      if (which === "executor") executor[Symbol.dispose]();
      else store[Symbol.dispose]();
      assertEquals([executor.paused, store.parked, store.memory.byteLength], [undefined, undefined, 0]);
      assertEquals(codeOf(() => executor.resume()), "Disposed");
    }
  });
}

Deno.test("a run that waits for results of a host function cannot be stepped or left without them", () => {
  const { executor } = prepare(moduleOf(PLACES[9]));
  assertEquals(executor.call("main", [2]).status, "paused");
  assertEquals(codeOf(() => executor.step()), "AwaitsResults");
  assertEquals(codeOf(() => executor.runUntil(() => true)), "AwaitsResults");
  assertEquals(codeOf(() => executor.resume()), "WrongValueCount");
  assertEquals(codeOf(() => executor.resume([1, 2])), "InvalidValue");
  assertEquals(executor.resume([1, 2n], { step: true }).status, "paused");
  assertEquals(executor.step().status, "paused");
});

Deno.test("using ends store and executor: their memory is gone, and every use is a typed error", () => {
  let store!: RwasmStore<never>, executor!: RwasmExecutor<never>;
  {
    using scopedStore = new RwasmStore<never>({ linker: new ImportLinker<never>(), fuelLimit: 1_000_000 });
    using scoped = new RwasmExecutor<never>(
      scopedStore,
      assemble("I32Const 1\nMemoryGrow\nDrop\nConsumeFuel 9\nReturn"),
    );
    assertEquals(scoped.execute().status, "done");
    assertEquals(scopedStore.memory.byteLength, 65_536);
    [store, executor] = [scopedStore, scoped];
  }
  assertEquals([store.memory.byteLength, store.consumedFuel()], [0, 9n]);
  // deno-fmt-ignore
  for (const act of [
    () => executor.execute(), () => executor.instantiate(), () => executor.resume(), () => executor.step(),
    () => executor.runUntil(() => true), () => new RwasmExecutor(store, executor.module).execute(),
  ]) assertEquals(codeOf(act), "Disposed");
  store[Symbol.dispose]();
  executor[Symbol.dispose]();
});

Deno.test("disposing of an executor leaves its store to the next one", () => {
  const { executor, store } = prepare(moduleOf(PLACES[4]));
  executor.call("main");
  executor[Symbol.dispose]();
  const next = new RwasmExecutor(store, moduleOf(PLACES[0]));
  assertEquals(next.call("main", [3]), { status: "done", results: [21] });
  assertEquals(codeOf(() => executor.call("main")), "Disposed");
});

Deno.test("disposing of an executor whose instance was replaced leaves the one that took its place", () => {
  const { executor, store } = prepare(moduleOf(PLACES[4]));
  executor.call("main");
  const next = new RwasmExecutor(store, moduleOf(PLACES[4]));
  next.instantiate();
  assertEquals(codeOf(() => executor.call("main")), "StaleInstance");
  executor[Symbol.dispose]();
  assertEquals(next.call("main").status, "done");
});

Deno.test("an instantiation that is paused and given up leaves the instance that was there", () => {
  const { executor, store } = prepare(moduleOf(PLACES[0]));
  executor.instantiate();
  const slow = new RwasmExecutor(store, moduleOf(PLACES[5]));
  assertEquals(slow.instantiate({ step: true }).status, "paused");
  slow.runUntil(({ depth }) => depth > 0);
  slow[Symbol.dispose]();
  assertEquals(executor.call("main", [2]), { status: "done", results: [14] });
});

Deno.test("a host function cannot dispose of what calls it", () => {
  const codes: string[] = [];
  const linker = new ImportLinker().define("env", "free", { index: 1, params: [], results: [] }, () => {
    codes.push(codeOf(() => store[Symbol.dispose]()), codeOf(() => executor[Symbol.dispose]()));
  });
  const store = new RwasmStore<unknown>({ linker });
  const executor = new RwasmExecutor<unknown>(store, assemble("Call 1\nReturn"));
  const outcome = executor.execute();
  assertEquals([codes, outcome.status], [["Reentrant", "Reentrant"], "done"]);
});

Deno.test("a run that a host function waits for cannot pause, and traps in its stead", () => {
  const module = moduleOf({
    body: `
    (func (export "main") (param i32) (result i32) (call $free (local.get 0)))
    (func (export "spend") (param i32) (result i32) (call $fixed (local.get 0)))
    (func (export "ask") (param i32) (result i32) (drop (call $ask (local.get 0))))`,
  });
  const index = (name: string) => module.info!.functionExports.find((entry) => entry.name === name)!.index;
  for (const [inner, code] of [["spend", "OutOfFuel"], ["ask", "InterruptionCalled"]] as const) {
    let nested: Outcome | undefined;
    const { linker } = prepare(module).store;
    const over = new ImportLinker<unknown>();
    for (const { module, name, index: number, params, results, fuel } of linker!.entries()) {
      const call = name === "free"
        ? () => {
          nested = executor.callFunction(index(inner), [5]);
          return 1;
        }
        : name === "ask"
        ? (caller: { pause(): never }) => caller.pause()
        : () => 0;
      over.define(module, name, { index: number, params, results, ...fuel && { fuel } }, call as never);
    }
    const store = new RwasmStore<unknown>({ linker: over });
    const executor = new RwasmExecutor<unknown>(store, module, { onOutOfFuel: "pause" });
    executor.instantiate();
    store.resetFuel(60);
    assertEquals(executor.call("main", [1], { timeoutMs: 10_000 }), { status: "done", results: [1] });
    assert(nested?.status === "trap");
    assertEquals(nested.trap.code, code);
    assertEquals(store.parked, undefined);
  }
});

/** A guest whose main calls the host function `free`, which may run the other function. */
const NESTING = moduleOf({
  body: `(func (export "main") (param i32) (result i32) (loop $l (result i32) (call $free (local.get 0))
    ${"(drop (i64.div_s (i64.const -98765432198765) (i64.extend_i32_s (local.get 0))))".repeat(8)}
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "work") (param i32) (result i32) (local i32) (loop $l
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))`,
});

Deno.test("a run within a run is none of the outer one's steps, slices or breakpoints, and changes none of its counts", () => {
  const index = (name: string) => NESTING.info!.functionExports.find((entry) => entry.name === name)!.index;
  /** Runs main(4) in some way, with a nested run of 30,000 iterations in each call; outcome and fuel. */
  const run = (go: (executor: RwasmExecutor<never>) => Outcome): [Outcome, bigint, number] => {
    const { linker } = prepare(NESTING).store, nesting = new ImportLinker<never>();
    let sum = 0;
    for (const { module, name, index: number, params, results, fuel } of linker!.entries()) {
      nesting.define(
        module,
        name,
        { index: number, params, results, ...fuel && { fuel } },
        (() => {
          const nested = executor.callFunction(index("work"), [30_000]);
          if (nested.status === "done") sum += nested.results[0] as number;
          return 1;
        }) as never,
      );
    }
    const store = new RwasmStore<never>({ linker: nesting, fuelLimit: 10_000_000 });
    const executor = new RwasmExecutor<never>(store, NESTING);
    const outcome = go(executor);
    return [outcome, store.consumedFuel(), sum];
  };
  const plain = run((executor) => executor.call("main", [4]));
  assertEquals(plain[0], { status: "done", results: [1] });
  assertEquals(plain[2], 4 * 450_015_000);
  assertEquals(run((executor) => executor.call("main", [4], { timeoutMs: 60_000 })), plain);
  assertEquals(
    run((executor) => {
      let outcome = executor.call("main", [4], { step: true });
      while (outcome.status === "paused") outcome = executor.step();
      return outcome;
    }),
    plain,
  );
  assertEquals(
    run((executor) => {
      executor.addBreakpoint({ function: "work" });
      return executor.call("main", [4]);
    }),
    plain,
  );
});

Deno.test("a function of the instance that is run by its index pauses for fuel like any other", () => {
  const { executor, store } = prepare(NESTING, 5000n, { onOutOfFuel: "pause" });
  executor.instantiate();
  const index = NESTING.info!.functionExports.find(({ name }) => name === "work")!.index;
  let outcome = executor.callFunction(index, [1000]), pauses = 0;
  for (; outcome.status === "paused" && outcome.reason === "fuel"; pauses++) {
    store.addFuel(1000);
    outcome = executor.resume();
  }
  assertEquals(outcome, { status: "done", results: [500_500] });
  assert(pauses > 2);
});

Deno.test("a store that is disposed of while an asynchronous function is awaited ends its call", async () => {
  let refused = "";
  const linker = new ImportLinker<unknown>().define(
    "env",
    "free",
    { index: 1, params: [], results: [], async: true },
    async (caller) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      refused = codeOfPlugin(() => caller.memory);
    },
  );
  const store = new RwasmStore<unknown>({ linker });
  const executor = new RwasmExecutor<unknown>(store, assemble("Call 1\nReturn"));
  assertEquals(executor.execute().status, "paused");
  store[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(refused, "StaleCaller");
});

function codeOfPlugin(act: () => unknown): string {
  return (assertThrows(act) as UsageError).code;
}
