#!/usr/bin/env python3
"""Writes the notices of all that is in a program of pm: `.ci/third_party.py TARGET FILE [MUSL]`.

The crates that are linked for a target, each with its license and the texts that it brings (the same text once, with
all whose it is); those of the standard library, as the toolchain has them; and the notice of musl in the file MUSL,
where the program is static. Fails where a crate brings no text and its license is none of which the toolchain has one.
"""
import glob
import html
import json
import os
import re
import subprocess
import sys

TEXTS = re.compile(r"(licen[sc]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
RULE = "-" * 78


def run(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates(target):
    """Returns the packages that are linked into pm, without itself, by name."""
    told = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    is_macro = lambda package: any("proc-macro" in target["kind"] for target in package["targets"])
    found, to_visit = set(), [told["resolve"]["root"]]
    while to_visit:
        for dependency in nodes[to_visit.pop()]["deps"]:
            name = dependency["pkg"]
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and name not in found and not is_macro(packages[name]):
                found.add(name)
                to_visit.append(name)
    return sorted((packages[name] for name in found), key=lambda package: (package["name"], package["version"]))


def texts_of(package, fallback):
    """Returns the texts that a crate brings, else that of its license: pairs of a file name and the text."""
    folder = os.path.dirname(package["manifest_path"])
    named = [package["license_file"]] if package["license_file"] else []
    found = [name for name in sorted(os.listdir(folder)) if TEXTS.match(name)] or named
    files = [os.path.join(folder, name) for name in found]
    files = [file for path in files for file in (sorted(glob.glob(path + "/*")) if os.path.isdir(path) else [path])]
    if files:
        return [(os.path.basename(file), read(file)) for file in files]
    for name in re.findall(r"[A-Za-z0-9.-]+", package["license"] or ""):
        path = os.path.join(fallback, name + ".txt")
        if os.path.exists(path):
            by = ", ".join(package["authors"]) or "its authors"
            return [(name, "Copyright (c) %s\n\n%s" % (by, read(path)))]
    sys.exit("third_party: %s brings no license text" % package["name"])


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().replace("\r\n", "\n").strip("\n") + "\n"


def standard_library(documents):
    """Returns the page of the toolchain as text, without the blank lines that its tags leave."""
    with open(os.path.join(documents, "COPYRIGHT-library.html"), encoding="utf-8") as file:
        page = file.read().split("<body>", 1)[-1]
    text = html.unescape(re.sub(r"<[^>]*>", "", page)).replace("\U0001f4e6 ", "")
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", text).strip() + "\n"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    target, path = sys.argv[1:3]
    documents = os.path.join(run("rustc", "--print", "sysroot").strip(), "share/doc/rust")
    linked = crates(target)
    owners = {}
    for package in linked:
        for name, text in texts_of(package, os.path.join(documents, "licenses")):
            owners.setdefault(text, []).append("%s %s (%s)" % (package["name"], package["version"], name))
    out = ["pm is under the MIT license (LICENSE). In it are these packages of crates.io, Rust's standard library%s.\n"
           % (" and the C library musl" if len(sys.argv) == 4 else "")]
    out += ["%s %s: %s" % (package["name"], package["version"], package["license"]) for package in linked]
    for text, whose in owners.items():
        out.append("\n%s\n%s\n%s\n\n%s" % (RULE, "\n".join(whose), RULE, text))
    if len(sys.argv) == 4:
        out.append("\n%s\nmusl\n%s\n\n%s" % (RULE, RULE, read(sys.argv[3])))
    out.append("\n%s\nRust's standard library\n%s\n\n%s" % (RULE, RULE, standard_library(documents)))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main()
