//! The options of the command line, and its help.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::limits::{LimitOptions, size};
use crate::target::TargetOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    an error, or a test that failed
  2    a wrong command line
  124  the time of --timeout has passed
  130  Ctrl-C; pressing it again kills the process
  134  the program trapped (`run`, `js`), as if it had been aborted
  141  the reader of standard output has gone
  `run` and `js` otherwise end with the program's own exit code modulo 256, as native programs
  do (-1 is 255), or 128 and the number of the signal that it raises.";

/// The `skerry` command: a WebAssembly runtime whose lowering rules are proven.
#[derive(Debug, Parser)]
#[command(name = "skerry", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Options {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program: a WASI command, or one function of a module
    Run(RunOptions),
    /// Run a JavaScript file in SpiderMonkey, which is fetched with npm the first time
    Js(JsOptions),
    /// Run scripts of the WebAssembly specification's test suite
    Wast(WastOptions),
    /// Compile a module to a file that `run` maps (with -o), or show it at one stage, with the rule behind each instruction
    Compile(CompileOptions),
    /// Let `run` take compiled modules (.cwasm) that you have not compiled: their code is not confined
    Trust(TrustOptions),
    /// Compile functions in CLIF's text format, run their `; run:` lines and check what follows them
    Clif(ClifOptions),
}

impl Command {
    /// For a command that runs WebAssembly, which Ctrl-C must end in order: the time after which it is ended, if
    /// one is given. `None` for other commands.
    pub fn stops(&self) -> Option<Option<Duration>> {
        match self {
            Command::Run(options) => Some(options.stop.timeout),
            Command::Js(options) => Some(options.stop.timeout),
            Command::Wast(options) => Some(options.stop.timeout),
            Command::Compile(_) | Command::Clif(_) | Command::Trust(_) => None,
        }
    }
}

/// When a command is ended.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct StopOptions {
    /// End the command when it has taken this long, compilation included: 500ms, 2s, 1.5m, 1h. The exit code is 124
    #[arg(long, value_name = "TIME", value_parser = crate::stop::time, help_heading = "Limits")]
    pub timeout: Option<Duration>,
}

/// How modules are compiled.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct CompilerOptions {
    /// Compile with this many threads, at most 256 [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Compilation")]
    pub threads: Option<NonZeroUsize>,

    /// Reserve this much address space for each memory, in bytes or with K, M or G; with less than 4G each access is checked
    /// [default: 4G, or 1M where `ulimit -v` leaves less than 64G]
    #[arg(long, value_name = "SIZE", value_parser = size::<u64>, help_heading = "Compilation")]
    pub memory_reservation: Option<u64>,

    /// Keep this much address space after each memory inaccessible [default: 2G and 64K, or 64K where `ulimit -v` leaves
    /// less than 64G]
    #[arg(long, value_name = "SIZE", value_parser = size::<u64>, help_heading = "Compilation")]
    pub memory_guard: Option<u64>,

    /// Whether a memory that grows beyond its reservation moves; otherwise it cannot grow further [default: true]
    #[arg(long, value_name = "BOOL", help_heading = "Compilation")]
    pub memory_may_move: Option<bool>,

    /// Sign return addresses, and mark where indirect branches may lead, so that a processor that can do so checks both (Arm's
    /// PAuth and BTI); without effect on other instruction sets
    #[arg(long, help_heading = "Compilation")]
    pub branch_protection: bool,

    /// Write a file by which a profiler knows the functions of the module
    #[arg(long, value_name = "FORMAT", help_heading = "Measuring")]
    pub profile: Option<Profile>,
}

/// How a profiler is informed about compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// /tmp/perf-PID.map: addresses and names, for `perf report`
    Perfmap,
    /// jit-PID.dump in the working directory: names, code, and lines if there is DWARF, for `perf record -k mono` and
    /// `perf inject --jit`
    Jitdump,
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().and_then(NonZeroUsize::new);
    let number = number.filter(|number| number.get() <= 256);
    number.ok_or_else(|| "a number from 1 to 256 is needed".into())
}

