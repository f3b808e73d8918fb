//! `cargo verify`: proves the rules.
fn main() {}
