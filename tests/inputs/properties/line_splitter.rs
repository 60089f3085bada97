//! Output: the bytes that come are the bytes that are shown, whatever pieces they come in.

use pm::output::{End, Fragment, LabelId, LineAssembler, LineSplitter, Look, TextRenderer};

/// What must hold of every stream of bytes. The first five bytes say how it comes: its longest piece, and
/// the seed of the pieces, of who writes each, and of the silences between them.
pub fn holds(bytes: &[u8]) {
    let Some(([longest, seed @ ..], stream)) = bytes.split_first_chunk::<5>() else { return };
    let mut dice = Dice(u32::from_be_bytes(*seed));
    let longest = 1 + usize::from(*longest);
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(dice.below(longest).saturating_add(1).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces_make_the_same_lines(&pieces, stream, longest);
    one_speaker_is_shown_byte_for_byte(&pieces, stream, &mut dice);
    speakers_never_share_a_line(&pieces, &mut dice);
    pieces_show_the_same_without_screen_control(&pieces, stream);
    nothing_draws(&pieces, &mut dice);
}

/// A small generator, so that the bytes of an input say everything.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(self.0 >> 16).unwrap_or_default() % limit
    }
}

fn split(pieces: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut splitter = LineSplitter::with_limit(limit);
    let mut lines = Vec::new();
    for piece in pieces {
        splitter.push(piece, |line| lines.push(line.to_vec()));
    }
    (lines, splitter.partial().to_vec())
}

fn pieces_make_the_same_lines(pieces: &[&[u8]], stream: &[u8], longest: usize) {
    let mut expected: Vec<Vec<u8>> =
        stream.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let unfinished = expected.pop_if(|line| !line.ends_with(b"\n")).unwrap_or_default();
    assert_eq!(split(pieces, stream.len()), (expected.clone(), unfinished.clone()));

    // A limit that no read is longer than, as the pump has it: lines beyond it are broken at it.
    let mut broken = Vec::new();
    for line in expected {
        let content = &line[..line.len() - 1];
        broken.extend(content.chunks(longest).map(|part| [part, b"\n"].concat()));
        if content.is_empty() {
            broken.push(line);
        }
    }
    let mut parts: Vec<&[u8]> = unfinished.chunks(longest).collect();
    let last = parts.pop().unwrap_or_default();
    broken.extend(parts.iter().map(|part| [part, &b"\n"[..]].concat()));
    assert_eq!(split(pieces, longest), (broken, last.to_vec()), "broken at {longest}");
}

/// A renderer and one splitter for each of its speakers, fed as the pump does it.
struct Shown {
    renderer: TextRenderer,
    speakers: Vec<(LabelId, LineSplitter)>,
    out: Vec<u8>,
}

impl Shown {
    fn new(look: Look, names: &[&str]) -> Self {
        let mut renderer = TextRenderer::new(look);
        let label =
            |(at, name): (usize, &&str)| (renderer.label(name, Some(at)), LineSplitter::default());
        let speakers = names.iter().enumerate().map(label).collect();
        Self { renderer, speakers, out: Vec::new() }
    }

    fn push(&mut self, speaker: usize, bytes: &[u8]) {
        let (label, splitter) = &mut self.speakers[speaker];
        self.renderer.push(*label, splitter, bytes, &mut self.out);
    }

    /// Nothing came for a while: the unfinished line is shown.
    fn silence(&mut self, speaker: usize) {
        let (label, splitter) = &mut self.speakers[speaker];
        if !splitter.partial().is_empty() {
            self.renderer.piece(*label, splitter.partial(), End::Silence, &mut self.out);
            splitter.clear();
        }
    }

    /// Its pipe is at its end: the unfinished line is a line.
    fn end(&mut self, speaker: usize) {
        let (label, splitter) = &mut self.speakers[speaker];
        if self.renderer.is_open(*label) || !splitter.partial().is_empty() {
            self.renderer.piece(*label, splitter.partial(), End::Newline, &mut self.out);
            splitter.clear();
        }
    }
}

