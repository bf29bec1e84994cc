/**
 * The commands `trace`, `diff` and `replay`: formats by name, what they tell, exit codes.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readBinaryTrace } from "../../lib/trace/binary_reader.ts";
import { readJsonLinesTrace } from "../../lib/trace/json_lines.ts";
import { assembleWat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

const wat = (constant: number) =>
  assembleWat(`(module
    (memory 1)
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const ${constant})))
    (func (export "main") (param i32) (result i32)
      (i32.store (i32.const 64) (local.get 0))
      (call $twice (i32.load (i32.const 64))))
    (func (export "fail") (param i32) (unreachable)))`);

const files = () => ({ "app.wasm": wat(2), "other.wasm": wat(3) }) as Record<string, Uint8Array>;

Deno.test("trace prints instructions and changes as text", async () => {
  const { code, out, err } = await commandLine(["trace", "app.wasm", "--invoke", "main", "21"], files());
  assertEquals(code, 0);
  assertStringIncludes(out, "main:\n");
  assertStringIncludes(out, "writes 4 bytes at 0x40: 0x15, before 0x0");
  assertStringIncludes(out, "reads 4 bytes at 0x40: 0x15");
  assertStringIncludes(err, "instructions, ");
});

Deno.test("trace writes the format that the name of its file tells", async () => {
  const all = files(), line = ["trace", "app.wasm", "--invoke", "main", "-q"];
  for (const name of ["a.trace", "a.jsonl", "a.json", "a.txt"]) {
    const { code, out } = await commandLine([...line, "-o", name, "21"], all);
    assertEquals([code, out], [0, "42\n"], name);
  }
  const text = (name: string) => new TextDecoder().decode(all[name]);
  const binary = [...readBinaryTrace(all["a.trace"]).chunks()],
    lines = [...readJsonLinesTrace(text("a.jsonl")).chunks()];
  assertEquals(binary[0].rows, lines[0].rows);
  assert(Array.isArray(JSON.parse(text("a.json")).traceEvents));
  assertStringIncludes(text("a.txt"), "I32Mul");
});

Deno.test("trace keeps only what its flags want", async () => {
  const opcodes = async (...flags: string[]) => {
    const all = files();
    await commandLine(["trace", "app.wasm", "--invoke", "main", "-q", "-o", "t.jsonl", ...flags, "5"], all);
    return [...new TextDecoder().decode(all["t.jsonl"]).matchAll(/"op":"(\w+)"/g)].map(([, op]) => op);
  };
  const whole = await opcodes();
  assertEquals(await opcodes("--last", "2"), whole.slice(-2));
  assertEquals(await opcodes("--most", "3"), whole.slice(0, 3));
  assertEquals(await opcodes("--every", "5"), whole.filter((_, i) => i % 5 === 0));
  assertEquals(await opcodes("--memory", "0x40-0x43"), ["I32Store", "I32Load"]);
  assert((await opcodes("--function", "twice")).includes("I32Mul"));
  assertEquals(await opcodes("--syscalls"), []);
});

Deno.test("the last instructions keep their numbers in every file", async () => {
  const all = files(), line = ["trace", "app.wasm", "--invoke", "main", "-q", "--last", "3"];
  for (const name of ["a.trace", "a.jsonl", "a.txt"]) await commandLine([...line, "-o", name, "5"], all);
  const numbers = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, i]) => Number(i));
  const text = numbers(new TextDecoder().decode(all["a.txt"]), /^ *(\d+) {2,}\d+ {2}[A-Z]/gm);
  assertEquals(text.length, 3);
  assert(text[0] > 10);
  assertEquals(numbers(new TextDecoder().decode(all["a.jsonl"]), /"i":(\d+),"pc"/g), text);
  assertEquals(
    [...readBinaryTrace(all["a.trace"]).chunks()].flatMap(({ step, rows }) => [...step!.subarray(0, rows)]),
    text,
  );
});

Deno.test("a trace that cannot be made leaves the file as it was", async () => {
  const all = { ...files(), "a.trace": Uint8Array.of(1) };
  const line = ["trace", "app.wasm", "--invoke", "main", "--function", "nope", "-o", "a.trace", "1"];
  assertEquals((await commandLine(line, all)).code, 2);
  assertEquals(all["a.trace"], Uint8Array.of(1));
});

Deno.test("diff of programs gives standard input to each run", async () => {
  const cat = assembleWat(`(module
    (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 8))
      (drop (call 0 (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.eqz (i32.load8_u (i32.const 100))) (then unreachable))))`);
  const line = ["diff", "cat.wasm", "cat.wasm", "--stdin", "-"];
  const { code, out, err } = await commandLine(line, { "cat.wasm": cat, "-": Uint8Array.of(65, 66) }, {
    input: ["AB"],
  });
  assertEquals([code, out, err], [0, "the runs are equal\n", ""]);
});

Deno.test("replay with another program says that it is another one, not which plugins it lacks", async () => {
  const all = files();
  all["host.wasm"] = assembleWat(`(module (import "env" "f" (func)) (func (export "main") (call 0)))`);
  await commandLine(["run", "app.wasm", "--record", "r.jsonl", "--invoke", "main", "1"], all);
  for (const other of ["host.wasm", "other.wasm"]) {
    const { code, err } = await commandLine(["replay", "r.jsonl", other], all);
    assertEquals(code, 4);
    assertStringIncludes(err, "error[OtherModule]: Cannot replay: the recording is of another module");
  }
});

Deno.test("trace of a trap has a trace, and the exit code of run", async () => {
  const { code, out } = await commandLine(
    ["trace", "app.wasm", "--invoke", "fail", "--last", "2", "1"],
    files(),
  );
  assertEquals(code, 10);
  assertStringIncludes(out, "trap UnreachableCodeReached");
});

const WRONG: [line: string[], code: string][] = [
  [["trace"], "MissingFile"],
  [["trace", "app.wasm", "--pc", "9-3"], "InvalidRange"],
  [["trace", "app.wasm", "--memory", "x"], "InvalidRange"],
  [["trace", "app.wasm", "--invoke", "main", "--function", "nope", "1"], "UnknownFunction"],
  [["trace", "app.wasm", "--invoke", "main", "--every", "0", "1"], "InvalidTraceFilter"],
  [["diff", "app.wasm"], "MissingFile"],
  [["diff", "app.wasm", "a.trace", "--invoke", "main"], "MixedFiles"],
  [["replay", "r.jsonl"], "MissingFile"],
];

for (const [line, code] of WRONG) {
  Deno.test(`${line.join(" ")} is refused as ${code}`, async () => {
    const all = files();
    await commandLine(["trace", "app.wasm", "--invoke", "main", "-q", "-o", "a.trace", "1"], all);
    const printed = await commandLine([...line, "--json"], all);
    assertEquals(printed.code, 2);
    assertStringIncludes(printed.out + printed.err, code);
  });
}

Deno.test("diff of traces shows where they part, and ends with 14", async () => {
  const all = files(), line = ["trace", "app.wasm", "--invoke", "main", "-q"];
  await commandLine([...line, "-o", "a.trace", "5"], all);
  await commandLine([...line, "-o", "b.jsonl", "6"], all);
  await commandLine([...line, "-o", "c.jsonl", "5"], all);
  assertEquals(await commandLine(["diff", "a.trace", "c.jsonl"], all), {
    code: 0,
    out: "the runs are equal\n",
    err: "",
  });
  const { code, out } = await commandLine(["diff", "a.trace", "b.jsonl"], all);
  assertEquals(code, 14);
  assertStringIncludes(out, "the runs part at instruction");
});

Deno.test("diff of programs runs both and shows the instruction, its function and operands", async () => {
  const line = ["diff", "app.wasm", "other.wasm", "--invoke", "main", "--", "5"];
  const { code, out } = await commandLine(line, files());
  assertEquals(code, 14);
  assertStringIncludes(out, "in twice");
  const same = await commandLine(["diff", "app.wasm", "app.wasm", "--invoke", "main", "--", "5"], files());
  assertEquals([same.code, same.out], [0, "the runs are equal\n"]);
});

Deno.test("diff and trace tell the same as JSON", async () => {
  const line = ["diff", "app.wasm", "other.wasm", "--invoke", "main", "--json", "--", "5"];
  const { out } = await commandLine(line, files());
  const { status, difference } = JSON.parse(out);
  assertEquals(status, "different");
  assertEquals(difference.instruction.function, "twice");
  const traced = await commandLine(
    ["trace", "app.wasm", "--invoke", "main", "-o", "t.trace", "--json", "5"],
    files(),
  );
  assertEquals(JSON.parse(traced.out).hash.length, 64);
});
