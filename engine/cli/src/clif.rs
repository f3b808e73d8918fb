//! `skerry clif`: functions in CLIF's text format are compiled, run and compared with what their
//! file expects.
//!
//! `; run: %f(1, 2) == 3` and `; print: %f(1, 2)` are those of Cranelift's filetests; `; traps: %f(1, 0): integer
//! divide by zero` is Skerry's own. Before the functions, `set opt_level=none` leaves out the mid-end for all of them;
//! one function may be compiled in another [`variant`](crate::variant). The rest is in [`filetest`](crate::filetest).
//!
//! CLIF may access any memory, so the engine runs it in a process of its own: a function that loads from a wrong address is a
//! failure of its line.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use cranelift_codegen::data_value::DataValue;
use cranelift_codegen::ir::{AbiParam, Function};
use cranelift_codegen::isa::CallConv;
use cranelift_reader::{
    Invocation, ParseError, ParseOptions, RunCommand, TestFile, parse_run_command, parse_test,
};
use skerry_compiler::{
    ClifText, CompiledClif, CpuFeatures, Flags, OptLevel, Target, compile_clif_text,
};
use skerry_environ::Trap;
use skerry_runtime::{ClifProgram, Engine};

use crate::clif_program::{call, from_bits, to_bits};
use crate::error::Error;
use crate::files::{expand, read_text};
use crate::filetest::{Lowered, Stale, bless, check, check_directives};
use crate::options::ClifOptions;
use crate::variant::{Variant, variants};

/// The result of checking one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClifReport {
    /// The number of functions in the file.
    pub functions: usize,
    /// The number of lines that were run.
    pub runs: usize,
    /// The target, if its code cannot run on this machine, so that no line was run.
    pub foreign: Option<Target>,
    /// What failed, each item with its line.
    pub failures: Vec<String>,
    /// The functions whose expectations do not hold.
    pub stale: Vec<Stale>,
    /// The text with its expectations written anew.
    pub blessed: String,
    /// The output of the `; print:` lines.
    pub printed: Vec<String>,
}

/// Compiles the functions of a text, runs their lines, on this processor and as on one without any
/// optional instruction, and compares their expectations. With `required` each rule that fires must
/// be in an expectation.
///
/// # Errors
///
/// A message with the line, for a text that is not CLIF, has two functions of one name, has no function, or has a comment that is
/// nearly a directive; or the compiler's message.
pub fn check_text(text: &str, required: bool) -> Result<ClifReport, String> {
    check_directives(text)?;
    let options = ParseOptions {
        default_calling_convention: CallConv::Tail,
        ..ParseOptions::default()
    };
    let read = ClifText::read(text).map_err(|error| error.to_string())?;
    let parsed = parse_test(&read.text, options).map_err(|error| error.to_string())?;
    if parsed.functions.is_empty() {
        return Err("no function in this file".into());
    }
    check_names(&parsed)?;
    check_braces(text, &parsed)?;
    for (function, details) in &parsed.functions {
        check_trap_codes(function)
            .map_err(|message| format!("{}: {message}", details.location.line_number))?;
    }
    let starts = parsed.functions.iter();
    let starts: Vec<usize> = starts
        .map(|(_, details)| details.location.line_number - 1)
        .collect();
    let variants = variants(text, &starts, read.target, read.opt_level)?;
    let compile = |variant: Variant| {
        let flags = Flags {
            opt_level: variant.opt_level,
            features: variant.features,
            ..Flags::default()
        };
        compile_clif_text(text, &flags).map_err(|error| error.to_string())
    };
    let lowered = lowered_as(&variants, compile)?;
    let mut report = ClifReport {
        functions: parsed.functions.len(),
        stale: check(text, &lowered, required),
        blessed: bless(text, &lowered),
        ..ClifReport::default()
    };
    // Code for another instruction set is compared with what is expected, but cannot run here.
    if read.target == Target::host() {
        run_functions(&read.text, &parsed, &variants, compile, &mut report)?;
    } else {
        report.foreign = Some(read.target);
    }
    Ok(report)
}

/// Checks that each function has a name of its own, since calls are by name.
fn check_names(parsed: &TestFile<'_>) -> Result<(), String> {
    let mut first = HashMap::new();
    for (function, details) in &parsed.functions {
        let line = details.location.line_number;
        if let Some(other) = first.insert(&function.name, line) {
            let name = &function.name;
            return Err(format!(
                "{line}: the function in line {other} is named {name}, too"
            ));
        }
    }
    Ok(())
}

/// Checks that each function has a closing brace on a line of its own, by which expectations are found.
fn check_braces(text: &str, parsed: &TestFile<'_>) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().collect();
    let next_starts = parsed.functions[1..]
        .iter()
        .map(|(_, details)| details.location.line_number - 1)
        .chain([lines.len()]);
    let mut start = 0;
    for ((function, details), end) in parsed.functions.iter().zip(next_starts) {
        let own = &lines[start..end];
        start = end;
        if own.iter().filter(|line| line.trim_end() == "}").count() != 1 {
            return Err(format!(
                "{}: the closing brace of {} must be on a line of its own",
                details.location.line_number, function.name
            ));
        }
    }
    Ok(())
}

