//! Shows how long each phase of compilation takes: `phases FILE.wasm [TIMES]`.

#![forbid(unsafe_code)]

use skerry_compiler::{Flags, phase_times};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let wasm = std::fs::read(&args[1]).expect("the file is readable");
    let times = args
        .get(2)
        .map_or(1, |times| times.parse().expect("a number"));
    let flags = Flags {
        check: false,
        check_sandbox: false,
        ..Flags::default()
    };
    for _ in 0..times {
        match phase_times(&wasm, &flags) {
            Ok(phases) => println!("{phases}"),
            Err(error) => println!("{error}"),
        }
    }
}
