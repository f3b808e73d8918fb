//! Gives the engine an identity, `SKERRY_BUILD`: a hash of everything that compiled code depends on. Two builds of one
//! version with different rules must not use each other's code.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// The files and folders that machine code and its tables depend on, relative to the root of the workspace.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "isle-rules",
    "engine/environ/Cargo.toml",
    "engine/environ/src",
    "engine/compiler/Cargo.toml",
    "engine/compiler/src",
    "engine/compiler/build.rs",
];

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here
        .ancestors()
        .nth(2)
        .expect("engine/runtime is below the root");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
        collect(&root.join(source), &mut files);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for path in files {
        let name = path.strip_prefix(root).expect("it lies below the root");
        let bytes = std::fs::read(&path).expect("a source is readable");
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    let hash = hasher.finalize().to_hex();
    println!("cargo:rustc-env=SKERRY_BUILD={}", &hash[..16]);
}

/// Collects the files at or below `path` that are source text of the engine.
fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a source folder").flatten() {
            collect(&entry.path(), files);
        }
    } else if matches!(
        path.extension().and_then(|extension| extension.to_str()),
        Some("rs" | "isle" | "lock" | "toml")
    ) {
        files.push(path.to_owned());
    }
}
