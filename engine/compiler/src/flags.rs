//! The flags: everything that a compilation depends on besides its input.

use crate::isa::Target;
use skerry_environ::MemoryStyle;
use std::fmt;

/// An instruction set, and those of its optional features that the code may use. Each is the guard of rules or chooses among
/// encodings of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CpuFeatures {
    target: Target,
    present: u32,
}

impl CpuFeatures {
    /// None of the optional features of an instruction set: the code runs on every processor that has the set.
    pub fn baseline(target: Target) -> CpuFeatures {
        CpuFeatures { target, present: 0 }
    }

    /// All features of an instruction set that a rule can ask for. The code runs only on a processor that has all of them.
    pub fn all(target: Target) -> CpuFeatures {
        let count = target.feature_names().len() as u32;
        CpuFeatures {
            target,
            present: (1 << count) - 1,
        }
    }

    /// The instruction set and the features of this machine's processor.
    pub fn host() -> CpuFeatures {
        let target = Target::host();
        CpuFeatures {
            target,
            present: target.detected(),
        }
    }

    /// The instruction set that the features belong to.
    pub fn target(self) -> Target {
        self.target
    }

    /// The names of the features that are present, in the order of [`Target::feature_names`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let names = self.target.feature_names().iter().enumerate();
        names
            .filter(move |&(number, _)| self.has(number as u32))
            .map(|(_, &name)| name)
    }

    /// The same with one feature more; `None` if the instruction set has no feature of this name.
    #[must_use]
    pub fn with(mut self, name: &str) -> Option<CpuFeatures> {
        let mut names = self.target.feature_names().iter();
        self.present |= 1 << names.position(|&feature| feature == name)?;
        Some(self)
    }

    /// The names of the features that are present here and not in `other`, which is of the same instruction set.
    pub fn missing_from(self, other: CpuFeatures) -> impl Iterator<Item = &'static str> {
        let present = self.present & !other.present;
        CpuFeatures { present, ..self }.names()
    }

    /// Whether the feature with this number is present.
    #[inline]
    pub(crate) fn has(self, number: u32) -> bool {
        self.present >> number & 1 != 0
    }
}

impl Default for CpuFeatures {
    /// The baseline of this machine's instruction set.
    fn default() -> CpuFeatures {
        CpuFeatures::baseline(Target::host())
    }
}

impl fmt::Debug for CpuFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.target.name())?;
        self.names().try_for_each(|name| write!(f, "+{name}"))
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
    /// The instruction set and the optional features of the processor that the code runs on.
    pub features: CpuFeatures,
    /// How memories are laid out in address space. The code works only in an engine with memories of this style.
    pub memory: MemoryStyle,
    /// Whether the code counts what it executes; see [`translate`](crate::translate) and its table of costs.
    pub fuel: bool,
    /// Whether return addresses are signed while they are on the stack, and indirect branches can lead only to where they are
    /// meant to, where the instruction set, the processor and the kernel can do that (Arm's
    /// FEAT_PAuth and FEAT_BTI). The code runs on all processors; those that cannot check do not.
    pub branch_protection: bool,
    /// Checks each allocation with regalloc2's checker, and each CLIF function with Cranelift's verifier.
    pub check: bool,
    /// Checks the machine code of each module with the [checker of final code](crate::check_sandbox). CLIF texts are not
    /// checked, since they may access what they like. It is off by default, since it
    /// refuses some code that is right.
    pub check_sandbox: bool,
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
            branch_protection: false,
            check: cfg!(debug_assertions),
            check_sandbox: false,
        }
    }
}
