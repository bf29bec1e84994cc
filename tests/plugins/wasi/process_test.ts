/**
 * What calls tell a guest about its process, and what the host learns of it: arguments, time, random
 * bytes, streams, waiting, endings, costs; and how options are checked.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { compile, ImportLinker, RwasmExecutor, RwasmStore, UsageError } from "../../../mod.ts";
import defaultPlugin, {
  MemoryDirectory,
  wasi,
  type WasiOptions,
} from "../../../plugins/wasi_snapshot_preview1.ts";
import unstable from "../../../plugins/wasi_unstable.ts";
import { assembleWat } from "../../compile/wat.ts";
import { Guest } from "./guest.ts";

const OUT = 0x100;

Deno.test("all 46 functions of preview 1 are there, each with its own index", () => {
  const { functions } = wasi({ index: 7 });
  assertEquals(Object.keys(functions).length, 46);
  assertEquals(
    Object.values(functions).map(({ index }) => index),
    Array.from({ length: 46 }, (_, i) => 7 + i),
  );
  assertEquals(Object.keys(wasi().unstable.functions).length, 45);
});

Deno.test("both releases fit one linker, with and without options", () => {
  const program = wasi();
  new ImportLinker().use(program).use(program.unstable);
  new ImportLinker().use(defaultPlugin).use(unstable);
  new ImportLinker().use({ default: defaultPlugin });
});

Deno.test("arguments and variables are strings that end in NUL", () => {
  const guest = new Guest({ args: ["app", "", "ü x"], env: { HOME: "/", EMPTY: "" } });
  guest.must("args_sizes_get", 0x100, 0x104);
  assertEquals([guest.u32(0x100), guest.u32(0x104)], [3, 10]);
  guest.must("args_get", 0x200, 0x800);
  assertEquals(guest.text(0x800, 10), "app\0\0ü x\0");
  assertEquals([0x200, 0x204, 0x208].map((at) => guest.u32(at)), [0x800, 0x804, 0x805]);
  guest.must("environ_sizes_get", 0x100, 0x104);
  assertEquals([guest.u32(0x100), guest.u32(0x104)], [2, 14]);
  guest.must("environ_get", 0x200, 0x800);
  assertEquals(guest.text(guest.u32(0x204), 7), "EMPTY=\0");
});

Deno.test("by default there is one argument, no variable, no directory, no input", () => {
  const guest = new Guest();
  guest.must("args_sizes_get", 0x100, 0x104);
  assertEquals([guest.u32(0x100), guest.u32(0x104)], [1, 4]);
  guest.must("environ_sizes_get", 0x100, 0x104);
  assertEquals([guest.u32(0x100), guest.u32(0x104)], [0, 0]);
  assertEquals(guest.errno("fd_prestat_get", 3, OUT), "BADF");
  assertEquals(guest.read(0), "");
});

function time(guest: Guest, id: number): bigint {
  guest.must("clock_time_get", id, 1n, OUT);
  return guest.u64();
}

Deno.test("the virtual clock moves by a microsecond per question", () => {
  const guest = new Guest();
  assertEquals([time(guest, 1), time(guest, 1), time(guest, 0)], [
    1_000n,
    2_000n,
    1_735_689_600_000_003_000n,
  ]);
  assertEquals([time(guest, 2), time(guest, 3)], [4_000n, 5_000n]);
  assertEquals(guest.errno("clock_time_get", 4, 0n, OUT), "INVAL");
  guest.must("clock_res_get", 1, OUT);
  assertEquals(guest.u64(), 1_000n);
  assertEquals(guest.errno("clock_res_get", 9, OUT), "INVAL");
  assertEquals(time(new Guest({ epoch: 5n }), 0), 1_005n);
});

Deno.test("the real clock is the host's", () => {
  const guest = new Guest({ clock: "real" });
  const before = BigInt(Date.now() - 1) * 1_000_000n;
  const now = time(guest, 0);
  assert(before <= now && now <= BigInt(Date.now() + 1) * 1_000_000n);
  const start = time(guest, 1);
  sleep(guest, 1, 5_000_000n, 0);
  assert(time(guest, 1) - start >= 5_000_000n);
});

Deno.test("a sleep longer than the bound on the real clock is interrupted", () => {
  const guest = new Guest({ clock: "real", maxSleep: 1 });
  assertEquals(sleep(guest, 1, 2n ** 63n, 0), "INTR");
});

Deno.test("random bytes depend on the seed alone", () => {
  const bytes = (options: WasiOptions, ...lengths: number[]): string => {
    const guest = new Guest(options);
    let at = 0x800;
    for (const length of lengths) {
      guest.must("random_get", at, length);
      at += length;
    }
    return guest.store.memory.read(0x800, at - 0x800).toHex();
  };
  assertEquals(bytes({}, 32), bytes({ seed: 0 }, 1, 2, 29));
  assertEquals(bytes({ seed: -1 }, 16), bytes({ seed: 2n ** 64n - 1n }, 16));
  assertNotEquals(bytes({ seed: 1 }, 16), bytes({ seed: 2 }, 16));
  assertNotEquals(bytes({ random: "real" }, 16), bytes({ random: "real" }, 16));
  const counts = new Array(256).fill(0);
  const guest = new Guest({ seed: 42 });
  guest.must("random_get", 0, 65_536);
  for (const byte of guest.store.memory.read(0, 65_536)) counts[byte]++;
  // 256 of each are expected, with a deviation of 16: six of them are never met by chance.
  assert(counts.every((count) => Math.abs(count - 256) < 96));
});

Deno.test("the generator is xoshiro128** seeded by SplitMix64", () => {
  // The first outputs for seed 0, from the definitions with exact integers.
  const mask32 = 0xffff_ffffn, mask64 = (1n << 64n) - 1n;
  let counter = 0n;
  const splitMix = (): bigint => {
    counter = (counter + 0x9e3779b97f4a7c15n) & mask64;
    let z = counter;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask64;
    return z ^ (z >> 31n);
  };
  const [a, b] = [splitMix(), splitMix()];
  const s = [a & mask32, a >> 32n, b & mask32, b >> 32n];
  const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask32;
  const guest = new Guest();
  guest.must("random_get", 0x800, 40);
  for (let i = 0; i < 10; i++) {
    const expected = rotl((s[1]! * 5n) & mask32, 7n) * 9n & mask32, t = (s[1]! << 9n) & mask32;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotl(s[3]!, 11n);
    assertEquals(BigInt(guest.u32(0x800 + 4 * i)), expected);
  }
});

Deno.test("output goes to sinks, each with bytes of its own, or is kept up to a bound", () => {
  const out: Uint8Array[] = [], err: string[] = [];
  const guest = new Guest({
    stdout: (bytes) => out.push(bytes),
    stderr: (bytes) => err.push(new TextDecoder().decode(bytes)),
  });
  guest.write(1, "one");
  guest.write(1, "two");
  guest.write(2, "oops");
  assertEquals(out.map((bytes) => new TextDecoder().decode(bytes)), ["one", "two"]);
  assertEquals([err, guest.wasi.stdout.text(), guest.wasi.stdout.total], [["oops"], "", 6]);
  const kept = new Guest({ keep: 5 });
  assertEquals([kept.write(1, "abc"), kept.write(1, "defg"), kept.write(1, "h")], [3, 4, 1]);
  assertEquals([kept.wasi.stdout.text(), kept.wasi.stdout.truncated, kept.wasi.stdout.total], [
    "abcde",
    true,
    8,
  ]);
  assertEquals([kept.wasi.stderr.bytes().length, kept.wasi.stderr.truncated], [0, false]);
});

Deno.test("a sink that throws ends the run with what it threw", () => {
  const program = wasi({
    stdout: () => {
      throw new Error("the disk is full");
    },
  });
  const linker = new ImportLinker<undefined>().use(program);
  const module = compile(
    assembleWat(`(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\00\\10\\00\\00\\08\\00\\00\\00")
      (func (export "run") (result i32)
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))))`),
    { linker },
  );
  const outcome = new RwasmExecutor(new RwasmStore({ linker }), module).call("run");
  assert(outcome.status === "trap" && outcome.trap.code === "HostError");
  assert(outcome.trap.message.includes("the disk is full"), outcome.trap.message);
});

Deno.test("input comes from text, bytes, or a function that is asked when something is read", () => {
  assertEquals(new Guest({ stdin: "ü" }).read(0), "ü");
  const bytes = new Guest({ stdin: new TextEncoder().encode("abcdef") });
  assertEquals([bytes.read(0, 4), bytes.read(0, 4), bytes.read(0, 4)], ["abcd", "ef", ""]);
  const parts = ["first", "", "never"], asked: number[] = [];
  const pulled = new Guest({
    stdin: (length) => {
      asked.push(length);
      return new TextEncoder().encode(parts.shift());
    },
  });
  assertEquals([pulled.read(0, 3), pulled.read(0, 10), pulled.read(0, 7), pulled.read(0, 9)], [
    "fir",
    "st",
    "",
    "",
  ]);
  assertEquals([asked, parts], [[3, 7], ["never"]]);
});

Deno.test("standard streams are terminals only when asked for", () => {
  for (const [terminal, type] of [[false, 0], [true, 2]] as const) {
    const guest = new Guest({ terminal });
    guest.must("fd_fdstat_get", 1, OUT);
    assertEquals(guest.u32(), type);
    guest.must("fd_filestat_get", 1, OUT);
    assertEquals(guest.u32(OUT + 16), type);
  }
});

/** Waits on one clock; the name of the error. */
function sleep(guest: Guest, id: number, timeout: bigint, flags: number): string {
  guest.store.memory.write(0x800, new Uint8Array(48));
  guest.poke(0x800, 77, 0, 0, 0, id, 0, Number(timeout & 0xffff_ffffn), Number(timeout >> 32n), 0, 0, flags);
  return guest.errno("poll_oneoff", 0x800, 0xc00, 1, OUT);
}

