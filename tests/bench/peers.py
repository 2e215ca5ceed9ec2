"""Other stores, as Debian has them, and what loads them all with the same past of made-up hosts."""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request

from lab import cpu_seconds, free_port, until
from stage import Process

INTERVAL_MS = 10000
SERIES = 300
CONNECTIONS = 4
PATIENCE_S = 300
PROM_CONFIG = "global: {scrape_interval: 1h}\n"


class Server:
    """One that answers queries: where, as whom, and which program it is."""

    def __init__(self, name, port, ready, process, folder, token=None, extra=""):
        self.name, self.port, self.ready, self.process, self.folder = name, port, ready, process, folder
        self.token, self.extra = token, extra
        self.line = None

    @property
    def pid(self):
        return self.process.child.pid

    @property
    def write_url(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def dial(self):
        """The connection of what is asked next: an idle one may have been closed."""
        if self.line:
            self.line.close()
        self.line = socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def leave(self):
        """Ends it, and its files go."""
        self.process.kill()
        shutil.rmtree(self.folder)

    def ask(self, path):
        """(body, milliseconds until its last byte was here); chunks are taken apart after that."""
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n"
        if self.token:
            request += f"Authorization: Bearer {self.token}\r\n"
        start = time.perf_counter()
        self.line.sendall((request + "\r\n").encode())
        head, body, chunked = self.receive()
        took_ms = (time.perf_counter() - start) * 1000
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{self.name}: {path}: {head.decode()}{body[:500].decode()}")
        return (unchunked(body) if chunked else body), took_ms

    def receive(self):
        got = bytearray()
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self.more()
        head, body = bytes(got[:end + 4]), got[end + 4:]
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        while len(body) < int(length[1]) if length else body[-7:] not in (b"\r\n0\r\n\r\n", b"0\r\n\r\n"):
            body += self.more()
        return head, body, not length

    def more(self):
        data = self.line.recv(1 << 20)
        if not data:
            raise SystemExit(f"{self.name} has hung up")
        return data


class Prometheus(Server):
    def bytes_kept(self, samples):
        """Of the blocks that all becomes: chunks and index."""
        name = json.loads(fetch(self, "/api/v1/admin/tsdb/snapshot", b""))["data"]["name"]
        blocks = glob.glob(os.path.join(self.folder, "snapshots", name, "*", "meta.json"))
        held = sum(json.load(open(path))["stats"]["numSamples"] for path in blocks)
        if held != samples:
            raise SystemExit(f"{self.name} has {held} samples of {samples}")
        return sum(tree_bytes(os.path.dirname(path)) for path in blocks)


class Victoria(Server):
    def number(self, pattern):
        """The sum of its own metrics of such names."""
        return sum(float(value) for value in re.findall(pattern + r"\S* (\S+)", fetch(self, "/metrics").decode()))

    def bytes_kept(self, samples):
        """Of data and index: merged, and after a clean end."""
        for path in ("/internal/force_flush", "/internal/force_merge"):
            fetch(self, path)
        time.sleep(2)
        until(PATIENCE_S, f"{self.name} has merged", lambda: not self.number(r"\nvm_active_(?:force_)?merges"), 2)
        held = self.number(r'\nvm_rows{type="storage/')
        if held != samples:
            raise SystemExit(f"{self.name} has {held:.0f} samples of {samples}")
        self.process.stop(PATIENCE_S)
        return tree_bytes(os.path.join(self.folder, "data")) + tree_bytes(os.path.join(self.folder, "indexdb"))


def fetch(server, path, body=None):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", data=body, timeout=600) as reply:
        return reply.read()


def tree_bytes(folder):
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)


def unchunked(body):
    whole, at = [], 0
    while size := int(body[at:(end := body.index(b"\r\n", at))], 16):
        whole.append(body[end + 2:end + 2 + size])
        at = end + 4 + size
    return b"".join(whole)


def start(lab, name, argv):
    process = Process(lab, name, argv).start()
    lab.closers.append(process.kill)
    return process


def healthy(process, url):
    def answers():
        if not process.alive():
            raise SystemExit(f"{process.name} has ended: {process.log()[-2000:]}")
        return urllib.request.urlopen(url, timeout=5).status == 200
    until(60, f"{process.name} answers", answers)


