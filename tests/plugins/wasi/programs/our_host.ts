/**
 * Runs a program on our machine with the WASI plugin, as a process of its own: prints its output, then
 * exit code, consumed fuel and standard error as JSON on a line of its own. Arguments: Wasm file, arguments of the
 * program. Standard input is the program's; /work is an empty directory in memory.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "../../../../mod.ts";
import { MemoryDirectory, wasi } from "../../../../plugins/wasi_snapshot_preview1.ts";

const [file, ...args] = Deno.args;
const stdin = await new Response(Deno.stdin.readable).bytes();
const program = wasi({
  args,
  stdin,
  env: { GREETING: "hello" },
  dirs: { "/work": new MemoryDirectory() },
  seed: 5,
});
const linker = new ImportLinker<undefined>().use(program).use(program.unstable);
const store = new RwasmStore({ linker, fuelLimit: 10_000_000_000n });
const outcome = new RwasmExecutor(store, compile(Deno.readFileSync(file!), { linker })).call("_start");
console.log(program.stdout.text());
console.log(JSON.stringify({
  status: outcome.status,
  trap: outcome.status === "trap" ? outcome.trap.message : null,
  exitCode: program.exitCode ?? 0,
  fuel: String(store.consumedFuel()),
  stderr: program.stderr.text(),
}));
