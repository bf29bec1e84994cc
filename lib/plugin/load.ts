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
  if (!isObject(options)) {
    throw new PluginError(
      "InvalidSpecifier",
      `Cannot load plugin ${quoteName(name)}: the options must be an object`,
    );
  }
  const { base, import: importer } = options;
  if (importer !== undefined && typeof importer !== "function") {
    throw new PluginError(
      "InvalidSpecifier",
      `Cannot load plugin ${quoteName(name)}: "import" must be a function`,
    );
  }
  const resolved = resolve(name, base, importer !== undefined);
  try {
    const namespace = await (importer === undefined ? import(resolved) : importer(resolved));
    return { namespace, name };
  } catch (error) {
    throw explain(name, resolved, error);
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

/** Deno reports a missing permission as a TypeError with this text, not as NotCapable. */
const PERMISSION = /Requires (read|import|net|env|run|write|sys|ffi) access/;

function explain(name: string, resolved: string, error: unknown): PluginError {
  const text = error instanceof Error ? String(error.message) : `it threw ${kindOf(error)}`;
  const doing = `Cannot load plugin ${quoteName(name)}`;
  const missing = PERMISSION.exec(text)?.[1];
  if (missing === undefined) {
    const hint = "check the path and that the file compiles; the cause has the details";
    return new PluginError("PluginLoadFailed", `${doing}: ${text}`, { cause: error, hint });
  }
  return new PluginError("PermissionDenied", `${doing}: Deno has no permission for it`, {
    cause: error,
    hint: `run deno with ${
      permissionFlag(missing, resolved)
    }, or use linker.use(await import(…)) with a literal`,
  });
}

/** The flag that allows an import; the narrowest one that will do. */
function permissionFlag(kind: string, resolved: string): string {
  try {
    const url = new URL(resolved);
    if (url.protocol === "file:") {
      const path = decodeURIComponent(url.pathname);
      if (kind === "read") return `--allow-read=${path.slice(0, path.lastIndexOf("/") + 1)}`;
    } else if (kind === "import" && url.host !== "") return `--allow-import=${url.host}`;
  } catch {
    // Not a URL: the flag without a value is all that can be said.
  }
  return `--allow-${kind}`;
}
