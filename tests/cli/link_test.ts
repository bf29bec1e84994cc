import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine, plugin } from "./command_line.ts";
import { PROGRAM } from "./guests.ts";

const HOST = wat(
  `(module (import "env" "halt" (func $halt)) (import "env" "pause" (func (param i32) (result i32)))
  (func (export "main") (call $halt)))`,
);

/** Everything that can be wrong: a misspelling, another type, a stranger, a memory, a global. */
const WRONG = wat(`(module (import "env" "hlat" (func)) (import "env" "pause" (func (param f64)))
  (import "other" "thing" (func)) (import "env" "memory" (memory 1)) (import "env" "g" (global i32))
  (func (export "main") unreachable))`);

Deno.test("link tells who offers each import, and runs nothing", async () => {
  const { code, out, err } = await commandLine(["link", "h", "-p", plugin("pause")], { h: HOST });
  assertEquals(code, 0, err);
  assertMatch(
    out,
    /^"env"\."halt" \(\) -> \(\): plugin .*pause\.ts.*\n"env"\."pause" \(i32\) -> \(i32\): .*\n$/,
  );
  assertEquals(err, "h links: 2 imports\n");
  // Its only function traps.
  const trap = wat("(module (func $f unreachable) (start $f))");
  assertEquals((await commandLine(["link", "t"], { t: trap })).code, 0);
});

Deno.test("link reports all problems at once", async () => {
  const { code, out, err } = await commandLine(["link", "w", "-p", plugin("pause")], { w: WRONG });
  assertEquals([code, out], [4, ""]);
  for (
    const text of [
      'did you mean "halt"',
      "signature mismatch: the module wants (f64) -> (), plugin",
      '"other"."thing": unknown',
      '"env"."memory": an imported memory, which no plugin can offer',
      '"env"."g": an imported global, which no plugin can offer; run takes it for 0',
    ]
  ) assertStringIncludes(err, text);
});

Deno.test("link reports imports of other kinds also when all functions fit", async () => {
  const guest = wat('(module (import "env" "memory" (memory 1)) (func (export "main")))');
  const { code, err } = await commandLine(["link", "g"], { g: guest });
  assertEquals(code, 4);
  assertStringIncludes(err, "error[NotSupportedImportType]");
});

Deno.test("link reports every plugin that cannot be used, and what is then missing", async () => {
  const args = ["link", "h", "-p", plugin("broken"), "-p", plugin("missing")];
  const { code, err } = await commandLine(args, { h: HOST });
  assertEquals(code, 5);
  for (const text of ["broken.ts", "missing.ts", '"env"."halt": unknown']) assertStringIncludes(err, text);
  const { out, code: jsonCode } = await commandLine([...args, "--json"], { h: HOST });
  const { status, imports, problems } = JSON.parse(out);
  assertEquals([jsonCode, status, imports.length, problems.length], [5, "error", 2, 3]);
  assertEquals(problems.map(({ name }: { name: string }) => name), [
    "PluginError",
    "PluginError",
    "LinkError",
  ]);
});

Deno.test("link --json is a document, with and without problems", async () => {
  const { out } = await commandLine(["link", "h", "-p", plugin("pause"), "--json"], { h: HOST });
  const { status, imports, problems } = JSON.parse(out);
  assertEquals([status, problems, imports[0].name, imports[0].kind], ["done", [], "halt", "function"]);
});

Deno.test("link knows WASI and the plugins that come with the library", async () => {
  assertEquals((await commandLine(["link", "p"], { p: PROGRAM })).code, 0);
  const log = wat('(module (import "console" "log" (func (param i32 i32))))');
  assertStringIncludes((await commandLine(["link", "l"], { l: log })).err, "--plugin console offers some");
  assertEquals((await commandLine(["link", "l", "-p", "console"], { l: log })).code, 0);
});

Deno.test("link checks the indices a .rwasm file calls", async () => {
  const files: Record<string, Uint8Array> = { h: HOST };
  await commandLine(["compile", "h", "-o", "h.rwasm", "-p", plugin("pause")], files);
  const fits = await commandLine(["link", "h.rwasm", "-p", plugin("pause")], files);
  assertEquals(fits.code, 0);
  assertMatch(fits.out, /^1: "env"\."pause" of plugin .*\n3: "env"\."halt" of plugin .*\n$/);
  const { code, err } = await commandLine(["link", "h.rwasm"], files);
  assertEquals(code, 4);
  assertStringIncludes(err, "no plugin declares the indices it calls: 1, 3");
});

Deno.test("link of an invalid module exits with 3", async () => {
  assertEquals((await commandLine(["link", "x"], { x: new Uint8Array([0, 1, 2]) })).code, 3);
});
