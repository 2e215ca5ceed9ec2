#!/usr/bin/env python3
"""The agent as shipped, beside node_exporter and collectd: memory, CPU a value, wire, disk.

usage: agent.py BUILD [SECONDS]     185 by default, and eight minutes more for the wire

Everything is at the shipped default (15 s, one sweep a batch), all sources on.
CPU a value counts sampling, frame, TLS, spool and acknowledgement. The wire is
TCP payload in both directions without the handshake. Then an agent at 6 sweeps
a batch and one that comes back with a spool. One agent runs at a time while
memory is measured, but the collector beside it shares libraries with it: on a
machine of its own the PSS is up to 2 MiB higher.
"""
import os
import shutil
import subprocess
import sys
import time
import urllib.request

from lab import Lab, Relay, cpu_seconds, free_port, memory_kib, table, until, written_bytes

COLLECTD = """Hostname "bench"
FQDNLookup false
BaseDir "{dir}/collectd"
PIDFile "{dir}/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
Interval 15
LoadPlugin cpu
LoadPlugin df
LoadPlugin disk
LoadPlugin interface
LoadPlugin load
LoadPlugin memory
LoadPlugin processes
LoadPlugin swap
LoadPlugin uptime
LoadPlugin csv
<Plugin csv>
  DataDir "{dir}/collectd/csv"
</Plugin>
"""


class Peer:
    def __init__(self, lab, argv, values, scrape=None):
        self.child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid, self.values, self.scrape = self.child.pid, values, scrape
        lab.closers.append(lambda: (self.child.terminate(), self.child.wait()))


def node_exporter(lab):
    port = free_port()
    scrape = lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    peer = Peer(lab, ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--no-collector.systemd"],
                0, scrape)
    until(10, "node_exporter answers", scrape)
    peer.values = sum(1 for line in scrape().splitlines() if line and not line.startswith("#"))
    return peer


def collectd(lab):
    conf = os.path.join(lab.dir, "collectd.conf")
    os.mkdir(os.path.join(lab.dir, "collectd"))
    with open(conf, "w") as f:
        f.write(COLLECTD.format(dir=lab.dir))
    return Peer(lab, ["collectd", "-f", "-C", conf], 110)


def peers(lab):
    known = {"node_exporter": ("prometheus-node-exporter", node_exporter), "collectd": ("collectd", collectd)}
    return {name: start(lab) for name, (program, start) in known.items() if shutil.which(program)}


class Ours:
    def __init__(self, lab, collector, name, extra="", interval="15s"):
        self.relay, self.collector, self.name = Relay(collector.port), collector, name
        self.agent = lab.agent(collector, name=name, interval=interval, extra=extra, port=self.relay.port)
        self.agent.enrol().start()
        self.scrape = None

    @property
    def pid(self):
        return self.agent.child.pid

    @property
    def values(self):
        """Series that the agent itself sends (up and host_info are the collector's)."""
        return len(self.collector.query('{__name__!~"up|fenwatch_host_info",instance="%s"}' % self.name))


def measure(contestants, seconds):
    """name -> (CPU seconds, peak anonymous KiB, peak whole KiB)"""
    start, next_scrape = time.time(), 0.0
    base = {name: cpu_seconds(one.pid) for name, one in contestants.items()}
    peak = {name: (0, 0) for name in contestants}
    while time.time() - start < seconds:
        for one in contestants.values():
            if one.scrape and time.time() >= next_scrape:
                one.scrape()
        if time.time() >= next_scrape:
            next_scrape = time.time() + 15
        for name, one in contestants.items():
            peak[name] = tuple(max(a, b) for a, b in zip(peak[name], memory_kib(one.pid)))
        time.sleep(0.5)
    return {name: (cpu_seconds(one.pid) - base[name], *peak[name]) for name, one in contestants.items()}


def beside_peers(lab, collector, seconds):
    """The default agent: memory, CPU, wire, disk. Returns its bytes a sample on the wire."""
    ours = Ours(lab, collector, "default")
    contestants = {"fenwatch": ours, **peers(lab)}
    time.sleep(75)  # start-up, the first key batch and the slow sources are over
    values, wire0, disk0, start = ours.values, ours.relay.bytes(), written_bytes(ours.pid), time.time()
    measured = measure(contestants, seconds)
    span = time.time() - start
    rows = [("agent", "values a sweep", "anonymous MiB (peak)", "PSS MiB (peak)", "CPU us a value", "CPU s an hour")]
    for name, (cpu, anon, whole) in measured.items():
        count = values if name == "fenwatch" else contestants[name].values
        rows.append((name, count, f"{anon / 1024:.2f}", f"{whole / 1024:.2f}",
                     f"{cpu / (span / 15) / count * 1e6:.1f}", f"{cpu / span * 3600:.2f}"))
    rows.append(("target", "", "2.50", "8.00", "14.0", "2.00"))
    table(rows)
    print(f"\nwritten to the agent's disk while online: "
          f"{(written_bytes(ours.pid) - disk0) / span * 86400 / 1e6:.2f} MB a day (target 5)\n", flush=True)
    bytes_a_sample = (ours.relay.bytes() - wire0) / (values * span / 15)
    ours.agent.stop()
    return bytes_a_sample


def points(collector, instance):
    result = collector.query(f'node_load1{{instance="{instance}"}}[10m]')
    return len(result[0]["values"]) if result else 0


def two_of_six(lab, collector):
    """Bytes a sample with 6 sweeps a batch, over two whole batches (180 s), and from the spool meanwhile."""
    six = Ours(lab, collector, "six", "batch: 6\n")
    spooled = Ours(lab, collector, "spooled", interval="1s")
    # The second: by then slow sources have told their series, too, and no schema is on its way.
    until(300, "the second batch of six", lambda: points(collector, "six") >= 12)
    values, before = six.values, six.relay.bytes()
    spool_values = spooled.values
    spooled.relay.cut()
    offline = time.time()
    time.sleep(180)
    of_six = (six.relay.bytes() - before) / (values * 12)
    time.sleep(120)
    return of_six, from_spool(collector, spooled, spool_values, offline)


def from_spool(collector, ours, values, offline):
    """Bytes a sample of an agent (1 s) that comes back after five minutes, handshake and schema included."""
    ours.agent.stop()
    before = ours.relay.bytes()
    ours.relay.open = True
    ours.agent.write_config(interval="1h", port=ours.relay.port)  # now the backlog is all that travels
    ours.agent.start()

    def backlog():
        result = collector.query('node_load1{instance="spooled"}[10m]')
        return sum(1 for t, _ in result[0]["values"] if t > offline) if result else 0
    until(60, "the backlog", lambda: backlog() >= 290)
    time.sleep(3)
    return (ours.relay.bytes() - before) / (backlog() * values)


def main():
    build, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 185
    lab = Lab(build)
    try:
        collector = lab.collector(store="{raw: 64MiB}").start()
        one = beside_peers(lab, collector, seconds)
        six, spool = two_of_six(lab, collector)
        table([("wire, TCP payload both ways", "bytes a sample", "target"),
               ("1 sweep a batch (default)", f"{one:.3f}", "1.2"),
               ("6 sweeps a batch", f"{six:.3f}", "0.8"),
               ("from the spool", f"{spool:.3f}", "0.6")])
    finally:
        lab.close()


main()
