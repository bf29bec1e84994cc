/**
 * `poll_oneoff`, and the calls on sockets, of which there are none. Nothing ever has to be waited for
 * but a clock: files and outputs are always ready, and input comes when it is asked for.
 *
 * @module
 */

import type { Descriptor } from "./descriptor.ts";
import { type Environment, type WasiCall, wasiCall } from "./environment.ts";
import { Errno, fail, Failure } from "./errno.ts";
import { ClockId, EventType, Rights } from "./preview1.ts";

/** How a `subscription` lies in memory. */
export interface SubscriptionLayout {
  /** Bytes it takes. */
  readonly size: number;
  /** Where the description of a clock starts. */
  readonly clock: number;
}

/** The layout of preview 1. */
const SUBSCRIPTION: SubscriptionLayout = { size: 48, clock: 16 };

/** Bytes of an `event`. */
const EVENT_SIZE = 32;

/** Most subscriptions of a call. */
const SUBSCRIPTIONS_MAX = 16_384;

/** Set when a clock's timeout is a time, not a duration. */
const ABSTIME = 1;

/** Set when the other side of a stream is closed. */
const HANGUP = 1;

/** Something to report. */
interface Event {
  readonly userdata: bigint;
  readonly type: number;
  readonly errno: number;
  readonly bytes: number;
  readonly flags: number;
}

/** A clock to wait for. */
interface Alarm {
  readonly userdata: bigint;
  /** How long it is until it rings; not above 0 when it rings now. */
  readonly left: bigint;
}

/** Whether a descriptor is ready, and for how many bytes. */
function readiness(env: Environment, type: number, fd: number): Pick<Event, "errno" | "bytes" | "flags"> {
  const right = type === EventType.FD_READ ? Rights.FD_READ : Rights.FD_WRITE;
  let descriptor: Descriptor;
  try {
    descriptor = env.descriptors.get(fd, Rights.POLL_FD_READWRITE | right);
  } catch (error) {
    if (error instanceof Failure) return { errno: error.errno, bytes: 0, flags: 0 };
    throw error;
  }
  if (type === EventType.FD_WRITE) return { errno: Errno.SUCCESS, bytes: 65_536, flags: 0 };
  if (descriptor.kind === "stream") {
    const { available, ended } = env.input;
    // A source that was not asked yet may give something: at least one byte, as far as anybody knows.
    return { errno: Errno.SUCCESS, bytes: ended ? 0 : available || 1, flags: ended ? HANGUP : 0 };
  }
  const bytes = descriptor.kind === "file" ? Math.max(0, descriptor.file.size() - descriptor.position) : 0;
  return { errno: Errno.SUCCESS, bytes, flags: 0 };
}

function alarmOf({ clock, guest }: Environment, at: number, userdata: bigint): Alarm {
  const id = guest.u32(at), timeout = guest.u64(at + 8), flags = guest.u16(at + 24);
  if (id > ClockId.MONOTONIC || flags > ABSTIME) fail(Errno.INVAL);
  if (flags !== ABSTIME) return { userdata, left: timeout };
  return { userdata, left: timeout - (id === ClockId.REALTIME ? clock.realtime() : clock.monotonic()) };
}

/** Calls that wait, and calls on sockets. */
export const POLL_CALLS: Readonly<Record<string, WasiCall>> = {
  poll_oneoff: pollOneoff(SUBSCRIPTION),

  sock_accept: wasiCall(["i32", "i32", "i32"], noSocket),
  sock_recv: wasiCall(["i32", "i32", "i32", "i32", "i32", "i32"], noSocket),
  sock_send: wasiCall(["i32", "i32", "i32", "i32", "i32"], noSocket),
  sock_shutdown: wasiCall(["i32", "i32"], noSocket),
};

/** A descriptor that is open is not a socket. */
function noSocket({ descriptors }: Environment, fd: number): void {
  descriptors.get(fd, 0);
  fail(Errno.NOTSOCK);
}

/** Makes `poll_oneoff` for a layout. */
export function pollOneoff(layout: SubscriptionLayout): WasiCall {
  return wasiCall(["i32", "i32", "i32", "i32"], (env, subscriptions, events, count, out) => {
    const { guest, clock } = env;
    if (count === 0 || count > SUBSCRIPTIONS_MAX) fail(Errno.INVAL);
    guest.check(subscriptions, count * layout.size);
    guest.check(events, count * EVENT_SIZE);
    guest.check(out, 4);
    const ready: Event[] = [], alarms: Alarm[] = [];
    for (let at = subscriptions; at < subscriptions + count * layout.size; at += layout.size) {
      const userdata = guest.u64(at), type = guest.u8(at + 8);
      if (type === EventType.CLOCK) alarms.push(alarmOf(env, at + layout.clock, userdata));
      else if (type > EventType.FD_WRITE) fail(Errno.INVAL);
      else ready.push({ userdata, type, ...readiness(env, type, guest.u32(at + 16)) });
    }
    let passed = 0n;
    if (ready.length === 0) {
      passed = alarms.reduce((least, { left }) => left < least ? left : least, alarms[0]!.left);
      if (!clock.sleep(passed)) fail(Errno.INTR);
    }
    for (const { userdata, left } of alarms) {
      if (left > passed && left > 0n) continue;
      ready.push({ userdata, type: EventType.CLOCK, errno: Errno.SUCCESS, bytes: 0, flags: 0 });
    }
    ready.forEach(({ userdata, type, errno, bytes, flags }, position) => {
      const at = events + position * EVENT_SIZE;
      guest.setU64(at, userdata);
      guest.setU16(at + 8, errno);
      guest.setU16(at + 10, type);
      guest.setU32(at + 12, 0);
      guest.setU64(at + 16, bytes);
      guest.setU64(at + 24, flags);
    });
    guest.setU32(out, ready.length);
  });
}
