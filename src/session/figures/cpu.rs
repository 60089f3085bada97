//! The CPU time of an instance: a sum that only grows, over members of its tree that come and go and over restarts.
//!
//! A process that ends between two looks is not lost: what it had used was counted when it was last seen, and the rest is
//! in the time that its parent has waited for. So that this is not counted twice, what is known of the dead is taken off
//! the growth of the nearest ancestor that still lives. A child that nobody waits for keeps what was counted.

use std::collections::HashMap;
use std::time::Duration;

use crate::os::usage::ProcessUsage;

/// The CPU time of all runs of an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct CpuAccount {
    total: Duration,
    /// The processes of the current run, as they were last seen.
    known: HashMap<i32, ProcessUsage>,
}

impl CpuAccount {
    /// Returns the time that all runs have used.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// Takes what the processes of the run have used by now.
    pub(super) fn saw(&mut self, processes: &[ProcessUsage]) {
        let now: HashMap<i32, ProcessUsage> =
            processes.iter().map(|process| (process.pid, *process)).collect();
        let mut waited_for = self.of_the_dead(&now);
        for process in now.values() {
            self.total += match self.known.get(&process.pid) {
                Some(before) if before.started == process.started => {
                    let own = process.own.saturating_sub(before.own);
                    let waited = process.waited.saturating_sub(before.waited);
                    let counted = waited_for.remove(&process.pid).unwrap_or_default();
                    own + waited.saturating_sub(counted)
                }
                Some(_) | None => process.own + process.waited,
            };
        }
        self.known = now;
    }

    /// Ends a run. The time is what its leader has used, with what it has waited for; `None` if that is unknown.
    pub(super) fn ended(&mut self, leader: i32, used: Option<Duration>) {
        let Some(used) = used else { return self.known.clear() };
        let before = self.known.get(&leader).copied();
        let of_leader = before.map(|leader| leader.own + leader.waited).unwrap_or_default();
        let left = before.map(|before| (leader, before)).into_iter().collect();
        let counted = self.of_the_dead(&left).remove(&leader).unwrap_or_default();
        self.total += used.saturating_sub(of_leader + counted);
        self.known.clear();
    }

