//! PORT of an instance.

use std::ops::Range;

use super::front::PortSlot;
use super::id::InstanceId;

/// Ports that lie between two process types; with more instances than this, they meet.
pub(crate) const PORTS_PER_TYPE: u32 = 100;

/// foreman's base port.
pub(crate) const BASE_PORT: u16 = 5000;

/// What a message says of a port that is none.
pub(crate) const HINT: &str = "a port is a number from 1 to 65535";

/// Ports that browsers refuse to connect to (WHATWG Fetch, "port blocking"; Chromium says ERR_UNSAFE_PORT), sorted.
const REFUSED: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10_080,
];

/// Returns whether browsers refuse to connect to a port.
pub(crate) fn is_refused_by_browsers(port: u16) -> bool {
    REFUSED.binary_search(&port).is_ok()
}

/// Returns whether browsers refuse to connect to some port of a range.
pub(crate) fn has_refused_by_browsers(ports: Range<u32>) -> bool {
    REFUSED.iter().any(|port| ports.contains(&u32::from(*port)))
}

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

/// How far the two ports of an instance behind a front lie apart.
const SLOT_DISTANCE: u32 = 50;

/// The most instances that a type with a front can have: with more, their ports would meet those of replacements.
pub(crate) const MOST_BEHIND_FRONT: u16 = 49;

/// Returns the port of an instance behind a front: the type's first port, which is the front's, + number, and 50 more
/// in the other slot. `None` where that is over 65535, or the number over 49.
pub(crate) fn behind_front(base: u16, id: InstanceId, slot: PortSlot) -> Option<u16> {
    let distance = match slot {
        PortSlot::Usual => 0,
        PortSlot::Other => SLOT_DISTANCE,
    };
    let offset = PORTS_PER_TYPE * u32::from(id.process_type) + u32::from(id.number) + distance;
    let port = u16::try_from(u32::from(base) + offset).ok();
    port.filter(|_| id.number <= MOST_BEHIND_FRONT)
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
    fn browsers_refuse_what_the_list_has() {
        assert!(REFUSED.is_sorted());
        for (port, is_refused) in
            [(5000, false), (5060, true), (6000, true), (6100, false), (6697, true), (10_080, true)]
        {
            assert_eq!(is_refused_by_browsers(port), is_refused, "{port}");
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

    #[test]
    fn behind_a_front_ports_begin_with_the_next_and_replacements_have_50_more() {
        let port = |process_type, number, slot| {
            behind_front(5000, InstanceId { process_type, number }, slot)
        };
        for (process_type, number, usual, other) in [
            (0, 1, Some(5001), Some(5051)),
            (0, 49, Some(5049), Some(5099)),
            (2, 3, Some(5203), Some(5253)),
            (0, 50, None, None),
        ] {
            assert_eq!(port(process_type, number, PortSlot::Usual), usual);
            assert_eq!(port(process_type, number, PortSlot::Other), other);
        }
        let highest = InstanceId { process_type: 0, number: 1 };
        assert_eq!(behind_front(65_500, highest, PortSlot::Other), None);
    }
}
