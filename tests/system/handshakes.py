#!/usr/bin/env python3
"""How long a TCP handshake took, service by service: what fenwatch-capture says is what tshark says of the same file, made
by hand or recorded from this machine's own kernel."""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage  # noqa: E402
from capture import read, tshark  # noqa: E402
from pcaps import ACK, PSH, RST, SYN, Recording, ether, tcp  # noqa: E402
from stage import check, skip  # noqa: E402

SO_RCVBUFFORCE = 33
NEAR = 5e-7  # seconds: both read whole microseconds out of the file


def ours(lab, path):
    """{(server, port): (handshakes, seconds in all)}"""
    found = {}
    for (name, labels), value in read(lab, path).items():
        if name in ("tcp_handshakes_total", "tcp_handshake_seconds_total"):
            of = dict(labels)
            found.setdefault((of["server"], of["port"]), {})[name] = value
    return {service: (row["tcp_handshakes_total"], row["tcp_handshake_seconds_total"]) for service, row in found.items()
            if row["tcp_handshakes_total"]}


def theirs(path):
    """The same: a stream's server is whom its SYN asks, its time stands with every packet after the handshake, and where
    the SYN was refused, too."""
    servers, times = {}, {}
    answered = set(tshark(path, "tcp.flags.syn == 1 && tcp.flags.ack == 1", "tcp.stream"))
    for line in tshark(path, "tcp.flags.syn == 1 && tcp.flags.ack == 0", "tcp.stream", "ip.dst", "ipv6.dst", "tcp.dstport"):
        stream, four, six, port = line.split("\t")
        servers[stream] = (four or six, port)
    for line in tshark(path, "tcp.analysis.initial_rtt", "tcp.stream", "tcp.analysis.initial_rtt"):
        stream, seconds = line.split("\t")
        times.setdefault(stream, float(seconds))
    found = {}
    for stream, seconds in ((stream, times[stream]) for stream in times if stream in answered):
        count, all_of_them = found.get(servers[stream], (0, 0.0))
        found[servers[stream]] = (count + 1, all_of_them + seconds)
    return found


def apart(one, other):
    """Services of which the two do not say the same."""
    return {service: (one.get(service), other.get(service)) for service in set(one) | set(other)
            if service not in one or service not in other or one[service][0] != other[service][0]
            or abs(one[service][1] - other[service][1]) > NEAR}


def agree(lab, r, services):
    """And one handshake's last packet a little later is noticed: the control."""
    path = r.write(os.path.join(lab.dir, "handshakes.pcap"))
    told, wanted = ours(lab, path), theirs(path)
    check(not apart(told, wanted) and set(wanted) == services, f"ours and tshark's: {apart(told, wanted)} of {wanted}")
    moved = Recording(r.link)
    late = next(i for i, (_, packet) in enumerate(r.packets) if is_pure_ack(packet))
    moved.packets = [(at + (50 if i == late else 0), packet) for i, (at, packet) in enumerate(r.packets)]
    other = ours(lab, moved.write(os.path.join(lab.dir, "moved.pcap")))
    check(len(apart(other, wanted)) == 1, f"50 us of one are not noticed: {apart(other, wanted)}")
    return wanted


def is_pure_ack(packet):
    """An acknowledgement that nothing rides on, in Ethernet."""
    head = 14 + (40 if packet[14] >> 4 == 6 else (packet[14] & 15) * 4)
    return packet[head + 13] == ACK and len(packet) == head + (packet[head + 12] >> 4) * 4


# ---- made by hand ----

def shake(r, at, client, server, sport, dport, **kind):
    """A handshake: `again` SYNs before the one that is answered, `twice` answers, data that `rides` on the last packet."""
    def packet(after, one_way, *segment):
        source, target, ports = (client, server, (sport, dport)) if one_way else (server, client, (dport, sport))
        r.add(at + after, ether(tcp(source, target, *ports, *segment), 1 if one_way else 2, 2 if one_way else 1))
    rtt = 0.0011 + sport % 13 * 0.0007
    for n in range(kind.get("again", 0)):
        packet(n - kind["again"], True, 1000, 0, SYN)
    packet(0, True, 1000, 0, SYN)
    for n in range(kind.get("twice", 1)):
        packet(rtt * 0.6 + n * 0.0002, False, 5000, 1001, SYN | ACK)
    if "rides" in kind:
        packet(rtt, True, 1001, 5001, PSH | ACK, kind["rides"])
    else:
        packet(rtt, True, 1001, 5001, ACK)
    packet(rtt + 1, True, 1001, 5001, PSH | ACK, b"x" * 50)
    packet(rtt + 1.1, False, 5001, 1051, ACK)


