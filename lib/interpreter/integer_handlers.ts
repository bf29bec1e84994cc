/**
 * Rows of the table of handlers: moves, arithmetic on integers of 32, 64 and 128 bits, comparisons and
 * the jumps they decide.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { type HandlerEmitter, Local } from "./emit.ts";
import type { AddRow } from "./handlers.ts";
import { Header, Stop } from "./layout.ts";
import { COMMUTATIVE, COMPARISONS, DIVISIONS, MIRRORED, NOT_COMMUTATIVE, SHIFTS, WAYS } from "./families.ts";

/** Wasm opcodes of i32 operators; those of i64 are `WIDE` further. */
const BINARY: { readonly [name: string]: number } = {
  Add: 0x6a,
  Sub: 0x6b,
  Mul: 0x6c,
  And: 0x71,
  Or: 0x72,
  Xor: 0x73,
  Shl: 0x74,
  ShrS: 0x75,
  ShrU: 0x76,
  Rotl: 0x77,
  Rotr: 0x78,
};

const WIDE = 0x12;

/** Wasm opcodes of the first comparison; the others follow in the order of `COMPARISONS`. */
const COMPARE32 = 0x46, COMPARE64 = 0x51;

/** Adds the rows. */
export function integerRows(row: AddRow): void {
  moves(row);
  binary(row);
  comparisons(row);
  unary(row);
  divisions(row);
  wide(row);
}

function moves(row: AddRow): void {
  row("Move", "d a", (h, n) => h.result("i32", false, () => h.read(2, "i32")).next(n));
  row("Move64", "d a", (h, n) => h.result("i64", false, () => h.read(2, "i64")).next(n));
  row("Const", "d value", (h, n) => h.write(1, "i32", () => h.operand(2)).next(n));
  row("Const64", "d low high", (h, n) => h.write(1, "i64", () => h.operand64(2)).next(n));
  row("Zero", "d bytes", (h, n) => {
    h.slot(1).i32(0).operand(2).op(0xfc, 0x0b, 0x00); // memory.fill
    h.next(n);
  });
  for (const from of ["R", "A"]) {
    row(`Select${from === "A" ? "A" : ""}`, from === "A" ? "d a b c*" : "d a b c", (h, n) => {
      h.result("i32", false, () => {
        h.read(2, "i32").read(3, "i32").source(from === "A", 4, "i32").op(0x1b);
      }).next(n);
    }, from === "A" ? "Select" : "");
    row(`Select64${from === "A" ? "A" : ""}`, from === "A" ? "d a b c*" : "d a b c", (h, n) => {
      h.result("i64", false, () => {
        h.read(2, "i64").read(3, "i64").source(from === "A", 4, "i32").op(0x1b);
      }).next(n);
    }, from === "A" ? "Select64" : "");
  }
  for (const only of [false, true]) {
    const d = only ? "d*" : "d", suffix = only ? ".A" : "";
    row(`GlobalGet${suffix}`, `${d} word`, (h, n) => {
      h.result("i32", only, () => globalAddress(h, 2).op(0x28, 0x00, 0x00)).next(n);
    });
    // The high half of a global of 64 bits is in the word in front of the low one.
    row(`GlobalGet64${suffix}`, `${d} word`, (h, n) => {
      h.result("i64", only, () => globalAddress(h, 2).op(0x29, 0x00, 0x00).i64(32).op(0x89)).next(n);
    });
  }
  for (const from of ["R", "A"]) {
    const a = from === "A" ? "a*" : "a";
    row(`GlobalSet${from}`, `word ${a}`, (h, n) => {
      globalAddress(h, 1).source(from === "A", 2, "i32").store("i32").next(n);
    }, from === "A" ? "GlobalSetR" : "");
    row(`GlobalSet64${from}`, `word ${a}`, (h, n) => {
      globalAddress(h, 1).source(from === "A", 2, "i64").i64(32).op(0x89).store("i64").next(n);
    }, from === "A" ? "GlobalSet64R" : "");
  }
}

/** Pushes the address of the global word whose byte offset is operand `k`. */
function globalAddress(h: HandlerEmitter, k: number): HandlerEmitter {
  return h.header(Header.globals).operand(k).op(0x6a);
}

