;; A guest that counts visits in a store of the host's and greets with the count.
(module
  (import "visits" "get" (func $get (param i32 i32) (result i64)))
  (import "visits" "set" (func $set (param i32 i32 i64)))
  (memory (export "memory") 1)

  ;; visit(pointer, length of a name): the new count. Loops forever for an empty name.
  (func (export "visit") (param $name i32) (param $length i32) (result i64)
    (local $count i64)
    (loop $forever (br_if $forever (i32.eqz (local.get $length))))
    (local.set $count (i64.add (call $get (local.get $name) (local.get $length)) (i64.const 1)))
    (call $set (local.get $name) (local.get $length) (local.get $count))
    (local.get $count)))
