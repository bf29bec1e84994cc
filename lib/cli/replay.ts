/**
 * `replay`: runs a recorded program again with the recording in the place of its host; and what `run`
 * needs to make a recording.
 *
 * @module
 */

import { LinkError, UsageError } from "../error.ts";
import type { RwasmModule, ValueType } from "../isa/module.ts";
import { RwasmExecutor } from "../run/executor.ts";
import { HostRecorder } from "../trace/record.ts";
import { parseRecording, type Recording } from "../trace/recording.ts";
import { recordedLinker, replayRecording } from "../trace/replay.ts";
import type { Outcome } from "../vm/outcome.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit, exitCodeOfGuest, exitCodeOfTrap } from "./exit.ts";
import { guestSink } from "./guest_output.ts";
import type { Host } from "./host.ts";
import { moduleOf, readSource } from "./input.ts";
import { outcomeData, printOutcome } from "./outcome.ts";
import type { Context } from "./plugins.ts";
import { OutputFile } from "./output_file.ts";
import { prepareProgram, programAccess } from "./program.ts";
import { printJson } from "./report.ts";
import { outputData } from "./wasi.ts";

/** What a recording notes of the command line that made it. */
interface Notes {
  /** What the program was called. */
  readonly file: string;
  /** Compiler options that change the code. */
  readonly unmetered: boolean;
  readonly floats: "deterministic" | "trap";
  readonly zeros: boolean;
}

/** Characters of a recording that are collected before they are written. */
const PIECE = 1 << 20;

/** Flags of `run` that a recording cannot be made with: a run that pauses is not recorded here. */
const EXCLUDED = ["snapshot", "pause-at-fuel", "timeout"] as const;

/**
 * Runs a program as `run` does and records what its host answers.
 *
 * @param path file of the recording
 */
export async function recordRun(host: Host, args: Arguments, file: string, path: string): Promise<number> {
  for (const flag of EXCLUDED) {
    if (args.value(flag) === undefined) continue;
    throw new UsageError(
      "RecordExcludes",
      `Cannot use --record with --${flag}: a recorded run does not pause`,
    );
  }
  if (path === "-") {
    throw new UsageError("OutputTaken", "Cannot use --record -: standard output is the guest's");
  }
  const access = programAccess(args, file);
  await host.permit({ ...access, write: [...access.write ?? [], path] });
  const target = new OutputFile(host, path);
  let lines = "", failure: { readonly error: unknown } | undefined;
  const flush = (): void => {
    try {
      if (failure === undefined) target.write(new TextEncoder().encode(lines));
    } catch (error) {
      // A full disk is no answer of a host function: the guest goes on, and the user is told at the end.
      failure = { error };
    }
    lines = "";
  };
  let recorder: HostRecorder<Context> | undefined;
  const program = await prepareProgram(host, args, file, args.positional.slice(1), (linker) => {
    recorder = new HostRecorder(linker, (line) => {
      lines += `${line}\n`;
      if (lines.length >= PIECE) flush();
    });
    return recorder.linker;
  });
  const notes: Notes = {
    file,
    unmetered: args.has("unmetered"),
    floats: args.value("floats") === "trap" ? "trap" : "deterministic",
    zeros: args.value("unknown-imports") === "zero",
  };
  recorder!.attach(program.store, program.module, notes);
  let outcome: Outcome;
  try {
    outcome = program.run({}, (executor) => recorder!.over(executor));
  } finally {
    flush();
    if (failure === undefined) await target.close();
  }
  const { store, type, wasi } = program;
  if (args.has("json")) {
    printJson(host, {
      ...outcomeData(outcome, type),
      ...wasi === undefined ? {} : outputData(wasi),
      fuel: { consumed: store.consumedFuel(), remaining: store.remainingFuel() ?? null },
      recording: path,
    });
  } else {
    printOutcome(host, outcome, type);
    if (!args.has("quiet")) {
      host.note(`fuel used: ${store.consumedFuel()}${failure === undefined ? `; recorded in ${path}` : ""}`);
    }
  }
  if (failure !== undefined) throw failure.error;
  return program.exitCode(outcome);
}

function notesOf({ head: { notes } }: Recording): Partial<Notes> {
  return typeof notes === "object" && notes !== null ? notes : {};
}

/** Types of what the last run of a recording gave. */
function resultTypes({ lines }: Recording): readonly ValueType[] {
  const last = lines.at(-1);
  return last !== undefined && "ended" in last ? last.ended.results?.types ?? [] : [];
}

