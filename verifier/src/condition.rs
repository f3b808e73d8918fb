//! Verification conditions: what one path of a rule leaves to prove, free of the program it came from.

use crate::expr::{Dag, ExprId};
use crate::path::{Choices, Item, Path, Stop};
use crate::program::Program;
use crate::theorem::{self, Goal};
use crate::value::Value;
use cranelift_isle::sema::RuleId;

/// How evaluation of a path ended.
#[derive(Clone, Debug)]
pub enum End {
    /// At the end of the rule.
    Complete,
    /// At an obligation that is plainly false; it is the last item.
    Refuted,
    /// Where specs cover no further.
    Uncovered(String),
}

/// A verification condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The root rule.
    pub rule: RuleId,
    /// Types of the left-hand side: the instantiation.
    pub types: String,
    /// Callee rules on the path.
    pub callees: Vec<RuleId>,
    /// All expressions.
    pub dag: Dag,
    /// True of every memory and callee.
    pub axioms: Vec<ExprId>,
    /// Assumptions and obligations, in order.
    pub items: Vec<Item>,
    /// What must follow in the end.
    pub goals: Vec<Goal>,
    /// How evaluation ended.
    pub end: End,
    /// Named values, for counterexamples.
    pub display: Vec<Shown>,
}

/// A named value, for people: its parts with the expressions they are.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Variable, or a name of the report's own.
    pub name: String,
    /// What kind of thing it is in the report.
    pub role: Role,
    /// Path within the value (empty for a plain one), and its content.
    pub parts: Vec<(String, Part)>,
}

/// What a shown value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A variable of the rule.
    Variable,
    /// What the replaced instruction computes.
    Source,
    /// What the right-hand side computes.
    Machine,
    /// An event of the replaced instruction, or of a sunk load.
    SourceEvent,
    /// An event of an emitted instruction.
    MachineEvent,
}

/// The content of a shown value.
#[derive(Clone, Debug)]
pub enum Part {
    /// Depends on the input.
    Expr(ExprId),
    /// One of these names, by discriminant.
    Variant(ExprId, Vec<String>),
    /// The same for every input.
    Text(String),
}

/// All paths of one rule.
#[derive(Debug, Default)]
pub struct Paths {
    /// Conditions, in order.
    pub conditions: Vec<Condition>,
    /// Instantiations of which a path was left early as infeasible on the right-hand side.
    pub infeasible: Vec<String>,
    /// Set when there are more than [`MAX_PATHS`].
    pub overflow: bool,
}

/// Most paths that one rule may have.
const MAX_PATHS: usize = 20_000;

/// Evaluates a rule along all its paths.
#[must_use]
pub fn paths(program: &Program, rule: RuleId) -> Paths {
    let mut choices = Choices::default();
    let mut result = Paths::default();
    for count in 0.. {
        if count == MAX_PATHS {
            result.overflow = true;
            return result;
        }
        one_path(program, rule, &mut choices, &mut result);
        if !choices.advance() {
            return result;
        }
    }
    result
}

fn one_path(program: &Program, rule: RuleId, choices: &mut Choices, result: &mut Paths) {
    let mut path = Path::new(program, choices);
    let outcome = path.root(rule).and_then(|promise| {
        let goals = theorem::goals(&mut path, &promise)?;
        let axioms = path.read_axioms()?;
        Ok((goals, axioms))
    });
    let matched = path.matched;
    let types = if path.choices.signatures.is_empty() {
        "-".to_owned()
    } else {
        path.choices.signatures.join(", ")
    };
    let (goals, axioms, end) = match outcome {
        Ok((goals, axioms)) => (goals, axioms, End::Complete),
        Err(Stop::Infeasible) => {
            if matched {
                result.infeasible.push(types);
            }
            return;
        }
        Err(stop) => {
            let end = match stop {
                Stop::Refuted => End::Refuted,
                Stop::Uncovered(message) => End::Uncovered(message),
                Stop::NotReady(_) | Stop::Infeasible => {
                    End::Uncovered("a value that the specs do not determine".to_owned())
                }
            };
            // Without the axioms fewer paths are infeasible: the safe side.
            (vec![], path.read_axioms().unwrap_or_default(), end)
        }
    };
    let display = show(&mut path);
    result.conditions.push(Condition {
        rule,
        types,
        callees: path.callees,
        dag: path.dag,
        axioms,
        items: path.items,
        goals,
        end,
        display,
    });
}

fn show(path: &mut Path<'_, '_>) -> Vec<Shown> {
    let mut shown = Vec::new();
    let display = path.display.clone();
    for (name, value) in &display.variables {
        push(path, &mut shown, name, Role::Variable, value);
    }
    if let Some(value) = &display.source {
        push(path, &mut shown, "left", Role::Source, value);
    }
    if let Some(value) = &display.machine {
        push(path, &mut shown, "right", Role::Machine, value);
    }
    let source: Vec<usize> = path.sunk.0.iter().chain(&path.source.0).copied().collect();
    let machine = path.machine.0.clone();
    for (log, role) in [(source, Role::SourceEvent), (machine, Role::MachineEvent)] {
        for record in log {
            let fields = path.record_struct(record);
            let name = path.state_name(record).to_owned();
            push(path, &mut shown, &name, role, &fields);
        }
    }
    shown
}

fn push(path: &mut Path<'_, '_>, shown: &mut Vec<Shown>, name: &str, role: Role, value: &Value) {
    let mut parts = Vec::new();
    path.flatten(value, String::new(), &mut parts);
    shown.push(Shown {
        name: name.to_owned(),
        role,
        parts,
    });
}

impl Path<'_, '_> {
    fn flatten(&mut self, value: &Value, place: String, parts: &mut Vec<(String, Part)>) {
        let inside = |field: &str| {
            if place.is_empty() {
                field.to_owned()
            } else {
                format!("{place}.{field}")
            }
        };
        match self.resolve(value) {
            Value::Int(int) => parts.push((place, Part::Text(int.to_string()))),
            Value::Bool(expr) | Value::BitVec(expr, _) => parts.push((place, Part::Expr(expr))),
            Value::Unit => parts.push((place, Part::Text("()".to_owned()))),
            Value::Hole(_) => parts.push((place, Part::Text("any".to_owned()))),
            Value::Opaque(_, ty) => parts.push((place, Part::Text(format!("some {ty}")))),
            Value::Held(held) => self.flatten(&held.value, place, parts),
            Value::Record(record) => {
                let fields = self.record_struct(record);
                self.flatten(&fields, place, parts);
            }
            Value::Struct(fields) => {
                for (field, value) in fields.iter() {
                    self.flatten(value, inside(field), parts);
                }
            }
            Value::Enum(value) => {
                let names = self
                    .program
                    .variants(value.ty)
                    .into_iter()
                    .map(|(name, _)| name.to_owned())
                    .collect();
                let payloads = value.payloads.clone();
                let variant = self.dag.as_bits(value.discriminant);
                parts.push((place.clone(), Part::Variant(value.discriminant, names)));
                for (index, payload) in payloads.iter().enumerate() {
                    if variant == Some(index as u128) {
                        for (field, value) in payload.iter().flatten().enumerate() {
                            self.flatten(value, inside(&field.to_string()), parts);
                        }
                    }
                }
            }
        }
    }
}
