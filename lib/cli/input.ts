/**
 * What commands share: the flags that choose plugins, limits and compiler options, and how a file
 * becomes a module.
 *
 * @module
 */

import { translate } from "../compile/compile.ts";
import { type CompilationConfig, resolveConfig } from "../compile/config.ts";
import { CompileError, LinkError, UsageError } from "../error.ts";
import { RwasmModule } from "../isa/module.ts";
import { DEFAULT_LIMITS, type Limits, REFERENCE_LIMITS, resolveLimits } from "../limits.ts";
import { ImportLinker } from "../plugin/linker.ts";
import type { ValidWasm, WasmModule } from "../wasm/module.ts";
import { parse } from "../wasm/parse.ts";
import { validate } from "../wasm/validate.ts";
import { type Arguments, choice } from "./arguments.ts";
import type { Flag } from "./command.ts";
import type { Host } from "./host.ts";
import { BUILT_IN, builtIn, type Plugged } from "./plugins.ts";
import { type Progress, withProgress } from "./progress.ts";
import { hintFor } from "./suggest.ts";
import { WASI_FLAG } from "./wasi.ts";

const FLOATS = ["deterministic", "trap"] as const;

/** Flags that choose host functions. */
export const PLUGIN_FLAGS: readonly Flag[] = [
  {
    name: "plugin",
    short: "p",
    value: "file",
    many: true,
    text: `Host functions: a plugin module by path or URL, or ${BUILT_IN.join(", ")}`,
  },
  WASI_FLAG,
];

/** Flags that choose host functions and compiler options. */
export const INPUT_FLAGS: readonly Flag[] = [
  ...PLUGIN_FLAGS,
  {
    name: "limits",
    short: "l",
    value: "list",
    many: true,
    text: "Limits: reference, or name=value,… such as memoryPages=64,callDepth=512",
  },
  {
    name: "floats",
    value: "kind",
    choices: FLOATS,
    text: "Float operations: deterministic (default) or trap",
  },
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

/** Compiler options of the flags. */
export function configOf(args: Arguments, { linker }: Plugged): CompilationConfig {
  return {
    linker,
    limits: limitsOf(args),
    consumeFuel: !args.has("unmetered"),
    floats: choice(args, "floats", FLOATS) ?? "deterministic",
  };
}

/** A file that was read: its Wasm, or undefined when it is a `.rwasm` file, not yet decoded. */
export interface Source {
  /** How the user calls it. */
  readonly file: string;
  /** All of it. */
  readonly bytes: Uint8Array;
  /** The module of a `.wasm` file. */
  readonly wasm: ValidWasm | undefined;
}

/**
 * Reads a file; its first bytes tell what it is.
 *
 * @throws {ValidationError} when it is no `.rwasm` file and not a valid Wasm module either.
 */
export async function readSource(host: Host, file: string): Promise<Source> {
  return sourceOf(file, await host.read(file));
}

/**
 * What the bytes of a file are.
 *
 * @throws {ValidationError} as {@link readSource} does.
 */
export function sourceOf(file: string, bytes: Uint8Array): Source {
  const compiled = bytes[0] === 0xef && bytes[1] === 0x52;
  return { file, bytes, wasm: compiled ? undefined : validate(parse(bytes)) };
}

/**
 * Compiles or decodes what was read. An error about imports says how this program is told of plugins.
 *
 * @throws {CompileError | LinkError | DecodeError}
 */
export async function moduleOf(
  { file, bytes, wasm }: Source,
  config: CompilationConfig,
  host: Host,
  args: Arguments,
): Promise<RwasmModule> {
  if (wasm === undefined) return RwasmModule.decode(bytes);
  try {
    const total = wasm.code.end - wasm.code.start;
    return withProgress(host, file, args.has("quiet"), (progress: Progress) => {
      return translate(wasm, resolveConfig(config), (done) => progress("compiling", done, total));
    });
  } catch (error) {
    if (error instanceof LinkError) {
      const hint = await pluginHint(wasm, config.linker, args, host);
      throw new LinkError(error.code, error.shortMessage, { hint });
    }
    if (!(error instanceof CompileError) || error.code !== "NotSupportedImportType") throw error;
    const { code, shortMessage, offset } = error;
    const hint = error.hint?.includes("defaultImportedGlobalValue")
      ? "run takes imported globals for 0 with --unknown-imports zero"
      : error.hint;
    throw new CompileError(code, shortMessage, { offset, hint });
  }
}

/** How to get the functions that a module misses: from plugins of this library where one has them. */
export async function pluginHint(
  wasm: WasmModule,
  linker: CompilationConfig["linker"],
  args: Arguments,
  host: Host,
): Promise<string> {
  const missing = wasm.imports.filter(({ module, name, kind }) =>
    kind === "function" && linker?.resolve(module, name) === undefined
  );
  const useful: string[] = [];
  for (const name of BUILT_IN) {
    const offered = new ImportLinker().use(await builtIn(name, args, host));
    if (missing.some(({ module, name }) => offered.resolve(module, name) !== undefined)) useful.push(name);
  }
  const known = useful.map((name) => `--plugin ${name} offers some of them; `).join("");
  return `${known}name the plugins that offer these functions with --plugin, or look at what the program ` +
    "does without them: run it with --unknown-imports trap or zero";
}
