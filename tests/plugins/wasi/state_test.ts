/**
 * A guest of WASI goes on in another environment: streams, clock, random bytes, descriptors, files in
 * memory and on the host; what a host must give again, and what it is told when it does not; saved
 * states that somebody damaged.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { RwasmError, UsageError } from "../../../mod.ts";
import defaultPlugin, { MemoryDirectory, type WasiOptions } from "../../../plugins/wasi_snapshot_preview1.ts";
import { mutate } from "../../fuzz/mutate.ts";
import { Random } from "../../harness.ts";
import { directoryTest, GROUNDS, Guest } from "./guest.ts";

/** What a guest keeps outside of its machine. */
function saved(guest: Guest): Uint8Array {
  return guest.wasi.state!.save(guest.store);
}

/** A guest in a new environment that goes on where another one was. */
function moved(guest: Guest, options: WasiOptions = {}): Guest {
  const other = new Guest(options);
  other.wasi.state!.restore(other.store, saved(guest));
  return other;
}

const OUT = 0x100;

Deno.test("time, random bytes, arguments and streams go on", () => {
  const options = { args: ["app", "one"], env: { A: "1" }, seed: 9, epoch: 5_000_000n };
  const [guest, twin] = [0, 1].map(() => new Guest({ ...options, stdin: "first second" }));
  const begin = (guest: Guest): void => {
    guest.must("clock_time_get", 0, 1n, OUT);
    guest.must("random_get", OUT, 5);
    assertEquals(guest.read(0, 6), "first ");
    guest.write(1, "out ");
    guest.write(2, "err ");
  };
  const end = (guest: Guest): unknown[] => {
    guest.must("clock_time_get", 0, 1n, OUT);
    const time = guest.u64();
    guest.must("random_get", OUT, 8);
    const random = guest.u64(), text = guest.read(0), more = guest.read(0);
    guest.write(1, "more");
    guest.must("args_sizes_get", 0x100, 0x104);
    const args = [guest.u32(0x100), guest.u32(0x104)];
    guest.must("environ_sizes_get", 0x100, 0x104);
    return [
      time,
      random,
      text,
      more,
      args,
      guest.u32(0x100),
      guest.wasi.stdout.text(),
      guest.wasi.stderr.text(),
    ];
  };
  for (const each of [guest!, twin!]) begin(each);
  // The environment it goes on in has other arguments and no input; what it was given counts.
  assertEquals(end(moved(guest!, { args: ["other"] })), end(twin!));
});

Deno.test("a sink gets only what comes after the move", () => {
  const guest = new Guest();
  guest.write(1, "before ");
  let sunk = "";
  const other = moved(guest, { stdout: (bytes) => void (sunk += new TextDecoder().decode(bytes)) });
  other.write(1, "after");
  assertEquals([sunk, other.wasi.stdout.total], ["after", 12]);
  const source = new Guest({ stdin: () => new TextEncoder().encode("pulled before") });
  assertEquals(source.read(0, 7), "pulled ");
  const pieces = ["and after", ""];
  const next = moved(source, { stdin: () => new TextEncoder().encode(pieces.shift()!) });
  assertEquals([next.read(0), next.read(0), next.read(0)], ["before", "and after", ""]);
  const fromText = moved(source, { stdin: " and a text" });
  assertEquals(fromText.read(0), "before and a text");
});

Deno.test("the real clock never goes back, and stays the clock of the guest", () => {
  const guest = new Guest({ clock: "real", random: "real" });
  const time = (guest: Guest): bigint => {
    guest.must("clock_time_get", 1, 1n, OUT);
    return guest.u64();
  };
  guest.must("clock_time_get", 1, 1n, OUT);
  const before = time(guest), after = time(moved(guest, { clock: "real", random: "real" }));
  assert(after >= before && after < before + 60_000_000_000n);
  const refused = assertThrows(
    () => moved(guest, { random: "real" }),
    UsageError,
    'its clock is "real", not "virtual"',
  );
  assertStringIncludes(refused.hint!, 'option "clock"');
  assertThrows(() => moved(guest, { clock: "real" }), UsageError, 'its random is "real", not "seeded"');
  assertThrows(
    () => moved(new Guest({ fuel: true })),
    UsageError,
    "calls cost fuel in one of the environments only",
  );
});

