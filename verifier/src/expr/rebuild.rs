//! Replaces expressions within others. The results are built anew, so that they fold with what is known now.

use super::{Dag, ExprId, Node};
use std::collections::HashMap;

impl Dag {
    /// The roots with some expressions replaced, wherever they occur, each by another one of the same sort.
    pub fn replace(
        &mut self,
        roots: &[ExprId],
        replacements: &HashMap<ExprId, ExprId>,
    ) -> Vec<ExprId> {
        let mut new: HashMap<ExprId, ExprId> = HashMap::new();
        for id in self.reachable(roots) {
            let replaced = self.replace_one(id, replacements, &new);
            new.insert(id, replaced);
        }
        roots.iter().map(|root| new[root]).collect()
    }

    fn replace_one(
        &mut self,
        id: ExprId,
        replacements: &HashMap<ExprId, ExprId>,
        new: &HashMap<ExprId, ExprId>,
    ) -> ExprId {
        if let Some(&replacement) = replacements.get(&id) {
            return replacement;
        }
        match self.node(id).clone() {
            Node::Var(_) | Node::Bool(_) | Node::Bits { .. } => id,
            Node::Not(a) => self.not(new[&a]),
            Node::And(a, b) => self.and(new[&a], new[&b]),
            Node::Or(a, b) => self.or(new[&a], new[&b]),
            Node::Ite(c, a, b) => self.ite(new[&c], new[&a], new[&b]),
            Node::Eq(a, b) => self.eq(new[&a], new[&b]),
            Node::BvNot(a) => self.bvnot(new[&a]),
            Node::BvNeg(a) => self.bvneg(new[&a]),
            Node::Binary(op, a, b) => self.binary(op, new[&a], new[&b]),
            Node::Compare(op, a, b) => self.compare(op, new[&a], new[&b]),
            Node::Concat(a, b) => self.concat(new[&a], new[&b]),
            Node::Extract { hi, lo, arg } => self.extract(hi, lo, new[&arg]),
            Node::ZeroExt(width, a) => self.zero_ext(width, new[&a]),
            Node::SignExt(width, a) => self.sign_ext(width, new[&a]),
            Node::Float(op, a, b) => self.float_node(op, new[&a], new[&b]),
        }
    }
}
