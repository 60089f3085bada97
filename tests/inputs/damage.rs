//! Inputs that are made: raw bytes, words of the target's own language in any order, and inputs of the
//! corpus with damage.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use crate::corpus;
use crate::properties::TARGETS;

/// What is special to some reader; the blank between two is one more.
const WORDS: &str = "\n \r\n \r \t # : = , - ' \" \\ $ % { } [ ] ( ) < > & | ; * ? ~ ` ! @ 0 9 -1 65536 a web worker release \
    all auto export KEY PORT ${ %{ $( {{ }} ]]> --> \\n \\\n '' \"\"\" ''' end script [process.web] [defaults] \
    memory \"512M\" true null \"pm\":1 \"do\": \"is\": \"status\" \"names\": \"wait\": é ß 日本 🎉 \u{1b}[31m \
    \u{7f} \u{85} \u{a0} \u{200b} \u{2028} \u{feff} \u{fffe} \u{1fffe}";
/// Pieces that are no UTF-8, or end a string of C.
const BYTES: &[&[u8]] =
    &[b"\0", b"\xff", b"\xe9", b"\xc3", b"\xf0\x9f", b"\xff\xfe", b"\x00\x00\x01"];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => select(WORDS.split(' ').collect::<Vec<_>>()).prop_map(|word| word.as_bytes().to_vec()),
        1 => Just(b" ".to_vec()),
        2 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => select(BYTES).prop_map(<[u8]>::to_vec),
    ]
}

/// Words behind one byte, which some targets take for a choice.
fn words() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), any::<bool>(), proptest::collection::vec(piece(), 0..40)).prop_map(
        |(first, has_first, pieces)| {
            let mut bytes = if has_first { vec![first] } else { Vec::new() };
            bytes.extend(pieces.concat());
            bytes
        },
    )
}

/// What happens to an input: a part of it gives way to a piece, or to a part of another input.
#[derive(Clone, Debug)]
enum Damage {
    Piece(Index, usize, Vec<u8>),
    Graft(Index, usize, Index, Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => (any::<Index>(), 0..6_usize, piece()).prop_map(|(at, length, piece)| Damage::Piece(at, length, piece)),
        1 => (any::<Index>(), 0..20_usize, any::<Index>(), any::<Index>(), 0..40_usize)
            .prop_map(|(at, length, other, from, count)| Damage::Graft(at, length, other, from, count)),
    ]
}

fn damaged(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), proptest::collection::vec(damage(), 1..6)).prop_map(move |(input, damage)| {
        let mut bytes = inputs[input.index(inputs.len())].clone();
        for damage in damage {
            let (at, length, new) = match damage {
                Damage::Piece(at, length, piece) => (at, length, piece),
                Damage::Graft(at, length, other, from, count) => {
                    let other = &inputs[other.index(inputs.len())];
                    let from = from.index(other.len() + 1);
                    (at, length, other[from..(from + count).min(other.len())].to_vec())
                }
            };
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, new);
        }
        bytes
    })
}

/// Runs every target on so many inputs; what fails is shown as small as it gets.
fn hold<S: Strategy<Value = Vec<u8>>>(cases: u32, inputs: impl Fn(&str) -> S) {
    for (target, holds) in TARGETS {
        // An export costs as much as a hundred lines of a Procfile.
        let cases = if target == "quoting" { cases / 4 } else { cases };
        // What fails belongs into fuzz/corpus, under a name.
        let config =
            ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(&inputs(target), |bytes| {
            holds(&bytes);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{target}: {error}");
        }
    }
}

#[test]
fn raw_bytes_hold() {
    hold(1000, |_| proptest::collection::vec(any::<u8>(), 0..200));
}

#[test]
fn words_in_any_order_hold() {
    hold(2000, |_| words());
}

#[test]
fn inputs_of_the_corpus_hold_with_damage() {
    hold(2000, |target| {
        damaged(corpus::inputs(target).into_iter().map(|(_, bytes)| bytes).collect())
    });
}
