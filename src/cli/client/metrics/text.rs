//! The text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).

use std::fmt::Write;

/// What a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counters of what was at most so much, with their sum.
    Histogram,
}

/// A metric with its samples, all in one place as the format wants it.
#[derive(Debug)]
pub(super) struct MetricFamily {
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    samples: String,
}

impl MetricFamily {
    pub(super) fn new(name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self { name, kind, help, samples: String::new() }
    }

    /// Adds a sample. `labels` are written already; those in `more` are added to them, but for empty ones, which are the
    /// same as none.
    pub(super) fn add(&mut self, labels: &str, more: &[(&str, &str)], value: impl ToString) {
        self.add_part("", labels, more, value);
    }

    /// Adds one of several samples that make a histogram: `_bucket`, `_sum` or `_count`.
    pub(super) fn add_part(
        &mut self,
        part: &str,
        labels: &str,
        more: &[(&str, &str)],
        value: impl ToString,
    ) {
        self.samples.push_str(self.name);
        self.samples.push_str(part);
        self.samples.push('{');
        self.samples.push_str(labels);
        for (name, value) in more.iter().filter(|(_, value)| !value.is_empty()) {
            self.samples.push(',');
            self.samples.push_str(&label(name, value));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(self.samples, "}} {}", value.to_string());
    }

    /// Returns its text; nothing without samples.
    pub(super) fn text(&self) -> String {
        if self.samples.is_empty() {
            return String::new();
        }
        let kind = match self.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let Self { name, help, samples, .. } = self;
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")
    }
}

/// Returns `name="value"`. A backslash, a quote and a line feed are escaped, and nothing else.
pub(super) fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_label_cannot_hold_is_escaped() {
        for (value, expected) in [
            ("/srv/app", r#"root="/srv/app""#),
            ("a \"b\"\\n\nc", r#"root="a \"b\"\\n\nc""#),
            ("é日 {a=,}", r#"root="é日 {a=,}""#),
        ] {
            assert_eq!(label("root", value), expected);
        }
    }

    #[test]
    fn a_family_has_its_help_and_type_once_and_none_without_samples() {
        let mut family = MetricFamily::new("pm_x_total", MetricKind::Counter, "Count.");
        assert_eq!(family.text(), "");
        family.add("root=\"/\"", &[("code", "3"), ("signal", "")], 7);
        family.add("root=\"/\"", &[], 1.5);
        assert_eq!(
            family.text(),
            "# HELP pm_x_total Count.\n# TYPE pm_x_total counter\n\
             pm_x_total{root=\"/\",code=\"3\"} 7\npm_x_total{root=\"/\"} 1.5\n"
        );
    }
}
