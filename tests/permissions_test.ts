/**
 * The library needs no permission and no configuration: it is imported by a script outside of the
 * project, in a process that has none of either.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** A user's script: compiles, runs with a plugin, meets a trap and a bad module. */
const SCRIPT = `
import { compile, ImportLinker, RwasmError, RwasmExecutor, RwasmModule, RwasmStore } from "${ROOT.href}mod.ts";
import plugin from "${ROOT.href}examples/counter/visits.ts";

const wasm = Uint8Array.fromBase64("${
  Deno.readFileSync(new URL("examples/counter/guest.wasm", ROOT)).toBase64()
}");
const linker = new ImportLinker().use(plugin);
const module = compile(wasm, { linker });
const store = new RwasmStore({ linker, data: {}, fuelLimit: 10_000n });
const executor = new RwasmExecutor(store, module);
const visit = executor.call("visit", [0, 3]);
const stopped = executor.call("visit", [0, 0]);
let refused;
try {
  RwasmModule.decode(module.encode().subarray(1));
} catch (error) {
  refused = error instanceof RwasmError ? error.name : error;
}
console.log(visit.results, stopped.trap.code, refused);
`;

Deno.test("a script without permissions, configuration or network compiles and runs a module with a plugin", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rwasm-permissions-" });
  try {
    const script = `${folder}/script.ts`, audit = `${folder}/audit.jsonl`;
    await Deno.writeTextFile(script, SCRIPT);
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-config", "--no-remote", "--no-check", script],
      cwd: folder,
      env: { NO_COLOR: "1", DENO_AUDIT_PERMISSIONS: audit },
    });
    const { code, stdout, stderr } = await command.output();
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "[ 1n ] OutOfFuel DecodeError\n"]);
    // Deno writes one line for every permission that is touched. Its module graph looks ahead at the
    // command line, which nothing here runs, as far as @std/cli; no other line may be there.
    const touched = (await Deno.readTextFile(audit)).trim().split("\n").map((line) => JSON.parse(line))
      .map(({ permission, value }) => `${permission} ${value}`);
    assertEquals(touched.filter((line) => line !== "import jsr.io:443"), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
