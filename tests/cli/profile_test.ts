/**
 * The commands `profile` and `inspect --html`: formats by flag and by file name, where the report and
 * the program's output go, exit codes.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

const GUEST = wat(`(module (import "console" "log" (func $log (param i32)))
  (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func (export "main") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then unreachable))
    (i32.add (call $square (local.get 0)) (call $square (i32.const 3)))))`);

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Profiles the guest. */
async function profile(flags: readonly string[], files: Record<string, Uint8Array> = {}) {
  files.g = GUEST;
  return { ...await commandLine(["profile", "g", "--unknown-imports", "zero", ...flags], files), files };
}

/** Fuel that `run` tells. */
async function fuelOf(argument: string): Promise<string> {
  const { err } = await commandLine(["run", "g", "--unknown-imports", "zero", argument], { g: GUEST });
  return /^fuel used: (\d+)$/m.exec(err)![1];
}

Deno.test("profile prints where the fuel of a run goes", async () => {
  const { code, out, err } = await profile(["5"]);
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, `${await fuelOf("5")} fuel\n`);
  assertMatch(out, /by function\n.*\n +\d+ +\d+\.\d\d % .* "(main|square)"\n/);
  assertMatch(out, /by place\n(.*\n)* +10 .* 1 +0x[0-9a-f]+ +call +"main"\n/);
  assertMatch(out, /by operator\n.*\n +20 +\d+\.\d\d % +2 +call\n/);
});

