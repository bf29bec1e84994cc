/**
 * The import linker: what the host offers to guests. It takes host functions and plugins, checks
 * and freezes them, finds them by import name (for the compiler) and by index (for the machine), and
 * compares the imports of a module with them. It runs nothing.
 *
 * @module
 */

import { LinkError, PluginError } from "../error.ts";
import type { FunctionType } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import {
  checkFunction,
  checkIntrinsic,
  checkName,
  checkPlugin,
  checkSignature,
  guarded,
  own,
  refusal,
} from "./declaration.ts";
import { importPlugin, type LoadOptions } from "./load.ts";
import type { Intrinsic, Syscall, SyscallPlugin, SyscallSignature, TypedSyscallFunction } from "./plugin.ts";

export type { LoadOptions } from "./load.ts";
export type { Syscall } from "./plugin.ts";

/**
 * What the host offers to guests: functions by import name and by index.
 *
 * @typeParam T host context that the functions find in `caller.data`.
 *
 * @example
 * ```ts
 * import { ImportLinker } from "./mod.ts";
 * const linker = new ImportLinker<{ lines: number[] }>();
 * linker.define("env", "log", { index: 1, params: ["i32"], results: [] }, (caller, value) => {
 *   caller.data.lines.push(value);
 * });
 * console.log(linker.resolve("env", "log")?.index); // 1
 * ```
 */
export class ImportLinker<T = unknown> {
  readonly #byName = new Map<string, Map<string, Syscall<T>>>();
  readonly #byIndex = new Map<number, Syscall<T>>();

  /**
   * Declares one host function. The types of `call` follow from the signature when it is literal.
   *
   * @throws {PluginError} when the declaration is wrong, or the name or index is taken.
   */
  define<const Signature extends SyscallSignature>(
    module: string,
    name: string,
    signature: Signature,
    call: TypedSyscallFunction<T, Signature["params"], Signature["results"]>,
  ): this {
    const syscall = guarded(`define host function ${label(module, name)}`, (refuse): Syscall<T> => {
      const checked = checkSignature(signature, refuse);
      return Object.freeze({
        module: checkName(module, "import module", refuse),
        name: checkName(name, "import name", refuse),
        ...checked,
        ...checkFunction<T>(call, own(signature, "async"), refuse),
        intrinsic: undefined,
        plugin: "define()",
      });
    });
    return this.#register([syscall], `define host function ${label(module, name)}`);
  }

  /**
   * Declares a function that the compiler replaces by instructions at every call, or, with
   * "remove", by nothing: its arguments are dropped. Instructions that refer to code of one module
   * (`CallInternal`, `ReturnCallInternal`, `RefFunc`) are refused, as are branches out of the body.
   * An intrinsic costs no syscall fuel.
   *
   * @throws {PluginError} when the declaration is wrong, or the name or index is taken.
   */
  intrinsic(module: string, name: string, signature: SyscallSignature, intrinsic: Intrinsic): this {
    const doing = `define intrinsic ${label(module, name)}`;
    const syscall = guarded(doing, (refuse): Syscall<T> => {
      const checked = checkSignature(signature, refuse);
      if (checked.fuel !== undefined) refuse("InvalidFuel", "an intrinsic has no fuel of its own");
      return Object.freeze({
        module: checkName(module, "import module", refuse),
        name: checkName(name, "import name", refuse),
        ...checked,
        intrinsic: checkIntrinsic(intrinsic, checked, refuse),
        // Only code that was compiled with another linker, or by hand, can get here.
        call: () => refusal(`call ${label(module, name)}`)("IntrinsicCalled", "it is an intrinsic"),
        plugin: "intrinsic()",
        async: false,
      });
    });
    return this.#register([syscall], doing);
  }

  /**
   * Adds all functions of a plugin, or of a module namespace whose default export is a plugin; or
   * none, when one of them is refused.
   *
   * @throws {PluginError} when a declaration is wrong, or a name or index is taken.
   */
  use(plugin: SyscallPlugin<T> | { readonly default: SyscallPlugin<T> }): this {
    return this.#use(plugin, undefined);
  }

  /**
   * Imports a plugin file and adds its functions. Deno needs a permission for it: `--allow-read` of
   * a local file, `--allow-import` of a host. With `linker.use(await import("./plugin.ts"))` it
   * needs none.
   *
   * @throws {PluginError} when the file cannot be imported, or as {@link ImportLinker.use} does.
   */
  async load(specifier: string | URL, options: LoadOptions = {}): Promise<this> {
    const { namespace, name } = await importPlugin(specifier, options);
    return this.#use(namespace, name);
  }

  /** The function of an import name. */
  resolve(module: string, name: string): Syscall<T> | undefined {
    return this.#byName.get(module)?.get(name);
  }

  /** The function of a syscall index. */
  bySyscall(index: number): Syscall<T> | undefined {
    return this.#byIndex.get(index);
  }

  /** All functions, by module, then name, both in the order of their code points. */
  entries(): Syscall<T>[] {
    const all = [...this.#byIndex.values()];
    return all.sort((a, b) => compareNames(a.module, b.module) || compareNames(a.name, b.name));
  }

  #use(plugin: unknown, file: string | undefined): this {
    let doing = file === undefined ? "use a plugin" : `use plugin ${quoteName(file)}`;
    const shape = guarded(doing, (refuse) => checkPlugin(plugin, refuse));
    const plugged = quoteName(shape.name ?? file ?? shape.module);
    doing = `use plugin ${plugged}`;
    const syscalls = shape.functions.map(([name, declaration]) =>
      guarded(`${doing}: function ${label(shape.module, name)}`, (refuse): Syscall<T> => {
        return Object.freeze({
          module: shape.module,
          name: checkName(name, "import name", refuse),
          ...checkSignature(declaration, refuse),
          ...checkFunction<T>(own(declaration, "call"), own(declaration, "async"), refuse),
          intrinsic: undefined,
          plugin: `plugin ${plugged}`,
        });
      })
    );
    return this.#register(syscalls, doing);
  }

