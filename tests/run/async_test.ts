/**
 * Asynchronous runs: slices and turns, asynchronous host functions, aborts and deadlines, also those
 * of synchronous runs. Times are asserted loosely; `bench/pause.ts` measures them.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { MOST_UNCHARGED_JUMPS } from "../../lib/limits.ts";
import {
  assemble,
  type AsyncRunOptions,
  type Caller,
  compile,
  ImportLinker,
  type Outcome,
  PausedError,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
  type UsageError,
} from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";
import { moduleOf, MORE, PLACES, prepare, seen, uninterrupted } from "./guests.ts";

/** Milliseconds a stop may take here; on a machine with nothing else to do it takes one to five. */
const LOOSE_MS = 250;

const SPIN = `(func (export "main") (local i32) (loop $l
  (i32.store (i32.and (local.get 0) (i32.const 0xfffc)) (local.tee 0 (i32.add (local.get 0) (i32.const 1))))
  (br $l)))`;

/** Loops without end: of code that is charged, of code that is not, and of such that a limit bounds. */
// deno-fmt-ignore
const ENDLESS: readonly (readonly [what: string, module: RwasmModule, fuelLimit?: bigint])[] = [
  ["a metered loop", moduleOf({ body: SPIN })],
  ["a metered loop under a limit", moduleOf({ body: SPIN }), 2n ** 60n],
  ["an unmetered loop", moduleOf({ body: SPIN }, { consumeFuel: false })],
  ["an unmetered loop under a limit", moduleOf({ body: SPIN }, { consumeFuel: false }), 1000n],
  ["an idle loop", moduleOf({ body: `(func (export "main") (loop $l (br $l)))` })],
  ["an unmetered idle loop", moduleOf({ body: `(func (export "main") (loop $l (br $l)))` }, { consumeFuel: false })],
  ["a loop of divisions", moduleOf({ body: `(func (export "main") (local i64) (loop $l
    (local.set 0 (i64.add (i64.div_s (i64.const -987654321987654321) (i64.const 12345)) (local.get 0))) (br $l)))` })],
  ["calls without end", moduleOf({ body: `(func $f) (func (export "main") (loop $l (call $f) (br $l)))` })],
  ["tail calls without end", moduleOf({ body: `(func $f (export "main") (return_call $f))` })],
  ["an unmetered loop with a long body", moduleOf({ body: `(func (export "main") (local i32) (loop $l
    ${"(local.set 0 (i32.add (local.get 0) (i32.const 3)))".repeat(2000)} (br $l)))` }, { consumeFuel: false })],
  ["a loop of large fills", moduleOf({ body: `(func (export "main") (loop $l
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l)))` })],
  ["a start function without end", moduleOf({ body: `(start $s) (func $s (loop $l (br $l))) (func (export "main"))` })],
];

for (const [what, module, fuelLimit] of ENDLESS) {
  Deno.test(`${what} stops soon after timeoutMs, and can go on and stop again`, () => {
    const { executor, store } = prepare(module, fuelLimit);
    let fuel = -1n;
    for (let round = 0; round < 3; round++) {
      const began = performance.now(), options = { timeoutMs: 10 };
      const outcome = round === 0 ? executor.call("main", [], options) : executor.resume([], options);
      const took = performance.now() - began;
      assert(outcome.status === "paused" && outcome.reason === "deadline", JSON.stringify(outcome.status));
      assert(took >= 10 && took < 10 + LOOSE_MS, `${took} ms`);
      assert(store.consumedFuel() >= fuel);
      fuel = store.consumedFuel();
      // What the run was given in small pieces is given to the next one in large ones.
      assertEquals(store.fuel.slice, fuelLimit === undefined || fuelLimit > 2n ** 40n ? 2 ** 30 : 1000);
    }
  });

  Deno.test(`${what} gives callAsync back soon after an abort, a deadline in its stead`, async () => {
    const { executor } = prepare(module, fuelLimit);
    const stop = new AbortController();
    let at = Infinity;
    const timer = setTimeout(() => {
      at = performance.now();
      stop.abort("enough");
    }, 10);
    const error = await assertRejects(
      () => executor.callAsync("main", [], { signal: stop.signal }),
      PausedError,
    );
    clearTimeout(timer);
    assert(performance.now() - at < LOOSE_MS);
    assertEquals([error.code, error.outcome.reason, error.cause], ["Aborted", "abort", "enough"]);
    assertEquals(executor.paused, error.outcome);
    const late = await assertRejects(() => executor.resumeAsync(undefined, { timeoutMs: 10 }), PausedError);
    assertEquals([late.code, late.outcome.reason], ["DeadlineExceeded", "deadline"]);
  });
}