/** The exit code that a program of WASI asked for: the argument of proc_exit, if that was its last call. */
function guestExit({ head, lines }: Recording): number {
  const last = lines.findLast((line) => "call" in line);
  if (last === undefined || !("call" in last) || last.end !== "halt") return Exit.Ok;
  const called = head.functions.find(({ index }) => index === last.call);
  return called?.name === "proc_exit" ? last.args[0] ?? Exit.Ok : Exit.Ok;
}

/** Compiles for a replay, for which an import that the recording does not offer means that it is of another module. */
async function compiled(compile: () => Promise<RwasmModule>): Promise<RwasmModule> {
  try {
    return await compile();
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    throw new LinkError("OtherModule", "Cannot replay: the recording is of another module", {
      hint: "this one imports what the recorded one did not",
      cause: error,
    });
  }
}

/** The `replay` command. */
export const replayCommand: Command = {
  name: "replay",
  summary: "Run a recorded program again, without its plugins",
  usage: "<recording> <file> [flags]",
  notes: [
    "The recording is one that run --record wrote; the file is the program it is of. The program runs",
    "again, and what its host functions answered, charged and wrote to its memory comes from the",
    "recording: no plugin, no file and no clock is needed. What a program of WASI wrote is written again.",
    "",
    "Where the program asks for something else than when it was recorded, the replay stops, says so, and",
    "the exit code is 14. Otherwise it is that of the recorded run.",
  ],
  flags: [
    { name: "quiet", short: "q", text: "Print no summary" },
  ],
  examples: [
    [
      "deno run --allow-read mod.ts replay run.jsonl app.wasm",
      "what was recorded with run app.wasm --record run.jsonl",
    ],
    [
      "deno run --allow-read mod.ts replay run.jsonl app.wasm --json",
      "the same as JSON, with what the program wrote",
    ],
  ],

  async run(args, host) {
    const [path, file] = args.positional;
    if (path === undefined || file === undefined) {
      throw new UsageError("MissingFile", "Cannot replay: a recording and its program are needed", {
        hint: "such as replay run.jsonl app.wasm; run --record makes a recording",
      });
    }
    await host.permit({ read: [path, file] });
    const recording = parseRecording(new TextDecoder().decode(await host.read(path)));
    const source = await readSource(host, file), { unmetered = false, floats, zeros } = notesOf(recording);
    const module = await compiled(() =>
      moduleOf(
        source,
        {
          linker: recordedLinker(recording),
          limits: recording.head.limits,
          consumeFuel: !unmetered,
          floats: floats === "trap" ? "trap" : "deterministic",
          ...zeros === true ? { defaultImportedGlobalValue: 0n } : {},
        },
        host,
        args,
      )
    );
    const json = args.has("json"), sinks = { 1: guestSink(host, "out"), 2: guestSink(host, "err") } as const;
    const kept: Record<1 | 2, string> = { 1: "", 2: "" };
    const decoders = { 1: new TextDecoder(), 2: new TextDecoder() } as const;
    const { calls, outcome, fuel, difference } = replayRecording(recording, module, {
      executor: (store, module) => new RwasmExecutor(store, module),
      output: ({ descriptor, bytes }) => {
        if (descriptor !== 1 && descriptor !== 2) return;
        if (json) kept[descriptor] += decoders[descriptor].decode(bytes, { stream: true });
        else sinks[descriptor].write(bytes);
      },
    });
    sinks[1].end();
    sinks[2].end();
    const type = { params: [], results: resultTypes(recording) };
    if (json) {
      const data = outcome === undefined ? { status: "nothing" } : outcomeData(outcome, type);
      printJson(host, {
        ...data,
        ...difference === undefined ? {} : { status: "different", difference },
        stdout: kept[1],
        stderr: kept[2],
        calls,
        fuel: { consumed: fuel },
      });
    } else if (difference !== undefined) {
      const { expected, found, pc } = difference, where = pc === undefined ? "" : ` at pc ${pc}`;
      host.note(
        `the program did something else${where}, after ${difference.calls} calls of host functions\n` +
          `  recorded: ${expected}\n  now:      ${found}`,
      );
    } else {
      if (outcome !== undefined) printOutcome(host, outcome, type);
      if (!args.has("quiet")) host.note(`fuel used: ${fuel}; ${calls} calls of host functions were answered`);
    }
    if (difference !== undefined) return Exit.Different;
    if (outcome?.status === "trap") return exitCodeOfTrap(outcome.trap);
    return outcome?.status === "paused" ? Exit.Paused : exitCodeOfGuest(guestExit(recording));
  },
};
