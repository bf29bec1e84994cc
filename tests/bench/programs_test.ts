/**
 * The programs that are measured beside other engines do the same here and in V8.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { programs } from "../../bench/peers/programs.ts";
import { compile, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { fnv1a64 } from "../harness.ts";

/** Programs take long for their usual arguments; with this one they do one of everything. */
const SMALL = 2;

Deno.test("bench/programs has at least six programs of its own", () => {
  const names = [...Deno.readDirSync(new URL("../../bench/programs", import.meta.url))];
  assert(names.length >= 6, names.map(({ name }) => name).join());
});

for (const { name, wasm, entry, floats } of programs().filter(({ short }) => short > SMALL)) {
  Deno.test(`the measured program "${name}" gives here what it gives in V8`, () => {
    const store = new RwasmStore();
    const module = compile(wasm, { floats: floats ? "deterministic" : "trap" });
    const outcome = new RwasmExecutor(store, module).call(entry, [SMALL]);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    const expected = (exports[entry] as (argument: number) => number | bigint)(SMALL);
    assertEquals(outcome, { status: "done", results: [expected] });
    const memory = exports.memory as WebAssembly.Memory | undefined;
    if (memory === undefined) return;
    assertEquals(fnv1a64(store.memory.view()), fnv1a64(new Uint8Array(memory.buffer)));
  });
}
