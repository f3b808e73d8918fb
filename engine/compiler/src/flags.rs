//! The flags: everything that a compilation depends on besides its input.

use skerry_environ::MemoryStyle;

/// Optional instructions of the processor that the code runs on. Each is the guard of rules, but for AVX, which
/// chooses among encodings of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuFeatures {
    /// The instructions ANDN, BLSI, BLSMSK, BLSR and TZCNT.
    pub bmi1: bool,
    /// The instructions RORX, SARX, SHLX and SHRX.
    pub bmi2: bool,
    /// The instruction LZCNT.
    pub lzcnt: bool,
    /// The instruction POPCNT.
    pub popcnt: bool,
    /// SSE4.1, of which ROUNDSS and ROUNDSD are used.
    pub sse41: bool,
    /// AVX, of which the three-operand forms of scalar instructions are used.
    pub avx: bool,
}

impl CpuFeatures {
    /// All features that a rule can ask for. The code runs only on a processor that has all of them.
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

    /// The features of this machine's processor.
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

    /// The features of this machine's processor, none of which compiled code could use.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn host() -> CpuFeatures {
        CpuFeatures::default()
    }
}

/// How much the mid-end optimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// Nothing is optimised.
    None,
    /// The code is optimised for speed.
    #[default]
    Speed,
}

/// The algorithm that allocates registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegallocAlgorithm {
    /// regalloc2's backtracking allocator, which makes the best code. A function on which it would work for seconds
    /// gets [`SinglePass`](Self::SinglePass) instead.
    #[default]
    Backtracking,
    /// regalloc2's allocator of one backward pass, in which every value that lives across blocks has a place on the
    /// stack. Its time is nearly linear in the size of the function, and its code is slower.
    SinglePass,
}

/// Everything that a compilation depends on besides its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags {
    /// How much the mid-end optimises.
    pub opt_level: OptLevel,
    /// The algorithm that allocates registers.
    pub regalloc: RegallocAlgorithm,
    /// The optional features of the processor that the code runs on.
    pub features: CpuFeatures,
    /// How memories are laid out in address space. The code works only in an engine with memories of this style.
    pub memory: MemoryStyle,
    /// Whether the code counts what it executes; see [`translate`](crate::translate) and its table of costs.
    pub fuel: bool,
    /// Checks each allocation with regalloc2's checker, and each CLIF function with Cranelift's verifier.
    pub check: bool,
}

impl Default for Flags {
    /// All optimisations, for this machine; checks are on in debug builds.
    fn default() -> Flags {
        Flags {
            opt_level: OptLevel::default(),
            regalloc: RegallocAlgorithm::default(),
            features: CpuFeatures::host(),
            memory: MemoryStyle::default(),
            fuel: false,
            check: cfg!(debug_assertions),
        }
    }
}
