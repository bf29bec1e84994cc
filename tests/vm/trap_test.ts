/**
 * What a trap says: the instruction, what was tried and what the bound was, how to raise a limit,
 * and the chain of guest frames.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type ModuleInfo, RwasmModule } from "../../lib/isa/module.ts";
import type { Trap } from "../../lib/error.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { program, type Setup, setUp, show, signature } from "./notation.ts";

function trapOf(code: string, setup: Setup = {}): Trap {
  const outcome = setUp(code, setup).executor.execute();
  assert(outcome.status === "trap", show(outcome));
  return outcome.trap;
}

const MEMORY = "C 1, MemoryGrow, Drop";
const TABLE = "C 0, C 3, TableGrow 5, Drop";

// deno-fmt-ignore
const EXPLANATIONS: readonly (readonly [code: string, pc: number, text: string, setup?: Setup])[] = [
  ["Unreachable", 0, "unreachable code reached"],
  ["Br 7", 7, "unreachable code reached: pc 7 is outside of the code, which has 1 instructions"],
  ["C 1, BrTable 0", 1, "unreachable code reached: BrTable has no entries"],
  ["C 1, CallIndirect 0, Return", 1, "unreachable code reached: CallIndirect is not followed by TableGet"],
  [`${MEMORY}, C 65535, I32Load 0`, 4, "out of bounds memory access: 4-byte load at 0xffff; memory has 1 page, 0x10000 bytes"],
  [`${MEMORY}, C 16, C 1, I32Store16 65536`, 5, "out of bounds memory access: 2-byte store at 0x10 + 0x10000; memory has 1 page, 0x10000 bytes"],
  [`${MEMORY}, C -1, I64Const32U 0, F64Store 0`, 5, "out of bounds memory access: 8-byte store at 0xffffffff; memory has 1 page, 0x10000 bytes"],
  ["C 0, I32Load8U 0", 1, "out of bounds memory access: 1-byte load at 0x0; memory has 0 pages, 0x0 bytes"],
  [`${MEMORY}, C 65535, C 0, C 2, MemoryFill`, 6, "out of bounds memory access: fill of 2 bytes at 0xffff; memory has 1 page, 0x10000 bytes"],
  [`${MEMORY}, C 4, C 65535, C 2, MemoryCopy`, 6, "out of bounds memory access: copy of 2 bytes from 0xffff to 0x4; memory has 1 page, 0x10000 bytes"],
  [`${MEMORY}, C 4, C 5, C 2, MemoryInit 0`, 6, "out of bounds memory access: init of 2 bytes at 0x4 from 0x5 of 3 bytes of data; memory has 1 page, 0x10000 bytes", { data: [1, 2, 3] }],
  ["DataDrop 100001", 0, "out of bounds memory access: data segment 100001 is above 100000"],
  [`${TABLE}, C 3, CallIndirect 0, TableGet 5`, 5, "undefined element: out of bounds table access: call of element 3; table 5 of 3 elements"],
  [`${TABLE}, C 2, CallIndirect 0, TableGet 5`, 5, "uninitialized element: indirect call to null: call of element 2; table 5 of 3 elements"],
  [`${TABLE}, C -1, TableGet 5`, 5, "undefined element: out of bounds table access: read of element 4294967295; table 5 of 3 elements"],
  [`${TABLE}, C 3, C 0, TableSet 5`, 6, "undefined element: out of bounds table access: write of element 3; table 5 of 3 elements"],
  [`${TABLE}, C 2, C 0, C 2, TableFill 5`, 7, "undefined element: out of bounds table access: fill of 2 elements from 2 on; table 5 of 3 elements"],
  [`${TABLE}, C 2, C 1, C 2, TableCopy 5 6`, 7, "undefined element: out of bounds table access: copy of 2 elements from 1 of table 6 of 0 elements to 2 of table 5 of 3 elements"],
  [`${TABLE}, C 1, C 2, C 2, TableInit 1, TableGet 5`, 7, "undefined element: out of bounds table access: init of 2 elements from 2 of 1 to 1 of table 5 of 3 elements", { elements: [9] }],
  ["ElemDrop 100001", 0, "undefined element: out of bounds table access: element segment 100001 is above 100000"],
  ["C 0, C 0, I32DivU", 2, "integer divide by zero"],
  ["Drop", 0, "call stack exhausted: Drop needs more than the 0 slots there are"],
  ["C 1, LocalGet 2", 1, "call stack exhausted: LocalGet needs more than the 1 slots there are"],
  ["BulkConst 33", 0, "call stack exhausted: BulkConst at height 0; the code reserved 32 slots"],
  ["BulkConst 32, C 1", 1, "call stack exhausted: I32Const at height 32; the code reserved 32 slots"],
  ["C 1, StackCheck 8205", 1, "call stack exhausted: the function needs 8205 slots above the 1 in use, more than 8205"],
  ["CallInternal 0", 0, "call stack exhausted: 1024 return addresses are stored"],
  ["C 7, C 1, TableGrow 0, Drop, C 0, CallIndirect 7, TableGet 0, SignatureCheck 8", 7, "signature mismatch: the call expects signature 7, the function has 8"],
  ["C 1, C 2, Return", 2, "illegal opcode: the stack holds 2 slots at the end, the results take 0"],
  ["Trap BadConversionToInteger", 0, "invalid conversion to integer"],
  ["Unreachable, Return", 0, "unreachable code reached: during instantiation", { sourcePc: 1 }],
  ["DataDrop 100001, Return", 0, "out of bounds memory access: data segment 100001 is above 100000, during instantiation", { sourcePc: 1 }],
];

for (const [code, pc, text, setup = {}] of EXPLANATIONS) {
  Deno.test(`${code} explains itself: ${text}`, () => {
    const trap = trapOf(code, setup);
    assertEquals(trap.message.split("\n", 1)[0], text);
    assertEquals(trap.pc, pc);
  });
}

Deno.test("a limit that stops a program is named with its value", () => {
  assertEquals(
    trapOf("CallInternal 0").hint,
    "limits.callDepth is 1024; raise it if the recursion is wanted",
  );
  assertEquals(
    trapOf("StackCheck 9000").hint,
    "limits.stackSlots is 8192; raise it if the recursion is wanted",
  );
  assertEquals(
    trapOf("C 5, MemoryGrow, Unreachable", { limits: { memoryPages: 4 } }).hint,
    "a growth to 5 pages was refused; limits.memoryPages is 4",
  );
  assertEquals(trapOf("C 4, MemoryGrow, Unreachable", { limits: { memoryPages: 4 } }).hint, undefined);
});

/** Function 0 "outer" is imported as env.tick, 1 calls 2 directly, 2 calls 3 through the table, 3 traps; then a snippet. */
const CODE = [
  "C 14, C 1, TableGrow 0, Drop, Return", // 0 … 4
  "ReturnCallInternal 9", // 5, the entry point
  "Call 1, Return, Return", // 6 function 0
  "CallInternal 11, Return", // 9 function 1
  "C 0, CallIndirect 0, TableGet 0", // 11 function 2
  "CallInternal 17, Return, Return", // 14 function 3
  "Unreachable", // 17 snippet
].join(", ");

