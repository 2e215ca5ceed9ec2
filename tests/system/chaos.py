"""Receivers that fail, hang, reset in mid-answer, take something and then die, trickle, or are away.

What they take for good they note, so that a story can say of each alert how often it was
opened and closed, and in which order. While `mad` is set they misbehave, by chance.
"""
import json
import random
import re
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = re.compile(r"fw1-[0-9a-f]{32}")
FOLLIES = ("fail", "refuse", "reset", "half", "die", "trickle", "hang")


class Madness:
    """Whether, and how, the next one is treated badly."""

    def __init__(self, seed, share=0.4, hang=2):
        self.mad, self.away, self.share, self.hang = False, False, share, hang
        self.random, self.lock, self.counts = random.Random(seed), threading.Lock(), {}

    def folly(self, among=FOLLIES):
        with self.lock:
            if self.away:
                kind = "reset"
            elif self.mad and self.random.random() < self.share:
                kind = self.random.choice(among)
            else:
                return None
            self.counts[kind] = self.counts.get(kind, 0) + 1
            return kind


class Ledger:
    """[(key, "firing" or "resolved")] as a receiver took them."""

    def __init__(self):
        self.taken, self.lock = [], threading.Lock()

    def take(self, key, status):
        with self.lock:
            self.taken.append((key, status))

    def judge(self, keys, extra=0):
        """What is wrong: sentences. `extra` may come more than once."""
        with self.lock:
            taken = list(self.taken)
        wrong, more, of_key = [], 0, {}
        for key, status in taken:
            of_key.setdefault(key, []).append(status)
        for key in keys:
            statuses = of_key.get(key, [])
            for status in ("firing", "resolved"):
                if status not in statuses:
                    wrong.append(f"{key}: {status} was lost")
                more += max(0, statuses.count(status) - 1)
            if statuses and statuses[0] != "firing":
                wrong.append(f"{key}: closed before it was opened")
        if more > extra:
            wrong.append(f"{more} came once more, and {extra} may")
        return wrong


# ---- over HTTP ----

class Webhook(Ledger):
    """Honours Idempotency-Key, as documented: what it has it does not take again."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def answer(self, method, path, headers, text):
        idempotency = headers["Idempotency-Key"]
        with self.lock:
            if idempotency in self.seen:
                return self.seen[idempotency]
            self.seen[idempotency] = answer = self.once(path, json.loads(text))
        return answer

    def once(self, path, body):
        self.taken.append((body["groupKey"], body["status"]))
        return 200, {}


class Desk(Webhook):
    """One of those that are described as data; its tickets have numbers."""

    def __init__(self):
        super().__init__()
        self.tickets = []

    def once(self, path, body):
        if path == "/tickets":
            self.tickets.append(body["reference"])
            self.taken.append((body["reference"], "firing"))
            return 201, {"id": len(self.tickets)}
        self.taken.append((self.tickets[int(path.rsplit("/", 1)[1]) - 1], "resolved"))
        return 200, {}


class Alertmanager(Ledger):
    """Its API v2: a state by labels, and what is said again changes nothing."""

    def __init__(self):
        super().__init__()
        self.state = {}

    def answer(self, method, path, headers, text):
        for alert in json.loads(text):
            key = alert["annotations"]["fenwatch_key"]
            over = alert["endsAt"] <= time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
            status = "resolved" if over else "firing"
            with self.lock:
                if self.state.get(key) != status:
                    self.state[key] = status
                    self.taken.append((key, status))
        return 200, {}


class OfVendor(Ledger):
    """A desk of desks.py, which itself refuses to close what is not open."""

    def __init__(self, desks, name):
        super().__init__()
        self.desks, self.name = desks, name

    def answer(self, method, path, headers, text):
        status, _, answer = self.desks.ask(method, f"/{self.name}{path}", headers, text)
        return status, answer

    def judge(self, keys, extra=0):
        vendor = self.desks.vendors[self.name]
        closed = dict.fromkeys(vendor.closed)  # to close what is closed changes nothing
        self.taken = [(key, "firing") for key in vendor.opened] + [(key, "resolved") for key in closed]
        return super().judge(keys, extra)


class Receivers:
    """All that speak HTTP, behind one port, each below a path of its own."""

    def __init__(self, madness, **receivers):
        self.madness, self.receivers, self.over = madness, receivers, threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                outer.treat(self, text)

            do_GET = do_POST = do_PUT = do_PATCH = handle_one

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def treat(self, handler, text):
        kind = self.madness.folly()
        if kind == "reset":
            return self.reset(handler)
        if kind == "hang":
            self.over.wait(self.madness.hang)
            return self.reset(handler)
        if kind in ("fail", "refuse"):
            return self.send(handler, 503 if kind == "fail" else 429, b"{}", {"Retry-After": "1"} if kind != "fail" else {})
        name, _, rest = handler.path[1:].partition("/")
        status, answer = self.receivers[name].answer(handler.command, "/" + rest, handler.headers, text)
        if kind == "die":
            return self.reset(handler)
        data = json.dumps(answer).encode() if status != 204 else b""
        return self.send(handler, status, data, {}, kind)

    def send(self, handler, status, data, headers, kind=None):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data) + (100 if kind == "half" else 0)))
        handler.end_headers()
        for i in range(len(data) if kind == "trickle" else 0):
            handler.wfile.write(data[i:i + 1])
            time.sleep(0.02)
        if kind != "trickle":
            handler.wfile.write(data)
        if kind == "half":
            self.reset(handler)

    @staticmethod
    def reset(handler):
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    def close(self):
        self.over.set()
        self.server.shutdown()


# ---- syslog over TLS ----

class Syslog(Ledger):
    """Octets counted, RFC 5425; hangs up in good order when it has read all."""

    def __init__(self, madness, certificate, key):
        super().__init__()
        self.madness, self.died = madness, 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        kind = self.madness.folly(("reset", "die", "hang"))
        try:
            if kind == "hang":
                time.sleep(self.madness.hang)
            if kind in ("reset", "hang"):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                return
            peer.settimeout(10)
            with self.tls.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False) as stream:
                data = b""
                while piece := stream.recv(65536):
                    data += piece
                self.note(data.decode())
                if kind == "die":
                    self.died += 1
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                stream.unwrap().close()
        except (OSError, ValueError):
            pass

    def note(self, text):
        length, _, message = text.partition(" ")
        if len(message.encode()) != int(length):
            return
        self.take(KEY.search(message).group(), "resolved" if 'perceivedSeverity="cleared"' in message else "firing")

    def close(self):
        self.listener.close()


# ---- what others note ----

class Mails(Ledger):
    """Of mailbox.py: each mail has an identity of its own, which another try does not change."""

    def __init__(self, mails):
        super().__init__()
        self.mails = mails

    def died(self):
        return sum(m["died"] for m in self.mails())

    def judge(self, keys, extra=0):
        mails = [m["mail"] for m in self.mails()]
        self.taken = [(m["X-Fenwatch-Key"], "resolved" if m["In-Reply-To"] else "firing") for m in mails]
        wrong = super().judge(keys, extra)
        if len({m["Message-ID"] for m in mails}) != len(set(self.taken)):
            wrong.append("the same mail has another Message-ID")
        return wrong


class Traps(Ledger):
    """Of snmptrapd's lines."""

    def __init__(self, traps):
        super().__init__()
        self.traps = traps

    def judge(self, keys, extra=0):
        self.taken = [(KEY.search(line).group(), "resolved" if "fenwatchAlertResolved" in line else "firing")
                      for line in self.traps()]
        return super().judge(keys, extra)
