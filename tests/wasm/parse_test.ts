import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { UsageError, ValidationError } from "../../lib/error.ts";
import { FUNCREF, GLOBAL_ITEM, I32, I64, NULL_ITEM } from "../../lib/wasm/module.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { accepts, bodies, hex, leb, operators, refuses, section, wasm } from "./notation.ts";

const TYPE = section(1, "01 60 00 00"), FUNCTION = section(3, "01 00");

Deno.test("parse() reads every section", () => {
  const bytes = wasm(
    section(0, "01 'a' 2a"),
    section(1, "02 60 00 00 60 02 7f 7e 01 7f"),
    section(
      2,
      "04 01 'm' 01 'f' 00 01  01 'm' 01 't' 01 6f 01 02 03  01 'm' 01 'x' 02 00 01  01 'm' 01 'g' 03 70 00",
    ),
    section(3, "01 00"),
    section(4, "01 70 00 05"),
    section(6, "01 7e 01 42 00 0b"),
    section(7, "02 01 'f' 00 01 01 'g' 03 01"),
    section(8, "01"),
    section(9, "03 02 01 41 01 0b 00 02 00 01  07 70 03 d0 70 0b d2 01 0b 23 00 0b  06 01 41 00 0b 70 00"),
    section(12, "02"),
    bodies("00 0b"),
    section(11, "02 00 41 07 0b 02 'hi' 01 01 'x'"),
  );
  const module = parse(bytes);
  assertEquals(module.types.map(({ params, results }) => [[...params], [...results]]), [
    [[], []],
    [[I32, I64], [I32]],
  ]);
  assertEquals(module.imports.map(({ name, kind, index }) => [name, kind, index]), [
    ["f", "function", 0],
    ["t", "table", 0],
    ["x", "memory", 0],
    ["g", "global", 0],
  ]);
  assertEquals([...module.functions], [1, 0]);
  assertEquals([module.importedFunctions, module.importedTables, module.importedMemories], [1, 1, 1]);
  assertEquals(module.tables, [{ type: 0x6f, min: 2, max: 3 }, { type: FUNCREF, min: 5, max: undefined }]);
  assertEquals(module.memories, [{ min: 1, max: undefined }]);
  assertEquals(module.globals.map(({ type, mutable }) => [type, mutable]), [[FUNCREF, false], [I64, true]]);
  const init = module.globals[1].init!;
  assertEquals([...bytes.subarray(init.start, init.end)], hex("42 00 0b"));
  assertEquals(module.exports.map(({ name, kind, index }) => [name, kind, index]), [
    ["f", "function", 1],
    ["g", "global", 1],
  ]);
  assertEquals(module.start?.function, 1);
  assertEquals(module.elements.map(({ mode, table, type, items }) => [mode, table, type, [...items]]), [
    ["active", 1, FUNCREF, [0, 1]],
    ["declarative", 0, FUNCREF, [NULL_ITEM, 1, GLOBAL_ITEM]],
    ["active", 1, FUNCREF, []],
  ]);
  assertEquals([...bytes.subarray(module.bodies[0], module.bodies[1])], hex("00 0b"));
  assertEquals(module.dataCount, 2);
  assertEquals(
    module.data.map(({ mode, bytes: range }) => [mode, [...bytes.subarray(range.start, range.end)]]),
    [["active", hex("'hi'")], ["passive", hex("'x'")]],
  );
  assertEquals(module.customs.map(({ name, bytes: range }) => [name, bytes[range.start]]), [["a", 0x2a]]);
  accepts(bytes);
});

Deno.test("parse() keeps type lists apart that differ only in length or order", () => {
  const lists = ["00", "01 7f", "02 7f 7f", "02 7f 7e", "02 7e 7f", "04 7f 7f 7f 7f", "05 7f 7f 7f 7f 7f"];
  const module = parse(wasm(section(1, "07" + lists.map((list) => `60 00 ${list}`).join(" "))));
  assertEquals(module.types.map(({ results }) => [results.length, ...results]), lists.map(hex));
});

