//! Evaluates the spec of a term over registers whose contents are not known: the same evaluation that proofs use. What
//! comes out can be evaluated on any contents, and compared with a processor.

use super::{Choices, Eval, Item, Path, Phase, Stop, uncovered};
use crate::expr::{Dag, ExprId, Node, Sort};
use crate::hardware::listing::{Operand, Place};
use crate::program::Program;
use crate::value::{Shape, Value};
use cranelift_isle::ast::Ident;
use cranelift_isle::sema::{TermId, TypeId};
use std::rc::Rc;

/// An event that may happen.
#[derive(Clone, Debug)]
pub struct SymbolicEvent {
    /// The kind of event, as `(state ..)` declares it.
    pub state: String,
    /// Whether it happens.
    pub active: ExprId,
    /// The fields that are truth values or bits.
    pub fields: Vec<(String, ExprId)>,
    /// The fields that are numbers of the spec language.
    pub numbers: Vec<(String, i128)>,
    /// What the event brings, if that is asked for: a variable.
    pub brings: Option<ExprId>,
}

impl SymbolicEvent {
    /// A field that is a truth value or bits.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<ExprId> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| *value)
    }

    /// A field that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i128> {
        let found = self.numbers.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| *value)
    }
}

/// What the spec of a term over operands says.
#[derive(Clone, Debug)]
pub struct Symbolic {
    /// The graph of all expressions here.
    pub dag: Dag,
    /// What each register, or each flag by its name, holds: a variable.
    pub inputs: Vec<(Place, String, ExprId)>,
    /// What must hold of the operands; elsewhere the spec says nothing.
    pub requirements: Vec<ExprId>,
    /// What the spec says of values that it does not define.
    pub facts: Vec<ExprId>,
    /// The result; of flags one for each, by its name.
    pub result: Vec<(String, ExprId)>,
    /// What may happen, in order.
    pub events: Vec<SymbolicEvent>,
    /// The entries of the jump table among the operands, and its name.
    pub table: Vec<u64>,
}

/// The name of the jump table among the operands.
pub const TABLE_NAME: u32 = 0x5a5a_5a5a;

impl Symbolic {
    /// Evaluates the spec of a term over operands. `None` if what it requires of them never holds.
    ///
    /// # Errors
    ///
    /// There is no such term or spec, or the operands are not of its types.
    pub fn of(program: &Program, term: &Operand) -> Result<Option<Self>, String> {
        let mut choices = Choices::default();
        let mut path = Path::new(program, &mut choices);
        match path.symbolic(term) {
            Ok(symbolic) => Ok(Some(symbolic)),
            Err(Stop::Refuted) => Ok(None),
            Err(Stop::Infeasible) => Err("its spec contradicts itself".to_owned()),
            Err(Stop::NotReady(_)) => Err("its spec leaves a width open".to_owned()),
            Err(Stop::Uncovered(message)) => Err(message),
        }
    }

    /// The variables that are neither inputs nor what events bring: what the spec leaves open.
    #[must_use]
    pub fn open(&self) -> Vec<ExprId> {
        let known = |variable: &ExprId| {
            self.inputs.iter().any(|(_, _, input)| input == variable)
                || self
                    .events
                    .iter()
                    .any(|event| event.brings == Some(*variable))
        };
        let mut variables = self.dag.variable_exprs(0);
        variables.retain(|variable| !known(variable));
        variables
    }
}

/// The registers that occurred, and the table.
#[derive(Default)]
struct Inputs {
    places: Vec<(Place, String, ExprId)>,
    table: Vec<u64>,
}

