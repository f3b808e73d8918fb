;; No function: the two trampolines of the type.
(module
  (type (func (param i32 f64) (result i64))))

(; CLIF
function u1:0(i64, i64, i64) tail {
    region0 = 5 "values"
    sig0 = (i64 vmctx, i32, f64) -> i64 tail

block0(v0: i64, v1: i64, v2: i64):
    v3 = load.i32 notrap aligned region0 v2
    v4 = load.f64 notrap aligned region0 v2+16
    v5 = call_indirect sig0, v0(v1, v3, v4)
    store notrap aligned region0 v5, v2
    return
}

function u2:0(i32, f64) -> i64 tail {
    ss0 = explicit_slot 32, align = 16
    region0 = 5 "values"
    region1 = 0 "constants"
    sig0 = (i64 vmctx, i64) system_v

block0(v0: i32, v1: f64):
    v2 = get_pinned_reg.i64
    v3 = stack_addr.i64 ss0
    store notrap aligned region0 v0, v3
    store notrap aligned region0 v1, v3+16
    v4 = load.i64 notrap aligned readonly can_move region1 v2-24
    v5 = load.i64 notrap aligned readonly can_move region1 v4
    call_indirect sig0, v5(v2, v3)
    v6 = load.i64 notrap aligned region0 v3
    return v6
}
;)
