import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EXIT_CODES } from "../../lib/cli/exit.ts";
import manifest from "../../deno.json" with { type: "json" };
import { commandLine } from "./command_line.ts";

const COMMANDS = ["run", "compile", "inspect", "profile", "link", "new-plugin", "completions"];

Deno.test("--help lists every command and every exit code on standard output", async () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    const { code, out, err } = await commandLine(args);
    assertEquals([code, err], [0, ""]);
    for (const name of COMMANDS) assertMatch(out, new RegExp(`^  ${name} `, "m"));
    for (const [exit, meaning] of EXIT_CODES) assertStringIncludes(out, `${exit}  ${meaning}\n`);
    assertStringIncludes(out, "proc_exit(n) makes the exit code n");
  }
});

for (const name of COMMANDS) {
  Deno.test(`${name} --help has a usage line, its flags and two examples`, async () => {
    const printed = await commandLine([name, "--help"]);
    assertEquals([printed.code, printed.err], [0, ""]);
    assertStringIncludes(printed.out, `mod.ts ${name} <`);
    for (const flag of ["--color <when>", "--json", "-h, --help"]) assertStringIncludes(printed.out, flag);
    const examples = printed.out.match(new RegExp(`^  deno run .*mod.ts ${name} `, "gm")) ?? [];
    assert(examples.length >= 2, `${examples.length} examples`);
    assertEquals((await commandLine(["help", name])).out, printed.out);
    assertEquals((await commandLine([name, "--nonsense", "-h"])).out, printed.out);
  });
}

Deno.test("--version prints the version of deno.json", async () => {
  for (const flag of ["--version", "-V"]) {
    const { code, out } = await commandLine([flag]);
    assertEquals(code, 0);
    assert(out.startsWith(`rwasm ${manifest.version} (deno `), out);
  }
});

Deno.test("no arguments are a usage error with the help on standard error", async () => {
  const { code, out, err } = await commandLine([]);
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "Commands:");
});

// Each: arguments, what the message says, what the hint says.
const USAGE_ERRORS: readonly (readonly [args: string, message: string, hint: string])[] = [
  ["rnu a.wasm", 'error[UnknownCommand]: Cannot run: there is no command "rnu"', "did you mean run?"],
  [
    "frobnicate",
    "UnknownCommand",
    "the commands are run, resume, compile, inspect, profile, trace, diff, replay, link, new-plugin, completions, help",
  ],
  ["--fuel 3 run a.wasm", "UnknownFlag", "the command comes first"],
  ["run --feul 3 a.wasm", "there is no flag --feul", "did you mean --fuel?"],
  ["run -z a.wasm", "there is no flag -z", "the flags are --invoke"],
  ["run a.wasm --constructor", "there is no flag --constructor", "the flags are"],
  ["run a.wasm --fuel", "--fuel needs a value, <n>", "written --fuel=<n>"],
  ["run a.wasm --fuel --json", "--fuel needs a value", ""],
  ["run a.wasm --fuel=", "--fuel needs a value", ""],
  ["run a.wasm --fuel 1 --fuel 2", "--fuel is given more than once", ""],
  ["run a.wasm --fuel 1.5", "Cannot use --fuel 1.5", ""],
  ["run a.wasm --fuel 18446744073709551616", "an integer from 0 to 2^64 - 1", ""],
  ["run a.wasm --engine natvie", "it must be auto or interpreter or native", "did you mean native?"],
  ["run a.wasm --limits memorypages=3", "Cannot use --limits memorypages=3", "did you mean memoryPages?"],
  ["run a.wasm --limits memoryPages=-1", "Cannot use --limits memoryPages=-1", ""],
  ["run a.wasm --limits memoryPages=99999", "from 0 to 32768, not 99999", ""],
  ["run a.wasm --limits __proto__=1", "Cannot use --limits __proto__=1", "the limits are"],
  ["run a.wasm --unmetered --fuel 3", "Cannot use --fuel with --unmetered", ""],
  ["run", "Cannot run: no file is given", "name a .wasm or .rwasm file"],
  ["compile a.wasm", "no output file is given", "add -o a.rwasm"],
  ["compile a.wasm -o - --json", "Cannot use --json with -o -", ""],
  ["compile a.wasm b.wasm -o c", "one file at a time", ""],
  ["inspect a.wasm b.wasm", "one file at a time", ""],
  ["run a.wasm --fuel 3T", "Cannot use --fuel 3T", "10M"],
  ["run a.wasm --fuel 0x10k", "Cannot use --fuel 0x10k", ""],
  ["run a.wasm --fuel 99999999999G", "an integer from 0 to 2^64 - 1", ""],
  ["run a.wasm --color sometimes", "it must be auto or always or never", ""],
  ["run - --stdin -", "both are standard input", ""],
  ["help rnu", "there is no command", "did you mean run?"],
  ["link", "Cannot link: no file is given", ""],
  ["completions", "no shell is given", "the shells are bash, zsh, fish"],
  ["completions bahs", "there are no completions for bahs", "did you mean bash?"],
  ["completions bash --name $(x)", "a program has letters", ""],
  ["new-plugin", "one name is needed", "such as new-plugin kv"],
  ["new-plugin a/b/c$d", "Cannot make plugin c$d", ""],
];

for (const [line, message, hint] of USAGE_ERRORS) {
  Deno.test(`"${line}" is a usage error that helps`, async () => {
    const { code, out, err } = await commandLine(line.split(" "));
    assertEquals(code, 2);
    // With --json the error is the result.
    assertEquals([out === "", err === ""], line.includes("--json") ? [false, true] : [true, false]);
    assertStringIncludes(out + err, message);
    assertStringIncludes(out + err, hint);
    assertEquals((out + err).includes(".ts:"), false, "no stack is shown");
  });
}

Deno.test("with --json an error is a document on standard output", async () => {
  const { code, out, err } = await commandLine(["run", "a.wasm", "--feul", "3", "--json"]);
  assertEquals([code, err], [2, ""]);
  const { schema, status, error } = JSON.parse(out);
  assertEquals([schema, status, error.name, error.code], [1, "error", "UsageError", "UnknownFlag"]);
});

Deno.test("a file that is not there is a host error", async () => {
  const { code, err } = await commandLine(["inspect", "nowhere.wasm"]);
  assertEquals(code, 1);
  assertEquals(err, "error[FileNotFound]: Cannot read nowhere.wasm: there is no such file or folder\n");
});

Deno.test("--version --json is one document", async () => {
  const { code, out } = await commandLine(["--version", "--json"]);
  assertEquals([code, JSON.parse(out).rwasm], [0, manifest.version]);
});

Deno.test("--color decides about colors in messages, also when arguments are wrong", async () => {
  const colored = "\x1b[1;31merror[FileNotFound]\x1b[0m";
  assertStringIncludes((await commandLine(["run", "a.wasm", "--color", "always"])).err, colored);
  assertStringIncludes((await commandLine(["rnu", "--color=always"])).err, "\x1b[1;31m");
  assertEquals((await commandLine(["run", "a.wasm", "--color=never"])).err.includes("\x1b"), false);
  assertEquals((await commandLine(["run", "a.wasm", "--", "--color=always"])).err.includes("\x1b"), false);
});