/** Operators of two values without traps, with all places their operands may be in. */
function binary(row: AddRow): void {
  for (const bits of [32, 64]) {
    const kind = bits === 64 ? "i64" : "i32", width = bits === 64 ? "64" : "";
    for (const name of [...COMMUTATIVE, ...NOT_COMMUTATIVE, ...SHIFTS]) {
      const opcode = BINARY[name] + (bits === 64 ? WIDE : 0);
      for (const form of ["RR", "AR", "RA", "RI", "AI"]) {
        // The operands of a commutative one can be exchanged.
        if (form === "RA" && !NOT_COMMUTATIVE.includes(name)) continue;
        // What subtracts a constant of 32 bits adds another one.
        if (name === "Sub" && bits === 32 && form[1] === "I") continue;
        // The count of a shift is a constant, nearly always.
        const shift = SHIFTS.includes(name);
        if (shift && form === "AR") continue;
        for (const only of [false, true]) {
          if (shift && only && form === "RR") continue;
          const a = form[0] === "A", b = form[1] === "A", constant = form[1] === "I";
          const second = constant && bits === 64 ? "low high" : constant ? "constant" : b ? "b*" : "b";
          row(
            `${name}${width}${form}${only ? ".A" : ""}`,
            `${only ? "d*" : "d"} ${a ? "a*" : "a"} ${second}`,
            (h, n) => {
              h.result(kind, only, () => {
                h.source(a, 2, kind);
                if (constant) pushConstant(h, 3, bits);
                else h.source(b, 3, kind);
                h.op(opcode);
              }).next(n);
            },
            only || !(a || b) ? "" : `${name}${width}${constant ? "RI" : "RR"}`,
            !only && form === "AR" && COMMUTATIVE.includes(name) ? `${name}${width}RR` : "",
          );
        }
      }
    }
  }
}

function pushConstant(h: HandlerEmitter, k: number, bits: number): HandlerEmitter {
  return bits === 64 ? h.operand64(k) : h.operand(k);
}

/** Comparisons, as values and as what decides a jump. */
function comparisons(row: AddRow): void {
  for (const bits of [32, 64]) {
    const kind = bits === 64 ? "i64" : "i32", width = bits === 64 ? "64" : "";
    COMPARISONS.forEach((name, n) => {
      const opcode = (bits === 64 ? COMPARE64 : COMPARE32) + n;
      for (const form of ["RR", "RI"]) {
        const constant = form === "RI", second = !constant ? "b" : bits === 64 ? "low high" : "constant";
        row(`${name}${width}${form}`, `d a ${second}`, (h, n) => {
          h.result("i32", false, () => {
            h.read(2, kind);
            if (constant) pushConstant(h, 3, bits);
            else h.read(3, kind);
            h.op(opcode);
          }).next(n);
        });
      }
      for (const form of ["RR", "AR", "RI", "AI"]) {
        const a = form[0] === "A", constant = form[1] === "I";
        const second = !constant ? "b" : bits === 64 ? "low high" : "constant";
        row(
          `Jump${name}${width}${form}`,
          `${a ? "a*" : "a"} ${second} ${WAYS}`,
          (h) => {
            h.source(a, 1, kind);
            if (constant) pushConstant(h, 2, bits);
            else h.read(2, kind);
            h.op(opcode).jumpIf(constant && bits === 64 ? 4 : 3);
          },
          a ? `Jump${name}${width}R${form[1]}` : "",
          form === "AR" ? `Jump${MIRRORED[name]}${width}RR` : "",
        );
      }
    });
    for (const from of ["R", "A"]) {
      const a = from === "A" ? "a*" : "a";
      row(`JumpNez${width}${from}`, `${a} ${WAYS}`, (h) => {
        h.source(from === "A", 1, kind);
        if (bits === 64) h.op(0x50, 0x45);
        h.jumpIf(2);
      }, from === "A" ? `JumpNez${width}R` : "");
      row(`JumpEqz${width}${from}`, `${a} ${WAYS}`, (h) => {
        h.source(from === "A", 1, kind).op(bits === 64 ? 0x50 : 0x45).jumpIf(2);
      }, from === "A" ? `JumpEqz${width}R` : "");
    }
  }
}

function unary(row: AddRow): void {
  const one = (name: string, from: "i32" | "i64", to: "i32" | "i64", ...opcodes: number[]) =>
    row(name, "d a", (h, n) => h.result(to, false, () => h.read(2, from).op(...opcodes)).next(n));
  one("Eqz", "i32", "i32", 0x45);
  one("Clz", "i32", "i32", 0x67);
  one("Ctz", "i32", "i32", 0x68);
  one("Popcnt", "i32", "i32", 0x69);
  one("Extend8S", "i32", "i32", 0xc0);
  one("Extend16S", "i32", "i32", 0xc1);
  one("Clz64", "i64", "i64", 0x79);
  one("Ctz64", "i64", "i64", 0x7a);
  one("Popcnt64", "i64", "i64", 0x7b);
  one("Eqz64", "i64", "i32", 0x50);
  // From one slot, the low word.
  one("Extend8S64", "i32", "i64", 0xc0, 0xac);
  one("Extend16S64", "i32", "i64", 0xc1, 0xac);
  for (const [name, opcode] of [["ExtendS", 0xac], ["ExtendU", 0xad]] as const) {
    for (const a of [false, true]) {
      for (const only of [false, true]) {
        row(
          `${name}${a ? "A" : ""}${only ? ".A" : ""}`,
          `${only ? "d*" : "d"} ${a ? "a*" : "a"}`,
          (h, n) => {
            h.result("i64", only, () => h.source(a, 2, "i32").op(opcode)).next(n);
          },
          a && !only ? name : "",
        );
      }
    }
  }
}

