//! Names of functions as their authors wrote them.

use crate::trap::printable;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// The length in bytes beyond which a name is not demangled.
const MAX_MANGLED: usize = 4 << 10;
/// The length in bytes at which a name is cut. A short mangled name may mean one of any length.
const MAX_SHOWN: usize = 4 << 10;
/// The greatest depth to which a C++ name may be nested, in levels of its grammar.
const MAX_DEPTH: u32 = 64;

/// The name that a symbol of Rust (legacy or v0) or C++ (Itanium) encodes; any other name is returned as it is. A
/// name of over 4 KiB, before or after, is returned as it is, too.
pub fn demangle(name: &str) -> Cow<'_, str> {
    if name.len() > MAX_MANGLED {
        return name.into();
    }
    let mut out = Bounded::default();
    if let Ok(symbol) = rustc_demangle::try_demangle(name) {
        if write!(out, "{symbol}").is_ok() {
            return out.0.into();
        }
    } else if name.starts_with("_Z") || name.starts_with("__Z") {
        let parse = cpp_demangle::ParseOptions::default().recursion_limit(MAX_DEPTH);
        let print = cpp_demangle::DemangleOptions::new().recursion_limit(MAX_DEPTH);
        let symbol = cpp_demangle::Symbol::new_with_options(name, &parse);
        if symbol.is_ok_and(|symbol| symbol.structured_demangle(&mut out, &print).is_ok()) {
            return out.0.into();
        }
    }
    name.into()
}

/// A name for a backtrace: it is demangled, characters that control a terminal are escaped, and it is not longer
/// than a few screens.
pub(crate) fn shown(name: &str) -> String {
    cut(&printable(cut(&demangle(name), MAX_SHOWN)), 2 * MAX_SHOWN).to_string()
        + if name.len() > MAX_SHOWN { ".." } else { "" }
}

/// The first `most` bytes, or a few less so that no character is cut.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A text that takes no more than [`MAX_SHOWN`] bytes.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_SHOWN {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_and_cpp() {
        for (mangled, name) in [
            (
                "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
                "core::panicking::panic_fmt::h0123456789abcdef",
            ),
            ("_Z3fooi", "foo(int)"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            ("main", "main"),
            ("_Znonsense", "_Znonsense"),
            ("_ZN", "_ZN"),
            ("_R", "_R"),
            ("_Z", "_Z"),
            ("", ""),
        ] {
            assert_eq!(demangle(mangled), name);
        }
        let v0 = demangle("_RNvNtCset5xJoy1xWQ_3std3sys4main");
        assert!(v0.starts_with("std") && v0.ends_with("::sys::main"), "{v0}");
    }

    #[test]
    fn hostile_names_stay_small() {
        // Each substitution doubles the type: `pair<pair<..>, pair<..>>`.
        let mut doubling = "_Z1fSt4pairIiiE".to_string();
        for level in 0..30 {
            let previous = char::from_digit(level, 36).unwrap().to_ascii_uppercase();
            doubling += &format!("S_IS{previous}_S{previous}_E");
        }
        let nested = format!("_Z1f{}i", "P".repeat(4000));
        let rust = format!("_R{}C1a", "INv".repeat(1000));
        for name in [&doubling, &nested, &rust, &"\u{1b}x".repeat(100_000)] {
            assert!(demangle(name).len() <= name.len().max(MAX_SHOWN));
            let shown = shown(name);
            assert!(shown.len() <= 2 * MAX_SHOWN + 2 && !shown.contains('\u{1b}'));
        }
    }
}
