#!/usr/bin/env python3
"""What queries cost, beside Prometheus and VictoriaMetrics with the same samples, answers compared.

usage: query.py BUILD [HOSTS [HOURS [fleet] [age]]]     50 hosts, 24 hours; a short form: 5 2

Made-up hosts of 300 series, a sweep every 10 s, until an hour ago: agents tell the
collector, remote_write the others. Then each is asked, from one connection, 11 times
after a first: the median of the milliseconds, and the process' own CPU, with what the
same client needs for a plain "ready" taken off. VictoriaMetrics runs without its cache
of results. With `fleet`, and where nothing is said, 20,000 hosts are asked for at once,
with `age` two hosts about their last day, with one day in the ring and with thirty.
Where VictoriaMetrics takes over 5 ms, half of that is the target, elsewhere no more than it
takes, with half of its CPU.
"""
import json
import math
import statistics
import sys
import time
import urllib.parse

from lab import Lab, cpu_seconds, table, until
from fleets import Fleet
from peers import PATIENCE_S, Past, Server, installed, loaded, quiet

RUNS = 11
SLOW_MS = 5.0    # of VictoriaMetrics: here half of it is the target
GRAIN_MS = 0.1   # less than this is not told apart
QUIET_S = 65     # Prometheus looks for something to compact once a minute
FLEET, FLEET_MS = 20000, 60
AGE_HOSTS, AGE_DAYS, AGE_ROUNDS, AGE_RATIO = 2, 30, 5, 1.25
HOST = '{instance="host-00001"}'
CPU = f"rate(node_cpu_seconds_total{HOST}[5m])"
FLEET_CPU = "avg by (instance)(rate(node_cpu_seconds_total[5m]))"
TOP_LOAD = "topk(10, node_load1)"
TOP_NET = "topk(10, sum by (instance)(rate(node_network_receive_bytes_total[5m])))"

# Evaluated 3 s after sweeps: a window of 5 minutes has the same 30 samples whether or not it
# takes both of its ends, which Prometheus 2 does and 3 does not.
PHASE_S = 3


