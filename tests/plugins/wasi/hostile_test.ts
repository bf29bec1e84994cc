/**
 * Pointers, lengths and descriptors no program of good will would pass: every call answers with an
 * error number, changes nothing outside of the memory, and leaves the guest usable.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MemoryDirectory, wasi } from "../../../plugins/wasi_snapshot_preview1.ts";
import { Random } from "../../harness.ts";
import { Guest } from "./guest.ts";

const PAGE = 65_536, FAR = 0xffff_fff0;

function world(): Guest {
  const guest = new Guest({
    args: ["app", "x"],
    env: { A: "1" },
    stdin: "input",
    dirs: { "/": new MemoryDirectory({ file: "content", dir: {} }) },
  });
  guest.mustOpen("file");
  return guest;
}

/** Calls whose last argument is where a result goes; all other arguments are good. */
const RESULTS: readonly (readonly [name: string, size: number, ...args: (number | bigint)[]])[] = [
  ["clock_res_get", 8, 0],
  ["clock_time_get", 8, 0, 0n],
  ["fd_fdstat_get", 24, 3],
  ["fd_filestat_get", 64, 3],
  ["fd_prestat_get", 8, 3],
  ["fd_read", 4, 4, 0x400, 0],
  ["fd_pread", 4, 4, 0x400, 0, 0n],
  ["fd_write", 4, 1, 0x400, 1],
  ["fd_pwrite", 4, 4, 0x400, 1, 0n],
  ["fd_readdir", 4, 3, 0x5000, 100, 0n],
  ["fd_seek", 8, 4, 3n, 0],
  ["fd_tell", 8, 4],
  ["path_filestat_get", 64, 3, 0, 0x1000, 4],
  ["path_open", 4, 3, 0, 0x1000, 4, 1, 0n, 0n, 0],
  ["args_sizes_get", 4, 0x100],
  ["environ_sizes_get", 4, 0x100],
];

for (const [name, size, ...args] of RESULTS) {
  Deno.test(`${name} writes its result up to the last byte of the memory, and not beyond`, () => {
    for (
      const [at, expected] of [[PAGE - size, "SUCCESS"], [PAGE - size + 1, "FAULT"], [FAR, "FAULT"]] as const
    ) {
      const guest = world();
      guest.path(name === "path_open" ? "none" : "file");
      guest.poke(0x400, 0x800, 5);
      const wrapped = name === "path_open" ? [...args.slice(0, -1), 0, at] : [...args, at];
      assertEquals(guest.errno(name, ...wrapped), expected, `result at ${at}`);
      if (expected === "SUCCESS") continue;
      assertEquals(guest.wasi.stdout.total, 0, "nothing is written before the result has a place");
      assertEquals(guest.open("none"), "NOENT", "nothing is made before the result has a place");
      assertEquals(guest.content("file"), "content");
      assertEquals(guest.seek(4, 0n, 1), 0n);
    }
  });
}

Deno.test("lists of buffers must be inside, not too many, and not hold more than 2 GiB", () => {
  const guest = world();
  const cases: readonly (readonly [list: number, count: number, errno: string])[] = [
    [0x400, 1025, "INVAL"],
    [0x400, -1, "INVAL"],
    [PAGE - 7, 1, "FAULT"],
    [FAR, 2, "FAULT"],
    [0x400, 1, "FAULT"],
    [0x408, 1, "FAULT"],
    [0x410, 1, "SUCCESS"],
    [0x418, 2, "INVAL"],
  ];
  guest.poke(0x400, PAGE - 1, 2, FAR, 0x20, FAR, 0, 0, 1, 0, 0x7fff_ffff);
  for (const name of ["fd_read", "fd_write"]) {
    for (const [list, count, errno] of cases) {
      // A descriptor that may do both: the file.
      assertEquals(guest.errno(name, 4, list, count, 0x100), errno, `${name} ${list} ${count}`);
    }
  }
  assertEquals(guest.content("file"), "content");
});

