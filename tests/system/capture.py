#!/usr/bin/env python3
"""What fenwatch-capture makes of packets: against tshark on the same files, against files whose
content is known, and where it must refuse."""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pcaps  # noqa: E402
import stage  # noqa: E402
from pcaps import ACK, BROADCAST, FIN, PSH, RST, SYN, Recording, arp, dhcp, dns, ether, mac, tcp, udp  # noqa: E402
from stage import check, skip, until  # noqa: E402

# It gives up the right to be looked into, which the search for leaks would need.
QUIET = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}
USER = "nobody"  # whom it becomes where root starts it
CANARY = b"CANARY-0f1e2d3c-VERY-PRIVATE"


def program(lab):
    return os.path.join(lab.build, "agent/capture/fenwatch-capture")


def run(lab, *argv, **env):
    return subprocess.run([program(lab), *argv], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, **QUIET, **env))


def read(lab, path, *more):
    """{(name, labels): value} of what a recording shows"""
    return shown(lab, path, *more)[0]


def shown(lab, path, *more):
    """(series as above, {table: {key: fields}})"""
    done = run(lab, "--read", path, *more)
    check(done.returncode == 0, f"--read: {done.returncode} {done.stderr}")
    found, tables, table = {}, {}, None
    for line in done.stdout.splitlines():
        if line.startswith("# "):
            table = tables.setdefault(line[2:], {})
        elif table is not None:
            key, *fields = line[1:].split("\t")
            table[key] = dict(field.split("=", 1) for field in fields)
        else:
            name, labels, value = re.fullmatch(r"fenwatch_capture_(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found[name, frozenset(re.findall(r'(\w+)="(.*?)"', labels or ""))] = float(value)
    return found, tables


def total(found, name, **labels):
    return sum(v for (n, have), v in found.items() if n == name and set(labels.items()) <= have)


def series(found, name):
    return [dict(labels) for (n, labels) in found if n == name]


# ---- beside tshark ----

def tshark(path, text, *fields):
    """The frames that a display filter finds; with fields: their values."""
    if not shutil.which("tshark"):
        skip("tshark is not installed")
    argv = ["tshark", "-n", "-r", path, "-Y", text, "-T", "fields"]
    for field in fields or ("frame.number",):
        argv += ["-e", field]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"tshark {text}: {done.stderr}")
    return done.stdout.splitlines()


def data(r, at, client, server, sport, dport, seq, ack, size, **more):
    r.add(at, ether(tcp(client, server, sport, dport, seq, ack, PSH | ACK, b"x" * size, **more)))


def troubled(r, client, server, sport, dport, at, kind):
    """A connection with one kind of trouble in it."""
    seq, ack = r.connect(at, client, server, sport, dport, rtt=0.004 + sport % 7 * 0.003)
    at += 1
    data(r, at, client, server, sport, dport, seq, ack, 100)
    if kind == "lost":  # again after half a second
        data(r, at + 0.5, client, server, sport, dport, seq, ack, 100)
    if kind == "late":  # the second before the first
        data(r, at + 0.1, client, server, sport, dport, seq + 200, ack, 100)
        data(r, at + 0.101, client, server, sport, dport, seq + 100, ack, 100)
    if kind == "gap":  # and what was missing comes a second later
        data(r, at + 0.1, client, server, sport, dport, seq + 200, ack, 100)
        data(r, at + 1.1, client, server, sport, dport, seq + 100, ack, 100)
    if kind == "full":
        r.add(at + 0.1, ether(tcp(server, client, dport, sport, ack, seq + 100, ACK, window=0), 2, 1))
    if kind == "alive":  # one byte before the next: is he still there
        r.add(at + 60, ether(tcp(client, server, sport, dport, seq + 99, ack, ACK)))
        r.add(at + 60.1, ether(tcp(server, client, dport, sport, ack, seq + 100, ACK), 2, 1))
    if kind == "reset":
        r.add(at + 0.2, ether(tcp(server, client, dport, sport, ack, 0, RST), 2, 1))
    if kind == "ended":
        r.add(at + 0.2, ether(tcp(client, server, sport, dport, seq + 100, ack, FIN | ACK)))
        r.add(at + 0.7, ether(tcp(client, server, sport, dport, seq + 100, ack, FIN | ACK)))


