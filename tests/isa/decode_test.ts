import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DecodeError, UsageError } from "../../lib/error.ts";
import { decodeModule } from "../../lib/isa/decode.ts";
import { encodeModule } from "../../lib/isa/encode.ts";
import { RwasmModule } from "../../lib/isa/module.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { assemble, disassemble } from "../../lib/isa/text.ts";
import { fromBase64, listShared, readShared, sharedTest } from "../harness.ts";
import { EXAMPLE_HEX, fromHex, OPCODE_SAMPLES, random, randomModule, u32, u64 } from "./samples.ts";

const HEADER = "ef5201", EMPTY = u64(0), NO_SECTIONS = EMPTY + EMPTY + EMPTY + u32(0);

/** Decodes and gives the parts as plain values. */
function decoded(hex: string) {
  const { opcodes, immediates, data, elements, hint, sourcePc } = decodeModule(fromHex(hex));
  return {
    opcodes: [...opcodes],
    immediates: [...immediates],
    data: [...data],
    elements: [...elements],
    hint: [...hint],
    sourcePc,
  };
}

Deno.test("decode() reads the example of the format specification", () => {
  assertEquals(decoded(EXAMPLE_HEX), {
    opcodes: [Op.I32Const, Op.Return],
    immediates: [7, 0],
    data: [0x61, 0x62],
    elements: [9],
    hint: [0x68],
    sourcePc: 1,
  });
  assertEquals(RwasmModule.decode(fromHex(EXAMPLE_HEX)).encode().toHex(), EXAMPLE_HEX);
});

Deno.test("decode() reads the smallest module, of 39 bytes, and the one without source_pc", () => {
  const smallest = HEADER + EMPTY + NO_SECTIONS;
  assertEquals(smallest.length / 2, 39);
  const empty = { opcodes: [], immediates: [], data: [], elements: [], hint: [], sourcePc: 0 };
  assertEquals(decoded(smallest), empty);
  assertEquals(decoded(smallest.slice(0, -8)), empty);
  assertEquals(encodeModule(decodeModule(fromHex(smallest.slice(0, -8)))).toHex(), smallest);
});

Deno.test("decode() puts every kind of immediate into one cell", () => {
  const code = [
    "2d00000001000200",
    "2d000000ffffff7f",
    "28000000ffff",
    "05000000ffffffff",
    "010000000d000000",
  ];
  const module = decoded(HEADER + u64(5) + code.join("") + NO_SECTIONS);
  assertEquals(module.opcodes, [Op.TableCopy, Op.TableCopy, Op.TableSize, Op.Br, Op.Trap]);
  assertEquals(module.immediates, [1 << 16 | 2, 0xffff << 16 | 0x7fff, 0xffff, -1, 13]);
});

const codeOf = (count: number, hex: string) => HEADER + u64(count) + hex + NO_SECTIONS;

const REFUSED: { readonly [what: string]: readonly [hex: string, code: string, offset: number] } = {
  "empty input": ["", "UnexpectedEnd", 0],
  "one byte": ["ef", "UnexpectedEnd", 1],
  "wrong first byte": ["ee5201" + EMPTY + NO_SECTIONS, "InvalidMagic", 0],
  "wrong second byte": ["ef5301" + EMPTY + NO_SECTIONS, "InvalidMagic", 0],
  "a Wasm module": ["0061736d01000000", "InvalidMagic", 0],
  "version 0": ["ef5200" + EMPTY + NO_SECTIONS, "UnsupportedVersion", 2],
  "version 2": ["ef5202" + EMPTY + NO_SECTIONS, "UnsupportedVersion", 2],
  "opcode 94": [codeOf(1, u32(94)), "InvalidOpcode", 11],
  "opcode 999": [codeOf(1, u32(999)), "InvalidOpcode", 11],
  "opcode 1070": [codeOf(2, u32(11) + u32(1070)), "InvalidOpcode", 15],
  "opcode 2^32 - 1": [codeOf(1, u32(2 ** 32 - 1)), "InvalidOpcode", 11],
  "trap 14": [codeOf(1, u32(1) + u32(14)), "InvalidTrapCode", 15],
  "trap 255": [codeOf(1, u32(1) + u32(255)), "InvalidTrapCode", 15],
  "trap 2^31": [codeOf(1, u32(1) + u32(2 ** 31)), "InvalidTrapCode", 15],
  "more data than bytes": [HEADER + EMPTY + u64(5) + "61626364", "UnexpectedEnd", 19],
  "more elements than bytes": [HEADER + EMPTY + EMPTY + u64(2) + u32(1) + "000000", "UnexpectedEnd", 19],
  "one byte of source_pc": [EXAMPLE_HEX.slice(0, -6), "UnexpectedEnd", EXAMPLE_HEX.length / 2 - 4],
  "three bytes of source_pc": [EXAMPLE_HEX.slice(0, -2), "UnexpectedEnd", EXAMPLE_HEX.length / 2 - 4],
  "a trailing byte": [EXAMPLE_HEX + "00", "TrailingBytes", EXAMPLE_HEX.length / 2],
  "four trailing bytes": [EXAMPLE_HEX + "00000000", "TrailingBytes", EXAMPLE_HEX.length / 2],
};