for (const guest of [...PLACES, ...MORE]) {
  if (guest.name.includes("behind a pause")) continue;
  Deno.test(`in slices of one fuel ${guest.name} ends as in one piece`, async () => {
    const module = moduleOf(guest), { store, executor } = prepare(module);
    const sliceFuel = guest.name.includes("recursion") ? 1000 : 1;
    assertEquals(
      seen(store, await executor.callAsync(guest.call, guest.params, { sliceFuel })),
      uninterrupted(module, guest),
    );
  });
}

Deno.test("a deadline of 0 and a signal that is aborted already pause before the first instruction", async () => {
  const { executor, store } = prepare(moduleOf(PLACES[1]));
  const first = executor.call("main", [4], { timeoutMs: 0 });
  assertEquals([first, store.consumedFuel()], [{ status: "paused", reason: "deadline", pc: 0 }, 0n]);
  const second = executor.resume([], { signal: AbortSignal.abort("no") });
  assertEquals(second, { status: "paused", reason: "abort", cause: "no", pc: 0 });
  const error = await assertRejects(
    () => executor.resumeAsync([], { signal: AbortSignal.abort() }),
    PausedError,
  );
  assertEquals(error.code, "Aborted");
  assertEquals((await executor.resumeAsync()).status, "done");
});

/** A loop of n iterations without charges; it leaves the stack as it was. */
const iterate = (n: number) => `I32Const ${n}\nI32Const -1\nI32Add\nLocalGet 1\nBrIfNez -3\nDrop\n`;

// deno-fmt-ignore
const COUNTED: readonly (readonly [what: string, code: string, ending: string])[] = [
  ["as many jumps as may be", iterate(MOST_UNCHARGED_JUMPS + 1), "done"],
  ["one more", iterate(MOST_UNCHARGED_JUMPS + 2), "trap OutOfFuel"],
  ["a charge between two loops", `${iterate(0.6 * MOST_UNCHARGED_JUMPS)}ConsumeFuel 1\n${iterate(0.6 * MOST_UNCHARGED_JUMPS)}`, "done"],
  ["a charge of 0 between them", `${iterate(0.6 * MOST_UNCHARGED_JUMPS)}ConsumeFuel 0\n${iterate(0.6 * MOST_UNCHARGED_JUMPS)}`, "trap OutOfFuel"],
  ["a charge, then too many", `ConsumeFuel 1\n${iterate(MOST_UNCHARGED_JUMPS + 2)}`, "trap OutOfFuel"],
];

for (const [what, code, ending] of COUNTED) {
  Deno.test(`under a deadline or in slices, jumps without a charge are counted as ever: ${what}`, async () => {
    const module = assemble(`${code}Return`);
    const executor = () => new RwasmExecutor(new RwasmStore({ fuelLimit: 10 }), module);
    assertEquals(short(executor().execute([], undefined, { timeoutMs: 60_000 })).trim(), ending);
    assertEquals(short(await executor().executeAsync()).trim(), ending);
  });
}

Deno.test("jumps without a charge are counted on from pause to pause, with and without a deadline", () => {
  const linker = new ImportLinker().define(
    "env",
    "f",
    { index: 1, params: [], results: [] },
    (caller) => caller.pause(),
  );
  const module = assemble(
    `${iterate(0.6 * MOST_UNCHARGED_JUMPS)}Call 1\n${iterate(0.6 * MOST_UNCHARGED_JUMPS)}Return`,
  );
  for (const first of [undefined, { timeoutMs: 60_000 }]) {
    for (const second of [undefined, { timeoutMs: 60_000 }]) {
      const executor = new RwasmExecutor(new RwasmStore({ linker, fuelLimit: 10 }), module);
      assertEquals(executor.execute([], undefined, first).status, "paused");
      assertEquals(short(executor.resume([], second)), "trap OutOfFuel");
    }
  }
});

