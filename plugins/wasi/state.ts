/**
 * What WASI keeps for a guest, saved for a snapshot and restored: arguments, streams, clock, random
 * bytes, what is open, and file systems in memory whole. Directories of the host are not in it: the
 * environment that goes on must be given them again, under the same names, so that no file can open
 * what its user does not.
 *
 * @module
 */

import type { PluginState, StoreView } from "../../mod.ts";
import {
  type Descriptor,
  DESCRIPTORS_MAX,
  type DirectoryDescriptor,
  type FileDescriptor,
  LISTED_MAX,
} from "./descriptor.ts";
import type { Environment, Preopen } from "./environment.ts";
import { errnoName, Failure } from "./errno.ts";
import type { DirectoryEntry, FileSystem } from "./file_system.ts";
import { HostFileSystem, type HostNode } from "./host_file_system.ts";
import { MemoryFileSystem, type MemoryNode } from "./memory_file_system.ts";
import { type Positions, readTree, type SavedTree, saveTree } from "./memory_tree.ts";
import { ALL_FD_FLAGS, ALL_RIGHTS, Filetype } from "./preview1.ts";
import { ReadOnlyFileSystem } from "./read_only_file_system.ts";
import { Blob, refuseState, Saved } from "./saved.ts";

/** Version of the document. */
const VERSION = 1;

/** The state of the environments that `environmentOf` finds, as snapshots want it. */
export function wasiState(environmentOf: (store: StoreView) => Environment): PluginState {
  return {
    name: "wasi",
    save: (store) => saveEnvironment(environmentOf(store)),
    restore: (store, bytes) => restoreEnvironment(environmentOf(store), bytes),
  };
}

// ── saving ──────────────────────────────────────────────────────────────────────────────────────

/** What is behind glass, or the file system itself. */
function behind(fs: FileSystem): FileSystem {
  return fs instanceof ReadOnlyFileSystem ? fs.behind as FileSystem : fs;
}

function saveEnvironment(environment: Environment): Uint8Array {
  const { descriptors, preopens, input, outputs, clock, random } = environment, blob = new Blob();
  const open = descriptors.list().flatMap((descriptor, fd) =>
    descriptor === undefined ? [] : [{ fd, descriptor }]
  );
  const systems = [...new Set(preopens.map(({ fs }) => behind(fs)))];
  const trees = systems.map((system) => {
    if (!(system instanceof MemoryFileSystem)) return undefined;
    const nodes = open.flatMap(({ descriptor }) =>
      descriptor.kind !== "stream" && behind(descriptor.fs) === system ? [descriptor.node] : []
    );
    return saveTree(system, nodes, blob);
  });
  return blob.join({
    version: VERSION,
    args: environment.args.map((arg) => blob.add(arg)),
    variables: environment.variables.map((variable) => blob.add(variable)),
    exitCode: environment.exitCode ?? null,
    metered: environment.metered,
    input: { pending: blob.add(input.save()), ended: input.drained },
    outputs: outputs.map((output) => ({ total: output.total, kept: blob.add(output.bytes()) })),
    clock: { kind: clock.kind, times: clock.save().map(String) },
    random: { kind: random.kind, state: random.save() },
    systems: systems.map((system, position) =>
      trees[position]?.saved ?? { host: (system as HostFileSystem).base }
    ),
    preopens: preopens.map(({ name, fs }) => ({
      name,
      system: systems.indexOf(behind(fs)),
      readOnly: fs !== behind(fs),
    })),
    descriptors: open.map(({ fd, descriptor }) => ({
      fd,
      ...saveDescriptor(descriptor, environment, (node, fs) => {
        return saveNode(node, trees[systems.indexOf(behind(fs))]?.positions);
      }, blob),
    })),
  });
}

/** A node of a descriptor: its position, or where it is on the host. */
function saveNode(node: unknown, positions: Positions | undefined): unknown {
  if (positions !== undefined) return positions.get(node);
  const { path, dev, ino } = node as HostNode;
  return { path, dev, ino };
}

function saveDescriptor(
  descriptor: Descriptor,
  { preopens }: Environment,
  nodeOf: (node: unknown, fs: FileSystem) => unknown,
  blob: Blob,
): Record<string, unknown> {
  const { kind, type, rights, inheriting, flags } = descriptor;
  const common = { kind, type, rights, inheriting, flags };
  if (descriptor.kind === "stream") return { ...common, stream: descriptor.stream };
  const { fs, node } = descriptor;
  const place = { preopen: preopens.findIndex((preopen) => preopen.fs === fs), node: nodeOf(node, fs) };
  if (descriptor.kind === "file") {
    const { access: { read, write }, position } = descriptor;
    return { ...common, ...place, read, write, position };
  }
  const entries = descriptor.entries?.map(({ name, ino, type }) => [name, ino, type]) ?? null;
  return {
    ...common,
    ...place,
    given: descriptor.preopen === undefined ? null : blob.add(descriptor.preopen),
    entries,
  };
}

