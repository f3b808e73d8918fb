//! Evaluates specs on concrete operands: the same evaluation that proofs use, on constants, which fold.
//!
//! Tests can compare the result with the processor, with CLIF's interpreter, or with the Rust behind a term.

use super::records::Events;
use super::{Choices, Eval, Item, Path, Phase, Stop, uncovered};
use crate::expr::{Assignment, Constant, Sort, mask};
use crate::program::Program;
use crate::value::{Shape, Value};
use cranelift_isle::ast::Ident;
use cranelift_isle::sema::TermId;

/// A concrete operand or result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// An integer of the spec language.
    Int(i128),
    /// A truth value.
    Bool(bool),
    /// Bits; in a result, those set in `unspecified` may be anything.
    Bits {
        /// Width in bits, 1 to 128.
        width: u32,
        /// The bits.
        value: u128,
        /// The bits that the spec leaves open.
        unspecified: u128,
    },
    /// A variant of an ISLE enum, named `Enum.Variant`, with its fields.
    Variant(String, Vec<Datum>),
    /// Named fields.
    Struct(Vec<(String, Datum)>),
    /// The unit value.
    Unit,
}

impl Datum {
    /// Bits that the spec determines fully.
    #[must_use]
    pub fn bits(width: u32, value: u128) -> Self {
        Self::Bits {
            width,
            value: value & mask(width),
            unspecified: 0,
        }
    }
}

/// An event that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind of event, as `(state ..)` declares it.
    pub state: String,
    /// The fields that the declaration names, in its order.
    pub fields: Vec<(String, Datum)>,
}

/// The result and the events of a term on given operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The result of the term.
    pub result: Datum,
    /// The events that happen, in order.
    pub events: Vec<Event>,
}

impl Meaning {
    /// Evaluates the spec of a constructor, or of an operator, on concrete operands. `content` says what
    /// an event brings: `(:value S)`, given the event.
    ///
    /// # Errors
    ///
    /// There is no such term or spec, a requirement is not met, a `match` fails, or the spec does not
    /// determine what is asked.
    pub fn of(
        program: &Program,
        term: &str,
        operands: &[Datum],
        content: &mut dyn FnMut(&Event) -> u64,
    ) -> Result<Self, String> {
        let mut choices = Choices::default();
        let mut path = Path::new(program, &mut choices);
        path.meaning(term, operands, content)
            .map_err(|stop| match stop {
                Stop::Infeasible => format!("`{term}` does not match these operands"),
                Stop::Refuted => format!("a requirement of `{term}` is not met"),
                Stop::NotReady(_) => format!("the spec of `{term}` leaves something open"),
                Stop::Uncovered(message) => message,
            })
    }
}

impl Path<'_, '_> {
    fn meaning(
        &mut self,
        term: &str,
        operands: &[Datum],
        content: &mut dyn FnMut(&Event) -> u64,
    ) -> Eval<Meaning> {
        let program = self.program;
        let ident = Ident(term.to_owned(), cranelift_isle::lexer::Pos::default());
        let Some(id) = program.terms.get_term_by_name(&program.types, &ident) else {
            return uncovered(format!("no term is called `{term}`"));
        };
        let Some(spec) = program.specs.get(&id) else {
            return uncovered(format!("`{term}` has no spec"));
        };
        self.phase = Phase::Emit;
        // The machine that evaluates has every CPU feature that an instruction may require.
        for &fact in program.machine_facts.values() {
            let truth = Value::Bool(self.dag.bool(true));
            self.pure_results.insert((fact, vec![]), truth);
        }
        let operands = operands
            .iter()
            .map(|operand| self.value_of(operand))
            .collect::<Eval<Vec<_>>>()?;
        let shape = self.concrete_shape(id, &operands)?;
        let result = self.hole("result", &shape);
        let (scope, records) = self.scope(spec, &operands, &result, Events::Machine)?;
        self.apply(spec, &scope)?;
        let result = self.with_forced(|path| path.force(&result))?;
        let records = self.finished_records(records)?;
        if self
            .items
            .iter()
            .any(|item| !matches!(item, Item::Assume(_)))
        {
            return uncovered(format!("the spec of `{term}` does not define its result"));
        }
        // Reads come first: the values that they bring may occur in the result and in later events.
        let mut known = Assignment::new();
        let mut events = Vec::new();
        for record in records {
            let event = self.event(record, &known)?;
            let Value::BitVec(value, _) = self.record_field(record, "value")? else {
                return uncovered("the value of an event is not bits");
            };
            if matches!(self.dag.node(value), crate::expr::Node::Var(_)) {
                let value_of_event = Constant::Bits {
                    width: 64,
                    value: u128::from(content(&event)),
                };
                known.insert(value, value_of_event);
            }
            events.push(event);
        }
        let result = self.datum(&result, &known)?;
        Ok(Meaning { result, events })
    }

