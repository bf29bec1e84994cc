/**
 * `trace`: runs a program and records every instruction and every change, as text, or to a file that
 * other tools read. The run is that of `run`.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { BinaryTraceWriter } from "../trace/binary_writer.ts";
import type { TraceChunk } from "../trace/chunk.ts";
import { functionLabel, type TraceCode } from "../trace/code.ts";
import { eventText, instructionText } from "../trace/diff.ts";
import type { Interval } from "../trace/filter.ts";
import { JsonLinesTraceWriter } from "../trace/json_lines.ts";
import { PerfettoTraceWriter } from "../trace/perfetto.ts";
import { walk } from "../trace/rebuild.ts";
import { Tracer, type TracerOptions } from "../trace/tracer.ts";
import type { Outcome } from "../vm/outcome.ts";
import { type Arguments, choice, count, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { escaped, type Host } from "./host.ts";
import { outcomeData, printOutcome } from "./outcome.ts";
import { OutputFile } from "./output_file.ts";
import { prepareProgram, type Program, PROGRAM_FLAGS, programAccess } from "./program.ts";
import { printJson } from "./report.ts";
import { WATCH_FLAGS } from "./watch.ts";

const FORMATS = ["text", "binary", "jsonl", "perfetto"] as const;
type Format = typeof FORMATS[number];

const encoder = new TextEncoder();

/** Instructions that text shows when no flag says how many. */
const TEXT_INSTRUCTIONS = 1000;

function formatOf(args: Arguments): Format {
  const asked = choice(args, "format", FORMATS), output = args.value("output")?.toLowerCase() ?? "-";
  if (asked !== undefined) return asked;
  if (output === "-" || output.endsWith(".txt")) return "text";
  if (output.endsWith(".jsonl")) return "jsonl";
  return output.endsWith(".json") ? "perfetto" : "binary";
}

/** Numbers of a flag such as `16-32`, or one number; the end is included in what is written. */
function intervals(args: Arguments, flag: string): Interval[] | undefined {
  const values = args.values(flag).flatMap((text) => text.split(","));
  if (values.length === 0) return undefined;
  return values.map((text) => {
    const match = /^(0x[0-9a-f]+|\d+)(?:-(0x[0-9a-f]+|\d+))?$/i.exec(text);
    const from = Number(match?.[1]), to = Number(match?.[2] ?? match?.[1]);
    if (match !== null && to >= from && Number.isSafeInteger(to)) return [from, to + 1];
    throw new UsageError("InvalidRange", `Cannot use --${flag} ${text}: it is neither a number nor a range`, {
      hint: "ranges look like 16-31 or 0x100-0x1ff",
    });
  });
}

/** A count of a flag as a number. */
function amount(args: Arguments, flag: string): number | undefined {
  const given = count(args, flag);
  return given === undefined ? undefined : Math.min(Number(given), Number.MAX_SAFE_INTEGER);
}

function tracerOptions(args: Arguments): TracerOptions {
  const names = args.values("function");
  return {
    functions: names.length === 0 ? undefined : names.map((name) => /^\d+$/.test(name) ? Number(name) : name),
    pcs: intervals(args, "pc"),
    memory: intervals(args, "memory"),
    syscallsOnly: args.has("syscalls"),
    every: amount(args, "every"),
    most: amount(args, "most"),
    last: amount(args, "last"),
  };
}

/** Writes a trace in one of the formats. */
interface TraceWriter {
  chunk(chunk: TraceChunk): void;
  end(hash: string): void;
}

function writerOf(
  format: Format,
  tracer: Tracer,
  complete: boolean,
  write: (bytes: Uint8Array) => void,
): TraceWriter {
  switch (format) {
    case "binary":
      return new BinaryTraceWriter(tracer.code, complete, write);
    case "jsonl":
      return new JsonLinesTraceWriter(tracer.code, complete, write);
    case "perfetto":
      return new PerfettoTraceWriter(tracer.code, write);
    case "text":
      return textWriter(tracer.code, write);
  }
}

