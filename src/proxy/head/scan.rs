//! Where a head ends, found without reading a byte twice however the head arrives.

use super::{LONGEST_HEAD, Malformed};

/// Which ends of lines a head may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CR LF alone. A request with a bare LF is refused: two readers may see two requests.
    Strict,
    /// A bare LF too, which old servers send and RFC 9112 section 2.2 lets a reader take.
    Lenient,
}

/// How far a head has been looked through.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    /// Up to here there is no end of a line that was not seen.
    seen: usize,
    /// Where the line begins that is not complete.
    line: usize,
}

impl HeadScan {
    /// Returns the length of the head, its empty line included, if `bytes` hold all of it. `bytes` are those of the last
    /// call and what has come since.
    ///
    /// # Errors
    /// A head of over 64 KiB, and a line that ends as it must not.
    pub fn find(&mut self, bytes: &[u8], ends: LineEnds) -> Result<Option<usize>, Malformed> {
        while let Some(at) = memchr::memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            let has_cr = end > self.line && bytes[end - 1] == b'\r';
            if !has_cr && ends == LineEnds::Strict {
                return Err(Malformed("a line ends without CR"));
            }
            let is_empty = end - usize::from(has_cr) == self.line;
            if end >= LONGEST_HEAD {
                break;
            }
            self.seen = end + 1;
            self.line = end + 1;
            if is_empty {
                return Ok(Some(end + 1));
            }
        }
        if bytes.len() > LONGEST_HEAD {
            return Err(Malformed("a head of over 64 KiB"));
        }
        self.seen = self.seen.max(bytes.len());
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8], ends: LineEnds) -> Result<Option<usize>, Malformed> {
        HeadScan::default().find(bytes, ends)
    }

    #[test]
    fn the_end_is_the_empty_line_however_the_head_arrives() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n";
        let mut scan = HeadScan::default();
        for end in 0..27 {
            assert_eq!(scan.find(&head[..end], LineEnds::Strict), Ok(None), "{end}");
        }
        assert_eq!(scan.find(head, LineEnds::Strict), Ok(Some(27)));
        assert_eq!(found(head, LineEnds::Strict), Ok(Some(27)));
    }

    #[test]
    fn a_bare_line_feed_is_for_answers_only() {
        let head = b"HTTP/1.0 200 OK\nA: b\n\nbody";
        assert_eq!(found(head, LineEnds::Lenient), Ok(Some(22)));
        assert_eq!(found(head, LineEnds::Strict), Err(Malformed("a line ends without CR")));
    }

    #[test]
    fn a_head_of_64_kib_is_the_longest() {
        let mut head = b"GET / HTTP/1.1\r\nA: ".to_vec();
        head.resize(LONGEST_HEAD - 4, b'v');
        head.extend_from_slice(b"\r\n\r\n");
        assert_eq!(found(&head, LineEnds::Strict), Ok(Some(LONGEST_HEAD)));
        head.insert(30, b'v');
        assert_eq!(found(&head, LineEnds::Strict), Err(Malformed("a head of over 64 KiB")));
        head.truncate(LONGEST_HEAD);
        assert_eq!(found(&head, LineEnds::Strict), Ok(None));
    }
}