for (const [what, [hex, code, offset]] of Object.entries(REFUSED)) {
  Deno.test(`decode() refuses ${what} with ${code}`, () => {
    const error = assertThrows(() => decodeModule(fromHex(hex)), DecodeError, "Cannot decode rWasm module: ");
    assertEquals([error.code, error.offset], [code, offset]);
  });
}

Deno.test("decode() tells who has a Wasm module to compile it", () => {
  const error = assertThrows(() => decodeModule(fromHex("0061736d01000000")), DecodeError);
  assert(error.hint?.includes("compile()"), error.message);
});

Deno.test("decode() refuses what is not a Uint8Array", () => {
  for (const junk of [undefined, null, "bytes", 7, {}, [0xef, 0x52], new ArrayBuffer(39)]) {
    const error = assertThrows(() => decodeModule(junk as unknown as Uint8Array), UsageError);
    assertEquals(error.code, "InvalidArgument");
  }
});

Deno.test("decode() refuses a detached buffer as an empty one", () => {
  const bytes = fromHex(EXAMPLE_HEX);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  assertEquals(assertThrows(() => decodeModule(bytes), DecodeError).code, "UnexpectedEnd");
});

Deno.test("decode() refuses huge lengths without allocating", () => {
  const lengths: [bigint, string][] = [
    [2n ** 20n, "UnexpectedEnd"],
    [2n ** 31n, "UnexpectedEnd"],
    [2n ** 32n, "UnexpectedEnd"],
    [2n ** 40n, "UnexpectedEnd"],
    [2n ** 53n - 1n, "UnexpectedEnd"],
    [2n ** 53n + 1n, "LengthOutOfRange"],
    [2n ** 64n - 1n, "LengthOutOfRange"],
  ];
  const places = [
    ["code", (length: string) => HEADER + length + u32(11)],
    ["data", (length: string) => HEADER + EMPTY + length + "61"],
    ["elements", (length: string) => HEADER + EMPTY + EMPTY + length + u32(9)],
    ["hint", (length: string) => HEADER + EMPTY + EMPTY + EMPTY + length + "68"],
  ] as const;
  const before = Deno.memoryUsage();
  for (const [length, code] of lengths) {
    for (const [place, build] of places) {
      const error = assertThrows(() => decodeModule(fromHex(build(u64(length)))), DecodeError);
      assertEquals(error.code, code, `${place} ${length}`);
    }
  }
  const after = Deno.memoryUsage();
  // One wrong allocation would take 1 MiB (2^20 bytes) at least; buffers count as external memory.
  assert(after.external - before.external < 2 ** 20, `external memory grew to ${after.external}`);
});

Deno.test("decode() copies: the input may be overwritten, and nothing keeps it alive", () => {
  const bytes = fromHex(EXAMPLE_HEX);
  const module = decodeModule(bytes);
  bytes.fill(0xff);
  assertEquals(encodeModule(module).toHex(), EXAMPLE_HEX);
  for (const part of [module.data, module.hint, module.elements, module.opcodes, module.immediates]) {
    assertNotEquals(part.buffer, bytes.buffer);
    assertEquals(part.buffer.byteLength, part.byteLength);
  }
});

Deno.test("decode() reads a view into a larger buffer, at any alignment", () => {
  const bytes = fromHex(EXAMPLE_HEX);
  for (let shift = 0; shift < 8; shift++) {
    const large = new Uint8Array(bytes.length + 16).fill(0xee);
    large.set(bytes, shift);
    assertEquals(
      encodeModule(decodeModule(large.subarray(shift, shift + bytes.length))).toHex(),
      EXAMPLE_HEX,
    );
  }
});

Deno.test("a decoded module takes at most three times its bytes", () => {
  // None-immediate instructions are the worst: 4 bytes on the wire, 5 in memory.
  const module = decodeModule(encodeModule(assemble("Drop\n".repeat(1000))));
  const held = module.opcodes.byteLength + module.immediates.byteLength;
  assert(held <= 3 * 4 * 1000, String(held));
});

