//! What the line below the output says of the process types. Pure.

use std::collections::BTreeSet;

use super::keys::KeyState;
use crate::app::App;
use crate::output::{LineFilter, LineHint, TypeState, TypeStatus};
use crate::supervisor::{Doing, Status};

/// Returns the positions of the types that the line has, in their order: those that have instances, and those that the
/// line had before, so that each keeps its digit.
pub(super) fn shown_types(statuses: &[Status], before: &BTreeSet<u16>) -> BTreeSet<u16> {
    let now = statuses.iter().map(|status| status.id.process_type);
    now.chain(before.iter().copied()).collect()
}

/// Returns what the line says of these types.
pub(super) fn of_types(
    app: &App,
    statuses: &[Status],
    shown: &BTreeSet<u16>,
    filter: &LineFilter,
) -> Vec<TypeStatus> {
    let one = |at: &u16| TypeStatus {
        name: app.types[usize::from(*at)].name.clone(),
        state: state(statuses.iter().filter(|it| it.id.process_type == *at).map(|it| it.doing)),
        is_hidden: filter.hides_type(*at),
    };
    shown.iter().filter(|at| usize::from(**at) < app.types.len()).map(one).collect()
}

/// Returns the state of a type whose instances do this.
fn state(instances: impl Iterator<Item = Doing>) -> TypeState {
    let (mut running, mut wanted, mut stopped, mut done) = (0, 0, 0, 0);
    let mut has_failed = false;
    for doing in instances {
        match doing {
            Doing::Up | Doing::Ready => running += 1,
            Doing::Stopped => stopped += 1,
            Doing::Ended(exit) if exit.is_success() => done += 1,
            Doing::Ended(_) | Doing::GivenUp => has_failed = true,
            Doing::Waiting
            | Doing::Blocked(_)
            | Doing::Starting
            | Doing::Unready
            | Doing::Stopping
            | Doing::BackingOff(_) => {}
        }
        wanted += 1;
    }
    wanted -= stopped + done;
    match (running, wanted) {
        (0, _) if has_failed => TypeState::Failed,
        (0, 0) if stopped > 0 => TypeState::Stopped,
        (0, 0) if done > 0 => TypeState::Done,
        (running, wanted) => TypeState::Running { running, wanted, has_failed },
    }
}

/// Returns what stands behind the types: the key that was begun, else the filter, else the most important keys.
pub(super) fn hint(keys: Option<&KeyState>, filter: Option<(&str, bool)>) -> LineHint {
    match (keys, filter) {
        (None, _) => LineHint::Nothing,
        (Some(KeyState::Digit(key)), _) => {
            let (verb, all) = key.describe();
            LineHint::Digit { verb, all }
        }
        (Some(KeyState::Ready | KeyState::Filter(_)), Some((pattern, is_valid))) => {
            LineHint::Filter { pattern: pattern.to_owned(), is_valid }
        }
        (Some(KeyState::Ready | KeyState::Filter(_)), None) => LineHint::Keys,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::{Exit, InstanceId, RunId};

    #[test]
    fn a_type_has_failed_when_none_runs_and_one_has_failed() {
        let failed = Doing::Ended(Exit::Code(3));
        let done = Doing::Ended(Exit::Code(0));
        let running =
            |running, wanted, has_failed| TypeState::Running { running, wanted, has_failed };
        let table: &[(&[Doing], TypeState)] = &[
            (&[], running(0, 0, false)),
            (&[Doing::Up, Doing::Ready], running(2, 2, false)),
            (&[Doing::Up, Doing::Unready, Doing::Starting, Doing::Stopping], running(1, 4, false)),
            (&[Doing::BackingOff(Duration::ZERO)], running(0, 1, false)),
            (&[Doing::Up, failed], running(1, 2, true)),
            (&[failed, Doing::BackingOff(Duration::ZERO)], TypeState::Failed),
            (&[failed, Doing::Stopped, done], TypeState::Failed),
            (&[Doing::GivenUp], TypeState::Failed),
            (&[Doing::Up, Doing::Stopped, done], running(1, 1, false)),
            (&[Doing::Stopped, done], TypeState::Stopped),
            (&[done, done], TypeState::Done),
            (&[Doing::Waiting, done], running(0, 1, false)),
        ];
        for (instances, expected) in table {
            assert_eq!(state(instances.iter().copied()), *expected, "{instances:?}");
        }
    }

    #[test]
    fn a_type_keeps_its_digit_when_its_last_instance_is_gone() {
        let one = |process_type| Status {
            id: InstanceId { process_type, number: 1 },
            run: RunId { instance: InstanceId { process_type, number: 1 }, seq: 1 },
            doing: Doing::Up,
            pid: None,
            slot: crate::app::PortSlot::Usual,
            uptime: None,
            waits_for: Vec::new(),
            restarts: 0,
            beside: None,
        };
        let first = shown_types(&[one(2), one(0)], &BTreeSet::new());
        assert_eq!(first, BTreeSet::from([0, 2]));
        assert_eq!(shown_types(&[one(2)], &first), first);
    }
}
