/**
 * Throughput of the WASI plugin, host calls included: blocks written to an output and to files, and a
 * directory of 10,000 files. `benchWasi()` gives the table; run alone, the file prints it.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, RwasmStore, type Value } from "../mod.ts";
import { MemoryDirectory, wasi, type WasiOptions } from "../plugins/wasi_snapshot_preview1.ts";
import { format, type Row, type Table } from "./measure.ts";

/** Bytes of a block. */
const BLOCK = 65_536;

/** Blocks of one measurement: 256 MiB. */
const BLOCKS = 4096;

/** Files of the directory. */
const FILES = 10_000;

/** What a block must reach, in MB/s. */
const REACH = 200;

/**
 * The guest, made with `npm:wabt` when the benchmark runs. `blocks` writes blocks; `make`, `look`,
 * `list` and `unlink` work on files named 00000, 00001, …
 */
const GUEST = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 0) "\\00\\00\\01\\00\\00\\00\\01\\00") ;; one buffer of 64 KiB at 64 KiB
  (global $errors (mut i32) (i32.const 0))
  (func $note (param i32) (global.set $errors (i32.or (global.get $errors) (local.get 0))))
  (func $name (param $number i32) ;; five digits at 32
    (local $at i32)
    (local.set $at (i32.const 36))
    (loop $digits
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digits (i32.ge_u (local.get $at) (i32.const 32)))))
  (func (export "open") (result i32)
    (call $name (i32.const 99999))
    (call $note (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 5)
      (i32.const 9) (i64.const 70) (i64.const 0) (i32.const 0) (i32.const 16)))
    (i32.load (i32.const 16)))
  (func (export "write") (param $fd i32) (param $count i32) (result i32)
    (loop $again
      (call $note (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $again (local.get $count)))
    (global.get $errors))
  (func (export "read") (param $fd i32) (param $count i32) (result i32)
    (call $note (call $seek (local.get $fd) (i64.const 0) (i32.const 0) (i32.const 16)))
    (loop $again
      (call $note (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $again (local.get $count)))
    (global.get $errors))
  (func (export "make") (param $count i32) (result i32)
    (loop $again
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (call $name (local.get $count))
      (call $note (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 5)
        (i32.const 5) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))
      (call $note (call $close (i32.load (i32.const 16))))
      (br_if $again (local.get $count)))
    (global.get $errors))
  (func (export "look") (param $count i32) (result i32)
    (loop $again
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (call $name (local.get $count))
      (call $note (call $stat (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 5) (i32.const 64)))
      (br_if $again (local.get $count)))
    (global.get $errors))
  (func (export "list") (result i32) ;; how many names, through a buffer of 4 KiB
    (local $cookie i64) (local $used i32) (local $at i32) (local $next i32) (local $names i32)
    (loop $again
      (call $note (call $readdir (i32.const 3) (i32.const 65536) (i32.const 4096)
        (local.get $cookie) (i32.const 16)))
      (local.set $used (i32.load (i32.const 16)))
      (local.set $at (i32.const 0))
      (block $cut
        (loop $entries
          (br_if $cut (i32.gt_u (i32.add (local.get $at) (i32.const 24)) (local.get $used)))
          (local.set $next (i32.add (i32.add (local.get $at) (i32.const 24))
            (i32.load (i32.add (i32.const 65552) (local.get $at)))))
          (br_if $cut (i32.gt_u (local.get $next) (local.get $used)))
          (local.set $cookie (i64.load (i32.add (i32.const 65536) (local.get $at))))
          (local.set $names (i32.add (local.get $names) (i32.const 1)))
          (local.set $at (local.get $next))
          (br $entries)))
      (br_if $again (i32.eq (local.get $used) (i32.const 4096))))
    (local.get $names))
  (func (export "unlink") (param $count i32) (result i32)
    (loop $again
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (call $name (local.get $count))
      (call $note (call $unlink (i32.const 3) (i32.const 32) (i32.const 5)))
      (br_if $again (local.get $count)))
    (global.get $errors)))`;

/** An instance of the guest; its function runs an export and gives its i32 result. */
function instance(wasm: Uint8Array, options: WasiOptions): (name: string, ...params: Value[]) => number {
  const program = wasi(options);
  const linker = new ImportLinker<undefined>().use(program);
  const executor = new RwasmExecutor(new RwasmStore({ linker }), compile(wasm, { linker }));
  return (name, ...params) => {
    const outcome = executor.call(name, params);
    if (outcome.status === "done") return outcome.results[0] as number;
    throw new Error(`${name} did not return: ${outcome.status === "trap" ? outcome.trap.message : "paused"}`);
  };
}

/** A row: either how fast bytes go, or how long each file takes. */
function row(name: string, rate: number, each: number): Row {
  return { name, figures: { "MB/s": rate, "µs each": each } };
}

/** Milliseconds that a call takes; it must give `expected`. */
function time(call: () => number, expected: number): number {
  const start = performance.now(), result = call();
  if (result !== expected) throw new Error(`the guest found ${result} in place of ${expected}`);
  return performance.now() - start;
}

function blockRows(wasm: Uint8Array, place: string, from: string | MemoryDirectory): Row[] {
  const call = instance(wasm, { dirs: { "/": from } }), fd = call("open"), blocks = BLOCKS / 4;
  const rate = (milliseconds: number): number => (blocks * BLOCK) / 1000 / milliseconds;
  return [
    {
      name: `fd_write to a file ${place}`,
      figures: { "MB/s": rate(time(() => call("write", fd, blocks), 0)) },
    },
    {
      name: `fd_read of a file ${place}`,
      figures: { "MB/s": rate(time(() => call("read", fd, blocks), 0)) },
    },
  ];
}

function fileRows(wasm: Uint8Array, place: string, from: string | MemoryDirectory): Row[] {
  const call = instance(wasm, { dirs: { "/": from } });
  const each = (name: string, milliseconds: number): Row =>
    row(`${FILES} files ${place}: ${name}`, NaN, milliseconds * 1000 / FILES);
  return [
    each("create and close", time(() => call("make", FILES), 0)),
    each("path_filestat_get", time(() => call("look", FILES), 0)),
    each("fd_readdir", time(() => call("list"), FILES + 2)),
    each("path_unlink_file", time(() => call("unlink", FILES), 0)),
  ];
}

/** Measures the plugin. Needs permission to write to a temporary directory. */
export async function benchWasi(): Promise<Table> {
  const { parseWat } = await (await import("wabt")).default();
  const parsed = parseWat("wasi.wat", GUEST);
  const wasm = new Uint8Array(parsed.toBinary({}).buffer);
  parsed.destroy();

  let received = 0;
  const write = instance(wasm, { stdout: (bytes) => received += bytes.length });
  write("write", 1, 64);
  const milliseconds = time(() => write("write", 1, BLOCKS), 0);
  if (received !== (BLOCKS + 64) * BLOCK) throw new Error(`the sink got ${received} bytes`);
  const sink = (BLOCKS * BLOCK) / 1000 / milliseconds;

  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/files`);
    const rows = [
      row("fd_write to a sink", sink, NaN),
      ...blockRows(wasm, "in memory", new MemoryDirectory()),
      ...blockRows(wasm, "of the host", directory),
      ...fileRows(wasm, "in memory", new MemoryDirectory()),
      ...fileRows(wasm, "of the host", `${directory}/files`),
    ];
    return {
      title: "WASI",
      note: `blocks of 64 KiB; reach: ${REACH} MB/s to a sink`,
      rows,
      missed: sink < REACH ? [`fd_write reaches ${Math.round(sink)} MB/s of ${REACH}`] : [],
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) console.log(format(await benchWasi()));
