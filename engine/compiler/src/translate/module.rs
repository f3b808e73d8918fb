//! Reads everything of a module but the bodies of its functions: it is validated, and turned into plain data.

use super::constant_table::constant_tables;
use super::names::Names;
use super::proposal::{is_garbage_collection, proposal_name};
use super::tail;
use crate::CompileError;
use cranelift_entity::EntitySet;
use skerry_environ::{
    ConstExpr, ConstOp, DataSegment, DefinedFuncIndex, ElementItems, ElementSegment, EntityIndex,
    EntityRef, Export, FuncIndex, FuncType, Function, GlobalIndex, GlobalType, Import, MemoryIndex,
    MemoryStyle, MemoryType, Module, PrimaryMap, SegmentMode, TableIndex, TableType, TypeIndex,
    ValType, VmctxLayout,
};
use wasmparser::{
    CompositeInnerType, DataKind, ElementKind, ExternalKind, FuncToValidate, HeapType, Operator,
    Parser, Payload, TableInit, TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

/// The features that a module may use: Wasm 2.0 without SIMD, with tail calls, several memories and extended
/// constant expressions. Among the latter is `global.get` of an earlier global of the module itself, which
/// wasmparser counts as garbage collection; [`translate_module`] allows it all the same.
pub const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::EXTENDED_CONST);

/// The largest size of a module in bytes, since source locations are 32-bit offsets.
const MAX_MODULE_SIZE: u64 = u32::MAX as u64 - 1;

/// A module whose functions are still to be translated.
pub struct ModuleTranslation<'wasm> {
    /// The module without its code.
    pub module: Module,
    /// The layout of the vmctx of its instances.
    pub layout: VmctxLayout,
    /// How memories are laid out in address space. It is the default until it is set.
    pub memory: MemoryStyle,
    /// The bodies.
    pub bodies: PrimaryMap<DefinedFuncIndex, FunctionBody<'wasm>>,
    /// Whether functions are translated to code that counts fuel, as `Flags::fuel` says; `false` at first.
    pub fuel: bool,
    vmctx_changers: EntitySet<DefinedFuncIndex>,
}

impl ModuleTranslation<'_> {
    /// Whether the vmctx register has its old value when a call of this function returns.
    pub fn keeps_vmctx(&self, func: DefinedFuncIndex) -> bool {
        !self.vmctx_changers.contains(func)
    }
}

/// The body of a function, parsed but not validated.
#[derive(Debug)]
pub struct FunctionBody<'wasm> {
    /// The index of the function.
    pub index: DefinedFuncIndex,
    /// The type of the function.
    pub ty: TypeIndex,
    /// The bytes of the body.
    pub body: wasmparser::FunctionBody<'wasm>,
    validation: FuncToValidate<ValidatorResources>,
}

impl FunctionBody<'_> {
    /// A validator for the body. Each translation needs a new one.
    pub(crate) fn to_validate(&self) -> FuncToValidate<ValidatorResources> {
        let FuncToValidate {
            ref resources,
            index,
            ty,
            features,
        } = self.validation;
        FuncToValidate {
            resources: resources.clone(),
            index,
            ty,
            features,
        }
    }
}

/// Reads and validates everything of a module but the bodies of its functions.
///
/// # Errors
///
/// [`CompileError::Invalid`] and [`CompileError::Unsupported`] with the offset in `wasm`, and
/// [`CompileError::Limit`] for a module of 4 GiB.
pub fn translate_module(wasm: &[u8]) -> Result<ModuleTranslation<'_>, CompileError> {
    translate_module_with(wasm, FEATURES)
}

/// Like [`translate_module`], for a module that may use only those of `features` that are in [`FEATURES`].
///
/// # Errors
///
/// As for [`translate_module`].
pub fn translate_module_with(
    wasm: &[u8],
    features: WasmFeatures,
) -> Result<ModuleTranslation<'_>, CompileError> {
    let features = features.intersection(FEATURES);
    let actual = wasm.len() as u64;
    if actual > MAX_MODULE_SIZE {
        let what = "size of the module in bytes";
        return Err(CompileError::Limit {
            offset: 0,
            what,
            limit: MAX_MODULE_SIZE,
            actual,
        });
    }
    match translate(wasm, features, features) {
        // Constant expressions that read a global of the module are under this feature in wasmparser. All else that
        // it brings is refused below, and function bodies are validated without it.
        Err(error) if is_garbage_collection(&error) && features.extended_const() => {
            translate(wasm, features, features.union(WasmFeatures::GC))
        }
        result => result,
    }
}

