//! One path through a rule: one choice of type signatures, and of callee rules, evaluated symbolically.
//!
//! Evaluation collects, in order, what may be assumed and what must be proven ([`Item`]), and two logs
//! of events. The order matters: an obligation is proven from the assumptions *before* it, so that no
//! callee's promise helps to prove what that promise depends on.

mod choices;
mod concrete;
mod held;
mod holes;
mod patterns;
mod records;
mod rules;
mod shapes;
mod ssa;
mod structure;
mod sunk;
mod sunk_uses;
mod symbolic;
mod terms;
mod values;
mod witness;

pub use choices::Choices;
pub use concrete::{Datum, Event, Meaning};
pub use held::HELD_TYPES;
pub use patterns::SEVERAL_RESULTS;
pub use records::{LOAD, Log, PROMISED, Record, STORE, TRAP};
pub use rules::{Display, Promise};
pub use structure::{Guard, Subject, WITHOUT_REGISTER};
pub use sunk::SINKABLE;
pub use symbolic::{Symbolic, SymbolicEvent, TABLE_NAME};

use crate::expr::{Dag, ExprId};
use crate::program::Program;
use crate::value::{HoleId, Value};
use cranelift_isle::lexer::Pos;
use cranelift_isle::sema::{RuleId, TermId};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The reason why evaluation stops early.
#[derive(Clone, Debug)]
pub enum Stop {
    /// The path contradicts itself: no input takes it.
    Infeasible,
    /// A hole's value is needed and not known yet.
    NotReady(HoleId),
    /// The rest is not evaluated because an obligation is plainly false; the solver decides whether any input
    /// reaches it.
    Refuted,
    /// The rule is outside what its specs cover.
    Uncovered(String),
}

/// The result of an evaluation that may stop early.
pub type Eval<T> = Result<T, Stop>;

/// Stops because the specs do not cover something; the message says what.
pub fn uncovered<T>(message: impl Into<String>) -> Eval<T> {
    Err(Stop::Uncovered(message.into()))
}

/// A step of a verification condition, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// This fact holds from here on.
    Assume(ExprId),
    /// This goal must follow from the assumptions before it.
    Prove {
        /// The fact that must hold.
        goal: ExprId,
        /// The name of the goal in a report.
        label: String,
    },
    /// Values of these variables must exist, whatever the others are, such that `fact` holds. The
    /// variables come into being here; `fact` is assumed afterwards.
    Exists {
        /// Variables of the fact that this step introduces.
        variables: Vec<ExprId>,
        /// The fact that these variables meet.
        fact: ExprId,
        /// The name of this step in a report.
        label: String,
    },
}

/// Which side of the rule is being evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Patterns and `if-let`s, which emit nothing.
    Match,
    /// The right-hand side, whose constructors emit instructions.
    Emit,
}

