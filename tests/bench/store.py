#!/usr/bin/env python3
"""Bytes a sample and nanoseconds of the store: blocks by themselves, and a store with a day of hosts.

usage: store.py BUILD [HOSTS [alone]]

50 made-up hosts, or as many as are said: 5 are quick. Prometheus and VictoriaMetrics take the
same by remote_write, where they are installed; with `alone` recorded figures stand for them.
"""
import os
import shutil
import subprocess
import sys

from lab import Lab
from peers import PEERS, Past, push, loaded

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURE = os.path.join(HERE, "host.bin.gz")
CAPTURE_SAMPLES = 367 * 244
JITTER_HOSTS = 10  # and no more: the share of times does not depend on it


def kept(lab, make, past, samples, *what):
    """Bytes a sample of a peer of its own, compacted, all files counted."""
    server = make(lab)
    loaded([push(lab, server, past.start_ms, *what)])
    each = server.bytes_kept(samples) / samples
    server.leave()
    return each


def figures(lab, program, make, hosts):
    """Bytes a sample of made-up hosts, of some with jitter, of the capture."""
    if not shutil.which(program):
        print(f"{program} is not installed: no figures of it", flush=True)
        return ["nan"] * 3
    all_of, some = Past(hosts, 24), Past(min(hosts, JITTER_HOSTS), 24)
    return [str(each) for each in (
        kept(lab, make, all_of, all_of.samples, all_of.hosts, all_of.sweeps),
        kept(lab, make, some, some.samples, some.hosts, some.sweeps, "jitter"),
        kept(lab, make, some, CAPTURE_SAMPLES, CAPTURE))]


def main():
    build, words = sys.argv[1], sys.argv[2:]
    hosts = int(words[0]) if words else 50
    lab, others = Lab(build), []
    try:
        if "alone" not in words:
            for program, make in reversed(PEERS):
                others += figures(lab, program, make, hosts)
        return subprocess.run([os.path.join(lab.build, "tests", "bench", "bench_store"), CAPTURE, lab.dir, str(hosts),
                               *others]).returncode
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
