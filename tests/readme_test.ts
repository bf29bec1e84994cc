/**
 * The README against the program: its command lines run, its examples print what their comments say,
 * its table of exit codes is the program's. That the examples type-check is `deno test --doc`'s part.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { EXIT_CODES, GUEST_EXIT } from "../lib/cli/exit.ts";

const ROOT = new URL("../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));

/** Fenced blocks of a language. */
function blocks(language: string): string[] {
  return [...README.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map((match) =>
    match[1]
  );
}

async function deno(args: readonly string[], cwd: string | URL, script?: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  if (script !== undefined) await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

blocks("ts").forEach((block, position) => {
  Deno.test(`example ${position + 1} of the README prints what its comments say`, async () => {
    const printed = (await deno(["run", "--no-check", "--allow-read", "-"], ROOT, block)).split("\n");
    const promised = [...block.matchAll(/^.*console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    // In this order; lines without a comment may be between.
    let from = 0;
    for (const line of promised) {
      const at = printed.indexOf(line, from);
      assert(at >= 0, `"${line}" is not printed; what is printed: ${printed.join(" | ")}`);
      from = at + 1;
    }
  });
});

Deno.test("the README has examples and commands for everybody", () => {
  assert(blocks("ts").length >= 5);
  const shell = blocks("sh").join("");
  for (const line of ["examples/secp256k1/main.ts", "task test"]) {
    assert(
      shell.includes(`npx --yes deno@2.9.6 ${line.startsWith("task") ? "" : "run --allow-read "}${line}\n`),
    );
  }
});

Deno.test("the command lines of the README run", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rwasm-readme-" });
  try {
    const lines = blocks("sh").flatMap((block) => block.split("\n")).filter((line) => / mod\.ts /.test(line));
    assert(lines.length >= 4);
    // What they write belongs elsewhere.
    const written = new Set(
      lines.flatMap((line) =>
        [...line.matchAll(/ (?:-o|--html|--record|--snapshot) (\S+)/g)].map((match) => match[1])
      ),
    );
    for (const line of lines) {
      const args = line.split(" ").map((word) => written.has(word) ? `${folder}/${word}` : word);
      assertEquals(args.shift(), "deno");
      await deno(args, ROOT);
    }
    assert((await Deno.stat(`${folder}/fib.rwasm`)).size > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the README lists the exit codes of the program", () => {
  const rows = [...README.matchAll(/^\| (\d+) +\| (.*?) +\|$/gm)].map((
    [, code, text],
  ) => [Number(code), text]);
  assertEquals(rows, EXIT_CODES.map(([code, text]) => [code, text]));
  assert(README.replaceAll("`", "").includes(GUEST_EXIT));
});
