//! Pictures of twelve states, in two sizes, with and without Unicode, compared with `tests/golden/ui`.
//! `PM_BLESS=1 cargo test --lib tui` writes them again.

use std::path::{Path, PathBuf};

use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;

use super::view;
use crate::control::proto::{InstanceState, InstanceStatus, InstanceUsage, Report};
use crate::tui::event::UiEvent;
use crate::tui::keys::{KeyMap, TypedKeys};
use crate::tui::look::UiLook;
use crate::tui::model::UiModel;
use crate::tui::older::InstanceOutput;
use crate::tui::sessions::ShownSession;
use crate::tui::update::update;

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

fn instance(name: &str, state: InstanceState, port: u16, second: u64) -> InstanceStatus {
    let runs = matches!(state, InstanceState::Ready | InstanceState::Up | InstanceState::Starting);
    InstanceStatus {
        port: Some(port),
        pid: runs.then_some(4000 + i32::from(port) % 1000),
        uptime: runs.then_some(75.4),
        figures: runs.then(|| {
            Box::new(InstanceUsage {
                cpu_total: second as f64 * 0.12,
                rss: Some((60 + second % 7 * 5) << 20),
                ..InstanceUsage::default()
            })
        }),
        ..InstanceStatus::of(name, state)
    }
}

fn report(second: u64) -> Report {
    let mut css = instance("css.1", InstanceState::Failed, 5200, second);
    css.end = Some("exited with code 3".into());
    css.restarts = 2;
    let mut second_web = instance("web.2", InstanceState::Starting, 5001, second);
    second_web.probe = Some("http:/up".into());
    let instances = vec![
        instance("web.1", InstanceState::Ready, 5000, second),
        second_web,
        instance("worker.1", InstanceState::Up, 5100, second),
        css,
        instance("release.1", InstanceState::Done, 5300, second),
    ];
    Report {
        session: 812,
        root: "/srv/shop".into(),
        types: ["web", "worker", "css", "release"].map(str::to_owned).to_vec(),
        terminals: vec!["worker".into()],
        sampled: Some(second as f64),
        ..Report::of(instances)
    }
}

fn tell(model: &mut UiModel, event: UiEvent) {
    update(model, event);
}

fn output_of(model: &mut UiModel, session: usize, name: &str, bytes: &[u8]) {
    let output = InstanceOutput { name: name.to_owned(), at: 0, bytes: bytes.to_vec() };
    tell(model, UiEvent::Output(session, output));
}

fn output(model: &mut UiModel, name: &str, text: &str) {
    output_of(model, 0, name, text.as_bytes());
}

fn keys(model: &mut UiModel, typed: &str) {
    let mut reader = TypedKeys::default();
    reader.push(typed.as_bytes());
    while let Some(key) = reader.next(true) {
        tell(model, UiEvent::Key(key));
    }
}

/// Returns a session of a minute with output.
fn stack(size: (u16, u16), look: UiLook) -> UiModel {
    let mut model =
        UiModel::new(vec![ShownSession::new("shop".into(), 812)], KeyMap::default(), look);
    tell(&mut model, UiEvent::Resized(size.0, size.1));
    for second in 1..=60 {
        tell(&mut model, UiEvent::Reported(0, Box::new(report(second))));
    }
    for at in 0..60 {
        output(
            &mut model,
            "web.1",
            &format!("GET /items/{at} \x1b[32m200\x1b[0m in {} ms\n", at % 9),
        );
        if at % 7 == 0 {
            output(
                &mut model,
                "worker.1",
                &format!(
                    "job {at} é中文 done, and a long line follows it: {}\n",
                    "lorem ipsum ".repeat(9)
                ),
            );
        }
    }
    output(&mut model, "css.1", "reading main.scss\n\x1b[31merror\x1b[0m: undefined variable\n");
    model
}

/// A state of the ui.
type UiState = (&'static str, fn(&mut UiModel));

const STATES: [UiState; 16] = [
    ("all", |_| {}),
    ("instance", |model| keys(model, "jj")),
    ("failed", |model| keys(model, "3")),
    ("scrolled", |model| {
        keys(model, "jj\tkkkkk");
        (0..120).for_each(|at| output(model, "web.1", &format!("new {at}\n")));
    }),
    ("search", |model| keys(model, "/items.3\rn")),
    ("filter", |model| keys(model, "&job\r")),
    ("prompt", |model| keys(model, "/ite")),
    ("whom", |model| keys(model, "jr")),
    ("help", |model| keys(model, "?")),
    ("help-scrolled", |model| {
        tell(model, UiEvent::Resized(model.size.0.min(90), 14));
        keys(model, "?jjj");
    }),
    ("full", |model| keys(model, "jjf")),
    ("wrap", |model| keys(model, "w")),
    ("typing", |model| {
        keys(model, "2i");
        let text = b"\x1b[2J\x1b[3;5H\x1b[7m Breakpoint \x1b[0m\r\n(\x1b[1mpdb\x1b[0m) p 6 * 7\r\n42 \xe4\xb8\xad\r\n(pdb) ";
        tell(model, UiEvent::Screen(text.to_vec()));
    }),
    ("sessions", |model| {
        model.sessions.push(ShownSession::new("blog".into(), 977));
        let mut report = report(60);
        report.instances.truncate(1);
        report.types.truncate(2);
        tell(model, UiEvent::Reported(1, Box::new(report)));
        output_of(model, 1, "web.1", b"hello from the other session\n");
        keys(model, "jjjjjjjj");
    }),
    ("over", |model| tell(model, UiEvent::Ended(0))),
    ("small", |model| tell(model, UiEvent::Resized(40, 10))),
];

/// Returns the picture of a model.
fn picture(model: &UiModel) -> Buffer {
    let (columns, rows) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let row = |cells: &[ratatui_core::buffer::Cell]| {
        let mut text = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip == 0 {
                text.push_str(cell.symbol());
                skip = ratatui_core::text::Span::raw(cell.symbol()).width().saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        format!("{}\n", text.trim_end())
    };
    buffer.content.chunks(width).map(row).collect()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ui").join(name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its caller to rewrite what it expects"
)]
fn is_blessing() -> bool {
    std::env::var_os("PM_BLESS").is_some()
}

#[test]
fn every_state_looks_as_it_did() {
    for (name, make) in STATES {
        let mut all = String::new();
        for (size, unicode) in SIZES.iter().flat_map(|size| [(*size, true), (*size, false)]) {
            let mut model = stack(size, UiLook { unicode, color: true });
            make(&mut model);
            let signs = if unicode { "Unicode" } else { "ASCII" };
            all.push_str(&format!("=== {}x{} {signs}\n{}", size.0, size.1, text(&picture(&model))));
        }
        let path = golden(&format!("{name}.txt"));
        if is_blessing() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &all).unwrap();
        }
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(before == all, "{name}: PM_BLESS=1 rewrites it; it is\n{all}");
    }
}

