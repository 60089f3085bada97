//! Messages of HTTP/1.1 as a front passes them on: whatever comes, what goes on has one meaning.
//!
//! Two readers that pm's own code knows nothing of judge what is written: one that is strict to the byte, here, and
//! httparse for the sizes of chunks.

use std::net::{IpAddr, Ipv4Addr};

use pm::proxy::body::BodyPass;
use pm::proxy::head::{
    Asked, BodyLength, HeadScan, LineEnds, Malformed, RequestHead, RequestView, Sniffed,
    read_request, read_response, sniff,
};

const VIEW: RequestView<'static> =
    RequestView { name: "web", peer: IpAddr::V4(Ipv4Addr::LOCALHOST) };

/// What must hold of all bytes as a request, as an answer, and as a chunked body.
pub fn holds(bytes: &[u8]) {
    what_is_decided_stays_decided(bytes);
    for ends in [LineEnds::Strict, LineEnds::Lenient] {
        a_head_ends_where_it_ends_however_it_comes(bytes, ends);
    }
    a_request_that_goes_on_has_one_meaning(bytes);
    an_answer_that_goes_on_has_one_meaning(bytes);
    chunks_are_the_same_however_they_come(bytes);
}

fn what_is_decided_stays_decided(bytes: &[u8]) {
    let mut decided = None;
    for end in 0..=bytes.len().min(200) {
        let told = sniff(&bytes[..end]);
        if let Some(decided) = decided {
            assert_eq!(told, decided, "at {end}");
        } else if told != Sniffed::Undecided {
            decided = Some(told);
        }
    }
}

fn a_head_ends_where_it_ends_however_it_comes(bytes: &[u8], ends: LineEnds) {
    let whole = HeadScan::default().find(bytes, ends);
    let mut scan = HeadScan::default();
    let mut in_pieces = Ok(None);
    for end in 1..=bytes.len() {
        in_pieces = scan.find(&bytes[..end], ends);
        if in_pieces != Ok(None) {
            break;
        }
    }
    assert_eq!(in_pieces, whole);
}

fn a_request_that_goes_on_has_one_meaning(bytes: &[u8]) {
    let Ok(Some(length)) = HeadScan::default().find(bytes, LineEnds::Strict) else { return };
    let mut out = Vec::new();
    let Ok(head) = read_request(&bytes[..length], VIEW, &mut out) else { return };
    let (line, fields) = strictly_read(&out);
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    assert!(
        matches!(parts[..], [_, target, b"HTTP/1.1"] if !target.is_empty()),
        "{}",
        line.escape_ascii()
    );
    assert_eq!(named(&fields, "host").len(), 1);
    assert_eq!(length_in(&fields), head.body);
    // Passed on once more, it is the same request.
    let mut again = Vec::new();
    let read: Result<RequestHead, Malformed> = read_request(&out, VIEW, &mut again);
    let second = read.expect("what was written is no refusal");
    assert_eq!(
        (second.body, second.is_head, second.is_idempotent, second.upgrades),
        (head.body, head.is_head, head.is_idempotent, head.upgrades)
    );
}

fn an_answer_that_goes_on_has_one_meaning(bytes: &[u8]) {
    let Ok(Some(length)) = HeadScan::default().find(bytes, LineEnds::Lenient) else { return };
    let asked = Asked { minor: 1, is_head: false, upgrades: false, persists: true };
    let mut out = Vec::new();
    let Ok(head) = read_response(&bytes[..length], asked, &mut out) else { return };
    let (line, fields) = strictly_read(&out);
    assert!(line.starts_with(b"HTTP/1.1 "));
    let (lengths, codings) =
        (named(&fields, "content-length").len(), named(&fields, "transfer-encoding").len());
    match head.body {
        BodyLength::Known(0) => assert!(codings == 0 && lengths <= 1),
        BodyLength::Known(_) => assert_eq!((length_in(&fields), codings), (head.body, 0)),
        BodyLength::Chunked => assert!(lengths == 0 && codings >= 1),
        BodyLength::UntilClose => assert!(lengths == 0 && !head.keeps_client),
    }
}

fn chunks_are_the_same_however_they_come(bytes: &[u8]) {
    let fed = |pieces: usize, writes_chunks: bool| {
        let mut pass = BodyPass::new(BodyLength::Chunked, writes_chunks);
        let mut out = Vec::new();
        let mut used = 0;
        for piece in bytes.chunks(pieces) {
            match pass.feed(piece, &mut out) {
                Ok(count) => used += count,
                Err(malformed) => return (out, Err(malformed)),
            }
            if pass.is_complete() {
                break;
            }
        }
        (out, Ok((used, pass.is_complete())))
    };
    let whole = fed(bytes.len().max(1), true);
    for pieces in [1, 2, 3, 7] {
        assert_eq!(fed(pieces, true), whole, "{pieces}");
    }
    if let (out, Ok((_, true))) = whole {
        let (data, _) = fed(bytes.len(), false);
        assert_eq!(data_of(&out), data);
    }
}

/// Reads chunks as httparse does, and returns their data.
fn data_of(mut chunks: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(chunks)
        else {
            panic!("no size: {}", chunks.escape_ascii());
        };
        chunks = &chunks[line..];
        if size == 0 {
            return data;
        }
        let (part, rest) = chunks.split_at(usize::try_from(size).expect("as much as there is"));
        data.extend_from_slice(part);
        chunks = rest.strip_prefix(b"\r\n").expect("the end of a chunk");
    }
}

/// A line `name: value`, and its value.
type NamedField<'head> = (&'head [u8], &'head [u8]);

/// Reads a head as the strictest reader does, or panics.
fn strictly_read(head: &[u8]) -> (&[u8], Vec<NamedField<'_>>) {
    let inner = head.strip_suffix(b"\r\n\r\n").expect("an empty line at the end");
    let mut lines = Vec::new();
    let mut rest = inner;
    while let Some(at) = memchr::memmem::find(rest, b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    for line in &lines {
        assert!(!line.is_empty() && !line.iter().any(|byte| b"\r\n\0".contains(byte)));
    }
    let fields = lines[1..].iter().map(|line| {
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        assert!(colon > 0 && line[..colon].iter().all(is_token), "{}", line.escape_ascii());
        (&line[..colon], line[colon + 1..].trim_ascii())
    });
    (lines[0], fields.collect())
}

/// Returns the values of the fields with a name.
fn named<'head>(fields: &[NamedField<'head>], name: &str) -> Vec<&'head [u8]> {
    let found = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| *value).collect()
}

/// Returns what body the fields of a request, or of an answer with a length, announce.
fn length_in(fields: &[NamedField<'_>]) -> BodyLength {
    match (&named(fields, "content-length")[..], &named(fields, "transfer-encoding")[..]) {
        ([], []) => BodyLength::Known(0),
        ([length], []) => {
            let digits = str::from_utf8(length).expect("digits");
            assert!(digits.bytes().all(|digit| digit.is_ascii_digit()));
            BodyLength::Known(digits.parse().expect("a number"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => BodyLength::Chunked,
        (lengths, codings) => panic!("{} lengths and {} encodings", lengths.len(), codings.len()),
    }
}