/// Translates a module whose function bodies may use `features`, and the rest of which may use `outside`.
fn translate(
    wasm: &[u8],
    features: WasmFeatures,
    outside: WasmFeatures,
) -> Result<ModuleTranslation<'_>, CompileError> {
    let mut builder = ModuleBuilder {
        validator: Validator::new_with_features(outside),
        features,
        module: Module::default(),
        names: Names::default(),
        bodies: PrimaryMap::new(),
    };
    let mut parser = Parser::new(0);
    parser.set_features(outside);
    for payload in parser.parse_all(wasm) {
        builder.payload(payload?)?;
    }
    std::mem::take(&mut builder.names).apply(&mut builder.module);
    builder.name_escaping_functions();
    constant_tables(&mut builder.module, &builder.bodies);
    let layout = VmctxLayout::new(&builder.module);
    let vmctx_changers = tail::vmctx_changers(&builder.module, &builder.bodies);
    Ok(ModuleTranslation {
        fuel: false,
        module: builder.module,
        layout,
        memory: MemoryStyle::default(),
        vmctx_changers,
        bodies: builder.bodies,
    })
}

struct ModuleBuilder<'wasm> {
    validator: Validator,
    /// The features that the bodies of functions may use.
    features: WasmFeatures,
    module: Module,
    names: Names<'wasm>,
    bodies: PrimaryMap<DefinedFuncIndex, FunctionBody<'wasm>>,
}

