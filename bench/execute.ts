/**
 * Speed of running: nanoseconds per executed rWasm instruction and fuel per second, beside the same
 * Wasm run by V8 in the same process, interleaved. Instructions are counted exactly, by running the
 * counting copy of each module once.
 *
 * @module
 */

import { compile, REFERENCE_LIMITS, RwasmExecutor, RwasmModule, RwasmStore } from "../mod.ts";
import { runUnverified } from "../lib/run/prepared.ts";
import { countingCopy } from "../tests/counting_copy.ts";
import { type Kernel, kernels } from "./kernels.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** No kernel may be slower than this, in nanoseconds per instruction. */
const MOST_NANOSECONDS = 12;

/** Short kernels run on so many fresh instances that this many instructions are timed. */
const LEAST_INSTRUCTIONS = 4e6;

/** A fresh, initialized instance of a module, and the run of its entry point, which gives its fuel. */
function prepare(module: RwasmModule, { args, types }: Kernel): () => bigint {
  const store = new RwasmStore({ limits: REFERENCE_LIMITS });
  const executor = new RwasmExecutor(store, module);
  executor.instantiate();
  store.resetFuel();
  return () => {
    const outcome = executor.execute(args, types);
    if (outcome.status !== "done") {
      throw new Error(outcome.status === "trap" ? outcome.trap.message : outcome.status);
    }
    return store.consumedFuel();
  };
}

/** The same in V8. */
function prepareNative(module: WebAssembly.Module, { entry, args }: Kernel): () => void {
  const run = new WebAssembly.Instance(module).exports[entry] as (...args: unknown[]) => unknown;
  return () => void run(...args);
}

/** Several prepared runs as one. */
function several(times: number, prepare: () => () => unknown): () => () => void {
  return () => {
    const runs = Array.from({ length: times }, prepare);
    return () => runs.forEach((run) => run());
  };
}

/** One row per kernel. */
export function benchExecute({ rounds = 5 }: { rounds?: number } = {}): Table {
  const rows: Row[] = [];
  const missed: string[] = [];
  for (const kernel of kernels()) {
    const { name, wasm, entry, floats } = kernel;
    const ours = compile(wasm, { entrypoint: entry, floats, limits: REFERENCE_LIMITS });
    const theirs = kernel.reference === undefined ? undefined : RwasmModule.decode(kernel.reference);
    const fuel = Number(prepare(ours, kernel)());
    const count = Number(prepare(runUnverified(countingCopy(ours)), kernel)());
    const theirCount = theirs === undefined
      ? NaN
      : Number(prepare(runUnverified(countingCopy(theirs)), kernel)());
    const native = new WebAssembly.Module(wasm.slice());
    const repeats = Math.ceil(LEAST_INSTRUCTIONS / count);
    const times = interleaved({
      ours: several(repeats, () => prepare(ours, kernel)),
      ...(theirs === undefined ? {} : { theirs: several(repeats, () => prepare(theirs, kernel)) }),
      v8: several(repeats, () => prepareNative(native, kernel)),
    } as Record<"ours" | "theirs" | "v8", () => () => void>, rounds);
    for (const name of Object.keys(times) as (keyof typeof times)[]) times[name] /= repeats;
    const nanoseconds = times.ours * 1e6 / count, theirNanoseconds = times.theirs * 1e6 / theirCount;
    rows.push({
      name,
      figures: {
        "ms": times.ours,
        "M instr": count / 1e6,
        "ns/instr": nanoseconds,
        "M fuel/s": fuel / times.ours / 1e3,
        "ref ms": times.theirs ?? NaN,
        "ref M instr": theirCount / 1e6,
        "ref ns/instr": theirNanoseconds,
        "V8 ms": times.v8,
        "× V8": times.ours / times.v8,
      },
    });
    for (
      const [what, value] of [[name, nanoseconds], [`${name}, reference's module`, theirNanoseconds]] as const
    ) {
      if (value > MOST_NANOSECONDS) {
        missed.push(`${what}: ${value.toFixed(1)} ns per instruction, at most ${MOST_NANOSECONDS}`);
      }
    }
  }
  return {
    title: "execute",
    note:
      "Modules compiled here, then (ref) those the reference compiled; V8 runs the same Wasm. Best of interleaved rounds.",
    rows,
    missed,
  };
}
