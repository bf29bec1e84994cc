;; A contract: accounts are numbers, each has a balance, which lives in the host's key-value store under
;; the 16 bytes "balance:" and the account. What a call may not do ends in `unreachable`: it reverts.
(module
  (import "kv" "get" (func $get (param $key i32) (param $length i32) (param $value i32) (param $capacity i32) (result i32)))
  (import "kv" "put" (func $put (param $key i32) (param $length i32) (param $value i32) (param $size i32)))
  (import "chain" "sender" (func $sender (result i64)))
  (import "chain" "log" (func $log (param $text i32) (param $length i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "balance:")
  (data (i32.const 32) "minted")

  (func $load (param $account i64) (result i64)
    (i64.store (i32.const 8) (local.get $account))
    (if (result i64) (i32.eq (call $get (i32.const 0) (i32.const 16) (i32.const 16) (i32.const 8)) (i32.const 8))
      (then (i64.load (i32.const 16)))
      (else (i64.const 0))))

  (func $store (param $account i64) (param $amount i64)
    (i64.store (i32.const 8) (local.get $account))
    (i64.store (i32.const 16) (local.get $amount))
    (call $put (i32.const 0) (i32.const 16) (i32.const 16) (i32.const 8)))

  ;; Adds to a balance, which must not overflow.
  (func $credit (param $to i64) (param $amount i64)
    (local $sum i64)
    (local.set $sum (i64.add (call $load (local.get $to)) (local.get $amount)))
    (if (i64.lt_s (local.get $sum) (i64.const 0)) (then unreachable))
    (call $store (local.get $to) (local.get $sum)))

  (func $move (param $from i64) (param $to i64) (param $amount i64)
    (local $left i64)
    (local.set $left (i64.sub (call $load (local.get $from)) (local.get $amount)))
    (if (i32.or (i64.lt_s (local.get $amount) (i64.const 0)) (i64.lt_s (local.get $left) (i64.const 0)))
      (then unreachable))
    (call $store (local.get $from) (local.get $left))
    (call $credit (local.get $to) (local.get $amount)))

  ;; Makes new units; only account 1, the owner, may.
  (func (export "mint") (param $to i64) (param $amount i64)
    (if (i64.ne (call $sender) (i64.const 1)) (then unreachable))
    (call $credit (local.get $to) (local.get $amount))
    (call $log (i32.const 32) (i32.const 6)))

  (func (export "balance") (param $account i64) (result i64) (call $load (local.get $account)))

  (func (export "transfer") (param $to i64) (param $amount i64)
    (call $move (call $sender) (local.get $to) (local.get $amount)))

  ;; Sends an amount to each of `count` accounts, from `first` on.
  (func (export "airdrop") (param $first i64) (param $count i64) (param $amount i64)
    (local $end i64)
    (local.set $end (i64.add (local.get $first) (local.get $count)))
    (block $done
      (loop $next
        (br_if $done (i64.ge_s (local.get $first) (local.get $end)))
        (call $move (call $sender) (local.get $first) (local.get $amount))
        (local.set $first (i64.add (local.get $first) (i64.const 1)))
        (br $next)))))
