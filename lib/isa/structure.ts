/**
 * The first half of verification: what can be seen without following the stack. Every instruction
 * has an immediate that makes sense, every jump, call and reference leads to an instruction that may
 * be led to, and the code falls into functions that do not overlap: a function is an entry and all
 * instructions up to the next entry. Two passes over the code, the sections once.
 *
 * @module
 */

import { TRAP_NAMES } from "../error.ts";
import { BULK_CONST_MAX, INITIAL_STACK_CAPACITY, type Limits, STACK_HEADROOM } from "../limits.ts";
import type { RwasmModule } from "./module.ts";
import { quoteName } from "./nearest.ts";
import { Op, OP_COUNT, type OpName } from "./opcode.ts";
import { IdleLoops } from "./idle_loop.ts";
import { refuseAt, refuseModule } from "./refusal.ts";

/** Mark of the first instruction of a function. */
export const ENTRY = 1;
/** Mark of an instruction that a branch or an entry of a branch table leads to. */
export const TARGET = 2;
/** Mark of an instruction behind one that may not go on to it: a branch, call, return or trap. */
export const AFTER = 4;

/** Instructions per entry of the index that finds the function of an instruction, as a shift. */
const INDEX_SHIFT = 5;

/** The functions of a module and the marks of its instructions. */
export interface Structure {
  /** First instruction of every function, ascending; one more entry holds the length of the code. */
  readonly starts: Uint32Array;
  /** `ENTRY`, `TARGET` and `AFTER` of every instruction. */
  readonly marks: Uint8Array;
  /** For every 32nd instruction the number of its function. */
  readonly index: Uint32Array;
  /** How many instructions call or tail-call a function of the module, directly or indirectly. */
  readonly callSites: number;
  /** One more than the highest signature index in use. */
  readonly signatures: number;
}

/** Number of the function an instruction belongs to. */
export function functionAt({ starts, index }: Structure, pc: number): number {
  let number = index[pc >>> INDEX_SHIFT]!;
  while (starts[number + 1]! <= pc) number++;
  return number;
}

/**
 * Farthest that code can reach below a frame, and highest that it can get above it, under some
 * limits: no run has more cells, because a reservation ends inside the window and the capacity
 * grows by less than the window and the initial cells at once.
 */
export function mostCells(limits: Limits): number {
  return 2 * (limits.stackSlots + STACK_HEADROOM) + INITIAL_STACK_CAPACITY;
}

/** What of an instruction the first pass looks at. */
const enum Check {
  None,
  Trap,
  Depth,
  Branch,
  BrTable,
  End,
  Call,
  CallIndirect,
  Syscall,
  Signature,
  Reference,
  BulkConst,
  BulkDrop,
  Segment,
  TableInit,
  Table,
  TableCopy,
}

const CHECKS: Uint8Array = checkTable();

function checkTable(): Uint8Array {
  const table = new Uint8Array(256);
  const set = (check: Check, ...names: OpName[]) => names.forEach((name) => table[Op[name]] = check);
  set(Check.Trap, "Trap");
  set(Check.Depth, "LocalGet", "LocalSet", "LocalTee");
  set(Check.Branch, "Br", "BrIfEqz", "BrIfNez");
  set(Check.BrTable, "BrTable");
  set(Check.End, "Unreachable", "Return");
  set(Check.Call, "CallInternal", "ReturnCallInternal");
  set(Check.CallIndirect, "CallIndirect", "ReturnCallIndirect");
  set(Check.Syscall, "Call", "ReturnCall");
  set(Check.Signature, "SignatureCheck");
  set(Check.Reference, "RefFunc");
  set(Check.BulkConst, "BulkConst");
  set(Check.BulkDrop, "BulkDrop");
  set(Check.Segment, "MemoryInit", "DataDrop", "ElemDrop");
  set(Check.TableInit, "TableInit");
  set(Check.Table, "TableSize", "TableGrow", "TableFill", "TableGet", "TableSet");
  set(Check.TableCopy, "TableCopy");
  return table;
}

/**
 * Checks the structure of a module.
 *
 * @throws {VerifyError} with the first instruction, in the order of the passes, that is not right.
 */
