use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use super::*;
use crate::os::pid_table::Pipes;

/// pm's own group in the table.
const PM: i32 = 1;

fn pids(numbers: &[i32]) -> Vec<Pid> {
    numbers.iter().copied().map(Pid::from_raw).collect()
}

#[test]
fn groups_marks_and_descendants_are_followed_until_nothing_new_is_found() {
    const MARKED: bool = true;
    const NOT: bool = false;
    type ProcessRow = (i32, i32, i32, bool);
    // What it is, the groups and processes that are known, who lives (pid, parent, group, marked), and then
    // the groups and the processes outside of them.
    type WatchCase<'a> = (&'a str, &'a [i32], &'a [i32], &'a [ProcessRow], &'a [i32], &'a [i32]);
    let table: &[WatchCase] = &[
        ("nobody", &[10], &[], &[(5, 1, 5, NOT)], &[10], &[]),
        ("a group", &[10], &[], &[(10, 1, 10, NOT), (11, 10, 10, NOT)], &[10], &[]),
        (
            "a leader that pm had no time to write down, and an unmarked child of its that was orphaned",
            &[],
            &[],
            &[(11, 1, 10, NOT), (10, 1, 10, MARKED)],
            &[10],
            &[],
        ),
        ("one that is left of such a group", &[], &[], &[(11, 1, 10, MARKED)], &[10], &[]),
        ("one that left a group", &[10], &[], &[(12, 1, 12, MARKED)], &[10, 12], &[]),
        (
            "its unmarked child that left again, and the rest of the group that it leads",
            &[10],
            &[],
            &[(15, 1, 14, NOT), (14, 12, 14, NOT), (12, 10, 12, NOT), (10, 1, 10, NOT)],
            &[10, 12, 14],
            &[],
        ),
        (
            "one to whom a stranger has passed on a pipe: neither the stranger nor its group",
            &[],
            &[],
            &[(20, 1, 20, NOT), (21, 20, 20, MARKED), (22, 20, 20, NOT)],
            &[],
            &[21],
        ),
        ("one in pm's own group", &[], &[], &[(30, 1, PM, MARKED), (31, 1, PM, NOT)], &[], &[30]),
        ("one of an earlier look", &[], &[21], &[(20, 1, 20, NOT), (21, 1, 20, NOT)], &[], &[21]),
    ];
    for (name, groups, known, living, groups_then, outside) in table {
        let seen = |(pid, parent, group, is_marked): &ProcessRow| Seen {
            pid: Pid::from_raw(*pid),
            parent: Pid::from_raw(*parent),
            group: Pid::from_raw(*group),
            is_marked: *is_marked,
        };
        let living: Vec<Seen> = living.iter().map(seen).collect();
        let mut hunt = Hunt { groups: pids(groups), known: pids(known), marks: Marks::default() };
        let left = hunt.sort_out(&living, Pid::from_raw(PM));
        hunt.groups.sort_unstable();
        assert_eq!((hunt.groups, left.outside), (pids(groups_then), pids(outside)), "{name}");
        let expected = living.iter().any(|one| groups_then.contains(&one.group.as_raw()));
        assert_eq!(left.is_in_groups, expected, "{name}");
    }
}

/// Starts a shell with pipes as pm does, and reads its first line. What it is known by is returned.
fn start(command: &str) -> (Child, Pipes, BufReader<PipeReader>, io::PipeWriter) {
    let (stdin, kept) = io::pipe().unwrap();
    let (output, writer) = io::pipe().unwrap();
    let pipes = Pipes::of(&stdin, &writer).unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).process_group(0).stdin(stdin).stdout(writer);
    let child = shell.spawn().unwrap();
    drop(shell);
    let mut output = BufReader::new(output);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, pipes, output, kept)
}

fn group_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn is_left(group: Pid) -> bool {
    processes::all().iter().any(|stat| stat.group == group && !stat.is_zombie)
}

#[test]
#[cfg_attr(pm_portable, ignore = "nobody sees there what another process has open")]
fn a_run_that_pm_had_no_time_to_write_down_is_ended_with_its_group() {
    let hidden = "sleep 1000 </dev/null >/dev/null 2>&1";
    let (mut child, pipes, output, _kept) =
        start(&format!("{hidden} & setsid {hidden} & sleep 1000 & echo ready; exec sleep 1000"));
    // Who looks on at the wrong end of a pipe is not of the run.
    let mut looks_on = Command::new("/bin/sleep");
    let reader = output.get_ref().try_clone().unwrap();
    let mut looks_on = looks_on.arg("1000").process_group(0).stdin(reader).spawn().unwrap();
    let mut table = PidTable::new().unwrap();
    table.enter(pipes).unwrap();
    // The shell goes on before the one in the background has left its group.
    let left = loop {
        let all = processes::all();
        let has_left =
            |stat: &&processes::Stat| stat.parent == group_of(&child) && stat.group == stat.pid;
        if let Some(stat) = all.iter().find(has_left) {
            break stat.pid;
        }
    };
    end_all(&table, getpgrp());
    assert_eq!(child.wait().unwrap().code(), None);
    assert_eq!((is_left(group_of(&child)), is_left(left)), (false, false));
    assert_eq!(looks_on.try_wait().unwrap(), None);
    looks_on.kill().unwrap();
    looks_on.wait().unwrap();
}

#[test]
#[cfg_attr(pm_portable, ignore = "nobody sees there what another process has open")]
fn a_daemon_that_an_ended_run_has_left_is_known_by_the_output_alone() {
    // As `setsid cmd &` is: the shell gives it /dev/null as stdin.
    let (mut child, pipes, mut output, _kept) =
        start("(setsid sh -c 'echo ready; exec sleep 1000' </dev/null &)");
    child.wait().unwrap();
    let mut table = PidTable::new().unwrap();
    let place = table.enter(pipes).unwrap();
    table.begin(place, group_of(&child));
    table.end(place);
    end_all(&table, getpgrp());
    // It is gone where nobody holds the pipe.
    assert_eq!(output.read_line(&mut String::new()).unwrap(), 0);
}
