//! The head of an answer: how its body ends, and how it is written for the client.

use super::connection::ConnectionOptions;
use super::{BodyLength, Malformed, length_of, malformed, trimmed, with_fields, write_field};

/// What the answer is to, and what the front can do with the client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The client's version is HTTP/1.`minor`.
    pub minor: u8,
    /// HEAD: the answer has no body, whatever its fields say.
    pub is_head: bool,
    /// The client has asked for another protocol.
    pub upgrades: bool,
    /// The connection can go on behind this answer: the client wants it, and its body has been read.
    pub persists: bool,
}

/// What the front needs to know of an answer once its head is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The body behind it.
    pub body: BodyLength,
    /// The client gets its body in chunks, as it came in chunks.
    pub writes_chunks: bool,
    /// The instance's connection can be used again.
    pub keeps_upstream: bool,
    /// The client's connection goes on.
    pub keeps_client: bool,
}

impl ResponseHead {
    /// Returns whether the real answer follows (RFC 9110 section 15.2).
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// Reads a complete head, and writes to `out` what the client gets: nothing of an interim answer that it would not
/// understand.
///
/// # Errors
/// What is not to be understood in one way: the answer is 502 then.
pub fn read_response(
    head: &[u8],
    asked: Asked,
    out: &mut Vec<u8>,
) -> Result<ResponseHead, Malformed> {
    let mut config = httparse::ParserConfig::default();
    // A proxy removes such spaces from answers, and refuses them in requests (RFC 9112 section 5.1).
    config.allow_spaces_after_header_name_in_responses(true);
    with_fields(|fields| {
        let mut response = httparse::Response::new(&mut []);
        match config.parse_response_with_uninit_headers(&mut response, head, fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(Err(Malformed("an incomplete head"))),
            Err(error) => return Err(error),
        }
        Ok(pass_on(&response, asked, out))
    })
    .map_err(malformed)?
}

/// Judges what was read, and writes it.
fn pass_on(
    response: &httparse::Response<'_, '_>,
    asked: Asked,
    out: &mut Vec<u8>,
) -> Result<ResponseHead, Malformed> {
    let (Some(status), Some(minor)) = (response.code, response.version) else {
        return Err(Malformed("an incomplete head"));
    };
    if status < 100 {
        return Err(Malformed("malformed status line"));
    }
    if status == 101 && !asked.upgrades {
        return Err(Malformed("101 to a request that asked for no upgrade"));
    }
    let fields = &*response.headers;
    let options = ConnectionOptions::of(fields);
    if asked.minor == 0 && has_coding_besides_chunked(fields) {
        return Err(Malformed("a Transfer-Encoding that HTTP/1.0 does not know"));
    }
    let body = body_length(fields, status, minor, asked.is_head)?;
    let is_interim = (100..200).contains(&status) && status != 101;
    let ends_by_close =
        body == BodyLength::UntilClose || (body == BodyLength::Chunked && asked.minor == 0);
    let head = ResponseHead {
        status,
        body,
        writes_chunks: body == BodyLength::Chunked && asked.minor > 0,
        keeps_upstream: options.persists(minor) && body != BodyLength::UntilClose && status != 101,
        keeps_client: asked.persists && !ends_by_close,
    };
    if is_interim && asked.minor == 0 {
        return Ok(head);
    }
    write_status(status, response.reason.unwrap_or_default(), out);
    write_fields(fields, &head, asked, &options, out);
    if status == 101 || status == 426 {
        write_field(out, "Connection", b"Upgrade");
    } else if is_interim {
        // The real answer says what becomes of the connection.
    } else if !head.keeps_client {
        write_field(out, "Connection", b"close");
    } else if asked.minor == 0 {
        write_field(out, "Connection", b"keep-alive");
    }
    out.extend_from_slice(b"\r\n");
    Ok(head)
}

fn write_status(status: u16, reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the instance's own fields, in their order and with their letters; of several equal lengths the first.
fn write_fields(
    fields: &[httparse::Header<'_>],
    head: &ResponseHead,
    asked: Asked,
    options: &ConnectionOptions<'_>,
    out: &mut Vec<u8>,
) {
    let has_no_body = has_never_a_body(head.status);
    let mut has_length = false;
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let is_passed = match () {
            // 304 says what GET would have sent; 204 and 1xx must say nothing (RFC 9110 section 8.6).
            () if is("content-length") => {
                (!has_no_body || head.status == 304) && !std::mem::replace(&mut has_length, true)
            }
            // Chunks are undone for HTTP/1.0, which knows nothing of them.
            () if is("transfer-encoding") => asked.minor > 0 && !has_no_body,
            () if is("upgrade") => matches!(head.status, 101 | 426),
            () => !options.removes(field.name),
        };
        if is_passed {
            write_field(out, field.name, field.value);
        }
    }
}

/// Returns whether the body is coded for the way in another manner than in chunks, which the front does not undo.
fn has_coding_besides_chunked(fields: &[httparse::Header<'_>]) -> bool {
    let is_other = |field: &httparse::Header<'_>| {
        field.name.eq_ignore_ascii_case("transfer-encoding")
            && !trimmed(field.value).eq_ignore_ascii_case(b"chunked")
    };
    fields.iter().any(is_other)
}

/// Returns whether an answer with this status ends with its head.
fn has_never_a_body(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

/// Returns what body follows an answer (RFC 9112 section 6.3). Two lengths that say the same are one (rule 5).
fn body_length(
    fields: &[httparse::Header<'_>],
    status: u16,
    minor: u8,
    is_head: bool,
) -> Result<BodyLength, Malformed> {
    let of = |name: &'static str| {
        fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| trimmed(field.value))
    };
    let mut lengths = of("content-length");
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(Malformed("two Content-Length fields"));
    }
    let length = length.map(length_of).transpose()?;
    let coding = of("transfer-encoding").next_back();
    if coding.is_some() && (length.is_some() || minor == 0) {
        return Err(Malformed("Content-Length and Transfer-Encoding, or the latter in HTTP/1.0"));
    }
    if is_head || has_never_a_body(status) {
        return Ok(BodyLength::Known(0));
    }
    let is_chunked = coding.and_then(|coding| coding.rsplit(|byte| *byte == b',').next());
    Ok(match (is_chunked.map(trimmed), length) {
        (Some(last), _) if last.eq_ignore_ascii_case(b"chunked") => BodyLength::Chunked,
        (None, Some(length)) => BodyLength::Known(length),
        (Some(_), _) | (None, None) => BodyLength::UntilClose,
    })
}

#[cfg(test)]
mod tests;
