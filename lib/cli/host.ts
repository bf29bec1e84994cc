/**
 * The side effects of the command line: streams, files, permissions. Commands do all of theirs
 * through this, so that tests can give them another one.
 *
 * @module
 */

import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RwasmError } from "../error.ts";

/** What a command will touch. */
export interface Access {
  /** Files it reads. */
  readonly read?: readonly string[];
  /** Files it writes. */
  readonly write?: readonly string[];
  /** Plugins it imports: paths or URLs. */
  readonly plugins?: readonly string[];
}

/** The outside of the command line. */
export interface Host {
  /** Whether errors may have colors. */
  readonly color: boolean;
  /** Prints a line of results. */
  print(text: string): void;
  /** Prints a line that is not a result. */
  note(text: string): void;
  /** Bytes of a file; `-` is standard input. */
  read(path: string): Promise<Uint8Array>;
  /** Writes a file; `-` is standard output. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Fails with the command line that has the permissions, when some are missing. */
  permit(access: Access): Promise<void>;
}

const encoder = new TextEncoder();

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
  } catch (error) {
    // The reader of a pipe went away, as `head` does: there is nobody left to tell.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** A text with everything that could steer a terminal escaped, but for line ends; guests choose names. */
export function printable(text: string): string {
  // Deno colors some of its own messages, which errors here quote.
  // deno-lint-ignore no-control-regex -- a color begins with an escape character
  const plain = text.replaceAll(/\x1b\[[\d;]*m/g, "");
  return plain.replaceAll(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, (char) => {
    return `\\u{${char.codePointAt(0)!.toString(16)}}`;
  });
}

/** A text as one word of a shell command. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** URL of a plugin given as a path or as a URL. */
export function pluginUrl(plugin: string): URL {
  return URL.canParse(plugin) ? new URL(plugin) : pathToFileURL(plugin);
}

/** Paths and hosts that a command needs, as Deno's permissions name them. */
function permissionsOf(
  { read = [], write = [], plugins = [] }: Access,
): Record<"read" | "write" | "import", string[]> {
  const files = (paths: readonly string[]): string[] => [...new Set(paths.filter((path) => path !== "-"))];
  const urls = plugins.map(pluginUrl);
  return {
    read: files([...read, ...plugins.filter((_, at) => urls[at].protocol === "file:")]),
    write: files(write),
    import: files(urls.filter(({ host }) => host !== "").map(({ host }) => host)),
  };
}

/** A host over Deno's own streams and files; `args` is the whole command line, `main` the module Deno runs. */
export function denoHost(args: readonly string[], main: URL): Host {
  const missing = (access: Access): RwasmError => {
    const flags = Object.entries(permissionsOf(access)).filter(([, values]) => values.length > 0)
      .map(([kind, values]) => `--allow-${kind}=${values.join(",")}`);
    const script = main.protocol === "file:" ? relative(Deno.cwd(), fileURLToPath(main)) : main.href;
    const line = ["deno", "run", ...flags, script, ...args].map(shellWord).join(" ");
    return new RwasmError("PermissionMissing", "Cannot go on: Deno does not let this command use its files", {
      hint: `allow them:\n  ${line}`,
    });
  };
  const failure = (what: "read" | "write", path: string, error: unknown): RwasmError => {
    if (error instanceof Deno.errors.NotFound) {
      return new RwasmError("FileNotFound", `Cannot ${what} ${path}: there is no such file or folder`);
    }
    if (error instanceof Deno.errors.NotCapable) return missing({ [what]: [path] });
    const why = error instanceof Error ? error.message : String(error);
    return new RwasmError("FileError", `Cannot ${what} ${path}: ${why}`, { cause: error });
  };

  return {
    color: Deno.stderr.isTerminal() && !Deno.noColor,
    print: (text) => writeAll(Deno.stdout, encoder.encode(`${text}\n`)),
    note: (text) => writeAll(Deno.stderr, encoder.encode(`${text}\n`)),
    async read(path) {
      try {
        return path === "-" ? await new Response(Deno.stdin.readable).bytes() : await Deno.readFile(path);
      } catch (error) {
        throw failure("read", path, error);
      }
    },
    async write(path, bytes) {
      if (path === "-") return writeAll(Deno.stdout, bytes);
      try {
        await Deno.writeFile(path, bytes);
      } catch (error) {
        throw failure("write", path, error);
      }
    },
    async permit(access) {
      const needed = permissionsOf(access);
      const states = await Promise.all([
        ...needed.read.map((path) => Deno.permissions.query({ name: "read", path })),
        ...needed.write.map((path) => Deno.permissions.query({ name: "write", path })),
        ...needed.import.map((host) => Deno.permissions.query({ name: "import", host })),
      ]);
      // On a terminal Deno asks for what is not decided yet; elsewhere that is a refusal.
      const asks = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
      if (states.some(({ state }) => state === "denied" || (state === "prompt" && !asks))) {
        throw missing(access);
      }
    },
  };
}