KINDS = ["whole", "lost", "late", "gap", "full", "alive", "reset", "ended"]


def wire_of_troubles(path, r=None):
    r = r or Recording()
    for n in range(160):
        client, server = f"10.0.{n % 3}.{n % 20 + 1}", f"10.9.0.{n % 4 + 1}"
        if n % 5 == 0:
            client, server = f"2001:db8::{n % 20 + 1:x}", f"2001:db8:9::{n % 4 + 1:x}"
        troubled(r, client, server, 40000 + n, 445 if n % 2 else 8080, 100 + n * 0.37, KINDS[n % len(KINDS)])
    for n in range(20):  # refused, asked twice, never answered
        r.add(300 + n, ether(tcp("10.0.0.9", "10.9.0.9", 50000 + n, 81, 7, 0, SYN)))
        if n % 2:
            r.add(300.01 + n, ether(tcp("10.9.0.9", "10.0.0.9", 81, 50000 + n, 0, 8, RST | ACK), 2, 1))
        else:
            r.add(301 + n, ether(tcp("10.0.0.9", "10.9.0.9", 50000 + n, 81, 7, 0, SYN)))
    for n in range(60):
        r.add(400 + n, ether(udp("10.0.0.7", "10.9.0.53", 33000 + n, 53, dns(n, f"h{n}.council"))))
        if n % 6:
            answer = dns(n, f"h{n}.council", answer={1: 3, 2: 2}.get(n % 6, 0))
            r.add(400.002 * 1.0 + n + n * 1e-4, ether(udp("10.9.0.53", "10.0.0.7", 53, 33000 + n, answer), 2, 1))
    for n in range(8):
        r.add(500 + n, ether(arp(1, n % 2 + 10, "10.0.0.77", "10.0.0.1"), n % 2 + 10, BROADCAST, 0x0806))
        for kind in (1, 2, 3, 6 if n % 4 == 0 else 5):
            client = kind in (1, 3)
            packet = udp("0.0.0.0" if client else "10.0.0.2", "255.255.255.255", 68 if client else 67,
                         67 if client else 68, dhcp(kind, 77 + n, 30 + n, f"10.0.0.{100 + n}", b"till-%d" % n))
            r.add(510 + n + kind / 100, ether(packet, 30 + n if client else 2, BROADCAST))
    return r.write(path)


