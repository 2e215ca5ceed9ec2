"""Another agent, written from docs/wire-format.md with Python's standard library.

It enrols, says hello, sends batches and reads acknowledgements; and, unlike
the real one, it can be told to misbehave. Values are chosen by the caller, so
a test can compare what the store gives back.
"""
import atexit
import hashlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

HELLO, WELCOME, SCHEMA, HOST, BATCH, DOCUMENT, EVENT, ACK, HEARTBEAT, GOODBYE, ENROL_REQUEST, ENROL_REPLY = range(1, 13)
ANSWER_S = 30  # as long as a busy machine may take

_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = (_i >> 1) ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(kind, payload, flags=0, crc=None, length=None):
    head = struct.pack("<IBBH", len(payload) if length is None else length, kind, flags, 0)
    return head + struct.pack("<I", crc32c(head + payload) if crc is None else crc) + payload


# ---- protobuf, as much as the wire needs -------------------------------------

def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return ((n << 1) ^ (n >> 63)) & ((1 << 64) - 1)


def u(field, n):
    return varint(field << 3) + varint(n) if n else b""


def f64(field, n):
    return varint(field << 3 | 1) + struct.pack("<Q", n & ((1 << 64) - 1))


def b(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def label(field, name, value):
    return b(field, b(1, name) + b(2, value))


def parse(data):
    """{field: [values]}"""
    out, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n
    while at < len(data):
        tag = number()
        kind = tag & 7
        if kind == 0:
            value = number()
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            size = number()
            value, at = data[at:at + size], at + size
        out.setdefault(tag >> 3, []).append(value)
    return out


# ---- schema and batch ----------------------------------------------------------

class Schema:
    """Columns: (name, {label: value}, type, scale, factor); all gauges by default."""

    def __init__(self, columns):
        self.columns = [(c[0], sorted(c[1].items()), *(list(c[2:]) + [0, 0, 1][len(c) - 2:])) for c in columns]

    def canonical(self):
        out = b""
        for name, labels, kind, scale, factor in self.columns:
            out += canonical_column(name, labels, kind, scale, factor)
        return out

    def hash(self):
        return hashlib.sha256(self.canonical()).digest()[:16]

    def message(self, ident):
        symbols, index = [], {}

        def sym(text):
            if text not in index:
                index[text] = len(symbols)
                symbols.append(text)
            return index[text]
        names, counts, labels = b"", b"", b""
        for name, pairs, *_ in self.columns:
            names += varint(sym(name))
            counts += varint(len(pairs))
            for key, value in pairs:
                labels += varint(sym(key)) + varint(sym(value))
        scales = b"".join(varint(zigzag(c[3])) for c in self.columns)
        factors = b"".join(varint(c[4]) for c in self.columns)
        types = bytes(c[2] for c in self.columns)
        out = b(1, self.hash()) + u(2, ident) + b"".join(b(3, s) for s in symbols)
        return out + b(4, names) + b(5, counts) + b(6, labels) + b(7, scales) + b(8, factors) + b(9, types)


def string(text):
    data = text.encode()
    return varint(len(data)) + data


def canonical_column(name, labels, kind, scale, factor):
    out = string(name) + varint(len(labels))
    for key, value in labels:
        out += string(key) + string(value)
    return out + varint(kind) + varint(zigzag(scale)) + varint(factor)


def collapse(bitmap):
    """Runs of zero bytes: 0x00 and how many."""
    out, at = bytearray(), 0
    while at < len(bitmap):
        if bitmap[at]:
            out.append(bitmap[at])
            at += 1
            continue
        run = at
        while run < len(bitmap) and bitmap[run] == 0 and run - at < 255:
            run += 1
        out += bytes([0, run - at])
        at = run
    return bytes(out)


def batch(seq, schema, t0_ms, interval_ms, sweeps, state=None, host=0):
    """A live batch of one or more sweeps (lists of integers); `state` is the sweep before, None: a key."""
    width = len(sweeps[0])
    before = list(state) if state is not None else [0] * width
    bits, deltas = bytearray(), b""
    for cells in sweeps:
        row = bytearray((width + 7) // 8)
        for i, cell in enumerate(cells):
            if cell != before[i]:
                row[i // 8] |= 1 << (i % 8)
                deltas += varint(zigzag(cell - before[i]))
        bits += row
        before = list(cells)
    return (u(1, seq) + u(2, schema) + u(3, int(state is None)) + u(4, host) + f64(6, t0_ms) + u(7, interval_ms)
            + u(9, len(sweeps)) + b(10, collapse(bits)) + b(11, deltas))


# ---- the conversation ------------------------------------------------------------

class Identity:
    """A key and a certificate in a folder of their own."""

    def __init__(self, name, machine=None):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="fenwatch-id-")
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.key, self.cert, self.ca = (os.path.join(self.dir, n) for n in ("key", "cert", "ca"))
        self.machine = machine or os.urandom(32)
        self.stream = int.from_bytes(os.urandom(8), "little")
        self.boot = os.urandom(16)

    def request(self):
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.key, "-out", self.key + ".csr", "-subj", f"/CN={self.name}"],
                       check=True, capture_output=True)
        with open(self.key + ".csr") as f:
            return f.read()

    def enrol(self, collector, token, old=None):
        """Asks with a token, or with the certificate of `old` for a renewal. Returns the error's sentence or ''."""
        csr = self.request()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["fenwatch-enrol/1"])
        if old:
            context.load_cert_chain(old.cert, old.key)
        with socket.create_connection(("127.0.0.1", collector.port), ANSWER_S) as raw, context.wrap_socket(raw) as tls:
            message = (b(1, token or "") if token else b"") + b(2, csr) + b(3, self.name) + b(4, self.machine)
            tls.sendall(frame(ENROL_REQUEST, message))
            kind, payload = Stream(tls).read()
        if kind is None:
            return payload
        reply = parse(payload)
        if kind != ENROL_REPLY or reply.get(4, [b""])[0]:
            return reply.get(4, [b"no reply"])[0].decode() or "refused"
        for path, field in ((self.cert, 1), (self.ca, 2)):
            with open(path, "wb") as f:
                f.write(reply[field][0])
        self.uuid = reply[3][0].decode()
        return ""


