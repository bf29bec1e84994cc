/**
 * What calls on files and directories do, on both kinds of directory: a directory in memory must
 * behave as one of the host does.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../mod.ts";
import { MemoryDirectory } from "../../../plugins/wasi_snapshot_preview1.ts";
import { DescriptorTable } from "../../../plugins/wasi/descriptor.ts";
import type { FileSystem } from "../../../plugins/wasi/file_system.ts";
import { ALL_RIGHTS, Filetype, Rights } from "../../../plugins/wasi/preview1.ts";
import { directoryTest, Guest } from "./guest.ts";

const CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8, APPEND = 1;
const SET = 0, CUR = 1, END = 2;

directoryTest("a file is written, read back, and known by its size", (guest) => {
  const fd = guest.mustOpen("file", { flags: CREAT });
  assertEquals(guest.write(fd, "hello, world"), 12);
  assertEquals(guest.read(fd), "");
  assertEquals(guest.seek(fd, 7n, SET), 7n);
  assertEquals(guest.read(fd), "world");
  assertEquals(guest.stat("file"), { type: Filetype.REGULAR_FILE, nlink: 1n, size: 12n });
  guest.must("fd_tell", fd, 0x100);
  assertEquals(guest.u64(), 12n);
});

directoryTest("reads fill buffer after buffer and stop where the file ends", (guest) => {
  guest.create("file", "abcdefgh");
  const fd = guest.mustOpen("file");
  guest.poke(0x400, 0x800, 3, 0, 0, 0x900, 2, 0xa00, 100);
  guest.must("fd_read", fd, 0x400, 4, 0x100);
  assertEquals([guest.u32(), guest.text(0x800, 3), guest.text(0x900, 2), guest.text(0xa00, 3)], [
    8,
    "abc",
    "de",
    "fgh",
  ]);
  guest.must("fd_pread", fd, 0x400, 1, 4n, 0x100);
  assertEquals([guest.u32(), guest.text(0x800, 3)], [3, "efg"]);
  guest.must("fd_pread", fd, 0x400, 1, 2n ** 62n, 0x100);
  assertEquals(guest.u32(), 0);
});

directoryTest("writes gather buffers, at the position or at an offset, and fill gaps with zeros", (guest) => {
  const fd = guest.mustOpen("file", { flags: CREAT });
  guest.store.memory.write(0x800, new TextEncoder().encode("one two three"));
  guest.poke(0x400, 0x800, 4, 0x808, 5);
  guest.must("fd_write", fd, 0x400, 2, 0x100);
  assertEquals(guest.u32(), 9);
  guest.must("fd_pwrite", fd, 0x400, 1, 11n, 0x100);
  assertEquals(guest.content("file"), "one three\0\0one ");
  assertEquals(guest.write(fd, "!"), 1);
  assertEquals(guest.content("file"), "one three!\0one ");
});

directoryTest("seeking moves from the start, the position and the end, and not before the start", (guest) => {
  guest.create("file", "0123456789");
  const fd = guest.mustOpen("file");
  const cases: readonly (readonly [bigint, number, bigint | string])[] = [
    [4n, SET, 4n],
    [3n, CUR, 7n],
    [-2n, CUR, 5n],
    [-1n, END, 9n],
    [5n, END, 15n],
    [0n, CUR, 15n],
    [-1n, SET, "INVAL"],
    [-11n, END, "INVAL"],
    [0n, 3, "INVAL"],
    [2n ** 62n, SET, "OVERFLOW"],
    [0n, CUR, 15n],
  ];
  for (const [delta, whence, expected] of cases) assertEquals(guest.seek(fd, delta, whence), expected);
  assertEquals(guest.read(fd), "");
});

directoryTest("a file opened for appending is written at its end", (guest) => {
  guest.create("log", "first\n");
  const fd = guest.mustOpen("log", { fdFlags: APPEND });
  guest.seek(fd, 0n, SET);
  guest.write(fd, "second\n");
  guest.must("fd_fdstat_set_flags", fd, 0);
  guest.seek(fd, 0n, SET);
  guest.write(fd, "FIRST");
  assertEquals(guest.content("log"), "FIRST\nsecond\n");
});

directoryTest("opening creates, truncates and refuses as its flags say", (guest) => {
  assertEquals(guest.open("file"), "NOENT");
  guest.create("file", "content");
  assertEquals(guest.open("file", { flags: CREAT | EXCL }), "EXIST");
  guest.must("path_create_directory", 3, ...guest.path("dir"));
  assertEquals(guest.open("dir", { flags: CREAT }), "ISDIR");
  assertEquals(guest.open("dir", { rights: Rights.FD_WRITE }), "ISDIR");
  assertEquals(guest.open("fresh/", { flags: CREAT }), "ISDIR");
  assertEquals(guest.open("none/fresh", { flags: CREAT }), "NOENT");
  assertEquals(guest.open("x", { flags: CREAT | DIRECTORY }), "INVAL");
  assertEquals(guest.open("x", { flags: 16 }), "INVAL");
  assertEquals(guest.open("x", { fdFlags: 32 }), "INVAL");
  assertEquals(guest.content("file"), "content");
  guest.mustOpen("file", { flags: TRUNC });
  assertEquals(guest.content("file"), "");
});

directoryTest("sizes are set: cut, or filled with zeros", (guest) => {
  const fd = guest.mustOpen("file", { flags: CREAT });
  guest.write(fd, "0123456789");
  guest.must("fd_filestat_set_size", fd, 4n);
  guest.must("fd_filestat_set_size", fd, 6n);
  assertEquals(guest.content("file"), "0123\0\0");
  guest.must("fd_allocate", fd, 4n, 4n);
  guest.must("fd_allocate", fd, 0n, 2n);
  assertEquals(guest.content("file"), "0123\0\0\0\0");
  assertEquals(guest.errno("fd_allocate", fd, 0n, 0n), "INVAL");
  assertEquals(guest.errno("fd_allocate", fd, -1n, 1n), "FBIG");
});

directoryTest("rights say what a descriptor is for", (guest) => {
  guest.create("file", "text");
  const reader = guest.mustOpen("file", { rights: Rights.FD_READ });
  assertEquals(guest.read(reader), "text");
  assertEquals(guest.write(reader, "x"), "NOTCAPABLE");
  assertEquals(guest.seek(reader, 0n, SET), "NOTCAPABLE");
  assertEquals(guest.errno("fd_filestat_set_size", reader, 0n), "NOTCAPABLE");
  assertEquals(guest.errno("fd_filestat_get", reader, 0x100), "NOTCAPABLE");
  const writer = guest.mustOpen("file", { rights: Rights.FD_WRITE });
  assertEquals(guest.read(writer), "NOTCAPABLE");
  assertEquals(guest.write(writer, "x"), 1);
  guest.must("fd_fdstat_get", writer, 0x100);
  assertEquals([guest.u32(0x100), guest.u64(0x108), guest.u64(0x110)], [
    Filetype.REGULAR_FILE,
    BigInt(Rights.FD_WRITE),
    0n,
  ]);
});

directoryTest("directories are made, listed and removed", (guest) => {
  assertEquals(guest.one("path_create_directory", "dir"), "SUCCESS");
  assertEquals(guest.one("path_create_directory", "dir"), "EXIST");
  assertEquals(guest.one("path_create_directory", "."), "EXIST");
  assertEquals(guest.one("path_create_directory", "none/dir"), "NOENT");
  assertEquals(guest.one("path_create_directory", "dir/sub/"), "SUCCESS");
  guest.create("dir/b", "");
  guest.create("dir/a", "");
  assertEquals(guest.list(guest.mustOpen("dir", { flags: DIRECTORY })), [".", "..", "a", "b", "sub"]);
  assertEquals(guest.one("path_remove_directory", "dir"), "NOTEMPTY");
  assertEquals(guest.one("path_remove_directory", "dir/a"), "NOTDIR");
  assertEquals(guest.one("path_unlink_file", "dir/sub"), "ISDIR");
  assertEquals(guest.one("path_remove_directory", "dir/sub/"), "SUCCESS");
  assertEquals(guest.one("path_unlink_file", "dir/a"), "SUCCESS");
  assertEquals(guest.one("path_unlink_file", "dir/b/"), "NOTDIR");
  assertEquals(guest.one("path_unlink_file", "dir/b"), "SUCCESS");
  assertEquals(guest.one("path_unlink_file", "dir/b"), "NOENT");
  assertEquals(guest.one("path_remove_directory", "dir"), "SUCCESS");
  assertEquals(guest.one("path_remove_directory", "dir"), "NOENT");
});

directoryTest(
  "a listing goes on by its cookie, through buffers of any size, also while files go",
  (guest) => {
    const names = Array.from({ length: 40 }, (_, i) => `file-${String(i).padStart(2, "0")}`);
    for (const name of names) guest.create(name, "");
    for (const size of [32, 33, 64, 100, 1000]) {
      assertEquals(guest.list(3, size), [".", "..", ...names], `buffer of ${size}`);
    }
    // The first entries, then half of the files go away, then the rest: nothing is skipped.
    guest.must("fd_readdir", 3, 0x5000, 34 * 4, 0n, 0x100);
    for (const name of names.slice(0, 20)) guest.must("path_unlink_file", 3, ...guest.path(name));
    const seen: string[] = [];
    for (let cookie = 2n; cookie < 42n; cookie++) {
      guest.must("fd_readdir", 3, 0x5000, 64, cookie, 0x100);
      seen.push(guest.text(0x5018, guest.u32(0x5010)));
    }
    assertEquals(seen, names);
    guest.must("fd_readdir", 3, 0x5000, 64, -1n, 0x100);
    assertEquals(guest.u32(), 0);
    assertEquals(guest.list(3), [".", "..", ...names.slice(20)]);
  },
);

directoryTest("an entry tells type and number of what it names", (guest) => {
  guest.create("a", "");
  guest.must("path_create_directory", 3, ...guest.path("b"));
  guest.symlink("a", "c");
  const types = [3, 3, 4, 3, 7];
  for (let cookie = 0; cookie < 5; cookie++) {
    guest.must("fd_readdir", 3, 0x5000, 25, BigInt(cookie), 0x100);
    assertEquals(guest.u32(0x5014) & 0xff, types[cookie]);
  }
  guest.must("fd_readdir", 3, 0x5000, 25, 2n, 0x100);
  const ino = guest.u64(0x5008);
  guest.stat("a");
  assertEquals(ino, guest.u64(0x108));
});

directoryTest("links are made, read, followed and removed as themselves", (guest) => {
  guest.create("file", "text");
  guest.must("path_create_directory", 3, ...guest.path("dir"));
  assertEquals(guest.symlink("../file", "dir/link"), "SUCCESS");
  assertEquals(guest.symlink("x", "dir/link"), "EXIST");
  assertEquals(guest.symlink("x", "none/link"), "NOENT");
  assertEquals(guest.readlink("dir/link"), "../file");
  assertEquals(guest.readlink("file"), "INVAL");
  assertEquals(guest.readlink("none"), "NOENT");
  assertEquals(guest.content("dir/link"), "text");
  assertEquals((guest.stat("dir/link") as { type: number }).type, Filetype.SYMBOLIC_LINK);
  assertEquals((guest.stat("dir/link", true) as { type: number }).type, Filetype.REGULAR_FILE);
  guest.must("path_readlink", 3, ...guest.path("dir/link"), 0x5000, 4, 0x100);
  assertEquals(guest.text(0x5000, guest.u32()), "../f");
  assertEquals(guest.symlink("new", "dangling"), "SUCCESS");
  assertEquals(guest.open("dangling"), "NOENT");
  assertEquals(guest.stat("dangling", true), "NOENT");
  guest.create("dangling", "made");
  assertEquals(guest.content("new"), "made");
  assertEquals(guest.one("path_unlink_file", "dir/link"), "SUCCESS");
  assertEquals(guest.content("file"), "text");
});

directoryTest("hard links are names of one file", (guest) => {
  guest.create("file", "text");
  assertEquals(guest.two("path_link", "file", "other"), "SUCCESS");
  assertEquals(guest.two("path_link", "file", "other"), "EXIST");
  assertEquals(guest.two("path_link", "none", "x"), "NOENT");
  assertEquals(guest.two("path_link", "file", "x/"), "NOENT");
  assertEquals(guest.stat("other"), { type: Filetype.REGULAR_FILE, nlink: 2n, size: 4n });
  guest.create("other", "changed");
  assertEquals(guest.content("file"), "changed");
  assertEquals(guest.one("path_unlink_file", "file"), "SUCCESS");
  assertEquals(guest.content("other"), "changed");
});

directoryTest("renaming moves and replaces what may be replaced", (guest) => {
  guest.create("a", "a");
  guest.create("b", "b");
  for (const path of ["dir", "empty", "full", "full/x"]) {
    guest.must("path_create_directory", 3, ...guest.path(path));
  }
  const cases: readonly (readonly [string, string, string])[] = [
    ["none", "x", "NOENT"],
    ["a", "b", "SUCCESS"],
    ["b", "b", "SUCCESS"],
    ["b", "dir", "ISDIR"],
    ["dir", "b", "NOTDIR"],
    ["b", "c/", "NOTDIR"],
    ["dir", "full", "NOTEMPTY"],
    ["dir", "dir/inside", "INVAL"],
    ["full", "full/x/y", "INVAL"],
    ["dir", "empty", "SUCCESS"],
    ["empty", "fresh/", "SUCCESS"],
    ["b", "none/b", "NOENT"],
    ["b", "full/b", "SUCCESS"],
  ];
  for (const [from, to, expected] of cases) {
    assertEquals(guest.two("path_rename", from, to), expected, `${from} -> ${to}`);
  }
  assertEquals(guest.list(3), [".", "..", "fresh", "full"]);
  assertEquals(guest.content("full/b"), "a");
  guest.two("path_link", "full/b", "full/c");
  assertEquals(guest.two("path_rename", "full/b", "full/c"), "SUCCESS");
  assertEquals(guest.list(guest.mustOpen("full", { flags: DIRECTORY })), [".", "..", "b", "c", "x"]);
});

directoryTest("descriptors stay with what was opened when it is renamed or unlinked", (guest) => {
  guest.must("path_create_directory", 3, ...guest.path("dir"));
  guest.must("path_create_directory", 3, ...guest.path("dir/sub"));
  guest.create("dir/sub/file", "text");
  const directory = guest.mustOpen("dir/sub", { flags: DIRECTORY }), file = guest.mustOpen("dir/sub/file");
  assertEquals(guest.two("path_rename", "dir", "moved"), "SUCCESS");
  assertEquals(guest.list(directory), [".", "..", "file"]);
  assertEquals(guest.read(guest.mustOpen("file", { fd: directory })), "text");
  assertEquals(guest.one("path_unlink_file", "moved/sub/file"), "SUCCESS");
  assertEquals(guest.read(file), "text");
  guest.seek(file, 0n, SET);
  assertEquals(guest.write(file, "TEXT and more"), 13);
  assertEquals(guest.one("path_remove_directory", "moved/sub"), "SUCCESS");
  assertEquals(guest.open("x", { fd: directory, flags: CREAT }), "NOENT");
});

directoryTest("times are set as the flags say", (guest) => {
  guest.create("file", "");
  const times = (): bigint[] => {
    assertEquals(typeof guest.stat("file"), "object");
    return [guest.u64(0x128), guest.u64(0x130)];
  };
  const fd = guest.mustOpen("file");
  guest.must("fd_filestat_set_times", fd, 1_500_000_000_000_000_000n, 1_600_000_000_000_000_000n, 1 | 4);
  assertEquals(times(), [1_500_000_000_000_000_000n, 1_600_000_000_000_000_000n]);
  const path = guest.path("file");
  guest.must("path_filestat_set_times", 3, 0, ...path, 0n, 1_700_000_000_000_000_000n, 4);
  assertEquals(times(), [1_500_000_000_000_000_000n, 1_700_000_000_000_000_000n]);
  guest.must("path_filestat_set_times", 3, 0, ...path, 0n, 0n, 2);
  // The virtual clock stands just behind its start, 2025-01-01.
  assertEquals(times()[0]! / 1_000_000_000n, 1_735_689_600n);
  for (const flags of [3, 12, 16]) {
    assertEquals(guest.errno("path_filestat_set_times", 3, 0, ...path, 0n, 0n, flags), "INVAL");
  }
  guest.symlink("file", "link");
  guest.must("path_filestat_set_times", 3, 0, ...guest.path("link"), 0n, 1_400_000_000_000_000_000n, 4);
  assertEquals(times()[1], 1_700_000_000_000_000_000n);
});

directoryTest("calls on the wrong kind of descriptor say so", (guest) => {
  guest.create("file", "");
  const file = guest.mustOpen("file");
  const cases: readonly (readonly [string, string])[] = [
    [guest.errno("fd_read", 3, 0x400, 0, 0x100), "ISDIR"],
    [guest.errno("fd_write", 3, 0x400, 0, 0x100), "ISDIR"],
    [String(guest.seek(3, 0n, SET)), "BADF"],
    [guest.errno("fd_tell", 3, 0x100), "BADF"],
    [guest.errno("fd_allocate", 3, 0n, 1n), "BADF"],
    [guest.errno("fd_advise", 3, 0n, 1n, 0), "BADF"],
    [guest.errno("fd_advise", file, 0n, 1n, 6), "INVAL"],
    [guest.errno("fd_advise", file, 0n, 1n, 3), "SUCCESS"],
    [guest.errno("fd_readdir", file, 0x5000, 100, 0n, 0x100), "NOTDIR"],
    [guest.errno("fd_readdir", 0, 0x5000, 100, 0n, 0x100), "NOTDIR"],
    [String(guest.seek(1, 0n, CUR)), "SPIPE"],
    [guest.errno("fd_pread", 0, 0x400, 0, 0n, 0x100), "SPIPE"],
    [guest.errno("fd_filestat_set_size", 1, 0n), "SPIPE"],
    [guest.errno("fd_read", 1, 0x400, 0, 0x100), "NOTCAPABLE"],
    [guest.errno("fd_write", 0, 0x400, 0, 0x100), "NOTCAPABLE"],
    [guest.errno("fd_close", 99), "BADF"],
    [guest.errno("fd_prestat_get", file, 0x100), "BADF"],
    [guest.errno("fd_fdstat_set_flags", file, 32), "INVAL"],
    [guest.errno("sock_shutdown", file, 1), "NOTSOCK"],
    [guest.errno("sock_accept", 99, 0, 0x100), "BADF"],
    [guest.errno("fd_sync", file), "SUCCESS"],
    [guest.errno("fd_datasync", 1), "SUCCESS"],
  ];
  cases.forEach(([found, expected], position) => assertEquals(found, expected, `case ${position}`));
});

directoryTest("descriptors are numbered from the lowest free one, and renumbered", (guest) => {
  guest.create("a", "a");
  guest.create("b", "b");
  const a = guest.mustOpen("a"), b = guest.mustOpen("b");
  assertEquals([a, b], [4, 5]);
  guest.must("fd_close", a);
  assertEquals(guest.errno("fd_close", a), "BADF");
  assertEquals(guest.mustOpen("a"), a);
  guest.must("fd_renumber", b, a);
  assertEquals(guest.read(a), "b");
  assertEquals(guest.errno("fd_renumber", b, a), "BADF");
  assertEquals(guest.errno("fd_renumber", a, 50), "BADF");
  guest.must("fd_renumber", a, a);
  guest.must("fd_close", 0);
  assertEquals(guest.mustOpen("a"), 0);
  guest.must("fd_close", 3);
  assertEquals(guest.open("a"), "BADF");
});

Deno.test("a directory of the host that another process swaps for a link leads nowhere", () => {
  const outside = Deno.makeTempDirSync();
  Deno.mkdirSync(`${outside}/inside/sub`, { recursive: true });
  Deno.writeTextFileSync(`${outside}/secret`, "secret");
  const guest = new Guest({ dirs: { "/": `${outside}/inside` } });
  const fd = guest.mustOpen("sub", { flags: DIRECTORY });
  Deno.removeSync(`${outside}/inside/sub`);
  Deno.symlinkSync(outside, `${outside}/inside/sub`);
  assertEquals(guest.open("secret", { fd }), "NOENT");
  assertEquals(guest.errno("fd_readdir", fd, 0x5000, 100, 0n, 0x100), "NOENT");
  assertEquals(guest.errno("fd_filestat_get", fd, 0x100), "NOENT");
  assertEquals(guest.open("sub/secret"), "PERM");
  guest.wasi.close();
  Deno.removeSync(outside, { recursive: true });
});

Deno.test({
  name: "pipes and devices of the host are not opened",
  ignore: Deno.build.os === "windows",
  fn() {
    const guest = new Guest({ dirs: { "/dev": "/dev" } });
    assertEquals(guest.open("null", { rights: Rights.FD_READ }), "NOTSUP");
    assertEquals((guest.stat("null") as { type: number }).type, Filetype.UNKNOWN);
  },
});

Deno.test("a memory directory keeps to its bounds and gives room back", () => {
  const from = new MemoryDirectory({}, { bytes: 1000, nodes: 4 });
  const guest = new Guest({ dirs: { "/": from } });
  const fd = guest.mustOpen("a", { flags: CREAT });
  assertEquals(guest.write(fd, "x".repeat(900)), 900);
  assertEquals(guest.write(fd, "x".repeat(200)), "NOSPC");
  assertEquals(guest.errno("fd_filestat_set_size", fd, 2n ** 40n), "NOSPC");
  assertEquals(guest.errno("fd_filestat_set_size", fd, 2n ** 60n), "FBIG");
  const other = guest.mustOpen("b", { flags: CREAT });
  assertEquals(guest.write(other, "x".repeat(200)), "NOSPC");
  guest.must("path_unlink_file", 3, ...guest.path("a"));
  assertEquals(guest.write(other, "x".repeat(200)), "NOSPC", "an open file still takes room");
  guest.must("fd_close", fd);
  assertEquals(guest.write(other, "x".repeat(200)), 200);
  assertEquals([guest.symlink("x", "c"), guest.one("path_create_directory", "d")], ["SUCCESS", "SUCCESS"]);
  assertEquals(guest.open("e", { flags: CREAT }), "NOSPC");
  assertEquals(guest.two("path_link", "b", "e"), "NOSPC");
});

Deno.test("what a file gives up, by being cut or unlinked, others can have", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({}, { bytes: 10_000 }) } });
  const fd = guest.mustOpen("a", { flags: CREAT });
  for (let round = 0; round < 3; round++) {
    assertEquals(guest.write(fd, "x".repeat(9_000)), 9_000);
    guest.must("fd_filestat_set_size", fd, 10n);
    guest.seek(fd, 0n, SET);
    guest.create("b", "y".repeat(9_900));
    assertEquals(guest.symlink("z".repeat(91), "c"), "NOSPC");
    assertEquals(guest.symlink("z".repeat(90), "c"), "SUCCESS");
    for (const path of ["b", "c"]) guest.must("path_unlink_file", 3, ...guest.path(path));
    assertEquals(guest.content("a"), "x".repeat(10));
  }
});

Deno.test("links that multiply the names of a path are given up", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({ d: {}, file: "x" }) } });
  // Each link goes through the next one often: thousands of names from a short path.
  guest.symlink(`${"d/../".repeat(800)}file`, "l0");
  for (let level = 0; level < 6; level++) guest.symlink(`${"d/../".repeat(700)}l${level}`, `l${level + 1}`);
  assertEquals([guest.content("l0"), guest.content("l4"), guest.open("l6")], ["x", "x", "LOOP"]);
});

Deno.test("listings of many directories at once stay bounded, and go on", () => {
  const files = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, ""]));
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({ many: files }) } });
  const open = (): number => guest.mustOpen("many", { flags: DIRECTORY });
  const first = open();
  guest.must("fd_readdir", first, 0x5000, 100, 0n, 0x100);
  for (let i = 0; i < 55; i++) guest.must("fd_readdir", open(), 0x5000, 100, 0n, 0x100);
  guest.must("fd_readdir", first, 0x5000, 100, 2n, 0x100);
  assertEquals(guest.text(0x5018, guest.u32(0x5010)), "f0");
  assertEquals(guest.list(first).length, 20_002);

  const table = new DescriptorTable(), from = new MemoryDirectory().fs;
  const listings = [1, 2, 3].map(() => {
    const fd = table.open({
      kind: "directory",
      type: Filetype.DIRECTORY,
      fs: from as FileSystem,
      node: from.root,
      rights: ALL_RIGHTS,
      inheriting: ALL_RIGHTS,
      flags: 0,
      preopen: undefined,
      entries: undefined,
    });
    const descriptor = table.directory(fd, 0);
    table.setListing(descriptor, new Array(500_000));
    return descriptor;
  });
  assertEquals(listings.map(({ entries }) => entries?.length), [undefined, undefined, 500_000]);
});

Deno.test("a host fills a memory directory and reads it", () => {
  const from = new MemoryDirectory({
    "in.txt": "given",
    sub: { deep: { "x.bin": Uint8Array.of(1, 2, 3) } },
    empty: {},
  });
  const guest = new Guest({ dirs: { ".": from } });
  assertEquals([guest.content("in.txt"), guest.content("sub/deep/x.bin")], ["given", "\x01\x02\x03"]);
  guest.create("sub/out.txt", "result");
  assertEquals(from.readText("sub/out.txt"), "result");
  assertEquals([from.list(), from.list("sub")], [["empty", "in.txt", "sub"], ["deep", "out.txt"]]);
  from.write("in.txt", "new");
  from.write("a/b/c", Uint8Array.of(65));
  assertEquals([guest.content("in.txt"), guest.content("a/b/c")], ["new", "A"]);
  assert(from.exists("a/b") && !from.exists("a/x") && !from.exists("../x"));
  const wrong: readonly (() => unknown)[] = [
    () => from.read("none"),
    () => from.read("sub"),
    () => from.write("sub", "x"),
    () => from.write("../x", "x"),
    () => from.list("in.txt"),
    () => new MemoryDirectory({ "..": "x" }),
    () => new MemoryDirectory({ "a/b": "x" }),
    () => new MemoryDirectory({ a: 5 as unknown as string }),
    () => new MemoryDirectory({ a: "12345" }, { bytes: 4 }),
    () => new MemoryDirectory({}, { nodes: -1 }),
  ];
  for (const action of wrong) assertThrows(action, UsageError, "Cannot ");
});

Deno.test("two names of one directory share it, and files move between them", () => {
  const from = new MemoryDirectory({ file: "text" });
  const guest = new Guest({ dirs: { "/a": from, "/b": { from, readOnly: false } } });
  assertEquals(guest.two("path_rename", "file", "moved", 3, 4), "SUCCESS");
  assertEquals(guest.content("moved"), "text");
});

Deno.test("a read-only directory is read, and every change of it is refused", () => {
  const from = new MemoryDirectory({ file: "text", dir: {} });
  const guest = new Guest({ dirs: { "/": { from, readOnly: true }, "/w": from } });
  guest.symlink("file", "link", 4);
  assertEquals([guest.content("link"), guest.list(3)], ["text", [".", "..", "dir", "file", "link"]]);
  // Go asks for these rights when it opens a file to read it.
  const fd = guest.mustOpen("file", { rights: ALL_RIGHTS & ~(Rights.FD_WRITE | Rights.FD_ALLOCATE) });
  const changes: readonly string[] = [
    String(guest.open("file", { rights: Rights.FD_WRITE })),
    String(guest.open("file", { rights: 0, flags: TRUNC })),
    String(guest.open("new", { flags: CREAT })),
    guest.errno("fd_filestat_set_size", fd, 0n),
    guest.errno("fd_filestat_set_times", fd, 0n, 0n, 5),
    guest.errno("fd_filestat_set_times", 3, 0n, 0n, 5),
    guest.errno("path_filestat_set_times", 3, 0, ...guest.path("file"), 0n, 0n, 5),
    guest.one("path_create_directory", "new"),
    guest.one("path_remove_directory", "dir"),
    guest.one("path_unlink_file", "file"),
    guest.two("path_rename", "file", "new"),
    guest.two("path_link", "file", "new"),
    guest.symlink("file", "new"),
  ];
  changes.forEach((errno, position) => assertEquals(errno, "ROFS", `change ${position}`));
  assertEquals(guest.two("path_link", "file", "mine", 3, 4), "XDEV");
  assertEquals(guest.list(4), [".", "..", "dir", "file", "link"]);
});

Deno.test("preopened directories are told by name, in order", () => {
  const from = new MemoryDirectory();
  const guest = new Guest({ dirs: { "/": from, "/data/ü": { from, readOnly: true } } });
  guest.must("fd_prestat_get", 4, 0x100);
  assertEquals([guest.u32(0x100), guest.u32(0x104)], [0, 8]);
  assertEquals(guest.errno("fd_prestat_dir_name", 4, 0x5000, 7), "NAMETOOLONG");
  guest.must("fd_prestat_dir_name", 4, 0x5000, 8);
  assertEquals(guest.text(0x5000, 8), "/data/ü");
  assertEquals(guest.errno("fd_prestat_get", 5, 0x100), "BADF");
  guest.must("fd_fdstat_get", 3, 0x100);
  assertEquals(guest.u64(0x110), BigInt(ALL_RIGHTS));
});
