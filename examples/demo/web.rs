//! A small HTTP server on PORT: `/` greets, `/healthz` says ok, the rest is not found.
//! A request gets one answer and the connection is closed.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// A client that sends nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// Header lines that are read of one request.
const MAX_HEADERS: usize = 100;

fn main() -> ExitCode {
    let port = env::var("PORT").unwrap_or_else(|_| "5000".to_owned());
    let Ok(port) = port.parse::<u16>() else {
        eprintln!("PORT `{port}` is not a port number");
        return ExitCode::FAILURE;
    };
    let listener = match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    say(&format!("listening on http://127.0.0.1:{port}/"));
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let spawned = thread::Builder::new().spawn(move || {
                    if let Err(error) = answer(&stream) {
                        say(&format!("a client went away: {error}"));
                    }
                });
                if let Err(error) = spawned {
                    say(&format!("no thread for a client: {error}"));
                }
            }
            Err(error) => say(&format!("cannot accept a client: {error}")),
        }
    }
    ExitCode::SUCCESS
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    // The rest of the header is read, so that closing does not reset the client's connection.
    for _ in 0..MAX_HEADERS {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap_or("?"), words.next().unwrap_or("?"));
    let (status, body) = match path {
        "/" => ("200 OK", greeting()),
        "/healthz" => ("200 OK", "ok\n".to_owned()),
        _ => ("404 Not Found", "not found\n".to_owned()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )?;
    say(&format!("{method} {path} {status}"));
    Ok(())
}

fn greeting() -> String {
    let greeting = env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
    let name = env::var("PS").unwrap_or_else(|_| "web".to_owned());
    format!("{greeting}, from {name}\n")
}

/// Prints a line at once. A reader that has gone away ends the program, without a panic.
fn say(line: &str) {
    if writeln!(io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}
