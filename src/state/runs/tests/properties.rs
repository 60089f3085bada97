//! What holds for any output.

use proptest::prelude::*;

use super::super::*;
use super::{HALF, KeptApp};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::long::cases(64)))]
    #[test]
    fn what_is_read_is_the_end_of_what_was_written(
        reads in proptest::collection::vec((0_usize..2, proptest::collection::vec(
            prop_oneof![1 => Just(b'\n'), 9 => Just(b'x'), 9 => any::<u8>()], 0..60), 1_usize..400), 0..60),
        cut in 0_usize..60,
    ) {
        let mut kept = KeptApp::new(0);
        let mut all = [Vec::new(), Vec::new()];
        for (which, bytes, times) in &reads {
            let bytes = bytes.repeat(*times);
            let id = kept.keeper.ring_of(["a.1", "b.1"][*which]);
            kept.keeper.output(id, 1, {
                let (first, second) = bytes.split_at(cut.min(bytes.len()));
                [first, second]
            });
            all[*which].extend_from_slice(&bytes);
        }
        for (name, all) in ["a.1", "b.1"].into_iter().zip(all) {
            let mut reader = kept.run().read(move |it| it == name, i64::MAX).unwrap();
            let mut got = Vec::new();
            while let Some(entry) = reader.next().unwrap() {
                let What::Line(line) = entry.what else { panic!("{entry:?}") };
                if line.missing > 0 {
                    got.clear();
                }
                got.extend_from_slice(line.bytes);
                got.push(b'\n');
            }
            if let Some(entry) = reader.unfinished() {
                let What::Line(line) = entry.what else { panic!("{entry:?}") };
                if line.missing > 0 {
                    got.clear();
                }
                got.extend_from_slice(line.bytes);
            }
            prop_assert!(all.ends_with(&got));
            let longest = all.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
            prop_assert!(got.len() >= all.len().min(HALF.saturating_sub(longest)), "{} of {}", got.len(), all.len());
        }
    }
}