for (const { name, make } of GROUNDS) {
  Deno.test(`open files and directories go on (${name})`, () => {
    const { from, remove } = make();
    // In memory the content moves into the directory of the new environment; the host's is the same one.
    const again = typeof from === "string" ? from : new MemoryDirectory({ old: "goes away" });
    const guest = new Guest({ dirs: { "/": from } });
    let other: Guest | undefined;
    try {
      guest.create("a", "content of a");
      guest.create("b", "b");
      guest.must("path_create_directory", 3, ...guest.path("sub"));
      guest.create("sub/inner", "inner");
      const a = guest.mustOpen("a"),
        appends = guest.mustOpen("b", { fdFlags: 1 }),
        sub = guest.mustOpen("sub", { flags: 2 });
      const closed = guest.mustOpen("b");
      assertEquals(guest.read(a, 8), "content ");
      assertEquals(guest.two("path_rename", "a", "renamed"), "SUCCESS");
      assertEquals(guest.two("path_rename", "sub", "moved"), "SUCCESS");
      guest.must("fd_close", closed);
      guest.must("fd_readdir", 3, 0x5000, 60, 0n, OUT);
      guest.create("new", "made while the listing is under way");

      other = moved(guest, { dirs: { "/": again } });
      guest.wasi.close();
      assertEquals(other.read(a), "of a");
      assertEquals(other.write(appends, "+"), 1);
      assertEquals(other.content("b"), "b+");
      const inner = other.mustOpen("inner", { fd: sub });
      assertEquals(other.read(inner), "inner");
      assertEquals(inner, closed, "the lowest free number");
      assertEquals(other.mustOpen("b"), closed + 1);
      assertEquals(other.list(3).slice(2), ["b", "moved", "new", "renamed"]);
      if (again instanceof MemoryDirectory) {
        assertEquals([again.exists("old"), again.readText("b"), again.readText("moved/inner")], [
          false,
          "b+",
          "inner",
        ]);
      }
    } finally {
      guest.wasi.close();
      other?.wasi.close();
      remove();
    }
  });
}

Deno.test("a listing under way goes on with the entries it began with", () => {
  const names = Array.from({ length: 20 }, (_, k) => `file-${k}`);
  const guest = new Guest({
    dirs: { "/": new MemoryDirectory(Object.fromEntries(names.map((name) => [name, ""]))) },
  });
  guest.must("fd_readdir", 3, 0x5000, 100, 0n, OUT);
  guest.one("path_unlink_file", "file-7");
  const other = moved(guest, { dirs: { "/": new MemoryDirectory() } });
  other.must("fd_readdir", 3, 0x5000, 0x4000, 1n, OUT);
  assertStringIncludes(other.text(0x5000, other.u32()), "file-7");
  assertEquals(other.list(3).length, 2 + 19);
});

Deno.test("files without a name, hard links, links and times are the same in memory", () => {
  const from = new MemoryDirectory({ a: "A" }), guest = new Guest({ dirs: { "/": from, "/again": from } });
  guest.two("path_link", "a", "b");
  guest.symlink("b", "link");
  guest.must("path_filestat_set_times", 3, 0, ...guest.path("a"), 11n, 22n, 5);
  const gone = guest.mustOpen("gone", { flags: 1 });
  guest.write(gone, "nameless");
  guest.one("path_unlink_file", "gone");
  guest.must("path_create_directory", 3, ...guest.path("dir"));
  const dir = guest.mustOpen("dir", { flags: 2 });
  guest.one("path_remove_directory", "dir");

  const other = moved(guest, { dirs: { "/": new MemoryDirectory() } });
  assertEquals(other.seek(gone, 0n, 0), 0n);
  assertEquals(other.read(gone), "nameless");
  assertEquals(other.stat("a"), guest.stat("a"));
  assertEquals(other.stat("b"), { type: 4, nlink: 2n, size: 1n });
  assertEquals(other.readlink("link"), "b");
  assertEquals(other.errno("path_create_directory", dir, ...other.path("x")), "NOENT");
  // Two names of one directory still are one file system.
  assertEquals(other.two("path_rename", "a", "c", 3, 4), "SUCCESS");
  assertEquals(other.list(4).slice(2), ["b", "c", "link"]);
  assertEquals(saved(other), saved(moved(other)));
});

