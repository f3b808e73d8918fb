//! Finds the functions of a module that keep the vmctx, which are those after whose return the vmctx register has
//! the value that it had at the call.
//!
//! A tail call of an imported function, or of one in a table, goes to another vmctx and does not come back, so
//! the caller must restore its own (`crate::abi` has the convention). A caller of a function
//! that keeps the vmctx need not, and in a module without tail calls that is every function. To know it before the
//! first function is translated, each body that could hold a tail call is read once more, without validation: a
//! malformed body is cut short here and refused by the translation.
//!
//! A function does not keep the vmctx exactly if, along direct tail calls, a tail call to another vmctx is reached.

use super::module::FunctionBody;
use cranelift_entity::EntitySet;
use skerry_environ::{DefinedFuncIndex, FuncIndex, Module, PrimaryMap};
use wasmparser::{BinaryReaderError, Operator};

/// The opcodes of `return_call` and `return_call_indirect`.
const OPCODES: [u8; 2] = [0x12, 0x13];

/// The functions that do not keep the vmctx.
pub(super) fn vmctx_changers(
    module: &Module,
    bodies: &PrimaryMap<DefinedFuncIndex, FunctionBody<'_>>,
) -> EntitySet<DefinedFuncIndex> {
    let mut tail_calls = TailCalls::default();
    for body in bodies.values() {
        let bytes = body.body.as_bytes();
        if bytes.iter().any(|byte| OPCODES.contains(byte)) {
            // A body that cannot be read is refused by the translation.
            let _ = tail_calls.read(module, body);
        }
    }
    tail_calls.changers()
}

/// The tail calls of a module.
#[derive(Default)]
struct TailCalls {
    /// The functions with a tail call to another vmctx.
    leaving: Vec<DefinedFuncIndex>,
    /// The direct tail calls, each as callee and caller.
    direct: Vec<(DefinedFuncIndex, DefinedFuncIndex)>,
}

impl TailCalls {
    fn read(&mut self, module: &Module, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let mut operators = body.body.get_operators_reader()?;
        while !operators.eof() {
            let callee = match operators.read()? {
                Operator::ReturnCall { function_index } => {
                    // The index is not validated yet.
                    let known = (function_index as usize) < module.functions.len();
                    let callee = known.then(|| FuncIndex::from_u32(function_index));
                    callee.and_then(|callee| module.defined_func(callee))
                }
                Operator::ReturnCallIndirect { .. } => None,
                _ => continue,
            };
            match callee {
                Some(callee) => self.direct.push((callee, body.index)),
                None => {
                    self.leaving.push(body.index);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// All functions that reach one of `leaving` along direct tail calls.
    fn changers(mut self) -> EntitySet<DefinedFuncIndex> {
        self.direct.sort_unstable();
        let mut changers = EntitySet::new();
        let mut todo = self.leaving;
        while let Some(func) = todo.pop() {
            if !changers.insert(func) {
                continue;
            }
            let first = self.direct.partition_point(|call| call.0 < func);
            let callers = self.direct[first..].iter();
            todo.extend(callers.take_while(|call| call.0 == func).map(|call| call.1));
        }
        changers
    }
}

#[cfg(test)]
mod tests {
    use crate::translate::translate_module;
    use skerry_environ::DefinedFuncIndex;

    fn changers(wat: &str) -> Vec<u32> {
        let wasm = wat::parse_str(wat).expect("the test is well-formed");
        let module = translate_module(&wasm).expect("the test is valid");
        let changes = |index: &DefinedFuncIndex| !module.keeps_vmctx(*index);
        let changers = module.bodies.keys().filter(changes);
        changers.map(DefinedFuncIndex::as_u32).collect()
    }

    #[test]
    fn whoever_reaches_another_vmctx_by_tail_calls_changes_it() {
        let text = r#"(module
            (import "m" "f" (func $import))
            (table 1 funcref)
            (func $0 (return_call $1))
            (func $1 (return_call $2))
            (func $2 (return_call $import))
            (func $3 (call $2) (call $import) (call_indirect (i32.const 0)))
            (func $4 (if (i32.const 1) (then (return_call $3))) (return_call $5))
            (func $5 (return_call $4))
            (func $6 (if (i32.const 1) (then (return_call $7))) (return_call $8))
            (func $7 (return_call $6))
            (func $8 (drop (i32.const 1)) (return_call_indirect (i32.const 0))))"#;
        assert_eq!(changers(text), [0, 1, 2, 6, 7, 8]);
    }

    #[test]
    fn without_tail_calls_all_keep_it() {
        // The immediates 18 and 19 have the bytes of the opcodes.
        let text = r#"(module
            (import "m" "f" (func $import))
            (func (call $import) (drop (i32.const 18)) (drop (i32.const 19))))"#;
        assert_eq!(changers(text), []);
    }
}
