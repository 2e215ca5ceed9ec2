#!/usr/bin/env python3
"""A fleet against one collector: what connections, storms, series and the council's mix cost.

usage: fleet.py BUILD [AGENTS [SECONDS [ROW...]]]

AGENTS is the size of the fleet (20,000, or what descriptors allow), SECONDS how
long each row is measured (60), ROW which ones: connections, series, council,
readers, agents. The council's mix and the series shrink with AGENTS. A short form:
fleet.py BUILD 1000 5. A row over its limit is missed, and ends it with 1. Agents are simulated ones, in up to two
processes: certificates, TLS, frames, numbers and back-off are the real ones'.
They share the machine's cores with the collector.
"""
import os
import random
import resource
import sys
import time

from lab import Lab, cpu_seconds, memory_kib, table
from fleets import Asking, Fleet, all_connected, busiest, fleets_of, memory_mib, nothing_lost_or_doubled

FULL = 20000
PATIENCE = 600   # seconds for what is measured, not judged
KEPT = 500       # descriptors that the collector keeps for other things
READERS = 20
COUNCIL = [  # what, connections, hosts of each, series, seconds between sweeps
    ("server", 400, 1, 700, 15),
    ("device", 6000, 1, 200, 60),
    ("snmp", 10, 50, 1000, 60),
]


def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def anonymous_kib(collector):
    return memory_kib(collector.child.pid)[0]


class Meter(Asking):
    """CPU of a collector in a stretch of time, and how long it took to answer meanwhile."""

    def __init__(self, collector):
        super().__init__(collector, host="fleet0-00001", pause=0.5)

    def __enter__(self):
        self.cpu, self.wall = cpu_seconds(self.collector.child.pid), time.monotonic()
        return super().__enter__()

    def __exit__(self, *_):
        self.wall = time.monotonic() - self.wall
        self.cores = (cpu_seconds(self.collector.child.pid) - self.cpu) / self.wall
        super().__exit__()


class Dashboard(Asking):
    """One host on a wall: its panels over the last hour, all anew every few seconds."""

    PANELS = ["fleet_tick", "fleet_fact_0_total", "fleet_fact_1_total"]

    def __init__(self, collector, number):
        super().__init__(collector, host=f"fleet0-{number:05d}", pause=5)

    def ask(self):
        while not self.stop.wait(self.pause * random.random()):
            end = time.time()
            for panel in self.PANELS:
                start = time.monotonic()
                self.collector.get("/api/v1/query_range", query=f'{panel}{{instance="{self.host}"}}',
                                   start=f"{end - 3600:.3f}", end=f"{end:.3f}", step="15")
                self.took_ms.append((time.monotonic() - start) * 1000)


class Readers:
    """So many dashboards at once."""

    def __init__(self, collector, count):
        self.dashboards = [Dashboard(collector, number) for number in range(count)]

    def __enter__(self):
        for dashboard in self.dashboards:
            dashboard.__enter__()
        return self

    def __exit__(self, *_):
        for dashboard in self.dashboards:
            dashboard.__exit__()
        took_ms = sorted(ms for dashboard in self.dashboards for ms in dashboard.took_ms)
        self.answers = len(took_ms)
        self.p99 = took_ms[int(len(took_ms) * 0.99)] if took_ms else 0


def begin(collector):
    """Ready, however long its rings take to be allocated or read: that is measured, not judged."""
    collector.start(wait=False).wait_ready(PATIENCE)
    return collector


def seconds_of(deed):
    start = time.monotonic()
    deed()
    return time.monotonic() - start


def settle_and_check(collector, fleets, seconds):
    for fleet in fleets:
        fleet.settle(120)
    return sum(nothing_lost_or_doubled(collector, fleet, seconds) for fleet in fleets)


def all_leave(collector, fleets, since):
    settle_and_check(collector, fleets, int(time.time() - since) + 120)
    for fleet in fleets:
        fleet.leave()
    collector.stop(60)


class Rows:
    """What was measured, and whether any of it is over its limit."""

    def __init__(self):
        self.cells, self.missed = [("what", "measured", "at most", "")], False

    def add(self, what, value, form, most=None):
        """`form` shows the value, and its limit where it has one."""
        over = most is not None and value > most
        self.cells.append((what, form.format(value), "" if most is None else form.format(most),
                           "missed" if over else ""))
        self.missed = self.missed or over


def say(text):
    print(text, file=sys.stderr, flush=True)


