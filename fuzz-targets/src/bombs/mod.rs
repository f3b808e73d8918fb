//! Small modules that make compilers work too much. Each kind has two sizes, and the cost grows with their product.
//!
//! This module depends only on `std` and is compiled twice: as part of the fuzz targets, and into `cargo sightglass
//! bombs`, which may not depend on them. [`budget`] is the oracle of both.

pub mod encode;
mod flow;
mod sections;
mod values;

/// A kind of module.
#[derive(Clone, Copy)]
pub struct Bomb {
    /// The name of the kind, for tables.
    pub name: &'static str,
    /// The two sizes at which it is measured.
    pub sizes: (u32, u32),
    /// Makes the module of two sizes.
    pub wasm: fn(u32, u32) -> Vec<u8>,
}

impl Bomb {
    /// The module at the sizes at which it is measured.
    pub fn full(&self) -> Vec<u8> {
        (self.wasm)(self.sizes.0, self.sizes.1)
    }
}

/// All kinds.
pub fn all() -> impl Iterator<Item = Bomb> {
    let kinds = [flow::BOMBS, values::BOMBS, sections::BOMBS];
    kinds.into_iter().flatten().copied()
}

/// The seconds of processor time and the bytes of resident memory that compiling a module of `size` bytes may take: 5
/// seconds and 512 MiB for each megabyte, and as much for a smaller module.
pub fn budget(size: usize) -> (f64, u64) {
    let megabytes = (size as f64 / 1e6).max(1.0);
    (5.0 * megabytes, (megabytes * f64::from(512 << 20)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_sizes_matter() {
        let mut names: Vec<&str> = all().map(|bomb| bomb.name).collect();
        assert!(names.len() >= 45, "{}", names.len());
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for bomb in all() {
            let small = (bomb.wasm)(2, 2);
            assert!(small.starts_with(b"\0asm"), "{}", bomb.name);
            assert!(small.len() < (bomb.wasm)(20, 20).len(), "{}", bomb.name);
        }
    }
}
