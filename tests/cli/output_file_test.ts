/**
 * Files that are written piece by piece: whole in the end, or not there.
 *
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { denoHost, type Host } from "../../lib/cli/host.ts";
import { OutputFile } from "../../lib/cli/output_file.ts";
import { RwasmError } from "../../mod.ts";

const host: Host = denoHost([], new URL("../../mod.ts", import.meta.url));

/** Whether there is a file. */
function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test("a file is opened by its first piece, and whole after the last", async () => {
  const path = `${await Deno.makeTempDir()}/file`, file = new OutputFile(host, path);
  assertEquals(isThere(path), false);
  file.write(Uint8Array.of(1, 2));
  file.write(Uint8Array.of(3));
  await file.close();
  assertEquals([...Deno.readFileSync(path), file.length], [1, 2, 3, 3]);
  file.discard();
  assertEquals(isThere(path), true, "a whole file stays");
});

Deno.test("a file that is given up is removed", async () => {
  const path = `${await Deno.makeTempDir()}/file`, file = new OutputFile(host, path);
  file.write(Uint8Array.of(1, 2));
  file.discard();
  assertEquals(isThere(path), false);
});

Deno.test("without pieces a file is empty", async () => {
  const path = `${await Deno.makeTempDir()}/file`;
  await new OutputFile(host, path).close();
  assertEquals(Deno.readFileSync(path).length, 0);
});

Deno.test({
  name: "a full disk is told, and what is no ordinary file stays",
  ignore: Deno.build.os !== "linux",
  fn() {
    const file = new OutputFile(host, "/dev/full");
    const error = assertThrows(() => file.write(Uint8Array.of(1)), RwasmError);
    assertEquals(error.code, "FileError");
    assertMatch(error.message, /^Cannot write \/dev\/full: No space/);
    assertEquals(Deno.statSync("/dev/full").isCharDevice, true);
  },
});
