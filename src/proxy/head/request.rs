//! The head of a request: judged by RFC 9112, and written anew for the instance.

use std::net::IpAddr;

use super::connection::ConnectionOptions;
use super::{
    BodyLength, Malformed, is_token, length_of, malformed, trimmed, with_fields, write_field,
};
use crate::proxy::host::{HostName, host_name};

/// What is known of the client besides what it has sent.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'front> {
    /// The process type that the front serves.
    pub name: &'front str,
    /// The client's address.
    pub peer: IpAddr,
}

/// What the front needs to know of a request once its head is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The version is HTTP/1.`minor`.
    pub minor: u8,
    /// Its answer has no body.
    pub is_head: bool,
    /// It may be sent twice (RFC 9110 section 9.2.2).
    pub is_idempotent: bool,
    /// The body behind it.
    pub body: BodyLength,
    /// The client sends further requests on the connection.
    pub persists: bool,
    /// It asks for another protocol on this connection.
    pub upgrades: bool,
    /// The client understands a page of HTML.
    pub accepts_html: bool,
    /// Whose name it uses for the front.
    pub host: HostName,
}

/// Reads a complete head, and writes to `out` what the instance gets.
///
/// # Errors
/// What two readers might understand in two ways: it is to be answered with 400, and the connection to be closed, since
/// nobody knows where the next request would begin.
pub fn read_request(
    head: &[u8],
    view: RequestView<'_>,
    out: &mut Vec<u8>,
) -> Result<RequestHead, Malformed> {
    with_fields(|fields| {
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(head, fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(Err(Malformed("an incomplete head"))),
            Err(error) => return Err(error),
        }
        Ok(pass_on(&request, view, out))
    })
    .map_err(malformed)?
}

/// Judges what was read, and writes it.
fn pass_on(
    request: &httparse::Request<'_, '_>,
    view: RequestView<'_>,
    out: &mut Vec<u8>,
) -> Result<RequestHead, Malformed> {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Malformed("an incomplete head"));
    };
    let fields = &*request.headers;
    let options = ConnectionOptions::of(fields);
    let host = host_of(fields, minor)?;
    check_target(method, target, host)?;
    let body = body_length(fields, minor)?;
    let upgrades =
        options.upgrade && minor == 1 && body == BodyLength::Known(0) && asks_for_upgrade(fields);
    let head = RequestHead {
        minor,
        is_head: method == "HEAD",
        is_idempotent: matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE"),
        body,
        persists: options.persists(minor),
        upgrades,
        accepts_html: accepts_html(fields),
        host: host_name(host.unwrap_or_default(), view.name),
    };
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if host.is_none() {
        // HTTP/1.0 needs none, HTTP/1.1 does (RFC 9112 section 3.2).
        write_field(out, "Host", b"localhost");
    }
    write_fields(fields, &head, &options, out);
    write_forwarded(fields, host, view.peer, out);
    out.extend_from_slice(b"\r\n");
    Ok(head)
}

/// Returns the value of the only field with this name; `Err` if there are two.
fn only<'head>(
    fields: &[httparse::Header<'head>],
    name: &str,
    twice: &'static str,
) -> Result<Option<&'head [u8]>, Malformed> {
    let mut found = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let first = found.next().map(|field| trimmed(field.value));
    if found.next().is_some() { Err(Malformed(twice)) } else { Ok(first) }
}

/// Returns the Host: one, which HTTP/1.0 may lack (RFC 9112 section 3.2).
fn host_of<'head>(
    fields: &[httparse::Header<'head>],
    minor: u8,
) -> Result<Option<&'head [u8]>, Malformed> {
    let host = only(fields, "host", "two Host fields")?;
    let is_host_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte);
    match host {
        None if minor > 0 => Err(Malformed("no Host")),
        Some(value) if !value.iter().all(is_host_byte) => Err(Malformed("malformed Host")),
        host => Ok(host),
    }
}