impl<'wasm> ModuleBuilder<'wasm> {
    /// Handles one section, or the body of one function.
    fn payload(&mut self, payload: Payload<'wasm>) -> Result<(), CompileError> {
        if let ValidPayload::Func(mut validation, body) = self.validator.payload(&payload)? {
            validation.features = self.features;
            let index = DefinedFuncIndex::new(self.bodies.len());
            let ty = TypeIndex::from_u32(validation.ty);
            self.bodies.push(FunctionBody {
                index,
                ty,
                body,
                validation,
            });
            return Ok(());
        }
        match payload {
            Payload::TypeSection(section) => self.types(section),
            Payload::ImportSection(section) => self.imports(section),
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.function(ty?);
                }
                Ok(())
            }
            Payload::TableSection(section) => self.tables(section),
            Payload::MemorySection(section) => {
                for ty in section {
                    self.module.memories.push(memory_type(ty?));
                }
                Ok(())
            }
            Payload::GlobalSection(section) => self.globals(section),
            Payload::ExportSection(section) => self.exports(section),
            Payload::StartSection { func, .. } => {
                self.module.start = Some(FuncIndex::from_u32(func));
                Ok(())
            }
            Payload::ElementSection(section) => self.elements(section),
            Payload::DataSection(section) => self.data(section),
            Payload::CustomSection(section) => {
                if section.name() == "name" {
                    self.names.read(section.data());
                }
                Ok(())
            }
            // These contain nothing to keep: the version, the count of data segments, the start of the code section
            // and the end. The validator has refused all else.
            _ => Ok(()),
        }
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>) -> Result<(), CompileError> {
        for group in section.into_iter_with_offsets() {
            let (offset, group) = group?;
            let garbage_collection = || proposal_name(WasmFeatures::GC);
            if group.is_explicit_rec_group() {
                return Err(unsupported(offset, garbage_collection()));
            }
            for ty in group.into_types() {
                if !ty.is_final || !ty.supertype_idxs.is_empty() {
                    return Err(unsupported(offset, garbage_collection()));
                }
                let CompositeInnerType::Func(ty) = ty.composite_type.inner else {
                    return Err(unsupported(offset, garbage_collection()));
                };
                let convert = |types: &[wasmparser::ValType]| {
                    types
                        .iter()
                        .map(|&ty| val_type(ty, offset))
                        .collect::<Result<Box<[_]>, _>>()
                };
                let (params, results) = (convert(ty.params())?, convert(ty.results())?);
                self.module.types.push(FuncType { params, results });
            }
        }
        Ok(())
    }

    fn imports(
        &mut self,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), CompileError> {
        for import in section.into_imports_with_offsets() {
            let (offset, import) = import?;
            let index = match import.ty {
                TypeRef::Func(ty) => {
                    self.module.imported_functions += 1;
                    EntityIndex::Function(self.function(ty))
                }
                TypeRef::Table(ty) => {
                    self.module.imported_tables += 1;
                    EntityIndex::Table(self.module.tables.push(table_type(ty, offset)?))
                }
                TypeRef::Memory(ty) => {
                    self.module.imported_memories += 1;
                    EntityIndex::Memory(self.module.memories.push(memory_type(ty)))
                }
                TypeRef::Global(ty) => {
                    self.module.imported_globals += 1;
                    EntityIndex::Global(self.module.globals.push(global_type(ty, offset)?))
                }
                TypeRef::Tag(_) | TypeRef::FuncExact(_) => {
                    return Err(unsupported(
                        offset,
                        "imports other than functions, tables, memories and globals",
                    ));
                }
            };
            let (module, name) = (import.module.to_string(), import.name.to_string());
            self.module.imports.push(Import {
                module,
                name,
                index,
            });
        }
        Ok(())
    }

    fn function(&mut self, ty: u32) -> FuncIndex {
        self.module.functions.push(Function {
            ty: TypeIndex::from_u32(ty),
            func_ref: None,
        })
    }

    fn tables(&mut self, section: wasmparser::TableSectionReader<'_>) -> Result<(), CompileError> {
        for table in section.into_iter_with_offsets() {
            let (offset, table) = table?;
            self.module.tables.push(table_type(table.ty, offset)?);
            self.module.table_initializers.push(match table.init {
                TableInit::RefNull => None,
                TableInit::Expr(expr) => Some(const_expr(&expr)?),
            });
        }
        Ok(())
    }

    fn globals(
        &mut self,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), CompileError> {
        for global in section.into_iter_with_offsets() {
            let (offset, global) = global?;
            self.module.globals.push(global_type(global.ty, offset)?);
            self.module
                .global_initializers
                .push(const_expr(&global.init_expr)?);
        }
        Ok(())
    }

    fn exports(
        &mut self,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), CompileError> {
        for export in section.into_iter_with_offsets() {
            let (offset, export) = export?;
            let index = match export.kind {
                ExternalKind::Func => EntityIndex::Function(FuncIndex::from_u32(export.index)),
                ExternalKind::Table => EntityIndex::Table(TableIndex::from_u32(export.index)),
                ExternalKind::Memory => EntityIndex::Memory(MemoryIndex::from_u32(export.index)),
                ExternalKind::Global => EntityIndex::Global(GlobalIndex::from_u32(export.index)),
                ExternalKind::Tag | ExternalKind::FuncExact => {
                    return Err(unsupported(
                        offset,
                        "exports other than functions, tables, memories and globals",
                    ));
                }
            };
            self.module.exports.push(Export {
                name: export.name.to_string(),
                index,
            });
        }
        Ok(())
    }

    fn elements(
        &mut self,
        section: wasmparser::ElementSectionReader<'_>,
    ) -> Result<(), CompileError> {
        for segment in section.into_iter_with_offsets() {
            let (offset, segment) = segment?;
            let (element, items) = match segment.items {
                wasmparser::ElementItems::Functions(functions) => {
                    let functions = functions.into_iter().map(|f| f.map(FuncIndex::from_u32));
                    let functions = functions.collect::<Result<_, _>>()?;
                    (ValType::FuncRef, ElementItems::Functions(functions))
                }
                wasmparser::ElementItems::Expressions(ty, exprs) => {
                    let exprs = exprs.into_iter().map(|expr| const_expr(&expr?));
                    let exprs = exprs.collect::<Result<_, _>>()?;
                    (ref_type(ty, offset)?, ElementItems::Expressions(exprs))
                }
            };
            let mode = match segment.kind {
                ElementKind::Passive => SegmentMode::Passive,
                ElementKind::Declared => SegmentMode::Declared,
                ElementKind::Active {
                    table_index,
                    offset_expr,
                } => SegmentMode::Active {
                    target: TableIndex::from_u32(table_index.unwrap_or(0)),
                    offset: const_expr(&offset_expr)?,
                },
            };
            self.module.elements.push(ElementSegment {
                element,
                mode,
                items,
            });
        }
        Ok(())
    }

    fn data(&mut self, section: wasmparser::DataSectionReader<'_>) -> Result<(), CompileError> {
        for segment in section {
            let segment = segment?;
            let mode = match segment.kind {
                DataKind::Passive => SegmentMode::Passive,
                DataKind::Active {
                    memory_index,
                    offset_expr,
                } => SegmentMode::Active {
                    target: MemoryIndex::from_u32(memory_index),
                    offset: const_expr(&offset_expr)?,
                },
            };
            self.module.data.push(DataSegment {
                mode,
                bytes: segment.data.into(),
            });
        }
        Ok(())
    }

    /// Gives a `VMFuncRef` to each defined function whose address can leave the module, in
    /// the order of the functions.
    fn name_escaping_functions(&mut self) {
        let module = &mut self.module;
        let mut escaping = Vec::new();
        let exported = module
            .exports
            .iter()
            .filter_map(|export| match export.index {
                EntityIndex::Function(index) => Some(index),
                _ => None,
            });
        escaping.extend(exported.chain(module.start));
        let mut exprs = Vec::new();
        exprs.extend(module.global_initializers.values());
        exprs.extend(module.table_initializers.values().flatten());
        for segment in module.elements.values() {
            match &segment.items {
                ElementItems::Functions(functions) => escaping.extend(functions),
                ElementItems::Expressions(items) => exprs.extend(items),
            }
        }
        escaping.extend(
            exprs
                .iter()
                .flat_map(|expr| expr.ops())
                .filter_map(|op| match op {
                    ConstOp::RefFunc(index) => Some(*index),
                    _ => None,
                }),
        );
        escaping.sort_unstable();
        escaping.dedup();
        for index in escaping {
            if module.defined_func(index).is_some() {
                module.functions[index].func_ref = Some(module.func_refs.push(index));
            }
        }
    }
}

