"""Test suites of others, read from the source packages of PyPI: nothing of them is kept in this repository."""

import json
import os
import re
import subprocess
import sys
import tarfile

# llhttp 9.4.2, the parser of node, comes within the source package of aiohttp.
PACKAGES = {"aiohttp": "3.14.5", "gunicorn": "27.0.1"}


def archive(folder, name):
    return os.path.join(folder, "%s-%s.tar.gz" % (name, PACKAGES[name]))


def fetch(folder):
    """Downloads what is not in the folder yet. Returns whether all is there."""
    os.makedirs(folder, exist_ok=True)
    for name, version in PACKAGES.items():
        if not os.path.exists(archive(folder, name)):
            words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder]
            subprocess.run([sys.executable, "-m", "pip", *words, "%s==%s" % (name, version)], check=False)
    return all(os.path.exists(archive(folder, name)) for name in PACKAGES)


def with_host(data):
    """Adds the Host that a proxy insists on (RFC 9112 3.2), and which most examples leave out."""
    if re.search(rb"\nhost[ \t]*:", data, re.I):
        return data
    # What looks like a request in a body keeps its length.
    count = 1 if re.search(rb"content-length", data, re.I) else 0
    return re.sub(rb"(?m)^([A-Z]+ \S+ HTTP/1\.[01]\r\n)", rb"\1Host: localhost\r\n", data, count=count)


def files(folder, package, pattern):
    """Yields the name and the bytes of each file whose path matches."""
    with tarfile.open(archive(folder, package)) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            found = re.search(pattern, member.name)
            if found:
                yield found[1], tar.extractfile(member).read()


def unescaped(text):
    """Returns the bytes of an example of llhttp, as its own test/md-test.ts makes them; nothing for a program."""
    text = re.sub(r"\\\n", "", re.sub(r"\n\Z", "", text))
    text = text.replace("\n", "\r\n")
    for escape, char in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(escape, char)
    text = re.sub(r"\\x([0-9a-fA-F]+)", lambda found: chr(int(found[1], 16) & 0xFFFF), text)
    text = re.sub(r"\\([0-7]{1,3})", lambda found: chr(int(found[1], 8)), text)
    repeated = re.compile(r"\$\{'(.)'\.repeat\((\d+)\)\}")
    text = repeated.sub(lambda found: found[1] * int(found[2]), text)
    return None if "${" in text else text.encode()


def llhttp(folder, kind):
    """Yields name and bytes of each example, and whether llhttp takes it in its strict mode; `kind` is `request` or
    `response`."""
    example = re.compile(r"<!--\s*meta=(\{.*?\})\s*-->\s*```http\n(.*?)```(?:(?!```).)*```log\n(.*?)```", re.S)
    for name, data in files(folder, "aiohttp", r"/vendor/llhttp/test/%s/([\w-]+)\.md$" % kind):
        text = data.decode()
        for found in example.finditer(text):
            meta, bytes_of = json.loads(found[1]), unescaped(found[2])
            line = text.count("\n", 0, found.start(2)) + 1
            is_known = meta["type"] in (kind, kind + "-finish") and not meta.get("skip")
            if bytes_of is not None and (is_known or meta["type"].startswith(kind + "-lenient")):
                taken = " error " not in found[3] and "error code" not in found[3]
                bytes_of = with_host(bytes_of) if kind == "request" else bytes_of
                yield "llhttp %s/%s.md:%d" % (kind, name, line), bytes_of, taken if is_known else None


def gunicorn(folder):
    """Yields name and bytes of each request, and whether gunicorn takes it."""
    for name, data in files(folder, "gunicorn", r"/tests/requests/((?:in)?valid/[\w-]+)\.http$"):
        for escape, char in ((b"\n", b""), (b"\\r\\n", b"\r\n"), (b"\\0", b"\0"), (b"\\n", b"\n"), (b"\\t", b"\t")):
            data = data.replace(escape, char)
        data = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), data)
        yield "gunicorn " + name, with_host(data), name.startswith("valid")
