/**
 * The notation of this folder's tests. A program is one line, instructions separated by commas,
 * with "C 5" for "I32Const 5": `"C 1, C 2, I32Add, Return"`. An ending is one text: "done 3",
 * "trap OutOfFuel", "paused". It runs nothing by itself.
 *
 * @module
 */

import type { TrapName } from "../../lib/error.ts";
import { RwasmModule, type ValueType } from "../../lib/isa/module.ts";
import { assemble } from "../../lib/isa/text.ts";
import { type Limits, REFERENCE_LIMITS } from "../../lib/limits.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Caller, SyscallFunction, Value } from "../../lib/plugin/plugin.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { runUnverified } from "../../lib/run/prepared.ts";
import type { Outcome } from "../../lib/vm/outcome.ts";
import { RwasmStore } from "../../lib/vm/store.ts";

/** What a module is made of beside its code. */
export interface Extra {
  /** Where `execute` starts; 0 as in old modules, where nothing runs at instantiation. */
  readonly sourcePc?: number;
  /** Data section. */
  readonly data?: readonly number[];
  /** Element section. */
  readonly elements?: readonly number[];
}

/** A module from the one-line notation. */
export function program(code: string, { sourcePc = 0, data = [], elements = [] }: Extra = {}): RwasmModule {
  const text = code.split(",").map((line) => line.trim().replace(/^C /, "I32Const ")).join("\n");
  const { opcodes, immediates, hint } = assemble(text);
  return new RwasmModule({
    opcodes,
    immediates,
    data: Uint8Array.from(data),
    elements: Uint32Array.from(elements),
    hint,
    sourcePc,
  });
}

/** Types from a text: "i32 i64"; "3*i32" is three of them. */
export function types(text: string): ValueType[] {
  return text.split(" ").filter((word) => word !== "").flatMap((word) => {
    const [count, type] = word.includes("*") ? word.split("*") : ["1", word];
    return new Array(Number(count)).fill(type) as ValueType[];
  });
}

/** A function type from a text: "i32 i64 -> f32"; either side may be empty. */
export function signature(text: string): { params: ValueType[]; results: ValueType[] } {
  const [params, results] = text.split("->");
  return { params: types(params!), results: types(results!) };
}

/** An outcome as one text. */
export function show(outcome: Outcome): string {
  switch (outcome.status) {
    case "done":
      return ["done", ...outcome.results.map(showValue)].join(" ");
    case "trap":
      return `trap ${outcome.trap.code}`;
    case "paused":
      return "paused";
  }
}

function showValue(value: Value): string {
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A host function for a test: type text, and what it does. */
export type Host = readonly [type: string, call: SyscallFunction<unknown>];

/** A linker with the functions `env.f1`, `env.f2` … under the syscall indices 1, 2, … */
export function linkerOf(hosts: readonly Host[]): ImportLinker {
  const linker = new ImportLinker();
  hosts.forEach(([type, call], i) => {
    linker.define(
      "env",
      `f${i + 1}`,
      { index: i + 1, ...signature(type) },
      (caller: Caller, ...args: Value[]) => call(caller, ...args),
    );
  });
  return linker;
}

/** What a run starts from. */
export interface Setup extends Extra {
  /** Fuel limit. */
  readonly fuelLimit?: bigint | number | undefined;
  /** Bounds that differ from the reference's. */
  readonly limits?: Partial<Limits>;
  /** Host functions 1, 2, … */
  readonly hosts?: readonly Host[];
}

/** A fresh store and executor for a program, which may be unsound: the plain loop must be safe for any code. */
export function setUp(
  code: string,
  setup: Setup = {},
): { store: RwasmStore<unknown>; executor: RwasmExecutor<unknown> } {
  const store = new RwasmStore<unknown>({
    fuelLimit: setup.fuelLimit,
    limits: { ...REFERENCE_LIMITS, ...setup.limits },
    linker: linkerOf(setup.hosts ?? []),
  });
  return { store, executor: new RwasmExecutor(store, runUnverified(program(code, setup))) };
}

/** Runs a program once, with parameters and a function type such as "i32 -> i64"; the ending. */
export function execute(code: string, type = "->", params: readonly Value[] = [], setup: Setup = {}): string {
  return show(setUp(code, setup).executor.execute(params, signature(type)));
}

/** The first line of a trap's message, such as "out of fuel: 9 needed, 6 of 10 left". */
export function explained(outcome: Outcome): string {
  if (outcome.status !== "trap") throw new Error(`not a trap: ${show(outcome)}`);
  return outcome.trap.message.split("\n", 1)[0]!;
}

/** A trap's name, for tables. */
export type Ending = `trap ${TrapName}` | `done${string}` | "paused";
