;; Digits of pi by the spigot of Rabinowitz and Wagon: an array of numbers in mixed radix, multiplied by
;; ten and carried through once for each digit. Each digit goes to the host as soon as it is certain.
(module
  (import "digits" "put" (func $put (param i32)))
  (memory 1)

  ;; Address of the number for the denominator 2i - 1.
  (func $at (param $i i32) (result i32) (i32.shl (local.get $i) (i32.const 2)))

  ;; Multiplies all by ten; the digit that comes out, 10 when the one before must be one more.
  (func $carry (param $length i32) (result i32) (local $i i32) (local $x i32) (local $odd i32) (local $q i32)
    (local.set $i (local.get $length))
    (loop $next
      (local.set $x (i32.add (i32.mul (i32.load (call $at (local.get $i))) (i32.const 10))
        (i32.mul (local.get $q) (local.get $i))))
      (local.set $odd (i32.sub (i32.shl (local.get $i) (i32.const 1)) (i32.const 1)))
      (i32.store (call $at (local.get $i)) (i32.rem_u (local.get $x) (local.get $odd)))
      (local.set $q (i32.div_u (local.get $x) (local.get $odd)))
      (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (i32.store (call $at (i32.const 1)) (i32.rem_u (local.get $q) (i32.const 10)))
    (i32.div_u (local.get $q) (i32.const 10)))

  ;; A digit that is certain now, and the nines or zeros that waited for it.
  (func $flush (param $digit i32) (param $then i32) (param $times i32)
    (call $put (local.get $digit))
    (block $done (loop $more
      (br_if $done (i32.eqz (local.get $times)))
      (call $put (local.get $then))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br $more))))

  (func (export "pi") (param $digits i32)
    (local $length i32) (local $i i32) (local $held i32) (local $nines i32) (local $digit i32)
    (local.set $length (i32.add (i32.div_u (i32.mul (local.get $digits) (i32.const 10)) (i32.const 3)) (i32.const 1)))
    (drop (memory.grow (i32.div_u (call $at (local.get $length)) (i32.const 65536))))
    (local.set $i (local.get $length))
    (loop $fill
      (i32.store (call $at (local.get $i)) (i32.const 2))
      (br_if $fill (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (loop $next
      (local.set $digit (call $carry (local.get $length)))
      (if (i32.eq (local.get $digit) (i32.const 9))
        (then (local.set $nines (i32.add (local.get $nines) (i32.const 1))))
        (else
          (if (i32.eq (local.get $digit) (i32.const 10))
            (then
              (call $flush (i32.add (local.get $held) (i32.const 1)) (i32.const 0) (local.get $nines))
              (local.set $held (i32.const 0)))
            (else
              (call $flush (local.get $held) (i32.const 9) (local.get $nines))
              (local.set $held (local.get $digit))))
          (local.set $nines (i32.const 0))))
      (br_if $next (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $digits))))))