Deno.test("waiting on a virtual clock moves it, for a while or until a time", () => {
  const guest = new Guest();
  assertEquals(sleep(guest, 1, 1_000_000_000n, 0), "SUCCESS");
  assertEquals([guest.u32(), guest.u64(0xc00), guest.u32(0xc08)], [1, 77n, 0]);
  assertEquals(time(guest, 1), 1_000_001_000n);
  assertEquals(sleep(guest, 1, 5_000_000_000n, 1), "SUCCESS");
  assertEquals(time(guest, 1), 5_000_001_000n);
  assertEquals(sleep(guest, 0, 1_735_689_600_000_000_000n, 1), "SUCCESS", "a time that has passed");
  assertEquals(sleep(guest, 2, 1n, 0), "INVAL");
  assertEquals(sleep(guest, 1, 1n, 2), "INVAL");
});

Deno.test("polling reports what is ready at once, and clocks that ring by then", () => {
  const guest = new Guest({ stdin: "four", dirs: { "/": new MemoryDirectory({ file: "0123456789" }) } });
  const file = guest.mustOpen("file");
  guest.store.memory.write(0x800, new Uint8Array(48 * 6));
  const subscriptions: readonly (readonly [type: number, fd: number])[] = [
    [0, 1],
    [1, 0],
    [2, 1],
    [1, file],
    [1, 99],
    [2, 0],
  ];
  subscriptions.forEach(([type, fd], i) => guest.poke(0x800 + 48 * i, i, 0, type, 0, fd, 0, 1000));
  guest.must("poll_oneoff", 0x800, 0xc00, 6, OUT);
  assertEquals(guest.u32(), 5);
  const events = Array.from({ length: 5 }, (_, i) => {
    const at = 0xc00 + 32 * i, word = guest.u32(at + 8);
    return [guest.u64(at), word & 0xffff, word >>> 16, guest.u64(at + 16)];
  });
  assertEquals(events, [
    [1n, 0, 1, 4n],
    [2n, 0, 2, 65_536n],
    [3n, 0, 1, 10n],
    [4n, 8, 1, 0n],
    [5n, 76, 2, 0n],
  ]);
  guest.read(0);
  guest.must("poll_oneoff", 0x800 + 48, 0xc00, 1, OUT);
  assertEquals([guest.u64(0xc10), guest.u32(0xc18)], [0n, 1], "the end of the input hangs up");
  assertEquals(guest.errno("poll_oneoff", 0x800, 0xc00, 0, OUT), "INVAL");
  guest.poke(0x800, 0, 0, 3);
  assertEquals(guest.errno("poll_oneoff", 0x800, 0xc00, 1, OUT), "INVAL");
});

