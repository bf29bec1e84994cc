/**
 * Guests of WASI for the tests of the command line: one program with a function for each thing it can
 * see or do.
 *
 * @module
 */

import { assembleWat } from "../compile/wat.ts";

const WASI = `
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))`;

/**
 * The program. `_start` writes "hello" and leaves with 7; the other exports are called by name: args
 * and env write what they are given, NULs between; cat copies input to output; steer writes an escape
 * sequence; bytes writes the byte 255; create makes a.txt in the first directory and gives the error
 * number; random and time give numbers; leave ends with the code it is given; warn writes to standard error.
 */
export const PROGRAM: Uint8Array = assembleWat(`(module ${WASI}
  (memory (export "memory") 2)
  (data (i32.const 64) "hello\\n") (data (i32.const 80) "a\\1b[2Jb") (data (i32.const 96) "a.txt")
  (data (i32.const 112) "\\ff") (data (i32.const 128) "careful\\n")
  (func $write (param $fd i32) (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from)) (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $write (i32.const 1) (i32.const 64) (i32.const 6)) (call $proc_exit (i32.const 7)))
  (func (export "args")
    (drop (call $args_sizes (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 1024) (i32.const 4096)))
    (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 20))))
  (func (export "env")
    (drop (call $environ_sizes (i32.const 16) (i32.const 20)))
    (drop (call $environ_get (i32.const 1024) (i32.const 4096)))
    (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 20))))
  (func (export "cat") (loop $more
    (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 512))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.load (i32.const 8)) (then
      (call $write (i32.const 1) (i32.const 4096) (i32.load (i32.const 8))) (br $more)))))
  (func (export "steer") (call $write (i32.const 1) (i32.const 80) (i32.const 6)))
  (func (export "bytes") (call $write (i32.const 1) (i32.const 112) (i32.const 1)))
  (func (export "warn") (call $write (i32.const 2) (i32.const 128) (i32.const 8)))
  (func (export "yes") (loop $more (call $write (i32.const 1) (i32.const 64) (i32.const 6)) (br $more)))
  (func (export "create") (result i32)
    (call $path_open (i32.const 3) (i32.const 0) (i32.const 96) (i32.const 5) (i32.const 9)
      (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 24)))
  (func (export "random") (result i64)
    (drop (call $random_get (i32.const 32) (i32.const 8))) (i64.load (i32.const 32)))
  (func (export "time") (result i64)
    (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 32))) (i64.load (i32.const 32)))
  (func (export "leave") (param i32) (call $proc_exit (local.get 0))))`);
