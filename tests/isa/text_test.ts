import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DecodeError, TRAP_NAMES, UsageError } from "../../lib/error.ts";
import { encodeModule } from "../../lib/isa/encode.ts";
import { type ModuleInfo, RwasmModule } from "../../lib/isa/module.ts";
import { Op, OP_NAMES } from "../../lib/isa/opcode.ts";
import { assemble, disassemble, formatInstruction } from "../../lib/isa/text.ts";
import { EXAMPLE_HEX, fromHex, random, randomModule } from "./samples.ts";

/** Code of a text, one word per instruction: name, and immediate where it is not 0. */
function code(text: string): string {
  const { opcodes, immediates } = assemble(text);
  return Array.from(opcodes, (op, pc) => OP_NAMES[op] + (immediates[pc] === 0 ? "" : `:${immediates[pc]}`))
    .join(" ");
}

Deno.test("disassemble() writes the reference's layout, and assemble() reads it back", () => {
  const module = RwasmModule.decode(fromHex(EXAMPLE_HEX));
  assertEquals(
    disassemble(module),
    `RwasmModule {
 .function_begin_0 (#0)
  0000: I32Const(7)
  0001: Return  <- SOURCE
 .function_end

 .ro_data 61 62
 .ro_elem 9
 .hint 68
 .source_pc 1
}
`,
  );
  assertEquals(assemble(disassemble(module)).encode().toHex(), EXAMPLE_HEX);
});