fn unsupported(offset: u64, feature: &str) -> CompileError {
    CompileError::Unsupported {
        offset,
        feature: feature.to_string(),
    }
}

fn ref_type(ty: wasmparser::RefType, offset: u64) -> Result<ValType, CompileError> {
    match ty {
        wasmparser::RefType::FUNCREF => Ok(ValType::FuncRef),
        wasmparser::RefType::EXTERNREF => Ok(ValType::ExternRef),
        _ => Err(unsupported(
            offset,
            "reference types other than funcref and externref (typed function references, garbage collection)",
        )),
    }
}

/// Converts the type of a value. `offset` is the place for an error.
pub(super) fn val_type(ty: wasmparser::ValType, offset: u64) -> Result<ValType, CompileError> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ref_type(ty, offset)?,
    })
}

fn table_type(ty: wasmparser::TableType, offset: u64) -> Result<TableType, CompileError> {
    let element = ref_type(ty.element_type, offset)?;
    Ok(TableType {
        element,
        minimum: ty.initial,
        maximum: ty.maximum,
    })
}

fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        minimum: ty.initial,
        maximum: ty.maximum,
    }
}

fn global_type(ty: wasmparser::GlobalType, offset: u64) -> Result<GlobalType, CompileError> {
    let content = val_type(ty.content_type, offset)?;
    Ok(GlobalType {
        content,
        mutable: ty.mutable,
    })
}

/// Converts a constant expression that the validator has accepted.
fn const_expr(expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, CompileError> {
    let mut ops = Vec::new();
    let mut reader = expr.get_operators_reader();
    loop {
        let (op, offset) = reader.read_with_offset()?;
        ops.push(match op {
            Operator::I32Const { value } => ConstOp::Const(u128::from(value as u32)),
            Operator::I64Const { value } => ConstOp::Const(u128::from(value as u64)),
            Operator::F32Const { value } => ConstOp::Const(u128::from(value.bits())),
            Operator::F64Const { value } => ConstOp::Const(u128::from(value.bits())),
            Operator::RefNull {
                hty: HeapType::FUNC | HeapType::EXTERN,
            } => ConstOp::RefNull,
            Operator::RefFunc { function_index } => {
                ConstOp::RefFunc(FuncIndex::from_u32(function_index))
            }
            Operator::GlobalGet { global_index } => {
                ConstOp::GlobalGet(GlobalIndex::from_u32(global_index))
            }
            Operator::I32Add => ConstOp::I32Add,
            Operator::I32Sub => ConstOp::I32Sub,
            Operator::I32Mul => ConstOp::I32Mul,
            Operator::I64Add => ConstOp::I64Add,
            Operator::I64Sub => ConstOp::I64Sub,
            Operator::I64Mul => ConstOp::I64Mul,
            Operator::End => return Ok(ConstExpr::new(ops)),
            _ => {
                let name = proposal_name(WasmFeatures::GC);
                return Err(unsupported(offset, name));
            }
        });
    }
}
