/**
 * `new-plugin`: writes a documented plugin to start from, with its own name, indices and import of
 * the library, to a file.
 *
 * @module
 */

import { basename, dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../error.ts";
import type { Command } from "./command.ts";
import { Exit } from "./exit.ts";
import type { Host } from "./host.ts";
import { printJson } from "./report.ts";

/** The specifier by which a file imports the library that runs now. */
function librarySpecifier(file: string, { program }: Host): string {
  if (program.protocol !== "file:") return program.href;
  const path = relative(dirname(resolve(file)), fileURLToPath(program)).replaceAll("\\", "/");
  return path.startsWith(".") ? path : `./${path}`;
}

/** First index of a plugin: the first three letters of its name, then the number of the function. */
function indexPrefix(name: string): string {
  const [a, b, c] = Array.from(
    { length: 3 },
    (_, at) => (at < name.length ? name.charCodeAt(at) : 0x5f).toString(16).padStart(2, "0"),
  );
  return `0x${a}${b}_${c}`;
}

/** The template under another name. */
export function pluginText(template: string, name: string, library: string): string {
  return template
    .replaceAll('"../mod.ts"', JSON.stringify(library))
    .replaceAll('(import "notes"', `(import "${name}"`)
    .replaceAll(/^( *(?:module|name)): "notes",$/gm, `$1: "${name}",`)
    .replaceAll(/0x6e6f_74(?=[0-9a-f]{2}\b)/g, indexPrefix(name));
}

/** The `new-plugin` command. */
export const newPluginCommand: Command = {
  name: "new-plugin",
  summary: "Write a documented plugin to start from",
  usage: "<name or file.ts> [flags]",
  notes: [
    "The name, letters, digits, _ and -, becomes the import module of the functions; the file is",
    "<name>.ts here, or the path that is given.",
  ],
  flags: [{ name: "force", text: "Replace a file that is there" }],
  examples: [
    ["deno run --allow-write=kv.ts mod.ts new-plugin kv", "write kv.ts, for imports of the module kv"],
    ["deno run --allow-write=plugins/store.ts mod.ts new-plugin plugins/store.ts", "into a folder"],
  ],

  async run(args, host) {
    const [given, ...more] = args.positional;
    if (given === undefined || more.length > 0) {
      throw new UsageError("MissingName", "Cannot make a plugin: one name is needed", {
        hint: "such as new-plugin kv, or new-plugin plugins/kv.ts",
      });
    }
    const file = given.endsWith(".ts") ? given : `${given}.ts`, name = basename(file, ".ts");
    if (!/^[A-Za-z0-9_][\w-]*$/.test(name)) {
      throw new UsageError(
        "InvalidName",
        `Cannot make plugin ${name}: the name has other characters than letters, digits, _ and -`,
      );
    }
    await host.permit({ write: [file] });
    const template = await import("../../plugins/template.ts", { with: { type: "text" } });
    const text = pluginText(template.default, name, librarySpecifier(file, host));
    await host.write(file, new TextEncoder().encode(text), !args.has("force"));
    if (args.has("json")) printJson(host, { status: "done", file, module: name });
    else {host.note(
        `${file}: a plugin for the import module "${name}"; run a guest on it with --plugin ${file}`,
      );}
    return Exit.Ok;
  },
};
