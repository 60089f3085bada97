//! The base of an application's ports where pm chooses it (`-p auto`): 10000 + 100 × k, below the ports that the
//! system gives out by itself. Which is taken and which is free, the caller says.

use super::id::InstanceId;
use super::ports::{PORTS_PER_TYPE, has_refused_by_browsers, port};
use super::process_type::{App, ProcessType};

/// Bases begin above this, with k = 1: the first hundred has 10080, which browsers refuse.
const LOWEST: u16 = 10_000;
/// Bases are this far apart.
const STEP: u16 = 100;

/// What an application needs above its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortRoom {
    /// How many hundreds, with room for every type of the Procfile.
    pub(crate) steps: u16,
    /// Ports of what is to run, and of the first instance of every other type, as distances from the base.
    ports: Vec<u16>,
}

impl PortRoom {
    /// Returns what an application needs.
    pub(crate) fn of(app: &App) -> Self {
        // Before the instances, a front has a port.
        let of_front = |own: &ProcessType| u16::from(own.front.is_some());
        let counts = app.types.iter().map(|own| own.count.saturating_add(of_front(own)));
        let counts: Vec<u16> = counts.collect();
        Self::of_counts(&counts)
    }

    /// Returns what these counts of instances need, one per type.
    pub(crate) fn of_counts(counts: &[u16]) -> Self {
        let of_type = |(process_type, count): (u16, &u16)| {
            let numbers = 1..=(*count).max(1);
            numbers.filter_map(move |number| port(0, InstanceId { process_type, number }))
        };
        let mut ports: Vec<u16> = (0_u16..).zip(counts).flat_map(of_type).collect();
        ports.sort_unstable();
        ports.dedup();
        let steps = ports.last().map_or(1, |last| last / STEP + 1);
        Self { steps, ports }
    }

    /// Returns the ports that are needed with this base.
    pub(crate) fn ports(&self, base: u16) -> impl Iterator<Item = u16> {
        self.ports.iter().filter_map(move |distance| base.checked_add(*distance))
    }

    /// Returns whether the application fits between a base and the first port that the system gives out.
    pub(crate) fn fits(&self, base: u16, limit: u16) -> bool {
        self.end(base).is_some_and(|end| end <= limit)
    }

    /// Returns whether some port of this application is one of another that has this number of hundreds from its base on.
    pub(crate) fn overlaps(&self, base: u16, (other, steps): (u16, u16)) -> bool {
        let end = |base: u16, steps: u16| u32::from(base) + u32::from(STEP) * u32::from(steps);
        u32::from(base) < end(other, steps) && u32::from(other) < end(base, self.steps)
    }

    fn end(&self, base: u16) -> Option<u16> {
        base.checked_add(self.steps.checked_mul(STEP)?)
    }
}

/// What stands above a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseState {
    /// Nothing.
    Free,
    /// It was given to a root that is gone.
    Left,
    /// It is another root's, or somebody listens there.
    Taken,
}

/// Chooses the base of a root: its own place by the hash of its path, or the next that is free, and only where none
/// is, one of a root that is gone. `limit` is the first port that the system gives out by itself. `None`: all are
/// taken.
pub(crate) fn choose(
    hash: u64,
    room: &PortRoom,
    limit: u16,
    standing: impl Fn(u16) -> BaseState,
) -> Option<u16> {
    let mut left = None;
    for base in candidates(hash, room, limit) {
        match standing(base) {
            BaseState::Free => return Some(base),
            BaseState::Left => left = left.or(Some(base)),
            BaseState::Taken => {}
        }
    }
    left
}

/// Returns every base with room for the application, in the order in which they are tried. First those that are a
/// multiple of its room apart: so worktrees of one repository, which need the same, leave no gaps between them.
fn candidates(hash: u64, room: &PortRoom, limit: u16) -> impl Iterator<Item = u16> {
    let (limit, steps, steps_of_room) =
        (u64::from(limit), u64::from(room.steps), u32::from(room.steps));
    let first = u64::from(LOWEST + STEP);
    let places = limit.saturating_sub(first) / u64::from(STEP);
    let groups = places / steps;
    // Where there is no group there is no candidate either.
    let start = hash.checked_rem(groups).unwrap_or_default();
    let aligned = (0..groups).map(move |at| (start + at) % groups * steps);
    let last = (places + 1).saturating_sub(steps);
    let others = (0..last).map(move |at| (start * steps + at) % last);
    let others = others.filter(move |place| place % steps != 0 || place / steps >= groups);
    let base = move |place: u64| u16::try_from(first + u64::from(STEP) * place).ok();
    let is_allowed = move |base: &u16| {
        let base = u32::from(*base);
        !has_refused_by_browsers(base..base + PORTS_PER_TYPE * steps_of_room)
    };
    aligned.chain(others).filter_map(base).filter(is_allowed)
}

