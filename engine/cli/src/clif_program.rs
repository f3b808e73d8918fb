//! The values of CLIF's run lines as bits, and the results of calls as messages.

use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{Type, types};
use skerry_runtime::{ClifOutcome, ClifProgram};

/// Calls function `index`; values are bits, zero-extended.
///
/// # Errors
///
/// A message that begins with `trap: ` and says why the function trapped, or one that names the signal that ended
/// it or says why it cannot be called.
pub(crate) fn call(
    program: &mut ClifProgram,
    index: usize,
    arguments: &[u64],
) -> Result<Vec<u64>, String> {
    let outcome = program.call(index, arguments);
    match outcome.map_err(|error| format!("no process for the call: {error}"))? {
        ClifOutcome::Returned(results) => Ok(results),
        ClifOutcome::Trapped(code) => Err(format!("trap: {code}")),
        ClifOutcome::Killed { signal: 11 } => {
            Err("signal 11 (SIGSEGV): it accesses a wrong address".into())
        }
        ClifOutcome::Killed { signal } => Err(format!("signal {signal} ended it")),
        ClifOutcome::Refused(why) => Err(why),
        other => Err(format!("{other:?}")),
    }
}

/// The bits above a narrow integer are unspecified; these are put there, so that code which relies on zeros fails.
const GARBAGE: u32 = 0x5a5a_5a00;

/// The bits of an argument.
///
/// # Errors
///
/// The value cannot be passed.
pub(crate) fn to_bits(value: &DataValue) -> Result<u64, String> {
    Ok(match *value {
        DataValue::I8(value) => u64::from(GARBAGE | u32::from(value as u8)),
        DataValue::I16(value) => u64::from(GARBAGE & 0xffff_0000 | u32::from(value as u16)),
        DataValue::I32(value) => u64::from(value as u32),
        DataValue::I64(value) => value as u64,
        DataValue::F32(value) => u64::from(value.bits()),
        DataValue::F64(value) => value.bits(),
        ref other => return Err(format!("values like {other} cannot be passed")),
    })
}

/// The result of this type with these bits.
///
/// # Errors
///
/// The value cannot be returned.
pub(crate) fn from_bits(ty: Type, bits: u64) -> Result<DataValue, String> {
    Ok(match ty {
        types::I8 => DataValue::I8(bits as i8),
        types::I16 => DataValue::I16(bits as i16),
        types::I32 => DataValue::I32(bits as i32),
        types::I64 => DataValue::I64(bits as i64),
        types::F32 => DataValue::F32(Ieee32::with_bits(bits as u32)),
        types::F64 => DataValue::F64(Ieee64::with_bits(bits)),
        other => return Err(format!("values of type {other} cannot be returned")),
    })
}