KINDS = {8001: {}, 8002: {"again": 2}, 8003: {"twice": 2}, 8004: {"rides": b"GET /"}}


def test_every_kind_of_handshake(lab):
    r = Recording()
    for n in range(48):
        for port, kind in KINDS.items():
            client, server = (f"2001:db8::{n % 7 + 1:x}", "2001:db8:9::1") if n % 4 == 0 else (f"10.0.0.{n % 7 + 1}", "10.9.0.1")
            shake(r, 100 + n * 5 + port % 10, client, server, 40000 + n, port, **kind)
    for n in range(10):  # refused, and never answered
        r.add(50 + n, ether(tcp("10.0.0.9", "10.9.0.9", 50000 + n, 81, 7, 0, SYN)))
        if n % 2:
            r.add(50.01 + n, ether(tcp("10.9.0.9", "10.0.0.9", 81, 50000 + n, 0, 8, RST | ACK), 2, 1))
    for n in range(5):  # begun before the recording was
        r.add(60 + n, ether(tcp("10.0.0.9", "10.9.0.9", 52000 + n, 82, 7, 9, PSH | ACK, b"x" * 9)))
    agree(lab, r, {(server, str(port)) for port in KINDS for server in ("10.9.0.1", "2001:db8:9::1")})


# ---- recorded ----

class Recorder:
    """What passes on the loopback interface to and from these ports, as the kernel's own stack makes it."""

    def __init__(self, ports):
        try:
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.wire.bind(("lo", 0))
        except PermissionError:
            skip("this machine does not let us capture")
        self.wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.ports, self.recording, self.last = ports, Recording(), os.urandom(16)
        self.thread = threading.Thread(target=self.record, daemon=True)
        self.thread.start()

    def is_ours(self, packet):
        six = packet[12:14] == b"\x86\xdd"
        head = 14 + (40 if six else (packet[14] & 15) * 4)
        if packet[12:14] not in (b"\x08\0", b"\x86\xdd") or packet[20 if six else 23] != 6:
            return False
        return {int.from_bytes(packet[head + n:head + n + 2], "big") for n in (0, 2)} & self.ports

    def record(self):
        while True:
            packet, address = self.wire.recvfrom(65536)
            if packet.endswith(self.last):
                return
            if address[2] != socket.PACKET_OUTGOING and self.is_ours(packet):  # each passes twice
                self.recording.add(time.time_ns() // 1000 / 1e6, packet)

    def stop(self):
        """Once all is recorded that passed before this one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(self.last, ("127.0.0.1", 9))
        self.thread.join()
        self.wire.close()
        return self.recording


def listening(lab, family, address):
    server = socket.create_server((address, 0), family=family)
    lab.closers.append(server.close)

    def serve():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.sendall(peer.recv(4096).upper())
    threading.Thread(target=serve, daemon=True).start()
    return address, server.getsockname()[1]


def test_handshakes_of_this_machine(lab):
    places = [listening(lab, socket.AF_INET, "127.0.0.1"), listening(lab, socket.AF_INET, "127.0.0.2")]
    try:
        places.append(listening(lab, socket.AF_INET6, "::1"))
    except OSError:
        pass
    closed = stage.free_port()
    recorder = Recorder({port for _, port in places} | {closed})
    for n in range(60):
        with socket.create_connection(places[n % len(places)]) as s:
            s.sendall(b"hello")
            check(s.recv(100) == b"HELLO", "it answers")
    for _ in range(3):
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.1", closed)) != 0, "nobody listens there")
    wanted = agree(lab, recorder.stop(), {(address, str(port)) for address, port in places})
    check(sum(count for count, _ in wanted.values()) == 60, f"all of them: {wanted}")


if __name__ == "__main__":
    stage.main()
