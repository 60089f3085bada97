#!/usr/bin/env python3
"""`suites.py FOLDER FRONT DIRECT ANSWERS_FRONT ANSWERS_DIRECT`: the test suites of llhttp and gunicorn through a proxy
and without it. FOLDER has their packages (`foreign.py`).

Each request of theirs is sent to the proxy of node and to node itself: what node saw, and what the client got, must be
alike, or the proxy must refuse it. Each answer of llhttp's suite comes from behind the proxy and without it: Python's
http.client must read it alike, or the proxy must say 502 or end the connection within it."""

import collections
import concurrent.futures
import sys

import foreign
import wire

# Where nobody has said a word for so long, nobody will.
QUIET = 1.0
SIDE_BY_SIDE = 32
# By the end of a name, why the proxy is right where it differs.
BEHIND_THE_END = "nobody reads behind a request that ends the connection (RFC 9112 9.6); llhttp finds fault with it"
EXTENSION = "an extension of a chunk is dropped, and so are its faults (RFC 9112 7.1.1)"
TRAILER = "a trailer that frames or routes is dropped (RFC 9110 6.5.1)"
KNOWN = {
    "request/connection.md:85": BEHIND_THE_END,
    "request/connection.md:114": BEHIND_THE_END,
    "request/connection.md:298": BEHIND_THE_END,
    "request/connection.md:398": BEHIND_THE_END,
    "request/content-length.md:321": "tabs may stand around a value (RFC 9112 5.1), and the body is still to come",
    "request/lenient-headers.md:38": "the first request is whole, and answered before the second is refused",
    "request/transfer-encoding.md:332": EXTENSION,
    "request/transfer-encoding.md:428": "the body is still to come",
    "response/connection.md:541": "304 has no body, whatever its header says (RFC 9112 6.3)",
    "response/transfer-encoding.md:78": "where chunked is not the last coding, the end of the connection is the body's (RFC 9112 6.3)",
    "invalid/rfc9110_trailer_forbidden_cl_01": TRAILER,
    "invalid/rfc9110_trailer_forbidden_host_01": TRAILER,
    "invalid/rfc9110_trailer_forbidden_te_01": TRAILER,
    "valid/013": EXTENSION,
    "valid/019": BEHIND_THE_END,
    "valid/021": BEHIND_THE_END,
    "valid/022": "a connection of HTTP/1.0 that is kept has a second request, which node leaves",
}

# By the end of a name, why the proxy refuses what the suite calls valid and node takes.
CODINGS = "another coding before chunked: it would have to be kept through a framing that is written anew"
TARGET = "the target names another host than Host (RFC 9112 3.2.2)"
STRICTER = {
    "request/method.md:139": "the target * is for OPTIONS (RFC 9112 3.2.4)",
    "request/pipelining.md:8": "its second request has no Host",
    "request/transfer-encoding.md:755": CODINGS,
    "request/transfer-encoding.md:797": CODINGS,
    "request/uri.md:56": TARGET,
    "request/uri.md:79": TARGET,
    "request/uri.md:129": TARGET,
    "request/uri.md:226": TARGET,
    "response/sample.md:649": "no version is older than HTTP/1.0",
    "response/transfer-encoding.md:288": "the line behind the last chunk is missing, which http.client does not mind",
    "valid/025": CODINGS,
    "valid/025_line": CODINGS,
    "valid/029": CODINGS,
    "valid/030": CODINGS,
    "valid/rfc9112_smuggle_gzip_chunked_01": CODINGS,
    "valid/rfc9112_smuggle_te_identity_chunked_01": CODINGS,
    "valid/rfc9112_target_absolute_userinfo_01": TARGET,
}


def exchange(port, data):
    client = wire.Client(port)
    client.send(data)
    try:
        while client.take(QUIET):
            pass
    except TimeoutError:
        pass
    client.sock.close()
    return client.seen


def request(case, front, direct):
    name, data, _ = case
    methods = wire.methods_of(data)
    seen = [wire.answers(exchange(port, data), methods) for port in (direct, front)]
    # llhttp finds fault with half a head, which the proxy passes on to nobody before it has the rest.
    is_unfinished = not seen[1] and b"\r\n\r\n" not in data
    return name, "waits" if is_unfinished and seen[0] else wire.verdict(*seen), *seen


def first(answers):
    """Returns the answer with what came before it: nothing was asked that what follows could be the answer to."""
    last = next((at for at, it in enumerate(answers) if isinstance(it, str) or it[1] >= 200), len(answers))
    return answers[:last + 1]


def answer(at, case, front, direct):
    name, _, _ = case
    data = b"GET /%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % at
    seen = [first(wire.answers(exchange(port, data), ["GET"])) for port in (direct, front)]
    found = wire.verdict(*seen)
    *before, last = seen[1] or [""]
    if found == "different" and before == seen[0][:len(before)]:
        is_502 = last[1:2] == (502,) and last[3].startswith(b"502: ")
        is_cut = not last or isinstance(last, str) or last[3].startswith(b"<cut short>")
        found = "refused" if is_502 or is_cut else found
    return name, found, *seen


def main():
    folder, ports = sys.argv[1], list(map(int, sys.argv[2:]))
    requests = [*foreign.llhttp(folder, "request"), *foreign.gunicorn(folder)]
    answers = list(foreign.llhttp(folder, "response"))
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        judged = [pool.submit(request, case, *ports[:2]) for case in requests]
        judged += [pool.submit(answer, at, case, *ports[2:]) for at, case in enumerate(answers)]
    taken = {name: taken for name, _, taken in requests + answers}
    counts, wrong = collections.Counter(), []
    for name, found, direct, front in (each.result() for each in judged):
        suite = name.split("/")[0].split(":")[0]
        word = {True: "valid", False: "invalid", None: "lenient"}[taken[name]]
        found = "known" if found == "different" and name.split()[1] in KNOWN else found
        counts[suite, word, found] += 1
        is_answered = direct and not isinstance(direct[0], str) and direct[0][1] == 200
        is_strict = word == "valid" and found == "refused" and is_answered and name.split()[1] not in STRICTER
        if found == "different" or is_strict:
            wrong.append("%s (%s):\n  direct: %r\n  front:  %r" % (name, word, direct, front))
    for key, count in sorted(counts.items()):
        print("%s, %s: %d %s" % (*key[:2], count, key[2]))
    print("%d cases, %d differ" % (len(judged), len(wrong)))
    print("\n".join(wrong[:60]))
    return 1 if wrong or not judged else 0


if __name__ == "__main__":
    if sys.argv[1] == "fetch":
        sys.exit(0 if foreign.fetch(sys.argv[2]) else 1)
    sys.exit(main())