Deno.test("timers and other work have their turn while a run goes on", async () => {
  const { executor } = prepare(moduleOf({ body: SPIN }));
  const stop = new AbortController();
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 5) stop.abort();
  }, 5);
  await assertRejects(() => executor.callAsync("main", [], { signal: stop.signal }), PausedError);
  clearInterval(timer);
  assertEquals(ticks, 5);
});

Deno.test("runs of several executors share the processor by fuel", async () => {
  const module = moduleOf({ body: SPIN }), stop = new AbortController();
  const three = [0, 1, 2].map(() => prepare(module));
  const runs = three.map(({ executor }) =>
    assertRejects(
      () => executor.callAsync("main", [], { signal: stop.signal, sliceFuel: 20_000 }),
      PausedError,
    )
  );
  const timer = setTimeout(() => stop.abort(), 150);
  await Promise.all(runs);
  clearTimeout(timer);
  const used = three.map(({ store }) => Number(store.consumedFuel()));
  assert(Math.min(...used) > 100_000, `${used}`);
  // Each has had as many slices as the others, but for one.
  assert(Math.max(...used) - Math.min(...used) <= 20_000, `${used}`);
});

Deno.test("without sliceFuel they share it by time", async () => {
  const stop = new AbortController();
  const two = [moduleOf({ body: SPIN }), moduleOf({ body: SPIN }, { consumeFuel: false })]
    .map((module) => prepare(module));
  const began = performance.now(), ends: number[] = [];
  const runs = two.map(async ({ executor }) => {
    await assertRejects(() => executor.callAsync("main", [], { signal: stop.signal }), PausedError);
    ends.push(performance.now() - began);
  });
  const timer = setTimeout(() => stop.abort(), 60);
  await Promise.all(runs);
  clearTimeout(timer);
  assert(ends.every((ms) => ms >= 50 && ms < 60 + LOOSE_MS), `${ends}`);
});

Deno.test("while a run is under way its store refuses others, and what it lets do is done", async () => {
  const { executor, store } = prepare(moduleOf({ body: SPIN }), 50_000n, { onOutOfFuel: "pause" });
  const run = executor.callAsync("main", [], { sliceFuel: 100 });
  const codes: string[] = [];
  // deno-fmt-ignore
  const acts = [
    () => executor.call("main"), () => executor.resume(), () => executor.step(), () => executor.instantiate(),
    () => executor.runUntil(() => true), () => new RwasmExecutor(store, executor.module).call("main"),
  ];
  for (const act of acts) {
    try {
      act();
      codes.push("nothing");
    } catch (error) {
      codes.push((error as UsageError).code);
    }
  }
  const again = await executor.callAsync("main").catch((error) => error.code);
  assertEquals([...codes, again], [
    "Running",
    "Running",
    "Running",
    "Running",
    "Running",
    "Running",
    "Running",
  ]);
  assertEquals(executor.paused, undefined);
  store.addFuel(1000);
  const outcome = await run;
  assert(outcome.status === "paused" && outcome.reason === "fuel");
  assert(store.consumedFuel() > 50_900n);
});

Deno.test("a run whose store is reset or disposed of rejects, and the store is as that left it", async () => {
  for (const act of ["reset", "dispose"] as const) {
    const { executor, store } = prepare(moduleOf({ body: SPIN }));
    const run = executor.callAsync("main");
    if (act === "reset") store.reset();
    else store[Symbol.dispose]();
    const error = await assertRejects(() => run);
    assertEquals((error as UsageError).code, "RunGivenUp");
    assertEquals([store.machine === undefined, store.parked], [act === "dispose", undefined]);
  }
});

