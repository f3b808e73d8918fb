//! The limits on a program's memory, tables, stack and fuel that the command line sets.

use skerry_runtime::{Config, ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder};

/// Limits on what a program may use.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct LimitOptions {
    /// Let all memories of the program together have at most this many bytes: `memory.grow` answers -1 beyond it. SIZE is
    /// a number of bytes, or one with a unit of 1024: 500k, 64MiB, 1g [default: 4 GiB for each]
    #[arg(long, value_name = "SIZE", value_parser = size::<usize>, help_heading = "Limits")]
    pub max_memory: Option<usize>,

    /// Let all tables of the program together have at most this many elements of 8 bytes: `table.grow` answers -1 beyond
    /// it [default: 10 million for each]
    #[arg(long, value_name = "N", value_parser = number::<usize>, help_heading = "Limits")]
    pub max_table_elements: Option<usize>,

    /// Give WebAssembly this much stack: a recursion that needs more is a trap. Programs in C, C++ and Rust also keep a
    /// stack in their memory, whose size the linker sets: -Wl,-z,stack-size=8388608 [default: 1 MiB, `js` 8 MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::<usize>, help_heading = "Limits")]
    pub stack_size: Option<usize>,

    /// Give the program this much fuel: about 1 for each operator that it executes, exactly the same on every machine. When
    /// it is used up the program traps. The code is compiled to count, which makes it slower [default: nothing is counted]
    #[arg(long, value_name = "N", value_parser = number::<u64>, help_heading = "Limits")]
    pub fuel: Option<u64>,
}

impl LimitOptions {
    /// Sets the limits that belong to the engine.
    pub(crate) fn configure(&self, config: &mut Config) {
        if let Some(bytes) = self.stack_size {
            config.wasm_stack(bytes);
        }
        config.consume_fuel(self.fuel.is_some());
    }

    /// The limits that belong to the store.
    pub(crate) fn store(&self) -> StoreLimits {
        StoreLimitsBuilder::new()
            .total_memory_size(self.max_memory.unwrap_or(usize::MAX))
            .total_table_elements(self.max_table_elements.unwrap_or(usize::MAX))
            .build()
    }

    /// Puts `store` under the limits, if there are any, and gives it its fuel. `find` returns the place for the limits in the
    /// store's state.
    pub(crate) fn apply<T>(
        &self,
        store: &mut Store<T>,
        find: impl (Fn(&mut T) -> &mut StoreLimits) + Send + Sync + 'static,
    ) {
        if self.max_memory.is_some() || self.max_table_elements.is_some() {
            store.limiter(move |data| find(data) as &mut dyn ResourceLimiter);
        }
        if let Some(fuel) = self.fuel {
            let set = store.set_fuel(fuel);
            set.expect("the engine of such a command line counts fuel");
        }
    }
}

/// The state of a store: the embedder's own, and the limits.
pub(crate) struct Limited<T> {
    pub(crate) state: T,
    pub(crate) limits: StoreLimits,
}

/// Parses a number of bytes, with or without a unit of 1024.
pub(crate) fn size<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => {
            return Err(
                "a number of bytes is needed, or one with k, m, g, t or KiB, MiB, GiB, TiB".into(),
            );
        }
    };
    let wrong = |_| "a number of bytes is needed, such as 65536, 64K, 16MiB or 4G".to_string();
    let bytes = number.parse::<u64>().map_err(wrong)?;
    let bytes = bytes.checked_mul(1 << shift);
    let bytes = bytes.and_then(|bytes| T::try_from(bytes).ok());
    bytes.ok_or_else(|| "more bytes than 64 bits count".into())
}

/// Parses a whole number of 64 bits.
fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.parse::<u64>().ok();
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("a whole number from 0 to {} is needed", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole() {
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["", "-1", "1.5", "many", "18446744073709551616"] {
            let message = number::<u64>(wrong).unwrap_err();
            assert!(message.contains("to 18446744073709551615"), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("100b", 100),
            ("500k", 500 << 10),
            ("64MiB", 64 << 20),
            ("1g", 1 << 30),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(size::<u64>(text), Ok(bytes), "{text}");
        }
        for wrong in [
            "",
            "k",
            "-1",
            "1kb",
            "1 k",
            "1.5m",
            "1e6",
            "0x10",
            "99999999999t",
            "1.5G",
            "64KB",
            "4\u{212a}",
        ] {
            assert!(size::<u64>(wrong).is_err(), "{wrong}");
        }
    }
}
