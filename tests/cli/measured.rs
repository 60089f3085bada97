//! What `pm metrics` says of CPU time, memory and restarts, beside what the kernel and the programs say themselves.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::unistd::Pid;

use crate::control::{app, done};
use crate::metrics::{metrics, sample};
use crate::sandbox::{Sandbox, cases, eventually, has_by_chance, is_in_path};

/// Returns the CPU time of a process without its children, in seconds: utime and stime of proc_pid_stat(5).
fn cpu_of(pid: Pid) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: f64 =
        fields[11..13].iter().map(|field| field.parse::<f64>().expect("a number")).sum();
    // Linux counts in hundredths for who reads them (proc_pid_stat(5): USER_HZ).
    ticks / 100.0
}

fn cpu_of_metrics(app: &Sandbox) -> f64 {
    sample(&metrics(app), "cpu_seconds_total", "web.1", &[]).expect("a figure")
}

#[test]
fn the_cpu_time_of_a_grandchild_is_what_the_kernel_gave_it_and_stays_when_it_ends() {
    let busy = "sh -c 'echo $$ > busy; while :; do :; done' & wait; exec sleep 1000";
    let app = app(&format!("web: sh -c \"{}\"\n", busy.replace('$', "\\$")));
    let session = app.pm(["start"]).spawn();
    let busy = || app.read("busy").and_then(|text| text.trim().parse().ok());
    let busy = Pid::from_raw(eventually("the loop", busy));
    // Each figure lies between two looks at the kernel's.
    let look = || {
        let before = cpu_of(busy);
        let seen = cpu_of_metrics(&app);
        (before, seen, cpu_of(busy))
    };
    let (least, first, most) = look();
    eventually("some CPU time", || (cpu_of(busy) > most + 0.3).then_some(()));
    let (later_least, second, later_most) = look();
    // The shells above it have used a little, at their start; times are told in hundredths.
    let used = second - first;
    assert!((later_least - most - 0.03..=later_most - least + 0.03).contains(&used), "{used}");
    nix::sys::signal::kill(busy, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    eventually("its end", || session.running("while :").is_empty().then_some(()));
    let after = cpu_of_metrics(&app);
    assert!(after >= second, "{after} after {second}");
}

#[test]
fn the_cpu_time_of_many_short_processes_is_that_of_getrusage() {
    // 30 s of them in a long run.
    let count = cases(15);
    let script = format!(
        "i=0; while [ $i -lt {count} ]; do i=$((i+1)); \
         sh -c 'j=0; while [ $j -lt 15000 ]; do j=$((j+1)); done'; done; times > times; echo over; exec sleep 1000\n"
    );
    let app = app("web: sh forks.sh\n").write("forks.sh", script);
    let session = app.pm(["start"]).spawn();
    session.wait_for("started with pid");
    // Somebody looks while they come and go.
    while !session.stdout_so_far().contains("| over") {
        drop(metrics(&app));
    }
    // times(1p): user and system of the shell, and below of its children, as `0m1.230000s`.
    let times = app.read("times").expect("it was written");
    let seconds = |word: &str| {
        let (minutes, seconds) = word.trim_end_matches('s').split_once('m').expect("minutes");
        60.0 * minutes.parse::<f64>().expect("a number") + seconds.parse::<f64>().expect("a number")
    };
    let used: f64 = times.split_whitespace().map(seconds).sum();
    let said = cpu_of_metrics(&app);
    // Ten per cent; and hundredths, of which each look may miss one.
    assert!((said - used).abs() <= used * 0.1 + 0.05, "{said} for {used}");
}

#[test]
fn memory_that_processes_share_is_not_counted_for_each_of_them() {
    if !has_by_chance("python3", is_in_path("python3")) {
        return;
    }
    // A server that loads 40 MB and forks four workers, which share them.
    let app = app("web: exec python3 -S prefork.py\n").write(
        "prefork.py",
        "import os, time\nkept = b'x' * 40000000\nfor _ in range(4):\n    if os.fork() == 0: time.sleep(1000)\n\
         print('forked', flush=True)\ntime.sleep(1000)\n",
    );
    let session = app.pm(["start"]).spawn();
    session.wait_for("| forked");
    let once = |args: &[&str]| {
        let output = app.pm(["top", "--once", "--json"].iter().chain(args)).run();
        let object: serde_json::Value = serde_json::from_str(&output.stdout).expect("an object");
        object["instances"][0].clone()
    };
    let web = once(&["--pss"]);
    let [rss, pss] = ["rss", "pss"].map(|kind| web[kind].as_u64().expect("a figure"));
    assert!(rss > 200_000_000, "five times 40 MB: {web}");
    // What is in memory is there once: the kernel's own sum of it.
    let rollup = |pid: Pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    };
    let real: u64 = session.running("prefork.py").into_iter().map(rollup).sum();
    assert!(pss.abs_diff(real) <= real / 20, "{pss} for {real}");
    assert!(pss < 80_000_000, "{web}");
}