export function readStructure(module: RwasmModule, limits: Limits): Structure {
  checkParts(module, limits);
  const marks = new Uint8Array(module.length);
  const { callSites, signatures } = checkInstructions(module, limits, marks);
  checkElements(module);
  markRoots(module, marks);
  const starts = listFunctions(marks);
  const structure = { starts, marks, index: indexFunctions(starts), callSites, signatures };
  checkBranches(module, structure);
  return structure;
}

/** A module may have been put together by hand, from code that was not type-checked. */
function checkParts(module: RwasmModule, limits: Limits): void {
  const { opcodes, immediates, data, elements, sourcePc } = module;
  const typed = opcodes instanceof Uint8Array && immediates instanceof Int32Array &&
    data instanceof Uint8Array && elements instanceof Uint32Array;
  if (!typed) refuseModule("InvalidCode", "its parts are not the typed arrays they should be");
  if (opcodes.length !== immediates.length) {
    refuseModule("InvalidCode", `it has ${opcodes.length} opcodes and ${immediates.length} immediates`);
  }
  if (opcodes.length === 0) refuseModule("EmptyCode", "it has no code");
  if (opcodes.length > limits.codeLength) {
    refuseModule("CodeTooLong", `it has ${opcodes.length} instructions`, {
      hint: `limits.codeLength is ${limits.codeLength}; raise it if the module is trusted`,
    });
  }
  if (!Number.isInteger(sourcePc) || sourcePc < 0 || sourcePc >= opcodes.length) {
    refuseModule("EntryOutsideCode", `its source_pc ${sourcePc} is outside of the code`);
  }
  if (isPayload(module, sourcePc)) {
    refuseModule("EntryToPayload", `its source_pc ${sourcePc} is the payload of the instruction before`);
  }
}

/** Whether an instruction holds the table index of the one before, and is never executed. */
function isPayload({ opcodes }: RwasmModule, pc: number): boolean {
  if (pc === 0 || opcodes[pc] !== Op.TableGet) return false;
  const check = CHECKS[opcodes[pc - 1]!];
  return check === Check.CallIndirect || check === Check.TableInit;
}

