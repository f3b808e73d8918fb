//! Folding is part of every proof, so it is checked twice: random expressions built with folding are
//! compared with their direct evaluation on random inputs; and the meaning of each operator on constants
//! is compared with the solver's.

#![forbid(unsafe_code)]

use skerry_verifier::encode::{Query, encode};
use skerry_verifier::expr::{
    Assignment, BinOp, CmpOp, Constant, Dag, ExprId, Node, Sort, mask, signed,
};
use skerry_verifier::simplify::simplify;
use skerry_verifier::solve::{Answer, Session};
use std::collections::HashMap;
use std::time::Duration;

/// A small generator of numbers (xorshift64*); the tests are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() >> 33).expect("31 bits") % end
    }

    /// A random number of `width` bits, in which corner values are frequent.
    fn bits(&mut self, width: u32) -> u128 {
        let any = u128::from(self.next()) << 64 | u128::from(self.next());
        let value = match self.below(6) {
            0 => 0,
            1 => 1,
            2 => u128::MAX,
            3 => 1 << (width - 1),
            4 => any & 0xf,
            _ => any,
        };
        value & mask(width)
    }
}

/// An expression together with its value under one assignment, computed without the DAG.
#[derive(Clone, Copy)]
struct Bits {
    expr: ExprId,
    width: u32,
    value: u128,
}

#[derive(Clone, Copy)]
struct Truth {
    expr: ExprId,
    value: bool,
}

fn direct_binary(op: BinOp, width: u32, a: u128, b: u128) -> u128 {
    let (sa, sb) = (signed(width, a), signed(width, b));
    let value = match op {
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Udiv => a.checked_div(b).unwrap_or(u128::MAX),
        BinOp::Urem => a.checked_rem(b).unwrap_or(a),
        BinOp::Sdiv => match (b, sa < 0) {
            (0, true) => 1,
            (0, false) => u128::MAX,
            _ => sa.wrapping_div(sb).cast_unsigned(),
        },
        BinOp::Srem => {
            if b == 0 {
                a
            } else {
                sa.wrapping_rem(sb).cast_unsigned()
            }
        }
        BinOp::Shl => {
            if b < u128::from(width) {
                a << b
            } else {
                0
            }
        }
        BinOp::Lshr => {
            if b < u128::from(width) {
                a >> b
            } else {
                0
            }
        }
        BinOp::Ashr => (sa >> b.min(127)).cast_unsigned(),
    };
    value & mask(width)
}

fn direct_compare(op: CmpOp, width: u32, a: u128, b: u128) -> bool {
    match op {
        CmpOp::Ult => a < b,
        CmpOp::Ule => a <= b,
        CmpOp::Slt => signed(width, a) < signed(width, b),
        CmpOp::Sle => signed(width, a) <= signed(width, b),
    }
}

/// Grows two pools of expressions by random applications of every builder.
fn grow(numbers: &mut Numbers, dag: &mut Dag, assignment: &mut Assignment) {
    let mut bits: Vec<Bits> = Vec::new();
    let mut truths: Vec<Truth> = Vec::new();
    for width in [1, 3, 8, 8, 16, 33, 64] {
        let value = numbers.bits(width);
        let expr = dag.fresh("x", Sort::BitVec(width));
        assignment.insert(expr, Constant::Bits { width, value });
        bits.push(Bits { expr, width, value });
        let value = numbers.bits(width);
        let expr = dag.bits(width, value);
        bits.push(Bits { expr, width, value });
    }
    for value in [true, false] {
        let expr = dag.fresh("b", Sort::Bool);
        assignment.insert(expr, Constant::Bool(value));
        truths.push(Truth { expr, value });
        let expr = dag.bool(value);
        truths.push(Truth { expr, value });
    }
    for _ in 0..60 {
        step(numbers, dag, &mut bits, &mut truths);
    }
    let exprs: Vec<ExprId> = bits.iter().map(|b| b.expr).collect();
    let found = dag.evaluate(&exprs, assignment).expect("at most 128 bits");
    for (bits, found) in bits.iter().zip(found) {
        let (width, value) = (bits.width, bits.value);
        assert_eq!(
            found,
            Constant::Bits { width, value },
            "{:?}",
            dag.node(bits.expr)
        );
    }
    let exprs: Vec<ExprId> = truths.iter().map(|t| t.expr).collect();
    let found = dag.evaluate(&exprs, assignment).expect("at most 128 bits");
    for (truth, found) in truths.iter().zip(found) {
        assert_eq!(
            found,
            Constant::Bool(truth.value),
            "{:?}",
            dag.node(truth.expr)
        );
    }
    // What makes questions smaller keeps them true where they are.
    let true_ones = truths.iter().filter(|truth| truth.value);
    let query = Query {
        asserts: true_ones.map(|truth| truth.expr).collect(),
        forall: None,
    };
    let small = simplify(dag, &query).query.asserts;
    // A variable that was made narrower has a new one in its place, of which the assignment does not speak.
    let known = dag
        .reachable(&small)
        .into_iter()
        .all(|expr| !matches!(dag.node(expr), Node::Var(_)) || assignment.contains_key(&expr));
    if known {
        let found = dag.evaluate(&small, assignment).expect("at most 128 bits");
        for (expr, found) in small.iter().zip(found) {
            assert_eq!(found, Constant::Bool(true), "{:?}", dag.node(*expr));
        }
    }
    // Replacing variables by their values folds everything to those constants.
    let map: HashMap<ExprId, ExprId> = assignment
        .iter()
        .map(|(&variable, &value)| {
            let value = match value {
                Constant::Bool(value) => dag.bool(value),
                Constant::Bits { width, value } => dag.bits(width, value),
            };
            (variable, value)
        })
        .collect();
    let exprs: Vec<ExprId> = bits.iter().map(|b| b.expr).collect();
    let replaced = dag.replace(&exprs, &map);
    for (bits, replaced) in bits.iter().zip(replaced) {
        assert_eq!(dag.as_bits(replaced), Some(bits.value));
    }
}