const MALFORMED: Record<string, readonly [Uint8Array, code: string, message: RegExp, offset: number]> = {
  "no bytes": [new Uint8Array(0), "UnexpectedEnd", /0 bytes are too few/, 0],
  "a text module": [
    new TextEncoder().encode("(module)"),
    "MalformedHeader",
    /magic number[^]*hint: .*text format/,
    0,
  ],
  "an rWasm module": [
    Uint8Array.of(0xef, 0x52, 1, 0, 0, 0, 0, 0),
    "MalformedHeader",
    /hint: this is an rWasm module/,
    0,
  ],
  "version 2": [Uint8Array.from(hex("00 'asm' 02 00 00 00")), "MalformedHeader", /version 2/, 4],
  "an unknown section": [wasm(section(14, "")), "MalformedSection", /section id 14/, 8],
  "a section longer than the module": [
    wasm(hex("01 05 00")),
    "UnexpectedEnd",
    /type section has 5 bytes, but only 1/,
    8,
  ],
  "bytes after the last entry": [wasm(section(1, "00 00")), "SectionSize", /1 bytes after/, 11],
  "a repeated section": [wasm(TYPE, TYPE), "SectionOrder", /type section is repeated/, 14],
  "a section out of order": [wasm(FUNCTION, TYPE), "SectionOrder", /type section/, 12],
  "data count after code": [
    wasm(section(10, "00"), section(12, "00")),
    "SectionOrder",
    /data count section/,
    11,
  ],
  "a count that the section cannot hold": [
    wasm(section(1, "ff ff ff ff 0f")),
    "UnexpectedEnd",
    /4294967295 types do not fit/,
    10,
  ],
  "an overlong integer": [
    wasm(section(1, "80 80 80 80 80 00")),
    "IntegerTooLong",
    /more than 5 bytes/,
    14,
  ],
  "a function without body": [wasm(TYPE, FUNCTION), "InconsistentLengths", /: 1 and 0/, 18],
  "a body without function": [wasm(TYPE, bodies("00 0b")), "InconsistentLengths", /: 0 and 1/, 16],
  "a data count without data": [
    wasm(section(12, "01")),
    "InconsistentLengths",
    /data count and data section/,
    11,
  ],
  "a malformed name": [wasm(section(0, "01 ff")), "MalformedUtf8", /UTF-8/, 11],
  "an unknown mutability": [wasm(section(6, "01 7f 02")), "MalformedMutability", /mutability 2/, 12],
  "an unknown import kind": [
    wasm(section(2, "01 00 00 05 00")),
    "MalformedExternalKind",
    /an import of kind 0x05/,
    13,
  ],
  "unknown bounds flags": [wasm(section(5, "01 10 00")), "MalformedBounds", /flags 0x10/, 11],
  "a memory above 4 GiB": [
    wasm(section(5, [1, 0, ...leb(65_537)])),
    "SizeOutOfBounds",
    /at most 65536 pages/,
    11,
  ],
  "a minimum above the maximum": [
    wasm(section(4, "01 70 01 02 01")),
    "SizeOutOfBounds",
    /minimum 2 of a table/,
    12,
  ],
  "element flags": [wasm(section(9, "01 08")), "MalformedSegment", /flags 8/, 11],
  "an element kind": [wasm(section(9, "01 01 01 00")), "MalformedSegment", /element kind 1/, 12],
  "data flags": [wasm(section(11, "01 03")), "MalformedSegment", /flags 3/, 11],
  "an element that is a number": [wasm(section(9, "01 05 70 01 41 00 0b")), "TypeMismatch", /funcref/, 14],
  "an element of two constants": [
    wasm(section(9, "01 05 70 01 d0 70 d0 70 0b")),
    "TypeMismatch",
    /one constant/,
    14,
  ],
  "an element that is empty": [wasm(section(9, "01 05 70 01 0b")), "TypeMismatch", /one constant/, 14],
  "a null of another type": [
    wasm(section(9, "01 05 70 01 d0 6f 0b")),
    "TypeMismatch",
    /type funcref/,
    14,
  ],
  "an element whose function does not exist": [
    wasm(section(9, [...hex("01 01 00 01"), ...hex("ff ff ff ff 0f")])),
    "UnknownFunction",
    /unknown function 4294967295/,
    14,
  ],
  "an element whose global does not exist": [
    wasm(section(9, "01 05 70 01 23 fe ff ff ff 0f 0b")),
    "UnknownGlobal",
    /unknown global 4294967294/,
    15,
  ],
  "an initializer with an operator that is not constant": [
    wasm(section(6, "01 7f 00 41 00 45 0b")),
    "ConstantExpressionRequired",
    /i32\.eqz is not allowed/,
    15,
  ],
  "an initializer with an operator that does not exist": [
    wasm(section(6, "01 7f 00 27 0b")),
    "UnknownOperator",
    /0x27 does not exist/,
    13,
  ],
};

Deno.test("parse() refuses malformed modules, with code, reason and offset", async (t) => {
  for (const [name, [bytes, code, message, offset]] of Object.entries(MALFORMED)) {
    await t.step(name, () => assertEquals(refuses(bytes, code, message).offset, offset));
  }
});

