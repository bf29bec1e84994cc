/**
 * What the verifier refuses, with which code and where; what it accepts; and what it finds out.
 * A program is one line of instructions separated by commas (see `tests/vm/notation.ts`).
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { compile } from "../../lib/compile/compile.ts";
import { UsageError, VerifyError } from "../../lib/error.ts";
import { type FunctionType, RwasmModule } from "../../lib/isa/module.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { isVerified, type VerifiedModule, verify, type VerifyOptions } from "../../lib/isa/verify.ts";
import { REFERENCE_LIMITS } from "../../lib/limits.ts";
import { program, signature } from "../vm/notation.ts";
import { constant, encodeWasm, get, I32, I64 } from "../wasm_encoder.ts";

/** What a module has beside its code, and which host functions there are. */
interface Setup {
  readonly sourcePc?: number;
  readonly elements?: readonly number[];
  /** Types of the host functions 1, 2, … */
  readonly hosts?: readonly string[];
  readonly options?: VerifyOptions;
}

const REFERENCE: VerifyOptions = { limits: REFERENCE_LIMITS };

function syscallsOf(hosts: readonly string[] = []): (index: number) => FunctionType | undefined {
  return (index) => hosts[index - 1] === undefined ? undefined : signature(hosts[index - 1]);
}

function verified(code: string, { sourcePc = 0, elements = [], hosts, options = REFERENCE }: Setup = {}) {
  return verify(program(code, { sourcePc, elements }), syscallsOf(hosts), options);
}

/** The error a module is refused with, as "code" or "code at pc". */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assertInstanceOf(error, VerifyError);
    assertStringIncludes(error.message, "Cannot verify rWasm module: ");
    return error.pc === undefined ? error.code : `${error.code} at ${error.pc}`;
  }
  return "accepted";
}

// ── what is refused ─────────────────────────────────────────────────────────────────────────────

type Broken = readonly [what: string, code: string, refusal: string, setup?: Setup];

/** A function with a signature behind a `Return`: its entry is 1. */
const FUNCTION = "Return, SignatureCheck 0, StackCheck 4";

