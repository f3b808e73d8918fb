//! `cargo bench -p skerry-sightglass-bench`: measures in a minute what an embedder pays for.
//!
//! That is: compiling bzip2 (100 KB of WebAssembly), making and dropping an instance of it, and crossing the
//! border, from the host to WebAssembly and back, and from WebAssembly to the host and back.

#![forbid(unsafe_code)]
#![allow(missing_docs)] // the macros of criterion generate items without docs

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use skerry_runtime::{Engine, Linker, Module, Store};
use skerry_sightglass_bench::corpus::Corpus;
use std::hint::black_box;
use std::time::Duration;

fn bzip2() -> Vec<u8> {
    let corpus = Corpus::build().unwrap_or_else(|error| panic!("{error}"));
    std::fs::read(&corpus.bzip2_wasm).expect("it was just built")
}

fn compile(criterion: &mut Criterion) {
    let wasm = bzip2();
    let engine = Engine::default();
    criterion.bench_function("compile bzip2.wasm", |bencher| {
        let once = || Module::from_binary(&engine, &wasm).expect("bzip2.wasm is a valid module");
        bencher.iter_batched(|| (), |()| once(), BatchSize::PerIteration);
    });
}

fn instantiate(criterion: &mut Criterion) {
    let engine = Engine::default();
    let module = Module::from_binary(&engine, &bzip2()).expect("bzip2.wasm is a valid module");
    let mut linker: Linker<()> = Linker::new(&engine);
    linker
        .define_unknown_imports_as_traps(&module)
        .expect("functions can be defined");
    criterion.bench_function("instantiate and drop bzip2.wasm", |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            let instance = linker.instantiate(&mut store, &module);
            black_box(instance.expect("all imports are defined"));
        });
    });
}

fn calls(criterion: &mut Criterion) {
    let engine = Engine::default();
    let text = r#"(module
        (import "host" "next" (func $next (param i32) (result i32)))
        (func (export "wasm") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func (export "back") (param i32) (result i32) (call $next (local.get 0))))"#;
    let module = Module::from_text(&engine, text).expect("the text is valid");
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "next", |n: i32| n.wrapping_add(1))
        .expect("an empty linker has no duplicates");
    let mut store = Store::new(&engine, ());
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("all imports are defined");
    for (name, title) in [
        ("wasm", "call: host, WebAssembly, host"),
        ("back", "call: host, WebAssembly, host, WebAssembly, host"),
    ] {
        let func = instance
            .get_typed_func::<i32, i32>(&mut store, name)
            .expect("it is exported with this type");
        criterion.bench_function(title, |bencher| {
            bencher.iter(|| func.call(&mut store, black_box(41)).expect("no trap"));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .sample_size(50);
    targets = compile, instantiate, calls
}
criterion_main!(benches);
