/**
 * What tracing costs: the same programs in the plain loop and under a tracer, per instruction: recording
 * alone, with the hash of the run, and with the trace written in each format; and bytes per instruction.
 *
 * @module
 */

import { compile, RwasmExecutor, RwasmStore, Tracer } from "../mod.ts";
import { BinaryTraceWriter } from "../lib/trace/binary_writer.ts";
import { JsonLinesTraceWriter } from "../lib/trace/json_lines.ts";
import { PerfettoTraceWriter } from "../lib/trace/perfetto.ts";
import type { TracerOptions } from "../lib/trace/tracer.ts";
import type { LoopMaker } from "../lib/vm/loop.ts";
import { run } from "../lib/vm/step.ts";
import { kernels } from "./kernels.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** Most nanoseconds and bytes per instruction, on the whole. */
const MOST_NANOSECONDS = 40, MOST_BYTES = 16;

const ROUNDS = 3;

/** Most instructions of a program that is measured. */
const MOST_INSTRUCTIONS = 6e6;

const PLAIN: LoopMaker = { loopFor: (machine) => ({ run: () => run(machine) }) };

/** One row per program. */
export function benchTrace(): Table {
  const rows: Row[] = [];
  let nanoseconds = 0, bytes = 0, instructions = 0;
  for (const kernel of kernels()) {
    const module = compile(kernel.wasm, { floats: kernel.floats });
    const ready = (tracer: LoopMaker) => {
      const executor = new RwasmExecutor(new RwasmStore(), module, { tracer });
      executor.instantiate();
      return () => void executor.call(kernel.entry, kernel.args);
    };
    const counter = new Tracer({ hash: false, most: MOST_INSTRUCTIONS, sink: () => {} });
    ready(counter)();
    const count = counter.instructions;
    if (count < 10_000 || counter.truncated) continue;
    const traced = (options: TracerOptions) => () => ready(new Tracer({ sink: () => {}, ...options }));
    let size = 0;
    const writing = (format: "binary" | "jsonl" | "perfetto") => () => {
      const take = (part: Uint8Array) => void (size += part.length);
      let writer: BinaryTraceWriter | JsonLinesTraceWriter | PerfettoTraceWriter | undefined;
      const tracer: Tracer = new Tracer({
        hash: false,
        sink: (chunk) => {
          writer ??= format === "binary"
            ? new BinaryTraceWriter(tracer.code, true, take)
            : format === "jsonl"
            ? new JsonLinesTraceWriter(tracer.code, true, take)
            : new PerfettoTraceWriter(tracer.code, take);
          writer.chunk(chunk);
        },
      });
      const go = ready(tracer);
      return () => {
        size = 0;
        go();
        tracer.finish();
      };
    };
    const times = interleaved({
      plain: () => ready(PLAIN),
      traced: traced({ hash: false }),
      hashed: traced({}),
      binary: writing("binary"),
    }, ROUNDS);
    const perInstruction = size / count;
    const once = interleaved({ jsonl: writing("jsonl") }, 1).jsonl;
    nanoseconds += times.traced * 1e6;
    bytes += perInstruction * count;
    instructions += count;
    rows.push({
      name: kernel.name,
      figures: {
        "M instructions": count / 1e6,
        "plain ns": times.plain * 1e6 / count,
        "traced ns": times.traced * 1e6 / count,
        "hashed ns": times.hashed * 1e6 / count,
        "binary ns": times.binary * 1e6 / count,
        "jsonl ns": once * 1e6 / count,
        "binary bytes": perInstruction,
      },
    });
  }
  const missed: string[] = [], time = nanoseconds / instructions, room = bytes / instructions;
  if (time > MOST_NANOSECONDS) {
    missed.push(`recording takes ${time.toFixed(1)} ns, at most ${MOST_NANOSECONDS}`);
  }
  if (room > MOST_BYTES) missed.push(`a trace takes ${room.toFixed(2)} bytes, at most ${MOST_BYTES}`);
  return {
    title: "trace",
    note:
      "per instruction: the plain loop, recording, with the hash, with a binary or JSON lines file written; bytes",
    rows,
    missed,
  };
}
