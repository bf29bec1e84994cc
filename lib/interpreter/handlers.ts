/**
 * The table of lowered operations: name, operands, and what each does, as WebAssembly. The position
 * of a row is the number in Program. A slot operand is a byte offset from fp, negative for
 * parameters; `d` is where the result goes; "64" marks values of two slots, low word first.
 *
 * Suffixes say what the operands are: `R` a slot, `I` a constant in the instruction.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { GUEST, type HandlerEmitter, type Kind, Local } from "./emit.ts";
import { CALLABLE, Header, Stop } from "./layout.ts";

/** A row of the table. */
export interface Handler {
  /** Name, unique. */
  readonly name: string;
  /** Names of the operand words. */
  readonly operands: readonly string[];
  /** Emits the body, which must end by going somewhere. */
  emit(h: HandlerEmitter, words: number): void;
}

const rows: Handler[] = [];

/** The last operands of every conditional jump: where to, and what is charged there. */
const WAYS = "taken fuel-taken other fuel-other";

function row(name: string, operands: string, emit: (h: HandlerEmitter, words: number) => void): void {
  rows.push({ name, operands: operands.split(" ").filter((text) => text !== ""), emit });
}

// ── moves ─────────────────────────────────────────────────────────────────────────────────────────

row("Move", "d a", (h, n) => h.write(1, "i32", () => h.read(2, "i32")).next(n));
row("Move64", "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i64")).next(n));
row("Const", "d value", (h, n) => h.write(1, "i32", () => h.operand(2)).next(n));
row("Const64", "d low high", (h, n) => h.write(1, "i64", () => h.operand64(2)).next(n));
row("Zero", "d bytes", (h, n) => {
  h.slot(1).i32(0).operand(2).op(0xfc, 0x0b, 0x00); // memory.fill
  h.next(n);
});
row("Select", "d a b c", (h, n) => {
  h.write(1, "i32", () => h.read(2, "i32").read(3, "i32").read(4, "i32").op(0x1b)).next(n);
});
row("Select64", "d a b c", (h, n) => {
  h.write(1, "i64", () => h.read(2, "i64").read(3, "i64").read(4, "i32").op(0x1b)).next(n);
});
row("GlobalGet", "d word", (h, n) => {
  h.write(1, "i32", () => globalAddress(h, 2).op(0x28, 0x00, 0x00)).next(n);
});
row("GlobalSet", "word a", (h, n) => {
  globalAddress(h, 1).read(2, "i32").store("i32").next(n);
});
// The high half of a global of 64 bits is in the word in front of the low one.
row("GlobalGet64", "d word", (h, n) => {
  h.write(1, "i64", () => globalAddress(h, 2).op(0x29, 0x00, 0x00).i64(32).op(0x89)).next(n);
});
row("GlobalSet64", "word a", (h, n) => {
  globalAddress(h, 1).read(2, "i64").i64(32).op(0x89).store("i64").next(n);
});

/** Pushes the address of the global word whose byte offset is operand `k`. */
function globalAddress(h: HandlerEmitter, k: number): HandlerEmitter {
  return h.header(Header.globals).operand(k).op(0x6a);
}

// ── 32-bit integers ───────────────────────────────────────────────────────────────────────────────

/** Operators of two i32 without traps: name, Wasm opcode. */
const BINARY: readonly (readonly [string, number])[] = [
  ["Add", 0x6a],
  ["Sub", 0x6b],
  ["Mul", 0x6c],
  ["And", 0x71],
  ["Or", 0x72],
  ["Xor", 0x73],
  ["Shl", 0x74],
  ["ShrS", 0x75],
  ["ShrU", 0x76],
  ["Rotl", 0x77],
  ["Rotr", 0x78],
];

/** Comparisons: name, Wasm opcode for i32, for i64. */
const COMPARE: readonly (readonly [string, number, number])[] = [
  ["Eq", 0x46, 0x51],
  ["Ne", 0x47, 0x52],
  ["LtS", 0x48, 0x53],
  ["LtU", 0x49, 0x54],
  ["GtS", 0x4a, 0x55],
  ["GtU", 0x4b, 0x56],
  ["LeS", 0x4c, 0x57],
  ["LeU", 0x4d, 0x58],
  ["GeS", 0x4e, 0x59],
  ["GeU", 0x4f, 0x5a],
];

