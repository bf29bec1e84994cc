/**
 * House rules as tests: rooms import in one direction, library code has no bare specifiers, files
 * stay readable.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/** Rooms of lib/ from left to right: a file imports from its own room or from rooms to its left. */
const ROOMS = [
  "bytes",
  "isa",
  "wasm",
  "plugin",
  "compile",
  "vm",
  "interpreter",
  "native",
  "trace",
  "run",
  "webassembly",
  "cli",
];

/** Files of lib/ itself, which every room may import. */
const SHARED_FILES = ["lib/error.ts", "lib/limits.ts"];

const LONGEST_FILE = 800;

/** Paths, from the root, of the TypeScript files in a folder; none where there is no such folder. */
function sources(folder: string): string[] {
  const [room, path] = [folder.slice(0, -1), new URL(folder, ROOT)];
  if (!room.includes("/") && ![...Deno.readDirSync(ROOT)].some(({ name }) => name === room)) return [];
  return [...Deno.readDirSync(path)].flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) return sources(`${path}/`);
    return path.endsWith(".ts") ? [path] : [];
  });
}

/** Specifiers a file imports or exports from, comments left out. */
function specifiers(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const static_ = code.matchAll(/^\s*(?:import|export)\s+(?:[^;"'=]*?\bfrom\s*)?["']([^"'\n]+)["']/gm);
  const dynamic = code.matchAll(/\bimport\(\s*["']([^"'\n]+)["']/g);
  return [...static_, ...dynamic].map((match) => match[1]);
}

function roomOf(path: string): number {
  return ROOMS.indexOf(path.split("/")[1]);
}

const library = sources("lib/");
const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));

Deno.test("specifiers() finds every form of import, and no comment", () => {
  const text = [
    'import { a } from "./a.ts";',
    "import {\n  b,\n  type C,\n} from './b.ts';",
    'import "./c.ts";',
    'export * from "./d.ts";',
    'export type { E } from "./e.ts";',
    'const f = await import("./f.ts");',
    '/** import { g } from "./g.ts"; */',
    '// import { h } from "./h.ts";',
    'export const text = "not a specifier";',
  ].join("\n");
  assertEquals(specifiers(text).sort(), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts"]);
});

Deno.test("every folder of lib/ is a room", () => {
  const strangers = library.filter((path) => path.split("/").length > 2 && roomOf(path) < 0);
  assertEquals(strangers, []);
  assertEquals(library.filter((path) => path.split("/").length === 2).sort(), SHARED_FILES);
});

Deno.test("rooms import in one direction", () => {
  const wrong: string[] = [];
  for (const path of library) {
    for (const specifier of specifiers(read(path))) {
      if (!specifier.startsWith(".")) continue;
      const target = new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length);
      if (SHARED_FILES.includes(target)) continue;
      // The version of the command line comes from the manifest.
      if (path.startsWith("lib/cli/") && target === "deno.json") continue;
      // Programs that are run by the command line get the plugins that come with the library.
      if (path.startsWith("lib/cli/") && target.startsWith("plugins/")) continue;
      const allowed = target.startsWith("lib/") && roomOf(target) >= 0 && !SHARED_FILES.includes(path) &&
        roomOf(target) <= roomOf(path);
      if (!allowed) wrong.push(`${path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("library code imports by relative path or node: only, and lib/cli @std/cli from JSR", () => {
  const wrong: string[] = [];
  for (const path of [...library, ...sources("plugins/"), "mod.ts"]) {
    for (const specifier of specifiers(read(path))) {
      const allowed = /^(\.\.?\/|node:)/.test(specifier) ||
        (path.startsWith("lib/cli/") && /^jsr:@std\/cli@\^1\//.test(specifier));
      if (!allowed) wrong.push(`${path} imports ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test(`no file is longer than ${LONGEST_FILE} lines`, () => {
  const all = ["lib/", "plugins/", "tests/", "bench/", "examples/"].flatMap(sources);
  assert(all.length > library.length);
  const long = all.map((path): [string, number] => [path, read(path).split("\n").length - 1])
    .filter(([, lines]) => lines > LONGEST_FILE);
  assertEquals(long, []);
});

Deno.test("no file is called utils, common, helpers or types", () => {
  assertEquals(library.filter((path) => /\/(utils?|common|helpers?|types?)\.ts$/.test(path)), []);
});
