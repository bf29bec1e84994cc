/**
 * Runs of the command line that are stopped: by time, by fuel, by Ctrl-C; and the line that shows how
 * far one is.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RunLine } from "../../lib/cli/progress.ts";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

const GUEST = wat(`(module (memory 2)
  (func (export "spin") (local i32) (loop $l
    (i32.store (i32.const 0) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) (br $l)))
  (func (export "count") (param i32) (result i32) (loop $l
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))`);

const files = { guest: GUEST };

Deno.test("run --timeout ends a program without end with 124 and says so", async () => {
  const began = performance.now();
  const { code, out, err } = await commandLine(["run", "guest", "-i", "spin", "--timeout", "30ms"], files);
  assertEquals([code, out], [124, ""]);
  assertStringIncludes(err, "paused: the time of --timeout is over\n");
  assertMatch(err, /fuel used: \d+\n$/);
  assert(performance.now() - began < 5000);
});

Deno.test("run --timeout does nothing to a program that ends in time", async () => {
  assertEquals(await commandLine(["run", "guest", "-i", "count", "--timeout", "1m", "-q", "30000"], files), {
    code: 0,
    out: "0\n",
    err: "",
  });
});

Deno.test("run --timeout --json tells the reason and where the run stands", async () => {
  const args = ["run", "guest", "-i", "spin", "--timeout", "0.02s", "--json"];
  const { code, out, err } = await commandLine(args, files);
  const { status, reason, pc } = JSON.parse(out);
  assertEquals([code, err, status, reason], [124, "", "paused", "deadline"]);
  assert(pc > 0);
});

for (const time of ["5", "s", "-1s", "5h", "1e3s", "0x5s", "5 s"]) {
  Deno.test(`run --timeout ${time} is a usage error`, async () => {
    const { code, err } = await commandLine(["run", "guest", "-i", "spin", `--timeout=${time}`], files);
    assertEquals(code, 2);
    assertStringIncludes(err, `error[InvalidTime]: Cannot use --timeout ${time}`);
    assertStringIncludes(err, "times look like 500ms, 5s, 1.5s or 2m");
  });
}

Deno.test("run --pause-at-fuel pauses with 12 at that fuel", async () => {
  const args = ["run", "guest", "-i", "spin", "--pause-at-fuel", "10k"];
  const text = await commandLine(args, files);
  assertEquals([text.code, text.out], [12, ""]);
  const [, required, left] = /^paused: fuel: the next charge is (\d+), (\d+) left$/m.exec(text.err)!;
  assert(Number(required) > Number(left));
  assertStringIncludes(text.err, `fuel used: ${10_000 - Number(left)}, left: ${left}\n`);
  const json = JSON.parse((await commandLine([...args, "--json"], files)).out);
  assertEquals([json.status, json.reason, json.required, json.remaining], ["paused", "fuel", required, left]);
});

Deno.test("whichever of --fuel and --pause-at-fuel comes first counts", async () => {
  const run = async (...flags: string[]) => {
    return (await commandLine(["run", "guest", "-i", "spin", ...flags], files)).code;
  };
  assertEquals(await run("--fuel", "5000", "--pause-at-fuel", "4000"), 12);
  assertEquals(await run("--fuel", "5000", "--pause-at-fuel", "6000"), 11);
  assertEquals(await run("--unmetered", "--pause-at-fuel", "6000"), 2);
});

/** The command line as a process, which gets signals when it has begun to run. */
async function interrupted(flags: readonly string[], times: number): Promise<{ code: number; err: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/guest.wasm`;
    await Deno.writeFile(file, GUEST);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", `--allow-read=${folder}`, "mod.ts", "run", file, "-i", "spin", ...flags],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const status = child.status, ended = { yes: false };
    status.then(() => ended.yes = true);
    // Compiling takes well below this.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (let i = 0; i < times && !ended.yes; i++) {
      child.kill("SIGINT");
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return { code: (await status).code, err: await child.stderr.text() };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Ctrl-C ends a run in order: what it used is told, and the code is 130", async () => {
  const { code, err } = await interrupted([], 1);
  assertEquals(code, 130);
  assertStringIncludes(err, "paused: interrupted by Ctrl-C\n");
  assertMatch(err, /fuel used: \d+\n$/);
});

// ── the line ──────────────────────────────────────────────────────────────────────────────────────

const CLEAR = "\r\x1b[K";

/** A terminal whose clock the test moves, a run with the given usage, and what was written. */
function terminal(isTerminal = true, quiet = false) {
  const state = { now: 0, written: [] as string[], fuel: 0n, bytes: 65_536 };
  const write = (text: string): void => void state.written.push(text);
  const host = {
    color: false,
    terminal: { out: isTerminal, err: isTerminal },
    program: new URL("file:///mod.ts"),
    print: (text: string) => write(`${text}\n`),
    note: (text: string) => write(`${text}\n`),
    emit: (_stream: string, bytes: Uint8Array) => write(new TextDecoder().decode(bytes)),
    read: () => Promise.resolve(new Uint8Array()),
    input: () => null,
    write: () => Promise.resolve(),
    variable: () => undefined,
    now: () => state.now,
    permit: () => Promise.resolve(),
  };
  const usage = {
    consumedFuel: () => state.fuel,
    get memory() {
      return { byteLength: state.bytes };
    },
  };
  return { line: new RunLine(host, "app.wasm", quiet, () => usage), state };
}

Deno.test("the line of a run shows fuel, fuel per second, pages and time after 300 ms, and is cleared", () => {
  const { line, state } = terminal();
  state.fuel = 500n; // an earlier run's
  line.start();
  Object.assign(state, { now: 299, fuel: 1000n });
  line.draw();
  assertEquals(state.written, []);
  Object.assign(state, { now: 2000, fuel: 3_000_500n, bytes: 17 * 65_536 });
  line.draw();
  assertEquals(state.written, [`${CLEAR}running app.wasm  3.0 M fuel  1.5 M fuel/s  17 pages  2.0 s`]);
  line.stop();
  assertEquals(state.written.slice(1), [CLEAR]);
});

Deno.test("the line makes way for what the guest writes, and waits for the end of its line", () => {
  const { line, state } = terminal();
  line.start();
  state.now = 400;
  line.draw();
  line.host.emit("out", new TextEncoder().encode("Name: "));
  line.draw();
  line.host.emit("out", new TextEncoder().encode("x\n"));
  line.draw();
  line.host.note("a message");
  line.stop();
  assertEquals(state.written.map((text) => text.slice(0, 8)), [
    `${CLEAR}runn`,
    CLEAR,
    "Name: ",
    "x\n",
    `${CLEAR}runn`,
    CLEAR,
    "a messag",
  ]);
});

Deno.test("the line is not shown off a terminal or with --quiet", () => {
  for (const { line, state } of [terminal(false), terminal(true, true)]) {
    line.start();
    state.now = 1000;
    line.draw();
    line.stop();
    assertEquals(state.written, []);
  }
});

Deno.test("run shows the line while a program runs", async () => {
  const outside = { terminal: { err: true }, tick: 400 };
  const { code, err } = await commandLine(
    ["run", "guest", "-i", "spin", "--timeout", "450ms"],
    files,
    outside,
  );
  assertEquals(code, 124);
  assertMatch(err, /running guest {2}[\d.]+ \w fuel {2}[\d.]+ \w fuel\/s {2}2 pages {2}[\d.]+ s/);
  assert(!err.slice(err.indexOf("paused")).includes("running"));
});
