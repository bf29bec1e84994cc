/**
 * The side effects of the command line: streams, files, permissions. Commands do all of theirs
 * through this, so that tests can give them another one.
 *
 * @module
 */

import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RwasmError } from "../error.ts";
import { Exit } from "./exit.ts";

/** What a command will touch. */
export interface Access {
  /** Files it reads. */
  readonly read?: readonly string[];
  /** Files it writes. */
  readonly write?: readonly string[];
  /** Plugins it imports: paths or URLs. */
  readonly plugins?: readonly string[];
  /** Environment variables it reads. */
  readonly env?: readonly string[];
}

/** The streams a command writes to. */
export type Stream = "out" | "err";

/** The outside of the command line. */
export interface Host {
  /** Whether messages may have colors. */
  readonly color: boolean;
  /** Whether a stream is a terminal. */
  readonly terminal: Readonly<Record<Stream, boolean>>;
  /** URL of the module that users import and run. */
  readonly program: URL;
  /** Prints a line of results. */
  print(text: string): void;
  /** Prints a line that is not a result. */
  note(text: string): void;
  /** Writes bytes as they are; ends the process when the reader of a pipe went away. */
  emit(stream: Stream, bytes: Uint8Array): void;
  /** Bytes of a file; `-` is standard input. */
  read(path: string): Promise<Uint8Array>;
  /** At most `length` bytes of standard input, waiting for them; null at its end. */
  input(length: number): Uint8Array | null;
  /** Writes a file; `-` is standard output. With `fresh`, a file that is there stays and is an error. */
  write(path: string, bytes: Uint8Array, fresh?: boolean): Promise<void>;
  /**
   * Opens a file that is written piece by piece; `discard` removes it again, as do a failure to write and
   * the end of the process. Absent where files are written whole.
   */
  create?(path: string): { write(bytes: Uint8Array): void; close(): void; discard(): void };
  /** Fails when a file that is not there yet cannot be written; changes nothing. Absent where all can be. */
  checkWritable?(path: string): void;
  /** Value of an environment variable. */
  variable(name: string): string | undefined;
  /** Milliseconds since some moment. */
  now(): number;
  /**
   * Has a function called at the first Ctrl-C, and only then; the next one ends the process. Gives a
   * function that undoes it. While {@link Host.input} waits nothing can be called: Ctrl-C then ends the
   * process, or with `waits` has its effect when there is input. Absent where there are no signals.
   */
  onInterrupt?(handler: () => void, waits: boolean): () => void;
  /** Fails with the command line that has the permissions, when some are missing. */
  permit(access: Access): Promise<void>;
}

const encoder = new TextEncoder();

/** Writes all bytes; false when the reader of a pipe went away, as `head` does. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): boolean {
  try {
    for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

/** A text with everything that could steer a terminal escaped, but for line ends and tabs. */
export function escaped(text: string): string {
  return text.replaceAll(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu, (char) => {
    return `\\u{${char.codePointAt(0)!.toString(16)}}`;
  });
}

