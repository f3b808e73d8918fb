;; call bits f32:0x7fa01234 f64:0xfff4000012345678
;; call arithmetic f32:0x7fa01234 f64:0xfff4000012345678
;; What is only moved keeps the bits of a signalling NaN; what is computed is compared as a NaN.
(module
    (memory (export "m") 1)
    (func (export "bits") (param f32 f64) (result i32 i64)
        (f32.store (i32.const 0) (local.get 0))
        (f64.store (i32.const 8) (f64.neg (local.get 1)))
        (i32.load (i32.const 0))
        (i64.load (i32.const 8)))
    (func (export "arithmetic") (param f32 f64) (result f32 f64 f64)
        (f32.add (local.get 0) (f32.const 1))
        (f64.min (local.get 1) (f64.const -0))
        (f64.promote_f32 (local.get 0))))