for (const [name, opcode] of BINARY) {
  row(
    `${name}RR`,
    "d a b",
    (h, n) => h.write(1, "i32", () => h.read(2, "i32").read(3, "i32").op(opcode)).next(n),
  );
  row(
    `${name}RI`,
    "d a b",
    (h, n) => h.write(1, "i32", () => h.read(2, "i32").operand(3).op(opcode)).next(n),
  );
}
for (const [name, opcode] of COMPARE) {
  row(
    `${name}RR`,
    "d a b",
    (h, n) => h.write(1, "i32", () => h.read(2, "i32").read(3, "i32").op(opcode)).next(n),
  );
  row(
    `${name}RI`,
    "d a b",
    (h, n) => h.write(1, "i32", () => h.read(2, "i32").operand(3).op(opcode)).next(n),
  );
}
for (const [name, opcode] of COMPARE) {
  row(`Jump${name}RR`, `a b ${WAYS}`, (h) => h.read(1, "i32").read(2, "i32").op(opcode).jumpIf(3));
  row(`Jump${name}RI`, `a b ${WAYS}`, (h) => h.read(1, "i32").operand(2).op(opcode).jumpIf(3));
}

/** Operators of one i32: name, Wasm opcode. */
for (
  const [name, opcode] of [
    ["Eqz", 0x45],
    ["Clz", 0x67],
    ["Ctz", 0x68],
    ["Popcnt", 0x69],
    ["Extend8S", 0xc0],
    ["Extend16S", 0xc1],
  ] as const
) {
  row(name, "d a", (h, n) => h.write(1, "i32", () => h.read(2, "i32").op(opcode)).next(n));
}

row("DivSRR", "d a b", (h, n) => {
  h.read(2, "i32").set(Local.a).read(3, "i32").tee(Local.b).op(0x45).trapIf(TrapCode.IntegerDivisionByZero);
  h.get(Local.b).i32(-1).op(0x46).get(Local.a).i32(-0x8000_0000).op(0x46, 0x71).trapIf(
    TrapCode.IntegerOverflow,
  );
  h.write(1, "i32", () => h.get(Local.a).get(Local.b).op(0x6d)).next(n);
});
row("RemSRR", "d a b", (h, n) => {
  h.read(3, "i32").tee(Local.b).op(0x45).trapIf(TrapCode.IntegerDivisionByZero);
  h.write(1, "i32", () => h.read(2, "i32").get(Local.b).op(0x6f)).next(n);
});
for (const [name, opcode] of [["DivU", 0x6e], ["RemU", 0x70]] as const) {
  row(`${name}RR`, "d a b", (h, n) => {
    h.read(3, "i32").tee(Local.b).op(0x45).trapIf(TrapCode.IntegerDivisionByZero);
    h.write(1, "i32", () => h.read(2, "i32").get(Local.b).op(opcode)).next(n);
  });
}
// A constant divisor is neither 0 nor -1.
for (const [name, opcode] of [["DivS", 0x6d], ["DivU", 0x6e], ["RemS", 0x6f], ["RemU", 0x70]] as const) {
  row(`${name}RI`, "d a b", (h, n) => {
    h.write(1, "i32", () => h.read(2, "i32").operand(3).op(opcode)).next(n);
  });
}

// ── 64-bit integers ───────────────────────────────────────────────────────────────────────────────

/** The i64 counterpart of an i32 binary operator. */
const WIDE = 0x12;

