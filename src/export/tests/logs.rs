//! Limits of logs, in the words of each format.

use super::{app, cluster, options, process, quoting};
use crate::app::{App, LogLimits};
use crate::export::formats::{
    bluepill, compose, inittab, kubernetes, launchd, nomad, quadlet, runit, s6, smf, supervisord,
    systemd, upstart,
};
use crate::export::notices::{Account, notices};
use crate::export::{Format, Inittab, Options, render};

fn limited(case: fn() -> (App, Options), size: u64, keep: u64) -> (App, Options) {
    let (app, options) = case();
    (app, Options { log_limits: Some(LogLimits { size, keep }), ..options })
}

/// Returns the text of the file whose path ends so.
fn file(format: &Format, (app, options): &(App, Options), end: &str) -> String {
    let files = render(format, app, options).unwrap();
    let found = files.into_iter().find(|file| file.path.to_string_lossy().ends_with(end));
    found.unwrap_or_else(|| panic!("{} has no {end}", format.name)).contents
}

#[test]
fn limits_of_logs_are_written_as_each_consumer_reads_them() {
    let case = limited(cluster, 32 << 20, 2);
    let table: [(&Format, &str, &str); 6] = [
        (
            &runit::FORMAT,
            "web-1/log/run",
            "printf 's%s\\nn%s\\n' 33554432 2 >'/var/log/cluster/web-1'/config\n",
        ),
        (&s6::FORMAT, "web-1/log/run", " s6-log n2 s33554432 T "),
        (
            &supervisord::FORMAT,
            "cluster.conf",
            "stdout_logfile_maxbytes=33554432\nstdout_logfile_backups=2\n",
        ),
        (
            &compose::FORMAT,
            "compose.yaml",
            "    logging:\n      driver: local\n      options:\n        max-size: \"33554432\"\n        max-file: \"3\"\n    deploy:",
        ),
        (
            &nomad::FORMAT,
            "cluster.nomad.hcl",
            "      logs {\n        max_files     = 3\n        max_file_size = 32\n      }\n",
        ),
        (
            &upstart::FORMAT,
            "cluster.logrotate",
            "\n\"/var/log/cluster/web-1.log\"\n\"/var/log/cluster/web-2.log\"\n\"/var/log/cluster/worker-1.log\"\n{\n    \
             size 33554432\n    rotate 2\n    copytruncate\n    missingok\n    notifempty\n}\n",
        ),
    ];
    for (format, path, expected) in table {
        let text = file(format, &case, path);
        assert!(text.contains(expected), "{}: {text}", format.name);
    }
    assert!(!file(&nomad::FORMAT, &case, "hcl").contains("ephemeral_disk"));
    let large = file(&nomad::FORMAT, &limited(cluster, 200 << 20, 3), "hcl");
    assert!(large.contains("    ephemeral_disk {\n      size = 1100\n    }\n"), "{large}");
}

#[test]
fn limits_that_a_consumer_does_not_take_become_the_nearest_that_it_does() {
    for (size, keep, expected) in
        [(1, 0, " n1 s4096 "), (u64::MAX, u64::MAX, " n18446744073709551615 s268435455 ")]
    {
        let text = file(&s6::FORMAT, &limited(cluster, size, keep), "web-1/log/run");
        assert!(text.contains(expected), "{text}");
    }
    // svlogd would keep all.
    let text = file(&runit::FORMAT, &limited(cluster, 5000, 0), "web-1/log/run");
    assert!(text.contains("' 5000 1 >"), "{text}");
    let text = file(&compose::FORMAT, &limited(cluster, 5000, 0), "compose.yaml");
    assert!(text.contains("max-file: \"1\"\n        compress: \"false\"\n"), "{text}");
}

#[test]
fn logs_that_grow_get_a_file_for_logrotate_and_a_notice_and_others_a_notice_where_to_set_it() {
    for format in [&launchd::FORMAT, &upstart::FORMAT, &inittab::FORMAT, &bluepill::FORMAT] {
        let (app, options) = limited(quoting, 1 << 20, 5);
        let text = file(format, &(app.clone(), options.clone()), "quoting.logrotate");
        assert!(text.contains("\"/var/log/quoting/web-1.log\"\n{\n    size 1048576\n"), "{text}");
        let told = notices(format, &app, &options, Account::Reachable, std::iter::empty());
        let notice = "to limit the logs, copy quoting.logrotate to /etc/logrotate.d".to_owned();
        assert!(told.contains(&notice), "{told:?}");
    }
    for format in [&systemd::FORMAT, &quadlet::FORMAT, &kubernetes::FORMAT, &smf::FORMAT] {
        let (app, options) = limited(quoting, 1 << 20, 5);
        let told = notices(format, &app, &options, Account::Reachable, std::iter::empty());
        let left_out =
            format!("`log-size` and `log-keep` are left out: {} has its own", format.name);
        assert!(told.iter().any(|notice| notice.starts_with(&left_out)), "{told:?}");
        let files = render(format, &app, &options).unwrap();
        assert!(files.iter().all(|file| !file.path.to_string_lossy().ends_with("logrotate")));
    }
}

#[test]
fn lines_of_an_inittab_that_are_printed_come_alone() {
    let short = || (app("/srv/a", vec![process("web", "./web", 1)], &[]), options("a"));
    let (app, options) = limited(short, 1 << 20, 5);
    let options = Options { inittab: Inittab::Lines, ..options };
    assert_eq!(render(&inittab::FORMAT, &app, &options).unwrap().len(), 1);
}
