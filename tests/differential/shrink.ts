/**
 * Makes a module smaller while it stays valid and keeps a property: drops calls, exports, segments,
 * functions, and ranges of instructions, and puts constants where values were. What the property is,
 * the caller says.
 *
 * @module
 */

import { constantOf, zeroOf } from "../generate/constants.ts";
import {
  encodeModule,
  type FunctionSource,
  type Instruction,
  type ModuleSource,
} from "../generate/module.ts";
import type { Plan } from "./plan.ts";

/** A module with what is done with it. */
export interface Reduced {
  readonly source: ModuleSource;
  readonly plan: Plan;
}

/** Milliseconds after which it stops where it is. */
const MOST_TIME = 30_000;

/** What may stand in for a range of instructions: nothing, a drop, a zero of some type. */
const STAND_INS: readonly (readonly Instruction[])[] = [
  [],
  [[0x1a]],
  ...(["i32", "i64", "f32", "f64"] as const).map((type) => [constantOf(type, 0n)]),
];

/** Index after the `end` that closes the block opened at `at`; −1 when there is none. */
function closing(body: readonly Instruction[], at: number): number {
  let depth = 0;
  for (let i = at; i < body.length; i++) {
    const code = body[i][0];
    if (code >= 0x02 && code <= 0x04) depth++;
    else if (code === 0x0b && --depth === 0) return i + 1;
  }
  return -1;
}

class Shrinker {
  #best: Reduced;
  readonly #keeps: (candidate: Reduced) => boolean;
  readonly #deadline = performance.now() + MOST_TIME;

  constructor(start: Reduced, keeps: (candidate: Reduced) => boolean) {
    this.#best = start;
    this.#keeps = keeps;
  }

  get best(): Reduced {
    return this.#best;
  }

  get #late(): boolean {
    return performance.now() > this.#deadline;
  }

  /** Takes a candidate when it is valid and keeps the property. */
  #try(change: Partial<ModuleSource>, plan = this.#best.plan): boolean {
    if (this.#late) return false;
    const candidate = { source: { ...this.#best.source, ...change }, plan };
    if (!WebAssembly.validate(encodeModule(candidate.source)) || !this.#keeps(candidate)) return false;
    this.#best = candidate;
    return true;
  }

  /** Drops items of a list, from the last to the first: later items refer to earlier ones. */
  #dropFrom<Key extends "exports" | "data" | "elements" | "imports" | "globals" | "tables" | "types">(
    key: Key,
  ): void {
    for (let i = this.#best.source[key].length - 1; i >= 0; i--) {
      this.#try({ [key]: this.#best.source[key].filter((_, k) => k !== i) });
    }
  }

  #dropCalls(): void {
    const { plan } = this.#best;
    for (let i = plan.calls.length - 1; i >= 0; i--) {
      const calls = this.#best.plan.calls.filter((_, k) => k !== i);
      this.#try({}, { ...this.#best.plan, calls });
    }
  }

  #dropParts(): void {
    this.#try({ start: undefined });
    this.#try({ memory: undefined });
    for (const key of ["exports", "elements", "data", "globals", "tables", "imports", "types"] as const) {
      this.#dropFrom(key);
    }
    const segments = [...this.#best.source.elements];
    segments.forEach((segment, i) => {
      this.#try({ elements: this.#best.source.elements.with(i, { ...segment, items: [] }) });
    });
  }

  #dropFunctions(): void {
    while (this.#best.source.functions.length > 0) {
      if (!this.#try({ functions: this.#best.source.functions.slice(0, -1) })) break;
    }
    this.#best.source.functions.forEach((fn, i) => {
      const { results } = this.#best.source.types[fn.type];
      const body = results.map(zeroOf);
      if (body.length < fn.body.length) this.#function(i, { body, locals: [] });
    });
  }

  #function(index: number, change: Partial<FunctionSource>): boolean {
    const { functions } = this.#best.source;
    return this.#try({ functions: functions.with(index, { ...functions[index], ...change }) });
  }

  /** Ranges of instructions, long ones first. */
  #dropInstructions(index: number): void {
    const body = () => this.#best.source.functions[index].body;
    for (let size = body().length; size >= 1; size = size > 1 ? size >> 1 : 0) {
      for (let at = 0; at + size <= body().length && !this.#late;) {
        const range = (by: readonly Instruction[]) => [
          ...body().slice(0, at),
          ...by,
          ...body().slice(at + size),
        ];
        const isSmaller = (by: readonly Instruction[]) =>
          by.length < size || (body()[at][0] !== by[0][0] && !isConstant(body()[at]));
        if (!STAND_INS.some((by) => isSmaller(by) && this.#function(index, { body: range(by) }))) at++;
      }
    }
  }

  /** Whole blocks, and blocks without what is around them. */
  #dropBlocks(index: number): void {
    const body = () => this.#best.source.functions[index].body;
    for (let at = 0; at < body().length && !this.#late; at++) {
      const code = body()[at][0];
      if (code < 0x02 || code > 0x04) continue;
      const end = closing(body(), at);
      if (end < 0) continue;
      const around = (
        inner: readonly Instruction[],
      ) => [...body().slice(0, at), ...inner, ...body().slice(end)];
      if (STAND_INS.some((by) => this.#function(index, { body: around(by) }))) continue;
      this.#function(index, { body: around(body().slice(at + 1, end - 1)) });
    }
  }

  #dropLocals(index: number): void {
    for (;;) {
      const { locals } = this.#best.source.functions[index];
      if (locals.length === 0 || !this.#function(index, { locals: locals.slice(0, -1) })) return;
    }
  }

  run(): Reduced {
    for (let before = ""; before !== measure(this.#best) && !this.#late;) {
      before = measure(this.#best);
      this.#dropCalls();
      this.#dropFunctions();
      this.#dropParts();
      for (let i = 0; i < this.#best.source.functions.length; i++) {
        this.#dropBlocks(i);
        this.#dropInstructions(i);
        this.#dropLocals(i);
      }
    }
    return this.#best;
  }
}

function isConstant([code]: Instruction): boolean {
  return code >= 0x41 && code <= 0x44;
}

/** Something that changes when anything was dropped or replaced. */
function measure({ source, plan }: Reduced): string {
  return `${encodeModule(source).join()} ${plan.calls.length}`;
}

/** The smallest module found in half a minute that is valid and keeps the property. */
export function shrink(start: Reduced, keeps: (candidate: Reduced) => boolean): Reduced {
  return new Shrinker(start, keeps).run();
}
