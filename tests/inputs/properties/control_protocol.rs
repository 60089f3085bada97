//! The control protocol: requests of a client, responses of a session, and the frames of `pm attach`.

use pm::app::select;
use pm::control::frame::{self, Frame, HEAD};
use pm::control::proto::{
    LogQuery, Request, Response, RollTargets, line, parse_request, parse_response,
};

/// What must hold of every byte that comes out of a socket.
pub fn holds(bytes: &[u8]) {
    a_request_is_read_as_it_was_written(bytes);
    a_response_is_read_as_it_was_written(bytes);
    frames_are_read_as_they_were_written(bytes);
    a_stream_of_frames_is_read_to_its_end(bytes);
}

fn a_request_is_read_as_it_was_written(bytes: &[u8]) {
    let read = parse_request(bytes);
    assert_eq!(read, parse_request(bytes), "the same bytes are read in the same way");
    match read {
        Err(reason) => {
            assert!(!reason.is_empty());
            // The client gets the reason as a response.
            let response = line(Response::Refused { reason: reason.clone(), hint: None });
            let Ok(Response::Refused { reason: told, .. }) = parse_response(&response) else {
                panic!("a refusal that is no response: {reason:?}")
            };
            assert_eq!(told, reason);
        }
        Ok(read) => {
            let mut written = line(&read);
            assert_eq!(written.pop(), Some(b'\n'));
            assert!(written.starts_with(br#"{"pm":1,"do":""#));
            assert!(!written.contains(&b'\n'), "a request of two lines: {read:?}");
            assert_eq!(parse_request(&written).as_ref(), Ok(&read));
            names_choose_instances(&read);
        }
    }
}

/// The globs of a client choose instances of the session, or are refused by name.
fn names_choose_instances(request: &Request) {
    let patterns: Vec<String> = match request {
        Request::Start(names) | Request::Stop(names) | Request::Restart(names) => {
            names.names.clone()
        }
        Request::Signal { names, .. }
        | Request::Logs(LogQuery { names, .. })
        | Request::Roll(RollTargets { names, .. }) => names.clone(),
        Request::Attach { name, .. } | Request::ScaleBy { name, .. } => vec![name.clone()],
        Request::Wait { targets } => targets.iter().map(|target| target.name.clone()).collect(),
        Request::Scale { counts, .. } => counts.iter().map(|(name, _)| name.clone()).collect(),
        Request::Status
        | Request::Figures(_)
        | Request::Changes
        | Request::Reload { .. }
        | Request::Quit { .. } => {
            return;
        }
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

fn a_response_is_read_as_it_was_written(bytes: &[u8]) {
    let Ok(response) = parse_response(bytes) else { return };
    let written = line(&response);
    let (end, content) = written.split_last().expect("a line is not empty");
    assert!(*end == b'\n' && !content.contains(&b'\n'), "a response is one line");
    assert!(content.starts_with(br#"{"pm":1,"is":""#));
    let again = parse_response(&written).expect("a response can be read");
    match (&response, &again) {
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
type RawFrame<'a> = ([u8; HEAD], &'a [u8]);

/// Returns the frames of a stream, and what is left without an end.
fn frames(mut stream: &[u8]) -> (Vec<RawFrame<'_>>, &[u8]) {
    let mut all = Vec::new();
    while let Some((head, behind)) = stream.split_first_chunk::<HEAD>() {
        let Some((bytes, rest)) = behind.split_at_checked(frame::length(*head)) else { break };
        all.push((*head, bytes));
        stream = rest;
    }
    (all, stream)
}

fn frames_are_read_as_they_were_written(bytes: &[u8]) {
    let stream = frame::of_keys(bytes);
    let (read, rest) = frames(&stream);
    assert!(rest.is_empty());
    let mut together = Vec::new();
    for (head, bytes) in read {
        let Some(Frame::Keys(keys)) = frame::parse(head, bytes) else {
            panic!("no keys: {head:?}")
        };
        together.extend_from_slice(keys);
    }
    assert_eq!(together, bytes);
    let [a, b, c, d] = bytes.first_chunk().copied().unwrap_or_default();
    let (rows, columns) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let stream = frame::of_size(rows, columns);
    let (read, rest) = frames(&stream);
    assert!(rest.is_empty());
    let read: Vec<_> = read.into_iter().map(|(head, bytes)| frame::parse(head, bytes)).collect();
    assert_eq!(read, [Some(Frame::Size { rows, columns })]);
}

fn a_stream_of_frames_is_read_to_its_end(stream: &[u8]) {
    let (read, rest) = frames(stream);
    let taken: usize = read.iter().map(|(_, bytes)| HEAD + bytes.len()).sum();
    assert_eq!(taken + rest.len(), stream.len());
    for (head, bytes) in read {
        match frame::parse(head, bytes) {
            // No frame is the same as one without keys: nothing to write for it.
            Some(Frame::Keys([])) | None => {}
            Some(Frame::Keys(typed)) => {
                assert_eq!(frame::of_keys(typed), [&head[..], bytes].concat());
            }
            Some(Frame::Size { rows, columns }) => {
                assert_eq!(frame::of_size(rows, columns), [&head[..], bytes].concat());
            }
        }
    }
}
