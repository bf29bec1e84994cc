/**
 * The examples sqlite and javascript: real programs of npm packages, as programs with the permissions
 * their heads give, and what they promise to those who copy them.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { JavaScriptSandbox } from "../../examples/javascript/sandbox.ts";
import { parseCsv, Sqlite } from "../../examples/sqlite/sqlite.ts";

const ROOT = new URL("../../", import.meta.url);

async function run(args: readonly string[]): Promise<string[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

// ── sqlite ──────────────────────────────────────────────────────────────────────────────────────

Deno.test("examples/sqlite runs, and a query without end leaves the database as it was", async () => {
  const lines = await run(["--allow-read", "examples/sqlite/main.ts"]);
  const answers = lines.filter((line) => !line.startsWith(">")).map((line) =>
    line.replace(/, \d+ fuel$/, "").trim()
  );
  assertEquals(answers, [
    "ok",
    "ok",
    ...["name     moons", "Jupiter  95", "Earth    1", "Venus    0", "ok"],
    ...["planets  moons    radius", "4        98       21430.8", "ok"],
    "error: Error: near line 1: no such column: color",
    "OutOfFuel",
    ...["planets", "4", "ok"],
  ]);
});

Deno.test("a database is its bytes: it moves to another sandbox, and costs the same there", () => {
  const first = new Sqlite();
  assertEquals(first.file, undefined);
  assertEquals(
    first.query("create table t(a, b); insert into t values (1, 'x,\"y\"'), (2, null);").status,
    "ok",
  );
  const second = new Sqlite(first.file);
  const sql = "select * from t order by a desc; select count(*) n from t;";
  const answer = second.query(sql);
  assertEquals(answer, first.query(sql));
  assertEquals(answer.rows, [["a", "b"], ["2", ""], ["1", 'x,"y"'], ["n"], ["2"]]);
  second.query("drop table t;");
  assertEquals(first.query("select count(*) n from t;").rows, [["n"], ["2"]]);
  const broken = second.query("select * from t;");
  assertEquals([broken.status, broken.rows], ["error", []]);
  assertStringIncludes(broken.message, "no such table: t");
  assertEquals(second.query("select 1;", 1000n).status, "OutOfFuel");
  const outside = second.query(".open /etc/passwd\nselect * from sqlite_master;\n.read /etc/hostname\n");
  assert(!/root:/.test(`${outside.rows} ${outside.message}`), "there is nothing of the host");
});

Deno.test("parseCsv() reads quotes, empty values and line ends inside of values", () => {
  const rows: readonly (readonly [text: string, rows: string[][]])[] = [
    ["", []],
    ["a\n", [["a"]]],
    ["a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]],
    ['"a,""b""\nc",\n', [['a,"b"\nc', ""]]],
    ["\n", [[""]]],
    [",,\n", [["", "", ""]]],
    ['""\n', [[""]]],
  ];
  for (const [text, expected] of rows) assertEquals(parseCsv(text), expected, JSON.stringify(text));
});

// ── javascript ──────────────────────────────────────────────────────────────────────────────────

Deno.test("examples/javascript runs scripts, and stops those that do not end", async () => {
  const lines = await run(["--allow-read", "examples/javascript/main.ts"]);
  const answers = lines.filter((line) => !line.startsWith(">")).map((line) =>
    line.replace(/, \d+ fuel$/, "").trim()
  );
  assertEquals(answers.map((line) => line.replace(/^(OutOfFuel): .*/, "$1").replace(/ at position.*/, "")), [
    'value: "msaWr"',
    "value: [2,3,5,7,11,13,17,19,23,29]",
    "the year is 2025",
    "value: false",
    "error: SyntaxError: Expected property name or '}' in JSON",
    "OutOfFuel",
    "error: InternalError: out of memory",
    'value: "undefined undefined undefined"',
  ]);
});

Deno.test("a script gives the same result for the same fuel, and the next one starts afresh", async () => {
  const sandbox = new JavaScriptSandbox(), budget = { fuel: 5_000_000n, memory: 1 << 20 };
  const script =
    "globalThis.left = 1; print(Math.random(), Date.now()); [Math.random(), [1n, 'ü'], { a: null }]";
  const first = await sandbox.run(script, budget);
  assertEquals(first.status, "value");
  assertEquals(await sandbox.run("typeof left", budget).then(({ value }) => value), "undefined");
  assertEquals(await sandbox.run(script, budget), first);
  assertEquals(await new JavaScriptSandbox().run(script, budget), first);
  assertEquals((await sandbox.run(script, { ...budget, fuel: first.fuel })).status, "value");
  const short = await sandbox.run(script, { ...budget, fuel: first.fuel - 1n });
  assertEquals([short.status, short.value], ["OutOfFuel", undefined]);
  assertEquals(globalThis.WebAssembly, WebAssembly, "the host's own is back");
});

Deno.test("what a script throws is an error of the script, whatever it is", async () => {
  const sandbox = new JavaScriptSandbox(), budget = { fuel: 20_000_000n, memory: 1 << 20 };
  const thrown: readonly (readonly [script: string, message: string])[] = [
    ["throw new RangeError('far')", "RangeError: far"],
    ["throw 'text'", "text"],
    ["syntax error", "SyntaxError"],
    ["(function f() { f(); })()", "RangeError: Maximum call stack size exceeded"],
    ["new Array(-1)", "RangeError"],
    ["try { while (true) 'x'.repeat(1e9) } finally { throw new Error('caught') }", "Error: caught"],
  ];
  for (const [script, message] of thrown) {
    const result = await sandbox.run(script, budget);
    assertEquals(result.status, "error", `${script}: ${result.message}`);
    assertStringIncludes(result.message, message);
  }
});