def test_values_are_those_of_tshark(lab):
    path = wire_of_troubles(os.path.join(lab.dir, "troubles.pcap"))
    found = read(lab, path)
    again = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission"
    times = [float(t) for t in tshark(path, "tcp.analysis.initial_rtt && tcp.flags.syn == 0 && tcp.seq == 1 && "
                                            "tcp.len == 0 && tcp.ack == 1 && tcp.dstport < 10000 && "
                                            "tcp.flags.reset == 0", "tcp.analysis.initial_rtt")]
    waits = [float(t) for t in tshark(path, "dns.time", "dns.time")]
    beside = {
        "packets": (total(found, "packets_total"), len(tshark(path, "frame"))),
        "handshakes": (total(found, "tcp_handshakes_total"), len(times)),
        "their time": (total(found, "tcp_handshake_seconds_total"), sum(times)),
        "sent again": (total(found, "tcp_retransmissions_total"), len(tshark(path, again))),
        "out of order": (total(found, "tcp_out_of_order_total"), len(tshark(path, "tcp.analysis.out_of_order"))),
        "zero windows": (total(found, "tcp_zero_windows_total"), len(tshark(path, "tcp.analysis.zero_window"))),
        "resets": (total(found, "tcp_resets_total"), len(tshark(path, "tcp.flags.reset == 1"))),
        "DNS queries": (total(found, "dns_queries_total"), len(tshark(path, "dns.flags.response == 0"))),
        "DNS answers": (total(found, "dns_answers_total"), len(waits)),
        "DNS time": (total(found, "dns_answer_seconds_total"), sum(waits)),
        "no such name": (total(found, "dns_no_such_name_total"), len(tshark(path, "dns.flags.rcode == 3"))),
        "DNS failures": (total(found, "dns_failures_total"), len(tshark(path, "dns.flags.rcode == 2"))),
        "duplicates": (total(found, "duplicate_addresses_total"), len(tshark(path, "arp.duplicate-address-detected"))),
        "DHCP refused": (total(found, "dhcp_messages_total", type="nak"), len(tshark(path, "dhcp.option.dhcp == 6"))),
        "broadcasts": (total(found, "broadcast_packets_total"), len(tshark(path, "eth.dst == ff:ff:ff:ff:ff:ff"))),
    }
    apart = {what: pair for what, pair in beside.items() if abs(pair[0] - pair[1]) > 1e-5}
    check(not apart, f"ours and tshark's: {apart}")
    nothing = [what for what, pair in beside.items() if pair[1] == 0]
    check(not nothing, f"the file shows nothing of {nothing}")
    check(total(found, "tcp_refused_total") == 10 and total(found, "tcp_unanswered_total") == 10,
          "of 20 who asked in vain 10 were refused and 10 not heard")
    check(total(found, "dns_unanswered_total") == 10, "ten questions without an answer")


def snap(kind):
    return bytes.fromhex("aaaa03000000") + struct.pack(">H", kind)


def air(flags, kind, quality=False, head=b""):
    """802.11 with what is above it."""
    control = bytes([0x88 if quality else 0x08, flags, 0, 0])
    addresses = {1: mac(9) + mac(1) + BROADCAST, 2: BROADCAST + mac(9) + mac(1), 3: mac(8) + mac(9) + BROADCAST}[flags]
    return head + control + addresses + b"\0\0" + (mac(1) if flags == 3 else b"") + (b"\0\0" if quality else b"") + snap(kind)


# What libpcap calls the link in a file, and what stands in front of an IP packet of a kind.
WAYS = {
    "Ethernet": (1, lambda kind: BROADCAST + mac(1) + struct.pack(">H", kind)),
    "VLAN": (1, lambda kind: BROADCAST + mac(1) + struct.pack(">HHH", 0x8100, 7, kind)),
    "VLAN in VLAN": (1, lambda kind: BROADCAST + mac(1) + struct.pack(">HHHHH", 0x88a8, 7, 0x8100, 9, kind)),
    "MPLS": (1, lambda kind: BROADCAST + mac(1) + struct.pack(">HII", 0x8847, 0x10040, 0x20140)),
    "PPPoE": (1, lambda kind: BROADCAST + mac(1) + struct.pack(">HHHHH", 0x8864, 0x1100, 1, 64 if kind == 0x86dd else 44,
                                                             0x57 if kind == 0x86dd else 0x21)),
    "cooked": (113, lambda kind: struct.pack(">HHH", 0, 1, 6) + mac(1) + b"\0\0" + struct.pack(">H", kind)),
    "cooked 2": (276, lambda kind: struct.pack(">HHIHBB", kind, 0, 2, 1, 0, 6) + mac(1) + b"\0\0"),
    "raw": (101, lambda kind: b""),
    "loopback": (0, lambda kind: struct.pack("<I", 30 if kind == 0x86dd else 2)),
    "loopback of OpenBSD": (108, lambda kind: struct.pack(">I", 24 if kind == 0x86dd else 2)),
    "PPP": (9, lambda kind: struct.pack(">HH", 0xff03, 0x57 if kind == 0x86dd else 0x21)),
    "HDLC": (104, lambda kind: struct.pack(">HH", 0x0f00, kind)),
    "802.11 from": (105, lambda kind: air(2, kind)),
    "802.11 to, quality of service": (105, lambda kind: air(1, kind, True)),
    "802.11 between": (105, lambda kind: air(3, kind)),
    "radiotap": (127, lambda kind: air(2, kind, head=bytes.fromhex("0000080000000000"))),
}


