//! x86_64: the optional features of processors, each with its number in [`CpuFeatures`].

use crate::flags::CpuFeatures;
use cranelift_assembler_x64::AvailableFeatures;

/// The names of the features, in the order of their numbers. All but AVX, which chooses among encodings of one instruction,
/// are guards of rules.
pub const FEATURES: &[&str] = &["bmi1", "bmi2", "lzcnt", "popcnt", "sse4.1", "avx"];

/// The instructions ANDN, BLSI, BLSMSK, BLSR and TZCNT.
pub const BMI1: u32 = 0;
/// The instructions RORX, SARX, SHLX and SHRX.
pub const BMI2: u32 = 1;
/// The instruction LZCNT.
pub const LZCNT: u32 = 2;
/// The instruction POPCNT.
pub const POPCNT: u32 = 3;
/// SSE4.1, of which ROUNDSS and ROUNDSD are used.
pub const SSE41: u32 = 4;
/// AVX, of which the three-operand forms of scalar instructions are used.
pub const AVX: u32 = 5;

/// The features of this machine's processor, as a set of numbers.
#[cfg(target_arch = "x86_64")]
pub fn detect() -> u32 {
    let present = [
        std::arch::is_x86_feature_detected!("bmi1"),
        std::arch::is_x86_feature_detected!("bmi2"),
        std::arch::is_x86_feature_detected!("lzcnt"),
        std::arch::is_x86_feature_detected!("popcnt"),
        std::arch::is_x86_feature_detected!("sse4.1"),
        std::arch::is_x86_feature_detected!("avx"),
    ];
    let bits = present.iter().enumerate();
    bits.fold(0, |set, (number, &present)| {
        set | u32::from(present) << number
    })
}

/// The features of a processor of another kind: none.
#[cfg(not(target_arch = "x86_64"))]
pub fn detect() -> u32 {
    0
}

/// The features as the assembler asks for them.
pub struct Available(pub CpuFeatures);

macro_rules! features {
    ($($feature:ident)+ = $present:expr) => {
        $(fn $feature(&self) -> bool { $present })+
    };
}

macro_rules! optional {
    ($($feature:ident = $number:ident),+) => {
        $(fn $feature(&self) -> bool { self.0.has($number) })+
    };
}

impl AvailableFeatures for Available {
    // These are part of every x86_64.
    features! { _64b sse sse2 = true }
    optional! { sse41 = SSE41, bmi1 = BMI1, bmi2 = BMI2, lzcnt = LZCNT, popcnt = POPCNT, avx = AVX }
    // No rule needs these.
    features! {
        compat sse3 ssse3 sse42 avx2 avx512f avx512vl avx512dq avx512bitalg avx512vbmi cmpxchg16b fma avx_vnni avx512vnni
        = false
    }
}
