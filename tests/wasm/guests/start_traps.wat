;; start_traps: traps while it is made, in its start function.
(module
  (memory (export "memory") 2)
  ;; An answer at 16: status 0, 36 bytes at 64; an empty one at 32.
  (data (i32.const 16) "\00\00\00\00\40\00\00\00\24\00\00\00")
  (data (i32.const 64) "{\22name\22:\22hostile\22,\22version\22:\221.0.0\22}")
  (func (export "alloc") (param i32) (result i32) i32.const 65536)
  (func (export "metadata") (result i32) i32.const 16)
  (func (export "process") (param i32 i32) (result i32) i32.const 32)
  (func $start unreachable)
  (start $start))