def prometheus(lab, config=None):
    """`config`: a file; without one it scrapes nothing."""
    port, folder = free_port(), os.path.join(lab.dir, "prometheus")
    if not config:
        config = os.path.join(lab.dir, "prometheus.yml")
        with open(config, "w") as f:
            f.write(PROM_CONFIG)
    process = start(lab, "prometheus", [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
        "--log.level=warn", "--storage.tsdb.retention.time=10y"])
    healthy(process, f"http://127.0.0.1:{port}/-/ready")
    return Prometheus("Prometheus", port, "/-/ready", process, folder)


def victoria(lab):
    port, folder = free_port(), os.path.join(lab.dir, "victoria")
    process = start(lab, "victoria", [
        "victoria-metrics", f"-storageDataPath={folder}", "-retentionPeriod=100y",
        f"-httpListenAddr=127.0.0.1:{port}", "-search.disableCache", "-search.maxStalenessInterval=5m"])
    healthy(process, f"http://127.0.0.1:{port}/health")
    # nocache: it moves no end of a range then.
    return Victoria("VictoriaMetrics", port, "/health", process, folder, extra="&nocache=1")


PEERS = [("prometheus", prometheus), ("victoria-metrics", victoria)]


def installed():
    """Those that are here; what is missing is said."""
    for program, make in PEERS:
        if shutil.which(program):
            yield make
        else:
            print(f"{program} is not installed: no column of it")


def push(lab, server, start_ms, *what):
    """Loads a server with what bench_pushed has for these words; the loader, running."""
    program = os.path.join(lab.build, "tests", "bench", "bench_pushed")
    return subprocess.Popen([program, server.write_url, str(start_ms), *map(str, what)])


def written(build, server, hosts, sweeps, a_request, protocol=1):
    """(samples, wall seconds, CPU seconds of the server): made-up hosts by remote_write, until now."""
    begin = int(time.time()) * 1000 - sweeps * INTERVAL_MS
    program = os.path.join(build, "tests", "bench", "bench_remote")
    words = [str(w) for w in (hosts, sweeps, a_request, protocol, CONNECTIONS, begin, INTERVAL_MS)]
    cpu, wall = cpu_seconds(server.pid), time.monotonic()
    sent = subprocess.run([program, server.write_url, *words], input=server.token or "", capture_output=True, text=True)
    cpu, wall = cpu_seconds(server.pid) - cpu, time.monotonic() - wall
    if sent.returncode:
        raise SystemExit(sent.stderr)
    return int(sent.stdout), wall, cpu


class Past:
    """What all are loaded with: so many hosts, until an hour ago."""

    def __init__(self, hosts, hours):
        self.hosts, self.sweeps = hosts, hours * 3600 * 1000 // INTERVAL_MS
        end_ms = (int(time.time()) - 3600) * 1000 // INTERVAL_MS * INTERVAL_MS
        self.start_ms = end_ms - self.sweeps * INTERVAL_MS
        self.last_ms = end_ms - INTERVAL_MS

    @property
    def samples(self):
        return self.hosts * self.sweeps * SERIES

    def push(self, lab, server):
        """The loader, running."""
        return push(lab, server, self.start_ms, self.hosts, self.sweeps)

    def tell(self, lab, collector):
        """The agents, running."""
        program = os.path.join(lab.build, "tests", "bench", "bench_history")
        agents = subprocess.Popen([program, f"127.0.0.1:{collector.port}", str(self.hosts), str(self.sweeps),
                                   str(self.start_ms)], stdin=subprocess.PIPE, text=True)
        agents.stdin.write(collector.join_token("--uses", str(self.hosts)) + "\n")
        agents.stdin.close()
        return agents


def loaded(children):
    for child in children:
        if child.wait() != 0:
            raise SystemExit(f"{child.args[0]} ended with {child.returncode}")


def quiet(servers, seconds):
    """Until none has had more to do than a twentieth of a core, for so long: what was taken is compacted."""
    cpu, since = None, time.monotonic()
    end = since + PATIENCE_S
    while time.monotonic() - since < seconds and time.monotonic() < end:
        before, cpu = cpu, [cpu_seconds(server.pid) for server in servers]
        if before and max(b - a for a, b in zip(before, cpu)) > 0.05:
            since = time.monotonic()
        time.sleep(1)