/// Options of `skerry run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunOptions {
    /// Call this exported function instead of `_start`. Arguments and results, one a line, are numbers as in the text format:
    /// -1, 0xff, 1.5e3, 0x1.8p10, inf, nan:0x200000; null for a reference
    #[arg(long, value_name = "NAME", help_heading = "Running")]
    pub invoke: Option<String>,

    /// Instantiate this module first, and let the program, and modules that are named later, import its exports from the
    /// module NAME; it has WASI, too
    #[arg(long = "preload", value_name = "NAME=FILE", help_heading = "Running")]
    pub preloads: Vec<OsString>,

    /// Let functions that nobody defines be imported: calling one is a trap that names it
    #[arg(long, help_heading = "Running")]
    pub unknown_imports_trap: bool,

    /// Give the program the directory HOST, as GUEST (by default under the same name)
    #[arg(
        long = "dir",
        value_name = "HOST[::GUEST]",
        help_heading = "What the program gets"
    )]
    pub directories: Vec<OsString>,

    /// Set an environment variable for the program; KEY alone hands on this process' value
    #[arg(
        long = "env",
        value_name = "KEY[=VALUE]",
        help_heading = "What the program gets"
    )]
    pub environment: Vec<String>,

    /// Let the program have at most N descriptors open at once, standard streams and directories included [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub max_descriptors: Option<u32>,

    /// Write the seconds of compilation, instantiation and run, and the size of the code, to this file, or to standard
    /// output for -
    #[arg(long, value_name = "OUT", help_heading = "Measuring")]
    pub time_json: Option<PathBuf>,

    /// Compile the module even if that was done before, and do not keep the code. The cache is in $SKERRY_CACHE_DIR, else
    /// in $XDG_CACHE_HOME/skerry or ~/.cache/skerry
    #[arg(long, help_heading = "Compilation")]
    pub no_cache: bool,

    /// When the program is ended
    #[command(flatten)]
    pub stop: StopOptions,

    /// How the module is compiled
    #[command(flatten)]
    pub compiler: CompilerOptions,

    /// What the program may use
    #[command(flatten)]
    pub limits: LimitOptions,

    /// The module, binary (.wasm), text (.wat) or compiled (.cwasm), or - for standard input; then the program's arguments
    #[arg(
        value_name = "FILE [ARGS]",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub program: Vec<OsString>,
}

/// Options of `skerry js`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SpiderMonkey is the file fastly.wasm of the npm package @fastly/js-compute, kept in target/corpus/
or the directory that SKERRY_CORPUS names. The script is a classic script, not a module;
console.log writes to standard output. A script that throws ends with exit code 1; a promise that
is rejected and not caught is only told. There are no timers.")]
pub struct JsOptions {
    /// Give SpiderMonkey the directory HOST besides the script's own, as GUEST (by default under the
    /// same name)
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    pub directories: Vec<OsString>,

    /// Print the seconds of compilation, instantiation, initialisation and run to standard error
    #[arg(long)]
    pub time: bool,

    /// Write the same, and the size of the code, to this file, or to standard output for -
    #[arg(long, value_name = "OUT", help_heading = "Measuring")]
    pub time_json: Option<PathBuf>,

    /// Compile SpiderMonkey even if that was done before, and do not keep the code (see `skerry help run`)
    #[arg(long, help_heading = "Compilation")]
    pub no_cache: bool,

    /// When the script is ended
    #[command(flatten)]
    pub stop: StopOptions,

    /// How SpiderMonkey is compiled
    #[command(flatten)]
    pub compiler: CompilerOptions,

    /// What SpiderMonkey may use
    #[command(flatten)]
    pub limits: LimitOptions,

    /// The script
    #[arg(value_name = "SCRIPT")]
    pub script: PathBuf,
}

/// Which edition of the specification a script is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Edition {
    /// WebAssembly 1.0: what came later is invalid
    Wasm1,
    /// WebAssembly 2.0
    Wasm2,
    /// All that the engine supports
    #[default]
    Latest,
}

/// Options of `skerry wast`.
#[derive(Debug, clap::Args)]
pub struct WastOptions {
    /// Scripts, or directories whose .wast files are taken, at any depth
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Files that are known to fail, one a line as `NAME.wast: REASON`; one of these that passes is
    /// an error
    #[arg(long, value_name = "LIST")]
    pub skip_list: Option<PathBuf>,

    /// The edition of the specification that the scripts are for
    #[arg(long, value_enum, default_value_t)]
    pub edition: Edition,

    /// What the modules of one script may use; `spectest` counts, too
    #[command(flatten)]
    pub limits: LimitOptions,

    /// When the scripts are ended
    #[command(flatten)]
    pub stop: StopOptions,

