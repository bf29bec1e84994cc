/**
 * The calls of `wasi_unstable`, the release before preview 1, which programs of 2019 import. Most are
 * the same; sockets could not be accepted, a seek numbered its origins in another order, and two
 * structures were laid out in another way.
 *
 * @module
 */

import { type WasiCall, wasiCall } from "./environment.ts";
import { Errno, fail } from "./errno.ts";
import { FD_CALLS, fdFilestatGet, seek } from "./fd_calls.ts";
import { UNSTABLE_FILESTAT } from "./filestat.ts";
import { PATH_CALLS, pathFilestatGet } from "./path_calls.ts";
import { POLL_CALLS, pollOneoff } from "./poll_calls.ts";
import { Whence } from "./preview1.ts";
import { PROCESS_CALLS } from "./process_calls.ts";

/** Origins of a seek in the order of `wasi_unstable`. */
const WHENCE: readonly number[] = [Whence.CUR, Whence.END, Whence.SET];

const { sock_accept: _, ...calls } = { ...PROCESS_CALLS, ...FD_CALLS, ...PATH_CALLS, ...POLL_CALLS };

/** All calls of `wasi_unstable`. */
export const UNSTABLE_CALLS: Readonly<Record<string, WasiCall>> = {
  ...calls,
  fd_filestat_get: fdFilestatGet(UNSTABLE_FILESTAT),
  path_filestat_get: pathFilestatGet(UNSTABLE_FILESTAT),
  fd_seek: wasiCall(["i32", "i64", "i32", "i32"], (env, fd, delta, whence, out) => {
    seek(env, fd, delta, WHENCE[whence] ?? fail(Errno.INVAL), out);
  }),
  // A number of the clock's own comes before the rest.
  poll_oneoff: pollOneoff({ size: 56, clock: 24 }),
};
