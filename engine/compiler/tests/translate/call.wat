;; A direct call stays in this vmctx; an imported function and an element of a table bring theirs.
(module
  (type $unary (func (param i32) (result i32)))
  (import "m" "f" (func $imported (type $unary)))
  (table 8 8 funcref)
  (func $defined (type $unary)
    (call $defined (call $imported (local.get 0)))
    (call_indirect (type $unary) (local.get 0)))
  (func (type $unary)
    (return_call $defined (local.get 0)))
  (func (type $unary)
    (return_call_indirect (type $unary) (i32.const 1) (local.get 0)))
  ;; After a call of $leaves, which may return from elsewhere, the vmctx is restored; $defined keeps it.
  (func $leaves (type $unary)
    (return_call $imported (call $defined (local.get 0))))
  (func (type $unary)
    (call $leaves (local.get 0))))

(; CLIF
function u0:0(i32) -> i32 tail {
    region0 = 0 "constants"
    sig0 = (i64 vmctx, i32) -> i32 tail
    sig1 = (i32) -> i32 tail
    fn0 = colocated u0:0 sig1

block0(v0: i32):
    v1 = get_pinned_reg.i64
    v2 = load.i64 notrap aligned readonly can_move region0 v1-112
    v3 = load.i64 notrap aligned readonly can_move region0 v1-104
    v4 = call_indirect sig0, v2(v3, v0)
    v5 = call fn0(v4)
    v6 = uextend.i64 v0
    v7 = iconst.i64 8
    v8 = icmp uge v6, v7  ; v7 = 8
    trapnz v8, user3
    v9 = iconst.i64 0
    v10 = select_spectre_guard v8, v9, v6  ; v9 = 0
    v11 = iconst.i64 3
    v12 = ishl v10, v11  ; v11 = 3
    v13 = iadd v1, v12
    v14 = load.i64 notrap aligned readonly region0 v13-176
    v15 = load.i32 user4 aligned readonly region0 v14+16
    v16 = load.i64 notrap aligned readonly can_move region0 v1-32
    v17 = load.i32 notrap aligned readonly can_move region0 v16
    v18 = icmp ne v15, v17
    trapnz v18, user5
    v19 = load.i64 notrap aligned readonly region0 v14
    v20 = load.i64 notrap aligned readonly region0 v14+8
    v21 = call_indirect sig0, v19(v20, v5)
    return v21
}

function u0:1(i32) -> i32 tail {
    sig0 = (i32) -> i32 tail
    fn0 = colocated u0:0 sig0

block0(v0: i32):
    return_call fn0(v0)
}

function u0:2(i32) -> i32 tail {
    region0 = 0 "constants"
    sig0 = (i64 vmctx, i32) -> i32 tail

block0(v0: i32):
    v9 = get_pinned_reg.i64
    v1 = iconst.i32 1
    v2 = uextend.i64 v0
    v3 = iconst.i64 8
    v4 = icmp uge v2, v3  ; v3 = 8
    trapnz v4, user3
    v5 = iconst.i64 0
    v6 = select_spectre_guard v4, v5, v2  ; v5 = 0
    v7 = iconst.i64 3
    v8 = ishl v6, v7  ; v7 = 3
    v10 = iadd v9, v8
    v11 = load.i64 notrap aligned readonly region0 v10-176
    v12 = load.i32 user4 aligned readonly region0 v11+16
    v13 = load.i64 notrap aligned readonly can_move region0 v9-32
    v14 = load.i32 notrap aligned readonly can_move region0 v13
    v15 = icmp ne v12, v14
    trapnz v15, user5
    v16 = load.i64 notrap aligned readonly region0 v11
    v17 = load.i64 notrap aligned readonly region0 v11+8
    return_call_indirect sig0, v16(v17, v1)  ; v1 = 1
}

function u0:3(i32) -> i32 tail {
    region0 = 0 "constants"
    sig0 = (i32) -> i32 tail
    sig1 = (i64 vmctx, i32) -> i32 tail
    fn0 = colocated u0:0 sig0

block0(v0: i32):
    v2 = get_pinned_reg.i64
    v1 = call fn0(v0)
    v3 = load.i64 notrap aligned readonly can_move region0 v2-112
    v4 = load.i64 notrap aligned readonly can_move region0 v2-104
    return_call_indirect sig1, v3(v4, v1)
}

function u0:4(i32) -> i32 tail {
    sig0 = (i64 vmctx, i32) -> i32 tail
    fn0 = colocated u0:3 sig0

block0(v0: i32):
    v1 = get_pinned_reg.i64
    v2 = call fn0(v1, v0)
    return v2
}
;)
