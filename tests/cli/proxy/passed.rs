//! What is not HTTP/1 goes through the front byte for byte, with the programs that speak it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use crate::control::{app, done};
use crate::sandbox::http::free_port;
use crate::sandbox::{LIMIT, Sandbox, cases, has_program};

/// Starts a server of the application behind a front, and waits until it has said that it listens.
fn behind_a_front(app: Sandbox, base: u16, listens: &str) -> Sandbox {
    let app = app.write("pm.toml", format!("[process.web]\nready = 'log:{listens}'\n"));
    done(&app, &format!("start --daemon --wait -p {base} --proxy"));
    app
}

/// Sends back what it gets, and ends when its client ends.
const ECHO: &str = r#"
import os, socket, threading
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("listens", flush=True)
def serve(client):
    while got := client.recv(65536):
        client.sendall(got)
    client.shutdown(socket.SHUT_WR)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// So many bytes that no two parts of look alike: a generator of Marsaglia's (xorshift64).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut word).take(count / 8).flatten().collect()
}

#[test]
fn a_connection_of_another_protocol_is_passed_byte_for_byte_in_both_directions() {
    if !has_program("python3") {
        return;
    }
    let base = free_port(10);
    let app =
        behind_a_front(app("web: exec python3 echo.py\n").write("echo.py", ECHO), base, "listens");
    for first in [&b"\0"[..], b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n", b"hello\n"] {
        let sent = [first, &noise(1 << 20)].concat();
        let mut client = TcpStream::connect(("127.0.0.1", base)).expect("the front listens");
        client.set_read_timeout(Some(LIMIT)).expect("it is a socket");
        let mut writer = client.try_clone().expect("a socket can be shared");
        let copy = sent.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&copy).and_then(|()| writer.shutdown(Shutdown::Write))
        });
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("it comes back to its end");
        writing.join().expect("no panic").expect("all is taken");
        assert!(received == sent, "{first:?}: {} bytes of {}", received.len(), sent.len());
    }
    done(&app, "quit");
}

#[test]
fn openssl_speaks_tls_through_the_front() {
    if !has_program("openssl") {
        return;
    }
    let base = free_port(10);
    let app = app("web: exec openssl s_server -accept 127.0.0.1:$PORT -cert cert -key key -rev\n");
    let made = app
        .sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
             -keyout key -out cert -days 2")
        .run();
    assert_eq!(made.code(), 0, "{made:?}");
    let app = behind_a_front(app, base, "ACCEPT");
    app.sh("mkfifo held").run();
    let connect = format!("openssl s_client -connect 127.0.0.1:{base} -CAfile cert");
    let client = app.sh(&format!("(echo drawer; cat held) | {connect}")).spawn();
    client.wait_for("Verify return code: 0 (ok)");
    // The server writes each line backwards.
    client.wait_for("\nreward");
    app.sh(": >held").run();
    done(&app, "quit");
}

/// HTTP/2 without TLS; it answers with what it was asked.
const H2C: &str = r#"
const server = require('http2').createServer();
server.on('stream', (stream, headers) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end(`${headers[':method']} ${headers[':path']} ${Buffer.concat(parts).length}`);
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listens'));
"#;

#[test]
fn curl_speaks_http_2_with_prior_knowledge_through_the_front() {
    if !has_program("node") || !has_program("curl") {
        return;
    }
    let base = free_port(10);
    let app =
        behind_a_front(app("web: exec node server.js\n").write("server.js", H2C), base, "listens");
    let size = 300_000 * usize::try_from(cases(1)).expect("it is small");
    let app = app.write("body", noise(size));
    let how = "-sS --max-time 9 --http2-prior-knowledge -w ' %{http_version} %{http_code}\n'";
    let url = format!("http://localhost:{base}");
    let both = format!("curl {how} {url}/a && curl {how} --data-binary @body {url}/b");
    let output = app.sh(&both).run();
    let expected = format!("GET /a 0 2 200\nPOST /b {size} 2 200\n");
    assert_eq!((output.code(), output.stdout.as_str()), (0, expected.as_str()), "{output:?}");
    done(&app, "quit");
}
