;; import_socket: imports a function that WASI preview 1 has not, but some hosts have.
(module
  (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; An answer at 16: status 0, 36 bytes at 64; an empty one at 32.
  (data (i32.const 16) "\00\00\00\00\40\00\00\00\24\00\00\00")
  (data (i32.const 64) "{\22name\22:\22hostile\22,\22version\22:\221.0.0\22}")
  (func (export "alloc") (param i32) (result i32) i32.const 65536)
  (func (export "metadata") (result i32) i32.const 16)
  (func (export "process") (param i32 i32) (result i32) i32.const 32))