/** First pass: everything about an instruction that needs no knowledge of functions. */
function checkInstructions(
  module: RwasmModule,
  limits: Limits,
  marks: Uint8Array,
): { callSites: number; signatures: number } {
  const { opcodes, immediates } = module, length = opcodes.length;
  const refuse = (pc: number, code: string, why: string, hint?: string): never =>
    refuseAt(module, pc, code, why, hint === undefined ? {} : { hint });
  const checkTable = (pc: number, table: number) => {
    if (table < limits.tables) return;
    refuse(pc, "TableIndexTooLarge", `names table ${table}`, `limits.tables is ${limits.tables}`);
  };
  const checkSegment = (pc: number) => {
    if (immediates[pc]! >>> 0 <= limits.segments) return;
    refuse(
      pc,
      "SegmentIndexTooLarge",
      "names a segment that cannot be",
      `limits.segments is ${limits.segments}`,
    );
  };
  const checkPayload = (pc: number) => {
    if (pc + 1 < length && opcodes[pc + 1] === Op.TableGet) return;
    refuse(pc, "MissingPayload", "must be followed by TableGet, which names its table");
  };
  const checkSignature = (pc: number) => {
    const signature = immediates[pc]! >>> 0;
    if (signature >= limits.functionTypes) {
      const hint = `limits.functionTypes is ${limits.functionTypes}`;
      refuse(pc, "SignatureIndexTooLarge", "names a signature that cannot be", hint);
    }
    if (signature >= signatures) signatures = signature + 1;
  };
  const after = (pc: number) => {
    if (pc < length) marks[pc]! |= AFTER;
  };
  const reach = mostCells(limits);
  let callSites = 0, signatures = 0;
  let lastEntry = 0; // first slot of the last entry of the branch table before

  for (let pc = 0; pc < length; pc++) {
    const op = opcodes[pc]!;
    if (op >= OP_COUNT) refuse(pc, "UnknownOpcode", "is not an instruction");
    switch (CHECKS[op] as Check) {
      case Check.None:
        break;
      case Check.Trap:
        if (immediates[pc]! >>> 0 >= TRAP_NAMES.length) {
          refuse(pc, "InvalidTrapCode", "raises no trap there is");
        }
        after(pc + 1);
        break;
      case Check.Depth:
        if (immediates[pc] === 0) {
          refuse(pc, "LocalDepthZero", "names depth 0; the top of the stack is depth 1");
        }
        if (immediates[pc]! >>> 0 > reach) refuse(pc, "DepthOutOfReach", "is deeper than any stack");
        break;
      case Check.Branch:
      case Check.End:
      case Check.Syscall:
        after(pc + 1);
        break;
      case Check.BrTable: {
        const entries = immediates[pc]! >>> 0;
        if (entries === 0) refuse(pc, "EmptyBrTable", "has no entries");
        if (pc + 2 * entries > length) {
          refuse(pc, "BranchOutsideCode", "has entries behind the end of the code");
        }
        // Tables inside of each other could be longer in total than any multiple of the code.
        if (pc < lastEntry) refuse(pc, "NestedBrTable", "stands between the entries of another BrTable");
        lastEntry = pc + 2 * entries - 1;
        break;
      }
      case Check.Call: {
        const target = immediates[pc]! >>> 0;
        if (target >= length) refuse(pc, "CallOutsideCode", "calls an instruction outside of the code");
        if (isPayload(module, target)) {
          refuse(pc, "CallToPayload", `calls the payload of the instruction before ${target}`);
        }
        marks[target]! |= ENTRY;
        callSites++;
        after(pc + 1);
        break;
      }
      case Check.CallIndirect:
        checkPayload(pc);
        checkSignature(pc);
        callSites++;
        after(pc + 2);
        break;
      case Check.Signature:
        checkSignature(pc);
        marks[pc]! |= ENTRY;
        break;
      case Check.Reference: {
        const target = immediates[pc]! >>> 0;
        if (target === 0) break;
        if (target >= length) {
          refuse(pc, "ReferenceOutsideCode", "refers to an instruction outside of the code");
        }
        if (opcodes[target] !== Op.SignatureCheck) {
          refuse(pc, "ReferenceToNoFunction", "does not refer to a function that begins with SignatureCheck");
        }
        break;
      }
      case Check.BulkConst:
        if (immediates[pc]! >>> 0 > BULK_CONST_MAX) {
          refuse(pc, "BulkConstTooLarge", `pushes ${BULK_CONST_MAX} slots at most, whatever it says`);
        }
        break;
      case Check.BulkDrop:
        if (immediates[pc]! >>> 0 > reach) refuse(pc, "BulkDropTooLarge", "drops more than any stack holds");
        break;
      case Check.Segment:
        checkSegment(pc);
        break;
      case Check.TableInit:
        checkPayload(pc);
        checkSegment(pc);
        break;
      case Check.Table:
        checkTable(pc, immediates[pc]! >>> 0);
        break;
      case Check.TableCopy:
        checkTable(pc, immediates[pc]! >>> 16);
        checkTable(pc, immediates[pc]! & 0xffff);
        break;
    }
  }
  return { callSites, signatures };
}

/** Elements are called through tables, so they are null or functions that check their signature. */
function checkElements(module: RwasmModule): void {
  const { elements, opcodes } = module;
  for (let k = 0; k < elements.length; k++) {
    const target = elements[k]!;
    if (target === 0) continue;
    if (target >= opcodes.length) {
      refuseModule("ElementOutsideCode", `element ${k} refers to ${target}, outside of the code`);
    }
    if (opcodes[target] !== Op.SignatureCheck) {
      const why = `element ${k} refers to ${target}, which is no function that begins with SignatureCheck`;
      refuseModule("ElementToNoFunction", why);
    }
  }
}

/** Marks where runs start: initialization, `source_pc`, and the exports of a compiled module. */
function markRoots(module: RwasmModule, marks: Uint8Array): void {
  const { info, opcodes } = module;
  marks[0]! |= ENTRY;
  marks[module.sourcePc]! |= ENTRY;
  if (info === undefined) return;
  for (const { name, index } of info.functionExports) {
    const start = info.functionStarts[index];
    if (start === undefined || opcodes[start] !== Op.SignatureCheck) {
      const why = `export ${quoteName(name)} is no function that begins with SignatureCheck`;
      refuseModule("ExportToNoFunction", why);
    }
  }
}

