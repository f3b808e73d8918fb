//! x86_64: which of the assembler's instructions a processor with given features can run.

use crate::flags::CpuFeatures;
use cranelift_assembler_x64::AvailableFeatures;

macro_rules! features {
    ($($feature:ident)+ = $present:expr) => {
        $(fn $feature(&self) -> bool { $present })+
    };
}

macro_rules! detected {
    ($($feature:ident)+) => {
        $(fn $feature(&self) -> bool { self.$feature })+
    };
}

impl AvailableFeatures for CpuFeatures {
    // These are part of every x86_64.
    features! { _64b sse sse2 = true }
    detected! { sse41 bmi1 bmi2 lzcnt popcnt avx }
    // No rule needs these.
    features! {
        compat sse3 ssse3 sse42 avx2 avx512f avx512vl avx512dq avx512bitalg avx512vbmi cmpxchg16b fma avx_vnni avx512vnni
        = false
    }
}
