/**
 * The import linker: what the host offers to guests. It takes host functions and plugins, has them
 * checked and frozen, and finds them by import name (for the compiler) and by index (for the
 * machine). It runs nothing, and knows no modules: see `link.ts`.
 *
 * @module
 */

import { PluginError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import {
  checkDeclaration,
  checkIntrinsic,
  checkName,
  checkPlugin,
  checkSignature,
  importLabel,
  isObject,
  kindOf,
  type LinkedState,
  own,
  PLUGIN_HINT,
} from "./declaration.ts";
import { importPlugin, type LoadOptions } from "./load.ts";
import type { Intrinsic, Syscall, SyscallPlugin, SyscallSignature, TypedSyscallFunction } from "./plugin.ts";
import { guarded, Problems } from "./problem.ts";

export { checkImports, type WantedFunction } from "./link.ts";
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
  readonly #states: LinkedState[] = [];

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
    const doing = `define host function ${importLabel(module, name)}`;
    const problems = new Problems();
    problems.attempt(undefined, (refuse) => checkName(module, "import module", refuse));
    problems.attempt(undefined, (refuse) => checkName(name, "import name", refuse));
    const checked = checkDeclaration<T>(signature, call, undefined, problems);
    const syscalls = checked === undefined
      ? []
      : [Object.freeze({ module, name, ...checked, intrinsic: undefined, plugin: "define()" })];
    return this.#register(syscalls, doing, problems);
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
    const doing = `define intrinsic ${importLabel(module, name)}`;
    const problems = new Problems();
    problems.attempt(undefined, (refuse) => checkName(module, "import module", refuse));
    problems.attempt(undefined, (refuse) => checkName(name, "import name", refuse));
    const checked = checkSignature(signature, undefined, problems);
    const replacement = checked && problems.attempt(undefined, (refuse) => {
      if (checked.fuel !== undefined) refuse("InvalidFuel", "an intrinsic has no fuel of its own");
      return checkIntrinsic(intrinsic, checked, refuse);
    });
    if (checked === undefined || replacement === undefined) return this.#register([], doing, problems);
    const syscall: Syscall<T> = Object.freeze({
      module,
      name,
      ...checked,
      intrinsic: replacement,
      // Only code that was compiled with another linker, or by hand, can get here.
      call() {
        throw new PluginError(
          "IntrinsicCalled",
          `Cannot call ${importLabel(module, name)}: it is an intrinsic`,
        );
      },
      plugin: "intrinsic()",
      async: false,
    });
    return this.#register([syscall], doing, problems);
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

  /** @internal What its plugins keep between calls, in the order in which they were added. */
  get states(): readonly LinkedState[] {
    return this.#states;
  }

  #use(plugin: unknown, file: string | undefined): this {
    let doing = file === undefined ? "use a plugin" : `use plugin ${quoteName(file)}`;
    const shape = guarded(doing, (refuse) => checkPlugin(plugin, refuse));
    const plugged = quoteName(shape.name ?? file ?? shape.module);
    doing = `use plugin ${plugged}`;
    const problems = new Problems();
    const syscalls: Syscall<T>[] = [];
    for (const [name, read] of shape.functions) {
      const subject = `function ${importLabel(shape.module, name)}`;
      problems.attempt(subject, (refuse) => checkName(name, "import name", refuse));
      const declaration = problems.attempt(subject, (refuse) => {
        const declaration = read();
        if (isObject(declaration)) return { declaration, call: own(declaration, "call") };
        return refuse("InvalidPlugin", `it must be an object, not ${kindOf(declaration)}`, PLUGIN_HINT);
      });
      if (declaration === undefined) continue;
      const checked = checkDeclaration<T>(declaration.declaration, declaration.call, subject, problems);
      if (checked === undefined) continue;
      syscalls.push(Object.freeze({
        module: shape.module,
        name,
        ...checked,
        intrinsic: undefined,
        plugin: `plugin ${plugged}`,
      }));
    }
    const { state } = shape;
    const isNew = state !== undefined && !this.#states.some(({ declared }) => declared === state.declared);
    if (isNew && this.#states.some(({ name }) => name === state.name)) {
      problems.add("DuplicateState", `a state of the name ${quoteName(state.name)} is already there`);
    }
    this.#register(syscalls, doing, problems);
    if (isNew) this.#states.push(state);
    return this;
  }

  /** Adds all or nothing: nothing when there are problems, of the declarations or among their names and indices. */
  #register(syscalls: readonly Syscall<T>[], doing: string, problems: Problems): this {
    const indices = new Map<number, Syscall<T>>();
    for (const syscall of syscalls) {
      const named = this.resolve(syscall.module, syscall.name);
      if (named !== undefined) {
        problems.add(
          "DuplicateSyscall",
          `${importLabel(named.module, named.name)} is already declared by ${named.plugin}`,
          "every import name can be declared once",
        );
        continue;
      }
      const indexed = this.#byIndex.get(syscall.index) ?? indices.get(syscall.index);
      if (indexed !== undefined) {
        problems.add(
          "DuplicateSyscall",
          `index ${syscall.index} of ${importLabel(syscall.module, syscall.name)} is already taken by ` +
            `${importLabel(indexed.module, indexed.name)} of ${indexed.plugin}`,
          "the code calls a function by its index, so each needs its own",
        );
      }
      indices.set(syscall.index, syscall);
    }
    problems.report(doing);
    for (const syscall of syscalls) {
      let names = this.#byName.get(syscall.module);
      if (names === undefined) this.#byName.set(syscall.module, names = new Map());
      names.set(syscall.name, syscall);
      this.#byIndex.set(syscall.index, syscall);
    }
    return this;
  }
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
