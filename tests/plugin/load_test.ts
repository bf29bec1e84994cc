import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { PluginError } from "../../lib/error.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";

const base = import.meta.url;

Deno.test("load() imports a plugin file relative to a base, and names it in errors", async () => {
  const linker = new ImportLinker();
  assertEquals(await linker.load("./fixture/kv.ts", { base }), linker);
  assertEquals(linker.resolve("kv", "get")?.plugin, 'plugin "./fixture/kv.ts"');
  const again = await assertRejects(() => linker.load("./fixture/kv.ts", { base }), PluginError);
  assertEquals(again.code, "DuplicateSyscall");
  assertStringIncludes(again.message, 'already declared by plugin "./fixture/kv.ts"');
});

Deno.test("load() takes URLs, and an importer of the caller", async () => {
  const url = new URL("./fixture/kv.ts", base);
  assertEquals((await new ImportLinker().load(url)).entries().length, 1);
  assertEquals((await new ImportLinker().load(url.href)).entries().length, 1);
  const asked: string[] = [];
  const importer = (specifier: string) => {
    asked.push(specifier);
    return import("./fixture/kv.ts");
  };
  await new ImportLinker().load("./fixture/kv.ts", { import: importer });
  await new ImportLinker().load("./fixture/kv.ts", { base, import: importer });
  await new ImportLinker().load("bare-name", { base, import: importer });
  assertEquals(asked, ["./fixture/kv.ts", url.href, "bare-name"]);
});

const REFUSED: {
  readonly [what: string]: readonly [specifier: unknown, options: unknown, code: string, text: string];
} = {
  "a relative specifier without base": ["./fixture/kv.ts", {}, "MissingBase", "base: import.meta.url"],
  "an absolute path without base": ["/kv.ts", {}, "MissingBase", "base: import.meta.url"],
  "a base that is no URL": ["./kv.ts", { base: "here" }, "InvalidSpecifier", 'base "here"'],
  "a base that has no paths": ["./kv.ts", { base: "data:text/plain,x" }, "InvalidSpecifier", "base "],
  "a specifier that is no string": [7, { base }, "InvalidSpecifier", "must be a string or a URL"],
  "an importer that is no function": [
    "./kv.ts",
    { base, import: 7 },
    "InvalidSpecifier",
    "must be a function",
  ],
  "a base without a text": ["./kv.ts", { base: Object.create(null) }, "InvalidSpecifier", "base an object"],
  "null for options": ["./kv.ts", null, "InvalidSpecifier", "options must be an object"],
  "a missing file": ["./fixture/missing.ts", { base }, "PluginLoadFailed", "missing.ts"],
  "a file that throws": ["./fixture/throws.ts", { base }, "PluginLoadFailed", "broken plugin"],
  "a file without a plugin": ["./fixture/empty.ts", { base }, "InvalidPlugin", "./fixture/empty.ts"],
  "an importer that gives junk": [
    "x",
    { import: () => Promise.resolve(7) },
    "InvalidPlugin",
    "must be an object",
  ],
  "an importer that is not asynchronous": ["x", { import: () => null }, "InvalidPlugin", "must be an object"],
  "an importer that throws": [
    "x",
    {
      import: () => {
        throw new RangeError("no");
      },
    },
    "PluginLoadFailed",
    "no",
  ],
  "an importer that throws what has no text": [
    "x",
    { import: () => Promise.reject(Object.create(null)) },
    "PluginLoadFailed",
    "it threw an object",
  ],
  "an importer that throws no error": [
    "x",
    { import: () => Promise.reject(null) },
    "PluginLoadFailed",
    "null",
  ],
};

for (const [what, [specifier, options, code, text]] of Object.entries(REFUSED)) {
  Deno.test(`load() refuses ${what} with ${code}`, async () => {
    const linker = new ImportLinker();
    const error = await assertRejects(() => linker.load(specifier as string, options as object), PluginError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, text);
    assertEquals(linker.entries(), []);
  });
}

Deno.test("load() keeps the error of the file as the cause", async () => {
  const error = await assertRejects(
    () => new ImportLinker().load("./fixture/throws.ts", { base }),
    PluginError,
  );
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("load() without permission says which flag is missing", async () => {
  const script = new URL("./fixture/load_without_permission.ts", base).href;
  const local = new URL("./fixture/kv.ts", base), remote = "https://plugins.invalid:8443/kv.ts";
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", script, local.href, remote],
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(lines.length, 2);
  for (const line of lines) assertStringIncludes(line, "PluginError PermissionDenied run deno with ");
  assertStringIncludes(lines[0]!, ` --allow-read=${new URL("./", local).pathname},`);
  assertStringIncludes(lines[1]!, " --allow-import=plugins.invalid:8443,");
});
