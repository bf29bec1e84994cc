/**
 * Source lines from DWARF: of a small C program in versions 4 and 5, of line programs put together
 * here, and of bytes that make no sense.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compile, linesOf, RwasmExecutor, RwasmModule, RwasmStore } from "../../mod.ts";
import { readLines } from "../../lib/wasm/dwarf.ts";
import { listOperators } from "../../lib/wasm/listing.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { compileWat } from "../compile/wat.ts";
import { signed, unsigned } from "../wasm_encoder.ts";

const fixture = (name: string): Uint8Array<ArrayBuffer> =>
  Deno.readFileSync(new URL(`./fixture/${name}`, import.meta.url));
const SOURCE = new TextDecoder().decode(fixture("squares.c")).split("\n");

for (const version of [4, 5]) {
  const wasm = fixture(`squares-dwarf${version}.wasm`);

  Deno.test(`lines of DWARF ${version} are where the source has the functions`, () => {
    const lines = readLines(wasm)!, module = parse(wasm);
    const found = [0, 1, 2].map((body) => {
      const { offsets } = listOperators(module, body);
      return [...new Set(Array.from(offsets, (offset) => lines.lineAt(offset)!.line))].sort((a, b) => a - b);
    });
    const lineOf = (text: string) => SOURCE.findIndex((line) => line.includes(text)) + 1;
    const from = (text: string, count: number) => Array.from({ length: count }, (_, n) => lineOf(text) + n);
    assertEquals(found[0], [...from("average", 4), lineOf("return divide")]);
    assertEquals(found[1], from("int square", 2));
    assertEquals(found[2], from("int divide", 2));
    assertEquals(lines.lineAt(module.code.start + 30)!.file, "squares.c");
    assertEquals(lines.lineAt(0), undefined);
    assertEquals(lines.lineAt(module.code.end + 1), undefined);
  });

  Deno.test(`a trap of a module with DWARF ${version} tells file and line of every frame`, () => {
    const outcome = new RwasmExecutor(new RwasmStore(), compile(wasm)).call("average", [0]);
    assert(outcome.status === "trap");
    const { trap } = outcome;
    assertEquals(trap.backtrace.map(({ functionName, source }) => [functionName, source]), [
      ["divide", { file: "squares.c", line: 7 }],
      ["average", { file: "squares.c", line: 15 }],
    ]);
    assertStringIncludes(trap.message, "0: divide (squares.c:7) at wasm offset");
  });

  Deno.test(`DWARF ${version} with any byte changed, or cut off anywhere, is read or left alone`, () => {
    for (let at = 8; at < wasm.length; at++) {
      const cut = readLines(wasm.subarray(0, at));
      cut?.lineAt(200);
      for (const value of [0, 0x7f, 0x80, 0xff]) {
        const changed = wasm.slice();
        changed[at] = value;
        const lines = readLines(changed);
        for (const offset of [81, 126, 300, 400]) lines?.lineAt(offset);
      }
    }
  });
}

Deno.test("frames of modules without DWARF have no source", () => {
  const module = compileWat('(module (func (export "f") unreachable))');
  const outcome = new RwasmExecutor(new RwasmStore(), module).call("f");
  assert(outcome.status === "trap");
  assert(!("source" in outcome.trap.backtrace[0]));
  assertEquals(linesOf(module), undefined);
  assertEquals(linesOf(RwasmModule.decode(module.encode())), undefined);
});

/** A custom section. */
function custom(name: string, payload: readonly number[]): number[] {
  const named = [...unsigned(name.length), ...new TextEncoder().encode(name), ...payload];
  return [0, ...unsigned(named.length), ...named];
}

const u16 = (value: number): number[] => [value & 0xff, value >> 8];
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
const text = (value: string): number[] => [...new TextEncoder().encode(value), 0];
const setAddress = (address: number): number[] => [0, 5, 2, ...u32(address)];
const END: readonly number[] = [0, 1, 1], COPY = 1;
const advance = (bytes: number): number[] => [2, ...unsigned(bytes)];
const line = (delta: number): number[] => [3, ...signed(delta)];
const file = (number: number): number[] => [4, ...unsigned(number)];

