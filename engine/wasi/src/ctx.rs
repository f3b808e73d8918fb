//! The part of the host that a program may use: its arguments, environment, streams and directories.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{OFlags, fstat};

use crate::errno::Errno;
use crate::preview1::blocking::Interrupts;
use crate::stream::{BytesInput, Input, Output};
use crate::table::{DEFAULT_DESCRIPTORS, Descriptor, Directory, Entry, Table};
use crate::types::Access;

/// The state behind WASI's functions for one instance. [`WasiCtxBuilder`] builds it, and a program can reach
/// nothing of the host but what the builder was given.
#[derive(Debug)]
pub struct WasiCtx {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) table: Table,
    pub(crate) start: Instant,
    /// The requests to stop the program during the current call.
    pub(crate) interrupts: Interrupts,
    /// The stream of this process that the program has written to last, if that left a line unfinished.
    pub(crate) unfinished: Option<BorrowedFd<'static>>,
}

impl WasiCtx {
    /// Whether what the program wrote last to a stream that it inherited ends within a line, and leads to where standard error
    /// of this process leads, so that a message there would be glued to it.
    ///
    /// ```
    /// let ctx = skerry_wasi::WasiCtxBuilder::new().build().unwrap();
    /// assert!(!ctx.is_line_unfinished());
    /// ```
    pub fn is_line_unfinished(&self) -> bool {
        let place = |fd: BorrowedFd<'_>| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        self.unfinished.is_some_and(|fd| {
            place(fd).is_ok_and(|there| Ok(there) == place(rustix::stdio::stderr()))
        })
    }
}

/// The reason why a [`WasiCtx`] cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A directory of the host cannot be opened.
    #[error("cannot open the directory {path:?} for the guest: {source}")]
    Directory {
        /// The path on the host.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A string cannot be given to a program: C strings end at the first zero byte.
    #[error("{what} {text:?} has a zero byte in it")]
    ZeroByte {
        /// The kind of string, as the error message names it.
        what: &'static str,
        /// The string.
        text: String,
    },
    /// The name of an environment variable is empty or has an equals sign in it.
    #[error("{0:?} cannot be the name of an environment variable: it is empty or holds a `=`")]
    VariableName(String),
    /// There is more than the guest can count or hold.
    #[error("too many {what} for the guest: {actual}, the limit is {limit}")]
    Limit {
        /// What the limit counts, as the error message names it.
        what: &'static str,
        /// The largest number that is allowed.
        limit: u64,
        /// The number that was given.
        actual: u64,
    },
}

/// Builds a [`WasiCtx`]. Unless the builder is told otherwise, a program has no arguments, no environment, no
/// directories, an empty standard input and two outputs that lead nowhere.
#[derive(Debug)]
pub struct WasiCtxBuilder {
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Input,
    stdout: Output,
    stderr: Output,
    directories: Vec<(Dir, String)>,
    listeners: Vec<TcpListener>,
    max_descriptors: u32,
}

impl Default for WasiCtxBuilder {
    fn default() -> WasiCtxBuilder {
        WasiCtxBuilder {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Input::default(),
            stdout: Output::default(),
            stderr: Output::default(),
            directories: Vec::new(),
            listeners: Vec::new(),
            max_descriptors: DEFAULT_DESCRIPTORS,
        }
    }
}

/// Opens a directory for reading, so that its times can be set and it can be synchronised. A directory that may not
/// be read is opened only for looking up files in it.
fn open_dir(path: &Path) -> std::io::Result<Dir> {
    let mut options = OpenOptions::new();
    options.read(true);
    options.custom_flags(OFlags::DIRECTORY.bits() as i32);
    match options.open(path) {
        Ok(file) => Ok(Dir::from_std_file(file)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Dir::open_ambient_dir(path, ambient_authority())
        }
        Err(error) => Err(error),
    }
}

impl WasiCtxBuilder {
    /// Makes a builder that grants nothing.
    pub fn new() -> WasiCtxBuilder {
        WasiCtxBuilder::default()
    }

