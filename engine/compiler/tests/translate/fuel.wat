;; fuel
(module
  (import "" "f" (func $f))
  (memory 1)
  ;; One segment, taken before the call; the counter is loaded again after it, for the loop.
  (func (param $n i32)
    (call $f)
    (loop $l
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  ;; The arms are not checked.
  (func (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.const 1))
      (else (i32.load (i32.const 8)))))
  ;; Nothing is counted where nothing costs.
  (func nop))

(; CLIF
function u0:0(i32) tail {
    region0 = 0 "constants"
    region1 = 6 "fuel"
    sig0 = (i64 vmctx) tail

block0(v0: i32):
    v1 = get_pinned_reg.i64
    v2 = load.i64 notrap aligned readonly can_move region0 v1-48
    v3 = load.i64 notrap aligned region1 v2
    v4 = iconst.i64 1
    v5 = isub v3, v4  ; v4 = 1
    v6 = load.i64 notrap aligned readonly can_move region0 v1-48
    store notrap aligned region1 v5, v6
    v7 = iconst.i64 0
    v8 = icmp slt v5, v7  ; v7 = 0
    trapnz v8, user8
    v9 = load.i64 notrap aligned readonly can_move region0 v1-96
    v10 = load.i64 notrap aligned readonly can_move region0 v1-88
    call_indirect sig0, v9(v10)
    v11 = load.i64 notrap aligned readonly can_move region0 v1-48
    v12 = load.i64 notrap aligned region1 v11
    jump block1(v12, v0)

block1(v13: i64, v19: i32):
    v14 = iconst.i64 5
    v15 = isub v13, v14  ; v14 = 5
    v16 = load.i64 notrap aligned readonly can_move region0 v1-48
    store notrap aligned region1 v15, v16
    v17 = iconst.i64 0
    v18 = icmp slt v15, v17  ; v17 = 0
    trapnz v18, user8
    v20 = iconst.i32 1
    v21 = isub v19, v20  ; v20 = 1
    brif v21, block1(v15, v21), block2

block2:
    return
}

function u0:1(i32) -> i32 tail {
    region0 = 0 "constants"
    region1 = 6 "fuel"
    region2 = 1 "memories"

block0(v0: i32):
    v1 = get_pinned_reg.i64
    v2 = load.i64 notrap aligned readonly can_move region0 v1-48
    v3 = load.i64 notrap aligned region1 v2
    v4 = iconst.i64 2
    v5 = isub v3, v4  ; v4 = 2
    v6 = load.i64 notrap aligned readonly can_move region0 v1-48
    store notrap aligned region1 v5, v6
    v7 = iconst.i64 0
    v8 = icmp slt v5, v7  ; v7 = 0
    trapnz v8, user8
    brif v0, block1, block2

block1:
    v9 = iconst.i64 1
    v10 = isub.i64 v5, v9  ; v9 = 1
    v11 = load.i64 notrap aligned readonly can_move region0 v1-48
    store notrap aligned region1 v10, v11
    v12 = iconst.i32 1
    jump block3(v12)  ; v12 = 1

block2:
    v14 = iconst.i64 2
    v15 = isub.i64 v5, v14  ; v14 = 2
    v16 = load.i64 notrap aligned readonly can_move region0 v1-48
    store notrap aligned region1 v15, v16
    v17 = iconst.i32 8
    v18 = uextend.i64 v17  ; v17 = 8
    v19 = iadd.i64 v1, v18
    v20 = load.i32 region2 v19
    jump block3(v20)

block3(v13: i32):
    return v13
}

function u0:2() tail {
    region0 = 0 "constants"
    region1 = 6 "fuel"

block0:
    v0 = get_pinned_reg.i64
    v1 = load.i64 notrap aligned readonly can_move region0 v0-48
    v2 = load.i64 notrap aligned region1 v1
    return
}
;)
