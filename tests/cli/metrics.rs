//! `pm top`, `pm metrics`, and what `pm ps` says of memory, threads and files.

use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;
use serde_json::Value;

use crate::readiness::never_wakes;
use crate::sandbox::{CTRL_C, CTRL_Z, End, Sandbox, Session, eventually};

/// Returns the value of the one sample of a metric of an instance, with these words in its labels.
pub(crate) fn sample(text: &str, metric: &str, instance: &str, words: &[&str]) -> Option<f64> {
    let own = format!("instance=\"{instance}\"");
    let mut found = text.lines().filter(|line| {
        line.starts_with(&format!("pm_instance_{metric}{{"))
            && line.contains(&own)
            && words.iter().all(|word| line.contains(word))
    });
    let value = found.next()?.rsplit(' ').next()?.parse().expect("a number");
    assert_eq!(found.next(), None, "{metric} {instance} {words:?}");
    Some(value)
}

pub(crate) fn metrics(app: &Sandbox) -> String {
    let output = app.pm(["metrics"]).run();
    assert_eq!(output.code(), 0, "{output:?}");
    output.stdout
}

fn end(mut session: Session) {
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn metrics_say_what_each_instance_has_done_and_nothing_that_is_secret() {
    let app = Sandbox::with_procfile("web: echo one; echo secret; sleep 1000\n");
    let session = app.pm(["start", "--set", "TOKEN=secret", "--memory", "64M"]).spawn();
    session.wait_for("secret\n");
    let text = metrics(&app);
    assert!(text.starts_with("# HELP pm_up "), "{text}");
    let root = std::fs::canonicalize(app.dir()).unwrap();
    assert!(text.contains(&format!("pm_up{{root=\"{}\"}} 1\n", root.display())), "{text}");
    for (metric, words, expected) in [
        ("state", &["state=\"up\"", "type=\"web\""][..], 1.0),
        ("starts_total", &[], 1.0),
        ("restarts_total", &["cause=\"crash\""], 0.0),
        ("output_bytes_total", &[], 11.0),
        ("output_lines_total", &[], 2.0),
        ("memory_budget_bytes", &[], f64::from(64 << 20)),
    ] {
        assert_eq!(sample(&text, metric, "web.1", words), Some(expected), "{metric}: {text}");
    }
    assert!(sample(&text, "memory_bytes", "web.1", &["kind=\"rss\""]) > Some(100_000.0));
    assert!(sample(&text, "open_fds", "web.1", &[]) >= Some(3.0), "{text}");
    assert_eq!(sample(&text, "ready", "web.1", &[]), None);
    assert!(!text.contains("secret") && !text.contains("sleep"), "{text}");
    end(session);
}

#[test]
fn counters_only_grow_over_crash_restart_scale_and_reload() {
    let app = Sandbox::with_procfile(
        "web: echo started; if test -e crash; then rm crash; exit 3; fi; i=0; \
         while [ $i -lt 20000 ]; do i=$((i+1)); done; echo busy; sleep 1000\n",
    );
    let session = app.pm(["start", "-m", "web=2"]).spawn();
    session.wait_for_times("busy\n", 2);
    let counters = |text: &str| -> Vec<(String, f64)> {
        let samples = text.lines().filter(|line| line.contains("_total{") && line.contains(".1\""));
        let one = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        };
        samples.map(one).collect()
    };
    let mut before = counters(&metrics(&app));
    let pm = |args: &[&str]| assert_eq!(app.pm(args).run().code(), 0, "{args:?}");
    let steps: [&dyn Fn(); 5] = [
        &|| pm(&["restart", "web.1"]),
        &|| {
            std::fs::write(app.path("crash"), "").unwrap();
            pm(&["restart", "web.1"]);
            session.wait_for("exited with code 3");
        },
        &|| pm(&["scale", "web=0"]),
        &|| pm(&["scale", "web=2"]),
        &|| pm(&["reload"]),
    ];
    let mut busy = 2;
    for (at, step) in steps.iter().enumerate() {
        step();
        busy += [1, 1, 0, 2, 0][at];
        session.wait_for_times("busy\n", busy);
        let now = counters(&metrics(&app));
        for (series, value) in &now {
            let earlier = before.iter().find(|(known, _)| known == series);
            assert!(earlier.is_none_or(|(_, earlier)| value >= earlier), "{at}: {series} {value}");
        }
        if !now.is_empty() {
            before = now;
        }
    }
    let text = metrics(&app);
    let count = |metric, words: &[&str]| sample(&text, metric, "web.1", words);
    assert_eq!(count("starts_total", &[]), Some(5.0), "{text}");
    assert_eq!(count("restarts_total", &["cause=\"asked\""]), Some(2.0), "{text}");
    assert_eq!(count("restarts_total", &["cause=\"crash\""]), Some(1.0), "{text}");
    assert_eq!(count("output_lines_total", &[]), Some(9.0), "{text}");
    end(session);
}

