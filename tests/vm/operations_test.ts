/**
 * Every opcode of the plain loop: arithmetic against the WebAssembly engine underneath, to the bit,
 * and the rest as lines of program and ending.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { OP_NAMES, trapsOf } from "../../lib/isa/opcode.ts";
import type { Value } from "../../lib/plugin/plugin.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import {
  type Bits,
  canonical,
  carrier,
  isNanBits,
  operands,
  SHARED_OPERATIONS,
  wasmOperation,
} from "../isa/wasm_operation.ts";
import { type Ending, execute, program, type Setup, setUp, show, signature } from "./notation.ts";

/** Operations on the sign bit, through which a signaling NaN passes unchanged. */
const BITWISE = /Abs|Neg|Copysign/;

function expectedTrap(name: string, bits: readonly Bits[], isNan: boolean): Ending {
  if (name.includes("Trunc")) return isNan ? "trap BadConversionToInteger" : "trap IntegerOverflow";
  return bits[1] === 0 ? "trap IntegerDivisionByZero" : "trap IntegerOverflow";
}

for (const [name, instruction, params, result] of SHARED_OPERATIONS) {
  Deno.test(`${name} equals the WebAssembly instruction, with canonical NaNs`, () => {
    const oracle = wasmOperation(instruction, params, result);
    const executor = new RwasmExecutor(new RwasmStore(), program(`${name}, Return`));
    const type = { params: params.map(carrier), results: [carrier(result)] };
    for (const bits of operands(params, 200, 0xbead)) {
      let expected: string;
      try {
        const value = oracle(...bits);
        expected = show({ status: "done", results: [BITWISE.test(name) ? value : canonical(result, value)] });
      } catch {
        expected = expectedTrap(name, bits, isNanBits(params[0]!, bits[0]!));
      }
      assertEquals(show(executor.execute(bits, type)), expected, `${name}(${bits})`);
    }
  });
}

type Line = readonly [code: string, type: string, ending: Ending, params?: readonly Value[], setup?: Setup];

const MEMORY = "C 1, MemoryGrow, Drop";
const TABLE = "C 9, C 3, TableGrow 5, Drop";

