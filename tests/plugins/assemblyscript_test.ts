/**
 * A program compiled here by AssemblyScript's own compiler, on our machine with the plugin, and on V8
 * with the imports that the compiler's glue would make.
 *
 * @module
 */

import asc from "assemblyscript/asc";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { type Outcome, UsageError } from "../../mod.ts";
import plugin, {
  AssemblyScriptAbort,
  type AssemblyScriptOptions,
  createAssemblyScript,
} from "../../plugins/assemblyscript.ts";
import { guest } from "./guest.ts";

const SOURCE = `
class Account {
  constructor(public name: string, public balance: i64) {}
}
const accounts = new Map<string, Account>();

export function open(name: i32, balance: i64): void {
  const key = "account " + name.toString();
  accounts.set(key, new Account(key, balance));
  console.log("opened " + key + " 🦕\\n");
}
export function transfer(from: i32, to: i32, amount: i64): i64 {
  const source = accounts.get("account " + from.toString());
  const target = accounts.get("account " + to.toString());
  if (source.balance < amount) throw new Error("only " + source.balance.toString() + " left");
  source.balance -= amount;
  target.balance += amount;
  trace("moved", 2, <f64>amount, 0.5);
  return target.balance;
}
export function levels(): void {
  trace("nothing");
  trace("all", 5, 1, -2, 3.5, 1e300, -0.0);
  console.debug("d"); console.info("i"); console.warn("w"); console.error("e");
  console.assert(true, "not printed"); console.assert(false, "printed");
}
export function random(): f64 { return Math.random(); }
export function sort(count: i32): i32 {
  const list = new Array<i32>();
  let x: u32 = 12345;
  for (let i = 0; i < count; i++) { x = x * 1664525 + 1013904223; list.push(<i32>(x >> 8)); }
  list.sort((a, b) => a - b);
  let hash: i32 = 0;
  for (let i = 0; i < count; i++) hash = hash * 31 + list[i];
  return hash;
}
export function outside(): i32 { return [1, 2, 3][accounts.size + 3]; }
export function long(): void { console.log("ab".repeat(40_000)); }
`;

/** Compiles the source; what the compiler says when it does not. */
async function compileSource(): Promise<Uint8Array> {
  const written = new Map<string, string | Uint8Array>();
  const options = ["bank.ts", "--outFile", "bank.wasm", "-O2", "--runtime", "minimal"];
  const { error, stderr } = await asc.main(options, {
    readFile: (name: string) => name === "bank.ts" ? SOURCE : null,
    writeFile: (name: string, content: string | Uint8Array) => void written.set(name, content),
    listFiles: () => [],
  });
  if (error !== null) throw new Error(stderr.toString());
  return new Uint8Array(written.get("bank.wasm") as Uint8Array);
}

const WASM = await compileSource();

/** The program on the plugin, and what it printed. */
function program(options: AssemblyScriptOptions = {}) {
  const lines: string[] = [];
  const { call } = guest(
    WASM,
    createAssemblyScript({ write: (line, level) => void lines.push(`${level} ${line}`), ...options }),
  );
  return { call, lines };
}

/** The same program on V8. */
function onV8(): Record<string, (...params: (number | bigint)[]) => number | bigint> {
  const nothing = () => {};
  const env: Record<string, WebAssembly.ImportValue> = { abort: nothing, trace: nothing, seed: () => 1 };
  for (const { name } of WebAssembly.Module.imports(new WebAssembly.Module(WASM.slice().buffer))) {
    env[name] ??= nothing;
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(WASM.slice().buffer), { env });
  return exports as never;
}

function result(outcome: Outcome): unknown {
  assertEquals(outcome.status, "done");
  return outcome.status === "done" ? outcome.results[0] : undefined;
}

Deno.test("an AssemblyScript program runs, prints, and keeps its state", () => {
  const { call, lines } = program();
  call("open", 1, 100n);
  call("open", 2, 50n);
  assertEquals(result(call("transfer", 1, 2, 30n)), 80n);
  assertEquals(result(call("transfer", 1, 2, 70n)), 150n);
  assertEquals(lines, [
    "log opened account 1 🦕\\n",
    "log opened account 2 🦕\\n",
    "log moved 30 0.5",
    "log moved 70 0.5",
  ]);
});

