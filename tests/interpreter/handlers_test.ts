/**
 * Every row of the table of handlers, executed beside the plain loop: operators with every kind of
 * operand on edge values, accesses at the ends of memory, control, and what only hand-written code has. The
 * last test names rows that nothing here has executed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type CompilationConfig, compile, type Value } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { REFERENCE_LIMITS } from "../../lib/limits.ts";
import { generateModule } from "../generate/generate.ts";
import { Failures } from "../harness.ts";
import { type NumericType, operands } from "../isa/wasm_operation.ts";
import { linkerOf, program as assembled, signature } from "../vm/notation.ts";
import { constant, encodeWasm, I32, I64 } from "../wasm_encoder.ts";
import { Coverage } from "./coverage.ts";
import { runGenerated } from "./generated.ts";
import { carriers, memoryShapes, OPERATORS, type Shape, shapesOf } from "./shapes.ts";
import { pairShapes } from "./pairs.ts";
import { Twins } from "./twins.ts";

const coverage = new Coverage();
const { instantiate } = coverage;
let parts = 0;

/** Values for parameters: `most` of the combinations of edges, others from each `start` on. */
function* valuesFor(types: readonly NumericType[], most: number, start: number): Generator<Value[]> {
  const all = [...operands(types.slice(0, 2), 60, 0xbead)], step = Math.max(1, Math.floor(all.length / most));
  const thirds = types.length > 2 ? [...operands(types.slice(2), 8, 0xfeed)] : undefined;
  for (let k = start % step, n = 0; k < all.length; k += step, n++) {
    yield thirds === undefined ? all[k] : [...all[k], ...thirds[(start + n) % thirds.length]];
  }
}

/** Runs functions of one module with many values; how often each kind of ending came. */
function runShapes(
  shapes: readonly Shape[],
  most: number,
  failures: Failures,
  config: CompilationConfig = {},
): void {
  const wasm = encodeWasm({
    functions: shapes,
    pages: 1,
    globals: [{ type: I32, init: constant(0) }, { type: I64, init: constant(0n) }],
  });
  assert(
    WebAssembly.validate(wasm as Uint8Array<ArrayBuffer>) || shapes.some(({ name }) => name.includes("128")),
  );
  const module = compile(wasm, config), { functionStarts } = module.info!;
  const twins = new Twins(verify(module, () => undefined), { instantiate });
  assertEquals(twins.run(0), "done");
  shapes.forEach(({ name, types }, index) => {
    for (const values of valuesFor(types, name.endsWith("of parameters") ? 4 * most : most, index)) {
      try {
        twins.run(functionStarts[index], carriers(types), values);
      } catch (error) {
        failures.add(`${name} (${values}): ${(error as Error).message}`);
        break;
      }
    }
  });
  coverage.take(twins.program);
}

Deno.test("every operator does the same in both loops, wherever its operands come from and its result goes", () => {
  const failures = new Failures();
  for (const operator of OPERATORS) runShapes(shapesOf(operator), 24, failures);
  failures.report();
  parts++;
});

Deno.test("every access of memory does the same in both loops, at its ends as well", () => {
  const failures = new Failures();
  runShapes(memoryShapes(), 30, failures);
  runShapes(memoryShapes(), 4, failures, { consumeFuel: false });
  failures.report();
  parts++;
});

Deno.test("two operators behind each other do the same in both loops", () => {
  const failures = new Failures(), shapes = pairShapes();
  for (let from = 0; from < shapes.length; from += 400) {
    runShapes(shapes.slice(from, from + 400), 5, failures);
  }
  failures.report();
  parts++;
});