  /** Adds all or nothing. */
  #register(syscalls: readonly Syscall<T>[], doing: string): this {
    const refuse = (why: string, hint: string): never => {
      throw new PluginError("DuplicateSyscall", `Cannot ${doing}: ${why}`, { hint });
    };
    const indices = new Map<number, Syscall<T>>();
    for (const syscall of syscalls) {
      const named = this.resolve(syscall.module, syscall.name);
      if (named !== undefined) {
        refuse(
          `${label(named.module, named.name)} is already declared by ${named.plugin}`,
          "every import name can be declared once",
        );
      }
      const indexed = this.#byIndex.get(syscall.index) ?? indices.get(syscall.index);
      if (indexed !== undefined) {
        refuse(
          `index ${syscall.index} of ${label(syscall.module, syscall.name)} is already taken by ` +
            `${label(indexed.module, indexed.name)} of ${indexed.plugin}`,
          "the code calls a function by its index, so each needs its own",
        );
      }
      indices.set(syscall.index, syscall);
    }
    for (const syscall of syscalls) {
      let names = this.#byName.get(syscall.module);
      if (names === undefined) this.#byName.set(syscall.module, names = new Map());
      names.set(syscall.name, syscall);
      this.#byIndex.set(syscall.index, syscall);
    }
    return this;
  }
}

/** A function as a module wants it. */
export interface WantedFunction extends FunctionType {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
}

/** Problems that one message lists; only a hostile module has more. */
const LISTED_PROBLEMS = 1000;

/** Problems for which nearest names are looked up: the search takes time. */
const SUGGESTED_PROBLEMS = 100;

/**
 * Compares the imported functions of a module with what a linker offers.
 *
 * @param what names the module in the message, such as "module" or "app.wasm".
 * @throws {LinkError} one error that lists everything that does not match: `UnresolvedImportFunction`
 * when a function is unknown, else `MalformedImportFunctionType`.
 */
export function checkImports(
  imports: readonly WantedFunction[],
  // deno-lint-ignore no-explicit-any -- a linker of any host context
  linker: ImportLinker<any> | undefined,
  what: string,
): void {
  let text = "", problems = 0, unknown = 0;
  for (const wanted of imports) {
    const found = linker?.resolve(wanted.module, wanted.name);
    if (found !== undefined && sameTypes(found, wanted)) continue;
    problems++;
    if (found === undefined) unknown++;
    if (problems > LISTED_PROBLEMS) continue;
    text += `\n  ${label(wanted.module, wanted.name)}: `;
    if (found === undefined) {
      text += `unknown${
        linker === undefined || problems > SUGGESTED_PROBLEMS ? "" : suggestion(wanted, linker)
      }`;
    } else {
      text += `signature mismatch: the module wants ${signatureText(wanted)}, ` +
        `${found.plugin} declares ${signatureText(found)}`;
    }
  }
  if (problems === 0) return;
  if (problems > LISTED_PROBLEMS) text += `\n  … and ${problems - LISTED_PROBLEMS} more`;
  const verb = imports.length === 1 ? "import does" : "imports do";
  throw new LinkError(
    unknown > 0 ? "UnresolvedImportFunction" : "MalformedImportFunctionType",
    `Cannot link ${what}: ${problems} of ${imports.length} ${verb} not match${text}`,
    { hint: linkHint(linker, unknown) },
  );
}

// deno-lint-ignore no-explicit-any -- a linker of any host context
function linkHint(linker: ImportLinker<any> | undefined, unknown: number): string {
  if (linker === undefined) {
    return "no linker was given; pass { linker } with the functions the module imports";
  }
  if (unknown > 0) return "declare the missing functions with linker.define() or linker.use(plugin)";
  return "change the declared params and results, or use the plugin version the module was built for";
}

/** What the module may have meant: a near name in the same import module, else the name in another one. */
// deno-lint-ignore no-explicit-any -- a linker of any host context
function suggestion(wanted: WantedFunction, linker: ImportLinker<any>): string {
  const entries = linker.entries();
  const near = nearest(wanted.name, entries.filter((e) => e.module === wanted.module).map((e) => e.name));
  if (near !== undefined) {
    return `; did you mean ${quoteName(near)} (${linker.resolve(wanted.module, near)!.plugin})?`;
  }
  const same = entries.filter((entry) => entry.name === wanted.name);
  const module = nearest(wanted.module, same.map((entry) => entry.module)) ?? same[0]?.module;
  if (module === undefined) return "";
  return `; did you mean ${label(module, wanted.name)} (${linker.resolve(module, wanted.name)!.plugin})?`;
}

function sameTypes(a: FunctionType, b: FunctionType): boolean {
  return a.params.length === b.params.length && a.results.length === b.results.length &&
    a.params.every((type, position) => type === b.params[position]) &&
    a.results.every((type, position) => type === b.results[position]);
}

function signatureText(type: FunctionType): string {
  return `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

/** An import name in a message. What is not a string is reported by the check that follows. */
function label(module: unknown, name: unknown): string {
  const part = (value: unknown) => typeof value === "string" ? quoteName(value) : "?";
  return `${part(module)}.${part(name)}`;
}

/** Order of code points, which is also that of UTF-8 bytes; `<` would put U+E000 … U+FFFF last. */
function compareNames(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let position = 0; position < shared; position++) {
    const x = a.charCodeAt(position), y = b.charCodeAt(position);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Ranks a UTF-16 unit so that surrogates, which begin the highest code points, come last. */
function codePointRank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
}