// ── restoring ───────────────────────────────────────────────────────────────────────────────────

/** A preopen of the guest in the environment it goes on in. */
interface Place extends Preopen {
  /** Its content, when it is in memory. */
  readonly tree: SavedTree | undefined;
}

function restoreEnvironment(environment: Environment, bytes: Uint8Array): void {
  const saved = Saved.open(bytes);
  const version = saved.at("version").number();
  if (version !== VERSION) refuseState(`it has version ${version}, this plugin reads ${VERSION}`);
  if (saved.at("metered").flag() !== environment.metered) {
    refuseState("calls cost fuel in one of the environments only", 'give both the same option "fuel"');
  }
  for (const part of ["clock", "random"] as const) {
    const kind = saved.at(part).at("kind").text(), { kind: found } = environment[part];
    if (kind !== found) {
      refuseState(
        `its ${part} is ${JSON.stringify(kind)}, not "${found}"`,
        `give both the same option "${part}"`,
      );
    }
  }
  const args = stringsOf(saved.at("args")), variables = stringsOf(saved.at("variables"));
  const exitCode = saved.at("exitCode").isNull ? undefined : saved.at("exitCode").number(0xffff_ffff);
  const input = saved.at("input"), pending = input.at("pending").bytes(), ended = input.at("ended").flag();
  const outputs = saved.at("outputs").list().map((output) => {
    return { total: output.at("total").number(), kept: output.at("kept").bytes() };
  });
  if (outputs.length !== 2) refuseState("it has not two outputs");
  const [epoch, elapsed] = saved.at("clock").at("times").list().map((time) => time.u64());
  if (epoch === undefined || elapsed === undefined) refuseState("its clock has not two times");
  const random = saved.at("random").at("state").list().map((word) => word.number(0xffff_ffff));
  const trees = saved.at("systems").list().map((system) => readSystem(system));
  const { places, moves } = placesOf(saved.at("preopens"), trees, environment);
  const open = saved.at("descriptors").list();
  if (!environment.random.restore(random)) refuseState("its random bytes cannot go on");

  environment.descriptors.closeAll();
  for (const [tree, fs] of moves) tree.moveTo(fs);
  try {
    for (const descriptor of open) restoreDescriptor(descriptor, places, environment);
  } catch (error) {
    environment.descriptors.closeAll();
    throw error;
  }
  environment.preopens = places;
  environment.args = args;
  environment.variables = variables;
  environment.exitCode = exitCode;
  environment.input.restore(pending, ended);
  outputs.forEach(({ total, kept }, position) => environment.outputs[position]!.restore(total, kept));
  environment.clock.restore(epoch as bigint, elapsed as bigint);
}

/** Strings with their closing NULs, which the calls of WASI rely on. */
function stringsOf(saved: Saved): Uint8Array[] {
  return saved.list().map((element) => {
    const bytes = element.bytes();
    if (bytes.indexOf(0) !== bytes.length - 1) {
      refuseState("an argument or variable does not end where it should");
    }
    return bytes;
  });
}

/** Content of a file system in memory, or where a directory of the host was. */
function readSystem(saved: Saved): SavedTree | string {
  if (saved.has("host")) return saved.at("host").text();
  return readTree(saved);
}

/** Finds what the environment has for each directory the guest was given. */
function placesOf(
  saved: Saved,
  systems: readonly (SavedTree | string)[],
  { preopens }: Environment,
): { readonly places: Place[]; readonly moves: Map<SavedTree, MemoryFileSystem> } {
  const moves = new Map<SavedTree, MemoryFileSystem>();
  const places = saved.list().map((element): Place => {
    const name = element.at("name").text(),
      label = JSON.stringify(name),
      readOnly = element.at("readOnly").flag();
    const system = systems[element.at("system").number(Math.max(0, systems.length - 1))];
    if (system === undefined) return refuseState(`directory ${label} is nowhere`);
    const given = preopens.find((preopen) => preopen.name === name)?.fs;
    const base = given && behind(given);
    const glass = (fs: FileSystem) => readOnly ? new ReadOnlyFileSystem(fs) as FileSystem : fs;
    if (typeof system === "string") {
      if (given === undefined || !(base instanceof HostFileSystem)) {
        return refuseState(
          `the guest has directory ${label} of the host, which was ${system}, and is not given one now`,
          `give it in the option "dirs", or with --dir on the command line`,
        );
      }
      return { name, fs: given === base ? glass(given) : given, tree: undefined };
    }
    if (base !== undefined && !(base instanceof MemoryFileSystem)) {
      return refuseState(`the guest has directory ${label} in memory, and is given one of the host now`);
    }
    let fs = moves.get(system);
    if (fs === undefined) moves.set(system, fs = base ?? new MemoryFileSystem());
    return {
      name,
      fs: given !== undefined && given !== base ? given : glass(fs as FileSystem),
      tree: system,
    };
  });
  return { places, moves };
}

