/**
 * `profile`: runs a program and tells where its fuel went, or compares two profiles. The run is that
 * of `run`; the report goes to a file or to standard output.
 *
 * @module
 */

import { basename } from "node:path";
import { UsageError } from "../error.ts";
import { cpuProfileJson } from "../trace/cpuprofile.ts";
import { flamegraphSvg } from "../trace/flamegraph.ts";
import { diffHtml, profileHtml } from "../trace/flamegraph_page.ts";
import { foldedStacks, type StackProfile } from "../trace/folded.ts";
import { longText } from "../trace/page_text.ts";
import { type Profile, Profiler } from "../trace/profile.ts";
import { diffProfiles } from "../trace/profile_diff.ts";
import { parseProfile, profileData } from "../trace/profile_json.ts";
import { diffText, profileText } from "../trace/profile_text.ts";
import { speedscopeJson } from "../trace/speedscope.ts";
import { linesOf, type SourceLine } from "../wasm/dwarf.ts";
import type { Outcome } from "../vm/outcome.ts";
import { type Arguments, choice, fileArgument } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Exit } from "./exit.ts";
import type { Host } from "./host.ts";
import { outcomeData, printOutcome } from "./outcome.ts";
import { prepareProgram, type Program, PROGRAM_FLAGS, programAccess } from "./program.ts";
import { printJson } from "./report.ts";
import { WATCH_FLAGS } from "./watch.ts";

const FORMATS = ["text", "folded", "svg", "html", "speedscope", "cpuprofile", "json"] as const;
type Format = typeof FORMATS[number];

/** Formats of file names; the longest ending decides. */
const ENDINGS: readonly (readonly [ending: string, format: Format])[] = [
  [".speedscope.json", "speedscope"],
  [".json", "json"],
  [".cpuprofile", "cpuprofile"],
  [".folded", "folded"],
  [".svg", "svg"],
  [".html", "html"],
  [".txt", "text"],
];

const encoder = new TextEncoder();

function formatOf(args: Arguments): Format {
  const asked = choice(args, "format", FORMATS), output = args.value("output");
  if (asked !== undefined) return asked;
  if (output === undefined || output === "-") return args.has("json") ? "json" : "text";
  const known = ENDINGS.find(([ending]) => output.toLowerCase().endsWith(ending));
  if (known !== undefined) return known[1];
  throw new UsageError("UnknownFormat", `Cannot write ${output}: its name does not tell the format`, {
    hint: `add --format, or one of the endings ${ENDINGS.map(([ending]) => ending).join(", ")}`,
  });
}

/** Where functions and offsets are in the source, for a program with DWARF. */
function sourcesOf({ modules, functions }: Profile): {
  at(module: number, offset: number): SourceLine | undefined;
  of(fn: number): SourceLine | undefined;
} {
  const at = (module: number, offset: number) => linesOf(modules[module]!)?.lineAt(offset);
  return {
    at,
    of(fn) {
      const { module, pc } = functions[fn]!;
      const offsets = module === undefined ? undefined : modules[module]!.info?.wasmOffsets;
      if (offsets === undefined || pc === undefined) return undefined;
      // A function begins with its local declarations; its first operator has the first line.
      let first = pc;
      while (first < pc + 4 && at(module!, offsets[first]!) === undefined) first++;
      return at(module!, offsets[first]!);
    },
  };
}

function written(profile: Profile, format: Format, title: string): string {
  const sources = sourcesOf(profile);
  switch (format) {
    case "text":
      return profileText(profile, sources.at);
    case "folded":
      return foldedStacks(profile);
    case "svg":
      return flamegraphSvg(profile, { title });
    case "html":
      return profileHtml(profile, { title });
    case "speedscope":
      return speedscopeJson(profile, title, sources.of);
    case "cpuprofile":
      return cpuProfileJson(profile, title, sources.of);
    case "json":
      return longText("a profile", () => `${JSON.stringify(profileData(profile, sources.at))}\n`);
  }
}

/** Runs a program under a profiler; what it prints goes to standard error when the report needs standard output. */
async function profiled(
  program: Program,
): Promise<{ readonly outcome: Outcome; readonly profile: Profile }> {
  const profiler = new Profiler();
  const outcome = await program.runWatched({ tracer: profiler });
  return { outcome, profile: profiler.profile() };
}

async function report(host: Host, args: Arguments, text: string): Promise<void> {
  const output = args.value("output") ?? "-", bytes = encoder.encode(text);
  if (output === "-") return host.emit("out", bytes);
  await host.write(output, bytes);
  if (!args.has("quiet")) host.note(`${output}: ${bytes.length} bytes`);
}

