/**
 * Runs without charges under a fuel limit: they end as OutOfFuel although nothing is consumed, unless
 * the module was compiled that way on purpose.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { compile, RwasmExecutor, RwasmModule, RwasmStore } from "../../mod.ts";
import { MOST_UNCHARGED_JUMPS } from "../../lib/limits.ts";
import { constant, encodeWasm, get, I32, loop, tee } from "../wasm_encoder.ts";
import { explained, type Extra, type Host, setUp, show } from "./notation.ts";

/** A loop of n iterations without charges; it leaves the stack as it was. */
const iterate = (n: number) => `C ${n}, C -1, I32Add, LocalGet 1, BrIfNez -3, Drop`;

/** Puts the function at a pc into element 0 of table 0. */
const elementZero = (pc: number) => `RefFunc ${pc}, C 1, TableGrow 0, Drop`;

/** Code that never ends by itself and charges nothing. */
// deno-fmt-ignore
const ENDLESS: readonly (readonly [code: string, extra?: Extra])[] = [
  ["Br 0"],
  ["C 1, Drop, Br -2"],
  ["C 1, BrIfNez -1"],
  ["C 0, BrIfEqz -1"],
  ["C 0, BrTable 1, Br -2"],
  ["CallInternal 2, ReturnCallInternal 0, Return"],
  ["CallInternal 3, Br 1, Br -2, Return"],
  ["ReturnCallInternal 0"],
  ["ReturnCallInternal 2, ReturnCallInternal 0, ReturnCallInternal 1"],
  [`${elementZero(4)}, C 0, ReturnCallIndirect 0, TableGet 0`],
  [`${elementZero(8)}, C 0, CallIndirect 0, TableGet 0, Br -3, SignatureCheck 0, Return`],
  ["ConsumeFuel 0, Br -1"],
  ["C 0, ConsumeFuelStack, Br -2"],
  ["Br 0", { sourcePc: 1 }], // while it is instantiated
];

for (const [code, extra] of ENDLESS) {
  Deno.test(`${code}${extra === undefined ? "" : ", as initialization,"} ends under a fuel limit`, () => {
    const { store, executor } = setUp(code, { fuelLimit: 10, ...extra });
    const outcome = executor.execute();
    assertEquals(show(outcome), "trap OutOfFuel");
    assertStringIncludes(
      explained(outcome),
      `out of fuel: ${MOST_UNCHARGED_JUMPS} backward branches and calls without a charge`,
    );
    assertEquals(store.consumedFuel(), 0n);
  });
}

Deno.test("the trap of a run without charges says what to do", () => {
  const outcome = setUp("Br 0", { fuelLimit: 10 }).executor.execute();
  assertEquals(
    outcome.status === "trap" && outcome.trap.hint,
    "the module is not metered: compile it with consumeFuel, or run it without a fuelLimit",
  );
});

/** Not too many once, but twice. */
const PART = 0.6 * MOST_UNCHARGED_JUMPS;

/** A host function that does something with its caller. */
type Act = Host[1];

// deno-fmt-ignore
const COUNTED: readonly (readonly [what: string, code: string, ending: string, act?: Act])[] = [
  ["as many jumps as may be", iterate(MOST_UNCHARGED_JUMPS + 1), "done"],
  ["one more", iterate(MOST_UNCHARGED_JUMPS + 2), "trap OutOfFuel"],
  ["a charge between two loops", `${iterate(PART)}, ConsumeFuel 1, ${iterate(PART)}`, "done"],
  ["a charge from the stack", `${iterate(PART)}, C 1, ConsumeFuelStack, ${iterate(PART)}`, "done"],
  ["a charge of 0", `${iterate(PART)}, ConsumeFuel 0, ${iterate(PART)}`, "trap OutOfFuel"],
  ["a charge that does not fit the slice", `${iterate(PART)}, ConsumeFuel 4294967295, ${iterate(PART)}`, "done"],
  ["a host function that charges", `${iterate(PART)}, Call 1, ${iterate(PART)}`, "done", (caller) => caller.consumeFuel(1)],
  ["a host function that charges 0", `${iterate(PART)}, Call 1, ${iterate(PART)}`, "trap OutOfFuel", (caller) => caller.consumeFuel(0)],
  ["a host function that does nothing", `${iterate(PART)}, Call 1, ${iterate(PART)}`, "trap OutOfFuel", () => {}],
];

for (const [what, code, ending, act] of COUNTED) {
  Deno.test(`uncharged jumps with ${what}: ${ending}`, () => {
    const hosts: Host[] = act === undefined ? [] : [["->", act]];
    assertEquals(show(setUp(`${code}, Return`, { fuelLimit: 2n ** 40n, hosts }).executor.execute()), ending);
  });
}

Deno.test("every run counts anew, a resumed one goes on counting", () => {
  const pause: Host = ["->", (caller) => caller.pause()];
  const code = `${iterate(PART)}, Call 1, ${iterate(PART)}, Return`;
  const { store, executor } = setUp(code, { fuelLimit: 10, hosts: [pause] });
  for (let round = 0; round < 2; round++) {
    assertEquals(show(executor.execute()), "paused");
    store.reset();
  }
  assertEquals(show(executor.execute()), "paused");
  assertEquals(show(executor.resume()), "trap OutOfFuel");
});

for (const fuelLimit of [undefined, 2n ** 64n - 1n]) {
  Deno.test(`under a limit of ${fuelLimit} jumps are not counted`, () => {
    assertEquals(show(setUp(`${iterate(2_500_000)}, Return`, { fuelLimit }).executor.execute()), "done");
  });
}

/** Counts its parameter down to 0. */
const COUNTDOWN = encodeWasm({
  functions: [{
    name: "run",
    params: [I32],
    results: [I32],
    body: [...loop(get(0), constant(1), [0x6b], tee(0)), ...get(0)],
  }],
});

Deno.test("a module compiled without charges runs on under a limit; decoded, it is not known to be one", () => {
  const module = compile(COUNTDOWN, { consumeFuel: false, entrypoint: "run" });
  const types = { params: ["i32" as const], results: ["i32" as const] };
  const run = (module: RwasmModule) =>
    show(new RwasmExecutor(new RwasmStore({ fuelLimit: 1 }), module).execute([1_500_000], types));
  assertEquals(run(module), "done 0");
  assertEquals(run(RwasmModule.decode(module.encode())), "trap OutOfFuel");
});

Deno.test("long code may jump more often: a division is a call, and straight-line code is charged once", () => {
  const { executor } = setUp(`${iterate(1_500_000)}, Return${", Return".repeat(20_000)}`, { fuelLimit: 1 });
  assertEquals(show(executor.execute()), "done");
});
