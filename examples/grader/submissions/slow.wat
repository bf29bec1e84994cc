;; The right answer by trying every range: too slow for the large test.
(module
  (import "task" "count" (func $count (result i32)))
  (import "task" "number" (func $number (param $at i32) (result i32)))
  (import "task" "answer" (func $answer (param $sum i64)))
  (func (export "solve")
    (local $from i32) (local $to i32) (local $sum i64) (local $best i64)
    (loop $begin
      (if (i32.lt_s (local.get $from) (call $count))
        (then
          (local.set $to (local.get $from))
          (local.set $sum (i64.const 0))
          (loop $extend
            (if (i32.lt_s (local.get $to) (call $count))
              (then
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (call $number (local.get $to)))))
                (if (i64.gt_s (local.get $sum) (local.get $best)) (then (local.set $best (local.get $sum))))
                (local.set $to (i32.add (local.get $to) (i32.const 1)))
                (br $extend))))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (br $begin))))
    (call $answer (local.get $best))))
