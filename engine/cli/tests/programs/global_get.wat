(module (global $a i32 (i32.const 5)) (global $b i32 (global.get $a)) (func (export "f") (result i32) (global.get $b)))
