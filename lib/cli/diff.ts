/**
 * `diff`: finds where two runs part: of two traces in files, or of two programs that are run here.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { isTraceFile, readBinaryTrace } from "../trace/binary_reader.ts";
import { diffTraces, type Divergence } from "../trace/diff.ts";
import { diffRuns, type RunMaker } from "../trace/diff_runs.ts";
import { readJsonLinesTrace } from "../trace/json_lines.ts";
import type { Trace } from "../trace/rebuild.ts";
import { Tracer } from "../trace/tracer.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit } from "./exit.ts";
import { type Host, printable } from "./host.ts";
import { prepareProgram, PROGRAM_FLAGS, programAccess } from "./program.ts";
import { printJson } from "./report.ts";

const encoder = new TextEncoder();

/** A trace of a file; undefined when the file is none. */
function traceOf(bytes: Uint8Array): Trace | undefined {
  if (isTraceFile(bytes)) return readBinaryTrace(bytes);
  return bytes[0] === 0x7b ? readJsonLinesTrace(bytes) : undefined;
}

/** Gives bytes piece by piece, as an input does. */
function fedBy(bytes: Uint8Array): Host["input"] {
  let at = 0;
  return (length) => {
    const piece = bytes.slice(at, at + length);
    at += piece.length;
    return piece.length === 0 ? null : piece;
  };
}

/** Runs a program again and again, without its output. */
function runsOf(
  host: Host,
  args: Arguments,
  file: string,
  guestArguments: readonly string[],
  input: Uint8Array | undefined,
): RunMaker {
  return async (options) => {
    const silent: Host = {
      ...host,
      terminal: { out: false, err: false },
      input: input === undefined ? host.input : fedBy(input),
      emit: () => {},
      print: () => {},
      note: () => {},
    };
    const program = await prepareProgram(silent, args, file, guestArguments), tracer = new Tracer(options);
    program.run({ tracer });
    return tracer;
  };
}

function report(difference: Divergence): string {
  const { instruction, what, a, b, lastSyscall } = difference, lines: string[] = [];
  if (instruction === undefined) {
    lines.push("the runs differ before the first instruction");
  } else {
    const { index, pc, text, function: name, operands } = instruction;
    lines.push(`the runs part at instruction ${index}: ${text} at pc ${pc} in ${name}`);
    if (operands.length > 0) lines.push(`  operands (top first): ${operands.join(", ")}`);
  }
  lines.push(`  what differs: ${what.join("; ")}`, `  first run:  ${a}`, `  second run: ${b}`);
  lines.push(
    lastSyscall === undefined
      ? "  no host function was called before"
      : `  last call of a host function: ${lastSyscall.name} at instruction ${lastSyscall.index}`,
  );
  return lines.join("\n");
}

/** The `diff` command. */
export const diffCommand: Command = {
  name: "diff",
  summary: "Find the first instruction at which two runs part",
  usage: "<a> <b> [flags] [--] [guest arguments]",
  notes: [
    "Both files are traces that trace wrote, binary or JSON lines; or both are programs, .wasm or .rwasm,",
    "which are run with the same flags and arguments. Runs are not stored: they are made again until the",
    "hashes of their pieces have shown where they part. A change of memory that neither the program nor",
    "a host function made, as by a failing part of the computer, is found to the instruction as well.",
    "",
    "Shown are the last instruction both have in common, its function and operands, what differs, and",
    "the last host function both called. The exit code is 0 when there is no difference.",
  ],
  flags: PROGRAM_FLAGS,
  examples: [
    ["deno run --allow-read mod.ts diff a.trace b.trace", "where two traces part"],
    [
      "deno run --allow-read mod.ts diff before.wasm after.wasm --invoke main -- 7",
      "where two versions of a program part",
    ],
  ],

  async run(args, host) {
    const [first, second, ...guestArguments] = args.positional;
    if (first === undefined || second === undefined) {
      throw new UsageError("MissingFile", "Cannot compare: two files are needed", {
        hint: "two traces, or two programs; see help diff",
      });
    }
    const access = programAccess(args, first);
    await host.permit({ ...access, read: [...access.read ?? [], second] });
    const a = traceOf(await host.read(first)), b = traceOf(await host.read(second));
    let difference: Divergence | undefined;
    if (a !== undefined && b !== undefined) {
      difference = diffTraces(a, b);
    } else if (a !== undefined || b !== undefined) {
      throw new UsageError("MixedFiles", "Cannot compare: one file is a trace and the other is not", {
        hint: "compare two traces, or two programs",
      });
    } else {
      const shows = host.terminal.err && !args.has("quiet"),
        clear = () => {
          if (shows) host.emit("err", encoder.encode("\r\x1b[K"));
        };
      const progress = (what: string) => {
        clear();
        if (shows) host.emit("err", encoder.encode(what));
      };
      // Standard input can be read once, and every run wants it.
      const input = args.value("stdin") === "-" ? await host.read("-") : undefined;
      const [left, right] = [first, second].map((file) => runsOf(host, args, file, guestArguments, input));
      try {
        difference = await diffRuns(left!, right!, progress);
      } finally {
        clear();
      }
    }
    if (args.has("json")) {
      printJson(host, { status: difference === undefined ? "equal" : "different", difference });
    } else host.print(difference === undefined ? "the runs are equal" : printable(report(difference)));
    return difference === undefined ? Exit.Ok : Exit.Different;
  },
};
