/**
 * What a trace knows of the module it is of: the code, where functions begin, and names. A module goes
 * in; it can be written to a file and read from it without the module.
 *
 * @module
 */

import type { RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import { functionName } from "../vm/backtrace.ts";
import type { SyscallType } from "../vm/loop.ts";

/** The code a trace is of. */
export interface TraceCode {
  /** Dense opcode numbers. */
  readonly opcodes: Uint8Array;
  /** Immediates. */
  readonly immediates: Int32Array;
  /** First pc of every function, ascending; empty when that is not known. */
  readonly starts: Uint32Array;
  /** Name of every function; empty where there is none. */
  readonly names: readonly string[];
  /** Name of the host functions that the code calls, "module.name" by index. */
  readonly syscalls: ReadonlyMap<number, string>;
}

/** What a trace must know of a module, and of the host functions that its code calls. */
export function codeOf(
  module: RwasmModule,
  syscall: (index: number) => SyscallType | undefined = () => undefined,
): TraceCode {
  const { opcodes, immediates, info } = module, starts = info?.functionStarts ?? new Uint32Array(0);
  const syscalls = new Map<number, string>();
  for (let pc = 0; pc < opcodes.length; pc++) {
    if (opcodes[pc] !== Op.Call && opcodes[pc] !== Op.ReturnCall) continue;
    const index = immediates[pc]! >>> 0, type = syscalls.has(index) ? undefined : syscall(index);
    if (type !== undefined) syscalls.set(index, `${type.module}.${type.name}`);
  }
  return {
    opcodes,
    immediates,
    starts,
    names: Array.from(starts, (_, index) => functionName(info!, index) ?? ""),
    syscalls,
  };
}

/** Position in `starts` of the function that contains a pc; -1 before the first one. */
export function functionOf({ starts }: TraceCode, pc: number): number {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= pc) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** What the function that contains a pc is called in reports. */
export function functionLabel(code: TraceCode, pc: number): string {
  const index = functionOf(code, pc);
  return index < 0 ? "initialization" : code.names[index] || `function ${index}`;
}

/** What a host function is called in reports. */
export function syscallLabel({ syscalls }: TraceCode, index: number): string {
  return syscalls.get(index >>> 0) ?? `host function ${index >>> 0}`;
}