/** A line program of version 4 whose special opcodes begin at 13, with a line base of −5 and a range of 14. */
function program(
  code: readonly (number | readonly number[])[],
  { directories = ["dir/"], files = [["a.c", 1], ["/abs/b.c", 1]] as [string, number][], version = 4 } = {},
): number[] {
  const lengths = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
  const header = [
    1,
    ...version >= 4 ? [1] : [],
    1,
    0x100 - 5,
    14,
    13,
    ...lengths,
    ...directories.flatMap(text),
    0,
    ...files.flatMap(([name, directory]) => [...text(name), directory, 0, 0]),
    0,
  ];
  const rest = [...u32(header.length), ...header, ...code.flat()];
  return [...u32(rest.length + 2), ...u16(version), ...rest];
}

/** A module of one function with 100 nops, whose code begins at 21, and debugging sections. */
function moduleWith(...sections: readonly number[][]): Uint8Array {
  const body = [0, ...Array(100).fill(1), 0x0b];
  const code = [1, ...unsigned(body.length), ...body];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 4, 1, 0x60, 0, 0],
    ...[3, 2, 1, 0],
    ...[10, ...unsigned(code.length), ...code],
    ...sections.flat(),
  ]);
}

/** Offset of address 0. */
const CODE = 20;

/** Lines at addresses, as `file:line`. */
function linesAt(wasm: Uint8Array, addresses: readonly number[]): (string | undefined)[] {
  const lines = readLines(wasm);
  return addresses.map((address) => {
    const source = lines?.lineAt(CODE + address);
    return source && `${source.file}:${source.line}`;
  });
}

Deno.test("a line program does what its opcodes say", () => {
  const code = [
    setAddress(10),
    [...line(6), COPY], // 10: line 7
    [...advance(5), ...line(-3), COPY], // 15: line 4
    [13 + 14 * 2 + 5 + 3], // special: 17, line 7
    [8, COPY], // const_add_pc: 17 more
    [9, ...u16(4), ...file(2), COPY], // fixed_advance_pc
    [5, 9, 6, 7, 10, 11, 12, 3, 0, 2, 4, 0x81, COPY], // what changes neither address nor line
    [...advance(10), ...END],
  ];
  for (const version of [2, 3, 4]) {
    const wasm = moduleWith(custom(".debug_line", program(code, { version })));
    assertEquals(linesAt(wasm, [9, 10, 14, 15, 17, 33, 34, 37, 38, 47, 48]), [
      undefined,
      "dir/a.c:7",
      "dir/a.c:7",
      "dir/a.c:4",
      "dir/a.c:7",
      "dir/a.c:7",
      "dir/a.c:7",
      "dir/a.c:7",
      "/abs/b.c:7",
      "/abs/b.c:7",
      undefined,
    ]);
  }
});

Deno.test("sequences of several programs come in the order of the code, removed ones not at all", () => {
  const sequence = (at: number, lineNumber: number, bytes = 10): number[] => [
    ...setAddress(at),
    ...line(lineNumber - 1),
    COPY,
    ...advance(bytes),
    ...END,
  ];
  const wasm = moduleWith(custom(".debug_line", [
    ...program([sequence(50, 5), sequence(0, 99), sequence(0xffffffff, 98)]),
    ...program([sequence(30, 3), sequence(52, 97), sequence(95, 96, 20)], { files: [["c.c", 0]] }),
  ]));
  assertEquals(linesAt(wasm, [0, 5, 30, 39, 40, 50, 52, 59, 60, 96]), [
    undefined,
    undefined,
    "c.c:3",
    "c.c:3",
    undefined,
    "dir/a.c:5",
    "dir/a.c:5",
    "dir/a.c:5",
    undefined,
    undefined,
  ]);
});

