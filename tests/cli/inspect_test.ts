import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

const GUEST = Deno.readFileSync(new URL("../../examples/counter/guest.wasm", import.meta.url));
const VISITS = new URL("../../examples/counter/visits.ts", import.meta.url).href;

Deno.test("inspect shows imports, exports, sizes and fuel per function", async () => {
  const { code, out, err } = await commandLine(["inspect", "guest.wasm"], { "guest.wasm": GUEST });
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, `guest.wasm: wasm, ${GUEST.length} bytes`);
  assertMatch(out, /function {2}"visits"\."get" {2}\(i32, i32\) -> \(i64\) +\(no plugin offers it\)/);
  assertMatch(out, /memory +"memory" +from 1 pages/);
  assertMatch(out, /function +"visit" +\(i32, i32\) -> \(i64\)/);
  assertMatch(out, /^ +2 +\d+ +\d+ +\d+ +\d+ +"visit"$/m);
});

Deno.test("inspect with a plugin shows who offers an import", async () => {
  const { out } = await commandLine(["inspect", "g", "-p", VISITS], { g: GUEST });
  assertMatch(out, /"visits"\."set" .*visits\.ts/);
  assertStringIncludes(out, "syscalls: 16, 17");
});

Deno.test("inspect --json has the same facts as data", async () => {
  const { code, out } = await commandLine(["inspect", "g", "--json"], { g: GUEST });
  const facts = JSON.parse(out);
  assertEquals([code, facts.schema, facts.status, facts.format, facts.bytes], [
    0,
    1,
    "done",
    "wasm",
    GUEST.length,
  ]);
  assertEquals(facts.imports[1], {
    module: "visits",
    name: "set",
    kind: "function",
    type: "(i32, i32, i64) -> ()",
    from: null,
  });
  assertEquals(facts.exports, [
    { name: "memory", kind: "memory", type: "from 1 pages" },
    { name: "visit", kind: "function", type: "(i32, i32) -> (i64)" },
  ]);
  const visit = facts.functions[2];
  assertEquals([visit.index, visit.name], [2, "visit"]);
  const total = facts.functions.reduce(
    (sum: number, { instructions }: { instructions: number }) => sum + instructions,
    0,
  );
  assertEquals(
    total + facts.functions[0].pc,
    facts.instructions,
    "functions follow the initialization code without gaps",
  );
});

Deno.test("inspect counts the static fuel of a function", async () => {
  // Two charges: the body up to the branch, and the loop.
  const guest = wat('(module (func (export "f") (param i32) (loop $l (br_if $l (local.get 0)))))');
  const facts = JSON.parse((await commandLine(["inspect", "g", "--json"], { g: guest })).out);
  const listing = (await commandLine(["inspect", "g", "-d"], { g: guest })).out;
  const charges = [...listing.matchAll(/ConsumeFuel\((\d+)\)/g)].map((match) => Number(match[1]));
  assertEquals(facts.functions[0].charges, charges.length);
  assertEquals(facts.functions[0].fuel, charges.reduce((sum, charge) => sum + charge, 0));
});

Deno.test("inspect --disassemble prints the instructions, of .wasm and .rwasm files", async () => {
  const files: Record<string, Uint8Array> = {
    g: wat('(module (func (export "main") (result i32) i32.const 77))'),
  };
  const listing = await commandLine(["inspect", "g", "--disassemble"], files);
  assertEquals(listing.code, 0);
  assertStringIncludes(listing.out, "I32Const(77)");
  await commandLine(["compile", "g", "-o", "out"], files);
  assertStringIncludes((await commandLine(["inspect", "out", "-d"], files)).out, "I32Const(77)");
  const facts = JSON.parse((await commandLine(["inspect", "out", "--json"], files)).out);
  assertEquals([facts.format, facts.imports, facts.exports, facts.functions], ["rwasm", [], [], []]);
});

Deno.test("inspect shows the types of tables, memories and globals", async () => {
  const guest = wat(`(module
    (table (export "t") 1 5 funcref) (memory (export "m") 1 2)
    (global (export "g") (mut i64) (i64.const 1)) (global (export "c") f32 (f32.const 1)))`);
  const facts = JSON.parse((await commandLine(["inspect", "g", "--json"], { g: guest })).out);
  assertEquals(facts.exports.map(({ name, type }: { name: string; type: string }) => `${name}: ${type}`), [
    "t: 1 … 5 elements of funcref",
    "m: 1 … 2 pages",
    "g: mutable i64",
    "c: f32",
  ]);
});

