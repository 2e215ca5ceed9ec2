"""A ledger that only acknowledgements write; see kill.py and powercut.py."""
import threading
import time
import types

import wire
from samples import send

COLUMNS = wire.Schema([("ledger_value", {"column": f"{i:02d}"}) for i in range(20)])


class Ledger(threading.Thread):
    """One agent: sends sweeps, notes what was acknowledged, survives every restart."""

    def __init__(self, collector, identity, base_ms):
        super().__init__(daemon=True)
        self.collector, self.identity, self.base_ms = collector, identity, base_ms
        self.sent = {}      # number -> cells
        self.acked = 0
        self.next = 1
        self.ending = False
        self.fatal = None

    @staticmethod
    def cells(number):
        return [number * 1000 + i if i % 3 == 0 else i for i in range(20)]

    def when(self, number):
        return self.base_ms + number * 50

    def session(self):
        peer = wire.Peer(self.collector, self.identity, next_live=self.acked + 1)
        if not peer.welcome:
            peer.close()
            return
        self.note(peer.acked_live)
        peer.send(wire.SCHEMA, COLUMNS.message(1))
        number, state = peer.acked_live + 1, None
        while not self.ending:
            while number <= peer.acked_live + 8:
                cells = self.cells(number)
                self.sent[number] = True
                peer.send(wire.BATCH, wire.batch(number, 1, self.when(number), 50, [cells], state))
                number, state = number + 1, cells
            kind, _ = peer.read(5)
            if kind is None:
                break
            self.note(peer.acked_live)
        peer.close()

    def note(self, number):
        if number < self.acked:
            self.fatal = f"{self.identity.name}: {self.acked} was acknowledged, now it is {number}"
        self.acked = max(self.acked, number)

    def run(self):
        while not self.ending and not self.fatal:
            try:
                self.session()
            except OSError:
                pass
            time.sleep(0.02)


class PushedLedger(Ledger):
    """The same of series from elsewhere: remote_write, a sweep a request, and nobody counts it but
    the ledger. What was not acknowledged is written again."""

    def __init__(self, collector, name, base_ms):
        super().__init__(collector, types.SimpleNamespace(name=name), base_ms)

    def session(self):
        while not self.ending:
            number = self.acked + 1
            sweep = [({"__name__": "ledger_value", "instance": self.identity.name, "column": f"{i:02d}"},
                      [(self.when(number), float(cell))]) for i, cell in enumerate(self.cells(number))]
            try:
                send(f"http://127.0.0.1:{self.collector.api}/api/v1/write", sweep, self.collector.token)
            except AssertionError as error:
                self.fatal = str(error)
                return
            self.note(number)


def stored(collector, ledger, number=None, first=1):
    """{time: value} of column 00 from the first number to the last, read back in pieces."""
    found = {}
    name, last = ledger.identity.name, ledger.when((number or ledger.acked) + 100)
    for start in range(ledger.when(first) - 50, last, 600_000):
        result = collector.query('ledger_value{instance="%s",column="00"}[10m]' % name,
                                 (start + 600_000) / 1000)
        for at, value in (result[0]["values"] if result else []):
            found[round(at * 1000)] = float(value)
    return found
