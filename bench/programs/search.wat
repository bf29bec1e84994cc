;; String search: Horspool's algorithm over 16 KiB of text of four letters, $n patterns taken from it.
;; Memory: 0 text, 16384 shift table (256 bytes).
(module
  (memory (export "memory") 1)
  (func $fill
    (local $i i32) (local $seed i32)
    (local.set $seed (i32.const 12345))
    (loop $next
      (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1103515245)) (i32.const 12345)))
      (i32.store8 (local.get $i)
        (i32.add (i32.const 97) (i32.shr_u (local.get $seed) (i32.const 30))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 16384)))))

  ;; Occurrences of the $length bytes at $pattern.
  (func $count (param $pattern i32) (param $length i32) (result i32)
    (local $at i32) (local $i i32) (local $found i32) (local $last i32)
    (local.set $last (i32.sub (local.get $length) (i32.const 1)))
    (memory.fill (i32.const 16384) (local.get $length) (i32.const 256))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $last)))
        (i32.store8 offset=16384
          (i32.load8_u (i32.add (local.get $pattern) (local.get $i)))
          (i32.sub (local.get $last) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (block $end
      (loop $text
        (br_if $end (i32.gt_u (local.get $at) (i32.sub (i32.const 16384) (local.get $length))))
        (local.set $i (local.get $last))
        (block $differs
          (loop $compare
            (br_if $differs
              (i32.ne
                (i32.load8_u (i32.add (local.get $at) (local.get $i)))
                (i32.load8_u (i32.add (local.get $pattern) (local.get $i)))))
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br_if $compare (i32.ge_s (local.get $i) (i32.const 0))))
          (local.set $found (i32.add (local.get $found) (i32.const 1))))
        (local.set $at
          (i32.add (local.get $at)
            (i32.load8_u offset=16384
              (i32.load8_u (i32.add (local.get $at) (local.get $last))))))
        (br $text)))
    (local.get $found))

  (func (export "main") (param $n i32) (result i32)
    (local $total i32)
    (call $fill)
    (loop $next
      (local.set $total
        (i32.add (i32.mul (local.get $total) (i32.const 31))
          (call $count
            (i32.and (i32.mul (local.get $n) (i32.const 97)) (i32.const 8191))
            (i32.add (i32.const 3) (i32.and (local.get $n) (i32.const 7))))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total)))
