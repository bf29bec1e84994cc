/**
 * What the calls need from a file system: nodes that are looked up name by name, and open files.
 * Both file systems implement it; neither follows links by itself or sees a path with more than one
 * name, so that nothing but `path.ts` decides where a path leads.
 *
 * @module
 */

/** What is known about a file; times in nanoseconds since 1970. */
export interface FileStat {
  /** Device. */
  readonly dev: number;
  /** Number of the node on its device. */
  readonly ino: number;
  /** One of `Filetype`. */
  readonly type: number;
  /** Names that refer to it. */
  readonly nlink: number;
  /** Bytes. */
  readonly size: number;
  /** Last read. */
  readonly atime: bigint;
  /** Last change of the content. */
  readonly mtime: bigint;
  /** Last change of anything. */
  readonly ctime: bigint;
}

/** An entry of a directory. */
export interface DirectoryEntry {
  /** Its name. */
  readonly name: string;
  /** Number of its node. */
  readonly ino: number;
  /** One of `Filetype`. */
  readonly type: number;
}

/** What a file is opened for. */
export interface FileAccess {
  /** Reading. */
  readonly read: boolean;
  /** Writing. */
  readonly write: boolean;
}

/** An open regular file. Offsets are exact numbers; there is no position, the descriptor has it. */
export interface OpenFile {
  /** Reads at an offset until the buffer is full or the file ends; how many bytes. */
  read(into: Uint8Array, offset: number): number;
  /** Writes all bytes at an offset, filling a gap with zeros; how many bytes. */
  write(from: Uint8Array, offset: number, now: bigint): number;
  /** Current size in bytes. */
  size(): number;
  /** Cuts it or fills it with zeros. */
  resize(size: number, now: bigint): void;
  /** Puts what was written on the device. */
  sync(): void;
  /** What is known about it. */
  stat(): FileStat;
  /** Sets times; what is undefined stays. */
  setTimes(atime: bigint | undefined, mtime: bigint | undefined, now: bigint): void;
  /** Gives it back. */
  close(): void;
}

/**
 * A tree of nodes. Names are never empty, `.`, `..`, nor do they contain `/`. Whatever goes wrong is
 * a `Failure`. `now` stamps what changes.
 *
 * @typeParam Node what it uses for a file, directory or link; opaque to everybody else.
 */
export interface FileSystem<Node = unknown> {
  /** The directory everything is in. */
  readonly root: Node;
  /** Takes a file or directory for a descriptor that starts to use it. */
  retain(node: Node): void;
  /** Gives such a file or directory back. */
  release(node: Node): void;
  /** Fails with NOENT when a directory of a descriptor is no longer what and where it was. */
  check(node: Node): void;
  /** One of `Filetype`. */
  type(node: Node): number;
  /** What a directory has under a name; a link itself, not what it leads to. */
  lookup(directory: Node, name: string): Node | undefined;
  /** Where a link leads. */
  target(link: Node): string;
  /** What is known about a node. */
  stat(node: Node): FileStat;
  /** Sets times of a node itself; what is undefined stays. */
  setTimes(node: Node, atime: bigint | undefined, mtime: bigint | undefined, now: bigint): void;
  /** Entries in order of their names' code units. */
  list(directory: Node): DirectoryEntry[];
  /** Opens a regular file. */
  open(node: Node, access: FileAccess): OpenFile;
  /** Makes an empty file under a free name. */
  createFile(directory: Node, name: string, now: bigint): Node;
  /** Makes an empty directory under a free name. */
  createDirectory(directory: Node, name: string, now: bigint): void;
  /** Makes a link under a free name. */
  createLink(directory: Node, name: string, target: string, now: bigint): void;
  /** Gives a file or link one more, free, name. */
  link(node: Node, directory: Node, name: string, now: bigint): void;
  /** Takes a name from a file or link. */
  unlink(directory: Node, name: string, now: bigint): void;
  /** Removes an empty directory. */
  removeDirectory(directory: Node, name: string, now: bigint): void;
  /** Moves a node to another name, over what is there when that can be replaced by it. */
  rename(from: Node, fromName: string, to: Node, toName: string, now: bigint): void;
}
