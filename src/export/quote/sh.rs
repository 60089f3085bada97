//! Words of a POSIX shell (XCU section 2.2).

use super::{Quoted, Refusal};
use crate::app::shell::is_name;

/// Returns `text` as one word of `sh`: single quotes, which keep every byte, newlines included.
pub(crate) fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns `text` as one word of `sh` without a newline in it, where it is known to hold none.
pub(crate) fn line_word(text: &str) -> Quoted {
    if text.contains('\n') { Err(Refusal("a newline")) } else { Ok(word(text)) }
}

/// Returns commands on one line that set and export `name`, for files whose lines end values.
/// Control characters are written as octal escapes of `printf`; the dot keeps final newlines, which
/// `$(…)` would drop.
pub(crate) fn export_line(name: &str, text: &str) -> String {
    if !text.contains(char::is_control) {
        return format!("export {name}={}", word(text));
    }
    let mut format = String::new();
    for c in text.chars() {
        match c {
            '%' => format.push_str("%%"),
            '\\' => format.push_str(r"\\"),
            '\'' => format.push_str(r"\047"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    format.push_str(&format!("\\{byte:03o}"));
                }
            }
            c => format.push(c),
        }
    }
    format!("{name}=$(printf -- '{format}.'); export {name}=\"${{{name}%.}}\"")
}

/// Returns text of `sh` that runs a command until it has ended well, a second after each failure.
pub(crate) fn until_done(command: &str) -> String {
    format!("until /bin/sh -c {}; do sleep 1; done", word(command))
}

/// Returns whether `sh` can export a variable of this name: an identifier that no shell keeps for itself.
pub(crate) fn can_export(name: &str) -> bool {
    /// Read-only in bash, or checked by a shell when they are set.
    const KEPT: [&str; 9] = [
        "UID",
        "EUID",
        "PPID",
        "BASHOPTS",
        "SHELLOPTS",
        "BASH_VERSINFO",
        "BASHPID",
        "OPTIND",
        "LINENO",
    ];
    is_name(name) && !KEPT.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::testing::value;
    use super::*;
    use proptest::prelude::*;

    fn printed(script: &str) -> Vec<u8> {
        Command::new("/bin/sh")
            .arg("-c")
            .arg(script)
            .output()
            .map(|output| output.stdout)
            .unwrap_or_default()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_word_reaches_the_program_byte_for_byte(text in value()) {
            prop_assert_eq!(printed(&format!("printf %s {}", word(&text))), text.as_bytes());
        }

        #[test]
        fn an_exported_line_reaches_the_program_byte_for_byte(text in value()) {
            let line = export_line("A", &text);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(printed(&format!("{line}\nexec /bin/sh -c 'printf %s \"$A\"'")), text.as_bytes());
        }
    }

    #[test]
    fn nothing_is_escaped_that_can_stand() {
        assert_eq!(export_line("A", "it's 5% é"), r"export A='it'\''s 5% é'");
        let line = r#"A=$(printf -- 'it\047s 5%% é\012.'); export A="${A%.}""#;
        assert_eq!(export_line("A", "it's 5% é\n"), line);
    }

    #[test]
    fn names_that_a_shell_cannot_export_are_told_apart() {
        for name in ["A", "_a1", "PATH"] {
            assert!(can_export(name), "{name}");
        }
        for name in ["", "1A", "a.b", "my-key", "UID", "é"] {
            assert!(!can_export(name), "{name}");
        }
    }
}
