/**
 * Calls about the process: arguments, variables, clocks, random bytes, its end.
 *
 * @module
 */

import { type Environment, type WasiCall, wasiCall } from "./environment.ts";
import { Errno, fail } from "./errno.ts";
import { ClockId } from "./preview1.ts";

/** Time of one of the clocks; the ones of the processor show all time that passed. */
function timeOf({ clock }: Environment, id: number): bigint {
  if (id === ClockId.REALTIME) return clock.realtime();
  return id <= ClockId.THREAD_CPUTIME ? clock.monotonic() : fail(Errno.INVAL);
}

/** Writes how many strings there are and how many bytes they take. */
function sizes({ guest }: Environment, strings: readonly Uint8Array[], count: number, bytes: number): void {
  guest.check(count, 4);
  guest.check(bytes, 4);
  guest.setU32(count, strings.length);
  guest.setU32(bytes, strings.reduce((sum, { length }) => sum + length, 0));
}

/** Writes strings one behind the other, and their addresses. */
function strings(
  { guest }: Environment,
  list: readonly Uint8Array[],
  pointers: number,
  buffer: number,
): void {
  guest.check(pointers, list.length * 4);
  guest.check(buffer, list.reduce((sum, { length }) => sum + length, 0));
  for (const string of list) {
    guest.setU32(pointers, buffer);
    guest.set(buffer, string);
    pointers += 4;
    buffer += string.length;
  }
}

/** Signals up to this number have a meaning in WASI. */
const LAST_SIGNAL = 30;

/** Signals that do nothing by default: none, CHLD, CONT, URG, WINCH. */
const HARMLESS_SIGNALS: readonly number[] = [0, 16, 17, 22, 27];

/** Signals that suspend a process by default: STOP, TSTP, TTIN, TTOU. */
const STOPPING_SIGNALS: readonly number[] = [18, 19, 20, 21];

/** Calls about the process. */
export const PROCESS_CALLS: Readonly<Record<string, WasiCall>> = {
  args_get: wasiCall(["i32", "i32"], (env, pointers, buffer) => strings(env, env.args, pointers, buffer)),

  args_sizes_get: wasiCall(["i32", "i32"], (env, count, bytes) => sizes(env, env.args, count, bytes)),

  environ_get: wasiCall(
    ["i32", "i32"],
    (env, pointers, buffer) => strings(env, env.variables, pointers, buffer),
  ),

  environ_sizes_get: wasiCall(["i32", "i32"], (env, count, bytes) => sizes(env, env.variables, count, bytes)),

  clock_res_get: wasiCall(["i32", "i32"], ({ guest, clock }, id, out) => {
    if (id > ClockId.THREAD_CPUTIME) fail(Errno.INVAL);
    guest.setU64(out, clock.resolution);
  }),

  clock_time_get: wasiCall(["i32", "i64", "i32"], (env, id, _precision, out) => {
    env.guest.check(out, 8);
    env.guest.setU64(out, timeOf(env, id));
  }),

  random_get: wasiCall(
    ["i32", "i32"],
    ({ guest, random }, buffer, length) => random.fill(guest.range(buffer, length)),
    { linear: { base: 50, param: 1, wordCost: 8 } },
  ),

  sched_yield: wasiCall([], () => {}),

  proc_exit: {
    params: ["i32"],
    results: [],
    fuel: { const: 0 },
    body(env, code: number) {
      end(env, code);
    },
  },

  proc_raise: wasiCall(["i32"], (env, signal) => {
    if (signal > LAST_SIGNAL) fail(Errno.INVAL);
    if (HARMLESS_SIGNALS.includes(signal)) return;
    // Nobody is there who could continue it.
    if (STOPPING_SIGNALS.includes(signal)) fail(Errno.NOTSUP);
    end(env, 128 + signal);
  }),
};

/** Ends the run; files of the host are given back, for no call comes any more that could close them. */
function end(env: Environment, code: number): never {
  env.exitCode = code;
  env.descriptors.closeAll();
  return env.caller!.halt();
}
