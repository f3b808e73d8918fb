//! Writes expressions as SMT-LIB, with one definition for each expression, so that sharing is kept.
//!
//! Names depend on nothing but the query: the same question has the same text, whatever was asked
//! before. That text is the key of the cache.

use crate::expr::{Dag, ExprId, FloatOp, Node, Sort};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// A question: is there an assignment under which all `asserts` hold, and, if `forall` is given, its
/// fact is false for all values of its variables?
#[derive(Clone, Debug)]
pub struct Query {
    /// Facts over free variables.
    pub asserts: Vec<ExprId>,
    /// Variables, and a fact that is false for all values of them.
    pub forall: Option<(Vec<ExprId>, ExprId)>,
}

/// A question in SMT-LIB.
#[derive(Clone, Debug)]
pub struct Script {
    /// The SMT-LIB text: logic, declarations, definitions, assertions.
    pub text: String,
    /// The free variables in the order of their names in the text: `v0`, `v1`, ..
    pub variables: Vec<ExprId>,
}

/// Writes a question as SMT-LIB.
#[must_use]
pub fn encode(dag: &Dag, query: &Query) -> Script {
    let bound: BTreeSet<ExprId> = query
        .forall
        .iter()
        .flat_map(|(variables, _)| variables.iter().copied())
        .collect();
    let mut roots = query.asserts.clone();
    roots.extend(query.forall.iter().map(|(_, fact)| *fact));
    let order = dag.reachable(&roots);
    // Expressions that depend on a bound variable are defined inside of the quantifier.
    let mut inside: BTreeSet<ExprId> = BTreeSet::new();
    if query.forall.is_some() {
        for &id in &order {
            if bound.contains(&id) || dag.operands(id).iter().any(|arg| inside.contains(arg)) {
                inside.insert(id);
            }
        }
        // An assertion over a "new" variable would speak of another variable of the same name.
        assert!(
            query.asserts.iter().all(|assert| !inside.contains(assert)),
            "invariant: earlier assumptions do not speak of later variables"
        );
    }
    let mut names: HashMap<ExprId, String> = HashMap::new();
    let mut script = Script {
        text: String::new(),
        variables: Vec::new(),
    };
    let functions: BTreeSet<(FloatOp, u32)> = order
        .iter()
        .filter_map(|&id| match *dag.node(id) {
            Node::Float(op, a, _) => Some((op, dag.width(a))),
            _ => None,
        })
        .collect();
    let logic = match (query.forall.is_some(), functions.is_empty()) {
        (false, true) => "QF_BV",
        (false, false) => "QF_UFBV",
        (true, true) => "BV",
        (true, false) => "UFBV",
    };
    let out = &mut script.text;
    writeln!(out, "(set-logic {logic})").expect("writing to a string");
    for (op, width) in functions {
        let (name, sort) = (op.name(), sort_text(Sort::BitVec(width)));
        writeln!(out, "(declare-fun {name}{width} ({sort} {sort}) {sort})")
            .expect("writing to a string");
    }
    let mut lets: Vec<(String, String)> = Vec::new();
    let mut quantified: Vec<String> = Vec::new();
    for &id in &order {
        let sort = sort_text(dag.sort(id));
        match dag.node(id) {
            Node::Var(_) if inside.contains(&id) => {
                let name = format!("q{}", quantified.len());
                quantified.push(format!("({name} {sort})"));
                names.insert(id, name);
            }
            Node::Var(_) => {
                let name = format!("v{}", script.variables.len());
                script.variables.push(id);
                writeln!(out, "(declare-fun {name} () {sort})").expect("writing to a string");
                names.insert(id, name);
            }
            Node::Bool(_) | Node::Bits { .. } => {
                names.insert(id, node_text(dag, id, &names));
            }
            _ => {
                let name = format!("e{}", names.len());
                let text = node_text(dag, id, &names);
                if inside.contains(&id) {
                    lets.push((name.clone(), text));
                } else {
                    writeln!(out, "(define-fun {name} () {sort} {text})")
                        .expect("writing to a string");
                }
                names.insert(id, name);
            }
        }
    }
    for assert in &query.asserts {
        writeln!(out, "(assert {})", names[assert]).expect("writing to a string");
    }
    if let Some((_, fact)) = &query.forall {
        let mut body = format!("(not {})", names[fact]);
        for (name, text) in lets.iter().rev() {
            body = format!("(let (({name} {text})) {body})");
        }
        if !quantified.is_empty() {
            body = format!("(forall ({}) {body})", quantified.join(" "));
        }
        writeln!(out, "(assert {body})").expect("writing to a string");
    }
    script
}

fn sort_text(sort: Sort) -> String {
    match sort {
        Sort::Bool => "Bool".to_owned(),
        Sort::BitVec(width) => format!("(_ BitVec {width})"),
    }
}

fn node_text(dag: &Dag, id: ExprId, names: &HashMap<ExprId, String>) -> String {
    let n = |id: &ExprId| names[id].as_str();
    match dag.node(id) {
        Node::Var(_) => unreachable!("variables are named before"),
        Node::Bool(value) => value.to_string(),
        Node::Bits { width, value } if width % 4 == 0 => {
            format!("#x{value:0digits$x}", digits = (width / 4) as usize)
        }
        Node::Bits { width, value } => format!("#b{value:0digits$b}", digits = *width as usize),
        Node::Not(a) => format!("(not {})", n(a)),
        Node::And(a, b) => format!("(and {} {})", n(a), n(b)),
        Node::Or(a, b) => format!("(or {} {})", n(a), n(b)),
        Node::Ite(c, a, b) => format!("(ite {} {} {})", n(c), n(a), n(b)),
        Node::Eq(a, b) => format!("(= {} {})", n(a), n(b)),
        Node::BvNot(a) => format!("(bvnot {})", n(a)),
        Node::BvNeg(a) => format!("(bvneg {})", n(a)),
        Node::Binary(op, a, b) => format!("({} {} {})", op.smt(), n(a), n(b)),
        Node::Compare(op, a, b) => format!("({} {} {})", op.smt(), n(a), n(b)),
        Node::Concat(a, b) => format!("(concat {} {})", n(a), n(b)),
        Node::Extract { hi, lo, arg } => format!("((_ extract {hi} {lo}) {})", n(arg)),
        Node::ZeroExt(width, a) => {
            format!("((_ zero_extend {}) {})", width - dag.width(*a), n(a))
        }
        Node::SignExt(width, a) => {
            format!("((_ sign_extend {}) {})", width - dag.width(*a), n(a))
        }
        Node::Float(op, a, b) => {
            format!("({}{} {} {})", op.name(), dag.width(*a), n(a), n(b))
        }
    }
}
