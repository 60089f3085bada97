"""The application behind the proxy: Python's http.server, which answers with what it was asked."""

import http.server
import json
import os
import sys

# A proxy adds these, and drops the rest: they are about one connection.
NOT_TOLD = {"connection", "keep-alive", "te", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def body(self):
        """Returns the body of a request, and its trailers."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0))), []
        parts, trailers = [], []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            if self.rfile.readline() != b"\r\n":
                raise ValueError("a chunk is longer than its size")
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            trailers.append(line.decode("latin-1").strip())
        return b"".join(parts), trailers

    def told(self):
        """Answers with what was asked."""
        body, trailers = self.body()
        told = [(name.lower(), value) for name, value in self.headers.items() if name.lower() not in NOT_TOLD]
        # http.server leaves spaces behind a value, which are not part of it (RFC 9112 5.1).
        headers = [(name, value.rstrip(" \t")) for name, value in told]
        what = {"method": self.command, "path": self.path, "headers": sorted(headers), "trailers": trailers,
                "body": body.decode("latin-1")}
        self.reply(json.dumps(what).encode())

    def reply(self, body, status=200, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data, ends=False):
        self.close_connection = self.close_connection or ends
        self.wfile.write(data)

    def route(self):
        try:
            self.choose(self.path.split("?")[0])
        except ValueError as error:
            self.close_connection = True
            self.reply(b"malformed: " + str(error).encode(), 422)

    def choose(self, path):
        if path == "/early":
            self.reply(b"no need to read on")
            return self.body()
        if path not in ANSWERS:
            return self.told()
        self.body()
        data, ends = ANSWERS[path]
        if self.command == "HEAD":
            data = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return self.raw(data, ends)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_PURGE = route


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# The whole answer, and whether the connection ends with it.
ANSWERS = {
    "/head": (b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nX-Only: a head\r\n\r\n", False),
    "/204": (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", False),
    "/304": (b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 12345\r\n\r\n", False),
    "/103": (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    "/chunked": (CHUNKED + b"5\r\nhello\r\n00C\r\n, everybody!\r\n0\r\n\r\n", False),
    "/extension": (CHUNKED + b"5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n", False),
    "/trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n", False),
    "/close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", True),
    "/1.0": (b"HTTP/1.0 200 OK\r\n\r\nuntil the end, as of old", True),
    "/empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    "/no-reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", False),
    "/cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", True),
    "/cut-chunk": (CHUNKED + b"a\r\nhalf", True),
}

if __name__ == "__main__":
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print("listens", flush=True)
    sys.exit(server.serve_forever())
