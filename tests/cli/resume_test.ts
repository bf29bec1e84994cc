/**
 * `run --snapshot` and `resume`: runs that are cut into pieces print what whole runs print; what a
 * snapshot does not hold must be given again; Ctrl-C, and another process in another directory.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RwasmExecutor, RwasmStore } from "../../mod.ts";
import { assembleWat, compileWat } from "../compile/wat.ts";
import { commandLine, plugin } from "./command_line.ts";
import { PROGRAM } from "./guests.ts";

const SUM = assembleWat(`(module (func (export "sum") (param i32) (result i64) (local i64)
  (loop $l (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (local.get 1)))`);

const ASKING = assembleWat(`(module (import "env" "pause" (func $p (param i32) (result i32)))
  (func (export "main") (param i32) (result i32) (i32.add (call $p (local.get 0)) (i32.const 100))))`);

const HELLO = Deno.readFileSync(new URL("../../examples/hello/hello.wasm", import.meta.url));

/** Files of one test, and a command line over them. */
function workspace(files: Record<string, Uint8Array>) {
  const all = { ...files };
  return { files: all, run: (line: string) => commandLine(line.split(" "), all) };
}

Deno.test("a run that is paused again and again prints what a whole run prints", async () => {
  const { run, files } = workspace({ "sum.wasm": SUM });
  const whole = await run("run sum.wasm --invoke sum 300");
  let printed = await run("run sum.wasm --invoke sum --pause-at-fuel 500 --snapshot a.snap 300"), pauses = 0;
  for (; printed.code === 12; pauses++) {
    assertEquals(printed.out, "");
    assertStringIncludes(printed.err, "to go on:\n  deno run --allow-read=a.snap mod.ts resume a.snap\n");
    delete files["sum.wasm"]; // the snapshot has it
    printed = await run("resume a.snap --pause-at-fuel 700 --snapshot a.snap");
  }
  assertEquals([printed.code, printed.out, whole.out], [0, whole.out, "45150\n"]);
  assertEquals(printed.err.split(",")[0], whole.err.trim(), "fuel");
  assert(pauses > 2, `${pauses} pauses`);
});

Deno.test("fuel flags count from where the run goes on; without them the limit of the run holds", async () => {
  const { run } = workspace({ "sum.wasm": SUM });
  await run("run sum.wasm --invoke sum --pause-at-fuel 500 --fuel 1000 --snapshot a.snap 300");
  const consumed = Number(
    /"consumed": "(\d+)"/.exec((await run("resume a.snap --pause-at-fuel 0 --json")).out)![1],
  );
  assert(consumed > 400 && consumed <= 500);
  const limited = await run("resume a.snap --json");
  assertEquals([limited.code, JSON.parse(limited.out).trap.code], [11, "OutOfFuel"]);
  assertMatch(limited.out, /"consumed": "9\d\d"/);
  assertEquals((await run("resume a.snap --fuel 100")).code, 11);
  assertEquals((await run("resume a.snap --fuel 1M")).out, "45150\n");
});

Deno.test("a program of WASI goes on with its arguments, output, input and exit code", async () => {
  const { run } = workspace({
    "hello.wasm": HELLO,
    "program.wasm": PROGRAM,
    "in.txt": new TextEncoder().encode("from a file"),
  });
  const first = await run("run hello.wasm --pause-at-fuel 2250 --snapshot a.snap -- Ada Grace");
  assertEquals([first.code, first.out], [12, "Hello, "]);
  assertEquals((await run("resume a.snap")).out, "Ada!\nHello, Grace!\n");

  await run("run program.wasm --pause-at-fuel 0 --snapshot b.snap");
  const ended = await run("resume b.snap");
  assertEquals([ended.code, ended.out], [7, "hello\n"]);

  await run("run program.wasm --invoke cat --stdin in.txt --pause-at-fuel 2050 --snapshot c.snap");
  assertEquals((await run("resume c.snap")).out, "from a file");
  await run("run program.wasm --invoke random --seed 5 --pause-at-fuel 2050 --snapshot d.snap");
  assertEquals(
    (await run("resume d.snap")).out,
    (await run("run program.wasm --invoke random --seed 5")).out,
  );
});

