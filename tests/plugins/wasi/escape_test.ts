/**
 * Tricks to get out of a preopened directory, on both kinds of directory. Around the directory of
 * the host there is a secret that no trick may reach.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MemoryDirectory } from "../../../plugins/wasi_snapshot_preview1.ts";
import { Guest } from "./guest.ts";

/** What one trick does; what its last call says. */
interface Trick {
  readonly name: string;
  /** What it must say. */
  readonly says: string | number;
  run(guest: Guest): string | number;
}

const CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8;
const LONG = "n".repeat(256), DEEP = "d/".repeat(2049);

/** Says the error of a trick that opens; a descriptor would be a success. */
const opens = (path: string | Uint8Array, options: Parameters<Guest["open"]>[1] = {}) => (guest: Guest) =>
  guest.open(path, options);

/** The directory has `sub/file`, `sub/deep/`, and links: see `prepare`. */
const TRICKS: readonly Trick[] = [
  { name: "open ..", says: "PERM", run: opens("..", { flags: DIRECTORY }) },
  { name: "open ../secret", says: "PERM", run: opens("../secret") },
  { name: "open a/../../secret", says: "PERM", run: opens("sub/../../secret") },
  { name: "go out and come back in", says: "PERM", run: opens("../inside/sub/file") },
  { name: "open an absolute path", says: "PERM", run: opens("/etc/passwd") },
  { name: "open the root", says: "PERM", run: opens("/", { flags: DIRECTORY }) },
  { name: "open a path with two slashes in front", says: "PERM", run: opens("//etc/passwd") },
  { name: "open through a link to ..", says: "PERM", run: opens("up/secret") },
  { name: "open a link to ../secret", says: "PERM", run: opens("out") },
  { name: "create through a link to ../new", says: "PERM", run: opens("new", { flags: CREAT }) },
  { name: "truncate through a link to ../secret", says: "PERM", run: opens("out", { flags: TRUNC }) },
  { name: "create anew where a link is", says: "EXIST", run: opens("out", { flags: CREAT | EXCL }) },
  { name: "open a link without following it", says: "LOOP", run: opens("out", { follow: false }) },
  { name: "open a chain of links that leads out", says: "PERM", run: opens("chain") },
  { name: "open a link that leads to itself", says: "LOOP", run: opens("loop") },
  { name: "open a link with a slash behind", says: "PERM", run: opens("up/", { follow: false }) },
  { name: "open a deep link that leads out", says: "PERM", run: opens("sub/deep/far/secret") },
  {
    name: "open .. from a directory inside",
    says: "PERM",
    run: (guest) => guest.open("../file", { fd: guest.mustOpen("sub/deep", { flags: DIRECTORY }) }),
  },
  { name: "open a path with a NUL", says: "INVAL", run: opens("sub/file\0/../../secret") },
  { name: "open a path with a trailing NUL", says: "INVAL", run: opens("sub/file\0") },
  {
    name: "open a path with an overlong slash",
    says: "ILSEQ",
    run: opens(Uint8Array.of(0x2e, 0x2e, 0xc0, 0xaf, 0x73)),
  },
  { name: "open an empty path", says: "NOENT", run: opens("") },
  { name: "open a name of 256 bytes", says: "NAMETOOLONG", run: opens(LONG, { flags: CREAT }) },
  { name: "open a path of 4,098 bytes", says: "NAMETOOLONG", run: opens(DEEP) },
  { name: "open through a file", says: "NOTDIR", run: opens("sub/file/../../../secret") },
  { name: "open what is not there on the way", says: "NOENT", run: opens("none/../../secret") },
  { name: "open a file as a directory", says: "NOTDIR", run: opens("sub/file", { flags: DIRECTORY }) },
  { name: "open a file with a slash behind", says: "NOTDIR", run: opens("sub/file/") },
  {
    name: "list ..",
    says: "PERM",
    run: (guest) => guest.open("sub/../..", { flags: DIRECTORY, rights: 1 << 14 }),
  },
  { name: "look at ../secret", says: "PERM", run: (guest) => String(guest.stat("../secret")) },
  { name: "look at ../secret through a link", says: "PERM", run: (guest) => String(guest.stat("out", true)) },
  {
    name: "make ../directory",
    says: "PERM",
    run: (guest) => guest.one("path_create_directory", "../directory"),
  },
  {
    name: "make a directory through a link",
    says: "PERM",
    run: (guest) => guest.one("path_create_directory", "up/d"),
  },
  { name: "unlink ../secret", says: "PERM", run: (guest) => guest.one("path_unlink_file", "../secret") },
  { name: "unlink through a link", says: "PERM", run: (guest) => guest.one("path_unlink_file", "up/secret") },
  { name: "remove ..", says: "PERM", run: (guest) => guest.one("path_remove_directory", "..") },
  { name: "remove .", says: "INVAL", run: (guest) => guest.one("path_remove_directory", ".") },
  {
    name: "rename the directory itself",
    says: "BUSY",
    run: (guest) => guest.two("path_rename", ".", "sub/x"),
  },
  {
    name: "move ../secret in",
    says: "PERM",
    run: (guest) => guest.two("path_rename", "../secret", "secret"),
  },
  { name: "move a file out", says: "PERM", run: (guest) => guest.two("path_rename", "sub/file", "../file") },
  {
    name: "move a file out through a link",
    says: "PERM",
    run: (guest) => guest.two("path_rename", "sub/file", "up/f"),
  },
  { name: "hard-link ../secret", says: "PERM", run: (guest) => guest.two("path_link", "../secret", "mine") },
  {
    name: "hard-link what a link leads to",
    says: "PERM",
    run: (guest) => guest.two("path_link", "out", "mine", 3, 3, 1),
  },
  {
    name: "hard-link to a place outside",
    says: "PERM",
    run: (guest) => guest.two("path_link", "sub/file", "../f"),
  },
  { name: "hard-link a directory", says: "PERM", run: (guest) => guest.two("path_link", "sub", "sub2") },
  { name: "make an absolute link", says: "PERM", run: (guest) => guest.symlink("/etc/passwd", "passwd") },
  { name: "make a link outside", says: "PERM", run: (guest) => guest.symlink("secret", "../link") },
  {
    name: "make a link that leads out, and open it",
    says: "PERM",
    run(guest) {
      guest.symlink("sub/../../secret", "fresh");
      return guest.open("fresh");
    },
  },
  { name: "read a link through ..", says: "PERM", run: (guest) => guest.readlink("../inside/out") },
  {
    name: "set the times of ../secret",
    says: "PERM",
    run: (guest) => guest.errno("path_filestat_set_times", 3, 1, ...guest.path("../secret"), 0n, 0n, 5),
  },
  {
    name: "swap a directory above an open one for a link",
    says: "NOENT",
    run(guest) {
      // The descriptor of sub/deep must not lead to ../deep/secret afterwards.
      const fd = guest.mustOpen("sub/deep", { flags: DIRECTORY });
      assertEquals(guest.two("path_rename", "sub", "moved"), "SUCCESS");
      assertEquals(guest.symlink("..", "sub"), "SUCCESS");
      return guest.open("secret", { fd });
    },
  },
  {
    name: "swap an open directory for a link",
    says: "NOENT",
    run(guest) {
      const fd = guest.mustOpen("sub/deep", { flags: DIRECTORY });
      assertEquals(guest.one("path_unlink_file", "sub/deep/far"), "SUCCESS");
      assertEquals(guest.one("path_remove_directory", "sub/deep"), "SUCCESS");
      assertEquals(guest.symlink("../..", "sub/deep"), "SUCCESS");
      return guest.open("secret", { fd });
    },
  },
  {
    name: "move a file to another directory of the guest",
    says: "XDEV",
    run: (guest) => guest.two("path_rename", "sub/file", "file", 3, 4),
  },
  {
    name: "hard-link a file to another directory of the guest",
    says: "XDEV",
    run: (guest) => guest.two("path_link", "sub/file", "file", 3, 4),
  },
  { name: "open below a stream", says: "NOTDIR", run: opens("secret", { fd: 1 }) },
  { name: "open below a descriptor that is not open", says: "BADF", run: opens("secret", { fd: 77 }) },
  {
    name: "ask for more than a directory may hand on",
    says: "NOTCAPABLE",
    run(guest) {
      const fd = guest.mustOpen("sub", { flags: DIRECTORY, inheriting: 2 });
      return guest.open("file", { fd, rights: 2 | 64 });
    },
  },
  {
    name: "get rights back that were given up",
    says: "NOTCAPABLE",
    run(guest) {
      guest.must("fd_fdstat_set_rights", 3, 1n << 13n, 2n);
      return guest.errno("fd_fdstat_set_rights", 3, (1n << 13n) | (1n << 14n), 2n);
    },
  },
  {
    name: "write into a read-only directory",
    says: "ROFS",
    run: opens("new-file", { fd: 5, flags: CREAT, rights: 2 }),
  },
  {
    name: "open a file of a read-only directory for writing",
    says: "ROFS",
    run: opens("file", { fd: 5, rights: 64 }),
  },
];

