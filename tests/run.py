#!/usr/bin/env python3
"""Runs every test of a build tree and counts single cases, not programs.

usage: run.py BUILD [NAME...]     NAME: run the tests whose name contains it

Programs that speak TAP (unit and system tests) count a case a line; others
count as one. What failed is shown with the end of its output, and again below
all others with what it says of itself. The last line is "N passed, N failed"
(", N skipped" with a reason above each).
"""
import json
import os
import subprocess
import sys
import time

# How many tests beyond one a processor may be at work at once: the stories that go first mostly wait.
PATIENT = 2

# How many lines of what a case says of its failure stand in the summary.
LAST_WORDS = 3


def listed(build):
    text = subprocess.run(["meson", "introspect", build, "--tests"], check=True,
                          capture_output=True, text=True).stdout
    return [t["name"] for t in json.loads(text)]


def run(build, names):
    started = time.time()
    subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "6",
                    "--num-processes", str(os.cpu_count() + PATIENT)] + names)
    log = f"{build}/meson-logs/testlog.json"
    with open(log) as lines:
        results = [json.loads(line) for line in lines]
    return results, time.time() - started


def failures(result):
    """Of each case that failed its name and the last words of its explanation."""
    said, words = [], None
    for line in result.get("stdout", "").splitlines():
        line = line.strip()
        if line.startswith(("ok ", "not ok ", "# --- ")):
            words = None
        if line.startswith("not ok "):
            words = []
            said.append((line[len("not ok "):], words))
        elif words is not None and line.startswith("#"):
            words.append(line[1:].strip())
    return [f"{name}: {' '.join(words[-LAST_WORDS:])[:1000]}" for name, words in said]


def count(result):
    """(passed, failed, reasons of skips) of one program."""
    passed = failed = 0
    skips = []
    for line in result.get("stdout", "").splitlines():
        line = line.strip()
        if line.startswith("ok "):
            if "# SKIP" in line.upper():
                skips.append(line.split("#", 1)[1][5:].strip() or "no reason given")
            else:
                passed += 1
        elif line.startswith("not ok "):
            failed += 1
    good = result["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if passed + failed + len(skips) == 0:
        passed, failed = (1, 0) if good else (0, 1)
    elif not good and failed == 0:
        failed = 1  # it ended before its last case, or left with an error
    return passed, failed, skips


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    # Two tests may have one name: meson is given it once.
    names = list(dict.fromkeys(n for n in listed(build) if not wanted or any(w in n for w in wanted)))
    if not names:
        print("no test has such a name")
        sys.exit(2)
    results, seconds = run(build, names if wanted else [])
    passed = failed = 0
    skipped = []
    for result in results:
        p, f, s = count(result)
        passed, failed = passed + p, failed + f
        skipped += [f"{result['name']}: {reason}" for reason in s]
        if f:
            print(f"FAILED {result['name']} ({f} of {p + f})")
            for failure in failures(result):
                print(f"  {failure}")
    for reason in skipped:
        print(f"skipped {reason}")
    slow = sorted(results, key=lambda r: -r.get("duration", 0))[:5]
    print(f"{seconds:.0f} s; longest: " + ", ".join(f"{r['name']} {r.get('duration', 0):.0f} s" for r in slow))
    tail = f", {len(skipped)} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}")
    sys.exit(1 if failed else 0)


main()
