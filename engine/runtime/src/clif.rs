//! CLIF functions, run in a process of their own.
//!
//! CLIF loads from and stores to any address that it computes, so a function that runs it in this process could not
//! be safe. A copy of the process runs it instead (`vm/process.rs`), and a signal ends that copy if CLIF accesses a
//! wrong address. This process learns what the functions return, why they trapped, or which signal ended them.

use crate::engine::Engine;
use crate::error::Result;
use crate::func::Func;
use crate::instance::Instance;
use crate::module::Module;
use crate::store::Store;
use crate::trap::TrapCode;
use crate::value::Val;
use crate::vm::process::ChildProcess;
use skerry_compiler::CompiledClif;
use skerry_environ::{FuncType, ValType};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// Compiled CLIF functions, ready to be called.
#[derive(Debug)]
pub struct ClifProgram {
    store: Store<()>,
    /// Each function with its type; `None` if its values cannot be passed.
    functions: Vec<Option<(Func, FuncType)>>,
    /// The process that runs them, which is made when it is needed.
    child: Option<ChildProcess>,
}

/// The result of a call of a CLIF function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClifOutcome {
    /// It returned these results, given as bits, zero-extended.
    Returned(Vec<u64>),
    /// It trapped.
    Trapped(TrapCode),
    /// It ended its process by a signal, for example because it accessed memory that is not its own.
    Killed {
        /// The number of the signal.
        signal: i32,
    },
    /// It cannot be called, for this reason.
    Refused(String),
}

