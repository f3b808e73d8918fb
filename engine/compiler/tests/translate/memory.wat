;; Memory 0 starts at the vmctx: one addition, no check. Memory 1 has a base of its own. An
;; offset that no instruction holds is checked.
(module
  (memory 1)
  (memory 1 1)
  (func (param i32 i64)
    (i64.store offset=16 (local.get 0) (i64.load8_s (local.get 0)))
    (i64.store32 1 (local.get 0) (local.get 1))
    (drop (i32.load offset=0xfffffff0 (local.get 0))))
  (func (param i32) (result i32 i32 i32)
    (memory.fill (local.get 0) (i32.const 0) (i32.const 9))
    (memory.grow (local.get 0))
    (memory.size)
    (memory.size 1)))

(; CLIF
function u0:0(i32, i64) tail {
    region0 = 1 "memories"
    region1 = 0 "constants"
    region2 = 4 "lengths"

block0(v0: i32, v1: i64):
    v2 = get_pinned_reg.i64
    v3 = uextend.i64 v0
    v4 = iadd v2, v3
    v5 = sload8.i64 region0 v4
    v6 = uextend.i64 v0
    v7 = iadd v2, v6
    store region0 v5, v7+16
    v8 = load.i64 notrap aligned readonly can_move region1 v2-80
    v9 = uextend.i64 v0
    v10 = iadd v8, v9
    istore32 region0 v1, v10
    v11 = uextend.i64 v0
    v12 = iconst.i64 0xffff_fff4
    v13 = iadd v11, v12  ; v12 = 0xffff_fff4
    v14 = load.i64 notrap aligned region2 v2-8
    v15 = icmp ugt v13, v14
    v16 = iconst.i64 0xffff_fff0
    v17 = iadd v11, v16  ; v16 = 0xffff_fff0
    v18 = iadd v2, v17
    v19 = iconst.i64 0
    v20 = select_spectre_guard v15, v19, v18  ; v19 = 0
    v21 = load.i32 region0 v20
    return
}

function u0:1(i32) -> i32, i32, i32 tail {
    region0 = 0 "constants"
    region1 = 4 "lengths"
    sig0 = (i64 vmctx, i32, i64, i32, i64) system_v
    sig1 = (i64 vmctx, i32, i64) -> i64 system_v

block0(v0: i32):
    v6 = get_pinned_reg.i64
    v1 = iconst.i32 0
    v2 = iconst.i32 9
    v3 = uextend.i64 v0
    v4 = uextend.i64 v2  ; v2 = 9
    v5 = iconst.i32 0
    v7 = load.i64 notrap aligned readonly can_move region0 v6-24
    v8 = load.i64 notrap aligned readonly can_move region0 v7+24
    call_indirect sig0, v8(v6, v5, v3, v1, v4)  ; v5 = 0, v1 = 0
    v9 = uextend.i64 v0
    v10 = iconst.i32 0
    v11 = load.i64 notrap aligned readonly can_move region0 v6-24
    v12 = load.i64 notrap aligned readonly can_move region0 v11+8
    v13 = call_indirect sig1, v12(v6, v10, v9)  ; v10 = 0
    v14 = ireduce.i32 v13
    v15 = load.i64 notrap aligned region1 v6-8
    v16 = iconst.i64 16
    v17 = ushr v15, v16  ; v16 = 16
    v18 = ireduce.i32 v17
    v19 = iconst.i64 0x0001_0000
    v20 = iconst.i64 16
    v21 = ushr v19, v20  ; v19 = 0x0001_0000, v20 = 16
    v22 = ireduce.i32 v21
    return v14, v18, v22
}
;)
