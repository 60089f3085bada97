//! The control protocol: lines of a client, answers of a session, and the frames of `pm attach`.

use pm::app::select;
use pm::control::proto::{
    Answer, Call, FRAME_HEAD, Frame, Request, Response, VERSION, call, frame_length, keys_frames,
    line, parse_frame, size_frame,
};

/// What must hold of every byte that comes out of a socket.
pub fn holds(bytes: &[u8]) {
    a_call_is_read_as_it_was_written(bytes);
    an_answer_is_read_as_it_was_written(bytes);
    frames_are_read_as_they_were_written(bytes);
    a_stream_of_frames_is_read_to_its_end(bytes);
}

fn a_call_is_read_as_it_was_written(bytes: &[u8]) {
    let read = call(bytes);
    assert_eq!(read, call(bytes), "the same bytes are read in the same way");
    match read {
        Err(reason) => {
            assert!(!reason.is_empty());
            // The client gets the reason as an answer.
            let answer = line(Response::Refused { reason: reason.clone(), hint: None });
            let Ok(Answer { body: Response::Refused { reason: told, .. }, .. }) =
                serde_json::from_slice(&answer)
            else {
                panic!("a refusal that is no answer: {reason:?}")
            };
            assert_eq!(told, reason);
        }
        Ok(read) => {
            assert_eq!(read.pm, VERSION);
            let written = serde_json::to_vec(&read).expect("an order has a text");
            assert!(!written.contains(&b'\n'), "an order of two lines: {read:?}");
            assert_eq!(call(&written).as_ref(), Ok(&read));
            names_choose_instances(&read);
        }
    }
}

/// The globs of a client choose instances of the session, or are refused by name.
fn names_choose_instances(call: &Call) {
    let patterns: Vec<String> = match &call.order {
        Request::Start(names) | Request::Stop(names) | Request::Restart(names) => {
            names.names.clone()
        }
        Request::Signal { names, .. } | Request::Logs { names, .. } => names.clone(),
        Request::Attach { name, .. } => vec![name.clone()],
        Request::Scale { counts, .. } => counts.iter().map(|(name, _)| name.clone()).collect(),
        Request::Status | Request::Reload { .. } | Request::Quit { .. } => return,
    };
    let instances = ["web.1", "web.2", "my-web.1", "worker.10"].map(str::to_owned);
    match select::select(&patterns, &instances) {
        Ok(chosen) => {
            assert!(chosen.is_sorted() && chosen.iter().all(|at| *at < instances.len()));
            assert_eq!(chosen.is_empty(), patterns.is_empty());
            for (at, name) in instances.iter().enumerate() {
                let fits = patterns.iter().any(|pattern| select::fits(pattern, name));
                assert_eq!(fits, chosen.contains(&at), "{name} by {patterns:?}");
            }
        }
        Err(unknown) => {
            assert!(patterns.contains(&unknown.pattern));
            assert!(!instances.iter().any(|name| select::fits(&unknown.pattern, name)));
        }
    }
}

fn an_answer_is_read_as_it_was_written(bytes: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else { return };
    let written = line(answer.body.clone());
    let (end, content) = written.split_last().expect("a line is not empty");
    assert!(*end == b'\n' && !content.contains(&b'\n'), "an answer is one line");
    let again: Answer = serde_json::from_slice(&written).expect("an answer can be read");
    assert_eq!(again.pm, VERSION);
    match (&answer.body, &again.body) {
        // Seconds with a fraction: the reader may be off by the last bit, which nobody sees.
        (Response::Status(one), Response::Status(two)) => {
            let mut two = two.clone();
            assert_eq!(one.instances.len(), two.instances.len());
            for (one, two) in one.instances.iter().zip(&mut two.instances) {
                let seconds =
                    |i: &pm::control::proto::InstanceStatus| [i.uptime, i.restart_in, i.cpu];
                assert!(seconds(one).into_iter().zip(seconds(two)).all(is_near), "{one:?} {two:?}");
                (two.uptime, two.restart_in, two.cpu) = (one.uptime, one.restart_in, one.cpu);
            }
            assert_eq!(*one, two);
        }
        (one, two) => assert_eq!(one, two),
    }
}

fn is_near((one, two): (Option<f64>, Option<f64>)) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() <= one.abs() * 1e-15,
        (one, two) => one == two,
    }
}

/// The head of a frame and its bytes.
type RawFrame<'a> = ([u8; FRAME_HEAD], &'a [u8]);

/// Returns the frames of a stream, and what is left without an end.
fn frames(mut stream: &[u8]) -> (Vec<RawFrame<'_>>, &[u8]) {
    let mut all = Vec::new();
    while let Some((head, behind)) = stream.split_first_chunk::<FRAME_HEAD>() {
        let Some((bytes, rest)) = behind.split_at_checked(frame_length(*head)) else { break };
        all.push((*head, bytes));
        stream = rest;
    }
    (all, stream)
}

fn frames_are_read_as_they_were_written(bytes: &[u8]) {
    let stream = keys_frames(bytes);
    let (read, rest) = frames(&stream);
    assert!(rest.is_empty());
    let mut together = Vec::new();
    for (head, bytes) in read {
        let Some(Frame::Keys(keys)) = parse_frame(head, bytes) else { panic!("no keys: {head:?}") };
        together.extend_from_slice(keys);
    }
    assert_eq!(together, bytes);
    let [a, b, c, d] = bytes.first_chunk().copied().unwrap_or_default();
    let (rows, columns) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let stream = size_frame(rows, columns);
    let (read, rest) = frames(&stream);
    assert!(rest.is_empty());
    let read: Vec<_> = read.into_iter().map(|(head, bytes)| parse_frame(head, bytes)).collect();
    assert_eq!(read, [Some(Frame::Size { rows, columns })]);
}

fn a_stream_of_frames_is_read_to_its_end(stream: &[u8]) {
    let (read, rest) = frames(stream);
    let taken: usize = read.iter().map(|(_, bytes)| FRAME_HEAD + bytes.len()).sum();
    assert_eq!(taken + rest.len(), stream.len());
    for (head, bytes) in read {
        match parse_frame(head, bytes) {
            // No frame is the same as one without keys: nothing to write for it.
            Some(Frame::Keys([])) | None => {}
            Some(Frame::Keys(typed)) => assert_eq!(keys_frames(typed), [&head[..], bytes].concat()),
            Some(Frame::Size { rows, columns }) => {
                assert_eq!(size_frame(rows, columns), [&head[..], bytes].concat());
            }
        }
    }
}
