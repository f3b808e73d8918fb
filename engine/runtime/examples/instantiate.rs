//! Measures how long loading and instantiating take: `instantiate FILE.wasm [TIMES]`.
//!
//! The file is compiled, written as an artifact, mapped again, and instantiated in new stores; functions that it
//! imports are replaced by traps. The printed times are medians.

#![forbid(unsafe_code)]

use skerry_runtime::{Engine, Linker, Module, Store, TrustStore};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: instantiate FILE.wasm [TIMES]")?;
    let times: usize = args.next().map_or(Ok(1000), |times| times.parse())?;
    let engine = Engine::default();
    let artifact = std::env::temp_dir().join(format!("instantiate-{}.cwasm", std::process::id()));
    let bytes = std::fs::read(path)?;
    let start = Instant::now();
    let trust = TrustStore::of_user()?;
    let compiled = match Module::is_artifact(&bytes) {
        true => bytes,
        false => {
            let mut compiled = Vec::new();
            Module::compile_to(&engine, &bytes, Some(&trust), &|_| (), &mut compiled)?;
            compiled
        }
    };
    println!("compile      {:>12.3?}", start.elapsed());
    std::fs::write(&artifact, &compiled)?;
    // A file that may not be written to is mapped; any other is copied.
    std::fs::set_permissions(&artifact, std::fs::Permissions::from_mode(0o400))?;
    println!("artifact     {:>12} bytes", compiled.len());
    drop(compiled);

    let load = || Module::deserialize_trusted_file(&engine, &trust, &artifact);
    let loads = median(times.min(20), || {
        let start = Instant::now();
        load().map(|_| start.elapsed())
    })?;
    println!("load         {loads:>12.3?}");
    let module = load()?;
    std::fs::remove_file(&artifact)?;
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    let mut drops = Vec::new();
    let instantiations = median(times, || {
        let start = Instant::now();
        let mut store = Store::new(&engine, ());
        linker.instantiate(&mut store, &module)?;
        let made = start.elapsed();
        let start = Instant::now();
        drop(store);
        drops.push(start.elapsed());
        Ok(made)
    })?;
    println!("instantiate  {instantiations:>12.3?}");
    drops.sort();
    println!("drop         {:>12.3?}", drops[drops.len() / 2]);
    Ok(())
}

fn median(
    times: usize,
    mut measure: impl FnMut() -> skerry_runtime::Result<Duration>,
) -> skerry_runtime::Result<Duration> {
    let mut measured = (0..times)
        .map(|_| measure())
        .collect::<Result<Vec<_>, _>>()?;
    measured.sort();
    Ok(measured[times / 2])
}
