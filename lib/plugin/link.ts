/**
 * Compares the functions that a module imports with what a linker offers, and explains everything
 * that does not fit in one error: what was wanted, what was found, what may have been meant, who
 * offers it, and what to do. It changes neither and runs nothing.
 *
 * @module
 */

import { LinkError } from "../error.ts";
import type { FunctionType } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { importLabel } from "./declaration.ts";
import type { ImportLinker } from "./linker.ts";
import type { Syscall } from "./plugin.ts";

/** A function as a module wants it. */
export interface WantedFunction extends FunctionType {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
  /** Index the code calls it by; undefined or negative when it is not decided or does not matter. */
  readonly syscall?: number;
}

/** Problems that one message lists; only a hostile module has more. */
const LISTED_PROBLEMS = 1000;

/** Names that are compared to find what was meant, over all problems: each comparison takes time. */
const COMPARED_NAMES = 8192;

/**
 * Compares the imported functions of a module with what a linker offers.
 *
 * @param what names the module in the message, such as "module" or "app.wasm".
 * @param others problems of other imports, one line each, that the message lists when there is one of
 * a function.
 * @throws {LinkError} one error that lists everything that does not match: `UnresolvedImportFunction`
 * when a function is unknown, else `MalformedImportFunctionType`, else `SyscallIndexMismatch`.
 */
export function checkImports(
  imports: readonly WantedFunction[],
  // deno-lint-ignore no-explicit-any -- a linker of any host context
  linker: ImportLinker<any> | undefined,
  what: string,
  others: readonly string[] = [],
): void {
  let text = "", problems = 0, unknown = 0, compared = 0, moved = 0;
  let offered: Syscall<never>[] | undefined;
  const advice = new Set<string>();
  for (const wanted of imports) {
    const found = linker?.resolve(wanted.module, wanted.name);
    const { syscall = -1 } = wanted, fits = found !== undefined && sameTypes(found, wanted);
    if (fits && (syscall < 0 || syscall === found.index)) continue;
    problems++;
    if (found === undefined) {
      unknown++;
      const known = KNOWN_HOSTS.find(({ module, name }) =>
        module.test(wanted.module) && name.test(wanted.name)
      );
      if (known !== undefined) advice.add(known.advice);
    }
    if (problems > LISTED_PROBLEMS) continue;
    text += `\n  ${importLabel(wanted.module, wanted.name)}: `;
    if (found === undefined) {
      text += `unknown; the module wants ${signatureText(wanted)}`;
      offered ??= linker?.entries() ?? [];
      compared += offered.length;
      if (compared <= COMPARED_NAMES) text += suggestion(wanted, offered);
    } else if (fits) {
      moved++;
      text += `index mismatch: the module calls index ${syscall}, ${found.plugin} declares ${found.index}`;
    } else {
      text += `signature mismatch: the module wants ${signatureText(wanted)}, ` +
        `${found.plugin} declares ${signatureText(found)}`;
    }
  }
  if (problems === 0) return;
  if (problems > LISTED_PROBLEMS) text += `\n  … and ${problems - LISTED_PROBLEMS} more`;
  for (const line of others) text += `\n  ${line}`;
  const all = problems + others.length, total = imports.length + others.length;
  const noun = total === 1 ? "import" : "imports", verb = all === 1 ? "does" : "do";
  const onlyMoved = moved === problems;
  throw new LinkError(
    unknown > 0
      ? "UnresolvedImportFunction"
      : onlyMoved
      ? "SyscallIndexMismatch"
      : "MalformedImportFunctionType",
    `Cannot link ${what}: ${all} of ${total} ${noun} ${verb} not match${text}`,
    {
      hint: onlyMoved
        ? "compile with the linker the module will run with"
        : linkHint(linker, unknown, [...advice]),
    },
  );
}

// deno-lint-ignore no-explicit-any -- a linker of any host context
function linkHint(linker: ImportLinker<any> | undefined, unknown: number, advice: readonly string[]): string {
  const known = advice.map((text) => `; ${text}`).join("");
  if (linker === undefined) {
    return `no linker was given; pass { linker } with the functions the module imports${known}`;
  }
  if (unknown > 0) return `declare the missing functions with linker.define() or linker.use(plugin)${known}`;
  return "change the declared params and results, or use the plugin version the module was built for";
}

/** Hosts that toolchains build for, and what to do about their imports. */
const KNOWN_HOSTS: readonly { readonly module: RegExp; readonly name: RegExp; readonly advice: string }[] = [
  { module: /^wasi_snapshot_preview1$/, name: /./, advice: "plugins/wasi_snapshot_preview1.ts offers WASI" },
  { module: /^wasi_unstable$/, name: /./, advice: "plugins/wasi_unstable.ts offers the older WASI" },
  {
    module: /^env$/,
    name: /^(abort|trace|seed|console\.(assert|log|debug|info|warn|error))$/,
    advice: "plugins/assemblyscript.ts offers what AssemblyScript imports",
  },
  { module: /^console$/, name: /./, advice: "plugins/console.ts offers log functions" },
  {
    module: /^spectest$/,
    name: /./,
    advice: "plugins/spectest.ts offers the print functions of the test suite",
  },
  {
    module: /^(wbg|__wbindgen_\w+|.*_bg\.js)$/,
    name: /./,
    advice:
      "wasm-bindgen modules come with JavaScript that makes their imports: run it on createWebAssembly()",
  },
  { module: /^go(js)?$/, name: /./, advice: "build Go programs with GOOS=wasip1, not GOOS=js" },
];

/** What the module may have meant: a near name in the same import module, else the name in another one. */
function suggestion({ module, name }: WantedFunction, offered: readonly Syscall<never>[]): string {
  const beside = offered.filter((entry) => entry.module === module);
  const near = nearest(name, beside.map((entry) => entry.name));
  const meant = beside.find((entry) => entry.name === near);
  if (meant !== undefined) return `; did you mean ${quoteName(meant.name)} (${meant.plugin})?`;
  const same = offered.filter((entry) => entry.name === name);
  const nearModule = nearest(module, same.map((entry) => entry.module));
  const elsewhere = same.find((entry) => entry.module === nearModule) ?? same[0];
  if (elsewhere === undefined) return "";
  return `; did you mean ${importLabel(elsewhere.module, name)} (${elsewhere.plugin})?`;
}

function sameTypes(a: FunctionType, b: FunctionType): boolean {
  return a.params.length === b.params.length && a.results.length === b.results.length &&
    a.params.every((type, position) => type === b.params[position]) &&
    a.results.every((type, position) => type === b.results[position]);
}

/** Types that a message shows of one list; a hostile module may have a thousand. */
const SHOWN_TYPES = 24;

function signatureText(type: FunctionType): string {
  const list = (types: readonly string[]) =>
    types.length <= SHOWN_TYPES
      ? types.join(", ")
      : `${types.slice(0, SHOWN_TYPES).join(", ")}, … ${types.length - SHOWN_TYPES} more`;
  return `(${list(type.params)}) -> (${list(type.results)})`;
}
