//! Compiles the ISLE units of `isle-rules` to Rust, and makes each fired rule report its name.
//!
//! The files come from `skerry_isle_rules::unit_paths`, so this is the same text that the verifier proves. ISLE's
//! generated code marks the end of each rule with a comment that names its line; every such comment gets a call
//! `C::rule_fired(ctx, ID)`, and `RULES[ID]` names the rule. Nothing else of the generated code is touched.
//!
//! Beside it come the types at which CLIF's operators are proven, from the `instantiate` lists of the same text.
//!
//! Beside it stands, for tests, the list of all terms that make instructions, each with a function that applies it to
//! operands of the types that its declaration has (`src/isa/forms.rs`).
#![forbid(unsafe_code)]

use cranelift_isle::codegen::{CodegenOptions, Prefix};
use cranelift_isle::error::{Error, Errors, Span};
use cranelift_isle::{ast, compile, files::Files, lexer::Lexer, parser};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    for unit in skerry_isle_rules::UNITS {
        let paths = skerry_isle_rules::unit_paths(unit, &out.join("clif"))
            .unwrap_or_else(|error| fail(&format!("cannot write the CLIF declarations: {error}")));
        for path in paths.iter().filter(|path| !path.starts_with(&out)) {
            println!("cargo:rerun-if-changed={}", path.display());
        }
        let code = compile_unit(&paths, &out);
        let write = |name: String, text: String| {
            std::fs::write(out.join(name), text).unwrap_or_else(|error| {
                fail(&format!("cannot write the generated lowering: {error}"))
            });
        };
        write(format!("{}.rs", unit.name), code.lowering);
        write(format!("{}_forms.rs", unit.name), code.forms);
        // They stand in `clif/`, which every instruction set shares.
        write("signatures.rs".to_owned(), code.signatures);
    }
}

/// Stops the build with a message and without a backtrace.
fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}

/// What is generated from one unit.
struct UnitCode {
    /// The lowering as Rust.
    lowering: String,
    /// The table of the types at which operators are proven.
    signatures: String,
    /// The list of the terms that make instructions, as Rust.
    forms: String,
}

fn compile_unit(paths: &[PathBuf], out: &Path) -> UnitCode {
    let prefixes = [
        (skerry_isle_rules::rules_dir(), "isle-rules"),
        (out, "generated"),
    ]
    .map(|(prefix, name)| Prefix {
        prefix: prefix.display().to_string(),
        name: name.to_string(),
    });
    let options = CodegenOptions {
        exclude_global_allow_pragmas: true,
        prefixes: prefixes.into(),
        ..CodegenOptions::default()
    };
    let files = Files::from_paths(paths, &options.prefixes)
        .unwrap_or_else(|(path, error)| fail(&format!("{}: {error}", path.display())));
    let files = Arc::new(files);
    let mut defs = Vec::new();
    for (file, text) in files.file_texts.iter().enumerate() {
        let parsed = Lexer::new(file, text).and_then(parser::parse);
        match parsed {
            Ok(parsed) => defs.extend(parsed),
            Err(error) => fail(&readable(&Errors::new(vec![error], files.clone()), &files)),
        }
    }
    let code = compile::compile(files.clone(), &defs, &options)
        .unwrap_or_else(|errors| fail(&readable(&errors, &files)));
    UnitCode {
        lowering: report_rules(&code, &defs, &files),
        signatures: signatures(&defs),
        forms: instruction_terms(&defs, &files),
    }
}

/// The table of the types at which operators are proven: sorted texts, each an operator, the types of its operands that
/// are values, `->`, and the type of its result, if it has one.
fn signatures(defs: &[ast::Def]) -> String {
    let mut forms = HashMap::new();
    let mut texts = BTreeSet::new();
    for def in defs {
        if let ast::Def::Form(form) = def {
            forms.insert(form.name.0.as_str(), &form.signatures);
        }
    }
    for def in defs {
        let ast::Def::Instantiation(instantiation) = def else {
            continue;
        };
        let listed = match &instantiation.form {
            None => &instantiation.signatures,
            Some(form) => forms
                .get(form.0.as_str())
                .unwrap_or_else(|| fail(&format!("no form is called `{}`", form.0))),
        };
        for signature in listed {
            let mut text = instantiation.term.0.clone();
            for ty in signature.args.iter().filter_map(clif_type) {
                write!(text, " {ty}").expect("strings take all");
            }
            text.push_str(" ->");
            if let Some(ty) = clif_type(&signature.ret) {
                write!(text, " {ty}").expect("strings take all");
            }
            texts.insert(text);
        }
    }
    format!("&{:?}\n", texts.into_iter().collect::<Vec<_>>())
}

/// The name of a CLIF type as CLIF text has it (`i32`), of a model that is one: a letter and a width.
fn clif_type(model: &ast::ModelType) -> Option<String> {
    let ast::ModelType::Named(name) = model else {
        return None;
    };
    let width = name.0.strip_prefix(['I', 'F'])?;
    width.parse::<u32>().ok()?;
    Some(name.0.to_lowercase())
}

