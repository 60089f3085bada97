//! The heads of messages: where one ends, what it says of the body behind it, and how it is written for the other side.

mod connection;
mod request;
mod response;
mod scan;
mod sniff;

use std::mem::MaybeUninit;

pub use request::{RequestHead, RequestView, read_request};
pub use response::{Asked, ResponseHead, read_response};
pub use scan::{HeadScan, LineEnds};
pub use sniff::{Sniffed, empty_lines, sniff, sniff_whole};

/// The longest head that is taken, with its empty line.
pub const LONGEST_HEAD: usize = 64 << 10;
/// How many fields are read without a place on the heap.
const FEW_FIELDS: usize = 64;
/// As many as the longest head can have: `a:` and the end of the line.
const MOST_FIELDS: usize = LONGEST_HEAD / 4;

/// Why a message is not passed on; in words, for the answer 400 or 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What RFC 9112 section 6 says of the body behind a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes; 0 where there is no body.
    Known(u64),
    /// Chunks tell its end (section 7.1).
    Chunked,
    /// The end of the connection is its end: of answers only.
    UntilClose,
}

/// Returns whether a byte may stand in a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns the number that a Content-Length is: digits and nothing else (RFC 9110 section 8.6).
fn length_of(value: &[u8]) -> Result<u64, Malformed> {
    const BAD: Malformed = Malformed("Content-Length is not a number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    let length: u64 =
        std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(BAD)?;
    if length > i64::MAX as u64 { Err(BAD) } else { Ok(length) }
}

/// Calls `parse` with room for the fields: little of it first, and more if that was too little.
fn with_fields<'head, T>(
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'head>>]) -> Result<T, httparse::Error>,
) -> Result<T, httparse::Error> {
    let mut few = [const { MaybeUninit::uninit() }; FEW_FIELDS];
    match parse(&mut few) {
        Err(httparse::Error::TooManyHeaders) => {
            let mut most: Vec<MaybeUninit<httparse::Header<'head>>> = Vec::new();
            most.resize_with(MOST_FIELDS, MaybeUninit::uninit);
            parse(&mut most)
        }
        result => result,
    }
}

/// Says what of a head the parser did not take.
fn malformed(error: httparse::Error) -> Malformed {
    Malformed(match error {
        httparse::Error::HeaderName => "malformed name of a header field",
        httparse::Error::HeaderValue => "malformed value of a header field",
        httparse::Error::NewLine => "malformed end of a line",
        httparse::Error::Status => "malformed status line",
        httparse::Error::Token => "malformed first line",
        httparse::Error::TooManyHeaders => "too many header fields",
        httparse::Error::Version => "unknown version of HTTP",
    })
}

/// Writes a field as a line.
pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Returns a value without the spaces and tabs around it (RFC 9110 section 5.5).
fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}
