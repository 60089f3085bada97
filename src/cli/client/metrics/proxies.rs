//! The metrics of the proxies of a session: one address for all instances of a process type each.

use super::text::MetricKind::{Counter, Gauge, Histogram};
use super::text::{MetricFamily, label};
use crate::control::proto::ProxyStatus;

/// Every family of a proxy, in the order of the text.
pub(super) struct ProxyFamilies {
    requests: MetricFamily,
    in_flight: MetricFamily,
    seconds: MetricFamily,
}

impl ProxyFamilies {
    pub(super) fn new() -> Self {
        let of = MetricFamily::new;
        Self {
            requests: of(
                "pm_proxy_requests_total",
                Counter,
                "Requests that were answered, by status code.",
            ),
            in_flight: of(
                "pm_proxy_in_flight",
                Gauge,
                "Requests that are not answered, or not to the last byte.",
            ),
            seconds: of(
                "pm_proxy_request_seconds",
                Histogram,
                "Time from the head of a request to the last byte of its answer.",
            ),
        }
    }

    /// Adds a proxy; `session` are the labels of its session.
    pub(super) fn add(&mut self, session: &str, proxy: &ProxyStatus) {
        let labels = format!("{session},{}", label("type", &proxy.name));
        self.in_flight.add(&labels, &[], proxy.in_flight);
        let Some(traffic) = &proxy.traffic else { return };
        for (code, count) in &traffic.codes {
            self.requests.add(&labels, &[("code", &code.to_string())], count);
        }
        for (bound, count) in &traffic.within {
            self.bucket(&labels, &bound.to_string(), *count);
        }
        self.bucket(&labels, "+Inf", traffic.answered);
        self.seconds.add_part("_sum", &labels, &[], traffic.seconds_sum);
        self.seconds.add_part("_count", &labels, &[], traffic.answered);
    }

    fn bucket(&mut self, labels: &str, bound: &str, count: u64) {
        self.seconds.add_part("_bucket", labels, &[("le", bound)], count);
    }

    pub(super) fn text(&self) -> String {
        [&self.requests, &self.in_flight, &self.seconds].map(MetricFamily::text).concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::ProxyTraffic;

    #[test]
    fn a_proxy_has_its_requests_by_code_and_a_histogram_of_their_time() {
        let traffic = ProxyTraffic {
            codes: vec![(200, 5), (503, 1)],
            within: vec![(0.0025, 3), (1.0, 5)],
            answered: 6,
            seconds_sum: 20.5,
        };
        let mut families = ProxyFamilies::new();
        let (port, ready, instances, in_flight) = (5000, 2, 2, 4);
        let traffic = Some(Box::new(traffic));
        let web = ProxyStatus { name: "web".into(), port, ready, instances, in_flight, traffic };
        families.add("root=\"/a\"", &web);
        // A session of an older pm tells no more.
        families.add("root=\"/b\"", &ProxyStatus { traffic: None, ..web });
        let own = "root=\"/a\",type=\"web\"";
        assert_eq!(
            families.text(),
            format!(
                "# HELP pm_proxy_requests_total Requests that were answered, by status code.\n\
                 # TYPE pm_proxy_requests_total counter\n\
                 pm_proxy_requests_total{{{own},code=\"200\"}} 5\n\
                 pm_proxy_requests_total{{{own},code=\"503\"}} 1\n\
                 # HELP pm_proxy_in_flight Requests that are not answered, or not to the last byte.\n\
                 # TYPE pm_proxy_in_flight gauge\n\
                 pm_proxy_in_flight{{{own}}} 4\n\
                 pm_proxy_in_flight{{root=\"/b\",type=\"web\"}} 4\n\
                 # HELP pm_proxy_request_seconds Time from the head of a request to the last byte of its answer.\n\
                 # TYPE pm_proxy_request_seconds histogram\n\
                 pm_proxy_request_seconds_bucket{{{own},le=\"0.0025\"}} 3\n\
                 pm_proxy_request_seconds_bucket{{{own},le=\"1\"}} 5\n\
                 pm_proxy_request_seconds_bucket{{{own},le=\"+Inf\"}} 6\n\
                 pm_proxy_request_seconds_sum{{{own}}} 20.5\n\
                 pm_proxy_request_seconds_count{{{own}}} 6\n"
            )
        );
    }
}