def stretched(packet):
    """The same with options, or with extension headers."""
    if packet[0] >> 4 == 6:
        return packet[:4] + struct.pack(">HB", len(packet) - 40 + 16, 0) + packet[7:40] + \
            b"\x3c\0\1\4\0\0\0\0" + bytes([packet[6]]) + b"\0\1\4\0\0\0\0" + packet[40:]
    head = bytes([0x47]) + packet[1:2] + struct.pack(">H", len(packet) + 8) + packet[4:10] + b"\0\0" + packet[12:20] + b"\1" * 8
    return head[:10] + struct.pack(">H", pcaps.summed(head)) + head[12:] + packet[20:]


def test_every_encapsulation_is_read_as_tshark_does(lab):
    for name, (link, before) in WAYS.items():
        r = Recording(link)
        for n, (client, server) in enumerate((("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")) * 2):
            segment = tcp(client, server, 40000 + n, 8000 + n, 1, 0, SYN, b"x" * 2)
            if n > 1 and name != "PPPoE":
                segment = stretched(segment)
            r.add(n, before(0x86dd if ":" in client else 0x0800) + segment)
        path = r.write(os.path.join(lab.dir, "way.pcap"))
        fields = ("ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.dstport")
        theirs = set()
        for line in tshark(path, "tcp", *fields):
            source, source6, target, target6, port = line.split("\t")
            theirs.add(f"{target or f'[{target6}]'}:{port}/tcp {source or source6}")
        ours = set(shown(lab, path)[1]["clients"])
        check(ours == theirs and len(ours) == 4, f"{name}: ours {ours}, tshark's {theirs}")
        with open(path, "rb") as f:
            whole = f.read()
        for cut in range(0, 120, 11):  # and cut anywhere it is read to its end
            with open(path, "wb") as f:
                f.write(whole[:24] + shortened(whole[24:], cut))
            check(total(read(lab, path), "packets_total") == 4, f"{name}, cut at {cut}")


class Wrapped(Recording):
    """What is given to it as Ethernet stands behind another head; what is not IP is left out."""

    def __init__(self, link, before):
        super().__init__(link)
        self.before = before

    def add(self, at, frame):
        kind = struct.unpack(">H", frame[12:14])[0]
        if kind in (0x0800, 0x86dd):
            super().add(at, self.before(kind).replace(BROADCAST, mac(2)) + frame[14:])


AGAIN = ("retransmission", "fast_retransmission", "spurious_retransmission")
SEEN = [f"tcp.analysis.{name}" for name in (*AGAIN, "out_of_order", "zero_window")] + \
    ["tcp.flags.reset", "dns.flags.response", "dns.time", "dns.flags.rcode"]


