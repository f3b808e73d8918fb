//! Invariant 7 read off the public interface: unsafe functions are declared in one folder, and no safe function takes
//! something that could be executed without a reason that somebody has looked at.
//!
//! The sources are parsed; what is `pub` without restriction counts as public, even where no path leads to it.

#![forbid(unsafe_code)]

use quote::ToTokens;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The one home of unsafe code.
const UNSAFE_HOME: &str = "engine/runtime/src/vm/";

/// The crates whose functions embedders can call.
const CRATES: [&str; 5] = [
    "engine/environ",
    "engine/compiler",
    "engine/runtime",
    "engine/wasi",
    "engine/cli",
];

/// The crate that can execute: all others forbid unsafe code and reach the processor through its public functions only.
const EXECUTES: &str = "engine/runtime/";

/// The parts of types by which a parameter is taken for something that could become code, or an address.
const SUSPECT: [&str; 17] = [
    "[u8]",
    "u8]",
    "Vec<u8>",
    "str",
    "String",
    "Path",
    "OsStr",
    "File",
    "Read",
    "Bytes",
    "Mmap",
    "CompiledModule",
    "CompiledParts",
    "CompiledMetadata",
    "CompiledClif",
    "*const",
    "*mut",
];

/// The safe public functions of the runtime that take such things, each with the reason why it leads to no
/// undefined behaviour whatever it is passed. A new one may be added here when its reason is known.
const REVIEWED: &[(&str, &str)] = &[
    (
        "Cache::new",
        "a path; the entries there run only with this user's authentication code",
    ),
    (
        "Cache::module",
        "WebAssembly, which is validated and compiled; entries as for Cache::new",
    ),
    (
        "ClifProgram::new",
        "only the compiler makes a CompiledClif, and it runs in a process of its own",
    ),
    (
        "Module::new",
        "WebAssembly, which is validated and compiled",
    ),
    (
        "Module::from_binary",
        "WebAssembly, which is validated and compiled",
    ),
    (
        "Module::from_binary_with",
        "WebAssembly, which is validated and compiled",
    ),
    (
        "Module::from_text",
        "WebAssembly, which is validated and compiled",
    ),
    ("Module::validate", "WebAssembly, which is only looked at"),
    (
        "Module::compile_to",
        "WebAssembly, which is validated and compiled, and not run",
    ),
    ("Module::is_artifact", "eight bytes are looked at"),
    (
        "Module::deserialize_trusted_file",
        "only what this user's Skerry has compiled, or the user's files say is trusted",
    ),
    (
        "TrustStore::mark_of",
        "bytes that are hashed; it makes nothing",
    ),
    (
        "TrustStore::check_mark",
        "a path of which it is only looked at who owns it",
    ),
    ("Module::export", "a name that is looked up"),
    ("Caller::get_export", "a name that is looked up"),
    ("Instance::get_export", "a name that is looked up"),
    ("Instance::get_func", "a name that is looked up"),
    (
        "Instance::get_typed_func",
        "a name that is looked up; the type is checked",
    ),
    ("Instance::get_memory", "a name that is looked up"),
    ("Instance::get_table", "a name that is looked up"),
    ("Instance::get_global", "a name that is looked up"),
    ("demangle", "a name that is written in another way"),
    ("Linker::define", "names that are compared"),
    ("Linker::func_new", "names that are compared"),
    ("Linker::func_wrap", "names that are compared"),
    ("Linker::alias", "names that are compared"),
    ("Linker::alias_module", "names that are compared"),
    ("Linker::is_defined", "names that are compared"),
    ("Linker::module", "a name that is compared"),
    ("Linker::instance", "a name that is compared"),
    ("Linker::definition_type", "names that are looked up"),
    ("Linker::get", "names that are looked up"),
    (
        "Memory::read",
        "bytes of a linear memory, checked to be in bounds",
    ),
    (
        "Memory::write",
        "bytes of a linear memory, checked to be in bounds",
    ),
];

