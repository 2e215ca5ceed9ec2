"""Packets made by hand, and pcap files of them: what is on the wire is known to the byte."""
import ipaddress
import socket
import struct

ETHERNET, RAW = 1, 101
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def mac(n):
    return bytes([2, 0, 0, 0, n >> 8 & 255, n & 255])


BROADCAST = b"\xff" * 6


def summed(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(source, target, protocol, body, ident=1):
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if a.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + a.packed + b.packed + body
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), ident, 0, 64, protocol, 0) + a.packed + b.packed
    return head[:10] + struct.pack(">H", summed(head)) + head[12:] + body


def ether(body, source=1, target=2, kind=None):
    target = target if isinstance(target, bytes) else mac(target)
    kind = kind or (0x86dd if body[0] >> 4 == 6 else 0x0800)
    return target + mac(source) + struct.pack(">H", kind) + body


def tcp(source, target, sport, dport, seq, ack, flags, body=b"", window=8192):
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50, flags, window, 0, 0)
    return ip(source, target, 6, head + body)


def udp(source, target, sport, dport, body):
    return ip(source, target, 17, struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body)


def dns(ident, name, answer=None, kind=1):
    flags = 0x0100 if answer is None else 0x8180 | answer
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    return struct.pack(">HHHHHH", ident, flags, 1, 0, 0, 0) + question + struct.pack(">HH", kind, 1)


def dhcp(kind, ident, client, given="0.0.0.0", name=b""):
    reply = kind in (2, 5, 6)
    body = struct.pack(">BBBBIHH", 2 if reply else 1, 1, 6, 0, ident, 0, 0) + b"\0" * 4
    body += socket.inet_aton(given) + b"\0" * 8 + mac(client) + b"\0" * 202
    body += b"\x63\x82\x53\x63" + bytes([53, 1, kind])
    if name:
        body += bytes([12, len(name)]) + name
    return body + b"\xff"


def arp(operation, sender, address, asked):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + mac(sender) + socket.inet_aton(address) + \
        b"\0" * 6 + socket.inet_aton(asked)


def hello(name, version=0x0303):
    server = struct.pack(">HH", 0, len(name) + 5) + struct.pack(">HBH", len(name) + 3, 0, len(name)) + name.encode()
    body = struct.pack(">H", version) + b"\0" * 32 + b"\0" + struct.pack(">HH", 2, 0x1301) + b"\1\0"
    body += struct.pack(">H", len(server)) + server
    body = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(body)) + body


def server_hello(version):
    body = struct.pack(">H", version) + b"\0" * 32 + b"\0" + struct.pack(">HB", 0x002f, 0)
    body = b"\2" + struct.pack(">I", len(body))[1:] + body
    return b"\x16" + struct.pack(">HH", version, len(body)) + body


class Recording:
    """Packets with the time of each, in seconds; written in order of time."""

    def __init__(self, link=ETHERNET):
        self.link, self.packets = link, []

    def add(self, at, packet):
        self.packets.append((round(at * 1e6), packet))

    def connect(self, at, client, server, sport, dport, rtt=0.01):
        """A handshake; the client's and the server's next sequence numbers."""
        self.add(at, ether(tcp(client, server, sport, dport, 1000, 0, SYN)))
        self.add(at + rtt * 0.9, ether(tcp(server, client, dport, sport, 5000, 1001, SYN | ACK), 2, 1))
        self.add(at + rtt, ether(tcp(client, server, sport, dport, 1001, 5001, ACK)))
        return 1001, 5001

    def write(self, path, most=262144):
        """Of each packet at most so many bytes."""
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, most, self.link))
            for at, packet in sorted(self.packets, key=lambda p: p[0]):
                f.write(struct.pack("<IIII", at // 1000000, at % 1000000, min(most, len(packet)), len(packet)) + packet[:most])
        return path
