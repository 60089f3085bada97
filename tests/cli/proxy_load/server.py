"""What server.c does under load, as one writes it with http.server. GET /N, POST /ID."""
import http.server
import os
import signal
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        n = int(self.path[1:])
        body = (b"0123456789abcdef" * (n // 16 + 2))[n % 16:n % 16 + n]
        if n % 2 == 0:
            return self.answer(body)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body[:n // 2], body[n // 2:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("posts", "a") as posts:
            posts.write(self.path[1:] + "\n")
        self.answer(body)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.daemon_threads = os.environ.get("DIES") == "1"
if os.environ.get("DIES") != "1":
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
