/**
 * A directory in memory as hosts use it: made from a tree of texts and bytes, given to `dirs`, looked
 * into after the run. It keeps what guests did; two guests that get the same one share it.
 *
 * @module
 */

import { UsageError } from "../../mod.ts";
import { Errno, errnoName, fail, Failure } from "./errno.ts";
import {
  type MemoryFileNode,
  MemoryFileSystem,
  type MemoryLimits,
  type MemoryNode,
} from "./memory_file_system.ts";
import { resolve } from "./path.ts";
import { Filetype } from "./preview1.ts";

/** Content of a directory by name: a text or bytes for a file, an object for a directory. */
export interface FileTree {
  /** What a name stands for. */
  readonly [name: string]: string | Uint8Array | FileTree;
}

/**
 * A directory in memory. Paths are relative to it, with `/` between names.
 *
 * @example
 * ```ts
 * import { MemoryDirectory } from "./plugins/wasi_snapshot_preview1.ts";
 * const directory = new MemoryDirectory({ "in.txt": "hello", out: {} });
 * directory.write("out/a.txt", "done");
 * console.log(directory.readText("in.txt"), directory.list("out")); // hello [ "a.txt" ]
 * ```
 */
export class MemoryDirectory {
  /** @internal What the calls work on. */
  readonly fs: MemoryFileSystem;

  /**
   * Makes a directory with the given content.
   *
   * @throws {UsageError} `MemoryFileError` when it does not fit the limits or a name cannot be.
   */
  constructor(tree: FileTree = {}, limits: MemoryLimits = {}) {
    for (const [name, value] of Object.entries(limits)) {
      if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
      throw new UsageError(
        "InvalidLimit",
        `Cannot make a directory: limit "${name}" must be a whole number, not ${String(value)}`,
      );
    }
    this.fs = new MemoryFileSystem(limits);
    this.#fill("", tree);
  }

  /**
   * Bytes of a file.
   *
   * @throws {UsageError} `MemoryFileError`
   */
  read(path: string): Uint8Array {
    return attempt("read", path, () => {
      const { node } = resolve<MemoryNode>(this.fs, this.fs.root, path, true);
      if (node === undefined) return fail(Errno.NOENT);
      if (node.type !== Filetype.REGULAR_FILE) return fail(Errno.ISDIR);
      return node.data.slice(0, node.size);
    });
  }

  /**
   * Text of a file; what is not UTF-8 is replaced.
   *
   * @throws {UsageError} `MemoryFileError`
   */
  readText(path: string): string {
    return new TextDecoder().decode(this.read(path));
  }

  /**
   * Makes or replaces a file; the directories of its path are made too.
   *
   * @throws {UsageError} `MemoryFileError`
   */
  write(path: string, content: string | Uint8Array): void {
    attempt("write", path, () => {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      if (!(bytes instanceof Uint8Array)) fail(Errno.INVAL);
      this.#makeParents(path);
      const { directory, name, node } = resolve<MemoryNode>(this.fs, this.fs.root, path, true);
      if (name === undefined || node?.type === Filetype.DIRECTORY) return fail(Errno.ISDIR);
      const file = (node ?? this.fs.createFile(directory, name, 0n)) as MemoryFileNode;
      const open = this.fs.open(file);
      try {
        open.resize(0, 0n);
        open.write(bytes, 0, 0n);
      } finally {
        open.close();
      }
    });
  }

  /**
   * Makes a directory, and those above it; one that is there is left alone.
   *
   * @throws {UsageError} `MemoryFileError`
   */
  makeDirectory(path: string): void {
    attempt("make directory", path, () => this.#makeParents(`${path}/.`));
  }

  /**
   * Names in a directory, sorted.
   *
   * @throws {UsageError} `MemoryFileError`
   */
  list(path = "."): string[] {
    return attempt("list", path, () => {
      const { node } = resolve<MemoryNode>(this.fs, this.fs.root, path, true);
      return this.fs.list(node ?? fail(Errno.NOENT)).map(({ name }) => name);
    });
  }

  /** Whether there is something at a path. */
  exists(path: string): boolean {
    try {
      return resolve<MemoryNode>(this.fs, this.fs.root, path, true).node !== undefined;
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }

  #fill(prefix: string, tree: FileTree): void {
    for (const [name, content] of Object.entries(tree)) {
      const path = `${prefix}${name}`;
      if (name === "" || name.includes("/") || name.includes("\0") || name === "." || name === "..") {
        throw new UsageError("MemoryFileError", `Cannot make ${JSON.stringify(path)}: that is not a name`);
      }
      if (typeof content === "string" || content instanceof Uint8Array) this.write(path, content);
      else if (typeof content === "object" && content !== null) {
        this.makeDirectory(path);
        this.#fill(`${path}/`, content);
      } else {
        throw new UsageError(
          "MemoryFileError",
          `Cannot make ${JSON.stringify(path)}: its content must be a string, a Uint8Array or an object`,
        );
      }
    }
  }

  #makeParents(path: string): void {
    for (let at = path.indexOf("/", 1); at >= 0; at = path.indexOf("/", at + 1)) {
      const { directory, name, node } = resolve<MemoryNode>(this.fs, this.fs.root, path.slice(0, at), true);
      if (node === undefined && name !== undefined) this.fs.createDirectory(directory, name, 0n);
    }
  }
}

function attempt<Result>(verb: string, path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new UsageError(
      "MemoryFileError",
      `Cannot ${verb} ${JSON.stringify(path)} in a memory directory: ${errnoName(error.errno)}`,
    );
  }
}