// deno-fmt-ignore
const BROKEN: readonly Broken[] = [
  // ── branches ──
  ["a branch behind the end", "Br 9, Return", "BranchOutsideCode at 0"],
  ["a branch before the start", "C 1, Br -2, Return", "BranchOutsideCode at 1"],
  ["a branch of the longest distance", "C 1, Br 2147483647, Return", "BranchOutsideCode at 1"],
  ["a branch of the longest distance back", "C 1, Br -2147483648, Return", "BranchOutsideCode at 1"],
  ["a conditional branch behind the end", "C 1, BrIfEqz 2, Return", "BranchOutsideCode at 1"],
  ["a branch just behind the end", "C 1, BrIfNez 2, Return", "BranchOutsideCode at 1"],
  ["a wild branch in code that is never reached", "Return, Br 7", "BranchOutsideCode at 1"],
  ["a branch into another function", "C 1, BrIfNez 3, Return, SignatureCheck 0, Return", "BranchOutsideFunction at 1"],
  ["a branch to the entry of another function", "C 1, BrIfNez 2, Return, SignatureCheck 0, Return", "BranchOutsideFunction at 1"],
  ["a branch back into another function", "Return, SignatureCheck 0, Br -2", "BranchOutsideFunction at 2"],
  ["a branch to the payload of an indirect call", "C 1, BrIfNez 3, C 0, CallIndirect 0, TableGet 0, Return", "BranchToPayload at 1", { sourcePc: 5 }],
  ["a branch to the payload of a table.init", "C 0, C 0, C 0, Br 2, TableInit 0, TableGet 0, Return", "BranchToPayload at 3"],
  ["a branch table without entries", "C 1, BrTable 0, Return", "EmptyBrTable at 1"],
  ["a branch table longer than the code", "C 1, BrTable 3, Return, Return, Return, Return", "BranchOutsideCode at 1"],
  ["a branch table of 2^32 - 1 entries", "C 1, BrTable 4294967295, Return", "BranchOutsideCode at 1"],
  ["a branch table that reaches into another function", "C 1, BrTable 2, Return, Return, SignatureCheck 0, Return, Return", "BranchOutsideFunction at 1"],
  ["a branch table with a wild entry", "C 1, BrTable 2, Br 50, Return, Return, Return", "BranchOutsideCode at 2"],
  ["a branch table with a payload for an entry", "C 0, BrTable 2, C 0, CallIndirect 0, TableGet 0, Return, Return", "BranchToPayload at 1"],
  ["a branch table between the entries of another", "C 1, C 1, BrTable 3, Return, BrTable 3, Return, Return, Return, Return, Return, Return", "NestedBrTable at 4"],
  // ── loops of jumps alone ──
  ["a branch to itself", "Br 0", "EndlessLoop at 0"],
  ["a branch to itself after a charge outside of the loop", "ConsumeFuel 5, Br 0", "EndlessLoop at 1"],
  ["two branches in a circle", "Br 2, Return, Br -2", "EndlessLoop at 2"],
  ["a loop around a charge of nothing", "ConsumeFuel 0, StackCheck 1, Br -2", "EndlessLoop at 2"],
  ["a function that only tail-calls itself", "Return, SignatureCheck 0, StackCheck 0, ReturnCallInternal 1", "EndlessLoop at 3"],
  ["functions that only tail-call each other", "Return, StackCheck 0, ReturnCallInternal 3, StackCheck 0, ReturnCallInternal 1", "EndlessLoop at 4"],
  // ── calls, references, entry ──
  ["a call outside of the code", "CallInternal 9, Return", "CallOutsideCode at 0"],
  ["a call of 2^32 - 1", "CallInternal 4294967295, Return", "CallOutsideCode at 0"],
  ["a tail call outside of the code", "ReturnCallInternal 2, Return", "CallOutsideCode at 0"],
  ["a call of a payload", "CallInternal 3, C 0, CallIndirect 0, TableGet 0, Return", "CallToPayload at 0"],
  ["a call into the middle of a function", "CallInternal 4, Return, SignatureCheck 0, C 1, C 2, Drop, Drop, Return", "CallIntoFunction at 0"],
  ["a call across which a function branches", "CallInternal 7, Return, SignatureCheck 0, C 1, BrIfNez 4, C 1, Drop, C 2, Return", "CallIntoFunction at 0"],
  ["a reference outside of the code", "RefFunc 9, Drop, Return", "ReferenceOutsideCode at 0"],
  ["a reference into the middle of a function", `RefFunc 4, Drop, ${FUNCTION}, C 1, Return`, "ReferenceToNoFunction at 0"],
  ["a reference to a function without a signature", "RefFunc 3, Drop, Return, StackCheck 0, Return", "ReferenceToNoFunction at 0"],
  ["a table element outside of the code", `${FUNCTION}, Return`, "ElementOutsideCode", { elements: [1, 0, 44] }],
  ["a table element in the middle of a function", `${FUNCTION}, Return`, "ElementToNoFunction", { elements: [1, 0, 2] }],
  ["a source_pc outside of the code", "Return, Return", "EntryOutsideCode", { sourcePc: 2 }],
  ["a source_pc of 2^32 - 1", "Return, Return", "EntryOutsideCode", { sourcePc: 0xffff_ffff }],
  ["a source_pc at a payload", "C 0, CallIndirect 0, TableGet 0, Return", "EntryToPayload", { sourcePc: 2 }],
  ["a source_pc in the middle of a function", "C 1, Drop, Return", "EntryIntoFunction", { sourcePc: 1 }],
  // ── payloads ──
  ["an indirect call without payload", "C 0, CallIndirect 0, Return", "MissingPayload at 1"],
  ["an indirect call at the end", "C 0, CallIndirect 0", "MissingPayload at 1"],
  ["an indirect tail call without payload", "C 0, ReturnCallIndirect 0, Return", "MissingPayload at 1"],
  ["a table.init without payload", "C 0, C 0, C 0, TableInit 1, TableSize 0, Return", "MissingPayload at 3"],
  // ── the end of functions ──
  ["code without an end", "C 1", "RunsPastEnd at 0"],
  ["a conditional branch at the end", "C 1, BrIfNez -1", "RunsPastEnd at 1"],
  ["an indirect call with nothing behind its payload", "Return, SignatureCheck 0, C 0, CallIndirect 0, TableGet 0, SignatureCheck 0, Return", "RunsIntoFunction at 3"],
  ["a call at the end of the code that comes back", "CallInternal 1, SignatureCheck 0, CallInternal 4, Return, Return", "RunsIntoFunction at 0"],
  ["a function that runs into the next", "C 1, SignatureCheck 0, Return", "RunsIntoFunction at 0"],
  ["initialization that runs into the entry point", "StackCheck 0, SignatureCheck 0, Return", "RunsIntoFunction at 0", { sourcePc: 1 }],
  // ── immediates ──
  ["a push of more than 8192", "BulkConst 8193, Return", "BulkConstTooLarge at 0"],
  ["a push of 2^32 - 1", "BulkConst 4294967295, Return", "BulkConstTooLarge at 0"],
  ["a drop of 2^32 - 1", "BulkDrop 4294967295, Return", "BulkDropTooLarge at 0"],
  ["depth 0", "C 1, LocalGet 0, Return", "LocalDepthZero at 1"],
  ["depth 0 of a write", "C 1, LocalSet 0, Return", "LocalDepthZero at 1"],
  ["depth 2^32 - 1", "C 1, LocalTee 4294967295, Return", "DepthOutOfReach at 1"],
  ["a data segment that cannot be", "DataDrop 100001, Return", "SegmentIndexTooLarge at 0"],
  ["an element segment that cannot be", "ElemDrop 4294967295, Return", "SegmentIndexTooLarge at 0"],
  ["a copied segment that cannot be", "C 0, C 0, C 0, MemoryInit 100001, Return", "SegmentIndexTooLarge at 3"],
  ["a table that cannot be", "TableSize 100, Return", "TableIndexTooLarge at 0"],
  ["a payload with a table that cannot be", "C 0, CallIndirect 0, TableGet 100, Return", "TableIndexTooLarge at 2"],
  ["a source table that cannot be", "C 0, C 0, C 0, TableCopy 0 100, Return", "TableIndexTooLarge at 3"],
  ["a signature that cannot be", "Return, SignatureCheck 4096, Return", "SignatureIndexTooLarge at 1"],
  ["an unknown syscall", "C 1, Call 2, Return", "UnknownSyscall at 1", { hosts: ["->"] }],
  ["an unknown syscall that would not return", "ReturnCall 7, Return", "UnknownSyscall at 0"],
  // ── heights ──
  ["a join with two heights", "C 1, BrIfEqz 2, C 2, Return", "HeightMismatch at 2"],
  ["a loop that pushes", "StackCheck 9, C 1, Br -1", "HeightMismatch at 2"],
  ["a loop that pops", "LocalGet 1, BrIfNez 2, Return, Drop, Br -4", "HeightMismatch at 4"],
  ["a loop that pushes by a call", "CallInternal 3, ConsumeFuel 1, Br -2, StackCheck 1, C 1, Return", "HeightMismatch at 2"],
  ["entries of a branch table that return with two heights", "C 5, C 0, BrTable 2, Br 5, Return, Drop, Return, Return, Return", "ReturnMismatch at 8"],
  ["entries of a branch table that meet with two heights", "C 5, C 0, BrTable 2, Br 3, Return, Drop, Return, Return", "HeightMismatch at 3"],
  ["returns with two heights", "C 1, BrIfEqz 3, C 2, Return, Return", "ReturnMismatch at 4"],
  ["recursion with two effects", "Return, SignatureCheck 0, StackCheck 3, C 1, BrIfEqz 4, CallInternal 1, Drop, Return, C 1, C 2, Return", "ReturnMismatch at 7"],
  ["recursion that returns one more each time", "Return, SignatureCheck 0, StackCheck 3, C 1, BrIfEqz 4, C 7, CallInternal 1, Return, Return", "ReturnMismatch at 7"],
  ["a tail call with another effect", "Return, StackCheck 1, C 1, BrIfEqz 2, ReturnCallInternal 6, Return, StackCheck 1, C 1, Return, CallInternal 1, Return", "ReturnMismatch at 4"],
  ["functions of one signature with two effects", "C 0, CallIndirect 3, TableGet 0, Return, SignatureCheck 3, StackCheck 1, C 1, Return, SignatureCheck 3, Return", "SignatureMismatch at 9"],
  ["an indirect call of functions with two effects", "Return, SignatureCheck 3, StackCheck 1, C 1, Return, SignatureCheck 3, Return, StackCheck 1, C 0, CallIndirect 3, TableGet 0, Return", "SignatureMismatch at 9", { sourcePc: 7 }],
  ["initialization that pops what is not there", "C 1, Drop, Drop, Return, Return", "StackUnderflow at 2", { sourcePc: 4 }],
  ["initialization that reads what is not there", "C 1, LocalGet 2, BulkDrop 2, Return, Return", "StackUnderflow at 1", { sourcePc: 4 }],
  ["initialization that divides what is not there", "C 1, I32DivU, Drop, Return, Return", "StackUnderflow at 1", { sourcePc: 4 }],
  ["initialization that calls without arguments", "C 1, CallInternal 4, Return, Return, SignatureCheck 0, BulkDrop 2, Return", "StackUnderflow at 1", { sourcePc: 3 }],
  ["initialization that calls the host without arguments", "C 1, Call 1, Return, Return", "StackUnderflow at 1", { sourcePc: 3, hosts: ["i32 i64 ->"] }],
  ["initialization that leaves a value", "C 1, Return, Return", "InitializationLeavesValues at 1", { sourcePc: 2 }],
  ["initialization that leaves the value of a call", "CallInternal 3, Return, Return, StackCheck 1, C 1, Return", "InitializationLeavesValues at 1", { sourcePc: 2 }],
  ["recursion that goes ever deeper", "Return, SignatureCheck 0, Drop, CallInternal 1, Return", "RecursionUnderflow at 3"],
  ["tail recursion that goes ever deeper", "Return, SignatureCheck 0, Drop, ReturnCallInternal 1", "RecursionUnderflow at 3"],
  ["indirect recursion that goes ever deeper", "Return, SignatureCheck 0, Drop, LocalGet 1, CallIndirect 0, TableGet 0, Return", "RecursionUnderflow at 4"],
  ["a push of more than the first cells", "BulkConst 33, BulkDrop 33, Return", "StackNotReserved at 0"],
  ["a push of more than is reserved and the first cells", "StackCheck 33, BulkConst 66, BulkDrop 66, Return", "StackNotReserved at 1"],
  ["a reservation on one way only", "C 1, BrIfEqz 2, StackCheck 90, BulkConst 40, BulkDrop 40, Return", "StackNotReserved at 3"],
  ["a reservation that a branch back leaves out", "LocalGet 1, BrIfEqz 5, StackCheck 90, BulkConst 40, BulkDrop 40, Return, Br -3", "StackNotReserved at 3"],
  ["a reservation after the push", "BulkConst 40, StackCheck 90, BulkDrop 40, Return", "StackNotReserved at 0"],
  ["a reservation by the caller only", "StackCheck 90, CallInternal 3, Return, SignatureCheck 0, BulkConst 40, BulkDrop 40, Return", "StackNotReserved at 4"],
  ["no code at all", "", "EmptyCode"],
];

