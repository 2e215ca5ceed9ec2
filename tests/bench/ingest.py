#!/usr/bin/env python3
"""Samples a CPU-second of the collector: through TLS, decoded, checked, logged and synced; peers beside it.

usage: ingest.py BUILD [SECONDS [AGENTS]]

Simulated agents of 300 series (half constant, a tenth changing now and then, the
rest in every sweep) keep 8 batches unacknowledged each. A sample counts when it is
acknowledged, so when it is on disk. The collector runs as it is shipped. Prometheus and
VictoriaMetrics, where installed, take as many made-up hosts of 300 series by remote_write,
as many sweeps a request.
"""
import os
import subprocess
import sys
import time

from lab import Lab, cpu_seconds, memory_kib, table
from peers import installed, written

TARGETS = {1: 3e6, 6: 10e6}  # sweeps a batch: samples a CPU-second
PEER_SWEEPS = 36             # of each host for a second that the collector is measured
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


def row_of_collector(build, sweeps, seconds, agents):
    """(the row's cells, whether its target is missed)"""
    lab = Lab(build)
    try:
        collector = lab.collector(store="{raw: 1GiB}").start()
        samples, wall, cpu, load_cpu, sent = run_load(lab, collector, agents, sweeps, seconds)
        missed = samples / cpu < TARGETS[sweeps]
        return ("Fenwatch", sweeps, f"{samples / wall / 1e6:.2f}", f"{samples / cpu / 1e6:.2f}",
                f"{TARGETS[sweeps] / 1e6:.0f}", f"{cpu / wall:.2f}", f"{load_cpu / wall:.2f}", f"{sent / samples:.2f}",
                memory_kib(collector.child.pid)[1] // 1024, "missed" if missed else ""), missed
    finally:
        lab.close()


def rows_of_peers(build, sweeps, seconds, agents):
    for make in installed():
        lab = Lab(build)
        try:
            server = make(lab)
            samples, wall, cpu = written(build, server, agents, PEER_SWEEPS * seconds, sweeps)
            yield (server.name, sweeps, f"{samples / wall / 1e6:.2f}", f"{samples / cpu / 1e6:.2f}", "",
                   f"{cpu / wall:.2f}", "", "", memory_kib(server.pid)[1] // 1024, "")
        finally:
            lab.close()


def main():
    build = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    agents = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    rows = [("", "sweeps a batch", "M samples/s", "M a CPU-second", "target", "its CPU", "load's CPU", "bytes a sample",
             "MiB", "")]
    missed = False
    for sweeps in TARGETS:
        row, missed_here = row_of_collector(build, sweeps, seconds, agents)
        missed = missed or missed_here
        rows += [row, *rows_of_peers(build, sweeps, seconds, agents)]
    table(rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