Deno.test("a run whose executor is disposed of rejects as well", async () => {
  const { executor, store } = prepare(moduleOf({ body: SPIN }));
  const run = executor.callAsync("main");
  executor[Symbol.dispose]();
  assertEquals(((await assertRejects(() => run)) as UsageError).code, "RunGivenUp");
  assertEquals(store.parked, undefined);
});

Deno.test("a host function can abort the synchronous run that calls it, which stops before its next call", () => {
  const stop = new AbortController();
  const { executor, notes } = prepare(moduleOf({
    body: `(func (export "main") (loop $l (drop (call $free (i32.const 1))) (br $l)))`,
  }));
  notes.calls.push = (...calls: string[]) => {
    if (notes.calls.length === 9) stop.abort("enough");
    return Array.prototype.push.apply(notes.calls, calls);
  };
  const outcome = executor.call("main", [], { signal: stop.signal });
  assert(outcome.status === "paused" && outcome.reason === "abort");
  assertEquals([outcome.cause, notes.calls.length], ["enough", 10]);
});

// ── asynchronous host functions ───────────────────────────────────────────────────────────────────

/** A guest that adds what `ask` gives for 20, and again for what that is. */
const ASKS = assembleWat(`(module (import "env" "ask" (func $ask (param i32) (result i32))) (memory 1)
  (func (export "main") (result i32)
    (i32.add (call $ask (i32.const 20)) (i32.add (call $ask (i32.const 30)) (i32.load8_u (i32.const 16))))))`);

type Ask = (caller: Caller<string[]>, x: number) => unknown;

function asks(call: Ask, fuelLimit?: number, options: { onOutOfFuel?: "pause" } = {}) {
  const linker = new ImportLinker<string[]>()
    .define("env", "ask", { index: 1, params: ["i32"], results: ["i32"], async: true }, call as never);
  const store = new RwasmStore<string[]>({ linker, data: [], fuelLimit });
  return { store, executor: new RwasmExecutor(store, compile(ASKS, { linker }), options) };
}

const later = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("callAsync awaits asynchronous host functions, whose caller lives across their awaits", async () => {
  const { executor, store } = asks(async (caller, x) => {
    caller.data.push(`asked ${x}`);
    const { memory } = caller;
    await later();
    memory.write(16, Uint8Array.of(100));
    caller.consumeFuel(5);
    await later();
    caller.data.push(`answered ${caller.memory.read(16, 1)[0]}`);
    return x + 1;
  }, 10_000);
  const before = store.consumedFuel();
  assertEquals(await executor.callAsync("main"), { status: "done", results: [21 + 31 + 100] });
  assertEquals(store.data, ["asked 20", "answered 100", "asked 30", "answered 100"]);
  assert(store.consumedFuel() - before >= 10n);
});

Deno.test("a function that is declared asynchronous may return its result at once, and none by a promise", async () => {
  const { executor } = asks((_caller, x) => x === 20 ? 1 : Promise.resolve(2));
  assertEquals(await executor.callAsync("main"), { status: "done", results: [3] });
});

Deno.test("a synchronous call pauses with the promise, and resume takes the results", async () => {
  const { executor } = asks(async (_caller, x) => {
    await later();
    return x * 2;
  });
  let outcome = executor.call("main");
  for (const value of [40, 60]) {
    assert(outcome.status === "paused" && outcome.reason === "syscall");
    assertInstanceOf(outcome.payload, Promise);
    assertEquals(await outcome.payload, value);
    outcome = executor.resume([value]);
  }
  assertEquals(outcome, { status: "done", results: [100] });
});

Deno.test("resumeAsync waits for the promise of a synchronous call, or takes other results", async () => {
  const one = asks(async (_caller, x) => (await later(), x));
  assertEquals(one.executor.call("main").status, "paused");
  assertEquals(await one.executor.resumeAsync(), { status: "done", results: [50] });
  const two = asks(async (_caller, x) => (await later(), x));
  assertEquals(two.executor.call("main").status, "paused");
  assertEquals(await two.executor.resumeAsync([7]), { status: "done", results: [37] });
});

