/**
 * Runs command lines in this process, with files in memory and what was printed as data.
 *
 * @module
 */

import { RwasmError } from "../../mod.ts";
import type { Access, Host } from "../../lib/cli/host.ts";
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

/** What else a command line may find outside. */
export interface Outside {
  /** Standard input, as {@link Host.input} gives it piece by piece. */
  readonly input?: readonly string[];
  /** Environment variables. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Streams that are terminals; none by default. */
  readonly terminal?: Partial<Host["terminal"]>;
  /** Milliseconds by which the clock moves each time it is read; 0 by default. */
  readonly tick?: number;
  /** Gets what the command wants to be permitted. */
  readonly permit?: (access: Access) => void;
}

/** Runs a command line over files in memory, which it may write to. */
export async function commandLine(
  args: readonly string[],
  files: Record<string, Uint8Array> = {},
  outside: Outside = {},
): Promise<Printed> {
  const lines = { out: "", err: "" };
  const pieces = [...outside.input ?? []], decoders = { out: new TextDecoder(), err: new TextDecoder() };
  let now = 0;
  const host: Host = {
    color: false,
    terminal: { out: false, err: false, ...outside.terminal },
    program: new URL("../../mod.ts", import.meta.url),
    print: (text) => void (lines.out += `${text}\n`),
    note: (text) => void (lines.err += `${text}\n`),
    emit: (stream, bytes) => void (lines[stream] += decoders[stream].decode(bytes, { stream: true })),
    read: (path) =>
      files[path] === undefined
        ? Promise.reject(
          new RwasmError("FileNotFound", `Cannot read ${path}: there is no such file or folder`),
        )
        : Promise.resolve(files[path]),
    input(length) {
      const bytes = new TextEncoder().encode(pieces.shift() ?? "");
      if (bytes.length > length) throw new Error("a piece is longer than what is asked for");
      return bytes.length === 0 ? null : bytes;
    },
    write: (path, bytes, fresh) =>
      fresh && files[path] !== undefined
        ? Promise.reject(new RwasmError("FileExists", `Cannot write ${path}: there is such a file`))
        : Promise.resolve(void (files[path] = bytes)),
    variable: (name) => outside.variables?.[name],
    now: () => now += outside.tick ?? 0,
    permit: (access) => Promise.resolve(outside.permit?.(access)),
  };
  const code = await main(args, host);
  return { code, ...lines };
}
