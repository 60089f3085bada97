//! Micro-benchmarks of the output path: `cargo bench`. What they say is a ratio between versions on one
//! machine; `benches/compare` measures the whole program beside other managers.

use divan::counter::BytesCount;
use pm::output::{History, LineAssembler, LineSplitter, Look, TextRenderer};

/// One read of the pump.
const READ: usize = 64 << 10;

fn main() {
    divan::main();
}

/// Makes a stream of lines of this length, newline included: as much as one read, or four lines.
fn stream_of(length: usize) -> Vec<u8> {
    let mut line = vec![b'x'; length - 1];
    line.push(b'\n');
    line.iter().copied().cycle().take(READ.max(4 * length)).collect()
}

#[divan::bench(args = [10, 100, 10_240, 1 << 20])]
fn split(bencher: divan::Bencher<'_, '_>, length: usize) {
    let bytes = stream_of(length);
    let mut splitter = LineSplitter::default();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let mut lines = 0_usize;
        for read in divan::black_box(&bytes).chunks(READ) {
            splitter.push(read, |line| lines += line.len());
        }
        splitter.clear();
        lines
    });
}

#[divan::bench(args = [10, 100, 10_240, 1 << 20])]
fn split_and_render(bencher: divan::Bencher<'_, '_>, length: usize) {
    let bytes = stream_of(length);
    let look = Look { color: false, timestamp: Some("%H:%M:%S".into()), prefix: true, width: 8 };
    let mut renderer = TextRenderer::new(look);
    let web = renderer.label("web.1", Some(0));
    renderer.set_time("12:00:00");
    let mut splitter = LineSplitter::default();
    let mut out = Vec::new();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        out.clear();
        for read in divan::black_box(&bytes).chunks(READ) {
            renderer.push(web, &mut splitter, read, &mut out);
        }
        splitter.clear();
        out.len()
    });
}

/// The same where the lines are seen on a terminal: plain ones, and one with a colour in each.
#[divan::bench(args = [false, true])]
fn filter_and_render(bencher: divan::Bencher<'_, '_>, is_coloured: bool) {
    let mut bytes = stream_of(100);
    if is_coloured {
        for line in bytes.chunks_exact_mut(100) {
            line[..14].copy_from_slice(b"\x1b[32minfo\x1b[0m ");
        }
    }
    let look = Look { color: true, timestamp: Some("%H:%M:%S".into()), prefix: true, width: 8 };
    let mut renderer = TextRenderer::new(look);
    let web = renderer.label("web.1", Some(0));
    renderer.set_time("12:00:00");
    let mut out = Vec::new();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let mut lines = LineAssembler::filtered();
        out.clear();
        renderer.show(web, &mut lines, divan::black_box(&bytes), &mut out);
        out.len()
    });
}

/// What `pm logs` costs while nobody asks for it, where a read is copied: the first ones of an instance, and
/// those of a terminal.
#[divan::bench(args = [1, 100])]
fn keep_a_copy(bencher: divan::Bencher<'_, '_>, instances: usize) {
    let bytes = stream_of(100);
    let mut histories = vec![History::one_of(instances); instances];
    let mut at = 0_usize;
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        at += 1;
        histories[at % instances].push(0, divan::black_box(&bytes));
    });
}

/// The same where reads go straight into the history.
#[divan::bench(args = [1, 100])]
fn keep_in_place(bencher: divan::Bencher<'_, '_>, instances: usize) {
    let bytes = stream_of(100);
    let mut histories = vec![History::one_of(instances); instances];
    for history in &mut histories {
        (0..8).for_each(|_| history.push(0, &bytes));
    }
    let mut at = 0_usize;
    bencher.counter(BytesCount::new(READ)).bench_local(|| {
        at += 1;
        let history = &mut histories[at % instances];
        let room: usize = history.slots(READ).into_iter().flatten().map(|slot| slot.len()).sum();
        history.filled(0, divan::black_box(room)).map(<[u8]>::len)
    });
}
