//! The errors of loading, linking and running modules.

use crate::artifact::ArtifactError;
use crate::limits::LimitKind;
use crate::trap::{Backtrace, Trap, TrapCode, printable};
use crate::trust::TrustError;
use crate::types::ExternType;
use crate::vm::context::Unwind;
use skerry_compiler::CompileError;
use skerry_environ::{FuncType, ValType};
use thiserror::Error as ThisError;

/// The result of functions of this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. Each variant says whose fault it is.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The module was not compiled: it is invalid, is too large, or uses a feature that Skerry does not have.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The text of a module is malformed. The message shows where.
    #[error("{0}")]
    Text(String),
    /// The configuration asks for code that this processor cannot run.
    #[error(
        "the configuration asks for code that uses {missing}, which this processor lacks: leave it out of the features"
    )]
    Features {
        /// The names of the features that the processor lacks.
        missing: String,
    },
    /// An artifact cannot be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// It is not known what compiled code the user trusts.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An artifact cannot be written.
    #[error("cannot write the artifact: {0}")]
    Write(std::io::Error),
    /// A file for a profiler cannot be written.
    #[error("cannot write {path:?} for the profiler: {source}")]
    Profile {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// WebAssembly trapped.
    #[error(transparent)]
    Trap(Box<Trap>),
    /// A host function failed.
    #[error("{error}")]
    Host {
        /// The error that the function returned.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
        /// The frames of WebAssembly that were live when it called the function; empty if the host called it.
        backtrace: Box<Backtrace>,
    },
    /// Nothing is defined for an import.
    #[error("unknown import: `{}::{}` ({expected}) has not been defined", printable(.module), printable(.name))]
    UnknownImport {
        /// The module name of the import.
        module: String,
        /// The field name of the import.
        name: String,
        /// The type that is imported.
        expected: Box<ExternType>,
    },
    /// The item that is given for an import has another type.
    #[error("incompatible import type for `{}::{}`: expected {expected}, found {found}", printable(.module), printable(.name))]
    IncompatibleImport {
        /// The module name of the import.
        module: String,
        /// The field name of the import.
        name: String,
        /// The type that is imported.
        expected: Box<ExternType>,
        /// The type of the item that was given.
        found: Box<ExternType>,
    },
    /// An instantiation was given the wrong number of imports.
    #[error("expected {expected} imports, found {found}")]
    ImportCount {
        /// The number of imports of the module.
        expected: usize,
        /// The number of items that were given.
        found: usize,
    },
    /// The name is already defined in the linker.
    #[error("`{}::{}` is defined twice", printable(.module), printable(.name))]
    DuplicateDefinition {
        /// The module name of the definition.
        module: String,
        /// The field name of the definition.
        name: String,
    },
    /// The instance has no such export.
    #[error("unknown export: `{name}`")]
    UnknownExport {
        /// The name that was asked for.
        name: String,
    },
    /// An export exists, but is of another kind.
    #[error("export `{name}` is a {found}, not a {expected}")]
    ExportKind {
        /// The name that was asked for.
        name: String,
        /// The kind that was asked for.
        expected: &'static str,
        /// The kind that the export has.
        found: &'static str,
    },
    /// A function was called, or typed, with a signature that is not its own.
    #[error("function type mismatch: expected {expected}, found {found}")]
    Signature {
        /// The type that the caller or the embedder gave.
        expected: Box<FuncType>,
        /// The type of the function.
        found: Box<FuncType>,
    },
    /// A call has the wrong number of arguments, or room for the wrong number of results.
    #[error("expected {expected} {what}, found {found}")]
    ValueCount {
        /// `arguments` or `results`.
        what: &'static str,
        /// The number that the function has.
        expected: usize,
        /// The number that was given.
        found: usize,
    },
    /// A value does not have the type that is needed.
    #[error("expected a value of type {expected}, found {found}")]
    ValueType {
        /// The type that is needed.
        expected: ValType,
        /// The type of the value.
        found: ValType,
    },
    /// A handle or value belongs to another store or engine.
    #[error("a {what} of another store or engine was used")]
    WrongStore {
        /// The kind of handle or value.
        what: &'static str,
    },
    /// An immutable global was written.
    #[error("the global is immutable")]
    ImmutableGlobal,
    /// The host accessed a memory or table out of bounds.
    #[error("host access of {len} at {at} is out of bounds of a {what} of size {size}")]
    OutOfBounds {
        /// `memory` (in bytes) or `table` (in elements).
        what: &'static str,
        /// The start of the access, in the same unit.
        at: u64,
        /// The length of the access, in the same unit.
        len: u64,
        /// The size of the memory or table, in the same unit.
        size: u64,
    },
    /// Fuel was asked for or set in a store whose engine does not count it.
    #[error("the engine does not count fuel: `Config::consume_fuel` has it do so")]
    FuelNotConsumed,
    /// More was asked for than a limit allows.
    #[error("{kind}: {actual} is over the limit of {limit}")]
    Limit {
        /// What the limit counts.
        kind: LimitKind,
        /// The largest number that is allowed.
        limit: u64,
        /// The number that was asked for.
        actual: u64,
    },
    /// The limiter of the store refused to let something be created or grow.
    #[error("{kind}: the limiter of the store refuses {actual}")]
    Refused {
        /// What was asked for.
        kind: LimitKind,
        /// The number that was asked for.
        actual: u64,
    },
    /// A signal cannot be used for interrupts.
    #[error(
        "signal {signal} cannot be used for interrupts: choose SIGURG, SIGUSR1, SIGUSR2 or a real-time signal"
    )]
    Signal {
        /// The number of the signal.
        signal: i32,
    },
    /// The operating system has no memory or address space left.
    #[error("out of memory: {0}")]
    OutOfMemory(std::io::Error),
}

