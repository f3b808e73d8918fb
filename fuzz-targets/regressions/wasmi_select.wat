;; call f i64:0x5
;; wasmi 2.0.0 answers 0, which is wrong: it reads local 1 after it is overwritten. Skerry and tinywasm answer 1.
;; It stands here because it must not be a finding, whichever wasmi is the reference.
(module (func (export "f") (param i64) (result i32) (local i32 i32)
    (i32.clz (i32.wrap_i64 (local.get 0)))
    (local.set 1 (i32.const 0))
    (local.set 1 (select (i32.const 1) (local.get 1) (i32.eqz (local.get 1))))
    (local.set 2)
    (local.get 1)))
