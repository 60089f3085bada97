//! The port of each run, which a front passes requests to.

use std::collections::BTreeMap;

use crate::app::{App, InstanceId, PortSlot, RunId};

/// The ports of the runs that there are.
#[derive(Debug, Default)]
pub(crate) struct RunPorts(BTreeMap<RunId, u16>);

impl RunPorts {
    /// Takes note of the port of a run that is about to start.
    pub(crate) fn started(&mut self, app: &App, run: RunId, slot: PortSlot) {
        if let Some(port) = app.port_in(run.instance, slot) {
            self.0.insert(run, port);
        }
    }

    /// Forgets a run that is over.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.0.remove(&run);
    }

    /// Returns whether a run of a process type has a port.
    pub(super) fn is_of_type(&self, port: u16, process_type: u16) -> bool {
        self.0.iter().any(|(run, of)| run.instance.process_type == process_type && *of == port)
    }

    /// Returns the port of a run.
    pub(crate) fn of_run(&self, run: RunId) -> Option<u16> {
        self.0.get(&run).copied()
    }

    /// Returns the port of an instance: that of its newest run, else the one that its next run will have.
    pub(crate) fn of(&self, app: &App, id: InstanceId) -> Option<u16> {
        let of_instance = |seq| RunId { instance: id, seq };
        let newest = self.0.range(of_instance(0)..=of_instance(u32::MAX)).next_back();
        newest.map(|(_, port)| *port).or_else(|| app.port_of(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Environment, ExitOn, Front, ProcessType};

    #[test]
    fn an_instance_has_the_port_of_its_newest_run_and_before_that_its_usual_one() {
        let front = Some(Front::default());
        let app = App {
            root: "/".into(),
            types: vec![ProcessType { front, count: 2, ..ProcessType::of("web", "") }],
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::Failure,
        };
        let run = |number, seq| RunId { instance: InstanceId { process_type: 0, number }, seq };
        let mut ports = RunPorts::default();
        let id = run(1, 1).instance;
        assert_eq!(ports.of(&app, id), Some(5001));
        ports.started(&app, run(1, 1), PortSlot::Usual);
        ports.started(&app, run(1, 2), PortSlot::Other);
        assert_eq!(ports.of(&app, id), Some(5051));
        assert_eq!((ports.of_run(run(1, 1)), ports.of_run(run(2, 1))), (Some(5001), None));
        ports.forget(run(1, 2));
        assert_eq!(ports.of(&app, id), Some(5001));
    }
}
