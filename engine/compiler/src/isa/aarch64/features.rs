//! aarch64: the optional features of processors, each with its number in [`CpuFeatures`](crate::flags::CpuFeatures).

/// The names of the features, in the order of their numbers: none. All rules are for Armv8.0.
pub const FEATURES: &[&str] = &[];

/// The features of this machine's processor, as a set of numbers.
pub fn detect() -> u32 {
    0
}
