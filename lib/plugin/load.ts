/**
 * Imports a plugin file by specifier: resolves it against the caller's base, imports it, and turns
 * what can go wrong (no base, a missing permission, a missing file, a file that throws) into a
 * PluginError that says what to do. Does not look at what the file exports.
 *
 * @module
 */

import { PluginError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { isObject, kindOf } from "./declaration.ts";
import { pinnedModule } from "./integrity.ts";
import { guarded } from "./problem.ts";

/** How {@link ImportLinker.load} finds and imports a plugin. */
export interface LoadOptions {
  /**
   * What a relative specifier is relative to, normally `import.meta.url` of the caller. Needed for
   * relative specifiers unless `import` is given.
   */
  readonly base?: string | URL;
  /**
   * Does the import in the caller's own file: `(specifier) => import(specifier)`. Needed when the
   * library comes from jsr.io, whose packages may not import URLs themselves.
   */
  readonly import?: (specifier: string) => Promise<unknown>;
  /**
   * Pins the bytes of the plugin file: `"sha256-"` and the digest in base64. The file is fetched, its
   * digest compared, and exactly the fetched bytes are run, from a `blob:` URL; with `import`, that
   * is the specifier it gets. So a pinned file can import by absolute specifiers only (`https:`,
   * `npm:`, `jsr:`, `node:`) or for types; `deno bundle` makes one file of several. What a pinned file
   * imports is not covered by the pin.
   */
  readonly integrity?: string;
}

/** Imports the module of a specifier; gives its namespace, and its name for messages. */
export async function importPlugin(
  specifier: string | URL,
  options: LoadOptions,
): Promise<{ readonly namespace: unknown; readonly name: string }> {
  const name = typeof specifier === "string"
    ? specifier
    : specifier instanceof URL
    ? specifier.href
    : undefined;
  if (name === undefined) {
    throw new PluginError(
      "InvalidSpecifier",
      "Cannot load a plugin: the specifier must be a string or a URL",
    );
  }
  const doing = `load plugin ${quoteName(name)}`;
  const { base, importer, integrity } = guarded(doing, (refuse) => {
    if (!isObject(options)) return refuse("InvalidSpecifier", "the options must be an object");
    const { base, import: importer, integrity } = options;
    if (importer === undefined || typeof importer === "function") return { base, importer, integrity };
    return refuse("InvalidSpecifier", `"import" must be a function`);
  });
  const resolved = resolve(name, base, importer !== undefined);
  const failed = (error: unknown): never => {
    throw explain(doing, resolved, error, integrity !== undefined);
  };
  using pinned = integrity === undefined
    ? undefined
    : await pinnedModule(resolved, integrity, doing).catch((error) => {
      if (error instanceof PluginError) throw error;
      return failed(error);
    });
  const source = pinned?.specifier ?? resolved;
  try {
    return { namespace: await (importer === undefined ? import(source) : importer(source)), name };
  } catch (error) {
    return failed(error);
  }
}

function resolve(specifier: string, base: string | URL | undefined, hasImporter: boolean): string {
  // Only paths are relative; "npm:x", "jsr:x" and "https://x" are complete, bare names are import-map names.
  if (!/^\.{0,2}\//.test(specifier)) return specifier;
  if (base === undefined) {
    if (hasImporter) return specifier;
    throw new PluginError(
      "MissingBase",
      `Cannot load plugin ${quoteName(specifier)}: a relative specifier would be relative to this library`,
      { hint: "pass { base: import.meta.url }, or use linker.use(await import(…))" },
    );
  }
  try {
    return new URL(specifier, base).href;
  } catch (error) {
    throw new PluginError(
      "InvalidSpecifier",
      `Cannot load plugin ${quoteName(specifier)}: base ${kindOf(base)} is not a URL it can be relative to`,
      { cause: error },
    );
  }
}

/** What Deno says of a missing permission, as TypeError when importing, as NotCapable when fetching. */
const PERMISSION = /Requires (read|import|net|env|run|write|sys|ffi) access(?: to "([^"]*)")?/;

/** What Deno says of a relative import in a module that has no path, without and with an import map. */
const NO_PATH =
  /relative URL with a cannot-be-a-base base|Import "\.{0,2}\/.* not in import map from "blob:/i;

function explain(doing: string, resolved: string, error: unknown, pinned: boolean): PluginError {
  const text = errorText(error);
  const missing = PERMISSION.exec(text);
  if (missing === null) {
    const hint = pinned && NO_PATH.test(text)
      ? "a pinned plugin is run from its bytes, so it cannot import relative paths: make one file with deno bundle"
      : "check the path and that the file compiles; the cause has the details";
    return new PluginError("PluginLoadFailed", `Cannot ${doing}: ${text}`, { cause: error, hint });
  }
  const flag = permissionFlag(missing[1]!, missing[2] ?? resolved);
  return new PluginError("PermissionDenied", `Cannot ${doing}: Deno has no permission for it`, {
    cause: error,
    hint: `run deno with ${flag}, or use linker.use(await import(…)) with a literal`,
  });
}

/** What a plugin file threw, which can be anything. */
function errorText(error: unknown): string {
  try {
    if (!(error instanceof Error)) return `it threw ${kindOf(error)}`;
    // Deno colors the places in its own messages.
    // deno-lint-ignore no-control-regex -- a color begins with an escape character
    return String(error.message).replaceAll(/\x1b\[[\d;]*m/g, "");
  } catch {
    return "it threw something that cannot be described";
  }
}

/** The flag that allows an access; the narrowest one that will do. `target` is a path, a host or a URL. */
function permissionFlag(kind: string, target: string): string {
  const url = URL.canParse(target) && target.includes("//") ? new URL(target) : undefined;
  if (kind === "read") {
    const path = url === undefined ? target : url.protocol === "file:" ? decodePath(url.pathname) : "";
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    return folder === "" ? "--allow-read" : `--allow-read=${folder}`;
  }
  if (kind !== "import" && kind !== "net") return `--allow-${kind}`;
  const host = url === undefined ? target : url.host;
  return host === "" ? `--allow-${kind}` : `--allow-${kind}=${host}`;
}

/** A path of a URL as the file system has it. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // a lone "%" is part of the name
  }
}
