//! What belongs to one connection and not to the message: the fields that no proxy passes on.

use super::trimmed;

/// The options of all Connection fields of a head.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionOptions<'head> {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// Other options: names of fields that go no further.
    named: Vec<&'head [u8]>,
}

/// What says where the body ends, to whom it goes, or who asks: an option that names it removes nothing, or a client could
/// take away what the front itself has read or is to add (RFC 9110 section 7.6.1 forbids to send such options).
const NEVER_NAMED: [&str; 6] = [
    "host",
    "content-length",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
];

impl<'head> ConnectionOptions<'head> {
    /// Reads the options from the fields of a head.
    pub(super) fn of(fields: &[httparse::Header<'head>]) -> Self {
        let mut options = Self::default();
        for field in fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection")) {
            for option in field.value.split(|byte| *byte == b',').map(trimmed) {
                options.add(option);
            }
        }
        options
    }

    fn add(&mut self, option: &'head [u8]) {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        if is("close") {
            self.close = true;
        } else if is("keep-alive") {
            self.keep_alive = true;
        } else if is("upgrade") {
            self.upgrade = true;
        } else if !option.is_empty() && !NEVER_NAMED.iter().any(|name| is(name)) {
            self.named.push(option);
        }
    }

    /// Returns whether the sender of a message of HTTP/1.`minor` keeps the connection (RFC 9112 section 9.3).
    pub(super) fn persists(&self, minor: u8) -> bool {
        !self.close && (minor >= 1 || self.keep_alive)
    }

    /// Returns whether a field ends at the front (RFC 9110 section 7.6.1). Upgrade, Content-Length and Transfer-Encoding
    /// are judged by who reads the head.
    pub(super) fn removes(&self, name: &str) -> bool {
        const OF_ONE_CONNECTION: [&str; 4] = ["connection", "keep-alive", "proxy-connection", "te"];
        OF_ONE_CONNECTION.iter().any(|own| name.eq_ignore_ascii_case(own))
            || self.named.iter().any(|named| name.as_bytes().eq_ignore_ascii_case(named))
    }
}
