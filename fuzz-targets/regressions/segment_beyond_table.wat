;; An active segment that does not fit its table is a trap (Wasm 2.0, 4.5.4); wasmi 1.1 has an error of its own for it, which
;; the reference once did not know as one, so that every such module was a finding.
(module
    (table (export "t") 2 funcref)
    (memory (export "m") 1)
    (data (i32.const 0) "written before the trap")
    (elem (i32.const 1) $f $f)
    (func $f))
