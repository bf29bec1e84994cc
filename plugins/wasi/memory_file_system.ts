/**
 * A file system in memory: directories, files, links, hard links, times. Its nodes are plain data, so
 * that they can be cloned; how many there are and how many bytes they hold is bounded. Hosts use it
 * through `MemoryDirectory`.
 *
 * @module
 */

import { Errno, fail } from "./errno.ts";
import type { DirectoryEntry, FileStat, FileSystem, OpenFile } from "./file_system.ts";
import { Filetype, PATH_MAX } from "./preview1.ts";

/** What every node has; times in nanoseconds since 1970. */
interface NodeBase {
  readonly ino: number;
  /** Names that refer to it; a directory that was removed has none. */
  nlink: number;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
}

/** A regular file. */
export interface MemoryFileNode extends NodeBase {
  readonly type: typeof Filetype.REGULAR_FILE;
  /** Descriptors that have it open: its bytes stay until the last is closed. */
  opens: number;
  /** Holds the content and room to grow; zeros behind the content. */
  data: Uint8Array;
  size: number;
}

/** A directory. */
export interface MemoryDirectoryNode extends NodeBase {
  readonly type: typeof Filetype.DIRECTORY;
  /** The directory it is in; undefined for the root and when it was removed. */
  parent: MemoryDirectoryNode | undefined;
  readonly entries: Map<string, MemoryNode>;
}

/** A symbolic link. */
export interface MemoryLinkNode extends NodeBase {
  readonly type: typeof Filetype.SYMBOLIC_LINK;
  readonly target: string;
}

/** A node of any type. */
export type MemoryNode = MemoryFileNode | MemoryDirectoryNode | MemoryLinkNode;

/** Bounds of a file system in memory. */
export interface MemoryLimits {
  /** Most bytes its files and links may hold together; default 256 MiB. The host needs at most twice that. */
  readonly bytes?: number;
  /** Most files, directories and links; default 262,144. */
  readonly nodes?: number;
}

const DEFAULT_BYTES = 256 * 1024 * 1024, DEFAULT_NODES = 262_144;

/** Bytes of room that the first write makes. */
const SMALLEST_ROOM = 256;

/** A file system in memory; see {@link FileSystem} for the operations. */
export class MemoryFileSystem implements FileSystem<MemoryNode> {
  /** The directory everything is in. */
  readonly root: MemoryDirectoryNode;
  readonly #maxBytes: number;
  readonly #maxNodes: number;
  #bytes = 0;
  #nodes = 1;
  #lastIno = 1;

  /** An empty one; its root is as old as `now`. */
  constructor(limits: MemoryLimits = {}, now = 0n) {
    this.#maxBytes = limits.bytes ?? DEFAULT_BYTES;
    this.#maxNodes = limits.nodes ?? DEFAULT_NODES;
    this.root = {
      type: Filetype.DIRECTORY,
      parent: undefined,
      entries: new Map(),
      ino: 1,
      nlink: 1,
      ...times(now),
    };
  }

  /** Nothing to do: a node lives as long as somebody has it. */
  retain(_node: MemoryNode): void {}

  /** Nothing to do. */
  release(_node: MemoryNode): void {}

  /** Nothing to do: a node stays what it is. */
  check(_node: MemoryNode): void {}

  /** One of `Filetype`. */
  type(node: MemoryNode): number {
    return node.type;
  }

  /** What a directory has under a name. */
  lookup(directory: MemoryNode, name: string): MemoryNode | undefined {
    return entriesOf(directory).get(name);
  }

  /** Where a link leads. */
  target(link: MemoryNode): string {
    return link.type === Filetype.SYMBOLIC_LINK ? link.target : fail(Errno.INVAL);
  }

  /** What is known about a node. */
  stat(node: MemoryNode): FileStat {
    const { ino, type, nlink, atime, mtime, ctime } = node;
    return { dev: 1, ino, type, nlink, size: sizeOf(node), atime, mtime, ctime };
  }

  /** Sets times of a node. */
  setTimes(node: MemoryNode, atime: bigint | undefined, mtime: bigint | undefined, now: bigint): void {
    if (atime !== undefined) node.atime = atime;
    if (mtime !== undefined) node.mtime = mtime;
    node.ctime = now;
  }