for (const [name, opcode] of BINARY) {
  row(`${name}64RR`, "d a b", (h, n) => {
    h.write(1, "i64", () => h.read(2, "i64").read(3, "i64").op(opcode + WIDE)).next(n);
  });
  row(`${name}64RI`, "d a low high", (h, n) => {
    h.write(1, "i64", () => h.read(2, "i64").operand64(3).op(opcode + WIDE)).next(n);
  });
}
for (const [name, , opcode] of COMPARE) {
  row(
    `${name}64RR`,
    "d a b",
    (h, n) => h.write(1, "i32", () => h.read(2, "i64").read(3, "i64").op(opcode)).next(n),
  );
  row(`${name}64RI`, "d a low high", (h, n) => {
    h.write(1, "i32", () => h.read(2, "i64").operand64(3).op(opcode)).next(n);
  });
}
for (const [name, , opcode] of COMPARE) {
  row(`Jump${name}64RR`, `a b ${WAYS}`, (h) => h.read(1, "i64").read(2, "i64").op(opcode).jumpIf(3));
  row(
    `Jump${name}64RI`,
    `a low high ${WAYS}`,
    (h) => h.read(1, "i64").operand64(2).op(opcode).jumpIf(4),
  );
}
for (const [name, opcode] of [["Clz64", 0x79], ["Ctz64", 0x7a], ["Popcnt64", 0x7b]] as const) {
  row(name, "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i64").op(opcode)).next(n));
}
row("Eqz64", "d a", (h, n) => h.write(1, "i32", () => h.read(2, "i64").op(0x50)).next(n));
// From one slot, the low word.
row("Extend8S64", "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i32").op(0xc0, 0xac)).next(n));
row("Extend16S64", "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i32").op(0xc1, 0xac)).next(n));
row("ExtendS", "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i32").op(0xac)).next(n));
row("ExtendU", "d a", (h, n) => h.write(1, "i64", () => h.read(2, "i32").op(0xad)).next(n));

row("DivS64RR", "d a b", (h, n) => {
  // A division that traps does so inside of the hidden function, where the plain loop goes.
  h.read(2, "i64").set(Local.x).read(3, "i64").tee(Local.y).op(0x50).stopIf(Stop.Slow);
  h.get(Local.y).i64(-1).op(0x51).get(Local.x).op(0x42).code.s64(0, -0x8000_0000);
  h.op(0x51, 0x71).stopIf(Stop.Slow);
  h.write(1, "i64", () => h.get(Local.x).get(Local.y).op(0x7f)).next(n);
});
for (const [name, opcode] of [["DivU", 0x80], ["RemS", 0x81], ["RemU", 0x82]] as const) {
  row(`${name}64RR`, "d a b", (h, n) => {
    h.read(3, "i64").tee(Local.y).op(0x50).stopIf(Stop.Slow);
    h.write(1, "i64", () => h.read(2, "i64").get(Local.y).op(opcode)).next(n);
  });
}
// A constant divisor is neither 0 nor -1.
for (const [name, opcode] of [["DivS", 0x7f], ["DivU", 0x80], ["RemS", 0x81], ["RemU", 0x82]] as const) {
  row(`${name}64RI`, "d a low high", (h, n) => {
    h.write(1, "i64", () => h.read(2, "i64").operand64(3).op(opcode)).next(n);
  });
}

/** a b → lo hi: product, sum with carry, difference with borrow mask. */
for (const [name, opcode] of [["Mul64", 0x7e], ["Add64", 0x7c], ["Sub64", 0x7d]] as const) {
  row(`Wide${name}`, "d a b", (h, n) => {
    h.write(1, "i64", () => h.read(2, "i32").op(0xad).read(3, "i32").op(0xad, opcode)).next(n);
  });
}

/** a + b of 128 bits; with `minus`, a − b. The carry out of the low half is unsigned overflow. */
for (const [name, minus] of [["Add128", false], ["Sub128", true]] as const) {
  const opcode = minus ? 0x7d : 0x7c;
  row(name, "d a b", (h, n) => {
    h.read(2, "i64").tee(Local.x).read(3, "i64").op(opcode).set(Local.y);
    // x keeps the low half of a; the high half is made before anything is written.
    h.read(2, "i64", 8).read(3, "i64", 8).op(opcode);
    if (minus) h.get(Local.x).read(3, "i64").op(0x54, 0xad, 0x7d); // a < b borrows
    else h.get(Local.y).get(Local.x).op(0x54, 0xad, 0x7c); // sum < a carries
    h.set(Local.x).slot(1).get(Local.y).store("i64").slot(1).get(Local.x).store("i64", 8).next(n);
  });
}
for (const [name, opcode] of [["MulWideS", 0x15], ["MulWideU", 0x16]] as const) {
  row(name, "d a b", (h, n) => mulWide(h, opcode === 0x15, n));
}

