;; Three tasks of different length, each of which tells the host how far it is.
(module
  (import "task" "report" (func $report (param i32)))

  ;; How many primes there are below a number, by trial division; reports at every hundredth.
  (func (export "primes") (param $below i32) (result i32) (local $n i32) (local $d i32) (local $count i32)
    (local.set $n (i32.const 2))
    (loop $next
      (local.set $d (i32.const 2))
      (block $composite
        (loop $try
          (if (i32.le_u (i32.mul (local.get $d) (local.get $d)) (local.get $n)) (then
            (br_if $composite (i32.eqz (i32.rem_u (local.get $n) (local.get $d))))
            (local.set $d (i32.add (local.get $d) (i32.const 1)))
            (br $try))))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (if (i32.eqz (i32.rem_u (local.get $count) (i32.const 100))) (then (call $report (local.get $count)))))
      (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $below))))
    (local.get $count))

  ;; The longest chain of Collatz from a start below a number; reports each record.
  (func (export "collatz") (param $below i32) (result i32)
    (local $start i32) (local $n i64) (local $length i32) (local $record i32)
    (loop $next
      (local.set $start (i32.add (local.get $start) (i32.const 1)))
      (local.set $n (i64.extend_i32_u (local.get $start)))
      (local.set $length (i32.const 1))
      (block $end (loop $step
        (br_if $end (i64.eq (local.get $n) (i64.const 1)))
        (local.set $n (select
          (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1))
          (i64.shr_u (local.get $n) (i64.const 1))
          (i32.wrap_i64 (i64.and (local.get $n) (i64.const 1)))))
        (local.set $length (i32.add (local.get $length) (i32.const 1)))
        (br $step)))
      (if (i32.gt_u (local.get $length) (local.get $record)) (then
        (local.set $record (local.get $length))
        (call $report (local.get $record))))
      (br_if $next (i32.lt_u (local.get $start) (local.get $below))))
    (local.get $record))

  ;; Recursive Fibonacci numbers, one after the other; reports the last three.
  (func $fib (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "fib") (param $n i32) (result i32) (local $a i32) (local $i i32)
    (loop $next
      (local.set $a (call $fib (local.get $i)))
      (if (i32.gt_u (local.get $i) (i32.sub (local.get $n) (i32.const 3))) (then (call $report (local.get $a))))
      (br_if $next (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $a)))