  /** Entries in order of their names' code units. */
  list(directory: MemoryNode): DirectoryEntry[] {
    const entries = Array.from(
      entriesOf(directory),
      ([name, { ino, type }]): DirectoryEntry => ({ name, ino, type }),
    );
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Opens a regular file. */
  open(node: MemoryNode): OpenFile {
    if (node.type !== Filetype.REGULAR_FILE) return fail(Errno.INVAL);
    node.opens++;
    return new OpenMemoryFile(this, node);
  }

  /** Makes an empty file. */
  createFile(directory: MemoryNode, name: string, now: bigint): MemoryFileNode {
    const data = new Uint8Array(0);
    return this.#add(directory, name, now, (base) => ({
      type: Filetype.REGULAR_FILE,
      opens: 0,
      data,
      size: 0,
      ...base,
    }));
  }

  /** Makes an empty directory. */
  createDirectory(directory: MemoryNode, name: string, now: bigint): void {
    const parent = directory as MemoryDirectoryNode;
    this.#add(directory, name, now, (base) => ({
      type: Filetype.DIRECTORY,
      parent,
      entries: new Map(),
      ...base,
    }));
  }

  /** Makes a link. */
  createLink(directory: MemoryNode, name: string, target: string, now: bigint): void {
    if (target.length > PATH_MAX) fail(Errno.NAMETOOLONG);
    if (target.length > this.#maxBytes - this.#bytes) fail(Errno.NOSPC);
    this.#add(directory, name, now, (base) => ({ type: Filetype.SYMBOLIC_LINK, target, ...base }));
    this.#bytes += target.length;
  }

  /** Gives a file or link one more name. */
  link(node: MemoryNode, directory: MemoryNode, name: string, now: bigint): void {
    if (node.type === Filetype.DIRECTORY) fail(Errno.PERM);
    const entries = entriesOf(directory);
    if (entries.has(name)) fail(Errno.EXIST);
    if (directory.nlink === 0) fail(Errno.NOENT);
    // Every name takes memory of the host, as a node does.
    if (this.#nodes >= this.#maxNodes) fail(Errno.NOSPC);
    this.#nodes++;
    entries.set(name, node);
    node.nlink++;
    node.ctime = now;
    touch(directory, now);
  }

  /** Takes a name from a file or link. */
  unlink(directory: MemoryNode, name: string, now: bigint): void {
    const entries = entriesOf(directory), node = entries.get(name);
    if (node === undefined) return fail(Errno.NOENT);
    if (node.type === Filetype.DIRECTORY) fail(Errno.ISDIR);
    entries.delete(name);
    touch(directory, now);
    this.#nodes--;
    node.nlink--;
    node.ctime = now;
    this.#reclaim(node);
  }

  /** Removes an empty directory. */
  removeDirectory(directory: MemoryNode, name: string, now: bigint): void {
    const entries = entriesOf(directory), node = entries.get(name);
    if (node === undefined) return fail(Errno.NOENT);
    if (node.type !== Filetype.DIRECTORY) return fail(Errno.NOTDIR);
    if (node.entries.size > 0) fail(Errno.NOTEMPTY);
    entries.delete(name);
    touch(directory, now);
    this.#nodes--;
    node.nlink = 0;
    node.parent = undefined;
  }

  /** Moves a node. */
  rename(from: MemoryNode, fromName: string, to: MemoryNode, toName: string, now: bigint): void {
    const source = entriesOf(from), target = entriesOf(to);
    const node = source.get(fromName), old = target.get(toName);
    if (node === undefined) return fail(Errno.NOENT);
    if (to.nlink === 0) fail(Errno.NOENT);
    if (node === old) return; // two names of one file: POSIX says that nothing happens
    if (node.type === Filetype.DIRECTORY) {
      for (
        let above: MemoryDirectoryNode | undefined = to as MemoryDirectoryNode;
        above;
        above = above.parent
      ) {
        if (above === node) fail(Errno.INVAL);
      }
    }
    if (old !== undefined) {
      if (old.type === Filetype.DIRECTORY) {
        if (node.type !== Filetype.DIRECTORY) fail(Errno.ISDIR);
        this.removeDirectory(to, toName, now);
      } else {
        if (node.type === Filetype.DIRECTORY) fail(Errno.NOTDIR);
        this.unlink(to, toName, now);
      }
    }
    source.delete(fromName);
    target.set(toName, node);
    if (node.type === Filetype.DIRECTORY) node.parent = to as MemoryDirectoryNode;
    node.ctime = now;
    touch(from, now);
    touch(to, now);
  }

  /** Gives a file another size, with zeros where it grows; fails with FBIG or NOSPC. */
  resize(file: MemoryFileNode, size: number): void {
    const { data, size: old } = file;
    if (size > Number.MAX_SAFE_INTEGER) fail(Errno.FBIG);
    if (size > old && size - old > this.#maxBytes - this.#bytes) fail(Errno.NOSPC);
    // Room beyond the content is never more than the content, so that the bound bounds the host's memory too.
    if (size > data.length || 2 * size + SMALLEST_ROOM < data.length) {
      const room = size > data.length ? Math.max(size, 2 * old, SMALLEST_ROOM) : size;
      try {
        file.data = new Uint8Array(room);
      } catch {
        return fail(Errno.NOSPC); // the host has no memory left
      }
      file.data.set(data.subarray(0, Math.min(old, size)));
    } else if (size < old) data.fill(0, size, old);
    this.#bytes += size - old;
    file.size = size;
  }

  /** Number of the newest node. */
  get lastIno(): number {
    return this.#lastIno;
  }

  /**
   * Puts other content in the place of what there is; fails with NOSPC, and nothing is done, when it
   * does not fit.
   *
   * @param root a tree of nodes that nothing else has; its entries move to the root there is
   * @param nameless files without a name, which descriptors will have open
   */
  replace(root: MemoryDirectoryNode, nameless: readonly MemoryFileNode[], lastIno: number): void {
    let names = 0, bytes = 0;
    const counted = new Set<MemoryNode>(nameless), directories = [root];
    for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
      for (const node of directory.entries.values()) {
        names++;
        if (node.type === Filetype.DIRECTORY) directories.push(node);
        else counted.add(node);
      }
    }
    for (const node of counted) bytes += sizeOf(node);
    if (1 + names > this.#maxNodes || bytes > this.#maxBytes) fail(Errno.NOSPC);
    this.#nodes = 1 + names;
    this.#bytes = bytes;
    this.#lastIno = lastIno;
    const { entries, ...rest } = root;
    Object.assign(this.root, rest, { parent: undefined });
    this.root.entries.clear();
    for (const [name, node] of entries) {
      this.root.entries.set(name, node);
      if (node.type === Filetype.DIRECTORY) node.parent = this.root;
    }
  }

  /** Closes one opening of a file. */
  close(file: MemoryFileNode): void {
    file.opens--;
    this.#reclaim(file);
  }

  #add<Kind extends MemoryNode>(
    directory: MemoryNode,
    name: string,
    now: bigint,
    make: (base: NodeBase) => Kind,
  ): Kind {
    const entries = entriesOf(directory);
    if (directory.nlink === 0) fail(Errno.NOENT);
    if (entries.has(name)) fail(Errno.EXIST);
    if (this.#nodes >= this.#maxNodes) fail(Errno.NOSPC);
    this.#nodes++;
    const node = make({ ino: ++this.#lastIno, nlink: 1, ...times(now) });
    entries.set(name, node);
    touch(directory, now);
    return node;
  }

  /** Gives back the bytes of a file or link that has no name and is not open. */
  #reclaim(node: MemoryNode): void {
    if (node.nlink > 0) return;
    if (node.type === Filetype.SYMBOLIC_LINK) this.#bytes -= node.target.length;
    else if (node.type === Filetype.REGULAR_FILE && node.opens === 0) this.resize(node, 0);
  }
}

/** A regular file in memory, opened. */
class OpenMemoryFile implements OpenFile {
  readonly #fs: MemoryFileSystem;
  readonly #node: MemoryFileNode;

  constructor(fs: MemoryFileSystem, node: MemoryFileNode) {
    this.#fs = fs;
    this.#node = node;
  }

  read(into: Uint8Array, offset: number): number {
    const { data, size } = this.#node;
    const count = Math.max(0, Math.min(into.length, size - offset));
    if (count > 0) into.set(data.subarray(offset, offset + count));
    return count;
  }

  write(from: Uint8Array, offset: number, now: bigint): number {
    if (from.length === 0) return 0;
    const node = this.#node, end = offset + from.length;
    if (end > node.size) this.#fs.resize(node, end);
    node.data.set(from, offset);
    touch(node, now);
    return from.length;
  }

  size(): number {
    return this.#node.size;
  }

  resize(size: number, now: bigint): void {
    const node = this.#node;
    this.#fs.resize(node, size);
    touch(node, now);
  }

  sync(): void {}

  stat(): FileStat {
    return this.#fs.stat(this.#node);
  }

  setTimes(atime: bigint | undefined, mtime: bigint | undefined, now: bigint): void {
    this.#fs.setTimes(this.#node, atime, mtime, now);
  }

  close(): void {
    this.#fs.close(this.#node);
  }
}

function entriesOf(node: MemoryNode): Map<string, MemoryNode> {
  return node.type === Filetype.DIRECTORY ? node.entries : fail(Errno.NOTDIR);
}

function sizeOf(node: MemoryNode): number {
  if (node.type === Filetype.REGULAR_FILE) return node.size;
  return node.type === Filetype.DIRECTORY ? node.entries.size : node.target.length;
}

function times(now: bigint): Pick<NodeBase, "atime" | "mtime" | "ctime"> {
  return { atime: now, mtime: now, ctime: now };
}

/** Stamps a change of content. */
function touch(node: MemoryNode, now: bigint): void {
  node.mtime = now;
  node.ctime = now;
}
