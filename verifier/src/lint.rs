//! Checks of the annotations before anything is proven: one that would silently prove nothing, or more than is
//! true, is an error.

use crate::VerifyError;
use crate::program::Program;
use crate::roots;
use cranelift_isle::ast::{self, Def, ModelType, SpecExpr};
use cranelift_isle::sema::{ConstructorKind, ExtractorKind, TermId, TermKind};
use std::collections::{BTreeMap, BTreeSet};

/// Checks all annotations of a program.
///
/// # Errors
///
/// Returns the first annotation that is not sound to use.
pub fn check(program: &Program) -> Result<(), VerifyError> {
    check_specs(program)?;
    check_signatures(program)?;
    check_macros(program)?;
    check_names(program)?;
    check_recursion(program)
}

fn check_specs(program: &Program) -> Result<(), VerifyError> {
    let mut specs: Vec<_> = program.specs.iter().collect();
    specs.sort_by_key(|(term, _)| **term);
    for (&term, spec) in specs {
        let data = &program.terms.terms[term.index()];
        let fail = |message: String| Err(program.hygiene(spec.pos, message));
        if spec.args.len() != data.arg_tys.len() {
            return fail(format!(
                "the spec of `{}` names {} operands, but the term has {}",
                spec.term.0,
                spec.args.len(),
                data.arg_tys.len()
            ));
        }
        let mut names = BTreeSet::from(["result"]);
        for arg in &spec.args {
            if arg.0 != "_" && !names.insert(&arg.0) {
                return fail(format!(
                    "the spec of `{}` names two things `{}`",
                    spec.term.0, arg.0
                ));
            }
        }
        let mut states = BTreeSet::new();
        for modifies in &spec.modifies {
            let state = modifies.state.0.as_str();
            if !program.states.iter().any(|known| known.name.0 == state) {
                return fail(format!("no state is called `{state}`"));
            }
            if !states.insert(state) || names.contains(state) {
                return fail(format!(
                    "the spec of `{}` names two things `{state}`",
                    spec.term.0
                ));
            }
        }
        let TermKind::Decl {
            flags,
            constructor_kind,
            extractor_kind,
        } = &data.kind
        else {
            return fail(format!("`{}` is a type; it needs no spec", spec.term.0));
        };
        if flags.pure && !spec.modifies.is_empty() {
            return fail(format!(
                "`{}` is pure, but its spec has events",
                spec.term.0
            ));
        }
        if matches!(
            extractor_kind,
            Some(ExtractorKind::InternalExtractor { .. })
        ) && !program.operators.contains(&term)
        {
            return fail(format!(
                "`{}` is a pattern macro, which is expanded: its spec would be believed without proof",
                spec.term.0
            ));
        }
        let always_matches = program.operators.contains(&term)
            || extractor_kind.is_some() && program.signatures.contains_key(&term)
            || matches!(
                extractor_kind,
                Some(ExtractorKind::ExternalExtractor {
                    infallible: true,
                    ..
                })
            );
        if always_matches && !spec.matches.is_empty() {
            return fail(format!(
                "`{}` always matches, but its spec says when it does: that would be believed without proof",
                spec.term.0
            ));
        }
        if constructor_kind.is_some() && extractor_kind.is_some() && !spec.matches.is_empty() {
            return fail(format!(
                "`{}` is constructor and extractor: one `match` cannot speak of both",
                spec.term.0
            ));
        }
        if constructor_kind.is_some() {
            check_constructor(program, spec, constructor_kind.as_ref(), flags.partial)?;
        }
    }
    Ok(())
}

fn check_constructor(
    program: &Program,
    spec: &ast::Spec,
    kind: Option<&ConstructorKind>,
    partial: bool,
) -> Result<(), VerifyError> {
    let fail = |message: String| Err(program.hygiene(spec.pos, message));
    // A provide that never speaks of the result, or of an event, speaks of the operands: it would
    // assume something of its inputs.
    for provide in &spec.provides {
        if matches!(provide, SpecExpr::ConstBool { val: true, .. }) {
            continue;
        }
        let mut names = BTreeSet::new();
        mentioned(provide, &mut names);
        let speaks = names.contains("result")
            || spec
                .modifies
                .iter()
                .any(|modifies| names.contains(modifies.state.0.as_str()));
        if !speaks {
            return fail(format!(
                "a provide of `{}` speaks neither of its result nor of an event",
                spec.term.0
            ));
        }
    }
    if !spec.matches.is_empty()
        && !partial
        && matches!(kind, Some(ConstructorKind::ExternalConstructor { .. }))
    {
        return fail(format!(
            "`{}` always succeeds, but its spec says when it matches: use `require`",
            spec.term.0
        ));
    }
    Ok(())
}