#[test]
fn a_filter_that_is_wider_than_the_output_leaves_the_other_marks() {
    for filter in ["a|".repeat(60), "日|".repeat(60)] {
        for size in [(60, 12), (80, 24), (200, 50)] {
            for full in ["", "f"] {
                let mut model = stack(size, UiLook { unicode: true, color: true });
                keys(&mut model, &format!("{full}&{filter}job\r"));
                let jobs = |model: &mut UiModel, count| {
                    (0..count).for_each(|_| output(model, "worker.1", "job\n"));
                };
                jobs(&mut model, 60);
                keys(&mut model, if full.is_empty() { "\tkk" } else { "kk" });
                jobs(&mut model, 12);
                let text = text(&picture(&model));
                let mut rows = text.lines();
                let row = if full.is_empty() { rows.nth(1) } else { rows.last() };
                let row = row.unwrap_or_default();
                assert!(row.contains('&') && row.ends_with("[+12]"), "{size:?} {full}: {row}");
            }
        }
    }
}

#[test]
fn without_colour_the_text_is_the_same_and_nothing_is_coloured() {
    let is_coloured = |buffer: &Buffer| {
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    for (name, make) in STATES {
        let of = |color| {
            let mut model = stack((80, 24), UiLook { unicode: true, color });
            make(&mut model);
            picture(&model)
        };
        let (with, without) = (of(true), of(false));
        assert_eq!(text(&with), text(&without), "{name}");
        assert!(!is_coloured(&without), "{name}");
        assert!(is_coloured(&with) || matches!(name, "help" | "help-scrolled" | "small"), "{name}");
    }
}

#[test]
fn without_unicode_every_cell_is_ascii() {
    for (name, make) in STATES {
        let mut model = stack((80, 24), UiLook { unicode: false, color: true });
        make(&mut model);
        let picture = picture(&model);
        assert!(picture.content.iter().all(|cell| cell.symbol().is_ascii()), "{name}");
    }
}

#[test]
fn states_differ_by_their_words_and_failure_and_success_by_their_signs() {
    use InstanceState::{Blocked, Done, Failed, Ready, Starting, Stopped, Stopping, Up, Waiting};
    let all = [Blocked, Done, Failed, Ready, Starting, Stopped, Stopping, Up, Waiting];
    for unicode in [true, false] {
        let look = UiLook { unicode, color: false };
        let words: std::collections::BTreeSet<_> = all.iter().map(|it| look.state(*it).1).collect();
        assert_eq!(words.len(), all.len());
        let sign = |state| look.state(state).0;
        let signs = [sign(Failed), sign(Ready), sign(Stopped), sign(Starting), sign(Done)];
        assert_eq!(signs.iter().collect::<std::collections::BTreeSet<_>>().len(), signs.len());
    }
}

#[test]
fn no_size_of_the_terminal_is_too_odd() {
    for (_, make) in STATES {
        for size in [(0, 0), (1, 1), (0, 5), (5, 0), (60, 12), (61, 500), (1000, 12)] {
            let mut model = stack((80, 24), UiLook { unicode: true, color: true });
            make(&mut model);
            tell(&mut model, UiEvent::Resized(size.0, size.1));
            keys(&mut model, "jjk\tkkg/x\rG f");
            picture(&model);
        }
    }
}

#[test]
fn any_output_and_any_keys_have_a_picture() {
    proptest::proptest!(proptest::prelude::ProptestConfig::with_cases(64), |(bytes: Vec<u8>, typed: String, wrap: bool)| {
        let mut model = stack((70, 20), UiLook { unicode: true, color: true });
        keys(&mut model, if wrap { "w" } else { "" });
        output_of(&mut model, 0, "web.1", &bytes);
        keys(&mut model, &typed);
        let picture = picture(&model);
        let is_clean = |cell: &ratatui_core::buffer::Cell| !cell.symbol().contains(char::is_control);
        proptest::prop_assert!(picture.content.iter().all(is_clean));
    });
}