def test_troubles_are_those_of_tshark_behind_every_head(lab):
    for name in ("VLAN in VLAN", "MPLS", "cooked", "cooked 2", "raw", "loopback", "PPP", "HDLC", "802.11 from", "radiotap"):
        path = wire_of_troubles(os.path.join(lab.dir, "way.pcap"), Wrapped(*WAYS[name]))
        rows = [dict(zip(SEEN, line.split("\t"))) for line in tshark(path, "tcp || dns", *SEEN)]
        waits = [float(row["dns.time"]) for row in rows if row["dns.time"]]
        theirs = {
            "tcp_retransmissions_total": sum(any(row["tcp.analysis." + kind] for kind in AGAIN) for row in rows),
            "tcp_out_of_order_total": sum(row["tcp.analysis.out_of_order"] != "" for row in rows),
            "tcp_zero_windows_total": sum(row["tcp.analysis.zero_window"] != "" for row in rows),
            "tcp_resets_total": sum(row["tcp.flags.reset"] in ("1", "True") for row in rows),
            "dns_queries_total": sum(row["dns.flags.response"] in ("0", "False") for row in rows),
            "dns_answer_seconds_total": sum(waits), "dns_answers_total": len(waits),
            "dns_failures_total": sum(row["dns.flags.rcode"] == "2" for row in rows),
            "dns_no_such_name_total": sum(row["dns.flags.rcode"] == "3" for row in rows)}
        found = read(lab, path)
        apart = {what: (total(found, what), value) for what, value in theirs.items() if abs(total(found, what) - value) > 1e-5}
        check(not apart and min(theirs.values()) > 0, f"{name}: ours and tshark's: {apart} of {theirs}")
        check(total(found, "tcp_handshakes_total") == 160, f"{name}: handshakes")


def shortened(packets, most):
    """Of each packet at most so many bytes."""
    out = b""
    while packets:
        second, part, captured, length = struct.unpack("<IIII", packets[:16])
        out += struct.pack("<IIII", second, part, min(most, captured), length) + packets[16:16 + min(most, captured)]
        packets = packets[16 + captured:]
    return out


# ---- what a known wire shows ----

def test_every_series_is_explained(lab):
    r = Recording()
    r.connect(1, "10.0.0.1", "10.0.0.2", 40000, 443)
    r.add(2, ether(tcp("10.0.0.1", "10.0.0.2", 40000, 443, 1001, 5001, PSH | ACK, pcaps.hello("a.council"))))
    r.add(3, ether(udp("10.0.0.1", "10.0.0.3", 40000, 53, dns(1, "a.council"))))
    names = {name for name, _ in read(lab, r.write(os.path.join(lab.dir, "all.pcap")), "--names")}
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/capture.md")
    with open(page) as f:
        explained = set(re.findall(r"`fenwatch_capture_(\w+)`", f.read()))
    check(names == explained, f"not on the page: {names - explained}; only there: {explained - names}")



def test_who_depends_on_the_old_server(lab):
    r = Recording()
    old = "10.9.0.3"
    for n in range(50):
        r.add(n, ether(arp(1, 100 + n, f"10.1.0.{n + 1}", "10.1.0.254"), 100 + n, BROADCAST, 0x0806))
        seq, ack = r.connect(100 + n, f"10.1.0.{n + 1}", old if n < 12 else "10.9.0.4", 51000, 445)
        magic = b"\0\0\0\x20" + (b"\xff" if n < 5 else b"\xfe") + b"SMB" + b"\0" * 28
        r.add(101 + n, ether(tcp(f"10.1.0.{n + 1}", old if n < 12 else "10.9.0.4", 51000, 445, seq, ack, PSH | ACK,
                                 magic), 100 + n))
    r.add(200, ether(tcp("10.1.0.7", old, 51500, 23, 1, 1, PSH | ACK, b"login")))
    r.add(201, ether(tcp(old, "10.1.0.8", 443, 51600, 1, 1, PSH | ACK, pcaps.server_hello(0x0301)), 2))
    r.add(202, ether(tcp(old, "10.1.0.9", 443, 51700, 1, 1, PSH | ACK, pcaps.server_hello(0x0303)), 2))
    r.add(203, ether(udp("10.1.0.9", old, 51701, 161, bytes.fromhex("302602010104067075626c6963"))))
    found, tables = shown(lab, r.write(os.path.join(lab.dir, "old.pcap")))
    clients = tables["clients"]
    users = {key.split()[1]: line for key, line in clients.items() if key.startswith(old + ":445/tcp ")}
    check(set(users) == {f"10.1.0.{n}" for n in range(1, 13)}, f"who uses it: {users}")
    check(users["10.1.0.3"] == {"client": "10.1.0.3", "first": "102", "last": "0", "port": "445",
                                "server": old, "speaks": "smb1", "to_client": "32 B", "to_server": "128 B"},
          f"of one: {users['10.1.0.3']}")
    old_ones = {}
    for line in clients.values():
        for kind in line.get("speaks", "").split():
            old_ones.setdefault(kind, set()).add(line["client"])
    check(old_ones == {"smb1": {f"10.1.0.{n}" for n in range(1, 6)}, "telnet": {"10.1.0.7"}, "tls1.0": {"10.1.0.8"},
                       "snmp2c": {"10.1.0.9"}}, f"who speaks what is old: {old_ones}")
    check(total(found, "old_protocol_clients", old="smb1") == 5, "and how many")
    check({mac for mac, line in tables["wire"].items() if line.get("speaks") == "smb1"} ==
          {f"02:00:00:00:00:{100 + n:02x}" for n in range(5)}, "whose hardware it is")
    hosts = {mac: line.get("address") for mac, line in tables["wire"].items()}
    check(all(hosts[f"02:00:00:00:00:{100 + n:02x}"] == f"10.1.0.{n + 1}" for n in range(50)), f"hosts: {hosts}")


