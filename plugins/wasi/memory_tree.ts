/**
 * A file system in memory as part of a saved state, and back: all nodes in one list, which directories
 * and descriptors refer to by position. What is read must be a tree.
 *
 * @module
 */

import { Failure } from "./errno.ts";
import type {
  MemoryDirectoryNode,
  MemoryFileNode,
  MemoryFileSystem,
  MemoryNode,
} from "./memory_file_system.ts";
import { Filetype, PATH_MAX } from "./preview1.ts";
import { type Blob, refuseState, type Saved } from "./saved.ts";

/** Positions of the nodes of a file system in its saved form. */
export type Positions = ReadonlyMap<unknown, number>;

/** Saves a file system; `open` are nodes of descriptors, which need have no name any more. */
export function saveTree(
  fs: MemoryFileSystem,
  open: readonly unknown[],
  blob: Blob,
): { readonly saved: unknown; readonly positions: Positions } {
  const positions = new Map<MemoryNode, number>(), nodes: MemoryNode[] = [];
  const note = (node: MemoryNode): number => {
    let position = positions.get(node);
    if (position === undefined) {
      positions.set(node, position = nodes.length);
      nodes.push(node);
    }
    return position;
  };
  note(fs.root);
  for (const node of open) note(node as MemoryNode);
  // The list grows while it is walked: what a directory holds comes behind it.
  const saved: unknown[] = [];
  for (let position = 0; position < nodes.length; position++) {
    const node = nodes[position]!, { type, ino } = node;
    const times = [node.atime, node.mtime, node.ctime].map(String);
    saved.push({ type, ino, times, content: contentOf(node) });
  }
  function contentOf(node: MemoryNode): unknown {
    if (node.type === Filetype.SYMBOLIC_LINK) return node.target;
    if (node.type === Filetype.REGULAR_FILE) return blob.add(node.data.subarray(0, node.size));
    return Array.from(node.entries, ([name, child]) => [name, note(child)]);
  }
  return { saved: { nodes: saved, lastIno: fs.lastIno }, positions };
}

/** A file system that was read, and nodes by position. */
export interface SavedTree {
  /** Its nodes. */
  readonly nodes: readonly MemoryNode[];
  /** Puts it in the place of what a file system has. */
  moveTo(fs: MemoryFileSystem): void;
}

/** Reads what {@link saveTree} saved. */
export function readTree(saved: Saved): SavedTree {
  const elements = saved.at("nodes").list(), nodes = elements.map(readNode);
  const root = nodes[0];
  if (root?.type !== Filetype.DIRECTORY) {
    return refuseState("the first node of a file system is no directory");
  }
  elements.forEach((element, position) => {
    const node = nodes[position]!;
    if (node.type === Filetype.DIRECTORY) readEntries(element.at("content"), node, nodes, root);
  });
  checkReached(root, nodes);
  root.nlink = 1;
  const nameless = nodes.filter((node): node is MemoryFileNode =>
    node.type === Filetype.REGULAR_FILE && node.nlink === 0
  );
  const lastIno = saved.at("lastIno").number();
  return {
    nodes,
    moveTo(fs) {
      try {
        fs.replace(root, nameless, lastIno);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        refuseState("a directory in memory has more files or bytes than the one it is to be moved to may");
      }
    },
  };
}

function readNode(saved: Saved): MemoryNode {
  const type = saved.at("type").number(255), ino = saved.at("ino").number();
  const [atime, mtime, ctime] = saved.at("times").list().map((time) => time.u64());
  if (atime === undefined || mtime === undefined || ctime === undefined) {
    return refuseState("a node has not three times");
  }
  const base = { ino, nlink: 0, atime, mtime, ctime };
  if (type === Filetype.DIRECTORY) return { type, parent: undefined, entries: new Map(), ...base };
  const content = saved.at("content");
  if (type === Filetype.REGULAR_FILE) {
    const data = content.bytes();
    return { type, opens: 0, data, size: data.length, ...base };
  }
  if (type !== Filetype.SYMBOLIC_LINK) return refuseState(`there is a node of type ${type}`);
  const target = content.text();
  if (target.length > PATH_MAX) refuseState("the target of a link is too long");
  return { type, target, ...base };
}

function readEntries(
  saved: Saved,
  directory: MemoryDirectoryNode,
  nodes: readonly MemoryNode[],
  root: MemoryNode,
): void {
  for (const entry of saved.list()) {
    const [name, position] = entry.list();
    const text = name?.text() ?? "", child = position && nodes[position.number(nodes.length - 1)];
    const isName = text !== "" && text !== "." && text !== ".." && !/[/\0]/.test(text);
    if (child === undefined || !isName || directory.entries.has(text)) {
      return refuseState("a directory has an entry that cannot be");
    }
    if (child.type === Filetype.DIRECTORY) {
      if (child === root || child.nlink > 0) refuseState("a directory is in two places");
      child.parent = directory;
    }
    child.nlink++;
    directory.entries.set(text, child);
  }
}

/** A directory that is not below the root was removed, so it has no entries; that excludes cycles, too. */
function checkReached(root: MemoryDirectoryNode, nodes: readonly MemoryNode[]): void {
  const reached = new Set<MemoryNode>([root]);
  for (const directory of reached) {
    if (directory.type !== Filetype.DIRECTORY) continue;
    for (const child of directory.entries.values()) if (child.type === Filetype.DIRECTORY) reached.add(child);
  }
  for (const node of nodes) {
    if (node.type !== Filetype.DIRECTORY || node.entries.size === 0 || reached.has(node)) continue;
    refuseState("a directory is in no place");
  }
}