/// Makes a cgroup with the controllers that budgets and CPU limits need, where that may be done.
fn own_cgroup() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let parent = PathBuf::from("/sys/fs/cgroup").join(own);
    let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
    let has = |name| controllers.split_whitespace().any(|one| one == name);
    let folder = parent.join(format!("pm-test-{}", std::process::id()));
    (has("cpu") && has("memory") && fs::create_dir(&folder).is_ok()).then_some(folder)
}

#[test]
fn a_limit_of_half_a_cpu_is_half_a_cpu() {
    let folder = own_cgroup();
    if !has_by_chance("cgroup that the tests may divide", folder.is_some()) {
        return;
    }
    let Some(folder) = folder else { return };
    let app = app("web: while :; do :; done\n");
    let enter = format!(
        "echo $$ > {}/cgroup.procs; exec {} start --cpus 0.5 --memory 256M",
        folder.display(),
        crate::sandbox::PM
    );
    let session = app.sh(&enter).spawn();
    session.wait_for("web.1");
    let looks = app.pm(["top", "--json"]).spawn();
    looks.wait_until("five looks", |seen| seen.lines().count() >= 5);
    let text = looks.stdout_so_far();
    let last: serde_json::Value = serde_json::from_str(text.lines().nth(4).unwrap()).expect("one");
    let cpu = last["instances"][0]["cpu"].as_f64().expect("a figure");
    assert!((45.0..=55.0).contains(&cpu), "{cpu}");
    // The figure is that of the cgroup.
    assert!(last["instances"][0]["cgroup"].is_u64(), "{last}");
    drop(looks);
    drop(session);
    // What is empty can be removed; another run makes its own.
    let _ = fs::remove_dir(folder);
}

#[test]
fn each_of_the_six_causes_of_a_restart_is_counted_as_what_it_is() {
    // An instance runs into its cause the first time, and sleeps the second time.
    let once = |first: &str| {
        format!("if test -e $PS; then echo up; exec sleep 1000; fi; : > $PS; {first}")
    };
    let hog = "x=$(head -c 50000000 /dev/zero | tr '\\000' x); sleep 1000; echo $x";
    // Three samples over the budget, one a second, are for a long run.
    let is_long = cases(1) > 1;
    let app = app(&[
        format!("crash: {}\n", once("exit 3")),
        format!("memory: {}\n", once(if is_long { hog } else { "echo up; exec sleep 1000" })),
        format!("unready: {}\n", once("exec sleep 1000")),
        format!("dead: {}\n", once("echo up; exec sleep 1000")),
        "watch: echo up; exec sleep 1000\n".to_owned(),
        "asked: echo up; exec sleep 1000\n".to_owned(),
    ]
    .concat())
    .write("watched", "first\n")
    .write(
        "pm.toml",
        "[process.memory]\nmemory = '16M'\nmemory-action = 'kill'\n\
         [process.unready]\nready = 'log:up'\nready-timeout = 0.3\n\
         [process.dead]\nready = 'log:up'\nlive = 'cmd:test $PS_RUN != 1'\nlive-interval = '0.2s'\nlive-failures = 1\n\
         [process.watch]\nwatch = ['watched']\n"
            .replace("$PS_RUN != 1", "-e alive"),
    );
    let session = app.pm(["start", "--restart", "on-failure"]).spawn();
    session.wait_for("dead.1");
    session.wait_for("not alive");
    fs::write(app.path("alive"), "").expect("a file");
    eventually("the files are watched", || done(&app, "ps").contains("watching").then_some(()));
    fs::write(app.path("watched"), "second\n").expect("a file");
    done(&app, "restart asked");
    let causes = ["crash", "memory", "not_ready", "not_alive", "watch", "asked"];
    let counted = |text: &str, of: &str| {
        causes.map(|cause| {
            let cause = format!("cause=\"{cause}\"");
            sample(text, "restarts_total", &format!("{of}.1"), &[&cause]).unwrap_or_default() > 0.0
        })
    };
    let types = ["crash", "memory", "unready", "dead", "watch", "asked"];
    for (at, of) in types.into_iter().enumerate().filter(|(_, of)| is_long || *of != "memory") {
        let mut expected = [false; 6];
        expected[at] = true;
        eventually(&format!("the restart of {of}"), || {
            let text = metrics(&app);
            let counted = counted(&text, of);
            counted[at].then(|| assert_eq!(counted, expected, "{of}: {text}"))
        });
    }
}

