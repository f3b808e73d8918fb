//! Runs CLIF's own verifier.

use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::{Function, InstructionData, Opcode};
use cranelift_codegen::settings::Flags;
use cranelift_codegen::{cursor::Cursor, cursor::FuncCursor};

/// Runs CLIF's own verifier. It accepts `get_pinned_reg` only with one of Cranelift's back
/// ends, which are not linked; so it sees a copy with a constant in its place.
///
/// # Errors
///
/// Returns the verifier's report.
pub fn verify(func: &Function, flags: &Flags) -> Result<(), String> {
    let mut copy = func.clone();
    let mut cursor = FuncCursor::new(&mut copy);
    while cursor.next_block().is_some() {
        while let Some(inst) = cursor.next_inst() {
            let data = &mut cursor.func.dfg.insts[inst];
            if data.opcode() == Opcode::GetPinnedReg {
                *data = InstructionData::UnaryImm {
                    opcode: Opcode::Iconst,
                    imm: Imm64::new(0),
                };
            }
        }
    }
    cranelift_codegen::verify_function(&copy, flags).map_err(|errors| {
        cranelift_codegen::print_errors::pretty_verifier_error(&copy, None, errors)
    })
}
