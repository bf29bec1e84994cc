import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine, plugin } from "./command_line.ts";

const FIB = Deno.readFileSync(new URL("../../examples/fib/fib.wasm", import.meta.url));

const VALUES = wat(`(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "swap") (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  (func (export "nothing")))`);

const HOST = wat(`(module
  (import "env" "pause" (func $pause (param i32) (result i32)))
  (import "env" "fail" (func $fail))
  (import "env" "halt" (func $halt))
  (func (export "pause") (result i32) (call $pause (i32.const 5)))
  (func (export "fail") (call $fail))
  (func (export "halt") (call $halt) unreachable))`);

const BAD = wat(`(module (memory 1)
  (func $poke (export "poke") (result i32) (i32.load (i32.const 70000)))
  (func (export "\\1b[31mred") (result i32) (call $poke))
  (func (export "spin") (loop $l (br $l))))`);

Deno.test("run prints the results on standard output and the fuel on standard error", async () => {
  const { code, out, err } = await commandLine(["run", "fib.wasm", "--fuel", "1_000_000", "20"], {
    "fib.wasm": FIB,
  });
  assertEquals([code, out], [0, "6765\n"]);
  assertMatch(err, /^fuel used: \d+, left: \d+\n$/);
});

Deno.test("run without a limit tells what was used, and with --quiet nothing", async () => {
  const files = { "-": FIB };
  assertMatch((await commandLine(["run", "-", "7"], files)).err, /^fuel used: \d+\n$/);
  assertEquals(await commandLine(["run", "-", "7", "-q"], files), { code: 0, out: "13\n", err: "" });
});

Deno.test("run --json prints one document with results and fuel", async () => {
  const { code, out, err } = await commandLine(["run", "v", "-i", "swap", "--json", "--", "-1", "0x10"], {
    v: VALUES,
  });
  assertEquals([code, err], [0, ""]);
  const { fuel, ...document } = JSON.parse(out);
  assertEquals(document, {
    schema: 1,
    status: "done",
    results: [{ type: "i64", value: "16" }, { type: "i32", value: -1 }],
    memoryBytes: 0,
  });
  assertMatch(fuel.consumed, /^\d+$/);
  assertEquals(fuel.remaining, null);
});

// Each: function, argument, printed value.
const ARGUMENTS: readonly (readonly [name: string, argument: string, value: string])[] = [
  ["i32", "42", "42"],
  ["i32", "-2147483648", "-2147483648"],
  ["i32", "4294967295", "-1"],
  ["i32", "0xFF", "255"],
  ["i32", "1_000", "1000"],
  ["i64", "-1", "-1"],
  ["i64", "0xffffffffffffffff", "-1"],
  ["i64", "9223372036854775807", "9223372036854775807"],
  ["f32", "0.1", "0.1"],
  ["f32", "16777217", "16777216"],
  ["f32", "-0", "-0"],
  ["f64", "0.1", "0.1"],
  ["f64", "-2.5e-3", "-0.0025"],
  ["f64", "nan", "nan"],
  ["f64", "inf", "inf"],
  ["f64", "-inf", "-inf"],
  ["f64", "0x10", "16"],
];

for (const [name, argument, value] of ARGUMENTS) {
  Deno.test(`run reads ${argument} as ${name} and prints ${value}`, async () => {
    const { code, out } = await commandLine(["run", "v", "--invoke", name, "--", argument], { v: VALUES });
    assertEquals([code, out], [0, `${value}\n`]);
  });
}

// Each: arguments after `run v`, message, hint.
const WRONG_CALLS: readonly (readonly [args: string, message: string, hint: string])[] = [
  [
    "-i i32 -- 4294967296",
    "Cannot read argument 4294967296: it is not a value of type i32",
    "must fit the type",
  ],
  ["-i i32 -- 1.5", "Cannot read argument 1.5", "integers look like"],
  ["-i i64 -- x", "Cannot read argument x", "integers look like"],
  ["-i f64 -- 1..2", "Cannot read argument 1..2", "floats look like"],
  ["-i i32", "it takes 1 argument, not 0", "its type is (i32) -> (i32)"],
  ["-i nothing 3", "it takes 0 arguments, not 1", "its type is () -> ()"],
  ["-i nothin", 'Cannot call "nothin"', "did you mean nothing?"],
  ["-i __proto__", 'Cannot call "__proto__"', "the exported functions are i32, i64"],
  ["", "it is not clear which function is meant", "choose one with --invoke: i32, i64"],
  ["-i nothing --type ()->()", "Cannot use --type", "for .rwasm files"],
];

for (const [line, message, hint] of WRONG_CALLS) {
  Deno.test(`"run v ${line}" is a usage error that helps`, async () => {
    const { code, out, err } = await commandLine(["run", "v", ...line.split(" ").filter(Boolean)], {
      v: VALUES,
    });
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, message);
    assertStringIncludes(err, hint);
  });
}

Deno.test("run of a program that traps exits with 10 and says where", async () => {
  const { code, out, err } = await commandLine(["run", "b", "-i", "poke"], { b: BAD });
  assertEquals([code, out], [10, ""]);
  assertStringIncludes(err, "trap[MemoryOutOfBounds]: out of bounds memory access");
  assertStringIncludes(err, "poke");
});

Deno.test("run --json of a program that traps exits with 10 and prints the trap", async () => {
  const { code, out } = await commandLine(["run", "b", "-i", "poke", "--json"], { b: BAD });
  const { status, trap, fuel } = JSON.parse(out);
  assertEquals([code, status, trap.code], [10, "trap", "MemoryOutOfBounds"]);
  assert(Number.isInteger(trap.pc) && BigInt(fuel.consumed) > 0n);
});

