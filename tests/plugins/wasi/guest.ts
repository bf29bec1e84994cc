/**
 * A guest for tests of WASI: a module that exports every function it imports, so that a test makes
 * the calls a program would make, through the compiler and the machine. Also the two kinds of
 * directory that most tests run on.
 *
 * @module
 */

import { fail } from "@std/assert";
import {
  compile,
  ImportLinker,
  type Outcome,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
  type Value,
} from "../../../mod.ts";
import { assembleWat } from "../../compile/wat.ts";
import {
  Errno,
  errnoName,
  MemoryDirectory,
  type Wasi,
  wasi,
  type WasiOptions,
} from "../../../plugins/wasi_snapshot_preview1.ts";
import { ALL_RIGHTS } from "../../../plugins/wasi/preview1.ts";

/** The module that exports all functions of a plugin, with one page of memory. */
function forwarder({ module, functions }: Wasi["unstable"]): Uint8Array {
  const imports = Object.entries(functions).map(([name, { params, results }]) =>
    `(import "${module}" "${name}" (func $${name} (param ${params.join(" ")}) (result ${results.join(" ")})))
     (export "${name}" (func $${name}))`
  );
  return assembleWat(`(module ${imports.join("\n")} (memory (export "memory") 1))`);
}

/** Where tests put arguments: paths, buffers, lists of buffers, results. */
const PATHS = 0x1000, OTHER_PATHS = 0x3000, BUFFER = 0x5000, VECTORS = 0x400, OUT = 0x100;

/** Bytes of {@link Guest.read} and {@link Guest.list} at most. */
const BUFFER_SIZE = 0x8000;

const modules = new Map<string, RwasmModule>();

/** A guest that makes one call after the other. */
export class Guest {
  /** Its WASI. */
  readonly wasi: Wasi;
  /** Its store. */
  readonly store: RwasmStore;
  /** How the last call ended. */
  outcome: Outcome = { status: "done", results: [] };
  readonly #executor: RwasmExecutor;

  /** Runs on WASI with the given options; `release` chooses one of the two plugins. */
  constructor(options: WasiOptions = {}, release: "preview1" | "unstable" = "preview1") {
    this.wasi = wasi(options);
    const plugin = release === "preview1" ? this.wasi : this.wasi.unstable;
    const linker = new ImportLinker<undefined>().use(plugin);
    const key = `${release} ${options.fuel} ${options.index}`;
    let module = modules.get(key);
    if (module === undefined) modules.set(key, module = compile(forwarder(plugin), { linker }));
    this.store = new RwasmStore({ linker });
    this.#executor = new RwasmExecutor(this.store, module);
    this.#executor.instantiate();
  }

  /** Makes a call; its error number. Fails when the run does not end as done. */
  call(name: string, ...args: Value[]): number {
    this.outcome = this.#executor.call(name, args.map((arg) => typeof arg === "number" ? arg | 0 : arg));
    if (this.outcome.status !== "done") {
      fail(
        `${name} did not return: ${this.outcome.status === "trap" ? this.outcome.trap.message : "paused"}`,
      );
    }
    return (this.outcome.results[0] ?? 0) as number;
  }

  /** Makes a call and gives the name of its error number. */
  errno(name: string, ...args: Value[]): string {
    return errnoName(this.call(name, ...args));
  }

  /** Makes a call that must succeed. */
  must(name: string, ...args: Value[]): void {
    const errno = this.errno(name, ...args);
    if (errno !== "SUCCESS") fail(`${name}(${args.join(", ")}) failed with ${errno}`);
  }

  /** Little-endian number in memory. */
  u32(at = OUT): number {
    return new DataView(this.store.memory.read(at, 4).buffer).getUint32(0, true);
  }

  /** Little-endian number in memory. */
  u64(at = OUT): bigint {
    return new DataView(this.store.memory.read(at, 8).buffer).getBigUint64(0, true);
  }

  /** Puts numbers of 32 bits into memory. */
  poke(at: number, ...words: number[]): void {
    const view = new DataView(new ArrayBuffer(words.length * 4));
    words.forEach((word, position) => view.setUint32(position * 4, word, true));
    this.store.memory.write(at, new Uint8Array(view.buffer));
  }

  /** Puts a path into memory; its address and length. */
  path(path: string | Uint8Array, at = PATHS): [number, number] {
    const bytes = typeof path === "string" ? new TextEncoder().encode(path) : path;
    this.store.memory.write(at, bytes);
    return [at, bytes.length];
  }

  /** Makes a call with two paths. */
  two(name: "path_link" | "path_rename", from: string, to: string, fd = 3, toFd = 3, follow = 0): string {
    const [a, b] = [this.path(from), this.path(to, OTHER_PATHS)];
    return name === "path_link"
      ? this.errno(name, fd, follow, ...a, toFd, ...b)
      : this.errno(name, fd, ...a, toFd, ...b);
  }

  /** Makes a call with one path behind a descriptor. */
  one(name: string, path: string | Uint8Array, fd = 3): string {
    return this.errno(name, fd, ...this.path(path));
  }