/** 64 × 64 → 128 bits from four products of 32 bits; the signed one corrects the high half. */
function mulWide(h: HandlerEmitter, signed: boolean, words: number): void {
  const low32 = () => h.op(0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83); // & 0xffffffff
  const shift32 = () => h.i64(32).op(0x88); // >>> 32
  const a = () => h.read(2, "i64"), b = () => h.read(3, "i64");
  // x := (alo · blo >>> 32) + ahi · blo
  a(),
    low32(),
    b(),
    low32(),
    h.op(0x7e),
    shift32(),
    a(),
    shift32(),
    b(),
    low32(),
    h.op(0x7e, 0x7c).set(Local.x);
  // y := (x & 0xffffffff) + alo · bhi
  h.get(Local.x), low32(), a(), low32(), b(), shift32(), h.op(0x7e, 0x7c).set(Local.y);
  // high := ahi · bhi + (x >>> 32) + (y >>> 32)
  a(), shift32(), b(), shift32(), h.op(0x7e).get(Local.x), shift32(), h.op(0x7c).get(Local.y), shift32();
  h.op(0x7c);
  if (signed) {
    // A negative factor counts as itself + 2^64: take the other one off the high half.
    a(), h.i64(63).op(0x87), b(), h.op(0x83, 0x7d);
    b(), h.i64(63).op(0x87), a(), h.op(0x83, 0x7d);
  }
  h.set(Local.x);
  a(), b(), h.op(0x7e).set(Local.y);
  h.slot(1).get(Local.y).store("i64").slot(1).get(Local.x).store("i64", 8).next(words);
}

// ── memory ────────────────────────────────────────────────────────────────────────────────────────

/** Loads: name, kind of the result, bytes, Wasm opcode. */
for (
  const [name, kind, bytes, opcode] of [
    ["Load32", "i32", 4, 0x28],
    ["Load8S", "i32", 1, 0x2c],
    ["Load8U", "i32", 1, 0x2d],
    ["Load16S", "i32", 2, 0x2e],
    ["Load16U", "i32", 2, 0x2f],
    ["Load64", "i64", 8, 0x29],
  ] as const
) {
  row(name, "d base offset", (h, n) => {
    h.guestAddress(2, 3, bytes).set(Local.a);
    h.write(1, kind, () => h.get(Local.a).guestLoad(opcode)).next(n);
  });
  // The address is a sum that wraps, the offset is not part of it.
  row(`${name}AddI`, "d base add offset", (h, n) => {
    h.guestAddress(2, 4, bytes, () => h.operand(3).op(0x6a)).set(Local.a);
    h.write(1, kind, () => h.get(Local.a).guestLoad(opcode)).next(n);
  });
  row(`${name}AddR`, "d base index offset", (h, n) => {
    h.guestAddress(2, 4, bytes, () => h.read(3, "i32").op(0x6a)).set(Local.a);
    h.write(1, kind, () => h.get(Local.a).guestLoad(opcode)).next(n);
  });
}

