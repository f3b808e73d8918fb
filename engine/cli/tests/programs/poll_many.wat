;; Waits for standard input in 1,000 subscriptions at once. Ends with 0 if there is an event of each, 1 if not, else with the
;; error number.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (local $index i32) (local $errno i32)
    (loop $subscribe
      ;; the tag of `fd_read`; descriptor 0 is there already
      (i32.store8 offset=8 (i32.mul (local.get $index) (i32.const 48)) (i32.const 1))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $subscribe (i32.lt_u (local.get $index) (i32.const 1000))))
    (local.set $errno
      (call $poll_oneoff (i32.const 0) (i32.const 65536) (i32.const 1000) (i32.const 131064)))
    (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
    (call $proc_exit (i32.ne (i32.load (i32.const 131064)) (i32.const 1000)))))