impl Path<'_, '_> {
    fn symbolic(&mut self, term: &Operand) -> Eval<Symbolic> {
        self.phase = Phase::Emit;
        // The machine that executes has every CPU feature that an instruction may require.
        for &fact in self.program.machine_facts.values() {
            let truth = Value::Bool(self.dag.bool(true));
            self.pure_results.insert((fact, vec![]), truth);
        }
        let mut inputs = Inputs::default();
        let Operand::Apply(name, _) = term else {
            return uncovered("a form is a term over its operands");
        };
        let id = self.term_named(name)?;
        let ty = self.program.terms.terms[id.index()].ret_ty;
        let result = self.symbolic_operand(term, ty, &mut inputs)?;
        let mut records = self.machine.0.clone();
        if let Value::Held(held) = self.resolve(&result) {
            records.extend(&held.records);
        }
        let mut events = Vec::new();
        for record in records {
            events.push(self.symbolic_event(record)?);
        }
        let result = match self.need(&result)? {
            Value::Unit => vec![],
            Value::BitVec(bits, _) => vec![(String::new(), bits)],
            Value::Struct(fields) => {
                let mut parts = Vec::new();
                for (field, value) in fields.iter() {
                    parts.push((field.to_string(), self.truth(value)?));
                }
                parts
            }
            other => return uncovered(format!("{} is no result", self.describe(&other))),
        };
        let (mut requirements, mut facts) = (Vec::new(), Vec::new());
        for item in &self.items {
            match item {
                Item::Prove { goal, .. } => requirements.push(*goal),
                Item::Assume(fact) | Item::Exists { fact, .. } => facts.push(*fact),
            }
        }
        Ok(Symbolic {
            dag: std::mem::take(&mut self.dag),
            inputs: inputs.places,
            requirements,
            facts,
            result,
            events,
            table: inputs.table,
        })
    }

    fn term_named(&self, name: &str) -> Eval<TermId> {
        let program = self.program;
        let ident = Ident(name.to_owned(), cranelift_isle::lexer::Pos::default());
        let Some(id) = program.terms.get_term_by_name(&program.types, &ident) else {
            return uncovered(format!("no term is called `{name}`"));
        };
        if !program.specs.contains_key(&id) {
            return uncovered(format!("`{name}` has no spec"));
        }
        Ok(id)
    }

    fn input(&mut self, place: Place, part: &str, sort: Sort, inputs: &mut Inputs) -> ExprId {
        let known = inputs.places.iter();
        let mut known = known.filter(|(known, name, _)| *known == place && name == part);
        if let Some((_, _, variable)) = known.next() {
            return *variable;
        }
        let variable = self.dag.fresh(&format!("{place}.{part}"), sort);
        inputs.places.push((place, part.to_owned(), variable));
        variable
    }

    fn symbolic_operand(
        &mut self,
        operand: &Operand,
        ty: TypeId,
        inputs: &mut Inputs,
    ) -> Eval<Value> {
        match operand {
            Operand::Place(place @ Place::Int(_)) => {
                let sort = Sort::BitVec(64);
                Ok(Value::BitVec(self.input(*place, "", sort, inputs), None))
            }
            Operand::Place(place @ Place::Vec(_)) => {
                let sort = Sort::BitVec(128);
                Ok(Value::BitVec(self.input(*place, "", sort, inputs), None))
            }
            Operand::Place(Place::Flags) => {
                let Shape::Struct(fields) = self.shape_of_type(ty) else {
                    return uncovered("the flags are a struct");
                };
                let mut flags = Vec::new();
                for (field, _) in fields {
                    let flag = self.input(Place::Flags, &field, Sort::Bool, inputs);
                    flags.push((field, Value::Bool(flag)));
                }
                Ok(Value::Struct(Rc::new(flags)))
            }
            Operand::Bits(width, value) => Ok(Value::BitVec(
                self.dag.bits(*width, u128::from(*value)),
                None,
            )),
            Operand::Apply(name, operands) => match name.as_str() {
                "mem" => self.memory_operand(operands, ty, inputs),
                "table" => {
                    for entry in operands {
                        let Operand::Bits(_, entry) = entry else {
                            return uncovered("an entry of a table is the number of a successor");
                        };
                        inputs.table.push(*entry);
                    }
                    let len = self.dag.bits(32, inputs.table.len() as u128 - 1);
                    let name = self.dag.bits(31, u128::from(TABLE_NAME));
                    Ok(structure(vec![
                        ("len", Value::BitVec(len, None)),
                        ("name", Value::BitVec(name, None)),
                    ]))
                }
                _ => self.symbolic_term(name, operands, inputs),
            },
        }
    }

