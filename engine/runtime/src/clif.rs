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
use crate::store::{AsContextMut as _, Store, call};
use crate::trap::TrapCode;
use crate::vm::context::ValRaw;
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
    /// If no other process can be made, or if it ends by itself or answers with what is no answer.
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
        // A child of another thread, which may have ended with that thread, is ended here.
        let child = match self.child.take().filter(ChildProcess::is_of_this_thread) {
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
        let mut values: Vec<ValRaw> = vec![0; ty.array_slots()];
        for ((slot, &ty), bits) in values.iter_mut().zip(&ty.params).zip(words(&arguments)) {
            *slot = bits_of(ty, bits).into();
        }
        // `Func::call` would look the type up in the engine, under a lock that another thread may hold in the parent and
        // that therefore nobody releases here.
        let inner = store.inner();
        let callee = inner.func(inner.resolve(func.0)).get();
        let called = call(store.as_context_mut().0, callee, values.len(), &mut values);
        let (kind, payload) = match called {
            Ok(()) => (
                RETURNED,
                ty.results
                    .iter()
                    .zip(values)
                    .flat_map(|(&ty, value)| bits_of(ty, value as u64).to_le_bytes())
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

/// The largest length in bytes of the rest of a message, which is far more than all arguments or results take. The child may say
/// anything, because CLIF may write over its memory.
const MAX_PAYLOAD: u64 = 1 << 20;

/// Receives a message that [`send`] has sent.
fn receive(stream: &mut &UnixStream) -> std::io::Result<(u64, Vec<u8>)> {
    let mut word = || {
        let mut word = [0; 8];
        stream
            .read_exact(&mut word)
            .map(|()| u64::from_le_bytes(word))
    };
    let (kind, len) = (word()?, word()?);
    if len > MAX_PAYLOAD {
        return Err(ErrorKind::InvalidData.into());
    }
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

/// Those of the bits that a value of the type has.
fn bits_of(ty: ValType, bits: u64) -> u64 {
    match ty {
        ValType::I32 | ValType::F32 => bits & u64::from(u32::MAX),
        ValType::I64 | ValType::F64 => bits,
        other => unreachable!("no CLIF signature becomes {other}"),
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

    const NARROW: &str = "function %f(i32, f32) -> i32, f32 tail {\nblock0(v0: i32, v1: f32):\n  v2 = iadd v0, v0\n  return v2, v1\n}\n";

    #[test]
    fn only_the_bits_of_a_type_are_passed() {
        let outcome = program(NARROW).call(0, &[u64::MAX, u64::MAX]).unwrap();
        let expected = vec![u64::from(u32::MAX) - 1, u32::MAX.into()];
        assert_eq!(outcome, ClifOutcome::Returned(expected));
    }

    #[test]
    fn another_thread_makes_its_own_process() {
        let mut program = program(NARROW);
        for _ in 0..10 {
            // The kernel ends the process of this thread with the thread.
            std::thread::scope(|scope| {
                scope.spawn(|| program.call(0, &[1, 2]).unwrap());
            });
            let outcome = program.call(0, &[1, 2]).unwrap();
            assert_eq!(outcome, ClifOutcome::Returned(vec![2, 2]));
        }
    }

    #[test]
    fn a_lock_that_is_held_when_the_process_is_made_does_not_matter() {
        let mut program = program(NARROW);
        let engine = program.store.engine().clone();
        let (answers, answer) = std::sync::mpsc::channel();
        let held = engine.hold_types();
        std::thread::spawn(move || answers.send(program.call(0, &[1, 2]).unwrap()));
        let outcome = answer.recv_timeout(std::time::Duration::from_secs(30));
        drop(held);
        assert_eq!(outcome, Ok(ClifOutcome::Returned(vec![2, 2])));
    }

    #[test]
    fn a_length_is_not_believed() {
        let (mut child, parent) = UnixStream::pair().unwrap();
        let message = [RETURNED, MAX_PAYLOAD + 1].map(u64::to_le_bytes);
        child.write_all(message.as_flattened()).unwrap();
        drop(child);
        let error = receive(&mut &parent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