function divisions(row: AddRow): void {
  row("DivSRR", "d a b", (h, n) => {
    h.read(2, "i32").set(Local.a).read(3, "i32").tee(Local.b).op(0x45).trapIf(TrapCode.IntegerDivisionByZero);
    h.get(Local.b).i32(-1).op(0x46).get(Local.a).i32(-0x8000_0000).op(0x46, 0x71).trapIf(
      TrapCode.IntegerOverflow,
    );
    h.result("i32", false, () => h.get(Local.a).get(Local.b).op(0x6d)).next(n);
  });
  for (const [name, opcode] of [["DivU", 0x6e], ["RemS", 0x6f], ["RemU", 0x70]] as const) {
    row(`${name}RR`, "d a b", (h, n) => {
      h.read(3, "i32").tee(Local.b).op(0x45).trapIf(TrapCode.IntegerDivisionByZero);
      h.result("i32", false, () => h.read(2, "i32").get(Local.b).op(opcode)).next(n);
    });
  }
  row("DivS64RR", "d a b", (h, n) => {
    // A division that traps does so inside of the hidden function, where the plain loop goes.
    h.read(2, "i64").set(Local.x).read(3, "i64").tee(Local.y).op(0x50).stopIf(Stop.Slow);
    h.get(Local.y).i64(-1).op(0x51).get(Local.x).op(0x42).code.s64(0, -0x8000_0000);
    h.op(0x51, 0x71).stopIf(Stop.Slow);
    h.result("i64", false, () => h.get(Local.x).get(Local.y).op(0x7f)).next(n);
  });
  for (const [name, opcode] of [["DivU", 0x80], ["RemS", 0x81], ["RemU", 0x82]] as const) {
    row(`${name}64RR`, "d a b", (h, n) => {
      h.read(3, "i64").tee(Local.y).op(0x50).stopIf(Stop.Slow);
      h.result("i64", false, () => h.read(2, "i64").get(Local.y).op(opcode)).next(n);
    });
  }
  // A constant divisor is neither 0 nor -1.
  DIVISIONS.forEach((name, n) => {
    for (const a of [false, true]) {
      const form = a ? "AI" : "RI", first = a ? "a*" : "a";
      row(`${name}${form}`, `d ${first} constant`, (h, words) => {
        h.result("i32", false, () => h.source(a, 2, "i32").operand(3).op(0x6d + n)).next(words);
      }, a ? `${name}RI` : "");
      row(`${name}64${form}`, `d ${first} low high`, (h, words) => {
        h.result("i64", false, () => h.source(a, 2, "i64").operand64(3).op(0x7f + n)).next(words);
      }, a ? `${name}64RI` : "");
    }
  });
}

function wide(row: AddRow): void {
  // a b → lo hi: product, sum with carry, difference with borrow mask.
  for (const [name, opcode] of [["Mul64", 0x7e], ["Add64", 0x7c], ["Sub64", 0x7d]] as const) {
    row(`Wide${name}`, "d a b", (h, n) => {
      h.result("i64", false, () => h.read(2, "i32").op(0xad).read(3, "i32").op(0xad, opcode)).next(n);
    });
  }
  // a ± b of 128 bits. The carry out of the low half is unsigned overflow.
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
  row("MulWideS", "d a b", (h, n) => mulWide(h, true, n));
  row("MulWideU", "d a b", (h, n) => mulWide(h, false, n));
}

/** 64 × 64 → 128 bits from four products of 32 bits; the signed one corrects the high half. */
function mulWide(h: HandlerEmitter, signed: boolean, words: number): void {
  const low32 = () => h.op(0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83); // & 0xffffffff
  const shift32 = () => h.i64(32).op(0x88); // >>> 32
  const a = () => h.read(2, "i64"), b = () => h.read(3, "i64");
  // x := (alo · blo >>> 32) + ahi · blo
  a();
  low32();
  b();
  low32();
  h.op(0x7e);
  shift32();
  a();
  shift32();
  b();
  low32();
  h.op(0x7e, 0x7c).set(Local.x);
  // y := (x & 0xffffffff) + alo · bhi
  h.get(Local.x);
  low32();
  a();
  low32();
  b();
  shift32();
  h.op(0x7e, 0x7c).set(Local.y);
  // high := ahi · bhi + (x >>> 32) + (y >>> 32)
  a();
  shift32();
  b();
  shift32();
  h.op(0x7e).get(Local.x);
  shift32();
  h.op(0x7c).get(Local.y);
  shift32();
  h.op(0x7c);
  if (signed) {
    // A negative factor counts as itself + 2^64: take the other one off the high half.
    a();
    h.i64(63).op(0x87);
    b();
    h.op(0x83, 0x7d);
    b();
    h.i64(63).op(0x87);
    a();
    h.op(0x83, 0x7d);
  }
  h.set(Local.x);
  a();
  b();
  h.op(0x7e).set(Local.y);
  h.slot(1).get(Local.y).store("i64").slot(1).get(Local.x).store("i64", 8).next(words);
}
