//! Where `${PM_URL_API}` of pm.toml leads.

use super::{app, options, process, whole};
use crate::app::{App, Source};
use crate::export::formats::{compose, kubernetes, nomad, quadlet, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{Format, render};

/// `web` and `worker` refer to `api`, `web` to itself, and `worker` to `idle`, which is not exported.
fn referring() -> App {
    let config = || Source::Config("pm.toml [process.web.env]".to_owned());
    let mut web = process("web", "bin/web -p $PORT", 1);
    let mut worker = process("worker", "bin/worker", 1);
    for own in [&mut web, &mut worker] {
        own.environment.set("API_URL", "${PM_URL_API}/v1", config());
        own.environment.set("API_PORT", "${PM_PORT_API}", config());
    }
    web.environment.set("SELF", "${PM_URL_WEB}", config());
    worker.environment.set("HERE", "localhost:${PM_PORT_API}", config());
    worker.environment.set("IDLE", "${PM_URL_IDLE}", config());
    let api = process("api", "bin/api -p $PORT", 1);
    app("/srv/shop", vec![web, api, worker, process("idle", "bin/idle $PORT", 0)], &[])
}

fn text(format: &Format) -> String {
    whole(&render(format, &referring(), &options("shop")).unwrap())
}

fn told(format: &Format) -> Vec<String> {
    let all =
        notices(format, &referring(), &options("shop"), Account::Reachable, std::iter::empty());
    all.into_iter().filter(|notice| notice.contains("does not lead")).collect()
}

#[test]
fn a_reference_leads_to_the_host_of_the_type() {
    for (format, api, own) in [
        (&systemd::FORMAT, "http://localhost:5100/v1", "http://localhost:5000"),
        (&compose::FORMAT, "http://api:5100/v1", "http://web:5000"),
        (&kubernetes::FORMAT, "http://shop-api:5100/v1", "http://shop-web:5000"),
    ] {
        let text = text(format);
        for value in [api, own] {
            assert!(text.contains(value), "{} {value}: {text}", format.name);
        }
    }
}

#[test]
fn what_leads_nowhere_is_told() {
    let apart = |name: &str, key: &str, types: &str, to: &str| {
        format!(
            "`{key}` of {types} does not lead to `{to}`: {name} runs each type on a `localhost` of its own; \
             set where it is reached"
        )
    };
    assert_eq!(told(&systemd::FORMAT), [""; 0]);
    for format in [&compose::FORMAT, &kubernetes::FORMAT] {
        assert_eq!(
            told(format),
            [
                apart(format.name, "HERE", "`worker`", "api"),
                apart(format.name, "IDLE", "`worker`", "idle"),
            ]
        );
    }
    assert_eq!(
        told(&quadlet::FORMAT),
        [
            apart("quadlet", "API_URL", "`web` and `worker`", "api"),
            apart("quadlet", "HERE", "`worker`", "api"),
            apart("quadlet", "IDLE", "`worker`", "idle"),
        ]
    );
    let of_nomad = told(&nomad::FORMAT);
    let chosen = "`API_PORT` of `web` and `worker` does not lead to `api`: nomad chooses hosts and ports; \
                  set where it is reached";
    assert_eq!(of_nomad[0], chosen, "{of_nomad:?}");
    assert_eq!(of_nomad.len(), 5, "{of_nomad:?}");
}