def row_of_connections(lab, rows, agents, _):
    """Connections that say nothing but heartbeats: what TLS and a session take."""
    agents = max(200, agents // 10)
    collector = begin(lab.collector(name="idle", store="{raw: 64MiB}"))
    time.sleep(1)
    empty = anonymous_kib(collector)
    fleet = Fleet(lab, collector, agents, interval=3600000, series=1, spread=agents * 3).begin()
    fleet.all_connected(PATIENCE)
    time.sleep(2)
    each = (anonymous_kib(collector) - empty) / agents
    rows.add(f"a connection, of {agents}", each * 1.024, "{:.1f} kB", 45)
    fleet.leave()
    collector.stop(60)


def row_of_series(lab, rows, agents, seconds):
    """Series by the thousand over four connections, above the empty process."""
    hosts, since = max(1, 100 * agents // FULL), time.time()
    collector = begin(lab.collector(name="series", store="{raw: 1GiB}"))
    time.sleep(1)
    empty = anonymous_kib(collector)
    fleet = Fleet(lab, collector, 4, hosts=hosts, series=500, interval=10000, jitter=50).begin()
    fleet.all_connected(30)
    time.sleep(max(seconds, 25))
    each = (anonymous_kib(collector) - empty) * 1024 / (4 * hosts * 500)
    rows.add(f"a series, of {4 * hosts * 500}, after {max(seconds, 25)} s", each, "{:.0f} B", 80)
    all_leave(collector, [fleet], since)


def row_of_agents(lab, rows, agents, seconds):
    collector = begin(lab.collector(name="many", store="{raw: 1GiB}"))
    start = time.monotonic()
    fleets = fleets_of(lab, collector, agents, interval=60000, jitter=20, series=200, spread=agents * 3)
    say(f"{agents} agents are enrolled after {time.monotonic() - start:.0f} s")
    since = time.time()
    for fleet in fleets:
        fleet.begin()
    all_connected(fleets, PATIENCE)
    time.sleep(min(60, seconds))
    for fleet in fleets:
        fleet.ask("mark")
    with Meter(collector) as meter:
        time.sleep(seconds)
    p99 = max(fleet.stat()["ack_p99_ms"] for fleet in fleets)
    rows.add(f"{agents} agents, 200 series / 60 s: cores", meter.cores, "{:.2f}", 0.5)
    rows.add("  memory (RSS)", memory_mib(collector), "{:.0f} MiB", 1229)
    rows.add("  acknowledgement p99", p99, "{:.0f} ms")
    rows.add("  query p99", meter.p99, "{:.0f} ms")
    collector.kill()
    again = time.time()
    ready = seconds_of(lambda: begin(collector))
    took = all_connected(fleets, PATIENCE)
    cpu = cpu_seconds(collector.child.pid)
    rows.add("  ready after kill -9", ready, "{:.1f} s", 5)
    rows.add("  all back after kill -9 and restart", took, "{:.1f} s", 60)
    rows.add("  CPU seconds of the collector for that", cpu, "{:.1f}")
    rows.add("  let in, in the busiest second", busiest(collector, fleets, again), "{}", 700)
    total = settle_and_check(collector, fleets, int(time.time() - since) + 120)
    rows.add("  sweeps acknowledged, none lost or doubled", total, "{}")
    rows.add("  SIGTERM to its end, all connected", seconds_of(lambda: collector.stop(60)), "{:.1f} s", 5)
    rows.add("  ready after that", seconds_of(lambda: begin(collector)), "{:.1f} s", 1)
    for fleet in fleets:
        fleet.leave()
    collector.stop(60)


def council(lab, agents):
    """(a collector, the council's fleets, all connected, and what they send in a second)"""
    collector = begin(lab.collector(name="council", store="{raw: 2GiB}"))
    share = agents / FULL
    fleets, rate = [], 0
    for number, (what, count, hosts, series, interval) in enumerate(COUNCIL):
        count = max(1, round(count * share))
        rate += count * hosts * series / interval
        fleets.append(Fleet(lab, collector, count, name=f"fleet{number}", hosts=hosts, series=series,
                            interval=interval * 1000, jitter=20, spread=count * 3,
                            **{"from": f"127.{1 + number}.0.1"}).begin())
    all_connected(fleets, PATIENCE)
    return collector, fleets, rate


def ack_p99_ms(fleets):
    return max(fleet.stat()["ack_p99_ms"] for fleet in fleets)


def row_of_council(lab, rows, agents, seconds):
    since = time.time()
    collector, fleets, rate = council(lab, agents)
    time.sleep(min(60, seconds))
    for fleet in fleets:
        fleet.ask("mark")
    with Meter(collector) as meter:
        time.sleep(seconds)
    rows.add(f"the council's mix, {rate:.0f} samples/s: cores", meter.cores, "{:.3f}", 0.25)
    rows.add("  acknowledgement p99", ack_p99_ms(fleets), "{:.0f} ms", 150)
    rows.add("  query p99", meter.p99, "{:.0f} ms")
    rows.add("  memory (RSS)", memory_mib(collector), "{:.0f} MiB")
    all_leave(collector, fleets, since)


def row_of_readers(lab, rows, agents, seconds):
    """The council's mix while dashboards are looked at."""
    since = time.time()
    collector, fleets, rate = council(lab, agents)
    time.sleep(min(60, seconds))
    for fleet in fleets:
        fleet.ask("mark")
    with Meter(collector) as meter, Readers(collector, READERS) as readers:
        time.sleep(seconds)
    rows.add(f"{READERS} readers at {rate:.0f} samples/s: acknowledgement p99", ack_p99_ms(fleets), "{:.0f} ms", 150)
    rows.add(f"  {readers.answers / meter.wall:.1f} ranges of an hour a second: p99", readers.p99, "{:.0f} ms")
    rows.add("  cores", meter.cores, "{:.2f}")
    all_leave(collector, fleets, since)


ROWS = {"connections": row_of_connections, "series": row_of_series, "council": row_of_council,
        "readers": row_of_readers, "agents": row_of_agents}


def main():
    build = sys.argv[1]
    room = descriptors() - KEPT
    agents = int(sys.argv[2]) if len(sys.argv) > 2 else FULL
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    if agents > room:
        say(f"{agents} agents do not fit into {room + KEPT} descriptors of one process: {room} it is")
        agents = room
    wanted = sys.argv[4:] or list(ROWS)
    rows = Rows()
    for name in wanted:
        lab = Lab(build)
        try:
            ROWS[name](lab, rows, agents, seconds)
        finally:
            lab.close()
            say("; ".join(" ".join(row) for row in rows.cells[1:]))  # also what was measured before it failed
    print()
    table(rows.cells)
    return 1 if rows.missed else 0


if __name__ == "__main__":
    sys.exit(main())
