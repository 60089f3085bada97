//! What a program reports over `NOTIFY_SOCKET` (sd_notify(3)): the assignments that pm supports.

use std::time::Duration;

/// One assignment of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotifyMessage {
    /// `READY=1`: the start or a reload is complete.
    Ready,
    /// `STATUS=`: a line for a person.
    Status(String),
    /// `EXTEND_TIMEOUT_USEC=`: the start may take this long from now.
    Extend(Duration),
    /// `WATCHDOG=1`: a sign of life.
    Watchdog,
    /// `RELOADING=1`: the program reads its configuration again.
    Reloading,
    /// `STOPPING=1`: the program is ending.
    Stopping,
}

/// Longest status: it is shown in one line of `pm ps`.
const LONGEST_STATUS: usize = 200;

/// Reads the assignments of a datagram, one per line. Unknown and malformed ones are ignored, as systemd does.
pub(super) fn parse(datagram: &[u8]) -> Vec<NotifyMessage> {
    let text = String::from_utf8_lossy(datagram);
    let notice = |line: &str| {
        let (key, value) = line.split_once('=')?;
        match (key, value) {
            ("READY", "1") => Some(NotifyMessage::Ready),
            ("WATCHDOG", "1") => Some(NotifyMessage::Watchdog),
            ("RELOADING", "1") => Some(NotifyMessage::Reloading),
            ("STOPPING", "1") => Some(NotifyMessage::Stopping),
            ("EXTEND_TIMEOUT_USEC", micros) => micros
                .parse()
                .ok()
                .map(|micros| NotifyMessage::Extend(Duration::from_micros(micros))),
            ("STATUS", text) => {
                let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
                Some(NotifyMessage::Status(plain.take(LONGEST_STATUS).collect()))
            }
            _ => None,
        }
    };
    text.lines().filter_map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_assignment_and_unknown_ones_are_passed_over() {
        let datagram = b"READY=1\nSTATUS=loading 42 models\nX_UNKNOWN=1\nMAINPID=1\nEXTEND_TIMEOUT_USEC=1500000\n";
        assert_eq!(
            parse(datagram),
            [
                NotifyMessage::Ready,
                NotifyMessage::Status("loading 42 models".to_owned()),
                NotifyMessage::Extend(Duration::from_millis(1500)),
            ]
        );
        assert_eq!(
            parse(b"RELOADING=1\nSTOPPING=1\nWATCHDOG=1"),
            [NotifyMessage::Reloading, NotifyMessage::Stopping, NotifyMessage::Watchdog]
        );
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for datagram in [
            &b""[..],
            b"READY",
            b"READY=0",
            b"ready=1",
            b" READY=1",
            b"EXTEND_TIMEOUT_USEC=-1",
            b"\xff\xfe",
        ] {
            assert_eq!(parse(datagram), [], "{datagram:?}");
        }
    }

    #[test]
    fn a_status_is_one_short_line_without_control_characters() {
        let long = format!("STATUS=\x1b[2J{}", "x".repeat(1000));
        let [NotifyMessage::Status(text)] = &parse(long.as_bytes())[..] else {
            panic!("no status")
        };
        assert_eq!(text.len(), LONGEST_STATUS);
        assert!(text.starts_with(" [2Jx"), "{text}");
    }
}
