;; Only a block that something branches to becomes a block of CLIF. Two entries of a table
;; with the same target share a block that jumps there.
(module
  (func (param i32) (result i32)
    (block $out (result i32)
      (block $a
        (block $b
          (br_table $b $a $b (local.get 0)))
        (br $out (i32.const 1)))
      (i32.const 2)))
  (func (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (if (i32.gt_s (local.get 1) (i32.const 10))
      (then (return (i32.const 0))))
    (local.get 1))
  (func (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (unreachable))
      (else (i32.const 5)))))

(; CLIF
function u0:0(i32) -> i32 tail {
block0(v0: i32):
    br_table v0, block2, [block2, block3]

block2:
    jump block1

block1:
    v1 = iconst.i32 1
    jump block4(v1)  ; v1 = 1

block3:
    v3 = iconst.i32 2
    jump block4(v3)  ; v3 = 2

block4(v2: i32):
    return v2
}

function u0:1(i32) -> i32 tail {
block0(v0: i32):
    v7 = iconst.i32 0
    v6 -> v7
    jump block1(v7, v0)  ; v7 = 0

block1(v1: i32, v2: i32):
    v3 = iadd v1, v2
    v4 = iconst.i32 1
    v5 = isub v2, v4  ; v4 = 1
    brif v5, block1(v3, v5), block2

block2:
    v8 = iconst.i32 10
    v9 = icmp.i32 sgt v3, v8  ; v8 = 10
    v10 = uextend.i32 v9
    brif v9, block3, block4

block3:
    v11 = iconst.i32 0
    return v11  ; v11 = 0

block4:
    return v3
}

function u0:2(i32) -> i32 tail {
block0(v0: i32):
    brif v0, block1, block2

block1:
    trap user1

block2:
    v1 = iconst.i32 5
    return v1  ; v1 = 5
}
;)
