/**
 * Where a machine is, in the words of the Wasm module: the chain of guest frames with function
 * names and offsets, from the pc, the return addresses and what the compiler noted. Only reads.
 *
 * @module
 */

import type { Frame } from "../error.ts";
import type { ModuleInfo, RwasmModule } from "../isa/module.ts";
import { linesOf } from "../wasm/dwarf.ts";
import type { Machine } from "./machine.ts";

/** Frames kept at each end of a deep backtrace. */
const KEPT_FRAMES = 32;

/** A backtrace, innermost frame first. */
export interface Backtrace {
  /** The frames; of a deep one the first and last 32. */
  readonly backtrace: readonly Frame[];
  /** How many frames in the middle were left out. */
  readonly omittedFrames: number;
}

/** The frames of a machine that stands at `machine.pc`. */
export function backtraceOf(machine: Machine): Backtrace {
  const { module, calls, depth, pc } = machine;
  const frames = [frameAt(module, pc >>> 0, pc >>> 0)];
  const omitted = Math.max(0, depth + 1 - 2 * KEPT_FRAMES);
  for (let level = depth - 1; level >= 0; level--) {
    if (omitted > 0 && level === depth - KEPT_FRAMES) level -= omitted;
    const pc = calls[level]! >>> 0;
    // The call is before the return address, which may already belong to the next function.
    frames.push(frameAt(module, pc, callBefore(module, pc)));
  }
  return { backtrace: frames, omittedFrames: omitted };
}

function callBefore(module: RwasmModule, pc: number): number {
  const offsets = module.info?.wasmOffsets;
  // The payload slot of an indirect call need not have an offset of its own; the call has one.
  return offsets !== undefined && pc >= 2 && !offsets[pc - 1] ? pc - 2 : pc - 1;
}

function frameAt(module: RwasmModule, pc: number, at: number): Frame {
  const info = module.info;
  const index = info === undefined ? -1 : functionAt(info, at);
  const functions = info?.functionTypes.length ?? 0;
  const wasmOffset = info?.wasmOffsets[at] || undefined;
  const source = wasmOffset === undefined ? undefined : linesOf(module)?.lineAt(wasmOffset);
  return {
    pc,
    functionIndex: index >= 0 && index < functions ? index : undefined,
    functionName: index < 0 ? undefined : functionName(info!, index),
    wasmOffset,
    ...source === undefined ? {} : { source },
  };
}

/** Position in `functionStarts` of the function or snippet that contains a pc; -1 before the first one. */
export function functionAt(info: ModuleInfo, pc: number): number {
  const starts = info.functionStarts;
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= pc) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Name of a function by its position in `functionStarts`: own name, export, import, or snippet. */
export function functionName(info: ModuleInfo, index: number): string | undefined {
  const functions = info.functionTypes.length;
  if (index >= functions) return info.snippetNames[index - functions];
  const named = info.functionNames.get(index);
  if (named !== undefined) return named;
  const exported = info.functionExports.find((entry) => entry.index === index);
  if (exported !== undefined) return exported.name;
  const imported = info.functionImports[index];
  return imported === undefined ? undefined : `${imported.module}.${imported.name}`;
}
