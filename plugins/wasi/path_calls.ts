/**
 * Calls on paths. Every path is resolved from a directory the guest has, by `path.ts`, which lets
 * none lead out of it; what is done there is done on one name in one directory.
 *
 * @module
 */

import type { DirectoryDescriptor } from "./descriptor.ts";
import { type Environment, type WasiCall, wasiCall } from "./environment.ts";
import { Errno, fail } from "./errno.ts";
import { wantedTimes } from "./fd_calls.ts";
import { FILESTAT, type FilestatLayout } from "./filestat.ts";
import { type Place, resolve } from "./path.ts";
import {
  ALL_FD_FLAGS,
  ALL_OPEN_FLAGS,
  ALL_RIGHTS,
  DIRECTORY_RIGHTS,
  FdFlags,
  FILE_RIGHTS,
  Filetype,
  OpenFlags,
  Rights,
  SYMLINK_FOLLOW,
} from "./preview1.ts";

/** A place together with the directory descriptor it was resolved from. */
type Found = Place<unknown> & { readonly descriptor: DirectoryDescriptor };

/** Resolves a path of the guest from one of its directories. */
function find(env: Environment, fd: number, rights: number, path: string, follow: boolean): Found {
  const descriptor = env.descriptors.directory(fd, rights);
  return { ...resolve(descriptor.fs, descriptor.node, path, follow), descriptor };
}

/** What is at a place; fails with NOENT when nothing is. */
function existing({ node }: Found): unknown {
  return node ?? fail(Errno.NOENT);
}

/** The name at a place where something new shall be; fails with EXIST when something is. */
function freeName({ name, node }: Found): string {
  return name === undefined || node !== undefined ? fail(Errno.EXIST) : name;
}

/** Only these flags of a lookup are known. */
function follows(flags: number): boolean {
  if (flags > SYMLINK_FOLLOW) fail(Errno.INVAL);
  return flags === SYMLINK_FOLLOW;
}

/** Rights a u64 asks for; bits without a meaning ask for nothing. */
function rightsOf(value: bigint): number {
  return Number(value & BigInt(ALL_RIGHTS));
}