    fn symbolic_term(
        &mut self,
        name: &str,
        operands: &[Operand],
        inputs: &mut Inputs,
    ) -> Eval<Value> {
        if let Some((enumeration, variant)) = name.split_once('.') {
            let found = self.program.type_by_name(enumeration).and_then(|ty| {
                let variants = self.program.variants(ty);
                let index = variants.iter().position(|(name, _)| *name == variant)?;
                Some((ty, index))
            });
            let Some((ty, index)) = found else {
                return uncovered(format!("no variant is called `{name}`"));
            };
            return Ok(self.variant(ty, index, vec![]));
        }
        let term = self.term_named(name)?;
        let types = self.program.terms.terms[term.index()].arg_tys.clone();
        if types.len() != operands.len() {
            return uncovered(format!("`{name}` has {} operands", types.len()));
        }
        let mut values = Vec::new();
        for (operand, ty) in operands.iter().zip(types) {
            let value = self.symbolic_operand(operand, ty, inputs)?;
            let shape = self.shape_of_type(ty);
            if !self.fits(&shape, &value) {
                let value = self.describe(&value);
                return uncovered(format!("ill-typed: an operand of `{name}` is {value}"));
            }
            values.push(value);
        }
        self.construct(term, values)
    }

    /// A memory operand as the spec of a sunk load makes it.
    fn memory_operand(
        &mut self,
        operands: &[Operand],
        ty: TypeId,
        inputs: &mut Inputs,
    ) -> Eval<Value> {
        let [Operand::Apply(address, parts), flags] = operands else {
            return uncovered("a memory operand has an address and flags");
        };
        let address = self.symbolic_term(address, parts, inputs)?;
        let flags = self.symbolic_operand(flags, ty, inputs)?;
        let Shape::Struct(fields) = self.shape_of_type(ty) else {
            return uncovered("a memory operand is a struct");
        };
        let mut values = Vec::new();
        for (field, shape) in fields {
            let value = match &*field {
                "mem" => Value::Bool(self.dag.bool(true)),
                "addr" => address.clone(),
                "flags" => flags.clone(),
                _ => {
                    let hole = self.hole(&field, &shape);
                    self.force(&hole)?
                }
            };
            values.push((field, value));
        }
        Ok(Value::Struct(Rc::new(values)))
    }

    fn symbolic_event(&mut self, record: usize) -> Eval<SymbolicEvent> {
        let active = self.active(record)?;
        let (mut fields, mut numbers) = (Vec::new(), Vec::new());
        for (field, value) in self.records[record].fields.clone() {
            let field = field.to_string();
            match self.need(&value)? {
                Value::Bool(value) | Value::BitVec(value, _) => fields.push((field, value)),
                Value::Int(value) => numbers.push((field, value)),
                other => return uncovered(format!("{} is a field", self.describe(&other))),
            }
        }
        let Value::BitVec(value, _) = self.record_field(record, "value")? else {
            return uncovered("the value of an event is not bits");
        };
        // A store has a field of that name, which is what is stored.
        let is_field = fields.iter().any(|(field, _)| field == "value");
        let brings = (!is_field && matches!(self.dag.node(value), Node::Var(_))).then_some(value);
        Ok(SymbolicEvent {
            state: self.state_name(record).to_owned(),
            active,
            fields,
            numbers,
            brings,
        })
    }
}

fn structure(fields: Vec<(&str, Value)>) -> Value {
    let fields = fields.into_iter();
    Value::Struct(Rc::new(
        fields
            .map(|(name, value)| (Rc::from(name), value))
            .collect(),
    ))
}