/** A program that ends itself three calls deep, and would go on if it could. */
const EXITING = assembleWat(`(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (global $after (mut i32) (i32.const 0))
  (func $deep (param i32) (call $exit (local.get 0)) (global.set $after (i32.const 1)))
  (func $middle (param i32) (call $deep (local.get 0)) (global.set $after (i32.const 2)))
  (func (export "run") (param i32) (result i64) (call $middle (local.get 0)) (i64.const 5))
  (func (export "after") (result i32) (global.get $after)))`);

Deno.test("proc_exit ends the run as done, however deep, and the host learns the code", () => {
  for (const code of [0, 1, 255, 0xffff_ffff]) {
    const program = wasi();
    const linker = new ImportLinker<undefined>().use(program);
    const executor = new RwasmExecutor(new RwasmStore({ linker }), compile(EXITING, { linker }));
    assertEquals(program.exitCode, undefined);
    assertEquals(executor.call("run", [code | 0]), { status: "done", results: [0n] });
    assertEquals(program.exitCode, code);
    assertEquals(executor.call("after"), { status: "done", results: [0] });
  }
});

Deno.test("the default export keeps stores apart and tells how each ended", () => {
  const linker = new ImportLinker<undefined>().use({ default: defaultPlugin });
  const module = compile(EXITING, { linker });
  const stores = [3, 4].map((code) => {
    const store = new RwasmStore({ linker });
    assertEquals(defaultPlugin.of(store), undefined);
    new RwasmExecutor(store, module).call("run", [code]);
    return store;
  });
  assertEquals(stores.map((store) => defaultPlugin.of(store)?.exitCode), [3, 4]);
});

