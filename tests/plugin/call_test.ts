/**
 * What a call of a host function promises: the declared fuel comes first on every way to it, and the
 * caller lives as long as the call.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Caller,
  compile,
  type GuestMemory,
  ImportLinker,
  type Outcome,
  PluginError,
  RwasmExecutor,
  RwasmStore,
  type SyscallFuel,
  UsageError,
  type Value,
} from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

// ── declared fuel ───────────────────────────────────────────────────────────────────────────────

/** Ways to the host function, which each program calls once with 1000 in `main`, or in its start function. */
const PATHS: { readonly [path: string]: string } = {
  "a direct call": `(func (export "main") (call $host (i32.const 1000)))`,
  "an indirect call": `(table funcref (elem $host))
    (func (export "main") (call_indirect (param i32) (i32.const 1000) (i32.const 0)))`,
  "a tail call": `(func (export "main") (return_call $host (i32.const 1000)))`,
  "an indirect tail call": `(table funcref (elem $host))
    (func (export "main") (return_call_indirect (param i32) (i32.const 1000) (i32.const 0)))`,
  "an exported import": `(export "main" (func $host))`,
  "a start function": `(start $begin) (func $begin (call $host (i32.const 1000)))`,
};

/** Policies, and what a call with 1000, which is 32 words, costs. */
const POLICIES: { readonly [policy: string]: readonly [fuel: SyscallFuel | undefined, cost: bigint] } = {
  "no fuel": [undefined, 0n],
  "constant fuel": [{ const: 700 }, 700n],
  "linear fuel": [{ linear: { base: 100, param: 1, wordCost: 3 } }, 100n + 32n * 3n],
  "quadratic fuel": [
    { quadratic: { param: 1, wordCost: 3, divisor: 8, rate: 2 } },
    (32n * 3n + 32n * 32n / 8n) * 2n,
  ],
};

/** Runs a program whose host function counts its calls. */
function run(
  wat: string,
  fuel: SyscallFuel | undefined,
  fuelLimit: bigint | undefined,
): { outcome: Outcome; calls: number; consumed: bigint } {
  let calls = 0;
  const signature = { index: 9, params: ["i32"], results: [] } as const;
  const linker = new ImportLinker<undefined>()
    .define("m", "host", fuel === undefined ? signature : { ...signature, fuel }, () => void calls++);
  const module = compile(assembleWat(`(module (import "m" "host" (func $host (param i32))) ${wat})`), {
    linker,
  });
  const store = new RwasmStore({ linker, fuelLimit });
  const executor = new RwasmExecutor(store, module);
  const main = module.exports.find(({ name }) => name === "main");
  const outcome = main === undefined
    ? executor.instantiate()
    : executor.call("main", main.params.map(() => 1000));
  return { outcome, calls, consumed: store.consumedFuel() };
}

for (const [path, wat] of Object.entries(PATHS)) {
  const free = run(wat, undefined, undefined);
  for (const [policy, [fuel, cost]] of Object.entries(POLICIES)) {
    Deno.test(`${policy} is charged once, before the function runs, by ${path}`, () => {
      const all = run(wat, fuel, undefined);
      assertEquals([all.outcome.status, all.calls], ["done", 1]);
      assertEquals(all.consumed - free.consumed, cost);
      const exact = run(wat, fuel, all.consumed);
      assertEquals([exact.outcome.status, exact.calls], ["done", 1]);
      const short = run(wat, fuel, all.consumed - 1n);
      assert(short.outcome.status === "trap");
      assertEquals(short.outcome.trap.code, "OutOfFuel");
      assertEquals(short.calls, fuel === undefined ? short.calls : 0, "a refused charge has no side effect");
      if (fuel !== undefined) {
        assert(short.consumed <= all.consumed - cost, "the refused charge is not counted");
      }
    });
  }
}