/** Programs for what operators and accesses do not reach: code, type, and values to run it with, in turn. */
// deno-fmt-ignore
const PROGRAMS: readonly (readonly [code: string, type: string, ...runs: (readonly Value[])[]])[] = [
  // slots, constants, and what is neither
  ["BulkConst 2, BulkDrop 2, Return", "->", []],
  ["StackCheck 40, BulkConst 20, LocalGet 21, LocalSet 5, BulkDrop 19, I32Add, Return", "i32 -> i32", [7]],
  ["I64Const32S -5, I64Const32U 4294967291, Return", "-> i64 i64", []],
  ["I64Const32S -1, I64Const32S 3, I64MulWideS, Return", "-> i64 i64", []],
  ["I64Const32S -1, I64Const32S 3, I64MulWideU, Return", "-> i64 i64", []],
  ["I64Add128, Return", "4*i64 -> i64 i64", [-1n, 1n, 2n, 5n], [-1n, -1n, 1n, 0n], [1n << 63n, 0n, 1n << 63n, 7n]],
  ["I64Sub128, Return", "4*i64 -> i64 i64", [1n, 1n, 2n, 0n], [0n, 0n, 1n, 0n], [-1n, 3n, -1n, -3n]],
  ["I64MulWideS, Return", "i64 i64 -> i64 i64", [-3n, 5n], [-(1n << 63n), -(1n << 63n)], [1n << 62n, 12345678901234567n]],
  ["I64MulWideU, Return", "i64 i64 -> i64 i64", [-3n, 5n], [-(1n << 63n), -(1n << 63n)], [1n << 62n, 12345678901234567n]],
  ["I32Mul64, Return", "i32 i32 -> i64", [-1, -1], [65536, 65536], [3, 5]],
  ["I32Add64, Return", "i32 i32 -> i64", [-1, -1], [1, 2]],
  ["I32Sub64, Return", "i32 i32 -> i64", [1, 2], [2, 1]],
  ["I32And64, Return", "i64 i64 -> i64", [-1n, 12345678901234567n]],
  ["I64Const32S -2, I32Or64, Return", "i64 -> i64", [12345678901234567n]],
  ["I64Const32U 4294967294, I32Xor64, Return", "i64 -> i64", [12345678901234567n]],
  ["I32WrapI64, Return", "i32 -> i32", [5]],
  ["Select, Return", "i32 i32 i32 -> i32", [1, 2, 0], [1, 2, 3]],
  // globals: single words, pairs, and words beyond those that have a place
  ["GlobalSet 4, GlobalGet 4, GlobalGet 5, Return", "i32 -> i32 i32", [9]],
  ["GlobalSet 6, GlobalSet 7, GlobalGet 7, GlobalGet 6, Return", "i64 -> i64", [12345678901234567n]],
  ["GlobalSet 7, GlobalSet 6, GlobalGet 6, GlobalGet 7, Return", "i64 -> i64", [12345678901234567n]],
  ["GlobalSet 2000000000, GlobalGet 2000000000, Return", "i32 -> i32", [9]],
  // jumps
  ["BrIfNez 3, C 1, Return, C 2, Return", "i32 -> i32", [0], [1], [-1]],
  ["BrIfEqz 3, C 1, Return, C 2, Return", "i32 -> i32", [0], [1], [-1]],
  ["BrTable 3, Br 6, Br 7, Br 8, Unreachable, Unreachable, C 1, Return, C 2, Return, C 3, Return", "i32 -> i32", [0], [1], [2], [3], [-1]],
  ["Br 1, Br 2, Unreachable, Return", "->", []],
  ["C 5, LocalGet 1, C -1, I32Add, LocalSet 1, ConsumeFuel 2, LocalGet 1, BrIfNez -6, Drop, Return", "->", []],
  ["ConsumeFuel 3, Br 1, ConsumeFuel 4, Br 1, ConsumeFuel 0, Return", "->", []],
  ["ConsumeFuelStack, Return", "i32 ->", [0], [7], [-1]],
  ["Unreachable", "->", []],
  ["Trap IntegerOverflow", "->", []],
  ["Trap ExecutionHalted", "->", []],
  // calls
  ["C 7, CallInternal 3, Return, SignatureCheck 1, ConsumeFuel 2, StackCheck 4, C 2, I32Add, Return", "-> i32", []],
  ["C 7, CallInternal 3, Return, ConsumeFuel 2, StackCheck 4, C 2, I32Add, Return", "-> i32", []],
  ["C 7, CallInternal 3, Return, StackCheck 4, C 2, I32Add, Return", "-> i32", []],
  ["C 7, CallInternal 3, Return, C 2, I32Add, Return", "-> i32", []],
  ["C 7, ReturnCallInternal 2, ConsumeFuel 1, StackCheck 4, C 2, I32Add, Return", "-> i32", []],
  ["C 7, ReturnCallInternal 2, SignatureCheck 3, ConsumeFuel 1, StackCheck 4, C 2, I32Add, Return", "-> i32", []],
  // tables and calls through them
  ["RefFunc 9, C 2, TableGrow 0, Drop, C 5, LocalGet 2, CallIndirect 3, TableGet 0, Return, SignatureCheck 3, C 1, I32Add, Return", "i32 -> i32 i32", [0], [1], [2], [-1]],
  ["RefFunc 9, C 2, TableGrow 0, Drop, C 5, LocalGet 2, CallIndirect 4, TableGet 0, Return, SignatureCheck 3, C 1, I32Add, Return", "i32 -> i32 i32", [0], [2]],
  ["RefFunc 8, C 2, TableGrow 0, Drop, C 5, LocalGet 2, ReturnCallIndirect 3, TableGet 0, SignatureCheck 3, C 1, I32Add, Return", "i32 -> i32 i32", [0], [2]],
  ["RefFunc 0, C 2, TableGrow 0, Drop, C 5, LocalGet 2, ReturnCallIndirect 3, TableGet 0, SignatureCheck 3, C 1, I32Add, Return", "i32 -> i32 i32", [0]],
  ["C 7, C 3, TableGrow 1, TableSize 1, LocalGet 3, TableGet 1, Return", "i32 -> 4*i32", [0], [2], [3], [-1]],
  ["C 7, C 3, TableGrow 1, Drop, LocalGet 2, LocalGet 2, TableSet 1, LocalGet 2, TableGet 1, Return", "i32 i32 -> 3*i32", [0, 4], [2, 5], [3, 6]],
  ["C 7, C 9, TableGrow 40, Drop, C 1, C 2, C 3, TableFill 40, C 2, TableGet 40, Return", "-> i32", []],
  ["C 7, C 9, TableGrow 40, Drop, C 5, C 6, TableSet 40, C 5, TableGet 40, Return", "-> i32", []],
  // memory
  ["C 2, MemoryGrow, Drop, MemorySize, Return", "-> i32", []],
  ["C 1, MemoryGrow, Drop, MemoryFill, Return", "3*i32 ->", [0, 1, 65536], [1, 1, 65536], [65536, 1, 0], [65537, 1, 0], [-1, 2, -1]],
  ["C 1, MemoryGrow, Drop, MemoryCopy, Return", "3*i32 ->", [0, 1, 65535], [0, 1, 65536], [1, 0, 65536], [-1, 0, 1]],
  ["C 1, MemoryGrow, Drop, MemoryInit 0, DataDrop 0, Return", "3*i32 ->", [0, 0, 0], [1, 0, 1], [65536, 0, 1]],
  ["C 1, MemoryGrow, Drop, I32Load 0, Return", "i32 -> i32", [65532], [65533], [-1], [-4]],
  ["I32Load 0, Return", "i32 -> i32", [0], [-4]],
  // host functions
  ["Call 1, Return", "i32 -> i32", [4]],
  ["C 1, Call 1, I32Add, ConsumeFuel 3, Return", "i32 -> i32", [4]],
  ["Call 9, Return", "->", []],
];

