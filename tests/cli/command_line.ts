/**
 * Runs command lines in this process, with files in memory and what was printed as data.
 *
 * @module
 */

import { RwasmError } from "../../mod.ts";
import type { Host } from "../../lib/cli/host.ts";
import { main } from "../../lib/cli/main.ts";

/** What a command line did. */
export interface Printed {
  /** Exit code. */
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  /** Standard error. */
  readonly err: string;
}

/** URL of a fixture plugin. */
export function plugin(name: string): string {
  return new URL(`./plugins/${name}.ts`, import.meta.url).href;
}

/** Runs a command line over files in memory, which it may write to. */
export async function commandLine(
  args: readonly string[],
  files: Record<string, Uint8Array> = {},
): Promise<Printed> {
  const lines = { out: "", err: "" };
  const host: Host = {
    color: false,
    print: (text) => void (lines.out += `${text}\n`),
    note: (text) => void (lines.err += `${text}\n`),
    read: (path) =>
      files[path] === undefined
        ? Promise.reject(
          new RwasmError("FileNotFound", `Cannot read ${path}: there is no such file or folder`),
        )
        : Promise.resolve(files[path]),
    write: (path, bytes) => Promise.resolve(void (files[path] = bytes)),
    permit: () => Promise.resolve(),
  };
  const code = await main(args, host);
  return { code, ...lines };
}
