"""Samples sent as Prometheus sends them: remote_write 1.0, protobuf in snappy, made by hand."""
import struct
import urllib.error
import urllib.request

STALE = struct.pack("<Q", 0x7FF0000000000002)  # bytes, as Python would make a quiet NaN of it


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def sample(at_ms, value):
    bits = value if isinstance(value, bytes) else struct.pack("<d", value)
    return field(2, b"\x09" + bits + b"\x10" + varint(at_ms))


def write_request(series):
    """`series`: (labels, [(ms, value)])"""
    return b"".join(field(1, b"".join(label(n, labels[n]) for n in sorted(labels)) +
                          b"".join(sample(*s) for s in samples)) for labels, samples in series)


def snappy(data):
    """Literals alone, which is snappy too."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


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
