/**
 * Cost of a host call: a loop that calls a host function, beside the same loop without the call.
 * What is left is the round trip: out of the loop, arguments, the function, its results, and back.
 *
 * @module
 */

import { assemble, ImportLinker, RwasmExecutor, RwasmStore } from "../mod.ts";
import type { Caller, RwasmModule, SyscallFunction, ValueType } from "../mod.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** Warm, a call with two i32 and an i32 result may take this many nanoseconds. */
const MOST_NANOSECONDS = 500;

/** Calls that are timed at once. */
const CALLS = 100_000;

/** A host function and the code that pushes its arguments. */
interface Kind {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly args: readonly string[];
  readonly call: SyscallFunction<undefined>;
  /** Whether the reach is about this one. */
  readonly reach?: boolean;
}

const I32 = "I32Const 21", I64 = "I64Const32S 21";

const KINDS: readonly Kind[] = [
  { name: "() -> ()", params: [], results: [], args: [], call: () => undefined },
  {
    name: "(i32, i32) -> (i32)",
    params: ["i32", "i32"],
    results: ["i32"],
    args: [I32, I32],
    call: (_: Caller<undefined>, a: number, b: number) => (a + b) | 0,
    reach: true,
  },
  {
    name: "(i64, i64) -> (i64)",
    params: ["i64", "i64"],
    results: ["i64"],
    args: [I64, I64],
    call: (_: Caller<undefined>, a: bigint, b: bigint) => a + b,
  },
  {
    name: "(6 × i32) -> (i32)",
    params: ["i32", "i32", "i32", "i32", "i32", "i32"],
    results: ["i32"],
    args: [I32, I32, I32, I32, I32, I32],
    call: (_: Caller<undefined>, a: number, b: number) => (a + b) | 0,
  },
  {
    name: "(i32, i32) -> (i32, i32)",
    params: ["i32", "i32"],
    results: ["i32", "i32"],
    args: [I32, I32],
    call: (_: Caller<undefined>, a: number, b: number) => [b, a],
  },
  {
    name: "(i32, i32) -> (i32), reads memory",
    params: ["i32", "i32"],
    results: ["i32"],
    args: [I32, I32],
    call: (caller: Caller<undefined>, at: number) => caller.memory.view()[at],
  },
  {
    name: "(i32) -> (), charges fuel",
    params: ["i32"],
    results: [],
    args: [I32],
    call: (caller: Caller<undefined>) => caller.consumeFuel(3),
  },
];

/** A loop that pushes arguments, calls or not, and drops what is there. */
function loopOf({ params, results, args }: Kind, called: boolean): RwasmModule {
  const slots = (types: readonly ValueType[]) =>
    types.reduce((sum, type) => sum + (type === "i64" || type === "f64" ? 2 : 1), 0);
  return assemble([
    "StackCheck 32",
    "I32Const 1",
    "MemoryGrow",
    "Drop",
    `I32Const ${CALLS}`,
    "loop:",
    "ConsumeFuel 1",
    ...args,
    ...(called ? ["Call 1"] : []),
    `BulkDrop ${slots(called ? results : params)}`,
    "I32Const -1",
    "I32Add",
    "LocalGet 1",
    "BrIfNez loop",
    "Drop",
    "Return",
  ].join("\n"));
}

/** A run of the loop on a fresh store. */
function prepare(kind: Kind, called: boolean): () => () => void {
  const linker = new ImportLinker<undefined>();
  linker.define("env", "f", { index: 1, params: kind.params, results: kind.results }, kind.call);
  const module = loopOf(kind, called);
  return () => {
    const executor = new RwasmExecutor(new RwasmStore({ linker }), module);
    return () => {
      const outcome = executor.execute();
      if (outcome.status !== "done") {
        throw new Error(outcome.status === "trap" ? outcome.trap.message : outcome.status);
      }
    };
  };
}

/** One row per kind of function. */
export function benchHostCall({ rounds = 20 }: { rounds?: number } = {}): Table {
  const rows: Row[] = [];
  const missed: string[] = [];
  // Together, so that the code of the round trip is warm for all of them, as in a program with several.
  const candidates: Record<string, () => () => void> = {};
  for (const kind of KINDS) {
    candidates[kind.name] = prepare(kind, true);
    candidates[`${kind.name} without`] = prepare(kind, false);
  }
  const times = interleaved(candidates, rounds);
  for (const { name, reach } of KINDS) {
    const call = times[name] * 1e6 / CALLS, without = times[`${name} without`] * 1e6 / CALLS;
    rows.push({ name, figures: { "ns/call": call - without, "loop ns": call, "without ns": without } });
    if (reach && call - without > MOST_NANOSECONDS) {
      missed.push(`${name}: ${Math.round(call - without)} ns, at most ${MOST_NANOSECONDS}`);
    }
  }
  return {
    title: "host call",
    note: "A round trip to a host function and back: a loop with the call less the same loop without it.",
    rows,
    missed,
  };
}
