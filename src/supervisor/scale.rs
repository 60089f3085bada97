//! How many instances of a type there are: `pm scale`, and a type that came with a reload.

use super::Supervisor;
use super::pending::{Condition, PendingRequest};
use super::proc::Proc;
use super::request::Failure;
use super::state::Goal;
use crate::app::InstanceId;
use crate::app::ports::MOST_BEHIND_FRONT;

impl Supervisor {
    /// Lets those over the count leave, and makes those that are missing.
    pub(super) fn scale(&mut self, process_type: u16, count: u16, pending: &mut PendingRequest) {
        let of_number = |number| InstanceId { process_type, number };
        if count > 0 && self.app.port_of(of_number(count)).is_none() {
            let is_crowded =
                count > MOST_BEHIND_FRONT && self.app.type_of(of_number(count)).front.is_some();
            let failure = if is_crowded { Failure::NoRoomBehindFront } else { Failure::NoPort };
            pending.failures.push((of_number(count), failure));
            return;
        }
        let all: Vec<_> = self.procs.of_type(process_type).map(|(id, _)| id).collect();
        for id in all {
            if id.number > count {
                self.overrule(id);
                self.proc(id).goal = Goal::Leave;
                pending.expect(id, Condition::Gone);
            }
        }
        for id in (1..=count).map(of_number) {
            match self.procs.get(id).map(|proc| proc.goal) {
                // Whatever it does, it is not touched.
                Some(Goal::Run | Goal::Renew | Goal::Stop) => {}
                Some(Goal::Leave) => {
                    let condition = self.want_running(id);
                    pending.expect(id, condition);
                }
                None => {
                    let runs = self.left.remove(&id).unwrap_or(0);
                    self.procs.insert(id, Proc { by_request: true, ..Proc::new(runs) });
                    pending.expect(id, Condition::Up);
                }
            }
        }
    }
}