/** Calls on paths. */
export const PATH_CALLS: Readonly<Record<string, WasiCall>> = {
  path_create_directory: wasiCall(["i32", "i32", "i32"], (env, fd, path, length) => {
    const place = find(env, fd, Rights.PATH_CREATE_DIRECTORY, env.guest.path(path, length), false);
    place.descriptor.fs.createDirectory(place.directory, freeName(place), env.clock.stamp());
  }),

  path_filestat_get: pathFilestatGet(FILESTAT),

  path_filestat_set_times: wasiCall(
    ["i32", "i32", "i32", "i32", "i64", "i64", "i32"],
    (env, fd, flags, path, length, atime, mtime, timeFlags) => {
      const text = env.guest.path(path, length), times = wantedTimes(env, atime, mtime, timeFlags);
      const place = find(env, fd, Rights.PATH_FILESTAT_SET_TIMES, text, follows(flags));
      place.descriptor.fs.setTimes(existing(place), times.atime, times.mtime, times.now);
    },
  ),

  path_link: wasiCall(
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
    (env, fromFd, flags, from, fromLength, toFd, to, toLength) => {
      const source = env.guest.path(from, fromLength), target = env.guest.path(to, toLength);
      const old = find(env, fromFd, Rights.PATH_LINK_SOURCE, source, follows(flags)), node = existing(old);
      const place = find(env, toFd, Rights.PATH_LINK_TARGET, target, false), { fs } = place.descriptor;
      if (fs !== old.descriptor.fs) fail(Errno.XDEV);
      const name = freeName(place);
      if (place.slash) fail(Errno.NOENT);
      if (fs.type(node) === Filetype.DIRECTORY) fail(Errno.PERM);
      fs.link(node, place.directory, name, env.clock.stamp());
    },
  ),

  path_open: wasiCall(
    ["i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"],
    (env, fd, lookupFlags, path, length, openFlags, base, inheriting, flags, out) => {
      const text = env.guest.path(path, length);
      env.guest.check(out, 4);
      if (openFlags > ALL_OPEN_FLAGS || flags > ALL_FD_FLAGS) fail(Errno.INVAL);
      env.descriptors.reserve();
      const opened = open(env, fd, follows(lookupFlags), text, {
        openFlags,
        flags,
        rights: rightsOf(base),
        inheriting: rightsOf(inheriting),
      });
      env.guest.setU32(out, opened);
    },
  ),

  path_readlink: wasiCall(
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    (env, fd, path, length, buffer, size, out) => {
      const { guest } = env, text = guest.path(path, length);
      guest.check(buffer, size);
      guest.check(out, 4);
      const place = find(env, fd, Rights.PATH_READLINK, text, false), { fs } = place.descriptor;
      const node = existing(place);
      if (fs.type(node) !== Filetype.SYMBOLIC_LINK) fail(Errno.INVAL);
      // What does not fit is cut, as in POSIX.
      const target = new TextEncoder().encode(fs.target(node)).subarray(0, size);
      guest.set(buffer, target);
      guest.setU32(out, target.length);
    },
  ),

  path_remove_directory: wasiCall(["i32", "i32", "i32"], (env, fd, path, length) => {
    const place = find(env, fd, Rights.PATH_REMOVE_DIRECTORY, env.guest.path(path, length), false);
    existing(place);
    // The directory of a descriptor cannot be removed through itself.
    const name = place.name ?? fail(Errno.INVAL);
    place.descriptor.fs.removeDirectory(place.directory, name, env.clock.stamp());
  }),

  path_rename: wasiCall(
    ["i32", "i32", "i32", "i32", "i32", "i32"],
    (env, fromFd, from, fromLength, toFd, to, toLength) => {
      const source = env.guest.path(from, fromLength), target = env.guest.path(to, toLength);
      const old = find(env, fromFd, Rights.PATH_RENAME_SOURCE, source, false), node = existing(old);
      const place = find(env, toFd, Rights.PATH_RENAME_TARGET, target, false), { fs } = place.descriptor;
      if (old.descriptor.fs !== fs) fail(Errno.XDEV);
      if (old.name === undefined || place.name === undefined) return fail(Errno.BUSY);
      if (place.slash && fs.type(node) !== Filetype.DIRECTORY) fail(Errno.NOTDIR);
      fs.rename(old.directory, old.name, place.directory, place.name, env.clock.stamp());
    },
  ),

  path_symlink: wasiCall(["i32", "i32", "i32", "i32", "i32"], (env, from, fromLength, fd, to, toLength) => {
    const target = env.guest.path(from, fromLength), path = env.guest.path(to, toLength);
    // It would lead out of every directory; a relative one that does is refused when it is followed.
    if (target.startsWith("/")) fail(Errno.PERM);
    const place = find(env, fd, Rights.PATH_SYMLINK, path, false), name = freeName(place);
    if (place.slash) fail(Errno.NOENT);
    place.descriptor.fs.createLink(place.directory, name, target, env.clock.stamp());
  }),

  path_unlink_file: wasiCall(["i32", "i32", "i32"], (env, fd, path, length) => {
    const place = find(env, fd, Rights.PATH_UNLINK_FILE, env.guest.path(path, length), false);
    existing(place);
    const name = place.name ?? fail(Errno.ISDIR);
    place.descriptor.fs.unlink(place.directory, name, env.clock.stamp());
  }),
};

/** Makes `path_filestat_get` for a layout. */
export function pathFilestatGet(layout: FilestatLayout): WasiCall {
  return wasiCall(["i32", "i32", "i32", "i32", "i32"], (env, fd, flags, path, length, out) => {
    const { guest } = env, text = guest.path(path, length);
    guest.check(out, layout.size);
    const place = find(env, fd, Rights.PATH_FILESTAT_GET, text, follows(flags));
    layout.write(guest, out, place.descriptor.fs.stat(existing(place)));
  });
}

