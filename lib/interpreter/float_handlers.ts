/**
 * Rows of the table of handlers: floats and conversions. What may be a NaN is made the canonical one.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { type HandlerEmitter, type Kind, Local } from "./emit.ts";
import { FLOAT_ARITHMETIC } from "./families.ts";
import type { AddRow } from "./handlers.ts";

/** Canonical NaN bits: quiet, positive, no payload. */
const NAN32 = 0x7fc0_0000, NAN64_HIGH = 0x7ff8_0000;

/** Exclusive bounds of the values that truncate to each integer type. */
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

type Float = "f32" | "f64";

const scratch = new DataView(new ArrayBuffer(8));

/** Adds the rows. */
export function floatRows(row: AddRow): void {
  for (const kind of ["f32", "f64"] as const) {
    arithmetic(row, kind);
    others(row, kind);
  }
  truncations(row);
  conversions(row);
}

/** Computes into slot operand 1 and the accumulator, with a canonical NaN for every NaN. */
function resultFloat(h: HandlerEmitter, kind: Float, only: boolean, value: () => void): HandlerEmitter {
  const single = kind === "f32", local = single ? Local.single : Local.double;
  return h.result(kind, only, () => {
    value();
    h.set(local).get(local);
    if (single) h.op(0x43).code.f32Bits(NAN32);
    else h.op(0x44).code.f64Bits(0, NAN64_HIGH);
    h.get(local).get(local).op(single ? 0x5b : 0x61, 0x1b); // value, NaN, value = value, select
  });
}

function arithmetic(row: AddRow, kind: Float): void {
  const suffix = kind.toUpperCase(), first = kind === "f32" ? 0x92 : 0xa0;
  FLOAT_ARITHMETIC.forEach((name, k) => {
    for (const form of ["RR", "AR", "RA"]) {
      if (form === "RA" && (name === "Add" || name === "Mul")) continue; // can be exchanged
      for (const only of [false, true]) {
        const a = form[0] === "A", b = form[1] === "A";
        const operands = `${only ? "d*" : "d"} ${a ? "a*" : "a"} ${b ? "b*" : "b"}`;
        row(
          `${name}${suffix}${form}${only ? ".A" : ""}`,
          operands,
          (h, n) => {
            resultFloat(h, kind, only, () => h.source(a, 2, kind).source(b, 3, kind).op(first + k)).next(n);
          },
          only || !(a || b) ? "" : `${name}${suffix}RR`,
          !only && form === "AR" && k % 2 === 0 ? `${name}${suffix}RR` : "",
        );
      }
    }
  });
  ["Min", "Max"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a b", (h, n) => {
      resultFloat(h, kind, false, () => h.read(2, kind).read(3, kind).op(first + 4 + k)).next(n);
    });
  });
}

function others(row: AddRow, kind: Float): void {
  const suffix = kind.toUpperCase(), single = kind === "f32";
  const unary = single ? 0x8b : 0x99, compare = single ? 0x5b : 0x61;
  // abs, neg and copysign move sign bits only; the others compute.
  ["Abs", "Neg"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a", (h, n) => {
      h.result(kind, false, () => h.read(2, kind).op(unary + k)).next(n);
    });
  });
  row(`Copysign${suffix}`, "d a b", (h, n) => {
    h.result(kind, false, () => h.read(2, kind).read(3, kind).op(unary + 13)).next(n);
  });
  ["Ceil", "Floor", "Trunc", "Nearest", "Sqrt"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a", (h, n) => {
      resultFloat(h, kind, false, () => h.read(2, kind).op(unary + 2 + k)).next(n);
    });
  });
  ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"].forEach((name, k) => {
    row(`${name}${suffix}`, "d a b", (h, n) => {
      h.result("i32", false, () => h.read(2, kind).read(3, kind).op(compare + k)).next(n);
    });
  });
}

/** Pushes a constant of a float kind. */
function pushFloat(h: HandlerEmitter, kind: Float, value: number): HandlerEmitter {
  if (kind === "f32") {
    scratch.setFloat32(0, value);
    h.op(0x43).code.f32Bits(scratch.getInt32(0));
  } else {
    scratch.setFloat64(0, value);
    h.op(0x44).code.f64Bits(scratch.getInt32(4), scratch.getInt32(0));
  }
  return h;
}

function truncations(row: AddRow): void {
  ["I32", "I64"].forEach((to, wide) => {
    (["f32", "f64"] as const).forEach((from, double) => {
      ["S", "U"].forEach((sign, unsigned) => {
        const key = `${to}${from.toUpperCase()}${sign}`, [low, high] = TRUNC_BOUNDS[key];
        const kind: Kind = wide === 1 ? "i64" : "i32", order = 2 * double + unsigned;
        const value = double === 1 ? Local.double : Local.single, compare = double === 1 ? 0x61 : 0x5b;
        row(`${to}Trunc${from.toUpperCase()}${sign}`, "d a", (h, n) => {
          h.read(2, from).tee(value).get(value).op(compare + 1).trapIf(TrapCode.BadConversionToInteger); // x ≠ x
          pushFloat(h.get(value), from, low).op(compare + 4); // ≤
          pushFloat(h.get(value), from, high).op(compare + 5, 0x72).trapIf(TrapCode.IntegerOverflow); // ≥
          h.result(kind, false, () => h.get(value).op((wide === 1 ? 0xae : 0xa8) + order)).next(n);
        });
        row(`${to}TruncSat${from.toUpperCase()}${sign}`, "d a", (h, n) => {
          h.result(kind, false, () => h.read(2, from).op(0xfc, 4 * wide + order)).next(n);
        });
      });
    });
  });
}

function conversions(row: AddRow): void {
  (["f32", "f64"] as const).forEach((to, double) => {
    (["i32", "i64"] as const).forEach((from, wide) => {
      ["S", "U"].forEach((sign, unsigned) => {
        const opcode = (double === 1 ? 0xb7 : 0xb2) + 2 * wide + unsigned;
        row(`${to.toUpperCase()}Convert${from.toUpperCase()}${sign}`, "d a", (h, n) => {
          h.result(to, false, () => h.read(2, from).op(opcode)).next(n);
        });
      });
    });
  });
  row("F32DemoteF64", "d a", (h, n) => {
    resultFloat(h, "f32", false, () => h.read(2, "f64").op(0xb6)).next(n);
  });
  row("F64PromoteF32", "d a", (h, n) => {
    resultFloat(h, "f64", false, () => h.read(2, "f32").op(0xbb)).next(n);
  });
}