/** A text with a guest's names in it, which shall steer no terminal and begin no line. */
function oneLine(text: string): string {
  return escaped(text).replaceAll("\n", "\\n");
}

/** A line per instruction and event. */
function textWriter(code: TraceCode, write: (bytes: Uint8Array) => void): TraceWriter {
  let lines: string[] = [], place = "";
  return {
    chunk(chunk) {
      walk(chunk, {
        instruction(chunk, row) {
          const pc = chunk.pc[row]!, label = functionLabel(code, pc), depth = chunk.depth[row]!;
          if (label !== place) lines.push(`${oneLine(place = label)}:`);
          const index = String(chunk.step?.[row] ?? chunk.first + row).padStart(8);
          const top = chunk.height[row]! > 0 ? `top ${chunk.top[row]}` : "empty";
          lines.push(
            `${index}  ${String(pc).padStart(6)}  ${
              instructionText(code, pc).padEnd(24)
            }  ${top}  depth ${depth}  ` +
              `fuel ${chunk.fuel[row]! >>> 0}`,
          );
        },
        event: (chunk, event) => void lines.push(`          ${oneLine(eventText(code, chunk, event))}`),
      });
      write(encoder.encode(lines.map((line) => `${line}\n`).join("")));
      lines = [];
    },
    end: () => {},
  };
}

/** What was traced. */
interface Traced {
  readonly outcome: Outcome;
  readonly tracer: Tracer;
}

async function traced(
  args: Arguments,
  program: Program,
  format: Format,
  target: OutputFile,
): Promise<Traced> {
  const options = tracerOptions(args);
  const ringed = options.last !== undefined;
  const most = options.most ?? (format === "text" && !ringed ? TEXT_INSTRUCTIONS : undefined);
  let writer: TraceWriter | undefined;
  const chunk = (chunk: TraceChunk) => {
    writer ??= writerOf(
      format,
      tracer,
      wholeRun(options) && most === undefined,
      (bytes) => target.write(bytes),
    );
    writer.chunk(chunk);
  };
  const tracer: Tracer = new Tracer({ ...options, most, ...ringed ? {} : { sink: chunk } });
  const outcome = await program.runWatched({ tracer });
  if (ringed) lastOf(tracer, options.last!).forEach(chunk);
  else tracer.finish();
  writer ??= writerOf(format, tracer, wholeRun(options), (bytes) => target.write(bytes));
  writer.end(tracer.hash());
  return { outcome, tracer };
}

/** Whether options leave nothing out. */
function wholeRun({ functions, pcs, memory, syscallsOnly, every = 1, last }: TracerOptions): boolean {
  return functions === undefined && pcs === undefined && memory === undefined && !syscallsOnly &&
    every === 1 &&
    last === undefined;
}

/** The pieces with the last instructions, cut to so many. */
function lastOf(tracer: Tracer, last: number): readonly TraceChunk[] {
  const chunks = [...tracer.chunks()];
  let rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  while (chunks.length > 1 && rows - chunks[0]!.rows >= last) rows -= chunks.shift()!.rows;
  const skip = rows - last;
  if (skip > 0) chunks[0] = chunks[0]!.from(skip);
  // A file that begins in the middle tells the number of each instruction.
  for (const chunk of chunks) {
    chunk.step ??= Float64Array.from({ length: chunk.rows }, (_, row) => chunk.first + row);
    chunk.clock ??= Float64Array.from({ length: chunk.events }, (_, i) => chunk.first + chunk.at[i]!);
  }
  return chunks;
}

