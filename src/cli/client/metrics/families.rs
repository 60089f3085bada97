//! The metrics of sessions and their instances. No command, no environment and no output is in them.

use std::path::Path;

use super::proxies::ProxyFamilies;
use super::text::MetricKind::{Counter, Gauge};
use super::text::{MetricFamily, label};
use crate::control::proto::{InstanceStatus, InstanceUsage, LastExit, Report, RestartCounts};

/// A session, and what it says of itself.
#[derive(Debug)]
pub(super) struct SessionMetrics {
    root: String,
    pid: i32,
    /// `None`: it does not answer, or there is none.
    report: Option<Report>,
}

impl SessionMetrics {
    /// Takes what a session has said.
    pub(super) fn of(report: Report) -> Self {
        Self { root: report.root.clone(), pid: report.session, report: Some(report) }
    }

    /// Makes one of a session that does not answer.
    pub(super) fn down(root: &Path, pid: i32) -> Self {
        Self { root: root.to_string_lossy().into_owned(), pid, report: None }
    }
}

/// Every family of an instance, in the order of the text.
struct InstanceFamilies {
    state: MetricFamily,
    ready: MetricFamily,
    starts: MetricFamily,
    restarts: MetricFamily,
    uptime: MetricFamily,
    cpu: MetricFamily,
    memory: MetricFamily,
    budget: MetricFamily,
    processes: MetricFamily,
    open_fds: MetricFamily,
    output_bytes: MetricFamily,
    output_lines: MetricFamily,
    last_exit: MetricFamily,
}

impl InstanceFamilies {
    fn new() -> Self {
        let of = MetricFamily::new;
        Self {
            state: of(
                "pm_instance_state",
                Gauge,
                "What the instance does: 1 for its present state.",
            ),
            ready: of(
                "pm_instance_ready",
                Gauge,
                "Whether the instance is ready, where it has `ready`.",
            ),
            starts: of("pm_instance_starts_total", Counter, "Starts of the instance."),
            restarts: of(
                "pm_instance_restarts_total",
                Counter,
                "Starts after an end, by its cause.",
            ),
            uptime: of(
                "pm_instance_uptime_seconds",
                Gauge,
                "Time since the instance came up, 0 if it is not up.",
            ),
            cpu: of(
                "pm_instance_cpu_seconds_total",
                Counter,
                "CPU time of all runs of the instance.",
            ),
            memory: of(
                "pm_instance_memory_bytes",
                Gauge,
                "Memory of the processes of the instance.",
            ),
            budget: of("pm_instance_memory_budget_bytes", Gauge, "Memory budget of the instance."),
            processes: of("pm_instance_processes", Gauge, "Processes of the instance."),
            open_fds: of(
                "pm_instance_open_fds",
                Gauge,
                "Open files of the processes of the instance.",
            ),
            output_bytes: of(
                "pm_instance_output_bytes_total",
                Counter,
                "Bytes of output of all runs.",
            ),
            output_lines: of(
                "pm_instance_output_lines_total",
                Counter,
                "Lines of output of all runs.",
            ),
            last_exit: of(
                "pm_instance_last_exit",
                Gauge,
                "How the last run that is over has ended.",
            ),
        }
    }

    fn add(&mut self, labels: &str, instance: &InstanceStatus) {
        self.state.add(labels, &[("state", instance.state.word())], 1);
        if let Some(ready) = instance.ready {
            self.ready.add(labels, &[], u8::from(ready));
        }
        self.uptime.add(labels, &[], instance.uptime.unwrap_or(0.0));
        if let Some(LastExit { code, signal, .. }) = &instance.last_exit {
            let code = code.map(|code| code.to_string()).unwrap_or_default();
            let signal = signal.as_deref().unwrap_or_default().trim_start_matches("SIG");
            self.last_exit.add(labels, &[("code", &code), ("signal", signal)], 1);
        }
        if let Some(figures) = &instance.figures {
            self.add_figures(labels, figures);
        }
    }

    fn add_figures(&mut self, labels: &str, figures: &InstanceUsage) {
        self.starts.add(labels, &[], figures.starts);
        let RestartCounts { crash, memory, not_ready, not_alive, watch, asked } = figures.restarts;
        for (cause, count) in [
            ("crash", crash),
            ("memory", memory),
            ("not_ready", not_ready),
            ("not_alive", not_alive),
            ("watch", watch),
            ("asked", asked),
        ] {
            self.restarts.add(labels, &[("cause", cause)], count);
        }
        self.cpu.add(labels, &[], figures.cpu_total);
        let kinds = [("rss", figures.rss), ("pss", figures.pss), ("cgroup", figures.cgroup)];
        for (kind, bytes) in kinds {
            if let Some(bytes) = bytes {
                self.memory.add(labels, &[("kind", kind)], bytes);
            }
        }
        if let Some(bytes) = figures.budget {
            self.budget.add(labels, &[], bytes);
        }
        self.processes.add(labels, &[], figures.processes);
        if let Some(count) = figures.open_files {
            self.open_fds.add(labels, &[], count);
        }
        self.output_bytes.add(labels, &[], figures.output_bytes);
        self.output_lines.add(labels, &[], figures.output_lines);
    }

