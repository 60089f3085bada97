//! Output that is held back while a program has the terminal for itself.

/// Memory for it. After that, the oldest lines are lost, and counted.
const MOST: usize = 16 << 20;

/// Whole lines, and how many were lost.
#[derive(Debug, Default)]
pub(super) struct HeldOutput {
    bytes: Vec<u8>,
    lost: u64,
}

impl HeldOutput {
    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MOST {
            // Half of it at once: it costs a copy of the rest.
            let cut = self.bytes.len() - MOST / 2;
            let end = memchr::memchr(b'\n', &self.bytes[cut..]).map_or(cut, |at| cut + at + 1);
            self.lost += memchr::memchr_iter(b'\n', &self.bytes[..end]).count() as u64;
            self.bytes.drain(..end);
        }
    }

    /// Returns what is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns how many lines were lost before it.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay_whole_and_the_others_are_counted() {
        let mut held = HeldOutput::default();
        held.push(b"first\n");
        assert_eq!((held.bytes(), held.lost()), (&b"first\n"[..], 0));
        let lines = MOST / 8 + 1;
        let all: Vec<u8> = (0..lines).flat_map(|at| format!("{at:07}\n").into_bytes()).collect();
        all.chunks(1000).for_each(|chunk| held.push(chunk));
        assert!(held.bytes().len() <= MOST);
        assert!(all.ends_with(held.bytes()));
        let left = held.bytes().len() / 8;
        assert_eq!(usize::try_from(held.lost()).unwrap(), 1 + lines - left);
    }
}