async function profile(host: Host, args: Arguments): Promise<number> {
  const file = fileArgument("profile", args), format = formatOf(args), output = args.value("output");
  if (args.has("unmetered")) {
    throw new UsageError("NothingToProfile", "Cannot use --unmetered: unmetered code charges nothing");
  }
  const access = programAccess(args, file);
  await host.permit({
    ...access,
    write: [...access.write ?? [], ...output === undefined ? [] : [output]],
  });
  const aside = output === undefined || output === "-";
  // The report has standard output for itself; what the program writes goes to the other stream.
  const guests: Host = aside
    ? { ...host, print: (text) => host.note(text), emit: (_stream, bytes) => host.emit("err", bytes) }
    : host;
  const program = await prepareProgram(guests, args, file, args.positional.slice(1));
  const { outcome, profile } = await profiled(program);
  await report(host, args, written(profile, format, basename(file)));
  if (!aside && args.has("json")) {
    printJson(host, { ...outcomeData(outcome, program.type), output, fuel: { consumed: profile.fuel } });
  } else if (aside) {
    if (outcome.status !== "done") printOutcome(host, outcome, program.type);
  } else {
    printOutcome(host, outcome, program.type);
    if (!args.has("quiet")) host.note(`fuel used: ${profile.fuel}`);
  }
  return program.exitCode(outcome);
}

const DIFF_FORMATS: readonly Format[] = ["text", "html", "svg", "json"];

async function compare(host: Host, args: Arguments): Promise<number> {
  const files = args.positional, output = args.value("output"), format = formatOf(args);
  if (files.length !== 2) {
    throw new UsageError("MissingFile", `Cannot compare: two profiles are needed, not ${files.length}`, {
      hint: "save them with --format json or folded: profile --diff before.json after.json",
    });
  }
  if (!DIFF_FORMATS.includes(format)) {
    throw new UsageError("UnknownFormat", `Cannot compare: there is no difference in the format ${format}`, {
      hint: `the formats of a difference are ${DIFF_FORMATS.join(", ")}`,
    });
  }
  await host.permit({ read: files, write: output === undefined ? [] : [output] });
  const read = async (file: string): Promise<StackProfile> => {
    return parseProfile(new TextDecoder().decode(await host.read(file)));
  };
  const before = await read(files[0]!), after = await read(files[1]!);
  const diff = diffProfiles(before, after);
  const title = `${basename(files[0]!)} → ${basename(files[1]!)}`;
  switch (format) {
    case "html":
      await report(host, args, diffHtml(diff, title));
      break;
    case "svg":
      await report(host, args, flamegraphSvg(diff.profile, { title, before: diff.fuelBefore }));
      break;
    case "json": {
      const change = ([before, after]: readonly [bigint, bigint]) => [String(before), String(after)];
      const functions = diff.functions.map(({ name, self, total }) => {
        return { name, self: change(self), total: change(total) };
      });
      const data = { schema: 1, status: "done", fuel: change([diff.before, diff.after]), functions };
      await report(host, args, `${JSON.stringify(data)}\n`);
      break;
    }
    default:
      await report(host, args, diffText(diff));
  }
  return Exit.Ok;
}

/** The `profile` command. */
export const profileCommand: Command = {
  name: "profile",
  summary: "Run a program and show where its fuel went, or compare two profiles",
  usage: "<file> [flags] [--] [guest arguments]",
  notes: [
    "The run is that of run: the same function, arguments, plugins and WASI. Nothing is sampled: the",
    "sum of a profile is the fuel the run consumed, to the unit. Fuel is divided by calling context,",
    "by function, by Wasm offset and by operator.",
    "",
    "The report goes to the file of --output, whose ending chooses the format unless --format does:",
    "text for people, folded stacks, an interactive flame graph as SVG or HTML, speedscope, V8's",
    ".cpuprofile (a microsecond is a unit of fuel), or JSON with every table. Without --output it goes",
    "to standard output, and what the program writes to standard error.",
    "",
    "With --diff both files are saved profiles, JSON or folded; functions are the same by name.",
  ],
  flags: [
    { name: "format", value: "name", choices: FORMATS, text: "Format of the report" },
    { name: "output", short: "o", value: "file", text: "File to write the report to; - is standard output" },
    { name: "diff", text: "Compare two saved profiles: before, then after" },
    ...WATCH_FLAGS,
    ...PROGRAM_FLAGS,
  ],
  examples: [
    [
      "deno run --allow-read mod.ts profile examples/fib/fib.wasm --invoke fib 20",
      "where the fuel of fib(20) goes, as text",
    ],
    [
      "deno run --allow-read --allow-write mod.ts profile app.wasm -o app.html",
      "a flame graph with tables, in one page",
    ],
    [
      "deno run --allow-read --allow-write mod.ts profile app.wasm -o app.speedscope.json",
      "a file for speedscope",
    ],
    [
      "deno run --allow-read mod.ts profile --diff before.json after.json",
      "what a change of the program cost or saved",
    ],
  ],

  run(args, host) {
    return args.has("diff") ? compare(host, args) : profile(host, args);
  },
};
