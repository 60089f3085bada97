//! Exports of four applications, which the tests of all formats share.

mod formats;
mod golden;
mod limits;
mod logs;
mod needs;
mod notices;
mod paths;
mod references;
mod templates;
mod values;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use std::time::Duration;

use crate::app::readiness::{Liveness, Probe, Readiness};
use crate::app::{
    Budget, Dependency, Environment, ExitOn, Front, MemoryAction, Milestone, OnDependencyRestart,
    ProcessType, Restart, Role, Signal, Size, Source, Update,
};

fn app(root: &str, types: Vec<ProcessType>, variables: &[(&str, &str)]) -> App {
    let mut environment = Environment::default();
    environment.set("PATH", "/home/me/bin", Source::Caller);
    environment.set("PORT", "7000", Source::Caller);
    let path = Arc::new(PathBuf::from(".env"));
    for (line, (name, value)) in variables.iter().enumerate() {
        environment.set(name, value, Source::EnvFile { path: Arc::clone(&path), line: line + 1 });
    }
    App { root: root.into(), types, environment, base_port: 5000, exit_on: ExitOn::Failure }
}

fn process(name: &str, command: &str, count: u16) -> ProcessType {
    ProcessType { count, ..ProcessType::of(name, command) }
}

fn options(app: &str) -> Options {
    Options {
        app: app.into(),
        user: "deploy".into(),
        log: format!("/var/log/{app}").into(),
        run: format!("/var/run/{app}").into(),
        location: "/srv/export".into(),
        image: Image::Named(format!("registry.example/{app}:1.0")),
        values: Values::Inline,
        scope: Scope::System,
        hardening: Hardening::Default,
        release: Release::LeftOut,
        inittab: Inittab::File(format!("{app}.inittab")),
        service_tree: ServiceTree::Scanned,
        log_limits: None,
        templates: BTreeMap::new(),
    }
}

/// A clustered web server with a memory budget, its own variables, and a worker with its own signal.
fn cluster() -> (App, Options) {
    let mut web = process("web", "node --max-http-header-size=16384 server.js", 2);
    web.policy.budget =
        Size::from_mib(512).map(|size| Budget { size, action: MemoryAction::Restart });
    web.policy.restart = Restart::Always;
    web.environment.set("WEB_CONCURRENCY", "2", Source::Pm("memory budget"));
    let mut worker = process("worker", "node worker.js", 1);
    worker.policy.stop_signal = Signal::INT;
    worker.policy.grace = std::time::Duration::from_millis(29_500);
    worker.directory = Some("/srv/cluster/jobs".into());
    let idle = process("idle", "node idle.js", 0);
    let app = app(
        "/srv/cluster",
        vec![web, worker, idle],
        &[("NODE_ENV", "production"), ("REDIS_URL", "redis://:p@h/0")],
    );
    (app, options("cluster"))
}

