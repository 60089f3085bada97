//! The body of a message as it passes: where it ends, and chunks written anew.

use super::head::{BodyLength, LONGEST_HEAD, Malformed, write_field};

/// The longest line with the size of a chunk and its extensions.
const LONGEST_SIZE_LINE: u32 = 4096;
/// More digits than 2^60 needs are no size.
const MOST_DIGITS: u32 = 15;
/// Trailers that would change what was read in the head: no reader may use them (RFC 9110 section 6.5.1).
const NO_TRAILERS: [&str; 8] = [
    "content-length",
    "transfer-encoding",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
];

/// Where a chunked body stands (RFC 9112 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum ChunkPlace {
    /// In the digits of a size.
    Size { size: u64, digits: u32 },
    /// Behind the digits: only blanks, until `;`.
    Blanks { size: u64, length: u32 },
    /// In the extensions, which nobody needs to know (section 7.1.1).
    Extension { size: u64, length: u32 },
    /// Behind the CR of a line with a size.
    SizeEnd { size: u64 },
    /// In the data.
    Data { left: u64 },
    /// Behind the data.
    DataEnd { has_cr: bool },
    /// In the fields behind the last chunk.
    Trailers { bytes: Vec<u8> },
}

/// How far a body has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BodyProgress {
    Counted { left: u64 },
    Chunked { place: ChunkPlace, writes_chunks: bool },
    UntilClose,
    Complete,
}

/// A body on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPass(BodyProgress);

impl BodyPass {
    /// Begins behind a head. Chunks reach the other side as chunks, or, with `writes_chunks` unset, as their data alone.
    #[must_use]
    pub fn new(length: BodyLength, writes_chunks: bool) -> Self {
        Self(match length {
            BodyLength::Known(0) => BodyProgress::Complete,
            BodyLength::Known(left) => BodyProgress::Counted { left },
            BodyLength::Chunked => BodyProgress::Chunked {
                place: ChunkPlace::Size { size: 0, digits: 0 },
                writes_chunks,
            },
            BodyLength::UntilClose => BodyProgress::UntilClose,
        })
    }

    /// Returns whether all of it has passed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.0 == BodyProgress::Complete
    }

    /// Returns whether the end of the connection is the body's end.
    #[must_use]
    pub fn ends_by_close(&self) -> bool {
        self.0 == BodyProgress::UntilClose
    }

    /// Returns how many bytes, at most, are still to pass as they are; `None` for chunks.
    #[must_use]
    pub fn plain_left(&self) -> Option<usize> {
        match &self.0 {
            BodyProgress::Counted { left } => Some(usize::try_from(*left).unwrap_or(usize::MAX)),
            BodyProgress::UntilClose => Some(usize::MAX),
            BodyProgress::Complete => Some(0),
            BodyProgress::Chunked { .. } => None,
        }
    }

    /// Returns how many of `available` bytes pass as they are, and notes that they have passed; `None` for chunks.
    pub fn pass_plain(&mut self, available: usize) -> Option<usize> {
        let count = self.plain_left()?.min(available);
        if let BodyProgress::Counted { left } = &mut self.0 {
            *left -= count as u64;
            if *left == 0 {
                self.0 = BodyProgress::Complete;
            }
        }
        Some(count)
    }

    /// Reads what has come, and writes to `out` what the other side gets. Returns how much was read: less than all only
    /// at the end of the body.
    ///
    /// Sizes are written anew, without leading zeros and extensions: two readers may read `1;a\nb` in two ways, and
    /// `1` in one.
    ///
    /// # Errors
    /// What is no chunk by RFC 9112 section 7.1, to the byte.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Malformed> {
        if let Some(count) = self.pass_plain(input.len()) {
            out.extend_from_slice(&input[..count]);
            return Ok(count);
        }
        let mut used = 0;
        while used < input.len() {
            let BodyProgress::Chunked { place, writes_chunks } = &mut self.0 else { break };
            let (count, is_end) = place.step(&input[used..], *writes_chunks, out)?;
            used += count;
            if is_end {
                self.0 = BodyProgress::Complete;
            }
        }
        Ok(used)
    }
}

