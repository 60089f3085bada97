//! kubernetes: a Secret of the values, a Deployment for each process type and a Service for those that
//! listen (kubernetes.io/docs/reference; `$(NAME)` by the kubelet's expansion).

use serde_json::{Value, json};

use super::{Addresses, Asks, Can, Feature, Format, Logs, Others, Runs, container};
use crate::app::readiness::Probe;
use crate::app::{App, ProcessType, Restart, Role};
use crate::export::context::{Export, Service};
use crate::export::names::dns_label;
use crate::export::needs::has_port;
use crate::export::quote::markup;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Options, Release, Values, unsaid};

pub(crate) const FORMAT: Format = Format {
    name: "kubernetes",
    when: "a cluster, when one machine is no longer enough; needs an image",
    install: "`kubectl apply -f DIR`",
    templates: &[
        ("app.yaml.j2", include_str!("../templates/kubernetes/app.yaml.j2")),
        ("secrets.yaml.j2", include_str!("../templates/kubernetes/secrets.yaml.j2")),
    ],
    paths: &["APP.yaml", "APP-secret.yaml"],
    runs: Runs::Containers { without_image: "`APP:latest` is assumed" },
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Other { setting: "containerLogMaxSize and containerLogMaxFiles of the kubelet" },
    leaves_out: &[
        Feature::Restart,
        Feature::StopSignal,
        Feature::OpenFiles,
        Feature::Niceness,
        Feature::CpuNumbers,
    ],
    asks: Can {
        readiness: true,
        others: Asks::Port,
        liveness: Asks::Probes,
        ends_unready: true,
        ..Can::CONTAINER
    },
    addresses: Addresses { others: Others::Hosts(host), ..Addresses::BALANCED },
    checkers: &[
        Checker {
            program: "kubeconform",
            arguments: &["-strict"],
            files: Select::Suffixes(&[".yaml"]),
            variables: &[],
            probe: &[],
        },
        Checker {
            program: "kubernetes-validate",
            arguments: &["--strict"],
            files: Select::Suffixes(&[".yaml"]),
            variables: &[],
            probe: &[],
        },
    ],
    render,
};

const MIB: u64 = 1024 * 1024;

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let app = &export.options.app;
    let components = export.distinct(dns_label)?;
    check_label(app)?;
    let names = export.distinct(|name| dns_label(&format!("{app}-{name}")))?;
    let mut secrets: Vec<Value> = Vec::new();
    let mut workloads = Vec::new();
    for ((service, component), (_, name)) in components.iter().zip(&names) {
        let has_secret = !service.variables.is_empty();
        let secret = has_secret.then(|| markup::json(&dns_label(&export.env_file_name(service))));
        if let Some(name) = &secret
            && !secrets.iter().any(|secret| secret["name"] == **name)
        {
            secrets.push(json!({ "name": name, "values": secret_values(export, service)? }));
        }
        let mut workload = workload(export, service);
        let host = |of: &Service<'_>| {
            let found = names.iter().find(|(one, _)| one.name == of.name);
            found.filter(|_| of.has_open_port()).map(|(_, name)| name.clone())
        };
        let waits = export.waits_for_hosts(service, host);
        workload["waits"] = waits.map(|line| markup::dollar_json(&line)).into();
        // Quoted like every name here: `on` and `123` are not strings in YAML.
        workload["name"] = markup::json(name).into();
        workload["component"] = markup::json(component).into();
        workload["secret"] = secret.into();
        workloads.push(workload);
    }
    let label = markup::json(&dns_label(app));
    let image = markup::json(&container::image(export));
    let has_secrets = !secrets.is_empty();
    let path = format!("{app}.yaml");
    let secrets_path = match export.options.values {
        Values::Inline => path.clone(),
        Values::EnvFile => format!("{app}-secret.yaml"),
    };
    let own = json!({ "app_label": label, "secrets": secrets });
    let secrets = export.render("secrets.yaml.j2", secrets_path, own)?.private_if(true);
    let own = json!({ "app_label": label, "image": image, "workloads": workloads });
    let mut app = export.render("app.yaml.j2", path, own)?;
    Ok(match export.options.values {
        _ if !has_secrets => vec![app],
        Values::Inline => {
            app.contents = format!("{}---\n{}", secrets.contents, app.contents);
            vec![app.private_if(true)]
        }
        Values::EnvFile => vec![secrets, app],
    })
}

