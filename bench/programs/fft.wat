;; Fast Fourier transforms of 512 complex numbers (f64 pairs), radix 2, in place, $n times.
(module
  (memory (export "memory") 1)
  (func $reverse (param $i i32) (result i32)
    (local $bits i32) (local $r i32)
    (local.set $bits (i32.const 9))
    (loop $next
      (local.set $r (i32.or (i32.shl (local.get $r) (i32.const 1)) (i32.and (local.get $i) (i32.const 1))))
      (local.set $i (i32.shr_u (local.get $i) (i32.const 1)))
      (br_if $next (local.tee $bits (i32.sub (local.get $bits) (i32.const 1)))))
    (local.get $r))

  (func $permute
    (local $i i32) (local $j i32) (local $a i32) (local $b i32) (local $re f64) (local $im f64)
    (loop $next
      (local.set $j (call $reverse (local.get $i)))
      (if (i32.lt_u (local.get $i) (local.get $j))
        (then
          (local.set $a (i32.shl (local.get $i) (i32.const 4)))
          (local.set $b (i32.shl (local.get $j) (i32.const 4)))
          (local.set $re (f64.load (local.get $a)))
          (local.set $im (f64.load offset=8 (local.get $a)))
          (f64.store (local.get $a) (f64.load (local.get $b)))
          (f64.store offset=8 (local.get $a) (f64.load offset=8 (local.get $b)))
          (f64.store (local.get $b) (local.get $re))
          (f64.store offset=8 (local.get $b) (local.get $im))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 512)))))

  ;; The angle halves from stage to stage: cosine and sine follow without a table.
  (func $transform
    (local $half i32) (local $i i32) (local $k i32) (local $a i32) (local $b i32)
    (local $cos f64) (local $sin f64) (local $wr f64) (local $wi f64) (local $t f64)
    (local $xr f64) (local $xi f64) (local $yr f64) (local $yi f64)
    (call $permute)
    (local.set $half (i32.const 16)) ;; bytes
    (local.set $cos (f64.const -1))
    (loop $stages
      (local.set $i (i32.const 0))
      (loop $groups
        (local.set $wr (f64.const 1))
        (local.set $wi (f64.const 0))
        (local.set $k (i32.const 0))
        (loop $butterflies
          (local.set $a (i32.add (local.get $i) (local.get $k)))
          (local.set $b (i32.add (local.get $a) (local.get $half)))
          (local.set $yr
            (f64.sub
              (f64.mul (f64.load (local.get $b)) (local.get $wr))
              (f64.mul (f64.load offset=8 (local.get $b)) (local.get $wi))))
          (local.set $yi
            (f64.add
              (f64.mul (f64.load (local.get $b)) (local.get $wi))
              (f64.mul (f64.load offset=8 (local.get $b)) (local.get $wr))))
          (local.set $xr (f64.load (local.get $a)))
          (local.set $xi (f64.load offset=8 (local.get $a)))
          (f64.store (local.get $a) (f64.add (local.get $xr) (local.get $yr)))
          (f64.store offset=8 (local.get $a) (f64.add (local.get $xi) (local.get $yi)))
          (f64.store (local.get $b) (f64.sub (local.get $xr) (local.get $yr)))
          (f64.store offset=8 (local.get $b) (f64.sub (local.get $xi) (local.get $yi)))
          (local.set $t
            (f64.sub
              (f64.mul (local.get $wr) (local.get $cos))
              (f64.mul (local.get $wi) (local.get $sin))))
          (local.set $wi
            (f64.add
              (f64.mul (local.get $wr) (local.get $sin))
              (f64.mul (local.get $wi) (local.get $cos))))
          (local.set $wr (local.get $t))
          (local.set $k (i32.add (local.get $k) (i32.const 16)))
          (br_if $butterflies (i32.lt_u (local.get $k) (local.get $half))))
        (local.set $i (i32.add (local.get $i) (i32.shl (local.get $half) (i32.const 1))))
        (br_if $groups (i32.lt_u (local.get $i) (i32.const 8192))))
      (local.set $t (f64.sqrt (f64.mul (f64.add (f64.const 1) (local.get $cos)) (f64.const 0.5))))
      (local.set $sin
        (if (result f64) (f64.eq (local.get $t) (f64.const 0))
          (then (f64.const -1))
          (else (f64.div (local.get $sin) (f64.mul (f64.const 2) (local.get $t))))))
      (local.set $cos (local.get $t))
      (local.set $half (i32.shl (local.get $half) (i32.const 1)))
      (br_if $stages (i32.lt_u (local.get $half) (i32.const 8192)))))

  (func (export "main") (param $n i32) (result i64)
    (local $i i32)
    (loop $fill
      (f64.store (local.get $i)
        (f64.convert_i32_s (i32.sub (i32.rem_u (i32.mul (local.get $i) (i32.const 7)) (i32.const 101)) (i32.const 50))))
      (local.set $i (i32.add (local.get $i) (i32.const 16)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 8192))))
    (loop $next
      (call $transform)
      (local.set $i (i32.const 0))
      (loop $scale ;; by almost the square root of 512, so that numbers stay in range
        (f64.store (local.get $i) (f64.mul (f64.load (local.get $i)) (f64.const 0.0441)))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $scale (i32.lt_u (local.get $i) (i32.const 8192))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i64.xor (i64.load offset=16 (i32.const 0)) (i64.load offset=4104 (i32.const 0)))))
