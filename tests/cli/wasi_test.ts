import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Access } from "../../lib/cli/host.ts";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine, type Outside } from "./command_line.ts";
import { PROGRAM } from "./guests.ts";

/** Runs a function of the program, without the fuel line. */
function run(line: string, outside: Outside = {}, files: Record<string, Uint8Array> = {}) {
  return commandLine(["run", "dir/prog.wasm", "-q", ...line.split(" ").filter(Boolean)], {
    "dir/prog.wasm": PROGRAM,
    ...files,
  }, outside);
}

Deno.test("a program that imports WASI gets it, and its exit code passes through", async () => {
  assertEquals(await run(""), { code: 7, out: "hello\n", err: "" });
});

// Each: what the guest gives to proc_exit, the exit code.
for (const [given, code] of [[0, 0], [3, 3], [255, 255], [256, 1], [259, 3], [-1, 255], [11, 11]]) {
  Deno.test(`proc_exit(${given}) makes the exit code ${code}`, async () => {
    assertEquals(await run(`-i leave -- ${given}`), { code, out: "", err: "" });
  });
}

Deno.test("the arguments are the file's name, those of --arg, then those after the file or --", async () => {
  const { out } = await run("-i args --arg one two --arg=-3 -- --four -- 5");
  assertEquals(out.split("\0"), ["prog.wasm", "one", "-3", "two", "--four", "--", "5", ""]);
});

Deno.test("a function with parameters takes the arguments itself", async () => {
  assertEquals((await run("-i leave --arg x 9")).code, 9);
  assertMatch((await run("-i leave")).err, /it takes 1 argument, not 0/);
});

Deno.test("--env gives variables, from here when there is no value", async () => {
  const { out } = await run("-i env --env A=b=c --env HOME --env EMPTY=", { variables: { HOME: "/root" } });
  assertEquals(out.split("\0"), ["A=b=c", "HOME=/root", "EMPTY=", ""]);
  assertEquals((await run("-i env")).out, "");
});

Deno.test("--stdin gives a file, or the input of this program piece by piece, or nothing", async () => {
  assertEquals((await run("-i cat")).out, "");
  const files = { in: new TextEncoder().encode("from a file") };
  assertEquals((await run("-i cat --stdin in", {}, files)).out, "from a file");
  assertEquals((await run("-i cat --stdin -", { input: ["one ", "two"] })).out, "one two");
});

Deno.test("random bytes and time are the same in every run, and others with another seed", async () => {
  const [one, two, other, zero] = await Promise.all(
    ["", "", "--seed 1", "--seed 0"].map(async (flags) => (await run(`-i random ${flags}`)).out),
  );
  assertEquals(one, two);
  assertEquals(one, zero);
  assert(one !== other);
  assertEquals((await run("-i time")).out, (await run("-i time --clock virtual")).out);
  const now = BigInt((await run("-i time --clock real")).out) / 1_000_000n;
  assert(Math.abs(Number(now) - Date.now()) < 60_000, String(now));
  assert((await run("-i random --random real")).out !== (await run("-i random --random real")).out);
});

/** Error numbers of WASI. */
const SUCCESS = "0\n", BAD_DESCRIPTOR = "8\n", READ_ONLY = "69\n";

Deno.test("--memory-dir gives a directory in memory; without a directory there is none", async () => {
  assertEquals((await run("-i create")).out, BAD_DESCRIPTOR);
  assertEquals((await run("-i create --memory-dir /tmp")).out, SUCCESS);
});

Deno.test("--dir gives a directory of the host, and with ::ro it stays as it is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rwasm-cli-" });
  try {
    assertEquals((await run(`-i create --dir ${folder}::/work::ro`)).out, READ_ONLY);
    assertEquals([...Deno.readDirSync(folder)], []);
    assertEquals((await run(`-i create --dir ${folder}::/work`)).out, SUCCESS);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.txt"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a command asks for the permissions of exactly what its flags give", async () => {
  let asked: Access | undefined;
  const line = "-i args --dir a --dir b::/b::ro --stdin in --env HOME --env X=y -p ./p.ts -p console";
  await run(line, { permit: (access) => asked = access });
  assertEquals(asked, {
    read: ["dir/prog.wasm", "a", "b", "in"],
    write: ["a"],
    env: ["HOME"],
    plugins: ["./p.ts"],
  });
});

Deno.test("what a guest writes is escaped on a terminal, and only there", async () => {
  assertEquals((await run("-i steer")).out, "a\x1b[2Jb");
  assertEquals((await run("-i steer", { terminal: { out: true } })).out, "a\\u{1b}[2Jb\n");
  assertEquals((await run("-i steer", { terminal: { err: true } })).out, "a\x1b[2Jb");
  assertEquals(await run("-i warn"), { code: 0, out: "", err: "careful\n" });
});