/// The terms that make instructions: the constructors of `<isa>/inst/` that are neither pure nor operands. For each one
/// a function has the maker `m` of forms make an operand of each type, and gives the result back to it.
fn instruction_terms(defs: &[ast::Def], files: &Files) -> String {
    let mut by_reference = HashSet::new();
    let mut functions = HashMap::new();
    for def in defs {
        match def {
            ast::Def::Type(ty) if !matches!(ty.ty, ast::TypeValue::Primitive(..)) => {
                by_reference.insert(&ty.name.0);
            }
            ast::Def::Extern(ast::Extern::Constructor { term, func, .. }) => {
                functions.insert(&term.0, &func.0);
            }
            _ => {}
        }
    }
    let mut out = String::from(
        "/// The terms that make instructions, each with what applies it to the operands that the maker chooses.\n\
         pub const TERMS: &[Term] = &[\n",
    );
    for def in defs {
        let ast::Def::Decl(decl) = def else {
            continue;
        };
        let file = &files.file_names[decl.pos.file];
        let instructions = file.contains("/inst/") && !file.ends_with("/operands.isle");
        let Some(function) = functions.get(&decl.term.0) else {
            continue;
        };
        if !instructions || decl.pure || decl.ret_ty.0 == "Cond" {
            continue;
        }
        let mut body = String::new();
        let mut operands = String::new();
        for (index, ty) in decl.arg_tys.iter().enumerate() {
            write!(body, "let x{index} = m.{}(); ", snake_case(&ty.0)).expect("strings take all");
            let reference = if by_reference.contains(&ty.0) {
                "&"
            } else {
                ""
            };
            write!(operands, "{reference}x{index}, ").expect("strings take all");
        }
        let call = format!("m.isle.{function}({operands})");
        match snake_case(&decl.ret_ty.0).as_str() {
            "unit" => write!(body, "{call}; m.unit_result();"),
            result => write!(body, "let result = {call}; m.{result}_result(result);"),
        }
        .expect("strings take all");
        writeln!(out, "    ({:?}, |m| {{ {body} }}),", decl.term.0).expect("strings take all");
    }
    out + "];\n"
}

/// The name of a type as that of a function: `GprMem` as `gpr_mem`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            out.push('_');
        }
        lower = !c.is_uppercase();
        out.extend(c.to_lowercase());
    }
    out
}

/// Errors as text, one line `file:line: message` for each.
fn readable(errors: &Errors, files: &Files) -> String {
    let at = |span: &Span| {
        let line = files.file_line_maps[span.from.file].line(span.from.offset) + 1;
        let name = files.file_names[span.from.file].replace("isle-rules/", "");
        format!(
            "{}:{line}",
            skerry_isle_rules::rules_dir().join(name).display()
        )
    };
    let mut text = String::new();
    for error in &errors.errors {
        let line = match error {
            Error::IoError { error, context } => format!("{context}: {error}"),
            Error::ParseError { msg, span }
            | Error::TypeError { msg, span }
            | Error::UnreachableError { msg, span }
            | Error::RecursionError { msg, span } => format!("{}: {msg}", at(span)),
            Error::OverlapError { msg, rules } => {
                let others: Vec<_> = rules[1..].iter().map(at).collect();
                format!(
                    "{}: {msg} (with the rule at {})",
                    at(&rules[0]),
                    others.join(", ")
                )
            }
            Error::ShadowedError { shadowed, mask } => {
                let others: Vec<_> = shadowed.iter().map(at).collect();
                format!(
                    "{}: this rule always matches before the rule at {}",
                    at(mask),
                    others.join(", ")
                )
            }
        };
        writeln!(text, "{line}").expect("strings take all");
    }
    text
}

/// Adds the `rule_fired` calls and the table of rule names.
fn report_rules(code: &str, defs: &[ast::Def], files: &Files) -> String {
    let mut names = Vec::new();
    let mut ids = HashMap::new();
    for def in defs {
        if let ast::Def::Rule(rule) = def {
            let at = rule.pos.pretty_print_line(files);
            let name = rule
                .name
                .as_ref()
                .map_or_else(|| at.clone(), |name| name.0.clone());
            ids.insert(at, names.len());
            names.push(name);
        }
    }
    let mut out = String::with_capacity(code.len() + code.len() / 8);
    for line in code.lines() {
        writeln!(out, "{line}").expect("strings take all");
        let trimmed = line.trim_start();
        if trimmed == "pub trait Context {" {
            out.push_str("    fn rule_fired(&mut self, rule: u16);\n");
        } else if let Some(at) = trimmed.strip_prefix("// Rule at ") {
            let at = at.trim_end_matches('.');
            let id = ids
                .get(at)
                .unwrap_or_else(|| fail(&format!("no rule starts at {at}")));
            writeln!(out, "C::rule_fired(ctx, {id});").expect("strings take all");
        }
    }
    writeln!(
        out,
        "/// The names of the rules, by the number that `rule_fired` reports."
    )
    .expect("strings take all");
    writeln!(out, "pub const RULES: &[&str] = &{names:?};").expect("strings take all");
    out
}