/// Says what becomes of Jobs: nothing waits for one, and none is applied twice.
pub(in crate::export) fn notices(app: &App, options: &Options) -> Vec<String> {
    let (releases, services): (Vec<&ProcessType>, Vec<_>) = app
        .types
        .iter()
        .filter(|own| own.count > 0)
        .partition(|own| own.policy.role == Role::Release);
    let release = releases.first().filter(|_| options.release == Release::First);
    let mut notices = Vec::new();
    if let (Some(release), Some(waiting)) = (release, unsaid::names(services.iter().copied())) {
        let verb = if services.len() == 1 { "does" } else { "do" };
        notices.push(format!(
            "{waiting} {verb} not wait for `{}`: kubernetes starts a Job and a Deployment together",
            release.name
        ));
    }
    let once = services.iter().filter(|own| own.policy.role == Role::Once);
    let name = |own: &&ProcessType| dns_label(&format!("{}-{}", options.app, own.name));
    let jobs: Vec<String> = release.into_iter().chain(once).map(name).collect();
    if !jobs.is_empty() {
        notices.push(format!(
            "a finished Job is not run again: `kubectl delete job {}` before the next `kubectl apply`",
            jobs.join(" ")
        ));
    }
    notices
}

/// Returns the name of the Service of a type, where it has one.
fn host(app: &str, other: &ProcessType) -> Option<String> {
    let has_service = other.count > 0 && other.policy.role == Role::Service && has_port(other);
    has_service.then(|| dns_label(&format!("{app}-{}", other.name)))
}

/// A Service's name must begin with a letter (RFC 1035), and all names here begin with the application's.
fn check_label(app: &str) -> Result<(), ExportError> {
    if dns_label(app).starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(());
    }
    let allowed = "letters, digits and `-`, and in kubernetes a letter first";
    Err(ExportError::Name { what: "application's name", value: app.to_owned(), allowed })
}

fn secret_values(export: &Export<'_>, service: &Service<'_>) -> Result<Vec<Value>, ExportError> {
    let mut values = Vec::new();
    for variable in &service.variables {
        // The alphabet of a Secret's keys (`IsConfigMapKey`).
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_key = variable.name.chars().all(fits);
        let is_key = is_key && !matches!(variable.name.as_str(), "" | "." | "..");
        export.check_name(variable, is_key)?;
        // `envFrom` is not expanded, so `$` stays single.
        values.push(
            json!({ "name": markup::json(&variable.name), "value": markup::json(&variable.value) }),
        );
    }
    Ok(values)
}

/// Returns a probe: the kubelet's own where it can ask the one thing that is asked, else a command.
fn probe(export: &Export<'_>, service: &Service<'_>, probes: &[Probe]) -> Option<String> {
    Some(match probes {
        [Probe::Port(port)] => {
            format!("tcpSocket: {{ port: {} }}", port.unwrap_or_else(|| service.port()))
        }
        [Probe::Http(http)] if http.authority.is_none() && http.codes.is_empty() => {
            let (path, port) = (markup::json(&http.path), service.port());
            format!("httpGet: {{ path: {path}, port: {port} }}")
        }
        probes => {
            let check = markup::dollar_json(&container::check_of(export, service, probes)?);
            format!("exec: {{ command: [\"/bin/sh\", \"-c\", {check}] }}")
        }
    })
}

fn workload(export: &Export<'_>, service: &Service<'_>) -> Value {
    let memory = service.policy.memory_bytes().map(|bytes| {
        if bytes.is_multiple_of(MIB) { format!("{}Mi", bytes / MIB) } else { bytes.to_string() }
    });
    service.context(json!({
        "command": markup::dollar_json(&container::command(export, service)),
        "listens": service.has_open_port() && service.policy.role == Role::Service,
        "open_port": service.open_port(),
        "is_job": service.policy.role != Role::Service,
        "is_never": !service.is_once() || service.restart() == Restart::Never,
        "ready": service.policy.ready.as_ref().and_then(|ready| probe(export, service, &ready.probes)),
        "ready_seconds": service.ready_seconds(),
        "live": service.policy.live.as_ref().and_then(|live| probe(export, service, std::slice::from_ref(&live.probe))),
        "check": service.check(),
        "memory": memory,
    }))
}