impl Error {
    /// Makes an error that a host function returns. It ends all of WebAssembly that called the function, and the
    /// embedder gets it.
    pub fn host(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Host {
            error: error.into(),
            backtrace: Box::default(),
        }
    }

    /// The error of type `E` that a host function returned, if this is one.
    pub fn downcast_host<E: std::error::Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Host { error, .. } => error.downcast_ref(),
            _ => None,
        }
    }

    /// The trap, if this is one.
    pub fn as_trap(&self) -> Option<&Trap> {
        match self {
            Self::Trap(trap) => Some(trap),
            _ => None,
        }
    }

    /// The reason why WebAssembly trapped, if it did.
    pub fn trap_code(&self) -> Option<TrapCode> {
        self.as_trap().map(Trap::code)
    }

    /// The frames of WebAssembly that were live, if it ran.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        match self {
            Self::Trap(trap) => Some(trap.backtrace()),
            Self::Host { backtrace, .. } => Some(backtrace),
            _ => None,
        }
    }

    /// Adds the frames of WebAssembly, unless there are some already.
    pub(crate) fn with_backtrace(mut self, found: Backtrace) -> Self {
        match &mut self {
            Self::Trap(trap) => trap.add_backtrace(found),
            Self::Host { backtrace, .. } if backtrace.is_empty() => **backtrace = found,
            _ => {}
        }
        self
    }
}

/// Checks that `actual` is at most `limit`; otherwise the error names what it counts, `kind`.
pub(crate) fn within(kind: LimitKind, limit: u64, actual: u64) -> Result<()> {
    match actual <= limit {
        true => Ok(()),
        false => Err(Error::Limit {
            kind,
            limit,
            actual,
        }),
    }
}

/// An error of a host function or a limiter ends the WebAssembly that called it.
impl From<Error> for Unwind {
    fn from(error: Error) -> Self {
        Self::Error {
            is_interrupt: error.trap_code() == Some(TrapCode::Interrupted),
            error: Box::new(error),
        }
    }
}

impl From<Trap> for Error {
    fn from(trap: Trap) -> Self {
        Self::Trap(Box::new(trap))
    }
}

impl From<TrapCode> for Error {
    fn from(code: TrapCode) -> Self {
        Trap::new(code).into()
    }
}
