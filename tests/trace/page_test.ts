/**
 * The page of a module: rWasm beside its Wasm, region by region, with names and source lines, and
 * nothing in it that a hostile module could use.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile, modulePage, RwasmModule } from "../../mod.ts";
import { MODULE_SCRIPT, MODULE_STYLE } from "../../lib/trace/page_script.ts";
import { plainName } from "../../lib/trace/page_text.ts";
import { formatInstruction } from "../../lib/isa/text.ts";
import { compileWat, functionFacts } from "../compile/wat.ts";
import { elementsOf } from "./markup.ts";
import { HOSTILE, hostileModule } from "./hostile.ts";

/** A row of code: offset, depth, operator, cost, pc, instruction, fuel of the region, source line or none. */
type Row = [number, number, string, number, number, string, number, string | undefined];

interface Data {
  readonly functions: readonly {
    readonly name: string;
    readonly index: number;
    readonly pc: number;
    readonly instructions: number;
    readonly charges: number;
    readonly fuel: number;
    readonly rows?: readonly Row[];
  }[];
}

function dataOf(page: string): Data {
  const found = elementsOf(page).filter(({ attributes }) => attributes.get("id") === "data");
  assertEquals(found.length, 1);
  const { functions, texts } = JSON.parse(found[0].text);
  for (const fn of functions) {
    if (fn.rows === undefined) continue;
    const flat: number[] = fn.rows;
    fn.rows = Array.from({ length: flat.length / 8 }, (_, n) => {
      const [offset, depth, operator, cost, pc, instruction, fuel, source] = flat.slice(8 * n, 8 * n + 8);
      return [offset, depth, texts[operator], cost, pc, texts[instruction], fuel, texts[source]];
    });
  }
  return { functions };
}

const MODULE = compileWat(`(module (memory 1) (import "env" "f" (func $f (param i32)))
  (func $double (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
  (func (export "main") (param i32) (result i32)
    (loop $l (br_if $l (i32.eqz (local.get 0))))
    (call $f (i32.const -7))
    (drop (call $double (i64.const -9223372036854775808)))
    (i32.store offset=4 align=1 (i32.const 0) (local.get 0))
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (return (i32.const 2))))))`.replace(
  '(memory 1) (import "env" "f" (func $f (param i32)))',
  "(memory 1) (func $f (param i32))",
));

Deno.test("every instruction and every operator is in the page once, in order", () => {
  const { functions } = dataOf(modulePage(MODULE));
  const rows = functions.flatMap(({ rows }) => rows!);
  const pcs = rows.map((row) => row[4]).filter((pc) => pc >= 0);
  assertEquals(pcs, Array.from({ length: MODULE.length }, (_, pc) => pc));
  for (const row of rows) {
    if (row[4] >= 0) assertEquals([row[5]], [formatInstruction(MODULE, row[4])]);
  }
  const facts = functionFacts(MODULE);
  for (const { index, rows, charges, fuel } of functions) {
    if (index < 0) continue;
    const own = rows!.map((row) => row[6]).filter((fuel) => fuel >= 0);
    assertEquals(own, facts[index].charges);
    assertEquals([charges, fuel], [own.length, own.reduce((a, b) => a + b, 0)]);
    const offsets = rows!.map((row) => row[0]).filter((offset) => offset >= 0);
    assertEquals(offsets, [...new Set(offsets)].sort((a, b) => a - b), "operators are in order, once");
    assertEquals(rows!.findLast((row) => row[0] >= 0)![2], "end");
  }
});

Deno.test("operators are written as in the text format, blocks inside of blocks, calls with names", () => {
  const { functions } = dataOf(modulePage(MODULE));
  const main = functions.find(({ name }) => name === "main")!;
  const listing = main.rows!.filter((row) => row[0] >= 0).map((
    [, depth, operator, cost],
  ) => [depth, operator, cost]);
  assertEquals(listing, [
    [0, "loop", 0],
    [1, "local.get 0", 1],
    [1, "i32.eqz", 1],
    [1, "br_if 0", 1],
    [0, "end", 0],
    [0, "i32.const -7", 1],
    [0, "call 0 (; f ;)", 10],
    [0, "i64.const -9223372036854775808", 1],
    [0, "call 1 (; double ;)", 10],
    [0, "drop", 0],
    [0, "i32.const 0", 1],
    [0, "local.get 0", 1],
    [0, "i32.store offset=4 align=1", 2],
    [0, "local.get 0", 1],
    [0, "if (result i32)", 1],
    [1, "i32.const 1", 1],
    [0, "else", 0],
    [1, "i32.const 2", 1],
    [1, "return", 0],
    [0, "end", 0],
    [0, "end", 0],
  ]);
});

Deno.test("source lines of DWARF are beside the operators", () => {
  const wasm = Deno.readFileSync(new URL("../wasm/fixture/squares-dwarf4.wasm", import.meta.url));
  const { functions } = dataOf(modulePage(compile(wasm)));
  const divide = functions.find(({ name }) => name === "divide")!;
  const lines = new Set(
    divide.rows!.map((row) => row[7]).filter((line) => line !== undefined),
  );
  assertEquals([...lines], ["squares.c:6", "squares.c:7"]);
});

Deno.test("hostile names stay data, in the code and in the tables", () => {
  const tables = [{
    title: HOSTILE[0],
    columns: [HOSTILE[1], "n"],
    rows: HOSTILE.map((name, n): [string, number] => [name, n]),
  }];
  const page = modulePage(hostileModule(), { title: HOSTILE[1], tables });
  const elements = elementsOf(page);
  assertEquals(elements.filter(({ name }) => name === "script").length, 2);
  const names = new Set(dataOf(page).functions.map(({ name }) => name));
  const cells = new Set(elements.filter(({ name }) => name === "td").map(({ text }) => text));
  for (const name of HOSTILE) {
    assert(names.has(plainName(name)));
    assert(cells.has(plainName(name)));
  }
  assertEquals(page, modulePage(hostileModule(), { title: HOSTILE[1], tables }), "the same bytes");
});

Deno.test("the script writes names as text and loads nothing", () => {
  new Function(MODULE_SCRIPT); // it parses
  for (const text of [MODULE_SCRIPT, MODULE_STYLE]) {
    assert(
      !/<\/|<!--|https?:|url\(|@import|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/.test(text),
    );
  }
});

Deno.test("a decoded module has its instructions, by the functions that are called", () => {
  const module = RwasmModule.decode(MODULE.encode());
  const { functions } = dataOf(modulePage(module));
  const rows = functions.flatMap(({ rows }) => rows!);
  assertEquals(rows.length, module.length);
  assert(rows.every((row) => row[0] === -1 && row[2] === "" && row[7] === undefined));
  assert(functions.some(({ name }) => /^function at \d+$/.test(name)));
});

Deno.test("a page has no more rows than it may, and says what is left out", () => {
  const page = modulePage(MODULE, { rows: 30 }), { functions } = dataOf(page);
  const shown = functions.flatMap(({ rows }) => rows ?? []).length;
  assert(shown <= 60, `${shown} rows`);
  const left = functions.filter(({ rows }) => rows === undefined).length;
  assert(left > 0 && page.includes(`The code of ${left} functions is left out`));
});
