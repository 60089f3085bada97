//! Whether a connection speaks HTTP/1, by its first bytes.

use super::is_token;

/// The longest method name that is taken for one: the longest that is registered has 17 letters.
const LONGEST_METHOD: usize = 32;
/// A first line that is longer is no other protocol's.
const LONGEST_LINE: usize = super::LONGEST_HEAD;
/// No other protocol begins with so many bytes of empty lines.
const MOST_EMPTY: usize = 4 << 10;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// Not to be told yet.
    Undecided,
    /// HTTP/1.x, perhaps malformed.
    Http1,
    /// Anything else: TLS, the preface of HTTP/2, what a later version of HTTP may be.
    Other,
}

/// Returns how many bytes of empty lines come first: a reader of requests skips them (RFC 9112 section 2.2).
#[must_use]
pub fn empty_lines(bytes: &[u8]) -> usize {
    2 * bytes.chunks_exact(2).take_while(|line| *line == b"\r\n").count()
}

/// Looks at what has come so far. What is decided stays decided, whatever follows.
///
/// HTTP/1 is a line with a token, a space, and `HTTP/1.` further on (RFC 9112 section 3); empty lines before it are
/// skipped (section 2.2).
#[must_use]
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let empty = empty_lines(bytes);
    if empty >= MOST_EMPTY {
        return Sniffed::Http1;
    }
    let rest = &bytes[empty..];
    if rest.is_empty() || rest == b"\r" {
        return Sniffed::Undecided;
    }
    let letters = rest.iter().take(LONGEST_METHOD + 1);
    let method = letters.take_while(|byte| is_token(**byte)).count();
    if method == 0 || method > LONGEST_METHOD {
        return Sniffed::Other;
    }
    match rest.get(method) {
        None => return Sniffed::Undecided,
        Some(b' ') => {}
        Some(_) => return Sniffed::Other,
    }
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > LONGEST_LINE { Sniffed::Http1 } else { Sniffed::Undecided };
    };
    match memchr::memmem::find(&rest[..end], b"HTTP/1.") {
        Some(_) => Sniffed::Http1,
        None => Sniffed::Other,
    }
}

/// Judges bytes that no others will follow: `Undecided` is no outcome. A first line that has not ended, and names
/// HTTP/1, is an incomplete request, whatever a server with ends of lines of its own would take it for.
#[must_use]
pub fn sniff_whole(bytes: &[u8]) -> Sniffed {
    match sniff(bytes) {
        Sniffed::Undecided if memchr::memmem::find(bytes, b"HTTP/1.").is_some() => Sniffed::Http1,
        Sniffed::Undecided => Sniffed::Other,
        decided => decided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_line_of_http_1_is_taken_for_one() {
        let http: [&[u8]; 7] = [
            b"GET / HTTP/1.1\r\n",
            b"\r\n\r\nPOST /a HTTP/1.0\r\nHost: a",
            b"BREW /pot HTTP/1.1\n",
            // Malformed, and to be refused: it is not passed on for somebody else to guess.
            b"GET  / HTTP/1.1\r\n",
            b"GET /a\0b HTTP/1.1\r\n",
            b"GET / HTTP/1.1\rHost: a\r\n",
            b"GET / HTTP/1.1 \r\n",
        ];
        for bytes in http {
            assert_eq!(sniff(bytes), Sniffed::Http1, "{:?}", bytes.escape_ascii().to_string());
        }
        let other: [&[u8]; 10] = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"{\"id\": 1}\n",
            b"\xff\xfb\x01",
            b"SSH-2.0-OpenSSH_9\r\n",
            b"PING\r\n",
            b"OPTIONS rtsp://a RTSP/1.0\r\n",
            b"GET /\r\n",
            b"\r\n\r\n\0\r\nQUIT\n",
            b"\n",
        ];
        for bytes in other {
            assert_eq!(sniff(bytes), Sniffed::Other, "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn empty_lines_are_counted_and_many_of_them_are_no_other_protocols() {
        for (bytes, count) in
            [(&b""[..], 0), (b"\r", 0), (b"\r\n\r", 2), (b"\r\n\r\nG", 4), (b"\n\r\n", 0)]
        {
            assert_eq!(empty_lines(bytes), count, "{:?}", bytes.escape_ascii().to_string());
        }
        let few = b"\r\n".repeat(MOST_EMPTY / 2 - 1);
        assert_eq!(sniff(&few), Sniffed::Undecided);
        assert_eq!(sniff(&[&few[..], b"\0"].concat()), Sniffed::Other);
        assert_eq!(sniff(&[&few[..], b"\r\n"].concat()), Sniffed::Http1);
        assert_eq!(sniff(&[&few[..], b"\r\n\0"].concat()), Sniffed::Http1);
    }

    #[test]
    fn at_the_end_what_names_http_1_is_http_and_all_else_is_not() {
        for bytes in [&b"GET / HTTP/1.1"[..], b"GET / HTTP/1.1\rHost: a\r\r", b"\r\nGET / HTTP/1."]
        {
            assert_eq!(sniff(bytes), Sniffed::Undecided);
            assert_eq!(
                sniff_whole(bytes),
                Sniffed::Http1,
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
        for bytes in [&b""[..], b"\r\n", b"hello", b"hello world", b"GET / HTTP", b"\0"] {
            assert_eq!(
                sniff_whole(bytes),
                Sniffed::Other,
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn it_is_decided_at_one_byte_and_stays_so() {
        for bytes in [b"PRI * HTTP/2.0\r\n\r\n".as_slice(), b"GET / HTTP/1.1\r\n\r\n", b"\r\nG{"] {
            let all: Vec<Sniffed> = (0..=bytes.len()).map(|end| sniff(&bytes[..end])).collect();
            let decided = all.iter().position(|told| *told != Sniffed::Undecided).unwrap();
            assert!(all[decided..].iter().all(|told| *told == all[decided]));
            assert_eq!(all[0], Sniffed::Undecided);
        }
    }
}
