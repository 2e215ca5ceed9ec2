"""remote_write to receivers that are strict, slow or out of order."""
import base64
import http.server
import os
import random
import re
import ssl
import subprocess
import threading
import time

import wire
from samples import read_write_request, send, unsnap
from stage import check, main, until

NOISE = wire.Schema([(f"noise_{i}", {}) for i in range(400)])


class Receiver:
    """Takes requests, badly if told to, and keeps the samples of those that it says it took.

    `faults`: what becomes of the first requests, one each: a status, or hang, half (of an answer), reset, lie."""

    def __init__(self, lab, faults=(), authorization=None):
        self.lab, self.faults, self.authorization = lab, list(faults), authorization
        self.taken, self.refused, self.sizes, self.times = {}, 0, [], []
        self.on_request = lambda: None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.take(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/write"

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.lab.closers.append(self.server.shutdown)
        return self

    def take(self, handler, body):
        self.times.append(time.monotonic())
        fault = self.faults.pop(0) if self.faults else 204
        if self.authorization and handler.headers.get("Authorization") != self.authorization:
            fault = 401
        self.on_request()
        if fault == "hang":
            time.sleep(5)
        if fault in ("hang", "reset"):
            handler.close_connection = True
        elif fault == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            handler.close_connection = True
        else:
            self.answer(handler, body, fault)

    def answer(self, handler, body, fault):
        if fault == 204:
            self.keep(list(read_write_request(unsnap(body))))
        self.refused += fault not in (204, "lie")
        handler.send_response(204 if fault == "lie" else fault)
        if fault == 429:
            handler.send_header("Retry-After", "1")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def keep(self, series):
        self.sizes.append(sum(len(samples) for _, samples in series))
        for labels, samples in series:
            self.taken.setdefault(labels["__name__"], []).extend(samples)


def metric(collector, name, receiver=".*"):
    wanted = re.compile(rf"fenwatch_remote_write_{name}{{receiver=\"{receiver}\"}}")
    return next(value for series, value in collector.metrics().items() if wanted.fullmatch(series))


def write(collector, names, at_ms, value):
    """One sample of each."""
    send(f"http://127.0.0.1:{collector.api}/api/v1/write", [({"__name__": name}, [(at_ms, value)]) for name in names],
         collector.token, len(names))


# ---- one that wants to know who comes ----

def guarded(lab):
    """One by https, whose certificate is of metrics.test; (receiver, the certificate's file)"""
    receiver = Receiver(lab, authorization="Basic " + base64.b64encode(b"fenwatch:secret").decode())
    cert, key = (os.path.join(lab.dir, name) for name in ("receiver.pem", "receiver.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=metrics.test", "-addext", "subjectAltName=DNS:metrics.test", "-days", "2",
                    "-out", cert, "-keyout", key], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    return receiver.start(), cert


def send_guarded(lab, tls, secret="secret"):
    """(receiver, collector): two series have been written here, one of which it is to get."""
    receiver, cert = guarded(lab)
    password = os.path.join(lab.dir, "password")
    with open(password, "w") as f:
        f.write(secret + "\n")
    collector = lab.collector(extra=(
        f"remote_write:\n- url: https://127.0.0.1:{receiver.server.server_port}/write\n  user: fenwatch\n"
        f"  password_file: {password}\n  match: ['{{kind=~\"ke.t\"}}']\n  tls: {tls.format(cert=cert)}\n")).start()
    now = int(time.time() * 1000)
    send(f"http://127.0.0.1:{collector.api}/api/v1/write",
         [({"__name__": f"{kind}_series", "kind": kind}, [(now, 1.5)]) for kind in ("kept", "left")], collector.token)
    return receiver, collector


def test_a_receiver_with_tls_and_a_password(lab):
    receiver, collector = send_guarded(lab, "{{ca: {cert}, server_name: metrics.test}}")
    until(30, "the series comes and no more is due",
          lambda: "kept_series" in receiver.taken and metric(collector, "behind_bytes") == 0)
    check(receiver.refused == 0 and list(receiver.taken) == ["kept_series"], receiver.taken)


def test_a_receiver_with_another_name_gets_nothing(lab):
    """The control: the certificate is not of 127.0.0.1."""
    receiver, collector = send_guarded(lab, "{{ca: {cert}}}")
    until(30, "it is tried again", lambda: metric(collector, "retries_total") > 1)
    check(not receiver.taken and not receiver.refused, receiver.taken)


def test_a_receiver_with_another_password_gets_nothing(lab):
    receiver, collector = send_guarded(lab, "{{ca: {cert}, server_name: metrics.test}}", "guess")
    until(30, "the sample is dropped", lambda: metric(collector, "dropped_total") == 1)
    check(not receiver.taken and receiver.refused, receiver.taken)


# ---- those that fail ----

def sending_to(lab, receivers, match='{__name__!=""}', **settings):
    """A collector that sends to these, by name."""
    return lab.collector(extra="remote_write:\n" + "".join(
        f"- {{url: \"{r.url}\", name: {name}, timeout: {1 if name == 'hang' else 30}s, match: ['{match}']}}\n"
        for name, r in receivers.items()), **settings).start()


def all_answered(collector, receivers):
    until(60, "no more is due", lambda: all(metric(collector, "behind_bytes", name) == 0 for name in receivers))


def times_of(receiver, name):
    return [at for at, _ in receiver.taken.get(name, [])]


def test_each_fault_costs_its_receiver_no_sample(lab):
    faults = {"error": 500, "busy": 429, "hang": "hang", "half": "half", "reset": "reset", "bad": 400, "liar": "lie"}
    receivers = {name: Receiver(lab, [fault]).start() for name, fault in faults.items()}
    collector = sending_to(lab, receivers)
    now = int(time.time() * 1000)
    write(collector, ["ticks"], now, 1.0)
    until(30, "each has had the first", lambda: all(r.times for r in receivers.values()))
    write(collector, ["ticks"], now + 1, 2.0)  # is taken, whoever hangs
    until(10, "it can be asked for", lambda: collector.value("ticks") == 2)
    all_answered(collector, receivers)
    for name, receiver in receivers.items():
        retries, dropped = metric(collector, "retries_total", name), metric(collector, "dropped_total", name)
        if name == "bad":
            check(times_of(receiver, "ticks") == [now + 1] and (retries, dropped) == (0, 1), f"{name}: {receiver.taken}")
        elif name == "liar":
            check(times_of(receiver, "ticks") == [now + 1], f"the control: {receiver.taken} is seen to lack one")
        else:
            check(times_of(receiver, "ticks") == [now, now + 1] and retries >= 1 and not dropped,
                  f"{name}: {receiver.taken}, {retries} times tried again, {dropped} dropped")
    busy = receivers["busy"].times
    check(busy[1] - busy[0] >= 1, f"Retry-After: 1, and it came after {busy[1] - busy[0]} s")


def test_a_kill_in_the_middle_of_a_request(lab):
    """No gap, and what comes twice is the same twice."""
    receiver = Receiver(lab).start()
    collector = sending_to(lab, {"one": receiver})
    now, written = int(time.time() * 1000), []
    for life in range(3):
        ready, killed = threading.Event(), threading.Event()
        receiver.on_request = lambda r=ready, k=killed: (r.wait(20), collector.kill(), k.set())
        for i in range(20):
            at = now + life * 100 + i
            write(collector, ["ticks", "tocks"], at, float(at))
            written.append(at)
        ready.set()
        check(killed.wait(60), "a request came, and before it is answered the collector is gone")
        receiver.on_request = lambda: None
        collector.start()
    all_answered(collector, ["one"])
    for name in ("ticks", "tocks"):
        got = receiver.taken[name]
        check(sorted(set(times_of(receiver, name))) == written, f"{name}: {len(set(got))} of {len(written)}")
        check(len(set(got)) == len(written), f"{name}: another value of a time that was known")
        check(len(got) > len(written), "the control: what was not answered came again")


def lives_of(collector, good, between):
    """A sample in each of six lives; the times they have."""
    now = int(time.time() * 1000)
    for life in range(6):
        write(collector, ["ticks"], now + life, float(life))
        until(30, "the good one has it", lambda: now + life in times_of(good, "ticks"))
        if life < 5:
            between()
            collector.stop()
            collector.start()
    return [now + life for life in range(6)]


def test_restarts_leave_nobody_behind(lab):
    away, good = Receiver(lab, [429] * 1000).start(), Receiver(lab).start()
    receivers = {"away": away, "good": good}
    collector = sending_to(lab, receivers)
    times = lives_of(collector, good, lambda: None)
    away.faults = []
    all_answered(collector, receivers)
    check(metric(collector, "gaps_total", "away") == 0, "no gap")
    check(set(times) <= set(times_of(away, "ticks")), f"all of {times} are there: {times_of(away, 'ticks')}")


def a_quarter_of_a_segment(collector, agent):
    """More than that of one of 4 MiB, in noise, so that the next start begins another."""
    peer = wire.Peer(collector, agent)
    peer.send(wire.SCHEMA, NOISE.message(1))
    first = peer.acked_live + 1
    for number in range(first, first + 7):
        sweeps = [[random.getrandbits(60) for _ in NOISE.columns] for _ in range(60)]
        peer.send(wire.BATCH, wire.batch(number, 1, int(time.time() * 1000) - 60000, 1000, sweeps))
    check(peer.wait_acked(first + 6, 30), "the noise is stored")
    peer.close()


def test_one_that_stays_away_is_left_behind(lab):
    """The log has five segments: who is away until all are used anew misses some, and nobody else does."""
    away, good = Receiver(lab, [429] * 1000).start(), Receiver(lab).start()
    receivers = {"away": away, "good": good}
    collector = sending_to(lab, receivers, match="ticks", store="{raw: 8MiB}")
    agent = wire.enrolled(collector, "noise")
    times = lives_of(collector, good, lambda: a_quarter_of_a_segment(collector, agent))
    away.faults = []
    all_answered(collector, receivers)
    check(metric(collector, "gaps_total", "away") == 1 and metric(collector, "gaps_total", "good") == 0, "gaps")
    missed = len(set(times) - set(times_of(away, "ticks")))
    check(0 < missed < 6 and times[5] in times_of(away, "ticks"), f"{missed} of 6 were missed")


def test_a_request_has_its_size_however_much_came_at_once(lab):
    receiver, n = Receiver(lab).start(), 25000
    collector = sending_to(lab, {"one": receiver})
    write(collector, [f"n{i}" for i in range(n)], int(time.time() * 1000), 1.0)
    all_answered(collector, ["one"])
    check(len(receiver.taken) == n and sum(receiver.sizes) == n, f"{len(receiver.taken)} series")
    check(max(receiver.sizes) <= 10000, f"a request of {max(receiver.sizes)} samples")


main()
