//! aarch64: the immediates that an instruction word can hold, and the shortest instructions for those that none can.

use super::operands::ScalarSize;

/// The immediate of ADD and SUB: 12 bits, perhaps shifted left by 12 (Arm ARM, C6.2, "ADD (immediate)").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imm12 {
    bits: u16,
    shifted: bool,
}

impl Imm12 {
    /// The number 0.
    pub const ZERO: Imm12 = Imm12 {
        bits: 0,
        shifted: false,
    };

    /// The immediate for this number, if there is one.
    pub fn new(number: u64) -> Option<Imm12> {
        match number {
            0..=0xfff => Some(Imm12 {
                bits: number as u16,
                shifted: false,
            }),
            0x1000..=0xff_ffff if number & 0xfff == 0 => Some(Imm12 {
                bits: (number >> 12) as u16,
                shifted: true,
            }),
            _ => None,
        }
    }

    /// The number.
    #[cfg(test)]
    pub fn value(self) -> u64 {
        u64::from(self.bits) << if self.shifted { 12 } else { 0 }
    }

    /// The fields `sh` and `imm12`, as they are in the word.
    pub(super) fn encode(self) -> u32 {
        u32::from(self.shifted) << 22 | u32::from(self.bits) << 10
    }
}

/// The immediate of AND, ORR and EOR: a run of ones within an element of 2, 4, 8, 16, 32 or 64 bits, rotated, and
/// repeated to fill the register (Arm ARM, pseudocode function `DecodeBitMasks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImmLogic {
    n: u8,
    immr: u8,
    imms: u8,
}

impl ImmLogic {
    /// The immediate for this pattern of 64 bits, if there is one. It serves instructions of 32 bits as well, if
    /// both halves are equal.
    pub fn new(pattern: u64) -> Option<ImmLogic> {
        if pattern == 0 || pattern == u64::MAX {
            return None;
        }
        // The smallest element that, repeated, gives the pattern.
        let mut size = 64;
        while size > 2 {
            let half = size / 2;
            let mask = (1u64 << half) - 1;
            if pattern & mask != pattern >> half & mask {
                break;
            }
            size = half;
        }
        let mask = u64::MAX >> (64 - size);
        let element = pattern & mask;
        let ones = element.count_ones();
        let rotated_right = |amount: u32| match amount {
            0 => element,
            amount => (element >> amount | element << (size - amount)) & mask,
        };
        // The run of ones begins at `start`; rotating it right by that much brings it to bit 0.
        let start = match element & 1 {
            0 => element.trailing_zeros(),
            _ => (size - (!element & mask).leading_zeros().wrapping_sub(64 - size)) % size,
        };
        if rotated_right(start) != u64::MAX >> (64 - ones) {
            return None;
        }
        // `imms` has the length of the run less one, below ones that tell the size of the element.
        let size_bits = !(size as u8 * 2 - 1) & 0x3f;
        Some(ImmLogic {
            n: u8::from(size == 64),
            immr: ((size - start) % size) as u8,
            imms: size_bits | (ones as u8 - 1),
        })
    }

    /// The immediate for the low 32 bits of a pattern, if there is one.
    pub fn new_32(pattern: u32) -> Option<ImmLogic> {
        ImmLogic::new(u64::from(pattern) << 32 | u64::from(pattern))
    }

    /// The pattern of 64 bits.
    #[cfg(test)]
    pub fn value(self) -> u64 {
        decode_bit_masks(self.n, self.immr, self.imms).expect("only patterns are made")
    }

    /// Whether only instructions of 64 bits can have it.
    pub fn is_wide(self) -> bool {
        self.n == 1
    }

    /// The fields `N`, `immr` and `imms`, as they are in the word.
    pub(super) fn encode(self) -> u32 {
        u32::from(self.n) << 22 | u32::from(self.immr) << 16 | u32::from(self.imms) << 10
    }
}

