/**
 * The formats of traces: what is written is read back to the last column, a trace from a file rebuilds
 * the run, hostile bytes are refused, and the Chrome trace is one that viewers accept.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { DecodeError, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { readBinaryTrace } from "../../lib/trace/binary_reader.ts";
import { BinaryTraceWriter } from "../../lib/trace/binary_writer.ts";
import { diffTraces } from "../../lib/trace/diff.ts";
import { JsonLinesTraceWriter, readJsonLinesTrace } from "../../lib/trace/json_lines.ts";
import { PerfettoTraceWriter } from "../../lib/trace/perfetto.ts";
import { rebuild, type Trace } from "../../lib/trace/rebuild.ts";
import { Tracer, type TracerOptions } from "../../lib/trace/tracer.ts";
import { RwasmError } from "../../mod.ts";
import { compileWat } from "../compile/wat.ts";
import { readShared, sharedTest } from "../harness.ts";
import type { Script } from "../spec/script.ts";
import { hostedRun } from "./hosted.ts";
import { runSpecModules } from "./spec_runs.ts";
import { differsFromMachine } from "./traced.ts";

/** Bytes that a writer hands on, as one. */
function collected(write: (sink: (bytes: Uint8Array) => void) => void): Uint8Array {
  const parts: Uint8Array[] = [];
  write((bytes) => parts.push(bytes.slice()));
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function binary(tracer: Tracer): Uint8Array {
  return collected((sink) => {
    const writer = new BinaryTraceWriter(tracer.code, tracer.complete, sink);
    for (const chunk of tracer.chunks()) writer.chunk(chunk);
    writer.end(tracer.hash());
  });
}

function jsonLines(tracer: Tracer): string {
  return new TextDecoder().decode(collected((sink) => {
    const writer = new JsonLinesTraceWriter(tracer.code, tracer.complete, sink);
    for (const chunk of tracer.chunks()) writer.chunk(chunk);
    writer.end(tracer.hash());
  }));
}

/** Every column of a trace, in its used length. */
function columns(trace: Trace): unknown[] {
  return Array.from(trace.chunks(), (chunk) => {
    const { rows, events, used, first, firstEvent } = chunk;
    const row = [chunk.pc, chunk.top, chunk.below, chunk.height, chunk.depth, chunk.fuel, chunk.step];
    const event = [chunk.kind, chunk.at, chunk.address, chunk.size, chunk.start, chunk.clock];
    return {
      first,
      firstEvent,
      rows: row.map((column) => column && [...column.subarray(0, rows)]),
      events: event.map((column) => column && [...column.subarray(0, events)]),
      words: [...chunk.words.subarray(0, used)],
    };
  });
}

/** Ways to leave instructions out. */
const FILTERS: Record<string, TracerOptions> = {
  "everything": {},
  "every third instruction": { every: 3 },
  "some pcs": { pcs: [[4, 20], [30, 31]] },
  "some bytes": { memory: [[100, 110], [290, 300]] },
  "calls of host functions": { syscallsOnly: true },
  "the first forty": { most: 40 },
};

for (const [name, options] of Object.entries(FILTERS)) {
  Deno.test(`a trace of ${name} is the same after writing and reading it`, () => {
    const { tracer } = hostedRun(options), expected = columns(tracer);
    const read = readBinaryTrace(binary(tracer));
    assertEquals(columns(read), expected);
    assertEquals(read.end, { instructions: tracer.instructions, hash: tracer.hash() });
    assertEquals(read.complete, tracer.complete);
    assertEquals(read.code, tracer.code);
    const text = readJsonLinesTrace(jsonLines(tracer));
    assertEquals(columns(text), expected);
    assertEquals(columns(readJsonLinesTrace(new TextEncoder().encode(jsonLines(tracer)))), expected);
    assertEquals(text.complete, tracer.complete);
    assertEquals(diffTraces(tracer, read), undefined);
  });
}

Deno.test("a piece without its first rows is the same after writing and reading it", () => {
  const { tracer } = hostedRun({}), [chunk] = tracer.chunks();
  for (let row = 0; row <= chunk.rows; row += 7) {
    const chunks = [chunk.from(row)],
      trace: Trace = { code: tracer.code, complete: false, chunks: () => chunks };
    const file = collected((sink) => {
      const writer = new BinaryTraceWriter(tracer.code, false, sink);
      chunks.forEach((chunk) => writer.chunk(chunk));
      writer.end("");
    });
    assertEquals(diffTraces(trace, readBinaryTrace(file)), undefined, `from ${row}`);
  }
});

Deno.test("a trace from a file rebuilds the run", () => {
  const { tracer, machine, store } = hostedRun({});
  for (const trace of [readBinaryTrace(binary(tracer)), readJsonLinesTrace(jsonLines(tracer))]) {
    assertEquals(differsFromMachine(rebuild(trace), machine, store), undefined);
  }
});

sharedTest("traces of the suite are the same after writing and reading them", () => {
  let bytes = 0, instructions = 0;
  for (
    const name of ["call_indirect", "bulk", "fac", "float_memory", "table_grow"]
  ) {
    for (const { tracer, label } of runSpecModules(name, readShared<Script>(`spec/${name}.json`))) {
      const file = binary(tracer), read = readBinaryTrace(file);
      assertEquals(diffTraces(tracer, read), undefined, label);
      assertEquals(rebuild(read).inconsistency, undefined, label);
      bytes += file.length - tracer.code.opcodes.length * 5;
      instructions += tracer.instructions;
    }
  }
  assert(instructions > 5_000);
  assert(bytes / instructions < 16, `${bytes / instructions} bytes per instruction`);
});

Deno.test("whatever the bytes of a trace are, they are read or refused", () => {
  const { tracer } = hostedRun({}), file = binary(tracer), text = jsonLines(tracer);
  let refused = 0, read = 0;
  const attempt = (trace: () => Trace) => {
    try {
      rebuild(trace());
      read++;
    } catch (error) {
      assert(error instanceof DecodeError, String(error));
      refused++;
    }
  };
  for (let at = 0; at < file.length; at += 2) {
    for (const flip of [1, 0x80, 0xff]) attempt(() => readBinaryTrace(file.with(at, file[at] ^ flip)));
    if (at % 5 === 0) attempt(() => readBinaryTrace(file.subarray(0, at)));
  }
  for (let at = 0; at < text.length; at += 13) {
    for (const other of ["", "9", "-", "]"]) {
      attempt(() => readJsonLinesTrace(text.slice(0, at) + other + text.slice(at + 1)));
    }
  }
  assert(refused > 500 && read > 50, `${refused} refused, ${read} read`);
});

/** An entry of a Chrome trace. */
interface ChromeEvent {
  readonly ph: string;
  readonly name?: string;
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly s?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** What is wrong with a Chrome trace by its format description; undefined when nothing is. */
function chromeProblem(document: { readonly traceEvents?: readonly ChromeEvent[] }): string | undefined {
  if (!Array.isArray(document.traceEvents)) return "it has no events";
  let now = 0;
  const open: (string | undefined)[] = [];
  for (const [i, { ph, name, ts, pid, tid, s, args }] of (document.traceEvents as ChromeEvent[]).entries()) {
    if (!Number.isFinite(ts) || !Number.isInteger(pid) || !Number.isInteger(tid)) {
      return `event ${i} has no place`;
    }
    if (ts < now) return `event ${i} goes back in time`;
    now = ts;
    if (ph !== "E" && typeof name !== "string") return `event ${i} has no name`;
    if (ph === "B") open.push(name);
    else if (ph === "E") {
      if (open.length === 0) return `event ${i} ends what did not begin`;
      // The format takes an end without a name; speedscope does not.
      if (open.pop() !== name) return `event ${i} does not end what began last`;
    } else if (ph === "C") {
      if (!Object.values(args ?? {}).every(Number.isFinite)) return `event ${i} counts nothing`;
    } else if (ph === "i") {
      if (s !== "t" && s !== "p" && s !== "g") return `event ${i} has no scope`;
    } else if (ph !== "M") return `event ${i} is of kind ${ph}`;
  }
  return open.length === 0 ? undefined : `${open.length} slices do not end`;
}

function chrome(tracer: Tracer): { readonly traceEvents: readonly ChromeEvent[] } {
  return JSON.parse(
    new TextDecoder().decode(collected((sink) => {
      const writer = new PerfettoTraceWriter(tracer.code, sink);
      for (const chunk of tracer.chunks()) writer.chunk(chunk);
      writer.end();
    })),
  );
}

Deno.test("the Chrome trace has slices, counters and instants, and is what viewers accept", () => {
  const document = chrome(hostedRun({}).tracer);
  assertEquals(chromeProblem(document), undefined);
  const names = new Set(document.traceEvents.map(({ ph, name }) => `${ph} ${name}`));
  for (const name of ["C fuel", "C memory", "i host.write", "i pause", "i resume", "i trap OutOfFuel"]) {
    assert(names.has(name), `${name} is missing from ${[...names]}`);
  }
  assertEquals(chromeProblem({ traceEvents: [{ ph: "E", ts: 0, pid: 1, tid: 1 }] }) === undefined, false);
});

sharedTest("Chrome traces of calls, recursion and tail calls are balanced", () => {
  for (const name of ["fac", "call_indirect", "tail-call-return_call", "start", "unwind"]) {
    const runs = runSpecModules(name, readShared<Script>(`spec/${name}.json`), () => ({ most: 20_000 }));
    for (const { tracer, label } of runs) assertEquals(chromeProblem(chrome(tracer)), undefined, label);
  }
});

for (const [name, options] of Object.entries({ ...FILTERS, "the last ten": { last: 10 } })) {
  Deno.test(`the Chrome trace of ${name} is what viewers accept`, () => {
    assertEquals(chromeProblem(chrome(hostedRun(options).tracer)), undefined);
  });
}

Deno.test("a Chrome trace that begins in the middle has slices for the callers it returns to", () => {
  const module = compileWat(`(module
    (func $leaf (nop))
    (func $inner (call $leaf) (nop))
    (func (export "outer") (call $inner) (nop) (call $leaf)))`);
  const tracer = new Tracer();
  new RwasmExecutor(new RwasmStore(), module, { tracer }).call("outer");
  const [chunk] = tracer.chunks(),
    names = (row: number, options: TracerOptions = {}) => {
      let text = "";
      const traced = new Tracer(options);
      new RwasmExecutor(new RwasmStore(), module, { tracer: traced }).call("outer");
      const writer = new PerfettoTraceWriter(tracer.code, (bytes) => text += new TextDecoder().decode(bytes));
      for (const chunk of traced.chunks()) writer.chunk(row > 0 ? chunk.from(row) : chunk);
      writer.end();
      const document = JSON.parse(text);
      assertEquals(chromeProblem(document), undefined);
      return (document.traceEvents as ChromeEvent[]).filter(({ ph }) => ph === "B").map(({ name }) => name);
    };
  const deepest = chunk.depth.indexOf(2);
  assertEquals(names(deepest), ["leaf", "inner", "outer", "leaf"]);
  assertEquals(names(0, { functions: ["leaf"] }), ["leaf", "leaf"]);
});

Deno.test("a hash is not told by a tracer made without one", () => {
  const tracer = new Tracer({ hash: false });
  try {
    tracer.hash();
  } catch (error) {
    assert(error instanceof RwasmError && error.code === "NoHash");
    return;
  }
  throw new Error("a hash was told");
});
