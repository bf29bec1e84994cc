/**
 * The types that `defineSyscalls` and `define` infer are checked by the compiler: a line below that
 * is accepted or refused against its expectation fails `deno check`.
 *
 * @module
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import {
  type ArgumentsOf,
  type Caller,
  defineSyscalls,
  type ReturnOf,
  type SyscallPlugin,
} from "../../lib/plugin/plugin.ts";

/** Compiles only when both types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends (<X>() => X extends B ? 1 : 2) ? true : false;

Deno.test("argument and return types follow from value types", () => {
  const facts: [
    Same<ArgumentsOf<readonly ["i32", "i64", "f32", "f64"]>, [number, bigint, number, number]>,
    Same<ArgumentsOf<readonly ["funcref", "externref"]>, [number | null, number | null]>,
    Same<ArgumentsOf<readonly []>, []>,
    // deno-lint-ignore no-explicit-any -- that is what is tested
    Same<ArgumentsOf<readonly ("i32" | "i64")[]>, any[]>,
    Same<ReturnOf<readonly []>, void>,
    Same<ReturnOf<readonly ["i64"]>, bigint>,
    Same<ReturnOf<readonly ["i64", "f32"]>, readonly [bigint, number]>,
    Same<ReturnOf<readonly ("i32" | "i64")[]>, unknown>,
  ] = [true, true, true, true, true, true, true, true];
  assertEquals(facts.every(Boolean), true);
});

Deno.test("defineSyscalls() types each function by its signature and hands the plugin back", () => {
  const plugin = {
    module: "env",
    functions: {
      add: {
        index: 1,
        params: ["i32", "i64"],
        results: ["i64"],
        call(_caller: Caller<unknown>, a: number, b: bigint) {
          return BigInt(a) + b;
        },
      },
    },
  } as const;
  assertStrictEquals<unknown>(defineSyscalls(plugin), plugin);
  const inferred = defineSyscalls({
    module: "env",
    functions: {
      swap: {
        index: 2,
        params: ["i32", "i64"],
        results: ["i64", "i32"],
        fuel: { const: 5 },
        call: (_caller, a, b) => {
          const types: [Same<typeof a, number>, Same<typeof b, bigint>] = [true, true];
          return types.every(Boolean) ? [b, a] : [0n, 0];
        },
      },
      stop: { index: 3, params: [], results: ["i32"], call: (caller) => caller.halt() },
      later: {
        index: 4,
        params: ["f64"],
        results: ["f64"],
        call: async (_caller, x) => await Promise.resolve(x),
      },
    },
  });
  assertEquals(Object.keys(inferred.functions), ["swap", "stop", "later"]);
});

Deno.test("defineSyscalls() takes the host context from an annotated caller", () => {
  const plugin = defineSyscalls({
    module: "env",
    functions: {
      get: {
        index: 1,
        params: ["i32"],
        results: ["i32"],
        call: (caller: Caller<{ n: number }>, a) => a + caller.data.n,
      },
    },
  });
  const same: Same<typeof plugin, SyscallPlugin<{ n: number }>> = true;
  assertEquals(same, true);
  new ImportLinker<{ n: number }>().use(plugin);
});

Deno.test("wrong functions do not compile", () => {
  const wrong = () => [
    defineSyscalls({
      module: "m",
      functions: {
        // @ts-expect-error a number where an i64 result needs a bigint
        f: { index: 0, params: ["i32"], results: ["i64"], call: (_caller, a) => a },
      },
    }),
    defineSyscalls({
      module: "m",
      functions: {
        // @ts-expect-error an i32 argument is no bigint
        f: { index: 0, params: ["i32"], results: [], call: (_caller, _a: bigint) => {} },
      },
    }),
    defineSyscalls({
      module: "m",
      // @ts-expect-error there is no value type i46
      functions: { f: { index: 0, params: ["i46"], results: [], call: () => {} } },
    }),
    // @ts-expect-error two results need two values
    new ImportLinker().define("m", "f", { index: 0, params: [], results: ["i32", "i32"] }, () => [1]),
    // @ts-expect-error a string is no i32
    new ImportLinker().define("m", "f", { index: 0, params: [], results: ["i32"] }, () => "1"),
  ];
  assertEquals(typeof wrong, "function");
});