/** Fills a directory by calls of the guest. */
function prepare(guest: Guest): void {
  guest.must("path_create_directory", 3, ...guest.path("sub"));
  guest.must("path_create_directory", 3, ...guest.path("sub/deep"));
  guest.create("sub/file", "inside");
  const links = {
    up: "..",
    out: "../secret",
    new: "../new",
    chain: "chain2",
    chain2: "sub/../out",
    loop: "loop",
    "sub/deep/far": "../../..",
  };
  for (const [path, target] of Object.entries(links)) assertEquals(guest.symlink(target, path), "SUCCESS");
}

for (const trick of TRICKS) {
  Deno.test(`a guest cannot ${trick.name}`, async (t) => {
    await t.step("in memory", () => {
      const guest = new Guest({
        dirs: {
          "/": new MemoryDirectory(),
          "/other": new MemoryDirectory(),
          "/fixed": { from: new MemoryDirectory({ file: "fixed" }), readOnly: true },
        },
      });
      prepare(guest);
      assertEquals(trick.run(guest), trick.says);
    });
    await t.step("of the host", () => {
      const outside = Deno.makeTempDirSync();
      for (const name of ["inside", "other", "fixed"]) Deno.mkdirSync(`${outside}/${name}`);
      Deno.writeTextFileSync(`${outside}/secret`, "secret");
      Deno.writeTextFileSync(`${outside}/fixed/file`, "fixed");
      const guest = new Guest({
        dirs: {
          "/": `${outside}/inside`,
          "/other": `${outside}/other`,
          "/fixed": { from: `${outside}/fixed`, readOnly: true },
        },
      });
      try {
        prepare(guest);
        const inside = (): string[] => [...Deno.readDirSync(outside)].map(({ name }) => name).sort();
        assertEquals(trick.run(guest), trick.says);
        assertEquals(inside(), ["fixed", "inside", "other", "secret"]);
        assertEquals(Deno.readTextFileSync(`${outside}/secret`), "secret");
        assertEquals([...Deno.readDirSync(`${outside}/fixed`)].length, 1);
      } finally {
        guest.wasi.close();
        Deno.removeSync(outside, { recursive: true });
      }
    });
  });
}

Deno.test("paths that stay inside are followed, however crooked", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory() } });
  prepare(guest);
  for (const path of ["sub/.//deep/../../sub/deep/../file", "./sub/file", "sub//file", "sub/deep/../file"]) {
    assertEquals(guest.content(path), "inside");
  }
  guest.symlink("sub/deep/../file", "in");
  guest.symlink("sub/", "into");
  assertEquals([guest.content("in"), guest.content("into/file")], ["inside", "inside"]);
});
