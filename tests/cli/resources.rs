//! What an instance may use, read from the programs that get it: heaps, collectors, workers, limits.

use nix::sys::signal::Signal;

use crate::log::{printed_by, said_by};
use crate::sandbox::http::{free_port, get};
use crate::sandbox::{End, Output, Sandbox, has, has_program};

/// Asks `web.1` of the node cluster, started with these arguments, what it was given.
fn config_of(app: &Sandbox, args: &[&str]) -> serde_json::Value {
    let port = free_port(1);
    let number = port.to_string();
    let all = ["start", "web", "-p", &number, "--memory", "web=512M", "--gc", "web=size"];
    let mut session = app.pm(all.iter().chain(args)).spawn();
    session.wait_for(&format!("web.1 listening on port {port}"));
    let answer = get(port, "/config").expect("the server answers");
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let (_, body) = answer.split_once("\r\n\r\n").expect("a header and a body");
    serde_json::from_str(body).expect("it is JSON")
}

fn heap_mib(config: &serde_json::Value) -> u64 {
    config["heap_size_limit"].as_u64().expect("a number") >> 20
}

#[test]
fn node_in_512_mib_has_the_heap_the_worker_and_the_flags_of_its_budget() {
    if !has_program("node") {
        return;
    }
    // The example's command and .env have their own, which pm would not touch.
    let app = Sandbox::of_example("node-cluster").procfile("web: node server.js\n");
    let app = app.write(".env", "REDIS_URL=redis://127.0.0.1:1\n");
    let config = config_of(&app, &[]);
    assert_eq!(config["WEB_CONCURRENCY"], "1");
    assert_eq!(config["MEMORY_AVAILABLE"], "512");
    assert_eq!(config["NODE_OPTIONS"], "--max-old-space-size=460");
    assert_eq!(config["execArgv"], serde_json::json!(["--optimize-for-size", "--gc-interval=100"]));
    // V8 adds its young generation, which --optimize-for-size makes small.
    assert!((460..=512).contains(&heap_mib(&config)), "{config}");
    let config = config_of(&app, &["--set", "WEB_MEMORY=256"]);
    assert_eq!(config["WEB_CONCURRENCY"], "2");
    assert_eq!(config["NODE_OPTIONS"], "--max-old-space-size=230");
    assert!((230..=280).contains(&heap_mib(&config)), "{config}");
}

#[test]
fn what_the_user_has_said_is_left_as_it_is() {
    if !has_program("node") {
        return;
    }
    let config = config_of(&Sandbox::of_example("node-cluster"), &[]);
    assert_eq!(config["WEB_CONCURRENCY"], "2");
    assert_eq!(config["MEMORY_AVAILABLE"], "512");
    assert_eq!(config["NODE_OPTIONS"], serde_json::Value::Null);
    assert_eq!(
        config["execArgv"],
        serde_json::json!(["--optimize_for_size", "--max_old_space_size=460", "--gc_interval=100"])
    );
    assert!((460..=512).contains(&heap_mib(&config)), "{config}");
}

#[test]
fn java_has_the_heap_and_the_collector_of_its_budget() {
    if !has_program("java") {
        return;
    }
    let app = Sandbox::with_procfile("web: java -XX:+PrintFlagsFinal -version\n");
    let output = app.pm(["start", "--memory", "512M", "--gc", "size"]).run();
    let flag = |name: &str| {
        let lines = printed_by(&output.stdout, "web.1");
        let line = lines.into_iter().find(|line| line.split_whitespace().nth(1) == Some(name));
        line.and_then(|line| line.split_whitespace().nth(3)).map(str::to_owned)
    };
    assert_eq!(flag("MaxHeapSize"), Some((460_u64 << 20).to_string()), "{output:?}");
    assert_eq!(flag("UseSerialGC").as_deref(), Some("true"));
}

#[test]
fn a_go_program_has_the_limit_and_the_collectors_aim_of_its_budget() {
    if !has_program("go") {
        return;
    }
    let app = Sandbox::with_procfile("web: go run main.go\n").write(
        "main.go",
        "package main\n\
         import (\"fmt\"; \"runtime/debug\")\n\
         func main() { fmt.Println(\"limit\", debug.SetMemoryLimit(-1), \"percent\", debug.SetGCPercent(100)) }\n",
    );
    let app = app.env("GO111MODULE", "off").env("GOFLAGS", "");
    let output = app.pm(["start", "--memory", "512M", "--gc", "size"]).run();
    let expected = format!("limit {} percent 50", 460_u64 << 20);
    assert_eq!(printed_by(&output.stdout, "web.1"), [expected.as_str()], "{output:?}");
}

#[test]
fn go_and_dotnet_and_glibc_are_told_by_the_environment() {
    // The node is for V8's flags, which need one.
    let app = Sandbox::with_procfile("web: env || node x\nother: env\n").env("GOGC", "70");
    let Output { stdout, .. } = app.pm(["start", "--memory", "web=1G", "--gc", "web=size"]).run();
    let has = |name: &str, line: &str| printed_by(&stdout, name).contains(&line);
    for line in
        ["GOMEMLIMIT=920MiB", "GOGC=70", "DOTNET_GCHeapHardLimit=39800000", "MALLOC_ARENA_MAX=2"]
    {
        assert!(has("web.1", line), "{line}: {stdout}");
    }
    assert!(!stdout.lines().any(|line| line.contains("other.1") && line.contains("GOMEMLIMIT")));
}

