/**
 * The conformance vectors of the machine specification (rwasm 0.7.2, section 8), each one line.
 * Run as there: the raw engine, no host functions, `source_pc` 0, no fuel limit unless given.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Value } from "../../lib/plugin/plugin.ts";
import { execute, type Host, type Setup, setUp, show, signature } from "./notation.ts";

type Vector = readonly [code: string, type: string, ending: string, params?: readonly Value[], setup?: Setup];

const grow = "C 1, MemoryGrow, Drop";
const RECURSION = "LocalGet 1, BrIfEqz 5, C -1, I32Add, CallInternal 0, Return, Return";

// deno-fmt-ignore
const VECTORS: readonly Vector[] = [
  ["StackCheck 8205, Return", "->", "done"],
  ["StackCheck 8206, Return", "->", "trap StackOverflow"],
  ["BulkConst 32, BulkDrop 32, Return", "->", "done"],
  ["BulkConst 33, BulkDrop 33, Return", "->", "trap StackOverflow"],
  ["StackCheck 33, BulkConst 65, BulkDrop 65, Return", "->", "done"],
  ["StackCheck 33, BulkConst 66, BulkDrop 66, Return", "->", "trap StackOverflow"],
  // Only 8192 slots are pushed, so the drop finds too few.
  ["StackCheck 8205, BulkConst 8193, BulkDrop 8193, Return", "->", "trap StackOverflow"],
  ["StackCheck 8205, BulkConst 8193, BulkDrop 8192, Return", "->", "done"],
  ["C 1, LocalGet 0, Return", "-> i32 i32", "trap StackOverflow"],
  ["C 1, C 2, LocalSet 1, Return", "-> i32", "done 2"],
  ["C 1, C 2, LocalTee 2, Return", "-> i32 i32", "done 2 2"],
  ["C 1, C 2, LocalTee 1, Return", "-> i32 i32", "done 1 2"],
  ["C 0, I32DivU, Return", "->", "trap StackOverflow"],
  ["ConsumeFuel 5, ConsumeFuel 6, Return", "->", "trap OutOfFuel", [], { fuelLimit: 10 }],
  ["ConsumeFuel 5, ConsumeFuel 5, Return", "->", "done", [], { fuelLimit: 10 }],
  ["C 5, Trap ExecutionHalted", "-> i32 i64", "done 0 0n"],
  ["C 5, C 6, Return", "-> i32", "trap IllegalOpcode"],
  ["C 5, C 6, Return", "-> i64", "done 25769803781n"],
  ["Return", "i64 -> i32 i32", "done 2 1", [0x100000002n]],
  ["C -1, C -1, I32Mul64, Return", "-> i64", "done -8589934591n"],
  ["C -1, C -1, I32Add64, Return", "-> i64", "done 8589934590n"],
  ["C 1, C 2, I32Sub64, Return", "-> i64", "done -1n"],
  ["I64Const32S -2147483648, I64Const32U 2147483648, Return", "-> i64 i64", "done -2147483648n 2147483648n"],
  ["I64Const32S -1, I64Const32S 3, I64MulWideS, Return", "-> i64 i64", "done -3n -1n"],
  ["I64Const32S -1, I64Const32S 3, I64MulWideU, Return", "-> i64 i64", "done -3n 2n"],
  ["I64Add128, Return", "4*i64 -> i64 i64", "done 1n 7n", [-1n, 1n, 2n, 5n]],
  ["I64Sub128, Return", "4*i64 -> i64 i64", "done -1n 0n", [1n, 1n, 2n, 0n]],
  ["C 65537, MemoryGrow, C 65536, MemoryGrow, C 1024, MemoryGrow, C 1, MemoryGrow, C 0, MemoryGrow, Return", "-> 5*i32", "done -1 -1 0 -1 1024"],
  [`${grow}, C 65536, C 1, C 0, MemoryFill, Return`, "->", "done"],
  [`${grow}, C 65537, C 1, C 0, MemoryFill, Return`, "->", "trap MemoryOutOfBounds"],
  [`${grow}, C -1, I32Load 1, Return`, "-> i32", "trap MemoryOutOfBounds"],
  ["C 7, C 1024, TableGrow 3, C 7, C 1, TableGrow 3, C 7, C 0, TableGrow 3, C 7, C -1, TableGrow 3, TableSize 3, TableSize 9, Return", "-> 6*i32", "done 0 -1 1024 -1 1024 0"],
  ["C 99, BrTable 2, Br 4, Return, Br 3, Return, Unreachable, C 1, Return", "-> i32", "done 1"],
  ["C 5, CallIndirect 0, TableGet 0", "->", "trap TableOutOfBounds"],
  ["C 5, CallIndirect 0, Return", "->", "trap UnreachableCodeReached"],
  [RECURSION, "i32 -> i32", "done 0", [1024]],
  [RECURSION, "i32 -> i32", "trap StackOverflow", [1025]],
  ["Call 3, Return", "->", "trap UnknownExternalFunction"],
  ["DataDrop 100000, Return", "->", "done"],
  ["DataDrop 100001, Return", "->", "trap MemoryOutOfBounds"],
  ["ElemDrop 100001, Return", "->", "trap TableOutOfBounds"],
  ["BulkDrop 8205, Return", "8205*i32 ->", "done", new Array(8205).fill(0)],
  ["BulkDrop 8206, Return", "8206*i32 ->", "trap StackOverflow", new Array(8206).fill(0)],
  ["C 0, C 2, TableGrow 0, Drop, C 2, C 0, C 0, TableCopy 0 0, Return", "->", "done"],
  ["C 0, C 2, TableGrow 0, Drop, C 3, C 0, C 0, TableCopy 0 0, Return", "->", "trap TableOutOfBounds"],
  ["C 0, C 2, TableGrow 0, Drop, C 0, C 2, C 0, TableInit 1, TableGet 0, Return", "->", "done", [], { elements: [4, 5] }],
  ["C 0, C 2, TableGrow 0, Drop, C 0, C 3, C 0, TableInit 1, TableGet 0, Return", "->", "trap TableOutOfBounds", [], { elements: [4, 5] }],
  ["C 0, C 2, TableGrow 0, Drop, C 3, C 0, C 0, TableInit 1, TableGet 0, Return", "->", "trap TableOutOfBounds", [], { elements: [4, 5] }],
];

for (const [code, type, ending, params = [], setup = {}] of VECTORS) {
  const shown = params.length > 4 ? `${params.length} parameters` : params.map(String).join(" ");
  Deno.test(`vector: ${code} ${type} (${shown}) is ${ending}`, () => {
    assertEquals(execute(code, type, params, setup), ending);
  });
}

Deno.test("vector: a charge that would pass the limit leaves the counter unchanged", () => {
  const { store, executor } = setUp("ConsumeFuel 5, ConsumeFuel 6, Return", { fuelLimit: 10 });
  assertEquals(show(executor.execute()), "trap OutOfFuel");
  assertEquals(store.consumedFuel(), 5n);
});

Deno.test("vector: a charge from an empty stack traps first; the reference charges stale slot 0 (quirk 7)", () => {
  const { store, executor } = setUp("C 77, Drop, ConsumeFuelStack, Return");
  assertEquals(show(executor.execute()), "trap StackOverflow");
  assertEquals(store.consumedFuel(), 0n);
});

Deno.test("vector: a syscall gets its arguments in declared order and type", () => {
  let seen: unknown[] = [];
  const hosts: Host[] = [["i32 i64 -> i64", (_caller, ...args) => {
    seen = args;
    return args[1];
  }]];
  assertEquals(
    execute("C 11, C 22, C 33, Call 1, Return", "-> i64", [], { hosts }),
    `done ${33n * 2n ** 32n + 22n}n`,
  );
  assertEquals(seen, [11, 33n * 2n ** 32n + 22n]);
});

Deno.test("vector: room for syscall results is reserved before the host runs", () => {
  let calls = 0;
  const hosts: Host[] = [["-> i64", () => BigInt(++calls)]];
  const at = (height: number) =>
    execute(
      `StackCheck 8205, BulkConst 8192, BulkConst ${height - 8192}, Call 1, BulkDrop ${height + 2}, Return`,
      "->",
      [],
      {
        hosts,
      },
    );
  assertEquals(at(8204), "trap StackOverflow");
  assertEquals(calls, 0);
  assertEquals(at(8203), "done");
  assertEquals(calls, 1);
});

Deno.test("vector: a syscall without its arguments does not reach the host", () => {
  let calls = 0;
  const hosts: Host[] = [["i32 i64 -> i64", () => BigInt(++calls)]];
  assertEquals(execute("C 1, Call 1, Return", "-> i64", [], { hosts }), "trap StackOverflow");
  assertEquals(calls, 0);
});

Deno.test("vector: an i32 in an i64 result is BadSignature", () => {
  assertEquals(
    execute("Call 1, Return", "-> i64", [], { hosts: [["-> i64", () => 1]] }),
    "trap BadSignature",
  );
});

Deno.test("vector: a host function may reset the fuel in the middle of a run", () => {
  const hosts: Host[] = [["->", (caller) => caller.resetFuel(100)]];
  const code = "ConsumeFuel 4, Call 1, ConsumeFuel 4, Call 1, ConsumeFuel 60, Return";
  const { store, executor } = setUp(code, { fuelLimit: 5, hosts });
  assertEquals(show(executor.execute()), "done");
  assertEquals([store.consumedFuel(), store.remainingFuel()], [60n, 40n]);
});

Deno.test("vector: initialization must leave an empty stack", () => {
  const { executor } = setUp("C 1, Return, Return", { sourcePc: 2 });
  assertEquals(show(executor.instantiate()), "trap IllegalOpcode");
});

Deno.test("vector: a source_pc outside of the code traps when executed, after initialization ran", () => {
  const { store, executor } = setUp("ConsumeFuel 3, Return", { sourcePc: 9 });
  assertEquals(show(executor.instantiate()), "done");
  assertEquals(show(executor.execute()), "trap UnreachableCodeReached");
  assertEquals(store.consumedFuel(), 3n);
});

Deno.test("vector: results are typed by the caller, only widths count", () => {
  const { executor } = setUp("I64Const32U 7, Return");
  assertEquals(show(executor.execute([], signature("-> i32 i32"))), "done 7 0");
});
