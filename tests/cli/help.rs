//! The text of every `--help`, word for word: `PM_BLESS=1 cargo test` writes it again.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

/// Every subcommand that a person sees; "" is pm itself.
const COMMANDS: [&str; 20] = [
    "",
    "start",
    "up",
    "run",
    "check",
    "env",
    "schema",
    "export",
    "status",
    "restart",
    "stop",
    "scale",
    "signal",
    "wait",
    "logs",
    "attach",
    "ui",
    "reload",
    "quit",
    "completions",
];

#[test]
#[expect(clippy::disallowed_methods, reason = "PM_BLESS is for the tests, not for pm")]
fn help_says_what_it_said_before() {
    let app = Sandbox::new();
    for command in COMMANDS {
        let words = command.split_whitespace().chain(["--help"]);
        let output = app.pm(words).env("COLUMNS", "100").run();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "pm" } else { command };
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/help")
            .join(format!("{name}.txt"));
        if std::env::var_os("PM_BLESS").is_some() {
            fs::write(&path, &output.stdout).expect("the golden files can be written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(output.stdout, golden, "PM_BLESS=1 cargo test writes {}", path.display());
    }
}
