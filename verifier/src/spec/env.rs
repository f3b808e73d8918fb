//! Names in scope of a spec expression.
//!
//! Macro parameters and `let` variables are bound to *expressions in their own scope*, evaluated when
//! they are needed. So a macro can neither capture nor be captured, an unused branch is never evaluated,
//! and `(holds! result v)` can define `result`.

use crate::value::Value;
use cranelift_isle::ast::SpecExpr;
use std::cell::OnceCell;
use std::rc::Rc;

/// What a name is bound to.
#[derive(Clone, Debug)]
pub enum Binding<'p> {
    /// A value, which may be a hole.
    Value(Value),
    /// An expression in its own scope, evaluated at most once.
    Later(Rc<Later<'p>>),
}

/// An expression in its scope, which is evaluated when it is needed.
#[derive(Debug)]
pub struct Later<'p> {
    pub(super) expr: &'p SpecExpr,
    pub(super) env: Env<'p>,
    pub(super) value: OnceCell<Value>,
}

/// The names in scope. Extending a scope leaves the old one as it was.
#[derive(Clone, Debug, Default)]
pub struct Env<'p>(Option<Rc<Scope<'p>>>);

#[derive(Debug)]
struct Scope<'p> {
    name: &'p str,
    binding: Binding<'p>,
    outer: Env<'p>,
}

impl<'p> Env<'p> {
    /// This scope with one more name, which hides an older one.
    #[must_use]
    pub fn bind(&self, name: &'p str, binding: Binding<'p>) -> Self {
        Self(Some(Rc::new(Scope {
            name,
            binding,
            outer: self.clone(),
        })))
    }

    /// This scope with one more value.
    #[must_use]
    pub fn with(&self, name: &'p str, value: Value) -> Self {
        self.bind(name, Binding::Value(value))
    }

    /// This scope with a delayed expression over `scope`.
    #[must_use]
    pub fn later(&self, name: &'p str, expr: &'p SpecExpr, scope: &Self) -> Self {
        self.bind(
            name,
            Binding::Later(Rc::new(Later {
                expr,
                env: scope.clone(),
                value: OnceCell::new(),
            })),
        )
    }

    /// What a name is bound to, or `None` if it is not in scope.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Binding<'p>> {
        let mut env = self;
        while let Some(scope) = &env.0 {
            if scope.name == name {
                return Some(&scope.binding);
            }
            env = &scope.outer;
        }
        None
    }
}
