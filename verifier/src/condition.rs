//! Verification conditions: what one path of a rule leaves to prove, without reference to the program it came from.

use crate::expr::{Dag, ExprId};
use crate::path::{Choices, Item, Path, Stop};
use crate::program::Program;
use crate::theorem::{self, Goal};
use crate::value::Value;
use cranelift_isle::sema::RuleId;

/// How evaluation of a path ended.
#[derive(Clone, Debug)]
pub enum End {
    /// It reached the end of the rule.
    Complete,
    /// It stopped at an obligation that is plainly false, which is the last item.
    Refuted,
    /// It stopped at something that the specs do not cover; the text says what.
    Uncovered(String),
}

/// A verification condition: all that must be proven of one path through a rule.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The rule that is being proven.
    pub rule: RuleId,
    /// The types of the left-hand side's operators, as text: the instantiation.
    pub types: String,
    /// The rules of other terms that the path goes through.
    pub callees: Vec<RuleId>,
    /// The graph that all expressions of this condition belong to.
    pub dag: Dag,
    /// Facts about memory and calls that hold on every path: equal reads give equal values.
    pub axioms: Vec<ExprId>,
    /// Assumptions and obligations, in order.
    pub items: Vec<Item>,
    /// What must follow at the end of the path.
    pub goals: Vec<Goal>,
    /// How evaluation ended.
    pub end: End,
    /// The named values that a counterexample shows.
    pub display: Vec<Shown>,
}

/// A named value to show to people, taken apart into parts that are expressions.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The name of the variable, `left`, `right`, or the kind of the event.
    pub name: String,
    /// Which section of the report it belongs to.
    pub role: Role,
    /// For each part, its path within the value (empty if the value has one part only) and its content.
    pub parts: Vec<(String, Part)>,
}

/// Which section of a counterexample a value is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A variable of the rule.
    Variable,
    /// The result of the replaced instruction.
    Source,
    /// The result of the right-hand side.
    Machine,
    /// An event of the replaced instruction, or of a sunk load.
    SourceEvent,
    /// An event of an emitted instruction.
    MachineEvent,
}

/// The content of a shown value.
#[derive(Clone, Debug)]
pub enum Part {
    /// An expression over the variables.
    Expr(ExprId),
    /// A variant of an enum: the discriminant, and the variants' names in the order of discriminants.
    Variant(ExprId, Vec<String>),
    /// A text that is the same for every input.
    Text(String),
}

/// All paths of one rule.
#[derive(Debug, Default)]
pub struct Paths {
    /// One verification condition for each path, in order.
    pub conditions: Vec<Condition>,
    /// Instantiations (as text) of which a path ended early because its right-hand side contradicts itself.
    pub infeasible: Vec<String>,
    /// Whether the rule has more than [`MAX_PATHS`], so that not all were evaluated.
    pub overflow: bool,
}

/// The largest number of paths that one rule may have.
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
            // Leaving the axioms out makes fewer paths infeasible, which is the safe side.
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

/// The variables to show.
pub(crate) fn show_variables(path: &mut Path<'_, '_>) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (name, value) in path.display.variables.clone() {
        push(path, &mut shown, &name, Role::Variable, &value);
    }
    shown
}

fn show(path: &mut Path<'_, '_>) -> Vec<Shown> {
    let mut shown = show_variables(path);
    let display = path.display.clone();
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