/// A function somewhere in the sources.
#[derive(Debug)]
struct Function {
    /// `Type::name`, or `name`.
    name: String,
    file: String,
    public: bool,
    is_unsafe: bool,
    /// The types of the parameters, bounds of type parameters among them, without spaces.
    inputs: String,
}

/// Collects the functions of one file, and everything else that is unsafe.
struct Collector<'a> {
    file: &'a str,
    /// The type of the block or the trait that is being visited, and whether all of it is public.
    within: Option<(String, bool)>,
    functions: Vec<Function>,
    unsafe_items: Vec<String>,
    tests: usize,
}

fn tokens(tokens: impl ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl Collector<'_> {
    fn function(&mut self, signature: &syn::Signature, public: bool) {
        let name = signature.ident.to_string();
        let inputs = signature.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(typed) => Some(tokens(&typed.ty)),
            syn::FnArg::Receiver(_) => None,
        });
        let inputs: Vec<String> = inputs.collect();
        let bounds = tokens(&signature.generics) + &tokens(&signature.generics.where_clause);
        self.functions.push(Function {
            name: match &self.within {
                Some((ty, _)) => format!("{ty}::{name}"),
                None => name,
            },
            file: self.file.to_owned(),
            public,
            is_unsafe: signature.unsafety.is_some(),
            inputs: inputs.join(",") + &bounds,
        });
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let within = self.within.take();
        self.function(&item.sig, is_public(&item.vis));
        visit::visit_item_fn(self, item);
        self.within = within;
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.unsafety.is_some() {
            self.unsafe_items.push(tokens(&item.self_ty));
        }
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let name = name.unwrap_or_else(|| tokens(&item.self_ty));
        // Methods of a trait belong to the trait's declaration.
        let outer = self.within.replace((name, item.trait_.is_none()));
        visit::visit_item_impl(self, item);
        self.within = outer;
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if item.unsafety.is_some() {
            self.unsafe_items.push(item.ident.to_string());
        }
        let outer = self
            .within
            .replace((item.ident.to_string(), is_public(&item.vis)));
        visit::visit_item_trait(self, item);
        self.within = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let inherent = self.within.as_ref().is_some_and(|(_, inherent)| *inherent);
        self.function(&item.sig, inherent && is_public(&item.vis));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let public = self.within.as_ref().is_some_and(|(_, public)| *public);
        self.function(&item.sig, public);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.unsafe_items.push("a block".into());
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        self.unsafe_items.push("foreign functions".into());
        visit::visit_item_foreign_mod(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("unsafe") {
            self.unsafe_items.push(tokens(attribute));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item
            .attrs
            .iter()
            .any(|attribute| tokens(attribute) == "#[cfg(test)]")
        {
            // Unsafe code in tests counts, but their functions are no public interface.
            self.tests += 1;
            let before = self.functions.len();
            visit::visit_item_mod(self, item);
            for function in &mut self.functions[before..] {
                function.public = false;
            }
            return;
        }
        visit::visit_item_mod(self, item);
    }
}

fn collect(file: &str, source: &str) -> (Vec<Function>, Vec<String>) {
    let parsed = syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut collector = Collector {
        file,
        within: None,
        functions: Vec::new(),
        unsafe_items: Vec::new(),
        tests: 0,
    };
    collector.visit_file(&parsed);
    (collector.functions, collector.unsafe_items)
}

/// Every function of the engine's crates, and every other unsafe thing with its file.
fn engine() -> (Vec<Function>, Vec<(String, String)>) {
    let (mut functions, mut unsafe_items) = (Vec::new(), Vec::new());
    for name in CRATES {
        let mut folders = vec![root().join(name).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)
                .expect("a source folder")
                .flatten()
            {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let source = std::fs::read_to_string(&path).expect("a text file");
                    let file = path.strip_prefix(root()).expect("below the root");
                    let file = file.display().to_string();
                    let (found, items) = collect(&file, &source);
                    functions.extend(found);
                    unsafe_items.extend(items.into_iter().map(|item| (file.clone(), item)));
                }
            }
        }
    }
    (functions, unsafe_items)
}