Deno.test("every truncation of small modules is refused, but for the missing source_pc", () => {
  const all = OPCODE_SAMPLES.map((sample) => sample.line).join("\n");
  const modules = [
    fromHex(EXAMPLE_HEX),
    assemble(`${all}\n.ro_data 01 02 03\n.ro_elem 1 2 3\n.hint 00 61 73 6d\n.source_pc 5`).encode(),
    assemble("").encode(),
  ];
  for (const bytes of modules) {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      if (length === bytes.length - 4) {
        assertEquals(decodeModule(cut).sourcePc, 0);
        continue;
      }
      const error = assertThrows(() => decodeModule(cut), DecodeError);
      assertEquals(error.code, "UnexpectedEnd", `cut at ${length}`);
      assert(error.offset !== undefined && error.offset <= length, `offset ${error.offset} of ${length}`);
    }
  }
});

Deno.test("mutated modules decode to a module that round-trips, or to a DecodeError", () => {
  const next = random(20_261_122);
  let modules = 0, errors = 0;
  for (let round = 0; round < 4000; round++) {
    const bytes = encodeModule(randomModule(next));
    for (let edits = 1 + next(4); edits > 0; edits--) {
      const at = next(bytes.length);
      if (next(2) === 0) bytes[at] = next(256);
      else bytes[at]! ^= 1 << next(8);
    }
    const input = next(4) === 0 ? bytes.slice(0, next(bytes.length)) : bytes;
    try {
      const module = new RwasmModule(decodeModule(input));
      modules++;
      const again = module.encode();
      // Equal but for source_pc, which old modules end before.
      assertEquals(again.toHex().slice(0, 2 * input.length), input.toHex(), `round ${round}`);
      assertEquals(assemble(disassemble(module)).encode(), again, `round ${round}`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      errors++;
    }
  }
  assert(modules > 200 && errors > 200, `${modules} modules, ${errors} errors`);
});

Deno.test("encode() then decode() gives the same module, for random modules", () => {
  const next = random(7);
  for (let round = 0; round < 500; round++) {
    const module = randomModule(next);
    assertEquals(
      decodeModule(encodeModule(module)),
      module as ReturnType<typeof decodeModule>,
      `round ${round}`,
    );
  }
});

Deno.test("encode() refuses parts that are not a module", () => {
  const valid = decodeModule(fromHex(EXAMPLE_HEX));
  const wrong = {
    "an opcode that does not exist": { ...valid, opcodes: Uint8Array.of(164, 11) },
    "missing immediates": { ...valid, immediates: Int32Array.of(7) },
    "a table index of 65536": {
      ...valid,
      opcodes: Uint8Array.of(Op.TableGet, 11),
      immediates: Int32Array.of(65536, 0),
    },
    "a negative table index": {
      ...valid,
      opcodes: Uint8Array.of(Op.TableGet, 11),
      immediates: Int32Array.of(-1, 0),
    },
    "trap 14": { ...valid, opcodes: Uint8Array.of(Op.Trap, 11), immediates: Int32Array.of(14, 0) },
    "a negative sourcePc": { ...valid, sourcePc: -1 },
    "a fractional sourcePc": { ...valid, sourcePc: 0.5 },
    "a sourcePc of 2^32": { ...valid, sourcePc: 2 ** 32 },
  };
  for (const [what, module] of Object.entries(wrong)) {
    assertEquals(assertThrows(() => encodeModule(module), UsageError, "", what).code, "InvalidModule", what);
  }
});

/** A facts file: a module at the top, in cases, or in variants. */
interface ProgramFacts {
  readonly rwasm?: string;
  readonly cases?: readonly { readonly rwasm?: string }[];
  readonly variants?: readonly { readonly rwasm?: string }[];
}

sharedTest("modules of the reference survive decoding, disassembling and assembling byte for byte", () => {
  let modules = 0;
  for (const name of listShared("golden/programs/")) {
    const facts = readShared<ProgramFacts>(`golden/programs/${name}.json`);
    for (const { rwasm } of [facts, ...facts.cases ?? [], ...facts.variants ?? []]) {
      if (rwasm === undefined) continue;
      modules++;
      const bytes = fromBase64(rwasm);
      const module = RwasmModule.decode(bytes);
      assertEquals(module.encode().toHex(), bytes.toHex(), name);
      assertEquals(assemble(disassemble(module)).encode().toHex(), bytes.toHex(), name);
    }
  }
  assert(modules >= 15, `only ${modules} modules`);
});
