//! When an instance is ready, and whether it is still alive: what `ready` and `live` say.

use std::fmt;
use std::time::Duration;

/// A time limit for a start where none is set.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// The time between two checks of `live` where none is set.
pub const LIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Failed checks of `live` in a row before a restart, where no number is set.
pub const LIVE_FAILURES: u32 = 3;

/// What makes an instance ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// All of these must hold; never empty.
    pub probes: Vec<Probe>,
    /// How long it may take from the start.
    pub timeout: Duration,
}

/// What shows that a ready instance still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// How it is asked; [`Probe::may_be_repeated`] holds.
    pub probe: Probe,
    /// The time between two checks. For [`Probe::Notify`] the time between two `WATCHDOG=1`.
    pub interval: Duration,
    /// Failed checks in a row before a restart.
    pub failures: u32,
}

/// One sign of readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A process of the instance listens on a TCP port. `None`: on its own PORT.
    Port(Option<u16>),
    /// A GET request is answered with one of the expected codes.
    Http(HttpProbe),
    /// A line of this run's output matches.
    Log(LogPattern),
    /// A shell command exits 0 in the folder and environment of the instance.
    Command(String),
    /// The instance sends `READY=1` to its `NOTIFY_SOCKET` (sd_notify(3)).
    Notify,
    /// This much time has passed since the start.
    Delay(Duration),
}

/// A GET request and the answers that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// Host and port. `None`: the instance's PORT on this machine.
    pub authority: Option<Authority>,
    /// Path and query, from the first `/`.
    pub path: String,
    /// The status codes that count. Empty: 200 to 399.
    pub codes: Vec<u16>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// A regular expression over one line of output. Two are the same if their texts are.
#[derive(Clone, Debug)]
pub struct LogPattern(regex_lite::Regex);

/// Why a text is no probe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It is of no kind that there is.
    #[error(
        "`{text}` is not one of port, port:N, http:/path, http://host:port/path, log:REGEX, cmd:COMMAND, notify, \
         delay:TIME"
    )]
    Kind {
        /// What was written.
        text: String,
    },
    /// It is of a kind that is written in another way.
    #[error("`{text}` {reason}")]
    Form {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl LogPattern {
    /// Returns whether a line without its escape sequences matches.
    pub fn is_in(&self, line: &str) -> bool {
        self.0.is_match(line)
    }
}

impl PartialEq for LogPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for LogPattern {}

impl HttpProbe {
    /// Returns whether an answer with this status code counts as success.
    pub fn accepts(&self, code: u16) -> bool {
        if self.codes.is_empty() { (200..400).contains(&code) } else { self.codes.contains(&code) }
    }
}

impl Probe {
    /// Reads `port`, `port:N`, `http:/path`, `http://host:port/path`, `log:REGEX`, `cmd:TEXT`, `notify` or
    /// `delay:2s`. An http probe may end in the codes that count: `http:/up=200,401`.
    ///
    /// # Errors
    /// It is none of these; the text says what is wrong.
    pub fn parse(text: &str) -> Result<Self, ProbeError> {
        let parsed = match text.split_once(':') {
            None if text == "port" => Ok(Self::Port(None)),
            None if text == "notify" => Ok(Self::Notify),
            Some(("port", number)) => port(number).map(|port| Self::Port(Some(port))),
            Some(("http", rest)) => http(rest).map(Self::Http),
            Some(("log", pattern)) => log(pattern).map(Self::Log),
            Some(("cmd", command)) if command.trim().is_empty() => {
                Err("has no command after `cmd:`".to_owned())
            }
            Some(("cmd", command)) => Ok(Self::Command(command.to_owned())),
            Some(("delay", text)) => seconds(text)
                .map(Self::Delay)
                .ok_or_else(|| "needs a time after `delay:`, such as `delay:2s`".to_owned()),
            Some(_) | None => return Err(ProbeError::Kind { text: text.to_owned() }),
        };
        parsed.map_err(|reason| ProbeError::Form { text: text.to_owned(), reason })
    }

    /// Returns whether it can be asked again and again, as `live` does.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Self::Port(_) | Self::Http(_) | Self::Command(_) | Self::Notify => true,
            Self::Log(_) | Self::Delay(_) => false,
        }
    }

    /// Returns whether it can be asked of a program that pm has not started.
    pub fn works_from_outside(&self) -> bool {
        match self {
            Self::Port(port) => port.is_some(),
            Self::Http(probe) => probe.authority.is_some(),
            Self::Command(_) => true,
            Self::Log(_) | Self::Notify | Self::Delay(_) => false,
        }
    }
}

