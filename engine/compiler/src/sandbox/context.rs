//! What the checker is told of a module and of one of its functions: the published facts, and nothing that the compiler
//! thinks of its code.

use super::layout::{Fields, index};
use super::machine::Registers;
use super::signature::Signature;
use super::state::Names;
use super::value::{Kind, RefId, Value};
use skerry_environ::{
    FuncIndex, MemoryIndex, MemoryStyle, Module, TableIndex, Trap, TypeIndex, ValType,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// What a function of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A function of the module, which has this type.
    Function(TypeIndex),
    /// The trampoline by which the host calls functions of this type.
    Entry(TypeIndex),
    /// The trampoline by which Wasm calls host functions of this type.
    Host(TypeIndex),
}

impl Role {
    /// The type of the functions.
    pub fn ty(self) -> TypeIndex {
        match self {
            Role::Function(ty) | Role::Entry(ty) | Role::Host(ty) => ty,
        }
    }
}

/// What is published of a module.
pub struct Published<'a> {
    /// The module without its code.
    pub module: &'a Module,
    /// The machine code.
    pub text: &'a [u8],
    /// The trap that the instruction at an offset of the text may raise.
    pub trap_at: &'a (dyn Fn(u32) -> Option<Trap> + Sync),
    /// How memories are laid out.
    pub memory: MemoryStyle,
    /// Whether the code counts fuel.
    pub fuel: bool,
    /// What lies in the vmctx.
    pub fields: Fields,
    /// The places of arguments and results, by the number of the type.
    pub signatures: Vec<Signature>,
    /// The functions of the module by the starts of their code.
    pub starts: HashMap<u32, FuncIndex>,
}

/// The name under which an entry trampoline knows its callee.
pub const CALLEE: RefId = RefId::Own(i32::MAX);

/// What a function needs of others.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The number of instructions.
    pub insts: usize,
    /// The functions of which it is assumed that they return with the vmctx that they were called with.
    pub relies: Vec<FuncIndex>,
    /// The functions of the module that it tail-calls.
    pub tail_calls: Vec<FuncIndex>,
    /// Whether it tail-calls with another vmctx.
    pub leaves: bool,
}

/// Everything that a step may look at.
pub struct Context<'a> {
    /// The module.
    pub published: &'a Published<'a>,
    /// The registers.
    pub registers: &'static Registers,
    /// What the function is.
    pub role: Role,
    /// The place of the function in the text.
    pub range: Range<u32>,
    /// The end of its code, at which its tables begin.
    pub code_end: u32,
    /// Names for values.
    pub names: Names,
    /// What has been found out.
    pub summary: RefCell<Summary>,
}

impl Context<'_> {
    /// The module without its code.
    pub fn module(&self) -> &Module {
        self.published.module
    }

    /// The places of arguments and results of a type.
    pub fn signature(&self, ty: TypeIndex) -> &Signature {
        &self.published.signatures[ty.as_u32() as usize]
    }

    /// The type of the function that a reference refers to, if it is in the vmctx.
    pub fn own_type(&self, id: RefId) -> Option<TypeIndex> {
        match id {
            CALLEE => matches!(self.role, Role::Entry(_)).then_some(self.role.ty()),
            RefId::Own(offset) => {
                let function = self.published.fields.func_ref(offset.into())?;
                Some(self.module().functions[index::<FuncIndex>(function)].ty)
            }
            RefId::Named(_) => None,
        }
    }

    /// Whether a value is a function reference.
    pub fn is_func_ref(&self, value: Value) -> bool {
        match value.kind {
            Kind::FuncRef => true,
            Kind::Number => value.as_constant() == Some(0),
            Kind::Vmctx => {
                value.lo == value.hi && self.published.fields.func_ref(value.lo).is_some()
            }
            _ => false,
        }
    }

    /// Whether a value may be passed as one of this type.
    pub fn is_of(&self, value: Value, ty: ValType) -> bool {
        match ty {
            ValType::I32 => value.is_below32(),
            ValType::FuncRef => self.is_func_ref(value),
            _ => true,
        }
    }

    /// What is known of every value of this type.
    pub fn any_of(&self, ty: ValType) -> Value {
        match ty {
            ValType::I32 => Value::below32(),
            ValType::FuncRef => Value {
                name: self.names.fresh(),
                ..Value::of(Kind::FuncRef)
            },
            _ => Value::ANY,
        }
    }

    /// Whether the address of a memory can change.
    pub fn memory_moves(&self, memory: u32) -> bool {
        let ty = &self.module().memories[index::<MemoryIndex>(memory)];
        self.published.memory.moves() && ty.fixed_len().is_none()
    }

    /// Whether the address of a table can change.
    pub fn table_moves(&self, table: u32) -> bool {
        let ty = &self.module().tables[index::<TableIndex>(table)];
        ty.fixed_len().is_none()
    }
}