/// Checks the target: a path, `*` for OPTIONS, or an address of the same host (RFC 9112 section 3.2). The front is no
/// proxy for other hosts, and opens no tunnels.
fn check_target(method: &str, target: &str, host: Option<&[u8]>) -> Result<(), Malformed> {
    if method == "CONNECT" {
        return Err(Malformed("CONNECT is for proxies"));
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(());
    }
    let is_web =
        |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let Some((scheme, rest)) = target.split_once("://").filter(|(scheme, _)| is_web(scheme)) else {
        return Err(Malformed("malformed target"));
    };
    debug_assert!(!scheme.is_empty());
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match host {
        Some(host) if authority.as_bytes().eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Malformed("the target is another host than Host")),
    }
}

/// Returns what body follows a request (RFC 9112 section 6.3): one Content-Length, or `chunked` and nothing else.
fn body_length(fields: &[httparse::Header<'_>], minor: u8) -> Result<BodyLength, Malformed> {
    let length = only(fields, "content-length", "two Content-Length fields")?;
    let coding = only(fields, "transfer-encoding", "two Transfer-Encoding fields")?;
    match (length, coding) {
        (None, None) => Ok(BodyLength::Known(0)),
        (Some(length), None) => length_of(length).map(BodyLength::Known),
        (Some(_), Some(_)) => Err(Malformed("Content-Length and Transfer-Encoding")),
        (None, Some(_)) if minor == 0 => Err(Malformed("Transfer-Encoding in HTTP/1.0")),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
        (None, Some(_)) => Err(Malformed("a Transfer-Encoding other than chunked")),
    }
}

/// Returns whether the client offers another protocol. HTTP/2 by upgrade is not one: the instance answers in HTTP/1.1,
/// as RFC 9110 section 7.8 lets a server do.
fn asks_for_upgrade(fields: &[httparse::Header<'_>]) -> bool {
    let mut upgrades =
        fields.iter().filter(|field| field.name.eq_ignore_ascii_case("upgrade")).peekable();
    upgrades.peek().is_some()
        && upgrades.all(|field| {
            let protocol = trimmed(field.value);
            !protocol.is_empty()
                && protocol.iter().all(|byte| is_token(*byte) || b"/, ".contains(byte))
                && !protocol.eq_ignore_ascii_case(b"h2c")
        })
}

/// Returns whether HTML is among what Accept names.
fn accepts_html(fields: &[httparse::Header<'_>]) -> bool {
    let mut accepts = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("accept"));
    accepts.any(|field| {
        memchr::memmem::find(&field.value.to_ascii_lowercase(), b"text/html").is_some()
    })
}

/// Writes the client's own fields, in their order and with their letters.
fn write_fields(
    fields: &[httparse::Header<'_>],
    head: &RequestHead,
    options: &ConnectionOptions<'_>,
    out: &mut Vec<u8>,
) {
    for field in fields {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        let is_passed = match () {
            () if is("upgrade") => head.upgrades,
            () if is("http2-settings") => false,
            // A client of HTTP/1.0 does not wait for 100 (RFC 9110 section 10.1.1).
            () if is("expect") => head.minor > 0,
            // Added to below.
            () if is("x-forwarded-for") => false,
            () => !options.removes(field.name),
        };
        if is_passed {
            write_field(out, field.name, field.value);
        } else if is("transfer-encoding") {
            write_field(out, "Transfer-Encoding", b"chunked");
        }
    }
    if head.upgrades {
        write_field(out, "Connection", b"Upgrade");
    }
}

/// Writes who asks, and whom. What another proxy has said before stays.
fn write_forwarded(
    fields: &[httparse::Header<'_>],
    host: Option<&[u8]>,
    peer: IpAddr,
    out: &mut Vec<u8>,
) {
    let of = |name: &'static str| {
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    };
    out.extend_from_slice(b"X-Forwarded-For: ");
    for before in of("x-forwarded-for").map(|field| trimmed(field.value)) {
        out.extend_from_slice(before);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(peer.to_canonical().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    if of("x-forwarded-proto").next().is_none() {
        write_field(out, "X-Forwarded-Proto", b"http");
    }
    if let (Some(host), None) = (host, of("x-forwarded-host").next()) {
        write_field(out, "X-Forwarded-Host", host);
    }
}

#[cfg(test)]
mod tests;