function listFunctions(marks: Uint8Array): Uint32Array {
  let count = 0;
  for (let pc = 0; pc < marks.length; pc++) count += marks[pc]! & ENTRY;
  const starts = new Uint32Array(count + 1);
  for (let pc = 0, number = 0; pc < marks.length; pc++) {
    if ((marks[pc]! & ENTRY) !== 0) starts[number++] = pc;
  }
  starts[count] = marks.length;
  return starts;
}

function indexFunctions(starts: Uint32Array): Uint32Array {
  const length = starts[starts.length - 1]!;
  const index = new Uint32Array(((length - 1) >>> INDEX_SHIFT) + 1);
  for (let k = 0, number = 0; k < index.length; k++) {
    while (starts[number + 1]! <= k << INDEX_SHIFT) number++;
    index[k] = number;
  }
  return index;
}

/** Second pass: branches stay inside of their function, do not lead to payloads, and make no idle loop. */
function checkBranches(module: RwasmModule, { starts, marks }: Structure): void {
  const { opcodes, immediates } = module, length = opcodes.length;
  const loops = new IdleLoops(module);
  // One loop: V8 leaves the optimized code of an inner one at each of its ends.
  for (let pc = 0, number = -1, start = 0, end = 0; pc < length; pc++) {
    if (pc === end) {
      number++;
      start = end;
      end = starts[number + 1]!;
    }
    const check = CHECKS[opcodes[pc]!] as Check;
    if (check === Check.None) continue;
    if (check === Check.Branch) {
      const target = pc + immediates[pc]!;
      if (target < start || target >= end) refuseBranch(module, starts, pc, target);
      if (isPayload(module, target)) {
        refuseAt(module, pc, "BranchToPayload", `goes to the payload of the instruction before ${target}`);
      }
      marks[target]! |= TARGET;
      if (target <= pc) loops.search(pc);
    } else if (check === Check.BrTable) checkTableEntries(module, starts, marks, pc, end);
    else if (check === Check.Call && immediates[pc]! >>> 0 <= pc) loops.search(pc);
  }
}

function checkTableEntries(
  module: RwasmModule,
  starts: Uint32Array,
  marks: Uint8Array,
  pc: number,
  end: number,
): void {
  const last = pc + 2 * (module.immediates[pc]! >>> 0) - 1;
  if (last >= end) refuseBranch(module, starts, pc, last);
  for (let entry = pc + 1; entry <= last; entry += 2) {
    if (isPayload(module, entry)) {
      refuseAt(
        module,
        pc,
        "BranchToPayload",
        `has the payload of the instruction before ${entry} for an entry`,
      );
    }
    marks[entry]! |= TARGET;
  }
}

function refuseBranch(module: RwasmModule, starts: Uint32Array, pc: number, target: number): never {
  if (target < 0 || target >= module.length) {
    refuseAt(module, pc, "BranchOutsideCode", `goes to ${target}, outside of the code`);
  }
  blameStrayEntry(module, starts, Math.min(pc, target), Math.max(pc, target));
  refuseAt(module, pc, "BranchOutsideFunction", `goes to ${target}, in another function`);
}

/**
 * When code that should be one function is cut by an entry, the mistake is more likely in what made
 * the entry: functions begin with `SignatureCheck` or `StackCheck`, and who calls something else in
 * (low, high] is refused here. Returns when nobody does.
 */
export function blameStrayEntry(module: RwasmModule, starts: Uint32Array, low: number, high: number): void {
  const { opcodes, immediates, sourcePc } = module;
  const stray = (pc: number) =>
    pc > low && pc <= high && opcodes[pc] !== Op.SignatureCheck && opcodes[pc] !== Op.StackCheck;
  if (!starts.subarray(0, -1).some(stray)) return;
  for (let pc = 0; pc < module.length; pc++) {
    if (CHECKS[opcodes[pc]!] !== Check.Call || !stray(immediates[pc]! >>> 0)) continue;
    refuseAt(module, pc, "CallIntoFunction", "calls an instruction in the middle of a function");
  }
  if (stray(sourcePc)) {
    refuseModule("EntryIntoFunction", `its source_pc ${sourcePc} is in the middle of a function`);
  }
}
