"""Fleets of simulated agents (tests/bench/fleet.c), and what their ledgers say of a store."""
import json
import os
import re
import subprocess
import threading
import time
from datetime import datetime

from stage import check, status_of, until

JOIN_AGENTS = {"stuck", "trickle"}  # these never come as far as a certificate


class Fleet:
    """`count` agents in one process; `keys` are those of bench_fleet."""

    def __init__(self, lab, collector, count, name="fleet", conduct="good", **keys):
        self.lab, self.count, self.name = lab, count, name
        program = os.path.join(lab.build, "tests", "bench", "bench_fleet")
        words = dict({"from": "127.1.0.1"}, **keys)
        words = {key.rstrip("_"): value for key, value in words.items()}
        words.update(collector=f"127.0.0.1:{collector.port}", name=name, agents=count, conduct=conduct)
        if words["from"] is None:
            del words["from"]
        self.stderr = open(os.path.join(lab.dir, name + ".fleet"), "w+")
        self.child = subprocess.Popen([program] + [f"{k}={v}" for k, v in words.items()], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        lab.closers.append(self.close)
        if conduct not in JOIN_AGENTS:
            self.token = collector.join_token("--uses", str(count))
            self.say(self.token)
        check(self.answer()["enrolled"] in (0, count), "all are enrolled")

    def say(self, line):
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"the fleet has ended: {self.complaint()}")

    def answer(self):
        line = self.child.stdout.readline()
        check(line, f"the fleet has ended: {self.complaint()}")
        return json.loads(line)

    def ask(self, line):
        self.say(line)
        return self.answer()

    def complaint(self):
        self.stderr.seek(0)
        return self.stderr.read()[-2000:]

    def begin(self):
        self.ask("begin")
        return self

    def stat(self):
        return self.ask("stat")

    def connected(self, count=None):
        return self.stat()["connected"] >= (self.count if count is None else count)

    def all_connected(self, seconds):
        try:
            until(seconds, f"all {self.count} of {self.name} are connected", self.connected)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.stat()}")

    def settle(self, seconds=60):
        """No more sweeps; then everything made has been acknowledged."""
        self.ask("rest")
        until(seconds, f"{self.name} is settled", lambda: self.stat()["unsettled"] == 0)

    def ledger(self):
        """{host: (sweeps made, sweeps acknowledged)}"""
        path = os.path.join(self.lab.dir, self.name + ".ledger")
        self.ask("ledger " + path)
        with open(path) as f:
            rows = [line.split() for line in f]
        return {name: (int(made), int(acked)) for name, made, acked in rows}

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.stderr.close()

    def leave(self):
        self.ask("leave")
        check(self.child.wait(30) == 0, f"the fleet ends well: {self.complaint()}")


def stored(collector, fleet, seconds):
    """{host: (sweeps stored, sum of their ticks)} of the last `seconds`."""
    text = f'fleet_tick{{instance=~"{fleet.name}-.*"}}[{seconds}s]'
    rows = [(row["metric"]["instance"], [int(float(v)) for _, v in row["values"]])
            for row in collector.query(text, at=time.time() + 5)]
    return {host: (len(ticks), sum(ticks)) for host, ticks in rows}


def differences(ledger, kept):
    """Hosts of a settled ledger that the store does not have exactly, with both sides."""
    wrong = []
    for host, (made, acked) in ledger.items():
        there = kept.get(host, (0, 0))
        if made != acked or there != (made, made * (made - 1) // 2):
            wrong.append((host, made, acked, there))
    return wrong


def nothing_lost_or_doubled(collector, fleet, seconds=3600):
    ledger = fleet.ledger()
    wrong = differences(ledger, stored(collector, fleet, seconds))
    check(not wrong, f"{len(wrong)} hosts of {len(ledger)} differ (host, made, acked, (stored, their ticks)): "
                     f"{wrong[:5]}")
    return sum(acked for _, acked in ledger.values())


PROCESS = 10000  # agents in one process


def fleets_of(lab, collector, agents, **keys):
    """As many processes as so many agents need."""
    fleets = []
    while agents > 0:
        number = len(fleets)
        fleets.append(Fleet(lab, collector, min(agents, PROCESS), name=f"fleet{number}",
                            **{"from": f"127.{1 + number}.0.1"}, **keys))
        agents -= PROCESS
    return fleets


def memory_mib(process):
    """What it has in memory."""
    return int(status_of(process.child.pid)["VmRSS"].split()[0]) / 1024


def busiest(collector, fleets, since):
    """The most that were let in within a second."""
    return peak(sorted(t for fleet in fleets for t in arrivals(collector, since, fleet.name)))


def all_connected(fleets, seconds):
    """Waits for them, and returns how long it took."""
    start = time.monotonic()
    for fleet in fleets:
        fleet.all_connected(max(1, seconds - (time.monotonic() - start)))
    return time.monotonic() - start


class Asking:
    """Somebody who looks at one host all the time, and how long the answers take."""

    def __init__(self, collector, host="fleet0-00000", pause=0.2):
        self.collector, self.host, self.pause = collector, host, pause
        self.took_ms, self.stop = [], threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)

    def ask(self):
        while not self.stop.wait(self.pause):
            start = time.monotonic()
            self.collector.query(f'fleet_tick{{instance="{self.host}"}}')
            self.took_ms.append((time.monotonic() - start) * 1000)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.p99 = sorted(self.took_ms)[int(len(self.took_ms) * 0.99)] if self.took_ms else 0


def arrivals(collector, since=0.0, name="fleet"):
    """When agents of that name were let in, by the collector's log, in seconds since 1970."""
    times = []
    for line in collector.log().splitlines():
        found = re.match(r"(\S+)Z \S+ info: (\S+) \(\S+\) has come", line)
        if found and found.group(2).startswith(name + "-"):
            times.append(datetime.fromisoformat(found.group(1) + "+00:00").timestamp())
    return sorted(t for t in times if t >= since)


def peak(times, window=1.0):
    """The most in any second."""
    most = start = 0
    for end, at in enumerate(times):
        while at - times[start] >= window:
            start += 1
        most = max(most, end - start + 1)
    return most