Deno.test("a metered length above the bound of its policy traps before the function runs", () => {
  const wat = `(func (export "main") (param i32) (call $host (local.get 0)))`;
  for (
    const [fuel, bound] of [[POLICIES["linear fuel"]![0], 2 ** 27], [
      POLICIES["quadratic fuel"]![0],
      1_310_720,
    ]] as const
  ) {
    let calls = 0;
    const linker = new ImportLinker<undefined>()
      .define("m", "host", { index: 9, params: ["i32"], results: [], fuel: fuel! }, () => void calls++);
    const module = compile(assembleWat(`(module (import "m" "host" (func $host (param i32))) ${wat})`), {
      linker,
    });
    const executor = new RwasmExecutor(new RwasmStore({ linker }), module);
    assertEquals([executor.call("main", [bound]).status, calls], ["done", 1]);
    for (const length of [bound + 1, -1, -(2 ** 31)]) {
      const outcome = executor.call("main", [length]);
      assert(outcome.status === "trap");
      assertEquals([outcome.trap.code, calls], ["IntegerOverflow", 1]);
    }
  }
});

// ── the caller ──────────────────────────────────────────────────────────────────────────────────

/** A program with a memory that grows, and a function that hands each call on. */
const GUEST = assembleWat(`(module
  (import "m" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 1 3)
  (func (export "call") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "grow") (param i32) (result i32) (drop (memory.grow (i32.const 1))) (call $host (local.get 0))))`);

function executorOf(call: (caller: Caller<unknown>, value: number) => unknown): RwasmExecutor<unknown> {
  const linker = new ImportLinker<unknown>()
    .define("m", "host", { index: 1, params: ["i32"], results: ["i32"] }, call as () => number);
  return new RwasmExecutor(new RwasmStore<unknown>({ linker, data: "context" }), compile(GUEST, { linker }));
}

Deno.test("a stored caller is refused after the call, in everything it can do", () => {
  let stored: Caller<unknown> | undefined;
  const executor = executorOf((caller, value) => {
    stored = caller;
    return value;
  });
  assertEquals(executor.call("call", [5]), { status: "done", results: [5] });
  const caller = stored!;
  const uses: { readonly [what: string]: () => unknown } = {
    "caller.data": () => caller.data,
    "caller.memory": () => caller.memory,
    "consume fuel": () => caller.consumeFuel(1),
    "consume fuel if there is some": () => caller.tryConsumeFuel(1),
    "read the fuel": () => caller.remainingFuel(),
    "reset the fuel": () => caller.resetFuel(1n),
    "pause": () => caller.pause(),
    "halt": () => caller.halt(),
    "trap": () => caller.trap("OutOfFuel"),
  };
  for (const [what, use] of Object.entries(uses)) {
    const error = assertThrows(use, PluginError);
    assertEquals(error.code, "StaleCaller", what);
    assertStringIncludes(error.message, 'the call of host function "m"."host" of define() has returned');
  }
  assertEquals(executor.store.consumedFuel() > 0n, true);
  assertEquals(executor.call("call", [6]), { status: "done", results: [6] });
});

Deno.test("the caller of an earlier call is refused inside of a later one", () => {
  let stored: Caller<unknown> | undefined;
  const executor = executorOf((caller, value) => {
    if (stored === undefined) {
      stored = caller;
      return value;
    }
    return assertThrows(() => stored!.halt(), PluginError).code === "StaleCaller" ? 1 : 0;
  });
  executor.call("call", [5]);
  assertEquals(executor.call("call", [5]), { status: "done", results: [1] });
});

Deno.test("running, resuming or resetting the same store from a host function is a typed error", () => {
  const attempts: { readonly [what: string]: (executor: RwasmExecutor<unknown>) => unknown } = {
    "call": (executor) => executor.call("call", [1]),
    "execute": (executor) => executor.execute(),
    "instantiate": (executor) => executor.instantiate(),
    "resume": (executor) => executor.resume([1]),
    "another executor": ({ store, module }) => new RwasmExecutor(store, module).call("call", [1]),
    "reset": ({ store }) => store.reset(),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    const executor: RwasmExecutor<unknown> = executorOf((_caller, value) =>
      value === 0 ? 0 : attempt(executor)
    );
    const outcome = executor.call("call", [1]);
    assert(outcome.status === "trap", what);
    assertEquals(outcome.trap.code, "HostError", what);
    assertInstanceOf(outcome.trap.cause, UsageError, what);
    assertEquals(outcome.trap.cause.code, "Reentrant", what);
    assertEquals(executor.call("call", [0]), { status: "done", results: [0] }, what);
  }
});