def test_tables_are_bounded_and_say_what_they_drop(lab):
    r = Recording()
    for n in range(60000):
        r.add(n / 1000, ether(udp(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "10.9.0.1", 40000, 1 + n % 3000, b"x"), n))
    found = read(lab, r.write(os.path.join(lab.dir, "flood.pcap")))
    check(total(found, "packets_total") == 60000, "all are counted")
    check(len(series(found, "service_packets_total")) <= 96, "services told")
    for table, room in (("peers", 8192), ("services", 1024), ("hosts", 4096)):
        check(total(found, "table_dropped_total", table=table) >= (3000 if table == "services" else 60000) - room,
              f"{table} dropped {total(found, 'table_dropped_total', table=table)}")
    check(total(found, "untold_services") > 0, "what was not told is counted")


def test_nothing_of_a_payload_comes_out(lab):
    r = Recording()
    seq, ack = r.connect(1, "10.0.0.1", "10.0.0.2", 40000, 80)
    r.add(2, ether(tcp("10.0.0.1", "10.0.0.2", 40000, 80, seq, ack, PSH | ACK, CANARY * 20)))
    r.add(3, ether(udp("10.0.0.1", "10.0.0.2", 40000, 53, dns(1, "secret-name.council"))))
    r.add(4, ether(tcp("10.0.0.1", "10.0.0.3", 40001, 443, 1, 1, PSH | ACK, pcaps.hello("secret-site.council"))))
    r.add(5, ether(udp("10.0.0.1", "10.0.0.2", 40000, 161, b"\x30\x26\x02\x01\x01\x04\x1c" + CANARY)))
    path = r.write(os.path.join(lab.dir, "canary.pcap"))
    done = run(lab, "--read", path)
    check("packets_total 7" in done.stdout, done.stdout[:200] + done.stderr)
    check("CANARY" not in done.stdout + done.stderr and "secret" not in done.stdout, "a payload or name came out")
    allowed = run(lab, "--read", path, "--names").stdout
    check("secret-site.council" in allowed and "CANARY" not in allowed, "where names are allowed the site's is there")


# ---- where it refuses ----

def configured(lab, name="capture", agent="class: server\n", **keys):
    paths = {what: os.path.join(lab.dir, f"{name}-{what}.yml") for what in ("agent", "names", "capture")}
    with open(paths["agent"], "w") as f:
        f.write(agent)
    keys = {"interfaces": "[lo]", "agent": paths["agent"], "names": paths["names"], "user": USER, **keys}
    with open(paths["capture"], "w") as f:
        f.writelines(f"{key}: {value}\n" for key, value in keys.items())
    return paths


