/**
 * Calls on descriptors: reading, writing, seeking, listing, and what is known about them. Whatever
 * the guest hands over is checked before anything is done.
 *
 * @module
 */

import { ALL_FD_FLAGS, FdFlags, Filetype, Rights, TimeFlags, Whence } from "./preview1.ts";
import type { Descriptor, DirectoryDescriptor, FileDescriptor } from "./descriptor.ts";
import { type Environment, type WasiCall, wasiCall } from "./environment.ts";
import { Errno, fail, Failure } from "./errno.ts";
import type { DirectoryEntry, FileStat } from "./file_system.ts";
import { FILESTAT, type FilestatLayout } from "./filestat.ts";

const encoder = new TextEncoder();

/** An offset of the guest, exact; fails when no file can be that long. */
function offsetOf(value: bigint): number {
  const offset = BigInt.asUintN(64, value);
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : fail(Errno.FBIG);
}

/** What `set_times` asks for: undefined for a time that stays. Fails with INVAL when flags contradict. */
export function wantedTimes(
  { clock }: Environment,
  atime: bigint,
  mtime: bigint,
  flags: number,
): { readonly atime: bigint | undefined; readonly mtime: bigint | undefined; readonly now: bigint } {
  const { ATIM, ATIM_NOW, MTIM, MTIM_NOW } = TimeFlags;
  const contradicts = (one: number, other: number) => (flags & one) !== 0 && (flags & other) !== 0;
  if (flags > 15 || contradicts(ATIM, ATIM_NOW) || contradicts(MTIM, MTIM_NOW)) fail(Errno.INVAL);
  const now = clock.stamp();
  const choose = (given: number, current: number, time: bigint): bigint | undefined =>
    (flags & given) !== 0 ? BigInt.asUintN(64, time) : (flags & current) !== 0 ? now : undefined;
  return { atime: choose(ATIM, ATIM_NOW, atime), mtime: choose(MTIM, MTIM_NOW, mtime), now };
}

/** What is known about what a descriptor refers to. */
function statOf(descriptor: Descriptor): FileStat {
  switch (descriptor.kind) {
    case "file":
      return descriptor.file.stat();
    case "directory":
      descriptor.fs.check(descriptor.node);
      return descriptor.fs.stat(descriptor.node);
    case "stream":
      return {
        dev: 0,
        ino: descriptor.stream,
        type: descriptor.type,
        nlink: 1,
        size: 0,
        atime: 0n,
        mtime: 0n,
        ctime: 0n,
      };
  }
}

/** Reads into buffers at an offset of a file until one stays short; how many bytes. */
function readFile({ file }: FileDescriptor, buffers: readonly Uint8Array[], offset: number): number {
  let done = 0;
  for (const buffer of buffers) {
    const count = file.read(buffer, offset + done);
    done += count;
    if (count < buffer.length) break;
  }
  return done;
}

/** Writes buffers at an offset of a file; how many bytes. An error counts only when nothing was written. */
function writeFile(
  env: Environment,
  { file, flags }: FileDescriptor,
  buffers: readonly Uint8Array[],
  offset: number,
): number {
  const now = env.clock.stamp();
  let done = 0;
  try {
    for (const buffer of buffers) done += file.write(buffer, offset + done, now);
    if ((flags & (FdFlags.SYNC | FdFlags.DSYNC)) !== 0) file.sync();
  } catch (error) {
    if (done === 0 || !(error instanceof Failure)) throw error;
  }
  return done;
}

/** Lists a directory as `.`, `..`, and its entries by name. */
function listing({ fs, node }: DirectoryDescriptor): readonly DirectoryEntry[] {
  const { ino } = fs.stat(node);
  // What is above is nobody's business: both names stand for the directory itself.
  const dots = [".", ".."].map((name) => ({ name, ino, type: Filetype.DIRECTORY }));
  return [...dots, ...fs.list(node)];
}

const DIRENT_SIZE = 24;

