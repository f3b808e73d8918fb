//! A value that a sunk load is part of is computed nowhere else: no term may need it in a register.
//!
//! That holds of the load's own value, and of the values that the pattern computes from it between the load and the
//! rule's instruction: were that emitted, it would ask for the load's register. A term that sinks a load by its own
//! rules hides which load it is: it may be any operand of the term, or any value that one of its operands is
//! computed from.
//!
//! A callee's pattern gives names of its own to the operands of a value. So where a value that is computed
//! from a load was matched more than once, the load may be any operand of the other match.

use super::{Eval, Path, uncovered};
use crate::value::Value;
use cranelift_isle::sema::TermId;
use std::collections::HashSet;

impl Path<'_, '_> {
    /// Notes that a term with a spec, whose rules sink no load, may need its operands computed.
    pub(crate) fn note_uses(&mut self, term: TermId, args: &[Value]) {
        let program = self.program;
        if program.sinking.contains(&term) {
            return;
        }
        let types = &program.terms.terms[term.index()].arg_tys;
        for (&ty, arg) in types.iter().zip(args) {
            if program.type_name(ty) == "Value" {
                self.uses.push((arg.clone(), program.term_name(term)));
            }
        }
    }

    /// Refuses a rule in which a term needs a value that a sunk load is part of.
    pub(crate) fn check_uses(&self) -> Eval<()> {
        let not_computed = self.not_computed();
        for (value, term) in &self.uses {
            let Some(serial) = self.serial(value) else {
                continue;
            };
            if not_computed.contains(&serial) {
                let name = self
                    .display
                    .variables
                    .iter()
                    .find(|(_, other)| self.serial(other) == Some(serial))
                    .map_or("a value", |(name, _)| name);
                return uncovered(format!(
                    "`{term}` needs `{name}` in a register, but a load that may be sunk is part of it: then \
                     nothing computes it"
                ));
            }
        }
        Ok(())
    }

    /// Serial numbers of the values that are not computed by themselves because a load is sunk.
    fn not_computed(&self) -> HashSet<u32> {
        let definitions: Vec<(u32, HashSet<u32>)> = self
            .definitions
            .iter()
            .filter_map(|(value, operands)| {
                let operands = operands.iter().filter_map(|operand| self.serial(operand));
                Some((self.serial(value)?, operands.collect()))
            })
            .collect();
        let serials = |values: &[Value]| -> HashSet<u32> {
            values
                .iter()
                .filter_map(|value| self.serial(value))
                .collect()
        };
        let sunk: Vec<Value> = self
            .sunk_instructions
            .iter()
            .map(|(value, _)| value.clone())
            .collect();
        let sunk = serials(&sunk);
        let mut below = serials(&self.may_sink);
        let mut above: HashSet<u32> = &sunk | &below;
        // Add the values that are computed from these, and the operands of such values in other matches.
        while let Some((value, _)) = definitions
            .iter()
            .find(|(value, operands)| !above.contains(value) && !above.is_disjoint(operands))
        {
            above.insert(*value);
        }
        for (value, operands) in &definitions {
            if above.contains(value) && !sunk.contains(value) && above.is_disjoint(operands) {
                below.extend(operands);
            }
        }
        while let Some((_, operands)) = definitions
            .iter()
            .find(|(value, operands)| below.contains(value) && !operands.is_subset(&below))
        {
            below.extend(operands);
        }
        &above | &below
    }

    pub(crate) fn serial(&self, value: &Value) -> Option<u32> {
        match self.resolve(value) {
            Value::BitVec(_, Some(ssa)) => Some(self.first_serial(ssa.serial)),
            _ => None,
        }
    }
}
