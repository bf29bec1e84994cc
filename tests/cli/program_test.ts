/**
 * The command line as a program of its own: permissions, streams, exit codes. Everything else about
 * it is tested within one process, which is faster.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROGRAM } from "./guests.ts";

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

Deno.test("a program of WASI has its streams, arguments and exit code", async () => {
  const hello = ["run", "--allow-read=examples/hello", "mod.ts", "run", "examples/hello/hello.wasm", "-q"];
  const [greeting, nobody] = await Promise.all([deno([...hello, "Ada", "--", "--you"]), deno(hello)]);
  assertEquals(greeting, { code: 0, out: "Hello, Ada!\nHello, --you!\n", err: "" });
  assertEquals(nobody, { code: 2, out: "", err: "whom shall I greet?\n" });
});

/** Runs a test in a folder with the program of WASI. */
async function withProgram(body: (folder: string, file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rwasm-program-" });
  try {
    await Deno.writeFile(`${folder}/prog.wasm`, PROGRAM);
    await body(folder, `${folder}/prog.wasm`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the permissions for directories, variables and input are named, and they are enough", async () => {
  await withProgram(async (folder, file) => {
    const world = `--dir ${folder}/work::/work --env HOME --stdin ${folder}/in`;
    await Deno.mkdir(`${folder}/work`);
    await Deno.writeTextFile(`${folder}/in`, "some input");
    const args = ["mod.ts", "run", file, "-q", ...world.split(" ")];
    const refused = await deno(["run", ...args, "-i", "create"]);
    const line = /^ {2}deno (run .*)$/m.exec(refused.err)![1];
    assertEquals(
      line,
      `run --allow-read=${file},${folder}/work,${folder}/in --allow-write=${folder}/work --allow-env=HOME ` +
        `${args.join(" ")} -i create`,
    );
    assertEquals(await deno(line.split(" ")), { code: 0, out: "0\n", err: "" });
    assertEquals((await Deno.stat(`${folder}/work/a.txt`)).isFile, true);
    const cat = await deno(line.replace(/create$/, "cat").split(" "));
    assertEquals(cat.out, "some input");
  });
});

Deno.test("standard input reaches the guest", async () => {
  await withProgram(async (folder, file) => {
    const args = ["run", `--allow-read=${folder}`, "mod.ts", "run", file, "-q", "-i", "cat", "--stdin", "-"];
    assertEquals((await deno(args, new TextEncoder().encode("typed"))).out, "typed");
  });
});

Deno.test("a program that nobody reads any more ends, and so does one that is interrupted", async () => {
  await withProgram(async (folder, file) => {
    const spawn = (name: string) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", `--allow-read=${folder}`, "mod.ts", "run", file, "-q", "-i", name],
        cwd: ROOT,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    const unread = spawn("yes");
    const reader = unread.stdout.getReader();
    assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "hello\n");
    await reader.cancel();
    const { code } = await unread.status;
    assertEquals([code, await unread.stderr.text()], [141, ""]);

    const interrupted = spawn("yes");
    const output = interrupted.stdout.getReader();
    await output.read();
    interrupted.kill("SIGINT");
    for (let chunk = await output.read(); !chunk.done; chunk = await output.read());
    assertEquals((await interrupted.status).code, 130);
    await interrupted.stderr.cancel();
  });
});

Deno.test("new-plugin needs permission to write its file only, and leaves one that is there", async () => {
  await withProgram(async (folder) => {
    const path = `${folder}/kv.ts`;
    const refused = await deno(["run", "mod.ts", "new-plugin", path]);
    const line = /^ {2}deno (run .*)$/m.exec(refused.err)![1];
    assertEquals([refused.code, line], [1, `run --allow-write=${path} mod.ts new-plugin ${path}`]);
    assertEquals((await deno(line.split(" "))).code, 0);
    const text = await Deno.readTextFile(path);
    const again = await deno(line.split(" "));
    assertEquals([again.code, await Deno.readTextFile(path)], [1, text]);
    assertStringIncludes(again.err, "--force");
  });
});

Deno.test("a name with a comma, which no permission can be for, asks for all files", async () => {
  const { err } = await deno(["run", "mod.ts", "run", "no,such file.wasm", "--env", "HOME"]);
  assertStringIncludes(
    err,
    "deno run --allow-read --allow-env=HOME mod.ts run 'no,such file.wasm' --env HOME\n",
  );
});
