/**
 * A directory of the host as a file system, over Deno's synchronous calls. A node is a path below the
 * root that was looked up name by name, none of it a link. Links are never left to the operating
 * system: before a directory of a descriptor is used, every name above it is looked at again, and a
 * file that was opened must be the one that was looked at. What remains is a race with *other
 * processes of the host* that swap directories for links at the same moment; a guest cannot, for its
 * calls do not overlap.
 *
 * @module
 */

import { lutimesSync } from "node:fs";
import { Errno, errnoOfHostError, fail } from "./errno.ts";
import type { DirectoryEntry, FileAccess, FileStat, FileSystem, OpenFile } from "./file_system.ts";
import { Filetype } from "./preview1.ts";

/** A file, directory or link of the host. */
export interface HostNode {
  /** Names from the root on, each behind a slash; empty for the root. Changes when the guest renames it. */
  path: string;
  /** One of `Filetype`. */
  readonly type: number;
  /** Device and number, to see whether it is still the same; null on Windows. */
  readonly dev: number;
  readonly ino: number | null;
}

const windows = Deno.build.os === "windows";

/** Runs an operation of the host; whatever it throws becomes a failure with an error number. */
function attempt<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    return fail(errnoOfHostError(error));
  }
}

function typeOf(info: { isFile: boolean; isDirectory: boolean; isSymlink: boolean }): number {
  if (info.isSymlink) return Filetype.SYMBOLIC_LINK;
  if (info.isDirectory) return Filetype.DIRECTORY;
  return info.isFile ? Filetype.REGULAR_FILE : Filetype.UNKNOWN;
}

function nanoseconds(date: Date | null): bigint {
  return date === null ? 0n : BigInt(Math.trunc(date.getTime())) * 1_000_000n;
}

function statOf(info: Deno.FileInfo): FileStat {
  const mtime = nanoseconds(info.mtime);
  return {
    dev: info.dev,
    ino: info.ino ?? 0,
    type: typeOf(info),
    nlink: info.nlink ?? 1,
    size: info.size,
    atime: nanoseconds(info.atime),
    mtime,
    ctime: info.ctime === null ? mtime : nanoseconds(info.ctime),
  };
}

/** A time as the host takes it: seconds, with a fraction. */
const seconds = (time: bigint): number => Number(time) / 1e9;

/** A directory of the host. */
export class HostFileSystem implements FileSystem<HostNode> {
  /** The directory everything is in. */
  readonly root: HostNode;
  readonly #base: string;
  /** Files and directories that descriptors use: their paths follow renames. */
  readonly #retained = new Set<HostNode>();

