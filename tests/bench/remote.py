#!/usr/bin/env python3
"""What series from elsewhere cost, by remote_write: CPU and bytes a sample, memory a series; VictoriaMetrics beside it.

usage: remote.py BUILD [SWEEPS [HOSTS]]

50 made-up hosts of 300 series send SWEEPS sweeps (720) of 10 s each, as a sender does that has an hour or two to make
good. Then HOSTS (667: 200,100 series) send 30, a sweep a request. Times are compressed, so CPU counts and not the clock.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from lab import Lab, cpu_seconds, free_port, memory_kib, table, until

INTERVAL_MS = 10000
SERIES = 300
CONNECTIONS = 4
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Fenwatch:
    name, protocols = "fenwatch", (1, 2)

    def __init__(self, lab):
        self.collector = lab.collector(store="{raw: 512MiB, five_minute: 64MiB, hour: 32MiB}").start(wait=False)
        self.collector.wait_ready(300)
        self.pid, self.token = self.collector.child.pid, self.collector.token
        self.url = f"http://127.0.0.1:{self.collector.api}/api/v1/write"

    def settle(self):
        pass

    def stop(self):
        """Bytes on disk, of the ring and of names."""
        self.collector.stop(120)
        program = self.collector.lab.program("collector")
        text = subprocess.run([program, "store", "stat", "--config", self.collector.config], capture_output=True,
                              text=True, check=True).stdout
        used = re.search(r"^raw .*?([\d.]+) (B|KiB|MiB|GiB) used", text, re.M)
        names = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, files in os.walk(self.collector.data)
                    for name in files if name in ("schema.log", "host.log"))
        return float(used.group(1)) * UNITS[used.group(2)] + names


class Victoria:
    name, protocols = "victoria", (1,)

    def __init__(self, lab):
        port, self.data, self.token = free_port(), os.path.join(lab.dir, "victoria"), ""
        self.child = subprocess.Popen(
            [shutil.which("victoria-metrics"), f"-storageDataPath={self.data}", "-retentionPeriod=100y",
             f"-httpListenAddr=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.closers.append(self.child.kill)
        self.pid, self.base = self.child.pid, f"http://127.0.0.1:{port}"
        self.url = self.base + "/api/v1/write"
        until(30, "VictoriaMetrics answers", lambda: self.get("/health"))

    def get(self, path):
        try:
            with urllib.request.urlopen(self.base + path, timeout=60) as reply:
                return reply.status == 200
        except OSError:
            return False

    def settle(self):
        self.get("/internal/force_flush")

    def stop(self):
        self.get("/internal/force_merge")
        time.sleep(3)
        self.child.send_signal(signal.SIGINT)
        self.child.wait(60)
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, files in os.walk(self.data)
                   for name in files)


def send(build, server, hosts, sweeps, a_request, protocol):
    """(samples, CPU seconds of the server)"""
    begin = int(time.time()) * 1000 - sweeps * INTERVAL_MS
    program = os.path.join(build, "tests", "bench", "bench_remote")
    cpu = cpu_seconds(server.pid)
    words = [str(w) for w in (hosts, sweeps, a_request, protocol, CONNECTIONS, begin, INTERVAL_MS)]
    sent = subprocess.run([program, server.url, *words], input=server.token, capture_output=True, text=True)
    if sent.returncode:
        raise SystemExit(sent.stderr)
    return int(sent.stdout), cpu_seconds(server.pid) - cpu


def measure(build, kind, protocol, a_request, hosts, sweeps):
    lab = Lab(build)
    try:
        server = kind(lab)
        before = memory_kib(server.pid)[0]
        samples, cpu = send(build, server, hosts, sweeps, a_request, protocol)
        server.settle()
        time.sleep(2)
        memory = (memory_kib(server.pid)[0] - before) * 1024 / (hosts * SERIES)
        disk = server.stop() / samples
        return (server.name, f"{protocol}.0", a_request, hosts * SERIES, f"{samples / 1e6:.1f}",
                f"{samples / cpu / 1e6:.2f}", f"{memory:.0f}", f"{disk:.2f}")
    finally:
        lab.close()


def main():
    build = sys.argv[1]
    sweeps = int(sys.argv[2]) if len(sys.argv) > 2 else 720
    hosts = int(sys.argv[3]) if len(sys.argv) > 3 else 667
    kinds = [Fenwatch] + ([Victoria] if shutil.which("victoria-metrics") else [])
    rows = [("store", "protocol", "sweeps a request", "series", "M samples", "M a CPU-second", "anonymous bytes a series",
             "bytes a sample")]
    for kind in kinds:
        for protocol in kind.protocols:
            rows.append(measure(build, kind, protocol, 6, 50, sweeps))
        rows.append(measure(build, kind, 1, 1, hosts, 30))
        print("\n".join(" ".join(map(str, row)) for row in rows[-3:]), file=sys.stderr)
    table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
