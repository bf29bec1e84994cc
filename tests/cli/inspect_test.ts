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