#[test]
fn v8s_flags_are_put_into_the_command_or_refused_never_guessed() {
    if !has_program("node") {
        return;
    }
    let print = "-p 'JSON.stringify(process.execArgv.slice(0, 2))'";
    let app = Sandbox::with_procfile(&format!("web: cd . && A=1 env B=2 node {print}\n"));
    let output = app.pm(["start", "--gc", "size"]).run();
    let expected = r#"["--optimize-for-size","--gc-interval=100"]"#;
    assert_eq!(printed_by(&output.stdout, "web.1"), [expected], "{output:?}");
    let app = Sandbox::with_procfile("web: npm start\nrb: ruby -v\n");
    let output = app.pm(["start", "--gc", "all=size"]).run();
    assert!(output.stderr.starts_with("error: cannot add V8's flags to the command of `web`: "));
    assert!(output.stderr.contains("\nhint: write the program out"), "{output:?}");
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
}

#[test]
fn limits_of_files_niceness_and_cpus_hold_for_the_whole_instance() {
    if !has("way to hold a process to CPUs", !cfg!(pm_portable)) {
        return;
    }
    let script = "ulimit -n; ulimit -Hn; nice; grep Cpus_allowed_list /proc/self/status";
    let app = Sandbox::with_procfile(&format!("a: {script}\nb: {script}\n"));
    let output = app.pm(["start", "--nofile", "a=123", "--nice", "a=7", "--cpus", "a=0-0"]).run();
    let said = printed_by(&output.stdout, "a.1");
    assert_eq!(said, ["123", "123", "7", "Cpus_allowed_list:\t0"], "{output:?}");
    assert_ne!(printed_by(&output.stdout, "b.1")[..3], ["123", "123", "7"]);
    let output = app.pm(["start", "a", "--cpus", "4000-4001"]).run();
    assert!(output.stdout.contains("there is no CPU 4000"), "{output:?}");
    assert_eq!(output.code(), 1);
}

#[test]
fn pm_env_says_where_each_value_comes_from_and_masks_what_is_in_part_the_users() {
    let app = Sandbox::with_procfile("web: node x\n").env("JAVA_TOOL_OPTIONS", "-Dpassword=x");
    let app = app.write(".env", "GOGC=70\n");
    let output = app.pm(["env", "web", "--memory", "1G", "--set", "WEB_MEMORY=512"]).run();
    for line in [
        "DOTNET_GCHeapHardLimit=1CC00000  # pm: heap, for .NET",
        "GOGC=****  # .env:1",
        "GOMEMLIMIT=460MiB  # pm: heap, for Go",
        "JAVA_TOOL_OPTIONS=****  # pm: heap or gc, for the JVM, after your own",
        "MEMORY_AVAILABLE=1024  # pm: memory budget, in MiB",
        "NODE_OPTIONS=--max-old-space-size=460  # pm: heap or gc, for Node",
        "WEB_CONCURRENCY=2  # pm: memory budget / WEB_MEMORY, else 1",
        "WEB_MEMORY=****  # --set",
    ] {
        assert!(output.stdout.lines().any(|shown| shown == line), "{line}: {output:?}");
    }
}

#[test]
fn a_limit_of_cpu_time_that_nothing_can_hold_is_said_aloud() {
    // The test itself is in pm's cgroup, so that pm may not divide it.
    let app = Sandbox::with_procfile("web: true\n");
    let output = app.pm(["start", "--cpus", "1.5"]).run();
    let said = said_by(&output.stdout, "system");
    assert!(said[0].starts_with("the CPU time of web is not limited: "), "{output:?}");
    assert_eq!(output.code(), 0);
}

#[test]
fn concurrency_is_a_default_that_a_formation_replaces() {
    let app = Sandbox::with_procfile("web: echo hi\nworker: echo hi\n");
    let count = |args: &[&str]| {
        let output = app.pm(["start", "--concurrency", "web=3"].iter().chain(args)).run();
        ["web", "worker"].map(|name| {
            (1..9)
                .filter(|n| !printed_by(&output.stdout, &format!("{name}.{n}")).is_empty())
                .count()
        })
    };
    assert_eq!(count(&[]), [3, 1]);
    assert_eq!(count(&["web"]), [3, 0]);
    assert_eq!(count(&["-m", "all=2"]), [2, 2]);
    assert_eq!(count(&["web=1"]), [1, 0]);
}

#[test]
fn check_warns_of_budgets_that_the_machine_does_not_have() {
    let app = Sandbox::with_procfile("web: true\n");
    let output = app.pm(["check", "--memory", "web=100T", "-m", "web=2"]).run();
    assert!(
        output.stderr.contains(
            "warning[memory]: the memory budgets add up to 209715200 MiB (web 2 × 104857600 MiB)"
        ),
        "{output:?}"
    );
    assert_eq!(output.code(), 0);
    let output = app.pm(["check", "--memory", "web=1M"]).run();
    assert!(!output.stderr.contains("warning[memory]"), "{output:?}");
}
