#!/usr/bin/env python3
"""From a fact that changes on a machine to the webhook that receives it, hold time 0.

usage: alert.py BUILD [ROUNDS]

A file system of 32 MiB is filled and cleared; the agent samples every second,
so the target is a p99 of 2 s plus that second.
"""
import os
import subprocess
import sys
import time

from lab import Lab, table, until


def main():
    build, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    lab = Lab(build)
    try:
        mount = os.path.join(lab.dir, "disk")
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", mount], check=True)
        lab.closers.append(lambda: subprocess.run(["umount", "-l", mount]))
        hook = lab.webhook()
        collector = lab.collector(extra=f"feeds: [{{name: desk, type: webhook, url: \"{hook.url}\", live: true}}]\n"
                                        "builtin_rules: {FilesystemAlmostFull: {hold: 0s}}\n").start()
        lab.agent(collector).enrol().start()
        until(20, "the file system is watched",
              lambda: collector.query('node_filesystem_size_bytes{mountpoint="%s"}' % mount))
        rows = [("fact to webhook", "rounds", "median s", "p99 s", "target s")]
        for name, values in zip(("open", "close"), race(hook, mount, rounds)):
            values.sort()
            rows.append((name, rounds, f"{values[len(values) // 2]:.2f}", f"{values[int(len(values) * 0.99)]:.2f}",
                         "3.00"))
        table(rows)
    finally:
        lab.close()


def race(hook, mount, rounds):
    """(seconds until each open, seconds until each close)"""
    def ours(status):
        return [n for n in hook.notices(status, "FilesystemAlmostFull")
                if n[2]["alerts"][0]["labels"].get("mountpoint") == mount]
    opened, closed = [], []
    for i in range(rounds):
        time.sleep(0.37)  # so that rounds fall on every part of the interval
        for status, seen, change in (("firing", opened, fill), ("resolved", closed, clear)):
            before, start = len(ours(status)), time.time()
            change(mount)
            until(20, f"round {i}: {status}", lambda: len(ours(status)) > before, 0.005)
            seen.append(ours(status)[-1][0] - start)
    return opened, closed


def fill(mount):
    with open(mount + "/ballast", "wb") as f:
        f.write(b"x" * (31 << 20))


def clear(mount):
    os.unlink(mount + "/ballast")


main()
