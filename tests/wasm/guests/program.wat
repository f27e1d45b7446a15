;; program: a program: it exports `_start` only.
(module
  (memory (export "memory") 2)
  ;; An answer at 16: status 0, 36 bytes at 64; an empty one at 32.
  (data (i32.const 16) "\00\00\00\00\40\00\00\00\24\00\00\00")
  (data (i32.const 64) "{\22name\22:\22hostile\22,\22version\22:\221.0.0\22}")
  (func (export "_start")))
