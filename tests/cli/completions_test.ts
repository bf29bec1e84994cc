import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { flagsOf } from "../../lib/cli/command.ts";
import { completionScript, SHELLS } from "../../lib/cli/completions.ts";
import { COMMANDS } from "../../lib/cli/main.ts";
import { commandLine } from "./command_line.ts";

for (const shell of SHELLS) {
  Deno.test(`completions ${shell} has every command and every flag`, async () => {
    const { code, out, err } = await commandLine(["completions", shell]);
    assertEquals([code, err], [0, ""]);
    for (const command of COMMANDS) {
      assertStringIncludes(out, command.name);
      for (const { name } of flagsOf(command)) {
        assertStringIncludes(out, shell === "fish" ? `-l ${name}` : `--${name}`);
      }
    }
    assertEquals(JSON.parse((await commandLine(["completions", shell, "--json"])).out).script, out);
    assertStringIncludes((await commandLine(["completions", shell, "--name", "rw"])).out, "rw");
  });

  Deno.test(`completions ${shell} parse`, async (t) => {
    try {
      await parses(shell);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await t.step({ name: `left out: ${shell} is not installed`, ignore: true, fn: () => {} });
    }
  });
}

async function parses(shell: typeof SHELLS[number]): Promise<void> {
  const file = await Deno.makeTempFile({ prefix: "rwasm-completions-" });
  try {
    // A text with every character that means something to a shell must come out as a text.
    const [first, ...rest] = COMMANDS;
    const hostile = { name: "evil", text: 'it\'s [a] "test" $(exit 3) `x` \\ : end', value: "a:b" };
    const commands = [{ ...first, flags: [...first.flags, hostile] }, ...rest];
    await Deno.writeTextFile(file, completionScript(shell, "rwasm", commands));
    const { success, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
    assert(success, new TextDecoder().decode(stderr));
    assertEquals(new TextDecoder().decode(stderr), "");
  } finally {
    await Deno.remove(file);
  }
}

// Each: the words typed, the last one under way, and some of what is offered.
const OFFERS: readonly (readonly [words: readonly string[], offered: readonly string[], not: string])[] = [
  [[""], ["run", "inspect", "completions", "help"], "--fuel"],
  [["co"], ["compile", "completions"], "run"],
  [["run", "--f"], ["--fuel", "--floats"], "--force"],
  [["inspect", "--d"], ["--dts", "--disassemble"], "--dir"],
  [["run", "--clock", ""], ["virtual", "real"], "run"],
  [["compile", "-p", "mo"], ["mod.ts"], "--plugin"],
  [["run", "--dir", "li"], ["lib"], "mod.ts"],
  [["completions", ""], ["bash", "zsh", "fish"], "mod.ts"],
  [["help", "n"], ["new-plugin"], "run"],
  [["run", "a.wasm", "--", "mo"], ["mod.ts"], "--json"],
];

Deno.test("completions bash offer what fits the place", async () => {
  const script = completionScript("bash", "rwasm", COMMANDS);
  const asks = OFFERS.map(([words]) =>
    `COMP_WORDS=(rwasm ${words.map((word) => `'${word}'`).join(" ")})\nCOMP_CWORD=${words.length}\n` +
    '_rwasm\necho "${COMPREPLY[*]}"'
  );
  const child = new Deno.Command("bash", {
    args: ["--norc", "-c", `${script}\n${asks.join("\n")}`],
    cwd: new URL("../../", import.meta.url),
  });
  const { code, stdout, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  const answers = new TextDecoder().decode(stdout).split("\n");
  OFFERS.forEach(([words, offered, not], at) => {
    const answer = answers[at].split(" ");
    for (const word of offered) assert(answer.includes(word), `${words.join(" ")}: ${answer.join(" ")}`);
    assert(!answer.includes(not), `${words.join(" ")} offers ${not}`);
  });
});
