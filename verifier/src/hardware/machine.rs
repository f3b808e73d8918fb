//! The program that executes code, `executor/executor.c`, and the talk with it.

use super::HardwareError;
use super::listing::Place;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The address of the page that code may access.
pub const DATA: u64 = 0x2000_0000;
/// Its size in bytes.
pub const PAGE: u64 = 4096;
/// The number of bytes of a window.
pub const WINDOW: usize = 16;

const SOURCES: [(&str, &str); 3] = [
    ("executor.c", include_str!("executor/executor.c")),
    ("x86_64.h", include_str!("executor/x86_64.h")),
    ("aarch64.h", include_str!("executor/aarch64.h")),
];

/// How programs of an instruction set are compiled and run on another machine.
struct Cross {
    isa: &'static str,
    compiler: &'static str,
    emulators: &'static [&'static str],
    packages: &'static str,
}

const CROSS: [Cross; 2] = [
    Cross {
        isa: "aarch64",
        compiler: "aarch64-linux-gnu-gcc",
        emulators: &["qemu-aarch64-static", "qemu-aarch64"],
        packages: "Debian's packages gcc-aarch64-linux-gnu and qemu-user-static",
    },
    Cross {
        isa: "x86_64",
        compiler: "x86_64-linux-gnu-gcc",
        emulators: &["qemu-x86_64-static", "qemu-x86_64"],
        packages: "Debian's packages gcc-x86-64-linux-gnu and qemu-user-static",
    },
];

/// The compiled executor of an instruction set.
#[derive(Clone, Debug)]
pub struct Executor {
    isa: String,
    program: PathBuf,
    emulator: Option<String>,
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

impl Executor {
    /// Compiles the executor for an instruction set, into a folder, unless that was done before.
    ///
    /// # Errors
    ///
    /// There is no C compiler for it, or no emulator if this machine has another instruction set.
    pub fn build(isa: &str, folder: &Path) -> Result<Self, HardwareError> {
        let native = isa == std::env::consts::ARCH;
        let cross = CROSS.iter().find(|cross| cross.isa == isa && !native);
        let absent = |program: &str, reason: String| HardwareError::Absent {
            what: "forms",
            isa: isa.to_owned(),
            program: program.to_owned(),
            reason,
            package: cross.map_or("a C compiler", |cross| cross.packages),
        };
        let compiler = match cross {
            Some(cross) => cross.compiler.to_owned(),
            None if native => std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()),
            None => return Err(absent("an emulator", "none is known".to_owned())),
        };
        let emulator = cross.map(|cross| {
            let works =
                |emulator: &&&str| succeeds(Command::new(emulator).arg("--version")).is_ok();
            let found = cross.emulators.iter().find(works);
            found
                .map(|emulator| (*emulator).to_owned())
                .ok_or_else(|| absent(cross.emulators[0], "it does not start".to_owned()))
        });
        let emulator = emulator.transpose()?;
        let mut hash = blake3::Hasher::new();
        hash.update(compiler.as_bytes());
        for (_, source) in SOURCES {
            hash.update(source.as_bytes());
        }
        let name = format!("executor-{isa}-{}", &hash.finalize().to_hex()[..16]);
        let program = folder.join(&name);
        if !program.exists() {
            let written = |path: &Path, source| HardwareError::Io {
                path: path.to_owned(),
                source,
            };
            // Under a name of its own, and then renamed, so that several runs at the same time do no harm.
            let beside = folder.join(format!(
                "{name}-{}-{:?}",
                std::process::id(),
                std::thread::current().id()
            ));
            std::fs::create_dir_all(&beside).map_err(|error| written(&beside, error))?;
            for (file, source) in SOURCES {
                let path = beside.join(file);
                std::fs::write(&path, source).map_err(|error| written(&path, error))?;
            }
            let compiled = beside.join(&name);
            let mut command = Command::new(&compiler);
            command
                .args(["-O2", "-Wall"])
                .arg(beside.join(SOURCES[0].0))
                .arg("-o")
                .arg(&compiled);
            if emulator.is_some() {
                command.arg("-static");
            }
            succeeds(&mut command).map_err(|reason| absent(&compiler, reason))?;
            std::fs::rename(&compiled, &program).map_err(|error| written(&program, error))?;
            // What is left is of no use, and of no harm.
            let _ = std::fs::remove_dir_all(&beside);
        }
        Ok(Self {
            isa: isa.to_owned(),
            program,
            emulator,
        })
    }

    /// Starts an executor.
    ///
    /// # Errors
    ///
    /// The process does not start.
    pub fn start(&self) -> Result<Machine, HardwareError> {
        let mut command = match &self.emulator {
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|source| HardwareError::Io {
            path: self.program.clone(),
            source,
        })?;
        Ok(Machine {
            isa: self.isa.clone(),
            input: child.stdin.take(),
            output: child.stdout.take().expect("it is piped"),
            child,
        })
    }
}

