//! The key that detaches, in each form in which a terminal sends it.

use std::ops::Range;

use memchr::memmem;

/// Ctrl-], as in telnet(1): no program needs it. What follows is the same key where the program has asked the
/// terminal for longer forms: the keyboard protocol of kitty, with and without kinds of events, and
/// xterm's modifyOtherKeys.
const FORMS: [&[u8]; 4] = [b"\x1d", b"\x1b[93;5u", b"\x1b[93;5:1u", b"\x1b[27;5;93~"];

/// Returns where the key that detaches stands among what was typed.
pub(crate) fn find(typed: &[u8]) -> Option<Range<usize>> {
    let found = FORMS.iter().filter_map(|form| Some((memmem::find(typed, form)?, form.len())));
    found.min().map(|(at, length)| at..at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_known_in_every_form() {
        for (typed, before) in [
            (&b"ls\r\x1dx"[..], Some(3..4)),
            (b"\x1b[93;5u", Some(0..7)),
            (b"ab\x1b[93;5:1u\x1d", Some(2..11)),
            (b"a\x1b[27;5;93~", Some(1..11)),
            (b"]\x1b[93;2u\x1b[93;5:3u\x1b[93u\x1b[27;6;93~", None),
            (b"", None),
        ] {
            assert_eq!(find(typed), before, "{typed:?}");
        }
    }
}
