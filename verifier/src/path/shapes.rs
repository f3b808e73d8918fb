//! Finds the shapes of values: from models, or from definitions of ISLE types.

use super::{Eval, Path, name, uncovered};
use crate::value::{Shape, Value};
use cranelift_isle::ast::ModelType;
use cranelift_isle::sema::{BuiltinType, Fields, IntType, Type, TypeId};

impl Path<'_, '_> {
    /// The shape of an ISLE type's values, by its model, or else by its definition.
    pub(crate) fn shape_of_type(&self, ty: TypeId) -> Shape {
        let program = self.program;
        match &program.types.types[ty.index()] {
            Type::Builtin(BuiltinType::Bool) => Shape::Bool,
            Type::Builtin(BuiltinType::Int(int)) => Shape::BitVec(Some(int_width(*int))),
            Type::Enum { variants, .. } => match program.models.get(program.type_name(ty)) {
                // `(model E (type (named E)))` is the enum itself.
                Some(ModelType::Named(own)) if own.0 == program.type_name(ty) => Shape::Enum(ty),
                Some(model) => self.shape_of_model(model, 0),
                None if variants.is_empty() => Shape::Open(name(program.type_name(ty))),
                None => Shape::Enum(ty),
            },
            Type::Struct { fields, .. } => match program.models.get(program.type_name(ty)) {
                Some(model) => self.shape_of_model(model, 0),
                None => Shape::Struct(self.struct_fields(fields)),
            },
            Type::Primitive(..) => match program.models.get(program.type_name(ty)) {
                Some(model) => self.shape_of_model(model, 0),
                None => Shape::Open(name(program.type_name(ty))),
            },
        }
    }

    fn struct_fields(&self, fields: &Fields) -> Vec<(std::rc::Rc<str>, Shape)> {
        match fields {
            Fields::Unit => vec![],
            Fields::Struct(fields) => fields
                .fields
                .iter()
                .map(|field| {
                    let field_name = &self.program.types.syms[field.name.index()];
                    (name(field_name), self.shape_of_type(field.ty))
                })
                .collect(),
            Fields::Tuple(fields) => fields
                .fields
                .iter()
                .enumerate()
                .map(|(index, field)| (name(&index.to_string()), self.shape_of_type(field.ty)))
                .collect(),
        }
    }

    /// The shape of the values of a model.
    pub(crate) fn shape_of_model(&self, model: &ModelType, depth: u32) -> Shape {
        match model {
            ModelType::Unspecified | ModelType::Auto => Shape::Open(name("a value")),
            ModelType::Int => Shape::Int,
            ModelType::Bool => Shape::Bool,
            ModelType::Unit => Shape::Unit,
            ModelType::BitVec(width) => {
                Shape::BitVec(width.and_then(|width| u32::try_from(width).ok()))
            }
            ModelType::Struct(fields) => Shape::Struct(
                fields
                    .iter()
                    .map(|field| {
                        (
                            name(&field.name.0),
                            self.shape_of_model(&field.ty, depth + 1),
                        )
                    })
                    .collect(),
            ),
            ModelType::Named(named) => self.shape_of_name(&named.0, depth),
        }
    }

    fn shape_of_name(&self, type_name: &str, depth: u32) -> Shape {
        let program = self.program;
        if depth > 16 {
            return Shape::Open(name(type_name));
        }
        let is_enum = program
            .type_by_name(type_name)
            .filter(|ty| matches!(program.types.types[ty.index()], Type::Enum { .. }));
        match (program.models.get(type_name), is_enum) {
            (Some(ModelType::Named(own)), Some(ty)) if own.0 == type_name => Shape::Enum(ty),
            // A CLIF type has a bit-vector model and a constant of its name.
            (Some(ModelType::BitVec(Some(width))), _)
                if program.constants.contains_key(type_name) =>
            {
                let width = u32::try_from(*width).expect("widths are small");
                Shape::Clif(name(type_name), width)
            }
            (Some(model), _) => self.shape_of_model(model, depth + 1),
            (None, Some(ty)) => Shape::Enum(ty),
            (None, None) => match program.type_by_name(type_name) {
                Some(ty) => self.shape_of_type(ty),
                None => Shape::Open(name(type_name)),
            },
        }
    }

    /// The value of type `Type` for a CLIF type: the model of the constant of that name.
    pub(crate) fn clif_type(&mut self, tag: &str) -> Eval<Value> {
        self.constant(tag)
    }

    /// The value of a modelled constant.
    pub(crate) fn constant(&mut self, constant: &str) -> Eval<Value> {
        if let Some(value) = self.constants.get(constant) {
            return Ok(value.clone());
        }
        let program = self.program;
        let Some(expr) = program.constants.get(constant) else {
            return uncovered(format!("the constant `${constant}` has no model"));
        };
        let value = self.evaluate(expr, &crate::spec::Env::default())?;
        self.constants.insert(constant.to_owned(), value.clone());
        Ok(value)
    }
}

/// The width in bits of a built-in integer type.
pub(crate) fn int_width(int: IntType) -> u32 {
    match int {
        IntType::U8 | IntType::I8 => 8,
        IntType::U16 | IntType::I16 => 16,
        IntType::U32 | IntType::I32 => 32,
        IntType::U64 | IntType::I64 | IntType::USize | IntType::ISize => 64,
        IntType::U128 | IntType::I128 => 128,
    }
}
