//! `pm ui`: finds the sessions, and gives the ui what it needs of the environment, the clock and files.

#[cfg(feature = "ui")]
mod keys;
#[cfg(feature = "ui")]
mod older;
#[cfg(feature = "ui")]
mod show;

#[cfg(feature = "ui")]
pub(crate) use show::ui;

/// Says that there is none.
#[cfg(not(feature = "ui"))]
pub(crate) fn ui(
    _: &super::client::args::UiArgs,
    _: &clap::ArgMatches,
    _: (super::json::AnswerForm, &super::sources::Sources),
) -> Result<i32, crate::error::Error> {
    Err(crate::error::Error::Usage {
        reason: "this pm was built without `pm ui`".to_owned(),
        hint: "`pm ps` shows the instances, `pm logs -f` their output; the cargo feature is `ui`"
            .to_owned(),
    })
}