/// Runs the lines of all functions, each compiled at its own level, for this processor and for one without any
/// optional instruction.
fn run_functions(
    text: &str,
    parsed: &TestFile<'_>,
    variants: &[Variant],
    compile: impl Fn(Variant) -> Result<CompiledClif, String>,
    report: &mut ClifReport,
) -> Result<(), String> {
    for opt_level in [OptLevel::None, OptLevel::Speed] {
        let levels = variants.iter().map(|variant| variant.opt_level);
        let is_run: Vec<bool> = levels.map(|level| level == opt_level).collect();
        if !is_run.contains(&true) {
            continue;
        }
        let run = |features: CpuFeatures, report: &mut ClifReport| {
            let compiled = compile(Variant {
                opt_level,
                features,
            })?;
            run_lines(text, parsed, &is_run, compiled, report)
        };
        run(CpuFeatures::host(), report)?;
        if CpuFeatures::host() != CpuFeatures::default() {
            let mut plain = ClifReport::default();
            run(CpuFeatures::default(), &mut plain)?;
            let failures = plain.failures.into_iter();
            report
                .failures
                .extend(failures.map(|failure| format!("without CPU features: {failure}")));
        }
    }
    Ok(())
}

/// Runs the lines of those functions for which `is_run` says so.
fn run_lines(
    text: &str,
    parsed: &TestFile<'_>,
    is_run: &[bool],
    compiled: CompiledClif,
    report: &mut ClifReport,
) -> Result<(), String> {
    let functions: Vec<Function> = parsed
        .functions
        .iter()
        .map(|(function, _)| function.clone())
        .collect();
    let program = ClifProgram::new(&Engine::default(), compiled);
    let mut program = program.map_err(|error| error.to_string())?;
    let run = parsed.functions.iter().zip(is_run);
    for ((function, details), _) in run.filter(|(_, is_run)| **is_run) {
        for comment in &details.comments {
            match run_line(
                comment.text,
                function,
                &functions,
                &mut program,
                &mut report.printed,
            ) {
                Ok(false) => {}
                Ok(true) => report.runs += 1,
                Err(message) => {
                    report.runs += 1;
                    let (name, comment) = (&function.name, comment.text);
                    let line = line_of(text, comment);
                    report
                        .failures
                        .push(format!("{name} (line {line}): {comment}\n  {message}"));
                }
            }
        }
    }
    Ok(())
}

/// The line, counted from 1, where this part of the text starts.
fn line_of(text: &str, part: &str) -> usize {
    let offset = part.as_ptr().addr() - text.as_ptr().addr();
    text[..offset].matches('\n').count() + 1
}

/// The output for each function, compiled as its variant says.
fn lowered_as(
    variants: &[Variant],
    compile: impl Fn(Variant) -> Result<CompiledClif, String>,
) -> Result<Vec<Lowered>, String> {
    let mut outputs: Vec<(Variant, Vec<Lowered>)> = Vec::new();
    let mut chosen = Vec::new();
    for (index, &variant) in variants.iter().enumerate() {
        if !outputs.iter().any(|(other, _)| *other == variant) {
            outputs.push((variant, lowered(&compile(variant)?)));
        }
        let output = outputs.iter().find(|(other, _)| *other == variant);
        let (_, functions) = output.expect("compiled above");
        chosen.push(functions[index].clone());
    }
    Ok(chosen)
}

fn lowered(compiled: &CompiledClif) -> Vec<Lowered> {
    let functions = compiled.functions().iter().zip(compiled.inspections());
    functions
        .map(|((name, _), inspection)| Lowered {
            name: name.clone(),
            rules: inspection
                .fired_rules()
                .into_iter()
                .map(String::from)
                .collect(),
            asm: inspection
                .asm
                .iter()
                .map(|line| line.text.clone())
                .collect(),
        })
        .collect()
}

/// Checks that every trap code of a function is that of a trap. CLIF has more codes than there are traps.
fn check_trap_codes(function: &Function) -> Result<(), String> {
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            let data = &function.dfg.insts[inst];
            let flags = data
                .memflags()
                .and_then(|flags| function.dfg.mem_flags[flags].trap_code());
            if let Some(code) = data.trap_code().or(flags)
                && Trap::from_code(code.as_raw().get()).is_none()
            {
                return Err(format!("{code} is no trap of WebAssembly"));
            }
        }
    }
    Ok(())
}