const _: () = assert!(STEP as u32 == PORTS_PER_TYPE, "a type has all ports between two bases");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::app::ports::is_refused_by_browsers;
    use crate::long::cases;

    /// Where Linux begins to give out ports by itself.
    const LIMIT: u16 = 32_768;

    fn free(_: u16) -> BaseState {
        BaseState::Free
    }

    #[test]
    fn there_is_room_for_every_type_also_for_those_that_do_not_run() {
        let table: [(&[u16], u16, &[u16]); 5] = [
            (&[1], 1, &[0]),
            (&[1, 0, 2], 3, &[0, 100, 200, 201]),
            (&[0, 0], 2, &[0, 100]),
            (&[101, 1], 2, &[0, 1]),
            (&[1, 101], 3, &[0, 100, 101]),
        ];
        for (counts, steps, first) in table {
            let room = PortRoom::of_counts(counts);
            assert_eq!(room.steps, steps, "{counts:?}");
            let ports: Vec<u16> = room.ports(10_100).map(|port| port - 10_100).collect();
            assert_eq!(&ports[..first.len()], first, "{counts:?}");
        }
        let room = PortRoom::of_counts(&[1, 1]);
        assert!(room.fits(32_500, LIMIT) && !room.fits(32_600, LIMIT));
        let overlaps = [9_900, 10_000, 10_100, 10_200].map(|base| room.overlaps(base, (10_100, 1)));
        assert_eq!(overlaps, [false, true, true, false]);
    }

    #[test]
    fn what_is_taken_is_passed_over_and_what_was_left_is_taken_last() {
        let room = PortRoom::of_counts(&[1, 1]);
        let first = choose(7, &room, LIMIT, free).unwrap();
        let next = choose(7, &room, LIMIT, |base| match base == first {
            true => BaseState::Taken,
            false => BaseState::Free,
        });
        assert_eq!(next, Some(first + 200));
        let only = |at: u16, standing| {
            choose(
                7,
                &room,
                LIMIT,
                move |base| if base == at { standing } else { BaseState::Taken },
            )
        };
        // One that is no multiple of the room from the first is found, too.
        for base in [10_100, 10_200, first, 32_500] {
            assert_eq!(only(base, BaseState::Free), Some(base));
            assert_eq!(only(base, BaseState::Left), Some(base));
        }
        assert_eq!(only(32_600, BaseState::Free), None, "web would fit, and worker would not");
        let left_first = |base| if base == first { BaseState::Left } else { BaseState::Free };
        assert_eq!(choose(7, &room, LIMIT, left_first), Some(first + 200));
        assert_eq!(choose(7, &room, LIMIT, |_| BaseState::Taken), None);
        assert_eq!(choose(7, &PortRoom::of_counts(&[1; 300]), LIMIT, free), None);
        assert_eq!(choose(7, &room, 1024, free), None);
    }

    #[test]
    fn ten_thousand_roots_get_bases_below_the_systems_own_ports_and_none_that_browsers_refuse() {
        let mut seen = BTreeMap::new();
        for number in 0..10_000_u16 {
            // As the hashes of paths that differ in a few characters: far apart.
            let root = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
            let counts = vec![1 + number % 120; usize::from(1 + number % 7)];
            let room = PortRoom::of_counts(&counts);
            let base = choose(root, &room, LIMIT, free).unwrap();
            assert!((10_000..32_768).contains(&base) && base % 100 == 0, "{root}: {base}");
            let refused = room.ports(base).find(|port| is_refused_by_browsers(*port));
            assert_eq!(refused, None, "{root}: {base}");
            assert!(room.ports(base).all(|port| port < LIMIT), "{root}: {base}");
            *seen.entry(base).or_insert(0) += 1;
        }
        assert!(seen.len() > 200, "they are spread: {}", seen.len());
        assert!(seen.values().all(|count| *count < 400), "{seen:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(cases(12)))]

        #[test]
        fn roots_never_share_a_port_and_all_room_is_used_before_it_runs_out(
            hashes in proptest::collection::vec(any::<u64>(), 60..240), types in 1_usize..9,
        ) {
            let room = PortRoom::of_counts(&vec![1; types]);
            let mut given: Vec<u16> = Vec::new();
            for hash in hashes {
                let standing = |base| {
                    let is_taken =
                        given.iter().any(|other| room.overlaps(base, (*other, room.steps)));
                    if is_taken { BaseState::Taken } else { BaseState::Free }
                };
                match choose(hash, &room, LIMIT, standing) {
                    Some(base) => {
                        prop_assert!(room.fits(base, LIMIT));
                        prop_assert_eq!(standing(base), BaseState::Free);
                        given.push(base);
                    }
                    // 226 hundreds are between 10100 and 32768.
                    None => prop_assert_eq!(given.len(), 226 / types),
                }
            }
        }
    }
}