directoryTest("going on in the same environment changes nothing", (guest) => {
  guest.create("a", "text");
  const fd = guest.mustOpen("a");
  guest.read(fd, 2);
  guest.wasi.state!.restore(guest.store, saved(guest));
  assertEquals(guest.read(fd), "xt");
  assertEquals(guest.content("a"), "text");
});

Deno.test("directories of the host must be given again, and be what they were", () => {
  const folder = Deno.makeTempDirSync(),
    guest = new Guest({ dirs: { "/data": { from: folder, readOnly: false } } });
  try {
    guest.create("a", "text");
    const fd = guest.mustOpen("a");
    const missing = assertThrows(
      () => moved(guest),
      UsageError,
      `the guest has directory "/data" of the host, which was ${Deno.realPathSync(folder)}`,
    );
    assertEquals(missing.code, "WasiState");
    assertStringIncludes(missing.hint!, "--dir");
    assertThrows(
      () => moved(guest, { dirs: { "/data": new MemoryDirectory() } }),
      UsageError,
      "is not given one now",
    );
    const glass = moved(guest, { dirs: { "/data": { from: folder, readOnly: true } } });
    assertEquals(glass.read(fd), "text");
    assertEquals(glass.write(fd, "x"), "ROFS");
    glass.wasi.close();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // A file that is open for writing cannot be behind glass.
    assertStringIncludes(error.message, "cannot be opened (ROFS)");
  }
  try {
    Deno.renameSync(`${folder}/a`, `${folder}/elsewhere`);
    Deno.writeTextFileSync(`${folder}/a`, "another file");
    const replaced = () => moved(guest, { dirs: { "/data": folder } });
    assertThrows(replaced, UsageError, "what descriptor 4 has open is gone, or another one");
    Deno.removeSync(`${folder}/a`);
    assertThrows(replaced, UsageError, "what descriptor 4 has open is gone, or another one");
    Deno.symlinkSync("elsewhere", `${folder}/a`);
    assertThrows(replaced, UsageError, "what descriptor 4 has open is gone, or another one");
  } finally {
    guest.wasi.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("what was read-only stays read-only", () => {
  const tree = () => new MemoryDirectory({ a: "A" });
  const guest = new Guest({ dirs: { "/": { from: tree(), readOnly: true } } });
  const other = moved(guest, { dirs: { "/": tree() } });
  assertEquals(other.one("path_unlink_file", "a"), "ROFS");
  assertEquals(moved(guest).one("path_unlink_file", "a"), "ROFS");
  assertEquals(moved(guest).content("a"), "A");
});

Deno.test("a directory in memory that is too small for what the guest had is refused", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({ a: "12345", b: "6" }) } });
  for (const limits of [{ bytes: 5 }, { nodes: 2 }]) {
    assertThrows(
      () => moved(guest, { dirs: { "/": new MemoryDirectory({}, limits) } }),
      UsageError,
      "more files or bytes",
    );
  }
});

Deno.test("the default plugin keeps the state of each store", () => {
  const { state } = defaultPlugin;
  const [one, two] = [new Guest(), new Guest()];
  state!.restore(two.store, state!.save(one.store));
  assertEquals(defaultPlugin.of(two.store)?.exitCode, undefined);
  assertEquals(one.wasi.state === one.wasi.unstable.state, true, "both releases have one state");
});

Deno.test("damaged states are refused with typed errors, or can be used", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({ a: "A", d: { e: "E" } }) }, stdin: "input" });
  const d = guest.mustOpen("d", { flags: 2 });
  guest.mustOpen("d/e");
  guest.symlink("a", "link");
  guest.list(d);
  const bytes = saved(guest), random = new Random(5);
  let taken = 0, refused = 0;
  for (let left = 3000; left > 0; left--) {
    const other = new Guest({ dirs: { "/": new MemoryDirectory() } });
    try {
      other.wasi.state!.restore(other.store, mutate([bytes], random).bytes);
    } catch (error) {
      if (!(error instanceof RwasmError)) throw error;
      refused++;
      continue;
    }
    taken++;
    saved(other);
    other.write(1, "text");
    other.open("a");
    other.errno("fd_readdir", 3, 0x5000, 0x1000, 0n, OUT);
    other.errno("fd_close", 3);
    other.wasi.close();
  }
  assert(taken > 50 && refused > 1000, `${taken} taken, ${refused} refused`);
});
