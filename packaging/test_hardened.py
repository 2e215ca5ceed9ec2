#!/usr/bin/env python3
"""What is packaged was built hardened.

usage: test_hardened.py PROGRAM...
       test_hardened.py --control PROGRAM     one that was built for tests is found out

Looks at the programs of a release: position independent, everything resolved at start and
read-only from then on, no stack that can be executed, guarded stacks, checked library
calls, marked for the processor's shadow stack, no search path of its own. Speaks TAP.
"""
import os
import re
import subprocess
import sys


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, check=True).stdout


def looks(program):
    """[(what, whether)]"""
    header, segments, dynamic = readelf("-h", program), readelf("-l", program), readelf("-d", program)
    symbols, notes = readelf("--dyn-syms", program), readelf("-n", program)
    looked = [
        ("is position independent", re.search(r"Type: +DYN", header)),
        ("has a read-only relocation table", "GNU_RELRO" in segments),
        ("resolves everything at start", re.search(r"BIND_NOW|FLAGS_1.*NOW", dynamic)),
        ("has a stack without execution", re.search(r"GNU_STACK.* RW +0x", segments)),
        ("has no segment to write and execute", not re.search(r"LOAD.* RWE ", segments)),
        ("guards its stacks", "__stack_chk_fail" in symbols),
        ("checks its library calls", re.search(r"__\w+_chk@", symbols)),
        ("has no search path", not re.search(r"R(UN)?PATH", dynamic)),
    ]
    if "X86-64" in header:
        looked.append(("may have a shadow stack", "SHSTK" in notes))
    return looked


def control(program):
    weak = [what for what, good in looks(program) if not good]
    print(f"1..1\n{'ok' if weak else 'not ok'} 1 - a program that is not hardened is found out")
    for what in weak:
        print(f"# nothing says that it {what}")
    sys.exit(0 if weak else 1)


def main():
    if sys.argv[1] == "--control":
        control(sys.argv[2])
    rows = [(os.path.basename(program), what, bool(good)) for program in sys.argv[1:] for what, good in looks(program)]
    print(f"1..{len(rows)}")
    for number, (name, what, good) in enumerate(rows, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {name} {what}")
    sys.exit(0 if all(good for _, _, good in rows) else 1)


main()