Deno.test("signals end the process, or do nothing, as their default is", () => {
  const cases: readonly (readonly [signal: number, errno: string, code: number | undefined])[] = [
    [0, "SUCCESS", undefined],
    [16, "SUCCESS", undefined],
    [6, "SUCCESS", 134],
    [15, "SUCCESS", 143],
    [18, "NOTSUP", undefined],
    [31, "INVAL", undefined],
  ];
  for (const [signal, errno, code] of cases) {
    const guest = new Guest();
    assertEquals([guest.errno("proc_raise", signal), guest.wasi.exitCode], [errno, code]);
  }
  assertEquals(new Guest().errno("sched_yield"), "SUCCESS");
});

Deno.test("wasi_unstable seeks, stats and polls in its own layout", () => {
  const guest = new Guest({ dirs: { "/": new MemoryDirectory({ file: "0123456789" }) } }, "unstable");
  const fd = guest.mustOpen("file");
  assertEquals([guest.seek(fd, 4n, 2), guest.seek(fd, 1n, 0), guest.seek(fd, -1n, 1)], [4n, 5n, 9n]);
  assertEquals(guest.seek(fd, 0n, 3), "INVAL");
  guest.must("fd_filestat_get", fd, OUT);
  assertEquals([guest.u32(OUT + 16), guest.u32(OUT + 20), guest.u64(OUT + 24)], [4, 1, 10n]);
  guest.must("path_filestat_get", 3, 0, ...guest.path("file"), OUT);
  assertEquals(guest.u64(OUT + 24), 10n);
  guest.store.memory.write(0x800, new Uint8Array(112));
  guest.poke(0x800, 1, 0, 0, 0, 9, 9, 1, 0, 5000);
  guest.poke(0x838, 2, 0, 0, 0, 9, 9, 1, 0, 9000);
  guest.must("poll_oneoff", 0x800, 0xc00, 2, OUT);
  assertEquals([guest.u32(), guest.u64(0xc00)], [1, 1n]);
  assertEquals(time(guest, 1), 6000n);
});

/** Copies its input to its output, 100 bytes at a time, then writes 3,200 bytes in two buffers. */
const COPIER = assembleWat(`(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\00\\01\\00\\00\\80\\02\\00\\00\\00\\01\\00\\00\\00\\0a\\00\\00")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 256))
    (block $end (loop $next
      (i32.store (i32.const 4) (i32.const 100))
      (br_if $end (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $end (i32.eqz (i32.load (i32.const 8))))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br $next)))
    (drop (call $write (i32.const 2) (i32.const 16) (i32.const 2) (i32.const 8)))))`);