fn step(numbers: &mut Numbers, dag: &mut Dag, bits: &mut Vec<Bits>, truths: &mut Vec<Truth>) {
    let a = bits[numbers.below(u32::try_from(bits.len()).expect("few")) as usize];
    let same: Vec<Bits> = bits
        .iter()
        .copied()
        .filter(|b| b.width == a.width)
        .collect();
    let b = same[numbers.below(u32::try_from(same.len()).expect("few")) as usize];
    let p = truths[numbers.below(u32::try_from(truths.len()).expect("few")) as usize];
    let q = truths[numbers.below(u32::try_from(truths.len()).expect("few")) as usize];
    let width = a.width;
    let ones = |value: u128| u128::from((value & mask(width)).count_ones()) & mask(width);
    let (expr, width, value) = match numbers.below(18) {
        0..=4 => {
            let op = BinOp::ALL[numbers.below(13) as usize];
            let value = direct_binary(op, width, a.value, b.value);
            (dag.binary(op, a.expr, b.expr), width, value)
        }
        5 => (dag.bvnot(a.expr), width, !a.value & mask(width)),
        6 => (
            dag.bvneg(a.expr),
            width,
            a.value.wrapping_neg() & mask(width),
        ),
        7 | 8 => {
            let lo = numbers.below(width);
            let hi = lo + numbers.below(width - lo);
            let part = hi - lo + 1;
            (
                dag.extract(hi, lo, a.expr),
                part,
                a.value >> lo & mask(part),
            )
        }
        9 => {
            let to = width + numbers.below(129 - width);
            (dag.zero_ext(to, a.expr), to, a.value)
        }
        10 => {
            let to = width + numbers.below(129 - width);
            let value = signed(width, a.value).cast_unsigned() & mask(to);
            (dag.sign_ext(to, a.expr), to, value)
        }
        11 => {
            let c = bits[numbers.below(u32::try_from(bits.len()).expect("few")) as usize];
            if width + c.width > 128 {
                return;
            }
            let value = a.value << c.width | c.value;
            (dag.concat(a.expr, c.expr), width + c.width, value)
        }
        12 => {
            let value = if p.value { a.value } else { b.value };
            (dag.ite(p.expr, a.expr, b.expr), width, value)
        }
        13 if width >= 8 => match numbers.below(6) {
            0 => (dag.popcnt(a.expr), width, ones(a.value)),
            1 => {
                let zeros = u128::from(a.value.leading_zeros() - (128 - width));
                (dag.clz(a.expr), width, zeros)
            }
            2 => {
                let reversed = a.value.reverse_bits() >> (128 - width);
                (dag.rev(a.expr), width, reversed)
            }
            3 => {
                let by = u32::try_from(b.value % u128::from(width)).expect("small");
                let value = (a.value << by | a.value >> (width - by).min(127)) & mask(width);
                let value = if by == 0 { a.value } else { value };
                (dag.rotl(a.expr, b.expr), width, value)
            }
            4 => {
                let by = u32::try_from(b.value % u128::from(width)).expect("small");
                let value = (a.value >> by | a.value << (width - by).min(127)) & mask(width);
                let value = if by == 0 { a.value } else { value };
                (dag.rotr(a.expr, b.expr), width, value)
            }
            _ => {
                let sign = a.value >> (width - 1) & 1;
                let mut count = 0;
                while count < width - 1 && a.value >> (width - 2 - count) & 1 == sign {
                    count += 1;
                }
                (dag.cls(a.expr), width, u128::from(count))
            }
        },
        n => {
            let truth = match n {
                13 => (dag.saddo(a.expr, b.expr), {
                    let sum = signed(width, a.value) + signed(width, b.value);
                    signed(width, sum.cast_unsigned() & mask(width)) != sum
                }),
                14 => {
                    let op = CmpOp::ALL[numbers.below(4) as usize];
                    let value = direct_compare(op, width, a.value, b.value);
                    (dag.compare(op, a.expr, b.expr), value)
                }
                15 => (dag.eq(a.expr, b.expr), a.value == b.value),
                16 => (dag.and(p.expr, q.expr), p.value && q.value),
                _ => match numbers.below(4) {
                    0 => (dag.or(p.expr, q.expr), p.value || q.value),
                    1 => (dag.not(p.expr), !p.value),
                    2 => (dag.eq(p.expr, q.expr), p.value == q.value),
                    _ => {
                        let r = truths[0];
                        let value = if p.value { q.value } else { r.value };
                        (dag.ite(p.expr, q.expr, r.expr), value)
                    }
                },
            };
            truths.push(Truth {
                expr: truth.0,
                value: truth.1,
            });
            return;
        }
    };
    // `saddo` and the operators after it add in 128-bit integers, so the operands are kept narrow.
    if width <= 100 {
        bits.push(Bits { expr, width, value });
    }
}