  /** Uses a directory of the host; its path may lead through links. Throws what Deno throws. */
  constructor(path: string) {
    this.#base = Deno.realPathSync(path);
    const info = Deno.statSync(this.#base);
    if (!info.isDirectory) throw new Deno.errors.NotADirectory("it is not a directory");
    this.root = { path: "", type: Filetype.DIRECTORY, dev: info.dev, ino: info.ino };
  }

  /** Where it is on the host. */
  get base(): string {
    return this.#base;
  }

  /** What is at a path below the root, given as `HostNode.path` is; undefined when nothing is, or a link is on the way. */
  find(path: string): HostNode | undefined {
    let found: HostNode | undefined = this.root;
    for (const name of path.split("/").slice(1)) {
      const isName = name !== "" && name !== "." && name !== ".." && !name.includes("\0");
      if (found?.type !== Filetype.DIRECTORY || !isName) return undefined;
      found = this.lookup(found, name);
    }
    return found;
  }

  /** Lets the path of a file or directory follow renames. */
  retain(node: HostNode): void {
    this.#retained.add(node);
  }

  /** Undoes `retain`. */
  release(node: HostNode): void {
    this.#retained.delete(node);
  }

  /** Fails with NOENT unless a directory is still there, with no link on the way. */
  check(node: HostNode): void {
    let found = this.root;
    for (const name of node.path.split("/").slice(1)) {
      const next = this.lookup(found, name);
      if (next?.type !== Filetype.DIRECTORY) return fail(Errno.NOENT);
      found = next;
    }
    if (found.ino !== node.ino || found.dev !== node.dev) fail(Errno.NOENT);
  }

  /** One of `Filetype`. */
  type(node: HostNode): number {
    return node.type;
  }

  /** What a directory has under a name. */
  lookup(directory: HostNode, name: string): HostNode | undefined {
    const path = this.#child(directory, name);
    try {
      const info = Deno.lstatSync(this.#base + path);
      return { path, type: typeOf(info), dev: info.dev, ino: info.ino };
    } catch (error) {
      const errno = errnoOfHostError(error);
      return errno === Errno.NOENT ? undefined : fail(errno);
    }
  }

  /** Where a link leads. */
  target(link: HostNode): string {
    return attempt(() => Deno.readLinkSync(this.#base + link.path));
  }

  /** What is known about a node. */
  stat(node: HostNode): FileStat {
    return attempt(() => statOf(Deno.lstatSync(this.#base + node.path)));
  }

  /** Sets times of a node. */
  setTimes(node: HostNode, atime: bigint | undefined, mtime: bigint | undefined): void {
    const path = this.#base + node.path, old = this.stat(node);
    const times = [seconds(atime ?? old.atime), seconds(mtime ?? old.mtime)] as const;
    attempt(() => {
      if (node.type === Filetype.SYMBOLIC_LINK) lutimesSync(path, ...times);
      else Deno.utimeSync(path, ...times);
    });
  }

  /** Entries in order of their names' code units. */
  list(directory: HostNode): DirectoryEntry[] {
    const names = attempt(() =>
      Array.from(Deno.readDirSync(this.#base + directory.path), ({ name }) => name)
    );
    return names.sort().flatMap((name): DirectoryEntry[] => {
      const node = this.lookup(directory, name);
      return node === undefined ? [] : [{ name, ino: node.ino ?? 0, type: node.type }];
    });
  }

  /** Opens a regular file. */
  open(node: HostNode, access: FileAccess): OpenFile {
    // Opening a pipe would wait for its other end, opening a device may have effects.
    if (node.type !== Filetype.REGULAR_FILE) fail(Errno.NOTSUP);
    const { write } = access, read = access.read || !write;
    const file = attempt(() => Deno.openSync(this.#base + node.path, { read, write }));
    try {
      const { dev, ino } = attempt(() => file.statSync());
      if (dev !== node.dev || ino !== node.ino) fail(Errno.LOOP); // somebody put a link in its place
      return new OpenHostFile(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Makes an empty file. */
  createFile(directory: HostNode, name: string): HostNode {
    const path = this.#base + this.#child(directory, name);
    attempt(() => Deno.openSync(path, { write: true, createNew: true }).close());
    return this.lookup(directory, name) ?? fail(Errno.NOENT);
  }

  /** Makes an empty directory. */
  createDirectory(directory: HostNode, name: string): void {
    const path = this.#base + this.#child(directory, name);
    attempt(() => Deno.mkdirSync(path));
  }

  /** Makes a link. */
  createLink(directory: HostNode, name: string, target: string): void {
    const path = this.#base + this.#child(directory, name);
    attempt(() => Deno.symlinkSync(target, path));
  }

  /** Gives a file or link one more name. */
  link(node: HostNode, directory: HostNode, name: string): void {
    if (node.type === Filetype.DIRECTORY) fail(Errno.PERM);
    // Elsewhere the operating system would follow the link.
    if (node.type === Filetype.SYMBOLIC_LINK && Deno.build.os !== "linux") fail(Errno.NOTSUP);
    const path = this.#base + this.#child(directory, name);
    attempt(() => Deno.linkSync(this.#base + node.path, path));
  }

  /** Takes a name from a file or link. */
  unlink(directory: HostNode, name: string): void {
    const node = this.lookup(directory, name) ?? fail(Errno.NOENT);
    if (node.type === Filetype.DIRECTORY) fail(Errno.ISDIR);
    attempt(() => Deno.removeSync(this.#base + node.path));
  }

  /** Removes an empty directory. */
  removeDirectory(directory: HostNode, name: string): void {
    const node = this.lookup(directory, name) ?? fail(Errno.NOENT);
    if (node.type !== Filetype.DIRECTORY) fail(Errno.NOTDIR);
    attempt(() => Deno.removeSync(this.#base + node.path));
  }

  /** Moves a node. */
  rename(from: HostNode, fromName: string, to: HostNode, toName: string): void {
    const old = this.#child(from, fromName), path = this.#child(to, toName);
    attempt(() => Deno.renameSync(this.#base + old, this.#base + path));
    for (const node of this.#retained) {
      if (node.path === old || node.path.startsWith(`${old}/`)) {
        node.path = path + node.path.slice(old.length);
      }
    }
  }

  #child(directory: HostNode, name: string): string {
    // There a name could hold a separator, a drive or a stream.
    if (windows && /[\\:]/.test(name)) fail(Errno.INVAL);
    return `${directory.path}/${name}`;
  }
}

/** A regular file of the host, opened. */
class OpenHostFile implements OpenFile {
  readonly #file: Deno.FsFile;
  /** Where the host's own position is; NaN when nobody knows. */
  #position = 0;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  read(into: Uint8Array, offset: number): number {
    return attempt(() => {
      this.#seek(offset);
      let done = 0;
      while (done < into.length) {
        const count = this.#file.readSync(into.subarray(done));
        if (count === null || count === 0) break;
        done += count;
      }
      this.#position = offset + done;
      return done;
    });
  }

  write(from: Uint8Array, offset: number): number {
    return attempt(() => {
      this.#seek(offset);
      let done = 0;
      while (done < from.length) done += this.#file.writeSync(from.subarray(done));
      this.#position = offset + done;
      return done;
    });
  }

  size(): number {
    return this.stat().size;
  }

  resize(size: number): void {
    attempt(() => this.#file.truncateSync(size));
  }

  sync(): void {
    attempt(() => this.#file.syncSync());
  }

  stat(): FileStat {
    return attempt(() => statOf(this.#file.statSync()));
  }

  setTimes(atime: bigint | undefined, mtime: bigint | undefined): void {
    const old = this.stat();
    attempt(() => this.#file.utimeSync(seconds(atime ?? old.atime), seconds(mtime ?? old.mtime)));
  }

  close(): void {
    attempt(() => this.#file.close());
  }

  #seek(offset: number): void {
    if (this.#position === offset) return;
    this.#position = NaN; // until the operation that follows has succeeded
    this.#file.seekSync(offset, Deno.SeekMode.Start);
  }
}
