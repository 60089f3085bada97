"""The application behind the proxy: answers each request for /N with the Nth example of llhttp, and ends."""

import os
import socketserver
import sys

import foreign

EXAMPLES = [data for _, data, _ in foreign.llhttp(sys.argv[1], "response")]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        path = self.rfile.readline().split()[1]
        while self.rfile.readline().strip():
            pass
        self.wfile.write(EXAMPLES[int(path[1:])])


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    # With fewer, a connection waits a second in the kernel where many come at once.
    request_queue_size = 256


if __name__ == "__main__":
    print("listens", flush=True)
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
