//! Measures the time to make an instance from a compiled module and to drop it.

use crate::Common;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use wasmtime::{
    Enabled, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig, Result, Store,
};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// How many instances are made, one after the other.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Uses the pooling allocator, sized for one instance of this module, instead of the one on demand
    #[arg(long)]
    pooling: bool,
    /// Lets the pool keep pages that an instance wrote to and reset them itself, instead of giving them back
    #[arg(long, requires = "pooling")]
    keep_resident: bool,
    /// The module.
    file: PathBuf,
}

/// Makes a store and an instance in it, and drops both, `count` times; every import is a trap. Linking is done
/// before the clock starts (`InstancePre`), as an embedder would who wants fast instantiation.
pub fn command(options: &Options) -> Result<()> {
    let wasm = std::fs::read(&options.file)?;
    let engine = options.common.engine(|config| {
        if options.pooling {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_core_instances(4)
                .total_memories(4)
                .total_tables(16)
                .max_core_instance_size(16 << 20)
                .table_elements(1 << 20)
                .max_memory_size(1 << 32);
            if options.keep_resident {
                // Without the scan of written pages it would write all of this memory at every drop.
                pool.linear_memory_keep_resident(1 << 20)
                    .table_keep_resident(64 << 10)
                    .pagemap_scan(Enabled::Auto);
            }
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
    })?;
    let module = Module::new(&engine, &wasm)?;
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    let ready = linker.instantiate_pre(&module)?;
    let mut seconds = Vec::with_capacity(options.count);
    for _ in 0..options.count {
        let start = Instant::now();
        let mut store = Store::new(&engine, ());
        ready.instantiate(&mut store)?;
        drop(store);
        seconds.push(start.elapsed().as_secs_f64());
    }
    options.common.report(&json!({ "seconds": seconds }))
}
