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
    v9 = get_pinned_reg.i64
    v2 = uextend.i64 v0
    v3 = iconst.i64 4
    v4 = icmp uge v2, v3  ; v3 = 4
    trapnz v4, user2
    v5 = iconst.i64 0
    v6 = select_spectre_guard v4, v5, v2  ; v5 = 0
    v7 = iconst.i64 3
    v8 = ishl v6, v7  ; v7 = 3
    v10 = load.i64 notrap aligned readonly can_move region0 v9-112
    v11 = iadd v10, v8
    store notrap aligned region1 v1, v11
    v12 = iconst.i64 -160
    v13 = iadd v9, v12  ; v12 = -160
    v14 = uextend.i64 v0
    v15 = load.i64 notrap aligned region2 v9-120
    v16 = icmp uge v14, v15
    trapnz v16, user2
    v17 = iconst.i64 0
    v18 = select_spectre_guard v16, v17, v14  ; v17 = 0
    v19 = iconst.i64 3
    v20 = ishl v18, v19  ; v19 = 3
    v21 = load.i64 notrap aligned region2 v9-128
    v22 = iadd v21, v20
    store notrap aligned region1 v13, v22
    v23 = iconst.i32 42
    store notrap aligned region3 v23, v9-96  ; v23 = 42
    v24 = iconst.i32 0
    v25 = uextend.i64 v24  ; v24 = 0
    v26 = load.i64 notrap aligned region2 v9-120
    v27 = icmp uge v25, v26
    trapnz v27, user2
    v28 = iconst.i64 0
    v29 = select_spectre_guard v27, v28, v25  ; v28 = 0
    v30 = iconst.i64 3
    v31 = ishl v29, v30  ; v30 = 3
    v32 = load.i64 notrap aligned region2 v9-128
    v33 = iadd v32, v31
    v34 = load.i64 notrap aligned region1 v33
    v35 = iconst.i64 0
    v36 = icmp eq v34, v35  ; v35 = 0
    v37 = uextend.i32 v36
    v38 = iconst.i64 4
    v39 = ireduce.i32 v38  ; v38 = 4
    v40 = iconst.i64 0
    v41 = iconst.i32 1
    v42 = uextend.i64 v41  ; v41 = 1
    v43 = iconst.i32 1
    v44 = load.i64 notrap aligned readonly can_move region0 v9-24
    v45 = load.i64 notrap aligned readonly can_move region0 v44+48
    v46 = call_indirect sig0, v45(v9, v43, v40, v42)  ; v43 = 1, v40 = 0
    v47 = ireduce.i32 v46
    return v37, v39, v47
}
;)
