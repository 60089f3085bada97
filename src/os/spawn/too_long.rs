//! What is too long for execve(2), named: its error (E2BIG) is the same for one long variable and for many.

use std::ffi::OsStr;

/// The most bytes of one string with its NUL: MAX_ARG_STRLEN of linux/binfmts.h.
const MOST: usize = 128 << 10;

/// Says what is too long of an environment and a command, or how much they may be.
pub(crate) fn too_long<'a>(
    environment: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    command: &OsStr,
) -> String {
    if !cfg!(target_os = "linux") {
        return "`getconf ARG_MAX` shows the limit in bytes for all variables and the command"
            .into();
    }
    // `NAME=VALUE` and a NUL.
    let line = |(name, value): (&'a OsStr, &'a OsStr)| (name, name.len() + value.len() + 2);
    let longest = environment.into_iter().map(line).max_by_key(|(_, length)| *length);
    match longest {
        Some((name, length)) if length > MOST => {
            format!("`{}` is too long: a variable is limited to 128 KiB", name.display())
        }
        _ if command.len() >= MOST => "the command is limited to 128 KiB".into(),
        _ => "all variables and the command are limited to 2 MiB together, each to 128 KiB".into(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_alone_is_too_long_is_named() {
        let long = "x".repeat(MOST - "BIG=".len());
        let of = |value: &str, command: &str| {
            let all = [("A", "1"), ("BIG", value)];
            let all = all.map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
            too_long(all, OsStr::new(command))
        };
        assert_eq!(of(&long, "web"), "`BIG` is too long: a variable is limited to 128 KiB");
        assert!(of(&long[1..], "web").starts_with("all variables and the command"));
        assert_eq!(of("", &"x".repeat(MOST)), "the command is limited to 128 KiB");
    }
}
