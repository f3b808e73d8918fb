//! Every file in `regressions/` is replayed: a finding stays fixed.

#![forbid(unsafe_code)]

use skerry_compiler::{Flags, compile_module};
use std::path::Path;

/// `.wasm` and `.wat` files compile or are refused, without a panic.
#[test]
fn every_regression_compiles_or_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in std::fs::read_dir(&folder)
        .expect("regressions/ exists")
        .flatten()
    {
        let path = entry.path();
        let bytes = std::fs::read(&path).expect("a readable file");
        let wasm = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wat") => wat::parse_bytes(&bytes)
                .expect("a regression's text parses")
                .into_owned(),
            Some("wasm") => bytes,
            _ => continue,
        };
        println!("{}", path.display());
        let _ = compile_module(&wasm, &Flags::default());
    }
}
