//! Runs one script, directive by directive, and reports which directives failed.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use skerry_runtime::Engine;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, Wat};

use super::value::{Value, argument, describe, list, matches};
use crate::limits::LimitOptions;
use crate::options::Edition;
use crate::session::{Failure, InstanceIndex, ModuleIndex, Session};
use crate::stop;

/// The result of one script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of directives that did what they should.
    pub passed: usize,
    /// The directives that did not, in order.
    pub failures: Vec<FailedDirective>,
}

/// A directive that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDirective {
    /// The line of the directive, counted from 1.
    pub line: usize,
    /// The column of the directive, counted from 1.
    pub column: usize,
    /// What was expected, and what happened.
    pub message: String,
}

/// Runs a script in the text format of the specification's test suite.
///
/// A directive that fails does not end the script; a script that cannot be parsed is one failure.
pub fn run_script(text: &str, edition: Edition) -> Report {
    run_script_in(&Engine::default(), text, edition, &LimitOptions::default())
}

/// Like [`run_script`], in an engine that the caller gives, and under limits.
pub fn run_script_in(
    engine: &Engine,
    text: &str,
    edition: Edition,
    limits: &LimitOptions,
) -> Report {
    let mut report = Report::default();
    let mut lexer = Lexer::new(text);
    // The suite tests how names with confusing characters are read.
    lexer.allow_confusing_unicode(true);
    let parsed = ParseBuffer::new_with_lexer(lexer);
    let result = parsed
        .as_ref()
        .map_err(|error| (error.span(), error.message()));
    let result = result.and_then(|buffer| {
        parse::<Wast<'_>>(buffer).map_err(|error| (error.span(), error.message()))
    });
    let script = match result {
        Ok(script) => script,
        Err((span, message)) => {
            report.fail(text, span, format!("cannot parse the script: {message}"));
            return report;
        }
    };
    let session = match Session::new(edition, engine.clone(), limits) {
        Ok(session) => session,
        Err(failure) => {
            let message = format!("the module spectest cannot be made: {failure}");
            report.fail(text, Span::from_offset(0), message);
            return report;
        }
    };
    let mut runner = Runner {
        session,
        modules: HashMap::new(),
        last_module: None,
        instances: HashMap::new(),
        last_instance: None,
    };
    for directive in script.directives {
        if stop::reason().is_some() {
            break;
        }
        let span = directive.span();
        // A panic is a bug of the engine, and the failure of the directive that shows it.
        let outcome = catch_unwind(AssertUnwindSafe(|| runner.directive(directive)));
        match outcome {
            Ok(Ok(())) => report.passed += 1,
            Ok(Err(message)) => report.fail(text, span, message),
            Err(panic) => report.fail(text, span, format!("panicked: {}", panic_message(&*panic))),
        }
    }
    report
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

impl Report {
    fn fail(&mut self, text: &str, span: Span, message: String) {
        let (line, column) = span.linecol_in(text);
        let (line, column) = (line + 1, column + 1);
        self.failures.push(FailedDirective {
            line,
            column,
            message,
        });
    }
}

/// The state of a script: the modules and instances that its names refer to.
struct Runner {
    session: Session,
    modules: HashMap<String, ModuleIndex>,
    last_module: Option<ModuleIndex>,
    instances: HashMap<String, InstanceIndex>,
    last_instance: Option<InstanceIndex>,
}

type Checked = Result<(), String>;

impl Runner {
    fn directive(&mut self, directive: WastDirective<'_>) -> Checked {
        match directive {
            WastDirective::Module(module) => self.module(module),
            WastDirective::ModuleDefinition(mut module) => self.define(&mut module).map(|_| ()),
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let module = match module {
                    Some(id) => self.modules.get(id.name()).copied(),
                    None => self.last_module,
                };
                self.instantiate(module.ok_or("there is no such module")?, instance)
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.session
                    .register(name, instance)
                    .map_err(|failure| failure.to_string())
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke)? {
                Ok(_) => Ok(()),
                Err(failure) => Err(failure.to_string()),
            },
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec)? {
                Ok(values) => {
                    let same = values.len() == results.len()
                        && results
                            .iter()
                            .zip(&values)
                            .all(|(want, value)| matches(want, value));
                    if same {
                        return Ok(());
                    }
                    let found = list(values.iter().map(Value::to_string));
                    Err(format!("expected {}, found {found}", describe(&results)))
                }
                Err(failure) => Err(format!("expected {}: {failure}", describe(&results))),
            },
            WastDirective::AssertTrap { exec, message, .. } => {
                let outcome = self.execute(exec)?;
                expect_trap(outcome, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let outcome = self.invoke(&call)?;
                expect_trap(outcome, message)
            }
            WastDirective::AssertInvalid {
                module, message, ..
            }
            | WastDirective::AssertMalformed {
                module, message, ..
            } => self.expect_refusal(module, message),
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => self.expect_unlinkable(module, message),
            WastDirective::AssertInvalidCustom { .. }
            | WastDirective::AssertMalformedCustom { .. } => {
                Err("the content of custom sections is not checked".into())
            }
            WastDirective::AssertException { .. } => {
                Err("exceptions: not supported by Skerry yet".into())
            }
            WastDirective::AssertSuspension { .. } => {
                Err("stack switching: not supported by Skerry yet".into())
            }
            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                Err("threads: not supported by Skerry yet".into())
            }
        }
    }

    fn module(&mut self, mut module: QuoteWat<'_>) -> Checked {
        let id = module.name();
        self.forget(id);
        let module = self.define(&mut module)?;
        self.instantiate(module, id)
    }

    fn define(&mut self, module: &mut QuoteWat<'_>) -> Result<ModuleIndex, String> {
        let id = module.name();
        let bytes = encode(module)?;
        let module = self.session.compile(&bytes);
        let module = module.map_err(|failure| failure.to_string())?;
        self.last_module = Some(module);
        if let Some(id) = id {
            self.modules.insert(id.name().to_string(), module);
        }
        Ok(module)
    }

    /// Forgets a name, so that a later directive cannot reach an earlier instance by mistake.
    fn forget(&mut self, id: Option<Id<'_>>) {
        self.last_instance = None;
        if let Some(id) = id {
            self.instances.remove(id.name());
        }
    }

    fn instantiate(&mut self, module: ModuleIndex, id: Option<Id<'_>>) -> Checked {
        self.forget(id);
        let instance = self
            .session
            .instantiate(module)
            .map_err(|failure| failure.to_string())?;
        self.last_instance = Some(instance);
        if let Some(id) = id {
            self.instances.insert(id.name().to_string(), instance);
        }
        Ok(())
    }

    fn instance(&self, id: Option<Id<'_>>) -> Result<InstanceIndex, String> {
        match id {
            Some(id) => {
                let instance = self.instances.get(id.name()).copied();
                instance.ok_or_else(|| format!("there is no instance ${}", id.name()))
            }
            None => self
                .last_instance
                .ok_or_else(|| "there is no instance".to_string()),
        }
    }

    /// Invokes a function. The outer error is the script's own: it names something that does not exist.
    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Result<Vec<Value>, Failure>, String> {
        let instance = self.instance(invoke.module)?;
        let arguments = invoke
            .args
            .iter()
            .map(argument)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.session.invoke(instance, invoke.name, &arguments))
    }

    fn execute(&mut self, execute: WastExecute<'_>) -> Result<Result<Vec<Value>, Failure>, String> {
        match execute {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                Ok(self.session.get(instance, global).map(|value| vec![value]))
            }
            WastExecute::Wat(module) => {
                let bytes = encode(&mut QuoteWat::Wat(module))?;
                let module = self
                    .session
                    .compile(&bytes)
                    .map_err(|failure| failure.to_string())?;
                Ok(self.session.instantiate(module).map(|_| Vec::new()))
            }
        }
    }

    /// Expects that a module is refused as wrong, and not as something that is not supported. The words of the
    /// message are not compared, since each implementation has its own.
    fn expect_refusal(&mut self, mut module: QuoteWat<'_>, message: &str) -> Checked {
        let Ok(bytes) = module.encode() else {
            return Ok(());
        };
        match self.session.compile(&bytes) {
            Ok(_) => Err(format!(
                "expected an error ({message}), but the module is valid"
            )),
            Err(Failure::Invalid(_)) => Ok(()),
            Err(other) => Err(format!("expected an invalid module ({message}): {other}")),
        }
    }

    fn expect_unlinkable(&mut self, module: Wat<'_>, message: &str) -> Checked {
        let bytes = encode(&mut QuoteWat::Wat(module))?;
        let module = self
            .session
            .compile(&bytes)
            .map_err(|failure| failure.to_string())?;
        match self.session.instantiate(module) {
            Ok(_) => Err(format!(
                "expected a link error ({message}), but the module is linked"
            )),
            Err(Failure::Unlinkable(_)) => Ok(()),
            Err(other) => Err(format!("expected a link error ({message}): {other}")),
        }
    }
}

fn encode(module: &mut QuoteWat<'_>) -> Result<Vec<u8>, String> {
    if let QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) = module {
        return Err("the component model: not supported by Skerry yet".into());
    }
    module
        .encode()
        .map_err(|error| format!("cannot encode the module: {}", error.message()))
}

/// Expects a trap. One of the two messages must start with the other, since the suite shortens some and adds detail
/// to others.
fn expect_trap(outcome: Result<Vec<Value>, Failure>, message: &str) -> Checked {
    match outcome {
        Ok(values) => {
            let found = list(values.iter().map(Value::to_string));
            Err(format!("expected a trap ({message}), found {found}"))
        }
        Err(Failure::Trap(found)) if found.starts_with(message) || message.starts_with(&found) => {
            Ok(())
        }
        Err(other) => Err(format!("expected a trap ({message}): {other}")),
    }
}