#[test]
fn the_time_of_processes_that_have_ended_stays() {
    let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let app = Sandbox::with_procfile(&format!("web: ({busy}); echo over; sleep 1000\n"));
    let session = app.pm(["start"]).spawn();
    session.wait_for("over\n");
    let cpu = || sample(&metrics(&app), "cpu_seconds_total", "web.1", &[]).unwrap();
    let used = cpu();
    assert!(used >= 0.03, "{used}");
    assert_eq!(app.pm(["restart", "web.1", "--no-wait"]).run().code(), 0);
    assert!(cpu() >= used);
    end(session);
}

#[test]
fn a_root_with_quotes_and_backslashes_is_escaped() {
    let name = "my \"app\" \\n é日 {a=\"b\"}";
    let app = Sandbox::new().write(&format!("{name}/Procfile"), "web: sleep 1000\n");
    let session = app.pm(["start"]).in_folder(name).spawn();
    session.wait_for("web.1");
    let output = app.pm(["metrics"]).in_folder(name).run();
    assert!(output.stdout.contains(r#"/my \"app\" \\n é日 {a=\"b\"}","#), "{output:?}");
    end(session);
}

#[test]
fn a_file_of_metrics_is_whole_and_says_when_no_session_is_left() {
    let app = Sandbox::with_procfile("web: sleep 1000\n");
    let failed = app.pm(["metrics"]).run();
    assert_eq!((failed.code(), failed.stdout.as_str()), (1, ""), "{failed:?}");
    let session = app.pm(["start"]).spawn();
    session.wait_for("web.1");
    let write = || {
        let output = app.pm(["metrics", "--output", "pm.prom"]).run();
        assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{output:?}");
        app.read("pm.prom").unwrap()
    };
    assert!(write().contains("pm_instance_starts_total{"));
    end(session);
    let text = write();
    assert!(text.ends_with("\"} 0\n") && text.contains("pm_up{"), "{text}");
}

#[test]
fn top_prints_one_table_in_a_pipe_and_an_object_a_second_with_json() {
    let app = Sandbox::with_procfile("web: sleep 1000\nworker: sleep 1000\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("worker.1");
    let output = app.pm(["top", "worker"]).run();
    assert_eq!(output.code(), 0, "{output:?}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert!(lines[0].starts_with("NAME      STATE  CPU") && lines[1].starts_with("worker.1  up"));
    assert!(!output.stdout.contains('\x1b'));
    let once = app.pm(["top", "--once", "--json"]).run();
    let object: Value = serde_json::from_str(&once.stdout).expect("one object");
    assert_eq!(object["instances"][1]["name"], "worker.1");
    assert!(object["instances"][1]["rss"].as_u64() > Some(0), "{object}");
    let mut top = app.pm(["top", "--json"]).spawn();
    top.wait_until("two objects", |seen| seen.matches("\"v\":1").count() >= 2);
    let text = top.stdout_so_far();
    let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).expect("an object");
    assert!(second["instances"][0]["cpu"].is_number(), "{second}");
    end(session);
    assert_eq!(top.wait(), End::Code(0));
}

#[test]
fn top_takes_keys_and_leaves_the_terminal_as_it_was() {
    let app = Sandbox::with_procfile("web: sleep 1000\napi: sleep 1000\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("api.1");
    let mut top = app.pm(["top"]).env("TERM", "xterm").env("NO_COLOR", "1").spawn_pty();
    top.wait_for("q quit");
    let echoes = |top: &Session| top.modes().local_flags.contains(LocalFlags::ECHO);
    assert!(!echoes(&top));
    top.type_keys("n");
    top.wait_until("sorted by name", |seen| {
        let last = seen.rsplit("\x1b[H").next().unwrap_or_default();
        last.find("api.1").zip(last.find("web.1")).is_some_and(|(api, web)| api < web)
    });
    top.resize(24, 40);
    top.wait_until("a narrow table", |seen| {
        let last = seen.rsplit("\x1b[H").next().unwrap_or_default();
        let cut = |line: &str| {
            line.trim_end_matches("\r").trim_end_matches("\x1b[K").chars().count() <= 40
        };
        last.ends_with("\x1b[J") && last.starts_with("NAME") && last.lines().take(4).all(cut)
    });
    top.resize(24, 80);
    let seen = top.stdout_so_far().matches("q quit").count();
    top.wait_for_times("q quit", seen + 1);
    // No shell could resume it: Ctrl-Z does nothing, as in any program.
    let seen = top.stdout_so_far().matches("q quit").count();
    top.type_keys(CTRL_Z);
    top.wait_for_times("q quit", seen + 2);
    assert!(!echoes(&top));
    assert!(!top.stdout_so_far().contains("\x1b[3"), "a colour");
    top.type_keys("q");
    assert_eq!(top.wait(), End::Code(0));
    let mut other = app.pm(["top"]).env("TERM", "xterm").spawn_pty();
    other.wait_for("q quit");
    other.type_keys(CTRL_C);
    assert_eq!(other.wait(), End::Code(130));
    end(session);
}

#[test]
fn a_signal_ends_top_also_where_its_terminal_takes_nothing() {
    let app = Sandbox::with_procfile("web: sleep 1000\n");
    let session = app.pm(["start", "web=20"]).spawn();
    session.wait_for("web.20");
    let mut top = app.pm(["top"]).env("TERM", "xterm").spawn_pty();
    top.wait_for("q quit");
    top.stop_reading();
    // Each key that sorts is a picture, and a terminal holds no more than a few.
    top.type_keys(&"cmn".repeat(200));
    eventually("a full terminal", || (top.unread_bytes() > 3000).then_some(()));
    top.signal(Signal::SIGTERM);
    assert_eq!(top.wait(), End::Code(143));
    end(session);
}

#[test]
fn after_top_is_closed_nothing_wakes_the_session() {
    let app = Sandbox::with_procfile("web: sleep 1000\n");
    let session = app.pm(["start", "web=5"]).spawn();
    session.wait_for("web.5");
    let mut top = app.pm(["top"]).env("TERM", "xterm").spawn_pty();
    top.wait_for_times("q quit", 3);
    top.type_keys("q");
    assert_eq!(top.wait(), End::Code(0));
    never_wakes(&app, session.pid());
    end(session);
}

#[test]
fn on_a_terminal_that_does_not_draw_top_is_one_table() {
    let app = Sandbox::with_procfile("web: sleep 1000\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("web.1");
    for term in [None, Some("dumb")] {
        let mut top = match term {
            None => app.pm(["top"]),
            Some(term) => app.pm(["top"]).env("TERM", term),
        }
        .spawn_pty();
        assert_eq!(top.wait(), End::Code(0));
        let seen = top.stdout_so_far();
        assert!(seen.starts_with("NAME ") && !seen.contains('\x1b'), "{seen:?}");
    }
    end(session);
}

#[test]
fn ps_tells_peak_threads_and_open_files() {
    let app = Sandbox::with_procfile("web: exec 7</dev/null 8</dev/null; echo up; sleep 1000; :\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("up\n");
    let output = app.pm(["ps", "--json"]).run();
    let object: Value = serde_json::from_str(&output.stdout).expect("an object");
    let web = &object["instances"][0];
    assert!(web["peak"].as_u64() > Some(100_000), "{web}");
    assert_eq!((web["threads"].as_u64(), &web["listens"]), (Some(2), &serde_json::json!([])));
    assert!(web["open_files"].as_u64() >= Some(10), "{web}");
    let table = app.pm(["ps", "-v"]).run().stdout;
    assert!(table.contains("PEAK  THREADS  FILES  LISTENS"), "{table}");
    end(session);
}

#[test]
fn a_session_with_budgets_names_the_peak_of_each_type_at_its_end() {
    let app = Sandbox::with_procfile("web: sleep 1000\nworker: sleep 1000\n");
    let mut session = app.pm(["start", "--memory", "64M"]).spawn();
    session.wait_for("worker.1");
    // Each look counts, and not only the samples of the budget.
    drop(metrics(&app));
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let said = session.stdout_so_far();
    let line = said.lines().find(|line| line.contains("peak memory: web ")).expect("a line");
    assert!(line.contains(", worker ") && line.ends_with('M'), "{line}");
}