/// Runs a comment if it is one that is run. Returns whether it was.
fn run_line(
    comment: &str,
    function: &Function,
    functions: &[Function],
    program: &mut ClifProgram,
    printed: &mut Vec<String>,
) -> Result<bool, String> {
    if let Some(line) = after_semicolons(comment).strip_prefix("traps:") {
        let form = || form("traps", function, ": MESSAGE");
        let (call, expected) = line.rsplit_once("): ").ok_or_else(form)?;
        let command = parse_run_command(&format!("print: {call})"), &function.signature);
        let Ok(Some(RunCommand::Print(invocation))) = command else {
            return Err(form());
        };
        return match invoke(&invocation, functions, program) {
            Err(message) if message == format!("trap: {}", expected.trim()) => Ok(true),
            Err(message) => Err(format!("found {message}")),
            Ok(values) => Err(format!("no trap, found {values:?}")),
        };
    }
    let command = parse_run_command(comment, &function.signature);
    match command.map_err(|error| explain(&error, comment, function))? {
        None => Ok(false),
        Some(RunCommand::Print(invocation)) => {
            let values = invoke(&invocation, functions, program)?;
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            printed.push(format!("{invocation} -> [{}]", values.join(", ")));
            Ok(true)
        }
        Some(command @ RunCommand::Run(..)) => {
            let RunCommand::Run(invocation, ..) = &command else {
                unreachable!("matched above")
            };
            command.run(|_, _| invoke(invocation, functions, program))?;
            Ok(true)
        }
    }
}

/// Explains what is wrong with a line and how it has to be written. The error's own line is always 1.
fn explain(error: &ParseError, comment: &str, function: &Function) -> String {
    let results = types(&function.signature.returns);
    let form = match function.signature.returns.len() {
        _ if after_semicolons(comment).starts_with("print") => form("print", function, ""),
        1 => form("run", function, &format!(" == {results}")),
        _ => form("run", function, &format!(" == [{results}]")),
    };
    format!("{}; {form}", error.message)
}

fn after_semicolons(comment: &str) -> &str {
    comment.trim_start_matches([' ', ';'])
}

/// The form of a line of this kind, with types in the place of values.
fn form(kind: &str, function: &Function, end: &str) -> String {
    let (name, params) = (&function.name, types(&function.signature.params));
    format!("expected `; {kind}: {name}({params}){end}`")
}

fn types(values: &[AbiParam]) -> String {
    let types: Vec<String> = values
        .iter()
        .map(|value| value.value_type.to_string())
        .collect();
    types.join(", ")
}

fn invoke(
    invocation: &Invocation,
    functions: &[Function],
    program: &mut ClifProgram,
) -> Result<Vec<DataValue>, String> {
    let name = format!("%{}", invocation.func);
    let index = functions
        .iter()
        .position(|function| function.name.to_string() == name);
    let index = index.ok_or_else(|| format!("there is no function {name}"))?;
    let signature = &functions[index].signature;
    let arguments = invocation
        .args
        .iter()
        .map(to_bits)
        .collect::<Result<Vec<_>, _>>()?;
    let results = call(program, index, &arguments)?;
    let from = |(param, bits): (&AbiParam, u64)| from_bits(param.value_type, bits);
    signature.returns.iter().zip(results).map(from).collect()
}

/// The command `skerry clif`. It writes one line for each file and then the totals to `out`, and failures to `log`.
/// Returns whether all passed. `BLESS=1` writes stale expectations anew.
///
/// # Errors
///
/// A directory that cannot be read, [`Error::Usage`] for a directory without .clif files, and the errors of `out`.
pub fn command(
    options: &ClifOptions,
    out: &mut dyn Write,
    log: &mut dyn Write,
) -> Result<bool, Error> {
    let blessing = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let (mut passed, mut failed) = (0, 0);
    for path in expand(&options.files, "clif")? {
        let outcome = check_file(&path, false, blessing, out)?;
        match outcome {
            Ok(line) => {
                passed += 1;
                writeln!(out, "pass {}: {line}", path.display())?;
            }
            Err(messages) => {
                failed += 1;
                let failures = match messages.len() {
                    1 => "1 failure".to_string(),
                    count => format!("{count} failures"),
                };
                writeln!(out, "FAIL {}: {failures}", path.display())?;
                for message in messages {
                    // The log may have no reader any more, which is no error of the test.
                    _ = writeln!(log, "{}: {message}", path.display());
                }
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(failed == 0)
}

/// Checks one file, or writes its expectations anew. Returns what was done, or what failed, which includes reading
/// and writing the file.
///
/// # Errors
///
/// The errors of `out`.
pub fn check_file(
    path: &Path,
    required: bool,
    blessing: bool,
    out: &mut dyn Write,
) -> Result<Result<String, Vec<String>>, Error> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => return Ok(Err(vec![error.beside_path()])),
    };
    let report = match check_text(&text, required) {
        Ok(report) => report,
        Err(message) => return Ok(Err(vec![message])),
    };
    for line in &report.printed {
        writeln!(out, "{line}")?;
    }
    let mut messages = report.failures;
    if blessing {
        if report.blessed != text
            && let Err(error) = std::fs::write(path, &report.blessed)
        {
            messages.push(format!("cannot write: {error}"));
        }
    } else {
        messages.extend(report.stale.iter().map(
            |Stale {
                 name,
                 line,
                 message,
             }| { format!("%{name} (line {line}): {message}") },
        ));
    }
    if messages.is_empty() {
        let foreign = report.foreign.map(|target| target.name());
        let foreign = foreign.map(|name| format!(" (its lines run on {name} alone)"));
        Ok(Ok(format!(
            "{} functions, {} runs{}",
            report.functions,
            report.runs,
            foreign.unwrap_or_default()
        )))
    } else {
        Ok(Err(messages))
    }
}