    fn concrete_shape(&mut self, term: TermId, operands: &[Value]) -> Eval<Shape> {
        self.signature_shape(term, operands)
    }

    fn event(&mut self, record: usize, known: &Assignment) -> Eval<Event> {
        let mut fields = Vec::new();
        for (field, value) in self.records[record].fields.clone() {
            fields.push((field.to_string(), self.datum(&value, known)?));
        }
        Ok(Event {
            state: self.state_name(record).to_owned(),
            fields,
        })
    }

    fn value_of(&mut self, datum: &Datum) -> Eval<Value> {
        Ok(match datum {
            Datum::Int(int) => Value::Int(*int),
            Datum::Bool(truth) => Value::Bool(self.dag.bool(*truth)),
            Datum::Bits { width, value, .. } => {
                if !(1..=128).contains(width) {
                    return uncovered(format!("operands have 1 to 128 bits, not {width}"));
                }
                Value::BitVec(self.dag.bits(*width, *value), None)
            }
            Datum::Unit => Value::Unit,
            Datum::Struct(fields) => {
                let mut values = Vec::new();
                for (field, datum) in fields {
                    values.push((super::name(field), self.value_of(datum)?));
                }
                Value::Struct(std::rc::Rc::new(values))
            }
            Datum::Variant(full_name, fields) => {
                let found = full_name.split_once('.').and_then(|(name, variant)| {
                    let ty = self.program.type_by_name(name)?;
                    let variants = self.program.variants(ty);
                    let index = variants.iter().position(|(name, _)| *name == variant)?;
                    Some((ty, index))
                });
                let Some((ty, index)) = found else {
                    return uncovered(format!("no variant is called `{full_name}`"));
                };
                let fields = fields
                    .iter()
                    .map(|field| self.value_of(field))
                    .collect::<Eval<Vec<_>>>()?;
                self.variant(ty, index, fields)
            }
        })
    }

    /// Turns a value into a datum. Bits that differ between an evaluation with all free variables zero and one with
    /// all of them ones are unspecified.
    fn datum(&mut self, value: &Value, known: &Assignment) -> Eval<Datum> {
        Ok(match self.need(value)? {
            Value::Int(int) => Datum::Int(int),
            Value::Unit => Datum::Unit,
            Value::Bool(expr) => match self.extremes(expr, known)? {
                (Constant::Bool(a), Constant::Bool(b)) if a == b => Datum::Bool(a),
                _ => return uncovered("the spec leaves a truth value open"),
            },
            Value::BitVec(expr, _) => match self.extremes(expr, known)? {
                (Constant::Bits { width, value }, Constant::Bits { value: other, .. }) => {
                    Datum::Bits {
                        width,
                        value: value & other,
                        unspecified: value ^ other,
                    }
                }
                _ => return uncovered("bits are expected"),
            },
            Value::Struct(fields) => {
                let mut result = Vec::new();
                for (field, value) in fields.iter() {
                    result.push((field.to_string(), self.datum(value, known)?));
                }
                Datum::Struct(result)
            }
            Value::Enum(value) => {
                let Some(index) = self.dag.as_bits(value.discriminant) else {
                    return uncovered("the spec leaves the variant of an enum open");
                };
                let index = usize::try_from(index).expect("few variants");
                let name = format!(
                    "{}.{}",
                    self.program.type_name(value.ty),
                    self.program.variants(value.ty)[index].0
                );
                let mut fields = Vec::new();
                for field in value.payloads[index].iter().flatten() {
                    fields.push(self.datum(field, known)?);
                }
                Datum::Variant(name, fields)
            }
            other => {
                let other = self.describe(&other);
                return uncovered(format!("{other} has no concrete form"));
            }
        })
    }

    /// The value of an expression with all unknown variables zero, and with all their bits one.
    fn extremes(
        &mut self,
        expr: crate::expr::ExprId,
        known: &Assignment,
    ) -> Eval<(Constant, Constant)> {
        let mut ones = known.clone();
        for variable in self.dag.variable_exprs(0) {
            ones.entry(variable)
                .or_insert(match self.dag.sort(variable) {
                    Sort::Bool => Constant::Bool(true),
                    Sort::BitVec(width) => Constant::Bits {
                        width,
                        value: mask(width.min(128)),
                    },
                });
        }
        let low = self.dag.evaluate(&[expr], known);
        let high = self.dag.evaluate(&[expr], &ones);
        match (low, high) {
            (Some(low), Some(high)) => Ok((low[0], high[0])),
            _ => uncovered("a bit-vector has more than 128 bits"),
        }
    }
}
