//! What exports say of `ready`, `live` and `depends-on`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use super::{app, options, process, stack};
use crate::app::readiness::{Probe, Readiness};
use crate::app::{App, Dependency, Milestone};
use crate::export::formats::{compose, kubernetes, nomad, runit, supervisord, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{Format, Options, render};

/// An application in which `web` depends on `db`, which is ready as these probes say.
fn pair(probes: &[&str]) -> (App, Options) {
    let mut db = process("db", "./db", 1);
    let probes = probes.iter().map(|text| Probe::parse(text).unwrap()).collect();
    // A limit of 0 asks once.
    db.policy.ready = Some(Readiness { probes, timeout: std::time::Duration::ZERO });
    db.directory = Some("/tmp".into());
    let mut web = process("web", "true", 1);
    let need = Dependency { process_type: 0, number: None, milestone: Milestone::Ready };
    web.policy.depends_on = vec![need];
    (app("/", vec![db, web], &[("WORD", "it's")]), options("pair"))
}

/// Runs what supervisord would start as `web`, and returns whether it came to the command.
fn starts(probes: &[&str]) -> bool {
    let (app, options) = pair(probes);
    let files = render(&supervisord::FORMAT, &app, &options).unwrap();
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
fn what_a_format_cannot_say_is_told_once_with_its_type() {
    let told = |format: &Format| {
        let (app, options) = stack();
        notices(format, &app, &options, Account::Reachable, std::iter::empty())
    };
    let log = |name| format!("`ready` of `worker`: `log:^ready` is left out: {name} cannot ask it");
    let idle = "`web` does not wait for `idle`, which is not exported".to_owned();
    assert_eq!(
        told(&systemd::FORMAT),
        [
            "`live` of `api`: `http:/up` restarts nothing: systemd cannot tell".to_owned(),
            log("systemd"),
            idle.clone()
        ]
    );
    assert_eq!(
        told(&compose::FORMAT),
        [
            "`live` of `api`: `http:/up` restarts nothing: compose cannot tell".to_owned(),
            "`ready` of `worker`: `notify` is left out: compose cannot ask it".to_owned(),
            log("compose"),
            "`live` of `worker`: `notify` restarts nothing: compose cannot tell".to_owned(),
            "`ready` of `web`: `delay:2s` is left out: compose cannot ask it".to_owned(),
            "`web` does not wait for `worker`: compose cannot tell".to_owned(),
            idle.clone()
        ]
    );
    for format in [&runit::FORMAT, &kubernetes::FORMAT, &nomad::FORMAT] {
        let notices = told(format);
        let name = format.name;
        let end = format!("`api` does not wait for the end of `migrate`: {name} cannot tell");
        assert!(notices.contains(&end) && notices.contains(&idle), "{notices:?}");
        let mut once = notices.clone();
        once.dedup();
        assert_eq!(once, notices);
    }
    let again = "`migrate` is started again after it has ended: nomad cannot run it once";
    assert!(told(&nomad::FORMAT).contains(&again.to_owned()));
}
