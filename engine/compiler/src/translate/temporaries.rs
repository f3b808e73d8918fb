//! Finds locals that are temporaries: each read of a temporary follows a write in the same straight line of code.
//!
//! A C compiler without optimisation gives each intermediate result a local of its own, tens of thousands in the loop of
//! an interpreter. The SSA builder has a table over all blocks for each variable, so such a function would take
//! gigabytes. A temporary needs no variable: its value is the one that was written last.
//!
//! The search reads all operators of a function once more, so it is done only for functions with many locals and much
//! code. The CLIF is the same with and without it.

use wasmparser::{FunctionBody, Operator};

/// The product of locals and bytes of code from which on a function is searched.
const WORTHWHILE: u64 = 1 << 24;
/// The number of locals that a function may have.
const MAX_LOCALS: u32 = 50_000;

/// For each local of a function with `params` parameters whether it is a temporary. Locals after the end of the list are
/// none.
pub(super) fn temporaries(body: &FunctionBody<'_>, params: u32) -> Vec<bool> {
    let size = body.range().end - body.range().start;
    match declared(body) {
        Some(locals) if locals * size >= WORTHWHILE => find(body, params).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn declared(body: &FunctionBody<'_>) -> Option<u64> {
    let groups = body.get_locals_reader().ok()?;
    let mut sum = 0;
    for group in groups {
        sum += u64::from(group.ok()?.0);
    }
    Some(sum)
}

/// The same without a threshold, or `None` for a body that cannot be read; validation says why.
fn find(body: &FunctionBody<'_>, params: u32) -> Option<Vec<bool>> {
    let mut operators = body.get_operators_reader().ok()?;
    let mut line = 1_u32;
    // The number of the straight line in which each local was written last, and whether it is no temporary.
    let mut written: Vec<u32> = Vec::new();
    let mut other: Vec<bool> = Vec::new();
    while !operators.eof() {
        let (local, write) = match operators.read().ok()? {
            Operator::LocalGet { local_index } => (local_index, false),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                (local_index, true)
            }
            operator if ends_line(&operator) => {
                line += 1;
                continue;
            }
            _ => continue,
        };
        if local >= MAX_LOCALS {
            return None;
        }
        let index = local as usize;
        if written.len() <= index {
            written.resize(index + 1, 0);
            other.resize(index + 1, false);
        }
        if write {
            written[index] = line;
        } else if written[index] != line {
            other[index] = true;
        }
    }
    let temporary = |(index, &other): (usize, &bool)| index >= params as usize && !other;
    Some(other.iter().enumerate().map(temporary).collect())
}

/// Whether a straight line of code ends before or after this operator.
fn ends_line(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::Unreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::translate_module;

    #[test]
    fn a_local_that_a_block_hands_to_another_is_no_temporary() {
        let wasm = wat::parse_str(
            "(module (func (param i32) (local i32 i32 i32 i32 i32)
               (local.set 0 (i32.const 1)) (drop (local.get 0))
               (local.set 1 (i32.const 1)) (drop (local.get 1))
               (local.set 2 (i32.const 1)) (if (local.get 2) (then (local.set 1 (i32.const 2)) (drop (local.get 1))))
               (local.set 3 (i32.const 1)) (if (local.get 2) (then (drop (local.get 3))))
               (drop (local.get 4)) (local.set 4 (i32.const 1))
               (drop (local.tee 5 (i32.const 1))) (drop (local.get 5))))",
        );
        let wasm = wasm.expect("the text is right");
        let translation = translate_module(&wasm).expect("the module is valid");
        let body = &translation
            .bodies
            .values()
            .next()
            .expect("it has a function")
            .body;
        // The parameter; one that is written in two lines and read in each; two that are read in another line than they
        // are written; one that is read first; one that is read twice.
        let found = find(body, 1).expect("the body can be read");
        assert_eq!(found, [false, true, false, false, false, true]);
        assert!(temporaries(body, 1).is_empty(), "it is small");
    }
}
