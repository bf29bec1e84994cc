/**
 * Speed of running: nanoseconds per executed rWasm instruction and fuel per second, beside the same
 * Wasm run by V8 in the same process, interleaved. Instructions are counted exactly, by running the
 * counting copy of each module once.
 *
 * @module
 */

import { compile, REFERENCE_LIMITS, RwasmExecutor, RwasmModule, RwasmStore } from "../mod.ts";
import { countingCopy } from "../tests/counting_copy.ts";
import { type Kernel, kernels } from "./kernels.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** No kernel may be slower than this, in nanoseconds per instruction. */
const MOST_NANOSECONDS = 12;

/** Runs a module once on a fresh store and says what it consumed. */
function consume(module: RwasmModule, { args, types }: Kernel): bigint {
  const store = new RwasmStore({ limits: REFERENCE_LIMITS });
  const outcome = new RwasmExecutor(store, module).execute(args, types);
  if (outcome.status !== "done") {
    throw new Error(outcome.status === "trap" ? outcome.trap.message : outcome.status);
  }
  return store.consumedFuel();
}

/** The function of a kernel in V8, on a fresh instance each time. */
function native({ wasm, entry, args }: Kernel): () => void {
  const module = new WebAssembly.Module(wasm.slice());
  return () => {
    (new WebAssembly.Instance(module).exports[entry] as (...args: unknown[]) => unknown)(...args);
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
    const fuel = Number(consume(ours, kernel));
    const count = Number(consume(countingCopy(ours), kernel));
    const theirCount = theirs === undefined ? NaN : Number(consume(countingCopy(theirs), kernel));
    const times = interleaved({
      ours: () => consume(ours, kernel),
      ...(theirs === undefined ? {} : { theirs: () => consume(theirs, kernel) }),
      v8: native(kernel),
    } as Record<"ours" | "theirs" | "v8", () => void>, rounds);
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
      "Modules compiled here, then (ref) those the reference compiled; V8 runs the same Wasm. Medians, interleaved.",
    rows,
    missed,
  };
}
