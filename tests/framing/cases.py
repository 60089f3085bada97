"""Framing of requests, and of the answers to them (RFC 9112). Each case is a name and the bytes of a connection."""

OVER_64_KIB = b"x" * (64 << 10)


def get(path="/", more=b"", method=b"GET"):
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (method, path.encode(), more)


def last(path="/", more=b"", method=b"GET"):
    return get(path, more + b"Connection: close\r\n", method)


def post(framing, body=b"", ends=True):
    return (last if ends else get)("/post", framing, b"POST") + body


def chunked(body, ends=True):
    return post(b"Transfer-Encoding: chunked\r\n", body, ends)


HELLO = b"5\r\nhello\r\n0\r\n\r\n"

# The proxy changes nothing that a client or the application could see.
EQUAL = {
    "a plain request": last(),
    "a query and a fragment of it": last("/a%20b?c=d&e;f=%ff"),
    "header names in any case, an empty value, a name twice": last(more=b"x-EMPTY:\r\ncOOkie: a\r\nCookie: b\r\n"),
    "bytes that are not ASCII in a value": last(more=b"X-Name: \xc3\xa9\xff\r\n"),
    "spaces around a value": last(more=b"X-Name:    a  b   \r\n"),
    "no space before a value": last(more=b"X-Name:value\r\n"),
    "a header of 40 KiB": last(more=b"X-Long: %s\r\n" % OVER_64_KIB[:40 << 10]),
    "90 headers": last(more=b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(87))),
    "OPTIONS of the server": last("*", method=b"OPTIONS"),
    "a method of its own": last(method=b"PURGE"),
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "HTTP/1.0 with a body": b"POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.0 that is kept": b"GET /a HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
                             b"GET /b HTTP/1.0\r\nHost: localhost\r\n\r\n",
    "a body with a length": post(b"Content-Length: 5\r\n", b"hello"),
    "a body of length 0": post(b"Content-Length: 0\r\n"),
    "a body without a length, which is none": post(b""),
    "a length with zeros before it": post(b"Content-Length: 0005\r\n", b"hello"),
    "a body that looks like a request": post(b"Content-Length: 27\r\n", b"xET /no HTTP/1.1\r\nHost: a\r\n\r\n"[:27]),
    "a body of GET": last(more=b"Content-Length: 5\r\n") + b"hello",
    "chunks": chunked(b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"),
    "chunks, with the coding in other letters": post(b"transfer-encoding: CHUNKED\r\n", HELLO),
    "a chunk size with zeros and letters": chunked(b"000A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"),
    "chunk extensions": chunked(b"5;a\r\nhello\r\n1;b=c;d=\"e;f\"\r\n!\r\n0;g=h\r\n\r\n"),
    "trailers": chunked(b"5\r\nhello\r\n0\r\nX-Sum: 5\r\nX-More: a b\r\n\r\n"),
    "no chunk but the last": chunked(b"0\r\n\r\n"),
    "a chunk of line ends": chunked(b"4\r\n\r\n\r\n\r\n0\r\n\r\n"),
    "100-continue with a length": post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello"),
    "100-continue with chunks": post(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", HELLO),
    "pipelined": get("/a") + get("/b") + last("/c"),
    "pipelined behind a length": post(b"Content-Length: 5\r\n", b"hello", ends=False) + last("/b"),
    "pipelined behind chunks": chunked(HELLO, ends=False) + last("/b"),
    "pipelined behind trailers": chunked(b"0\r\nX-Sum: 0\r\n\r\n", ends=False) + last("/b"),
    "pipelined behind HEAD, 204 and 304": get("/head", method=b"HEAD") + get("/204") + get("/304") + last("/b"),
    "nothing is answered behind the last": last("/a") + last("/b"),
    "an end of what the client sends": get("/a"),
    "HEAD with a length": last("/head", method=b"HEAD"),
    "HEAD of chunks": last("/chunked", method=b"HEAD"),
    "204": last("/204"),
    "304 with a length": last("/304"),
    "an early answer": last("/early", b"Content-Length: 5\r\n", b"POST") + b"hello",
    "an early answer to chunks": last("/early", b"Transfer-Encoding: chunked\r\n", b"POST") + HELLO,
    "an early answer, and the next": get("/early", b"Content-Length: 5\r\n", b"POST") + b"hello" + last("/b"),
    "103 before the answer": last("/103"),
    "an answer in chunks": get("/chunked") + last("/b"),
    "an answer in chunks with extensions": last("/extension"),
    "an answer with trailers": get("/trailer") + last("/b"),
    "an answer until the end": get("/close"),
    "an answer of HTTP/1.0": get("/1.0"),
    "an answer of length 0": get("/empty") + last("/b"),
    "an answer without a reason": last("/no-reason"),
    "an answer that is cut short": last("/cut"),
    "an answer that is cut short in a chunk": last("/cut-chunk"),
}

# What could be read in two ways, or what RFC 9112 forbids: 400, whatever the application says.
REFUSED = {
    "length and chunks": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HELLO),
    "chunks and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", HELLO),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"),
    "a length twice": post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "a length below 0": post(b"Content-Length: -5\r\n", b"hello"),
    "a length with a sign": post(b"Content-Length: +5\r\n", b"hello"),
    "a length in hexadecimal": post(b"Content-Length: 0x5\r\n", b"hello"),
    "a length of more than 64 bits": post(b"Content-Length: 18446744073709551621\r\n", b"hello"),
    "a length of nothing": post(b"Content-Length:\r\n", b"hello"),
    "a length and a word": post(b"Content-Length: 5 a\r\n", b"hello"),
    "a coding that is not chunked": post(b"Transfer-Encoding: identity\r\n", b"hello"),
    "chunked and then another coding": post(b"Transfer-Encoding: chunked, gzip\r\n", HELLO),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", HELLO),
    "two codings": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", HELLO),
    "chunked with a control character": post(b"Transfer-Encoding: \x0bchunked\r\n", HELLO),
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
    "a space before the colon": post(b"Content-Length : 5\r\n", b"hello"),
    "a folded header": last(more=b"X-Name: a\r\n b\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", HELLO),
    "a header that begins with a space": b"GET / HTTP/1.1\r\n Host: localhost\r\nX: y\r\n\r\n",
    "a bare CR in a value": last(more=b"X-Name: a\rb\r\n"),
    "a bare LF at the end of a line": last(more=b"X-Name: a\nX-Other: b\r\n"),
    "a NUL in a value": last(more=b"X-Name: a\0b\r\n"),
    "a header without a colon": last(more=b"X-Name\r\n"),
    "a header without a name": last(more=b": a\r\n"),
    "a name with a space": last(more=b"X Name: a\r\n"),
    "no Host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two Hosts": last(more=b"Host: localhost\r\n"),
    "a Host that is none": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a head of over 64 KiB": last(more=b"X-Long: %s\r\n" % OVER_64_KIB),
    "a chunk size that is no number": chunked(b"x\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of nothing": chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk size below 0": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with 0x": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of more than 64 bits": chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is longer than its size": chunked(b"5\r\nhello!\r\n0\r\n\r\n"),
    "a bare LF behind a chunk size": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "a bare CR in a chunk extension": chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "a trailer that is no header": chunked(b"5\r\nhello\r\n0\r\nX Sum\r\n\r\n"),
    "a second request that is malformed": get("/a") + post(b"Content-Length: 5, 5\r\n", b"hello"),
}

# The proxy does as RFC 9112 asks where http.server does not: the status that is due.
BETTER = {
    "an empty line before a request (2.2)": (b"\r\n" + last(), 200),
    "HTTP/1.0 without Host, to which the proxy adds one (3.2)": (b"GET / HTTP/1.0\r\n\r\n", 200),
}

# An answer that comes before the end of its request may end the connection (9.6): this is not sent in parts.
AT_ONCE = {"an early answer, and the next"}
