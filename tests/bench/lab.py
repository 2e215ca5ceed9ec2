"""Measuring: processes' CPU and memory from /proc, and byte-counting relays."""
import os
import socket
import sys
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from stage import Lab, free_port, until  # noqa: E402,F401 (benches take them from here)

TICKS = os.sysconf("SC_CLK_TCK")


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def children(pid):
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task") if os.path.exists(f"/proc/{pid}/task") else []:
        for child in read(f"/proc/{pid}/task/{task}/children").split():
            found += children(int(child))
    return found


def stat_fields(pid):
    stat = read(f"/proc/{pid}/stat")
    return stat[stat.rindex(")") + 2:].split()


def cpu_seconds(pid):
    """All threads, those that have ended too, to the ns, and the reaped children's ticks."""
    clock = ~pid << 3 | 2  # what clock_getcpuclockid() gives
    return time.clock_gettime(clock) + sum(int(stat_fields(pid)[i]) for i in (13, 14)) / TICKS


def memory_kib(pid):
    """(anonymous, whole) proportional set size with children."""
    anon = whole = 0
    for one in children(pid):
        for line in read(f"/proc/{one}/smaps_rollup").splitlines():
            fields = line.split()
            if fields[0] == "Pss_Anon:":
                anon += int(fields[1])
            elif fields[0] == "Pss:":
                whole += int(fields[1])
    return anon, whole


def written_bytes(pid):
    for line in read(f"/proc/{pid}/io").splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


class Relay(threading.Thread):
    """A TCP relay that counts payload bytes, both ways."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.up, self.down, self.open = target, 0, 0, True
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.pairs = []
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            self.pairs += [client, server]
            threading.Thread(target=self.pump, args=(client, server, "up"), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, "down"), daemon=True).start()

    def pump(self, source, sink, way):
        try:
            while data := source.recv(65536):
                setattr(self, way, getattr(self, way) + len(data))
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def bytes(self):
        return self.up + self.down

    def cut(self):
        """Ends every connection and refuses new ones until `open` is set."""
        self.open = False
        for s in self.pairs:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.pairs = []


def table(rows):
    """Rows of text, the first one the heading."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip(), flush=True)