/// The pattern of a logical immediate, after the Arm ARM's pseudocode function `DecodeBitMasks`; `None` where that
/// says the encoding is undefined.
pub(super) fn decode_bit_masks(n: u8, immr: u8, imms: u8) -> Option<u64> {
    let size_bits = u32::from(n) << 6 | u32::from(!imms & 0x3f);
    let len = 31u32.checked_sub(size_bits.leading_zeros())?;
    if len < 1 {
        return None;
    }
    let (size, levels) = (1u32 << len, (1u8 << len) - 1);
    let (s, r) = (u32::from(imms & levels), u32::from(immr & levels));
    if s == u32::from(levels) {
        return None;
    }
    let run = (1u64 << (s + 1)) - 1;
    let mask = u64::MAX >> (64 - size);
    let element = match r {
        0 => run,
        r => (run >> r | run << (size - r)) & mask,
    };
    let mut pattern = element;
    let mut filled = size;
    while filled < 64 {
        pattern |= pattern << filled;
        filled *= 2;
    }
    Some(pattern)
}

/// The immediate of FMOV: a floating-point number that eight bits say (Arm ARM, pseudocode function `VFPExpandImm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatImm(u8);

impl FloatImm {
    /// The immediate for a number of this size, if there is one. Of a number of 32 bits the high half is zero.
    pub fn new(size: ScalarSize, bits: u64) -> Option<FloatImm> {
        let imm8 = match size {
            ScalarSize::Size64 => (bits >> 56 & 0x80 | bits >> 48 & 0x7f) as u8,
            ScalarSize::Size32 => (bits >> 24 & 0x80 | bits >> 19 & 0x7f) as u8,
        };
        let made = match size {
            ScalarSize::Size64 => expand_imm8(imm8),
            ScalarSize::Size32 => expand_imm8_32(imm8).into(),
        };
        (made == bits).then_some(FloatImm(imm8))
    }

    /// The field `imm8`, as it is in the word.
    pub(super) fn encode(self) -> u32 {
        u32::from(self.0) << 13
    }
}

/// The immediate of CCMP and CCMN: 0 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imm5(u8);

impl Imm5 {
    /// The immediate for this number, if there is one.
    pub fn new(number: u64) -> Option<Imm5> {
        (number < 32).then_some(Imm5(number as u8))
    }

    /// The field `imm5`, as it is in the word.
    pub(super) fn encode(self) -> u32 {
        u32::from(self.0) << 16
    }
}

/// The number of 64 bits that FMOV (immediate) makes of eight bits.
pub(super) fn expand_imm8(imm8: u8) -> u64 {
    let sign = u64::from(imm8 >> 7);
    let exponent = match imm8 >> 6 & 1 {
        0 => 0x400,
        _ => 0x3fc,
    } | u64::from(imm8 >> 4 & 3);
    sign << 63 | exponent << 52 | u64::from(imm8 & 0xf) << 48
}

/// The number of 32 bits that FMOV (immediate) makes of eight bits.
pub(super) fn expand_imm8_32(imm8: u8) -> u32 {
    (f64::from_bits(expand_imm8(imm8)) as f32).to_bits()
}

/// An instruction that makes or changes a constant in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantStep {
    /// MOVZ of 16 bits, shifted left by 16 times the second number.
    Movz(u16, u8),
    /// MOVN of 16 bits, at 64 bits.
    Movn(u16, u8),
    /// MOVN of 16 bits, at 32 bits.
    Movn32(u16, u8),
    /// ORR of the zero register with a logical immediate, at 64 bits.
    Orr(ImmLogic),
    /// ORR of the zero register with a logical immediate, at 32 bits.
    Orr32(ImmLogic),
    /// MOVK of 16 bits.
    Movk(u16, u8),
}

