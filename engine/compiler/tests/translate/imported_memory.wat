(module
  (import "m" "memory" (memory 1))
  (import "m" "global" (global (mut i64)))
  (func (param i32) (result i32)
    (global.set 0 (i64.load (local.get 0)))
    (memory.size)))

(; CLIF
function u0:0(i32) -> i32 tail {
    region0 = 0 "constants"
    region1 = 1 "memories"
    region2 = 2 "globals"
    region3 = 4 "lengths"

block0(v0: i32):
    v1 = get_pinned_reg.i64
    v2 = load.i64 notrap aligned readonly can_move region0 v1-80
    v3 = uextend.i64 v0
    v4 = iadd v2, v3
    v5 = load.i64 region1 v4
    v6 = load.i64 notrap aligned readonly can_move region0 v1-88
    store notrap aligned region2 v5, v6
    v7 = load.i64 notrap aligned readonly can_move region0 v1-72
    v8 = load.i64 notrap aligned region3 v7+8
    v9 = iconst.i64 16
    v10 = ushr v8, v9  ; v9 = 16
    v11 = ireduce.i32 v10
    return v11
}
;)
