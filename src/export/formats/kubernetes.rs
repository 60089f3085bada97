//! kubernetes: a Secret of the values, a Deployment for each process type and a Service for those that
//! listen (kubernetes.io/docs/reference; `$(NAME)` by the kubelet's expansion).

use serde_json::{Value, json};

use super::compose::{container_command, image};
use super::script::env_file_name;
use crate::app::{App, Role};
use crate::error::Error;
use crate::export::names::{distinct, dns_label};
use crate::export::quote::markup;
use crate::export::services::{Service, Services};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "kubernetes",
    when: "a cluster, when one machine is no longer enough; needs an image",
    install: "`kubectl apply -f DIR`; with `--release`, delete the finished Job before the next apply",
    templates: &[
        ("app.yaml.j2", include_str!("../templates/kubernetes/app.yaml.j2")),
        ("secrets.yaml.j2", include_str!("../templates/kubernetes/secrets.yaml.j2")),
    ],
    paths: &["APP.yaml", "APP-secret.yaml"],
    runs: Runs::Containers { without_image: "`APP:latest` is assumed" },
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Restart, Feature::StopSignal],
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

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let all: Vec<&Service<'_>> = services.release.iter().chain(&services.running).collect();
    let names = distinct(FORMAT.name, all.iter().map(|service| service.name), dns_label)?;
    check_label(&options.app)?;
    let full = |name: &str| dns_label(&format!("{}-{name}", options.app));
    let full_names = distinct(FORMAT.name, all.iter().map(|service| service.name), full)?;

    let mut secrets: Vec<Value> = Vec::new();
    let mut workloads = Vec::new();
    for ((service, component), name) in all.iter().zip(&names).zip(&full_names) {
        let secret =
            (!service.variables.is_empty()).then(|| secret_name(options, &services, service));
        if let Some(name) = &secret
            && !secrets.iter().any(|secret| secret["name"] == markup::json(name))
        {
            secrets.push(json!({ "name": markup::json(name), "values": secret_values(service)? }));
        }
        let mut workload = workload(&services, service);
        // Quoted like every name here: `on` and `123` are not strings in YAML.
        workload["name"] = markup::json(name).into();
        workload["component"] = markup::json(component).into();
        workload["secret"] = secret.map(|name| markup::json(&name)).into();
        workloads.push(workload);
    }
    let path = format!("{}.yaml", options.app);
    let secrets_path = match options.values {
        Values::Inline => path.clone(),
        Values::EnvFile => format!("{}-secret.yaml", options.app),
    };
    let own = json!({ "app_label": markup::json(&dns_label(&options.app)), "secrets": secrets });
    let secrets_text =
        templates.render("secrets.yaml.j2", &secrets_path, &context(options, &services, own))?;
    let own = json!({
        "app_label": markup::json(&dns_label(&options.app)),
        "image": markup::json(&image(options)),
        "workloads": workloads,
    });
    let app_text = templates.render("app.yaml.j2", &path, &context(options, &services, own))?;

    let file = |name: String, contents: String, mode: u32| File {
        path: name.into(),
        contents,
        mode,
        owner: Owner::Exporter,
    };
    if secrets.is_empty() {
        return Ok(vec![file(path, app_text, 0o644)]);
    }
    Ok(match options.values {
        Values::Inline => vec![file(path, format!("{secrets_text}---\n{app_text}"), 0o600)],
        Values::EnvFile => {
            vec![file(secrets_path, secrets_text, 0o600), file(path, app_text, 0o644)]
        }
    })
}

/// A Service's name must begin with a letter (RFC 1035), and all names here begin with the application's.
fn check_label(app: &str) -> Result<(), ExportError> {
    if dns_label(app).starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(());
    }
    let allowed = "letters, digits and `-`, and in kubernetes a letter first";
    Err(ExportError::Name { what: "application's name", value: app.to_owned(), allowed })
}

fn secret_name(options: &Options, services: &Services<'_>, service: &Service<'_>) -> String {
    dns_label(&env_file_name(options, services, service))
}

fn secret_values(service: &Service<'_>) -> Result<Vec<Value>, ExportError> {
    let mut values = Vec::new();
    for variable in &service.variables {
        // The alphabet of a Secret's keys (`IsConfigMapKey`).
        let fits = variable
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !fits || matches!(variable.name.as_str(), "" | "." | "..") {
            return Err(ExportError::VariableName {
                format: FORMAT.name,
                name: variable.name.clone(),
            });
        }
        // `envFrom` is not expanded, so `$` stays single.
        values.push(
            json!({ "name": markup::json(&variable.name), "value": markup::json(&variable.value) }),
        );
    }
    Ok(values)
}

fn workload(services: &Services<'_>, service: &Service<'_>) -> Value {
    let memory = service.policy.memory_bytes().map(|bytes| {
        if bytes.is_multiple_of(MIB) { format!("{}Mi", bytes / MIB) } else { bytes.to_string() }
    });
    json!({
        "command": markup::dollar_json(&container_command(services, service)),
        "port": service.port(),
        "is_release": service.policy.role == Role::Release,
        "listens": service.listens && service.policy.role == Role::Service,
        "replicas": service.instances.len(),
        "stop_seconds": service.stop_seconds(),
        "memory": memory,
        "raw": raw(service),
    })
}
