;; The memory through which a module made for Extism and its host hand over bytes.
;;
;; A block is its length (8 bytes), then its bytes, aligned to 8. A module names a block by the
;; address of its bytes; 0 is no block. All blocks of one call are forgotten with the next. An
;; address outside of this memory traps; nothing but this memory can be reached.
(module
  (memory (export "memory") 1)
  (global $first i32 (i32.const 64))
  (global $top (mut i32) (i32.const 64))
  (global $input_at (mut i32) (i32.const 0))
  (global $input_size (mut i64) (i64.const 0))
  (global $output_at (export "output_at") (mut i64) (i64.const 0))
  (global $output_size (export "output_size") (mut i64) (i64.const 0))
  (global $error_at (export "error_at") (mut i64) (i64.const 0))
  ;; Memory was asked for, and there is none.
  (global $is_full (export "is_full") (mut i32) (i32.const 0))
  ;; The network was asked for, which no plugin reaches.
  (global $is_refused (export "is_refused") (mut i32) (i32.const 0))

  ;; Begins a call: forgets all blocks, and makes room for an input of $size bytes.
  (func (export "begin") (param $size i32) (result i32)
    (global.set $top (global.get $first))
    (global.set $output_at (i64.const 0))
    (global.set $output_size (i64.const 0))
    (global.set $error_at (i64.const 0))
    (global.set $is_full (i32.const 0))
    (global.set $is_refused (i32.const 0))
    (global.set $input_size (i64.extend_i32_u (local.get $size)))
    (global.set $input_at (i32.wrap_i64 (call $alloc (global.get $input_size))))
    (global.get $input_at))

  ;; Which of its blocks, if any, still lie behind $at is not known: only the last can be freed.
  (func $alloc (export "alloc") (param $size i64) (result i64)
    (local $at i64) (local $end i64) (local $have i64)
    (if (i64.eqz (local.get $size)) (then (return (i64.const 0))))
    (local.set $at (i64.add (i64.extend_i32_u (global.get $top)) (i64.const 8)))
    (local.set $end (i64.and (i64.const -8)
      (i64.add (i64.add (local.get $at) (local.get $size)) (i64.const 7))))
    (if (i64.gt_u (local.get $size) (i64.const 0xfff00000))
      (then (global.set $is_full (i32.const 1)) (return (i64.const 0))))
    (local.set $have (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
    (if (i64.gt_u (local.get $end) (local.get $have))
      (then
        (if (i32.eq (i32.const -1) (memory.grow (i32.wrap_i64 (i64.add (i64.const 1)
              (i64.shr_u (i64.sub (local.get $end) (local.get $have)) (i64.const 16))))))
          (then (global.set $is_full (i32.const 1)) (return (i64.const 0))))))
    (i64.store (i32.sub (i32.wrap_i64 (local.get $at)) (i32.const 8)) (local.get $size))
    (global.set $top (i32.wrap_i64 (local.get $end)))
    (local.get $at))

  (func (export "free") (param $at i64)
    (local $end i64)
    (if (i64.eqz (local.get $at)) (then (return)))
    (local.set $end (i64.and (i64.const -8) (i64.add (i64.const 7)
      (i64.add (local.get $at) (call $length (local.get $at))))))
    (if (i64.eq (local.get $end) (i64.extend_i32_u (global.get $top)))
      (then (global.set $top (i32.sub (i32.wrap_i64 (local.get $at)) (i32.const 8))))))

  (func $length (export "length") (param $at i64) (result i64)
    (if (i64.lt_u (local.get $at) (i64.const 72)) (then (return (i64.const 0))))
    (i64.load (i32.sub (call $address (local.get $at)) (i32.const 8))))
  (func (export "length_unsafe") (param $at i64) (result i64) (call $length (local.get $at)))

  ;; An address of 64 bits as one of 32; beyond them it traps.
  (func $address (param $at i64) (result i32)
    (if (i64.gt_u (local.get $at) (i64.const 0xffffffff)) (then unreachable))
    (i32.wrap_i64 (local.get $at)))

  (func (export "load_u8") (param $at i64) (result i32)
    (i32.load8_u (call $address (local.get $at))))
  (func (export "load_u64") (param $at i64) (result i64)
    (i64.load (call $address (local.get $at))))
  (func (export "store_u8") (param $at i64) (param $value i32)
    (i32.store8 (call $address (local.get $at)) (local.get $value)))
  (func (export "store_u64") (param $at i64) (param $value i64)
    (i64.store (call $address (local.get $at)) (local.get $value)))

  (func (export "input_length") (result i64) (global.get $input_size))
  (func (export "input_offset") (result i64) (i64.extend_i32_u (global.get $input_at)))
  (func (export "input_load_u8") (param $at i64) (result i32)
    (i32.load8_u (call $of_input (local.get $at) (i64.const 1))))
  (func (export "input_load_u64") (param $at i64) (result i64)
    (i64.load (call $of_input (local.get $at) (i64.const 8))))
  (func $of_input (param $at i64) (param $size i64) (result i32)
    (if (i64.gt_u (i64.add (local.get $at) (local.get $size)) (global.get $input_size))
      (then unreachable))
    (i32.add (global.get $input_at) (i32.wrap_i64 (local.get $at))))

  (func (export "output_set") (param $at i64) (param $size i64)
    (global.set $output_at (local.get $at)) (global.set $output_size (local.get $size)))
  (func (export "error_set") (param $at i64) (global.set $error_at (local.get $at)))

  (func (export "http_request") (param i64 i64) (result i64)
    (global.set $is_refused (i32.const 1)) unreachable)
  (func (export "http_status_code") (result i32) (i32.const 0))
  (func (export "http_headers") (result i64) (i64.const 0))
)
