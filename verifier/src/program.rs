//! One unit of ISLE: its files are parsed and type-checked, and their annotations are collected by term.
//!
//! `cranelift-isle` parses and checks; this module gathers the specs, models, states, macros, signatures and tags.

use crate::VerifyError;
use crate::extractors::{expand_extractors, is_operator};
use cranelift_isle::ast::{self, AttrKind, AttrTarget, Def, ModelType, ModelValue, SpecExpr};
use cranelift_isle::codegen::Prefix;
use cranelift_isle::error::{Error, Errors, Span};
use cranelift_isle::files::Files;
use cranelift_isle::lexer::{Lexer, Pos};
use cranelift_isle::sema::{
    BuiltinType, ConstructorKind, RuleId, TermEnv, TermId, TermKind, Type, TypeEnv, TypeId,
};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The tag of an operator that no rule may replace by a branch, whatever the result: `select_spectre_guard`.
pub const NO_BRANCH: &str = "no_branch";
/// The tag of an instruction that branches, so that the CPU may guess its outcome and run ahead.
pub const BRANCHES: &str = "branches";

/// Everything that the verifier knows about one unit.
pub struct Program {
    /// The source files, for positions and texts.
    pub files: Arc<Files>,
    /// The ISLE types.
    pub types: TypeEnv,
    /// The ISLE terms and rules.
    pub terms: TermEnv,
    /// The spec of each term that has one.
    pub specs: HashMap<TermId, ast::Spec>,
    /// Models of types, by name (ISLE types and names of CLIF types).
    pub models: HashMap<String, ModelType>,
    /// Models of constants, by the constant's name without `$`.
    pub constants: HashMap<String, SpecExpr>,
    /// Macros of the spec language.
    pub macros: HashMap<String, ast::SpecMacro>,
    /// The kinds of events, as `(state ..)` declares them.
    pub states: Vec<ast::State>,
    /// The type signatures that `(instantiate ..)` gives to terms.
    pub signatures: HashMap<TermId, Vec<ast::Signature>>,
    /// The operators of CLIF: terms whose ISLE definition is a template over `inst_data_value`.
    pub operators: HashSet<TermId>,
    /// Terms whose rules sink a load, or apply a term whose rules do.
    pub sinking: HashSet<TermId>,
    /// Operators that have the tag [`NO_BRANCH`].
    pub unbranched: HashSet<TermId>,
    /// Terms that have the tag [`BRANCHES`], and terms whose rules apply such a term, directly or through other
    /// rules.
    pub branching: HashSet<TermId>,
    /// Facts about the machine: pure extern terms with a spec and without operands that return a `bool`, by name. A
    /// spec may speak of them.
    pub machine_facts: HashMap<String, TermId>,
    /// The parsed definitions, for the checks in [`crate::lint`].
    pub defs: Vec<Def>,
}

impl Program {
    /// Reads and checks files as one program.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is not well-formed ISLE.
    pub fn load(paths: &[PathBuf]) -> Result<Self, VerifyError> {
        let files = Files::from_paths(paths, &[workspace_prefix()])
            .map_err(|(path, source)| VerifyError::Io { path, source })?;
        Self::parse(files)
    }