for (const [what, code, expected, setup = {}] of BROKEN) {
  Deno.test(`verify() refuses ${what}`, () => {
    const run = code === "" ? () => raw([], []) : () => verified(code, setup);
    assertEquals(refusal(run), expected);
  });
}

/** Verifies code that has no text: opcodes and immediates as they are. */
function raw(
  opcodes: readonly number[],
  immediates: readonly number[],
  length = opcodes.length,
): VerifiedModule {
  const module = new RwasmModule({
    opcodes: Uint8Array.from(opcodes),
    immediates: Int32Array.from(immediates).subarray(0, length),
    data: new Uint8Array(0),
    elements: new Uint32Array(0),
    hint: new Uint8Array(0),
    sourcePc: 0,
  });
  return verify(module, () => undefined);
}

Deno.test("verify() refuses what no decoder makes", () => {
  assertEquals(refusal(() => raw([200, Op.Return], [0, 0])), "UnknownOpcode at 0");
  assertEquals(refusal(() => raw([Op.Trap], [14])), "InvalidTrapCode at 0");
  assertEquals(refusal(() => raw([Op.Trap], [-1])), "InvalidTrapCode at 0");
  assertEquals(refusal(() => raw([Op.TableSize, Op.Return], [0x1_0000, 0])), "TableIndexTooLarge at 0");
  assertEquals(refusal(() => raw([Op.Return], [0], 0)), "InvalidCode");
  const parts = { ...program("Return"), opcodes: [Op.Return] as unknown as Uint8Array };
  assertEquals(refusal(() => verify(new RwasmModule(parts), () => undefined)), "InvalidCode");
  assertEquals(
    refusal(() => verify(new RwasmModule({ ...program("Return"), sourcePc: NaN }), () => undefined)),
    "EntryOutsideCode",
  );
});

