import { assert, assertEquals, assertMatch } from "@std/assert";

const SCRIPT = new URL("./packages.ts", import.meta.url);

/** What the script prints, with the host's WebAssembly or a facade in its place. */
async function run(which: "host" | "facade") {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", SCRIPT.href, which],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("tiny-secp256k1 and quickjs-wasi compute on the facade what they compute on the host, for fuel", async () => {
  const [host, facade] = await Promise.all([run("host"), run("facade")]);
  assertEquals([host.isFacade, facade.isFacade], [false, true]);
  assert(Object.keys(host.results).length >= 7);
  assertEquals(facade.results, host.results);
  assertEquals(Object.keys(facade.consumed), Object.keys(facade.results));
  for (const fuel of Object.values(facade.consumed)) assertMatch(fuel as string, /^[1-9]\d*$/);
  // The answers themselves, so that the script cannot fail alike on both sides.
  assertEquals(facade.results.programs[0], "1,4,9");
  assertEquals(facade.results["host functions"][1], "bottom12345678910");
  assertEquals(facade.results.signatures.slice(1, 3), [true, false]);
  assertEquals(facade.results["errors of the package"][1], "TypeError: Expected Point");
});
