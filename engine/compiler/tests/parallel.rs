//! Many threads give the same code and the same errors as one.

#![forbid(unsafe_code)]

use skerry_compiler::{CompileError, Flags, Progress, Workers, compile_module_on};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::Mutex;

const THREADS: [usize; 3] = [1, 2, 5];

fn workers(threads: usize) -> Workers {
    Workers::new(NonZeroUsize::new(threads).expect("not zero"))
}

/// Functions of many sizes that call each other, among them some that are as `wrong` says.
fn module(functions: usize, wrong: &[(usize, &str)]) -> Vec<u8> {
    let mut text = String::from("(module (memory 1) (type (func (param i64 i64) (result i64)))\n");
    for function in 0..functions {
        write!(text, "(func (param i32) (result i32) (local i32)").unwrap();
        for step in 0..(function * 37) % 90 {
            let callee = (function * 7 + step) % functions;
            write!(
                text,
                "(if (i32.load offset={step} (local.get 0))
                     (then (local.set 1 (call {callee} (i32.mul (local.get 1) (i32.const {function}))))))"
            )
            .unwrap();
        }
        for (_, body) in wrong.iter().filter(|(at, _)| *at == function) {
            text += body;
        }
        text += "(local.get 1))\n";
    }
    wat::parse_str(text + ")").expect("the text is a module")
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let wasm = module(300, &[]);
    let compile = |threads| {
        let compiled = compile_module_on(&workers(threads), &wasm, &Flags::default(), &|_| ());
        compiled.expect("it compiles")
    };
    let [one, two, five] = THREADS.map(compile);
    let parts = one.parts();
    assert!(parts.text.len() > 100_000 && parts.metadata.functions.len() == 300);
    assert_eq!(one, two);
    assert_eq!(one, five);
}

#[test]
fn the_error_is_that_of_the_first_function() {
    // The later function is the largest, so it is compiled first.
    let large = "(local.set 1 (i32.add (local.get 1) (i32.const 1)))".repeat(500);
    let large = format!("{large} (i64.const 1) (local.set 1)");
    let wasm = module(
        200,
        &[(150, &large), (40, "(drop (f32.const 1) (i32.add))")],
    );
    let compile = |threads| {
        let compiled = compile_module_on(&workers(threads), &wasm, &Flags::default(), &|_| ());
        compiled.expect_err("two functions are invalid")
    };
    let first = compile(1);
    let CompileError::Invalid { offset, .. } = first else {
        panic!("{first}")
    };
    assert!(offset < wasm.len() as u64 / 2, "{first}");
    for threads in THREADS {
        for _ in 0..5 {
            assert_eq!(compile(threads), first);
        }
    }
}

#[test]
fn progress_reaches_the_end_and_no_function_is_told_twice() {
    let wasm = module(100, &[]);
    for threads in THREADS {
        let told = Mutex::new(Vec::new());
        let note = |progress: Progress| told.lock().unwrap().push(progress);
        compile_module_on(&workers(threads), &wasm, &Flags::default(), &note).unwrap();
        let told = told.into_inner().unwrap();
        let last = told.iter().map(|progress| progress.done).max();
        assert_eq!(last, Some(told[0].total));
        assert!(told.len() >= 100 && told[0].total > 10_000);
    }
}

#[test]
fn one_set_of_workers_serves_many_compilations_at_once() {
    let wasm = module(60, &[]);
    let workers = workers(2);
    let alone = compile_module_on(&workers, &wasm, &Flags::default(), &|_| ()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let compiled = compile_module_on(&workers, &wasm, &Flags::default(), &|_| ());
                assert!(compiled.unwrap() == alone);
            });
        }
    });
}
