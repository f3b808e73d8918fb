//! Contents of registers, flags and memory: corners, crossed with each other, and random ones. Which ones they are depends
//! on a seed alone.

use super::machine::{DATA, PAGE};

/// Numbers that look random, the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// What a value is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer register.
    Int,
    /// A vector register, whose low bits may be a number.
    Vec,
}

const INTS: [u64; 34] = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_8000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_ffff_ff80,
    0xffff_ffff_ffff_8000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
    0x5555_5555_5555_5555,
    0xaaaa_aaaa_aaaa_aaaa,
];

const SINGLES: [u32; 30] = [
    0,
    0x8000_0000, // -0
    1,           // the least subnormal number
    0x807f_ffff, // the greatest subnormal number, negative
    0x0080_0000, // the least normal number
    0x3f80_0000, // 1
    0xbf80_0000,
    0x3f00_0000, // 0.5
    0xbf00_0000,
    0x3fc0_0000, // 1.5
    0x4020_0000, // 2.5
    0xc020_0000,
    0x3eff_ffff, // below 0.5
    0x4b00_0001, // 2^23 + 1
    0x4b7f_ffff, // 2^24 - 1
    0x4eff_ffff, // below 2^31
    0x4f00_0000, // 2^31
    0xcf00_0000, // -2^31
    0xcf00_0001,
    0x4f80_0000, // 2^32
    0x5eff_ffff, // below 2^63
    0x5f00_0000, // 2^63
    0xdf00_0000, // -2^63
    0x5f80_0000, // 2^64
    0x7f7f_ffff, // the greatest number
    0x7f80_0000, // infinity
    0xff80_0000,
    0x7fc0_0000, // quiet NaN
    0xffc1_2345, // quiet NaN with a payload
    0x7f80_0001, // signalling NaN
];

const DOUBLES: [u64; 40] = [
    0,
    0x8000_0000_0000_0000,
    1,
    0x800f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x3fe0_0000_0000_0000,
    0xbfe0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0xc004_0000_0000_0000,
    0x3fdf_ffff_ffff_ffff,
    0x4330_0000_0000_0001, // 2^52 + 1
    0x433f_ffff_ffff_ffff, // 2^53 - 1
    0x41df_ffff_ffc0_0000, // 2^31 - 1
    0x41df_ffff_ffff_ffff, // below 2^31
    0x41e0_0000_0000_0000, // 2^31
    0xc1e0_0000_0000_0000, // -2^31
    0xc1e0_0000_001f_ffff, // above -2^31 - 1
    0xc1e0_0000_0020_0000, // -2^31 - 1
    0x41f0_0000_0000_0000, // 2^32
    0x41ef_ffff_ffe0_0000, // 2^32 - 1
    0x43df_ffff_ffff_ffff, // below 2^63
    0x43e0_0000_0000_0000, // 2^63
    0xc3e0_0000_0000_0000, // -2^63
    0xc3e0_0000_0000_0001,
    0x43f0_0000_0000_0000, // 2^64
    0x3690_0000_0000_0000, // half of the least single
    0x36a0_0000_0000_0000, // the least single
    0x380f_ffff_e000_0000, // rounds to the least normal single
    0x47ef_ffff_e000_0000, // the greatest single
    0x47ef_ffff_f000_0000, // rounds to infinity as a single
    0x3ff0_0000_1000_0000, // a tie between two singles
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0123_4567_89ab,
    0x7ff0_0000_0000_0001,
];

impl Kind {
    /// The number of corners.
    fn corners(self) -> u64 {
        match self {
            Self::Int => INTS.len() as u64,
            Self::Vec => (SINGLES.len() + DOUBLES.len()) as u64,
        }
    }

    /// A corner. What is beyond a number in a vector register is random.
    fn corner(self, number: u64, random: &mut Random) -> u128 {
        let number = number as usize;
        match self {
            Self::Int => INTS[number].into(),
            Self::Vec => {
                let high = u128::from(random.number()) << 64;
                match number.checked_sub(SINGLES.len()) {
                    None => high | u128::from(random.number() << 32) | u128::from(SINGLES[number]),
                    Some(number) => high | u128::from(DOUBLES[number]),
                }
            }
        }
    }