/** Stores: name, kind of the value, bytes, Wasm opcode. */
for (
  const [name, kind, bytes, opcode] of [
    ["Store32", "i32", 4, 0x36],
    ["Store8", "i32", 1, 0x3a],
    ["Store16", "i32", 2, 0x3b],
    ["Store64", "i64", 8, 0x37],
  ] as const
) {
  row(`${name}RR`, "base value offset", (h, n) => {
    h.guestAddress(1, 3, bytes).read(2, kind).guestStore(opcode).next(n);
  });
  if (kind === "i64") {
    row(`${name}RI`, "base low high offset", (h, n) => {
      h.guestAddress(1, 4, bytes).operand64(2).guestStore(opcode).next(n);
    });
  } else {
    row(`${name}RI`, "base value offset", (h, n) => {
      h.guestAddress(1, 3, bytes).operand(2).guestStore(opcode).next(n);
    });
  }
}
row("MemorySize", "d", (h, n) => h.write(1, "i32", () => h.get(Local.limit).i64(16).op(0x88, 0xa7)).next(n));
// Operands of bulk operations are three slots from `at` on, all unsigned; both ranges are checked first.
row("MemoryFill", "at", (h, n) => {
  inMemory(h, 0);
  h.read(1, "i32").read(1, "i32", 4).read(1, "i32", 8).op(0xfc, 0x0b, GUEST).next(n);
});
row("MemoryCopy", "at", (h, n) => {
  inMemory(h, 0);
  inMemory(h, 4);
  h.read(1, "i32").read(1, "i32", 4).read(1, "i32", 8).op(0xfc, 0x0a, GUEST, GUEST).next(n);
});

/** Traps unless the range is inside whose start is `more` bytes behind the slot of operand 1, its length 8. */
function inMemory(h: HandlerEmitter, more: number): void {
  h.read(1, "i32", more).op(0xad).read(1, "i32", 8).op(0xad, 0x7c).get(Local.limit).op(0x56);
  h.trapIf(TrapCode.MemoryOutOfBounds);
}

// ── tables ────────────────────────────────────────────────────────────────────────────────────────

row("TableGet", "d index table", (h, n) => {
  element(h, 2, 3);
  h.write(1, "i32", () => h.get(Local.a).op(0x28, 0x00, 0x00)).next(n);
});
row("TableSet", "index a table", (h, n) => {
  element(h, 1, 3);
  h.get(Local.a).read(2, "i32").store("i32").next(n);
});

/**
 * Leaves the address of a table's element in `Local.a`, its index being in the slot of operand `index`.
 * Out of range, or in a table that lives elsewhere, the plain loop knows what to do.
 */
function element(h: HandlerEmitter, index: number, table: number): void {
  h.operand(table).i32(3).op(0x74).set(Local.a); // descriptors take 8 bytes
  h.read(index, "i32").tee(Local.b).get(Local.a).op(0x28);
  h.code.memory(Header.tables + 4);
  h.op(0x4f).stopIf(Stop.Slow);
  h.get(Local.a).op(0x28);
  h.code.memory(Header.tables);
  h.get(Local.b).i32(2).op(0x74, 0x6a).set(Local.a);
}

// ── floats ────────────────────────────────────────────────────────────────────────────────────────

/** Canonical NaN bits: quiet, positive, no payload. */
const NAN32 = 0x7fc0_0000, NAN64_HIGH = 0x7ff8_0000;

/** Stores the float on top into slot operand 1, with a canonical NaN for every NaN. */
function writeFloat(h: HandlerEmitter, kind: "f32" | "f64"): HandlerEmitter {
  const single = kind === "f32", value = single ? Local.f : Local.d;
  h.set(value).slot(1).get(value);
  if (single) h.op(0x43).code.f32Bits(NAN32);
  else h.op(0x44).code.f64Bits(0, NAN64_HIGH);
  return h.get(value).get(value).op(single ? 0x5b : 0x61, 0x1b).store(kind);
}

for (const kind of ["f32", "f64"] as const) {
  const suffix = kind === "f32" ? "F32" : "F64", single = kind === "f32";
  const unary = single ? 0x8b : 0x99, compare = single ? 0x5b : 0x61;
  // abs and neg move sign bits only; the others compute.
  ["Abs", "Neg"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a", (h, n) => h.write(1, kind, () => h.read(2, kind).op(unary + k)).next(n));
  });
  ["Ceil", "Floor", "Trunc", "Nearest", "Sqrt"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a", (h, n) => {
      h.read(2, kind).op(unary + 2 + k);
      writeFloat(h, kind).next(n);
    });
  });
  ["Add", "Sub", "Mul", "Div", "Min", "Max"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a b", (h, n) => {
      h.read(2, kind).read(3, kind).op(unary + 7 + k);
      writeFloat(h, kind).next(n);
    });
  });
  row(`Copysign${suffix}`, "d a b", (h, n) => {
    h.write(1, kind, () => h.read(2, kind).read(3, kind).op(unary + 13)).next(n);
  });
  ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a b", (h, n) => {
      h.write(1, "i32", () => h.read(2, kind).read(3, kind).op(compare + k)).next(n);
    });
  });
}

