;; A program of WASI: greets each of its arguments on a line of its own. Without arguments it says so on
;; standard error and ends with exit code 2.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 64) "Hello, ")
  (data (i32.const 80) "!\n")
  (data (i32.const 96) "whom shall I greet?\n")

  ;; Bytes to a stream: a list of one buffer at 0, the count of written bytes at 8.
  (func $write (param $fd i32) (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $length (param $text i32) (result i32) (local $end i32)
    (local.set $end (local.get $text))
    (loop $more
      (if (i32.load8_u (local.get $end)) (then
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $more))))
    (i32.sub (local.get $end) (local.get $text)))

  ;; The pointers of the arguments are at 1024, their texts at 65536.
  (func (export "_start") (local $at i32) (local $end i32)
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (if (i32.or (i32.lt_u (i32.load (i32.const 16)) (i32.const 2))
                (i32.or (i32.gt_u (i32.load (i32.const 16)) (i32.const 16000))
                        (i32.gt_u (i32.load (i32.const 20)) (i32.const 65536))))
      (then
        (call $write (i32.const 2) (i32.const 96) (i32.const 20))
        (call $proc_exit (i32.const 2))))
    (drop (call $args_get (i32.const 1024) (i32.const 65536)))
    (local.set $at (i32.const 1028))
    (local.set $end (i32.add (i32.const 1024) (i32.mul (i32.const 4) (i32.load (i32.const 16)))))
    (loop $next
      (call $write (i32.const 1) (i32.const 64) (i32.const 7))
      (call $write (i32.const 1) (i32.load (local.get $at)) (call $length (i32.load (local.get $at))))
      (call $write (i32.const 1) (i32.const 80) (i32.const 2))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))))