Deno.test("--json holds what a program wrote and its exit code, in one document", async () => {
  const start = await run("--json");
  const { exitCode, stdout, stderr, status } = JSON.parse(start.out);
  assertEquals([start.code, start.err, status, exitCode], [7, "", "done", 7]);
  assertEquals(stdout, { bytes: 6, truncated: false, text: "hello\n" });
  assertEquals(stderr, { bytes: 0, truncated: false, text: "" });
  // What is not UTF-8 is not made into something else.
  const bytes = JSON.parse((await run("--json -i bytes")).out);
  assertEquals([bytes.exitCode, bytes.stdout], [null, { bytes: 1, truncated: false, base64: "/w==" }]);
});

// Each: arguments, code of the usage error, part of the message.
const WRONG: readonly (readonly [line: string, code: string, text: string])[] = [
  ["--dir ::x", "InvalidDirectory", "--dir ::x"],
  ["--dir a::b::rw", "InvalidDirectory", "--dir a::b::rw"],
  ["--dir a::b::ro::c", "InvalidDirectory", "host[::guest[::ro]]"],
  ["--memory-dir /x --memory-dir /x", "RepeatedDirectory", "the same name"],
  ["--dir nowhere-at-all", "WasiDirectory", "nowhere-at-all"],
  ["--env =x", "InvalidVariable", "no name"],
  ["--env NOT_THERE", "InvalidVariable", "no such variable"],
  ["--clock reel", "InvalidChoice", "did you mean real?"],
  ["--random dice", "InvalidChoice", "seeded or real"],
  ["--seed 1 --random real", "NothingToSeed", "--random real"],
  ["--seed x", "InvalidNumber", "--seed x"],
];

for (const [line, code, text] of WRONG) {
  Deno.test(`"${line}" is a usage error that helps`, async () => {
    const { code: exit, out, err } = await run(line);
    assertEquals([exit, out], [2, ""], err);
    assertStringIncludes(err, `error[${code}]`);
    assertStringIncludes(err, text);
  });
}

Deno.test("flags for programs of WASI are refused where there is no WASI", async () => {
  const files = { plain: wat('(module (func (export "main")))'), prog: PROGRAM };
  for (const flag of ["--dir=.", "--env=A=b", "--stdin=plain", "--arg=x", "--clock=real", "--memory-dir=/"]) {
    const { code, err } = await commandLine(["run", "plain", flag], files);
    assertEquals(code, 2);
    assertStringIncludes(err, `Cannot use ${flag.split("=")[0]}: the program does not import WASI`);
  }
  assertEquals((await commandLine(["run", "plain", "--seed", "3"], files)).code, 0);
});

Deno.test("a compiled program runs with --wasi, and without it the error says so", async () => {
  const files: Record<string, Uint8Array> = { prog: PROGRAM };
  const compiled = await commandLine(["compile", "prog", "-o", "prog.rwasm"], files);
  assertStringIncludes(compiled.err, 'entry point "_start"; run it with --wasi --type "() -> ()"');
  assertEquals(await commandLine(["run", "prog.rwasm", "--wasi", "-q"], files), {
    code: 7,
    out: "hello\n",
    err: "",
  });
  const without = await commandLine(["run", "prog.rwasm", "-q"], files);
  assertEquals(without.code, 4);
  assertStringIncludes(without.err, "the flag is --plugin or --wasi");
  assertStringIncludes((await commandLine(["run", "prog.rwasm", "--arg", "x"], files)).err, "add --wasi");
});

Deno.test("wasi_unstable is offered, too, and a library of WASI is initialized first", async () => {
  const library = wat(`(module
    (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
    (global $state (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $state (i32.const 5)))
    (func (export "state") (result i32) (global.get $state))
    (func (export "stop") (call $exit (global.get $state))))`);
  assertEquals((await commandLine(["run", "l", "-q", "-i", "state"], { l: library })).out, "5\n");
  assertEquals((await commandLine(["run", "l", "-q", "-i", "stop"], { l: library })).code, 5);
});

Deno.test("the same program with the same seed uses the same fuel", async () => {
  const files = { prog: PROGRAM };
  const [one, two] = await Promise.all(
    [1, 2].map(() => commandLine(["run", "prog", "-i", "random", "--seed", "3", "--json"], files)),
  );
  assertEquals(one, two);
  assert(BigInt(JSON.parse(one.out).fuel.consumed) > 0n);
});