Deno.test("disassemble() begins a function before every SignatureCheck and tells where branches go", () => {
  const text = disassemble(assemble("StackCheck 5\nSignatureCheck 0\nBr -1\nSignatureCheck 1\nBrIfNez 2"));
  assertEquals(text.match(/\.function_begin_\d+ \(#\d+\)/g), [
    ".function_begin_0 (#0)",
    ".function_begin_1 (#1)",
    ".function_begin_3 (#2)",
  ]);
  assertStringIncludes(text, "0002: Br(-1)  ; -> 1\n");
  assertStringIncludes(text, "0004: BrIfNez(2)  ; -> 6\n");
});

Deno.test("disassemble() names functions of compiled modules, hostile names included", () => {
  const parts = assemble("StackCheck 5\nSignatureCheck 0\nReturn\nSignatureCheck 0\nCallInternal 1");
  const info: ModuleInfo = {
    functionExports: [{ name: "run", index: 1, params: [], results: [] }],
    globalExports: [],
    memoryExports: [],
    tableExports: [],
    functionImports: [],
    functionTypes: Uint32Array.of(0, 0),
    types: [{ params: [], results: [] }],
    functionStarts: Uint32Array.of(1, 3),
    functionNames: new Map([[0, 'evil"\n  Unreachable \u001b[31m\u2028']]),
    snippetNames: [],
    wasmOffsets: new Uint32Array(5),
    entrypoint: undefined,
    metered: true,
    hasRouter: false,
    moduleName: undefined,
  };
  const text = disassemble(new RwasmModule({ ...parts, info }));
  assertStringIncludes(
    text,
    String.raw`.function_begin_1 (#1) ; "evil\"\u{a}  Unreachable \u{1b}[31m\u{2028}"`,
  );
  assertStringIncludes(text, `.function_begin_3 (#2) ; "run"`);
  assertEquals(assemble(text).encode(), parts.encode());
});

Deno.test("assemble(disassemble()) gives the same bytes, for random modules", () => {
  const next = random(99);
  for (let round = 0; round < 300; round++) {
    const module = new RwasmModule(randomModule(next));
    assertEquals(assemble(disassemble(module)).encode(), encodeModule(module), `round ${round}`);
  }
});

const WRITTEN: readonly (readonly [text: string, code: string])[] = [
  ["", ""],
  ["\n\n  ; only comments\n;", ""],
  ["I32Const 7", "I32Const:7"],
  ["I32Const(7)", "I32Const:7"],
  ["  I32Const ( 7 ) ; seven", "I32Const:7"],
  ["I32Const -1\r\nI32Const 4294967295\r\nI32Const 0xFFFF_FFFF", "I32Const:-1 I32Const:-1 I32Const:-1"],
  ["I32Const -0x80000000\nI32Const +5\nI32Const 1_000", "I32Const:-2147483648 I32Const:5 I32Const:1000"],
  ["LocalGet 4294967295", "LocalGet:-1"],
  ["TableCopy 1 2\nTableCopy(65535, 3)", "TableCopy:65538 TableCopy:-65533"],
  ["Trap IntegerOverflow\nTrap 13\nTrap(OutOfFuel)", "Trap:5 Trap:13 Trap:9"],
  ["top: Drop\nBr top\nBrIfEqz end\nBrIfNez top\nend:", "Drop Br:-1 BrIfEqz:2 BrIfNez:-3"],
  [
    "a: b: Return\nCallInternal a\nReturnCallInternal c\nRefFunc c\nc: Return",
    "Return CallInternal ReturnCallInternal:4 RefFunc:4 Return",
  ],
  ["17: Return\n 3: Drop", "Return Drop"],
  ["Return: Return\nBr Return", "Return Br:-1"],
];

for (const [text, expected] of WRITTEN) {
  Deno.test(`assemble() reads ${JSON.stringify(text)}`, () => assertEquals(code(text), expected));
}

Deno.test("assemble() reads sections from any number of lines", () => {
  const module = assemble(`
    .ro_data 00 fF
    f: Return
    .ro_data 0102, 03
    .ro_elem 0 f, g 0xffffffff
    .hint 61
    g: Return
    .source_pc g
  `);
  assertEquals([...module.data], [0, 255, 1, 2, 3]);
  assertEquals([...module.elements], [0, 0, 1, 0xffff_ffff]);
  assertEquals([...module.hint], [0x61]);
  assertEquals(module.sourcePc, 1);
});

Deno.test("assemble() takes the source pc from a mark, a number or a label", () => {
  for (
    const text of [
      "Drop\nReturn <- SOURCE",
      "Drop\nReturn\n.source_pc 1",
      "Drop\nx: Return <- SOURCE\n.source_pc x",
    ]
  ) {
    assertEquals(assemble(text).sourcePc, 1, text);
  }
  assertEquals(assemble("Return").sourcePc, 0);
  assertEquals(assemble("Return\n.source_pc 4294967295").sourcePc, 0xffff_ffff);
});

const REFUSED: readonly (readonly [text: string, code: string, place: string, hint?: string])[] = [
  ["I32Cnst 7", "UnknownOpcode", "line 1, column 1", "I32Const"],
  ["Return\n  i32const 7", "UnknownOpcode", "line 2, column 3", "I32Const"],
  ["constructor", "UnknownOpcode", "line 1, column 1"],
  ["__proto__ 1", "UnknownOpcode", "line 1, column 1"],
  ["I32Const", "InvalidSyntax", "line 1, column 9"],
  ["I32Const x", "InvalidSyntax", "line 1, column 10"],
  ["I32Const 1.5", "InvalidSyntax", "line 1, column 10"],
  ["I32Const 1e3", "InvalidSyntax", "line 1, column 10"],
  ["I32Const 4294967296", "ImmediateOutOfRange", "line 1, column 10"],
  ["I32Const -2147483649", "ImmediateOutOfRange", "line 1, column 10"],
  [`I32Const ${"9".repeat(100)}`, "ImmediateOutOfRange", "line 1, column 10"],
  [`I32Const ${"9".repeat(100_000)}`, "InvalidSyntax", "line 1, column 10"],
  ["Br 2147483648", "ImmediateOutOfRange", "line 1, column 4"],
  ["LocalGet -1", "ImmediateOutOfRange", "line 1, column 10"],
  ["TableGet 65536", "ImmediateOutOfRange", "line 1, column 10"],
  ["TableCopy 0 65536", "ImmediateOutOfRange", "line 1, column 13"],
  ["TableCopy 0", "InvalidSyntax", "line 1, column 12"],
  ["Trap 14", "ImmediateOutOfRange", "line 1, column 6"],
  ["Trap IntegerOverflw", "UnknownTrap", "line 1, column 6", "IntegerOverflow"],
  ["Trap HostError", "UnknownTrap", "line 1, column 6"],
  ["Return 7", "InvalidSyntax", "line 1, column 8"],
  ["Return Return", "InvalidSyntax", "line 1, column 8"],
  ["I32Const(7", "InvalidSyntax", "line 1, column 11"],
  ["I32Const 7)", "InvalidSyntax", "line 1, column 11"],
  ["loop: Drop\nBr lop", "UnknownLabel", "line 2, column 4", "loop"],
  ["x:\n\n x: Return", "DuplicateLabel", "line 3, column 2"],
  ["7up: Return", "InvalidSyntax", "line 1, column 1"],
  [`${"x".repeat(2000)}: Return`, "InvalidSyntax", "line 1, column 1"],
  [".ro_date 61", "UnknownDirective", "line 1, column 1", ".ro_data"],
  [".ro_data 6 1", "InvalidSyntax", "line 1, column 10"],
  [".ro_data 61 6g", "InvalidSyntax", "line 1, column 13"],
  [".ro_elem -1", "ImmediateOutOfRange", "line 1, column 10"],
  [".source_pc 4294967296", "ImmediateOutOfRange", "line 1, column 12"],
  [".source_pc", "InvalidSyntax", "line 1, column 11"],
  ["Return <- SOURCE\nReturn <- SOURCE", "DuplicateSourcePc", "line 2, column 11"],
  ["Return <- SOURCE\nx: Return\n.source_pc x", "DuplicateSourcePc", "line 3, column 12"],
  ["Return <- HERE", "InvalidSyntax", "line 1, column 11"],
  ["\u001b[31m", "InvalidSyntax", "line 1, column 1"],
  ["Return 🦕", "InvalidSyntax", "line 1, column 8"],
  ["\ud800", "InvalidSyntax", "line 1, column 1"],
];

for (const [text, expected, place, hint] of REFUSED) {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  Deno.test(`assemble() refuses ${JSON.stringify(shown)} with ${expected}`, () => {
    const error = assertThrows(() => assemble(text), DecodeError, "Cannot assemble rWasm module: ");
    assertEquals(error.code, expected);
    assertStringIncludes(error.message, `\n  at ${place}`);
    assertEquals(error.hint, hint === undefined ? undefined : `did you mean "${hint}"?`);
  });
}

Deno.test("assemble() refuses what is not a string", () => {
  for (const junk of [undefined, null, 7, {}, ["Return"], new Uint8Array(3)]) {
    assertEquals(assertThrows(() => assemble(junk as unknown as string), UsageError).code, "InvalidArgument");
  }
});

Deno.test("assemble() takes mutated text to a module or a DecodeError", () => {
  const next = random(4711);
  const alphabet = [...":;.()<-{}+_$ \n\t\r0123456789abcdefxABCZ,\u0000\u2028é"];
  let modules = 0, errors = 0;
  for (let round = 0; round < 1500; round++) {
    const text = [...disassemble(new RwasmModule(randomModule(next)))];
    for (let edits = 1 + next(2); edits > 0; edits--) {
      text.splice(next(text.length), next(3), alphabet[next(alphabet.length)]!);
    }
    try {
      const module = assemble(text.join(""));
      modules++;
      assertEquals(RwasmModule.decode(module.encode()).encode(), module.encode());
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      errors++;
    }
  }
  assert(modules > 100 && errors > 100, `${modules} modules, ${errors} errors`);
});

Deno.test("formatInstruction() writes every trap by its name", () => {
  const module = assemble(TRAP_NAMES.map((_, number) => `Trap ${number}`).join("\n"));
  assertEquals(
    TRAP_NAMES.map((_, pc) => formatInstruction(module, pc)),
    TRAP_NAMES.map((name) => `Trap(${name})`),
  );
  assertEquals(module.opcodes[0], Op.Trap);
});