    /// Write a file by which a profiler knows the functions of all modules
    #[arg(long, value_name = "FORMAT")]
    pub profile: Option<Profile>,
}

/// A stage of compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// CLIF as translated from Wasm
    Clif,
    /// CLIF after the mid-end
    ClifOpt,
    /// Machine instructions over virtual registers, each with the rule that it comes from
    Vcode,
    /// Machine code as an independent disassembler reads it, each instruction with its rule
    Asm,
}

/// Options of `skerry compile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
--emit compiles with one thread. A .cwasm file is read-only: one that runs may be replaced or removed,
but never written to, as its pages are the program's code. `skerry run` takes it from this user on
this machine; see `skerry help trust` for others.")]
pub struct CompileOptions {
    /// The module, binary (.wasm) or text (.wat), or - for standard input
    pub file: PathBuf,

    /// Write to this file: what `--emit` says (- is standard output), or without that the compiled module, whose name
    /// ends in .cwasm and which `skerry run` then maps
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    /// The stage to show [default without -o: asm]
    #[arg(long, value_enum)]
    pub emit: Option<Emit>,

    /// Prove of the machine code, by disassembly, that it keeps inside the sandbox. Without -o, say how much was checked and
    /// how long it took; with -o, write only what was proven
    #[arg(long, conflicts_with_all = ["emit", "func"])]
    pub check: bool,

    /// Keep the module's DWARF in the compiled module, so that its backtraces show files and lines
    #[arg(short = 'g', long)]
    pub debug_info: bool,

    /// Compile code that counts fuel, as `skerry run --fuel N` needs it
    #[arg(long)]
    pub fuel: bool,

    /// Only this function: the name of an export, a name of the name section, or an index
    #[arg(long, value_name = "NAME|INDEX")]
    pub func: Option<String>,

    /// The machine to compile for
    #[command(flatten)]
    pub target: TargetOptions,

    /// How the module is compiled
    #[command(flatten)]
    pub compiler: CompilerOptions,
}

/// Options of `skerry trust`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A compiled module is machine code, which can do whatever you can. `skerry run` takes one only if
your own Skerry has compiled it, which it tells by a key in $SKERRY_TRUST_DIR, else in
$XDG_CONFIG_HOME/skerry or ~/.config/skerry, or if this command has been given the file. A file
that changes must be given again. In Skerry's own sources `cargo skerry` has a key of its own, in
target/trust: the installed `skerry` takes what that has compiled only after
`skerry trust`, and the other way round.")]
pub struct TrustOptions {
    /// Compiled modules (.cwasm) that you trust as you trust a native program
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Options of `skerry clif`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Before the functions of a file there may stand, as a whole line:
  set opt_level=none       compile without the mid-end; other settings of Cranelift are read and have no
                           effect, but for those that change results, which are refused
Directly above a function, as comments:
  ; opt_level: none        compile this function without the mid-end
  ; cpu: baseline          expect the code of a processor without any optional instruction
After a function, as comments:
  ; run: %f(1, 2) == 3     it is called and its results are compared: == or !=, with [1, 2] for
                           two results, [] for none
  ; print: %f(1, 2)        it is called and its results are printed
  ; traps: %f(1, 0): integer divide by zero
                           it is called and traps for this reason
  ; rules: iadd_lea, return_base
                           the rules that fired
  ; asm:                   the machine code, on the lines that follow
  ;   lea (%rdi,%rsi),%eax
Other comments mean nothing, but one that is nearly one of these, such as `; runn:`, is an error.
BLESS=1 in the environment writes the last two anew. Each call is made twice, with and without the
processor's optional instructions.
CLIF may access any memory, so it runs in a process of its own: a function that loads from a wrong
address ends that process (SIGSEGV), which is a failure of its line.")]
pub struct ClifOptions {
    /// Files of functions in CLIF's text format, or directories of .clif files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_follows_the_file_is_the_programs() {
        let options = Options::try_parse_from([
            "skerry",
            "run",
            "--dir",
            ".",
            "--env",
            "A=b",
            "prog.wasm",
            "--dir",
            "x",
            "-h",
            "--",
        ]);
        let Command::Run(run) = options.unwrap().command else {
            panic!("a run")
        };
        assert_eq!(run.program, ["prog.wasm", "--dir", "x", "-h", "--"]);
        assert_eq!((run.directories.len(), run.environment.len()), (1, 1));
    }
}