class Stream:
    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def read(self, timeout=ANSWER_S):
        """(type, payload), or (None, reason) when the peer is gone."""
        self.sock.settimeout(timeout)
        try:
            while True:
                if len(self.buffer) >= 12:
                    length, kind = struct.unpack_from("<IB", self.buffer)
                    if len(self.buffer) >= 12 + length:
                        payload = self.buffer[12:12 + length]
                        self.buffer = self.buffer[12 + length:]
                        return kind, payload
                more = self.sock.recv(65536)
                if not more:
                    return None, "closed"
                self.buffer += more
        except socket.timeout:
            return None, "timeout"
        except (OSError, ssl.SSLError) as error:
            return None, str(error)


class Peer:
    """A live connection of an identity."""

    def __init__(self, collector, identity, hello=True, next_live=1, next_backlog=1, known=(), alpn="fenwatch/1",
                 version=ssl.TLSVersion.TLSv1_3, certificate=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")  # this side lets everything pass
        context.minimum_version = context.maximum_version = version
        if alpn:
            context.set_alpn_protocols([alpn])
        if certificate:
            context.load_cert_chain(identity.cert, identity.key)
        self.identity = identity
        self.raw = socket.create_connection(("127.0.0.1", collector.port), ANSWER_S)
        self.sock = context.wrap_socket(self.raw)
        self.stream = Stream(self.sock)
        self.acked_live = self.acked_backlog = 0
        self.need_key = 0
        self.welcome = None
        if hello:
            self.hello(next_live, next_backlog, known)

    def hello(self, next_live=1, next_backlog=1, known=()):
        i = self.identity
        self.send(HELLO, u(1, 1) + f64(2, i.stream) + u(3, next_live) + u(4, next_backlog) + b(5, i.machine)
                  + b(6, i.boot) + b(7, "test") + label(8, "instance", i.name) + label(8, "job", "node")
                  + label(8, "class", "server") + b"".join(b(9, h) for h in known))
        kind, payload = self.stream.read()
        if kind == WELCOME:
            self.welcome = parse(payload)
            self.acked_live = self.welcome.get(1, [0])[0]
            self.acked_backlog = self.welcome.get(2, [0])[0]
        else:
            self.welcome, self.ended = None, (kind, payload)

    def send(self, kind, payload, **oddities):
        self.sock.sendall(frame(kind, payload, **oddities))

    def send_raw(self, data):
        self.sock.sendall(data)

    def read(self, timeout=ANSWER_S):
        kind, payload = self.stream.read(timeout)
        if kind == ACK:
            fields = parse(payload)
            self.acked_live = max(self.acked_live, fields.get(1, [0])[0])
            self.acked_backlog = max(self.acked_backlog, fields.get(2, [0])[0])
            self.need_key = fields.get(4, [0])[0] or self.need_key
        return kind, payload

    def wait_acked(self, live, seconds=ANSWER_S):
        end = time.monotonic() + seconds
        while self.acked_live < live and time.monotonic() < end:
            kind, payload = self.read(max(0.05, end - time.monotonic()))
            if kind is None:
                break
        return self.acked_live >= live

    def closed(self, seconds=ANSWER_S):
        """Reads until the peer hangs up; (True, last goodbye's text)."""
        end, text = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            kind, payload = self.read(max(0.05, end - time.monotonic()))
            if kind == GOODBYE:
                text = parse(payload).get(2, [b""])[0].decode()
            elif kind is None:
                return payload != "timeout", text
        return False, text

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def enrolled(collector, name, token=None, machine=None):
    identity = Identity(name, machine)
    why = identity.enrol(collector, token or collector.join_token())
    if why:
        raise AssertionError(f"enrolling {name}: {why}")
    return identity