/** A message, safe for a terminal: guests choose the names in it. */
export function printable(text: string): string {
  // Deno colors some of its own messages, which errors here quote.
  // deno-lint-ignore no-control-regex -- a color begins with an escape character
  return escaped(text.replaceAll(/\x1b\[[\d;]*m/g, ""));
}

/** A text as one word of a shell command. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** URL of a plugin given as a path or as a URL. */
export function pluginUrl(plugin: string): URL {
  return URL.canParse(plugin) ? new URL(plugin) : pathToFileURL(plugin);
}

/** What a command needs, as the values of Deno's permission flags. */
function permissionsOf(
  { read = [], write = [], plugins = [], env = [] }: Access,
): Record<"read" | "write" | "import" | "env", string[]> {
  const files = (paths: readonly string[]): string[] => [...new Set(paths.filter((path) => path !== "-"))];
  const urls = plugins.map(pluginUrl);
  return {
    read: files([...read, ...plugins.filter((_, at) => urls[at].protocol === "file:")]),
    write: files(write),
    import: files(urls.filter(({ host }) => host !== "").map(({ host }) => host)),
    env: [...new Set(env)],
  };
}

/** The command line that runs this program with arguments and the permissions they need. */
export function commandLine(program: URL, access: Access, args: readonly string[]): string {
  // A comma separates values, and Deno has no way to write one that belongs to a name.
  const flags = Object.entries(permissionsOf(access)).filter(([, values]) => values.length > 0)
    .map(([kind, values]) =>
      values.some((text) => text.includes(",")) ? `--allow-${kind}` : `--allow-${kind}=${values.join(",")}`
    );
  const script = program.protocol === "file:" ? relative(Deno.cwd(), fileURLToPath(program)) : program.href;
  return ["deno", "run", ...flags, script, ...args].map(shellWord).join(" ");
}

/** A host over Deno's own streams and files; `args` is the whole command line, `program` the module Deno runs. */
export function denoHost(args: readonly string[], program: URL): Host {
  const missing = (access: Access): RwasmError => {
    const line = commandLine(program, access, args);
    return new RwasmError(
      "PermissionMissing",
      "Cannot go on: Deno does not let this command use what it needs",
      {
        hint: `allow it:\n  ${line}`,
      },
    );
  };
  const failure = (what: "read" | "write", path: string, error: unknown): RwasmError => {
    if (error instanceof Deno.errors.NotFound) {
      return new RwasmError("FileNotFound", `Cannot ${what} ${path}: there is no such file or folder`);
    }
    if (error instanceof Deno.errors.AlreadyExists) {
      return new RwasmError("FileExists", `Cannot ${what} ${path}: there is such a file`, {
        hint: "choose another name, or add --force to replace it",
      });
    }
    if (error instanceof Deno.errors.NotCapable) return missing({ [what]: [path] });
    const why = error instanceof Error ? error.message : String(error);
    return new RwasmError("FileError", `Cannot ${what} ${path}: ${why}`, { cause: error });
  };
  const streams = { out: Deno.stdout, err: Deno.stderr };
  /** The listener for Ctrl-C that must be out of the way while standard input blocks the thread. */
  let listener: (() => void) | undefined;

  return {
    color: Deno.stderr.isTerminal() && !Deno.noColor,
    terminal: { out: Deno.stdout.isTerminal(), err: Deno.stderr.isTerminal() },
    program,
    print: (text) => void writeAll(Deno.stdout, encoder.encode(`${text}\n`)),
    note: (text) => void writeAll(Deno.stderr, encoder.encode(`${text}\n`)),
    emit(stream, bytes) {
      // A guest would go on writing, perhaps forever, with nobody left to read it.
      if (!writeAll(streams[stream], bytes)) Deno.exit(Exit.PipeClosed);
    },
    async read(path) {
      try {
        return path === "-" ? await new Response(Deno.stdin.readable).bytes() : await Deno.readFile(path);
      } catch (error) {
        throw failure("read", path, error);
      }
    },
    input(length) {
      const bytes = new Uint8Array(length), away = listener;
      if (away !== undefined) Deno.removeSignalListener("SIGINT", away);
      try {
        const count = Deno.stdin.readSync(bytes);
        return count === null ? null : bytes.subarray(0, count);
      } finally {
        if (away !== undefined) Deno.addSignalListener("SIGINT", away);
      }
    },
    async write(path, bytes, fresh = false) {
      if (path === "-") return void writeAll(Deno.stdout, bytes);
      try {
        await Deno.writeFile(path, bytes, { createNew: fresh });
      } catch (error) {
        throw failure("write", path, error);
      }
    },
    create(path) {
      const opened = (): Deno.FsFile => {
        try {
          return Deno.openSync(path, { write: true, create: true, truncate: true });
        } catch (error) {
          throw failure("write", path, error);
        }
      };
      const file = opened(), removable = file.statSync().isFile;
      let open = true;
      const close = (): void => {
        if (!open) return;
        open = false;
        globalThis.removeEventListener("unload", discard);
        file.close();
      };
      const discard = (): void => {
        if (!open) return;
        close();
        if (removable) Deno.removeSync(path);
      };
      globalThis.addEventListener("unload", discard);
      return {
        write(bytes) {
          try {
            writeAll(file, bytes);
          } catch (error) {
            discard();
            const { code, message } = failure("write", path, error);
            const why = removable ? `${message}; what was written of it is removed` : message;
            throw new RwasmError(code, why, { cause: error });
          }
        },
        close,
        discard,
      };
    },
    checkWritable(path) {
      try {
        Deno.openSync(path, { write: true, createNew: true }).close();
        Deno.removeSync(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw failure("write", path, error);
      }
    },
    variable: (name) => Deno.env.get(name),
    now: () => performance.now(),
    onInterrupt(handler, waits) {
      const release = (): void => {
        listener = undefined;
        Deno.removeSignalListener("SIGINT", interrupted);
      };
      const interrupted = (): void => {
        release();
        handler();
      };
      Deno.addSignalListener("SIGINT", interrupted);
      if (!waits) listener = interrupted;
      return release;
    },
    async permit(access) {
      const needed = permissionsOf(access);
      const states = await Promise.all([
        ...needed.read.map((path) => Deno.permissions.query({ name: "read", path })),
        ...needed.write.map((path) => Deno.permissions.query({ name: "write", path })),
        ...needed.import.map((host) => Deno.permissions.query({ name: "import", host })),
        ...needed.env.map((variable) => Deno.permissions.query({ name: "env", variable })),
      ]);
      // On a terminal Deno asks for what is not decided yet; elsewhere that is a refusal.
      const asks = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
      if (states.some(({ state }) => state === "denied" || (state === "prompt" && !asks))) {
        throw missing(access);
      }
    },
  };
}