/// As it is written in pm.toml.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(None) => f.write_str("port"),
            Self::Port(Some(port)) => write!(f, "port:{port}"),
            Self::Http(probe) => probe.fmt(f),
            Self::Log(pattern) => write!(f, "log:{}", pattern.0.as_str()),
            Self::Command(command) => write!(f, "cmd:{command}"),
            Self::Notify => f.write_str("notify"),
            Self::Delay(time) => write!(f, "delay:{}s", time.as_secs_f64()),
        }
    }
}

impl fmt::Display for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http:")?;
        if let Some(authority) = &self.authority {
            write!(f, "//{authority}")?;
        }
        f.write_str(&self.path)?;
        for (at, code) in self.codes.iter().enumerate() {
            write!(f, "{}{code}", if at == 0 { '=' } else { ',' })?;
        }
        Ok(())
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A longer time means this one: a clock can be asked for it, and nobody sees it pass.
const LONGEST_TIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Reads a time: `2`, `2s`, `1.5s`, `500ms`, `1m`. `None`: it is not one.
pub fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number = number.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let time = number.parse::<f64>().ok()? * factor;
    Duration::try_from_secs_f64(time.min(LONGEST_TIME.as_secs_f64())).ok()
}

fn port(text: &str) -> Result<u16, String> {
    super::ports::parse(text).ok_or_else(|| "does not end in a port number".to_owned())
}

fn log(pattern: &str) -> Result<LogPattern, String> {
    if pattern.is_empty() {
        return Err("has no pattern after `log:`".to_owned());
    }
    let regex = regex_lite::Regex::new(pattern);
    regex.map(LogPattern).map_err(|error| format!("is not a regular expression: {error}"))
}

/// Reads what stands behind `http:`.
fn http(rest: &str) -> Result<HttpProbe, String> {
    let (rest, codes) = split_codes(rest);
    if rest.contains(|c: char| c.is_ascii_control() || c == ' ') {
        return Err("has a space or a control character in it; write it as `%20`".to_owned());
    }
    let Some(address) = rest.strip_prefix("//") else {
        return if rest.starts_with('/') {
            Ok(HttpProbe { authority: None, path: rest.to_owned(), codes })
        } else {
            Err("needs a path that begins with `/`, or `//host:port/path`".to_owned())
        };
    };
    let (authority, path) = match address.find(['/', '?']) {
        Some(at) if address[at..].starts_with('?') => {
            (&address[..at], format!("/{}", &address[at..]))
        }
        Some(at) => (&address[..at], address[at..].to_owned()),
        None => (address, "/".to_owned()),
    };
    Ok(HttpProbe { authority: Some(self::authority(authority)?), path, codes })
}

/// Reads `host`, `host:port`, `[::1]:port`; the port is 80 where none is written, as in any URL.
fn authority(text: &str) -> Result<Authority, String> {
    let no_host = || "has no host between `//` and the path".to_owned();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(no_host)?;
        (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some("")))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() || host.contains('@') {
        return Err(no_host());
    }
    let port = match port {
        None => 80,
        Some(port) => super::ports::parse(port)
            .ok_or_else(|| "does not have a port number behind the host".to_owned())?,
    };
    Ok(Authority { host: host.to_owned(), port })
}