Deno.test("JSON documents tell the command that goes on, and all the output in the end", async () => {
  const { run } = workspace({ "hello.wasm": HELLO });
  const first = JSON.parse(
    (await run("run hello.wasm --json --pause-at-fuel 2250 --snapshot a.snap -- Ada Grace")).out,
  );
  assertEquals([first.status, first.reason, first.stdout.text], ["paused", "fuel", "Hello, "]);
  assertEquals(first.resume, "deno run --allow-read=a.snap mod.ts resume a.snap");
  const last = JSON.parse((await run("resume a.snap --json")).out);
  assertEquals([last.status, last.exitCode, last.stdout.text, last.resume], [
    "done",
    null,
    "Hello, Ada!\nHello, Grace!\n",
    undefined,
  ]);
});

Deno.test("a host function that paused is answered on the command line", async () => {
  const { run } = workspace({ "ask.wasm": ASKING }), file = plugin("pause");
  const first = await run(`run ask.wasm --plugin ${file} --snapshot a.snap 5`);
  assertEquals(first.code, 12);
  assertStringIncludes(first.err, `resume a.snap --plugin ${file}`);
  assertStringIncludes(first.err, "to go on, with the result of the host function (i32) behind it:\n");
  const asData = await run(`run ask.wasm --json --plugin ${file} --snapshot b.snap 5`);
  assertEquals(JSON.parse(asData.out).awaits, ["i32"]);
  assertEquals((await run(`resume a.snap --plugin ${file} 42`)).out, "142\n");
  assertEquals((await run(`resume a.snap --plugin ${file} -- -1`)).out, "99\n");
  const none = await run(`resume a.snap --plugin ${file}`);
  assertEquals(none.code, 2);
  assertStringIncludes(none.err, "Cannot resume: the run waits for 1 result of a host function, not 0");
  const missing = await run("resume a.snap 42");
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err, `error[MissingPlugin]: Cannot resume: the run used ${file}`);
});

Deno.test("plugins of the library and stand-ins need not be named again", async () => {
  const wasm = assembleWat(`(module (import "console" "log_i32" (func $log (param i32)))
    (import "env" "gone" (func $gone (result i32))) (import "env" "start" (global i32))
    (func (export "main") (call $log (i32.add (call $gone) (global.get 0))) (call $log (i32.const 7))))`);
  const { run } = workspace({ "app.wasm": wasm });
  await run("run app.wasm --plugin console --unknown-imports zero --pause-at-fuel 0 --snapshot a.snap");
  assertEquals((await run("resume a.snap")).out, "0\n7\n");
});

Deno.test("a library of WASI that is paused while it is initialized calls its function afterwards", async () => {
  const wasm = assembleWat(`(module (import "wasi_snapshot_preview1" "sched_yield" (func $y (result i32)))
    (global $g (mut i32) (i32.const 0))
    (func (export "_initialize") (local $i i32)
      (loop $l (global.set $g (i32.add (global.get $g) (call $y)))
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20)))))
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (global.get $g))))`);
  const { run } = workspace({ "lib.wasm": wasm });
  for (let fuel = 0, codes = 0; codes < 1; fuel += 60) {
    const first = await run(`run lib.wasm --invoke double --pause-at-fuel ${fuel} --snapshot a.snap 3`);
    const last = first.code === 12 ? await run("resume a.snap") : first;
    assertEquals([last.code, last.out], [0, "60\n"], `paused at ${fuel}`);
    if (first.code === 0) codes++;
  }
});

