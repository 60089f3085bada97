//! Puts a line together that was read in pieces, as far as it is kept.

/// The unfinished line of an instance.
#[derive(Debug)]
pub(super) struct LineJoiner {
    bytes: Vec<u8>,
    /// How many of its bytes are missing, before those that are there.
    missing: u64,
    /// No more of a line is kept.
    longest: usize,
}

impl LineJoiner {
    pub(super) fn new(longest: usize) -> Self {
        Self { bytes: Vec::new(), missing: 0, longest }
    }

    /// Begins behind this number of bytes of a line that are gone.
    pub(super) fn begin(&mut self, missing: u64) {
        self.bytes.clear();
        self.missing = missing;
    }

    /// Returns whether a line is begun.
    pub(super) fn is_open(&self) -> bool {
        !self.bytes.is_empty() || self.missing > 0
    }

    /// Adds to the line. Of a long one the last part is kept.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().saturating_sub(self.longest);
        let bytes = &bytes[skipped..];
        let dropped = (self.bytes.len() + bytes.len()).saturating_sub(self.longest);
        self.bytes.drain(..dropped);
        self.bytes.extend_from_slice(bytes);
        self.missing += (skipped + dropped) as u64;
    }

    /// Puts the line into `out`, and begins the next. Returns how many bytes of it are missing. `None`: there is only
    /// the rest of a line that could be kept whole, and the beginning is gone.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) -> Option<u64> {
        let missing = std::mem::take(&mut self.missing);
        out.clear();
        std::mem::swap(out, &mut self.bytes);
        let is_long = missing + out.len() as u64 > self.longest as u64;
        (missing == 0 || is_long).then_some(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_whole_or_in_its_last_part_or_not_at_all() {
        // What is missing before, pieces, and what is given: how much is missing, and the bytes.
        for (before, pieces, expected) in [
            (0, vec![], Some((0, ""))),
            (0, vec!["ab", "cd"], Some((0, "abcd"))),
            (0, vec!["abcd", "e"], Some((1, "bcde"))),
            (0, vec!["a", "bcdefg"], Some((3, "defg"))),
            (1, vec!["abc"], None),
            (2, vec!["abc"], Some((2, "abc"))),
            (9, vec![], Some((9, ""))),
        ] {
            let (mut lines, mut out) = (LineJoiner::new(4), b"old".to_vec());
            lines.begin(before);
            pieces.iter().for_each(|piece| lines.push(piece.as_bytes()));
            let taken = lines.take(&mut out);
            let taken = taken.map(|missing| (missing, std::str::from_utf8(&out).unwrap()));
            assert_eq!(taken, expected, "{before} {pieces:?}");
            assert!(!lines.is_open());
        }
    }
}