    /// Returns for each process that still lives what was counted of those below it that do not.
    fn of_the_dead(&self, now: &HashMap<i32, ProcessUsage>) -> HashMap<i32, Duration> {
        let lives = |process: &ProcessUsage| {
            now.get(&process.pid).is_some_and(|now| now.started == process.started)
        };
        let mut sums: HashMap<i32, Duration> = HashMap::new();
        for dead in self.known.values().filter(|process| !lives(process)) {
            let mut above = self.known.get(&dead.parent);
            // A process id that was used again can make a circle of parents.
            for _ in 0..self.known.len() {
                match above {
                    Some(parent) if lives(parent) => {
                        *sums.entry(parent.pid).or_default() += dead.own + dead.waited;
                        break;
                    }
                    Some(parent) => above = self.known.get(&parent.parent),
                    None => break,
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::long::cases;

    fn process(pid: i32, parent: i32, own: u64, waited: u64) -> ProcessUsage {
        let [own, waited] = [own, waited].map(Duration::from_millis);
        ProcessUsage { pid, parent, started: 0, own, waited }
    }

    fn total(account: &CpuAccount) -> u128 {
        account.total().as_millis()
    }

    #[test]
    fn what_a_child_used_is_counted_once_when_its_parent_has_waited_for_it() {
        let mut account = CpuAccount::default();
        account.saw(&[process(1, 0, 10, 0), process(2, 1, 500, 0)]);
        assert_eq!(total(&account), 510);
        account.saw(&[process(1, 0, 10, 700)]);
        assert_eq!(total(&account), 710);
        account.ended(1, Some(Duration::from_millis(730)));
        assert_eq!(total(&account), 730);
    }

    #[test]
    fn a_child_that_nobody_has_waited_for_stays_counted() {
        let mut account = CpuAccount::default();
        account.saw(&[process(1, 0, 10, 0), process(2, 1, 500, 0)]);
        account.saw(&[process(1, 0, 15, 0)]);
        assert_eq!(total(&account), 515);
    }

    #[test]
    fn a_whole_branch_that_has_ended_is_found_in_the_ancestor_that_lives() {
        let mut account = CpuAccount::default();
        account.saw(&[process(1, 0, 0, 0), process(2, 1, 100, 0), process(3, 2, 200, 0)]);
        account.saw(&[process(1, 0, 0, 350)]);
        assert_eq!(total(&account), 350);
    }

    #[test]
    fn a_process_id_that_was_used_again_is_another_process() {
        let mut account = CpuAccount::default();
        account.saw(&[process(1, 0, 0, 0), process(2, 1, 300, 0)]);
        let again = ProcessUsage { started: 9, ..process(2, 1, 40, 0) };
        account.saw(&[process(1, 0, 0, 300), again]);
        assert_eq!(total(&account), 340);
    }

    #[test]
    fn the_time_of_earlier_runs_stays_and_one_that_was_never_seen_is_counted_at_its_end() {
        let mut account = CpuAccount::default();
        account.ended(1, Some(Duration::from_millis(150)));
        account.ended(2, None);
        account.saw(&[process(3, 0, 20, 0)]);
        assert_eq!(total(&account), 170);
    }

    /// A process of the model: what it has used, and what the children that it has waited for have used.
    #[derive(Clone, Copy)]
    struct Modelled {
        pid: i32,
        parent: i32,
        own: u64,
        waited: u64,
    }

    /// Numbers that look random and are the same each time (xorshift).
    fn below(state: &mut u64, n: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % n as u64).unwrap()
    }

    #[test]
    fn over_any_history_the_sum_never_falls_and_is_what_was_really_used() {
        for seed in 1..=cases(300) {
            let mut state = u64::from(seed) * 7919;
            let mut account = CpuAccount::default();
            let (mut used, mut before, mut next) = (0, 0, 1);
            for _ in 0..6 {
                let mut tree = vec![Modelled { pid: next, parent: 0, own: 0, waited: 0 }];
                let leader = next;
                next += 1;
                for _ in 0..40 {
                    let at = below(&mut state, tree.len());
                    match below(&mut state, 4) {
                        0 => {
                            let parent = tree[at].pid;
                            tree.push(Modelled { pid: next, parent, own: 0, waited: 0 });
                            next += 1;
                        }
                        1 => {
                            let more = below(&mut state, 50) as u64;
                            tree[at].own += more;
                            used += more;
                        }
                        // One without children ends, and its parent has waited for it.
                        2 if at > 0 && !tree.iter().any(|one| one.parent == tree[at].pid) => {
                            let dead = tree.remove(at);
                            let parent = tree.iter_mut().find(|one| one.pid == dead.parent);
                            parent.unwrap().waited += dead.own + dead.waited;
                        }
                        2 => {}
                        _ => {
                            let seen: Vec<_> = tree
                                .iter()
                                .map(|one| process(one.pid, one.parent, one.own, one.waited))
                                .collect();
                            account.saw(&seen);
                            assert_eq!(total(&account), u128::from(used), "seed {seed}");
                        }
                    }
                    assert!(total(&account) >= before, "seed {seed}");
                    before = total(&account);
                }
                // All end, from the youngest, and are waited for.
                while tree.len() > 1 {
                    let dead = tree.pop().unwrap();
                    let parent = tree.iter_mut().find(|one| one.pid == dead.parent);
                    parent.unwrap().waited += dead.own + dead.waited;
                }
                let all = Duration::from_millis(tree[0].own + tree[0].waited);
                account.ended(leader, Some(all));
                assert_eq!(total(&account), u128::from(used), "seed {seed}");
            }
        }
    }
}
