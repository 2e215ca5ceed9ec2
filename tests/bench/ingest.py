#!/usr/bin/env python3
"""Samples a CPU-second of the collector: through TLS, decoded, checked, logged and synced.

usage: ingest.py BUILD [SECONDS [AGENTS]]

Simulated agents of 300 series (half constant, a tenth changing now and then, the
rest in every sweep) keep 8 batches unacknowledged each. A sample counts when it is
acknowledged, so when it is on disk. The collector runs as it is shipped.
"""
import os
import subprocess
import sys
import time

from lab import Lab, cpu_seconds, memory_kib, table

TARGET = 3e6
DAY = 86400


def run_load(lab, collector, agents, sweeps, seconds):
    """(samples, wall seconds, collector's CPU seconds, load's CPU seconds, bytes sent)"""
    token = collector.join_token("--uses", str(agents))
    program = os.path.join(lab.build, "tests", "bench", "bench_load")
    load = subprocess.Popen([program, f"127.0.0.1:{collector.port}", str(agents), str(sweeps), str(seconds)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    load.stdin.write(token + "\n")
    load.stdin.close()
    if load.stdout.readline() != "begin\n":
        raise SystemExit("the load did not begin")
    pid = collector.child.pid
    cpu, wall = cpu_seconds(pid), time.monotonic()
    words = load.stdout.readline().split()
    cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
    load.wait()
    if not words or words[0] != "end":
        raise SystemExit("the load did not end")
    kept = collector.query('load_fact_0_total{instance="load-00000",device="dev6"}', at=time.time() - DAY)
    if not kept or float(kept[0]["value"][1]) <= 0:
        raise SystemExit("what was acknowledged cannot be queried")
    return int(words[1]), wall, cpu, float(words[3]), int(words[2])


def main():
    build = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    agents = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    rows = [("sweeps a batch", "M samples/s", "M a CPU-second", "target", "collector CPU", "load CPU",
             "bytes a sample", "collector MiB")]
    missed = False
    for sweeps in (1, 6):
        lab = Lab(build)
        try:
            collector = lab.collector(store="{raw: 1GiB}").start()
            samples, wall, cpu, load_cpu, sent = run_load(lab, collector, agents, sweeps, seconds)
            rate = samples / cpu
            missed = missed or rate < TARGET
            rows.append((sweeps, f"{samples / wall / 1e6:.2f}", f"{rate / 1e6:.2f}", f"{TARGET / 1e6:.0f}",
                         f"{cpu / wall:.2f}", f"{load_cpu / wall:.2f}", f"{sent / samples:.2f}",
                         memory_kib(collector.child.pid)[1] // 1024))
        finally:
            lab.close()
    table(rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
