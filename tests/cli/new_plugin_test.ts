import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

const decoder = new TextDecoder();

Deno.test("new-plugin writes a plugin under its own name, with its own indices", async () => {
  const files: Record<string, Uint8Array> = {};
  const { code, out, err } = await commandLine(["new-plugin", "kv"], files);
  assertEquals([code, out], [0, ""]);
  assertStringIncludes(err, "kv.ts");
  const text = decoder.decode(files["kv.ts"]);
  assertStringIncludes(text, '  module: "kv",\n');
  assertStringIncludes(text, '  name: "kv",\n');
  assertStringIncludes(text, '(import "kv" "put" …)');
  assertEquals([...text.matchAll(/index: (0x\w+),/g)].map((match) => match[1]), [
    "0x6b76_5f00",
    "0x6b76_5f01",
    "0x6b76_5f02",
    "0x6b76_5f03",
    "0x6b76_5f04",
  ]);
  assertEquals(/"notes"|\.\.\/mod\.ts/.test(text.replaceAll("caller.data.notes", "")), false);
});

Deno.test("new-plugin replaces a file only with --force", async () => {
  const files: Record<string, Uint8Array> = { "kv.ts": new Uint8Array([1]) };
  const { code, err } = await commandLine(["new-plugin", "kv"], files);
  assertEquals(code, 1);
  assertStringIncludes(err, "error[FileExists]");
  assertEquals(files["kv.ts"], new Uint8Array([1]));
  assertEquals((await commandLine(["new-plugin", "kv", "--force", "--json"], files)).code, 0);
  assert(files["kv.ts"].length > 1000);
});

Deno.test("what new-plugin writes works with run as it is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rwasm-plugin-" });
  try {
    const path = `${folder}/memo-pad.ts`, files: Record<string, Uint8Array> = {};
    assertEquals((await commandLine(["new-plugin", path], files)).code, 0);
    await Deno.writeFile(path, files[path]);
    const guest = wat(`(module
      (import "memo-pad" "put" (func $put (param i32 i32 i32 i32)))
      (import "memo-pad" "count" (func $count (param i32 i32) (result i64)))
      (memory (export "memory") 1) (data (i32.const 0) "name")
      (func (export "main") (result i64)
        (call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 2))
        (call $put (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2))
        (call $count (i32.const 0) (i32.const 1))))`);
    const { code, out, err } = await commandLine(["run", "g", "-q", "-p", path], { g: guest });
    assertEquals({ code, out, err }, { code: 0, out: "2\n", err: "" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
