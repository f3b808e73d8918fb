//! The blessed listing `isle-rules/<isa>/verdicts.txt` names every rule with its instantiations, all of
//! them verified. `BLESS=1 cargo verify` proves everything and writes it anew.
//!
//! Without BLESS nothing is solved here (`cargo verify` does that): the listing must have exactly the
//! rules and instantiations that there are to prove, so that none can vanish unseen.

#![forbid(unsafe_code)]

use skerry_verifier::{report, run};

#[test]
fn the_listing_has_every_rule_and_instantiation() {
    for unit in skerry_isle_rules::UNITS {
        let file = skerry_isle_rules::rules_dir()
            .join(unit.name)
            .join("verdicts.txt");
        let program = skerry_verifier::load_unit(unit.name).expect("a well-formed unit");
        let listing = std::fs::read_to_string(&file).unwrap_or_default();
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut lines: Vec<String> = run::instantiations(&program, jobs)
            .iter()
            .map(|(rule, types)| {
                let types: Vec<&str> = types.iter().map(String::as_str).collect();
                report::line(rule, "verified", &types)
            })
            .collect();
        assert!(!lines.is_empty(), "nothing to prove is not a success");
        lines.sort();
        let missing: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| !listing.lines().any(|blessed| blessed == *line))
            .collect();
        let stale: Vec<&str> = listing
            .lines()
            .filter(|blessed| !lines.iter().any(|line| line == blessed))
            .collect();
        assert!(
            missing.is_empty() && stale.is_empty(),
            "{}: BLESS=1 cargo verify writes it anew\nnot in it:\n  {}\nonly in it:\n  {}",
            file.display(),
            missing.join("\n  "),
            stale.join("\n  ")
        );
    }
}