  /** Makes a link. */
  symlink(target: string, path: string, fd = 3): string {
    return this.errno("path_symlink", ...this.path(target), fd, ...this.path(path, OTHER_PATHS));
  }

  /** Where a link leads, or the name of the error. */
  readlink(path: string, fd = 3): string {
    const errno = this.errno("path_readlink", fd, ...this.path(path), BUFFER, BUFFER_SIZE, OUT);
    return errno === "SUCCESS" ? this.text(BUFFER, this.u32()) : errno;
  }

  /** Opens a path: the descriptor, or the name of the error. */
  open(
    path: string | Uint8Array,
    { fd = 3, follow = true, flags = 0, rights = ALL_RIGHTS, inheriting = ALL_RIGHTS, fdFlags = 0 } = {},
  ): number | string {
    const args = [fd, follow ? 1 : 0, ...this.path(path), flags, BigInt(rights), BigInt(inheriting)];
    const errno = this.call("path_open", ...args, fdFlags, OUT);
    return errno === Errno.SUCCESS ? this.u32() : errnoName(errno);
  }

  /** Opens a path that can be opened. */
  mustOpen(path: string, options: Parameters<Guest["open"]>[1] = {}): number {
    const fd = this.open(path, options);
    return typeof fd === "number" ? fd : fail(`opening ${path} failed with ${fd}`);
  }

  /** What is known about a path: type, links and size, or the name of the error. */
  stat(path: string, follow = false, fd = 3): { type: number; nlink: bigint; size: bigint } | string {
    const errno = this.errno("path_filestat_get", fd, follow ? 1 : 0, ...this.path(path), OUT);
    if (errno !== "SUCCESS") return errno;
    return { type: this.u32(OUT + 16), nlink: this.u64(OUT + 24), size: this.u64(OUT + 32) };
  }

  /** Writes text; how many bytes, or the name of the error. */
  write(fd: number, text: string): number | string {
    const [at, length] = this.path(text, BUFFER);
    this.poke(VECTORS, at, length);
    const errno = this.errno("fd_write", fd, VECTORS, 1, OUT);
    return errno === "SUCCESS" ? this.u32() : errno;
  }

  /** Reads text; the name of the error when it fails. */
  read(fd: number, length = BUFFER_SIZE): string {
    this.poke(VECTORS, BUFFER, length);
    const errno = this.errno("fd_read", fd, VECTORS, 1, OUT);
    return errno === "SUCCESS" ? this.text(BUFFER, this.u32()) : errno;
  }

  /** Moves the position; the new one, or the name of the error. */
  seek(fd: number, delta: bigint, whence: number): bigint | string {
    const errno = this.errno("fd_seek", fd, delta, whence, OUT);
    return errno === "SUCCESS" ? this.u64() : errno;
  }

  /** Names in a directory, read through a buffer of the given size. */
  list(fd: number, size = BUFFER_SIZE): string[] {
    const names: string[] = [];
    for (let cookie = 0n;;) {
      this.must("fd_readdir", fd, BUFFER, size, cookie, OUT);
      const used = this.u32();
      for (let at = BUFFER; at + 24 <= BUFFER + used;) {
        const next = this.u64(at), length = this.u32(at + 16);
        if (at + 24 + length > BUFFER + used) break; // cut: comes again with the next call
        names.push(this.text(at + 24, length));
        cookie = next;
        at += 24 + length;
      }
      if (used < size) return names;
    }
  }

  /** Text in memory. */
  text(at: number, length: number): string {
    return new TextDecoder().decode(this.store.memory.read(at, length));
  }

  /** Content of a file of the directory 3, or the name of the error. */
  content(path: string): string {
    const fd = this.open(path, { rights: 2 });
    if (typeof fd === "string") return fd;
    const text = this.read(fd);
    this.must("fd_close", fd);
    return text;
  }

  /** Makes a file of the directory 3. */
  create(path: string, text: string): void {
    const fd = this.mustOpen(path, { flags: 1 | 8 });
    this.write(fd, text);
    this.must("fd_close", fd);
  }
}

/** A place where a directory of a test can be. */
export interface Ground {
  /** Names it in the test. */
  readonly name: string;
  /** Makes an empty directory, and what removes it. */
  make(): { readonly from: string | MemoryDirectory; remove(): void };
}

/** The two kinds of directory. */
export const GROUNDS: readonly Ground[] = [
  { name: "in memory", make: () => ({ from: new MemoryDirectory(), remove: () => {} }) },
  {
    name: "of the host",
    make() {
      const from = Deno.makeTempDirSync();
      return { from, remove: () => Deno.removeSync(from, { recursive: true }) };
    },
  },
];

/** A test that runs on both kinds of directory; the guest has it as descriptor 3, under the name "/". */
export function directoryTest(name: string, run: (guest: Guest) => void): void {
  for (const ground of GROUNDS) {
    Deno.test(`${name} (${ground.name})`, () => {
      const { from, remove } = ground.make();
      const guest = new Guest({ dirs: { "/": from } });
      try {
        run(guest);
      } finally {
        guest.wasi.close();
        remove();
      }
    });
  }
}
