/**
 * Explains a trap: what the guest tried, what the bound was, and how to raise it. It reads the state
 * of a machine that stopped before the instruction had any effect, and runs only when a trap
 * happened, so that the loop has nothing to remember.
 *
 * @module
 */

import { Trap, type TrapDetails, type TrapName } from "../error.ts";
import { Op, OP_NAMES, POPS, PUSHES } from "../isa/opcode.ts";
import { MAX_SEGMENT_INDEX } from "../limits.ts";
import { backtraceOf, functionAt, functionName } from "./backtrace.ts";
import type { Machine } from "./machine.ts";
import { typeText } from "./values.ts";

/** A trap and what is already known about it. */
export interface TrapCause extends Pick<TrapDetails, "detail" | "hint" | "cause" | "syscall"> {
  /** Kind of the trap. */
  readonly code: TrapName;
}

/** Detail and hint. */
type Explanation = Pick<TrapDetails, "detail" | "hint">;

/** The trap of a machine that stopped at `machine.pc`. */
export function trapOf(machine: Machine, cause: TrapCause, initializing: boolean): Trap {
  const explained = cause.detail === undefined ? explain(machine, cause.code) : {};
  let detail = cause.detail ?? explained.detail;
  if (initializing) {
    detail = detail === undefined ? "during instantiation" : `${detail}, during instantiation`;
  }
  const hint = cause.hint ?? explained.hint ?? refusedGrowth(machine, cause.code);
  const details: { -readonly [Key in keyof TrapDetails]: TrapDetails[Key] } = backtraceOf(machine);
  if (detail !== undefined) details.detail = detail;
  if (hint !== undefined) details.hint = hint;
  if (cause.cause !== undefined) details.cause = cause.cause;
  if (cause.syscall !== undefined) details.syscall = cause.syscall;
  return new Trap(cause.code, machine.pc >>> 0, details);
}

/** A program that was refused memory often fails much later; the refusal is then what helps. */
function refusedGrowth({ memory }: Machine, code: TrapName): string | undefined {
  if (memory.refusedPages === 0) return undefined;
  if (code !== "MemoryOutOfBounds" && code !== "UnreachableCodeReached") return undefined;
  return memory.refusedPages > memory.pageLimit
    ? `a growth to ${memory.refusedPages} pages was refused; limits.memoryPages is ${memory.pageLimit}`
    : `a growth to ${memory.refusedPages} pages was refused, because the host has no memory left`;
}

function explain(machine: Machine, code: TrapName): Explanation {
  const pc = machine.pc, length = machine.module.length;
  if (pc >>> 0 >= length) {
    return { detail: `pc ${pc >>> 0} is outside of the code, which has ${length} instructions` };
  }
  const op = machine.module.opcodes[pc]!;
  switch (code) {
    case "UnreachableCodeReached":
      return explainUnreachable(op);
    case "MemoryOutOfBounds":
      return { ...explainMemory(machine, op) };
    case "TableOutOfBounds":
    case "IndirectCallToNull":
      return explainTable(machine, op);
    case "StackOverflow":
      return explainStack(machine, op);
    case "BadSignature":
      return explainSignature(machine, op);
    case "OutOfFuel":
      return explainFuel(machine, op);
    case "UnknownExternalFunction":
      return isCall(op)
        ? {
          detail: `the linker of the store has no syscall ${machine.module.immediates[pc]! >>> 0}`,
          hint: "give the store a linker that declares it",
        }
        : {};
    case "IllegalOpcode":
      return OP_NAMES[op] === undefined ? { detail: `there is no opcode ${op}` } : {};
    default:
      return {};
  }
}

function isCall(op: number): boolean {
  return op === Op.Call || op === Op.ReturnCall;
}

