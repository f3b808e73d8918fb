//! What a compilation depends on besides its input.

use skerry_environ::MemoryStyle;

/// Optional instructions of the processor that the code runs on. Each is the guard of rules, but for AVX, which
/// chooses among encodings of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuFeatures {
    /// ANDN, BLSI, BLSMSK, BLSR, TZCNT.
    pub bmi1: bool,
    /// RORX, SARX, SHLX, SHRX.
    pub bmi2: bool,
    /// LZCNT.
    pub lzcnt: bool,
    /// POPCNT.
    pub popcnt: bool,
    /// SSE4.1: ROUNDSS, ROUNDSD.
    pub sse41: bool,
    /// AVX: the three-operand forms of instructions of scalars.
    pub avx: bool,
}

impl CpuFeatures {
    /// Everything that a rule can ask for: the code runs on no machine but the newest.
    pub fn all() -> CpuFeatures {
        CpuFeatures {
            bmi1: true,
            bmi2: true,
            lzcnt: true,
            popcnt: true,
            sse41: true,
            avx: true,
        }
    }

    /// What this machine has.
    #[cfg(target_arch = "x86_64")]
    pub fn host() -> CpuFeatures {
        CpuFeatures {
            bmi1: std::arch::is_x86_feature_detected!("bmi1"),
            bmi2: std::arch::is_x86_feature_detected!("bmi2"),
            lzcnt: std::arch::is_x86_feature_detected!("lzcnt"),
            popcnt: std::arch::is_x86_feature_detected!("popcnt"),
            sse41: std::arch::is_x86_feature_detected!("sse4.1"),
            avx: std::arch::is_x86_feature_detected!("avx"),
        }
    }

    /// What this machine has: nothing that compiled code could use.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn host() -> CpuFeatures {
        CpuFeatures::default()
    }
}

/// How much the mid-end does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// Nothing.
    None,
    /// All that makes code faster.
    #[default]
    Speed,
}

/// What a compilation depends on besides its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags {
    /// How much the mid-end does.
    pub opt_level: OptLevel,
    /// What the processor has.
    pub features: CpuFeatures,
    /// How memories lie in address space. The code is for an engine with memories of this style only.
    pub memory: MemoryStyle,
    /// Checks each allocation with regalloc2's checker, and each CLIF function with Cranelift's verifier.
    pub check: bool,
}

impl Default for Flags {
    /// All optimisations for this machine; checks in debug builds.
    fn default() -> Flags {
        Flags {
            opt_level: OptLevel::default(),
            features: CpuFeatures::host(),
            memory: MemoryStyle::default(),
            check: cfg!(debug_assertions),
        }
    }
}
