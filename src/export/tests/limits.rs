//! Limits of processes, and whom a stop reaches, in the words of each format.

use super::{app, options, process, whole};
use crate::app::{App, CpuLimit, Limits, Nice, Reach};
use crate::export::formats::{inittab, launchd, s6, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{FORMATS, Format, Image, Inittab, Options, ServiceTree, render};

fn limited(cpus: &str) -> App {
    let mut web = process("web", "bin/web", 1);
    web.limits = Limits {
        open_files: Some(65_536),
        nice: Nice::parse("5").ok(),
        cpus: CpuLimit::parse(cpus).ok(),
    };
    app("/srv/a", vec![web], &[])
}

fn text(format: &Format, app: &App, options: &Options) -> String {
    whole(&render(format, app, options).unwrap())
}

fn told(format: &Format, app: &App) -> Vec<String> {
    let all = notices(format, app, &options("a"), Account::Reachable, std::iter::empty());
    all.into_iter().filter(|notice| notice.contains("left out")).collect()
}

#[test]
fn limits_are_written_in_the_words_of_each_format_or_told() {
    const SCRIPT: [&str; 2] =
        ["ulimit -n 65536 || exit 1", "renice -n 5 -p $$ >/dev/null || exit 1"];
    const UPSTART: [&str; 2] = ["\nlimit nofile 65536 65536\n", "\nnice 5\n"];
    let taskset = "taskset -cp 0-3 $$ >/dev/null || exit 1";
    for format in FORMATS {
        let (both, time, numbers): (&[&str], Option<&str>, Option<&str>) = match format.name {
            "systemd" => (
                &["\nLimitNOFILE=65536\n", "\nNice=5\n"],
                Some("\nCPUQuota=50%\n"),
                Some("\nCPUAffinity=0-3\n"),
            ),
            "supervisord" | "runit" | "s6" | "inittab" | "bluepill" => {
                (&SCRIPT, None, Some(taskset))
            }
            "upstart" | "daemon" => (&UPSTART, None, Some(taskset)),
            "launchd" => (
                &[
                    "<key>NumberOfFiles</key>\n    <integer>65536</integer>",
                    "<key>Nice</key>\n  <integer>5</integer>",
                ],
                None,
                None,
            ),
            "smf" => (
                &["ulimit -n 65536 || exit 1", "renice -n 5 -p $$ &gt;/dev/null || exit 1"],
                None,
                None,
            ),
            "compose" => (
                &["    ulimits:\n      nofile: 65536\n"],
                Some("limits:\n          cpus: \"0.5\"\n"),
                Some("    cpuset: \"0-3\"\n"),
            ),
            "quadlet" => (
                &["PodmanArgs=--ulimit=nofile=65536:65536\n"],
                Some("PodmanArgs=--cpus=0.5\n"),
                Some("PodmanArgs=--cpuset-cpus=0-3\n"),
            ),
            "kubernetes" => (&[], Some("limits:\n              cpu: \"500m\"\n"), None),
            "nomad" => (&["ulimit {\n          nofile = \"65536:65536\"\n"], None, None),
            name => panic!("{name} is new"),
        };
        for (cpus, line) in [("0.5", time), ("0-3", numbers)] {
            let app = limited(cpus);
            let text = text(format, &app, &options("a"));
            for expected in both.iter().copied().chain(line) {
                assert!(text.contains(expected), "{}: {expected} {text}", format.name);
            }
            let left_out = told(format, &app);
            let is_told = |key: &str| left_out.iter().any(|notice| notice.starts_with(key));
            assert_eq!(is_told("`nofile`"), both.is_empty(), "{} {left_out:?}", format.name);
            assert_eq!(is_told("`nice`"), both.len() < 2, "{} {left_out:?}", format.name);
            assert_eq!(is_told("`cpus`"), line.is_none(), "{} {left_out:?}", format.name);
        }
    }
}

#[test]
fn limits_that_nobody_asked_for_are_not_written() {
    let app = app("/srv/a", vec![process("web", "bin/web", 1)], &[]);
    for format in FORMATS {
        let text = text(format, &app, &options("a")).to_lowercase();
        for word in ["ulimit", "nofile", "renice", "taskset", "cpu", "nice"] {
            assert!(!text.contains(word), "{} {word}: {text}", format.name);
        }
    }
}

#[test]
fn other_forms_of_a_format_keep_the_limits() {
    let app = limited("0-3");
    let ulimit = "ulimit -n 65536 || exit 1";
    let lines = Options { inittab: Inittab::Lines, ..options("a") };
    let line = text(&inittab::FORMAT, &app, &lines);
    for part in [":nice -n 5 taskset -c 0-3 setpriv ", &format!("sh -c '{ulimit}; cd ")] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let mut once = app.clone();
    once.types[0].policy.role = crate::app::Role::Once;
    let tree = Options { service_tree: ServiceTree::Compiled, ..options("a") };
    assert!(text(&s6::FORMAT, &once, &tree).contains(ulimit));
    let raw = Options { image: Image::Assumed, ..options("a") };
    let job = text(&crate::export::formats::nomad::FORMAT, &app, &raw);
    assert!(job.contains(&format!("{ulimit}; exec bin/web")), "{job}");
    let tenths = text(&systemd::FORMAT, &limited("0.125"), &options("a"));
    assert!(tenths.contains("\nCPUQuota=12.5%\n"), "{tenths}");
}

#[test]
fn a_stop_of_the_whole_group_reaches_it_in_every_format() {
    let mut web = process("web", "bin/web", 1);
    web.policy.stop_signal_to = Reach::Group;
    let grouped = app("/srv/a", vec![web.clone()], &[]);
    web.policy.stop_signal_to = Reach::Program;
    let alone = app("/srv/a", vec![web], &[]);
    for format in FORMATS {
        // What its consumer itself sends to all.
        let own = match format.name {
            "systemd" => "KillMode=control-group",
            "supervisord" => "stopasgroup=true",
            // Upstart signals the process group of a job, smf the contract.
            "upstart" | "daemon" => "script\n",
            "smf" => ":kill -TERM",
            _ => "kill -TERM 0",
        };
        let text_of = |app: &App| text(format, app, &options("a"));
        assert!(text_of(&grouped).contains(own), "{}: {}", format.name, text_of(&grouped));
        assert!(!text_of(&alone).contains("kill -TERM 0"), "{}", format.name);
        assert_eq!(told(format, &grouped), [""; 0], "{}", format.name);
    }
}

#[test]
fn a_stop_of_the_group_is_told_where_the_socket_needs_the_one_process() {
    let mut web = process("web", "bin/web", 1);
    web.policy.stop_signal_to = Reach::Group;
    web.share_port = Some("127.0.0.1".into());
    let app = app("/srv/a", vec![web], &[]);
    let notice = |name: &str| {
        format!(
            "`stop-signal-to` of `web` is left out: {name} sends the stop signal to the program that has the socket"
        )
    };
    assert_eq!(told(&s6::FORMAT, &app), [notice("s6")]);
    assert_eq!(told(&launchd::FORMAT, &app), [notice("launchd")]);
    assert_eq!(told(&systemd::FORMAT, &app), [""; 0]);
}
