use super::*;

const ASKED: Asked = Asked { minor: 1, is_head: false, upgrades: false, persists: true };

fn read(head: &str, asked: Asked) -> Result<(ResponseHead, String), Malformed> {
    let mut out = Vec::new();
    read_response(head.as_bytes(), asked, &mut out)
        .map(|head| (head, String::from_utf8(out).unwrap()))
}

#[test]
fn the_body_ends_as_section_6_3_says() {
    use BodyLength::{Chunked, Known, UntilClose};
    let cases = [
        ("200 OK", "Content-Length: 5\r\n", Known(5)),
        ("200 OK", "Content-Length: 5\r\nContent-Length: 5\r\n", Known(5)),
        ("200 OK", "Transfer-Encoding: chunked\r\n", Chunked),
        ("200 OK", "Transfer-Encoding: gzip, Chunked\r\n", Chunked),
        ("200 OK", "Transfer-Encoding: gzip\r\n", UntilClose),
        ("200 OK", "", UntilClose),
        ("204 No Content", "Content-Length: 5\r\n", Known(0)),
        ("304 Not Modified", "Content-Length: 5000\r\n", Known(0)),
        ("304 Not Modified", "", Known(0)),
        ("103 Early Hints", "", Known(0)),
    ];
    for (status, fields, body) in cases {
        let (head, _) = read(&format!("HTTP/1.1 {status}\r\n{fields}\r\n"), ASKED).unwrap();
        assert_eq!(head.body, body, "{status} {fields:?}");
    }
    let head_only = Asked { is_head: true, ..ASKED };
    let (head, out) = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head_only).unwrap();
    assert_eq!(head.body, Known(0));
    assert!(out.contains("Content-Length: 5\r\n"), "{out}");
}

#[test]
fn what_is_to_be_understood_in_two_ways_is_refused() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5, 5\r\n",
        "A: 1\r\n folded\r\n",
        "A: 1\0\r\n",
        "A\r\n",
    ] {
        read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), ASKED).unwrap_err();
    }
    for head in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "<html>\r\n\r\n",
    ] {
        read(head, ASKED).unwrap_err();
    }
}

#[test]
fn fields_of_the_connection_to_the_instance_end_there() {
    let (head, out) = read(
        "HTTP/1.1 200 OK\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: a\r\nUpgrade: h2c\r\nSet-Cookie: a\r\n\
         set-cookie: b\r\nContent-Length : 0\r\n\r\n",
        ASKED,
    )
    .unwrap();
    assert_eq!(
        out,
        "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n"
    );
    assert!(!head.keeps_upstream && head.keeps_client);
}

#[test]
fn an_older_client_gets_what_it_understands() {
    let old = Asked { minor: 0, ..ASKED };
    let (head, out) = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", old).unwrap();
    assert!(!head.writes_chunks && !head.keeps_client);
    assert_eq!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    let (head, out) = read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", old).unwrap();
    assert!(head.keeps_client);
    assert_eq!(out, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
    let (_, out) = read("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", old).unwrap();
    assert_eq!(out, "");
}

#[test]
fn a_coding_that_is_not_undone_stays_with_its_name() {
    for (fields, body) in [
        ("Transfer-Encoding: gzip\r\n", BodyLength::UntilClose),
        ("Transfer-Encoding: gzip, chunked\r\n", BodyLength::Chunked),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let (head, out) = read(&text, ASKED).unwrap();
        assert_eq!(head.body, body);
        assert!(out.contains(fields), "{out}");
        read(&text, Asked { minor: 0, ..ASKED }).unwrap_err();
    }
}

#[test]
fn a_body_that_ends_with_the_connection_ends_the_clients_too() {
    let (head, out) = read("HTTP/1.0 200 OK\n\n", ASKED).unwrap();
    assert!(!head.keeps_client && !head.keeps_upstream);
    assert_eq!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

#[test]
fn switching_protocols_passes_with_its_fields_where_it_was_asked_for() {
    let asked = Asked { upgrades: true, ..ASKED };
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nX-PS: web.1\r\n\r\n";
    let (read_head, out) = read(head, asked).unwrap();
    assert!(!read_head.is_interim());
    assert_eq!(
        out,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-PS: web.1\r\nConnection: Upgrade\r\n\r\n"
    );
}
