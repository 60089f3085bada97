"""Bytes to a server and back: what was sent is bytes, and what comes is read by Python's own HTTP client."""

import http.client
import io
import re
import socket

SECONDS = 15
# The port of a client that closes first is not free for a minute: on an address of its own nobody misses it.
OWN_ADDRESS = "127.0.0.9"
# What a proxy writes anew, or what differs from one second to the next.
NOT_COMPARED = {"connection", "date", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
REQUEST_LINE = re.compile(rb"(?:^|\n)([A-Z]+) \S+ HTTP/1")


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=SECONDS, source_address=(OWN_ADDRESS, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Client:
    """A connection that takes what comes while it sends, so that an early end of the other side loses nothing."""

    def __init__(self, port):
        self.sock, self.seen, self.is_over = connect(port), b"", False

    def take(self, seconds=SECONDS):
        """Reads once. Returns whether there may be more."""
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionError:
            got = b""
        self.seen += got
        self.is_over = self.is_over or not got
        return not self.is_over

    def send(self, data):
        while self.take(seconds=0):
            pass
        if data and not self.is_over:
            self.sock.settimeout(SECONDS)
            try:
                self.sock.sendall(data)
            except ConnectionError:
                # What it said before it closed can still be read.
                pass

    def finish(self):
        """Says that no more is sent, and returns all that has come."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while not self.is_over:
                self.take()
        except TimeoutError:
            self.seen += b"\n<%d seconds of silence>" % SECONDS
        self.sock.close()
        return self.seen


def whole(port, data):
    client = Client(port)
    client.send(data)
    return client.finish()


class Kept(io.BytesIO):
    """A stream that several answers are read from, one after the other."""

    def close(self):
        pass

    def makefile(self, mode):
        return self


def methods_of(data):
    return [name.decode() for name in REQUEST_LINE.findall(data)]


def answers(data, methods):
    """Returns status, header and body of each answer; the last one is a text where it is no answer."""
    stream, found, methods = Kept(data), [], list(methods)
    while stream.tell() < len(data):
        response = http.client.HTTPResponse(stream, method=methods[0] if methods else "GET")
        at = stream.tell()
        try:
            response.begin()
            # http.client passes over 100 by itself.
            interim = data[at:stream.tell()].count(b"HTTP/1.1 100 ")
            body = response.read()
        except http.client.IncompleteRead as cut:
            body = b"<cut short> " + cut.partial
        except (http.client.HTTPException, ValueError) as error:
            found.append("no answer: %s %r" % (type(error).__name__, data[at:at + 80]))
            break
        kept = sorted((name.lower(), value) for name, value in response.getheaders() if name.lower() not in NOT_COMPARED)
        # The length of a body that is there is the body's; one of HEAD or 304 is all that there is of it.
        kept = [(name, value) for name, value in kept if name != "content-length" or not body]
        found.append((interim, response.status, kept, body))
        if response.status >= 200:
            methods = methods[1:]
    return found


def verdict(direct, front):
    """`equal`, `refused` (400 after answers that are equal), or `different`."""
    if direct == front:
        return "equal"
    *before, last = front or [""]
    is_refusal = last[1:2] == (400,) and last[3].startswith(b"400: ")
    return "refused" if is_refusal and before == direct[:len(before)] else "different"
