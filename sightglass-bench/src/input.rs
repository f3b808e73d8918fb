//! The benchmark's input: 20 MB made from one seed, the same on every machine.
//!
//! It is a mix of the kinds of data that people compress: prose over a vocabulary with Zipf's law, little-endian
//! records whose fields drift, incompressible noise, and long runs. The shares were chosen once and are not tuned
//! to any engine; `DIGEST` pins the bytes.

/// The length of the input in bytes.
pub const LEN: usize = 20_000_000;

/// The value of `digest` for the input.
const DIGEST: u64 = 0xe732_32f4_493d_4657;

/// The random number generator SplitMix64, which is short and mixes well.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Makes the input, in sections of 16 to 144 KiB that are each of one kind.
pub fn generate() -> Vec<u8> {
    let mut random = Random(0x5ce7_7700);
    let words = vocabulary(&mut random);
    let mut out = Vec::with_capacity(LEN + (256 << 10));
    while out.len() < LEN {
        let section = 16 * 1024 + random.below(128 * 1024) as usize;
        let end = out.len() + section;
        match random.below(100) {
            0..65 => prose(&mut out, end, &words, &mut random),
            65..88 => records(&mut out, end, &mut random),
            88..95 => noise(&mut out, end, &mut random),
            _ => runs(&mut out, end, &mut random),
        }
    }
    out.truncate(LEN);
    out
}

/// A vocabulary of 8,000 words of one to five syllables.
fn vocabulary(random: &mut Random) -> Vec<String> {
    const ONSETS: [&str; 16] = [
        "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "sk", "st", "th",
    ];
    const RIMES: [&str; 12] = [
        "a", "e", "i", "o", "u", "an", "er", "ing", "ol", "ea", "is", "ou",
    ];
    let word = |random: &mut Random| {
        let syllables = 1 + random.below(3) + random.below(3);
        (0..syllables)
            .flat_map(|_| {
                [
                    ONSETS[random.below(16) as usize],
                    RIMES[random.below(12) as usize],
                ]
            })
            .collect()
    };
    (0..8000).map(|_| word(random)).collect()
}

/// Writes sentences. The word of rank r occurs with a frequency of about 1/r.
fn prose(out: &mut Vec<u8>, end: usize, words: &[String], random: &mut Random) {
    let mut column = 0;
    while out.len() < end {
        let length = 4 + random.below(18);
        for position in 0..length {
            // The exponential of a uniform number has the density 1/x; this takes random bits below a uniformly
            // chosen bit length.
            let bits = 1 + random.below(13);
            let rank = (random.below(1 << bits) as usize).min(words.len() - 1);
            let word = words[rank].as_bytes();
            let start = out.len();
            out.extend_from_slice(word);
            if position == 0 {
                out[start] = out[start].to_ascii_uppercase();
            }
            column += word.len() + 1;
            out.push(if column > 90 { b'\n' } else { b' ' });
            column = if column > 90 { 0 } else { column };
        }
        out.pop();
        out.extend_from_slice(if random.below(9) == 0 {
            b".\n\n"
        } else {
            b". "
        });
    }
}

/// Writes records of 24 bytes: a counter, a drifting value, a flag word of few states, and a field like a pointer.
fn records(out: &mut Vec<u8>, end: usize, random: &mut Random) {
    let mut id = random.below(1 << 30) as u32;
    let mut value = random.next() as i32;
    while out.len() < end {
        id += 1 + random.below(3) as u32;
        value = value.wrapping_add(random.below(201) as i32 - 100);
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
        out.extend_from_slice(&(1u64 << random.below(6)).to_le_bytes());
        out.extend_from_slice(&(0x7f31_0000_0000 + random.below(1 << 16) * 16).to_le_bytes());
    }
}

/// Writes bytes that no compressor shrinks.
fn noise(out: &mut Vec<u8>, end: usize, random: &mut Random) {
    while out.len() < end {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
}

/// Writes long runs of one byte, and short patterns that repeat.
fn runs(out: &mut Vec<u8>, end: usize, random: &mut Random) {
    while out.len() < end {
        let pattern = random.next().to_le_bytes();
        let period = 1 + random.below(8) as usize;
        let repeats = 20 + random.below(800) as usize;
        (0..repeats).for_each(|_| out.extend_from_slice(&pattern[..period]));
    }
}

/// Whether these bytes are what `generate` makes.
pub fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() == LEN && digest(bytes) == DIGEST
}

/// FNV-1a over 64 bits, which is enough to notice that the generator or a file has changed.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        let mut input = generate();
        assert_eq!(input.len(), LEN);
        assert_eq!(
            digest(&input),
            DIGEST,
            "the input has changed: old figures no longer compare"
        );
        assert!(is_whole(&input));
        input[LEN / 2] ^= 1;
        assert!(!is_whole(&input));
    }
}
