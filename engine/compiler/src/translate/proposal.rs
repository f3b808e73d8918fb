//! What modules may use that Skerry does not implement, by the names that their authors know.
//!
//! wasmparser says of most of it that some feature "is not enabled"; here is nothing to enable.

use super::module::FEATURES;
use crate::CompileError;
use wasmparser::{Validator, WasmFeatures};

/// The proposals and related features, in the order in which a module is tried with each.
const PROPOSALS: [(WasmFeatures, &str); 19] = [
    (
        WasmFeatures::COMPONENT_MODEL,
        "a component (the component model), where a core module is needed",
    ),
    (WasmFeatures::SIMD, "SIMD (128-bit vectors)"),
    (WasmFeatures::RELAXED_SIMD, "relaxed SIMD"),
    (
        WasmFeatures::THREADS,
        "threads (shared memories and atomic operators)",
    ),
    (
        WasmFeatures::EXCEPTIONS,
        "exceptions (tags, throw and try_table)",
    ),
    (
        WasmFeatures::LEGACY_EXCEPTIONS,
        "exceptions in their old form (try, catch and rethrow)",
    ),
    (
        WasmFeatures::MEMORY64,
        "64-bit memories and tables (memory64)",
    ),
    (
        WasmFeatures::FUNCTION_REFERENCES,
        "typed function references",
    ),
    (
        WasmFeatures::GC,
        "garbage collection (structs, arrays, i31 and subtypes)",
    ),
    (
        WasmFeatures::WIDE_ARITHMETIC,
        "wide arithmetic (128-bit integers)",
    ),
    (
        WasmFeatures::CUSTOM_PAGE_SIZES,
        "custom page sizes of memories",
    ),
    (WasmFeatures::COMPACT_IMPORTS, "compact import sections"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (WasmFeatures::MEMORY_CONTROL, "memory control"),
    (
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "shared-everything threads",
    ),
    (WasmFeatures::CUSTOM_DESCRIPTORS, "custom descriptors"),
    (
        WasmFeatures::ACQUIRE_RELEASE_ATOMICS,
        "acquire-release atomics",
    ),
    (
        WasmFeatures::MULTIBYTE_ARRAY_ACCESS,
        "multibyte array access",
    ),
    (
        WasmFeatures::GC_TYPES,
        "reference types other than funcref and externref",
    ),
];

/// The name of these features; of several, the first one that Skerry lacks.
pub(crate) fn proposal_name(features: WasmFeatures) -> &'static str {
    let lacking = features.difference(FEATURES);
    let known = |of: WasmFeatures| {
        PROPOSALS
            .iter()
            .find(|(feature, _)| of.intersects(*feature))
    };
    let found = known(lacking).or_else(|| known(features));
    found.map_or("a proposal after WebAssembly 2.0", |(_, name)| name)
}

/// Whether a module was refused because it uses garbage collection.
pub(super) fn is_garbage_collection(error: &CompileError) -> bool {
    let wanted = proposal_name(WasmFeatures::GC);
    matches!(error, CompileError::Unsupported { feature, .. } if feature == wanted)
}

/// Why [`translate_module`](super::translate_module) or a function of it was refused, as the author of the module understands
/// it: wasmparser calls some of what it does not know malformed. If the module is valid with one more proposal, at least beyond the place of the error, then that is what is
/// missing. It is validated once for each proposal, but only if it was refused and all proposals together change
/// that.
pub fn explain(wasm: &[u8], error: CompileError) -> CompileError {
    let CompileError::Invalid { offset, .. } = error else {
        return error;
    };
    let accepted = |features: WasmFeatures| {
        let checked = Validator::new_with_features(features).validate_all(wasm);
        checked.map_or_else(|found| found.offset() > offset, |_| true)
    };
    // If wasmparser accepts code that the translator refuses, proposals are not the reason.
    if accepted(FEATURES) || !accepted(WasmFeatures::all()) {
        return error;
    }
    let with = |feature: WasmFeatures| {
        let needed = match feature {
            WasmFeatures::RELAXED_SIMD => WasmFeatures::SIMD,
            WasmFeatures::GC => WasmFeatures::FUNCTION_REFERENCES,
            _ => WasmFeatures::empty(),
        };
        FEATURES.union(needed).union(feature)
    };
    let found = PROPOSALS
        .iter()
        .find(|(feature, _)| accepted(with(*feature)));
    let feature = found.map_or("a proposal after WebAssembly 2.0", |(_, name)| name);
    CompileError::Unsupported {
        offset,
        feature: feature.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each feature that wasmparser knows has a name of its own, or is part of one that has.
    #[test]
    fn every_feature_of_core_modules_is_named() {
        let other = "a proposal after WebAssembly 2.0";
        for (name, feature) in WasmFeatures::all().iter_names() {
            let of_components = name.starts_with("CM");
            if !FEATURES.contains(feature) && !of_components {
                assert_ne!(proposal_name(feature), other, "{name}");
            }
        }
    }

    #[test]
    fn a_module_with_an_error_of_its_own_stays_invalid() {
        for text in ["(module (func (result i32)))", "(module (start 3))"] {
            let wasm = wat::parse_str(text).unwrap();
            let error = crate::validate(&wasm).unwrap_err();
            assert!(matches!(error, CompileError::Invalid { .. }), "{error}");
        }
        assert!(crate::validate(b"\0asm\x01\0\0\0\xff").is_err());
    }
}