/** Calls on descriptors. */
export const FD_CALLS: Readonly<Record<string, WasiCall>> = {
  fd_advise: wasiCall(["i32", "i64", "i64", "i32"], ({ descriptors }, fd, _offset, _length, advice) => {
    descriptors.file(fd, Rights.FD_ADVISE, Errno.BADF);
    if (advice > 5) fail(Errno.INVAL);
  }),

  fd_allocate: wasiCall(["i32", "i64", "i64"], ({ descriptors, clock }, fd, offset, length) => {
    const { file } = descriptors.file(fd, Rights.FD_ALLOCATE, Errno.BADF);
    if (length === 0n) fail(Errno.INVAL);
    const end = offsetOf(offset) + offsetOf(length);
    if (end > file.size()) file.resize(end, clock.stamp());
  }),

  fd_close: wasiCall(["i32"], ({ descriptors }, fd) => descriptors.close(fd)),

  fd_datasync: wasiCall(["i32"], ({ descriptors }, fd) => sync(descriptors.get(fd, Rights.FD_DATASYNC))),

  fd_fdstat_get: wasiCall(["i32", "i32"], ({ descriptors, guest }, fd, out) => {
    const { type, flags, rights, inheriting } = descriptors.get(fd, 0);
    guest.check(out, 24);
    guest.setU16(out, type);
    guest.setU16(out + 2, flags);
    guest.setU32(out + 4, 0);
    guest.setU64(out + 8, rights);
    guest.setU64(out + 16, inheriting);
  }),

  fd_fdstat_set_flags: wasiCall(["i32", "i32"], ({ descriptors }, fd, flags) => {
    const descriptor = descriptors.get(fd, Rights.FD_FDSTAT_SET_FLAGS);
    if (flags > ALL_FD_FLAGS) fail(Errno.INVAL);
    descriptor.flags = flags;
  }),

  fd_fdstat_set_rights: wasiCall(["i32", "i64", "i64"], ({ descriptors }, fd, base, inheriting) => {
    const descriptor = descriptors.get(fd, 0);
    const isWithin = (wanted: bigint, held: number) => (wanted & ~BigInt(held)) === 0n;
    if (!isWithin(base, descriptor.rights) || !isWithin(inheriting, descriptor.inheriting)) {
      fail(Errno.NOTCAPABLE);
    }
    descriptor.rights = Number(base);
    descriptor.inheriting = Number(inheriting);
  }),

  fd_filestat_get: fdFilestatGet(FILESTAT),

  fd_filestat_set_size: wasiCall(["i32", "i64"], ({ descriptors, clock }, fd, size) => {
    const { file } = descriptors.file(fd, Rights.FD_FILESTAT_SET_SIZE);
    file.resize(offsetOf(size), clock.stamp());
  }),

  fd_filestat_set_times: wasiCall(["i32", "i64", "i64", "i32"], (env, fd, atime, mtime, flags) => {
    const descriptor = env.descriptors.get(fd, Rights.FD_FILESTAT_SET_TIMES);
    const times = wantedTimes(env, atime, mtime, flags);
    if (descriptor.kind === "file") descriptor.file.setTimes(times.atime, times.mtime, times.now);
    else if (descriptor.kind === "stream") fail(Errno.INVAL);
    else {
      descriptor.fs.check(descriptor.node);
      descriptor.fs.setTimes(descriptor.node, times.atime, times.mtime, times.now);
    }
  }),

  fd_pread: wasiCall(["i32", "i32", "i32", "i64", "i32"], (env, fd, vectors, count, offset, out) => {
    const { descriptors, guest } = env;
    const descriptor = descriptors.file(fd, Rights.FD_READ | Rights.FD_SEEK);
    const buffers = guest.buffers(vectors, count), at = BigInt.asUintN(64, offset);
    guest.check(out, 4);
    const live = env.charged(buffers), past = at > BigInt(Number.MAX_SAFE_INTEGER);
    guest.setU32(out, past ? 0 : readFile(descriptor, live, Number(at)));
  }),

  fd_prestat_get: wasiCall(["i32", "i32"], ({ descriptors, guest }, fd, out) => {
    const descriptor = descriptors.get(fd, 0);
    // Programs ask for one descriptor after the other until this number comes.
    if (descriptor.kind !== "directory" || descriptor.preopen === undefined) return fail(Errno.BADF);
    guest.check(out, 8);
    guest.setU32(out, 0);
    guest.setU32(out + 4, descriptor.preopen.length);
  }),

  fd_prestat_dir_name: wasiCall(["i32", "i32", "i32"], ({ descriptors, guest }, fd, buffer, length) => {
    const descriptor = descriptors.get(fd, 0);
    if (descriptor.kind !== "directory" || descriptor.preopen === undefined) return fail(Errno.BADF);
    if (length < descriptor.preopen.length) fail(Errno.NAMETOOLONG);
    guest.set(buffer, descriptor.preopen);
  }),

  fd_pwrite: wasiCall(["i32", "i32", "i32", "i64", "i32"], (env, fd, vectors, count, offset, out) => {
    const { descriptors, guest } = env;
    const descriptor = descriptors.file(fd, Rights.FD_WRITE | Rights.FD_SEEK);
    const buffers = guest.buffers(vectors, count);
    guest.check(out, 4);
    const at = offsetOf(offset);
    guest.setU32(out, writeFile(env, descriptor, env.charged(buffers), at));
  }),

  fd_read: wasiCall(["i32", "i32", "i32", "i32"], (env, fd, vectors, count, out) => {
    const { descriptors, guest } = env;
    const descriptor = descriptors.get(fd, 0);
    if (descriptor.kind === "directory") return fail(Errno.ISDIR);
    descriptors.get(fd, Rights.FD_READ);
    const buffers = guest.buffers(vectors, count);
    guest.check(out, 4);
    const live = env.charged(buffers);
    if (descriptor.kind === "stream") return guest.setU32(out, env.input.read(live));
    const done = readFile(descriptor, live, descriptor.position);
    descriptor.position += done;
    guest.setU32(out, done);
  }),

  fd_readdir: wasiCall(
    ["i32", "i32", "i32", "i64", "i32"],
    ({ descriptors, guest }, fd, buffer, length, cookie, out) => {
      const descriptor = descriptors.directory(fd, Rights.FD_READDIR);
      guest.check(buffer, length);
      guest.check(out, 4);
      const start = BigInt.asUintN(64, cookie);
      // What happens to the directory while it is listed does not move the cookies.
      if (start === 0n || descriptor.entries === undefined) {
        descriptors.setListing(descriptor, listing(descriptor));
      }
      const entries = descriptor.entries!, end = buffer + length;
      const header = new Uint8Array(DIRENT_SIZE), view = new DataView(header.buffer);
      let at = buffer;
      for (let next = start < entries.length ? Number(start) : entries.length; next < entries.length;) {
        if (at >= end) break;
        const { name, ino, type } = entries[next++]!, bytes = encoder.encode(name);
        view.setBigUint64(0, BigInt(next), true);
        view.setBigUint64(8, BigInt(ino), true);
        view.setUint32(16, bytes.length, true);
        view.setUint32(20, type, true);
        // An entry that does not fit is cut: a full buffer tells the guest that there is more.
        guest.set(at, header.subarray(0, end - at));
        at = Math.min(at + DIRENT_SIZE, end);
        guest.set(at, bytes.subarray(0, end - at));
        at = Math.min(at + bytes.length, end);
      }
      guest.setU32(out, at - buffer);
    },
    { linear: { base: 100, param: 3, wordCost: 8 } },
  ),

  fd_renumber: wasiCall(["i32", "i32"], ({ descriptors }, from, to) => descriptors.renumber(from, to)),

  fd_seek: wasiCall(["i32", "i64", "i32", "i32"], seek),

  fd_sync: wasiCall(["i32"], ({ descriptors }, fd) => sync(descriptors.get(fd, Rights.FD_SYNC))),

  fd_tell: wasiCall(["i32", "i32"], ({ descriptors, guest }, fd, out) => {
    guest.setU64(out, descriptors.file(fd, Rights.FD_TELL, Errno.BADF).position);
  }),

  fd_write: wasiCall(["i32", "i32", "i32", "i32"], (env, fd, vectors, count, out) => {
    const { descriptors, guest } = env;
    const descriptor = descriptors.get(fd, 0);
    if (descriptor.kind === "directory") return fail(Errno.ISDIR);
    descriptors.get(fd, Rights.FD_WRITE);
    const buffers = guest.buffers(vectors, count);
    guest.check(out, 4);
    const live = env.charged(buffers);
    if (descriptor.kind === "stream") {
      const output = env.outputs[descriptor.stream === 2 ? 1 : 0];
      for (const buffer of live) output.write(buffer);
      return guest.setU32(out, buffers.total);
    }
    const appends = (descriptor.flags & FdFlags.APPEND) !== 0;
    const at = appends ? descriptor.file.size() : descriptor.position;
    const done = writeFile(env, descriptor, live, at);
    descriptor.position = at + done;
    guest.setU32(out, done);
  }),
};

