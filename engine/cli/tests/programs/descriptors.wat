;; Opens the directory that is descriptor 3 until that fails with `mfile` (33). Ends with how often it could, or traps.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) ".")
  (func (export "_start")
    (local $opened i32) (local $errno i32)
    (loop $open
      (local.set $errno (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 2) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8)))
      (if (i32.eqz (local.get $errno))
        (then
          (local.set $opened (i32.add (local.get $opened) (i32.const 1)))
          (br $open))))
    (if (i32.ne (local.get $errno) (i32.const 33)) (then unreachable))
    (call $proc_exit (local.get $opened))))