/// A short sequence of instructions that put a constant of 64 bits in a register: one to four, the first of which
/// depends on nothing.
pub fn constant(value: u64) -> smallvec::SmallVec<[ConstantStep; 4]> {
    use ConstantStep::*;
    let halves: [u16; 4] = std::array::from_fn(|index| (value >> (16 * index)) as u16);
    let count = |skipped: u16| halves.iter().filter(|&&half| half != skipped).count();
    let (from_zero, from_ones) = (count(0), count(0xffff));
    // One instruction?
    if from_zero <= 1 {
        let index = halves.iter().position(|&half| half != 0).unwrap_or(0);
        return smallvec::smallvec![Movz(halves[index], index as u8)];
    }
    if from_ones <= 1 {
        let index = halves.iter().position(|&half| half != 0xffff).unwrap_or(0);
        return smallvec::smallvec![Movn(!halves[index], index as u8)];
    }
    if value >> 32 == 0 {
        if halves[1] == 0xffff {
            return smallvec::smallvec![Movn32(!halves[0], 0)];
        }
        if halves[0] == 0xffff {
            return smallvec::smallvec![Movn32(!halves[1], 1)];
        }
        if let Some(imm) = ImmLogic::new_32(value as u32) {
            return smallvec::smallvec![Orr32(imm)];
        }
    }
    if let Some(imm) = ImmLogic::new(value) {
        return smallvec::smallvec![Orr(imm)];
    }
    // Two, if a logical immediate differs in 16 bits.
    if from_zero.min(from_ones) > 2 {
        for index in 0..4u8 {
            let shift = 16 * u32::from(index);
            for other in [0, 0xffff, halves[usize::from(index ^ 2)]] {
                let near = value & !(0xffff << shift) | u64::from(other) << shift;
                if let Some(imm) = ImmLogic::new(near) {
                    return smallvec::smallvec![Orr(imm), Movk(halves[usize::from(index)], index)];
                }
            }
        }
    }
    // As many as there are halves that differ from the first instruction's filler.
    let (skipped, first): (u16, fn(u16, u8) -> ConstantStep) = match from_zero <= from_ones {
        true => (0, Movz),
        false => (0xffff, |half, index| Movn(!half, index)),
    };
    let differing = (0..4u8).filter(|&index| halves[usize::from(index)] != skipped);
    differing
        .enumerate()
        .map(|(number, index)| {
            let half = halves[usize::from(index)];
            match number {
                0 => first(half, index),
                _ => Movk(half, index),
            }
        })
        .collect()
}

