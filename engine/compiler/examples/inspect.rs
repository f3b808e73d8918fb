//! Shows the stages of the functions of a module: `inspect FILE.wasm|FILE.wat|FILE.clif [STAGE]`.

#![forbid(unsafe_code)]

use skerry_compiler::translate::{FunctionTranslator, translate_module};
use skerry_compiler::{Flags, FunctionCompiler, compile_clif_text};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let stage = args.get(2).map_or("all", String::as_str);
    let flags = Flags {
        check: true,
        ..Flags::default()
    };
    let show = |inspection: &skerry_compiler::Inspection| {
        if matches!(stage, "clif" | "all") {
            println!("{}", inspection.clif);
        }
        if matches!(stage, "opt" | "all") {
            println!("{}", inspection.clif_opt);
        }
        if matches!(stage, "vcode" | "all") {
            println!("{}", inspection.vcode);
        }
        if matches!(stage, "asm" | "all") {
            println!("{}", inspection.asm_text());
        }
    };
    let bytes = std::fs::read(&args[1]).expect("the file is readable");
    if args[1].ends_with(".clif") {
        let text = String::from_utf8(bytes).expect("CLIF is text");
        match compile_clif_text(&text, &flags) {
            Ok(compiled) => compiled.inspections().iter().for_each(show),
            Err(error) => println!("{error}"),
        }
        return;
    }
    let wasm = wat::parse_bytes(&bytes)
        .expect("the file is Wasm")
        .into_owned();
    let translation = translate_module(&wasm).expect("the module is valid");
    let mut translator = FunctionTranslator::new();
    let mut compiler = FunctionCompiler::new(flags);
    for body in translation.bodies.values() {
        let result = translator
            .translate(&translation, body)
            .and_then(|func| compiler.inspect(func));
        match result {
            Ok((_, inspection)) => show(&inspection),
            Err(error) => println!("{error}"),
        }
    }
}