Deno.test("buffers that overlap are written once each and read in order", () => {
  const guest = world();
  for (let i = 0; i < 1024; i++) guest.poke(0x1000 + 8 * i, 0, PAGE);
  guest.must("fd_write", 1, 0x1000, 1024, 0x100);
  assertEquals([guest.u32(), guest.wasi.stdout.total, guest.wasi.stdout.truncated], [2 ** 26, 2 ** 26, true]);
  guest.poke(0x400, 0x800, 4, 0x802, 4);
  guest.must("fd_read", 4, 0x400, 2, 0x100);
  assertEquals([guest.u32(), guest.text(0x800, 5)], [7, "coent"]);
});

Deno.test("paths and buffers must be inside", () => {
  const guest = world();
  const file = guest.path("file");
  const cases: readonly (readonly [string, string])[] = [
    [guest.errno("path_create_directory", 3, PAGE - 1, 2), "FAULT"],
    [guest.errno("path_create_directory", 3, FAR, 4), "FAULT"],
    [guest.errno("path_create_directory", 3, 0x1000, -1), "FAULT"],
    [guest.errno("path_rename", 3, ...file, 3, FAR, 3), "FAULT"],
    [guest.errno("path_symlink", FAR, 3, 3, ...file), "FAULT"],
    [guest.errno("path_readlink", 3, ...file, PAGE - 4, 5, 0x100), "FAULT"],
    [guest.errno("fd_readdir", 3, PAGE - 4, 5, 0n, 0x100), "FAULT"],
    [guest.errno("fd_prestat_dir_name", 3, PAGE, 1), "FAULT"],
    [guest.errno("random_get", PAGE - 1, 2), "FAULT"],
    [guest.errno("random_get", 1, -1), "FAULT"],
    [guest.errno("random_get", PAGE, 0), "SUCCESS"],
    [guest.errno("args_get", PAGE - 7, 0x800), "FAULT"],
    [guest.errno("args_get", 0x200, PAGE - 5), "FAULT"],
    [guest.errno("poll_oneoff", PAGE - 47, 0, 1, 0x100), "FAULT"],
    [guest.errno("poll_oneoff", 0, PAGE - 31, 1, 0x100), "FAULT"],
    [guest.errno("poll_oneoff", 0, 0, 1, PAGE - 3), "FAULT"],
    [guest.errno("poll_oneoff", 0, 0, -1, 0x100), "INVAL"],
  ];
  cases.forEach(([found, expected], position) => assertEquals(found, expected, `case ${position}`));
});

Deno.test("20,000 random calls end with an error number each and leave the guest usable", () => {
  const random = new Random(20250101);
  const declared = Object.entries(wasi().functions).filter(([name]) => !/^proc_/.test(name));
  const numbers = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    24,
    48,
    100,
    0x100,
    0x400,
    0x1000,
    PAGE - 8,
    PAGE - 1,
    PAGE,
    2 ** 31,
    FAR,
    2 ** 32 - 1,
  ];
  let guest = world(), failures = 0;
  for (let i = 0; i < 20_000; i++) {
    if (i % 500 === 0) {
      guest = world();
      guest.store.memory.write(0x1000, new TextEncoder().encode("dir/../file"));
    }
    const [name, { params }] = random.pick(declared);
    const args = params.map((type) => {
      const number = random.below(4) === 0 ? random.u32() : random.pick(numbers);
      return type === "i32" ? number : BigInt.asIntN(64, BigInt(number) << BigInt(random.below(3) * 16));
    });
    const errno = guest.call(name, ...args);
    assert(errno >= 0 && errno <= 76, `${name} gave ${errno}`);
    if (errno !== 0) failures++;
  }
  assert(failures > 1_000 && failures < 20_000);
  assertEquals(guest.errno("sched_yield"), "SUCCESS");
});
