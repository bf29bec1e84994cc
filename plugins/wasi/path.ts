/**
 * Where a path leads: walks it name by name from a directory, and follows links itself. There is no
 * way out of that directory: an absolute path, an absolute link, or a `..` above it fails with PERM,
 * as in the test suite of WASI (NOTCAPABLE is for rights a descriptor lacks).
 *
 * @module
 */

import { Errno, fail } from "./errno.ts";
import type { FileSystem } from "./file_system.ts";
import { Filetype, LINKS_MAX, LOOKUPS_MAX, NAME_MAX, PATH_MAX } from "./preview1.ts";

const encoder = new TextEncoder();

/** Where a path leads. */
export interface Place<Node> {
  /** The directory of the last name; the place itself when the path ends in `.` or `..`. */
  readonly directory: Node;
  /** The last name; undefined when the path ends in `.` or `..`. */
  readonly name: string | undefined;
  /** What is there; undefined when nothing is, and only the last name is missing. */
  readonly node: Node | undefined;
  /** Whether only a directory will do: the path, or the last link, ends in a slash. */
  readonly slash: boolean;
}

/** Names of a path, without the empty ones between slashes. */
function namesOf(path: string): string[] {
  if (path.length > PATH_MAX) fail(Errno.NAMETOOLONG);
  if (path.startsWith("/")) fail(Errno.PERM);
  const names = path.split("/").filter((name) => name !== "");
  for (const name of names) {
    // A code unit takes at most three bytes, so short names need no look at their bytes.
    if (name.length * 3 > NAME_MAX && encoder.encode(name).length > NAME_MAX) fail(Errno.NAMETOOLONG);
  }
  return names;
}

/**
 * Walks a path from a directory. A link in the last place is followed when `follow` is set or the
 * path ends in a slash.
 */
export function resolve<Node>(
  fs: FileSystem<Node>,
  base: Node,
  path: string,
  follow: boolean,
): Place<Node> {
  if (path === "") fail(Errno.NOENT);
  const above: Node[] = [];
  let directory = base, names = namesOf(path), next = 0, links = 0, lookups = 0, slash = path.endsWith("/");
  while (next < names.length) {
    const name = names[next++]!, last = next === names.length;
    if (name === ".") continue;
    if (name === "..") {
      if (above.length === 0) fail(Errno.PERM);
      directory = above.pop()!;
      continue;
    }
    if (++lookups > LOOKUPS_MAX) fail(Errno.LOOP);
    const node = fs.lookup(directory, name);
    if (node === undefined) {
      return last ? { directory, name, node, slash } : fail(Errno.NOENT);
    }
    const type = fs.type(node);
    if (type === Filetype.SYMBOLIC_LINK && (!last || follow || slash)) {
      if (++links > LINKS_MAX) fail(Errno.LOOP);
      const target = fs.target(node);
      if (target === "") fail(Errno.NOENT);
      if (last) slash ||= target.endsWith("/");
      names = [...namesOf(target), ...names.slice(next)];
      next = 0;
      continue;
    }
    if (type !== Filetype.DIRECTORY && (!last || slash)) fail(Errno.NOTDIR);
    if (last) return { directory, name, node, slash };
    above.push(directory);
    directory = node;
  }
  return { directory, name: undefined, node: directory, slash: true };
}