/// The state of the evaluation of one path.
pub struct Path<'p, 'c> {
    /// The program that the rule belongs to.
    pub program: &'p Program,
    /// Choices made so far and still to be made.
    pub choices: &'c mut Choices,
    /// The graph that all expressions of this path belong to.
    pub dag: Dag,
    holes: Vec<holes::Hole>,
    /// Assumptions and obligations in order.
    pub items: Vec<Item>,
    /// Whether evaluation has reached the right-hand side.
    pub matched: bool,
    /// The records of all events on both sides.
    pub records: Vec<Record>,
    /// The events of the instructions that the rule replaces.
    pub source: Log,
    /// The events of sunk loads, which happen before those of `source`.
    pub sunk: Log,
    /// The events of the instructions that the rule emits.
    pub machine: Log,
    /// The instructions that `sinkable` matched, each with whether the right-hand side has taken it over.
    sunk_instructions: Vec<(Value, bool)>,
    /// Values that are operands of callees whose rules sink a load; the load is one of these or computes one.
    may_sink: Vec<Value>,
    /// Each value that an operator was matched against, with that operator's operands.
    definitions: Vec<(Value, Vec<Value>)>,
    /// Values that a term needs in a register, with the term's name.
    uses: Vec<(Value, &'p str)>,
    /// For each operator matched so far, where its events belong.
    matched_operators: Vec<records::Events>,
    phase: Phase,
    root_term: Option<TermId>,
    /// An operator of the pattern that no branch may implement (tag `no_branch`).
    unbranched: Option<TermId>,
    /// A term of the right-hand side that branches (tag `branches`).
    branch: Option<TermId>,
    /// The result of the replaced instruction, if its spec allows more than one.
    open: Option<witness::Open>,
    pure_results: HashMap<(TermId, Vec<Value>), Value>,
    reads: Vec<records::Read>,
    constants: HashMap<String, Value>,
    next_opaque: u32,
    next_producer: u32,
    /// The producers of flags that have been emitted, by number.
    consumed: HashSet<u32>,
    next_ssa: u32,
    /// Serial numbers of SSA values that a pattern found to be the same value, each with a lesser one of them.
    same_ssa: HashMap<u32, u32>,
    /// The emitted instruction that ends the block, after which none may follow.
    terminator: Option<TermId>,
    /// What is asked of given operands, where the guards of rules are made in place of a proof.
    structure: Option<structure::Structure>,
    /// SSA values of types without a register, by serial number.
    values_without_register: HashMap<u32, Value>,
    depth: u32,
    /// Callee rules that this path goes through.
    pub callees: Vec<RuleId>,
    /// The values of the rule's variables, for counterexamples.
    pub display: Display,
}

/// The deepest nesting of callee rules and macros that is evaluated.
const MAX_DEPTH: u32 = 200;

impl<'p, 'c> Path<'p, 'c> {
    /// A path at its beginning.
    pub fn new(program: &'p Program, choices: &'c mut Choices) -> Self {
        Self {
            program,
            choices,
            dag: Dag::default(),
            holes: Vec::new(),
            items: Vec::new(),
            matched: false,
            records: Vec::new(),
            source: Log::default(),
            sunk: Log::default(),
            machine: Log::default(),
            sunk_instructions: Vec::new(),
            may_sink: Vec::new(),
            definitions: Vec::new(),
            uses: Vec::new(),
            matched_operators: Vec::new(),
            phase: Phase::Match,
            root_term: None,
            unbranched: None,
            branch: None,
            open: None,
            pure_results: HashMap::new(),
            reads: Vec::new(),
            constants: HashMap::new(),
            next_opaque: 0,
            next_producer: 0,
            consumed: HashSet::new(),
            next_ssa: 0,
            same_ssa: HashMap::new(),
            terminator: None,
            structure: None,
            values_without_register: HashMap::new(),
            depth: 0,
            callees: Vec::new(),
            display: Display::default(),
        }
    }

    /// Assumes a fact. A plainly false one means that no input comes here.
    fn assume(&mut self, fact: ExprId) -> Eval<()> {
        match self.dag.as_bool(fact) {
            Some(true) => Ok(()),
            Some(false) => Err(Stop::Infeasible),
            None => {
                self.items.push(Item::Assume(fact));
                Ok(())
            }
        }
    }

    /// Demands a proof of a fact. A plainly false one ends the path.
    fn prove(&mut self, goal: ExprId, label: String) -> Eval<()> {
        match self.dag.as_bool(goal) {
            Some(true) => Ok(()),
            Some(false) => {
                self.items.push(Item::Prove { goal, label });
                Err(Stop::Refuted)
            }
            None => {
                self.items.push(Item::Prove { goal, label });
                Ok(())
            }
        }
    }

    /// Runs `body` one level deeper. Recursion beyond the limit is reported as uncovered.
    pub(crate) fn nested<T>(
        &mut self,
        what: &str,
        body: impl FnOnce(&mut Self) -> Eval<T>,
    ) -> Eval<T> {
        if self.depth >= MAX_DEPTH {
            return uncovered(format!("`{what}` is nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// The position as `file:line:column`, for messages about specs.
    pub(crate) fn at(&self, pos: Pos) -> String {
        self.program.place(pos)
    }
}

/// A name that is cheap to copy.
pub(crate) fn name(text: &str) -> Rc<str> {
    Rc::from(text)
}