/// A running executor.
#[derive(Debug)]
pub struct Machine {
    isa: String,
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

/// Code, and what it is run on.
#[derive(Debug, Default)]
pub struct Batch {
    /// The code.
    pub code: Vec<u8>,
    /// The places of inputs, after which the window comes if there is one.
    pub inputs: Vec<Place>,
    /// The places of outputs, likewise.
    pub outputs: Vec<Place>,
    /// Whether there is a window of memory, as an input and as an output.
    pub window: bool,
    /// What else the code may change.
    pub may_change: Vec<Place>,
    /// What decides the contents of all other places.
    pub seed: u64,
    /// The number of cases.
    pub cases: usize,
    /// The contents of the inputs of each case.
    pub contents: Vec<u8>,
}

/// What came of one case.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The signal that the code caused, or 0.
    pub signal: u32,
    /// The offset of the instruction that caused it.
    pub offset: u32,
    /// The address that could not be accessed.
    pub fault_address: u64,
    /// The places that changed although they may not; `None` stands for memory.
    pub changed: Vec<Option<Place>>,
    /// The outputs.
    pub outputs: Vec<u128>,
    /// The window.
    pub window: [u8; WINDOW],
}

fn number(place: Place) -> u8 {
    match place {
        Place::Int(number) => number,
        Place::Vec(number) => 32 + number,
        Place::Flags => 64,
    }
}

/// The number of bytes of a place.
fn bytes(place: Place) -> usize {
    if matches!(place, Place::Vec(_)) {
        16
    } else {
        8
    }
}

/// The number of the place of the window.
const WINDOW_PLACE: u8 = 65;

impl Batch {
    /// Adds the content of an input.
    pub fn put(&mut self, place: Place, content: u128) {
        self.contents.extend(&content.to_le_bytes()[..bytes(place)]);
    }

    /// Adds a window of memory.
    pub fn put_window(&mut self, address: u64, content: u128) {
        self.contents.extend(address.to_le_bytes());
        self.contents.extend(content.to_le_bytes());
    }

    fn encode(&self) -> Vec<u8> {
        let numbers = |places: &[Place]| -> Vec<u8> {
            let window = self.window.then_some(WINDOW_PLACE);
            places
                .iter()
                .map(|&place| number(place))
                .chain(window)
                .collect()
        };
        let (inputs, outputs) = (numbers(&self.inputs), numbers(&self.outputs));
        let mut registers = 0u64;
        let mut flags = 0u32;
        for &place in &self.may_change {
            match place {
                Place::Flags => flags = 1,
                place => registers |= 1 << number(place),
            }
        }
        let size = |size: usize| u32::try_from(size).expect("a batch is small");
        let mut out = Vec::new();
        for word in [
            0x6578_6543,
            size(self.cases),
            size(self.code.len()),
            size(inputs.len()),
            size(outputs.len()),
            flags,
        ] {
            out.extend(word.to_le_bytes());
        }
        out.extend(registers.to_le_bytes());
        out.extend(self.seed.to_le_bytes());
        for part in [&inputs, &outputs, &self.code, &self.contents] {
            out.extend(part);
        }
        out
    }
}

impl Machine {
    /// Runs a batch.
    ///
    /// # Errors
    ///
    /// The executor, or the process in which it ran the code, ended.
    pub fn run(&mut self, batch: &Batch, term: &str) -> Result<Vec<Outcome>, HardwareError> {
        let failed = |problem: String| HardwareError::Executor {
            isa: self.isa.clone(),
            problem,
            term: term.to_owned(),
        };
        let input = self.input.as_mut().expect("it is open until the end");
        input
            .write_all(&batch.encode())
            .and_then(|()| input.flush())
            .map_err(|error| failed(format!("takes no input ({error})")))?;
        let mut head = [0; 8];
        self.output
            .read_exact(&mut head)
            .map_err(|error| failed(format!("gives no answer ({error})")))?;
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let (done, signal) = (word(&head[..4]) as usize, word(&head[4..]));
        let outputs: usize = batch.outputs.iter().map(|&place| bytes(place)).sum();
        let size = 32 + outputs + if batch.window { WINDOW } else { 0 };
        let mut answers = vec![0; size * done];
        self.output
            .read_exact(&mut answers)
            .map_err(|error| failed(format!("gives half an answer ({error})")))?;
        if done != batch.cases || signal != 0 {
            return Err(failed(format!("ended by signal {signal} in case {done}")));
        }
        Ok(answers
            .chunks(size)
            .map(|answer| decode(batch, answer))
            .collect())
    }
}

fn decode(batch: &Batch, answer: &[u8]) -> Outcome {
    let double =
        |at: usize| u64::from_le_bytes(answer[at..at + 8].try_into().expect("eight bytes"));
    let first = double(0);
    let (changed, more) = (double(16), double(24));
    let mut outcome = Outcome {
        signal: first as u32,
        offset: (first >> 32) as u32,
        fault_address: double(8),
        ..Outcome::default()
    };
    if changed != 0 || more != 0 {
        for number in 0..32 {
            for (place, bit) in [
                (Place::Int(number), number),
                (Place::Vec(number), 32 + number),
            ] {
                if changed >> bit & 1 == 1 {
                    outcome.changed.push(Some(place));
                }
            }
        }
        outcome
            .changed
            .extend((more & 1 == 1).then_some(Some(Place::Flags)));
        outcome.changed.extend((more & 2 == 2).then_some(None));
    }
    let mut at = 32;
    for &place in &batch.outputs {
        let mut content = [0; 16];
        content[..bytes(place)].copy_from_slice(&answer[at..at + bytes(place)]);
        outcome.outputs.push(u128::from_le_bytes(content));
        at += bytes(place);
    }
    if batch.window {
        outcome.window.copy_from_slice(&answer[at..at + WINDOW]);
    }
    outcome
}

impl Drop for Machine {
    fn drop(&mut self) {
        // At the end of its input it ends.
        self.input = None;
        let _ = self.child.wait();
    }
}
