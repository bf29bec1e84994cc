;; Conway's Game of Life on a torus of 64 × 64 cells, a byte each, $n generations.
;; Memory: 0 and 4096 the two boards.
(module
  (memory (export "memory") 1)
  (func $cell (param $board i32) (param $x i32) (param $y i32) (result i32)
    (i32.load8_u
      (i32.add (local.get $board)
        (i32.or
          (i32.and (local.get $x) (i32.const 63))
          (i32.shl (i32.and (local.get $y) (i32.const 63)) (i32.const 6))))))

  (func $neighbors (param $board i32) (param $x i32) (param $y i32) (result i32)
    (local $left i32) (local $right i32) (local $up i32) (local $down i32)
    (local.set $left (i32.sub (local.get $x) (i32.const 1)))
    (local.set $right (i32.add (local.get $x) (i32.const 1)))
    (local.set $up (i32.sub (local.get $y) (i32.const 1)))
    (local.set $down (i32.add (local.get $y) (i32.const 1)))
    (call $cell (local.get $board) (local.get $left) (local.get $up))
    (call $cell (local.get $board) (local.get $x) (local.get $up))
    (call $cell (local.get $board) (local.get $right) (local.get $up))
    (call $cell (local.get $board) (local.get $left) (local.get $y))
    (call $cell (local.get $board) (local.get $right) (local.get $y))
    (call $cell (local.get $board) (local.get $left) (local.get $down))
    (call $cell (local.get $board) (local.get $x) (local.get $down))
    (call $cell (local.get $board) (local.get $right) (local.get $down))
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add)

  (func $step (param $from i32) (param $to i32) (result i32)
    (local $x i32) (local $y i32) (local $count i32) (local $alive i32) (local $population i32)
    (loop $rows
      (local.set $x (i32.const 0))
      (loop $columns
        (local.set $count (call $neighbors (local.get $from) (local.get $x) (local.get $y)))
        (local.set $alive
          (i32.eq
            (i32.or (local.get $count) (call $cell (local.get $from) (local.get $x) (local.get $y)))
            (i32.const 3)))
        (i32.store8
          (i32.add (local.get $to)
            (i32.add (local.get $x) (i32.shl (local.get $y) (i32.const 6))))
          (local.get $alive))
        (local.set $population (i32.add (local.get $population) (local.get $alive)))
        (local.set $x (i32.add (local.get $x) (i32.const 1)))
        (br_if $columns (i32.lt_u (local.get $x) (i32.const 64))))
      (local.set $y (i32.add (local.get $y) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $y) (i32.const 64))))
    (local.get $population))

  (func (export "main") (param $n i32) (result i32)
    (local $i i32) (local $seed i32) (local $from i32) (local $total i32)
    (local.set $seed (i32.const 1))
    (loop $fill
      (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
      (i32.store8 (local.get $i) (i32.lt_u (local.get $seed) (i32.const 0x50000000)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 4096))))
    (loop $next
      (local.set $total
        (i32.add
          (i32.mul (local.get $total) (i32.const 31))
          (call $step (local.get $from) (i32.sub (i32.const 4096) (local.get $from)))))
      (local.set $from (i32.sub (i32.const 4096) (local.get $from)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total)))
