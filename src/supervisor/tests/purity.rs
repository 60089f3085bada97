//! What the supervisor may import.

use std::fs;
use std::path::Path;

/// Returns every line below `folder` that imports from the crate.
fn imports(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(imports(&path));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(str::trim).filter(|line| line.starts_with("use "));
            found.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    found
}

#[test]
fn the_supervisor_imports_std_and_app_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/supervisor");
    let allowed = ["use std", "use crate::app", "use crate::supervisor", "use super"];
    let own = [
        "event",
        "instances",
        "memory",
        "outcome",
        "reconcile",
        "request",
        "shutdown",
        "state",
        "status",
    ];
    let is_allowed = |line: &String| {
        let import = line.split_once(": ").map_or("", |(_, import)| import);
        let import = import.trim_start_matches("pub ");
        allowed.iter().any(|start| import.starts_with(start))
            || own.iter().any(|module| import.starts_with(&format!("use {module}::")))
    };
    let found = imports(&folder);
    assert!(found.len() > 10, "the imports were found: {found:?}");
    let strange: Vec<_> = found.iter().filter(|line| !is_allowed(line)).collect();
    assert_eq!(strange, Vec::<&String>::new());
}
