;; The same for a data segment: the segments before it are written, then it traps.
(module
    (memory (export "m") 1)
    (data (i32.const 65530) "1234567"))
