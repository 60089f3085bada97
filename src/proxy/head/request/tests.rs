use std::net::{IpAddr, Ipv4Addr};

use super::*;

const VIEW: RequestView<'static> =
    RequestView { name: "web", peer: IpAddr::V4(Ipv4Addr::LOCALHOST) };

fn read(head: &str) -> Result<(RequestHead, String), Malformed> {
    let mut out = Vec::new();
    read_request(head.as_bytes(), VIEW, &mut out)
        .map(|head| (head, String::from_utf8(out).unwrap()))
}

fn refusal(head: &str) -> &'static str {
    match read(head) {
        Err(Malformed(why)) => why,
        Ok((_, out)) => panic!("{head:?} is passed on as {out:?}"),
    }
}

#[test]
fn fields_keep_order_and_letters_and_those_of_a_connection_are_removed() {
    let (head, out) = read(concat!(
        "GET /a?b=%20 HTTP/1.1\r\nhOst: shop.localhost:81\r\n",
        "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n",
        "TE: trailers\r\nCookie: k=v\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Empty: \r\nUpgrade: websocket\r\n\r\n",
    ))
    .unwrap();
    assert_eq!(
        out,
        concat!(
            "GET /a?b=%20 HTTP/1.1\r\nhOst: shop.localhost:81\r\n",
            "Cookie: k=v\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-Empty: \r\n",
            "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop.localhost:81\r\n\r\n",
        )
    );
    assert!(head.persists && head.is_idempotent && !head.upgrades && !head.is_head);
}

#[test]
fn what_another_proxy_has_forwarded_is_kept() {
    let (_, out) = read(concat!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: shop.example\r\n\r\n",
    ))
    .unwrap();
    assert!(out.contains("X-Forwarded-For: 10.0.0.1, 127.0.0.1\r\n"), "{out}");
    assert!(
        out.contains("X-Forwarded-Proto: https\r\n") && !out.contains("Proto: http\r\n"),
        "{out}"
    );
    assert_eq!(out.matches("X-Forwarded-Host: shop.example").count(), 1, "{out}");
}

#[test]
fn the_body_is_what_one_length_or_chunked_says() {
    let body = |fields: &str| read(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).unwrap();
    assert_eq!(body("").0.body, BodyLength::Known(0));
    assert_eq!(body("Content-Length: 17\r\n").0.body, BodyLength::Known(17));
    let (head, out) = body("transfer-encoding:  Chunked\t\r\n");
    assert_eq!(head.body, BodyLength::Chunked);
    assert!(out.contains("chunked\r\n") || out.contains("Chunked"), "{out}");
}

/// Each of these has let one request hide in another, somewhere, some day.
#[test]
fn what_two_readers_might_understand_in_two_ways_is_refused() {
    let cases = [
        (
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length and Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            "Content-Length and Transfer-Encoding",
        ),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "two Content-Length fields"),
        ("Content-Length: 5, 5\r\n", "Content-Length is not a number"),
        ("Content-Length: +5\r\n", "Content-Length is not a number"),
        ("Content-Length: -1\r\n", "Content-Length is not a number"),
        ("Content-Length: 0x5\r\n", "Content-Length is not a number"),
        ("Content-Length: 5 5\r\n", "Content-Length is not a number"),
        ("Content-Length: \r\n", "Content-Length is not a number"),
        ("Content-Length: 18446744073709551616\r\n", "Content-Length is not a number"),
        ("Content-Length: 9223372036854775808\r\n", "Content-Length is not a number"),
        ("Transfer-Encoding: xchunked\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: gzip, chunked\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: identity\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: chunked;q=1\r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: \r\n", "a Transfer-Encoding other than chunked"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "two Transfer-Encoding fields"),
        ("Transfer-Encoding: \u{b}chunked\r\n", "malformed value of a header field"),
        ("Transfer-Encoding : chunked\r\n", "malformed name of a header field"),
        ("Content-Length : 5\r\n", "malformed name of a header field"),
        (" Content-Length: 5\r\n", "malformed name of a header field"),
        ("X-A: 1\r\n 2\r\n", "malformed name of a header field"),
        ("X-A: 1\r\n\tTransfer-Encoding: chunked\r\n", "malformed name of a header field"),
        ("X-A: 1\rContent-Length: 5\r\n", "malformed value of a header field"),
        ("X-A: 1\0\r\n", "malformed value of a header field"),
        ("X\0A: 1\r\n", "malformed name of a header field"),
        (": 1\r\n", "malformed name of a header field"),
        ("X-A\r\n", "malformed name of a header field"),
        ("Host: b\r\n", "two Host fields"),
    ];
    for (fields, why) in cases {
        assert_eq!(
            refusal(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")),
            why,
            "{fields:?}"
        );
    }
}

#[test]
fn the_first_line_is_exact() {
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", "no Host"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "malformed Host"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "malformed Host"),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "malformed Host"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed first line"),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "unknown version of HTTP"),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "malformed end of a line"),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "unknown version of HTTP"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed target"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "malformed target"),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "malformed target"),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "the target is another host than Host"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "CONNECT is for proxies"),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in HTTP/1.0"),
    ];
    for (head, why) in cases {
        assert_eq!(refusal(head), why, "{head:?}");
    }
    assert!(read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
    assert!(read("GET http://A/x HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
}

#[test]
fn an_older_client_is_asked_for_nothing_that_it_does_not_know() {
    let (head, out) = read("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert!(!head.persists);
    assert!(out.starts_with("GET / HTTP/1.1\r\nHost: localhost\r\n"), "{out}");
    assert!(!out.contains("Expect") && !out.contains("X-Forwarded-Host"), "{out}");
    let (head, _) = read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap();
    assert!(head.persists);
}

#[test]
fn an_upgrade_goes_on_unless_it_is_to_http_2_or_has_a_body() {
    let ask = |fields: &str| read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).unwrap();
    let (head, out) = ask("Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n");
    assert!(head.upgrades);
    assert!(
        out.contains("Upgrade: websocket\r\n") && out.contains("Connection: Upgrade\r\n"),
        "{out}"
    );
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n",
        "Upgrade: websocket\r\n",
        "Connection: upgrade\r\n",
    ] {
        let (head, out) = ask(fields);
        assert!(!head.upgrades && !out.contains("pgrade") && !out.contains("HTTP2"), "{out}");
    }
}

#[test]
fn an_option_of_connection_cannot_remove_the_framing() {
    let (head, out) = read(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: content-length, host, close\r\n\r\n",
    )
    .unwrap();
    assert!(out.contains("Content-Length: 5\r\n") && out.contains("Host: a\r\n"), "{out}");
    assert!(!head.persists);
}

#[test]
fn an_option_of_connection_cannot_remove_who_asks() {
    let (_, out) = read(concat!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n",
        "Connection: X-Forwarded-For, x-forwarded-proto, X-Forwarded-Host\r\n\r\n",
    ))
    .unwrap();
    for line in ["For: 127.0.0.1", "Proto: https", "Host: shop.example"] {
        assert!(out.contains(&format!("\r\nX-Forwarded-{line}\r\n")), "{out}");
    }
}

#[test]
fn as_many_fields_as_fit_are_read() {
    let fields: String = (0..2000).map(|n| format!("X-{n}: 1\r\n")).collect();
    let (_, out) = read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).unwrap();
    assert!(out.contains("X-1999: 1\r\n"));
}
