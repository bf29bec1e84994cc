/**
 * The host functions of a command: plugins of `--plugin`, which are files, URLs, or one of those that
 * come with the library; what they want to find in `caller.data`; and stand-ins for what none offers.
 *
 * @module
 */

import { PluginError } from "../error.ts";
import type { ValueType } from "../isa/module.ts";
import { ImportLinker } from "../plugin/linker.ts";
import type { SyscallPlugin, Value } from "../plugin/plugin.ts";
import { namedFunctionType, type WasmModule } from "../wasm/module.ts";
import { type Arguments, count } from "./arguments.ts";
import { type Host, pluginUrl } from "./host.ts";

/** The host context of the command line: what each plugin asks for, in one object. */
export type Context = Record<string, unknown>;

/** Plugins in use. */
export interface Plugged {
  /** Offers their functions. */
  readonly linker: ImportLinker<Context>;
  /** What functions find in `caller.data`. */
  readonly data: Context;
}

/** Names of the plugins that come with the library and need no permission. */
export const BUILT_IN = ["assemblyscript", "console", "spectest"] as const;

/** Whether a `--plugin` flag names one of them. */
export function isBuiltIn(name: string): name is typeof BUILT_IN[number] {
  return (BUILT_IN as readonly string[]).includes(name);
}

/** The `--plugin` flags that need a permission: all but names of plugins that come with the library. */
export function pluginFiles(args: Arguments): string[] {
  return args.values("plugin").filter((plugin) => !isBuiltIn(plugin));
}

/** A plugin that comes with the library; its lines go where those of a guest go. */
export async function builtIn(
  name: typeof BUILT_IN[number],
  args: Arguments,
  host: Host,
): Promise<SyscallPlugin> {
  const { createConsole, escapeLine } = await import("../../plugins/console.ts");
  const json = args.has("json");
  const write = (line: string, level: string): void => {
    // A JSON document has standard output for itself.
    const stream = json || level === "warn" || level === "error" ? "err" : "out";
    const text = host.terminal[stream] ? escapeLine(line) : line;
    if (stream === "out") host.print(text);
    else host.note(text);
  };
  if (name === "console") return createConsole({ write, raw: true });
  if (name === "spectest") {
    return (await import("../../plugins/spectest.ts")).createSpectest({
      write: (line) => write(line, "log"),
    });
  }
  const given = count(args, "seed"), seed = given === undefined ? undefined : Number(given);
  const { createAssemblyScript } = await import("../../plugins/assemblyscript.ts");
  // The guest's generator cannot start from 0.
  return createAssemblyScript({ write, raw: true, ...seed === undefined ? {} : { seed: seed || 1 } });
}

/**
 * Loads one plugin. A plugin file may export `createData`, a function that makes what its functions
 * want to find in `caller.data`.
 *
 * @throws {PluginError} when it cannot be imported or used, or `createData` fails.
 */
export async function loadPlugin(
  plugin: string,
  { linker, data }: Plugged,
  args: Arguments,
  host: Host,
): Promise<void> {
  if (isBuiltIn(plugin)) {
    linker.use(await builtIn(plugin, args, host));
    return;
  }
  let namespace: unknown;
  await linker.load(pluginUrl(plugin), { import: async (specifier) => namespace = await import(specifier) });
  const { createData } = namespace as { readonly createData?: unknown };
  if (typeof createData !== "function") return;
  try {
    const made: unknown = createData();
    if (typeof made !== "object" || made === null) throw new TypeError("it did not return an object");
    Object.assign(data, made);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PluginError("PluginDataFailed", `Cannot make the data of plugin ${plugin}: ${why}`, {
      cause: error,
      hint: "createData() takes nothing and returns an object",
    });
  }
}

/**
 * Loads the plugins of the `--plugin` flags.
 *
 * @throws {PluginError} for the first one that fails.
 */
export async function loadPlugins(args: Arguments, host: Host): Promise<Plugged> {
  const plugged: Plugged = { linker: new ImportLinker(), data: {} };
  for (const plugin of args.values("plugin")) await loadPlugin(plugin, plugged, args, host);
  return plugged;
}

/** What a stand-in does when it is called. */
export type Unknown = "trap" | "zero";

/** Zero of a type. */
function zeroOf(type: ValueType): Value {
  return type === "i64" ? 0n : type === "funcref" || type === "externref" ? null : 0;
}

/** Declares every imported function that no plugin offers. */
export function standIn(wasm: WasmModule, linker: ImportLinker<Context>, does: Unknown): void {
  let index = 0;
  for (const { module, name, kind, index: fn } of wasm.imports) {
    if (kind !== "function" || linker.resolve(module, name) !== undefined) continue;
    while (linker.bySyscall(index) !== undefined) index++;
    const type = namedFunctionType(wasm.types[wasm.functions[fn]]);
    const zeros = type.results.map(zeroOf);
    const result = zeros.length === 0 ? undefined : zeros.length === 1 ? zeros[0] : zeros;
    linker.define(module, name, { index, ...type }, (caller) => {
      return does === "trap" ? caller.trap("UnknownExternalFunction") : result;
    });
  }
}
