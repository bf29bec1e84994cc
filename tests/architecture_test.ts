/**
 * ARCHITECTURE.md against the tree: every file of lib/ and plugins/ has its line, and no line is
 * about a file that is not there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

function files(folder: string): string[] {
  if (![...Deno.readDirSync(ROOT)].some(({ name }) => folder.startsWith(`${name}/`))) return [];
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap((entry) =>
    entry.isDirectory ? files(`${folder}${entry.name}/`) : [`${folder}${entry.name}`]
  );
}

const SOURCES = [...files("lib/"), ...files("plugins/")].filter((path) => path.endsWith(".ts"));

/** Paths that head a line of the map: "- `lib/error.ts`: what it is". */
function listed(): string[] {
  const text = Deno.readTextFileSync(new URL("ARCHITECTURE.md", ROOT));
  return [...text.matchAll(/^- `((?:lib|plugins)\/[^`]+\.ts)`: .{10,}$/gm)].map((match) => match[1]);
}

Deno.test("ARCHITECTURE.md has one line for every file of lib/ and plugins/", () => {
  const map = listed();
  assertEquals(SOURCES.filter((path) => !map.includes(path)), [], "files without a line");
  assertEquals(map.filter((path) => !SOURCES.includes(path)), [], "lines without a file");
  assertEquals(map.length, new Set(map).size, "a file is listed twice");
});

Deno.test("every file of lib/ and plugins/ says at its head what it is", () => {
  const silent = SOURCES.filter((path) => {
    const head = /^\/\*\*\n(( \* ?.*\n)+) \*\//.exec(Deno.readTextFileSync(new URL(path, ROOT)));
    return head === null || !head[1].includes("@module");
  });
  assertEquals(silent, []);
  assert(SOURCES.length > 0);
});