def refusal(lab, status, words, *argv, **options):
    done = subprocess.run([program(lab), *argv], capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, **QUIET), **options)
    check(done.returncode == status, f"ended with {done.returncode}: {done.stderr}")
    lines = done.stderr.splitlines()
    check(len(lines) == 1 and words in lines[0], f"one sentence with '{words}': {done.stderr}")


def test_it_refuses_in_one_sentence(lab):
    refusal(lab, 77, "class: laptop", "--config", configured(lab, agent="class: laptop\n")["capture"])
    refusal(lab, 77, "what class of machine", "--config", configured(lab, agent="class: [\n")["capture"])
    refusal(lab, 0, "nothing is captured", "--config", configured(lab, interfaces="[]")["capture"])
    refusal(lab, 78, "name of an interface", "--config", configured(lab, interfaces="[a/b]")["capture"])
    refusal(lab, 1, "no such interface", "--config", configured(lab, interfaces="[nowhere0]")["capture"])
    for status, words, keys in ((77, "class: laptop", {"agent": "class: laptop\n"}), (1, "no such interface", {"interfaces": "[nowhere0]"}),
                                (78, "no user 'nobody-at-all'", {"user": "nobody-at-all"})):
        refusal(lab, status, words, "--check-config", "--config", configured(lab, **keys)["capture"])
    lost = configured(lab)
    os.unlink(lost["agent"])
    refusal(lab, 77, "what class of machine", "--check-config", "--config", lost["capture"])
    refusal(lab, 65, "not a pcap file", "--read", "/dev/null")
    newer = os.path.join(lab.dir, "newer.pcapng")
    with open(newer, "wb") as f:
        f.write(bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000"))
    refusal(lab, 65, "pcapng", "--read", newer)
    if os.geteuid() == 0:
        os.chmod(lab.dir, 0o755)
        paths = configured(lab)
        for path in paths.values():
            if os.path.exists(path):
                os.chmod(path, 0o644)
        refusal(lab, 77, "no right to capture", "--config", paths["capture"], user="nobody", group="nogroup")
        refusal(lab, 78, "no user 'nobody-at-all'", "--config", configured(lab, user="nobody-at-all")["capture"])
        refusal(lab, 78, "must be another", "--config", configured(lab, user="root")["capture"])


def test_names_need_an_authority_and_an_end(lab):
    if os.geteuid() != 0:
        skip("only root can make a file of root's")
    paths = configured(lab)

    def said(text, mode=0o644):
        with open(paths["names"], "w") as f:
            f.write(text)
        os.chmod(paths["names"], mode)
        done = run(lab, "--config", paths["capture"], "--check-config")
        return done.returncode, done.stdout + done.stderr
    check("no names" in run(lab, "--config", paths["capture"], "--check-config").stdout, "without a file: none")
    check("names are kept" in said("authority: Head of ICT, CR-1\nuntil: 2099-12-31\n")[1], "with one they are")
    check("no names" in said("authority: Head of ICT\nuntil: 2020-01-01\n")[1], "not after its end")
    for text in ("until: 2099-12-31\n", "authority: x\n", "authority: x\nuntil: soon\n", "authority: x\nuntil: 2099-13-01\n"):
        check(said(text)[0] == 78, f"{text!r} is refused")
    check(said("authority: x\nuntil: 2099-12-31\n", 0o666)[0] == 78, "nor one that anybody may write")
    refusal(lab, 78, "only root may write", "--config", paths["capture"])


def test_without_an_interface_its_unit_is_well(lab):
    """A unit that was never ready has failed, whatever its program ended with."""
    place = os.path.join(lab.dir, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(place)
        manager.settimeout(5)
        done = subprocess.run([program(lab), "--config", configured(lab, interfaces="[]")["capture"]], capture_output=True, text=True,
                              timeout=30, env=dict(os.environ, NOTIFY_SOCKET=place, **QUIET))
        check(done.returncode == 0 and manager.recv(1000).startswith(b"READY=1\n"), done.stderr)


if __name__ == "__main__":
    stage.main()
