/**
 * The counting copy of a module: it ends like the module, and its fuel is the number of instructions.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { assemble, RwasmExecutor, type RwasmModule, RwasmStore } from "../mod.ts";
import type { Value } from "../mod.ts";
import { runUnverified } from "../lib/run/prepared.ts";
import { countingCopy } from "./counting_copy.ts";

/** Runs code and gives what it ended with, and the fuel. */
function run(module: RwasmModule, argument: number): [ending: Value | string, fuel: bigint] {
  const store = new RwasmStore({ fuelLimit: 10_000 });
  const outcome = new RwasmExecutor(store, runUnverified(module)).execute([argument], {
    params: ["i32"],
    results: ["i32"],
  });
  const ending = outcome.status === "done"
    ? outcome.results[0]
    : outcome.status === "trap"
    ? outcome.trap.code
    : outcome.status;
  return [ending, store.consumedFuel()];
}

const CASES: Record<string, { code: string; argument: number; ending: Value | string; count: bigint }> = {
  "straight code": { code: "I32Const 5\nI32Add\nReturn", argument: 2, ending: 7, count: 3n },
  "a loop, whose own charges do not count as fuel": {
    // Three rounds of the five instructions of the loop, then the return.
    code: "loop:\nConsumeFuel 100\nI32Const 1\nI32Sub\nLocalGet 1\nBrIfNez loop\nReturn",
    argument: 3,
    ending: 0,
    count: 16n,
  },
  "a branch table that takes an entry in the middle": {
    code: "I32Const 1\nBrTable 3\nBr a\nReturn\nBr b\nReturn\nBr c\nReturn\n" +
      "a:\nI32Const 10\nI32Add\nReturn\nb:\nI32Const 20\nI32Add\nReturn\nc:\nI32Const 30\nI32Add\nReturn",
    argument: 1,
    ending: 21,
    count: 6n,
  },
  "a call through a table, and the return behind the payload slot": {
    code: "RefFunc f\nI32Const 1\nTableGrow 0\nDrop\nI32Const 0\nCallIndirect 0\nTableGet 0\nReturn\n" +
      "f:\nSignatureCheck 0\nI32Const 1\nI32Add\nReturn",
    argument: 41,
    ending: 42,
    count: 11n,
  },
  "fuel from the stack": { code: "I32Const 77\nConsumeFuelStack\nReturn", argument: 4, ending: 4, count: 3n },
  "a trap": { code: "I32Const 0\nI32DivU\nReturn", argument: 4, ending: "IntegerDivisionByZero", count: 2n },
  "a branch out of the code": { code: "Br 1000", argument: 4, ending: "UnreachableCodeReached", count: 1n },
};

for (const [name, { code, argument, ending, count }] of Object.entries(CASES)) {
  Deno.test(`countingCopy() counts ${name}`, () => {
    const module = assemble(code);
    assertEquals(run(module, argument)[0], ending);
    assertEquals(run(countingCopy(module), argument), [ending, count]);
  });
}

Deno.test("countingCopy() bounds a loop without charges", () => {
  assertEquals(run(countingCopy(assemble("loop:\nBr loop")), 1), ["OutOfFuel", 10_000n]);
});