const NONE = signature("->");

const INFO: ModuleInfo = {
  functionExports: [{ name: "run", index: 1, ...NONE }, { name: "tick", index: 0, ...NONE }],
  globalExports: [],
  memoryExports: [],
  tableExports: [],
  functionImports: [{ module: "env", name: "tick", syscall: 1, ...NONE }],
  functionTypes: new Uint32Array(4),
  types: [NONE],
  functionStarts: Uint32Array.of(6, 9, 11, 14, 17),
  functionNames: new Map([[3, "inner"]]),
  snippetNames: ["i64.div_s"],
  // The payload slot of the indirect call at 12 has no offset of its own.
  wasmOffsets: Uint32Array.of(0, 0, 0, 0, 0, 0, 60, 61, 62, 90, 91, 110, 120, 0, 140, 141, 142, 0),
  entrypoint: { name: "run", index: 1, ...NONE },
  metered: true,
  hasRouter: false,
  moduleName: undefined,
};

function runInfo(info: Partial<ModuleInfo> = {}, code = CODE): Trap {
  const module = new RwasmModule({
    ...program(code, { sourcePc: 5 }),
    info: { ...INFO, functionImports: [], ...info },
  });
  const outcome = new RwasmExecutor(new RwasmStore(), module).execute();
  assert(outcome.status === "trap");
  return outcome.trap;
}