// deno-fmt-ignore
const SETTLED: readonly (readonly [what: string, call: Ask, ending: string])[] = [
  ["throws", () => { throw new TypeError("at once"); }, "trap HostError"],
  ["rejects", async () => { await later(); throw new TypeError("later"); }, "trap HostError"],
  ["traps", async (caller) => { await later(); caller.trap("IntegerOverflow"); }, "trap IntegerOverflow"],
  ["halts", async (caller) => { await later(); caller.halt(); }, "done 0"],
  ["pauses", async (caller) => { await later(); caller.pause("why"); }, "paused why"],
  ["pauses at once", async (caller) => await caller.pause("why"), "paused why"],
  ["reads outside", async (caller) => { await later(); caller.memory.read(1e6, 4); }, "trap MemoryOutOfBounds"],
  ["reads outside of a memory it got before", async ({ memory }) => { await later(); memory.read(1e6, 4); }, "trap MemoryOutOfBounds"],
  ["charges too much", async (caller) => { await later(); caller.consumeFuel(1e6); }, "trap OutOfFuel"],
  ["swallows that it charges too much", async (caller) => { await later(); try { caller.consumeFuel(1e6); } catch { /* so what */ } return 1; }, "trap OutOfFuel"],
  ["gives text", async () => { await later(); return "text"; }, "trap BadSignature"],
  ["gives nothing", async () => await later(), "trap BadSignature"],
  ["gives a promise of a promise", async () => { await later(); return Promise.resolve(1); }, "done 2"],
];

for (const [what, call, ending] of SETTLED) {
  Deno.test(`an asynchronous host function that ${what} ends the run: ${ending}`, async () => {
    const { executor, store } = asks(call, 5000, { onOutOfFuel: "pause" });
    const outcome = await executor.callAsync("main");
    assertEquals(short(outcome), ending);
    if (outcome.status === "trap") {
      assertEquals([outcome.trap.syscall?.name, executor.module.opcodes[outcome.trap.pc]], ["ask", 16]);
    }
    store.reset();
    assertEquals(executor.paused, undefined);
  });
}

function short(outcome: Outcome): string {
  if (outcome.status === "done") return `done ${outcome.results}`;
  return outcome.status === "trap"
    ? `trap ${outcome.trap.code}`
    : `paused ${outcome.payload ?? outcome.reason}`;
}

Deno.test("an abort or a deadline ends the wait, and resumeAsync goes on waiting", async () => {
  let made = 0;
  const { executor } = asks(async (_caller, x) => {
    made++;
    await later(40);
    return x;
  });
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("gone")), 5);
  const aborted = await assertRejects(
    () => executor.callAsync("main", [], { signal: stop.signal }),
    PausedError,
  );
  assertEquals([aborted.code, (aborted.cause as Error).message], ["Aborted", "gone"]);
  assertEquals(executor.paused?.reason, "syscall");
  const late = await assertRejects(() => executor.resumeAsync(undefined, { timeoutMs: 5 }), PausedError);
  assertEquals(late.code, "DeadlineExceeded");
  assertEquals(await executor.resumeAsync(), { status: "done", results: [50] });
  assertEquals(made, 2);
});

Deno.test("a call that is over has no caller any more, whatever its function still does", async () => {
  const errors: string[] = [];
  const { executor, store } = asks(async (caller, x) => {
    const { memory } = caller;
    await later(5);
    for (
      const act of [() => caller.data, () => caller.consumeFuel(1), () => memory.write(0, Uint8Array.of(1))]
    ) {
      try {
        act();
      } catch (error) {
        errors.push((error as UsageError).code);
      }
    }
    return x;
  });
  executor.call("main");
  executor.resume([1]);
  executor.resume([2]);
  store.reset();
  await later(20);
  assertEquals(errors, new Array(6).fill("StaleCaller"));
});

Deno.test("a function that ended its call decides, even if results are given", async () => {
  const { executor } = asks(async (caller) => {
    await later();
    caller.trap("IntegerOverflow");
  });
  executor.call("main");
  await later(10);
  assertEquals(short(executor.resume([1])), "trap IntegerOverflow");
});