Deno.test("verify() keeps to the limits it is given", () => {
  const under = (code: string, limits: VerifyOptions["limits"]) =>
    refusal(() => verified(code, { options: { limits } }));
  assertEquals(under("C 1, Drop, Return", { codeLength: 2 }), "CodeTooLong");
  assertEquals(under("C 1, Drop, Return", { codeLength: 3 }), "accepted");
  assertEquals(under("TableSize 3, Drop, Return", { tables: 3 }), "TableIndexTooLarge at 0");
  assertEquals(under("TableSize 3, Drop, Return", { tables: 4 }), "accepted");
  assertEquals(under("DataDrop 8, Return", { segments: 7 }), "SegmentIndexTooLarge at 0");
  assertEquals(under("DataDrop 7, Return", { segments: 7 }), "accepted");
  assertEquals(
    under("Return, SignatureCheck 5, Return", { functionTypes: 5 }),
    "SignatureIndexTooLarge at 1",
  );
  assertEquals(under("BulkDrop 500, Return", { stackSlots: 100 }), "BulkDropTooLarge at 0");
  assertEquals(under("BulkDrop 500, Return", { stackSlots: 500 }), "accepted");
});

Deno.test("verify() names the instruction, the reason and what to do", () => {
  const error = assertThrows(() => verified("C 1, BrIfEqz 9, Return"), VerifyError);
  assertEquals(
    error.message,
    "Cannot verify rWasm module: BrIfEqz(9) goes to 10, outside of the code\n  at rWasm pc 1",
  );
  const long = assertThrows(
    () => verified("C 1, Drop, Return", { options: { limits: { codeLength: 1 } } }),
    VerifyError,
  );
  assertStringIncludes(long.hint!, "limits.codeLength is 1");
});

