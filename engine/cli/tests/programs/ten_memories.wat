;; Ten memories, whose full reservations would be 60 GiB, and one of them becomes large.
(module
  (memory 1) (memory 1 2) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
  (memory $large (export "memory") 1)
  (data (i32.const 0) "0") (data (memory $large) (i32.const 0) "9")
  ;; Grows the large memory page by page to that size; the sum of the first bytes of two memories and the last page's number.
  (func (export "grow_to") (param $pages i32) (result i32)
    (loop $again
      (if (i32.lt_u (memory.size $large) (local.get $pages))
        (then
          (if (i32.eq (memory.grow $large (i32.const 1)) (i32.const -1)) (then unreachable))
          (i32.store $large
            (i32.shl (i32.sub (memory.size $large) (i32.const 1)) (i32.const 16))
            (memory.size $large))
          (br $again))))
    (i32.add
      (i32.add (i32.load8_u (i32.const 0)) (i32.load8_u $large (i32.const 0)))
      (i32.load $large (i32.shl (i32.sub (memory.size $large) (i32.const 1)) (i32.const 16)))))
  (func (export "_start")))
