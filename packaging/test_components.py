#!/usr/bin/env python3
"""THIRD-PARTY.md names every library that a program is linked with, and no other.

usage: test_components.py THIRD-PARTY.md PROGRAM...

Speaks TAP. What the compiler adds for tests (sanitizers) does not count.
"""
import os
import re
import subprocess
import sys

# As the table calls what the linker calls so.
COMPONENTS = {
    "libuv": "libuv", "libcares": "c-ares", "libssl": "OpenSSL 3", "libcrypto": "OpenSSL 3",
    "libprotobuf-c": "protobuf-c", "libzstd": "zstd", "libsnappy": "Snappy", "libz": "zlib", "liblzma": "liblzma (XZ Utils)", "liblz4": "LZ4",
    "libbz2": "bzip2",
    "libyaml-0": "libyaml", "libsqlite3": "SQLite", "libmicrohttpd": "libmicrohttpd", "libgnutls": "GnuTLS",
    "libcurl": "libcurl", "libnetsnmp": "net-snmp", "libpcap": "libpcap", "libjansson": "jansson", "libexpat": "Expat", "libre2": "RE2",
    "libstdc++": "GCC's runtime libraries", "libgcc_s": "GCC's runtime libraries", "libc": "GNU C library",
    "libm": "GNU C library", "ld-linux-x86-64": "GNU C library", "ld-linux-aarch64": "GNU C library",
}


def table(path):
    """{component: what is said of its users}"""
    rows = {}
    with open(path) as f:
        for row in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", f.read(), re.M):
            rows[row[0]] = row[1]
    return rows


def linked(program):
    text = subprocess.run(["readelf", "-dW", program], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"\(NEEDED\).*\[(.+?)\.so", text)
    return {name for name in names if name not in ("libasan", "libubsan", "libtsan")}


def uses(users, program):
    name = os.path.basename(program)
    return "all programs" in users or f"`{name}`" in users or name.removeprefix("fenwatch-") in re.split(r"[ ,]+", users)


def faults(rows, programs):
    found = []
    for program, libraries in programs.items():
        for library in sorted(libraries):
            component = COMPONENTS.get(library, library)
            if component not in rows:
                found.append(f"{library} of {program} is not in the table")
            elif not uses(rows[component], program):
                found.append(f"{component} is not said to be used by {program}")
    used = {COMPONENTS.get(library, library) for libraries in programs.values() for library in libraries}
    found += [f"{component} is in the table and nothing is linked with it" for component in rows
              if component not in used and component not in ("component", "---")]
    return found


def main():
    rows = table(sys.argv[1])
    programs = {os.path.basename(path): linked(path) for path in sys.argv[2:]}
    strange = dict(programs, fenwatch=programs["fenwatch"] | {"libstrange"})
    checks = [
        ("every library is named", faults(rows, programs) == []),
        ("one that is not named is found", len(faults(rows, strange)) == 1 + len(faults(rows, programs))),
        ("one that nothing uses is found", any("libnobody" in text for text in faults(dict(rows, libnobody="agent"), programs))),
    ]
    print(f"1..{len(checks)}")
    for number, (what, good) in enumerate(checks, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    for text in faults(rows, programs):
        print("# " + text)
    sys.exit(0 if all(good for _, good in checks) else 1)


main()
