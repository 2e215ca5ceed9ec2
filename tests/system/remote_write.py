"""remote_write in and out: a real Prometheus and a real VictoriaMetrics hold what was
acknowledged here, though all three are killed or stopped at random meanwhile."""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from samples import snappy, write_request
from stage import Process, check, free_port, main, skip, until

SECONDS = int(os.environ.get("FENWATCH_REMOTE_SECONDS", "120"))
SERIES = 40
CONFIG = "storage: {tsdb: {out_of_order_time_window: 12h}}\n"


# ---- what is sent ----

def push(collector, body):
    request = urllib.request.Request(f"http://127.0.0.1:{collector.api}/api/v1/write", data=snappy(body), headers={
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
        "Authorization": "Bearer " + collector.token})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.status


class Ledger:
    """Every sample that was acknowledged, by series and time."""

    def __init__(self, collector):
        self.collector, self.known, self.sent, self.taken, self.ended = collector, {}, 0, set(), 0

    def write(self):
        self.sent += 1
        now = int(time.time() * 500) * 2
        batch = {}
        for i in range(SERIES):
            # Late ones at odd times, each once: of equal times each receiver keeps another one.
            at = now - random.randrange(20001, 60000, 2) if random.random() < 0.05 else now
            while (i, at) in self.taken:
                at -= 2
            self.taken.add((i, at))
            batch[f"s{i}"] = (at, random.choice([self.sent, round(self.sent * 0.1, 1), -i - 0.25, float(i)]))
        body = write_request([({"__name__": "ledger", "s": s, "instance": f"i{int(s[1:]) % 3}"}, [sample])
                              for s, sample in batch.items()])
        try:
            if push(self.collector, body) == 204:
                for s, (at, value) in batch.items():
                    self.known.setdefault(s, {})[at] = value
        except (OSError, urllib.error.URLError):
            pass  # not acknowledged: it may be there or not, and is not counted


def ask(port, path, **parameters):
    url = f"http://127.0.0.1:{port}{path}?" + urllib.parse.urlencode(parameters, doseq=True)
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read().decode()


# ---- those who receive ----

def tool(name):
    path = shutil.which(name)
    if not path:
        skip(f"Debian's {name} is not installed")
    return path


