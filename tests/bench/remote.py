#!/usr/bin/env python3
"""What series from elsewhere cost, by remote_write: CPU and bytes a sample, memory a series; VictoriaMetrics beside it.

usage: remote.py BUILD [SWEEPS [HOSTS]]

50 made-up hosts of 300 series send SWEEPS sweeps (720) of 10 s each, as a sender does that has an hour or two to make
good. Then HOSTS (667: 200,100 series) send 30, a sweep a request. Times are compressed, so CPU counts and not the clock.
"""
import os
import re
import shutil
import subprocess
import sys
import time

from lab import Lab, memory_kib, table
from peers import SERIES, Server, fetch, tree_bytes, victoria, written

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Fenwatch(Server):
    name, protocols = "fenwatch", (1, 2)

    def __init__(self, lab):
        collector = lab.collector(store="{raw: 512MiB, five_minute: 64MiB, hour: 32MiB}").start(wait=False)
        collector.wait_ready(300)
        super().__init__(self.name, collector.api, "/-/ready", collector, collector.data, token=collector.token)

    def settle(self):
        pass

    def stop(self):
        """Bytes on disk, of the ring and of names."""
        self.process.stop(120)
        program = self.process.lab.program("collector")
        text = subprocess.run([program, "store", "stat", "--config", self.process.config], capture_output=True,
                              text=True, check=True).stdout
        used = re.search(r"^raw .*?([\d.]+) (B|KiB|MiB|GiB) used", text, re.M)
        names = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, files in os.walk(self.folder)
                    for name in files if name in ("schema.log", "host.log"))
        return float(used.group(1)) * UNITS[used.group(2)] + names


class VictoriaMetrics:
    name, protocols = "victoria", (1,)

    def __init__(self, lab):
        self.server = victoria(lab)
        self.pid, self.token, self.write_url = self.server.pid, None, self.server.write_url

    def settle(self):
        fetch(self.server, "/internal/force_flush")

    def stop(self):
        fetch(self.server, "/internal/force_merge")
        time.sleep(3)
        self.server.process.stop(60)
        return tree_bytes(self.server.folder)


def measure(build, kind, protocol, a_request, hosts, sweeps):
    lab = Lab(build)
    try:
        server = kind(lab)
        before = memory_kib(server.pid)[0]
        samples, _, cpu = written(build, server, hosts, sweeps, a_request, protocol)
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
    kinds = [Fenwatch] + ([VictoriaMetrics] if shutil.which("victoria-metrics") else [])
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