const memory = (flags: string) => wasm(section(5, `01 ${flags} 01 01 01`));

const PROPOSALS: Record<string, readonly Uint8Array[]> = {
  "component model": [Uint8Array.from(hex("00 'asm' 0d 00 01 00"))],
  "SIMD": [
    wasm(section(1, "01 60 01 7b 00")),
    operators("fd 0c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 1a"),
    operators("02 7b 0b"),
    wasm(section(6, "01 7b 00 fd 0c")),
    wasm(section(6, "01 7f 00 fd 0c")),
  ],
  "relaxed SIMD": [operators("fd 80 02")],
  "threads": [memory("03"), operators("fe 03 00")],
  "memory64": [memory("04"), wasm(section(4, "01 70 04 00"))],
  "custom page sizes": [memory("08")],
  "multi-memory": [wasm(section(5, "02 00 00 00 00")), operators("41 00 28 42 01 00 1a")],
  "exception handling": [
    wasm(section(13, "01 00 00")),
    wasm(section(2, "01 00 00 04 00 00")),
    operators("06 40 0b"),
    operators("1f 40 00 0b"),
    operators("08 00"),
    operators("0a"),
    wasm(section(1, "01 60 01 69 00")),
  ],
  "typed function references": [
    operators("14 00"),
    operators("15 00"),
    operators("d4"),
    operators("d0 00 1a"),
    wasm(section(1, "01 60 01 63 70 00")),
    wasm(section(4, "01 40 00 70 00 00 d0 70 0b")),
  ],
  "garbage collection": [
    wasm(section(1, "01 5f 00")),
    wasm(section(1, "01 4e 00")),
    wasm(section(1, "01 60 01 6e 00")),
    operators("fb 00 00"),
    operators("d3"),
    operators("d0 6e"),
  ],
  "stack switching": [wasm(section(1, "01 5d 00")), operators("e0 00")],
  "memory control": [operators("fc 12 00")],
};

Deno.test("a proposal that is not accepted is refused by name, with a hint", async (t) => {
  for (const [proposal, modules] of Object.entries(PROPOSALS)) {
    for (const [index, bytes] of modules.entries()) {
      await t.step(`${proposal} ${index}`, () => {
        const pattern = new RegExp(`belongs to the ${proposal} proposal`);
        const error = refuses(bytes, "UnsupportedProposal", pattern);
        assert(error.offset! >= 4 && error.offset! < bytes.length);
        assert(error.hint !== undefined);
      });
    }
  }
});

Deno.test("parse() bounds what a module may declare", () => {
  const zeros = (count: number) => new Array<number>(count).fill(0);
  const many: Record<string, Uint8Array> = {
    "parameters": wasm(section(1, [1, 0x60, ...leb(1001), ...new Array(1001).fill(0x7f), 0])),
    "element segments": wasm(section(9, [...leb(100_001), ...zeros(100_001)])),
    "data segments": wasm(section(11, [...leb(100_001), ...zeros(100_001)])),
    "tables": wasm(section(4, [...leb(65_536), ...zeros(65_536)])),
  };
  for (const [what, bytes] of Object.entries(many)) {
    refuses(bytes, "TooMany", new RegExp(`${what}, more than`));
  }
});

Deno.test("parse() takes a copy of bytes that other threads can write to", () => {
  const plain = wasm(TYPE);
  const shared = new Uint8Array(new SharedArrayBuffer(plain.length));
  shared.set(plain);
  const module = parse(shared);
  shared.fill(0xff);
  assertEquals(module.bytes, plain);
});

Deno.test("parse() refuses what is not bytes", () => {
  for (const value of [undefined, null, "(module)", [0], new ArrayBuffer(8), new Uint16Array(8)]) {
    const error = assertThrows(() => parse(value as unknown as Uint8Array), UsageError);
    assertEquals(error.code, "InvalidArgument");
  }
});

Deno.test("parse() accepts a cut module only where no section is open or missing", () => {
  const bytes = operators("41 00 1a");
  const accepted: number[] = [];
  for (let length = 0; length < bytes.length; length++) {
    try {
      parse(bytes.subarray(0, length));
      accepted.push(length);
    } catch (error) {
      assertInstanceOf(error, ValidationError);
      assert(error.offset! <= length);
    }
  }
  // After the header, and after the type section: from the function section on, bodies are missing.
  assertEquals(accepted, [8, 8 + 2 + bytes[9]]);
});
