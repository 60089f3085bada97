//! What an attached client sends behind its request: frames of keys, and of the size of its terminal.

/// What a client that is attached sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Keys.
    Keys(&'a [u8]),
    /// The new size of its terminal.
    Size {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
}

/// A frame is a kind, a length of two bytes, and that number of bytes.
pub const HEAD: usize = 3;
const KEYS: u8 = 0;
const SIZE: u8 = 1;

/// Returns keys as frames.
pub fn of_keys(typed: &[u8]) -> Vec<u8> {
    let frame = |keys: &[u8]| encode(KEYS, keys);
    typed.chunks(usize::from(u16::MAX)).flat_map(frame).collect()
}

/// Returns a size as a frame.
pub fn of_size(rows: u16, columns: u16) -> Vec<u8> {
    encode(SIZE, &[rows.to_be_bytes(), columns.to_be_bytes()].concat())
}

fn encode(kind: u8, bytes: &[u8]) -> Vec<u8> {
    // The callers give no more than fits.
    let length = u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
    [&[kind], &length[..], bytes].concat()
}

/// Returns how many bytes come behind the head of a frame.
pub fn length(head: [u8; HEAD]) -> usize {
    usize::from(u16::from_be_bytes([head[1], head[2]]))
}

/// Reads a frame. `None` where it is none.
pub fn parse(head: [u8; HEAD], bytes: &[u8]) -> Option<Frame<'_>> {
    match (head[0], bytes) {
        (KEYS, keys) => Some(Frame::Keys(keys)),
        (SIZE, &[a, b, c, d]) => Some(Frame::Size {
            rows: u16::from_be_bytes([a, b]),
            columns: u16::from_be_bytes([c, d]),
        }),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let split = |frame: &[u8]| {
            let head = [frame[0], frame[1], frame[2]];
            assert_eq!(length(head), frame.len() - HEAD);
            (head, frame[HEAD..].to_vec())
        };
        let (head, bytes) = split(&of_keys(b"ls\r"));
        assert_eq!(parse(head, &bytes), Some(Frame::Keys(b"ls\r")));
        let (head, bytes) = split(&of_size(40, 300));
        assert_eq!(parse(head, &bytes), Some(Frame::Size { rows: 40, columns: 300 }));
        assert_eq!(parse([1, 0, 1], b"x"), None);
        assert_eq!(parse([9, 0, 0], b""), None);
    }
}