/** Exclusive bounds of the values that truncate to each integer type, as bits of a double. */
const TRUNC_BOUNDS: { readonly [key: string]: readonly [low: number, high: number] } = {
  I32F32S: [-2147483904, 2 ** 31],
  I32F32U: [-1, 2 ** 32],
  I32F64S: [-2147483649, 2 ** 31],
  I32F64U: [-1, 2 ** 32],
  I64F32S: [-9223373136366403584, 2 ** 63],
  I64F32U: [-1, 2 ** 64],
  I64F64S: [-9223372036854777856, 2 ** 63],
  I64F64U: [-1, 2 ** 64],
};

const scratch = new DataView(new ArrayBuffer(8));

/** Pushes a constant of a float kind. */
function pushFloat(h: HandlerEmitter, kind: "f32" | "f64", value: number): HandlerEmitter {
  if (kind === "f32") {
    scratch.setFloat32(0, value);
    h.op(0x43).code.f32Bits(scratch.getInt32(0));
  } else {
    scratch.setFloat64(0, value);
    h.op(0x44).code.f64Bits(scratch.getInt32(4), scratch.getInt32(0));
  }
  return h;
}

["I32", "I64"].forEach((to, wide) => {
  (["f32", "f64"] as const).forEach((from, double) => {
    ["S", "U"].forEach((sign, unsigned) => {
      const key = `${to}${from.toUpperCase()}${sign}`, [low, high] = TRUNC_BOUNDS[key];
      const kind: Kind = wide === 1 ? "i64" : "i32", order = 2 * double + unsigned;
      const value = double === 1 ? Local.d : Local.f, compare = double === 1 ? 0x61 : 0x5b;
      row(`${to}Trunc${from.toUpperCase()}${sign}`, "d a", (h, n) => {
        h.read(2, from).tee(value).get(value).op(compare + 1).trapIf(TrapCode.BadConversionToInteger); // x ≠ x
        pushFloat(h.get(value), from, low).op(compare + 4); // ≤
        pushFloat(h.get(value), from, high).op(compare + 5, 0x72).trapIf(TrapCode.IntegerOverflow); // ≥
        h.write(1, kind, () => h.get(value).op((wide === 1 ? 0xae : 0xa8) + order)).next(n);
      });
      row(`${to}TruncSat${from.toUpperCase()}${sign}`, "d a", (h, n) => {
        h.write(1, kind, () => h.read(2, from).op(0xfc, 4 * wide + order)).next(n);
      });
    });
  });
});
(["f32", "f64"] as const).forEach((to, double) => {
  (["i32", "i64"] as const).forEach((from, wide) => {
    ["S", "U"].forEach((sign, unsigned) => {
      const opcode = (double === 1 ? 0xb7 : 0xb2) + 2 * wide + unsigned;
      row(`${to.toUpperCase()}Convert${from.toUpperCase()}${sign}`, "d a", (h, n) => {
        h.write(1, to, () => h.read(2, from).op(opcode)).next(n);
      });
    });
  });
});
row("F32DemoteF64", "d a", (h, n) => {
  h.read(2, "f64").op(0xb6);
  writeFloat(h, "f32").next(n);
});
row("F64PromoteF32", "d a", (h, n) => {
  h.read(2, "f32").op(0xbb);
  writeFloat(h, "f64").next(n);
});

// ── control ───────────────────────────────────────────────────────────────────────────────────────

