;; Calls itself without end.
(module (func $solve (export "solve") (call $solve) (call $solve)))