    /// Appends one argument; the first is the program's name.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// Appends arguments.
    pub fn args<S: Into<String>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one environment variable. The last value for a name counts.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value.into()));
        self
    }

    /// Sets the source of standard input (descriptor 0).
    pub fn stdin(&mut self, input: Input) -> &mut Self {
        self.stdin = input;
        self
    }

    /// Sets the target of standard output (descriptor 1).
    pub fn stdout(&mut self, output: Output) -> &mut Self {
        self.stdout = output;
        self
    }

    /// Sets the target of standard error (descriptor 2).
    pub fn stderr(&mut self, output: Output) -> &mut Self {
        self.stderr = output;
        self
    }

    /// Gives the three standard streams of this process to the program.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.stdin(Input::Inherit)
            .stdout(Output::Inherit)
            .stderr(Output::Inherit)
    }

    /// Gives the program the host's directory `host` and all below it under the path `guest`.
    ///
    /// # Errors
    ///
    /// [`BuildError::Directory`] when `host` is not a directory that this process may open.
    pub fn preopened_dir(
        &mut self,
        host: impl AsRef<Path>,
        guest: impl Into<String>,
    ) -> Result<&mut Self, BuildError> {
        let path = host.as_ref();
        let dir = open_dir(path).map_err(|source| BuildError::Directory {
            path: path.into(),
            source,
        })?;
        self.directories.push((dir, guest.into()));
        Ok(self)
    }

    /// Gives the program a listening socket. The descriptors of sockets follow those of the directories.
    pub fn preopened_socket(&mut self, listener: TcpListener) -> &mut Self {
        self.listeners.push(listener);
        self
    }

    /// Sets how many descriptors the program may have open at once, by default 1,024. They include the three
    /// standard streams and the directories and sockets that the host gives to the program. Opening one more fails
    /// with `mfile`. Each takes a descriptor of this process, so reaching the process' own limit (`RLIMIT_NOFILE`)
    /// fails with `mfile`, too.
    pub fn max_descriptors(&mut self, limit: u32) -> &mut Self {
        self.max_descriptors = limit;
        self
    }

    /// Returns the finished state. The builder is empty again afterwards.
    ///
    /// # Errors
    ///
    /// [`BuildError::ZeroByte`], [`BuildError::VariableName`] and [`BuildError::Limit`] for arguments and
    /// environment that cannot be passed to a program. [`BuildError::Limit`] if there are more standard streams,
    /// directories and sockets than [`Self::max_descriptors`] allows.
    pub fn build(&mut self) -> Result<WasiCtx, BuildError> {
        let builder = std::mem::take(self);
        let mut env = Vec::new();
        for (name, value) in builder.env {
            if name.is_empty() || name.contains('=') {
                return Err(BuildError::VariableName(name));
            }
            env.push(format!("{name}={value}"));
        }
        check_strings("argument", &builder.args)?;
        check_strings("environment variable", &env)?;

        let mut entries = vec![
            input_entry(builder.stdin),
            output_entry(builder.stdout, rustix::stdio::stdout()),
            output_entry(builder.stderr, rustix::stdio::stderr()),
        ];
        entries.extend(builder.directories.into_iter().map(|(dir, guest)| {
            let directory = Directory {
                dir,
                preopen: Some(guest),
                listing: Vec::new(),
            };
            Entry::new(Descriptor::Directory(directory), Access::READ)
        }));
        entries.extend(
            builder
                .listeners
                .into_iter()
                .map(|listener| Entry::new(Descriptor::Host(listener.into()), Access::READ)),
        );
        let actual = entries.len() as u64;
        let limit = builder.max_descriptors;
        let mut table = Table::new(limit);
        for entry in entries {
            let too_many = |_: Errno| BuildError::Limit {
                what: "descriptors",
                limit: limit.into(),
                actual,
            };
            table.insert(entry).map_err(too_many)?;
        }
        Ok(WasiCtx {
            args: builder.args,
            env,
            table,
            start: Instant::now(),
            interrupts: Interrupts::default(),
            unfinished: None,
        })
    }
}

fn check_strings(what: &'static str, strings: &[String]) -> Result<(), BuildError> {
    if let Some(text) = strings.iter().find(|text| text.contains('\0')) {
        return Err(BuildError::ZeroByte {
            what,
            text: text.clone(),
        });
    }
    let actual: u64 = strings.iter().map(|text| text.len() as u64 + 1).sum();
    let limit = u64::from(u32::MAX);
    if actual > limit {
        return Err(BuildError::Limit {
            what: "bytes of arguments or environment",
            limit,
            actual,
        });
    }
    Ok(())
}

fn input_entry(input: Input) -> Entry {
    let descriptor = match input {
        Input::Empty => Descriptor::Input(BytesInput::new(Vec::new())),
        Input::Inherit => Descriptor::Inherited(rustix::stdio::stdin()),
        Input::Bytes(bytes) => Descriptor::Input(BytesInput::new(bytes)),
        Input::File(fd) => Descriptor::Host(fd),
    };
    Entry::new(descriptor, Access::READ)
}

fn output_entry(output: Output, inherited: BorrowedFd<'static>) -> Entry {
    let descriptor = match output {
        Output::Discard => Descriptor::Discard,
        Output::Inherit => Descriptor::Inherited(inherited),
        Output::Captured(captured) => Descriptor::Output(captured),
        Output::File(fd) => Descriptor::Host(fd),
    };
    Entry::new(descriptor, Access::WRITE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_handed_over_is_refused() {
        let build = |f: &dyn Fn(&mut WasiCtxBuilder)| {
            let mut builder = WasiCtxBuilder::new();
            f(&mut builder);
            builder.build().err().map(|error| error.to_string())
        };
        assert_eq!(build(&|_| ()), None);
        let zero = build(&|builder| _ = builder.arg("a\0b")).unwrap();
        assert_eq!(zero, "argument \"a\\0b\" has a zero byte in it");
        assert!(build(&|builder| _ = builder.env("", "x")).is_some());
        assert!(build(&|builder| _ = builder.env("a=b", "x")).is_some());
        assert_eq!(build(&|builder| _ = builder.max_descriptors(3)), None);
        let full = build(&|builder| _ = builder.max_descriptors(2)).unwrap();
        let expected = "too many descriptors for the guest: 3, the limit is 2";
        assert_eq!(full, expected);
        let missing = WasiCtxBuilder::new()
            .preopened_dir("/nonexistent", "/")
            .err()
            .unwrap();
        assert!(
            missing
                .to_string()
                .starts_with("cannot open the directory \"/nonexistent\"")
        );
    }

    #[test]
    fn the_last_value_of_a_variable_stands() {
        let ctx = WasiCtxBuilder::new()
            .env("a", "1")
            .env("b", "2")
            .env("a", "3")
            .build()
            .unwrap();
        assert_eq!(ctx.env, ["b=2", "a=3"]);
    }
}
