//! Measures how long the crossings between the host and WebAssembly take: `calls [MILLIONS]`.
//!
//! It prints the nanoseconds for each call of an empty function by the host, and for each call of an empty host
//! function by WebAssembly; both with and without an interrupt handle. Each is the best of seven rounds.

#![forbid(unsafe_code)]

use skerry_runtime::{Engine, Linker, Module, Result, Store};
use std::time::Instant;

const TEXT: &str = r#"(module (import "" "host" (func $host))
    (func (export "empty"))
    (func (export "calls") (param i32)
      (loop (call $host) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

fn best(calls: u32, mut round: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let start = Instant::now();
        round()?;
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    Ok(best)
}

fn main() -> Result<()> {
    let millions = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let calls = millions.unwrap_or(2u32).clamp(1, 1000) * 1_000_000;
    let engine = Engine::default();
    let module = Module::new(&engine, TEXT)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("", "host", || ())?;
    for handle in [false, true] {
        let mut store = Store::new(&engine, ());
        let kept = handle.then(|| store.interrupt_handle());
        let instance = linker.instantiate(&mut store, &module)?;
        let empty = instance.get_typed_func::<(), ()>(&mut store, "empty")?;
        let many = instance.get_typed_func::<i32, ()>(&mut store, "calls")?;
        let into = best(calls, || {
            (0..calls).try_for_each(|_| empty.call(&mut store, ()))
        })?;
        let out = best(calls, || many.call(&mut store, calls as i32))?;
        let with = if handle { "with" } else { "without" };
        println!("{with:>8} a handle: host to wasm {into:.2} ns, wasm to host {out:.2} ns");
        drop(kept);
    }
    Ok(())
}
