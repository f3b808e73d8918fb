//! DWARF may contain anything: a backtrace is printed all the same, without a panic and in a short time.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use skerry_runtime::{Engine, Instance, Module, Store};

/// The backtrace of `run(0)` in this module.
fn backtrace(engine: &Engine, wasm: &[u8]) -> Option<String> {
    let module = Module::from_binary(engine, wasm).ok()?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).ok()?;
    let run = instance
        .get_typed_func::<i32, i32>(&mut store, "run")
        .ok()?;
    Some(run.call(&mut store, 0).unwrap_err().to_string())
}

fn inlined() -> Vec<u8> {
    wat::parse_str(include_str!("programs/inlined.wat")).unwrap()
}

/// The offset of the first custom section. Everything after it can be changed without changing what the module
/// does.
fn first_custom(wasm: &[u8]) -> usize {
    let name = b".debug_abbrev";
    let at = wasm.windows(name.len()).position(|bytes| bytes == name);
    at.unwrap() + name.len()
}

#[test]
fn changed_bytes_never_break_a_backtrace() {
    let engine = Engine::default();
    let wasm = inlined();
    let whole = backtrace(&engine, &wasm).unwrap();
    assert!(whole.contains("inlined.c:5:5"), "{whole}");
    let start = first_custom(&wasm);
    // A linear congruential generator makes the same changes in each run.
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut printed = 0;
    let rounds = 3000;
    for _ in 0..rounds {
        let mut changed = wasm.clone();
        for _ in 0..1 + next(3) {
            let at = start + next(wasm.len() - start);
            changed[at] = [0, 1, 0x7f, 0x80, 0xff, next(256) as u8][next(6)];
        }
        if let Some(text) = backtrace(&engine, &changed) {
            let quiet = text.chars().all(|char| !char.is_control() || char == '\n');
            assert!(quiet && text.len() < 100_000, "{text:?}");
            printed += 1;
        }
    }
    // Most changes leave the module valid, because its custom sections do not matter.
    assert!(printed > rounds / 2, "{printed} of {rounds}");
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// The module without its own DWARF, and with these sections instead.
fn with_sections(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let text = r#"(module (func (export "run") (param i32) (result i32) unreachable))"#;
    let mut wasm = wat::parse_str(text).unwrap();
    for (name, contents) in sections {
        let contents = [&leb(name.len())[..], name.as_bytes(), contents].concat();
        wasm.extend([&[0][..], &leb(contents.len()), &contents].concat());
    }
    wasm
}

#[track_caller]
fn is_quick(sections: &[(&str, Vec<u8>)]) {
    let start = Instant::now();
    let text = backtrace(&Engine::default(), &with_sections(sections)).unwrap();
    assert!(text.contains("!run"), "{text}");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// A unit of version 4 with these entries.
fn unit(entries: &[u8]) -> Vec<u8> {
    let mut unit = (7 + entries.len() as u32).to_le_bytes().to_vec();
    unit.extend([4, 0, 0, 0, 0, 0, 4]);
    unit.extend(entries);
    unit
}

/// There are two hundred thousand units, each with the same hundred thousand ranges.
#[test]
fn shared_ranges_are_not_read_for_ever() {
    let abbreviations = vec![1, 0x11, 0, 0x55, 0x17, 0, 0, 0];
    let units = unit(&[1, 0, 0, 0, 0]).repeat(200_000);
    let range: Vec<u8> = [1u32 << 20, 2 << 20]
        .iter()
        .flat_map(|at| at.to_le_bytes())
        .collect();
    is_quick(&[
        (".debug_abbrev", abbreviations),
        (".debug_info", units),
        (".debug_ranges", range.repeat(100_000)),
    ]);
}

/// One unit covers all addresses. It has entries nested a million deep, and abbreviations with a hundred thousand
/// attributes that take no bytes.
#[test]
fn deep_and_wide_entries_are_not_read_for_ever() {
    let address = |at: u32| at.to_le_bytes();
    let covering = [&[1][..], &address(1), &address(u32::MAX / 2)].concat();
    // The unit has children, a low address and a size; 2 is an inlined function with children and without attributes.
    let unit_entry = [1, 0x11, 1, 0x11, 0x01, 0x12, 0x06, 0, 0];
    let deep = [&unit_entry[..], &[2, 0x1d, 1, 0, 0, 0]].concat();
    let nested = [&covering[..], &vec![2; 1_000_000]].concat();
    is_quick(&[(".debug_abbrev", deep), (".debug_info", unit(&nested))]);
    // Abbreviation 3 has flags that take no bytes.
    let flags = [0x3f, 0x19].repeat(100_000);
    let wide = [&unit_entry[..], &[3, 0x2e, 0], &flags, &[0, 0, 0]].concat();
    let many = [&covering[..], &vec![3; 1_000_000]].concat();
    is_quick(&[(".debug_abbrev", wide), (".debug_info", unit(&many))]);
}

/// A unit's line program names ten million files, each in one byte of its table, of which a reader stores a hundred.
#[test]
fn a_long_table_of_files_is_not_stored() {
    // The unit has a line program, a low address and a size, and no children.
    let abbreviations = vec![1, 0x11, 0, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0, 0];
    let address = |at: u32| at.to_le_bytes();
    let entry = [&[1][..], &address(0), &address(1), &address(u32::MAX / 2)].concat();
    // Directories and files have paths that are indices of one byte. There is no directory and no instruction.
    const FILES: usize = 10_000_000;
    let tables = [
        &[1, 1, 0x25, 0, 1, 1, 0x25][..],
        &leb(FILES),
        &vec![0; FILES],
    ]
    .concat();
    let header = [&[1, 1, 1, 0, 1, 1][..], &tables].concat();
    let after_length = [&[5, 0, 4, 0][..], &address(header.len() as u32), &header].concat();
    let lines = [&address(after_length.len() as u32)[..], &after_length].concat();
    is_quick(&[
        (".debug_abbrev", abbreviations),
        (".debug_info", unit(&entry)),
        (".debug_line", lines),
    ]);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.unwrap().trim().strip_suffix(" kB").unwrap();
    // The table would take 1.1 GB.
    assert!(most.parse::<u64>().unwrap() < 700_000, "{most} kB");
}

/// The instructions of a line program add files (`DW_LNE_define_file`), of which a reader stores a hundred bytes for each seven.
/// The first ones are found; beyond some thousands they are not stored.
#[test]
fn files_that_a_line_program_adds_are_counted() {
    let abbreviations = vec![1, 0x11, 0, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0, 0];
    let address = |at: u32| at.to_le_bytes();
    let entry = [&[1][..], &address(0), &address(1), &address(u32::MAX / 2)].concat();
    let text = |number: usize, added: usize| {
        // Version 4: no directory and no file in the header, and ten standard opcodes with their numbers of operands.
        let header = [1, 1, 1, 0, 1, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0];
        let define = [0, 6, 3, b'x', 0, 0, 0, 0].repeat(added);
        // Set the address to 1, the file, and line 1 + 6; copy; advance by a million; end the sequence.
        let set_address = [&[0, 5, 2][..], &address(1)].concat();
        let row = [&[4][..], &leb(number), &[3, 6, 1, 2], &leb(1_000_000)].concat();
        let end = [0, 1, 1];
        let after_length = [
            &[4, 0][..],
            &address(header.len() as u32),
            &header,
            &define,
            &set_address,
            &row,
            &end,
        ]
        .concat();
        let lines = [&address(after_length.len() as u32)[..], &after_length].concat();
        let sections = [
            (".debug_abbrev", abbreviations.clone()),
            (".debug_info", unit(&entry)),
            (".debug_line", lines),
        ];
        backtrace(&Engine::default(), &with_sections(&sections)).unwrap()
    };
    assert!(text(1, 1).contains("x:7"), "{}", text(1, 1));
    assert!(text(1000, 1000).contains("x:7"));
    assert!(!text(1000, 999).contains("x:7"));
    assert!(!text(50_000, 50_000).contains("x:7"));
}
