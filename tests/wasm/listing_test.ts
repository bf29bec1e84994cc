/**
 * Listings of function bodies: every operator once, at its offset, with its text.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../mod.ts";
import { listOperators, operatorText } from "../../lib/wasm/listing.ts";
import { OPERATORS } from "../../lib/wasm/opcode.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { assembleWat } from "../compile/wat.ts";
import { generateModule } from "../generate/generate.ts";

const NO_NAMES = { function: () => undefined };

/** Texts of the operators of the first function. */
function texts(body: string, fields = ""): string[] {
  const module = parse(assembleWat(`(module ${fields} (func $main ${body}))`));
  const { offsets } = listOperators(module, 0);
  return Array.from(offsets, (offset) => operatorText(module, offset, NO_NAMES));
}

const FIELDS = `(memory 1) (table 3 funcref) (table $u 1 externref) (global $g (mut i32) (i32.const 0))
  (data $d "x") (elem $e func) (type $t (func (param i32 i64) (result f32)))`;

const CASES: readonly (readonly [body: string, text: string])[] = [
  ["nop", "nop"],
  ["block (result f64) unreachable end drop", "block (result f64)"],
  [
    "i32.const 0 loop (param i32) (result i32 i64) unreachable end drop drop",
    "loop (param i32) (result i32 i64)",
  ],
  ["i32.const 0 br_table 0 0 0", "br_table 0 0 0"],
  ["i32.const 1 i64.const 2 i32.const 0 call_indirect (type $t) drop", "call_indirect (type 0)"],
  ["unreachable select (result externref) drop", "select (result externref)"],
  ["global.get $g drop", "global.get 0"],
  ["i32.const 0 table.get $u drop", "table.get 1"],
  ["i32.const 0 i64.load32_u offset=9 align=2 drop", "i64.load32_u offset=9 align=2"],
  ["i32.const 0 i64.load align=8 drop", "i64.load"],
  ["memory.size drop", "memory.size"],
  ["i64.const -1 drop", "i64.const -1"],
  ["i64.const 0x7fffffff80000000 drop", "i64.const 9223372034707292160"],
  ["f32.const -0 drop", "f32.const -0"],
  ["f64.const nan drop", "f64.const nan"],
  ["f64.const -inf drop", "f64.const -inf"],
  ["ref.null extern drop", "ref.null extern"],
  ["ref.func $main drop", "ref.func 0"],
  ["i32.const 0 i32.const 0 i32.const 0 memory.init $d", "memory.init 0"],
  ["i32.const 0 i32.const 0 i32.const 0 memory.copy", "memory.copy"],
  ["i32.const 0 i32.const 0 i32.const 0 memory.fill", "memory.fill"],
  ["i32.const 0 i32.const 0 i32.const 0 table.init $e", "table.init 0"],
  ["i32.const 0 i32.const 0 i32.const 0 table.copy 0 0", "table.copy"],
  ["elem.drop $e", "elem.drop 0"],
];

for (const [body, text] of CASES) {
  Deno.test(`operatorText() writes ${text}`, () => {
    const elements = body.includes("ref.func") ? "(elem declare func $main)" : "";
    assertEquals(
      texts(body, `${FIELDS} ${elements}`).filter((found) => found === text).length,
      1,
      texts(body, FIELDS).join(),
    );
  });
}

Deno.test("a long br_table is cut", () => {
  const [, table] = texts(`i32.const 0 br_table ${"0 ".repeat(40)}`);
  assertEquals(table, `br_table ${"0 ".repeat(16)}… (40 labels)`);
});

Deno.test("listOperators() ends where each body ends, for every operator of generated modules", () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 120; seed++) {
    const module = parse(generateModule(seed).wasm);
    for (let body = 0; 2 * body < module.bodies.length; body++) {
      const { offsets, codes, depths } = listOperators(module, body);
      assertEquals(offsets.at(-1), module.bodies[2 * body + 1] - 1);
      assertEquals([codes.at(-1), depths.at(-1)], [0x0b, 0]);
      for (const code of codes) seen.add(code);
      offsets.forEach((offset) => operatorText(module, offset, NO_NAMES));
    }
  }
  const immediates = new Set([...seen].map((code) => OPERATORS[code]!.immediate));
  const all = new Set(OPERATORS.flatMap((operator) => operator === undefined ? [] : [operator.immediate]));
  assertEquals([...all].filter((immediate) => !immediates.has(immediate)), []);
});

Deno.test("bodies that are no operators are typed errors", () => {
  const module = parse(assembleWat("(module (func))"));
  const bytes = module.bytes.slice();
  bytes[module.bodies[1] - 1] = 0xff;
  assertThrows(() => listOperators({ ...module, bytes }, 0), ValidationError, "Cannot list operators");
  assertThrows(() => operatorText({ ...module, bytes }, module.bodies[1] - 1, NO_NAMES), ValidationError);
});