#[test]
fn folding_keeps_the_value() {
    for seed in 1..=4000 {
        let mut numbers = Numbers(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        grow(&mut numbers, &mut Dag::default(), &mut Assignment::new());
    }
}

/// Two variables that are wider than constants are no constants of all ones.
#[test]
fn operators_wider_than_constants_stay() {
    let mut dag = Dag::default();
    let a = dag.fresh("a", Sort::BitVec(200));
    let b = dag.fresh("b", Sort::BitVec(200));
    for op in [BinOp::And, BinOp::Or, BinOp::Xor, BinOp::Mul] {
        let result = dag.binary(op, a, b);
        assert!(result != a && result != b, "{op:?}");
        let negated = [dag.bvnot(a), dag.bvnot(b), dag.bvneg(a), dag.bvneg(b)];
        assert!(!negated.contains(&result), "{op:?}");
    }
}

/// For each operator and random constants: "the operator applied to variables that equal the constants
/// differs from what folding says" has no model.
#[test]
fn operators_mean_what_the_solver_means() {
    let solver = skerry_verifier::provision::solver(&skerry_verifier::target_dir())
        .expect("a solver can be had");
    let mut session = Session::new(&solver, None, Duration::from_secs(60));
    let mut numbers = Numbers(7);
    let mut questions = 0;
    for _ in 0..40 {
        let width = [1, 7, 8, 16, 32, 64][numbers.below(6) as usize];
        let mut dag = Dag::default();
        let mut asserts = Vec::new();
        let mut differences = Vec::new();
        let (x, y) = (numbers.bits(width), numbers.bits(width));
        let a = dag.fresh("a", Sort::BitVec(width));
        let b = dag.fresh("b", Sort::BitVec(width));
        let (ca, cb) = (dag.bits(width, x), dag.bits(width, y));
        for (variable, constant) in [(a, ca), (b, cb)] {
            let same = dag.eq(variable, constant);
            asserts.push(same);
        }
        let mut compare = |dag: &mut Dag, open: ExprId, folded: ExprId| {
            let same = dag.eq(open, folded);
            let different = dag.not(same);
            differences.push(different);
        };
        for op in BinOp::ALL {
            let (open, folded) = (dag.binary(op, a, b), dag.binary(op, ca, cb));
            compare(&mut dag, open, folded);
        }
        for op in CmpOp::ALL {
            let (open, folded) = (dag.compare(op, a, b), dag.compare(op, ca, cb));
            compare(&mut dag, open, folded);
        }
        let (open, folded) = (dag.bvnot(a), dag.bvnot(ca));
        compare(&mut dag, open, folded);
        let (open, folded) = (dag.bvneg(a), dag.bvneg(ca));
        compare(&mut dag, open, folded);
        let (open, folded) = (dag.concat(a, b), dag.concat(ca, cb));
        compare(&mut dag, open, folded);
        let (open, folded) = (dag.sign_ext(width + 5, a), dag.sign_ext(width + 5, ca));
        compare(&mut dag, open, folded);
        let (open, folded) = (dag.zero_ext(width + 5, a), dag.zero_ext(width + 5, ca));
        compare(&mut dag, open, folded);
        let mut any = dag.bool(false);
        for difference in differences {
            any = dag.or(any, difference);
        }
        assert_eq!(dag.as_bool(any), None, "the question must not fold away");
        asserts.push(any);
        let query = Query {
            asserts,
            forall: None,
        };
        let script = encode(&dag, &query);
        let answer = session.ask_within(&script, Duration::from_secs(60));
        assert_eq!(answer, Answer::Unsat, "width {width}: {x:#x} and {y:#x}");
        questions += 1;
    }
    assert_eq!(questions, 40);
}