Deno.test("a program whose calls cost fuel pauses at every charge, those for bytes too, and acts once", () => {
  const copy = (fuelLimit: number | undefined) => {
    const program = wasi({ fuel: true, stdin: "0123456789".repeat(25) });
    const linker = new ImportLinker<undefined>().use(program);
    const store = new RwasmStore({ linker, fuelLimit });
    const executor = new RwasmExecutor(store, compile(COPIER, { linker }), { onOutOfFuel: "pause" });
    let outcome = executor.call("_start"), pauses = 0;
    for (; outcome.status === "paused" && outcome.reason === "fuel"; pauses++) {
      store.addFuel(outcome.required - outcome.remaining);
      outcome = executor.resume();
    }
    assertEquals(outcome, { status: "done", results: [] });
    const written = [program.stdout.text(), program.stderr.bytes().length];
    return { pauses, seen: [...written, store.consumedFuel(), store.memory.read(0, 4096)] };
  };
  const whole = copy(undefined), pieces = copy(0);
  assertEquals(pieces.seen, whole.seen);
  assertEquals(whole.seen.slice(0, 2), ["0123456789".repeat(25), 3200]);
  assert(pieces.pauses > 25);
});

Deno.test("calls cost nothing unless fuel is asked for, then a fixed amount and one per 32 bytes", () => {
  const cost = (options: WasiOptions, call: (guest: Guest) => void): bigint => {
    const guest = new Guest(options);
    const before = guest.store.consumedFuel();
    call(guest);
    return guest.store.consumedFuel() - before;
  };
  const write = (length: number) => (guest: Guest) => guest.write(1, "x".repeat(length));
  const random = (length: number) => (guest: Guest) => guest.must("random_get", 0, length);
  const free = cost({}, write(1));
  assertEquals([cost({}, write(3200)), cost({}, random(0))], [free, cost({}, random(3200))]);
  assertEquals([cost({ fuel: true }, write(1)), cost({ fuel: true }, write(3200))], [
    free + 51n,
    free + 150n,
  ]);
  assertEquals(cost({ fuel: true }, random(3200)) - cost({ fuel: true }, random(0)), 800n);
});

Deno.test("a refused charge for bytes has no effect", () => {
  const program = wasi({ fuel: true });
  const linker = new ImportLinker<undefined>().use(program);
  const module = compile(
    assembleWat(`(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\00\\10\\00\\00\\00\\80\\00\\00")
      (func (export "run") (result i32)
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))))`),
    { linker },
  );
  const store = new RwasmStore({ linker, fuelLimit: 1000 });
  const outcome = new RwasmExecutor(store, module).call("run");
  assertEquals(outcome.status === "trap" && outcome.trap.code, "OutOfFuel");
  assertEquals(program.stdout.total, 0);
});

Deno.test("wrong options are refused with what is wrong", () => {
  const cases: readonly (readonly [options: unknown, message: string])[] = [
    [null, "the options must be an object"],
    [{ arguments: [] }, '"arguments" is not an option'],
    [{ args: "x" }, '"args" must be an array'],
    [{ args: [1] }, "argument 0 must be a string"],
    [{ args: ["a\0b"] }, "argument 0 has a NUL"],
    [{ env: { "A=B": "x" } }, '"A=B" is not the name of a variable'],
    [{ env: { A: 1 } }, "variable A must be a string"],
    [{ env: "A=1" }, '"env" must be an object'],
    [{ stdin: 5 }, '"stdin" must be'],
    [{ stdout: "x" }, '"stdout" must be a function'],
    [{ keep: -1 }, '"keep" must be'],
    [{ terminal: 1 }, '"terminal" must be'],
    [{ clock: "fast" }, '"clock" must be'],
    [{ clock: "real", epoch: 1n }, '"epoch" is for the virtual clock'],
    [{ epoch: 1.5 }, '"epoch" must be'],
    [{ maxSleep: Infinity }, '"maxSleep" must be'],
    [{ random: "true" }, '"random" must be'],
    [{ random: "real", seed: 1 }, '"seed" is for seeded'],
    [{ seed: 0.5 }, '"seed" must be an integer'],
    [{ fuel: 1 }, '"fuel" must be'],
    [{ index: 2 ** 32 }, '"index" must be'],
    [{ dirs: 5 }, '"dirs" must be an object'],
    [{ dirs: { "/": 5 } }, 'directory "/" must be a path'],
    [{ dirs: { "/": undefined } }, 'directory "/" must be a path'],
    [{ dirs: { "": "." } }, "empty or too long"],
    [{ dirs: { "/": "/no/such/directory" } }, 'as "/": No such file'],
    [{ dirs: { "/": new URL(import.meta.url).pathname } }, "not a directory"],
  ];
  for (const [options, message] of cases) {
    assertThrows(() => wasi(options as WasiOptions), UsageError, message);
  }
});