Deno.test("an error that nothing catches ends the run with its message, file, line and column", () => {
  const { call } = program();
  call("open", 1, 10n);
  call("open", 2, 0n);
  const outcome = call("transfer", 1, 2, 11n);
  assert(outcome.status === "trap");
  assertEquals(outcome.trap.code, "HostError");
  assertStringIncludes(outcome.trap.message, `"env"."abort" of plugin "assemblyscript"`);
  const { cause } = outcome.trap;
  assertInstanceOf(cause, AssemblyScriptAbort);
  const line = SOURCE.split("\n").findIndex((text) => text.includes("throw new Error")) + 1;
  const column = SOURCE.split("\n")[line - 1]!.indexOf("throw") + 1;
  assertEquals([cause.reason, cause.file, cause.line, cause.column], [
    "only 10 left",
    "bank.ts",
    line,
    column,
  ]);
  assertEquals(cause.message, `only 10 left at bank.ts:${line}:${column}`);
  assertEquals(result(call("transfer", 1, 2, 10n)), 10n, "the store is usable");
});

Deno.test("an error of AssemblyScript's own library tells its file too", () => {
  const outcome = program().call("outside");
  assert(outcome.status === "trap" && outcome.trap.cause instanceof AssemblyScriptAbort);
  assertEquals([outcome.trap.cause.reason, outcome.trap.cause.file], ["Index out of range", "~lib/array.ts"]);
});

Deno.test("trace and console print with their levels", () => {
  const { call, lines } = program();
  assertEquals(call("levels").status, "done");
  assertEquals(lines, [
    "log nothing",
    "log all 1 -2 3.5 1e+300 -0",
    "debug d",
    "info i",
    "warn w",
    "error e",
    "error Assertion failed: printed",
  ]);
});

Deno.test("raw lines are as the guest wrote them", () => {
  const { call, lines } = program({ raw: true });
  call("open", 1, 0n);
  assertEquals(lines, ["log opened account 1 🦕\n"]);
});

Deno.test("long texts are cut", () => {
  const { call, lines } = program({ maxBytes: 9 });
  assertEquals(call("long").status, "done");
  assertEquals(lines, ["log abab… 79996 more characters"]);
});

Deno.test("random numbers are the same in every run, and others with another seed", () => {
  const numbers = (options: AssemblyScriptOptions) => {
    const { call } = program(options);
    return Array.from({ length: 4 }, () => result(call("random")) as number);
  };
  const first = numbers({});
  assertEquals(numbers({}), first);
  assertEquals(numbers({ seed: 1 }), first);
  assert(first.every((number) => number >= 0 && number < 1));
  assertEquals(new Set([...first, ...numbers({ seed: 2 }), ...numbers({ seed: -0.5 })]).size, 12);
});

Deno.test("results are those of V8", () => {
  const { call } = program(), v8 = onV8();
  for (const count of [0, 1, 10, 500]) assertEquals(result(call("sort", count)), v8.sort!(count));
  for (let i = 0; i < 4; i++) assertEquals(result(call("random")), v8.random!());
});

Deno.test("pointers that are not to a string trap, and 0 is null", () => {
  const lines: string[] = [];
  const { call, store } = guest(
    `(module
      (import "env" "console.log" (func $log (param i32)))
      (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 8) "\\ff\\ff\\ff\\ff" "a") (data (i32.const 32) "\\05\\00\\00\\00" "a\\00\\00\\d8c\\00")
      (data (i32.const 65528) "\\06\\00\\00\\00" "abcd")
      (export "log" (func $log)) (export "abort" (func $abort)))`,
    createAssemblyScript({ write: (line) => void lines.push(line) }),
  );
  for (const pointer of [12, 65_532, 65_536, 3, 1, -1, -4, -(2 ** 31)]) {
    const outcome = call("log", pointer);
    assert(outcome.status === "trap");
    assertEquals(outcome.trap.code, "MemoryOutOfBounds", String(pointer));
  }
  assertEquals(call("log", 0).status, "done");
  assertEquals(call("log", 36).status, "done"); // an odd size loses its last byte, a lone surrogate is shown
  assertEquals(lines, ["null", "a\ufffd"]);
  const outcome = call("abort", 0, 0, -1, 0);
  assert(outcome.status === "trap" && outcome.trap.cause instanceof AssemblyScriptAbort);
  assertEquals(outcome.trap.cause.message, "abort at ?:4294967295:0");
  assertEquals(store.memory.byteLength, 65_536);
});

Deno.test("the plugin refuses seeds that the guest would take for none", () => {
  for (const seed of [0, -0, NaN, "1" as unknown as number]) {
    assertThrows(() => createAssemblyScript({ seed }), UsageError);
  }
  assertEquals(plugin.name, "assemblyscript");
});