Deno.test("inspect of an invalid module exits with 3", async () => {
  // The body leaves nothing where an i32 is declared.
  const wasm = Uint8Array.fromHex("0061736d010000000105016000017f03020100" + "0a040102000b");
  const { code, err } = await commandLine(["inspect", "x"], { x: wasm });
  assertEquals(code, 3);
  assertMatch(err, /^error\[\w+\]: Cannot validate/);
});

Deno.test("inspect --imports and --exports print only those", async () => {
  const files = { g: GUEST };
  const imports = await commandLine(["inspect", "g", "--imports"], files);
  assertMatch(imports.out, /^imports\n {2}function {2}"visits"\."get" [^]*"visits"\."set" [^\n]*\n$/);
  const exports = JSON.parse((await commandLine(["inspect", "g", "--exports", "--json"], files)).out);
  assertEquals(Object.keys(exports), ["schema", "status", "exports"]);
  const both = JSON.parse(
    (await commandLine(["inspect", "g", "--exports", "--imports", "--json"], files)).out,
  );
  assertEquals([both.imports.length, both.exports.length], [2, 2]);
});

Deno.test("inspect lists the sections, custom ones by name", async () => {
  const { sections, bytes } = JSON.parse((await commandLine(["inspect", "g", "--json"], { g: GUEST })).out);
  const names = sections.map(({ name }: { name: string }) => name);
  assertEquals(names.slice(0, 3), ["type", "import", "function"]);
  const last = sections.at(-1);
  assertEquals(last.offset + last.bytes, bytes, "they reach to the end of the file");
  const named = wat('(module $m (func $f (export "f")))');
  assertStringIncludes((await commandLine(["inspect", "n"], { n: named })).out, 'custom "name"');
});

/** What cannot be run here: memory, table and globals of a host. */
const HOSTED = wat(`(module (import "env" "memory" (memory 1 4)) (import "env" "table" (table 3 funcref))
  (import "env" "base" (global $base i32)) (import "env" "f" (func $f (param i64)))
  (data (global.get $base) "abc") (elem (global.get $base) $f)
  (func (export "main") (call $f (i64.const 1))))`);

Deno.test("inspect shows the costs of a module with imports that run refuses", async () => {
  const files = { h: HOSTED };
  assertEquals((await commandLine(["run", "h", "--unknown-imports", "zero"], files)).code, 3);
  const facts = JSON.parse((await commandLine(["inspect", "h", "--json"], files)).out);
  assertEquals(facts.imports.map(({ kind }: { kind: string }) => kind), [
    "memory",
    "table",
    "global",
    "function",
  ]);
  assertEquals(facts.functions[1].name, "main");
  assertEquals(facts.functions[1].fuel > 0, true);
});

Deno.test("inspect shows imports and sections of a module that cannot be compiled, and why", async () => {
  const args = ["inspect", "h", "--limits", "functionTypes=0"];
  const { code, out, err } = await commandLine(args, { h: HOSTED });
  assertEquals(code, 0);
  for (const text of ["sections", '"env"."memory"', '"main"']) assertStringIncludes(out, text);
  assertMatch(err, /^error\[\w+\]: Cannot compile[^]*limits\.functionTypes/);
  const facts = JSON.parse((await commandLine([...args, "--json"], { h: HOSTED })).out);
  assertEquals([facts.status, facts.imports.length, facts.functions], ["done", 4, undefined]);
  assertStringIncludes(facts.refused.hint, "functionTypes");
  assertEquals((await commandLine([...args, "--disassemble"], { h: HOSTED })).code, 13);
});

Deno.test("inspect shows a function of another type than its plugin declares, and the mismatch", async () => {
  const guest = wat('(module (import "visits" "get" (func (param f32))) (func (export "main")))');
  const { code, out, err } = await commandLine(["inspect", "g", "-p", VISITS], { g: guest });
  assertEquals(code, 0);
  assertStringIncludes(out, '"visits"."get"');
  assertStringIncludes(err, "signature mismatch");
});
