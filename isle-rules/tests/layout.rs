//! The folders are what `GROUPS` and `UNITS` say: the same name holds the same subject in `clif/`, `inst/` and
//! `lower/`, no file is missing or read by nobody, and none is too long to be read at once.

#![forbid(unsafe_code)]

use skerry_isle_rules::{GROUPS, UNITS, rules_dir};
use std::collections::BTreeSet;
use std::fs;

/// The longest file of rules or specs, and the longest file of tests, in lines.
const LONGEST: [(&str, usize); 2] = [("isle", 400), ("clif", 900)];

/// The files in a folder whose names end with a dot and this extension, without that.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let end = format!(".{extension}");
    let names = fs::read_dir(rules_dir().join(folder)).expect(folder);
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(&end).map(str::to_owned))
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn each_folder_has_the_groups() {
    assert_eq!(stems("clif", "isle"), set(GROUPS));
    for unit in UNITS {
        let isa = unit.name;
        assert_eq!(stems(&format!("{isa}/lower"), "isle"), set(GROUPS));
        let mut inst = set(GROUPS);
        for group in unit.without_inst {
            assert!(
                inst.remove(*group),
                "{group} is no group, or is named twice"
            );
        }
        inst.insert("operands".to_owned());
        assert_eq!(stems(&format!("{isa}/inst"), "isle"), inst);
    }
}

#[test]
fn each_unit_reads_each_of_its_files_once() {
    for unit in UNITS {
        let files = unit.files();
        let once: BTreeSet<&String> = files.iter().collect();
        assert_eq!(once.len(), files.len());
        for file in &files {
            assert!(rules_dir().join(file).is_file(), "{file} is missing");
        }
        let shared = stems("shared", "isle").len();
        let in_shared = files.iter().filter(|file| file.starts_with("shared/"));
        assert_eq!(in_shared.count(), shared, "of the files in shared/");
    }
}

/// The tests of a group are `<group>.clif`, and where there are many, `<group>_<subject>.clif` beside it.
#[test]
fn each_group_has_tests_beside_its_rules() {
    for unit in UNITS {
        let tests = stems(&format!("{}/lower", unit.name), "clif");
        for group in GROUPS {
            assert!(tests.contains(*group), "{group}.clif is missing");
        }
        for test in &tests {
            let group = test.split('_').next().unwrap();
            assert!(GROUPS.contains(&group), "{test}.clif is of no group");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let mut folders = vec!["shared".to_owned(), "clif".to_owned()];
    for unit in UNITS {
        folders.extend(["inst", "lower"].map(|folder| format!("{}/{folder}", unit.name)));
    }
    for folder in &folders {
        for (extension, longest) in LONGEST {
            for stem in stems(folder, extension) {
                let path = rules_dir().join(folder).join(format!("{stem}.{extension}"));
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(
                    lines <= longest,
                    "{folder}/{stem}.{extension} has {lines} lines, more than {longest}: find a subject for the rest"
                );
            }
        }
    }
}