/// Splits the codes off: what stands behind the last `=`, if it is made of three digits each, with commas between.
fn split_codes(text: &str) -> (&str, Vec<u16>) {
    let code = |text: &str| {
        let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|code| is_code && (100..600).contains(code))
    };
    let Some((rest, codes)) = text.rsplit_once('=') else { return (text, Vec::new()) };
    match codes.split(',').map(code).collect() {
        Some(codes) => (rest, codes),
        None => (text, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(text: &str) -> HttpProbe {
        match Probe::parse(text) {
            Ok(Probe::Http(probe)) => probe,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_probe_is_shown_as_it_was_written() {
        for text in [
            "port",
            "port:6379",
            "http:/up",
            "http:/up?a=b=200,401",
            "http://localhost:8080/up",
            "http://[::1]:8080/=204",
            "log:^ready (in|on) .*:\\d+",
            "cmd:pg_isready -h localhost:5432",
            "notify",
            "delay:2s",
            "delay:0.5s",
        ] {
            assert_eq!(Probe::parse(text).map(|probe| probe.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_probe_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not one of port"),
            ("prot", "is not one of port"),
            ("tcp:80", "is not one of port"),
            ("port:", "port number"),
            ("port:0", "port number"),
            ("port:65536", "port number"),
            ("http:", "begins with `/`"),
            ("http:up", "begins with `/`"),
            ("http:///up", "no host"),
            ("http://user@host/up", "no host"),
            ("http://host:/up", "port number"),
            ("http://[::1/up", "no host"),
            ("http://[::1]80/up", "port number"),
            ("http:/a b", "space"),
            ("http:/up\r\nHost: x", "control character"),
            ("log:", "no pattern"),
            ("log:(", "not a regular expression"),
            ("cmd: ", "no command"),
            ("delay:", "needs a time"),
            ("delay:soon", "needs a time"),
            ("delay:-1", "needs a time"),
        ] {
            let error = Probe::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}`")), "{error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn codes_are_three_digits_behind_the_last_equals_sign() {
        for (text, path, codes) in [
            ("http:/up", "/up", &[][..]),
            ("http:/up=200", "/up", &[200]),
            ("http:/up=200,401", "/up", &[200, 401]),
            ("http:/up?n=20", "/up?n=20", &[]),
            ("http:/up?n=2000", "/up?n=2000", &[]),
            ("http:/up?n=200", "/up?n", &[200]),
            ("http:/up?n=200=200", "/up?n=200", &[200]),
            ("http:/up?n=999", "/up?n=999", &[]),
            ("http:/up=", "/up=", &[]),
        ] {
            let probe = http(text);
            assert_eq!((probe.path.as_str(), probe.codes.as_slice()), (path, codes), "{text}");
        }
    }

    #[test]
    fn without_codes_success_and_redirections_count() {
        let any = http("http:/up");
        assert_eq!(
            [199, 200, 302, 399, 400, 503].map(|code| any.accepts(code)),
            [false, true, true, true, false, false]
        );
        let some = http("http:/up=200,401");
        assert_eq!([200, 204, 401].map(|code| some.accepts(code)), [true, false, true]);
    }

    #[test]
    fn a_url_has_port_80_and_the_path_slash_where_it_says_none() {
        for (text, host, port, path) in [
            ("http://localhost", "localhost", 80, "/"),
            ("http://localhost/up", "localhost", 80, "/up"),
            ("http://localhost?x", "localhost", 80, "/?x"),
            ("http://[::1]/up", "::1", 80, "/up"),
            ("http://10.0.0.1:81/up", "10.0.0.1", 81, "/up"),
        ] {
            let probe = http(text);
            let authority = Authority { host: host.to_owned(), port };
            assert_eq!((probe.authority, probe.path.as_str()), (Some(authority), path), "{text}");
        }
    }

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        let ms = |n| Some(Duration::from_millis(n));
        for (text, expected) in [
            ("2", ms(2000)),
            ("2s", ms(2000)),
            ("1.5s", ms(1500)),
            ("500ms", ms(500)),
            ("2m", ms(120_000)),
            ("1 h", ms(3_600_000)),
            ("9999999999999999999s", Some(LONGEST_TIME)),
            ("", None),
            ("s", None),
            ("2x", None),
            ("-2", None),
            ("inf", None),
            ("1e3", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
