/**
 * Rows of the table of handlers: access to the guest's memory and to tables. The loop checks every
 * address by itself, so that a trap has its exact place; addresses are sums of 33 bits.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { GUEST, type HandlerEmitter, Local } from "./emit.ts";
import { LOADS, STORES } from "./families.ts";
import type { AddRow } from "./handlers.ts";
import { Header, Stop } from "./layout.ts";

/** Of each load and store: kind of the value, bytes, Wasm opcode. */
const ACCESS: { readonly [name: string]: readonly ["i32" | "i64", number, number] } = {
  Load32: ["i32", 4, 0x28],
  Load8S: ["i32", 1, 0x2c],
  Load8U: ["i32", 1, 0x2d],
  Load16S: ["i32", 2, 0x2e],
  Load16U: ["i32", 2, 0x2f],
  Load64: ["i64", 8, 0x29],
  Store32: ["i32", 4, 0x36],
  Store8: ["i32", 1, 0x3a],
  Store16: ["i32", 2, 0x3b],
  Store64: ["i64", 8, 0x37],
};

/** Loads that programs seldom make; they have fewer forms. */
const RARE: readonly string[] = ["Load8S", "Load16S", "Load16U"];

/** Adds the rows. */
export function memoryRows(row: AddRow): void {
  for (const name of LOADS) loads(row, name);
  for (const name of STORES) stores(row, name);
  row(
    "MemorySize",
    "d",
    (h, n) => h.result("i32", false, () => h.get(Local.limit).i64(16).op(0x88, 0xa7)).next(n),
  );
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
  row("TableGet", "d index table", (h, n) => {
    element(h, 2, 3);
    h.result("i32", false, () => h.get(Local.a).op(0x28, 0x00, 0x00)).next(n);
  });
  row("TableSet", "index a table", (h, n) => {
    element(h, 1, 3);
    h.get(Local.a).read(2, "i32").store("i32").next(n);
  });
}

function loads(row: AddRow, name: string): void {
  const [kind, bytes, opcode] = ACCESS[name], rare = RARE.includes(name);
  for (const only of [false, true]) {
    if (only && rare) continue;
    const d = only ? "d*" : "d", suffix = only ? ".A" : "";
    for (const a of [false, true]) {
      const from = a ? "A" : "R", base = a ? "base*" : "base";
      row(`${name}${from}${suffix}`, `${d} ${base} offset`, (h, n) => {
        h.result(kind, only, () => h.guestAddress(() => h.source(a, 2, "i32"), 3, bytes).guestLoad(opcode))
          .next(n);
      }, a && !only ? `${name}R` : "");
      if (a && rare) continue;
      // The address is a sum that wraps, the offset is not part of it.
      row(`${name}${from}AddI${suffix}`, `${d} ${base} add offset`, (h, n) => {
        const sum = () => h.source(a, 2, "i32").operand(3).op(0x6a);
        h.result(kind, only, () => h.guestAddress(sum, 4, bytes).guestLoad(opcode)).next(n);
      }, a && !only ? `${name}RAddI` : "");
      row(
        `${name}${from}AddR${suffix}`,
        `${d} ${base} index offset`,
        (h, n) => {
          const sum = () => h.source(a, 2, "i32").read(3, "i32").op(0x6a);
          h.result(kind, only, () => h.guestAddress(sum, 4, bytes).guestLoad(opcode)).next(n);
        },
        a && !only ? `${name}RAddR` : "",
        a && !only ? `${name}RAddR` : "",
      );
    }
    row(`${name}C${suffix}`, `${d} address base=`, (h, n) => {
      h.result(kind, only, () => h.operand(2).op(0xad).inside(bytes).guestLoad(opcode)).next(n);
    });
  }
}

function stores(row: AddRow, name: string): void {
  const [kind, bytes, opcode] = ACCESS[name];
  for (const form of ["RR", "RA", "RI", "AR", "AI", "CR", "CA", "CI"]) {
    const a = form[0] === "A", fixed = form[0] === "C", b = form[1] === "A", constant = form[1] === "I";
    const value = constant && kind === "i64" ? "low high" : constant ? "constant" : b ? "value*" : "value";
    const base = fixed ? "address" : a ? "base*" : "base", last = fixed ? "base=" : "offset";
    row(`${name}${form}`, `${base} ${value} ${last}`, (h, n) => {
      if (fixed) h.operand(1).op(0xad).inside(bytes);
      else h.guestAddress(() => h.source(a, 1, "i32"), n - 1, bytes);
      if (!constant) h.source(b, 2, kind);
      else if (kind === "i64") h.operand64(2);
      else h.operand(2);
      h.guestStore(opcode).next(n);
    }, a || b ? `${name}${fixed ? "C" : "R"}${constant ? "I" : "R"}` : "");
  }
}

/** Traps unless the range is inside whose start is `more` bytes behind the slot of operand 1, its length 8. */
function inMemory(h: HandlerEmitter, more: number): void {
  h.read(1, "i32", more).op(0xad).read(1, "i32", 8).op(0xad, 0x7c).get(Local.limit).op(0x56);
  h.trapIf(TrapCode.MemoryOutOfBounds);
}

/**
 * Leaves the address of a table's element in `Local.a`, its index being in the slot of operand `index`.
 * Out of range, or in a table that lives elsewhere, the plain loop knows what to do.
 */
export function element(h: HandlerEmitter, index: number, table: number): void {
  h.operand(table).i32(3).op(0x74).set(Local.a); // descriptors take 8 bytes
  h.read(index, "i32").tee(Local.b).get(Local.a).op(0x28);
  h.code.memory(Header.tables + 4);
  h.op(0x4f).stopIf(Stop.Slow);
  h.get(Local.a).op(0x28);
  h.code.memory(Header.tables);
  h.get(Local.b).i32(2).op(0x74, 0x6a).set(Local.a);
}
