/**
 * The examples kv_contract and grader: as programs with the permissions their heads give, and what
 * they promise to those who copy them.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Contract } from "../../examples/kv_contract/contract.ts";
import { newChain } from "../../examples/kv_contract/kv.ts";
import { BUDGET, grade, verdictText } from "../../examples/grader/grade.ts";
import { type Test, TESTS } from "../../examples/grader/task.ts";
import { LinkError, ValidationError } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

const ROOT = new URL("../../", import.meta.url);

async function run(args: readonly string[]): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

const read = (path: string) => Deno.readFileSync(new URL(`examples/${path}`, ROOT));

for (const folder of ["kv_contract/", "grader/submissions/"]) {
  for (const { name } of Deno.readDirSync(new URL(`examples/${folder}`, ROOT))) {
    if (!name.endsWith(".wat")) continue;
    Deno.test(`examples/${folder}${name} is the source of its .wasm`, () => {
      const source = new TextDecoder().decode(read(`${folder}${name}`));
      assertEquals(read(`${folder}${name.replace(/wat$/, "wasm")}`), assembleWat(source));
    });
  }
}

// ── kv_contract ─────────────────────────────────────────────────────────────────────────────────

Deno.test("examples/kv_contract runs, and its reverted calls leave no trace", async () => {
  const lines = await run(["--allow-read=examples/kv_contract", "examples/kv_contract/main.ts"]);
  assertEquals(lines.map((line) => line.replace(/, \d+ fuel$/, "")), [
    `1: mint(2, 1000)  ok "minted"`,
    "2: mint(2, 1000000)  UnreachableCodeReached",
    "2: transfer(3, 300)  ok",
    "2: transfer(3, 701)  UnreachableCodeReached",
    "2: transfer(3, -5)  UnreachableCodeReached",
    "2: airdrop(100, 10, 1)  ok",
    "2: airdrop(200, 1000, 0)  OutOfFuel",
    "2: airdrop(200, 10, 1)  OutOfFuel",
    "2: balance(2)  ok 690",
    "3: balance(3)  ok 300",
    "105: balance(105)  ok 1",
    "200: balance(200)  ok 0",
    "12 keys in the store",
  ]);
});

const CONTRACT = read("kv_contract/contract.wasm");

Deno.test("a contract's units are never made or lost, whatever is tried", () => {
  const chain = newChain(), token = new Contract(CONTRACT, chain);
  const balance = (account: bigint) => token.call(0n, 10_000n, "balance", account).results[0] as bigint;
  assertEquals(token.call(1n, 10_000n, "mint", 5n, 1000n).status, "ok");
  assertEquals(token.call(1n, 10_000n, "mint", 5n, 2n ** 63n - 1n).status, "UnreachableCodeReached");
  assertEquals(token.call(1n, 10_000n, "mint", 5n, -1001n).status, "UnreachableCodeReached");
  const statuses = new Set<string>();
  let x = 1;
  for (let step = 0; step < 300; step++) {
    x = Math.imul(x, 1664525) + 1013904223 | 0;
    const from = BigInt(5 + (x >>> 8 & 3)), to = BigInt(5 + (x >>> 12 & 3)), amount = BigInt((x >> 16) % 400);
    const budget = BigInt(x >>> 4 & 0x3fff);
    statuses.add(token.call(from, budget, "transfer", to, amount).status);
    assertEquals([5n, 6n, 7n, 8n].map(balance).reduce((sum, part) => sum + part), 1000n);
  }
  assertEquals([...statuses].sort(), ["OutOfFuel", "UnreachableCodeReached", "ok"]);
});

Deno.test("a contract costs the same on every chain, and is trapped for keys and values that are too large", () => {
  const costs = [0, 1].map(() => new Contract(CONTRACT, newChain()).call(1n, 10_000n, "mint", 5n, 7n));
  assertEquals(costs[0], costs[1]);
  const greedy = assembleWat(`(module
    (import "kv" "put" (func $put (param i32 i32 i32 i32)))
    (memory 2)
    (func (export "key") (call $put (i32.const 0) (i32.const 65) (i32.const 0) (i32.const 0)))
    (func (export "value") (call $put (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 4097)))
    (func (export "fits") (call $put (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 4096))))`);
  const chain = newChain(), contract = new Contract(greedy, chain);
  assertEquals(contract.call(1n, 100_000n, "key").status, "MemoryOutOfBounds");
  assertEquals(contract.call(1n, 100_000n, "value").status, "MemoryOutOfBounds");
  assertEquals([...chain.state], []);
  assertEquals(contract.call(1n, 100_000n, "fits").status, "ok");
  assertEquals([...chain.state.keys()], ["00".repeat(64)]);
});

Deno.test("what is no contract is refused before it can run", () => {
  assertThrows(() => new Contract(new Uint8Array(8), newChain()), ValidationError);
  const foreign = assembleWat(`(module (import "kv" "delete" (func (param i32 i32))))`);
  assertThrows(() => new Contract(foreign, newChain()), LinkError, `"kv"."delete": unknown`);
});

// ── grader ──────────────────────────────────────────────────────────────────────────────────────

const VERDICTS: { readonly [name: string]: string } = {
  right: "ok, ",
  slow: `out of fuel in "large": the budget is 1000000`,
  wrong: `wrong answer in "all negative": -6, expected 0`,
  silent: `wrong answer in "nothing": none, expected 0`,
  forever: `out of fuel in "nothing": the budget is 1000000`,
  greedy: `trap in "nothing": unreachable code reached`,
  crash:
    `trap in "nothing": host function failed: host function "task"."number" of plugin "task" threw "RangeError: there is no number 0"`,
  deep: `trap in "nothing": call stack exhausted: 1000 return addresses are stored`,
  spy:
    `refused: Cannot link module: 2 of 2 imports do not match; "task"."expected": unknown; the module wants () -> (i64)`,
};

Deno.test("examples/grader gives every kind of verdict, the same in two processes", async () => {
  const args = ["--allow-read=examples/grader", "examples/grader/main.ts"];
  const [lines, again] = await Promise.all([run(args), run(args)]);
  assertEquals(lines, again);
  assertEquals(lines.length, Object.keys(VERDICTS).length);
  for (const [name, verdict] of Object.entries(VERDICTS)) {
    const line = lines.find((line) => line.startsWith(`${name}.wasm `)) ?? "";
    assertStringIncludes(line, ` ${verdict}`);
  }
});

Deno.test("grade() makes a verdict of whatever it is given", () => {
  const refused: [bytes: Uint8Array, why: string][] = [
    [new Uint8Array(0), "Cannot "],
    [new TextEncoder().encode("<html>"), "Cannot "],
    [assembleWat("(module)"), `it exports no function "solve"`],
    [assembleWat(`(module (func (export "solve") (param i32)))`), "without parameters"],
    [assembleWat(`(module (memory 257) (func (export "solve")))`), "257"],
  ];
  for (const [bytes, why] of refused) {
    const verdict = grade(bytes, TESTS);
    assertEquals(verdict.kind, "refused");
    assertStringIncludes(verdictText(verdict), why);
  }
  const start = assembleWat(`(module (func $s (loop (br 0))) (start $s) (func (export "solve")))`);
  assertEquals(grade(start, TESTS).kind, "out of fuel");
});

Deno.test("grade() runs each test on a fresh instance, and counts fuel of all of them", () => {
  const counting = assembleWat(`(module
    (import "task" "answer" (func $answer (param i64)))
    (global $runs (mut i64) (i64.const 0))
    (func (export "solve")
      (global.set $runs (i64.add (global.get $runs) (i64.const 1)))
      (call $answer (global.get $runs))))`);
  const test: Test = { name: "first", numbers: [], expected: 1n };
  const once = grade(counting, [test]), twice = grade(counting, [test, { ...test, name: "second" }]);
  assert(once.kind === "ok" && twice.kind === "ok");
  assertEquals(twice.fuel, 2n * once.fuel);
  assertEquals(grade(counting, [test], { ...BUDGET, fuel: once.fuel }).kind, "ok");
  assertEquals(grade(counting, [test], { ...BUDGET, fuel: once.fuel - 1n }).kind, "out of fuel");
});
