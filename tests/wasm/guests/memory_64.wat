;; memory_64: its memory is addressed with 64 bits.
(module
  (memory (export "memory") i64 2)
  (func (export "alloc") (param i32) (result i32) i32.const 65536)
  (func (export "metadata") (result i32) i32.const 16)
  (func (export "process") (param i32 i32) (result i32) i32.const 32))