Deno.test("flags that decide what is compiled stay those of the run", async () => {
  const { run } = workspace({ "sum.wasm": SUM });
  await run(
    "run sum.wasm --invoke sum --limits callDepth=99 --floats trap --pause-at-fuel 40 --snapshot a.snap 9",
  );
  assertEquals((await run("resume a.snap")).out, "45\n");
  await run("run sum.wasm --invoke sum --limits memoryPages=20000 --pause-at-fuel 40 --snapshot b.snap 9");
  const wide = await run("resume b.snap");
  assertEquals(wide.code, 13);
  assertStringIncludes(wide.err, "the flag is --limits memoryPages=<n>");
  assertEquals((await run("resume b.snap --limits memoryPages=20000")).out, "45\n");
  const again = await run("resume b.snap --limits memoryPages=20000 --pause-at-fuel 10 --snapshot b.snap");
  assertStringIncludes(again.err, "resume b.snap --limits memoryPages=20000");
});

Deno.test("nothing is written when the run ends, and no snapshot goes to standard output", async () => {
  const { run, files } = workspace({ "sum.wasm": SUM });
  assertEquals((await run("run sum.wasm --invoke sum --snapshot a.snap 4")).out, "10\n");
  assertEquals(files["a.snap"], undefined);
  for (const line of ["run sum.wasm --snapshot - 4", "resume a.snap --snapshot -"]) {
    const { code, err } = await run(line);
    assertEquals(code, 2);
    assertStringIncludes(err, "error[OutputTaken]");
  }
});

Deno.test("results for a run that waits for none are refused", async () => {
  const { run } = workspace({ "sum.wasm": SUM });
  await run("run sum.wasm --invoke sum --pause-at-fuel 40 --snapshot a.snap 9");
  const { code, err } = await run("resume a.snap 5");
  assertEquals(code, 2);
  assertStringIncludes(err, "error[WrongResultCount]: Cannot resume: the run waits for no results, not 1");
});

