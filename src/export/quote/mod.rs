//! How a value is written so that its reader gets exactly its bytes.
//!
//! One function per context; each follows the rules of the program that reads the file, not of the file's
//! look. A value that a context cannot carry is a [`Refusal`]; nothing is folded, cut or dropped.
//! Knows nothing of applications or formats' layouts.

pub(crate) mod config;
pub(crate) mod markup;
pub(crate) mod sh;
pub(crate) mod systemd;

#[cfg(test)]
pub(crate) mod testing;

/// Why a context cannot carry a value: a lowercase fragment, for example `a newline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// The outcome of quoting.
pub(crate) type Quoted = Result<String, Refusal>;

/// Code points that Unicode reserves and that systemd and XML refuse (U+FDD0 to U+FDEF, U+xxFFFE, U+xxFFFF).
pub(crate) fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// Appends what `table` says for each character, else the character itself.
fn replace(text: &str, table: &[(char, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match table.iter().find(|(from, _)| *from == c) {
            Some((_, to)) => out.push_str(to),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::is_noncharacter;

    #[test]
    fn reserved_code_points_are_told_from_their_neighbours() {
        for c in ['\u{fdd0}', '\u{fdef}', '\u{fffe}', '\u{ffff}', '\u{1fffe}', '\u{10ffff}'] {
            assert!(is_noncharacter(c), "{c:?}");
        }
        for c in ['a', 'b', '\u{fdcf}', '\u{fdf0}', '\u{fffd}', '\u{10000}', '\u{1fffd}'] {
            assert!(!is_noncharacter(c), "{c:?}");
        }
    }
}
