//! Which runs are kept, and what each says of its beginning and its end.

use super::super::*;
use super::{KeptApp, shown, start};

#[test]
fn five_runs_are_kept_and_the_sixth_drops_the_first() {
    let scratch = tempfile::tempdir().unwrap();
    let app = scratch.path().join("app");
    let numbers = || list(&app).unwrap().iter().map(|run| run.number).collect::<Vec<_>>();
    for _ in 0..5 {
        begin(&app, &start(), 0).unwrap();
        prune(scratch.path(), &app, 5, 1000);
    }
    assert_eq!(numbers(), [1, 2, 3, 4, 5]);
    begin(&app, &start(), 0).unwrap();
    prune(scratch.path(), &app, 5, 1000);
    assert_eq!(numbers(), [2, 3, 4, 5, 6]);
    let fourteen_days = 14 * 24 * 3600 * 1000;
    let ended = |at| RunEnd { at, code: 0, verdict: None };
    begin(&app, &start(), 0).unwrap().0.end(&ended(1000)).unwrap();
    prune(scratch.path(), &scratch.path().join("other"), 5, 1000 + fourteen_days);
    assert_eq!(numbers(), [2, 3, 4, 5, 6, 7]);
    prune(scratch.path(), &scratch.path().join("other"), 5, 1001 + fourteen_days);
    assert_eq!(numbers(), [2, 3, 4, 5, 6], "one of any application that is too old");
}

#[test]
fn a_run_that_is_alive_is_neither_removed_nor_counted_as_ended() {
    let scratch = tempfile::tempdir().unwrap();
    let app = scratch.path().join("app");
    let (alive, _keeper) = begin(&app, &start(), 0).unwrap();
    begin(&app, &start(), 0).unwrap();
    begin(&app, &start(), 0).unwrap();
    prune(scratch.path(), &app, 1, i64::MAX);
    let runs = list(&app).unwrap();
    let known: Vec<_> = runs.iter().map(|run| (run.number, run.is_alive)).collect();
    assert_eq!(known, [(1, true)], "also where all are too old");
    assert_eq!(purge(&app).unwrap(), Purged { removed: 0, alive: 1 });
    begin(&app, &start(), 0).unwrap();
    begin(&app, &start(), 0).unwrap();
    let runs = list(&app).unwrap();
    let number = |which| choose(&runs, which).map(|run| run.number);
    assert_eq!(number(Which::Newest), Some(3));
    assert_eq!(number(Which::Ended(1)), Some(3));
    assert_eq!(number(Which::Ended(2)), Some(2));
    assert_eq!(number(Which::Ended(3)), None, "the first still runs");
    assert_eq!(number(Which::Ended(0)), None);
    assert_eq!(number(Which::Number(1)), Some(1));
    drop(alive);
    assert_eq!(purge(&app).unwrap(), Purged { removed: 3, alive: 0 });
    assert!(!app.exists(), "nothing is left");
    assert_eq!(purge(&app).unwrap(), Purged::default());
    assert!(list(&app).unwrap().is_empty());
}

#[test]
fn a_record_says_what_began_and_ended_a_run() {
    let mut kept = KeptApp::new(0);
    let run = kept.run();
    assert_eq!((run.number, &run.start, &run.end, run.is_alive), (1, &start(), &None, true));
    assert_eq!(run.ended_at(), None);
    let verdict = "é".repeat(4000);
    let end = RunEnd { at: 2000, code: 7, verdict: Some(verdict.clone()) };
    kept.record.as_ref().unwrap().end(&end).unwrap();
    assert!(kept.run().is_alive);
    kept.record = None;
    let run = kept.run();
    assert!(!run.is_alive);
    assert_eq!(run.ended_at(), Some(2000));
    let end = run.end.unwrap();
    let shorter = end.verdict.unwrap();
    assert_eq!((end.at, end.code), (2000, 7));
    assert!(verdict.starts_with(&shorter) && shorter.len() > 1500, "{}", shorter.len());
}

#[test]
fn one_that_was_killed_has_ended_when_it_last_wrote() {
    let mut kept = KeptApp::new(0);
    kept.output("web.1", 1, b"a\n");
    kept.record = None;
    let run = kept.run();
    assert_eq!((run.end.clone(), run.is_alive), (None, false));
    // 2020; the clock of no machine that runs this is before it.
    assert!(run.ended_at().unwrap() > 1_577_836_800_000);
}

#[test]
fn sessions_that_start_at_one_time_have_runs_of_their_own() {
    let scratch = tempfile::tempdir().unwrap();
    let app = scratch.path().join("app");
    std::thread::scope(|scope| {
        for at in 0..8 {
            let app = &app;
            scope.spawn(move || {
                let (record, mut keeper) = begin(app, &start(), 0).unwrap();
                let web = keeper.ring_of("web.1");
                keeper.output(web, at, [format!("{at}\n").as_bytes(), b""]);
                record.end(&RunEnd { at, code: 0, verdict: None }).unwrap();
            });
        }
    });
    let runs = list(&app).unwrap();
    assert_eq!(runs.iter().map(|run| run.number).collect::<Vec<_>>(), Vec::from_iter(1..=8));
    for run in runs {
        let at = run.end.as_ref().unwrap().at;
        let mut reader = run.read(|_| true, i64::MAX).unwrap();
        assert_eq!(shown(&mut reader), [format!("{at} web.1 0 \"{at}\" Newline 0")]);
    }
}
