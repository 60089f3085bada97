//! PORT of an instance.

use super::id::InstanceId;

/// Ports that lie between two process types; with more instances than this, they meet.
pub(crate) const PORTS_PER_TYPE: u32 = 100;

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
