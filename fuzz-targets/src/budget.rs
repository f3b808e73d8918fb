//! Runs under fuel and limits that just suffice or do not, compared with runs of Skerry that have plenty.
//!
//! No interpreter counts fuel as Skerry does, so the reference is a run with plenty of everything. From it come the fuel
//! that the case uses and the largest memory and table that it has; then:
//!
//! * the same fuel is used with the mid-end the other way, without any optional instruction and with memories bounded the
//!   other way;
//! * exactly that much memory, and tables as large, are enough: the outcome is the same;
//! * with one page or element less, and with part of the fuel, the outcome is the same with and without the mid-end, down to
//!   the bytes of memories; no memory and no table passes its limit; and what comes before the fuel is used up is what
//!   comes with plenty.

use crate::compare::difference;
use crate::generate::Case;
use crate::outcome::{Outcome, Stop};
use crate::subject::{self, Budget, Used};
use skerry_runtime::{CpuFeatures, Flags, MemoryStyle, OptLevel, TrapCode};

/// Checks `case`, whose outcome with plenty is right.
///
/// # Errors
///
/// A description of the first difference.
pub fn check(case: &Case, flags: Flags) -> Result<(), String> {
    let flags = Flags {
        fuel: true,
        ..flags
    };
    let plain = Flags {
        opt_level: match flags.opt_level {
            OptLevel::None => OptLevel::Speed,
            OptLevel::Speed => OptLevel::None,
        },
        features: CpuFeatures::default(),
        memory: match flags.memory == MemoryStyle::default() {
            true => MemoryStyle::SMALL,
            false => MemoryStyle::default(),
        },
        ..flags
    };
    let [ours, plain] = [flags, plain].map(|flags| subject::Compiled::new(case, flags));
    let both = |budget: Budget| -> Result<(Outcome, Used), String> {
        let (outcome, used) = ours.run(case, budget);
        let (other, other_used) = plain.run(case, budget);
        if used != other_used {
            return Err(format!(
                "{budget:?}: used {used:?}, with the mid-end the other way {other_used:?}"
            ));
        }
        match difference(&outcome, &other) {
            Some(how) => Err(format!("{budget:?}: with the mid-end the other way {how}")),
            None => Ok((outcome, used)),
        }
    };
    let plenty = Budget::default();
    let (whole, used) = both(plenty)?;

    let exact = Budget {
        fuel: used.fuel,
        memory: used.memory,
        table: used.table,
    };
    let (same, _) = both(exact)?;
    if let Some(how) = difference(&whole, &same) {
        return Err(format!("{exact:?} is enough, but {how}"));
    }

    let less = Budget {
        memory: used.memory.saturating_sub(1 << 16),
        table: used.table.saturating_sub(1),
        ..plenty
    };
    let (_, narrow) = both(less)?;
    if narrow.memory > less.memory || narrow.table > less.table {
        return Err(format!("{less:?} is passed: {narrow:?}"));
    }

    for fuel in [0, used.fuel / 7, used.fuel / 2, used.fuel.saturating_sub(1)] {
        let (short, _) = both(Budget { fuel, ..plenty })?;
        prefix(&whole, &short).map_err(|how| format!("with {fuel} of fuel: {how}"))?;
    }
    Ok(())
}

/// Whether `short` did what `whole` did until it ran out of fuel.
fn prefix(whole: &Outcome, short: &Outcome) -> Result<(), String> {
    let out = |stop: &Stop| *stop == Stop::Trap(TrapCode::OutOfFuel);
    if short.instantiation.as_ref().is_some_and(out) {
        return Ok(());
    }
    if short.instantiation != whole.instantiation {
        return Err(format!("instantiation: {:?}", short.instantiation));
    }
    let before = short
        .calls
        .iter()
        .take_while(|call| !call.as_ref().is_err_and(out));
    for (number, (short, whole)) in before.zip(&whole.calls).enumerate() {
        if short != whole {
            return Err(format!("call {number}: expected {whole:?}, got {short:?}"));
        }
    }
    Ok(())
}
