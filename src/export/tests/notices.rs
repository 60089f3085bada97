//! What is told beside an export.

use super::{cluster, compound, quoting};
use crate::app::App;
use crate::export::formats::{compose, inittab, kubernetes, quadlet, supervisord, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{Format, Image, Options, render};

#[test]
fn what_is_left_out_or_assumed_is_told() {
    let told = |format: &Format, case: fn() -> (App, Options), account: Account, image: Image| {
        let (app, options) = case();
        let options = Options { image, ..options };
        let files = render(format, &app, &options).unwrap();
        notices(format, &app, &options, account, files.iter().map(|file| file.owner))
    };
    let named = || Image::Named("a".into());
    assert_eq!(told(&systemd::FORMAT, cluster, Account::Reachable, named()), [""; 0]);
    assert_eq!(
        told(&inittab::FORMAT, cluster, Account::Unknown, named()),
        [
            "the memory budget is left out: inittab does not limit memory",
            "the stop signal is left out: inittab sends TERM",
            "the timeout is left out: inittab has its own",
            "there is no user `deploy` on this machine; choose one with `-u`",
        ]
    );
    assert_eq!(
        told(&supervisord::FORMAT, compound, Account::OutOfReach, named()),
        [
            "`release` is left out: supervisord has no one-shot step; run it before each start",
            "only root can change the owner of files: the scripts and env files must be owned by `deploy`",
        ]
    );
    assert_eq!(
        told(&kubernetes::FORMAT, compound, Account::Reachable, named()),
        [
            "the restart policy is left out: kubernetes has its own",
            "`web` and `Clock_1` do not wait for `release`: kubernetes starts a Job and a Deployment together",
            "a finished Job is not run again: `kubectl delete job compound-release` before the next `kubectl apply`",
        ]
    );
    assert_eq!(
        told(&compose::FORMAT, quoting, Account::Unknown, Image::Build { workdir: None }),
        [""; 0]
    );
    assert_eq!(
        told(&quadlet::FORMAT, quoting, Account::Unknown, Image::Assumed),
        ["no image was given with `--image`: `localhost/quoting:latest` is assumed"]
    );
}