/** The `trace` command. */
export const traceCommand: Command = {
  name: "trace",
  summary: "Run a program and record every instruction and every change",
  usage: "<file> [flags] [--] [guest arguments]",
  notes: [
    "The run is that of run: the same function, arguments, plugins and WASI; results, fuel and traps are",
    "the same. Recorded are all instructions with pc, opcode, stack, call depth and fuel, every read and",
    "write of memory with old and new values, changes of tables, globals and segments, calls of host",
    "functions and what they did to the memory, traps and pauses.",
    "",
    "--output chooses the format by its ending, unless --format does: .jsonl for JSON lines, .json for a",
    "Chrome trace that ui.perfetto.dev opens (one instruction is one microsecond), .txt for text, others",
    "binary, which diff reads. Ctrl-C ends the run and leaves a whole file. Without --output text goes to standard output, the first 1000 instructions",
    "unless --most or --last says how many, and what the program writes to standard error.",
  ],
  flags: [
    { name: "output", short: "o", value: "file", text: "Where to write the trace" },
    { name: "format", value: "name", choices: FORMATS, text: `Format: ${FORMATS.join(", ")}` },
    {
      name: "function",
      value: "name",
      many: true,
      text: "Only instructions of this function, by name or index",
    },
    { name: "pc", value: "from-to", many: true, text: "Only instructions at these places of the rWasm code" },
    {
      name: "memory",
      value: "from-to",
      many: true,
      text: "Only instructions that touch these bytes of memory",
    },
    { name: "syscalls", text: "Only calls of host functions" },
    { name: "every", value: "n", text: "Only every n-th instruction" },
    { name: "most", value: "n", text: "Stop recording after n instructions; the run goes on" },
    { name: "last", value: "n", text: "Record only the last n instructions, such as those before a trap" },
    ...WATCH_FLAGS,
    ...PROGRAM_FLAGS,
  ],
  examples: [
    [
      "deno run --allow-read mod.ts trace examples/fib/fib.wasm --invoke fib --most 40 5",
      "the first forty instructions of fib(5), as text",
    ],
    [
      "deno run --allow-read --allow-write mod.ts trace app.wasm -o app.json",
      "a picture of the run for ui.perfetto.dev",
    ],
    [
      "deno run --allow-read --allow-write mod.ts trace app.wasm -o a.trace",
      "a whole run in a file that diff compares",
    ],
    [
      "deno run --allow-read mod.ts trace app.wasm --last 100",
      "what led to a trap",
    ],
    [
      "deno run --allow-read mod.ts trace app.wasm --memory 0x1000-0x1003",
      "who reads and writes a variable",
    ],
  ],

  async run(args, host) {
    const file = fileArgument("trace", args), format = formatOf(args), output = args.value("output") ?? "-";
    tracerOptions(args);
    const access = programAccess(args, file);
    await host.permit({ ...access, write: [...access.write ?? [], output] });
    const aside = output === "-";
    const guests: Host = aside ? { ...host, emit: (_stream, bytes) => host.emit("err", bytes) } : host;
    const program = await prepareProgram(guests, args, file, args.positional.slice(1));
    const target = new OutputFile(host, output);
    let result: Traced;
    try {
      result = await traced(args, program, format, target);
      await target.close();
    } catch (error) {
      target.discard();
      throw error;
    }
    const { outcome, tracer } = result, { instructions, executed } = tracer;
    if (!aside && args.has("json")) {
      printJson(host, {
        ...outcomeData(outcome, program.type),
        output,
        bytes: target.length,
        instructions,
        executed,
        hash: tracer.hash(),
        fuel: { consumed: program.store.consumedFuel() },
      });
    } else {
      if (!aside || outcome.status !== "done") printOutcome(host, outcome, program.type);
      if (!args.has("quiet")) {
        const of = instructions === executed && !tracer.truncated ? "" : " of a longer run";
        const last = args.value("last"),
          kept = last === undefined ? "" : ` (kept: the last ${Math.min(Number(last), instructions)})`;
        host.note(
          `traced ${instructions} instructions${of}${kept}, ${target.length} bytes, hash ${tracer.hash()}`,
        );
      }
    }
    return program.exitCode(outcome);
  },
};
