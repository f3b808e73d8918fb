//! A module: validated, compiled, and ready to be instantiated any number of times.

use crate::artifact::Parts;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::profile;
use crate::registry::RegisteredType;
use crate::symbols::Dwarf;
use crate::trap::Frame;
use crate::types::{ExportType, ExternType, ImportType};
use crate::vm::code::CodeMemory;
use crate::vm::file::Bytes;
use crate::vm::image::ImageSource;
use crate::vm::instance::{Blueprint, FuncRefCode, func_ref_offset};
use crate::vm::pool::Home;
use skerry_compiler::{CompiledModule, Progress, compile_module_on};
use skerry_environ::{
    AddressMap, CompiledMetadata, DataSegment, DefinedFuncIndex, ElemIndex, ElementItems,
    EntityIndex, EntityRef, FuncIndex, Module as Environ, SegmentMode, TypeIndex, VmctxLayout,
};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// A compiled module. It is cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<ModuleInner>,
}

struct ModuleInner {
    /// The module's identity in the pool of slots.
    home: Arc<Home>,
    engine: Engine,
    compiled: CompiledMetadata,
    code: CodeMemory,
    addrmap: AddressMap<Bytes>,
    images: ImageSource,
    layout: VmctxLayout,
    /// The types, which keep their engine-wide numbers as long as they are held here.
    _types: Box<[Arc<RegisteredType>]>,
    /// The engine-wide number of each type.
    type_ids: Box<[u32]>,
    func_refs: Box<[FuncRefCode]>,
    exports: HashMap<String, EntityIndex>,
    /// The DWARF sections, from which backtraces find files and lines.
    dwarf: OnceLock<Arc<Dwarf>>,
    /// The start of the machine code of each defined function, sorted, for backtraces.
    by_offset: Box<[(u32, DefinedFuncIndex)]>,
    /// For each data segment, whether it is active.
    active_data: Box<[bool]>,
    /// For each element segment that is a list of functions, the offsets in the vmctx of their func refs.
    element_offsets: Box<[Option<Box<[i32]>>]>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles a module in the binary format or, with the feature `wat`, in the text format.
    ///
    /// # Errors
    /// [`Error::Compile`] with the offset where the module is invalid, over a limit, or uses a feature that Skerry
    /// does not have; [`Error::Text`]; [`Error::OutOfMemory`].
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = bytes.as_ref();
        #[cfg(feature = "wat")]
        if !bytes.starts_with(b"\0asm")
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Self::from_text(engine, text);
        }
        Self::from_binary(engine, bytes)
    }

    /// Compiles a module in the binary format.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary(engine: &Engine, wasm: &[u8]) -> Result<Self> {
        Self::from_binary_with(engine, wasm, &|_| ())
    }

    /// Like [`Module::from_binary`]. It calls `progress` often, from any of the threads that compile, with how far
    /// it has come.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary_with(
        engine: &Engine,
        wasm: &[u8],
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self> {
        let compiled = compile_module_on(engine.workers(), wasm, engine.flags(), progress)?;
        Self::from_compiled(engine, compiled)?.loaded(Dwarf::to_keep(engine, wasm))
    }

    /// Compiles a module in the text format.
    ///
    /// # Errors
    /// As [`Module::new`].
    #[cfg(feature = "wat")]
    pub fn from_text(engine: &Engine, text: &str) -> Result<Self> {
        let wasm = wat::parse_str(text).map_err(|e| Error::Text(e.to_string()))?;
        Self::from_binary(engine, &wasm)
    }

    /// Checks a module in the binary format without compiling it.
    ///
    /// # Errors
    /// [`Error::Compile`] with the offset where the module is invalid or uses a feature that Skerry does not have.
    pub fn validate(_engine: &Engine, wasm: &[u8]) -> Result<()> {
        skerry_compiler::validate(wasm)?;
        Ok(())
    }

    /// Places compiled code in memory and prepares what instances share. It was compiled for this machine, as `engine` says.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], and [`Error::Features`] if the engine is for another machine.
    pub(crate) fn from_compiled(engine: &Engine, compiled: CompiledModule) -> Result<Self> {
        engine.check_machine()?;
        let parts = compiled.into_parts();
        let compiled = parts.metadata;
        let traps = parts.traps.map_bytes(Bytes::Owned);
        let addrmap = parts.addrmap.map_bytes(Bytes::Owned);
        let images = ImageSource::new(parts.image_bytes);
        let protected = engine.flags().branch_protection;
        let starts = compiled.functions.values().map(|f| f.text.start);
        let code = CodeMemory::publish(&parts.text, traps, starts, protected)
            .map_err(Error::OutOfMemory)?;
        Ok(Self::assemble(engine, compiled, code, addrmap, images))
    }

    /// Prepares what instances share, for a module whose parts are where they are used.
    pub(crate) fn assemble(
        engine: &Engine,
        compiled: CompiledMetadata,
        code: CodeMemory,
        addrmap: AddressMap<Bytes>,
        images: ImageSource,
    ) -> Self {
        let module = &compiled.module;
        let types = module.types.values().map(|ty| engine.register(ty));
        let types: Box<[Arc<RegisteredType>]> = types.collect();
        let type_ids: Box<[u32]> = types.iter().map(|ty| ty.id).collect();
        let func_refs = module
            .func_refs
            .values()
            .map(|&func| {
                let (defined, ty) = defined(module, func);
                func_code(&code, &compiled, &type_ids, defined, ty)
            })
            .collect();
        let mut by_offset: Box<[_]> = compiled
            .functions
            .iter()
            .map(|(index, f)| (f.text.start, index))
            .collect();
        by_offset.sort_unstable();
        let exports = module
            .exports
            .iter()
            .map(|e| (e.name.clone(), e.index))
            .collect();
        let layout = VmctxLayout::new(module);
        let offsets = |items: &ElementItems| match items {
            ElementItems::Functions(functions) => functions
                .iter()
                .map(|&func| func_ref_offset(module, &layout, func))
                .collect(),
            ElementItems::Expressions(_) => None,
        };
        let segments = module.elements.values();
        let element_offsets = segments.map(|segment| offsets(&segment.items)).collect();
        let active = |data: &DataSegment| matches!(data.mode, SegmentMode::Active { .. });
        let active_data = compiled.module.data.values().map(active).collect();
        let inner = ModuleInner {
            active_data,
            home: Home::new(),
            engine: engine.clone(),
            compiled,
            code,
            addrmap,
            images,
            layout,
            _types: types,
            type_ids,
            func_refs,
            exports,
            dwarf: OnceLock::new(),
            by_offset,
            element_offsets,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Completes a module that has been assembled: keeps its DWARF sections, and tells the profiler about its code.
    ///
    /// # Errors
    /// [`Error::Profile`].
    pub(crate) fn loaded(self, dwarf: Option<Bytes>) -> Result<Self> {
        if let Some(dwarf) = dwarf.and_then(Dwarf::new) {
            // The module is not shared yet.
            _ = self.inner.dwarf.set(Arc::new(dwarf));
        }
        profile::record(self.engine().profiler(), &self)?;
        Ok(self)
    }

    /// The DWARF sections, if they were kept.
    pub(crate) fn dwarf(&self) -> Option<&Arc<Dwarf>> {
        self.inner.dwarf.get()
    }

    /// The machine code of each function, with its address, its name, and the offsets in the text with the offsets
    /// in the module that belong to them.
    pub(crate) fn functions(&self) -> impl Iterator<Item = CodeOfFunction<'_>> {
        self.inner.by_offset.iter().map(|&(start, defined)| {
            let text = self.inner.compiled.functions[defined].text.clone();
            let index = self.environ().func_index(defined);
            let name = self.func_name(index);
            CodeOfFunction {
                address: self.code_start() + start as usize,
                code: &self.inner.code.text()[text.start as usize..text.end as usize],
                name: name.unwrap_or_else(|| format!("wasm[{}]", index.as_u32())),
                places: self.inner.addrmap.range(text),
            }
        })
    }

    /// The name of the module from its name section.
    pub fn name(&self) -> Option<&str> {
        self.environ().name.as_deref()
    }

    /// The engine that compiled it.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The imports of the module, in its order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.environ().imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: ExternType::of(self.environ(), import.index),
        })
    }

    /// The exports of the module, in its order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.environ().exports.iter().map(|export| ExportType {
            name: &export.name,
            ty: ExternType::of(self.environ(), export.index),
        })
    }

    /// The type of the export with this name.
    pub fn export(&self, name: &str) -> Option<ExternType> {
        self.export_index(name)
            .map(|index| ExternType::of(self.environ(), index))
    }

    /// Whether the module has a start function, which instantiation calls.
    pub fn has_start(&self) -> bool {
        self.environ().start.is_some()
    }

    /// The size of the machine code in bytes.
    pub fn code_size(&self) -> usize {
        self.inner.code.len()
    }

    /// Writes one line `START SIZE NAME` (hexadecimal, without prefix) for each function: the format in which
    /// Linux's `perf` reads, from `/tmp/perf-PID.map`, the functions of a process that are in no file.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn write_perf_map(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        profile::write_perf_map(self, out)
    }

    pub(crate) fn environ(&self) -> &Environ {
        &self.inner.compiled.module
    }

    /// The metadata, without the parts that are used in place.
    pub(crate) fn compiled(&self) -> &CompiledMetadata {
        &self.inner.compiled
    }

    /// The parts that are used in place.
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            text: self.inner.code.text(),
            images: self.inner.images.bytes(),
            traps: self.inner.code.traps().bytes(),
            addrmap: self.inner.addrmap.bytes(),
            dwarf: &[],
        }
    }

    /// The source of the images of memories.
    pub(crate) fn images(&self) -> &ImageSource {
        &self.inner.images
    }

    /// For an element segment that is a list of functions, the offsets in the vmctx of their func refs.
    pub(crate) fn element_offsets(&self, segment: ElemIndex) -> Option<&[i32]> {
        self.inner.element_offsets[segment.index()].as_deref()
    }

    pub(crate) fn layout(&self) -> &VmctxLayout {
        &self.inner.layout
    }

    pub(crate) fn export_index(&self, name: &str) -> Option<EntityIndex> {
        self.inner.exports.get(name).copied()
    }

    pub(crate) fn active_data(&self) -> &[bool] {
        &self.inner.active_data
    }

    pub(crate) fn blueprint(&self) -> Blueprint<'_> {
        Blueprint {
            module: self.environ(),
            layout: self.layout(),
            type_ids: &self.inner.type_ids,
            func_refs: &self.inner.func_refs,
            home: &self.inner.home,
            memory_style: self.engine().flags().memory,
            memory_pages: self.engine().limits().memory_pages,
        }
    }

    /// The machine code, the entry trampoline and the engine-wide type of a defined function.
    pub(crate) fn func_code(&self, func: FuncIndex) -> FuncRefCode {
        let (defined, ty) = defined(self.environ(), func);
        let inner = &*self.inner;
        func_code(&inner.code, &inner.compiled, &inner.type_ids, defined, ty)
    }

    /// The address of the machine code.
    pub(crate) fn code_start(&self) -> usize {
        self.inner.code.start()
    }

    /// The name of a function from the name section, or else one that it is exported under.
    fn func_name(&self, index: FuncIndex) -> Option<String> {
        let module = self.environ();
        let exported = || {
            let wanted = EntityIndex::Function(index);
            let export = module.exports.iter().find(|e| e.index == wanted)?;
            Some(export.name.clone())
        };
        module.function_names.get(&index).cloned().or_else(exported)
    }

    /// The frame of a function of this module that is at `pc`; `None` for code that is not a function's.
    pub(crate) fn frame(&self, pc: usize) -> Option<Frame> {
        let offset = self.inner.code.offset_of(pc)?;
        let after = self
            .inner
            .by_offset
            .partition_point(|&(start, _)| start <= offset);
        let (_, defined) = *self.inner.by_offset.get(after.checked_sub(1)?)?;
        let function = &self.inner.compiled.functions[defined];
        if !function.text.contains(&offset) {
            return None;
        }
        let index = self.environ().func_index(defined);
        // Before the first operator (where the frame is made, which may overflow the stack) the map has no entry,
        // or one that belongs to the function before.
        let start = function.wasm_offset;
        let known = self.inner.addrmap.get(offset);
        let known = known.filter(|&wasm| wasm >= start && wasm != u32::MAX);
        let wasm_offset = known.unwrap_or(start);
        Some(Frame {
            module_name: self.environ().name.clone(),
            func_index: index.as_u32(),
            func_name: self.func_name(index),
            wasm_offset: Some(wasm_offset),
            func_offset: Some(wasm_offset - start),
            dwarf: self.dwarf().cloned(),
        })
    }
}

