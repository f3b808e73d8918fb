//! Expressions over booleans and bit-vectors: a hash-consed DAG that folds as it is built.
//!
//! Every width is concrete. Two expressions that are built alike have the same [`ExprId`], so that a
//! large part of all proofs is one comparison of two numbers. Each folding rule is an equation that
//! holds for all inputs; `tests/folding.rs` compares the folded DAG with direct evaluation, and the
//! operators themselves with the solver.
//!
//! Constants are at most 128 bits wide ([`MAX_CONST`]); wider constants stay unfolded applications.

mod circuits;
mod concrete;
mod division;
mod float;
mod fold;
mod rebuild;
mod tape;

pub use concrete::{Assignment, Constant, mask, signed};
pub use float::{FloatOp, Format, Rounding};
pub use tape::Tape;

use std::collections::HashMap;

/// The widest bit-vector, in bits, whose constants are folded.
pub const MAX_CONST: u32 = 128;

/// The number of an expression inside its [`Dag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(u32);

impl ExprId {
    /// The position in the DAG. Operands have lower positions than the expressions that use them.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The sort of an expression, in SMT-LIB's sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// True or false.
    Bool,
    /// A bit-vector of that many bits, at least one.
    BitVec(u32),
}

/// Operators of two bit-vectors of one width with a result of that width (SMT-LIB's meaning, also
/// for division by zero and for shifts by the width or more).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "SMT-LIB's own names")]
pub enum BinOp {
    And,
    Or,
    Xor,
    Add,
    Sub,
    Mul,
    Udiv,
    Urem,
    Sdiv,
    Srem,
    Shl,
    Lshr,
    Ashr,
}

impl BinOp {
    /// Every operator.
    pub const ALL: [Self; 13] = [
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Udiv,
        Self::Urem,
        Self::Sdiv,
        Self::Srem,
        Self::Shl,
        Self::Lshr,
        Self::Ashr,
    ];

    fn commutes(self) -> bool {
        matches!(
            self,
            Self::And | Self::Or | Self::Xor | Self::Add | Self::Mul
        )
    }

    /// The name of the operator in SMT-LIB.
    #[must_use]
    pub fn smt(self) -> &'static str {
        match self {
            Self::And => "bvand",
            Self::Or => "bvor",
            Self::Xor => "bvxor",
            Self::Add => "bvadd",
            Self::Sub => "bvsub",
            Self::Mul => "bvmul",
            Self::Udiv => "bvudiv",
            Self::Urem => "bvurem",
            Self::Sdiv => "bvsdiv",
            Self::Srem => "bvsrem",
            Self::Shl => "bvshl",
            Self::Lshr => "bvlshr",
            Self::Ashr => "bvashr",
        }
    }
}

/// Orders of two bit-vectors of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "SMT-LIB's own names")]
pub enum CmpOp {
    Ult,
    Ule,
    Slt,
    Sle,
}

impl CmpOp {
    /// Every order.
    pub const ALL: [Self; 4] = [Self::Ult, Self::Ule, Self::Slt, Self::Sle];

    /// The name of the order in SMT-LIB.
    #[must_use]
    pub fn smt(self) -> &'static str {
        match self {
            Self::Ult => "bvult",
            Self::Ule => "bvule",
            Self::Slt => "bvslt",
            Self::Sle => "bvsle",
        }
    }
}

/// One expression: an operator applied to earlier expressions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "operands in SMT-LIB's order")]
pub enum Node {
    /// A free variable, by its index in [`Dag::variables`].
    Var(u32),
    Bool(bool),
    Bits {
        width: u32,
        value: u128,
    },
    Not(ExprId),
    And(ExprId, ExprId),
    Or(ExprId, ExprId),
    Ite(ExprId, ExprId, ExprId),
    Eq(ExprId, ExprId),
    BvNot(ExprId),
    BvNeg(ExprId),
    Binary(BinOp, ExprId, ExprId),
    Compare(CmpOp, ExprId, ExprId),
    /// A concatenation; the first operand is the high part.
    Concat(ExprId, ExprId),
    Extract {
        hi: u32,
        lo: u32,
        arg: ExprId,
    },
    /// A zero extension to the given total width.
    ZeroExt(u32, ExprId),
    /// A sign extension to the given total width.
    SignExt(u32, ExprId),
    /// An operator of IEEE 754 that is an uninterpreted function to the solver. For a square root both operands are
    /// the same.
    Float(FloatOp, ExprId, ExprId),
}

/// A free variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// A name for people, which need not be unique.
    pub name: String,
    /// The sort of its values.
    pub sort: Sort,
}