/** What each format is known by. */
const FORMATS: readonly (readonly [format: string, ending: string, begins: RegExp])[] = [
  ["text", ".txt", /^\d+ fuel\n/],
  ["folded", ".folded", /^main \d+\nmain;square \d+\n$/],
  ["svg", ".svg", /^<\?xml version="1.0"/],
  ["html", ".html", /^<!DOCTYPE html>/],
  ["speedscope", ".speedscope.json", /^\{"\$schema":"https:\/\/www\.speedscope\.app/],
  ["cpuprofile", ".cpuprofile", /^\{"nodes":\[/],
  ["json", ".json", /^\{"format":"rwasm-profile"/],
];

for (const [format, ending, begins] of FORMATS) {
  Deno.test(`profile writes ${format}, asked for by --format or by ${ending}`, async () => {
    const printed = await profile(["5", "--format", format]);
    assertMatch(printed.out, begins);
    const named = await profile(["5", "-o", `x${ending}`]);
    assertEquals(text(named.files[`x${ending}`]), printed.out);
    assertEquals([named.code, named.out], [0, "34\n"], "the program's results are printed");
    assertMatch(named.err, /^x\S+: \d+ bytes\nfuel used: \d+\n$/);
    const both = await profile(["5", "-o", "x.bin", "--format", format, "--quiet"]);
    assertEquals([text(both.files["x.bin"]), both.err], [printed.out, ""]);
  });
}

Deno.test("profile of a trap has a report, and the exit code of run", async () => {
  const { code, out, err } = await profile(["0", "--format", "folded"]);
  assertEquals([code, /^main \d+\n$/.test(out)], [10, true]);
  assertStringIncludes(err, "trap[UnreachableCodeReached]");
  const limited = await profile(["5", "--fuel", "9", "--format", "folded"]);
  assertEquals(limited.code, 11);
});

Deno.test("profile --json to a file tells how the run ended", async () => {
  const { out } = await profile(["5", "-o", "x.svg", "--json"]);
  const data = JSON.parse(out);
  assertEquals([data.status, data.results[0].value, data.output, data.fuel.consumed], [
    "done",
    34,
    "x.svg",
    await fuelOf("5"),
  ]);
});

Deno.test("profile leaves standard output to the report: what the program writes goes to the other", async () => {
  const guest = wat(`(module (import "console" "log" (func $log (param i32 i32)))
    (memory (export "memory") 1) (data (i32.const 0) "hello")
    (func (export "main") (call $log (i32.const 0) (i32.const 5))))`);
  const { code, out, err } = await commandLine(["profile", "g", "-p", "console", "--format", "folded"], {
    g: guest,
  });
  assertEquals([code, err], [0, "hello\n"]);
  assertMatch(out, /^\(instantiate\) \d+\nmain \d+\nmain;log \d+\n$/);
});

Deno.test("profile --diff compares saved profiles, JSON and folded", async () => {
  const files: Record<string, Uint8Array> = {};
  await profile(["5", "-o", "a.json"], files);
  await commandLine(["profile", "g", "-o", "b.folded", "--unknown-imports", "zero", "5"], files);
  const same = await commandLine(["profile", "--diff", "a.json", "b.folded"], files);
  assertEquals(same.code, 0);
  assertMatch(same.out, /^(\d+) fuel before, \1 after: \+0 \(same\)\n$/);
  files["b.folded"] = new TextEncoder().encode("main 100\nmain;square 7\n");
  const { out } = await commandLine(["profile", "--diff", "a.json", "b.folded"], files);
  assertMatch(out, /by function\n.*"main"\n.*"square"\n/s);
  const data = JSON.parse(
    (await commandLine(["profile", "--diff", "a.json", "b.folded", "--json"], files)).out,
  );
  assertEquals(data.fuel[1], "107");
  await commandLine(["profile", "--diff", "a.json", "b.folded", "-o", "d.html"], files);
  assertMatch(text(files["d.html"]), /^<!DOCTYPE html>.*a\.json → b\.folded/s);
  await commandLine(["profile", "--diff", "a.json", "b.folded", "-o", "d.svg"], files);
  assertMatch(text(files["d.svg"]), /^<\?xml/);
});

Deno.test("profile says what is wrong with its arguments", async () => {
  const files = { g: GUEST, x: new TextEncoder().encode("nonsense") };
  const cases: readonly (readonly [args: string[], code: number, text: string])[] = [
    [[], 2, "MissingFile"],
    [["g", "-o", "x.bin"], 2, "its name does not tell the format"],
    [["g", "--format", "flame"], 2, "InvalidChoice"],
    [["g", "--unmetered"], 2, "NothingToProfile"],
    [["--diff", "g"], 2, "two profiles are needed, not 1"],
    [["--diff", "x", "x"], 3, "MalformedProfile"],
    [["--diff", "x", "x", "--format", "folded"], 2, "UnknownFormat"],
    [["nothing.wasm"], 1, "FileNotFound"],
    [["g", "1"], 4, "console"],
  ];
  for (const [args, code, message] of cases) {
    const found = await commandLine(["profile", ...args], files);
    assertEquals(found.code, code, `${args}: ${found.err}`);
    assertStringIncludes(found.err, message);
  }
});

Deno.test("profile asks for the permissions of its files", async () => {
  const seen: unknown[] = [];
  await commandLine(["profile", "g", "-o", "x.svg", "--unknown-imports", "zero", "5"], { g: GUEST }, {
    permit: (access) => void seen.push(access),
  });
  assertEquals(seen, [{ env: [], read: ["g"], write: ["x.svg"], plugins: [] }]);
});

Deno.test("profile names source lines where the program has them", async () => {
  const wasm = Deno.readFileSync(new URL("../wasm/fixture/squares-dwarf4.wasm", import.meta.url));
  const { out } = await commandLine(["profile", "s", "4"], { s: wasm });
  assertStringIncludes(out, '"average" squares.c:13');
  const { shared } = JSON.parse(
    (await commandLine(["profile", "s", "4", "--format", "speedscope"], { s: wasm })).out,
  );
  const square = shared.frames.find(({ name }: { name: string }) => name === "square");
  assertEquals([square.file, square.line], ["squares.c", 2]);
});

Deno.test("inspect --html writes one page with everything", async () => {
  const files: Record<string, Uint8Array> = { g: GUEST };
  const { code, out, err } = await commandLine(["inspect", "g", "--html", "g.html"], files);
  assertEquals([code, out], [0, ""]);
  assertMatch(err, /^g\.html: \d+ bytes\n$/);
  const page = text(files["g.html"]);
  assertMatch(page, /^<!DOCTYPE html>/);
  for (
    const part of [
      "Imports",
      "console.log",
      "(no plugin offers it)",
      "Exports",
      "Limits",
      "codeLength",
      "square",
    ]
  ) {
    assertStringIncludes(page, part);
  }
  const printed = await commandLine(["inspect", "g", "--html", "-"], files);
  assertEquals(printed.out, page);
  const data = JSON.parse((await commandLine(["inspect", "g", "--html", "g.html", "--json"], files)).out);
  assertEquals([data.file, data.bytes], ["g.html", files["g.html"].length]);
  assertEquals((await commandLine(["inspect", "g", "--html", "-", "--json"], files)).code, 2);
  await commandLine(["compile", "g", "-o", "r", "-p", "console"], files);
});

Deno.test("inspect --html of a .rwasm file has its instructions", async () => {
  const files: Record<string, Uint8Array> = { g: wat('(module (func (export "main") nop))') };
  await commandLine(["compile", "g", "-o", "r"], files);
  const { code } = await commandLine(["inspect", "r", "--html", "r.html"], files);
  assertEquals(code, 0);
  assert(text(files["r.html"]).includes("ConsumeFuel("));
});
