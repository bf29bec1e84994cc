;; A hash map of i64 to i64 with open addressing, 8,192 entries of 16 bytes, $n insertions and lookups.
;; Keys are never 0.
(module
  (memory (export "memory") 2)
  (global $state (mut i64) (i64.const 88172645463325252))
  (func $random (result i64)
    (local $x i64)
    (local.set $x (global.get $state))
    (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
    (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
    (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
    (global.set $state (local.get $x))
    (local.get $x))

  ;; Address of the entry of a key, or of the free one where it belongs.
  (func $find (param $key i64) (result i32)
    (local $at i32) (local $found i64)
    (local.set $at
      (i32.shl
        (i32.wrap_i64
          (i64.shr_u (i64.mul (local.get $key) (i64.const 0x9e3779b97f4a7c15)) (i64.const 51)))
        (i32.const 4)))
    (loop $probe (result i32)
      (local.set $found (i64.load (local.get $at)))
      (if (result i32)
        (i32.or (i64.eq (local.get $found) (local.get $key)) (i64.eqz (local.get $found)))
        (then (local.get $at))
        (else
          (local.set $at (i32.and (i32.add (local.get $at) (i32.const 16)) (i32.const 0x1ffff)))
          (br $probe)))))

  (func (export "main") (param $n i32) (result i64)
    (local $at i32) (local $key i64) (local $sum i64)
    (loop $next
      (local.set $key (i64.add (i64.rem_u (call $random) (i64.const 5000)) (i64.const 1)))
      (local.set $at (call $find (local.get $key)))
      (i64.store (local.get $at) (local.get $key))
      (i64.store offset=8 (local.get $at)
        (i64.add (i64.load offset=8 (local.get $at)) (local.get $key)))
      (local.set $sum
        (i64.add (local.get $sum)
          (i64.load offset=8
            (call $find (i64.add (i64.and (call $random) (i64.const 4095)) (i64.const 1))))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