/// All expressions of one verification condition.
#[derive(Clone, Debug, Default)]
pub struct Dag {
    nodes: Vec<Node>,
    sorts: Vec<Sort>,
    index: HashMap<Node, ExprId>,
    variables: Vec<Variable>,
    slices: HashMap<(u32, u32, ExprId), ExprId>,
}

impl Dag {
    /// The node of an expression.
    #[must_use]
    pub fn node(&self, id: ExprId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The sort of an expression.
    #[must_use]
    pub fn sort(&self, id: ExprId) -> Sort {
        self.sorts[id.index()]
    }

    /// The width of a bit-vector.
    ///
    /// # Panics
    ///
    /// If the expression is a boolean; callers check its sort first.
    #[must_use]
    pub fn width(&self, id: ExprId) -> u32 {
        match self.sort(id) {
            Sort::BitVec(width) => width,
            Sort::Bool => panic!("invariant: the width of a boolean is never asked"),
        }
    }

    /// All free variables made so far.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variables made since there were `before` of them.
    #[must_use]
    pub fn variable_exprs(&self, before: usize) -> Vec<ExprId> {
        (before..self.variables.len())
            .map(|index| {
                let index = u32::try_from(index).expect("fewer than 2^32 variables");
                self.index[&Node::Var(index)]
            })
            .collect()
    }

    /// The number of expressions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no expression yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The boolean constant that an expression is, if it is one.
    #[must_use]
    pub fn as_bool(&self, id: ExprId) -> Option<bool> {
        match *self.node(id) {
            Node::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The bit-vector constant that an expression is, if it is one.
    #[must_use]
    pub fn as_bits(&self, id: ExprId) -> Option<u128> {
        match *self.node(id) {
            Node::Bits { value, .. } => Some(value),
            _ => None,
        }
    }

    /// A fresh variable, different from every other.
    pub fn fresh(&mut self, name: &str, sort: Sort) -> ExprId {
        let index = u32::try_from(self.variables.len()).expect("fewer than 2^32 variables");
        self.variables.push(Variable {
            name: name.to_owned(),
            sort,
        });
        self.intern(Node::Var(index), sort)
    }

    /// A boolean constant.
    pub fn bool(&mut self, value: bool) -> ExprId {
        self.intern(Node::Bool(value), Sort::Bool)
    }

    /// A bit-vector constant; `value` is reduced modulo 2^width.
    ///
    /// # Panics
    ///
    /// If the width is 0 or above [`MAX_CONST`].
    pub fn bits(&mut self, width: u32, value: u128) -> ExprId {
        assert!(
            (1..=MAX_CONST).contains(&width),
            "invariant: constants have 1 to {MAX_CONST} bits"
        );
        let value = value & mask(width);
        self.intern(Node::Bits { width, value }, Sort::BitVec(width))
    }

    fn intern(&mut self, node: Node, sort: Sort) -> ExprId {
        if let Some(&id) = self.index.get(&node) {
            return id;
        }
        let id = ExprId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 expressions"));
        self.nodes.push(node.clone());
        self.sorts.push(sort);
        self.index.insert(node, id);
        id
    }

    /// Operands of an expression, in order.
    #[must_use]
    pub fn operands(&self, id: ExprId) -> Vec<ExprId> {
        match *self.node(id) {
            Node::Var(_) | Node::Bool(_) | Node::Bits { .. } => vec![],
            Node::Not(a)
            | Node::BvNot(a)
            | Node::BvNeg(a)
            | Node::Extract { arg: a, .. }
            | Node::ZeroExt(_, a)
            | Node::SignExt(_, a) => vec![a],
            Node::And(a, b)
            | Node::Or(a, b)
            | Node::Eq(a, b)
            | Node::Binary(_, a, b)
            | Node::Compare(_, a, b)
            | Node::Concat(a, b)
            | Node::Float(_, a, b) => vec![a, b],
            Node::Ite(a, b, c) => vec![a, b, c],
        }
    }

    /// Every expression that the roots depend on, and the roots themselves, each once, operands first.
    #[must_use]
    pub fn reachable(&self, roots: &[ExprId]) -> Vec<ExprId> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.len()];
        let mut stack: Vec<(ExprId, bool)> = roots.iter().rev().map(|&id| (id, false)).collect();
        while let Some((id, done)) = stack.pop() {
            if done {
                order.push(id);
            } else if !std::mem::replace(&mut seen[id.index()], true) {
                stack.push((id, true));
                stack.extend(self.operands(id).into_iter().rev().map(|arg| (arg, false)));
            }
        }
        order
    }
}