    fn random(self, random: &mut Random) -> u128 {
        let bits = random.number();
        match (self, random.below(4)) {
            (Self::Int, 0) => u128::from(bits >> random.below(64)),
            (Self::Int, 1) => u128::from((bits.cast_signed() >> random.below(64)).cast_unsigned()),
            (Self::Int, 2) => u128::from(bits.count_ones() + random.below(70) as u32),
            (Self::Int, _) => bits.into(),
            // Numbers of exponents that are close to each other, so that sums are not one of the operands.
            (Self::Vec, kind) => {
                let high = u128::from(random.number()) << 64;
                let near = random.below(40);
                high | match kind {
                    0 => u128::from(bits & 0x807f_ffff_807f_ffff | (110 + near) << 23),
                    1 => u128::from(bits & 0x800f_ffff_ffff_ffff | (1003 + near) << 52),
                    // Integers, and half of them.
                    2 if bits & 1 == 0 => {
                        u128::from(((bits.cast_signed() >> near) as f64 / 2.0).to_bits())
                    }
                    2 => u128::from(((bits.cast_signed() >> (20 + near)) as f32 / 2.0).to_bits()),
                    _ => u128::from(bits),
                }
            }
        }
    }
}

/// The contents of some registers, one case after the other.
#[derive(Clone, Debug)]
pub struct Cases {
    kinds: Vec<Kind>,
    random: Random,
    number: u64,
    combinations: u64,
}

impl Cases {
    /// The cases of a seed.
    #[must_use]
    pub fn new(kinds: Vec<Kind>, seed: u64) -> Self {
        let counts = kinds.iter().map(|kind| kind.corners());
        let combinations = counts.fold(1u64, |a, b| a.saturating_mul(b).min(1 << 60));
        Self {
            kinds,
            random: Random::new(seed),
            number: 0,
            combinations,
        }
    }

    /// The contents of each register. Every other case is the next combination of corners, as long as there are some.
    pub fn contents(&mut self) -> Vec<u128> {
        let number = self.number;
        self.number += 1;
        if number.is_multiple_of(2) && number / 2 < self.combinations {
            // A stride that has no factor in common with a product of the numbers of corners (34 and 70) visits each
            // combination once, and few of them are spread over all.
            let step = u128::from(number / 2) * 0x9e37_79b1;
            let mut combination = (step % u128::from(self.combinations)) as u64;
            let mut values = Vec::new();
            for kind in &self.kinds {
                values.push(kind.corner(combination % kind.corners(), &mut self.random));
                combination /= kind.corners();
            }
            return values;
        }
        let random = &mut self.random;
        let values = self.kinds.iter().map(|kind| match random.below(3) {
            0 => {
                let corner = random.below(kind.corners());
                kind.corner(corner, random)
            }
            _ => kind.random(random),
        });
        values.collect()
    }

    /// The flags: all bits at random.
    pub fn flags(&mut self) -> u64 {
        self.random.number()
    }

    /// The contents of memory, of which the first bytes may be a number.
    pub fn memory(&mut self) -> u128 {
        let random = &mut self.random;
        let kind = if random.below(2) == 0 {
            Kind::Int
        } else {
            Kind::Vec
        };
        let high = u128::from(random.number()) << 64;
        let number = random.below(kind.corners());
        let low = match random.below(2) {
            0 => kind.corner(number, random),
            _ => kind.random(random),
        };
        high | low & u128::from(u64::MAX)
    }

    /// The address of an access of so many bytes: mostly within the data page, at its ends, across them, outside, and
    /// where no program has memory.
    pub fn address(&mut self, bytes: u64) -> u64 {
        let random = &mut self.random;
        match random.below(20) {
            0..10 => DATA + random.below(PAGE - bytes + 1),
            10..13 => DATA + PAGE - bytes,
            13 => DATA,
            14 => DATA + PAGE - bytes + 1 + random.below(bytes),
            15 => DATA - 1 - random.below(bytes),
            16 => DATA + PAGE + random.below(PAGE - bytes),
            17 => DATA - PAGE + random.below(PAGE - bytes),
            18 => random.below(0x1000),
            // Beyond what x86_64 (47 bits) and an emulated program have; the highest byte is not part of an address of
            // aarch64.
            _ => {
                random.one_of(&[0x0000_8000_0000_0000, 0x0012_3456_7800_0000]) + random.below(PAGE)
            }
        }
    }

    /// Bits that mean nothing.
    pub fn garbage(&mut self) -> u64 {
        self.random.number()
    }
}