#[test]
fn a_file_of_metrics_is_never_half_for_who_reads_it_in_a_loop() {
    let app = app("web: echo up; exec sleep 1000\n");
    let session = app.pm(["start", "web=20"]).spawn();
    session.wait_for_times("| up", 20);
    let file = app.path("pm.prom");
    let write = || assert_eq!(app.pm(["metrics", "--output", "pm.prom"]).run().code(), 0);
    write();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) || reads == 0 {
                let text = fs::read_to_string(&file).expect("it is there at every moment");
                assert!(text.starts_with("# HELP pm_up ") && text.ends_with('\n'), "{text:?}");
                assert_eq!(text.matches("pm_instance_uptime_seconds{").count(), 20);
                reads += 1;
            }
        });
        (0..cases(8)).for_each(|_| write());
        is_over.store(true, Ordering::Relaxed);
        reader.join().expect("each read was whole");
    });
    let beside = fs::read_dir(app.dir()).expect("a folder").filter_map(Result::ok);
    let left = beside.filter(|entry| entry.file_name().to_string_lossy().contains("prom"));
    assert_eq!(left.count(), 1);
}

#[test]
fn promtool_has_nothing_to_say_of_roots_with_odd_names() {
    if !has_by_chance("promtool", is_in_path("promtool")) {
        return;
    }
    for name in ["my \"app\" \\n", "é日 {a=\"b\"}", "a b\tc"] {
        let app = app("").write(&format!("{name}/Procfile"), "web: echo up; exec sleep 1000\n");
        let session = app.pm(["start", "--memory", "64M"]).in_folder(name).spawn();
        session.wait_for("| up");
        let text = app.pm(["metrics"]).in_folder(name).run().stdout;
        let checked = app.command("promtool", ["check", "metrics"]).stdin(text).run();
        assert_eq!((checked.code(), checked.stdout.as_str(), checked.stderr.as_str()), (0, "", ""));
    }
}

/// Returns the counters of a text, each with its labels.
fn counters(text: &str) -> HashMap<String, f64> {
    let samples = text.lines().filter(|line| line.contains("_total{"));
    let one = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    samples.map(one).collect()
}

#[test]
fn no_counter_falls_over_any_history_of_crash_restart_scale_stop_and_reload() {
    for seed in 1..=cases(3) {
        let mut state = u64::from(seed) * 7919;
        // Numbers that look random and are the same each time (xorshift).
        let mut pick = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n).to_string()
        };
        let app = app("web: echo up; exec sleep 1000\n");
        let session = app.pm(["start", "web=2"]).spawn();
        session.wait_for_times("| up", 2);
        let (mut most, mut steps) = (counters(&metrics(&app)), Vec::new());
        for _ in 0..8 {
            let (count, instance) = (pick(4), format!("web.{}", pick(3)));
            let step = match pick(6).as_str() {
                "0" => format!("signal KILL {instance}"),
                "1" => format!("restart {instance}"),
                "2" => format!("stop {instance}"),
                "3" => "start web".to_owned(),
                "4" => "reload".to_owned(),
                _ => format!("scale web={count}"),
            };
            // An instance that is not there is none of this test's.
            drop(app.pm(step.split(' ')).run());
            steps.push(step);
            for (series, value) in counters(&metrics(&app)) {
                let before = most.insert(series.clone(), value);
                assert!(before.is_none_or(|before| value >= before), "{series} {value}: {steps:?}");
            }
        }
        let starts = most.iter().filter(|(series, _)| series.contains("starts_total"));
        assert!(starts.map(|(_, value)| value).sum::<f64>() >= 2.0, "{most:?}");
    }
}
