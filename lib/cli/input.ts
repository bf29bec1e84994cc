/**
 * What `run`, `compile` and `inspect` share: the flags that choose plugins, limits and compiler
 * options, and how a file becomes a module.
 *
 * @module
 */

import { compile } from "../compile/compile.ts";
import type { CompilationConfig } from "../compile/config.ts";
import { LinkError, UsageError } from "../error.ts";
import { RwasmModule } from "../isa/module.ts";
import { DEFAULT_LIMITS, type Limits, REFERENCE_LIMITS, resolveLimits } from "../limits.ts";
import { ImportLinker } from "../plugin/linker.ts";
import { type Arguments, choice } from "./arguments.ts";
import type { Flag } from "./command.ts";
import { type Host, pluginUrl } from "./host.ts";
import { hintFor } from "./suggest.ts";

/** Flags that choose host functions and compiler options. */
export const INPUT_FLAGS: readonly Flag[] = [
  { name: "plugin", short: "p", value: "file", many: true, text: "Host functions: a plugin module" },
  {
    name: "limits",
    short: "l",
    value: "list",
    many: true,
    text: "Limits: reference, or name=value,… such as memoryPages=64,callDepth=512",
  },
  { name: "floats", value: "kind", text: "Float operations: deterministic (default) or trap" },
  { name: "unmetered", text: "Compile without fuel charges" },
];

/**
 * Limits of the `--limits` flags: a preset, then single values.
 *
 * @throws {UsageError} `InvalidLimit`
 */
export function limitsOf(args: Arguments): Limits {
  let limits: Limits = DEFAULT_LIMITS;
  for (const item of args.values("limits").flatMap((list) => list.split(","))) {
    if (item === "reference" || item === "default") {
      limits = item === "reference" ? REFERENCE_LIMITS : DEFAULT_LIMITS;
      continue;
    }
    const [name, value] = item.split("=");
    if (value === undefined || !Object.hasOwn(limits, name) || !/^\d+$/.test(value)) {
      throw new UsageError("InvalidLimit", `Cannot use --limits ${item}: it is not name=value of a limit`, {
        hint: hintFor(name, "limits", Object.keys(limits)),
      });
    }
    limits = resolveLimits({ ...limits, [name]: Number(value) });
  }
  return limits;
}

/**
 * A linker with the plugins of the `--plugin` flags.
 *
 * @throws {PluginError} when a plugin cannot be imported or used.
 */
export async function linkerOf(args: Arguments): Promise<ImportLinker> {
  const linker = new ImportLinker();
  for (const plugin of args.values("plugin")) await linker.load(pluginUrl(plugin));
  return linker;
}

/** Compiler options of the flags. */
export function configOf(args: Arguments, linker: ImportLinker): CompilationConfig {
  return {
    linker,
    limits: limitsOf(args),
    consumeFuel: !args.has("unmetered"),
    floats: choice(args, "floats", ["deterministic", "trap"]) ?? "deterministic",
  };
}

/** Whether bytes begin as a `.rwasm` file does. */
export function isRwasm(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0x52;
}

/** Compiles; an error about imports says how this program is told of plugins. */
export function compileLinked(wasm: Uint8Array, config: CompilationConfig): RwasmModule {
  try {
    return compile(wasm, config);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    throw new LinkError(error.code, error.shortMessage, {
      hint: "name the plugins that offer these functions with --plugin",
    });
  }
}

/**
 * Reads a file and compiles or decodes it, by its first bytes.
 *
 * @throws {ValidationError | CompileError | LinkError | DecodeError}
 */
export async function loadModule(host: Host, path: string, config: CompilationConfig): Promise<RwasmModule> {
  const bytes = await host.read(path);
  return isRwasm(bytes) ? RwasmModule.decode(bytes) : compileLinked(bytes, config);
}
