#!/usr/bin/env python3
"""The manual of a program speaks of every option and command that its --help names.

usage: test_manuals.py PROGRAM MANUAL [PROGRAM MANUAL...]     Speaks TAP.
"""
import os
import re
import subprocess
import sys


def named(program):
    """Options, and commands that begin a line of the usage or of the list of commands."""
    done = subprocess.run([program, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, f"--help ended with {done.returncode}"
    options = set(re.findall(r"--[a-z][a-z-]+", done.stdout))
    name = os.path.basename(program)
    commands = set(re.findall(rf"^(?:Usage:)? *{name} ([a-z]+(?: [a-z]+)?)", done.stdout, re.M))
    commands |= set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?= [A-Z\[-]|$)", done.stdout, re.M))
    return options, commands


def check(program, manual):
    with open(manual) as source:
        text = re.sub(r"[*_]", "", source.read())
    options, commands = named(program)
    assert len(options) > 3, f"only {options}"
    missing = [word for word in options | commands if word not in text]
    assert not missing, f"not in the manual: {sorted(missing)}"


def main():
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
    print(f"1..{len(pairs)}")
    failed = 0
    for number, (program, manual) in enumerate(pairs, 1):
        name = os.path.basename(program)
        try:
            check(program, manual)
            print(f"ok {number} - {name}")
        except AssertionError as why:
            failed += 1
            print(f"not ok {number} - {name}\n# {why}")
    sys.exit(1 if failed else 0)


main()