impl ClifProgram {
    /// Places the code of these functions, which were compiled with the flags of `engine` or for fewer features.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn new(engine: &Engine, compiled: CompiledClif) -> Result<Self> {
        let types: Vec<Option<FuncType>> =
            compiled.func_types().map(Option::<&_>::cloned).collect();
        let module = Module::from_compiled(engine, compiled.into_module())?;
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        let functions = types.into_iter().enumerate().map(|(index, ty)| {
            let func = instance.get_func(&mut store, &index.to_string());
            let func = func.expect("every function is exported under its number");
            ty.map(|ty| (func, ty))
        });
        let functions = functions.collect();
        Ok(Self {
            store,
            functions,
            child: None,
        })
    }

    /// Calls the function with this number. `arguments` are given as bits, of which those that the parameters'
    /// types have are used.
    ///
    /// # Errors
    /// If no other process can be made.
    pub fn call(&mut self, function: usize, arguments: &[u64]) -> std::io::Result<ClifOutcome> {
        let refused = |why: &str| Ok(ClifOutcome::Refused(why.into()));
        match self.functions.get(function) {
            None => return refused("there is no such function"),
            Some(None) => return refused("values of these types cannot be passed"),
            Some(Some((_, ty))) if ty.params.len() != arguments.len() => {
                return refused("it has another number of parameters");
            }
            Some(Some(_)) => {}
        }
        let child = match self.child.take() {
            Some(child) => child,
            None => ChildProcess::serve(|stream| serve(&mut self.store, &self.functions, stream))?,
        };
        match ask(child.stream(), function, arguments) {
            Ok(outcome) => {
                self.child = Some(child);
                Ok(outcome)
            }
            Err(error) if is_gone(error.kind()) => {
                let signal = child.wait()?;
                Ok(ClifOutcome::Killed { signal })
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that the other end of the stream has gone.
fn is_gone(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionReset | UnexpectedEof)
}

const RETURNED: u64 = 0;
const TRAPPED: u64 = 1;
const REFUSED: u64 = 2;

/// Sends a request, and receives the answer.
fn ask(
    mut stream: &UnixStream,
    function: usize,
    arguments: &[u64],
) -> std::io::Result<ClifOutcome> {
    send(
        stream,
        function as u64,
        arguments.iter().flat_map(|bits| bits.to_le_bytes()),
    )?;
    let (kind, payload) = receive(&mut stream)?;
    let invalid = || std::io::Error::from(ErrorKind::InvalidData);
    Ok(match kind {
        RETURNED => ClifOutcome::Returned(words(&payload)),
        TRAPPED => {
            let code = payload.first().and_then(|&code| TrapCode::from_code(code));
            ClifOutcome::Trapped(code.ok_or_else(invalid)?)
        }
        REFUSED => ClifOutcome::Refused(String::from_utf8_lossy(&payload).into_owned()),
        _ => return Err(invalid()),
    })
}

/// Answers requests until no more can come.
fn serve(store: &mut Store<()>, functions: &[Option<(Func, FuncType)>], stream: UnixStream) {
    while let Ok((function, arguments)) = receive(&mut &stream) {
        let Some((func, ty)) = functions.get(function as usize).and_then(Option::as_ref) else {
            return;
        };
        let arguments = words(&arguments);
        let arguments: Vec<Val> = ty.params.iter().zip(arguments).map(value).collect();
        let mut results: Vec<Val> = ty.results.iter().map(|&ty| Val::default_of(ty)).collect();
        let called = func.call(&mut *store, &arguments, &mut results);
        let (kind, payload) = match called {
            Ok(()) => (
                RETURNED,
                results
                    .iter()
                    .flat_map(|value| bits(value).to_le_bytes())
                    .collect(),
            ),
            Err(error) => match error.trap_code() {
                Some(code) => (TRAPPED, vec![code.code().get()]),
                None => (REFUSED, error.to_string().into_bytes()),
            },
        };
        if send(&stream, kind, payload.into_iter()).is_err() {
            return;
        }
    }
}

/// Sends a message: a number, the length of the rest, and the rest.
fn send(
    mut stream: &UnixStream,
    kind: u64,
    payload: impl Iterator<Item = u8>,
) -> std::io::Result<()> {
    let payload: Vec<u8> = payload.collect();
    let mut message = kind.to_le_bytes().to_vec();
    message.extend((payload.len() as u64).to_le_bytes());
    message.extend(payload);
    stream.write_all(&message)
}

/// Receives a message that [`send`] has sent.
fn receive(stream: &mut &UnixStream) -> std::io::Result<(u64, Vec<u8>)> {
    let mut word = || {
        let mut word = [0; 8];
        stream
            .read_exact(&mut word)
            .map(|()| u64::from_le_bytes(word))
    };
    let (kind, len) = (word()?, word()?);
    let mut payload = Vec::new();
    let read = stream.take(len).read_to_end(&mut payload)?;
    match read as u64 == len {
        true => Ok((kind, payload)),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let (words, _) = bytes.as_chunks();
    words.iter().map(|&word| u64::from_le_bytes(word)).collect()
}

fn value((ty, bits): (&ValType, u64)) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F32 => Val::F32(bits as u32),
        ValType::F64 => Val::F64(bits),
        other => unreachable!("no CLIF signature becomes {other}"),
    }
}

fn bits(value: &Val) -> u64 {
    match *value {
        Val::I32(value) => u64::from(value as u32),
        Val::I64(value) => value as u64,
        Val::F32(bits) => u64::from(bits),
        Val::F64(bits) => bits,
        ref other => unreachable!("no CLIF signature becomes {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skerry_compiler::{Flags, compile_clif_text};

    fn program(text: &str) -> ClifProgram {
        let compiled = compile_clif_text(text, &Flags::default()).unwrap();
        ClifProgram::new(&Engine::default(), compiled).unwrap()
    }

    #[test]
    fn a_wrong_address_is_told_and_does_no_harm() {
        let mut program = program(
            "function %add(i64, i64) -> i64 tail {\nblock0(v0: i64, v1: i64):\n  v2 = iadd v0, v1\n  return v2\n}\n\
             function %store(i64) tail {\nblock0(v0: i64):\n  store.i64 v0, v0\n  return\n}\n\
             function %trap() tail {\nblock0:\n  trap user1\n}\n",
        );
        let add = |program: &mut ClifProgram| program.call(0, &[40, 2]).unwrap();
        assert_eq!(add(&mut program), ClifOutcome::Returned(vec![42]));
        // Memory of this process, which is changed in the other process only.
        let mut victim = Box::new(7u64);
        let address = (&raw mut *victim).expose_provenance() as u64;
        assert_eq!(
            program.call(1, &[address]).unwrap(),
            ClifOutcome::Returned(vec![])
        );
        assert_eq!(*victim, 7);
        for _ in 0..3 {
            assert_eq!(
                program.call(1, &[1 << 20]).unwrap(),
                ClifOutcome::Killed { signal: 11 }
            );
            assert_eq!(add(&mut program), ClifOutcome::Returned(vec![42]));
        }
        assert!(matches!(
            program.call(2, &[]).unwrap(),
            ClifOutcome::Trapped(_)
        ));
        for (function, arguments) in [(3, &[][..]), (0, &[1])] {
            let outcome = program.call(function, arguments).unwrap();
            assert!(matches!(outcome, ClifOutcome::Refused(_)), "{outcome:?}");
        }
    }

    #[test]
    fn many_threads_have_processes() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let text = "function %f(i64) -> i64 tail {\nblock0(v0: i64):\n  v1 = load.i64 v0\n  return v1\n}\n";
                        let mut program = program(text);
                        let outcome = program.call(0, &[1 << 20]).unwrap();
                        assert_eq!(outcome, ClifOutcome::Killed { signal: 11 });
                    }
                });
            }
        });
    }
}
