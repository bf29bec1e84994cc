/**
 * A file system seen through glass: looks like the one behind it, and every change fails with ROFS.
 *
 * @module
 */

import { Errno, fail } from "./errno.ts";
import type { DirectoryEntry, FileAccess, FileStat, FileSystem, OpenFile } from "./file_system.ts";

function refuse(): never {
  return fail(Errno.ROFS);
}

/** A file system that cannot be changed through this; see {@link FileSystem} for the operations. */
export class ReadOnlyFileSystem<Node> implements FileSystem<Node> {
  readonly #fs: FileSystem<Node>;

  /** Looks at another file system. */
  constructor(fs: FileSystem<Node>) {
    this.#fs = fs;
  }

  /** The file system behind the glass. */
  get behind(): FileSystem<Node> {
    return this.#fs;
  }

  /** The directory everything is in. */
  get root(): Node {
    return this.#fs.root;
  }

  /** As behind. */
  retain(node: Node): void {
    this.#fs.retain(node);
  }

  /** As behind. */
  release(node: Node): void {
    this.#fs.release(node);
  }

  /** As behind. */
  check(node: Node): void {
    this.#fs.check(node);
  }

  /** As behind. */
  type(node: Node): number {
    return this.#fs.type(node);
  }

  /** As behind. */
  lookup(directory: Node, name: string): Node | undefined {
    return this.#fs.lookup(directory, name);
  }

  /** As behind. */
  target(link: Node): string {
    return this.#fs.target(link);
  }

  /** As behind. */
  stat(node: Node): FileStat {
    return this.#fs.stat(node);
  }

  /** As behind. */
  list(directory: Node): DirectoryEntry[] {
    return this.#fs.list(directory);
  }

  /** Opens a file for reading. */
  open(node: Node, access: FileAccess): OpenFile {
    if (access.write) refuse();
    const file = this.#fs.open(node, access);
    return {
      read: (into, offset) => file.read(into, offset),
      size: () => file.size(),
      stat: () => file.stat(),
      sync: () => {},
      close: () => file.close(),
      write: refuse,
      resize: refuse,
      setTimes: refuse,
    };
  }

  /** Refused, as everything that follows. */
  setTimes(): void {
    refuse();
  }

  /** Refused. */
  createFile(): Node {
    return refuse();
  }

  /** Refused. */
  createDirectory(): void {
    refuse();
  }

  /** Refused. */
  createLink(): void {
    refuse();
  }

  /** Refused. */
  link(): void {
    refuse();
  }

  /** Refused. */
  unlink(): void {
    refuse();
  }

  /** Refused. */
  removeDirectory(): void {
    refuse();
  }

  /** Refused. */
  rename(): void {
    refuse();
  }
}
