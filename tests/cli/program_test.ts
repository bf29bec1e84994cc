/**
 * The command line as a program of its own: permissions, streams, exit codes. Everything else about
 * it is tested within one process, which is faster.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
const FIB = "examples/fib/fib.wasm";
const COUNTER = "examples/counter/guest.wasm";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function deno(args: readonly string[], input?: Uint8Array<ArrayBuffer>): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  if (input !== undefined) await writer.write(input);
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test("without permissions the program prints the command line that has them, and that one works", async () => {
  const refused = await deno(["run", "mod.ts", "run", FIB, "--fuel", "100000", "10"]);
  assertEquals([refused.code, refused.out], [1, ""]);
  assertStringIncludes(refused.err, "error[PermissionMissing]");
  const line = /^ {2}deno (run .*)$/m.exec(refused.err)![1];
  assertEquals(line, `run --allow-read=${FIB} mod.ts run ${FIB} --fuel 100000 10`);
  const allowed = await deno(line.split(" "));
  assertEquals([allowed.code, allowed.out], [0, "55\n"]);
});

Deno.test("a plugin that imports mod.ts works with the permission for its own file", async () => {
  const plugin = "examples/counter/visits.ts";
  const args = ["mod.ts", "run", COUNTER, "--plugin", plugin, "--fuel", "1000", "0", "0"];
  const refused = await deno(["run", ...args]);
  assertStringIncludes(refused.err, `--allow-read=${COUNTER},${plugin} mod.ts`);
  // An empty name makes this guest loop until its fuel is gone.
  const { code, err } = await deno(["run", `--allow-read=${COUNTER},${plugin}`, ...args]);
  assertEquals(code, 11, err);
});

Deno.test("the program reads standard input and writes standard output", async () => {
  const { code, out, err } = await deno(
    ["run", "mod.ts", "inspect", "-", "--json"],
    Deno.readFileSync(new URL(FIB, ROOT)),
  );
  assertEquals([code, err], [0, ""]);
  assertEquals(JSON.parse(out).exports[0].name, "fib");
});

Deno.test("the version and the help need no permission", async () => {
  assertMatch((await deno(["run", "mod.ts", "--version"])).out, /^rwasm \d+\.\d+\.\d+ /);
  const { code, out } = await deno(["run", "mod.ts", "run", "--help"]);
  assertEquals(code, 0);
  assert(out.includes("Usage: deno run [permissions] mod.ts run <file>"));
});
