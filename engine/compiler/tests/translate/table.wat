(module
  (table $fixed 4 4 externref)
  (table $growing 1 funcref)
  (elem declare func $f)
  (global $immutable i32 (i32.const 42))
  (global $mutable (mut i32) (i32.const 42))
  (func $f (param i32 externref) (result i32 i32 i32)
    (table.set $fixed (local.get 0) (local.get 1))
    (table.set $growing (local.get 0) (ref.func $f))
    (global.set $mutable (global.get $immutable))
    (ref.is_null (table.get $growing (i32.const 0)))
    (table.size $fixed)
    (table.grow $growing (ref.null func) (i32.const 1))))

(; CLIF
function u0:0(i32, i64) -> i32, i32, i32 tail {
    region0 = 0 "constants"
    region1 = 3 "tables"
    region2 = 4 "lengths"
    region3 = 2 "globals"
    sig0 = (i64 vmctx, i32, i64, i64) -> i64 system_v

block0(v0: i32, v1: i64):
    v5 = get_pinned_reg.i64
    v2 = uextend.i64 v0
    v3 = iconst.i64 4
    v4 = icmp uge v2, v3  ; v3 = 4
    trapnz v4, user2
    v6 = load.i64 notrap aligned readonly can_move region0 v5-112
    v7 = iconst.i64 3
    v8 = ishl v2, v7  ; v7 = 3
    v9 = iadd v6, v8
    store notrap aligned region1 v1, v9
    v10 = iconst.i64 -160
    v11 = iadd v5, v10  ; v10 = -160
    v12 = uextend.i64 v0
    v13 = load.i64 notrap aligned region2 v5-120
    v14 = icmp uge v12, v13
    trapnz v14, user2
    v15 = load.i64 notrap aligned region2 v5-128
    v16 = iconst.i64 3
    v17 = ishl v12, v16  ; v16 = 3
    v18 = iadd v15, v17
    store notrap aligned region1 v11, v18
    v19 = iconst.i32 42
    store notrap aligned region3 v19, v5-96  ; v19 = 42
    v20 = iconst.i32 0
    v21 = uextend.i64 v20  ; v20 = 0
    v22 = load.i64 notrap aligned region2 v5-120
    v23 = icmp uge v21, v22
    trapnz v23, user2
    v24 = load.i64 notrap aligned region2 v5-128
    v25 = iconst.i64 3
    v26 = ishl v21, v25  ; v25 = 3
    v27 = iadd v24, v26
    v28 = load.i64 notrap aligned region1 v27
    v29 = iconst.i64 0
    v30 = icmp eq v28, v29  ; v29 = 0
    v31 = uextend.i32 v30
    v32 = iconst.i64 4
    v33 = ireduce.i32 v32  ; v32 = 4
    v34 = iconst.i64 0
    v35 = iconst.i32 1
    v36 = uextend.i64 v35  ; v35 = 1
    v37 = iconst.i32 1
    v38 = load.i64 notrap aligned readonly can_move region0 v5-24
    v39 = load.i64 notrap aligned readonly can_move region0 v38+48
    v40 = call_indirect sig0, v39(v5, v37, v34, v36)  ; v37 = 1, v34 = 0
    v41 = ireduce.i32 v40
    return v31, v33, v41
}
;)