row("Jump", "target fuel", (h) => h.operand(2).operand(1).set(Local.ip).chargeAndGo());
row("JumpNez", `a ${WAYS}`, (h) => h.read(1, "i32").jumpIf(2));
row("JumpEqz", `a ${WAYS}`, (h) => h.read(1, "i32").op(0x45).jumpIf(2));
row("JumpNez64", `a ${WAYS}`, (h) => h.read(1, "i64").op(0x50, 0x45).jumpIf(2));
row("JumpEqz64", `a ${WAYS}`, (h) => h.read(1, "i64").op(0x50).jumpIf(2));
row("JumpTable", "a count", (h) => {
  // The ways follow, an address and a charge each; the last one is the default.
  h.read(1, "i32").tee(Local.a).operand(2).i32(1).op(0x6b).tee(Local.b).get(Local.a).get(Local.b).op(
    0x49,
    0x1b,
  );
  h.i32(3).op(0x74).get(Local.ip).op(0x6a).tee(Local.a).op(0x28);
  h.code.memory(12);
  h.set(Local.ip).get(Local.a).op(0x28);
  h.code.memory(16);
  h.chargeAndGo();
});
row("Charge", "fuel", (h, n) => charge(h, () => h.operand(1)).next(n));
row("ChargeStack", "a", (h, n) => charge(h, () => h.read(1, "i32")).next(n));
row("Enter", "fuel slots", (h, n) => {
  // StackCheck first asks, because a charge that went through must not be made twice.
  reserve(h, 2, Stop.Slow);
  charge(h, () => h.operand(1)).next(n);
});
row("Frame", "slots", (h, n) => {
  // Pushes that nothing reserves: only the plain loop tests each of them.
  reserve(h, 1, Stop.Limit);
  h.next(n);
});
row("Reserve", "slots", (h, n) => {
  reserve(h, 1, Stop.Slow);
  h.next(n);
});
row("Signature", "signature", (h, n) => {
  h.header(Header.pending).if(() => {
    h.header(Header.signature).operand(1).op(0x47).trapIf(TrapCode.BadSignature);
    h.setHeader(Header.pending, () => h.i32(0));
  }).next(n);
});
// Where jumps and calls without a charge are counted: what makes or ends such a row of them.
row("CountJump", "pc target fuel", (h) => {
  h.header(Header.uncharged).i32(1).op(0x6a).set(Local.a).setHeader(Header.uncharged, () => h.get(Local.a));
  // It stops when the jump is made and nothing is charged at its target.
  countTo(h);
  h.operand(3).operand(2).set(Local.ip).chargeAndGo();
});
row("CountCall", "pc", (h, n) => {
  h.header(Header.uncharged).set(Local.a);
  countTo(h);
  h.setHeader(Header.uncharged, () => h.get(Local.a).i32(1).op(0x6a)).next(n);
});
row("CountAnew", "", (h, n) => h.setHeader(Header.uncharged, () => h.i32(0)).next(n));
row("Call", "callee skip return fp after", (h) => {
  checkDepth(h);
  lowered(h, 1);
  pushReturn(h, 3);
  h.get(Local.fp).operand(4).op(0x6a).set(Local.fp);
  h.get(Local.b).operand(2).op(0x6a).jump();
});
row("CallIndirect", "signature table index return fp after", (h) => {
  checkDepth(h);
  indirect(h);
  pushReturn(h, 4);
  h.get(Local.fp).operand(5).op(0x6a).set(Local.fp);
  h.get(Local.b).jump();
});
row("TailCall", "callee skip fp", (h) => {
  lowered(h, 1);
  h.get(Local.fp).operand(3).op(0x6a).set(Local.fp);
  h.get(Local.b).operand(2).op(0x6a).jump();
});
row("TailCallIndirect", "signature table index fp", (h) => {
  indirect(h);
  h.get(Local.fp).operand(4).op(0x6a).set(Local.fp);
  h.get(Local.b).jump();
});
row("Return", "height", (h) => {
  h.get(Local.cp).header(Header.callBase).op(0x46).stopIf(Stop.Done);
  h.get(Local.cp).i32(4).op(0x6b).op(0x28);
  h.code.memory(0);
  // A frame that the plain loop made may belong to a function that is not lowered.
  ipOf(h).tee(Local.b).op(0x45).stopIf(Stop.Slow);
  h.get(Local.cp).i32(4).op(0x6b).set(Local.cp);
  // The last word of the call in front of the return point is the caller's height there.
  h.get(Local.fp).operand(1).op(0x6a).get(Local.b).i32(4).op(0x6b, 0x28);
  h.code.memory(0);
  h.op(0x6b).set(Local.fp).get(Local.b).jump();
});
row("Syscall", "", (h) => h.stop(Stop.Syscall));
row("Slow", "", (h) => h.stop(Stop.Slow));

