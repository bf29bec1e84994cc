import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RwasmModule } from "../../mod.ts";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine, plugin } from "./command_line.ts";

const FIB = Deno.readFileSync(new URL("../../examples/fib/fib.wasm", import.meta.url));
const TWO = wat(
  '(module (func (export "a") (result i32) i32.const 1) (func (export "b") (result i64) i64.const 2))',
);

Deno.test("compile writes a module that run runs, with the same result and fuel", async () => {
  const files: Record<string, Uint8Array> = { "fib.wasm": FIB };
  const compiled = await commandLine(["compile", "fib.wasm", "-o", "fib.rwasm"], files);
  assertEquals([compiled.code, compiled.out], [0, ""]);
  assertMatch(
    compiled.err,
    /^fib\.rwasm: \d+ bytes, \d+ instructions\nentry point "fib"; run it with --type "\(i32\) -> \(i64\)"\n$/,
  );
  const direct = await commandLine(["run", "fib.wasm", "15"], files);
  const decoded = await commandLine(["run", "fib.rwasm", "--type", "(i32) -> (i64)", "15"], files);
  assertEquals(direct.out, "610\n");
  assertEquals(decoded, direct);
});

Deno.test("compile --entry chooses the entry point", async () => {
  const files: Record<string, Uint8Array> = { two: TWO };
  for (const [name, type, value] of [["a", "()->i32", "1\n"], ["b", "()->i64", "2\n"]]) {
    assertEquals((await commandLine(["compile", "two", "-o", "out", "--entry", name], files)).code, 0);
    assertEquals((await commandLine(["run", "out", "--type", type, "-q"], files)).out, value);
  }
});

Deno.test("compile without a clear entry point says so", async () => {
  const { code, err } = await commandLine(["compile", "two", "-o", "out"], { two: TWO });
  assertEquals(code, 0);
  assertStringIncludes(err, "no entry point: choose one with --entry");
});

Deno.test("compile --entry of an unknown export is a usage error with the nearest name", async () => {
  const { code, err } = await commandLine(["compile", "f", "-o", "out", "-e", "fibb"], { f: FIB });
  assertEquals(code, 2);
  assertStringIncludes(err, "did you mean fib?");
});

Deno.test("compile --json tells sizes and the entry point", async () => {
  const files: Record<string, Uint8Array> = { f: FIB };
  const { code, out } = await commandLine(["compile", "f", "-o", "out", "--json"], files);
  assertEquals(code, 0);
  assertEquals(JSON.parse(out), {
    schema: 1,
    status: "done",
    file: "out",
    bytes: files.out.length,
    instructions: RwasmModule.decode(files.out).length,
    entry: { name: "fib", params: ["i32"], results: ["i64"] },
  });
});

Deno.test("compile reads standard input and writes standard output", async () => {
  const files: Record<string, Uint8Array> = { "-": FIB };
  const { code, out } = await commandLine(["compile", "-", "-o", "-"], files);
  assertEquals([code, out], [0, ""]);
  assertEquals(Array.from(files["-"].subarray(0, 3)), [0xef, 0x52, 1]);
});

Deno.test("compile takes the indices of imports from plugins", async () => {
  const guest = wat('(module (import "env" "halt" (func $h)) (func (export "main") (call $h) unreachable))');
  const files: Record<string, Uint8Array> = { guest };
  assertEquals((await commandLine(["compile", "guest", "-o", "out"], files)).code, 4);
  assertEquals((await commandLine(["compile", "guest", "-o", "out", "-p", plugin("pause")], files)).code, 0);
  assertEquals((await commandLine(["run", "out", "-p", plugin("pause")], files)).code, 0);
});

Deno.test("compile of a .rwasm file is a usage error", async () => {
  const files: Record<string, Uint8Array> = { f: FIB };
  await commandLine(["compile", "f", "-o", "out"], files);
  assertEquals((await commandLine(["compile", "out", "-o", "again"], files)).code, 2);
});

Deno.test("run --invoke of a .rwasm file is a usage error", async () => {
  const files: Record<string, Uint8Array> = { f: FIB };
  await commandLine(["compile", "f", "-o", "out"], files);
  const { code, err } = await commandLine(["run", "out", "--invoke", "fib", "3"], files);
  assertEquals(code, 2);
  assertStringIncludes(err, "a .rwasm file has no export names");
});