impl ChunkPlace {
    /// Reads one byte, or data as far as it goes. Returns how much was read, and whether the body has ended.
    fn step(
        &mut self,
        input: &[u8],
        writes_chunks: bool,
        out: &mut Vec<u8>,
    ) -> Result<(usize, bool), Malformed> {
        match self {
            Self::Size { .. } | Self::Blanks { .. } | Self::Extension { .. } => {
                self.size_line(input[0])?;
            }
            Self::SizeEnd { size } => {
                if input[0] != b'\n' {
                    return Err(Malformed("the size of a chunk ends without LF"));
                }
                let size = *size;
                if size > 0 && writes_chunks {
                    out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                }
                *self = if size > 0 {
                    Self::Data { left: size }
                } else {
                    Self::Trailers { bytes: Vec::new() }
                };
            }
            Self::Data { left } => {
                let count =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                out.extend_from_slice(&input[..count]);
                *left -= count as u64;
                if *left == 0 {
                    *self = Self::DataEnd { has_cr: false };
                }
                return Ok((count, false));
            }
            Self::DataEnd { has_cr } => match (input[0], *has_cr) {
                (b'\r', false) => *has_cr = true,
                (b'\n', true) => {
                    if writes_chunks {
                        out.extend_from_slice(b"\r\n");
                    }
                    *self = Self::Size { size: 0, digits: 0 };
                }
                _ => return Err(Malformed("a chunk is longer than its size")),
            },
            Self::Trailers { bytes } => {
                let is_end = add_to_trailers(bytes, input[0])?;
                if is_end && writes_chunks {
                    write_trailers(bytes, out)?;
                }
                return Ok((1, is_end));
            }
        }
        Ok((1, false))
    }

    /// Reads a byte of `5;name="value"`, up to its CR.
    fn size_line(&mut self, byte: u8) -> Result<(), Malformed> {
        const NO_SIZE: Malformed = Malformed("malformed size of a chunk");
        *self = match (&*self, byte) {
            (Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                if *digits == MOST_DIGITS {
                    return Err(NO_SIZE);
                }
                Self::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(NO_SIZE),
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\r') => {
                Self::SizeEnd { size: *size }
            }
            (Self::Size { size, .. } | Self::Blanks { size, .. }, b';') => {
                Self::Extension { size: *size, length: 0 }
            }
            (Self::Size { size, .. }, b' ' | b'\t') => Self::Blanks { size: *size, length: 0 },
            (Self::Blanks { size, length }, b' ' | b'\t') if *length < LONGEST_SIZE_LINE => {
                Self::Blanks { size: *size, length: length + 1 }
            }
            (Self::Extension { size, length }, byte)
                if *length < LONGEST_SIZE_LINE && (byte == b'\t' || !byte.is_ascii_control()) =>
            {
                Self::Extension { size: *size, length: length + 1 }
            }
            _ => return Err(NO_SIZE),
        };
        Ok(())
    }
}

/// Takes a byte behind the last chunk, and returns whether it is the last of the body.
fn add_to_trailers(bytes: &mut Vec<u8>, byte: u8) -> Result<bool, Malformed> {
    bytes.push(byte);
    if byte == b'\n' && !bytes.ends_with(b"\r\n") {
        return Err(Malformed("a line ends without CR"));
    }
    if bytes.len() > LONGEST_HEAD {
        return Err(Malformed("trailers of over 64 KiB"));
    }
    let is_end = bytes == b"\r\n" || bytes.ends_with(b"\r\n\r\n");
    if is_end {
        check_trailers(bytes)?;
    }
    Ok(is_end)
}

