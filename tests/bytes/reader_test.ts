import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DecodeError } from "../../lib/error.ts";
import { MAX_NAME_BYTES, Reader } from "../../lib/bytes/reader.ts";

const fail = (code: string, reason: string, offset: number): never => {
  throw new DecodeError(code, `Cannot read: ${reason}`, { offset });
};

const reader = (...bytes: number[]) => new Reader(Uint8Array.from(bytes), fail);

function refuses(code: string, offset: number, read: () => unknown): void {
  const error = assertThrows(read, DecodeError);
  assertEquals([error.code, error.offset], [code, offset]);
}

/** LEB128 of a signed integer in the fewest bytes, padded to `length` bytes. */
function signed(value: bigint, length = 0): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    const done = bytes.length + 1 >= length && value === (byte & 0x40 ? -1n : 0n);
    bytes.push(done ? byte : byte | 0x80);
    if (done) return bytes;
  }
}

/** LEB128 of an unsigned integer, padded to `length` bytes. */
function unsigned(value: bigint, length = 0): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    const done = bytes.length + 1 >= length && value === 0n;
    bytes.push(done ? byte : byte | 0x80);
    if (done) return bytes;
  }
}

/** Integers around every power of two below 2^bits, negative ones too. */
function* edges(bits: number): Generator<bigint> {
  for (let bit = 0; bit <= bits; bit++) {
    for (const delta of [-1n, 0n, 1n]) {
      yield (1n << BigInt(bit)) + delta;
      yield -(1n << BigInt(bit)) + delta;
    }
  }
}

Deno.test("Reader reads fixed-width integers in little-endian order", () => {
  const r = reader(1, 2, 3, 0xff, 0xfe, 0xfd, 0xfc, 1, 0, 0, 0, 2, 0, 0, 0);
  assertEquals([r.u8(), r.u16(), r.u32(), r.u64Length()], [1, 0x302, 0xfcfdfeff, 2 ** 33 + 1]);
  assertEquals([r.position, r.atEnd, r.remaining, r.peek()], [15, true, 0, -1]);
});

Deno.test("Reader stays inside its range", () => {
  const r = new Reader(Uint8Array.of(1, 2, 3, 4, 5), fail, 1, 3);
  assertEquals(r.u16(), 0x302);
  refuses("UnexpectedEnd", 3, () => r.u8());
});

Deno.test("Reader reads a view of a larger buffer at the right place", () => {
  const inner = Uint8Array.of(9, 9, 1, 2, 3, 4, 9).subarray(2, 6);
  assertEquals(new Reader(inner, fail).u32(), 0x04030201);
  refuses("UnexpectedEnd", 2, () => new Reader(inner, fail, 2).u32());
});

Deno.test("every read past the end fails with UnexpectedEnd where it began", () => {
  const cut: Record<string, (r: Reader) => unknown> = {
    u8: (r) => r.u8(),
    u16: (r) => r.u16(),
    u32: (r) => r.u32(),
    u64Length: (r) => r.u64Length(),
    varU32: (r) => r.varU32(),
    varS32: (r) => r.varS32(),
    varS33: (r) => r.varS33(),
    varS64: (r) => r.varS64(),
    name: (r) => r.name(),
    take: (r) => r.take(1),
    "skip of a negative length": (r) => r.skip(-1),
    "skip of a fraction": (r) => r.skip(NaN),
  };
  for (const [name, read] of Object.entries(cut)) {
    const error = assertThrows(() => read(reader()), DecodeError, undefined, name);
    assertEquals([error.code, error.offset], ["UnexpectedEnd", 0], name);
  }
  refuses("UnexpectedEnd", 2, () => reader(0x80, 0x80).varU32());
  refuses("UnexpectedEnd", 0, () => reader(3, 65, 65).name());
});

Deno.test("u64Length() refuses what a number cannot hold", () => {
  assertEquals(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0).u64Length(), Number.MAX_SAFE_INTEGER);
  refuses("LengthTooLarge", 0, () => reader(0, 0, 0, 0, 0, 0, 0x20, 0).u64Length());
});

Deno.test("varU32() reads every edge in the shortest and the longest form, and nothing larger", () => {
  for (const value of edges(33)) {
    if (value < 0n) continue;
    for (const length of [0, 5]) {
      const bytes = unsigned(value, length);
      if (value < 1n << 32n) {
        assertStrictEquals(reader(...bytes).varU32(), Number(value));
      } else refuses("IntegerTooLarge", 4, () => reader(...bytes).varU32());
    }
  }
  refuses("IntegerTooLong", 4, () => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0).varU32());
});

Deno.test("varS32() and varS33() read every edge in both forms, and nothing larger", () => {
  for (const [bits, read] of [[32, "varS32"], [33, "varS33"]] as const) {
    for (const value of edges(33)) {
      for (const length of [0, 5]) {
        const bytes = signed(value, length);
        if (BigInt.asIntN(bits, value) === value) {
          assertStrictEquals(reader(...bytes)[read](), Number(value));
        } else refuses("IntegerTooLarge", 4, () => reader(...bytes)[read]());
      }
    }
    refuses("IntegerTooLong", 4, () => reader(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)[read]());
  }
});

Deno.test("varS64() reads every edge in both forms, and nothing larger", () => {
  for (const value of edges(65)) {
    for (const length of [0, 10]) {
      const bytes = signed(value, length);
      if (BigInt.asIntN(64, value) === value) {
        const r = reader(...bytes);
        const low = r.varS64();
        assertEquals(BigInt(r.high) << 32n | BigInt(low >>> 0), value);
        assertEquals([low | 0, r.high | 0, r.atEnd], [low, r.high, true]);
      } else refuses("IntegerTooLarge", 9, () => reader(...bytes).varS64());
    }
  }
  refuses("IntegerTooLong", 9, () => reader(...Array(10).fill(0x80), 0).varS64());
});

Deno.test("name() reads UTF-8 and keeps a byte order mark", () => {
  for (const text of ["", "memory", "é", "\u{10ffff}", "\ufeffx", "a\0b", "x".repeat(300), "é".repeat(300)]) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(reader(...unsigned(BigInt(bytes.length)), ...bytes).name(), text);
  }
});

Deno.test("name() refuses malformed UTF-8", () => {
  const cases: Record<string, number[]> = {
    "a lone continuation byte": [0x80],
    "a cut sequence": [0x41, 0xe2, 0x82],
    "an overlong form": [0xc0, 0x80],
    "a surrogate": [0xed, 0xa0, 0x80],
    "above U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const error = assertThrows(() => reader(bytes.length, ...bytes).name(), DecodeError, "UTF-8", name);
    assertEquals(error.code, "MalformedUtf8");
  }
});

Deno.test("name() refuses a name above the limit", () => {
  const bytes = new Uint8Array(MAX_NAME_BYTES + 4).fill(65);
  bytes.set(unsigned(BigInt(MAX_NAME_BYTES + 1)));
  refuses("NameTooLong", 0, () => new Reader(bytes, fail).name());
});