fn check_signatures(program: &Program) -> Result<(), VerifyError> {
    let mut all: Vec<_> = program.signatures.iter().collect();
    all.sort_by_key(|(term, _)| **term);
    for (&term, signatures) in all {
        let operands = program.terms.terms[term.index()].arg_tys.len();
        for (index, signature) in signatures.iter().enumerate() {
            let silent = program
                .specs
                .get(&term)
                .is_some_and(|spec| spec.modifies.is_empty());
            if signature.ret == ModelType::Unit && silent {
                return Err(program.hygiene(
                    signature.pos,
                    format!(
                        "`{}` has neither a result nor an event: every rule for it would be right",
                        program.term_name(term)
                    ),
                ));
            }
            if signature.args.len() != operands {
                return Err(program.hygiene(
                    signature.pos,
                    format!(
                        "a signature of `{}` has {} operands, but the term has {operands}",
                        program.term_name(term),
                        signature.args.len()
                    ),
                ));
            }
            if signatures[..index]
                .iter()
                .any(|other| other.args == signature.args && other.ret == signature.ret)
            {
                return Err(program.hygiene(
                    signature.pos,
                    format!("`{}` has the same signature twice", program.term_name(term)),
                ));
            }
        }
    }
    Ok(())
}

/// Checks that macros do not call themselves and mention only their own parameters.
fn check_macros(program: &Program) -> Result<(), VerifyError> {
    let macros: BTreeMap<&str, &ast::SpecMacro> = program
        .macros
        .iter()
        .map(|(name, found)| (name.as_str(), found))
        .collect();
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    for &start in macros.keys() {
        let mut path = vec![];
        visit_macro(program, &macros, start, &mut path, &mut finished)?;
    }
    Ok(())
}

fn visit_macro<'p>(
    program: &Program,
    macros: &BTreeMap<&'p str, &'p ast::SpecMacro>,
    name: &'p str,
    path: &mut Vec<&'p str>,
    finished: &mut BTreeSet<&'p str>,
) -> Result<(), VerifyError> {
    if finished.contains(name) {
        return Ok(());
    }
    let Some(found) = macros.get(name) else {
        return Ok(());
    };
    if path.contains(&name) {
        return Err(program.hygiene(found.pos, format!("the macro `{name}` calls itself")));
    }
    path.push(name);
    let mut called = Vec::new();
    visit(&found.body, &mut |expr| {
        if let SpecExpr::Expand { name, .. } = expr {
            called.push(name);
        }
    });
    for callee in called {
        let is_param = found.params.iter().any(|param| param.0 == callee.0);
        if !is_param && !macros.contains_key(callee.0.as_str()) {
            return Err(program.hygiene(callee.1, format!("no macro is called `{}`", callee.0)));
        }
        if !is_param {
            visit_macro(program, macros, &callee.0, path, finished)?;
        }
    }
    path.pop();
    finished.insert(name);
    Ok(())
}

/// Checks that rules have names of their own and that specs call macros that exist.
fn check_names(program: &Program) -> Result<(), VerifyError> {
    for def in &program.defs {
        if let Def::Rule(rule) = def
            && rule.name.is_none()
        {
            return Err(program.hygiene(
                rule.pos,
                "the rule has no name: write `(rule NAME ..)`".to_owned(),
            ));
        }
        if let Def::Spec(spec) = def {
            let mut unknown = None;
            for expr in spec
                .provides
                .iter()
                .chain(&spec.requires)
                .chain(&spec.matches)
            {
                visit(expr, &mut |expr| {
                    if let SpecExpr::Expand { name, args, .. } = expr
                        && let Some(problem) = macro_problem(program, &name.0, args.len())
                    {
                        unknown.get_or_insert((name, problem));
                    }
                });
            }
            if let Some((name, problem)) = unknown {
                return Err(program.hygiene(name.1, problem));
            }
        }
    }
    Ok(())
}

