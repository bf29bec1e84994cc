;; LZ77 compression with a hash table, and decompression, of 8 KiB, $n times; checks the round trip.
;; Memory: 0 source, 16384 compressed, 32768 restored, 49152 table of 4096 positions (u32).
(module
  (memory (export "memory") 2)
  (func $fill (param $seed i32)
    (local $i i32)
    (loop $next
      (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
      (if (i32.and (i32.lt_u (local.get $seed) (i32.const 0x30000000)) (i32.gt_u (local.get $i) (i32.const 300)))
        (then ;; a repetition
          (memory.copy
            (local.get $i)
            (i32.sub (local.get $i) (i32.add (i32.const 20) (i32.and (i32.shr_u (local.get $seed) (i32.const 12)) (i32.const 255))))
            (i32.const 16))
          (local.set $i (i32.add (local.get $i) (i32.const 16))))
        (else
          (i32.store8 (local.get $i) (i32.shr_u (local.get $seed) (i32.const 27)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 8192)))))

  (func $hash (param $at i32) (result i32)
    (i32.shl
      (i32.shr_u
        (i32.mul (i32.and (i32.load (local.get $at)) (i32.const 0xffffff)) (i32.const 0x9e3779b1))
        (i32.const 20))
      (i32.const 2)))

  ;; Length of what is equal at two places, at most 127.
  (func $match (param $a i32) (param $b i32) (result i32)
    (local $length i32)
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $length) (i32.const 127)))
        (br_if $end (i32.ge_u (i32.add (local.get $b) (local.get $length)) (i32.const 8192)))
        (br_if $end
          (i32.ne
            (i32.load8_u (i32.add (local.get $a) (local.get $length)))
            (i32.load8_u (i32.add (local.get $b) (local.get $length)))))
        (local.set $length (i32.add (local.get $length) (i32.const 1)))
        (br $next)))
    (local.get $length))

  ;; End of the compressed bytes: a literal byte with bit 7 clear, or 128 + length and a distance (u16).
  (func $compress (result i32)
    (local $at i32) (local $out i32) (local $slot i32) (local $before i32) (local $length i32)
    (local.set $out (i32.const 16384))
    (memory.fill (i32.const 49152) (i32.const 0) (i32.const 16384))
    (loop $next
      (local.set $slot (call $hash (local.get $at)))
      (local.set $before (i32.load offset=49152 (local.get $slot)))
      (i32.store offset=49152 (local.get $slot) (i32.add (local.get $at) (i32.const 1)))
      (local.set $length (i32.const 0))
      (if (local.get $before)
        (then
          (local.set $length
            (call $match (i32.sub (local.get $before) (i32.const 1)) (local.get $at)))))
      (if (i32.gt_u (local.get $length) (i32.const 3))
        (then
          (i32.store8 (local.get $out) (i32.or (local.get $length) (i32.const 128)))
          (i32.store16 offset=1 (local.get $out)
            (i32.add (i32.sub (local.get $at) (local.get $before)) (i32.const 1)))
          (local.set $out (i32.add (local.get $out) (i32.const 3)))
          (local.set $at (i32.add (local.get $at) (local.get $length))))
        (else
          (i32.store8 (local.get $out) (i32.load8_u (local.get $at)))
          (local.set $out (i32.add (local.get $out) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 8192))))
    (local.get $out))

  (func $restore (param $end i32)
    (local $in i32) (local $out i32) (local $byte i32) (local $distance i32)
    (local.set $in (i32.const 16384))
    (local.set $out (i32.const 32768))
    (loop $next
      (local.set $byte (i32.load8_u (local.get $in)))
      (if (i32.and (local.get $byte) (i32.const 128))
        (then
          (local.set $byte (i32.and (local.get $byte) (i32.const 127)))
          (local.set $distance (i32.load16_u offset=1 (local.get $in)))
          (local.set $in (i32.add (local.get $in) (i32.const 3)))
          (loop $copy
            (i32.store8 (local.get $out) (i32.load8_u (i32.sub (local.get $out) (local.get $distance))))
            (local.set $out (i32.add (local.get $out) (i32.const 1)))
            (br_if $copy (local.tee $byte (i32.sub (local.get $byte) (i32.const 1))))))
        (else
          (i32.store8 (local.get $out) (local.get $byte))
          (local.set $in (i32.add (local.get $in) (i32.const 1)))
          (local.set $out (i32.add (local.get $out) (i32.const 1)))))
      (br_if $next (i32.lt_u (local.get $in) (local.get $end)))))

  (func (export "main") (param $n i32) (result i32)
    (local $total i32) (local $end i32) (local $i i32)
    (loop $next
      (call $fill (local.get $n))
      (local.set $end (call $compress))
      (call $restore (local.get $end))
      (local.set $i (i32.const 0))
      (loop $check
        (if (i64.ne (i64.load (local.get $i)) (i64.load offset=32768 (local.get $i))) (then (unreachable)))
        (local.set $i (i32.add (local.get $i) (i32.const 8)))
        (br_if $check (i32.lt_u (local.get $i) (i32.const 8192))))
      (local.set $total (i32.add (i32.rotl (local.get $total) (i32.const 5)) (local.get $end)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total)))
