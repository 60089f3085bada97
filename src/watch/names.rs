//! Names that editors give to what they put aside while they save a file: these do not count.

use std::ffi::OsStr;

/// Returns whether a file of this name is an editor's own.
pub(super) fn is_of_an_editor(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let has_end = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    // vim looks whether it may write a folder by a file of this name.
    name == "4913"
        || has_end(&[
            "~",
            ".swp",
            ".swo",
            ".swx",
            ".swpx",
            "___jb_tmp___",
            "___jb_old___",
            "___jb_bak___",
        ])
        || name.starts_with(".#")
        || name.starts_with(".goutputstream-")
        || (name.starts_with(".!") && name[2..].contains('!'))
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_editors_are_known() {
        for name in [
            "4913",
            "a.py~",
            ".a.py.swp",
            ".a.swx",
            ".#a.py",
            "#a.py#",
            ".!123!a.py",
            "a.py___jb_tmp___",
            ".goutputstream-X1",
        ] {
            assert!(is_of_an_editor(OsStr::new(name)), "{name}");
        }
        for name in ["a.py", "49130", ".env", "#", "a#", ".!x", "swp", "~a"] {
            assert!(!is_of_an_editor(OsStr::new(name)), "{name}");
        }
    }
}
