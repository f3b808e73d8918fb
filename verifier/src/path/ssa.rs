//! Identity of SSA values: whether two values are the same one, not only equal bits.
//!
//! Expressions fold: `ireduce` of `uextend` of x *is* x as bits. As SSA values they are two, in two registers, and
//! a representation leaves bits of a register unspecified. So a pure term that gives the register of a value gives
//! a different one for each: its results are kept by serial number, not by bits alone. Only a pattern says that two
//! SSA values are the same one (a variable matched again); an equation of a spec never does.

use super::Path;
use crate::value::{EnumValue, Ssa, Value};
use std::rc::Rc;

impl Path<'_, '_> {
    /// A new SSA value of a CLIF type, different from every other.
    pub(crate) fn new_ssa(&mut self, ty: &Rc<str>) -> Ssa {
        self.next_ssa += 1;
        Ssa {
            ty: Rc::clone(ty),
            serial: self.next_ssa,
        }
    }

    /// Makes two SSA values, given by serial number, the same one.
    pub(crate) fn unite_ssa(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first_serial(a), self.first_serial(b));
        if a != b {
            self.same_ssa.insert(a.max(b), a.min(b));
        }
    }

    /// The serial number that represents all those of the same SSA value.
    pub(crate) fn first_serial(&self, mut serial: u32) -> u32 {
        while let Some(&lesser) = self.same_ssa.get(&serial) {
            serial = lesser;
        }
        serial
    }

    /// A value with the same content, in which every SSA value is a new one.
    pub(crate) fn other_ssa(&mut self, value: Value) -> Value {
        self.map_ssa(value, &mut |path, ssa| path.new_ssa(&ssa.ty))
    }

    /// The operands in the form in which results of pure terms are looked up.
    pub(crate) fn pure_key(&mut self, args: &[Value]) -> Vec<Value> {
        let first = &mut |path: &mut Self, ssa: &Ssa| Ssa {
            ty: Rc::clone(&ssa.ty),
            serial: path.first_serial(ssa.serial),
        };
        args.iter()
            .map(|arg| self.map_ssa(arg.clone(), first))
            .collect()
    }

    fn map_ssa(&mut self, value: Value, f: &mut impl FnMut(&mut Self, &Ssa) -> Ssa) -> Value {
        match self.resolve(&value) {
            Value::BitVec(expr, Some(ssa)) => Value::BitVec(expr, Some(f(self, &ssa))),
            Value::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| (Rc::clone(name), self.map_ssa(field.clone(), f)))
                    .collect();
                Value::Struct(Rc::new(fields))
            }
            Value::Enum(value) => {
                let payloads = value
                    .payloads
                    .iter()
                    .map(|payload| {
                        payload.as_ref().map(|fields| {
                            fields
                                .iter()
                                .map(|field| self.map_ssa(field.clone(), f))
                                .collect()
                        })
                    })
                    .collect();
                Value::Enum(Rc::new(EnumValue {
                    payloads,
                    ..(*value).clone()
                }))
            }
            _ => value,
        }
    }
}
