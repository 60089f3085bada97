//! Thousands of random applications and events. `World` checks the invariants at every step.

use std::time::Duration;

use crate::app::{Budget, Exit, ExitOn, Front, Policy, Reach, Restart, Role, RunId, Signal};
use crate::app::{MemoryAction, Size};
use crate::long::cases;
use crate::supervisor::sim::{FakeChild, TypeRow, World};
use crate::supervisor::{Event, Group};

/// Numbers that look random and are the same each time (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Returns a number from 0 to `n` - 1.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

pub(super) fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[usize::try_from(random.below(from.len() as u64)).unwrap()]
}

fn exit(random: &mut Random) -> Exit {
    pick(random, &[Exit::Code(0), Exit::Code(0), Exit::Code(3), Exit::Signal(Signal::KILL)])
}

pub(super) fn child(random: &mut Random) -> FakeChild {
    let after = if random.below(4) == 0 { 10_000 } else { random.below(400) };
    match random.below(20) {
        0 => FakeChild::Deaf,
        1 => FakeChild::Immortal,
        2..=5 => FakeChild::ExitsAfter(after, exit(random)),
        6 => FakeChild::Leaky(after, exit(random)),
        7 => FakeChild::LeavesGroup(random.below(7000)),
        8 if after % 2 == 0 => FakeChild::LeavesGroupImmortal,
        8 => FakeChild::LeavesGroupDeaf,
        9 | 10 => FakeChild::LeavesJob(after, exit(random)),
        11 => FakeChild::LeavesDeafJob(after, exit(random)),
        12 => FakeChild::Daemonises,
        13 => FakeChild::DaemonisesDeaf,
        14 => FakeChild::DaemonisesImmortal,
        15 if random.below(3) == 0 => FakeChild::Missing,
        16 => FakeChild::Master(random.below(7000)),
        17 if after % 2 == 0 => FakeChild::Shell(random.below(7000)),
        17 => FakeChild::ShellOfMaster(random.below(4000), random.below(4000)),
        _ => FakeChild::Forever,
    }
}

fn a_budget(random: &mut Random) -> Option<Budget> {
    let action = pick(random, &[MemoryAction::Restart, MemoryAction::Warn, MemoryAction::Kill]);
    let size = Size::from_bytes(random.below(3))?;
    Some(Budget { size, action })
}

fn a_row(random: &mut Random, name: &'static str) -> TypeRow {
    let is_release = random.below(10) == 0;
    let policy = Policy {
        restart: pick(random, &[Restart::Never, Restart::OnFailure, Restart::Always]),
        max_restarts: u32::try_from(random.below(4)).unwrap(),
        stop_signal: pick(random, &[Signal::TERM, Signal::INT, Signal::HUP]),
        stop_signal_to: pick(random, &[Reach::Program, Reach::Program, Reach::Group]),
        grace: Duration::from_millis(pick(random, &[0, 1, 200, 1000, 5000, 12_000])),
        role: if is_release { Role::Release } else { Role::Service },
        budget: a_budget(random),
        drain: Duration::from_millis(pick(random, &[0, 50, 3000])),
        ..Policy::default()
    };
    let children = (0..=random.below(3)).map(|_| child(random)).collect();
    let front = (random.below(3) == 0).then(Front::default);
    TypeRow { name, count: u16::try_from(random.below(4)).unwrap(), policy, children, front }
}

pub(super) fn a_world(random: &mut Random) -> World {
    let names = ["a", "b", "c"];
    let rows = names.map(|name| a_row(random, name)).to_vec();
    let exit_on = pick(random, &[ExitOn::First, ExitOn::Failure, ExitOn::All]);
    let mut w = World::new(exit_on, rows);
    // Budgets are 1 or 2 bytes: some runs stay over them, some change.
    w.memory = |run, now| u64::from(run.seq) + now.0.as_secs() / 7 % 3;
    w.start_takes = pick(random, &[0, 0, 1, 30]);
    w.in_flight = |run| (run.seq % 3 > 0).then_some(u64::from(run.seq % 5) * 40);
    w.has_reader = random.below(4) > 0;
    w
}

/// Something that may happen at any time and says nothing untrue about a run that lives.
fn an_event(random: &mut Random, w: &World) -> Event {
    let signals = [Signal::USR1, Signal::USR2, Signal::TSTP, Signal::CONT, Signal(28)];
    let nth = usize::try_from(random.below(8)).unwrap();
    let past = w.past_run(nth);
    match (random.below(10), past) {
        (0, _) => Event::Signalled(pick(random, &[Signal::INT, Signal::TERM, Signal::HUP])),
        (1..=3, _) => Event::Signalled(pick(random, &signals)),
        (4, Some(run)) => Event::OutputClosed { run },
        (5, Some(run)) if nth % 2 == 0 => Event::GroupGone { run },
        (5, Some(run)) => Event::ProgramEnded { run },
        (6, Some(run)) => Event::Exited { run, exit: exit(random), group: Group::Left },
        (9, Some(run)) => Event::Measured { run, bytes: 9 },
        (7, Some(RunId { instance, .. })) => {
            Event::Spawned { run: RunId { instance, seq: 0 }, pid: 1 }
        }
        (8, _) if random.below(10) == 0 => Event::OutputLost(141),
        _ => Event::Ticked,
    }
}

#[test]
fn every_storm_ends_soon_after_its_shutdown_and_breaks_no_rule() {
    for seed in 1..=u64::from(cases(200)) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut w = a_world(&mut random);
        let mut until = 0;
        for _ in 0..random.below(25) {
            until += pick(&mut random, &[0, 1, 50, 300, 2000]);
            w.run(until);
            let event = an_event(&mut random, &w);
            w.after(0, event);
        }
        w.run(until);
        w.after(0, Event::Signalled(Signal::TERM));
        // Grace, limit of the kill and drain of the instances, then grace and limit of the orphans.
        let limit = until + 30 + 3_000 + 12_000 + 2_000 + 200 + 12_000 + 2_000;
        assert!(w.run(limit).is_some(), "storm {seed} did not end\n{}", w.trace());
    }
}

#[test]
fn a_storm_after_a_late_tick_acts_on_every_deadline_that_passed() {
    for seed in 1..=u64::from(cases(50)) {
        let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let mut w = a_world(&mut random);
        w.run(random.below(3000));
        for _ in 0..10 {
            w.now = w.now + Duration::from_secs(random.below(100));
            w.deliver(Event::Ticked);
        }
        w.after(0, Event::Signalled(Signal::TERM));
        w.run(u64::MAX);
        assert!(w.sup.finished().is_some(), "storm {seed} did not end\n{}", w.trace());
    }
}