/** Puts a file on its device; streams and directories have nothing that waits. */
function sync(descriptor: Descriptor): void {
  if (descriptor.kind === "file") descriptor.file.sync();
}

/** Makes `fd_filestat_get` for a layout. */
export function fdFilestatGet(layout: FilestatLayout): WasiCall {
  return wasiCall(["i32", "i32"], ({ descriptors, guest }, fd, out) => {
    const descriptor = descriptors.get(fd, Rights.FD_FILESTAT_GET);
    guest.check(out, layout.size);
    layout.write(guest, out, statOf(descriptor));
  });
}

/** Moves the position of a file and writes the new one. */
export function seek(
  { descriptors, guest }: Environment,
  fd: number,
  delta: bigint,
  whence: number,
  out: number,
): void {
  const asks = whence === Whence.CUR && delta === 0n;
  const descriptor = descriptors.file(fd, asks ? Rights.FD_TELL : Rights.FD_SEEK, Errno.BADF);
  guest.check(out, 8);
  if (whence > Whence.END) fail(Errno.INVAL);
  const { position, file } = descriptor;
  const from = whence === Whence.SET ? 0 : whence === Whence.CUR ? position : file.size();
  const target = BigInt(from) + delta;
  if (target < 0n) fail(Errno.INVAL);
  if (target > BigInt(Number.MAX_SAFE_INTEGER)) fail(Errno.OVERFLOW);
  descriptor.position = Number(target);
  guest.setU64(out, target);
}
