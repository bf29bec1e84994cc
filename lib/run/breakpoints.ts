/**
 * The breakpoints of an executor: places in words of the Wasm module to instructions, and, for the
 * loop, the stretch of code around an instruction that has none. It stops nothing by itself.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { ModuleInfo, RwasmModule } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { functionAt, functionName } from "../vm/backtrace.ts";
import { exportsOf } from "../vm/exports.ts";
import type { Breakpoint, BreakpointPlace } from "../vm/outcome.ts";
import { foundText } from "../vm/values.ts";

const HINT = 'places are { pc: 12 }, { function: "main" }, { function: 3 } and { wasmOffset: 0x2f }';

/** Breakpoints by instruction. */
export class Breakpoints {
  readonly #module: RwasmModule;
  /** In the order they were added. */
  readonly #list: Breakpoint[] = [];
  /** Their instructions, ascending, each once. */
  #pcs: readonly number[] = [];

  /** None. */
  constructor(module: RwasmModule) {
    this.#module = module;
  }

  /** How many there are. */
  get size(): number {
    return this.#list.length;
  }

  /** All of them, in the order they were added. */
  list(): Breakpoint[] {
    return [...this.#list];
  }

  /**
   * Adds one.
   *
   * @throws {UsageError} `InvalidBreakpoint` when there is no such place.
   */
  add(place: BreakpointPlace): Breakpoint {
    const copy = readPlace(place);
    const breakpoint = Object.freeze({ pc: pcOf(this.#module, copy), place: copy });
    this.#list.push(breakpoint);
    this.#index();
    return breakpoint;
  }

  /** Removes one; false when it is not here. */
  remove(breakpoint: Breakpoint): boolean {
    const at = this.#list.indexOf(breakpoint);
    if (at < 0) return false;
    this.#list.splice(at, 1);
    this.#index();
    return true;
  }

  /** The first one at an instruction. */
  at(pc: number): Breakpoint | undefined {
    return this.#pcs[this.#position(pc)] === pc ? this.#list.find((one) => one.pc === pc) : undefined;
  }

  /** First instruction of the stretch around `pc` without breakpoints, but at `pc` itself. */
  stretchFrom(pc: number): number {
    const position = this.#position(pc);
    if (this.#pcs[position] === pc) return pc;
    return position === 0 ? 0 : this.#pcs[position - 1]! + 1;
  }

  /** The instruction behind that stretch; behind all code when no breakpoint follows. */
  stretchTo(pc: number): number {
    const next = this.#pcs[this.#position(pc)];
    return next === undefined ? this.#module.length : next === pc ? pc + 1 : next;
  }

  /** How many instructions with breakpoints are before `pc`. */
  #position(pc: number): number {
    const pcs = this.#pcs;
    let low = 0, high = pcs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (pcs[middle]! < pc) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #index(): void {
    this.#pcs = [...new Set(this.#list.map(({ pc }) => pc))].sort((a, b) => a - b);
  }
}

/** A copy of a place, each of its properties read once. */
function readPlace(place: unknown): BreakpointPlace {
  if (typeof place !== "object" || place === null) refuse(`the place is ${foundText(place)}`);
  let pc: unknown, wanted: unknown, wasmOffset: unknown;
  try {
    ({ pc, function: wanted, wasmOffset } = place as Record<string, unknown>);
  } catch {
    refuse("the place cannot be read");
  }
  const given = [pc, wanted, wasmOffset].filter((value) => value !== undefined);
  if (given.length !== 1) {
    refuse(`the place has ${given.length} of pc, function and wasmOffset, and must have one`);
  }
  if (wanted !== undefined) {
    if (typeof wanted === "string" || isCount(wanted)) return Object.freeze({ function: wanted });
    refuse(`function is ${foundText(wanted)}, neither a name nor an index`);
  }
  const [name, value] = pc !== undefined ? ["pc", pc] : ["wasmOffset", wasmOffset];
  if (!isCount(value)) refuse(`${name} is ${foundText(value)}, not an index`);
  return Object.freeze(pc !== undefined ? { pc: value } : { wasmOffset: value });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function pcOf(module: RwasmModule, place: BreakpointPlace): number {
  if ("pc" in place) {
    if (place.pc >= module.length) refuse(`the code has ${module.length} instructions, none at ${place.pc}`);
    return place.pc;
  }
  const { info } = module;
  if (info === undefined) {
    refuse("a decoded module does not tell its functions and offsets", "use { pc }, or compile() the Wasm");
  }
  if ("wasmOffset" in place) return pcOfOffset(info, place.wasmOffset);
  const index = typeof place.function === "number" ? place.function : indexOf(info, place.function);
  if (index >= info.functionTypes.length) {
    refuse(`the module has ${info.functionTypes.length} functions, none with index ${index}`);
  }
  return info.functionStarts[index]!;
}

function indexOf(info: ModuleInfo, name: string): number {
  const exported = exportsOf(info).functions.get(name);
  if (exported !== undefined) return exported.index;
  const names: string[] = [];
  for (let index = 0; index < info.functionTypes.length; index++) {
    const own = functionName(info, index);
    if (own === name) return index;
    if (own !== undefined) names.push(own);
  }
  const near = nearest(name, names);
  refuse(
    `there is no function ${quoteName(name)}`,
    near === undefined ? undefined : `did you mean ${quoteName(near)}?`,
  );
}

/** The first instruction of the nearest offset that is not before the wanted one, in the function that contains it. */
function pcOfOffset(info: ModuleInfo, wanted: number): number {
  const offsets = info.wasmOffsets;
  let found = -1, before = -1;
  for (let pc = 0; pc < offsets.length; pc++) {
    const offset = offsets[pc]!;
    if (offset === 0) continue; // code of the compiler's own
    if (offset >= wanted && (found < 0 || offset < offsets[found]!)) found = pc;
    if (offset <= wanted && (before < 0 || offset > offsets[before]!)) before = pc;
  }
  const here = found >= 0 && before >= 0 && functionAt(info, found) === functionAt(info, before);
  if (!here) refuse(`byte offset ${wanted} is not in the code of a function`);
  return found;
}

function refuse(why: string, hint = HINT): never {
  throw new UsageError("InvalidBreakpoint", `Cannot add a breakpoint: ${why}`, { hint });
}