Deno.test("a promise that rejects and that nobody awaits does not end the process", async () => {
  const { executor, store } = asks(() => Promise.reject(new Error("nobody waits for this")));
  assertEquals(executor.call("main").status, "paused");
  store.reset();
  await later(5);
});

Deno.test("functions whose promises are settled at once leave timers their turn", async () => {
  const linker = new ImportLinker<string[]>()
    .define(
      "env",
      "ask",
      { index: 1, params: ["i32"], results: ["i32"], async: true },
      (_caller, x) => Promise.resolve(x),
    );
  const module = compile(
    assembleWat(`(module (import "env" "ask" (func $ask (param i32) (result i32)))
      (func (export "main") (loop $l (drop (call $ask (i32.const 1))) (br $l))))`),
    { linker },
  );
  const executor = new RwasmExecutor(new RwasmStore({ linker, data: [] }), module);
  const stop = new AbortController(), timer = setTimeout(() => stop.abort(), 20);
  await assertRejects(() => executor.callAsync("main", [], { signal: stop.signal }), PausedError);
  clearTimeout(timer);
});

for (const act of ["reset", "dispose of the store", "dispose of the executor"] as const) {
  Deno.test(`a run that waits for a function that never settles rejects at once after ${act}`, async () => {
    const { executor, store } = asks(() => new Promise(() => {}));
    const run = executor.callAsync("main");
    await later();
    if (act === "reset") store.reset();
    else (act === "dispose of the store" ? store : executor)[Symbol.dispose]();
    assertEquals(((await assertRejects(() => run)) as UsageError).code, "RunGivenUp");
  });
}

// ── options ───────────────────────────────────────────────────────────────────────────────────────

// deno-fmt-ignore
const BAD: readonly (readonly [options: unknown, message: string])[] = [
  [null, "options are null"], [5, "options are the number 5"], [[], "not an object"],
  [{ timeoutMs: -1 }, "timeoutMs is the number -1"], [{ timeoutMs: NaN }, "timeoutMs is the number NaN"],
  [{ timeoutMs: "5" }, 'timeoutMs is the string "5"'], [{ timeoutMs: 5n }, "timeoutMs is the bigint 5n"],
  [{ signal: {} }, "not an AbortSignal"], [{ signal: Object.create(AbortSignal.prototype) }, "not an AbortSignal"],
  [{ signal: new AbortController() }, "not an AbortSignal"], [{ step: 1 }, "neither true nor false"],
  [{ sliceFuel: 0 }, "not an amount of fuel from 1"], [{ sliceFuel: 1.5 }, "not an amount"], [{ sliceFuel: -1n }, "not an amount"],
  [{ timeout: 5 }, '"timeout" is not an option'], [AbortSignal.abort(), "options are an AbortSignal"],
  [new Proxy({}, { get() { throw new TypeError("x"); } }), "the options cannot be read"],
];

for (const [options, message] of BAD) {
  Deno.test(`options of a run are refused: ${message}`, async () => {
    const { executor, store } = prepare(moduleOf(PLACES[0]));
    const error = await assertRejects(() => executor.callAsync("main", [1], options as AsyncRunOptions));
    assertStringIncludes((error as UsageError).message, message);
    assertEquals([(error as UsageError).code, store.machine], ["InvalidOptions", undefined]);
  });
}

Deno.test("what callAsync is called wrongly with is a rejection, and nothing has run", async () => {
  const { executor, store } = prepare(moduleOf(PLACES[0]));
  const codes: string[] = [];
  for (
    const act of [
      () => executor.callAsync("nothing"),
      () => executor.callAsync("main", []),
      () => executor.callAsync("main", ["x" as never]),
      () => executor.executeAsync([]),
      () => executor.resumeAsync(),
    ]
  ) codes.push(await act().then(() => "nothing", (error) => error.code));
  assertEquals(codes, ["UnknownExport", "WrongValueCount", "InvalidValue", "NoEntrypoint", "NotPaused"]);
  assertEquals(store.machine, undefined);
  assertEquals((await executor.instantiateAsync()).status, "done");
});