Deno.test("verify() refuses arguments that make no sense", () => {
  const bare = {} as unknown as RwasmModule;
  assertEquals(assertThrows(() => verify(bare, () => undefined), UsageError).code, "InvalidModule");
  const options = { unknownSyscalls: "ignore" } as unknown as VerifyOptions;
  assertEquals(
    assertThrows(() => verify(program("Return"), () => undefined, options), UsageError).code,
    "InvalidOption",
  );
  const limits = { limits: { tables: -1 } };
  assertEquals(
    assertThrows(() => verify(program("Return"), () => undefined, limits), UsageError).code,
    "InvalidLimit",
  );
});

Deno.test("a VerifiedModule cannot be made by hand", () => {
  const made = verified("Return");
  assert(isVerified(made));
  const constructor = made.constructor as unknown as new (...parts: unknown[]) => unknown;
  assertThrows(
    () => new constructor(Symbol("verified"), made.module),
    UsageError,
    "Cannot make a VerifiedModule",
  );
  assert(!isVerified(Object.create(constructor.prototype)));
  assert(!isVerified({ ...made }) && !isVerified(null) && !isVerified(7));
});

// ── what is accepted ────────────────────────────────────────────────────────────────────────────

type Sound = readonly [what: string, code: string, setup?: Setup];