Deno.test("a place that a snapshot cannot be written to is found before the run, and nothing is left there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/sum.wasm`, SUM);
    const lost = await spawn(folder, ["run", "sum.wasm", "--snapshot", "no/a.snap", "4"]).output();
    assertEquals([lost.code, text(lost.stdout)], [1, ""]);
    assertStringIncludes(text(lost.stderr), "error[FileNotFound]: Cannot write no/a.snap");
    await Deno.writeTextFile(`${folder}/old.snap`, "old");
    for (const file of ["new.snap", "old.snap"]) {
      const done = await spawn(folder, ["run", "sum.wasm", "--snapshot", file, "4"]).output();
      assertEquals([done.code, text(done.stdout)], [0, "10\n"]);
    }
    assertEquals(await Deno.readTextFile(`${folder}/old.snap`), "old");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["old.snap", "sum.wasm"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "Ctrl-C ends a process whose guest waits for input",
  ignore: Deno.build.os === "windows",
  async fn() {
    const wasm = assembleWat(`(module
      (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 64) "ready\\n")
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 6))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))`);
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/ask.wasm`, wasm);
      const child = spawn(folder, ["run", "ask.wasm", "--stdin", "-"], "piped");
      const reader = child.stdout.getReader();
      assertEquals(text((await reader.read()).value!), "ready\n");
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill("SIGINT");
      const { signal } = await child.status;
      assertEquals(signal, "SIGINT");
      await reader.cancel();
      await child.stderr.cancel();
      await child.stdin.close();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("what is no snapshot of a run is refused", async () => {
  const foreign = new RwasmExecutor(new RwasmStore(), compileWat("(module)"));
  const { run, files } = workspace({
    "sum.wasm": SUM,
    "foreign.snap": foreign.snapshot(),
    "odd.snap": foreign.snapshot({ attachment: new TextEncoder().encode("\x02\0\0\0{}") }),
  });
  await run("run sum.wasm --invoke sum --pause-at-fuel 40 --snapshot a.snap 9");
  files["cut.snap"] = files["a.snap"]!.slice(0, -1);
  files["changed.snap"] = files["a.snap"]!.with(100, 1);
  const cases: readonly (readonly [file: string, code: number, text: string])[] = [
    ["sum.wasm", 3, "error[NotASnapshot]"],
    ["foreign.snap", 3, "error[NotARun]: Cannot resume foreign.snap: it is a snapshot, but not one of a run"],
    ["odd.snap", 3, "error[NotARun]"],
    ["cut.snap", 3, "error[Truncated]"],
    ["changed.snap", 3, "error[Corrupt]"],
    ["nowhere.snap", 1, "error[FileNotFound]"],
  ];
  for (const [file, code, text] of cases) {
    const printed = await run(`resume ${file}`);
    assertEquals(printed.code, code, file);
    assertStringIncludes(printed.err, text);
  }
  assertEquals((await run("resume")).code, 2);
});

Deno.test("resume asks for the permissions that its flags need, and no others", async () => {
  const { files, run } = workspace({ "sum.wasm": SUM });
  await run("run sum.wasm --invoke sum --pause-at-fuel 40 --snapshot a.snap 9");
  const asked: unknown[] = [];
  const args = "resume a.snap --snapshot b.snap --dir data::/d --dir more::/m::ro".split(" ");
  await commandLine(args, files, { permit: (access) => asked.push(access) });
  assertEquals(asked, [{
    read: ["a.snap", "data", "more"],
    write: ["data", "b.snap"],
    env: [],
    plugins: [],
  }]);
});

// ── processes ───────────────────────────────────────────────────────────────────────────────────

const MOD = new URL("../../mod.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function spawn(cwd: string, args: readonly string[], stdin: "piped" | "null" = "null"): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "--allow-read", "--allow-write", "--config", CONFIG, MOD, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test({
  name: "Ctrl-C saves a run; another process goes on with it from another directory, with its files",
  ignore: Deno.build.os === "windows",
  async fn() {
    // Writes "tick\n" to /data/log and to standard output, again and again, 150 times with work between.
    const wasm = assembleWat(`(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 64) "tick\\nlog")
      (func (export "_start") (local $n i32) (local $work i32) (local $fd i32)
        (drop (call $open (i32.const 3) (i32.const 0) (i32.const 69) (i32.const 3) (i32.const 9)
          (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 24)))
        (local.set $fd (i32.load (i32.const 24)))
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 5))
        (loop $again
          (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (local.set $work (i32.const 200000))
          (loop $busy (br_if $busy (local.tee $work (i32.sub (local.get $work) (i32.const 1)))))
          (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 150))))))`);
    const folder = await Deno.makeTempDir(), elsewhere = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/app.wasm`, wasm);
      await Deno.mkdir(`${folder}/data`);
      const args = ["run", "app.wasm", "--dir", "data::/data", "--snapshot", "out.snap"];
      const child = spawn(folder, args);
      const output = child.stdout.getReader(), chunks: string[] = [];
      chunks.push(text((await output.read()).value!));
      child.kill("SIGINT");
      for (let chunk = await output.read(); !chunk.done; chunk = await output.read()) {
        chunks.push(text(chunk.value));
      }
      const err = text(new Uint8Array(await new Response(child.stderr).arrayBuffer()));
      assertEquals((await child.status).code, 12, err);
      assertStringIncludes(err, "paused: interrupted by Ctrl-C");
      assertStringIncludes(err, "resume out.snap --dir data::/data");
      const before = chunks.join("");
      assert(before.length < 150 * 5, "it was over before it was interrupted");

      await Deno.remove(`${folder}/app.wasm`);
      const refused = await spawn(elsewhere, ["resume", `${folder}/out.snap`]).output();
      assertEquals(refused.code, 5);
      assertStringIncludes(text(refused.stderr), 'the guest has directory "/data" of the host');
      const rest = await spawn(elsewhere, ["resume", `${folder}/out.snap`, "--dir", `${folder}/data::/data`])
        .output();
      assertEquals(rest.code, 0, text(rest.stderr));
      assertEquals(before + text(rest.stdout), "tick\n".repeat(150));
      assertEquals(await Deno.readTextFile(`${folder}/data/log`), "tick\n".repeat(150));
    } finally {
      await Deno.remove(folder, { recursive: true });
      await Deno.remove(elsewhere, { recursive: true });
    }
  },
});
