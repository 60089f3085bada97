//! Removes the CR that a terminal's line discipline puts before each LF. Any other CR was written by the program.

use super::splitter::each_newline;

/// Remembers a CR at the end of a read until the next byte is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CrlfToLf {
    held: usize,
}

impl CrlfToLf {
    /// Appends the bytes without CRs before an LF.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        let more = bytes.iter().take_while(|byte| **byte == b'\r').count();
        self.held += more;
        bytes = &bytes[more..];
        match bytes.first() {
            None => return,
            Some(b'\n') => self.held = 0,
            Some(_) => self.end(out),
        }
        let mut start = 0;
        each_newline(bytes, |at| {
            out.extend_from_slice(without_returns(&bytes[start..at]));
            // The newline is appended together with what follows it.
            start = at;
        });
        let rest = without_returns(&bytes[start..]);
        out.extend_from_slice(rest);
        self.held = bytes.len() - start - rest.len();
    }

    /// Appends a CR that was held back.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.resize(out.len() + std::mem::take(&mut self.held), b'\r');
    }
}

/// Returns the bytes without CRs at the end.
#[inline]
fn without_returns(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut fold, mut out) = (CrlfToLf::default(), Vec::new());
        for piece in pieces {
            fold.push(piece, &mut out);
        }
        fold.end(&mut out);
        out
    }

    #[test]
    fn only_a_cr_before_an_lf_goes() {
        let table: [(&[&[u8]], &[u8]); 6] = [
            (&[b"a\r\nb\r\n"], b"a\nb\n"),
            (&[b"a\r", b"\nb"], b"a\nb"),
            (&[b"10%\r20%\r", b"30%\r\n"], b"10%\r20%\r30%\n"),
            (&[b"a\r\r\n"], b"a\n"),
            (&[b"a\r", b"\r", b"\n"], b"a\n"),
            (&[b"a\r", b"\r"], b"a\r\r"),
        ];
        for (pieces, expected) in table {
            assert_eq!(folded(pieces), expected, "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_of_the_same_bytes_folds_to_the_same(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..60),
            cut in 0_usize..60,
        ) {
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(folded(&[a, b]), folded(&[&bytes]));
        }
    }
}