Deno.test("hand-written code does the same in both loops", () => {
  const failures = new Failures(), linker = linkerOf([["i32 -> i32", (_, value) => (value as number) * 3]]);
  for (const [code, type, ...runs] of PROGRAMS) {
    for (const fuel of ["step", undefined, 4n, 100n] as const) {
      try {
        const module = assembled(code, { data: [1, 2, 3] });
        const verified = verify(module, (index) => linker.bySyscall(index), {
          limits: REFERENCE_LIMITS,
          unknownSyscalls: "trap",
        });
        for (const counts of [false, true]) {
          const program = new Program(verified, counts);
          const twins = new Twins<unknown>(verified, { linker, fuel, instantiate, program });
          for (const values of runs) twins.run(0, signature(type).params, values);
          // Where charges are missing it is the other form that runs.
          for (const form of new Set([program, program.counting])) coverage.take(form);
        }
      } catch (error) {
        failures.add(`${code}, fuel ${fuel}: ${(error as Error).message}`);
      }
    }
  }
  failures.report();
  parts++;
});

Deno.test("generated modules do the same in both loops, in all forms of their code", () => {
  const failures = new Failures();
  for (let seed = 1000; seed < 1080; seed++) {
    try {
      const generated = generateModule(seed, { deep: 0 });
      for (const counts of [false, true]) {
        coverage.take(runGenerated(generated, { counts, instantiate }).program);
      }
    } catch (error) {
      failures.add(`seed ${seed}: ${(error as Error).message}`);
    }
  }
  failures.report();
  parts++;
});

Deno.test("every handler has been executed", () => {
  if (parts < 5) return; // a filter chose some of the tests
  assertEquals(coverage.missing(), [], "add what reaches these rows to shapes.ts or to PROGRAMS");
});