/** What `path_open` wants. */
interface Wanted {
  readonly openFlags: number;
  readonly flags: number;
  readonly rights: number;
  readonly inheriting: number;
}

/** Rights a directory must have for what is wanted, and those it must be able to hand on. */
function neededRights({ openFlags, flags, rights, inheriting }: Wanted): { own: number; handed: number } {
  let own: number = Rights.PATH_OPEN, handed = rights | inheriting;
  if ((openFlags & OpenFlags.CREAT) !== 0) own |= Rights.PATH_CREATE_FILE;
  if ((openFlags & OpenFlags.TRUNC) !== 0) own |= Rights.PATH_FILESTAT_SET_SIZE;
  if ((flags & FdFlags.DSYNC) !== 0) handed |= Rights.FD_DATASYNC;
  if ((flags & (FdFlags.SYNC | FdFlags.RSYNC)) !== 0) handed |= Rights.FD_SYNC;
  return { own, handed };
}

/** Opens what a path leads to; its number. */
function open(env: Environment, fd: number, follow: boolean, path: string, wanted: Wanted): number {
  const { openFlags, flags, rights, inheriting } = wanted, { own, handed } = neededRights(wanted);
  const wants = (flag: number): boolean => (openFlags & flag) !== 0;
  const descriptor = env.descriptors.directory(fd, own), { fs } = descriptor;
  if ((handed & ~descriptor.inheriting) !== 0) fail(Errno.NOTCAPABLE);
  if (wants(OpenFlags.CREAT) && wants(OpenFlags.DIRECTORY)) fail(Errno.INVAL);

  // A link in the place of a file that must be new is in the way, wherever it leads.
  const mustBeNew = wants(OpenFlags.CREAT) && wants(OpenFlags.EXCL);
  const place = resolve(fs, descriptor.node, path, follow && !mustBeNew);
  const now = env.clock.stamp();
  let { node } = place;
  if (node === undefined) {
    if (!wants(OpenFlags.CREAT)) return fail(Errno.NOENT);
    if (place.slash) return fail(Errno.ISDIR);
    node = fs.createFile(place.directory, place.name!, now);
  } else if (mustBeNew) fail(Errno.EXIST);

  const type = fs.type(node);
  if (type === Filetype.SYMBOLIC_LINK) fail(wants(OpenFlags.DIRECTORY) ? Errno.NOTDIR : Errno.LOOP);
  if (type === Filetype.DIRECTORY) {
    const writes = wants(OpenFlags.CREAT) || wants(OpenFlags.TRUNC) || (rights & Rights.FD_WRITE) !== 0;
    if (writes && !wants(OpenFlags.DIRECTORY)) fail(Errno.ISDIR);
    return env.descriptors.open({
      kind: "directory",
      type,
      fs,
      node,
      rights: rights & DIRECTORY_RIGHTS,
      inheriting,
      flags,
      preopen: undefined,
      entries: undefined,
    });
  }
  if (wants(OpenFlags.DIRECTORY)) fail(Errno.NOTDIR);
  // Go asks for the right to set the size even to read, so that does not count as writing.
  const changes = Rights.FD_WRITE | Rights.FD_ALLOCATE;
  const access = {
    read: (rights & Rights.FD_READ) !== 0,
    write: wants(OpenFlags.TRUNC) || (rights & changes) !== 0,
  };
  const file = fs.open(node, access);
  try {
    if (wants(OpenFlags.TRUNC)) file.resize(0, now);
  } catch (error) {
    file.close();
    throw error;
  }
  return env.descriptors.open({
    kind: "file",
    type: Filetype.REGULAR_FILE,
    fs,
    node,
    file,
    access,
    position: 0,
    rights: rights & FILE_RIGHTS,
    inheriting: 0,
    flags,
  });
}
