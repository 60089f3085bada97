//! PORT of an instance.

use super::id::InstanceId;

/// Ports that lie between two process types; with more instances than this, they meet.
pub(crate) const PORTS_PER_TYPE: u32 = 100;

/// What a message says of a port that is none.
pub(crate) const HINT: &str = "a port is a number from 1 to 65535";

/// Reads the number of a port. 0 is none: the system would choose one, and nobody could know which.
pub(crate) fn parse(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

/// Returns base + 100 × position of the type + number - 1 (foreman engine.rb, `port_for`),
/// or `None` where that is over 65535.
pub(crate) fn port(base: u16, id: InstanceId) -> Option<u16> {
    let offset = PORTS_PER_TYPE * u32::from(id.process_type) + u32::from(id.number) - 1;
    u16::try_from(u32::from(base) + offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for (text, expected) in
            [("1", Some(1)), (" 3000 ", Some(3000)), ("65535", Some(65_535)), ("65536", None)]
        {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in ["0", "00", "-1", "70000", "http", "", "80.5", "0x50"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn ports_follow_foremans_rule() {
        let port = |base, process_type, number| port(base, InstanceId { process_type, number });
        assert_eq!(port(5000, 0, 1), Some(5000));
        assert_eq!(port(5000, 0, 2), Some(5001));
        assert_eq!(port(5000, 2, 3), Some(5202));
        assert_eq!(port(65_535, 0, 1), Some(65_535));
        assert_eq!(port(65_535, 0, 2), None);
        assert_eq!(port(65_000, 6, 1), None);
    }
}