def prometheus(lab):
    config, data = os.path.join(lab.dir, "prometheus.yml"), os.path.join(lab.dir, "prometheus")
    with open(config, "w") as f:
        f.write(CONFIG)
    port = free_port()
    process = Process(lab, "prometheus", [
        tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={data}", "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"])
    process.port = port
    lab.closers.append(process.kill)
    return process


def victoria(lab):
    port = free_port()
    process = Process(lab, "victoria", [
        tool("victoria-metrics"), f"-storageDataPath={os.path.join(lab.dir, 'victoria')}", "-retentionPeriod=1",
        f"-httpListenAddr=127.0.0.1:{port}"])
    process.port = port
    lab.closers.append(process.kill)
    return process


def interrupt(process):
    """As its operators stop it: what it took in the last seconds is written."""
    process.child.send_signal(2)
    try:
        process.child.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()


def held_by_prometheus(process):
    held = {}
    answer = json.loads(ask(process.port, "/api/v1/query", query=f"ledger[{SECONDS + 600}s]"))
    for row in answer["data"]["result"]:
        held[row["metric"]["s"]] = {round(at * 1000): float(v) for at, v in row["values"]}
    return held


def held_by_victoria(process):
    held = {}
    ask(process.port, "/internal/force_flush")
    for line in ask(process.port, "/api/v1/export", **{"match[]": "ledger"}).splitlines():
        row = json.loads(line)
        held.setdefault(row["metric"]["s"], {}).update(
            {at: v for at, v in zip(row["timestamps"], row["values"]) if v is not None})
    return held


def held_here(collector):
    answer = collector.query(f"ledger[{SECONDS + 600}s]")
    return {row["metric"]["s"]: {round(at * 1000): float(v) for at, v in row["values"]} for row in answer}


def missing(known, held, digits=17):
    """Samples that are not there, or not as they were sent, to so many digits; 17 tell any two doubles apart.

    VictoriaMetrics keeps a decimal number and an exponent, one exponent for all of a block. Of a double that needs more it
    keeps 12 digits, and fewer beside greater ones, however it gets it. So what is sent here has at most 8 digits, which it
    can hold; on the way back it multiplies by a power of ten, which may cost the 17th digit, but none of the first 15."""
    def same(a, b):
        return f"{a:.{digits - 1}e}" == f"{b:.{digits - 1}e}"
    return [(s, at, value, held.get(s, {}).get(at)) for s, samples in known.items() for at, value in samples.items()
            if at not in held.get(s, {}) or not same(value, held[s][at])]


def behind(collector):
    return [value for series, value in collector.metrics().items()
            if series.startswith("fenwatch_remote_write_behind_bytes{")]


def all_sent(collector):
    try:
        until(120, "everything is sent", lambda: all(n == 0 for n in behind(collector)))
    except AssertionError:
        print("\n".join("# " + line for line in collector.request("/metrics")[1].splitlines() if "remote_write" in line))
        raise
    time.sleep(2)


def stage(lab):
    peers = [prometheus(lab), victoria(lab)]
    receivers = "".join(f"- {{url: \"http://127.0.0.1:{p.port}/api/v1/write\", name: {p.name}}}\n" for p in peers)
    for peer in peers:
        peer.start()
    collector = lab.collector(extra="remote_write:\n" + receivers, store="{raw: 64MiB}").start()
    return collector, *peers


def shake(collector, prom, vm, end):
    ledger = Ledger(collector)
    due = time.monotonic() + 5
    while time.monotonic() < end or ledger.sent <= SECONDS:
        ledger.write()
        time.sleep(0.15)
        if time.monotonic() < due:
            continue
        due = time.monotonic() + random.uniform(3, 10)
        ledger.ended += 1
        victim = random.choice(["collector", "prometheus", "victoria"])
        if victim == "collector":
            collector.kill()
            collector.start()
        elif victim == "prometheus":
            prom.kill()
            time.sleep(random.uniform(0, 2))
            prom.start()
        else:
            interrupt(vm)
            vm.start()
    return ledger


def test_peers_hold_what_was_acknowledged(lab):
    collector, prom, vm = stage(lab)
    random.seed(7)
    ledger = shake(collector, prom, vm, time.monotonic() + SECONDS)
    check(len(ledger.known) == SERIES and ledger.sent > SECONDS, f"{ledger.sent} writes")
    all_sent(collector)
    for name, held, digits in (("the collector", held_here(collector), 17),
                               ("Prometheus", held_by_prometheus(prom), 17),
                               ("VictoriaMetrics", held_by_victoria(vm), 15)):
        lost = missing(ledger.known, held, digits)
        check(not lost, f"{name} lacks {len(lost)} samples of {ledger.sent * SERIES}: {lost[:5]}")
    print(f"# {sum(map(len, ledger.known.values()))} samples acknowledged, one of the three ended {ledger.ended} times")


def test_a_position_that_is_lost_is_found_out(lab):
    """The control: without its position a sender begins anew, and the comparison sees that."""
    collector, prom, vm = stage(lab)
    ledger = Ledger(collector)
    ledger.write()
    all_sent(collector)
    check(not missing(ledger.known, held_by_prometheus(prom)), "the first write is there")
    prom.kill()
    ledger.write()
    collector.stop()
    with sqlite3.connect(os.path.join(collector.data, "state.db")) as db:
        db.execute("DELETE FROM remote_write")
    prom.start()
    collector.start()
    all_sent(collector)
    until(30, "Prometheus answers", lambda: held_by_prometheus(prom))
    check(missing(ledger.known, held_by_prometheus(prom)), "nobody noticed that a write is missing")


def test_what_a_prometheus_says_of_its_metrics(lab):
    """It scrapes itself, and sends what it knows of each metric beside the samples."""
    collector = lab.collector().start()
    token = os.path.join(lab.dir, "token")
    with open(token, "w") as f:
        f.write(collector.token)
    prom = prometheus(lab)
    with open(os.path.join(lab.dir, "prometheus.yml"), "w") as f:
        f.write(f"global: {{scrape_interval: 1s}}\n"
                f"scrape_configs: [{{job_name: own, static_configs: [{{targets: ['127.0.0.1:{prom.port}']}}]}}]\n"
                f"remote_write: [{{url: 'http://127.0.0.1:{collector.api}/api/v1/write', "
                f"metadata_config: {{send_interval: 1s}}, authorization: {{credentials_file: {token}}}}}]\n")
    prom.start()
    until(60, "its samples are here", lambda: collector.query("prometheus_build_info"))

    def agree():
        theirs = {name: {k: known[0][k] for k in ("type", "help", "unit")}
                  for name, known in json.loads(ask(prom.port, "/api/v1/metadata"))["data"].items()}
        ours = collector.get("/api/v1/metadata")
        lacking = [name for name, known in theirs.items() if ours.get(name) != [known]]
        check(len(theirs) > 100 and not lacking, f"{len(lacking)} of {len(theirs)} differ, such as "
              f"{[(theirs[n], ours.get(n)) for n in lacking[:2]]}")
        return True
    until(60, "the same is known here as there", agree)


main()
