//! Compares the verifier's list of operators with more than one result with the crate that CLIF's declarations come
//! from.

#![forbid(unsafe_code)]

use skerry_verifier::path::SEVERAL_RESULTS;
use skerry_verifier::target_dir;

#[test]
fn operators_with_a_second_result_are_those_of_the_crate() {
    let folder = target_dir().join("isle").join("results");
    std::fs::create_dir_all(&folder).expect("a folder");
    cranelift_codegen_meta::generate_rust(&[], &folder).expect("the crate's own declarations");
    let builder = std::fs::read_to_string(folder.join("inst_builder.rs")).expect("a text");
    let mut several: Vec<&str> = builder
        .lines()
        .filter(|line| line.contains(") -> (Value, Value"))
        .filter_map(|line| line.trim().strip_prefix("fn ")?.split('(').next())
        .collect();
    several.sort_unstable();
    assert_eq!(several, SEVERAL_RESULTS);
}