/// The machine code of a function.
pub(crate) struct CodeOfFunction<'a> {
    pub(crate) address: usize,
    pub(crate) code: &'a [u8],
    pub(crate) name: String,
    /// For each place, its offset in the code from the start of the function, and the offset in the module of the
    /// operator that the code from there on belongs to.
    pub(crate) places: Vec<(u32, u32)>,
}

fn defined(module: &Environ, func: FuncIndex) -> (DefinedFuncIndex, TypeIndex) {
    let defined = module
        .defined_func(func)
        .expect("imported functions have no code of their own");
    (defined, module.functions[func].ty)
}

fn func_code(
    code: &CodeMemory,
    compiled: &CompiledMetadata,
    type_ids: &[u32],
    func: DefinedFuncIndex,
    ty: TypeIndex,
) -> FuncRefCode {
    let entry = &compiled.entry_trampolines[ty];
    FuncRefCode {
        code: code.address(compiled.functions[func].text.start),
        // The range is empty for a type with values that the compiler cannot pass, whose functions the host cannot
        // call. It is never empty just because no function of the type escapes: this one does.
        entry: if entry.is_empty() {
            std::ptr::null()
        } else {
            code.address(entry.start)
        },
        type_id: type_ids[ty.as_u32() as usize],
    }
}