/** Cell at a depth, 1 being the top. */
function top(machine: Machine, depth: number): number {
  return machine.stack[machine.sp - depth]!;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

function explainUnreachable(op: number): Explanation {
  if (op === Op.BrTable) return { detail: "BrTable has no entries" };
  if (op === Op.CallIndirect || op === Op.ReturnCallIndirect || op === Op.TableInit) {
    return { detail: `${OP_NAMES[op]} is not followed by TableGet` };
  }
  return {};
}

/** Bytes each single access touches. */
const WIDTHS: { readonly [op: number]: number } = {
  [Op.I32Load]: 4,
  [Op.I32Load8S]: 1,
  [Op.I32Load8U]: 1,
  [Op.I32Load16S]: 2,
  [Op.I32Load16U]: 2,
  [Op.I32Store]: 4,
  [Op.I32Store8]: 1,
  [Op.I32Store16]: 2,
  [Op.F32Load]: 4,
  [Op.F64Load]: 8,
  [Op.F32Store]: 4,
  [Op.F64Store]: 8,
};

function explainMemory(machine: Machine, op: number): Explanation {
  const { pages, byteLength } = machine.memory;
  const size = `memory has ${pages} page${pages === 1 ? "" : "s"}, ${hex(byteLength)} bytes`;
  const immediate = machine.module.immediates[machine.pc]! >>> 0;
  const width = WIDTHS[op];
  if (width !== undefined) {
    const plus = immediate === 0 ? "" : ` + ${hex(immediate)}`;
    const verb = OP_NAMES[op]!.includes("Store") ? "store" : "load";
    if (!machine.operandsKnown) return { detail: `${width}-byte ${verb}; ${size}` };
    const address = top(machine, POPS[op]!) >>> 0;
    return { detail: `${width}-byte ${verb} at ${hex(address)}${plus}; ${size}` };
  }
  if (!machine.operandsKnown && op !== Op.DataDrop) return { detail: size };
  const count = top(machine, 1) >>> 0, to = top(machine, 3) >>> 0, from = top(machine, 2) >>> 0;
  switch (op) {
    case Op.MemoryFill:
      return { detail: `fill of ${count} bytes at ${hex(to)}; ${size}` };
    case Op.MemoryCopy:
      return { detail: `copy of ${count} bytes from ${hex(from)} to ${hex(to)}; ${size}` };
    case Op.MemoryInit: {
      const data = machine.dataSection(immediate).length;
      return {
        detail: `init of ${count} bytes at ${hex(to)} from ${hex(from)} of ${data} bytes of data; ${size}`,
      };
    }
    case Op.DataDrop:
      return { detail: `data segment ${immediate} is above ${MAX_SEGMENT_INDEX}` };
    default:
      return {};
  }
}

function explainTable(machine: Machine, op: number): Explanation {
  const { pc, tables } = machine, immediates = machine.module.immediates, immediate = immediates[pc]!;
  const table = (index: number) => `table ${index} of ${tables.at(index).length} elements`;
  if (!machine.operandsKnown) {
    if (op !== Op.CallIndirect && op !== Op.ReturnCallIndirect) return {};
    return { detail: `call by ${table(immediates[pc + 1]! & 0xffff)}` };
  }
  const count = top(machine, 1) >>> 0, to = top(machine, 3) >>> 0, from = top(machine, 2) >>> 0;
  switch (op) {
    case Op.CallIndirect:
    case Op.ReturnCallIndirect:
      return { detail: `call of element ${count}; ${table(immediates[pc + 1]! & 0xffff)}` };
    case Op.TableGet:
      return { detail: `read of element ${count}; ${table(immediate & 0xffff)}` };
    case Op.TableSet:
      return { detail: `write of element ${from}; ${table(immediate & 0xffff)}` };
    case Op.TableFill:
      return { detail: `fill of ${count} elements from ${to} on; ${table(immediate & 0xffff)}` };
    case Op.TableCopy:
      return {
        detail: `copy of ${count} elements from ${from} of ${table(immediate & 0xffff)} to ${to} of ${
          table(immediate >>> 16)
        }`,
      };
    case Op.TableInit: {
      const elements = machine.elementSection(immediate).length;
      const into = table(immediates[pc + 1]! & 0xffff);
      return { detail: `init of ${count} elements from ${from} of ${elements} to ${to} of ${into}` };
    }
    case Op.ElemDrop:
      return { detail: `element segment ${immediate >>> 0} is above ${MAX_SEGMENT_INDEX}` };
    default:
      return {};
  }
}

function explainStack(machine: Machine, op: number): Explanation {
  const { sp, capacity, depth, window, limits } = machine;
  const immediate = machine.module.immediates[machine.pc]! >>> 0;
  if (op === Op.CallInternal || (op === Op.CallIndirect && sp > 0)) {
    return depth >= limits.callDepth
      ? {
        detail: `${depth} return addresses are stored`,
        hint: `limits.callDepth is ${limits.callDepth}; raise it if the recursion is wanted`,
      }
      : { detail: "the host has no memory left for the call stack" };
  }
  if (op === Op.StackCheck) {
    return {
      detail: `the function needs ${immediate} slots above the ${sp} in use, more than ${window}`,
      hint: `limits.stackSlots is ${limits.stackSlots}; raise it if the recursion is wanted`,
    };
  }
  const name = OP_NAMES[op];
  const pops = POPS[op]!, growth = op === Op.BulkConst ? immediate : PUSHES[op]! - pops;
  if (sp >= pops && sp + growth > capacity) {
    return { detail: `${name} at height ${sp}; the code reserved ${capacity} slots` };
  }
  return { detail: `${name} needs more than the ${sp} slots there are` };
}

function explainSignature(machine: Machine, op: number): Explanation {
  if (op !== Op.SignatureCheck || !machine.operandsKnown) return {};
  const info = machine.module.info;
  const found = machine.module.immediates[machine.pc]! >>> 0, expected = machine.signature >>> 0;
  const expectedType = info?.types[expected], foundType = info?.types[found];
  if (info === undefined || expectedType === undefined || foundType === undefined) {
    return { detail: `the call expects signature ${expected}, the function has ${found}` };
  }
  const index = functionAt(info, machine.pc);
  const name = functionName(info, index) ?? `function ${index}`;
  return { detail: `the call expects ${typeText(expectedType)}, ${name} is ${typeText(foundType)}` };
}

function explainFuel(machine: Machine, op: number): Explanation {
  const { fuel } = machine, remaining = fuel.remaining();
  const needed = op === Op.ConsumeFuel
    ? machine.module.immediates[machine.pc]! >>> 0
    : op === Op.ConsumeFuelStack
    ? top(machine, 1) >>> 0
    : undefined;
  if (needed === undefined || remaining === undefined) return {};
  return {
    detail: `${needed} needed, ${remaining} of ${fuel.limit} left`,
    hint: "give the store a higher fuelLimit, or call store.resetFuel()",
  };
}
