import { assert, assertEquals, assertMatch } from "@std/assert";
import { withProgress } from "../../lib/cli/progress.ts";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

/** A host whose clock the test moves, and what was drawn. */
function terminal(isTerminal = true) {
  const state = { now: 0, drawn: [] as string[] };
  const host = {
    color: false,
    terminal: { out: false, err: isTerminal },
    program: new URL("file:///mod.ts"),
    print: () => {},
    note: () => {},
    emit: (_stream: string, bytes: Uint8Array) => void state.drawn.push(new TextDecoder().decode(bytes)),
    read: () => Promise.resolve(new Uint8Array()),
    input: () => null,
    write: () => Promise.resolve(),
    variable: () => undefined,
    now: () => state.now,
    permit: () => Promise.resolve(),
  };
  return { host, state };
}

const CLEAR = "\r\x1b[K";

Deno.test("progress appears after 300 ms, ten times a second, and is cleared", () => {
  const { host, state } = terminal();
  const result = withProgress(host, "app.wasm", false, (progress) => {
    for (; state.now <= 1000; state.now += 50) progress("compiling", state.now * 1e4, 2e7);
    return "made";
  });
  assertEquals(result, "made");
  const { drawn } = state;
  assertEquals(drawn.length, 9, "8 pictures from 300 ms on, and the end");
  assertEquals(
    drawn[0],
    `${CLEAR}compiling app.wasm ███░░░░░░░░░░░░░░░░░ 15%  3.0 of 20.0 MB  10.0 MB/s  1.7 s left`,
  );
  assertEquals(drawn.at(-1), CLEAR);
});

Deno.test("progress of quick work is not shown", () => {
  const { host, state } = terminal();
  withProgress(host, "app.wasm", false, (progress) => {
    for (; state.now < 300; state.now += 10) progress("compiling", state.now, 300);
  });
  assertEquals(state.drawn, []);
});

Deno.test("progress is cleared when the work fails", () => {
  const { host, state } = terminal();
  try {
    withProgress(host, "app.wasm", false, (progress) => {
      state.now = 400;
      progress("compiling", 0, 0);
      throw new Error("stop");
    });
  } catch {
    assertEquals(state.drawn.length, 2);
  }
  assertEquals(state.drawn.at(-1), CLEAR);
});

Deno.test("progress is not shown off a terminal or with --quiet, and a name cannot steer it", () => {
  const slow = (isTerminal: boolean, quiet: boolean): string[] => {
    const { host, state } = terminal(isTerminal);
    withProgress(host, "a\x1b[31m\n\x9bb.wasm", quiet, (progress) => {
      state.now = 500;
      progress("compiling", 1, 2);
    });
    return state.drawn;
  };
  assertEquals(slow(false, false), []);
  assertEquals(slow(true, true), []);
  assertMatch(slow(true, false)[0].slice(CLEAR.length), /^compiling a \\u\{9b\}b\.wasm █{10}░{10} 50%/);
});

Deno.test("run shows the progress of a compile that takes long", async () => {
  const functions = Array.from(
    { length: 500 },
    (_, at) => `(func (export "f${at}") (result i32) i32.const ${at})`,
  );
  const files = { big: wat(`(module ${functions.join("")})`) };
  const args = ["run", "big", "-i", "f3"];
  const { out, err } = await commandLine(args, files, { terminal: { err: true }, tick: 150 });
  assertEquals(out, "3\n");
  assert(err.startsWith(CLEAR));
  assertMatch(err.slice(CLEAR.length), /^compiling big [█░]{20} \d+%/);
  assert(err.includes(`${CLEAR}fuel used`));
  assertEquals((await commandLine(args, files, { tick: 150 })).err.includes("\r"), false);
});
