//! The base that pm chooses for a root, and keeps (`-p auto`).

use std::path::Path;

use super::survey::PortSurvey;
use crate::app::base_port::{self, BaseState, PortRoom};
use crate::cli::sources::Sources;
use crate::error::Error;
use crate::os::given_ports;
use crate::root_hash;
use crate::state::ports::{self, BaseEntry, PortsLock};

/// Takes the right to choose, which one start has at a time.
///
/// # Errors
/// There is no place for what is kept, or another start does not let go.
pub(super) fn lock(sources: &Sources) -> Result<PortsLock, Error> {
    let folder = sources.state_folder()?;
    match PortsLock::take(&folder) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Error::Refused {
            reason: format!(
                "cannot choose ports: another `pm start` holds `{}` and does not continue",
                ports::lock_path(&folder).display()
            ),
            hint: Some("it may be suspended (Ctrl-Z); `-p N` does not wait for it".to_owned()),
        }),
        Err(source) => Err(Error::StateFolder { folder, source }),
    }
}

/// Returns the base of a root: the one that it has, or one with room for all its types that nobody else has, which
/// it keeps from then on.
///
/// # Errors
/// The list cannot be read or written, or no base is left.
pub(super) fn base(
    lock: &PortsLock,
    root: &Path,
    room: &PortRoom,
    survey: &PortSurvey,
) -> Result<u16, Error> {
    let file = lock.path();
    let fail = |source| Error::PortsFile { path: file.clone(), source };
    let entries = lock.entries().map_err(fail)?;
    let (own, others) = own_and_others(&entries, root);
    let meets =
        |base: u16| move |other: &BaseEntry| room.overlaps(base, (other.base, other.hundreds));
    let limit = given_ports::first();
    if let Some(own) = own.filter(|own| keeps(own, &others, room, limit)) {
        if own.hundreds < room.steps {
            let grown = BaseEntry::new(root, own.base, room.steps);
            lock.put(grown, meets(own.base)).map_err(fail)?;
        }
        return Ok(own.base);
    }
    let is_held = |base| room.ports(base).any(|port| survey.is_taken(port));
    let base = choose(root, &others, room, is_held).ok_or_else(|| Error::NoBase {
        root: root.to_owned(),
        hundreds: room.steps,
        limit,
        path: file.clone(),
    })?;
    lock.put(BaseEntry::new(root, base, room.steps), meets(base)).map_err(fail)?;
    Ok(base)
}

/// Returns the base that a root has, or would be given if nobody listens anywhere. Nothing is kept.
pub(super) fn expected(root: &Path, room: &PortRoom, sources: &Sources) -> Option<u16> {
    let entries = ports::read(&sources.state_folder().ok()?).ok()?;
    let (own, others) = own_and_others(&entries, root);
    match own.filter(|own| keeps(own, &others, room, given_ports::first())) {
        Some(own) => Some(own.base),
        None => choose(root, &others, room, |_| false),
    }
}

fn own_and_others<'a>(
    entries: &'a [BaseEntry],
    root: &Path,
) -> (Option<&'a BaseEntry>, Vec<&'a BaseEntry>) {
    let own = ports::of_root(entries, root);
    let others = entries.iter().filter(|entry| own != Some(*entry)).collect();
    (own, others)
}

/// Returns whether a root can keep its base: it still has room there, also where its Procfile has grown.
fn keeps(own: &BaseEntry, others: &[&BaseEntry], room: &PortRoom, limit: u16) -> bool {
    let meets = |other: &&&BaseEntry| room.overlaps(own.base, (other.base, other.hundreds));
    room.fits(own.base, limit) && !others.iter().filter(meets).any(|other| is_there(other))
}

fn choose(
    root: &Path,
    others: &[&BaseEntry],
    room: &PortRoom,
    is_held: impl Fn(u16) -> bool,
) -> Option<u16> {
    // Each root is looked for once, not for each base.
    let others: Vec<_> =
        others.iter().map(|other| ((other.base, other.hundreds), is_there(other))).collect();
    let state = |base| {
        let met = others.iter().filter(|(other, _)| room.overlaps(base, *other));
        match met.map(|(_, is_there)| *is_there).max() {
            Some(true) => BaseState::Taken,
            _ if is_held(base) => BaseState::Taken,
            Some(false) => BaseState::Left,
            None => BaseState::Free,
        }
    };
    base_port::choose(root_hash::number(root), room, given_ports::first(), state)
}

/// Returns whether the root of an entry is still there.
fn is_there(entry: &BaseEntry) -> bool {
    Path::new(&entry.root).is_dir()
}