// deno-fmt-ignore
const LINES: readonly Line[] = [
  // stack and control
  ["Unreachable", "->", "trap UnreachableCodeReached"],
  ["Trap IntegerOverflow", "->", "trap IntegerOverflow"],
  ["Trap InterruptionCalled", "->", "paused"],
  ["LocalGet 2, Return", "i32 i32 -> 3*i32", "done 5 6 5", [5, 6]],
  ["LocalGet 3, Return", "i32 i32 -> 3*i32", "trap StackOverflow", [5, 6]],
  ["LocalGet 4294967295, Return", "i32 i32 -> 3*i32", "trap StackOverflow", [5, 6]],
  ["LocalSet 2, Return", "3*i32 -> i32 i32", "done 7 6", [5, 6, 7]],
  ["LocalSet 0, Return", "3*i32 -> i32 i32", "trap StackOverflow", [5, 6, 7]],
  ["LocalSet 3, Return", "3*i32 -> i32 i32", "trap StackOverflow", [5, 6, 7]],
  ["LocalTee 3, Return", "3*i32 -> 3*i32", "done 7 6 7", [5, 6, 7]],
  ["LocalTee 0, Return", "i32 -> i32", "trap StackOverflow", [5]],
  ["LocalTee 2147483648, Return", "i32 -> i32", "trap StackOverflow", [5]],
  ["Br 2, Unreachable, Return", "->", "done"],
  ["BrIfEqz 2, Unreachable, Return", "i32 ->", "done", [0]],
  ["BrIfEqz 2, Unreachable, Return", "i32 ->", "trap UnreachableCodeReached", [-1]],
  ["BrIfNez 2, Unreachable, Return", "i32 ->", "done", [-1]],
  ["BrIfNez 2, Unreachable, Return", "i32 ->", "trap UnreachableCodeReached", [0]],
  ["BrTable 2, Return, Return, Unreachable, Return", "i32 ->", "done", [0]],
  ["BrTable 2, Return, Return, Unreachable, Return", "i32 ->", "trap UnreachableCodeReached", [1]],
  ["BrTable 2, Return, Return, Unreachable, Return", "i32 ->", "trap UnreachableCodeReached", [-1]],
  ["BrTable 0, Return", "i32 ->", "trap UnreachableCodeReached", [0]],
  ["BrTable 4294967295, Return", "i32 ->", "done", [0]],
  ["BrTable 4294967295, Return", "i32 ->", "trap UnreachableCodeReached", [1]],
  ["BrTable 4294967295, Return", "i32 ->", "trap UnreachableCodeReached", [2147483647]],
  ["BrTable 4294967295, Return", "i32 ->", "trap UnreachableCodeReached", [-1]],
  ["C 3, ReturnCallInternal 2, Return", "-> i32", "done 3"],
  ["CallInternal 2, Return, C 4, Return", "-> i32", "done 4"],
  ["CallInternal 2, Return, ReturnCallInternal 3, C 4, Return", "-> i32", "done 4"],
  // an indirect call pushes pc + 2; the payload slot is never executed
  [`${TABLE}, C 2, CallIndirect 1, TableGet 5, Return, Unreachable, SignatureCheck 1, C 8, Return`, "-> i32", "done 8"],
  [`${TABLE}, C 2, CallIndirect 1, TableGet 5, Return, Unreachable, SignatureCheck 2, C 8, Return`, "-> i32", "trap BadSignature"],
  [`${TABLE}, C 2, ReturnCallIndirect 1, TableGet 5, Unreachable, Unreachable, SignatureCheck 1, C 8, Return`, "-> i32", "done 8"],
  [`${TABLE}, C 3, CallIndirect 1, TableGet 5`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C -1, ReturnCallIndirect 1, TableGet 5`, "->", "trap TableOutOfBounds"],
  ["C 0, C 3, TableGrow 5, Drop, C 1, CallIndirect 1, TableGet 5", "->", "trap IndirectCallToNull"],
  ["C 0, C 3, TableGrow 5, Drop, C 1, ReturnCallIndirect 1, TableGet 5", "->", "trap IndirectCallToNull"],
  ["CallIndirect 1, TableGet 5", "->", "trap StackOverflow"],
  ["CallIndirect 1, Drop", "->", "trap UnreachableCodeReached"],
  ["C 1, CallIndirect 1", "->", "trap UnreachableCodeReached"],
  ["C 1, ReturnCallIndirect 1", "->", "trap UnreachableCodeReached"],
  ["SignatureCheck 7, Return", "->", "done"],
  // ReturnCall does not return (quirk 3)
  ["ReturnCall 1, C 6, Return", "-> i32 i32", "done 5 6", [], { hosts: [["-> i32", () => 5]] }],
  ["ReturnCall 2, C 6, Return", "-> i32 i32", "trap UnknownExternalFunction", [], { hosts: [["-> i32", () => 5]] }],
  ["RefFunc 0, RefFunc 4, Return", "-> funcref funcref", "done null 4"],
  ["Select, Return", "3*i32 -> i32", "done 5", [5, 6, -1]],
  ["Select, Return", "3*i32 -> i32", "done 6", [5, 6, 0]],
  ["GlobalGet 3, C 5, GlobalSet 3, GlobalGet 3, Return", "-> i32 i32", "done 0 5"],
  ["GlobalGet 4294967295, C 5, GlobalSet 4294967295, GlobalGet 4294967295, GlobalGet 2147483648, Return", "-> 3*i32", "done 0 5 0"],
  // memory
  ["MemorySize, Return", "-> i32", "done 0"],
  [`${MEMORY}, MemorySize, Return`, "-> i32", "done 1"],
  [`${MEMORY}, C 65532, LocalGet 2, I32Store 0, C 65532, I32Load 0, Return`, "i32 -> i32 i32", "done 7 7", [7]],
  [`${MEMORY}, C 65531, C -2, I32Store 1, C 0, I32Load 65532, Return`, "-> i32", "done -2"],
  [`${MEMORY}, C 65532, C -2, I32Store 1, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 5, C -2, I32Store16 0, C 4, I32Load 0, Return`, "-> i32", "done 16776704"],
  [`${MEMORY}, C 5, C -2, I32Store8 0, C 4, I32Load 0, Return`, "-> i32", "done 65024"],
  [`${MEMORY}, C 65535, C -2, I32Store16 0, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65536, C -2, I32Store8 0, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 1, C -32640, I32Store 0, C 1, I32Load8S 0, C 1, I32Load8U 0, C 1, I32Load16S 0, C 1, I32Load16U 0, Return`, "-> 4*i32", "done -128 128 -32640 32896"],
  [`${MEMORY}, C 65535, I32Load8S 0, Return`, "-> i32", "done 0"],
  [`${MEMORY}, C 65535, I32Load8S 1, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65535, I32Load8U 1, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65535, I32Load16S 0, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65535, I32Load16U 0, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65533, I32Load 0, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65533, F32Load 0, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65529, F64Load 0, Return`, "-> i64", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65533, C 1, F32Store 0, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 65529, I64Const32U 1, F64Store 0, Return`, "->", "trap MemoryOutOfBounds"],
  // an address or offset that wraps around 2^32 is outside
  [`${MEMORY}, C -1, I32Load8U 1, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 1, I32Load8U 4294967295, Return`, "-> i32", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 2147483647, I32Load8U 2147483647, Return`, "-> i32", "trap MemoryOutOfBounds"],
  ["C 0, I32Load8U 0, Return", "-> i32", "trap MemoryOutOfBounds"],
  // a signaling NaN survives loads and stores
  [`${MEMORY}, C 9, C 2139095041, F32Store 0, C 9, F32Load 0, Return`, "-> i32", "done 2139095041"],
  [`${MEMORY}, C 9, C 1, C 2146435073, F64Store 0, C 9, F64Load 0, Return`, "-> i64", `done ${0x7ff0000100000001n}n`],
  [`${MEMORY}, C 2, C 511, C 3, MemoryFill, C 1, I32Load 0, Return`, "-> i32", "done -256"],
  [`${MEMORY}, C 65535, C 1, C 2, MemoryFill, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C -1, C 1, C 2, MemoryFill, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 0, C 67305985, I32Store 0, C 1, C 0, C 3, MemoryCopy, C 0, I32Load 0, Return`, "-> i32", "done 50462977"],
  [`${MEMORY}, C 65534, C 0, C 3, MemoryCopy, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 0, C 65534, C 3, MemoryCopy, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 0, C 0, C -1, MemoryCopy, Return`, "->", "trap MemoryOutOfBounds"],
  [`${MEMORY}, C 1, C 1, C 2, MemoryInit 7, C 0, I32Load 0, Return`, "-> i32", "done 395520", [], { data: [4, 9, 6] }],
  [`${MEMORY}, C 0, C 2, C 2, MemoryInit 7, Return`, "->", "trap MemoryOutOfBounds", [], { data: [4, 9, 6] }],
  [`${MEMORY}, C 65535, C 0, C 2, MemoryInit 7, Return`, "->", "trap MemoryOutOfBounds", [], { data: [4, 9, 6] }],
  [`${MEMORY}, DataDrop 7, C 0, C 0, C 1, MemoryInit 7, Return`, "->", "trap MemoryOutOfBounds", [], { data: [4, 9, 6] }],
  [`${MEMORY}, DataDrop 7, C 0, C 0, C 0, MemoryInit 7, Return`, "->", "done", [], { data: [4, 9, 6] }],
  [`${MEMORY}, DataDrop 8, ElemDrop 7, C 0, C 0, C 1, MemoryInit 7, Return`, "->", "done", [], { data: [4, 9, 6] }],
  [`${MEMORY}, DataDrop 0, C 0, C 0, C 1, MemoryInit 0, Return`, "->", "trap MemoryOutOfBounds", [], { data: [4, 9, 6] }],
  // tables
  [`${TABLE}, TableSize 5, TableSize 4, TableSize 65535, Return`, "-> 3*i32", "done 3 0 0"],
  [`${TABLE}, C 2, TableGet 5, C 2, C 8, TableSet 5, C 2, TableGet 5, Return`, "-> i32 i32", "done 9 8"],
  [`${TABLE}, C 3, TableGet 5, Return`, "-> i32", "trap TableOutOfBounds"],
  [`${TABLE}, C -1, TableGet 5, Return`, "-> i32", "trap TableOutOfBounds"],
  ["C 0, TableGet 0, Return", "-> i32", "trap TableOutOfBounds"],
  [`${TABLE}, C 3, C 1, TableSet 5, Return`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C 1, C 7, C 2, TableFill 5, C 0, TableGet 5, C 2, TableGet 5, Return`, "-> i32 i32", "done 9 7"],
  [`${TABLE}, C 1, C 7, C 3, TableFill 5, Return`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C 4, C 7, C 0, TableFill 5, Return`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C 1, C 2, TableGrow 6, Drop, C 1, C 0, C 2, TableCopy 5 6, C 0, TableGet 5, C 1, TableGet 5, Return`, "-> i32 i32", "done 9 1"],
  [`${TABLE}, C 0, C 0, C 1, TableCopy 5 6, Return`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C 0, C 0, C 1, TableCopy 6 5, Return`, "->", "trap TableOutOfBounds"],
  [`${TABLE}, C 1, C 1, C 2, TableInit 1, TableGet 5, C 2, TableGet 5, Return`, "-> i32", "done 33", [], { elements: [11, 22, 33] }],
  [`${TABLE}, ElemDrop 1, C 1, C 1, C 2, TableInit 1, TableGet 5, Return`, "->", "trap TableOutOfBounds", [], { elements: [11, 22, 33] }],
  [`${TABLE}, C 1, C 1, C 2, TableInit 1, Return`, "->", "trap UnreachableCodeReached", [], { elements: [11, 22, 33] }],
  ["C 1, C 1, TableInit 1, TableGet 5", "->", "trap StackOverflow"],
  // integers that WebAssembly does not have
  ["I32WrapI64, Return", "i32 -> i32", "done 7", [7]],
  ["BulkConst 2, Return", "-> i32 i32", "done 0 0"],
  ["BulkDrop 1, Return", "i32 i32 -> i32", "done 5", [5, 6]],
  ["BulkDrop 3, Return", "i32 i32 ->", "trap StackOverflow", [5, 6]],
  ["BulkDrop 4294967295, Return", "i32 i32 ->", "trap StackOverflow", [5, 6]],
  ["I32And64, Return", "i64 i64 -> i64", "done 17179869186n", [0x700000003n, 0x40000000an]],
  ["I32Or64, Return", "i64 i64 -> i64", "done 30064771083n", [0x700000003n, 0x40000000an]],
  ["I32Xor64, Return", "i64 i64 -> i64", "done 12884901897n", [0x700000003n, 0x40000000an]],
  ["I64Const32S -5, I64Const32U 5, Return", "-> i64 i64", "done -5n 5n"],
];

for (const [code, type, ending, params = [], setup = {}] of LINES) {
  Deno.test(`${code} ${type} (${params.join(" ")}) is ${ending}`, () => {
    assertEquals(execute(code, type, params, setup), ending);
  });
}

Deno.test("every opcode has a test here or among the vectors", async () => {
  const vectors = await Deno.readTextFile(new URL("vectors_test.ts", import.meta.url));
  const tested = [...LINES.map(([code]) => code), ...SHARED_OPERATIONS.map(([name]) => name), vectors].join(
    " ",
  );
  const words = new Set(tested.match(/\w+/g)!.map((word) => word === "C" ? "I32Const" : word));
  assertEquals(OP_NAMES.filter((name) => !words.has(name)), []);
});

/** Lines for the traps of instructions that have none above. */
// deno-fmt-ignore
const TRAP_LINES: readonly Line[] = [
  ["Trap UnreachableCodeReached", "->", "trap UnreachableCodeReached"],
  ["ConsumeFuel 5", "->", "trap OutOfFuel", [], { fuelLimit: 4 }],
  ["C 5, ConsumeFuelStack", "->", "trap OutOfFuel", [], { fuelLimit: 4 }],
  ["Call 9", "->", "trap UnknownExternalFunction"],
  ["Call 1", "->", "trap BadSignature", [], { hosts: [["-> i32", () => 5n]] }],
  ["ReturnCall 1", "->", "trap BadSignature", [], { hosts: [["-> i32", () => 5n]] }],
  ["DataDrop 100001", "->", "trap MemoryOutOfBounds"],
  ["ElemDrop 100001", "->", "trap TableOutOfBounds"],
  ["C 1, ReturnCallIndirect 1, Drop", "->", "trap UnreachableCodeReached"],
];

Deno.test("every opcode raises every trap that the table gives it, and no other", () => {
  const seen = new Map<string, Set<string>>();
  const note = (executor: RwasmExecutor<unknown>, type: string, params: readonly Value[]) => {
    const outcome = executor.execute(params, signature(type));
    if (outcome.status !== "trap" || outcome.trap.code === "StackOverflow") return;
    const { pc, code: trap } = outcome.trap;
    if (pc >= executor.module.length) return; // ran out of the code: not the instruction's own trap
    const name = OP_NAMES[executor.module.opcodes[pc]!]!;
    seen.set(name, (seen.get(name) ?? new Set()).add(trap));
  };
  for (const [code, type, ending, params = [], setup] of [...LINES, ...TRAP_LINES]) {
    assertEquals(execute(code, type, params, setup), ending, code);
    if (!code.startsWith("Trap Int")) note(setUp(code, setup).executor, type, params); // a Trap instruction has the trap it names
  }
  for (const [name, , params, result] of SHARED_OPERATIONS) {
    const type = `${params.map(carrier).join(" ")} -> ${carrier(result)}`;
    const { executor } = setUp(`${name}, Return`);
    for (const bits of operands(params, 0, 1)) note(executor, type, bits);
  }
  for (const [op, name] of OP_NAMES.entries()) {
    assertEquals([...seen.get(name) ?? []].sort(), [...trapsOf(op)].sort(), name);
  }
});

Deno.test("floats are computed in f32, not in f64", () => {
  // 1 + 2^-24 rounds to 1 as f32.
  assertEquals(execute("F32Add, Return", "f32 f32 -> f32", [1, 2 ** -24]), "done 1");
  assertEquals(execute("F64Add, Return", "f64 f64 -> f64", [1, 2 ** -24]), `done ${1 + 2 ** -24}`);
});

Deno.test("a stack that grew during a run keeps floats and integers in the same cells", () => {
  const code =
    `StackCheck 4000, BulkConst 3000, C 1065353216, LocalGet 1, F32Add, BulkConst 2, F64Neg, I32Or64, Return`;
  const { executor } = setUp(code);
  const outcome = executor.execute([], signature("-> 2999*i32 i64"));
  assert(outcome.status === "done");
  // 1.0 + 1.0 = 2.0 is the high half, or'ed with −0.0: the sign bit joins.
  assertEquals(outcome.results.at(-1), BigInt.asIntN(64, 0xc000000000000000n));
});
