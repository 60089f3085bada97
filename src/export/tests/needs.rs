//! What exports say of `ready`, `live` and `depends-on`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use super::{app, cases, options, process, stack, whole};
use crate::app::readiness::{Liveness, Probe, Readiness};
use crate::app::{App, Dependency, Milestone, Restart, Role};
use crate::export::formats::{compose, inittab, quadlet, runit, s6, supervisord, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{FORMATS, File, Format, Inittab, Options, ServiceTree, render};

/// An application in which `web` depends on `db`, which is ready as these probes say.
fn pair(probes: &[&str]) -> (App, Options) {
    let mut db = process("db", "./db", 1);
    let probes = probes.iter().map(|text| Probe::parse(text).unwrap()).collect();
    // A limit of 0 asks once.
    db.policy.ready = Some(Readiness { probes, timeout: Duration::ZERO });
    db.directory = Some("/tmp".into());
    let mut web = process("web", "true", 1);
    let need = Dependency { process_type: 0, number: None, milestone: Milestone::Ready };
    web.policy.depends_on = vec![need];
    (app("/", vec![db, web], &[("WORD", "it's")]), options("pair"))
}

fn starts(probes: &[&str]) -> bool {
    let (app, options) = pair(probes);
    runs(&app, &options)
}

/// Runs what supervisord would start as `web`, and returns whether it came to the command.
fn runs(app: &App, options: &Options) -> bool {
    let files = render(&supervisord::FORMAT, app, options).unwrap();
    let script = files.iter().find(|file| file.path.ends_with("pair-web-1.sh")).unwrap();
    // The account of the export need not be one of this machine.
    let script = script.contents.replace("pm_wait 1 ", "pm_wait 0 ");
    let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    output.status.success()
}

/// Answers every request with this status, for as long as the test lasts.
fn server(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Who only knocks sends nothing.
            let _ = stream.read(&mut [0; 1024]);
            let _ = write!(stream, "HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    port
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn an_exported_script_runs_its_command_only_after_what_it_depends_on_is_ready() {
    let (up, locked, down) = (server("204 x"), server("401 x"), free_port());
    for (probe, expected) in [
        (format!("port:{up}"), true),
        (format!("port:{down}"), false),
        (format!("http://localhost:{up}/up?q='$HOME'"), true),
        (format!("http://localhost:{locked}/"), false),
        (format!("http://localhost:{locked}/=200,401"), true),
        (format!("http://localhost:{up}/=200,401"), false),
        (format!("http://localhost:{down}/"), false),
        ("cmd:true".to_owned(), true),
        ("cmd:exit 3".to_owned(), false),
        // Its folder, its PORT and the values of the env files.
        (r#"cmd:test "$PWD $PORT $PS" = "/tmp 5000 db.1""#.to_owned(), true),
        (r#"cmd:test "$WORD" = "it's" # so"#.to_owned(), true),
    ] {
        assert_eq!(starts(&[&probe]), expected, "{probe}");
    }
    assert!(!starts(&["cmd:true", "cmd:false"]), "all must hold");
}

#[test]
fn what_root_starts_asks_as_the_user() {
    for (format, tree, change) in [
        (&runit::FORMAT, ServiceTree::Scanned, "chpst"),
        (&s6::FORMAT, ServiceTree::Scanned, "s6-setuidgid"),
        (&s6::FORMAT, ServiceTree::Compiled, "s6-setuidgid"),
        (&inittab::FORMAT, ServiceTree::Scanned, "setpriv"),
    ] {
        for (own_ready, role) in
            [(None, Role::Service), (Some("port"), Role::Service), (None, Role::Once)]
        {
            let (mut app, options) = pair(&["cmd:bin/up"]);
            app.types[0].count = 0;
            app.types[1].policy.role = role;
            app.types[1].policy.ready = own_ready.map(|probe| Readiness {
                probes: vec![Probe::parse(probe).unwrap()],
                timeout: Duration::from_secs(60),
            });
            let options = Options { service_tree: tree, ..options };
            let whole = whole(&render(format, &app, &options).unwrap());
            let asking: Vec<&str> =
                whole.lines().filter(|line| line.contains("pm_wait 1 cmd")).collect();
            assert!(!asking.is_empty(), "{}: {whole}", format.name);
            for line in asking {
                let (before, _) = line.split_once("pm_wait").unwrap();
                assert!(before.contains(change), "{}: {line}", format.name);
            }
        }
    }
}

#[test]
fn a_notice_is_told_once() {
    for ((name, case), format) in cases() {
        let (app, options) = case();
        let told = notices(format, &app, &options, Account::Reachable, std::iter::empty());
        let unique: BTreeSet<&String> = told.iter().collect();
        assert_eq!(unique.len(), told.len(), "{name} {}: {told:?}", format.name);
    }
}

#[test]
fn an_exported_script_asks_what_somebody_else_runs_and_can_be_asked() {
    let (up, down) = (server("204 x"), free_port());
    for (probes, expected) in [
        (vec![format!("port:{up}")], true),
        (vec![format!("port:{down}")], false),
        (vec![format!("http://127.0.0.1:{up}/")], true),
        (vec!["cmd:test \"$PWD $PORT\" = \"/tmp 5000\"".to_owned()], true),
        (vec!["cmd:false".to_owned()], false),
        // Only pm, or its own PORT, would tell.
        (vec!["port".to_owned(), "http:/".to_owned(), "log:up".to_owned()], true),
        (vec!["log:up".to_owned(), format!("port:{down}")], false),
    ] {
        let probes: Vec<&str> = probes.iter().map(String::as_str).collect();
        let (mut app, options) = pair(&probes);
        app.types[0].count = 0;
        assert_eq!(runs(&app, &options), expected, "{probes:?}");
    }
}

#[test]
fn a_container_asks_only_what_is_not_on_its_own_machine() {
    for (probe, expected) in [
        ("http://search.example:9200/", true),
        ("http://10.0.0.7:80/", true),
        ("cmd:bin/up", true),
        ("http://localhost:9200/", false),
        ("http://127.0.0.1:9200/", false),
        ("http://[::1]:9200/", false),
        ("http://0.0.0.0:9200/", false),
        ("port:9200", false),
    ] {
        let (mut app, options) = pair(&[probe]);
        app.types[0].count = 0;
        let whole = whole(&render(&compose::FORMAT, &app, &options).unwrap());
        assert_eq!(whole.contains("pm_wait"), expected, "{probe}");
        let told =
            notices(&compose::FORMAT, &app, &options, Account::Reachable, std::iter::empty());
        let expected: &[&str] =
            if expected { &[] } else { &["`web` does not wait for `db`, which is not exported"] };
        assert_eq!(told, expected, "{probe}");
    }
}

#[test]
fn what_must_be_started_is_waited_for_with_all_that_it_waits_for() {
    let (mut app, options) = pair(&["port:6379"]);
    let mut top = process("top", "./top", 1);
    top.policy.depends_on =
        vec![Dependency { process_type: 1, number: None, milestone: Milestone::Started }];
    app.types.push(top);
    let run = |format: &Format, path: &str| {
        let files = render(format, &app, &options).unwrap();
        files.into_iter().find(|file| file.path.ends_with(path)).unwrap().contents
    };
    for (format, path, lines) in [
        (
            &runit::FORMAT,
            "pair-top-1/run",
            vec![
                "sv -w 1 check '../pair-db-1' || exit 1",
                "sv -w 1 check '../pair-web-1' || exit 1",
            ],
        ),
        (
            &s6::FORMAT,
            "pair-top-1/run",
            vec![
                "s6-svwait -U -t 1000 '../pair-db-1' || exit 1",
                "s6-svwait -u -t 1000 '../pair-web-1' || exit 1",
            ],
        ),
        (&supervisord::FORMAT, "pair-top-1.sh", vec!["pm_wait 1 port 6379 || exit 1"]),
    ] {
        let run = run(format, path);
        let found: Vec<&str> = run
            .lines()
            .filter(|line| line.contains("check '") || line.contains("svwait"))
            .chain(run.lines().filter(|line| line.starts_with("pm_wait 1")))
            .collect();
        assert_eq!(found, lines, "{}", format.name);
    }
}

#[test]
fn the_one_check_of_a_container_is_that_of_ready() {
    let (mut app, options) = pair(&["port"]);
    app.types[0].policy.live = Some(Liveness {
        probe: Probe::parse("http:/alive").unwrap(),
        interval: Duration::from_secs(10),
        failures: 3,
    });
    let whole = |app: &App, format: &Format| whole(&render(format, app, &options).unwrap());
    let line = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.trim().starts_with(key)).map(str::to_owned);
        line.unwrap_or_default()
    };
    let compose_check = |app: &App| line(&whole(app, &compose::FORMAT), "test:");
    let both = compose_check(&app);
    assert!(both.contains("pm_wait 0 port 5000") && !both.contains("/alive"), "{both}");
    // podman has one for the start, and one for later.
    let unit = whole(&app, &quadlet::FORMAT);
    assert!(line(&unit, "HealthStartupCmd=").contains("pm_wait 0 port 5000"));
    assert!(line(&unit, "HealthCmd=").contains("/alive"));
    app.types[0].policy.ready = None;
    assert!(compose_check(&app).contains("/alive"));
}

#[test]
fn what_runs_once_and_has_ended_well_is_never_started_again() {
    for format in FORMATS {
        let mut seed = process("seed", "./seed", 1);
        seed.policy.role = Role::Once;
        seed.policy.restart = Restart::Always;
        let app = app("/srv/a", vec![seed], &[]);
        let whole = whole(&render(format, &app, &options("a")).unwrap());
        let (is, never) = match format.name {
            "systemd" | "quadlet" => ("Type=oneshot\nRemainAfterExit=yes", "Restart=always"),
            "supervisord" => ("autorestart=unexpected", "autorestart=true"),
            "runit" => ("[ \"$1\" != 0 ] || printf d >supervise/control", "true"),
            "s6" => ("[ \"$1\" != 0 ] || exit 125", "true"),
            "launchd" => {
                ("<key>SuccessfulExit</key>\n    <false/>", "<key>KeepAlive</key>\n  <true/>")
            }
            "upstart" | "daemon" => ("normal exit 0\ntask", "kill signal"),
            "inittab" => ("AM01:2345:once:", "respawn"),
            "bluepill" => (":flapping, :times => 2", "retry_in => 1"),
            "smf" => ("value=\"transient\"", "value=\"child\""),
            "compose" => ("restart: on-failure", "unless-stopped"),
            "kubernetes" => ("kind: Job", "kind: Deployment"),
            "nomad" => ("type = \"batch\"", "type = \"service\""),
            name => panic!("{name} is new"),
        };
        assert!(whole.contains(is), "{}: {whole}", format.name);
        assert!(!whole.contains(never), "{}: {whole}", format.name);
    }
}

#[test]
fn lines_of_an_inittab_say_that_nothing_waits() {
    let (app, options) = stack();
    let options = Options { inittab: Inittab::Lines, ..options };
    assert_eq!(
        notices(&inittab::FORMAT, &app, &options, Account::Reachable, std::iter::empty()),
        [
            "`ready`, `live` and `depends-on` of `redis`, `migrate`, `api`, `worker`, `web` and `seed` are left out: \
          lines without scripts cannot wait"
        ]
    );
}

/// Returns the command of a unit as its shell gets it.
fn exec_of(files: &[File], unit: &str, key: &str) -> String {
    let file = files.iter().find(|file| file.path.ends_with(unit)).unwrap();
    let line = file.contents.lines().find_map(|line| line.strip_prefix(key));
    let line = line.unwrap().trim_matches('"').replace("\\\"", "\"").replace("$$", "$");
    line.replace("%%", "%").replace("\\n", "\n").replace("\\\\", "\\")
}

#[test]
fn a_once_that_fails_first_is_tried_again_by_its_own_unit() {
    for (format, unit, key) in [
        (&systemd::FORMAT, "pair-db-1.service", "ExecStart=/bin/sh -c "),
        (&quadlet::FORMAT, "pair-db-1.container", "Exec=/bin/sh -c "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display();
        let (mut app, options) = pair(&[]);
        app.types[0].command =
            format!("echo run; test -e {here}/second || {{ touch {here}/second; exit 3; }}");
        app.types[0].directory = None;
        app.types[0].policy.role = Role::Once;
        app.types[1].policy.depends_on[0].milestone = Milestone::Done;
        let files = render(format, &app, &options).unwrap();
        let unit_text = &files.iter().find(|file| file.path.ends_with(unit)).unwrap().contents;
        // A failure of the unit ends what requires it for good, whatever follows.
        assert!(!unit_text.contains("Restart="), "{}: {unit_text}", format.name);
        let command = exec_of(&files, unit, key);
        let output = Command::new("/bin/sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said == "run\nrun\n", "{said}: {command}");
    }
}

#[test]
fn a_unit_whose_program_has_ended_is_not_asked_until_its_time_is_over() {
    let (mut app, options) = pair(&[&format!("port:{}", free_port())]);
    app.types[0].policy.ready.as_mut().unwrap().timeout = Duration::from_secs(3600);
    let files = render(&systemd::FORMAT, &app, &options).unwrap();
    let line = exec_of(&files, "pair-db-1.service", "ExecStartPost=/bin/sh -c ");
    let mut ended = Command::new("/bin/true").spawn().unwrap();
    ended.wait().unwrap();
    let mut shell = Command::new("/bin/sh");
    let output = shell.args(["-c", &line]).env("MAINPID", ended.id().to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said == "pm_wait: it has ended\n", "{said} {line}");
}