/// Writes the last chunk, and those trailers that a reader may use.
fn write_trailers(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.extend_from_slice(b"0\r\n");
    with_trailers(bytes, |trailers| {
        for trailer in trailers {
            if !NO_TRAILERS.iter().any(|name| trailer.name.eq_ignore_ascii_case(name)) {
                write_field(out, trailer.name, trailer.value);
            }
        }
    })?;
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Checks that they are fields.
fn check_trailers(bytes: &[u8]) -> Result<(), Malformed> {
    with_trailers(bytes, |_| ())
}

/// Calls `take` with the fields behind the last chunk.
fn with_trailers(
    bytes: &[u8],
    take: impl FnOnce(&[httparse::Header<'_>]),
) -> Result<(), Malformed> {
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    let mut fields = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((_, trailers))) => {
            take(trailers);
            Ok(())
        }
        Ok(httparse::Status::Partial) | Err(_) => Err(Malformed("malformed trailers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds all pieces, and returns what comes out, and how many bytes of the input were not read.
    fn fed(body: &[u8], pieces: usize, writes_chunks: bool) -> Result<(Vec<u8>, usize), Malformed> {
        let mut pass = BodyPass::new(BodyLength::Chunked, writes_chunks);
        let mut out = Vec::new();
        let mut used = 0;
        for piece in body.chunks(pieces) {
            if !pass.is_complete() {
                used += pass.feed(piece, &mut out)?;
            }
        }
        assert!(pass.is_complete(), "{pass:?}");
        Ok((out, body.len() - used))
    }

    const BODY: &[u8] =
        b"5;ext=1\r\nhello\r\n1 ; a=\"b\"\r\n \r\n00005\r\nworld\r\nA\r\n0123456789\r\n0\r\nX-Sum: 42\r\nHost: a\r\n\r\nGET";

    #[test]
    fn chunks_are_written_anew_wherever_they_are_split() {
        let expected =
            b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\na\r\n0123456789\r\n0\r\nX-Sum: 42\r\n\r\n"
                .to_vec();
        for pieces in 1..=BODY.len() {
            assert_eq!(fed(BODY, pieces, true), Ok((expected.clone(), 3)), "{pieces}");
            assert_eq!(
                fed(BODY, pieces, false),
                Ok((b"hello world0123456789".to_vec(), 3)),
                "{pieces}"
            );
        }
    }

    #[test]
    fn what_is_no_chunk_to_the_byte_is_refused() {
        let cases: [&[u8]; 20] = [
            b"\r\n",
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5\n",
            b"5\r\r\n",
            b"5 5\r\n",
            b"1000000000000000\r\n",
            b"0000000000000005\r\n",
            b"5;a\nb\r\n",
            b"5;a\rb\r\n",
            b"5;\0\r\n",
            b"2\r\nabc\r\n",
            b"2\r\nab\n",
            b"0\r\nX: 1\n\r\n",
            b"0\r\nX : 1\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
        ];
        for bytes in cases {
            let mut pass = BodyPass::new(BodyLength::Chunked, true);
            let told = pass.feed(bytes, &mut Vec::new());
            assert!(told.is_err(), "{} {told:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn extensions_and_trailers_have_a_limit() {
        let mut pass = BodyPass::new(BodyLength::Chunked, true);
        let long = [b"5;".as_slice(), &vec![b'a'; 5000]].concat();
        assert!(pass.feed(&long, &mut Vec::new()).is_err());
        let mut pass = BodyPass::new(BodyLength::Chunked, true);
        let long = [b"0\r\nA: ".as_slice(), &vec![b'a'; LONGEST_HEAD]].concat();
        assert!(pass.feed(&long, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_counted_body_takes_no_byte_more() {
        let mut pass = BodyPass::new(BodyLength::Known(5), true);
        let mut out = Vec::new();
        assert_eq!(pass.feed(b"hel", &mut out), Ok(3));
        assert!(!pass.is_complete());
        assert_eq!(pass.feed(b"loGET /", &mut out), Ok(2));
        assert!(pass.is_complete());
        assert_eq!(out, b"hello");
        assert!(BodyPass::new(BodyLength::Known(0), true).is_complete());
    }
}