// deno-fmt-ignore
const SOUND: readonly Sound[] = [
  ["a single Return", "Return"],
  ["a single trap", "Unreachable"],
  ["a counted loop without charges", "LocalGet 1, BrIfEqz 4, C -1, I32Add, Br -4, Return"],
  ["an endless loop that charges", "ConsumeFuel 1, Br -1"],
  ["an endless loop that does something without charges", "C 1, GlobalSet 0, Br -2"],
  ["a loop to the entry of a function", "CallInternal 2, Return, LocalGet 1, BrIfNez -1, Return"],
  ["a branch to the next instruction", "Br 1, Return"],
  ["recursion at the same height", "LocalGet 1, BrIfEqz 5, C -1, I32Add, CallInternal 0, Return, Return"],
  ["recursion that returns what it got", "Return, SignatureCheck 0, StackCheck 2, LocalGet 1, BrIfEqz 2, CallInternal 1, Return", { sourcePc: 1 }],
  ["mutual recursion found to return last", "CallInternal 2, Return, LocalGet 1, BrIfNez 2, Return, CallInternal 7, Return, C -1, I32Add, CallInternal 2, Return"],
  ["a function that never returns", "CallInternal 2, Return, StackCheck 1, C 1, Drop, Unreachable"],
  ["a call at the very end that never comes back", "Return, StackCheck 0, Unreachable, SignatureCheck 0, CallInternal 1", { sourcePc: 3 }],
  ["heights behind a call that never comes back", "CallInternal 3, Drop, Drop, StackCheck 0, Unreachable"],
  ["a tail call cycle with an end", "Return, StackCheck 1, LocalGet 1, BrIfEqz 2, ReturnCallInternal 6, Return, C -1, I32Add, ReturnCallInternal 1", { sourcePc: 1 }],
  ["functions of one signature with two effects that nothing calls indirectly", "Return, SignatureCheck 3, StackCheck 1, C 1, Return, SignatureCheck 3, Return"],
  ["an indirect call of a signature that no function has", "C 5, CallIndirect 0, TableGet 0"],
  ["an indirect call of functions that never return", "C 5, CallIndirect 0, TableGet 0, SignatureCheck 0, Unreachable"],
  ["elements that are null or functions", `${FUNCTION}, Return`, { elements: [0, 1, 0, 1] }],
  ["a host function with results", "C 1, C 2, C 3, Call 1, BulkDrop 2, Return", { hosts: ["i32 i64 -> i64"] }],
  ["an unknown syscall that may trap", "C 1, Call 9, Drop, Drop, Drop", { options: { unknownSyscalls: "trap" } }],
  ["code that is never reached", "Return, I32Add, I32Add, C 4"],
  ["a reservation that always fails", "StackCheck 8206, BulkConst 8192, Return"],
  ["anything behind a reservation that always fails", "StackCheck 8206, Drop, Return, Return", { sourcePc: 3 }],
  ["a reservation made after a branch", "LocalGet 1, BrIfEqz 4, StackCheck 90, BulkConst 90, BulkDrop 90, Return"],
  ["as many slots as the first cells without reservation", "BulkConst 32, BulkDrop 32, Return"],
  ["as many slots beyond the reservation as the capacity grows", "StackCheck 33, BulkConst 65, BulkDrop 65, Return"],
  ["a branch table with one entry that is a branch table", "C 0, C 0, BrTable 1, BrTable 1, Return"],
  ["initialization and entry point in one", "C 1, GlobalSet 0, Return"],
  ["initialization with a start function", "StackCheck 5, CallInternal 3, Return, SignatureCheck 0, Return, SignatureCheck 0, Return", { sourcePc: 5 }],
];

for (const [what, code, setup] of SOUND) {
  Deno.test(`verify() accepts ${what}`, () => {
    assertEquals(refusal(() => verified(code, setup)), "accepted");
  });
}

/**
 * The conformance vectors of the machine specification, section 8, that are refused before they run.
 * Of the others those with too few parameters are accepted: they end in StackOverflow because a host
 * that starts them must bring `paramSlots`.
 */
const REFUSED_VECTORS: readonly Broken[] = [
  ["33 slots without a reservation", "BulkConst 33, BulkDrop 33, Return", "StackNotReserved at 0"],
  ["66 slots over 33 reserved", "StackCheck 33, BulkConst 66, BulkDrop 66, Return", "StackNotReserved at 1"],
  [
    "a BulkConst that pushes less than it says",
    "StackCheck 8205, BulkConst 8193, BulkDrop 8193, Return",
    "BulkConstTooLarge at 1",
  ],
  ["depth 0", "C 1, LocalGet 0, Return", "LocalDepthZero at 1"],
  ["a missing payload", "C 5, CallIndirect 0, Return", "MissingPayload at 1"],
  ["an unknown syscall", "Call 3, Return", "UnknownSyscall at 0"],
  ["segment 100001", "DataDrop 100001, Return", "SegmentIndexTooLarge at 0"],
  ["element segment 100001", "ElemDrop 100001, Return", "SegmentIndexTooLarge at 0"],
  ["initialization that leaves a value", "C 1, Return, Return", "InitializationLeavesValues at 1", {
    sourcePc: 2,
  }],
  ["a source_pc outside of the code", "ConsumeFuel 3, Return", "EntryOutsideCode", { sourcePc: 9 }],
  [
    "elements that are no functions",
    "C 0, C 2, TableGrow 0, Drop, C 0, C 2, C 0, TableInit 1, TableGet 0, Return",
    "ElementToNoFunction",
    { elements: [4, 5] },
  ],
];

