"""Samples sent as Prometheus sends them: remote_write 1.0, protobuf in snappy, made by hand."""
import struct
import urllib.error
import urllib.request

import wire
from wire import b as field, varint

STALE = struct.pack("<Q", 0x7FF0000000000002)  # bytes, as Python would make a quiet NaN of it


def sample(at_ms, value):
    bits = value if isinstance(value, bytes) else struct.pack("<d", value)
    return field(2, b"\x09" + bits + b"\x10" + varint(at_ms))


def write_request(series):
    """`series`: (labels, [(ms, value)])"""
    return b"".join(field(1, b"".join(wire.label(1, n, labels[n]) for n in sorted(labels)) +
                          b"".join(sample(*s) for s in samples)) for labels, samples in series)


def snappy(data):
    """Literals alone, which is snappy too."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def read_varint(data, at):
    """(the number, where it ends)"""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def unsnap(data):
    """A length, then literals and copies of what came before."""
    length, at = read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        kind, high = data[at] & 3, data[at] >> 2
        at += 1
        if kind == 0:
            more = max(0, high - 59)
            n = (high if more == 0 else int.from_bytes(data[at:at + more], "little")) + 1
            out += data[at + more:at + more + n]
            at += more + n
            continue
        width = {1: 1, 2: 2, 3: 4}[kind]
        back = int.from_bytes(data[at:at + width], "little") | ((high >> 3) << 8 if kind == 1 else 0)
        n = (high & 7) + 4 if kind == 1 else high + 1
        at += width
        for _ in range(n):
            out.append(out[-back])
    if len(out) != length:
        raise AssertionError(f"a body of {len(out)} bytes that says it has {length}")
    return bytes(out)


def fields(data):
    """(number, value) of each field of a message: bytes, or a number where it is one."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        else:
            length, at = (8, at) if tag & 7 == 1 else read_varint(data, at)
            value, at = data[at:at + length], at + length
        yield tag >> 3, value


def read_write_request(data):
    """What write_request() made, with the bytes of each value."""
    for series in (value for number, value in fields(data) if number == 1):
        labels, samples = {}, []
        for number, value in fields(series):
            parts = dict(fields(value))
            if number == 1:
                labels[parts[1].decode()] = parts.get(2, b"").decode()
            elif number == 2:
                samples.append((parts.get(2, 0), parts[1]))
        yield labels, samples


def send(url, series, token=None, per_request=200):
    for at in range(0, len(series), per_request):
        request = urllib.request.Request(url, data=snappy(write_request(series[at:at + per_request])), method="POST")
        request.add_header("Content-Type", "application/x-protobuf")
        request.add_header("Content-Encoding", "snappy")
        request.add_header("X-Prometheus-Remote-Write-Version", "0.1.0")
        if token:
            request.add_header("Authorization", "Bearer " + token)
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{url}: {error.code} {error.read().decode()}") from None
