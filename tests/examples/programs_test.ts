/**
 * The examples as programs: they run with the permissions the README gives them, and their guests in
 * binary are what their sources say.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assembleWat } from "../compile/wat.ts";

const ROOT = new URL("../../", import.meta.url);

async function run(args: readonly string[]): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

Deno.test("examples/secp256k1 runs and finds every result right", async () => {
  const lines = await run(["--allow-read", "examples/secp256k1/main.ts"]);
  const checks = lines.filter((line) => /^(ok|FAIL) /.test(line));
  assertEquals(checks.length, 6);
  assert(checks.every((line) => line.startsWith("ok")), checks.join("\n"));
  assertEquals(lines.filter((line) => /\d+ fuel, \d+ ms$/.test(line)).length, 5);
});

Deno.test("examples/counter counts, and stops guests that misbehave", async () => {
  const lines = await run(["--allow-read=examples/counter/guest.wasm", "examples/counter/main.ts"]);
  assertEquals(lines.map((line) => line.replace(/, \d+ fuel so far$/, "")), [
    "Ada: visit 1",
    "Grace: visit 1",
    "Ada: visit 2",
    "beyond the memory: trap MemoryOutOfBounds",
    "nobody: trap OutOfFuel",
    "Ada, with new fuel: visit 3",
  ]);
});

for (const guest of ["fib/fib", "counter/guest", "hello/hello"]) {
  Deno.test(`examples/${guest}.wasm is made from its .wat`, () => {
    const source = Deno.readTextFileSync(new URL(`examples/${guest}.wat`, ROOT));
    assertEquals(Deno.readFileSync(new URL(`examples/${guest}.wasm`, ROOT)), assembleWat(source));
  });
}