Deno.test("a host function may run another store, and so on, until that is too deep", () => {
  let deepest = 0;
  const nested = (depth: number): RwasmExecutor<unknown> =>
    executorOf((_caller, value) => {
      deepest = Math.max(deepest, depth);
      if (depth === 40) return value;
      const outcome = nested(depth + 1).call("call", [value + 1]);
      return outcome.status === "done" ? outcome.results[0] : -1;
    });
  assertEquals(nested(1).call("call", [0]), { status: "done", results: [39] });
  assertEquals(deepest, 40);
});

Deno.test("caller.memory and store.memory see the memory as it is after it has grown", () => {
  const sizes: number[] = [];
  let kept: GuestMemory | undefined, view: Uint8Array | undefined;
  const executor = executorOf(({ memory }, at) => {
    kept ??= memory;
    view ??= memory.view();
    sizes.push(kept.byteLength, memory.byteLength, memory.view().length, view.length);
    kept.write(at, Uint8Array.of(7));
    return memory.read(at, 1)[0];
  });
  assertEquals(executor.call("call", [65_535]), { status: "done", results: [7] });
  assertEquals(executor.call("grow", [131_071]), { status: "done", results: [7] });
  assertEquals(executor.call("grow", [196_607]), { status: "done", results: [7] });
  const [one, two, three] = [65_536, 131_072, 196_608];
  // Only the bytes of view() are those of the moment it was asked for.
  assertEquals(sizes, [one, one, one, one, two, two, two, 0, three, three, three, 0]);
  assertEquals(kept!.read(65_535, 1), Uint8Array.of(7));
});

Deno.test("arguments arrive in the declared order and types, at their extremes", () => {
  const seen: unknown[] = [];
  const linker = new ImportLinker<undefined>().define(
    "m",
    "host",
    { index: 1, params: ["i32", "i64", "f32", "f64", "i32", "i64"], results: ["f64", "i64", "f32", "i32"] },
    (_caller, a, b, c, d, e, f) => {
      seen.push(a, b, c, d, e, f);
      return [d, f, c, a];
    },
  );
  const guest = assembleWat(`(module
    (import "m" "host" (func $host (param i32 i64 f32 f64 i32 i64) (result f64 i64 f32 i32)))
    (func (export "call") (param i32 i64 f32 f64 i32 i64) (result f64 i64 f32 i32)
      (call $host (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5))))`);
  const executor = new RwasmExecutor(new RwasmStore({ linker }), compile(guest, { linker }));
  const rows: Value[][] = [
    [-(2 ** 31), -(2n ** 63n), -0, Number.MIN_VALUE, 2 ** 31 - 1, 2n ** 63n - 1n],
    [-1, -1n, Infinity, -0, 0, 0n],
    [1, 2n ** 32n, 1.5, Number.MAX_VALUE, -2, -(2n ** 32n)],
  ];
  for (const row of rows) {
    const [a, , c, d, , f] = row;
    assertEquals(executor.call("call", row), { status: "done", results: [d!, f!, c!, a!] });
    assertEquals(seen.splice(0), row);
  }
});

Deno.test("what a host function throws is the cause of the trap, which names plugin and function", () => {
  const thrown = [
    new TypeError("no"),
    "text",
    undefined,
    null,
    7n,
    Symbol("s"),
    Object.create(null),
    new PluginError("Mine", "Cannot x: y"),
  ];
  for (const what of thrown) {
    const executor = executorOf((_caller, value) => {
      if (value === 0) return 0;
      throw what;
    });
    const outcome = executor.call("call", [1]);
    assert(outcome.status === "trap");
    assertEquals(outcome.trap.code, "HostError");
    assertEquals(outcome.trap.cause, what);
    assertStringIncludes(outcome.trap.message, 'host function "m"."host" of define() threw ');
    assertEquals(executor.call("call", [0]), { status: "done", results: [0] });
  }
});