Deno.test("run of a program that does not end exits with 11 at its fuel limit", async () => {
  const { code, err } = await commandLine(["run", "b", "-i", "spin", "--fuel", "1000"], { b: BAD });
  assertEquals(code, 11);
  assertStringIncludes(err, "trap[OutOfFuel]");
  assertStringIncludes(err, "hint: the flag is --fuel <n>");
});

Deno.test("run of a program whose host function pauses exits with 12 and shows the payload", async () => {
  const args = ["run", "h", "-i", "pause", "--plugin", plugin("pause")];
  const text = await commandLine(args, { h: HOST });
  assertEquals([text.code, text.out], [12, ""]);
  assertStringIncludes(text.err, "paused: syscall { value: 5 }");
  const json = await commandLine([...args, "--json"], { h: HOST });
  assertEquals([json.code, JSON.parse(json.out).status], [12, "paused"]);
});

Deno.test("run of a program whose host function halts exits with 0", async () => {
  const { code } = await commandLine(["run", "h", "-i", "halt", "-p", plugin("pause")], { h: HOST });
  assertEquals(code, 0);
});

Deno.test("run of a program whose host function throws exits with 5 and tells what it threw", async () => {
  const { code, err } = await commandLine(["run", "h", "-i", "fail", "-p", plugin("pause")], { h: HOST });
  assertEquals(code, 5);
  assertStringIncludes(err, "trap[HostError]");
  assertStringIncludes(err, "the disk is on fire");
});

Deno.test("run without the plugins a program needs exits with 4 and lists them", async () => {
  const { code, err } = await commandLine(["run", "h", "-i", "halt"], { h: HOST });
  assertEquals(code, 4);
  for (const name of ["pause", "fail", "halt"]) assertStringIncludes(err, `"env"."${name}"`);
  assertStringIncludes(err, "--plugin");
});

for (const name of ["broken", "missing"]) {
  Deno.test(`run with a ${name} plugin exits with 5`, async () => {
    const { code, err } = await commandLine(["run", "h", "-i", "halt", "-p", plugin(name)], { h: HOST });
    assertEquals(code, 5);
    assertStringIncludes(err, `${name}.ts`);
    assertEquals(err.includes("\x1b"), false);
  });
}

Deno.test("run of bytes that are no module exits with 3", async () => {
  for (
    const bytes of [
      new Uint8Array(),
      new Uint8Array([1, 2, 3]),
      new Uint8Array([0xef, 0x52, 9]),
      FIB.slice(0, 50),
    ]
  ) {
    const { code, err } = await commandLine(["run", "x"], { x: bytes });
    assertEquals(code, 3, err);
    assertMatch(err, /^error\[\w+\]: Cannot /);
  }
});

Deno.test("run within limits that are too small exits with 13 and names the limit and its flag", async () => {
  const { code, err } = await commandLine(["run", "f", "--limits", "codeLength=5", "3"], { f: FIB });
  assertEquals(code, 13);
  assertStringIncludes(err, "--limits codeLength=<n>");
  const deep = wat('(module (func $f (export "main") (result i32) (i32.add (call $f) (i32.const 1))))');
  const stacked = await commandLine(["run", "d"], { d: deep });
  assertEquals(stacked.code, 13);
  assertMatch(stacked.err, /trap\[StackOverflow\][^]*--limits (callDepth|stackSlots)=<n>/);
});

// Each: what is given, in units.
for (
  const [text, fuel] of [["1k", 1000n], ["2M", 2_000_000n], ["1_0G", 10_000_000_000n], ["0x10", 16n]] as const
) {
  Deno.test(`run takes --fuel ${text} for ${fuel}`, async () => {
    const { out } = await commandLine(["run", "v", "-i", "nothing", "--fuel", text, "--json"], { v: VALUES });
    const { consumed, remaining } = JSON.parse(out).fuel;
    assertEquals(BigInt(consumed) + BigInt(remaining), fuel);
  });
}

Deno.test("names chosen by a guest cannot steer the terminal", async () => {
  for (
    const args of [["run", "b"], ["run", "b", "-i", "\x1b[31mred"], ["inspect", "b"], [
      "run",
      "b",
      "-i",
      "\x1b[31mrde",
    ]]
  ) {
    const { out, err } = await commandLine(args, { b: BAD });
    assertEquals((out + err).includes("\x1b"), false, args.join(" "));
    assertStringIncludes(out + err, "red");
  }
});

Deno.test("run of a module that exports no function runs its start function", async () => {
  const start = wat("(module (func $f unreachable) (start $f))");
  assertEquals((await commandLine(["run", "s"], { s: start })).code, 10);
  assertEquals((await commandLine(["run", "s"], { s: wat("(module)") })).code, 0);
});

Deno.test("--unmetered compiles without charges", async () => {
  const { code, out, err } = await commandLine(["run", "f", "--unmetered", "10"], { f: FIB });
  assertEquals([code, out, err], [0, "55\n", "fuel used: 0\n"]);
});

Deno.test("--floats trap makes float operations trap", async () => {
  const sum = wat('(module (func (export "main") (result f64) (f64.add (f64.const 1) (f64.const 2))))');
  assertEquals((await commandLine(["run", "s", "-q"], { s: sum })).out, "3\n");
  const { code, err } = await commandLine(["run", "s", "--floats", "trap"], { s: sum });
  assertEquals(code, 10);
  assertStringIncludes(err, "IllegalOpcode");
});