function restoreDescriptor(saved: Saved, places: readonly Place[], { descriptors }: Environment): void {
  const fd = saved.at("fd").number(DESCRIPTORS_MAX - 1), kind = saved.at("kind").text();
  if (descriptors.list()[fd] !== undefined) refuseState(`descriptor ${fd} is there twice`);
  const common = {
    rights: saved.at("rights").number(ALL_RIGHTS),
    inheriting: saved.at("inheriting").number(ALL_RIGHTS),
    flags: saved.at("flags").number(ALL_FD_FLAGS),
  };
  if (kind === "stream") {
    const type = saved.at("type").number(255), stream = saved.at("stream").number(2) as 0 | 1 | 2;
    descriptors.place(fd, { kind, type, stream, ...common });
    return;
  }
  const place = places[saved.at("preopen").number(Math.max(0, places.length - 1))];
  if (place === undefined) return refuseState(`descriptor ${fd} is in no directory`);
  if (kind === "file") {
    descriptors.place(fd, { ...readFile(fd, saved, place), ...common });
    return;
  }
  if (kind !== "directory") refuseState(`descriptor ${fd} is of no kind`);
  const directory: DirectoryDescriptor = { ...readDirectory(fd, saved, place), ...common };
  descriptors.place(fd, directory);
  const entries = saved.at("entries");
  if (!entries.isNull) descriptors.setListing(directory, readEntries(entries));
}

function readFile(
  fd: number,
  saved: Saved,
  place: Place,
): Omit<FileDescriptor, "rights" | "inheriting" | "flags"> {
  const access = { read: saved.at("read").flag(), write: saved.at("write").flag() };
  const position = saved.at("position").number();
  const node = readNode(fd, saved.at("node"), place, Filetype.REGULAR_FILE);
  try {
    const file = place.fs.open(node, access);
    return { kind: "file", type: Filetype.REGULAR_FILE, fs: place.fs, node, file, access, position };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return refuseState(`the file of descriptor ${fd} cannot be opened (${errnoName(error.errno)})`);
  }
}

function readDirectory(
  fd: number,
  saved: Saved,
  place: Place,
): Omit<DirectoryDescriptor, "rights" | "inheriting" | "flags"> {
  const given = saved.at("given");
  const preopen = given.isNull ? undefined : given.bytes();
  const node = readNode(fd, saved.at("node"), place, Filetype.DIRECTORY);
  return { kind: "directory", type: Filetype.DIRECTORY, fs: place.fs, node, preopen, entries: undefined };
}

function readNode(fd: number, saved: Saved, { fs, tree }: Place, type: number): unknown {
  const base = behind(fs);
  if (tree !== undefined) {
    const position = saved.number(tree.nodes.length - 1);
    // The root moved into that of the file system.
    const node: MemoryNode = position === 0 ? (base as MemoryFileSystem).root : tree.nodes[position]!;
    return node.type === type ? node : refuseState(`what descriptor ${fd} has open is of another type`);
  }
  const host = base as HostFileSystem, path = saved.at("path").text();
  if (path === "") {
    return type === Filetype.DIRECTORY ? host.root : refuseState(`descriptor ${fd} is no file`);
  }
  const ino = saved.at("ino").isNull ? null : saved.at("ino").number(), dev = saved.at("dev").number();
  let found: HostNode | undefined;
  try {
    found = host.find(path);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return refuseState(
      `what descriptor ${fd} has open cannot be looked at (${errnoName(error.errno)}): ${host.base}${path}`,
    );
  }
  if (found?.type !== type || found.ino !== ino || found.dev !== dev) {
    return refuseState(`what descriptor ${fd} has open is gone, or another one: ${host.base}${path}`);
  }
  return found;
}

function readEntries(saved: Saved): DirectoryEntry[] {
  const entries = saved.list();
  if (entries.length > LISTED_MAX) refuseState("a listing is too long");
  return entries.map((entry) => {
    const [name, ino, type] = entry.list();
    if (name === undefined || ino === undefined || type === undefined) {
      return refuseState("a listing is damaged");
    }
    return { name: name.text(), ino: ino.number(), type: type.number(255) };
  });
}