Deno.test("a backtrace has function, name and Wasm offset of every frame, innermost first", () => {
  const trap = runInfo();
  assertEquals(trap.backtrace.map((frame) => ({ ...frame })), [
    { pc: 17, functionIndex: undefined, functionName: "i64.div_s", wasmOffset: undefined },
    { pc: 15, functionIndex: 3, functionName: "inner", wasmOffset: 140 },
    // The return address 14 is the first instruction of the next function; the frame is still 2.
    { pc: 14, functionIndex: 2, functionName: undefined, wasmOffset: 120 },
    { pc: 10, functionIndex: 1, functionName: "run", wasmOffset: 90 },
  ]);
  assertEquals([trap.functionName, trap.wasmOffset, trap.omittedFrames], ["i64.div_s", undefined, 0]);
  assertEquals(
    trap.message,
    "unreachable code reached\n" +
      "   0: i64.div_s, rWasm pc 17\n" +
      "   1: inner at wasm offset 0x8c, rWasm pc 15\n" +
      "   2: function 2 at wasm offset 0x78, rWasm pc 14\n" +
      "   3: run at wasm offset 0x5a, rWasm pc 10",
  );
});

Deno.test("a function without a name of its own has that of its export, else of its import", () => {
  const linker = new ImportLinker().define("env", "tick", { index: 1, params: [], results: [] }, () => {
    throw new Error("no ticks");
  });
  const parts = program(CODE.replace("ReturnCallInternal 9", "ReturnCallInternal 6"), { sourcePc: 5 });
  for (const [functionExports, name] of [[INFO.functionExports, "tick"], [[], "env.tick"]] as const) {
    const module = new RwasmModule({ ...parts, info: { ...INFO, functionExports } });
    const outcome = new RwasmExecutor(new RwasmStore<unknown>({ linker }), module).execute();
    assert(outcome.status === "trap");
    assertEquals([outcome.trap.code, outcome.trap.functionName], ["HostError", name]);
  }
});

Deno.test("a signature mismatch names both types and the function", () => {
  const code = CODE.replace(
    "CallIndirect 0, TableGet 0, CallInternal 17",
    "CallIndirect 0, TableGet 0, SignatureCheck 1",
  );
  const trap = runInfo({ types: [NONE, signature("i32 -> i64")] }, code);
  assertEquals(trap.code, "BadSignature");
  assertEquals(
    trap.message.split("\n", 1)[0],
    "signature mismatch: the call expects () -> (), inner is (i32) -> (i64)",
  );
});

Deno.test("a deep backtrace keeps its first and last 32 frames and says how many it left out", () => {
  // Each call returns to 2, the outermost to 1.
  const trap = trapOf("CallInternal 1, CallInternal 1", { limits: { callDepth: 1000 } });
  assertEquals(trap.backtrace.length, 64);
  assertEquals(trap.omittedFrames, 1001 - 64);
  assertEquals([trap.backtrace[0]!.pc, trap.backtrace[31]!.pc, trap.backtrace[62]!.pc], [1, 2, 2]);
  assertEquals(trap.backtrace[63]!.pc, 1);
  assert(trap.message.includes("… 937 frames left out …"));
  assertEquals(trapOf("CallInternal 0", { limits: { callDepth: 63 } }).omittedFrames, 0);
  assertEquals(trapOf("CallInternal 0", { limits: { callDepth: 64 } }).omittedFrames, 1);
});

Deno.test("the short message of a trap is one line, without place, frames and hint", () => {
  const trap = runInfo();
  assert(trap.backtrace.length > 0 && trap.message.includes("\n"), trap.message);
  assertEquals(trap.shortMessage, trap.message.split("\n", 1)[0]);
});