    fn text(&self) -> String {
        let all = [
            &self.state,
            &self.ready,
            &self.starts,
            &self.restarts,
            &self.uptime,
            &self.cpu,
            &self.memory,
            &self.budget,
            &self.processes,
            &self.open_fds,
            &self.output_bytes,
            &self.output_lines,
            &self.last_exit,
        ];
        all.map(MetricFamily::text).concat()
    }
}

/// Returns the text of these sessions. Those that share a root are told apart by their process id.
pub(super) fn text(sessions: &[SessionMetrics]) -> String {
    let mut up = MetricFamily::new("pm_up", Gauge, "Whether the session answers.");
    let mut families = InstanceFamilies::new();
    let mut proxies = ProxyFamilies::new();
    for session in sessions {
        let same = sessions.iter().filter(|other| other.root == session.root);
        let mut labels = label("root", &session.root);
        if same.count() > 1 {
            labels.push(',');
            labels.push_str(&label("session", &session.pid.to_string()));
        }
        up.add(&labels, &[], u8::from(session.report.is_some()));
        for proxy in session.report.iter().flat_map(|report| &report.proxies) {
            proxies.add(&labels, proxy);
        }
        for instance in session.report.iter().flat_map(|report| &report.instances) {
            let name = &instance.name;
            let process_type = name.rsplit_once('.').map_or(name.as_str(), |(known, _)| known);
            let own = [("type", process_type), ("instance", name)].map(|(key, it)| label(key, it));
            families.add(&format!("{labels},{}", own.join(",")), instance);
        }
    }
    up.text() + &families.text() + &proxies.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::InstanceState;

    fn session(root: &str, pid: i32, instances: Vec<InstanceStatus>) -> SessionMetrics {
        let mut report: Report = serde_json::from_value(serde_json::json!({
            "session": pid, "root": root, "types": [], "instances": [],
        }))
        .unwrap();
        report.instances = instances;
        SessionMetrics::of(report)
    }

    #[test]
    fn every_metric_of_an_instance_is_named_once_with_its_labels() {
        let last_exit = LastExit {
            code: None,
            signal: Some("SIGKILL".into()),
            at: 0,
            cause: "secret".into(),
            tail: vec!["secret".into()],
        };
        let web = InstanceStatus {
            ready: Some(true),
            uptime: Some(1.5),
            last_exit: Some(last_exit),
            figures: Some(Box::new(InstanceUsage {
                cpu_total: 2.25,
                rss: Some(4096),
                budget: Some(8192),
                processes: 2,
                open_files: Some(9),
                starts: 2,
                restarts: RestartCounts { memory: 1, ..RestartCounts::default() },
                output_bytes: 20,
                output_lines: 2,
                ..InstanceUsage::default()
            })),
            ..InstanceStatus::of("web.1", InstanceState::Ready)
        };
        let text = text(&[session("/a", 7, vec![web])]);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let own = "root=\"/a\",type=\"web\",instance=\"web.1\"";
        let expected = [
            "pm_up{root=\"/a\"} 1".to_owned(),
            format!("pm_instance_state{{{own},state=\"ready\"}} 1"),
            format!("pm_instance_ready{{{own}}} 1"),
            format!("pm_instance_starts_total{{{own}}} 2"),
            format!("pm_instance_restarts_total{{{own},cause=\"crash\"}} 0"),
            format!("pm_instance_restarts_total{{{own},cause=\"memory\"}} 1"),
            format!("pm_instance_restarts_total{{{own},cause=\"not_ready\"}} 0"),
            format!("pm_instance_restarts_total{{{own},cause=\"not_alive\"}} 0"),
            format!("pm_instance_restarts_total{{{own},cause=\"watch\"}} 0"),
            format!("pm_instance_restarts_total{{{own},cause=\"asked\"}} 0"),
            format!("pm_instance_uptime_seconds{{{own}}} 1.5"),
            format!("pm_instance_cpu_seconds_total{{{own}}} 2.25"),
            format!("pm_instance_memory_bytes{{{own},kind=\"rss\"}} 4096"),
            format!("pm_instance_memory_budget_bytes{{{own}}} 8192"),
            format!("pm_instance_processes{{{own}}} 2"),
            format!("pm_instance_open_fds{{{own}}} 9"),
            format!("pm_instance_output_bytes_total{{{own}}} 20"),
            format!("pm_instance_output_lines_total{{{own}}} 2"),
            format!("pm_instance_last_exit{{{own},signal=\"KILL\"}} 1"),
        ];
        assert_eq!(samples, expected);
        assert!(!text.contains("secret"));
    }

    #[test]
    fn sessions_of_one_root_are_told_apart_and_one_that_does_not_answer_is_down() {
        let web = || vec![InstanceStatus::of("web.1", InstanceState::Up)];
        let down = SessionMetrics::down(Path::new("/b"), 9);
        let text = text(&[session("/a", 7, web()), session("/a", 8, web()), down]);
        let up: Vec<_> = text.lines().filter(|line| line.starts_with("pm_up{")).collect();
        let expected = [
            "pm_up{root=\"/a\",session=\"7\"} 1",
            "pm_up{root=\"/a\",session=\"8\"} 1",
            "pm_up{root=\"/b\"} 0",
        ];
        assert_eq!(up, expected);
        assert_eq!(text.matches("# TYPE pm_instance_state ").count(), 1);
        assert!(text.contains("pm_instance_state{root=\"/a\",session=\"8\",type=\"web\""));
    }
}
