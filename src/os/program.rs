//! Recognizes shells: if one leads a group, the program of the instance is what the shell has started.

pub(crate) use super::system::program::Programs;

/// Shells by the names of their executables, without versions.
const SHELLS: [&str; 17] = [
    "ash", "bash", "csh", "dash", "fish", "hush", "ksh", "lksh", "loksh", "mksh", "oksh", "pdksh",
    "posh", "sh", "tcsh", "yash", "zsh",
];
/// Multi-call programs, whose first argument says what they are.
const MANY_IN_ONE: [&str; 2] = ["busybox", "toybox"];

/// Returns whether an executable is a shell. `words` returns its arguments, which are needed for few programs.
pub(crate) fn is_shell(executable: &str, words: impl FnOnce() -> Vec<String>) -> bool {
    let name = name_of(executable);
    if !MANY_IN_ONE.contains(&name) {
        return is_name_of_shell(name);
    }
    // `busybox sh`, or a link of that name.
    let words = words();
    let mut words = words.iter().map(|word| name_of(word));
    let is_applet = |word: Option<&str>| word.is_some_and(is_name_of_shell);
    match words.next() {
        Some(first) if MANY_IN_ONE.contains(&first) => is_applet(words.next()),
        first => is_applet(first),
    }
}

/// Returns the last part of a path. A login shell has a `-` before its name.
fn name_of(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path).trim_start_matches('-')
}

/// `bash`, `bash-static`, `zsh-5.9`, `ksh93`
fn is_name_of_shell(name: &str) -> bool {
    let name = name.strip_suffix("-static").unwrap_or(name);
    let is_of_version = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
    SHELLS.contains(&name.trim_end_matches(is_of_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_are_known_by_their_executable() {
        for shell in [
            "/bin/sh",
            "/usr/bin/dash",
            "bash",
            "/usr/bin/zsh-5.9",
            "ksh93",
            "/opt/bash-static",
            "/usr/bin/bash (deleted)",
            "-bash",
            "/bin/mksh",
        ] {
            assert!(is_shell(shell, Vec::new), "{shell}");
        }
        for program in ["/usr/bin/python3.11", "ssh", "/usr/bin/node", "rush", "bashful", "", "3"] {
            assert!(!is_shell(program, Vec::new), "{program}");
        }
    }

    #[test]
    fn many_in_one_are_what_they_were_started_as() {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        for words in [&["sh", "-c", "x"][..], &["/bin/busybox", "ash"], &["-sh"], &["/bin/hush"]] {
            assert!(is_shell("/bin/busybox", || owned(words)), "{words:?}");
        }
        for words in [&["httpd", "sh"][..], &["busybox", "httpd"], &["busybox"], &[]] {
            assert!(!is_shell("/bin/busybox", || owned(words)), "{words:?}");
        }
    }
}