/** Stops at the pc in operand 1 when as much is counted as may be. */
function countTo(h: HandlerEmitter): void {
  h.get(Local.a).header(Header.mostUncharged).op(0x4f).if(() => {
    h.setHeader(Header.detail, () => h.operand(1)).stop(Stop.Uncharged);
  });
}

/** Charges an amount. */
function charge(h: HandlerEmitter, amount: () => void): HandlerEmitter {
  amount();
  h.tee(Local.a).get(Local.fuel).op(0x4b).stopIf(Stop.Fuel); // gt_u: the slice is never negative
  return h.get(Local.fuel).get(Local.a).op(0x6b).set(Local.fuel);
}

/** Stops unless operand `k`, the bytes that a frame reaches above fp, are addressable. */
function reserve(h: HandlerEmitter, k: number, reason: number): void {
  h.get(Local.fp).operand(k).op(0x6a).header(Header.stackLimit).op(0x4b).stopIf(reason);
}

/** Pushes the Program address for the rWasm pc on top. */
function ipOf(h: HandlerEmitter): HandlerEmitter {
  h.i32(2).op(0x74).header(Header.ips).op(0x6a, 0x28);
  h.code.memory(0);
  return h;
}

/** Leaves the Program address of the function at the pc in operand `k` in `Local.b`; stops when it is not lowered. */
function lowered(h: HandlerEmitter, k: number): void {
  h.operand(k).tee(Local.a);
  ipOf(h).tee(Local.b).op(0x45).if(() => h.setHeader(Header.detail, () => h.get(Local.a)).stop(Stop.Lower));
}

/** Stops where hidden functions would lack room for return addresses. */
function checkDepth(h: HandlerEmitter): void {
  h.get(Local.cp).header(Header.callLimit).op(0x4f).stopIf(Stop.Limit);
}

/** Pushes the return pc in operand `k` on the call stack. */
function pushReturn(h: HandlerEmitter, k: number): void {
  h.get(Local.cp).operand(k).store("i32").get(Local.cp).i32(4).op(0x6a).set(Local.cp);
}

/** Finds the function of an indirect call: its Program address in `Local.b`, the signature pending. */
function indirect(h: HandlerEmitter): void {
  element(h, 3, 2);
  h.get(Local.a).op(0x28, 0x00, 0x00).tee(Local.a).op(0x45).trapIf(TrapCode.IndirectCallToNull);
  h.get(Local.a).header(Header.codeLength).op(0x4f).stopIf(Stop.Slow);
  h.get(Local.a);
  ipOf(h).tee(Local.b).i32(CALLABLE).op(0x71, 0x45).if(() => {
    h.setHeader(Header.detail, () => h.get(Local.a)).stop(Stop.Lower);
  });
  h.get(Local.b).i32(-CALLABLE).op(0x6a).set(Local.b);
  h.setHeader(Header.pending, () => h.i32(1)).setHeader(Header.signature, () => h.operand(1));
}

/** The handlers, by number. */
export const HANDLERS: readonly Handler[] = rows;

/** Numbers by name. */
export const HANDLER: { readonly [name: string]: number } = Object.freeze(
  Object.fromEntries(rows.map(({ name }, number) => [name, number])),
);

/** Words of each handler's instruction; `JumpTable` is followed by its targets. */
export const WORDS: Uint8Array = Uint8Array.from(rows, ({ operands }) => operands.length + 1);