/// Everything that some format treats specially.
fn quoting() -> (App, Options) {
    let command = r#"./a "it's" 100% '$A' "$B" \\ 'e ; f' '#c' é {{x}} ${C} <&1"#;
    let variables = [
        ("BRACES", "{{ x }} ${A} %{B} $$ $(id) `id`"),
        ("CRLF", "a\r\nb"),
        ("EMPTY", ""),
        ("LINES", "one\n two\nend script\n"),
        ("PERCENT", "100% %n %(x)s %%"),
        ("QUOTES", r#"it's "so" \ C:\dir\n\"#),
        ("SPECIAL", " a ; b # c\t<&>| "),
        ("UNICODE", "żółć 日本 🎉"),
    ];
    let app = app("/srv/my app 100% $x", vec![process("web", command, 1)], &variables);
    (app, options("quoting"))
}

/// A release step before a compound command, and one that brings its own variables.
fn compound() -> (App, Options) {
    let mut release = process("release", "bin/migrate", 1);
    release.policy.role = Role::Release;
    let web = process("web", "cd public && ../serve -p $PORT | tee log # all", 1);
    let mut clock = process("Clock_1", "TZ=UTC ./clock", 1);
    clock.policy.restart = Restart::Never;
    let options = Options {
        release: Release::First,
        values: Values::EnvFile,
        hardening: Hardening::Sandbox,
        ..options("compound")
    };
    (app("/srv/compound", vec![release, web, clock], &[("SECRET", "hunter2")]), options)
}

/// A database, a step that runs once, and what depends on them in every way.
fn stack() -> (App, Options) {
    let need = |process_type, milestone| Dependency { process_type, number: None, milestone };
    let ready = |texts: &[&str], seconds| {
        let probes = texts.iter().map(|text| Probe::parse(text).unwrap()).collect();
        Some(Readiness { probes, timeout: Duration::from_secs(seconds) })
    };
    let mut redis = process("redis", "redis-server --port 6379", 1);
    redis.policy.ready = ready(&["port:6379"], 30);
    let mut migrate = process("migrate", "bin/migrate up", 1);
    migrate.policy.role = Role::Once;
    migrate.policy.restart = Restart::Never;
    migrate.policy.depends_on = vec![need(0, Milestone::Ready)];
    let mut api = process("api", "bin/api --port $PORT", 2);
    api.policy.ready =
        ready(&["http:/up?q='$5%25'", "cmd:test \"$PORT\" && printf '%s' \"it's\""], 60);
    api.policy.live = Some(Liveness {
        probe: Probe::parse("http:/up").unwrap(),
        interval: Duration::from_secs(10),
        failures: 3,
    });
    api.policy.depends_on = vec![need(0, Milestone::Ready), need(1, Milestone::Done)];
    api.policy.on_dependency_restart = OnDependencyRestart::Restart;
    let mut worker = process("worker", "bin/worker", 1);
    worker.policy.ready = ready(&["notify", "log:^ready"], 60);
    worker.policy.live =
        Some(Liveness { probe: Probe::Notify, interval: Duration::from_secs(5), failures: 1 });
    worker.policy.depends_on = vec![need(0, Milestone::Started)];
    let mut web = process("web", "bin/web -p $PORT", 1);
    web.policy.ready = ready(&["http:/=200,401", "delay:2s"], 20);
    web.policy.depends_on =
        vec![need(2, Milestone::Ready), need(3, Milestone::Ready), need(5, Milestone::Started)];
    let idle = process("idle", "bin/idle", 0);
    let mut search = process("search", "bin/search", 0);
    search.policy.ready = ready(
        &["port:9200", "http://search.example:9200/up", "cmd:bin/has-index", "log:up", "http:/"],
        45,
    );
    web.policy.depends_on.push(need(6, Milestone::Ready));
    let mut seed = process("seed", "bin/seed", 1);
    seed.policy.role = Role::Once;
    seed.policy.restart = Restart::Always;
    seed.policy.depends_on = vec![need(1, Milestone::Done), need(3, Milestone::Started)];
    let types = vec![redis, migrate, api, worker, web, idle, search, seed];
    (app("/srv/stack", types, &[("REDIS_URL", "redis://localhost:6379/0")]), options("stack"))
}

/// The same for s6-rc.
fn database() -> (App, Options) {
    let (app, options) = stack();
    (app, Options { service_tree: ServiceTree::Compiled, app: "database".into(), ..options })
}

/// Types whose instances share a socket, and one with an address of its own for all.
fn sharing() -> (App, Options) {
    let mut web = process("web", "uvicorn app:app --fd 3", 2);
    web.share_port = Some("127.0.0.1".into());
    let mut api = process("api", "cd api && exec gunicorn -b fd://3 api:app", 1);
    api.share_port = Some("::1".into());
    api.policy.ready = Some(Readiness {
        probes: vec![Probe::parse("cmd:test -e up").unwrap()],
        timeout: Duration::from_secs(60),
    });
    let mut admin = process("admin", "bin/admin -p $PORT", 3);
    admin.front = Some(Front::default());
    admin.policy.update = Update::Rolling;
    (app("/srv/sharing", vec![web, api, admin], &[("A", "1")]), options("sharing"))
}

/// A folder name, and what makes the application.
type ExampleApp = (&'static str, fn() -> (App, Options));
const APPS: [ExampleApp; 5] = [
    ("cluster", cluster),
    ("quoting", quoting),
    ("compound", compound),
    ("stack", stack),
    ("sharing", sharing),
];

/// Returns every application in every format, and one for s6-rc.
fn cases() -> impl Iterator<Item = (ExampleApp, &'static Format)> {
    let all = APPS.into_iter().flat_map(|case| FORMATS.map(|format| (case, format)));
    all.chain([(("database", database as fn() -> _), &crate::export::formats::s6::FORMAT)])
}

/// Returns one text for all files of an export.
fn whole(files: &[File]) -> String {
    files.iter().map(|file| format!("==> {} <==\n{}", file.path.display(), file.contents)).collect()
}