/// What is wrong with an expansion of a macro that is given so many arguments.
fn macro_problem(program: &Program, name: &str, arguments: usize) -> Option<String> {
    match program.macros.get(name) {
        None => Some(format!("no macro is called `{name}`")),
        Some(found) if found.params.len() != arguments => Some(format!(
            "the macro `{name}` has {} parameters, but is given {arguments}",
            found.params.len()
        )),
        Some(_) => None,
    }
}

/// Checks that no rule leads back to the term whose spec it is proven against, since that spec would prove itself,
/// and that no rule applies a term that lowers an instruction, since what another rule emits for it is not part of
/// this proof.
fn check_recursion(program: &Program) -> Result<(), VerifyError> {
    let mut calls: BTreeMap<TermId, BTreeSet<TermId>> = BTreeMap::new();
    for rule in &program.terms.rules {
        let called = roots::called(rule);
        for &term in &called {
            if program.specs.contains_key(&term) && lowers_instruction(program, term) {
                return Err(program.hygiene(
                    rule.pos,
                    format!(
                        "`{}` lowers an instruction: no rule may apply it",
                        program.term_name(term)
                    ),
                ));
            }
        }
        calls.entry(rule.root_term).or_default().extend(called);
    }
    for rule in &program.terms.rules {
        if !program.specs.contains_key(&rule.root_term) {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut queue = roots::called(rule);
        while let Some(term) = queue.pop() {
            if term == rule.root_term {
                return Err(program.hygiene(
                    rule.pos,
                    format!(
                        "the rule leads back to `{}`, whose spec it is meant to prove",
                        program.term_name(term)
                    ),
                ));
            }
            if seen.insert(term) {
                queue.extend(calls.get(&term).into_iter().flatten());
            }
        }
    }
    Ok(())
}

/// Whether a term's rules replace whole instructions: its first operand is an `Inst`.
fn lowers_instruction(program: &Program, term: TermId) -> bool {
    let data = &program.terms.terms[term.index()];
    let internal = matches!(
        &data.kind,
        TermKind::Decl {
            constructor_kind: Some(ConstructorKind::InternalConstructor),
            ..
        }
    );
    internal
        && data
            .arg_tys
            .first()
            .is_some_and(|&ty| program.type_name(ty) == "Inst")
}

fn mentioned<'e>(expr: &'e SpecExpr, names: &mut BTreeSet<&'e str>) {
    visit(expr, &mut |expr| {
        if let SpecExpr::Var { var, .. } = expr {
            names.insert(&var.0);
        }
    });
}

/// Calls `f` on an expression and on every expression inside it.
fn visit<'e>(expr: &'e SpecExpr, f: &mut impl FnMut(&'e SpecExpr)) {
    f(expr);
    match expr {
        SpecExpr::ConstInt { .. }
        | SpecExpr::ConstBitVec { .. }
        | SpecExpr::ConstBool { .. }
        | SpecExpr::Var { .. } => {}
        SpecExpr::As { x, .. }
        | SpecExpr::Field { x, .. }
        | SpecExpr::Discriminator { x, .. }
        | SpecExpr::With { body: x, .. }
        | SpecExpr::Macro { body: x, .. } => visit(x, f),
        SpecExpr::Op { args, .. } | SpecExpr::Expand { args, .. } | SpecExpr::Enum { args, .. } => {
            args.iter().for_each(|arg| visit(arg, f))
        }
        SpecExpr::Match { x, arms, .. } => {
            visit(x, f);
            arms.iter().for_each(|arm| visit(&arm.body, f));
        }
        SpecExpr::Let { defs, body, .. } => {
            defs.iter().for_each(|(_, def)| visit(def, f));
            visit(body, f);
        }
        SpecExpr::Pair { l, r, .. } => {
            visit(l, f);
            visit(r, f);
        }
        SpecExpr::Struct { fields, .. } => fields.iter().for_each(|field| visit(&field.value, f)),
    }
}
