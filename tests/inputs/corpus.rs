//! The checked-in corpus: what people write, and what a fuzzer has found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::properties::TARGETS;

/// Returns the checked-in inputs of a target, by name.
pub(crate) fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path, bytes)
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_input_of_the_corpus_holds() {
    for (target, holds) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 10, "{target} has {} inputs", inputs.len());
        for (path, bytes) in inputs {
            let held = std::panic::catch_unwind(|| holds(&bytes));
            assert!(held.is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_target_is_a_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/ has a manifest");
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        assert!(fuzz.join(format!("fuzz_targets/{target}.rs")).is_file(), "{target}");
    }
}