const ACCEPTED_VECTORS: readonly string[] = [
  "StackCheck 8205, Return",
  "StackCheck 8206, Return",
  "BulkConst 32, BulkDrop 32, Return",
  "StackCheck 33, BulkConst 65, BulkDrop 65, Return",
  "StackCheck 8205, BulkConst 8192, BulkConst 12, BulkDrop 8204, Return",
  "C 1, C 2, LocalSet 1, Return",
  "C 1, C 2, LocalTee 2, Return",
  "C 77, Drop, ConsumeFuelStack, Return",
  "C 0, I32DivU, Return",
  "ConsumeFuel 5, ConsumeFuel 6, Return",
  "C 5, Trap ExecutionHalted",
  "C 5, C 6, Return",
  "I64Const32S -1, I64Const32S 3, I64MulWideS, Return",
  "I64Add128, Return",
  "C 65537, MemoryGrow, C 65536, MemoryGrow, C 1024, MemoryGrow, C 1, MemoryGrow, C 0, MemoryGrow, Return",
  "C 7, C 1024, TableGrow 3, C 7, C 1, TableGrow 3, TableSize 3, TableSize 9, Return",
  "C 99, BrTable 2, Br 4, Return, Br 3, Return, Unreachable, C 1, Return",
  "C 5, CallIndirect 0, TableGet 0",
  "LocalGet 1, BrIfEqz 5, C -1, I32Add, CallInternal 0, Return, Return",
  "DataDrop 100000, Return",
  "BulkDrop 8205, Return",
  "BulkDrop 8206, Return",
  "C 0, C 2, TableGrow 0, Drop, C 2, C 0, C 0, TableCopy 0 0, Return",
];

Deno.test("verify() refuses the conformance vectors that are unsound, and only those", () => {
  for (const [what, code, expected, setup] of REFUSED_VECTORS) {
    assertEquals(refusal(() => verified(code, setup)), expected, what);
  }
  for (const code of ACCEPTED_VECTORS) assertEquals(refusal(() => verified(code)), "accepted", code);
});

// ── what is found out ───────────────────────────────────────────────────────────────────────────

/** Every function as "entry: params → results, height/reserved". */
function functionsOf(found: VerifiedModule): string[] {
  return Array.from({ length: found.functionCount }, (_, k) => {
    const results = found.resultSlots[k] < 0 ? "never" : found.resultSlots[k];
    return `${found.starts[k]}: ${found.paramSlots[k]} -> ${results}, ${found.maxHeights[k]}/${
      found.reservedSlots[k]
    }`;
  });
}

Deno.test("verify() finds functions, their slots and their frames", () => {
  const found = verified(
    "StackCheck 5, C 1, C 2, CallInternal 7, BulkDrop 4, Return, " +
      "ReturnCallInternal 7, " + // source_pc
      "SignatureCheck 4, ConsumeFuel 3, StackCheck 2, LocalGet 2, LocalGet 2, I32Mul64, LocalSet 3, CallInternal 16, Return, " +
      "StackCheck 1, LocalGet 2, Return, " +
      "SignatureCheck 5, Unreachable",
    { sourcePc: 6 },
  );
  assertEquals(functionsOf(found), [
    "0: 0 -> 0, 4/5",
    "6: 2 -> 4, 0/0",
    "7: 2 -> 4, 2/2",
    "16: 2 -> 3, 1/1",
    "19: 0 -> never, 0/0",
  ]);
  assertEquals(found.entry, 1);
  assertEquals([0, 5, 6, 7, 15, 16, 20].map((pc) => found.functionAt(pc)), [0, 0, 1, 2, 2, 3, 4]);
  assertEquals([...found.heights.subarray(7, 16)], [0, 0, 0, 0, 1, 2, 2, 1, 2]);
  assertEquals([found.poppedBy(3), found.pushedBy(3)], [2, 4]);
  assertEquals([7, 19, 0, 6, 16, 8, -1, 21, 4_000_000_000].map((pc) => found.isCallable(pc)), [
    ...[true, true],
    ...new Array(7).fill(false),
  ]);
  assertEquals([...found.excessSlots], [0, 0, 0, 0, 0]);
});