fn one_speaker_is_shown_byte_for_byte(pieces: &[&[u8]], stream: &[u8], dice: &mut Dice) {
    let mut shown = Shown::new(Look::plain(), &["web.1"]);
    for piece in pieces {
        shown.push(0, piece);
        if dice.below(4) == 0 {
            shown.silence(0);
        }
    }
    shown.end(0);
    let is_unfinished = stream.last().is_some_and(|byte| *byte != b'\n');
    let expected = [stream, if is_unfinished { &b"\n"[..] } else { b"" }].concat();
    assert_eq!(shown.out, expected);
}

const PREFIXES: [&str; 3] = ["a   | ", "bb  | ", "ccc | "];
const TIMES: [&str; 2] = ["12:00:00", "12:00:01"];

fn speakers_never_share_a_line(pieces: &[&[u8]], dice: &mut Dice) {
    let look = Look { color: false, timestamp: Some("%T".into()), prefix: true, width: 3 };
    let mut shown = Shown::new(look, &["a", "bb", "ccc"]);
    let mut written = [const { Vec::new() }; 3];
    for piece in pieces {
        let speaker = dice.below(3);
        shown.renderer.set_time(TIMES[dice.below(2)]);
        shown.push(speaker, piece);
        written[speaker].extend_from_slice(piece);
        if dice.below(4) == 0 {
            shown.silence(dice.below(3));
        }
    }
    (0..3).for_each(|speaker| shown.end(speaker));

    let mut heard = [const { Vec::new() }; 3];
    for line in shown.out.split_inclusive(|byte| *byte == b'\n') {
        assert!(line.ends_with(b"\n"), "an unfinished line at the end");
        let timed = TIMES.iter().find_map(|time| line.strip_prefix(format!("{time} ").as_bytes()));
        let said = PREFIXES
            .iter()
            .enumerate()
            .find_map(|(speaker, prefix)| Some((speaker, timed?.strip_prefix(prefix.as_bytes())?)));
        let Some((speaker, said)) = said else { panic!("a line of nobody: {line:?}") };
        heard[speaker].extend_from_slice(said);
    }
    // A line that was shown in two pieces, with another's between, has a newline more.
    for (heard, written) in heard.iter_mut().zip(&mut written) {
        heard.retain(|byte| *byte != b'\n');
        written.retain(|byte| *byte != b'\n');
    }
    assert_eq!(heard, written);
}

/// Returns what is shown without screen control, and with `pause` told where the program is silent.
fn filtered(pieces: &[&[u8]], mut pause: impl FnMut() -> bool) -> Vec<Vec<u8>> {
    let mut lines = LineAssembler::filtered();
    let mut out = Vec::new();
    let mut show = |piece: Fragment<'_>| match piece {
        Fragment::Line(bytes) | Fragment::Partial(bytes) => out.push(bytes.to_vec()),
        Fragment::Restarted => {}
    };
    for piece in pieces {
        lines.push(piece, &mut show);
        if pause() {
            lines.silence(&mut show);
        }
    }
    lines.end(&mut show);
    out
}

fn pieces_show_the_same_without_screen_control(pieces: &[&[u8]], stream: &[u8]) {
    assert_eq!(filtered(pieces, || false), filtered(&[stream], || false));
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=0x7f);
    if stream.iter().all(is_plain) {
        let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
        lines.pop_if(|line| line.is_empty());
        assert_eq!(filtered(pieces, || false), lines, "plain lines are shown as they are");
    }
}

/// No line that is shown moves the cursor: of the bytes below a space only those of colours and links are there.
fn nothing_draws(pieces: &[&[u8]], dice: &mut Dice) {
    for line in filtered(pieces, || dice.below(4) == 0) {
        let controls = line.iter().filter(|byte| **byte < b' ' && !matches!(**byte, 0 | 7 | b'\t'));
        assert!(controls.copied().all(|byte| byte == 0x1b), "{}", line.escape_ascii());
        for sequence in line.split(|byte| *byte == 0x1b).skip(1) {
            let end = sequence.iter().position(|byte| !matches!(byte, b'0'..=b';' | b'['));
            let is_sgr = sequence.starts_with(b"[") && end.map(|at| sequence[at]) == Some(b'm');
            let is_link = sequence.starts_with(b"]8;") || sequence.starts_with(b"\\");
            assert!(is_sgr || is_link, "{}", line.escape_ascii());
        }
    }
}
