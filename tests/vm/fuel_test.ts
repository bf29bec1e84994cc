/**
 * Fuel: exact limits, amounts that do not fit the loop's slice, saturation at 2^64 − 1, and what
 * the store's methods refuse.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/error.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { execute, explained, setUp, show } from "./notation.ts";

const MAX = 2n ** 64n - 1n;

interface Case {
  readonly code: string;
  readonly limit: bigint | undefined;
  readonly ending: string;
  readonly consumed: bigint;
}

const U32 = 4294967295n;
/** 2^31 and 2^32 − 1 are negative as int32; 2^30 is the size of the loop's slice. */
// deno-fmt-ignore
const CASES: readonly Case[] = [
  { code: "ConsumeFuel 0, Return", limit: 0n, ending: "done", consumed: 0n },
  { code: "ConsumeFuel 1, Return", limit: 0n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "ConsumeFuel 10, Return", limit: 10n, ending: "done", consumed: 10n },
  { code: "ConsumeFuel 10, Return", limit: 9n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "C 10, ConsumeFuelStack, Return", limit: 10n, ending: "done", consumed: 10n },
  { code: "C 10, ConsumeFuelStack, Return", limit: 9n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "ConsumeFuel 1073741823, ConsumeFuel 1, ConsumeFuel 1, Return", limit: undefined, ending: "done", consumed: 2n ** 30n + 1n },
  { code: "ConsumeFuel 1073741825, Return", limit: 2n ** 30n + 1n, ending: "done", consumed: 2n ** 30n + 1n },
  { code: "ConsumeFuel 1073741825, Return", limit: 2n ** 30n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "ConsumeFuel 2147483648, Return", limit: undefined, ending: "done", consumed: 2n ** 31n },
  { code: "ConsumeFuel 4294967295, Return", limit: U32, ending: "done", consumed: U32 },
  { code: "ConsumeFuel 4294967295, Return", limit: U32 - 1n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "C -1, ConsumeFuelStack, Return", limit: U32, ending: "done", consumed: U32 },
  { code: "C -1, ConsumeFuelStack, Return", limit: U32 - 1n, ending: "trap OutOfFuel", consumed: 0n },
  { code: "ConsumeFuel 4294967295, ConsumeFuel 1, ConsumeFuel 4294967295, Return", limit: 2n ** 63n, ending: "done", consumed: 2n * U32 + 1n },
  { code: "ConsumeFuel 4294967295, ConsumeFuel 1, ConsumeFuel 4294967295, Return", limit: 2n * U32, ending: "trap OutOfFuel", consumed: U32 + 1n },
];

for (const { code, limit, ending, consumed } of CASES) {
  Deno.test(`${code} under ${limit} is ${ending} with ${consumed} consumed`, () => {
    const { store, executor } = setUp(code, { fuelLimit: limit });
    assertEquals(show(executor.execute()), ending);
    assertEquals(store.consumedFuel(), consumed);
    assertEquals(store.remainingFuel(), limit === undefined ? undefined : limit - consumed);
  });
}

Deno.test("a loop can consume more than the slice of the loop holds, to the last unit", () => {
  const loop = "C 1, ConsumeFuel 268435456, LocalGet 1, BrIfNez -2";
  const { store, executor } = setUp(loop, { fuelLimit: 2n ** 36n + 5n });
  assertEquals(show(executor.execute()), "trap OutOfFuel");
  assertEquals(store.consumedFuel(), 2n ** 36n);
  assertEquals(store.remainingFuel(), 5n);
});

Deno.test("the counter saturates at 2^64 - 1, and a limit of 2^64 - 1 is never passed", () => {
  for (const fuelLimit of [undefined, MAX]) {
    const { store, executor } = setUp("ConsumeFuel 4294967295, Return", { fuelLimit });
    assertEquals(store.tryConsumeFuel(MAX - 3n), true);
    assertEquals(show(executor.execute()), "done");
    assertEquals(store.consumedFuel(), MAX);
    assertEquals(show(executor.execute()), "done");
    assertEquals(store.tryConsumeFuel(1), true);
    assertEquals(store.consumedFuel(), MAX);
    assertEquals(store.remainingFuel(), fuelLimit === undefined ? undefined : 0n);
  }
});

Deno.test("a limit of 2^64 - 2 is kept", () => {
  const { store, executor } = setUp("ConsumeFuel 2, Return", { fuelLimit: MAX - 1n });
  assertEquals(store.tryConsumeFuel(MAX - 2n), true);
  assertEquals(show(executor.execute()), "trap OutOfFuel");
  assertEquals([store.consumedFuel(), store.remainingFuel()], [MAX - 2n, 1n]);
});

Deno.test("tryConsumeFuel() charges nothing when it says false", () => {
  const store = new RwasmStore({ fuelLimit: 2n ** 63n });
  assertEquals(store.tryConsumeFuel(2n ** 63n), true);
  assertEquals(store.tryConsumeFuel(1), false);
  assertEquals(store.tryConsumeFuel(0), true);
  assertEquals([store.consumedFuel(), store.remainingFuel()], [2n ** 63n, 0n]);
});

Deno.test("resetFuel() sets consumption to 0 and the limit anew, or lifts it", () => {
  const store = new RwasmStore({ fuelLimit: 5 });
  store.tryConsumeFuel(5);
  store.resetFuel(7);
  assertEquals([store.consumedFuel(), store.remainingFuel()], [0n, 7n]);
  store.resetFuel();
  assertEquals([store.consumedFuel(), store.remainingFuel()], [0n, undefined]);
});

Deno.test("fuel is counted without a limit, over runs, and a trap refunds nothing", () => {
  const { store, executor } = setUp("ConsumeFuel 3, Unreachable");
  executor.execute();
  executor.execute();
  assertEquals(store.consumedFuel(), 6n);
});

Deno.test("an out-of-fuel trap says what was needed, what was left, and how to raise the limit", () => {
  const { executor } = setUp("ConsumeFuel 4, C 9, ConsumeFuelStack, Return", { fuelLimit: 10 });
  const outcome = executor.execute();
  assertEquals(explained(outcome), "out of fuel: 9 needed, 6 of 10 left");
  assertEquals(
    outcome.status === "trap" && outcome.trap.hint,
    "give the store a higher fuelLimit, or call store.resetFuel()",
  );
});

for (const amount of [-1, 1.5, NaN, Infinity, 2 ** 53, -1n, 2n ** 64n, "5", null, {}, Symbol("fuel")]) {
  Deno.test(`fuel of ${String(amount)} is refused`, () => {
    const wrong = amount as number;
    const store = new RwasmStore({ fuelLimit: 5 });
    for (
      const use of [
        () => new RwasmStore({ fuelLimit: wrong }),
        () => store.resetFuel(wrong),
        () => store.tryConsumeFuel(wrong),
      ]
    ) {
      const error = assertThrows(use, UsageError, "fuel must be an integer from 0 to 2^64 - 1");
      assertEquals((error as UsageError).code, "InvalidFuel");
    }
    assertEquals([store.consumedFuel(), store.remainingFuel()], [0n, 5n]);
  });
}

Deno.test("a call refused for its depth charges nothing of the callee", () => {
  const code = "CallInternal 2, Return, ConsumeFuel 1, CallInternal 2";
  const { store, executor } = setUp(code, { limits: { callDepth: 3 } });
  assertEquals(show(executor.execute()), "trap StackOverflow");
  assertEquals(store.consumedFuel(), 3n);
  assertEquals(execute(code, "->", [], { fuelLimit: 2 }), "trap OutOfFuel");
});