    /// Checks texts as one program. Each text comes with a name that stands for its file.
    ///
    /// # Errors
    ///
    /// A text is not well-formed ISLE.
    pub fn from_texts(
        texts: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, VerifyError> {
        Self::parse(Files::from_names_and_contents(texts))
    }

    fn parse(files: Files) -> Result<Self, VerifyError> {
        let files = Arc::new(files);
        let invalid = |errors| VerifyError::Isle {
            message: readable(&Errors::new(errors, Arc::clone(&files)), &files),
        };
        let mut defs = Vec::new();
        for (file, text) in files.file_texts.iter().enumerate() {
            if let Some((offset, problem)) = crate::parentheses::unbalanced(text) {
                let place = place_in(&files, file, offset);
                return Err(VerifyError::Isle {
                    message: format!("{place}: {problem}"),
                });
            }
            let lexer = Lexer::new(file, text).map_err(|error| invalid(vec![error]))?;
            let parsed =
                cranelift_isle::parser::parse(lexer).map_err(|error| invalid(vec![error]))?;
            defs.extend(parsed);
        }
        expand_extractors(&mut defs);
        let mut types = TypeEnv::from_ast(&defs).map_err(invalid)?;
        let terms = TermEnv::from_ast(&mut types, &defs, false).map_err(invalid)?;
        let mut program = Self {
            files,
            types,
            terms,
            specs: HashMap::new(),
            models: HashMap::new(),
            constants: HashMap::new(),
            macros: HashMap::new(),
            states: Vec::new(),
            signatures: HashMap::new(),
            operators: HashSet::new(),
            sinking: HashSet::new(),
            unbranched: HashSet::new(),
            branching: HashSet::new(),
            machine_facts: HashMap::new(),
            defs: Vec::new(),
        };
        program.collect(&defs)?;
        program.defs = defs;
        program.sinking = crate::roots::sinking(&program);
        program.branching = crate::roots::callers(&program, &program.branching, |_| false);
        program.machine_facts = program.find_machine_facts();
        crate::lint::check(&program)?;
        Ok(program)
    }

    fn collect(&mut self, defs: &[Def]) -> Result<(), VerifyError> {
        let mut forms: HashMap<&str, &ast::Form> = HashMap::new();
        for def in defs {
            if let Def::Form(form) = def
                && forms.insert(&form.name.0, form).is_some()
            {
                return Err(
                    self.hygiene(form.pos, format!("form `{}` is defined twice", form.name.0))
                );
            }
        }
        for def in defs {
            match def {
                Def::Spec(spec) => {
                    let term = self.term_of(&spec.term, "spec")?;
                    if self.specs.insert(term, spec.clone()).is_some() {
                        return Err(
                            self.hygiene(spec.pos, format!("term `{}` has two specs", spec.term.0))
                        );
                    }
                }
                Def::SpecMacro(spec_macro) => {
                    let name = spec_macro.name.0.clone();
                    if self
                        .macros
                        .insert(name.clone(), spec_macro.clone())
                        .is_some()
                    {
                        return Err(self
                            .hygiene(spec_macro.pos, format!("macro `{name}` is defined twice")));
                    }
                }
                Def::Model(model) => self.collect_model(model)?,
                Def::State(state) => {
                    if self.states.iter().any(|other| other.name.0 == state.name.0) {
                        return Err(self.hygiene(
                            state.pos,
                            format!("state `{}` is declared twice", state.name.0),
                        ));
                    }
                    self.states.push(state.clone());
                }
                Def::Instantiation(inst) => {
                    let term = self.term_of(&inst.term, "instantiate")?;
                    let signatures = match &inst.form {
                        None => &inst.signatures,
                        Some(form) => {
                            &forms
                                .get(form.0.as_str())
                                .ok_or_else(|| {
                                    self.hygiene(form.1, format!("no form is called `{}`", form.0))
                                })?
                                .signatures
                        }
                    };
                    if signatures.is_empty() {
                        return Err(self.hygiene(
                            inst.pos,
                            format!("no signature is given for `{}`", inst.term.0),
                        ));
                    }
                    self.signatures
                        .entry(term)
                        .or_default()
                        .extend(signatures.iter().cloned());
                }
                Def::Attr(attr) => self.collect_tags(attr)?,
                Def::Extractor(extractor) if is_operator(&extractor.template) => {
                    let term = self.term_of(&extractor.term, "extractor")?;
                    self.operators.insert(term);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn collect_tags(&mut self, attr: &ast::Attr) -> Result<(), VerifyError> {
        for kind in &attr.kinds {
            let (AttrTarget::Term(name), AttrKind::Tag(tag)) = (&attr.target, kind) else {
                return Err(self.hygiene(
                    attr.pos,
                    "only `(attr TERM (tag ..))` is a known attribute".to_owned(),
                ));
            };
            let term = self.term_of(name, "attribute")?;
            match tag.0.as_str() {
                NO_BRANCH => self.unbranched.insert(term),
                BRANCHES => self.branching.insert(term),
                other => {
                    return Err(self.hygiene(
                        tag.1,
                        format!(
                            "no tag is called `{other}`; there are: `{NO_BRANCH}`, `{BRANCHES}`"
                        ),
                    ));
                }
            };
        }
        Ok(())
    }

    fn collect_model(&mut self, model: &ast::Model) -> Result<(), VerifyError> {
        let name = model.name.0.clone();
        let duplicate = match &model.val {
            ModelValue::TypeValue(ty) => self.models.insert(name.clone(), ty.clone()).is_some(),
            ModelValue::ConstValue(value) => {
                let plain = name.strip_prefix('$').unwrap_or(&name).to_owned();
                self.constants.insert(plain, value.clone()).is_some()
            }
        };
        if duplicate {
            return Err(self.hygiene(model.name.1, format!("`{name}` has two models")));
        }
        Ok(())
    }

    /// Rules of equal priority that overlap, and rules that others hide, as `cranelift-isle` finds them from the
    /// patterns: one message each. (It finds more overlaps than there are, since it knows no specs.)
    #[must_use]
    pub fn overlaps(&self) -> Vec<String> {
        let errors = TypeEnv::from_ast(&self.defs).and_then(|mut types| {
            // Operators are taken apart here, so that two of them are known to differ.
            let terms = TermEnv::from_ast(&mut types, &self.defs, true)?;
            cranelift_isle::overlap::check(&terms)
        });
        let message = |error| {
            readable(
                &Errors::new(vec![error], Arc::clone(&self.files)),
                &self.files,
            )
        };
        errors.err().into_iter().flatten().map(message).collect()
    }

    fn find_machine_facts(&self) -> HashMap<String, TermId> {
        let is_fact = |term: &TermId| {
            let data = &self.terms.terms[term.index()];
            data.arg_tys.is_empty()
                && matches!(
                    self.types.types[data.ret_ty.index()],
                    Type::Builtin(BuiltinType::Bool)
                )
                && matches!(&data.kind, TermKind::Decl { flags, constructor_kind, .. }
                    if flags.pure
                        && !flags.partial
                        && matches!(constructor_kind, Some(ConstructorKind::ExternalConstructor { .. })))
        };
        self.specs
            .keys()
            .filter(|term| is_fact(term))
            .map(|&term| (self.term_name(term).to_owned(), term))
            .collect()
    }

    fn term_of(&self, name: &ast::Ident, what: &str) -> Result<TermId, VerifyError> {
        self.terms
            .get_term_by_name(&self.types, name)
            .ok_or_else(|| {
                self.hygiene(
                    name.1,
                    format!("{what} for the undeclared term `{}`", name.0),
                )
            })
    }

    /// An error about the annotation at a position.
    #[must_use]
    pub fn hygiene(&self, pos: Pos, message: String) -> VerifyError {
        VerifyError::Hygiene {
            place: self.place(pos),
            message,
        }
    }

    /// A position as `file:line:column`, each counted from 1.
    #[must_use]
    pub fn place(&self, pos: Pos) -> String {
        place_in(&self.files, pos.file, pos.offset)
    }

    /// The name of the file of a position.
    #[must_use]
    pub fn file_name(&self, pos: Pos) -> &str {
        self.files.file_name(pos.file).unwrap_or("?")
    }

    /// The line of a position, counted from 1.
    #[must_use]
    pub fn line(&self, pos: Pos) -> usize {
        self.files
            .file_line_map(pos.file)
            .map_or(0, |map| map.line(pos.offset) + 1)
    }

    /// The text of the parenthesised form that starts at, or just before, a position.
    #[must_use]
    pub fn form_text(&self, pos: Pos) -> &str {
        let text = self.files.file_text(pos.file).unwrap_or("");
        let start = text[..pos.offset.min(text.len())].rfind('(').unwrap_or(0);
        let mut depth = 0usize;
        let mut comment = false;
        for (index, byte) in text.as_bytes()[start..].iter().enumerate() {
            match byte {
                b'\n' => comment = false,
                b';' => comment = true,
                b'(' if !comment => depth += 1,
                b')' if !comment => {
                    depth -= 1;
                    if depth == 0 {
                        return &text[start..=start + index];
                    }
                }
                _ => {}
            }
        }
        &text[start..]
    }

    /// The name of a term.
    #[must_use]
    pub fn term_name(&self, term: TermId) -> &str {
        &self.types.syms[self.terms.terms[term.index()].name.index()]
    }

    /// The name of an ISLE type.
    #[must_use]
    pub fn type_name(&self, ty: TypeId) -> &str {
        self.types.types[ty.index()].name(&self.types)
    }

    /// The name of a rule. An unnamed rule is named by its line.
    #[must_use]
    pub fn rule_name(&self, rule: RuleId) -> String {
        let rule = &self.terms.rules[rule.index()];
        match rule.name {
            Some(name) => self.types.syms[name.index()].clone(),
            None => format!("line_{}", self.line(rule.pos)),
        }
    }

    /// Names of an enum's variants and the types of their fields.
    #[must_use]
    pub fn variants(&self, ty: TypeId) -> Vec<(&str, Vec<TypeId>)> {
        match &self.types.types[ty.index()] {
            Type::Enum { variants, .. } => variants
                .iter()
                .map(|variant| {
                    let name = self.types.syms[variant.name.index()].as_str();
                    (name, variant.fields.types())
                })
                .collect(),
            _ => vec![],
        }
    }

    /// Finds a type by name.
    #[must_use]
    pub fn type_by_name(&self, name: &str) -> Option<TypeId> {
        self.types
            .types
            .iter()
            .position(|ty| ty.name(&self.types) == name)
            .map(TypeId)
    }
}

/// An offset in a file as `file:line:column`, each counted from 1.
fn place_in(files: &Files, file: usize, offset: usize) -> String {
    let name = files.file_name(file).unwrap_or("?");
    let before = files
        .file_text(file)
        .and_then(|text| text.get(..offset))
        .unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{name}:{line}:{column}")
}

/// The errors of `cranelift-isle`, one line `file:line:column: message` for each.
fn readable(errors: &Errors, files: &Files) -> String {
    let at = |span: &Span| place_in(files, span.from.file, span.from.offset);
    let others = |spans: &[Span]| spans.iter().map(at).collect::<Vec<_>>().join(", ");
    let line = |error: &Error| match error {
        Error::IoError { error, context } => format!("{context}: {error}"),
        Error::ParseError { msg, span } => {
            let unknown = (msg == "Unexpected spec expression")
                .then(|| operator_at(files, span))
                .flatten();
            let what = unknown.map_or_else(
                || lower_case(msg),
                |word| {
                    format!(
                        "the spec language has no operator `{word}`; a macro is expanded by `({word}! ..)`, and \
                         verifier/README.md lists the operators"
                    )
                },
            );
            format!("{}: {what}", at(span))
        }
        Error::TypeError { msg, span }
        | Error::UnreachableError { msg, span }
        | Error::RecursionError { msg, span } => format!("{}: {}", at(span), lower_case(msg)),
        Error::OverlapError { msg, rules } => format!(
            "{}: {} (with the rule at {})",
            at(&rules[0]),
            lower_case(msg),
            others(&rules[1..])
        ),
        Error::ShadowedError { shadowed, mask } => format!(
            "{}: this rule always matches before the rule at {}",
            at(mask),
            others(shadowed)
        ),
    };
    errors
        .errors
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The word behind the parenthesis at the beginning of a span.
fn operator_at<'f>(files: &'f Files, span: &Span) -> Option<&'f str> {
    let text = files.file_text(span.from.file)?.get(span.from.offset..)?;
    let word = text.trim_start_matches('(').trim_start();
    let end = word.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ';'));
    Some(&word[..end.unwrap_or(word.len())]).filter(|word| !word.is_empty())
}

/// A message of `cranelift-isle` in the style of this crate's own: it begins in lower case.
fn lower_case(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

/// Makes paths relative to the workspace in positions and messages.
fn workspace_prefix() -> Prefix {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace");
    Prefix {
        prefix: format!("{}/", root.display()),
        name: String::new(),
    }
}
