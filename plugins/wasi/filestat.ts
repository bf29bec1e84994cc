/**
 * Writes what is known about a file into the guest's memory: the `filestat` of preview 1, and that of
 * the release before it, which is shorter.
 *
 * @module
 */

import type { FileStat } from "./file_system.ts";
import type { Guest } from "./guest.ts";

/** How a `filestat` lies in memory. */
export interface FilestatLayout {
  /** Bytes it takes. */
  readonly size: number;
  /** Writes one; the range must be inside. */
  write(guest: Guest, out: number, stat: FileStat): void;
}

/** The layout of preview 1: 64 bytes, all fields but the type are u64. */
export const FILESTAT: FilestatLayout = {
  size: 64,
  write(guest, out, stat) {
    guest.setU64(out, stat.dev);
    guest.setU64(out + 8, stat.ino);
    guest.setU64(out + 16, stat.type);
    guest.setU64(out + 24, stat.nlink);
    writeSizeAndTimes(guest, out + 32, stat);
  },
};

/** The layout of `wasi_unstable`: 56 bytes, the number of names is a u32. */
export const UNSTABLE_FILESTAT: FilestatLayout = {
  size: 56,
  write(guest, out, stat) {
    guest.setU64(out, stat.dev);
    guest.setU64(out + 8, stat.ino);
    guest.setU32(out + 16, stat.type);
    guest.setU32(out + 20, stat.nlink);
    writeSizeAndTimes(guest, out + 24, stat);
  },
};

function writeSizeAndTimes(guest: Guest, out: number, stat: FileStat): void {
  guest.setU64(out, stat.size);
  guest.setU64(out + 8, stat.atime);
  guest.setU64(out + 16, stat.mtime);
  guest.setU64(out + 24, stat.ctime);
}