/// All patterns of logical immediates, made from their definition: a run of ones in an element, rotated and repeated.
#[cfg(test)]
pub(super) fn patterns() -> std::collections::BTreeSet<u64> {
    let mut patterns = std::collections::BTreeSet::new();
    for size in [2u32, 4, 8, 16, 32, 64] {
        let copies = |element: u64| -> u64 {
            (0..64 / size).fold(0, |pattern, copy| pattern | element << (copy * size))
        };
        for ones in 1..size {
            for start in 0..size {
                let bits = (0..ones).map(|bit| 1u64 << ((start + bit) % size));
                patterns.insert(copies(bits.sum()));
            }
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_logical_immediates_are_all_patterns_and_nothing_else() {
        let patterns = patterns();
        assert_eq!(patterns.len(), 5334, "as many as the encoding has");
        for &pattern in &patterns {
            let imm = ImmLogic::new(pattern).unwrap_or_else(|| panic!("{pattern:#x}"));
            assert_eq!(imm.value(), pattern, "{imm:?}");
            assert_eq!(imm.is_wide(), pattern >> 32 != pattern & 0xffff_ffff);
            // One bit more or less makes it something that is encoded only if it is a pattern as well.
            for bit in 0..64 {
                let near = pattern ^ 1 << bit;
                assert_eq!(ImmLogic::new(near).is_some(), patterns.contains(&near));
            }
        }
        let decoded: BTreeSet<u64> = (0..1u32 << 13)
            .filter_map(|fields| {
                decode_bit_masks(
                    (fields >> 12) as u8,
                    fields as u8 & 0x3f,
                    (fields >> 6) as u8 & 0x3f,
                )
            })
            .collect();
        assert_eq!(decoded, patterns, "every encoding is a pattern");
        assert_eq!(ImmLogic::new(0), None);
        assert_eq!(ImmLogic::new(u64::MAX), None);
    }

    #[test]
    fn twelve_bits_at_two_places() {
        for number in (0..0x200_0000).step_by(0x7ff).chain(0..0x2001) {
            let fits = number < 0x1000 || number & 0xfff == 0 && number < 0x100_0000;
            assert_eq!(Imm12::new(number).is_some(), fits, "{number:#x}");
            assert!(Imm12::new(number).is_none_or(|imm| imm.value() == number));
        }
        assert_eq!(Imm12::new(0xfff000).map(Imm12::value), Some(0xfff000));
        assert_eq!(Imm12::new(u64::MAX), None);
    }

    /// What a sequence leaves in the register.
    fn run(steps: &[ConstantStep]) -> u64 {
        use ConstantStep::*;
        steps.iter().fold(0xdead_beef, |old, step| match *step {
            Movz(half, index) => u64::from(half) << (16 * index),
            Movn(half, index) => !(u64::from(half) << (16 * index)),
            Movn32(half, index) => u64::from(!(u32::from(half) << (16 * index))),
            Orr(imm) => imm.value(),
            Orr32(imm) => imm.value() & 0xffff_ffff,
            Movk(half, index) => old & !(0xffff << (16 * index)) | u64::from(half) << (16 * index),
        })
    }

    #[test]
    fn constants_are_what_their_instructions_make() {
        let halves = [0, 1, 0xffff, 0xfffe, 0x5555, 0x1234, 0x8000];
        for a in halves {
            for b in halves {
                for c in halves {
                    for d in halves {
                        let value = [a, b, c, d]
                            .iter()
                            .fold(0u64, |value, half| value << 16 | half);
                        let steps = constant(value);
                        assert_eq!(run(&steps), value, "{value:#x}: {steps:?}");
                        let plain = [a, b, c, d].iter().filter(|&&half| half != 0).count();
                        assert!(steps.len() <= plain.max(1), "{value:#x}: {steps:?}");
                    }
                }
            }
        }
        for pattern in patterns() {
            assert_eq!(constant(pattern).len(), 1, "{pattern:#x}");
            assert_eq!(run(&constant(pattern)), pattern);
        }
        for (value, len) in [
            (0, 1),
            (u64::MAX, 1),
            (0xffff_fffe, 1),
            (0x8000_0000, 1),
            (0xffff_ffff_0000_1234, 2),
            (0x5555_5555_5555_1234, 2),
            (0x1234_5678_9abc_def0, 4),
        ] {
            assert_eq!(constant(value).len(), len, "{value:#x}");
        }
    }

    #[test]
    fn the_256_float_immediates_and_nothing_else() {
        use ScalarSize::{Size32, Size64};
        let all: BTreeSet<u64> = (0..=255).map(expand_imm8).collect();
        let all_32: BTreeSet<u64> = (0..=255).map(|imm8| expand_imm8_32(imm8).into()).collect();
        assert_eq!((all.len(), all_32.len()), (256, 256));
        for imm8 in 0..=255u8 {
            let bits = expand_imm8(imm8);
            // (16 + fraction) / 16 times a power of two from 1/8 to 16.
            let magnitude = f64::from_bits(bits).abs();
            assert!((0.125..=31.0).contains(&magnitude), "{magnitude}");
            let single = u64::from((f64::from_bits(bits) as f32).to_bits());
            assert_eq!(FloatImm::new(Size64, bits), Some(FloatImm(imm8)));
            assert_eq!(FloatImm::new(Size32, single), Some(FloatImm(imm8)));
            for bit in 0..64 {
                let near = bits ^ 1 << bit;
                assert_eq!(FloatImm::new(Size64, near).is_some(), all.contains(&near));
                let near = single ^ 1 << bit;
                assert_eq!(
                    FloatImm::new(Size32, near).is_some(),
                    all_32.contains(&near)
                );
            }
        }
    }
}