#[test]
fn unsafe_functions_are_declared_in_their_home() {
    let (functions, items) = engine();
    let mut found = 0;
    for function in functions.iter().filter(|function| function.is_unsafe) {
        let Function { file, name, .. } = function;
        assert!(
            file.starts_with(UNSAFE_HOME),
            "{file}: the function {name} is unsafe outside {UNSAFE_HOME}"
        );
        found += 1;
    }
    for (file, item) in &items {
        assert!(
            file.starts_with(UNSAFE_HOME),
            "{file}: {item} is unsafe outside {UNSAFE_HOME}"
        );
    }
    let public = functions
        .iter()
        .filter(|function| function.is_unsafe && function.public);
    let mut public: Vec<&str> = public.map(|function| &*function.name).collect();
    public.sort_unstable();
    // Embedders should have to vouch for no more than this.
    assert_eq!(public, ["Module::deserialize", "Module::deserialize_file"]);
    println!(
        "{found} unsafe functions, {} other unsafe things, all in {UNSAFE_HOME}",
        items.len()
    );
}

#[test]
fn safe_functions_that_take_bytes_have_their_reasons() {
    let (functions, _) = engine();
    let reviewed: BTreeMap<&str, &str> = REVIEWED.iter().copied().collect();
    assert_eq!(reviewed.len(), REVIEWED.len(), "a function is listed twice");
    let mut suspects = BTreeMap::new();
    for function in &functions {
        let suspect = SUSPECT.iter().any(|part| function.inputs.contains(part));
        let executes = function.file.starts_with(EXECUTES);
        if function.public && !function.is_unsafe && executes && suspect {
            suspects.insert(&*function.name, function);
        }
    }
    let new: Vec<_> = suspects
        .values()
        .filter(|function| !reviewed.contains_key(&*function.name))
        .map(|function| {
            format!(
                "{} in {}: {}",
                function.name, function.file, function.inputs
            )
        })
        .collect();
    assert!(
        new.is_empty(),
        "why do these lead to no undefined behaviour whatever they are passed? say so in REVIEWED: {new:#?}"
    );
    let gone = reviewed.keys().filter(|name| !suspects.contains_key(*name));
    let gone: Vec<_> = gone.collect();
    assert!(
        gone.is_empty(),
        "these are no such functions any more: {gone:?}"
    );
    println!("{} functions take bytes, names or paths", suspects.len());
}

#[test]
fn the_interface_is_read_as_it_is() {
    let source = r#"
        pub fn free(bytes: &[u8]) {}
        pub struct S;
        impl S {
            pub UNSAFE fn run<P: AsRef<Path>>(&self, path: P) {}
            pub(crate) fn inside(code: *const u8) { UNSAFE { code.read() }; }
        }
        impl Clone for S { fn clone(&self) -> S { S } }
        UNSAFE impl Send for S {}
        pub trait T { fn given(file: File); }
        #[cfg(test)]
        mod tests { pub fn helper(x: &str) {} }
    "#;
    // The source is changed so that this test is not taken for what it shows.
    let source = source.replace("UNSAFE", "unsafe");
    let (functions, items) = collect("x.rs", &source);
    let shown: Vec<_> = functions
        .iter()
        .map(|f| (&*f.name, f.public, f.is_unsafe, &*f.inputs))
        .collect();
    assert_eq!(
        shown,
        [
            ("free", true, false, "&[u8]"),
            ("S::run", true, true, "P<P:AsRef<Path>>"),
            ("S::inside", false, false, "*constu8"),
            ("S::clone", false, false, ""),
            ("T::given", true, false, "File"),
            ("helper", false, false, "&str"),
        ]
    );
    assert_eq!(items, ["a block", "S"]);
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2);
    root.expect("engine/cli is two folders below the root")
        .to_owned()
}
