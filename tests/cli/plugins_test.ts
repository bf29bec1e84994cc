import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine, plugin } from "./command_line.ts";

/** What people write with AssemblyScript; "oops" and "a.ts" are at 20 and 40, behind their sizes. */
const ASSEMBLYSCRIPT = wat(`(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (import "env" "seed" (func $seed (result f64)))
  (import "env" "console.log" (func $log (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\08\\00\\00\\00o\\00o\\00p\\00s\\00") (data (i32.const 36) "\\08\\00\\00\\00a\\00.\\00t\\00s\\00")
  (func (export "fail") (call $abort (i32.const 20) (i32.const 40) (i32.const 3) (i32.const 9)))
  (func (export "seed") (result f64) (call $seed))
  (func (export "log") (call $log (i32.const 20))))`);

const CONSOLE = wat(`(module
  (import "console" "log" (func $log (param i32 i32))) (import "console" "warn" (func $warn (param i32 i32)))
  (memory (export "memory") 1) (data (i32.const 0) "a\\1b[1mb")
  (func (export "main") (call $log (i32.const 0) (i32.const 6)) (call $warn (i32.const 0) (i32.const 1))))`);

const STRANGE = wat(`(module
  (import "strange" "thing" (func $thing (param i32) (result i64 f32)))
  (import "strange" "value" (global $value i32))
  (func (export "main") (result i64 f32) (call $thing (i32.const 1)))
  (func (export "value") (result i32) (global.get $value)))`);

const run = (line: string, files: Record<string, Uint8Array>, outside = {}) =>
  commandLine(["run", ...line.split(" ")], files, outside);

Deno.test("--plugin assemblyscript offers abort, seed and console, and its abort is the guest's trap", async () => {
  const files = { as: ASSEMBLYSCRIPT };
  const failed = await run("as -i fail -p assemblyscript", files);
  assertEquals(failed.code, 10);
  assertStringIncludes(failed.err, "oops at a.ts:3:9");
  assertEquals((await run("as -q -i log -p assemblyscript", files)).out, "oops\n");
  assertEquals((await run("as -q -i seed -p assemblyscript", files)).out, "1\n");
  assertEquals((await run("as -q -i seed -p assemblyscript --seed 42", files)).out, "42\n");
});

Deno.test("--plugin console prints to the streams of the level, raw but on a terminal", async () => {
  const files = { c: CONSOLE };
  assertEquals(await run("c -q -p console", files), { code: 0, out: "a\x1b[1mb\n", err: "a\n" });
  const shown = await run("c -q -p console", files, { terminal: { out: true } });
  assertEquals(shown.out, "a\\u{1b}[1mb\n");
});

Deno.test("with --json the lines of plugins leave standard output to the document", async () => {
  const { out, err } = await run("c -p console --json", { c: CONSOLE });
  assertEquals(JSON.parse(out).status, "done");
  assertEquals(err, "a\x1b[1mb\na\n");
});

Deno.test("--plugin spectest offers the prints of the test suite", async () => {
  const guest = wat(
    '(module (import "spectest" "print_i32" (func $p (param i32))) (func (export "main") (call $p (i32.const 8))))',
  );
  assertEquals((await run("g -q -p spectest", { g: guest })).out, "8\n");
});

Deno.test("a module without its plugins is told which of ours has them", async () => {
  const as = await run("as -i seed", { as: ASSEMBLYSCRIPT });
  assertEquals(as.code, 4);
  assertStringIncludes(as.err, "--plugin assemblyscript offers some of them");
  const strange = await run("s", { s: STRANGE });
  assertEquals(strange.err.includes("offers some of them"), false);
});

Deno.test("--unknown-imports trap runs until such a function is called", async () => {
  const guest = wat(`(module (import "env" "mystery" (func $m (param i64)))
    (func (export "calm") (result i32) (i32.const 3)) (func (export "call") (call $m (i64.const 1))))`);
  assertEquals((await run("g -q -i calm --unknown-imports trap", { g: guest })).out, "3\n");
  const { code, err } = await run("g -i call --unknown-imports=trap", { g: guest });
  assertEquals(code, 10);
  assertStringIncludes(err, "UnknownExternalFunction");
  assertStringIncludes(err, '"env"."mystery"');
});

Deno.test("--unknown-imports zero returns zeros, also for globals; error is the default", async () => {
  const files = { s: STRANGE };
  assertEquals((await run("s -q -i main --unknown-imports zero", files)).out, "0\n0\n");
  assertEquals((await run("s -q -i value --unknown-imports zero", files)).out, "0\n");
  const refused = await run("s -i main --unknown-imports trap", files);
  assertEquals(refused.code, 3);
  assertStringIncludes(refused.err, "--unknown-imports zero");
  assertEquals(await run("s -i main", files), await run("s -i main --unknown-imports error", files));
  assertMatch((await run("s --unknown-imports zer", files)).err, /did you mean zero\?/);
});

Deno.test("stand-ins leave what plugins offer alone", async () => {
  const guest = wat(`(module (import "env" "halt" (func $halt)) (import "env" "other" (func $other))
    (func (export "main") (call $other) (call $halt) unreachable))`);
  assertEquals((await run(`g -p ${plugin("pause")} --unknown-imports zero`, { g: guest })).code, 0);
});

Deno.test("a plugin file makes the data of a run with createData()", async () => {
  const guest = wat(`(module (import "data" "next" (func $next (result i32)))
    (func (export "main") (result i32 i32) (call $next) (call $next)))`);
  const { code, out } = await run(`g -q -p ${plugin("data")}`, { g: guest });
  assertEquals([code, out], [0, "41\n42\n"]);
});

for (const [name, why] of [["data_throws", "no data today"], ["data_wrong", "did not return an object"]]) {
  Deno.test(`createData() that fails is a plugin error (${name})`, async () => {
    const { code, err } = await run(`g -p ${plugin(name)}`, { g: wat('(module (func (export "main")))') });
    assertEquals(code, 5);
    assertStringIncludes(err, "error[PluginDataFailed]");
    assertStringIncludes(err, why);
  });
}

Deno.test("--timings tells the stages, in text and in JSON", async () => {
  const files = { g: wat('(module (func (export "main")))') };
  const { err } = await run("g -q --timings", files, { tick: 2 });
  assertMatch(err, /^time: plugins 2\.0 ms, load 2\.0 ms, compile 2\.0 ms, run \d+\.0 ms\n$/);
  const { milliseconds } = JSON.parse((await run("g --timings --json", files, { tick: 2 })).out);
  const { run: running, ...before } = milliseconds;
  assertEquals(before, { plugins: 2, load: 2, compile: 2 });
  assert(running >= 2); // what watches a run asks the clock, too
  assert(!("milliseconds" in JSON.parse((await run("g --json", files)).out)));
});
