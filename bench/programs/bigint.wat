;; Multiplication of numbers of 2,048 bits by the schoolbook method, in limbs of 32 bits, $n times.
;; Memory: 0 factor, 256 product (128 limbs).
(module
  (memory (export "memory") 1)
  (func $square
    (local $i i32) (local $j i32) (local $carry i64) (local $limb i64)
    (memory.fill (i32.const 256) (i32.const 0) (i32.const 512))
    (loop $rows
      (local.set $limb (i64.load32_u (local.get $i)))
      (local.set $carry (i64.const 0))
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $carry
          (i64.add
            (i64.add
              (i64.mul (local.get $limb) (i64.load32_u (local.get $j)))
              (i64.load32_u offset=256 (i32.add (local.get $i) (local.get $j))))
            (local.get $carry)))
        (i64.store32 offset=256 (i32.add (local.get $i) (local.get $j)) (local.get $carry))
        (local.set $carry (i64.shr_u (local.get $carry) (i64.const 32)))
        (local.set $j (i32.add (local.get $j) (i32.const 4)))
        (br_if $columns (i32.lt_u (local.get $j) (i32.const 256))))
      (i64.store32 offset=512 (local.get $i) (local.get $carry))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $rows (i32.lt_u (local.get $i) (i32.const 256)))))

  (func (export "main") (param $n i32) (result i64)
    (local $i i32) (local $hash i64)
    (loop $fill
      (i32.store (local.get $i) (i32.mul (i32.add (local.get $i) (i32.const 1)) (i32.const 0x9e3779b1)))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 256))))
    (loop $next
      (call $square)
      (memory.copy (i32.const 0) (i32.const 384) (i32.const 256)) ;; the middle of it is the next factor
      (local.set $hash
        (i64.add (i64.rotl (local.get $hash) (i64.const 7)) (i64.load offset=256 (i32.const 0))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i64.xor (local.get $hash) (i64.load (i32.const 0)))))
