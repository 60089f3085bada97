//! The local time zone.

use jiff::tz::TimeZone;

/// The file of the machine's time zone (localtime(5)).
const LOCALTIME: &str = "/etc/localtime";

/// Returns the zone of TZ if it is set, else the machine's, else UTC. The machine's zone is read from its file
/// directly: jiff would search the whole database for its name, which takes longer than the start of a process.
pub(crate) fn local(is_tz_set: bool) -> TimeZone {
    if is_tz_set {
        return TimeZone::system();
    }
    let data = std::fs::read(LOCALTIME).ok();
    let zone = data.and_then(|data| TimeZone::tzif("Local", &data).ok());
    zone.unwrap_or_else(TimeZone::system)
}
