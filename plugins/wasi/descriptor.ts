/**
 * Descriptors: the table of what a guest has open, with the rights each has. Says whether a call may
 * use a descriptor; does nothing with files itself but closing them.
 *
 * @module
 */

import { Errno, fail } from "./errno.ts";
import type { DirectoryEntry, FileAccess, FileSystem, OpenFile } from "./file_system.ts";
import { Filetype, Rights, STREAM_RIGHTS } from "./preview1.ts";

/** What every descriptor has. */
interface DescriptorBase {
  /** One of `Filetype`. */
  readonly type: number;
  /** What it may be used for. */
  rights: number;
  /** What descriptors opened through it may be used for at most. */
  inheriting: number;
  /** Its `FdFlags`. */
  flags: number;
}

/** A standard stream. */
export interface StreamDescriptor extends DescriptorBase {
  /** Tells the kinds apart. */
  readonly kind: "stream";
  /** 0 for input, 1 and 2 for the outputs. */
  readonly stream: 0 | 1 | 2;
}

/** A regular file. */
export interface FileDescriptor extends DescriptorBase {
  /** Tells the kinds apart. */
  readonly kind: "file";
  /** Where it is. */
  readonly fs: FileSystem;
  /** The file there. */
  readonly node: unknown;
  /** The file, opened. */
  readonly file: OpenFile;
  /** What it was opened for. */
  readonly access: FileAccess;
  /** Where the next read or write starts. */
  position: number;
}

/** A directory. */
export interface DirectoryDescriptor extends DescriptorBase {
  /** Tells the kinds apart. */
  readonly kind: "directory";
  /** Where it is. */
  readonly fs: FileSystem;
  /** The directory there. */
  readonly node: unknown;
  /** Name under which the guest was given it; undefined when it opened it. */
  readonly preopen: Uint8Array | undefined;
  /** Content when listing it began: cookies are positions in it. */
  entries: readonly DirectoryEntry[] | undefined;
}

/** Anything open. */
export type Descriptor = StreamDescriptor | FileDescriptor | DirectoryDescriptor;

/** Most descriptors of a guest. */
export const DESCRIPTORS_MAX = 65_536;

/** Most directory entries that listings under way may hold together. */
export const LISTED_MAX = 1_048_576;

/** A standard stream; `terminal` makes programs treat it as one. */
export function streamDescriptor(stream: 0 | 1 | 2, terminal: boolean): StreamDescriptor {
  return {
    kind: "stream",
    stream,
    type: terminal ? Filetype.CHARACTER_DEVICE : Filetype.UNKNOWN,
    rights: STREAM_RIGHTS | (stream === 0 ? Rights.FD_READ : Rights.FD_WRITE),
    inheriting: 0,
    flags: 0,
  };
}

/** What a guest has open, by number. */
export class DescriptorTable {
  readonly #entries: (Descriptor | undefined)[] = [];
  /** No number below is free. */
  #lowest = 0;
  /** Listings under way, and how many entries they hold. */
  readonly #listing = new Set<DirectoryDescriptor>();
  #listed = 0;

  /** What is open under a number; fails with BADF, or with NOTCAPABLE when it lacks one of the rights. */
  get(fd: number, rights: number): Descriptor {
    const descriptor = this.#entries[fd];
    if (descriptor === undefined) return fail(Errno.BADF);
    if ((descriptor.rights & rights) !== rights) fail(Errno.NOTCAPABLE);
    return descriptor;
  }

  /** A regular file; fails with SPIPE for a stream, and for a directory with the number given for it. */
  file(fd: number, rights: number, onDirectory: number = Errno.ISDIR): FileDescriptor {
    const descriptor = this.get(fd, 0);
    if (descriptor.kind === "file") return this.get(fd, rights) as FileDescriptor;
    return fail(descriptor.kind === "stream" ? Errno.SPIPE : onDirectory);
  }

  /** A directory that is still there; fails with NOTDIR for others. */
  directory(fd: number, rights: number): DirectoryDescriptor {
    const descriptor = this.get(fd, 0);
    if (descriptor.kind !== "directory") return fail(Errno.NOTDIR);
    this.get(fd, rights);
    descriptor.fs.check(descriptor.node);
    return descriptor;
  }

  /** Fails with MFILE when no more can be opened. */
  reserve(): void {
    while (this.#entries[this.#lowest] !== undefined) this.#lowest++;
    if (this.#lowest >= DESCRIPTORS_MAX) fail(Errno.MFILE);
  }

  /** Puts something under the lowest free number. */
  open(descriptor: Descriptor): number {
    this.reserve();
    const fd = this.#lowest++;
    this.#entries[fd] = descriptor;
    if (descriptor.kind !== "stream") descriptor.fs.retain(descriptor.node);
    return fd;
  }

  /** What is open, by number; undefined where nothing is. */
  list(): readonly (Descriptor | undefined)[] {
    return this.#entries;
  }

  /** Puts something under a number that is free, for a guest that goes on with what it had open elsewhere. */
  place(fd: number, descriptor: Descriptor): void {
    while (this.#entries.length <= fd) this.#entries.push(undefined);
    this.#entries[fd] = descriptor;
    if (descriptor.kind !== "stream") descriptor.fs.retain(descriptor.node);
  }

  /**
   * Notes what a directory had when listing it began. When listings hold too much, all others are
   * forgotten, and begin anew when they go on: a guest must not fill the host's memory with them.
   */
  setListing(directory: DirectoryDescriptor, entries: readonly DirectoryEntry[]): void {
    this.#forget(directory);
    if (this.#listed + entries.length > LISTED_MAX) {
      for (const other of this.#listing) {
        this.#forget(other);
      }
    }
    directory.entries = entries;
    this.#listing.add(directory);
    this.#listed += entries.length;
  }

  #forget(directory: DirectoryDescriptor): void {
    if (!this.#listing.delete(directory)) return;
    this.#listed -= directory.entries?.length ?? 0;
    directory.entries = undefined;
  }

  #release(descriptor: Descriptor): void {
    if (descriptor.kind === "stream") return;
    descriptor.fs.release(descriptor.node);
    if (descriptor.kind === "file") descriptor.file.close();
    else this.#forget(descriptor);
  }

  /** Closes a number. */
  close(fd: number): void {
    const descriptor = this.get(fd, 0);
    this.#entries[fd] = undefined;
    this.#lowest = Math.min(this.#lowest, fd);
    this.#release(descriptor);
  }

  /** Moves what is open under one number to another, which is closed before. */
  renumber(from: number, to: number): void {
    const moved = this.get(from, 0), old = this.get(to, 0);
    if (from === to) return;
    this.#entries[to] = moved;
    this.#entries[from] = undefined;
    this.#lowest = Math.min(this.#lowest, from);
    this.#release(old);
  }

  /** Closes everything; files of the host are given back. */
  closeAll(): void {
    for (const descriptor of this.#entries.splice(0)) if (descriptor !== undefined) this.#release(descriptor);
    this.#lowest = 0;
  }
}