def instant(text):
    return lambda past: ("query", dict(query=text, time=past.last_ms // 1000 + PHASE_S))


def over(text, seconds, step):
    def parameters(past):
        end = past.last_ms // 1000 + PHASE_S
        start = max(end - seconds, past.start_ms // 1000 + 310 + PHASE_S)
        return "query_range", dict(query=text, start=end - (end - start) // step * step, end=end, step=step)
    return parameters


def found(path, **more):
    def parameters(past):
        return path, dict(start=past.last_ms // 1000 - 3600, end=past.last_ms // 1000, **more)
    return parameters


ROWS = [  # what, how it is asked, and what an answer of VictoriaMetrics is held to
    ("instant, 1 series", instant("node_load1" + HOST), "values"),
    ("instant, all 300 of 1 host", instant(HOST), "values"),
    ("1 series, 24 h step 60", over("node_load1" + HOST, 86300, 60), "values"),
    ("1 host's CPU rates (32), 24 h step 60", over(CPU, 86300, 60), "shape"),
    ("1 host's 300 series, 24 h step 60", over(HOST, 86300, 60), "values"),
    ("all hosts' CPU, 1 h step 15", over(FLEET_CPU, 3600, 15), "shape"),
    ("all hosts' CPU, instant", instant(FLEET_CPU), "shape"),
    ("all hosts' CPU, 24 h step 60", over(FLEET_CPU, 86300, 60), "shape"),
    ("topk of load, instant", instant(TOP_LOAD), "ranks"),
    ("topk of network rates, instant", instant(TOP_NET), "nothing"),
    ("topk of load, 24 h step 60", over(TOP_LOAD, 86300, 60), "ranks"),
    ("values of instance", found("label/instance/values"), "values"),
    ("values of __name__", found("label/__name__/values"), "values"),
    ("series of 1 host", found("series", **{"match[]": HOST}), "values"),
]


# ---- measuring ----

def url(server, parameters, past):
    path, words = parameters(past)
    return f"/api/v1/{path}?{urllib.parse.urlencode(words)}{server.extra}"


def measure(server, path):
    """(body, median ms, CPU ms of one), after one that warms up."""
    server.dial()
    server.ask(path)
    cpu = cpu_seconds(server.pid)
    answers = [server.ask(path) for _ in range(RUNS)]
    cpu = (cpu_seconds(server.pid) - cpu) * 1000 / RUNS
    return answers[-1][0], statistics.median(took_ms for _, took_ms in answers), cpu


class Asked:
    """What one server needed for a row, above what it needs to say that it is ready."""

    def __init__(self, server, path):
        _, idle_ms, idle_cpu = measure(server, server.ready)
        self.body, ms, cpu = measure(server, path)
        self.ms, self.cpu = max(ms - idle_ms, 0), max(cpu - idle_cpu, 0)

    def __str__(self):
        return f"{self.ms:.1f} ({self.cpu:.1f})"


def verdict(ours, theirs):
    """What is missed against VictoriaMetrics, or nothing."""
    missed = []
    if theirs.ms > SLOW_MS:
        if ours.ms > theirs.ms / 2:
            missed.append("time")
    else:
        if ours.ms > theirs.ms + GRAIN_MS:
            missed.append("time")
        if ours.cpu > theirs.cpu / 2 + GRAIN_MS:
            missed.append("CPU")
    return missed


# ---- comparing ----

def samples_of(body):
    """{labels: [(time, value)]}, or the sorted list that it is."""
    data = json.loads(body)["data"]
    if isinstance(data, list):
        return {json.dumps(one, sort_keys=True): [] for one in data}
    series = {}
    for row in data["result"]:
        values = row["values"] if "values" in row else [row["value"]]
        series[json.dumps(row["metric"], sort_keys=True)] = [(at, float(text)) for at, text in values]
    return series


def ranks_of(series):
    """{time: its values in order}: of equal ones each server may choose its own."""
    ranks = {}
    for values in series.values():
        for at, value in values:
            ranks.setdefault(at, []).append(value)
    return {at: [(at, value) for value in sorted(values)] for at, values in ranks.items()}


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def difference(a, b, by):
    """A sentence, or nothing where both say the same."""
    if by == "ranks":
        a, b = ranks_of(a), ranks_of(b)
    if a.keys() != b.keys():
        odd = sorted(map(str, a.keys() ^ b.keys()))
        return f"{len(a)} and {len(b)} of them; {odd[0]} is in one alone"
    for key in a:
        if [at for at, _ in a[key]] != [at for at, _ in b[key]]:
            return f"{key}: {len(a[key])} and {len(b[key])} points, or other times"
        if by != "shape":
            for (at, x), (_, y) in zip(a[key], b[key]):
                if not near(x, y):
                    return f"{key} at {at}: {x!r} and {y!r}"
    return None


def compare(what, by, asked):
    """Differences between Fenwatch and each of the others, told; how many there are."""
    ours, found_here = samples_of(asked["Fenwatch"].body), 0
    for name, theirs in asked.items():
        against = by if name == "VictoriaMetrics" else "ranks" if by == "ranks" else "values"
        if name == "Fenwatch" or against == "nothing":
            continue
        sentence = difference(ours, samples_of(theirs.body), against)
        if sentence:
            print(f"{what}: Fenwatch and {name} differ: {sentence}", flush=True)
            found_here += 1
    return found_here


# ---- the rows ----

def row_of(what, parameters, by, servers, past):
    """(the row's cells, whether something was missed)"""
    asked = {server.name: Asked(server, url(server, parameters, past)) for server in servers}
    wrong = compare(what, by, asked)
    ours, victoria = asked["Fenwatch"], asked.get("VictoriaMetrics")
    cells = [what] + [str(asked[server.name]) for server in servers]
    missed = verdict(ours, victoria) if victoria else []
    ratio = f"{ours.ms / max(victoria.ms, 0.01):.2f} ({ours.cpu / max(victoria.cpu, 0.01):.2f})" if victoria else "-"
    target = "0.5" if victoria and victoria.ms > SLOW_MS else "1 (0.5)"
    said = ["missed: " + ", ".join(missed)] if missed else []
    said += ["answers differ"] if wrong else []
    cells += [f"{len(ours.body) / 1000:.0f}", ratio, target, "; ".join(said)]
    return cells, bool(said)


def ours(collector):
    return Server("Fenwatch", collector.api, "/-/ready", collector, collector.data, token=collector.token)


def measure_past(lab, past):
    """Whether a row is missed."""
    collector = lab.collector(store="{raw: 256MiB}").start(wait=False)
    collector.wait_ready(PATIENCE_S)  # until its ring is allocated
    peers = [make(lab) for make in installed()]
    start = time.monotonic()
    loaded([past.tell(lab, collector)] + [past.push(lab, peer) for peer in peers])
    servers = [ours(collector)] + peers
    print(f"{past.hosts} hosts x 300 series x {past.sweeps} sweeps, {past.samples / 1e6:.1f} M samples, "
          f"there after {time.monotonic() - start:.0f} s", flush=True)
    quiet(servers, QUIET_S if peers else 3)
    rows = [["ms (CPU ms)"] + [server.name for server in servers] + ["kB", "of VictoriaMetrics'", "at most", ""]]
    done = [row_of(what, parameters, by, servers, past) for what, parameters, by in ROWS]
    table(rows + [cells for cells, _ in done])
    return any(missed for _, missed in done)


def measure_fleet(lab):
    """Whether it takes too long to say one value of each of many hosts, five agents speaking for all."""
    collector = lab.collector(name="fleet", store="{raw: 64MiB}").start(wait=False)
    collector.wait_ready(PATIENCE_S)
    fleet = Fleet(lab, collector, 5, hosts=FLEET // 5, series=1, interval=60000, jitter=0).begin()
    server, path = ours(collector), "/api/v1/query?query=fleet_tick"
    until(180, f"{FLEET} hosts have a value", lambda: len(collector.query("fleet_tick")) == FLEET, 1)
    quiet([server], 3)
    asked = Asked(server, path)
    missed = asked.ms > FLEET_MS
    table([["ms (CPU ms)", "Fenwatch", "kB", "at most", ""],
           [f"instant, 1 value of {FLEET} hosts", str(asked), f"{len(asked.body) / 1000:.0f}", f"{FLEET_MS}",
            "missed: time" if missed else ""]])
    fleet.leave()
    return missed


AGE_ROWS = ["instant, all 300 of 1 host", "1 series, 24 h step 60", "1 host's CPU rates (32), 24 h step 60"]


def aged(lab, days):
    """A collector with so many days of two hosts: (server, past)"""
    collector = lab.collector(name=f"days-{days}", store="{raw: 256MiB}").start(wait=False)
    collector.wait_ready(PATIENCE_S)
    past = Past(AGE_HOSTS, 24 * days)
    loaded([past.tell(lab, collector)])
    return ours(collector), past


def measure_age(lab):
    """Whether a question costs more because the ring holds more. Asked in turns; the cheapest round counts."""
    both = [aged(lab, days) for days in (1, AGE_DAYS)]
    quiet([server for server, _ in both], 3)
    rows, missed = [["CPU ms", "1 day", f"{AGE_DAYS} days", "over", "at most", ""]], False
    for what, parameters, _ in ROWS:
        if what not in AGE_ROWS:
            continue
        rounds = [[Asked(server, url(server, parameters, past)).cpu for server, past in both]
                  for _ in range(AGE_ROUNDS)]
        young, old = (min(each) for each in zip(*rounds))
        grows = old > young * AGE_RATIO
        rows.append([what, f"{young:.2f}", f"{old:.2f}", f"{old / young:.2f}", f"{AGE_RATIO}",
                     "missed" if grows else ""])
        missed = missed or grows
    table(rows)
    return missed


def main():
    build, words = sys.argv[1], sys.argv[2:]
    hosts, hours = int(words[0]) if words else 50, int(words[1]) if len(words) > 1 else 24
    missed = False
    lab = Lab(build)
    try:
        missed = measure_past(lab, Past(hosts, hours))
        if not words or "fleet" in words:
            print()
            missed = measure_fleet(lab) or missed
        if not words or "age" in words:
            print()
            missed = measure_age(lab) or missed
    finally:
        lab.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
