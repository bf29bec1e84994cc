;; Ends well and answers nothing.
(module (func (export "solve")))
