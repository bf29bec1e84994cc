import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../mod.ts";
import consolePlugin, {
  createConsole,
  escapeLine,
  type Level,
  type PrintOptions,
} from "../../plugins/console.ts";
import { guest } from "./guest.ts";

const LEVELS: readonly Level[] = ["log", "debug", "info", "warn", "error"];

/** Hands everything on. */
const PROGRAM = `(module
  ${LEVELS.map((level) => `(import "console" "${level}" (func $${level} (param i32 i32)))`).join("\n")}
  (import "console" "log_i32" (func $log_i32 (param i32)))
  (import "console" "log_i64" (func $log_i64 (param i64)))
  (import "console" "log_f32" (func $log_f32 (param f32)))
  (import "console" "log_f64" (func $log_f64 (param f64)))
  (memory (export "memory") 2)
  ${LEVELS.map((level) => `(export "${level}" (func $${level}))`).join("\n")}
  (export "log_i32" (func $log_i32)) (export "log_i64" (func $log_i64))
  (export "log_f32" (func $log_f32)) (export "log_f64" (func $log_f64)))`;

/** A program and the lines it printed. */
function program(options: PrintOptions = {}) {
  const lines: string[] = [];
  const { store, call } = guest(
    PROGRAM,
    createConsole({ write: (line, level) => void lines.push(`${level} ${line}`), ...options }),
  );
  assertEquals(call("log_i32", 0).status, "done"); // instantiates
  lines.length = 0;
  const print = (bytes: string | Uint8Array, level: Level = "log") => {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    store.memory.write(16, data);
    assertEquals(call(level, 16, data.length).status, "done");
    return lines.splice(0);
  };
  return { store, call, lines, print };
}

Deno.test("console prints a text with its level, and numbers", () => {
  const { print, call, lines } = program();
  for (const level of LEVELS) assertEquals(print("hello, wörld 🦕", level), [`${level} hello, wörld 🦕`]);
  assertEquals(print(""), ["log "]);
  call("log_i32", -1);
  call("log_i64", -(2n ** 63n));
  call("log_f32", 0.1);
  call("log_f64", 0.1);
  call("log_f64", -0);
  call("log_f64", NaN);
  assertEquals(lines, [
    "log -1",
    "log -9223372036854775808",
    "log 0.10000000149011612",
    "log 0.1",
    "log -0",
    "log NaN",
  ]);
});

const ESCAPED: readonly (readonly [text: string, line: string])[] = [
  ["\u001b[2Jgone", "\\u{1b}[2Jgone"],
  ["one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"],
  ["\u0000\u007f\u009b31m", "\\u{0}\\u{7f}\\u{9b}31m"],
  ["\u202egpj.exe\u2066", "\\u{202e}gpj.exe\\u{2066}"],
  ["a\u2028b\u2029c", "a\\u{2028}b\\u{2029}c"],
  ["%s %d \\n", "%s %d \\n"],
  ["👩‍👩‍👧 é", "👩‍👩‍👧 é"],
];

for (const [text, line] of ESCAPED) {
  Deno.test(`console escapes ${line}, and leaves it alone when raw`, () => {
    assertEquals(escapeLine(text), line);
    assertEquals(program().print(text), [`log ${line}`]);
    assertEquals(program({ raw: true }).print(text), [`log ${text}`]);
  });
}

Deno.test("console shows malformed UTF-8 as U+FFFD, and keeps a byte order mark", () => {
  const { print } = program();
  assertEquals(print(Uint8Array.of(0x61, 0xff, 0xc0, 0x62)), ["log a\ufffd\ufffdb"]);
  assertEquals(print("\ufeffx"), ["log \ufeffx"]);
});

Deno.test("console cuts long texts and says how much is missing", () => {
  assertEquals(program({ maxBytes: 4 }).print("abcdefg"), ["log abcd… 3 more bytes"]);
  assertEquals(program({ maxBytes: 4 }).print("abcd"), ["log abcd"]);
  assertEquals(program({ maxBytes: 0 }).print("abcd"), ["log … 4 more bytes"]);
  const { call, lines } = program();
  assertEquals(call("log", 0, 131_072).status, "done");
  assertEquals(lines[0]!.endsWith("… 65536 more bytes"), true);
});

Deno.test("console traps when a text is out of range, whatever is printed of it", () => {
  const { call, lines, store } = program({ maxBytes: 4 });
  const wrong = [[131_072, 1], [131_071, 2], [0, 131_073], [-1, 1], [-8, 8], [0, 2 ** 27], [131_072, 5]];
  for (const [pointer, length] of wrong) {
    const outcome = call("log", pointer!, length!);
    assert(outcome.status === "trap");
    assertEquals(outcome.trap.code, "MemoryOutOfBounds", `${pointer} ${length}`);
  }
  assertEquals(call("log", 131_072, 0).status, "done");
  assertEquals(lines, ["log "]);
  assertEquals(store.memory.byteLength, 131_072);
});

Deno.test("console costs 16 fuel and 1 more for 32 bytes", () => {
  const { call, store } = program();
  const cost = (length: number) => {
    store.resetFuel();
    assertEquals(call("log", 0, length).status, "done");
    return store.consumedFuel();
  };
  const empty = cost(0);
  assertEquals([1, 32, 33, 3200].map((length) => cost(length) - empty), [1n, 1n, 2n, 100n]);
});

Deno.test("console without options prints on the host's console, and not as a format", () => {
  const printed: unknown[][] = [];
  const { log } = console;
  console.log = (...values: unknown[]) => void printed.push(values);
  try {
    guest(PROGRAM, consolePlugin).call("log_i32", 7);
  } finally {
    console.log = log;
  }
  assertEquals(printed, [["%s", "7"]]);
});

Deno.test("console refuses options that make no sense", () => {
  for (const maxBytes of [-1, 0.5, NaN]) assertThrows(() => createConsole({ maxBytes }), UsageError);
});