/** A program of version 5 with given tables of directories and files. */
function program5(tables: readonly number[], code: readonly number[]): number[] {
  const header = [1, 1, 1, 0x100 - 5, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, ...tables];
  const rest = [...u16(5), 4, 0, ...u32(header.length), ...header, ...code];
  return [...u32(rest.length), ...rest];
}

const ROW: readonly number[] = [...setAddress(10), ...line(6), COPY, ...advance(20), ...END];

Deno.test("version 5 has its strings in every form", () => {
  const inline = [
    1,
    1,
    0x08,
    1,
    ...text("dir"),
    2,
    1,
    0x08,
    2,
    0x0b,
    2,
    ...text("x.c"),
    0,
    ...text("y.c"),
    0,
  ];
  const digests = [1, 1, 0x1f, 1, ...u32(2), 3, 1, 0x1f, 2, 0x0f, 5, 0x1e, 2];
  const digested = [...digests, ...u32(0), 0, ...Array(16).fill(9), ...u32(6), 0, ...Array(16).fill(9)];
  const strings = [1, 1, 0x0e, 1, ...u32(0), 2, 1, 0x0e, 2, 0x05, 2, ...u32(2), 0, 0, ...u32(2), 0, 0];
  const cases: [string, number[], number[][]][] = [
    ["dir/y.c:7", inline, []],
    ["far/b.c:7", digested, [custom(".debug_line_str", [...text("a"), ...text("far"), ...text("b.c")])]],
    ["d/e.c:7", strings, [custom(".debug_str", [...text("d"), ...text("e.c")])]],
  ];
  for (const [wanted, tables, more] of cases) {
    const wasm = moduleWith(custom(".debug_line", program5(tables, ROW)), ...more);
    assertEquals(linesAt(wasm, [15]), [wanted]);
  }
});

Deno.test("hostile programs cost no more than their bytes", () => {
  const many = unsigned(0xffffffff);
  const hostile: [string, number[]][] = [
    ["files without columns", program5([0, ...many, 0, ...many], [...ROW])],
    ["more files than bytes", program5([1, 1, 0x08, ...many, 0], [...ROW])],
    ["a form nobody knows", program5([1, 1, 0x77, 1, 0], [...ROW])],
    ["numbers of endless length", program([setAddress(10), [2, ...Array(5000).fill(0x80), 0], [COPY], END])],
    ["lines below 0", program([setAddress(10), line(-100), [COPY], advance(4), END])],
    ["an address that goes down", program([setAddress(20), [COPY], setAddress(10), [COPY], advance(4), END])],
    [
      "an address beyond everything",
      program([setAddress(10), [COPY], [2, ...Array(200).fill(0xff), 1], END]),
    ],
    ["a sequence without an end", program([setAddress(10), [COPY], advance(4)])],
    [
      "a line range of 0",
      (() => {
        const bytes = program([setAddress(10), [200, 201], END]);
        bytes[14] = 0;
        return bytes;
      })(),
    ],
    ["an extended opcode longer than the program", program([setAddress(10), [COPY], [0, 0xff, 0x7f, 1]])],
  ];
  for (const [what, bytes] of hostile) {
    const began = performance.now();
    const lines = readLines(moduleWith(custom(".debug_line", bytes)));
    const source = lines?.lineAt(CODE + 12);
    assert(source === undefined || source.line > 0, what);
    assert(performance.now() - began < 500, what);
  }
  // What stands before the place that makes no sense is kept.
  const half = program([ROW, setAddress(60), [0, 0xff, 0x7f, 2]]);
  assertEquals(linesAt(moduleWith(custom(".debug_line", half)), [15]), ["dir/a.c:7"]);
});

Deno.test("bytes that are no Wasm, or have no code or no lines, have no lines", () => {
  for (const bytes of [[], [1, 2, 3], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], Array(100).fill(0)]) {
    assertEquals(readLines(Uint8Array.from(bytes)), undefined);
  }
  assertEquals(readLines(moduleWith()), undefined);
  assertEquals(readLines(moduleWith(custom(".debug_line", []))), undefined);
});
