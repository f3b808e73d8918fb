//! x86_64: which of the assembler's instructions the features of a processor allow.

use crate::flags::CpuFeatures;
use cranelift_assembler_x64::AvailableFeatures;

macro_rules! never {
    ($($feature:ident)+) => {
        $(fn $feature(&self) -> bool { false })+
    };
}

impl AvailableFeatures for CpuFeatures {
    fn _64b(&self) -> bool {
        true
    }
    fn compat(&self) -> bool {
        false
    }
    // Part of every x86_64.
    fn sse(&self) -> bool {
        true
    }
    fn sse2(&self) -> bool {
        true
    }
    fn sse41(&self) -> bool {
        self.sse41
    }
    fn bmi1(&self) -> bool {
        self.bmi1
    }
    fn bmi2(&self) -> bool {
        self.bmi2
    }
    fn lzcnt(&self) -> bool {
        self.lzcnt
    }
    fn popcnt(&self) -> bool {
        self.popcnt
    }
    fn avx(&self) -> bool {
        self.avx
    }
    never! { sse3 ssse3 sse42 avx2 avx512f avx512vl avx512dq avx512bitalg avx512vbmi cmpxchg16b fma avx_vnni avx512vnni }
}
