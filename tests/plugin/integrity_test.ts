import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { PluginError } from "../../lib/error.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";

const base = import.meta.url;

/** The pin of some bytes, by another implementation of the digests. */
function pinOf(bytes: Uint8Array | string, algorithm = "sha256"): string {
  return `${algorithm}-${createHash(algorithm).update(bytes).digest("base64")}`;
}

const kv = Deno.readFileSync(new URL("./fixture/kv.ts", base));

for (const algorithm of ["sha256", "sha384", "sha512"]) {
  Deno.test(`load() runs a plugin whose bytes have the pinned ${algorithm}`, async () => {
    const integrity = pinOf(kv, algorithm);
    const linker = await new ImportLinker().load("./fixture/kv.ts", { base, integrity });
    const get = linker.resolve("kv", "get")!;
    assertEquals(get.plugin, 'plugin "./fixture/kv.ts"');
    assertEquals((get.call as (caller: unknown, key: number) => unknown)(undefined, 6), 7);
  });
}

Deno.test("load() refuses other bytes than the pinned ones, says both digests, and runs nothing", async () => {
  const evil = `globalThis.evilPluginRan = true; export default { module: "kv", functions: {} };`;
  const url = `data:text/javascript,${encodeURIComponent(evil)}`;
  const linker = new ImportLinker();
  const error = await assertRejects(() => linker.load(url, { integrity: pinOf(kv) }), PluginError);
  assertEquals(error.code, "IntegrityMismatch");
  assertStringIncludes(error.message, `its bytes have the digest ${pinOf(evil)}, pinned is ${pinOf(kv)}`);
  assertEquals(Object.hasOwn(globalThis, "evilPluginRan"), false);
  assertEquals(linker.entries(), []);
});

Deno.test("one changed byte is another file", async () => {
  for (const at of [0, kv.length >> 1, kv.length - 1]) {
    const changed = kv.slice();
    changed[at]! ^= 1;
    const load = () => new ImportLinker().load("./fixture/kv.ts", { base, integrity: pinOf(changed) });
    assertEquals((await assertRejects(load, PluginError)).code, "IntegrityMismatch");
  }
});

/** A server whose file is good the first time and another one ever after. */
function changingServer(
  first: string,
  later: string,
): { url: string; asked: () => number; close: () => Promise<void> } {
  let asked = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    const body = asked++ === 0 ? first : later;
    return new Response(body, { headers: { "content-type": "text/javascript" } });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/plugin.js`,
    asked: () => asked,
    close: () => server.shutdown(),
  };
}

const GOOD = `export default { module: "good", functions: {} };`;
const EVIL = `globalThis.exchangedPluginRan = true; export default { module: "evil", functions: {} };`;

Deno.test("what runs is what was hashed, even when the file is exchanged after the check", async () => {
  const server = changingServer(GOOD, EVIL);
  try {
    const linker = new ImportLinker();
    await linker.load(server.url, { integrity: pinOf(GOOD) });
    assertEquals(server.asked(), 1);
    const again = await assertRejects(() => linker.load(server.url, { integrity: pinOf(GOOD) }), PluginError);
    assertEquals(again.code, "IntegrityMismatch");
    assertEquals(Object.hasOwn(globalThis, "exchangedPluginRan"), false);
  } finally {
    await server.close();
  }
});

Deno.test("an importer gets the verified bytes, not the file", async () => {
  const asked: string[] = [];
  const importer = (specifier: string) => {
    asked.push(specifier);
    return import(specifier);
  };
  const linker = await new ImportLinker().load("./fixture/kv.ts", {
    base,
    integrity: pinOf(kv),
    import: importer,
  });
  assertEquals(linker.entries().length, 1);
  assertEquals(asked.length, 1);
  assertMatch(asked[0]!, /^blob:/);
  await assertRejects(() => fetch(asked[0]!), TypeError); // the URL lives as long as the load
});

const INVALID: { readonly [what: string]: readonly [integrity: unknown, text: string] } = {
  "an empty text": ["", 'not ""'],
  "a number": [256, "not 256"],
  "null": [null, "not null"],
  "an unknown digest": ["md5-1B2M2Y8AsgTpgAmY7PhCfg==", 'not "md5-'],
  "a name of Object.prototype": [`constructor-${pinOf(kv).slice(7)}`, "must be"],
  "hexadecimal": [`sha256-${"ab".repeat(32)}`, "must be"],
  "a short digest": ["sha256-AAAA", "must be"],
  "a digest of another length": [pinOf(kv, "sha512").replace("sha512", "sha256"), "must be"],
  "base64url": [`sha256-${"_".repeat(43)}=`, "must be"],
  "base64 without padding": [pinOf(kv).replace(/=+$/, ""), "must be"],
  "two digests": [`${pinOf(kv)} ${pinOf(kv)}`, "must be"],
  "no name": [`-${pinOf(kv).slice(7)}`, "must be"],
};

for (const [what, [integrity, text]] of Object.entries(INVALID)) {
  Deno.test(`load() refuses ${what} for a pin`, async () => {
    const load = () => new ImportLinker().load("./fixture/kv.ts", { base, integrity: integrity as string });
    const error = await assertRejects(load, PluginError);
    assertEquals(error.code, "InvalidIntegrity");
    assertStringIncludes(error.message, text);
  });
}

Deno.test("load() refuses pins of what is no file", async () => {
  for (const specifier of ["npm:left-pad@1.3.0", "jsr:@std/assert", "node:fs", "bare-name"]) {
    const load = () =>
      new ImportLinker().load(specifier, { integrity: pinOf(kv), import: () => Promise.resolve({}) });
    assertEquals((await assertRejects(load, PluginError)).code, "InvalidIntegrity", specifier);
  }
});

Deno.test("a pinned file that imports by a relative path fails, and the error says what to do", async () => {
  const integrity = pinOf(Deno.readFileSync(new URL("./fixture/relative.ts", base)));
  const load = () => new ImportLinker().load("./fixture/relative.ts", { base, integrity });
  const error = await assertRejects(load, PluginError);
  assertEquals(error.code, "PluginLoadFailed");
  assertStringIncludes(error.hint!, "deno bundle");
});

Deno.test("a pinned file that is missing, or that a server does not have, is a PluginError", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response("", { status: 404 }),
  );
  try {
    for (
      const specifier of [
        new URL("./fixture/missing.ts", base).href,
        `http://127.0.0.1:${server.addr.port}/kv.ts`,
      ]
    ) {
      const error = await assertRejects(
        () => new ImportLinker().load(specifier, { integrity: pinOf(kv) }),
        PluginError,
      );
      assertEquals(error.code, "PluginLoadFailed");
      assert(error.cause instanceof Error);
    }
  } finally {
    await server.shutdown();
  }
});

Deno.test("load() with a pin and without permission says which flag is missing", async () => {
  const script = new URL("./fixture/load_without_permission.ts", base).href;
  const local = new URL("./fixture/kv.ts", base), remote = "https://plugins.invalid:8443/kv.ts";
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", script, `--integrity=${pinOf(kv)}`, local.href, remote],
    env: { NO_COLOR: "1" },
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(lines.length, 2);
  assertStringIncludes(
    lines[0]!,
    `PermissionDenied run deno with --allow-read=${new URL("./", local).pathname},`,
  );
  assertStringIncludes(lines[1]!, "PermissionDenied run deno with --allow-net=plugins.invalid:8443,");
});