Deno.test("verify() marks blocks and what cannot be reached", () => {
  const found = verified("LocalGet 1, BrIfEqz 4, C 7, Drop, Unreachable, Br -5, Return");
  const pcs = Array.from({ length: 7 }, (_, pc) => pc);
  assertEquals(pcs.filter((pc) => found.isLeader(pc)), [0, 2, 5, 6]);
  assertEquals(pcs.filter((pc) => found.isTarget(pc)), [0, 5]);
  assertEquals(pcs.filter((pc) => !found.isReached(pc)), [6]);
});

Deno.test("verify() sees what an indirect call does in the functions with its signature", () => {
  const found = verified(
    "StackCheck 9, C 1, C 2, C 3, C 0, CallIndirect 7, TableGet 1, BulkDrop 2, Return, " +
      "SignatureCheck 7, Drop, Return, SignatureCheck 7, StackCheck 1, LocalSet 2, Return, SignatureCheck 7, Unreachable",
  );
  assertEquals([found.poppedBy(5), found.pushedBy(5)], [3, 2]);
  assertEquals([found.heights[5], found.heights[7]], [4, 2]);
  assert(!found.isReached(6));
});

Deno.test("verify() sees what host functions do, and which are unknown", () => {
  const setup: Setup = { hosts: ["i32 f64 -> i64 externref"], options: { unknownSyscalls: "trap" } };
  const found = verified("StackCheck 3, C 1, C 2, C 3, Call 1, Call 2, Return", setup);
  assertEquals([found.poppedBy(4), found.pushedBy(4)], [3, 3]);
  assertEquals([found.poppedBy(5), found.pushedBy(5)], [0, -1]);
  assertEquals([found.isReached(5), found.isReached(6)], [true, false]);
});

Deno.test("verify() tells which functions rely on more than they reserve", () => {
  const found = verified(
    "StackCheck 2, CallInternal 3, Return, SignatureCheck 0, StackCheck 1, C 1, C 2, BulkDrop 2, Return",
  );
  assertEquals([...found.excessSlots], [0, 1]);
});

Deno.test("verify() holds a compiled module to the types of its exports", () => {
  const wasm = encodeWasm({
    functions: [
      { name: "f", params: [I32, I64], results: [I32], body: [...get(0)] },
      { name: "g", params: [I64], results: [I64, I32], body: [...get(0), ...constant(1)] },
    ],
  });
  const module = compile(wasm, { entrypoint: "g" });
  const found = verify(module, () => undefined);
  assertEquals([found.paramSlots[found.entry], found.resultSlots[found.entry]], [2, 3]);
  const info = module.info!;
  const lie = (index: number, params: FunctionType["params"], results: FunctionType["results"]) => {
    const functionExports = info.functionExports.map((entry) =>
      entry.index === index ? { ...entry, params, results } : entry
    );
    const { opcodes, immediates, data, elements, hint, sourcePc } = module;
    const forged = {
      opcodes,
      immediates,
      data,
      elements,
      hint,
      sourcePc,
      info: { ...info, functionExports },
    };
    return refusal(() => verify(new RwasmModule(forged), () => undefined));
  };
  assertEquals(lie(0, ["i32", "i64"], ["i32"]), "accepted");
  assertEquals(lie(0, ["i32"], ["i32"]), "TypeMismatch");
  assertEquals(lie(0, ["i32", "i64"], ["i64"]), "TypeMismatch");
  const functionStarts = info.functionStarts.map((start) => start + 1);
  const forged = new RwasmModule({ ...parts(module), info: { ...info, functionStarts } });
  assertEquals(refusal(() => verify(forged, () => undefined)), "ExportToNoFunction");
});

function parts({ opcodes, immediates, data, elements, hint, sourcePc }: RwasmModule) {
  return { opcodes, immediates, data, elements, hint, sourcePc };
}
